"""Python files as the lexemes that CodeFill's tables are about, and as statements.

Comments and blank lines are dropped, as the paper drops them. A line break counts only where a
statement ends; it owns the blank lines, the comment lines and the indentation before the next
statement. Offsets are byte offsets.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from completion.lexeme import LINE_ENDS, Kind, scan

OPENING, CLOSING = frozenset((b"(", b"[", b"{")), frozenset((b")", b"]", b"}"))
PUNCTUATION = OPENING | CLOSING | frozenset((b",", b":", b";", b".", b"->", b"@", b"..."))
KEYWORDS = frozenset(word.encode() for word in keyword.kwlist)
TAB_WIDTH = 8


class Class(StrEnum):
    """The paper's classes of tokens; it does not say where it counts ends of statements."""

    IDENTIFIER = "identifier"
    KEYWORD = "keyword"
    PUNCTUATION = "punctuation"
    LITERAL = "literal"
    OPERATOR = "operator"
    BREAK = "line break"


class Raw(NamedTuple):
    """Bytes ``begin`` to ``end`` of a file; between two of them stand only blanks."""

    begin: int
    end: int
    kind: Kind
    inside: bool


class Lexeme(NamedTuple):
    """``text`` is what is to be predicted by somebody who has read the file up to byte ``cut``.

    Of a line break it is one line feed and the indentation behind it. The lexeme ends at ``end``.
    """

    cut: int
    begin: int
    end: int
    text: bytes
    kind: Kind

    @property
    def token_class(self) -> Class:
        """What the paper would count it as."""
        return class_of(self.text, self.kind)


def class_of(text: bytes, kind: Kind) -> Class:
    """The class of a lexeme."""
    if kind is Kind.WORD:
        return Class.KEYWORD if text in KEYWORDS else Class.IDENTIFIER
    if kind is Kind.OPERATOR:
        return Class.PUNCTUATION if text in PUNCTUATION else Class.OPERATOR
    return Class.BREAK if kind is Kind.BREAK else Class.LITERAL


def raw_lexemes(data: bytes) -> Iterator[Raw]:
    """Every lexeme of a text, comments and line breaks between comments included."""
    position, depth = 0, 0
    while True:
        found = scan(data, position, inside=depth > 0)
        if found.kind is Kind.NOTHING:
            return
        text = data[found.begin : found.end]
        if found.kind is Kind.OPERATOR:
            depth = max(depth + (text in OPENING) - (text in CLOSING), 0)
        yield Raw(found.begin, found.end, found.kind, depth > 0)
        position = found.end


def lexemes(data: bytes) -> list[Lexeme]:
    """The lexemes that count, in order."""
    found: list[Lexeme] = []
    cut = 0
    for raw in raw_lexemes(data):
        if raw.kind is Kind.COMMENT:
            if raw.inside:  # its line break is a blank like another
                cut = _behind_line_end(data, raw.end)
        elif raw.kind is Kind.BREAK:
            if found and found[-1].kind is Kind.BREAK:
                found[-1] = _line_break(found[-1].cut, found[-1].begin, data, raw)
            elif found:
                found.append(_line_break(found[-1].end, raw.begin, data, raw))
            cut = raw.end
        else:
            text = data[raw.begin : raw.end]
            found.append(Lexeme(cut, raw.begin, raw.end, text, raw.kind))
            cut = raw.end
    return found


def split(text: bytes) -> list[tuple[bytes, Kind]]:
    """The lexemes of one statement, which may be broken, without comments and line breaks."""
    dropped = (Kind.COMMENT, Kind.BREAK)
    return [
        (text[raw.begin : raw.end], raw.kind)
        for raw in raw_lexemes(text)
        if raw.kind not in dropped
    ]


def statements(found: Sequence[Lexeme]) -> Iterator[tuple[int, int]]:
    """The first and the last index but one of each statement; its line break is not in it."""
    first = 0
    for index, lexeme in enumerate(found):
        if lexeme.kind is Kind.BREAK:
            yield first, index
            first = index + 1
    if first < len(found):
        yield first, len(found)


def width(blanks: bytes) -> int:
    """How far a line is indented by these."""
    return len(blanks.replace(b"\f", b"").expandtabs(TAB_WIDTH))


def indentations(found: Sequence[Lexeme], index: int) -> tuple[int, ...]:
    """How far the blocks around ``found[index]`` are indented, the outermost, 0, first."""
    open_blocks: list[int] = []
    limit = None
    for lexeme in reversed(found[:index]):
        indented = width(lexeme.text[1:]) if lexeme.kind is Kind.BREAK else None
        if indented is not None and (limit is None or indented < limit):
            open_blocks.append(indented)
            limit = indented
        if limit == 0:
            break
    return (*([0] if limit != 0 else []), *reversed(open_blocks))


def _line_break(cut: int, begin: int, data: bytes, raw: Raw) -> Lexeme:
    last = max(data.rfind(mark, begin, raw.end) for mark in LINE_ENDS)
    return Lexeme(cut, begin, raw.end, b"\n" + data[last + 1 : raw.end], Kind.BREAK)


def _behind_line_end(data: bytes, offset: int) -> int:
    return offset + (2 if data[offset : offset + 2] == b"\r\n" else 1)
