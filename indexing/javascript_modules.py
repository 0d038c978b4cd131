"""JavaScript and TypeScript: which file a module specifier names.

In order: a relative specifier beside the importing file; ``paths`` and ``baseUrl`` of the nearest
``tsconfig.json`` or ``jsconfig.json``; a name of the repository's own packages (``name`` in their
``package.json``, as workspaces have it). Anything else is outside. Suffixes and ``/index`` are
guessed, and ``./x.js`` also names ``x.ts``, which becomes it.

Configuration is read from disk when first needed and again when a file comes or goes.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from indexing.modules import folder_of, joined
from indexing.symbols import Import

SUFFIXES = (".ts", ".tsx", ".d.ts", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
WRITTEN_FOR = {
    ".js": (".ts", ".tsx", ".d.ts"),
    ".jsx": (".tsx", ".d.ts"),
    ".mjs": (".mts", ".d.mts"),
    ".cjs": (".cts", ".d.cts"),
}
"""What a specifier's suffix may stand for besides itself."""

CONFIGS = ("tsconfig.json", "jsconfig.json")
ENTRIES = ("source", "types", "typings", "module", "main")
SOURCES = ("src/index", "index", "lib/index", "src/main")
LARGEST_CONFIG = 1 << 20
DEEPEST_EXTENDS = 8

_COMMENT = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_TRAILING = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])')


def relaxed_json(text: str) -> object:
    """JSON with comments and trailing commas, as ``tsconfig.json`` is. Raises ValueError."""
    plain = _COMMENT.sub(lambda found: found[1] or " ", text)
    return json.loads(_TRAILING.sub(lambda found: found[1] or "", plain))


class JavaScriptModules:
    """The modules of a set of files (paths relative to ``root``, ``/`` separated)."""

    def __init__(self, root: Path, paths: frozenset[str]) -> None:
        self.paths = paths
        self._root = root
        self._found: dict[tuple[str, str], str | None] = {}
        self._documents: dict[str, dict[str, Any]] = {}
        self._aliases: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {}

    def module_name(self, path: str) -> str:
        """The path as a specifier from the root: without suffix and ``/index``."""
        stem = path
        for suffix in sorted((*SUFFIXES, ".d.mts", ".d.cts"), key=len, reverse=True):
            if path.endswith(suffix):
                stem = path.removesuffix(suffix)
                break
        return stem.removesuffix("/index")

    def bound(self, imported: Import) -> str:
        """The module as written."""
        return imported.module

    def base(self, importer: str, imported: Import) -> tuple[str, str] | None:
        """The file that the specifier names; the file itself for a re-export of its own name."""
        found = self.find(imported.module, importer) if imported.module else importer
        return None if found is None else (found, "")

    def visible(self, _path: str) -> Mapping[str, str]:
        """Nothing: every name is imported or global."""
        return {}

    @property
    def exports_are_all(self) -> bool:
        """An ES module gives away what it exports and nothing else."""
        return True

    def offers(self, _path: str) -> bool:
        """What a module only imports it does not give away."""
        return False

    def submodule(self, _package: str, _name: str) -> str | None:
        """Folders are no modules."""
        return None

    def submodules(self, _package: str) -> Mapping[str, str]:
        """None, as above."""
        return {}

    def find(self, specifier: str, importer: str) -> str | None:
        """The file that ``specifier`` means in the file ``importer``; ``None`` when outside."""
        key = (specifier, folder_of(importer))
        if key not in self._found:
            self._found[key] = self._find(*key)
        return self._found[key]

    def _find(self, specifier: str, folder: str) -> str | None:
        if specifier in (".", "..") or specifier.startswith(("./", "../")):
            return self.file(_normal(folder, specifier))
        return self._aliased(specifier, folder) or self._packaged(specifier)

    def file(self, stem: str | None) -> str | None:
        """The module at a path that may lack its suffix or ``/index``; ``None`` if none is."""
        if stem is None:
            return None
        return next((path for path in _guesses(stem) if path in self.paths), None)

    # tsconfig.json ----------------------------------------------------------------------------

    def _aliased(self, specifier: str, folder: str) -> str | None:
        for pattern, targets in self._patterns(folder):
            before, star, after = pattern.partition("*")
            if not star and specifier != pattern:
                continue
            if not (specifier.startswith(before) and specifier.endswith(after)):
                continue
            matched = specifier[len(before) : len(specifier) - len(after)]
            for target in targets:
                found = self.file(_normal("", target.replace("*", matched, 1)))
                if found is not None:
                    return found
        return None

    def _patterns(self, folder: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """``(pattern, paths from the root)`` of the nearest configuration, longest first."""
        if folder not in self._aliases:
            configs = (joined(folder, name) for name in CONFIGS)
            config = next((each for each in configs if self._document(each)), None)
            if config is not None:
                self._aliases[folder] = self._read_aliases(config)
            else:
                self._aliases[folder] = self._patterns(folder_of(folder)) if folder else ()
        return self._aliases[folder]

    def _read_aliases(self, config: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        base: str | None = None
        paths: dict[str, Any] = {}
        relative = folder_of(config)
        for file in self._extended(config):
            options = self._document(file).get("compilerOptions")
            options = options if isinstance(options, dict) else {}
            if base is None and isinstance(options.get("baseUrl"), str):
                base = _normal(folder_of(file), options["baseUrl"])
            if not paths and isinstance(options.get("paths"), dict):
                paths, relative = options["paths"], folder_of(file)
        start = relative if base is None else base
        found = [
            (pattern, tuple(joined(start, t) for t in targets if isinstance(t, str)))
            for pattern, targets in paths.items()
            if isinstance(targets, list)
        ]
        found.sort(key=lambda item: -len(item[0]))
        return (*found, *([("*", (joined(base, "*"),))] if base is not None else []))

    def _extended(self, config: str) -> Iterator[str]:
        """A configuration and those that it extends."""
        for _ in range(DEEPEST_EXTENDS):
            yield config
            above = self._document(config).get("extends")
            if not isinstance(above, str) or not above.startswith("."):
                return
            following = _normal(folder_of(config), above)
            if following is None:
                return
            config = following if following.endswith(".json") else following + ".json"

    # package.json -----------------------------------------------------------------------------

    def _packaged(self, specifier: str) -> str | None:
        parts = specifier.split("/")
        count = 2 if specifier.startswith("@") else 1
        folder = self._packages.get("/".join(parts[:count]))
        if folder is None:
            return None
        inner = "/".join(parts[count:])
        return self._entry(folder, inner)

    @cached_property
    def _packages(self) -> Mapping[str, str]:
        """The folders of the repository's own packages by name."""
        folders: set[str] = set()
        for path in self.paths:
            folder = folder_of(path)
            while folder not in folders:
                folders.add(folder)
                folder = folder_of(folder)
        found: dict[str, str] = {}
        for folder in sorted(folders):
            name = self._document(joined(folder, "package.json")).get("name")
            if isinstance(name, str):
                found.setdefault(name, folder)
        return found

    def _entry(self, folder: str, inner: str) -> str | None:
        """The file behind a package's name, or behind a path inside the package."""
        package = self._document(joined(folder, "package.json"))
        exported = package.get("exports")
        written = [] if inner else [package.get(key) for key in ENTRIES]
        written = [*_targets(exported, f"./{inner}" if inner else "."), *written]
        guessed = (inner, f"src/{inner}", f"lib/{inner}") if inner else SOURCES
        for target in (*(each for each in written if isinstance(each, str)), *guessed):
            found = self.file(_normal(folder, target)) or self._source(folder, target)
            if found is not None:
                return found
        return None

    def _source(self, folder: str, target: str) -> str | None:
        """The source of a built file: ``dist/x.js`` comes from ``src/x.ts``."""
        first, _, inner = target.removeprefix("./").partition("/")
        if first not in ("dist", "build", "lib", "out", "es", "esm", "cjs"):
            return None
        stem = inner.partition(".")[0]
        return self.file(_normal(folder, f"src/{stem}"))

    def _document(self, path: str) -> dict[str, Any]:
        """A configuration file; empty when it is missing or broken."""
        if path not in self._documents:
            self._documents[path] = _read(self._root / path)
        return self._documents[path]


def _read(file: Path) -> dict[str, Any]:
    try:
        if file.stat().st_size > LARGEST_CONFIG:
            return {}
        found = relaxed_json(file.read_text("utf-8-sig", errors="replace"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _normal(folder: str, target: str) -> str | None:
    """``target`` seen from ``folder``, without dots; ``None`` above the root."""
    path = posixpath.normpath(posixpath.join("/" + folder, target))
    depth = len(folder.split("/")) if folder else 0
    climbs = posixpath.normpath(target).split("/").count("..")
    return None if climbs > depth else path.strip("/")


def _guesses(stem: str) -> Iterator[str]:
    """The files that a path may mean, in the order in which they are tried."""
    yield stem
    start, dot, suffix = stem.rpartition(".")
    for other in WRITTEN_FOR.get(dot + suffix, ()):
        yield start + other
    for suffix in SUFFIXES:
        yield stem + suffix
    for suffix in SUFFIXES:
        yield joined(stem, "index" + suffix)


def _targets(exported: object, key: str) -> Iterator[str]:
    """The files that ``exports`` of a package names for ``key`` (``"."`` or ``"./inner"``)."""
    if isinstance(exported, str):
        if key == ".":
            yield exported
    elif isinstance(exported, dict):
        subpaths = any(name.startswith(".") for name in exported)
        if not subpaths and key == ".":
            yield from _conditions(exported)
        for pattern, target in exported.items() if subpaths else ():
            before, star, after = pattern.partition("*")
            if pattern == key:
                yield from _conditions(target)
            elif star and key.startswith(before) and key.endswith(after):
                matched = key[len(before) : len(key) - len(after)]
                yield from (each.replace("*", matched) for each in _conditions(target))


def _conditions(target: object) -> Iterator[str]:
    """Every file of a conditional export, in the order written."""
    if isinstance(target, str):
        yield target
    elif isinstance(target, dict | list):
        for inner in target.values() if isinstance(target, dict) else target:
            yield from _conditions(inner)
