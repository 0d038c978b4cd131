"""Source text as a stream of lexemes, for the n-gram: a regular expression, not a parser.

One expression reads bytes strictly left to right and never looks back, so that the lexemes of a
text that is cut at the cursor are, up to the last one, the lexemes of the whole text. What it
yields:

- identifiers, keywords and operators as written; integers of one or two digits and plain strings of
  up to 24 characters as written too; every other number as `NUMBER`, every other string as
  `STRING`, regular expressions too;
- `NEWLINE` where a line with code ends, unless it ends in an open bracket, a comma or ``=``, after
  which a line break carries no information;
- nothing for blanks, indentation, comments, blank lines, and strings that begin a line
  (docstrings).

A line that starts with `NEWLINE`'s line break can be read on its own: `Lexed` uses this to read
again only the lines that an edit touched. Words become numbers through an `Interner`, which
belongs to whoever counts them. Offsets are byte offsets; ``Lexed.text`` has one line break put
before the file's first byte, because a file begins like a line.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from indexing.languages import family_of

BOUNDARY = b""
"""Stands before a file's first lexeme and where a lexeme is hidden; never predicted."""
NEWLINE = b"\n"
NUMBER = b"<number>"
STRING = b"<string>"

Ids = NDArray[np.int32]
Offsets = NDArray[np.int64]

_EOL = rb"(?:\r\n?|\n)"
_WORD = rb"[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*+"
_NUMBER = rb"\.?[0-9](?:[eE][+-]|[A-Za-z0-9_.])*+"
_OPERATOR = (
    rb"->|=>|:=|::|\.\.\.|&&|\|\||\+\+|--|\*\*=?|//=?|<<=?|>>=?|[-+*/%&|^@=!<>]="
    rb"|[^\s\w\x80-\xff]"
)
_LITERAL_KEPT = re.compile(rb"""(["'])[A-Za-z0-9_.-]{0,24}\1|[0-9]{1,2}""")
_QUOTE = re.compile(rb"[\"'`]")
_SLASHED = re.compile(rb"/[^/=]")  # a regular expression: no operator goes on like this
_DIGITS_FIRST = re.compile(rb"\.?[0-9]")
_MEMO_LIMIT = 32  # raw texts longer than this are rarely seen twice


@dataclass(frozen=True, slots=True)
class Syntax:
    """How a language writes what is not code: regular expressions for comments and strings.

    Both must match an unfinished comment or string up to the end of the text.
    """

    comment: bytes
    string: bytes


def _quoted(quote: bytes) -> bytes:
    return rb"%b(?:[^%b\\\r\n]|\\(?:\r\n|.)|\\\Z)*+%b?+" % (quote, quote, quote)


def _triple(quote: bytes) -> bytes:
    body = rb"(?:[^%b\\]|\\.|\\\Z|%b(?!%b%b))*+" % (quote, quote, quote, quote)
    return quote * 3 + body + rb"(?:%b|\Z)" % (quote * 3)


PYTHON = Syntax(
    comment=rb"#[^\r\n]*+",
    string=rb"(?:[rR][bBfFtT]?+|[bBfFtT][rR]?+|[uU])?+(?:"
    + rb"|".join((_triple(b'"'), _triple(b"'"), _quoted(b'"'), _quoted(b"'")))
    + rb")",
)
_SLASHES = rb"//[^\r\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/|\Z)"
_TEMPLATE = rb"`(?:[^`\\]|\\.|\\\Z)*+`?+"
_QUOTED = _quoted(b'"') + rb"|" + _quoted(b"'")

# A slash begins a regular expression where no operand can end, which the byte before tells, or the
# one before a blank. Other places are left to division: a wrong guess would swallow code.
_NO_OPERAND = rb"[(\[{,;=:?!&|]"
_REGEX = (
    rb"(?:(?<=%b)|(?<=%b )|(?<=\breturn ))/(?![/*])" % (_NO_OPERAND, _NO_OPERAND)
    + rb"(?:[^/\\\[\r\n]|\\[^\r\n]|\[(?:[^\]\\\r\n]|\\[^\r\n])*+(?:\]|\Z)|\\\Z)++"
    + rb"(?:/[A-Za-z]*+|\Z)"
)
JAVA = Syntax(comment=_SLASHES, string=_triple(b'"') + rb"|" + _QUOTED)
JAVASCRIPT = Syntax(comment=_SLASHES, string=_QUOTED + rb"|" + _TEMPLATE + rb"|" + _REGEX)
C_LIKE = Syntax(comment=_SLASHES, string=_QUOTED + rb"|" + _TEMPLATE)
_SYNTAXES = {"python": PYTHON, "java": JAVA, "javascript": JAVASCRIPT}


def syntax_of(path: str) -> Syntax:
    """The syntax that a path's suffix stands for; C-like where it is no language known here."""
    return PYTHON if path.endswith(".pyw") else _SYNTAXES.get(family_of(path), C_LIKE)


@cache
def _pattern(syntax: Syntax) -> re.Pattern[bytes]:
    """Match one lexeme and what is skipped around it; group 1 is the lexeme, unset at the end."""
    skip = rb"(?:[ \t\f\v]|\xef\xbb\xbf|\\%b|%b)*+" % (_EOL, syntax.comment)
    string = rb"(?:%b)" % syntax.string
    newline = rb"%b(?:%b(?:%b|%b))*+" % (_EOL, skip, _EOL, string)
    lexeme = rb"|".join((string, _WORD, newline, _NUMBER, _OPERATOR))
    continued = rb"(?:(?<=[(\[{,=])(?:%b%b)*+)" % (skip, _EOL)
    return re.compile(rb"%b(?:(%b)%b?+|\Z)" % (skip, lexeme, continued), re.DOTALL)


def _normal(raw: bytes) -> bytes:
    """The word that stands for a lexeme as written."""
    first = raw[:1]
    if first in b"\r\n":
        return NEWLINE
    if _LITERAL_KEPT.fullmatch(raw):
        return raw
    if _QUOTE.search(raw) or _SLASHED.match(raw):
        return STRING
    return NUMBER if _DIGITS_FIRST.match(raw) else raw


class Interner(dict[bytes, int]):
    """Lexemes as written -> the numbers of their words; filled as they are met."""

    def __init__(self, number: Callable[[bytes], int]) -> None:
        super().__init__()
        self._number = number

    def __missing__(self, raw: bytes) -> int:
        number = self._number(_normal(raw))
        if len(raw) <= _MEMO_LIMIT:
            self[raw] = number
        return number


def lex(text: bytes, syntax: Syntax) -> list[bytes]:
    """The lexemes of a whole file as words, `NEWLINE` first."""
    return [_normal(raw) for raw in raw_lexemes(text, syntax)]


def raw_lexemes(text: bytes, syntax: Syntax) -> list[bytes]:
    """The lexemes of a whole file as they are written: keys for an `Interner`."""
    found = _pattern(syntax).findall(b"\n" + text)
    while found and not found[-1]:
        found.pop()
    return found


def context(before_cursor: bytes, syntax: Syntax = PYTHON) -> tuple[list[bytes], bytes]:
    """The words before the cursor and the half-typed identifier that touches it (or ``b""``).

    Reads all it is given: hand it whole lines. Inside a string or comment, ask something else.
    """
    found = _pattern(syntax).findall(b"\n" + before_cursor)
    *raws, _ = found  # the last match is the empty one at the end
    typed = b""
    if re.fullmatch(_WORD, raws[-1]):  # a blank or comment after it would have matched as b""
        typed = raws.pop()
    return [_normal(raw) for raw in raws if raw], typed


@dataclass(frozen=True, slots=True)
class Lexed:
    """A text and its words' numbers, cut into lines that can be read on their own.

    ``ids`` has shape (lexemes,); line ``i`` starts at byte ``starts[i]`` of ``text`` with its line
    break and owns ``ids[firsts[i]:firsts[i + 1]]``; both end with one closing value.
    """

    text: bytes
    starts: Offsets
    firsts: Offsets
    ids: Ids


def relex(old: Lexed | None, data: bytes, syntax: Syntax, interner: Interner) -> Lexed:
    """Read a file, again only where it differs from ``old``: equal to reading it afresh."""
    text = b"\n" + data
    if old is None:
        starts, firsts, ids, _ = _read(text, 0, syntax, interner, lambda _: False)
        return Lexed(text, *_closed(text, starts, firsts, ids))
    same = _common_prefix(old.text, text)
    first = max(0, bisect_left(old.starts, same, hi=len(old.starts) - 1) - 1)
    tail, shift = len(text) - _common_suffix(old.text, text), len(text) - len(old.text)

    def meets_old(offset: int) -> bool:
        return offset >= tail and _line_starting(old, offset - shift) is not None

    starts, firsts, ids, met = _read(text, int(old.starts[first]), syntax, interner, meets_old)
    line = len(old.starts) - 1 if met is None else _line_starting(old, met - shift)
    return _spliced(old, text, first, line or 0, _closed(text, starts, firsts, ids))


def _read(
    text: bytes,
    offset: int,
    syntax: Syntax,
    interner: Interner,
    stop: Callable[[int], bool],
) -> tuple[list[int], list[int], list[int], int | None]:
    """Lines from ``offset`` on until ``stop(line start)``: their starts, firsts, ids; where met."""
    starts: list[int] = []
    firsts: list[int] = []
    ids: list[int] = []
    for match in _pattern(syntax).finditer(text, offset):
        raw = match[1]
        if not raw:
            break
        if raw[0] in b"\r\n":
            start = match.start(1)
            if starts and stop(start):
                return starts, firsts, ids, start
            starts.append(start)
            firsts.append(len(ids))
        ids.append(interner[raw])
    return starts, firsts, ids, None


def _closed(
    text: bytes, starts: list[int], firsts: list[int], ids: list[int]
) -> tuple[Offsets, Offsets, Ids]:
    return (
        np.array([*starts, len(text)], np.int64),
        np.array([*firsts, len(ids)], np.int64),
        np.array(ids, np.int32),
    )


def _spliced(
    old: Lexed, text: bytes, first: int, line: int, read: tuple[Offsets, Offsets, Ids]
) -> Lexed:
    """Old lines before ``first``, the lines just read, old lines from ``line`` on."""
    starts, firsts, ids = read
    before, after = int(old.firsts[first]), int(old.firsts[line])
    moved = len(text) - len(old.text)
    return Lexed(
        text,
        np.concatenate((old.starts[:first], starts[:-1], old.starts[line:] + moved)),
        np.concatenate(
            (
                old.firsts[:first],
                firsts[:-1] + before,
                old.firsts[line:] - after + before + len(ids),
            )
        ),
        np.concatenate((old.ids[:before], ids, old.ids[after:])),
    )


def _line_starting(lexed: Lexed, offset: int) -> int | None:
    line = bisect_left(lexed.starts, offset, hi=len(lexed.starts) - 1)
    return line if line < len(lexed.starts) - 1 and lexed.starts[line] == offset else None


def _common_prefix(one: bytes, other: bytes) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_suffix(one: bytes, other: bytes) -> int:
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[len(one) - middle : len(one) - low] == other[len(other) - middle : len(other) - low]:
            low = middle
        else:
            high = middle - 1
    return low


def locate(lexed: Lexed, offset: int, syntax: Syntax) -> tuple[int, int, bytes]:
    """What stands at byte ``offset`` of the file: ``(before, touching, typed)``.

    ``before`` is the number of lexemes before the cursor, the half-typed identifier not counted;
    ``touching`` the number (0 or 1) of lexemes from there on that the cursor touches from behind or
    within; ``typed`` the bytes of that identifier before the cursor.
    """
    cursor = min(max(offset, 0), len(lexed.text) - 1) + 1
    line = bisect_right(lexed.starts, cursor - 1, hi=len(lexed.starts) - 1) - 1
    index = int(lexed.firsts[line])
    for match in _pattern(syntax).finditer(lexed.text, int(lexed.starts[line])):
        if not match[1] or match.start(1) >= cursor:
            break
        if match.end(1) >= cursor and re.fullmatch(_WORD, match[1]):
            return index, 1, lexed.text[match.start(1) : cursor]
        index += 1
    return index, 0, b""


def context_at(lexed: Lexed, offset: int, syntax: Syntax, reach: int) -> tuple[list[bytes], bytes]:
    """`context` at byte ``offset`` of the file; reads the lines of the last ``reach`` lexemes."""
    cursor = min(max(offset, 0), len(lexed.text) - 1) + 1
    line = bisect_right(lexed.starts, cursor - 1, hi=len(lexed.starts) - 1) - 1
    first = bisect_right(lexed.firsts, int(lexed.firsts[line]) - reach, hi=line) - 1
    return context(lexed.text[int(lexed.starts[max(first, 0)]) : cursor], syntax)
