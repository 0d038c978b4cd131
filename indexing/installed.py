"""Installed packages, read from their source: which file a module is, and what it says.

Nothing is imported and no interpreter is asked: the folders of an environment are looked at, and
single files are read with the extraction that the repository's own files are read with, when
somebody asks. Their paths are absolute, with ``/``; the repository's are relative.

A request may not wait for a large file. Within :meth:`Installed.within` only as much is read as
fits; what does not raises :class:`NotReadError` and is read by a thread, for the next request.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import tree_sitter

from indexing import parsing, quiet
from indexing.extract import outline, symbols
from indexing.files import MAX_FILE_BYTES
from indexing.languages import language_of
from indexing.modules import PACKAGE_FILES, SUFFIXES, Modules, folder_of, is_package, joined
from indexing.symbols import FileSymbols, Import
from indexing.system import is_file

MOST_BYTES = 48 << 20
"""So many bytes of source are read of one environment; their symbols take about three times it."""

BYTES_PER_MS = 1_000
"""How fast a file is read at least."""

GRACE_S = 0.02
"""So long after its time for reading has ended a request may go on with what has been read."""

log = logging.getLogger(__name__)


_SPECIAL = frozenset(("builtins", "typing", "typing_extensions", "types", "abc", "enum"))
_SPECIAL |= frozenset(("collections", "dataclasses", "functools", "contextlib", "__future__"))
"""Modules of the standard library that inference knows better than their stubs say."""


class NotReadError(Exception):
    """A file that a request would have to wait for; it is being read."""


class Installed:
    """The packages in ``folders``, in the order in which they are searched."""

    def __init__(self, folders: tuple[Path, ...], stubs: Path | None = None) -> None:
        """``stubs``: a folder with stubs of the standard library, laid out as typeshed's."""
        self.folders = tuple(folder.as_posix() for folder in folders)
        self._stubs = "" if stubs is None else stubs.as_posix()
        every = (*self.folders, self._stubs) if self._stubs else self.folders
        self._starts = tuple(f"{folder}/" for folder in every)
        self._listed: dict[str, frozenset[str]] = {}
        self._found: dict[str, str | None] = {}
        self._symbols: dict[str, FileSymbols | None] = {}
        self._stamp = self._stamped()
        self._read_bytes = 0
        self._deadline: float | None = None
        self._jobs: deque[Callable[[], None]] = deque()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self.generation = 0
        self.remembered: dict[Hashable, frozenset[str] | None] = {}
        """What was worked out from these packages alone; forgotten with them."""

    def owns(self, path: str) -> bool:
        """Whether ``path`` is a file or folder of these packages."""
        return path.startswith(self._starts)

    def is_stub(self, path: str) -> bool:
        """Whether ``path`` is a stub of the standard library."""
        return bool(self._stubs) and path.startswith(f"{self._stubs}/")

    # Modules --------------------------------------------------------------------------------------

    def module_name(self, path: str) -> str:
        """The dotted name that ``path`` is imported by."""
        start = next(each for each in self._starts if path.startswith(each))
        parts = path.removeprefix(start).rstrip("/").split("/")
        if parts[-1] in PACKAGE_FILES:
            parts.pop()
        elif parts[-1].endswith(SUFFIXES):
            parts[-1] = parts[-1].rpartition(".")[0]
        return ".".join(parts)

    def find(self, module: str) -> str | None:
        """The file, or the folder of the namespace package, that ``module`` is."""
        if module not in self._found:
            top = module.partition(".")[0]
            inside = module.replace(".", "/")
            within = (self._stubs,) if top in sys.stdlib_module_names else self.folders
            known = bool(inside) and top not in _SPECIAL
            hits = (self.child(f"{folder}/{inside}") for folder in within if known)
            self._found[module] = next((hit for hit in hits if hit is not None), None)
        return self._found[module]

    def child(self, stem: str) -> str | None:
        """The package, module or namespace package at ``stem``, a path without suffix."""
        inner = self._entries(stem)
        package = next((name for name in PACKAGE_FILES if name in inner), None)
        if package is not None:
            return f"{stem}/{package}"
        beside, _, name = stem.rpartition("/")
        for suffix in SUFFIXES:
            if name + suffix in self._entries(beside):
                return stem + suffix
        return f"{stem}/" if inner else None

    def relative(self, importer: str, level: int, module: str) -> str | None:
        """What ``from ..module import`` (``level`` dots) means in the file ``importer``."""
        folder = folder_of(importer)
        for _ in range(level - 1):
            folder = folder_of(folder)
        if not self.owns(f"{folder}/"):
            return None
        return self.child(joined(folder, module.replace(".", "/")) if module else folder)

    def submodules(self, package: str) -> dict[str, str]:
        """Every submodule of a package that has source, by name."""
        folder = folder_of(package)
        stems = {name.partition(".")[0] for name in self._entries(folder)} - {"__init__"}
        found = {stem: self.child(f"{folder}/{stem}") for stem in sorted(stems)}
        return {stem: path for stem, path in found.items() if path and stem.isidentifier()}

    def compiled(self, package: str) -> frozenset[str]:
        """The names of the modules in a package that are no source."""
        endings = (".so", ".pyd", ".dll")
        names = self._entries(folder_of(package)) if is_package(package) else ()
        return frozenset(name.partition(".")[0] for name in names if name.endswith(endings))

    def _entries(self, folder: str) -> frozenset[str]:
        found = self._listed.get(folder)
        if found is None:
            try:
                found = frozenset(entry.name for entry in os.scandir(folder))
            except OSError:
                found = frozenset()
            self._listed[folder] = found
        return found

    # Symbols --------------------------------------------------------------------------------------

    def symbols(self, path: str) -> FileSymbols | None:
        """What a file says; None where it cannot be read. Raises NotReadError."""
        late = self._deadline is not None and time.perf_counter() > self._deadline + GRACE_S
        if late and not self._is_reader():
            raise NotReadError(path)  # what was found out until now is remembered
        try:
            return self._symbols[path]
        except KeyError:
            return self._read(path)

    def _read(self, path: str) -> FileSymbols | None:
        if not path.endswith(SUFFIXES):
            return None
        if self._deadline is not None and not self._fits(path, self._deadline):
            self.soon(lambda: self._keep(path))
            raise NotReadError(path)
        return self._keep(path)

    def _fits(self, path: str, deadline: float) -> bool:
        if self._is_reader():
            return True
        try:
            size = Path(path).stat().st_size
        except OSError:
            return True
        return time.perf_counter() + size / BYTES_PER_MS / 1000 < deadline

    def _is_reader(self) -> bool:
        """Whether this is the reading thread, which has time."""
        return threading.current_thread() is self._thread

    def _keep(self, path: str) -> FileSymbols | None:
        if path not in self._symbols:
            if self._is_reader():
                quiet.wait()
            found, size = _extracted(path)
            if self._read_bytes + size > MOST_BYTES:
                found = None  # what is not read is not known
            else:
                self._read_bytes += size
            self._symbols[path] = found
        return self._symbols[path]

    @contextmanager
    def within(self, milliseconds: float) -> Iterator[None]:
        """While this lasts no more is read than fits into so much time; inner ones end no later."""
        before = self._deadline
        ends = time.perf_counter() + milliseconds / 1000
        self._deadline = ends if before is None else min(before, ends)
        try:
            yield
        finally:
            self._deadline = before

    def refresh(self) -> None:
        """Forget everything where a package came, went, or was exchanged."""
        stamp = self._stamped()
        if stamp != self._stamp:
            self._stamp = stamp
            self._listed, self._found, self._symbols, self.remembered = {}, {}, {}, {}
            self._read_bytes = 0
            self.generation += 1

    def _stamped(self) -> tuple[int, ...]:
        """When something was last put into each folder or taken out of it, in ns."""
        return tuple(_changed(folder) for folder in self.folders)

    # Reading ahead --------------------------------------------------------------------------------

    def soon(self, job: Callable[[], None] | Callable[[], object]) -> None:
        """Let the reading thread do ``job``; it ends when nothing is left to do."""
        with self._lock:
            self._jobs.append(lambda: (job(), None)[1])
            if self._thread is None:
                name = "installed packages"
                self._thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._thread = None
                    return
                job = self._jobs.popleft()
            try:
                job()
            except Exception as error:  # noqa: BLE001  a request will find the same file unknown
                log.error("reading an installed package failed: %s", type(error).__name__)

    def wait(self, seconds: float) -> None:
        """Wait until nothing is left to read, at most so long."""
        thread = self._thread
        if thread is not None:
            thread.join(seconds)


def _changed(folder: str) -> int:
    try:
        return Path(folder).stat().st_mtime_ns
    except OSError:
        return 0


def _extracted(path: str) -> tuple[FileSymbols | None, int]:
    """A file's symbols without its uses, which nobody asks for, and its size in bytes."""
    language = language_of(path)
    try:
        data = parsing.decoded(Path(path).read_bytes())
    except (OSError, ValueError):
        return None, 0
    if language is None or len(data) > MAX_FILE_BYTES:
        return None, len(data)
    tree = tree_sitter.Parser(language.grammar).parse(data)  # its own: a thread reads too
    found = symbols(outline(language, tree, data))
    return FileSymbols(found.definitions, found.imports, (), found.exports, found.doc), len(data)


@lru_cache(maxsize=8)
def installed(folders: tuple[Path, ...]) -> Installed:
    """The packages in ``folders``, the same for everybody who asks; with jedi's typeshed."""
    return Installed(folders, _typeshed())


def _typeshed() -> Path | None:
    """The stubs that jedi brings along, which is not imported for it."""
    found = find_spec("jedi")
    if found is None or not found.origin:
        return None
    folder = Path(found.origin).parent / "third_party" / "typeshed" / "stdlib"
    return folder if is_file(folder / "builtins.pyi") else None


class WideModules:
    """A repository's modules, and behind them the installed ones; a `layouts.Layout`."""

    def __init__(self, modules: Modules, packages: Installed) -> None:
        self._modules = modules
        self._packages = packages

    def module_name(self, path: str) -> str:
        """The dotted name that other files import ``path`` by."""
        owner = self._packages if self._packages.owns(path) else self._modules
        return owner.module_name(path)

    def bound(self, imported: Import) -> str:
        """As in the repository."""
        return self._modules.bound(imported)

    def base(self, importer: str, imported: Import) -> tuple[str, str] | None:
        """The module that an import names; packages do not import the repository."""
        module = self.bound(imported) if imported.name is None else imported.module
        if not self._packages.owns(importer):
            found = self._modules.base(importer, imported)
            if found is not None or imported.level:
                return found
        elif imported.level:
            path = self._packages.relative(importer, imported.level, module)
            return None if path is None else (path, "")
        path = self._packages.find(module)
        return None if path is None else (path, "")

    def visible(self, _path: str) -> Mapping[str, str]:
        """Nothing: every name is imported or built in."""
        return {}

    @property
    def exports_are_all(self) -> bool:
        """``__all__`` restrains only star imports."""
        return False

    def offers(self, path: str) -> bool:
        """Whether the file is a package's own."""
        return is_package(path)

    def submodule(self, package: str, name: str) -> str | None:
        """The module ``name`` inside a package."""
        if not self._packages.owns(package):
            return self._modules.submodule(package, name)
        return self._packages.child(f"{folder_of(package)}/{name}") if is_package(package) else None

    def submodules(self, package: str) -> Mapping[str, str]:
        """Every module inside a package by name."""
        if not self._packages.owns(package):
            return self._modules.submodules(package)
        return self._packages.submodules(package) if is_package(package) else {}
