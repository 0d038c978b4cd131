"""The live index of one workspace: what the indexer wrote, and the open buffers over it.

`Index` is the one mutable object; it belongs to one thread. `Snapshot` is an immutable view that
any thread may keep as long as it likes; it decodes lazily what it is asked for.
"""

from __future__ import annotations

import copy
import logging
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from heapq import nsmallest
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any

import tree_sitter

from indexing import cache, parsing, store
from indexing.apis import FILE_NAME as APIS_FILE
from indexing.apis import Read
from indexing.extract import Outline, outline, symbols
from indexing.files import MAX_FILE_BYTES, is_minified, is_secret
from indexing.installed import Installed, installed
from indexing.languages import Language, Piece, family_of, language_of
from indexing.layouts import Layouts, Symbols
from indexing.modules import PACKAGE_FILES
from indexing.ngram_file import FILE_NAME as NGRAM_FILE
from indexing.ngram_file import BrokenNgramsError
from indexing.ngrams import NgramModel
from indexing.resolve import NO_SPAN, Located, Member, Memo, Resolver, Target
from indexing.symbols import Definition, FileSymbols, Import, last_part
from indexing.system import is_file
from indexing.uses import Counts, changed, count_packed, count_rows
from indexing.wide import Wide

DECODED_FILES = 1024
"""How many files' symbols are kept decoded: about 30 MB on sympy."""

SAME_NAME = 4
"""How many definitions of one name a prefix query returns: homonyms, not every local ``x``."""

MIXED = 4
"""How many times as much is looked at where only the files of one family are asked for."""

KEPT_NAMES = 4096
"""Of how many names it is remembered where they are defined."""

KEPT_PREFIXES = 64
"""How many prefix queries are remembered: the first letters of names come again and again."""

MOST_HIDDEN = 8
"""How many open files a remembered prefix query allows for."""

log = logging.getLogger(__name__)


class Buffer:
    """One version of one open file; immutable, with its symbols built when first asked for."""

    def __init__(
        self, language: Language, data: bytes, source: Outline, counts: Counts | None = None
    ) -> None:
        self.language = language
        self.data = data
        self.outline = source
        self._counts = counts

    @cached_property
    def symbols(self) -> FileSymbols:
        return symbols(self.outline)

    @cached_property
    def by_name(self) -> Mapping[str, Sequence[Definition]]:
        found: dict[str, list[Definition]] = {}
        for definition in self.symbols.definitions:
            found.setdefault(definition.name, []).append(definition)
        return found

    @property
    def counts(self) -> Counts:
        if self._counts is None:
            self._counts = count_rows(place.piece.uses for place in self.outline.placed)
        return self._counts

    def counts_after(self, source: Outline) -> Counts | None:
        """The counts of a next version, if ours are known: only the changed pieces are counted."""
        if self._counts is None:
            return None
        ours = {id(place.piece): place.piece for place in self.outline.placed}
        theirs = {id(place.piece): place.piece for place in source.placed}
        number = Counter(id(place.piece) for place in source.placed)
        number.subtract(id(place.piece) for place in self.outline.placed)
        removed = [ours[key].uses for key, n in number.items() for _ in range(-n)]
        added = [theirs[key].uses for key, n in number.items() for _ in range(n)]
        return changed(self._counts, count_rows(removed), count_rows(added))


def opened(language: Language, data: bytes, previous: Buffer | None) -> Buffer:
    """A buffer with the text ``data``, built from the previous version where it did not change."""
    data = language.mend(parsing.normalise(data))
    if previous is None:
        return Buffer(language, data, outline(language, parsing.parse(language, data), data))
    edit = parsing.difference(previous.data, data)
    if edit is None:
        return previous
    before = previous.outline
    tree = parsing.parse(language, data, before.tree, edit, previous.data)
    source = outline(language, tree, data, before.pieces)
    return Buffer(language, data, source, previous.counts_after(source))


def same_interface(old: Buffer, new: Buffer) -> bool:
    """Whether two versions bind, import and inherit the same names, wherever they stand."""
    if len(old.outline.placed) != len(new.outline.placed):
        return False
    pairs = zip(old.outline.placed, new.outline.placed, strict=True)
    return all(
        before.piece is after.piece or _interface(before.piece) == _interface(after.piece)
        for before, after in pairs
    )


def _interface(piece: Piece) -> tuple[Any, ...]:
    """A piece without offsets and texts that resolution does not read."""
    definitions = [(*row[:3], row[10], row[11]) for row in piece.definitions]
    imports = [(*row[:4], *row[6:]) for row in piece.imports]
    return definitions, imports, piece.exports, piece.exports_unknown


def resolvable(symbols: FileSymbols) -> tuple[list[Any], tuple[str, ...] | None]:
    """What resolution reads of a file: names in their order, without offsets and other texts."""
    bound: list[tuple[int, Any]] = [
        (each.span[0], (each.name, each.kind, each.container, each.value, each.bases))
        for each in symbols.definitions
    ]
    bound += [(each.span[0], replace(each, span=NO_SPAN)) for each in symbols.imports]
    bound.sort(key=itemgetter(0))
    return [each for _, each in bound], symbols.exports


class Disk:
    """One state of the store with what was decoded from it, shared by snapshots."""

    def __init__(self, view: store.View, decoded: dict[int, FileSymbols]) -> None:
        self.view = view
        self.decoded = decoded
        self._prefixed: dict[tuple[str, int, bool], list[tuple[int, Definition]]] = {}
        self._named: dict[tuple[str, int], list[tuple[int, Definition]]] = {}
        self._after: dict[str, dict[str, int]] = {}
        self._used: dict[str, int] = {}
        self._counted: dict[int, Counts] = {}

    def symbols(self, file: int) -> FileSymbols | None:
        """The symbols of a file by its id; ids are never used again, so they outlive the view."""
        found = self.decoded.pop(file, None) or self.view.symbols(file)
        if found is not None:
            self.decoded[file] = found  # the most recently used last
            while len(self.decoded) > DECODED_FILES:
                self.decoded.pop(next(iter(list(self.decoded))), None)  # threads share it
        return found

    def prefixed(
        self, folded: str, limit: int, hidden: Collection[int], *, top: bool
    ) -> list[tuple[int, Definition]]:
        """`store.View.prefixed`, remembered for the prefixes asked about last.

        What is kept leaves nothing out; it is only used while so few files are hidden that every
        name still has `SAME_NAME` definitions beside theirs.
        """
        if len(hidden) > MOST_HIDDEN:
            return self.view.prefixed(folded, limit, SAME_NAME, hidden, top=top)
        key = (folded, limit, top)
        rows = self._prefixed.pop(key, None)
        if rows is None:
            rows = self.view.prefixed(folded, limit, SAME_NAME + MOST_HIDDEN, (), top=top)
        self._prefixed[key] = rows  # the most recently used last
        if len(self._prefixed) > KEPT_PREFIXES:
            self._prefixed.pop(next(iter(list(self._prefixed))), None)
        return [row for row in rows if row[0] not in hidden]

    def used_after(self, part: str) -> dict[str, int]:
        if part not in self._after:
            self._after[part] = self.view.used_after(part)
        return self._after[part]

    def use_counts(self, names: Collection[str]) -> Mapping[str, int]:
        """The counts of at least these names; those asked for before are remembered."""
        unknown = [name for name in names if name not in self._used]
        if unknown:
            self._used.update(dict.fromkeys(unknown, 0))
            self._used.update(self.view.use_counts(unknown))
        return self._used

    def named(
        self, name: str, hidden: Collection[int], limit: int | None
    ) -> list[tuple[int, Definition]]:
        """`store.View.named`, remembered where few are asked for."""
        if limit is None:
            return self.view.named(name, hidden)
        most = limit + len(hidden)
        rows = self._named.get((name, most))
        if rows is None:
            if len(self._named) >= KEPT_NAMES:
                self._named.clear()
            rows = self._named[name, most] = self.view.named(name, (), most)
        return [row for row in rows if row[0] not in hidden]

    @cached_property
    def paths_by_id(self) -> Mapping[int, str]:
        """Every file on disk by its id."""
        return {file: path for path, file in self.view.files.items()}

    @cached_property
    def importers(self) -> dict[str, dict[str, dict[str, int]]]:
        """`store.View.importers` by the first letter of the name, in lower case."""
        found: dict[str, dict[str, dict[str, int]]] = {}
        for name, folders in self.view.importers().items():
            found.setdefault(name[:1].casefold(), {})[name] = folders
        return found

    def counts(self, file: int) -> Counts:
        """What one file contributes to the sums over the repository."""
        if file not in self._counted:
            self._counted[file] = count_packed(self.view.packed_uses(file))
        return self._counted[file]


class Ngrams:
    """The n-gram file as it was at one moment, mapped when first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.identity = self._stat()
        self._model: NgramModel | None = None
        self._failed = False

    def _stat(self) -> tuple[int, int] | None:
        try:
            status = (self.folder / NGRAM_FILE).stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns

    def current(self) -> Ngrams:
        """This, or a new one if the file was replaced."""
        return self if self._stat() == self.identity else Ngrams(self.folder)

    def model(self) -> NgramModel | None:
        if self._model is None and self.identity is not None and not self._failed:
            try:
                self._model = NgramModel.open(self.folder)
            except BrokenNgramsError as error:
                self._failed = True
                log.error("the n-grams cannot be used until they are built again: %s", error)
        return self._model


class Snapshot:
    """An immutable view of the repository.

    ``paths`` are relative to ``root``, with ``/``; ``generation`` grows with every change.
    """

    def __init__(
        self, root: Path, generation: int, disk: Disk, buffers: Mapping[str, Buffer],
        layouts: Layouts, memo: Memo, ngrams: Ngrams, wide: Wide | None = None,
    ) -> None:  # fmt: skip
        self.root = root
        self.generation = generation
        self._disk = disk
        self._buffers = buffers
        self._ngrams = ngrams
        # not self.symbols: a circle would keep the view open until the garbage is collected
        self._symbols: Symbols = partial(_symbols, disk, buffers)
        self._resolver = Resolver(layouts, self._symbols, memo)
        self._wide = wide
        self._is_wide = False
        files = disk.view.files
        self._hidden = {files[path] for path in buffers if path in files}

    @property
    def paths(self) -> frozenset[str]:
        """Every indexed file, on disk or open."""
        return self._resolver.layouts.paths

    @property
    def packages(self) -> Installed | None:
        """The installed packages that `wide` sees."""
        return None if self._wide is None else self._wide.packages

    @cached_property
    def wide(self) -> Snapshot:
        """The same with the installed packages in it: their files have absolute paths.

        Without packages this snapshot itself. What is asked of the other may raise NotReadError.
        """
        if self._wide is None or self._is_wide:
            return self
        wide = copy.copy(self)
        packages, narrow = self._wide.packages, self._symbols
        wide._symbols = lambda path: packages.symbols(path) if packages.owns(path) else narrow(path)
        layouts = self._resolver.layouts.widened(packages)
        wide._resolver = Resolver(layouts, wide._symbols, self._wide.current())
        wide._is_wide = True
        return wide

    def outside(self, target: Target) -> Target:
        """``target``; what a stub of the standard library defines as nothing of any file."""
        if self._wide is None or not self._wide.packages.is_stub(target.path or ""):
            return target
        return replace(target, path=None)

    # Files ----------------------------------------------------------------------------------------

    def symbols(self, path: str) -> FileSymbols | None:
        """What a file says, from its open buffer or else from disk; ``None`` when not indexed."""
        return self._symbols(path)

    @property
    def ngrams(self) -> NgramModel | None:
        """The repository's n-gram, or ``None`` before it is built."""
        return self._ngrams.model()

    @property
    def ngram_folder(self) -> Path | None:
        """Where the n-gram lies, for another process to map; ``None`` before it is built."""
        return None if self._ngrams.identity is None else self._ngrams.folder

    @property
    def adapter_folder(self) -> Path | None:
        """Where the model's adapter to this repository lies; ``None`` where none was trained."""
        return cache.adapter_folder(self._ngrams.folder)

    def tree(self, path: str) -> tree_sitter.Tree | None:
        """The syntax tree of an open buffer, of its normalised text (same offsets)."""
        buffer = self._buffers.get(path)
        return buffer.outline.tree if buffer else None

    def skipped(self) -> list[tuple[str, str]]:
        """Files that were found and not indexed, with the reason."""
        return self._disk.view.skipped()

    def text(self, path: str) -> bytes:
        """The text of an open buffer, or of the file as it is on disk; empty: cannot be read."""
        buffer = self._buffers.get(path)
        if buffer is not None:
            return buffer.data
        try:
            return (self.root / path).read_bytes()
        except OSError:
            return b""

    @property
    def disk(self) -> object:
        """What is on disk as one value: the same as long as that did not change."""
        return self._disk

    @property
    def open_paths(self) -> Collection[str]:
        """The files that are open buffers."""
        return self._buffers.keys()

    # What the APIs are about, in words ------------------------------------------------------------

    @property
    def apis_file(self) -> Path:
        """Where the words of the APIs are kept (:mod:`indexing.apis`)."""
        return self._ngrams.folder / APIS_FILE

    @property
    def files_by_id(self) -> Mapping[int, str]:
        """The indexed files on disk by their id in the store."""
        return self._paths_by_id

    def read_by_id(self, file: int) -> Read | None:
        """An indexed file on disk with its source, for the words of its APIs."""
        symbols, path = self._disk.symbols(file), self._paths_by_id.get(file)
        if symbols is None or path is None:
            return None
        try:
            source = (self.root / path).read_bytes()
        except OSError:
            source = b""
        return Read(file, symbols, self.module_name(path), source)

    def used_at(self, name: str, path: str, limit: int) -> list[tuple[str, int]]:
        """Places that use ``name`` as ``(path, line)``, lines from 1: other files than ``path``
        first, and among them those that are no tests."""
        found: list[tuple[str, int]] = []
        for other in sorted(self.paths - {path}, key=lambda each: ("test" in each, each)):
            if self.used_in(other).get(name):
                line = self._line_of(other, name)
                found += [(other, line)] if line else []
            if len(found) >= limit:
                break
        return found

    def _line_of(self, path: str, name: str) -> int:
        """The line of the first use of a name in a file; 0 where the text does not hold it."""
        symbols, text = self.symbols(path), self.text(path)
        for use in symbols.uses if symbols else ():
            if use.name == name and text[: use.span[1]].endswith(name.encode()):
                return text.count(b"\n", 0, use.span[1]) + 1
        return 0

    # Names over the repository --------------------------------------------------------------------

    def named(self, name: str, limit: int | None = None, family: str = "") -> tuple[Located, ...]:
        """Every definition of exactly this name, or about ``limit``: some have thousands.

        With a ``family`` (see `languages.family_of`), only those in files of its languages.
        """
        paths, family = self._paths_by_id, self._asked(family)
        most = limit and limit * MIXED if family else limit
        rows = self._disk.named(name, self._hidden, most)
        found = [Located(paths[file], definition) for file, definition in rows]
        for path, buffer in self._buffers.items():
            found += [Located(path, definition) for definition in buffer.by_name.get(name, ())]
        return tuple(each for each in found if not family or family_of(each.path) == family)

    def _asked(self, family: str) -> str:
        """The family to look for; empty where all files are of one."""
        return family if self._resolver.layouts.is_mixed else ""

    def prefixed(
        self, prefix: str, limit: int, *, top: bool = False, family: str = ""
    ) -> tuple[Located, ...]:
        """Definitions whose name starts with ``prefix`` in any case, the most used names first.

        ``top`` leaves only definitions at the top level of a file. At most ``limit`` names, and of
        each at most `SAME_NAME` definitions, are returned. ``family`` is that of `named`.
        """
        folded, family = prefix.casefold(), self._asked(family)
        most = limit * MIXED if family else limit
        rows = self._disk.prefixed(folded, most, self._hidden, top=top)
        by_name: dict[str, list[Located]] = {}
        for file, definition in rows:
            located = Located(self._paths_by_id[file], definition)
            if family and family_of(located.path) != family:
                continue
            by_name.setdefault(definition.name, []).append(located)
        for path, buffer in self._buffers.items():
            if family and family_of(path) != family:
                continue
            for name, definitions in buffer.by_name.items():
                if name.casefold().startswith(folded):
                    offered = [Located(path, d) for d in definitions if not (top and d.container)]
                    if offered:
                        by_name.setdefault(name, []).extend(offered)
        uses = self.use_counts(by_name)
        names = nsmallest(limit, by_name, key=lambda name: (-uses[name], name))
        kept = (sorted(by_name[name], key=_position)[:SAME_NAME] for name in names)
        return tuple(chain.from_iterable(kept))

    @property
    def _paths_by_id(self) -> Mapping[int, str]:
        return self._disk.paths_by_id

    # Resolution -----------------------------------------------------------------------------------

    def module_name(self, path: str) -> str:
        """The dotted name that other files import ``path`` by."""
        return self._resolver.module_name(path)

    def resolve(self, path: str, imported: Import) -> Target:
        """What an import in ``path`` binds, re-exports followed to the definition."""
        return self._resolver.resolve(path, imported)

    def bindings(self, path: str) -> Mapping[str, Target]:
        """Every name bound at the top level of ``path``, star imports and re-exports followed."""
        return self._resolver.bindings(path)

    def expression(self, path: str, scope: str, text: str) -> Target | None:
        """What a dotted name means inside the definition ``scope`` (``""``: none) of ``path``."""
        return self._resolver.expression(path, scope, text)

    def definition(self, target: Target) -> Definition | None:
        """The definition that a target names."""
        return self._resolver.definition(target)

    def lookup(self, target: Target, name: str) -> Target | None:
        """The attribute ``name`` of a module or class; ``None`` when it is not known here."""
        return self._resolver.lookup(target, name)

    def mro(self, target: Target) -> tuple[Target, ...]:
        """The method resolution order, itself first, classes outside the repository too."""
        return self._resolver.mro(self._resolver.chase(target))

    def members(self, target: Target) -> tuple[Member, ...]:
        """What can follow the dot after a module or a class, own and inherited, nearest first."""
        return self._resolver.members(target)

    # Uses over the repository ---------------------------------------------------------------------

    def used_after(self, receiver: str) -> Mapping[str, int]:
        """Names used after receivers with the same last part, repository-wide, and how often."""
        part = last_part(receiver)
        found = self._disk.used_after(part)
        if not self._buffers:
            return found
        total = Counter(found)
        for file in self._hidden:
            total.subtract(self._disk.counts(file).after.get(part, {}))
        for buffer in self._buffers.values():
            total.update(buffer.counts.after.get(part, {}))
        return {name: number for name, number in total.items() if number > 0}

    def used_in(self, path: str) -> Mapping[str, int]:
        """How often each name is called or used as an attribute in one file."""
        buffer = self._buffers.get(path)
        if buffer is not None:
            return buffer.counts.names
        file = self._disk.view.files.get(path)
        return {} if file is None else self._disk.counts(file).names

    def importers(self, letter: str) -> Mapping[str, Mapping[str, int]]:
        """For imported names that begin with ``letter``, how many files of each folder import them.

        Open files do not count, nor what they said on disk. Names in either case are among them.
        """
        found = self._disk.importers.get(letter.casefold(), {})
        for path in self._buffers:
            file = self._disk.view.files.get(path)
            symbols = None if file is None else self._disk.symbols(file)
            names = {each.name for each in symbols.imports if each.name} if symbols else set()
            folder = path.rpartition("/")[0]
            for name in names & found.keys():
                found = {**found, name: {**found[name], folder: found[name].get(folder, 1) - 1}}
        return found

    def use_count(self, name: str) -> int:
        """How often ``name`` is called or used as an attribute in the repository."""
        number = self._disk.use_counts((name,))[name]
        number += sum(buffer.counts.names.get(name, 0) for buffer in self._buffers.values())
        return number - sum(self._disk.counts(file).names.get(name, 0) for file in self._hidden)

    def use_counts(self, names: Collection[str]) -> dict[str, int]:
        """`use_count` of each name, for less than asking one by one."""
        on_disk = self._disk.use_counts(names)
        total = {name: on_disk[name] for name in names}
        signed = [(1, buffer.counts.names) for buffer in self._buffers.values()]
        signed += [(-1, self._disk.counts(file).names) for file in self._hidden]
        for sign, counts in signed:
            for name in total.keys() & counts.keys():
                total[name] += sign * counts[name]
        return total


def _symbols(disk: Disk, buffers: Mapping[str, Buffer], path: str) -> FileSymbols | None:
    buffer = buffers.get(path)
    if buffer is not None:
        return buffer.symbols
    file = disk.view.files.get(path)
    return None if file is None else disk.symbols(file)


def _position(located: Located) -> tuple[str, int]:
    return located.path, located.definition.span[0]


class Index:
    """The index of one workspace as a server holds it. One thread changes it."""

    def __init__(self, root: Path, place: cache.Place) -> None:
        self.root = root
        self.folder = place.folder
        self.warning = place.warning
        self._buffers: dict[str, Buffer] = {}
        self._generation = 0
        self._snapshot: Snapshot | None = None
        self._memo = Memo()
        self._wide: Wide | None = None
        self._prefix = package_prefix(root)
        self._identity: tuple[int, int] | None = None
        self._watch: store.Watch | None = None
        self._decoded: dict[int, FileSymbols] = {}
        self._disk = Disk(store.View(None), self._decoded)
        self._layouts = Layouts(root, frozenset(), self._prefix)
        self._ngrams = Ngrams(self.folder)
        self.refresh()

    @classmethod
    def open(cls, root: Path, cache_folder: Path | None = None) -> Index:
        """Open the store of ``root``; walks and parses nothing.

        Where the cache cannot be written, ``warning`` says so and the folder is a temporary one.
        """
        return cls(root, cache.prepare(root, cache_folder))

    def refresh(self) -> bool:
        """Take up what the indexer wrote since the last call; True if anything changed."""
        before, self._ngrams = self._ngrams, self._ngrams.current()
        if self._ngrams is not before:
            self._reset(keep_memo=True)
        return self._refresh_store() or self._ngrams is not before

    def _refresh_store(self) -> bool:
        if not self._changed():
            return False
        try:
            view = store.open_view(self.folder)
        except store.StoreError as error:
            log.info("no index on disk to read yet: %s", error)
            if not self._disk.view.broken:
                return False
            view = store.View(None)
        self._disk = Disk(view, self._decoded)
        self._reset(keep_layouts=False)
        return True

    def _changed(self) -> bool:
        """Whether the file was replaced or another process committed to it."""
        if self._disk.view.broken:
            self._identity = None
        try:
            status = (self.folder / store.FILE_NAME).stat()
        except OSError:
            return self._disk.view.broken
        identity = (status.st_dev, status.st_ino)
        try:
            if self._watch is None or identity != self._identity:
                self._watch = store.Watch(self.folder)
                self._identity = identity
                self._decoded = {}  # ids of another file mean nothing
                return True
            return self._watch.changed()
        except store.StoreError:
            self._identity = None
            return self._disk.view.broken

    def update(self, path: str, data: bytes) -> None:
        """The text of an open buffer: from now on it hides the file on disk.

        Costs what the edit touched. Files of no known language, and texts larger than a file may
        be, are left out of the index, and so are minified ones and those that may hold secrets.
        """
        language = language_of(path)
        refused = len(data) > MAX_FILE_BYTES or is_secret(path) or is_minified(path, data)
        if language is None or refused:
            self.forget(path)
            return
        previous = self._buffers.get(path)
        buffer = opened(language, data, previous)
        if buffer is previous:
            return
        if previous is None:
            keep = self._says_the_same(path, buffer)
        else:
            keep = same_interface(previous, buffer)
        self._buffers = self._buffers | {path: buffer}
        self._reset(keep_memo=keep)

    def forget(self, path: str) -> None:
        """The buffer was closed: the file on disk counts again."""
        if path in self._buffers:
            keep = self._says_the_same(path, self._buffers[path])
            self._buffers = {p: b for p, b in self._buffers.items() if p != path}
            self._reset(keep_memo=keep)

    def _says_the_same(self, path: str, buffer: Buffer) -> bool:
        """Whether a file on disk binds, imports and inherits what its buffer does."""
        file = self._disk.view.files.get(path)
        symbols = None if file is None else self._disk.symbols(file)
        return symbols is not None and resolvable(symbols) == resolvable(buffer.symbols)

    def snapshot(self) -> Snapshot:
        """The repository as it is now."""
        if self._snapshot is None:
            self._snapshot = Snapshot(
                self.root,
                self._generation,
                self._disk,
                self._buffers,
                self._layouts,
                self._memo,
                self._ngrams,
                self._wide,
            )
        return self._snapshot

    def use_packages(self, folders: tuple[Path, ...]) -> None:
        """Let `Snapshot.wide` see what is installed in ``folders``, those of an environment."""
        self._wide = Wide(installed(folders))
        self._reset(keep_memo=True)

    def _reset(self, *, keep_memo: bool = False, keep_layouts: bool = True) -> None:
        self._generation += 1
        self._snapshot = None
        if keep_memo:
            return
        decoded = set(map(id, self._decoded.values()))
        kept = {path: each for path, each in self._memo.tables.items() if id(each[0]) in decoded}
        self._memo = Memo(tables=kept)  # they depend on nothing but their file
        self._wide = None if self._wide is None else self._wide.kept()
        paths = frozenset(self._disk.view.files) | self._buffers.keys()
        # those of another state of the store would keep its view open
        if not keep_layouts or paths != self._layouts.paths:
            imported = partial(_imported, self._disk.view, self._buffers)
            self._layouts = Layouts(self.root, paths, self._prefix, imported)


def _imported(view: store.View, buffers: Mapping[str, Buffer]) -> frozenset[str]:
    """The first parts of the absolute imports in the repository's Python files."""
    python = [buffer for path, buffer in buffers.items() if family_of(path) == "python"]
    open_files = (buffer.symbols.imports for buffer in python)
    found = {i.module.partition(".")[0] for items in open_files for i in items if not i.level}
    return view.imported() | found


def package_prefix(root: Path) -> str:
    """The dotted name of the package that ``root`` itself is; empty when it is none."""
    parts: list[str] = []
    folder = root.absolute()
    while any(is_file(folder / name) for name in PACKAGE_FILES) and folder.parent != folder:
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts)
