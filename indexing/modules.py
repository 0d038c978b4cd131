"""Dotted module names and files of a repository, by its directory layout alone.

Python decides at run time what an import means (``sys.path``); a repository shows it by its layout.
The rules, in the order in which an absolute import is tried:

1. the import root of the importing file: the directory that holds its outermost package, or the
   file's own directory when it is in no package (a script, or a test directory with its own root);
2. the workspace root, then ``src/`` directories;
3. the directories that hold some other package of the repository, nearest to the root first; not
   for names of the standard library, which such a directory cannot shadow from afar.

In each, a module file or a package with ``__init__`` wins over a namespace package, and a namespace
package is any directory with a source file somewhere below it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cached_property

from indexing.symbols import Import

PACKAGE_FILES = ("__init__.py", "__init__.pyi")
SUFFIXES = (".py", ".pyi")


def folder_of(path: str) -> str:
    """``a/b.py`` -> ``a``; ``b.py`` -> ``""``; ``a/b/`` (a namespace package) -> ``a/b``."""
    return path.rpartition("/")[0]


def joined(folder: str, name: str) -> str:
    """``folder/name``, or ``name`` at the root."""
    return f"{folder}/{name}" if folder else name


def is_package(path: str) -> bool:
    """Whether a module can have submodules: ``__init__`` files and namespace packages."""
    return path.endswith("/") or path.rpartition("/")[2] in PACKAGE_FILES


class Modules:
    """The modules of a set of files (paths relative to the workspace, ``/`` separated).

    ``prefix`` is the dotted name of the package that the workspace root itself is (``"rich"`` when
    site-packages/rich is opened), or empty. A namespace package is written as its folder with a
    trailing slash. ``imported`` gives the first parts of the absolute imports in the files, and is
    asked only where the layout leaves a name open.
    """

    def __init__(
        self,
        paths: frozenset[str],
        prefix: str = "",
        imported: Callable[[], frozenset[str]] = frozenset,
    ) -> None:
        self.paths = paths
        self.prefix = prefix
        self._imported = imported
        self._found: dict[tuple[str, str], str | None] = {}
        self._names: dict[str, str] = {}

    @cached_property
    def folders(self) -> frozenset[str]:
        """Every folder with a source file in it or below it."""
        found: set[str] = set()
        for path in self.paths:
            folder = folder_of(path)
            while folder not in found:
                found.add(folder)
                folder = folder_of(folder)
        return frozenset(found)

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """Directories that absolute imports may start from, in the order they are tried."""
        sources = {
            f for f in self.folders if f.rpartition("/")[2] == "src" and not self._regular(f)
        }
        others = {
            folder_of(folder)
            for folder in self.folders
            if folder and self._regular(folder) and not self._regular(folder_of(folder))
        }
        return ("", *sorted(sources, key=_depth), *sorted(others - sources - {""}, key=_depth))

    def _regular(self, folder: str) -> bool:
        return any(joined(folder, name) in self.paths for name in PACKAGE_FILES)

    def root_of(self, path: str) -> str:
        """The import root of a file: where its outermost package, or the file itself, lies."""
        folder = folder_of(path)
        while folder and self._regular(folder):
            folder = folder_of(folder)
        return folder

    def module_name(self, path: str) -> str:
        """The dotted name that other files import ``path`` by."""
        name = self._names.get(path)
        if name is None:
            name = self._names[path] = self._module_name(path)
        return name

    def _module_name(self, path: str) -> str:
        """The layout leaves open where a namespace package begins: what is imported decides.

        Without evidence: below a ``src`` directory from there, a package by its outermost folder
        with ``__init__``, a lone file from the workspace root.
        """
        nearest = self.root_of(path)
        if not nearest:
            return self._dotted(path)
        candidates = [nearest]
        while candidates[-1]:
            candidates.append(folder_of(candidates[-1]))
        names = {root: self._dotted(path.removeprefix(root).lstrip("/")) for root in candidates}
        for name in names.values():
            if name.partition(".")[0] in self._imported_names:
                return name
        source = next((root for root in candidates if root.rpartition("/")[2] == "src"), None)
        lone = "" if folder_of(path) == nearest else nearest
        return names[lone if source is None else source]

    @cached_property
    def _imported_names(self) -> frozenset[str]:
        return self._imported()

    def _dotted(self, inner: str) -> str:
        parts = inner.rstrip("/").split("/")
        if parts[-1] in PACKAGE_FILES:
            parts.pop()
        elif parts[-1].endswith(SUFFIXES):
            parts[-1] = parts[-1].rpartition(".")[0]
        return ".".join([self.prefix, *parts] if self.prefix else parts)

    def bound(self, imported: Import) -> str:
        """``import a.b`` binds ``a``; ``import a.b as c`` binds ``a.b``."""
        first = imported.module.partition(".")[0]
        return first if imported.alias == first else imported.module

    def base(self, importer: str, imported: Import) -> tuple[str, str] | None:
        """The module that an import statement names, which is no class (``""``)."""
        module = self.bound(imported) if imported.name is None else imported.module
        if imported.level:
            found = self.relative(importer, imported.level, module)
        else:
            found = self.find(module, importer)
        return None if found is None else (found, "")

    def visible(self, _path: str) -> Mapping[str, str]:
        """Nothing: every name is imported or built in."""
        return {}

    @property
    def exports_are_all(self) -> bool:
        """``__all__`` restrains only star imports."""
        return False

    def offers(self, path: str) -> bool:
        """Whether the file is a package's own: its imports are what the package offers."""
        return is_package(path)

    def find(self, module: str, importer: str) -> str | None:
        """The file or namespace package that ``import module`` means in the file ``importer``."""
        root = self.root_of(importer)
        key = (module, root)
        if key not in self._found:
            self._found[key] = self._find(module, root)
        return self._found[key]

    def _find(self, module: str, root: str) -> str | None:
        inner = self._inside(module)
        if inner is None:
            return None
        roots = ("",) if self.prefix else (root, *(r for r in self.roots if r != root))
        if module.partition(".")[0] in sys.stdlib_module_names:
            roots = tuple(r for r in roots if r in (root, "") or r.rpartition("/")[2] == "src")
        hits = [hit for r in roots if (hit := self.child(joined(r, inner).rstrip("/"))) is not None]
        files = (hit for hit in hits if not hit.endswith("/"))
        return next(files, hits[0] if hits else None)

    def _inside(self, module: str) -> str | None:
        """The path of ``module`` below a root, without a suffix; ``None`` outside the prefix."""
        if not self.prefix:
            return module.replace(".", "/")
        if module == self.prefix:
            return ""
        inner = module.removeprefix(self.prefix + ".")
        return None if inner == module else inner.replace(".", "/")

    def child(self, stem: str) -> str | None:
        """The package, module or namespace package at ``stem`` (a path without suffix)."""
        for name in PACKAGE_FILES:
            if (path := joined(stem, name)) in self.paths:
                return path
        for suffix in SUFFIXES:
            if stem and (path := stem + suffix) in self.paths:
                return path
        return stem + "/" if stem and stem in self.folders else None

    def relative(self, importer: str, level: int, module: str) -> str | None:
        """What ``from ..module import`` (``level`` dots) means there; ``None`` above the root."""
        folder = folder_of(importer)
        for _ in range(level - 1):
            if not folder:
                return None
            folder = folder_of(folder)
        return self.child(joined(folder, module.replace(".", "/")) if module else folder)

    def submodule(self, package: str, name: str) -> str | None:
        """The submodule ``name`` of a package."""
        return self.child(joined(folder_of(package), name)) if is_package(package) else None

    def submodules(self, package: str) -> dict[str, str]:
        """Every submodule of a package by name."""
        if not is_package(package):
            return {}
        folder = folder_of(package)
        start = folder + "/" if folder else ""
        stems = {
            path[len(start) :].partition("/")[0].partition(".")[0]
            for path in self.paths
            if path.startswith(start)
        }
        found = {stem: self.submodule(package, stem) for stem in sorted(stems - {"__init__"})}
        return {stem: path for stem, path in found.items() if path and stem.isidentifier()}


def _depth(folder: str) -> tuple[int, str]:
    return folder.count("/"), folder
