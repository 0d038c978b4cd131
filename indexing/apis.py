"""What each API of the repository is about, in words, to be found by a request in plain words.

One SQLite file beside the index, ``apis-1.sqlite3``, with two FTS5 tables (tokenizer: porter over
unicode61; ranking: BM25). Names are stored split into their sub-words.

    known   id of every file of the store whose APIs are in (ids are never used again)
    apis    one row per function, method, class and property: name, container (its classes and its
            module), signature (parameters, types), doc; unindexed: file, ordinal of the definition
    calls   one row per call under a comment: the comment's words; unindexed: file, name called

Rows change file by file, so a refresh costs what changed. A file that SQLite finds broken, or that
cannot be written, is replaced by one in memory or built again: it holds nothing that the sources
do not. About a tenth of the index in size.
"""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from indexing.symbols import Definition, FileSymbols, Kind

FILE_NAME = "apis-1.sqlite3"
PATIENCE_S = 5.0

FOUND = frozenset((Kind.FUNCTION, Kind.METHOD, Kind.CLASS, Kind.PROPERTY))
"""What is an API here; attributes and constants are found through what they belong to."""

COLUMN_WEIGHTS = (6.0, 2.0, 1.0, 3.0)
"""BM25 weights of name, container, signature and doc; chosen on development repositories."""

BEGUN = 5
"""Letters of a long word that are enough to be looked for: ``connecting`` finds ``connection``."""

SCHEMA = """
CREATE TABLE known (file INTEGER PRIMARY KEY);
CREATE VIRTUAL TABLE apis USING fts5(
    name, container, signature, doc, file UNINDEXED, ordinal UNINDEXED,
    tokenize = 'porter unicode61');
CREATE VIRTUAL TABLE calls USING fts5(
    words, file UNINDEXED, name UNINDEXED, tokenize = 'porter unicode61');
"""

log = logging.getLogger(__name__)

_PARTS = re.compile(r"[^\W\d_]+|\d+")
_HUMPS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_COMMENT = re.compile(rb"[ \t]*(?:#|//|\*)+[ \t]*([^\r\n]*)")


@dataclass(frozen=True, slots=True)
class Found:
    """A definition that answers a request: file id, its number there, and BM25 (more is better)."""

    file: int
    ordinal: int
    score: float


@dataclass(frozen=True, slots=True)
class Read:
    """One file: its id, its symbols, its module's dotted name, its bytes (empty: not at hand)."""

    file: int
    symbols: FileSymbols
    module: str
    source: bytes


@lru_cache(maxsize=1 << 15)
def split(text: str) -> str:
    """``HTTPClient.send_all`` -> ``http client send all``: identifiers as their sub-words."""
    words = (part for run in _PARTS.findall(text) for part in _HUMPS.split(run))
    return " ".join(word.lower() for word in words)


class Apis:
    """The two tables, open; made by :func:`opened`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def known(self) -> frozenset[int]:
        """The files whose APIs are in."""
        return frozenset(row[0] for row in self._connection.execute("SELECT file FROM known"))

    def refresh(self, files: Iterable[int], read: Callable[[int], Read | None]) -> None:
        """Take in files that are new and drop those that are gone."""
        wanted, known = frozenset(files), self.known()
        with self._connection:
            for gone in known - wanted:
                for table in ("known", "apis", "calls"):
                    self._connection.execute(f"DELETE FROM {table} WHERE file = ?", (gone,))  # noqa: S608
            for file in sorted(wanted - known):
                found = read(file)
                self._connection.execute("INSERT OR IGNORE INTO known VALUES (?)", (file,))
                if found is not None:
                    self._add(found)

    def _add(self, read: Read) -> None:
        self._connection.executemany("INSERT INTO apis VALUES (?, ?, ?, ?, ?, ?)", _api_rows(read))
        self._connection.executemany("INSERT INTO calls VALUES (?, ?, ?)", _call_rows(read))

    def search(
        self, query: str, limit: int, column_weights: Sequence[float] = COLUMN_WEIGHTS
    ) -> list[Found]:
        """Definitions that the words of ``query`` describe, best first."""
        weights = ", ".join(str(float(each)) for each in column_weights)
        rows = self._connection.execute(
            f"SELECT file, ordinal, -bm25(apis, {weights}) AS score FROM apis"  # noqa: S608
            " WHERE apis MATCH ? ORDER BY score DESC LIMIT ?",
            (query, limit),
        )
        return [Found(*row) for row in rows]

    def called_under(self, query: str, limit: int) -> dict[str, float]:
        """Names that are called under comments with such words: the best BM25 of each."""
        rows = self._connection.execute(
            "SELECT name, -bm25(calls) AS score FROM calls WHERE calls MATCH ?"
            " ORDER BY score DESC LIMIT ?",
            (query, limit),
        )
        found: dict[str, float] = {}
        for name, score in rows:
            found.setdefault(name, score)
        return found


def match_query(words: Iterable[str]) -> str:
    """An FTS5 query for any of the words, or what begins like a long one; empty for none."""
    kept = dict.fromkeys(part for word in words for part in split(word).split())
    begun = {word[:BEGUN] for word in kept if len(word) > BEGUN}
    return " OR ".join([*(f'"{word}"' for word in kept), *(f'"{word}"*' for word in sorted(begun))])


def opened(path: Path | None) -> Apis:
    """The tables in the file, made anew where it is missing or broken; in memory without a file."""
    if path is not None:
        try:
            return Apis(_connected(path))
        except sqlite3.DatabaseError as error:
            log.warning("what the APIs are about is read again: %s", error)
            with suppress(OSError):
                path.unlink()
            with suppress(sqlite3.DatabaseError):
                return Apis(_connected(path))
    return Apis(_connected(Path(":memory:")))


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=PATIENCE_S, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous = OFF")
        with connection, closing(connection.execute("PRAGMA user_version")) as version:
            if version.fetchone()[0] != 1:
                connection.executescript(SCHEMA + "PRAGMA user_version = 1;")
        connection.execute("SELECT count(*) FROM known").fetchone()
    except sqlite3.DatabaseError:
        connection.close()
        raise
    return connection


def _api_rows(read: Read) -> Iterator[tuple[str, str, str, str, int, int]]:
    module = split(read.module)
    for ordinal, definition in enumerate(read.symbols.definitions):
        if definition.kind in FOUND:
            container = f"{split(definition.container)} {module}"
            words = split(_signature_words(definition))
            name = f"{split(definition.name)} {definition.name.lower()}"
            yield name, container, words, definition.doc, read.file, ordinal


def _signature_words(definition: Definition) -> str:
    parts = [f"{each.name} {each.annotation or ''}" for each in definition.parameters]
    return " ".join((*parts, definition.returns or "", *definition.bases))


def _call_rows(read: Read) -> Iterator[tuple[str, int, str]]:
    """The comments that stand directly above a line with calls."""
    done: set[tuple[int, str]] = set()
    for use in read.symbols.uses if read.source else ():
        line = read.source.rfind(b"\n", 0, use.span[0]) + 1
        if use.arguments < 0 or (line, use.name) in done:
            continue
        done.add((line, use.name))
        words = comment_above(read.source, line)
        if words:
            yield words, read.file, use.name


def comment_above(text: bytes, line: int) -> str:
    """The text of the comment lines that end directly above the line that starts at ``line``."""
    found: list[str] = []
    end = line - 1
    while end > 0:
        begin = text.rfind(b"\n", 0, end) + 1
        comment = _COMMENT.match(text, begin, end)
        if comment is None:
            break
        found.insert(0, comment[1].decode("utf-8", "replace").strip())
        end = begin - 1
    return " ".join(found).strip()
