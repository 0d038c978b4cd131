"""The text of open documents: UTF-8 bytes, edited by LSP positions in any of the three encodings.

A line ends at ``\\n``, ``\\r\\n`` or ``\\r`` and nowhere else (``str.splitlines`` also splits at
form feeds and U+2028, which shifts every later line away from the editor's). Positions past the end
of a line or of the document are clamped, as LSP says; one inside a character goes to its start.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from lsprotocol import types

Encoding = types.PositionEncodingKind
_LINE_END = re.compile(rb"\r\n|\r|\n")
_LONGEST_CHARACTER = 4
_WORD = re.compile(rb"[\w\x80-\xff]*\Z")
_LONGEST_WORD = 256


@dataclass(frozen=True, slots=True)
class Document:
    """One version of an open document.

    ``line_starts`` are the byte offsets at which lines begin; the first is always 0.
    ``deleted_at`` is the byte offset at which the last change took text away, None where that
    change did anything else.
    """

    uri: str
    language: str
    version: int
    text: bytes
    line_starts: tuple[int, ...]
    deleted_at: int | None = field(default=None, compare=False)


def opened(uri: str, language: str, version: int, text: str) -> Document:
    """A document as the editor sent it.

    A lone surrogate, which UTF-8 cannot hold, becomes ``?``: one code unit for another.
    """
    data = text.encode("utf-8", "replace")
    return Document(uri, language, version, data, (0, *_ends(data, 0, len(data))))


def changed(
    document: Document,
    version: int,
    changes: Iterable[types.TextDocumentContentChangeEvent],
    encoding: Encoding,
) -> Document:
    """The document after the changes, in order."""
    deleted: list[int | None] = []
    for change in changes:
        if isinstance(change, types.TextDocumentContentChangeWholeDocument):
            document = opened(document.uri, document.language, version, change.text)
            deleted.append(None)
            continue
        start = offset_at(document, change.range.start, encoding)
        end = max(start, offset_at(document, change.range.end, encoding))
        document = _spliced(document, start, end, change.text.encode("utf-8", "replace"))
        deleted.append(start if end > start and not change.text else None)
    deleted_at = deleted[-1] if deleted and None not in deleted else None
    return replace(document, version=version, deleted_at=deleted_at)


def offset_at(document: Document, position: types.Position, encoding: Encoding) -> int:
    """The byte offset of an LSP position."""
    if position.line >= len(document.line_starts):
        return len(document.text)
    start = document.line_starts[position.line]
    end = _content_end(document, position.line)
    head = document.text[start : min(end, start + _LONGEST_CHARACTER * position.character)]
    return start + _bytes_in(head, position.character, encoding)


def position_at(document: Document, offset: int, encoding: Encoding) -> types.Position:
    """The LSP position of a byte offset; offsets inside a line end count as before it."""
    line = bisect_right(document.line_starts, offset) - 1
    start = document.line_starts[line]
    head = document.text[start : min(offset, _content_end(document, line))]
    return types.Position(line, _units_in(head, encoding))


def word_before(text: bytes, offset: int) -> str:
    """What is typed of the word at a byte offset; at most its last `_LONGEST_WORD` bytes."""
    word = _WORD.search(text, max(0, offset - _LONGEST_WORD), offset)
    assert word is not None
    return word.group().decode("utf-8", "ignore")


def _content_end(document: Document, line: int) -> int:
    """Where a line ends, its line end left out."""
    if line + 1 == len(document.line_starts):
        return len(document.text)
    end = document.line_starts[line + 1] - 1
    if document.text[end - 1 : end + 1] == b"\r\n" and end > document.line_starts[line]:
        end -= 1
    return end


def _bytes_in(head: bytes, units: int, encoding: Encoding) -> int:
    """How many bytes of ``head`` its first ``units`` code units take, whole characters only."""
    if encoding == Encoding.Utf8 or head.isascii():
        return len(head[:units].decode("utf-8", "ignore").encode())
    text = head.decode("utf-8", "ignore")
    if encoding == Encoding.Utf32:
        return len(text[:units].encode())
    return len(text.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "ignore").encode())


def _units_in(head: bytes, encoding: Encoding) -> int:
    if encoding == Encoding.Utf8 or head.isascii():
        return len(head)
    text = head.decode("utf-8", "ignore")
    return len(text) if encoding == Encoding.Utf32 else len(text.encode("utf-16-le")) // 2


def _spliced(document: Document, start: int, end: int, new: bytes) -> Document:
    """The document with bytes ``[start, end)`` replaced; only the lines around them are looked at.

    Whether a line starts at byte ``s`` depends on bytes ``s - 1`` and ``s`` alone. So the starts
    before ``start`` stay, those after ``end`` move, and only what lies between is searched again.
    """
    text = document.text[:start] + new + document.text[end:]
    starts = document.line_starts
    moved = len(new) - (end - start)
    kept = max(1, bisect_left(starts, start))
    after = starts[max(kept, bisect_right(starts, end)) :]
    between = _ends(text, start, start + len(new))
    return replace(
        document,
        text=text,
        line_starts=(*starts[:kept], *between, *(s + moved for s in after)),
    )


def _ends(text: bytes, first: int, last: int) -> list[int]:
    """The line starts (ends of line ends) in ``[first, last]`` apart from 0."""
    found = _LINE_END.finditer(text, max(0, first - 1), last + 1)
    return [end for match in found if first <= (end := match.end()) <= last]
