"""How imports find files: what differs between families of languages, for `indexing.resolve`.

One :class:`Layout` per family, chosen by the importing file's suffix: a file never finds one of
another family. ``modules.py`` is Python's, ``java_modules.py`` and ``javascript_modules.py`` the
others.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Protocol

from indexing.installed import Installed, WideModules
from indexing.java_modules import JavaModules, folders_by_name
from indexing.javascript_modules import JavaScriptModules
from indexing.languages import family_of
from indexing.modules import Modules
from indexing.symbols import FileSymbols, Import

Symbols = Callable[[str], FileSymbols | None]


class Layout(Protocol):
    """What one family's imports mean, by the files there are."""

    @property
    def exports_are_all(self) -> bool:
        """Whether a file's ``exports``, where it has them, are all that others see of it."""

    def module_name(self, path: str, /) -> str:
        """The name that other files import ``path`` by."""

    def bound(self, imported: Import, /) -> str:
        """The module that an import without a name binds, as it is written."""

    def base(self, importer: str, imported: Import, /) -> tuple[str, str] | None:
        """What an import takes its name from: a file, and a class in it (``""``: the file)."""

    def visible(self, path: str, /) -> Mapping[str, str]:
        """Names that a file sees without importing each, and the files that define them."""

    def offers(self, path: str, /) -> bool:
        """Whether a module is there to give away what it imports."""

    def submodule(self, package: str, name: str, /) -> str | None:
        """The module ``name`` inside the package at ``package``."""

    def submodules(self, package: str, /) -> Mapping[str, str]:
        """Every module inside a package by name."""


class Layouts:
    """The files of a workspace, sorted by family; dropped when a file comes or goes.

    ``prefix`` and ``imported`` are those of `Modules`; configuration files are read below ``root``.
    """

    def __init__(
        self,
        root: Path,
        paths: frozenset[str],
        prefix: str = "",
        imported: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self.paths = paths
        self._root = root
        self._families: dict[str, set[str]] = {}
        for path in paths:
            self._families.setdefault(family_of(path), set()).add(path)
        self._modules = Modules(self._of("python"), prefix, imported)
        self._python: Layout = self._modules

    def _of(self, family: str) -> frozenset[str]:
        return frozenset(self._families.get(family, ()))

    @property
    def is_mixed(self) -> bool:
        """Whether there are files of more than one family."""
        return len(self._families) > 1

    def widened(self, packages: Installed) -> Layouts:
        """The same, with installed packages behind the repository's own modules."""
        wide = copy.copy(self)
        wide._python = WideModules(self._modules, packages)
        return wide

    @cached_property
    def _java(self) -> Mapping[str, tuple[str, ...]]:
        return folders_by_name(self._of("java"))

    @cached_property
    def _javascript(self) -> JavaScriptModules:
        return JavaScriptModules(self._root, self._of("javascript"))

    def layout(
        self, family: str, symbols: Symbols, packages: dict[str, Mapping[str, str]]
    ) -> Layout:
        """The layout of a family; ``packages`` remembers what Java's packages hold."""
        if family == "java":
            return JavaModules(self._java, symbols, packages)
        return self._javascript if family == "javascript" else self._python
