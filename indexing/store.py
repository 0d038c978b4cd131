"""The index on disk: one SQLite file per workspace, written by the indexer, read by servers.

Format
    ``application_id`` is :data:`MAGIC`, ``user_version`` is :data:`VERSION`. Any change of a table,
    of a row's JSON, or of what extraction yields raises the version; a file with another version,
    with another magic, or that SQLite finds broken is deleted and built again: the index holds
    nothing that the source files do not.

    files        one row per indexed file; ids are never used again (AUTOINCREMENT), so what a
                 reader decoded for an id stays right
    definitions  one row per definition, in order of position: name, whether it stands at the top
                 level of the file, and the definition as JSON
    names        per name, over the repository: definitions, those at top level, uses
    receivers    per last part of a receiver: JSON object of the names used after it and how often
    skipped      files that were found and not indexed, with the reason

``names`` and ``receivers`` are sums over the files; the transaction that changes a file changes
them too. Uses themselves stay packed in ``files.uses`` (see :func:`indexing.uses.pack_uses`).

Readers hold a read transaction for as long as they keep a :class:`View` (WAL), so a view never
changes under its owner, whatever the indexer writes, and no reader waits for the writer.
"""

from __future__ import annotations

import json
import logging
import sqlite3
import weakref
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from indexing.extract import (
    Outline,
    definition,
    definition_rows,
    exports,
    import_rows,
    imported,
)
from indexing.files import Skipped
from indexing.lazy import Lazy
from indexing.symbols import Definition, FileSymbols
from indexing.uses import pack_uses, packed_pairs, unpack_uses

MAGIC = 0x4C414E43  # "LANC"
VERSION = 3
FILE_NAME = "index.sqlite3"
WRITER_PATIENCE = 5.0
READER_PATIENCE = 0.25
"""Seconds to wait for a lock. Readers meet one only while a crashed writer's log is recovered."""

SCHEMA = """
CREATE TABLE files (
    id INTEGER PRIMARY KEY AUTOINCREMENT, path TEXT NOT NULL UNIQUE, mtime_ns INTEGER NOT NULL,
    size INTEGER NOT NULL, digest BLOB NOT NULL, imports TEXT NOT NULL, exports TEXT NOT NULL,
    doc TEXT NOT NULL, uses BLOB NOT NULL);
CREATE TABLE definitions (
    file INTEGER NOT NULL, ordinal INTEGER NOT NULL, name TEXT NOT NULL, top INTEGER NOT NULL,
    row TEXT NOT NULL, PRIMARY KEY (file, ordinal)) WITHOUT ROWID;
CREATE INDEX definitions_by_name ON definitions (name, top);
CREATE TABLE names (
    name TEXT PRIMARY KEY, folded TEXT NOT NULL, definitions INTEGER NOT NULL,
    top INTEGER NOT NULL, uses INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX names_by_folded ON names (folded);
CREATE TABLE receivers (receiver TEXT PRIMARY KEY, names TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE skipped (
    path TEXT PRIMARY KEY, mtime_ns INTEGER NOT NULL, size INTEGER NOT NULL,
    reason TEXT NOT NULL) WITHOUT ROWID;
"""

PREFIXED = """
SELECT name FROM names WHERE folded >= ? AND folded < ? AND definitions > 0
ORDER BY uses DESC, name LIMIT ?
"""
PREFIXED_TOP = PREFIXED.replace("definitions > 0", "top > 0")
HOMONYMS = """
SELECT d.file, d.row FROM definitions d JOIN files f ON f.id = d.file
WHERE d.name = ? AND d.top >= ? ORDER BY f.path, d.ordinal LIMIT ?
"""
USE_COUNTS = "SELECT name, uses FROM names WHERE name IN (SELECT value FROM json_each(?))"
PYTHON_IMPORTS = "SELECT DISTINCT imports FROM files WHERE path LIKE '%.py' OR path LIKE '%.pyi'"
PASSING = ("SQLITE_BUSY", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")
"""Errors that say nothing about the file's contents, by the start of their name."""

LAST_CHARACTER = "\U0010ffff"

log = logging.getLogger(__name__)


class StoreError(Exception):
    """The file is missing, broken, or of another version; the remedy is to build it again."""


def is_passing(error: BaseException) -> bool:
    """Whether the error, or the one it comes from, leaves the file as good as it was."""
    cause = error.__cause__ if isinstance(error, StoreError) else error
    return getattr(cause, "sqlite_errorname", "").startswith(PASSING)


class Stat(NamedTuple):
    """What says cheaply that a file did not change."""

    mtime_ns: int
    size: int


class Record(NamedTuple):
    """One file as it is written: plain values that are cheap to send between processes."""

    path: str
    stat: Stat
    digest: bytes
    definitions: list[tuple[str, bool, str]]  # name, whether at top level, JSON row
    imports: str
    exports: str
    doc: str
    uses: bytes


def record(path: str, stat: Stat, digest: bytes, source: Outline) -> Record:
    """A file's symbols as they are written."""
    definitions = [(row[0], not row[2], _dumps(row)) for row in definition_rows(source.placed)]
    imports = list(import_rows(source.placed))
    exported = exports(source.placed)
    uses = pack_uses((place.start, place.piece.uses) for place in source.placed)
    return Record(
        path, stat, digest, definitions, _dumps(imports), _dumps(exported), source.doc, uses
    )


_dumps = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


# Opening ------------------------------------------------------------------------------------------


def connect(path: Path, *, create: bool = False) -> sqlite3.Connection:
    """Open the database file and check its magic and version.

    Raises StoreError when it is missing (unless ``create``), broken, or another version's.
    """
    mode = "rwc" if create else "rw"
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            timeout=WRITER_PATIENCE if create else READER_PATIENCE,
            isolation_level=None,
            check_same_thread=False,  # SQLite serialises; a view may be used by a worker thread
        )
    except sqlite3.Error as error:
        raise StoreError(f"{path.name}: {error}") from error
    try:
        if create:
            _initialise(connection)
        _check(connection)
    except (sqlite3.Error, StoreError) as error:
        connection.close()
        raise StoreError(f"{path.name}: {error}") from error
    return connection


def _initialise(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(
        "PRAGMA synchronous = NORMAL"
    )  # a crash may lose the last commit, not the file
    if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
        stamp = f"PRAGMA application_id = {MAGIC}; PRAGMA user_version = {VERSION};"
        connection.executescript(f"BEGIN; {SCHEMA} {stamp} COMMIT;")


def _check(connection: sqlite3.Connection) -> None:
    magic = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if magic != MAGIC or version != VERSION:
        raise StoreError(f"format {magic:#x}/{version}, expected {MAGIC:#x}/{VERSION}")
    connection.execute("SELECT max(id) FROM files").fetchone()


def remove(path: Path) -> None:
    """Delete a database with its write-ahead log; readers that have it open are not disturbed."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


# Reading ------------------------------------------------------------------------------------------


class View:
    """One state of the store, which does not change while the view is kept.

    A query that SQLite cannot answer (the file was damaged after it was opened) is logged once,
    sets ``broken``, and answers with nothing.
    """

    def __init__(self, connection: sqlite3.Connection | None) -> None:
        self._connection = connection
        self.broken = False
        self.files: dict[str, int] = {}
        if connection is not None:
            connection.execute("PRAGMA query_only = 1")
            connection.execute("BEGIN")
            self.files = dict(connection.execute("SELECT path, id FROM files ORDER BY path"))
            weakref.finalize(self, connection.close)

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        if self._connection is None or self.broken:
            return []
        try:
            return self._connection.execute(sql, values).fetchall()
        except sqlite3.DatabaseError as error:
            self.broken = True
            log.error("the index on disk is damaged and will be built again: %s", error)
            return []

    def symbols(self, file: int) -> FileSymbols | None:
        """Decode one file; its uses only when they are looked at."""
        found = self._rows("SELECT imports, exports, doc, uses FROM files WHERE id = ?", file)
        if not found:
            return None
        imports, exports, doc, uses = found[0]
        rows = self._rows("SELECT row FROM definitions WHERE file = ? ORDER BY ordinal", file)
        if self.broken:
            return None
        exported = json.loads(exports)
        return FileSymbols(
            tuple(definition(row) for row in json.loads(f"[{','.join(row for (row,) in rows)}]")),
            tuple(imported(row) for row in json.loads(imports)),
            Lazy(lambda: unpack_uses(uses)),  # not self: symbols outlive their view
            None if exported is None else tuple(exported),
            doc,
        )

    def packed_uses(self, file: int) -> bytes:
        """The packed uses of one file."""
        found = self._rows("SELECT uses FROM files WHERE id = ?", file)
        return found[0][0] if found else pack_uses(())

    def named(
        self, name: str, hidden: Collection[int], limit: int | None = None
    ) -> list[tuple[int, Definition]]:
        """Definitions of ``name`` as (file id, definition), leaving out the ``hidden`` files.

        At most ``limit`` of them; a few fewer where hidden ones are met on the way.
        """
        most = -1 if limit is None else limit + len(hidden)
        rows = self._rows("SELECT file, row FROM definitions WHERE name = ? LIMIT ?", name, most)
        return [(file, definition(json.loads(row))) for file, row in rows if file not in hidden]

    def prefixed(
        self, folded: str, limit: int, each: int, hidden: Collection[int], *, top: bool
    ) -> list[tuple[int, Definition]]:
        """Definitions whose name starts with ``folded`` in any case, as (file id, definition).

        Of the ``limit`` names used most; of each name, ``each`` in order of path. ``top`` leaves
        only those at the top level of a file.
        """
        names = self._rows(
            PREFIXED_TOP if top else PREFIXED, folded, folded + LAST_CHARACTER, limit
        )
        each += len(hidden)
        rows = (row for (name,) in names for row in self._rows(HOMONYMS, name, int(top), each))
        return [(file, definition(json.loads(row))) for file, row in rows if file not in hidden]

    def used_after(self, part: str) -> dict[str, int]:
        """Names used after receivers with this last part, and how often."""
        found = self._rows("SELECT names FROM receivers WHERE receiver = ?", part)
        return dict(json.loads(found[0][0])) if found else {}

    def use_counts(self, names: Sequence[str]) -> dict[str, int]:
        """How often each name is called or used as an attribute; names never seen are left out."""
        return dict(self._rows(USE_COUNTS, json.dumps(names)))

    def imported(self) -> frozenset[str]:
        """The first parts of all absolute imports of Python files."""
        rows = self._rows(PYTHON_IMPORTS)
        return frozenset(
            row[0].partition(".")[0] for (text,) in rows for row in json.loads(text) if not row[3]
        )

    def importers(self) -> dict[str, dict[str, int]]:
        """For every imported name, how many files of each folder (``""``: the root) import it."""
        found: dict[str, dict[str, int]] = {}
        for path, text in self._rows("SELECT path, imports FROM files"):
            folder = path.rpartition("/")[0]
            for name in {row[1] for row in json.loads(text) if row[1]}:
                counts = found.setdefault(name, {})
                counts[folder] = counts.get(folder, 0) + 1
        return found

    def skipped(self) -> list[tuple[str, str]]:
        """Files that were found and not indexed, with the reason."""
        return self._rows("SELECT path, reason FROM skipped ORDER BY path")


class Watch:
    """Tells whether another process committed to the store since the last question."""

    def __init__(self, folder: Path) -> None:
        self._connection = connect(folder / FILE_NAME)
        weakref.finalize(self, self._connection.close)
        self._version = self._read()

    def _read(self) -> int:
        try:
            return int(self._connection.execute("PRAGMA data_version").fetchone()[0])
        except sqlite3.Error as error:
            raise StoreError(str(error)) from error

    def changed(self) -> bool:
        """Raises StoreError when the file cannot be read any more."""
        before, self._version = self._version, self._read()
        return before != self._version


def open_view(folder: Path) -> View:
    """A view of the store in ``folder`` as it is now. Raises StoreError."""
    connection = connect(folder / FILE_NAME)
    try:
        return View(connection)
    except sqlite3.Error as error:
        connection.close()
        raise StoreError(str(error)) from error


# Writing ------------------------------------------------------------------------------------------


class Writer:
    """The only writer of a store. What is put between ``begin`` and ``commit`` appears at once."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        self._connection = connect(self.path, create=True)
        self._uses: dict[tuple[str, str], int] = {}
        self._names: dict[str, list[int]] = {}

    def close(self) -> None:
        """Close the file; what was not committed is dropped."""
        self._connection.close()

    def check(self) -> None:
        """Read the whole file for damage. Raises StoreError."""
        try:
            found = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise StoreError(str(error)) from error
        if found != "ok":
            raise StoreError(found)

    def known(self) -> dict[str, tuple[Stat, bytes | None]]:
        """Stat and digest of every file on record; the digest is None for skipped files."""
        files = self._connection.execute("SELECT path, mtime_ns, size, digest FROM files")
        found = {path: (Stat(mtime, size), digest) for path, mtime, size, digest in files}
        skipped = self._connection.execute("SELECT path, mtime_ns, size FROM skipped")
        return found | {path: (Stat(mtime, size), None) for path, mtime, size in skipped}

    def skipped(self) -> tuple[Skipped, ...]:
        """Files that were found and not indexed."""
        rows = self._connection.execute("SELECT path, reason, mtime_ns, size FROM skipped")
        return tuple(Skipped(*row) for row in rows)

    def begin(self) -> None:
        """Start a transaction."""
        self._connection.execute("BEGIN IMMEDIATE")
        self._uses, self._names = {}, {}

    def put(self, row: Record) -> None:
        """Add or replace one file."""
        self.drop(row.path)
        cursor = self._connection.execute(
            "INSERT INTO files (path, mtime_ns, size, digest, imports, exports, doc, uses)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (row.path, *row.stat, row.digest, row.imports, row.exports, row.doc, row.uses),
        )
        file = cursor.lastrowid
        self._connection.executemany(
            "INSERT INTO definitions (file, ordinal, name, top, row) VALUES (?, ?, ?, ?, ?)",
            [(file, number, *columns) for number, columns in enumerate(row.definitions)],
        )
        self._count(((name, top) for name, top, _ in row.definitions), row.uses, 1)

    def drop(self, path: str) -> None:
        """Forget a file, if it is on record."""
        self._connection.execute("DELETE FROM skipped WHERE path = ?", (path,))
        found = self._connection.execute("SELECT id, uses FROM files WHERE path = ?", (path,))
        for file, uses in found.fetchall():
            rows = self._connection.execute(
                "SELECT name, top FROM definitions WHERE file = ?", (file,)
            ).fetchall()
            self._count(rows, uses, -1)
            self._connection.execute("DELETE FROM definitions WHERE file = ?", (file,))
            self._connection.execute("DELETE FROM files WHERE id = ?", (file,))

    def skip(self, path: str, stat: Stat, reason: str) -> None:
        """Record why a file is not indexed."""
        self.drop(path)
        self._connection.execute("INSERT INTO skipped VALUES (?, ?, ?, ?)", (path, *stat, reason))

    def touch(self, path: str, stat: Stat) -> None:
        """Record a new modification time of a file whose bytes did not change."""
        self._connection.execute(
            "UPDATE files SET mtime_ns = ?, size = ? WHERE path = ?", (*stat, path)
        )

    def commit(self) -> None:
        """Write the sums and make everything since ``begin`` visible."""
        self._write_receivers()
        self._write_names()
        self._connection.execute("COMMIT")

    def _count(self, names: Iterable[tuple[str, bool]], uses: bytes, sign: int) -> None:
        for name, top in names:
            sums = self._names.setdefault(name, [0, 0, 0])
            sums[0] += sign
            sums[1] += sign * top
        for pair, number in packed_pairs(uses).items():
            self._uses[pair] = self._uses.get(pair, 0) + sign * number

    def _write_receivers(self) -> None:
        changes: dict[str, dict[str, int]] = {}
        for (part, name), number in self._uses.items():
            changes.setdefault(part, {})[name] = number
            self._names.setdefault(name, [0, 0, 0])[2] += number
        known = self._sums("SELECT receiver, names FROM receivers WHERE receiver = ?", changes)
        rows = []
        for part, total in changes.items():
            for name, number in json.loads(known[part][0]).items() if part in known else ():
                total[name] = total.get(name, 0) + number
            rows.append((part, _dumps({name: n for name, n in total.items() if n > 0})))
        self._connection.executemany("INSERT OR REPLACE INTO receivers VALUES (?, ?)", sorted(rows))
        self._connection.execute("DELETE FROM receivers WHERE names = '{}'")

    def _write_names(self) -> None:
        known = self._sums(
            "SELECT name, definitions, top, uses FROM names WHERE name = ?", self._names
        )
        rows = []
        for name, change in self._names.items():
            total = [old + new for old, new in zip(known.get(name, (0, 0, 0)), change, strict=True)]
            rows.append((name, name.casefold(), *total))
        self._connection.executemany(
            "INSERT OR REPLACE INTO names VALUES (?, ?, ?, ?, ?)", sorted(rows)
        )
        self._connection.execute("DELETE FROM names WHERE definitions = 0 AND uses = 0")

    def _sums(self, sql: str, keys: Mapping[str, object]) -> dict[str, tuple[Any, ...]]:
        """The rows on record for ``keys``; none are asked for when the tables are still empty."""
        if not self._connection.execute("SELECT EXISTS (SELECT 1 FROM names)").fetchone()[0]:
            return {}
        found = (self._connection.execute(sql, (key,)).fetchone() for key in keys)
        return {row[0]: row[1:] for row in found if row is not None}


def open_writer(folder: Path) -> Writer:
    """Open the store for writing, building it anew where it is broken or of another version.

    Reads the whole file for damage: 60 ms for the 27 MB of sympy. Raises StoreError when it can be
    neither read nor replaced now.
    """
    try:
        return _checked(Writer(folder))
    except (StoreError, sqlite3.DatabaseError) as error:
        if is_passing(error):
            raise
        log.warning("building the index anew: %s", error)
        remove(folder / FILE_NAME)
        return Writer(folder)


def _checked(writer: Writer) -> Writer:
    try:
        writer.check()
    except StoreError:
        writer.close()
        raise
    return writer
