"""What not to show: ghost text cut down to what helps, or the reason for showing none.

Every filter only ever cuts from the end, so what is kept is a prefix of what the model wrote;
`FILTERS` is all of them, in their order. What each does, example by example, is in
``tests/data/ghost/filters.toml``. Lines end at ``\\n``, ``\\r\\n`` or ``\\r``. All functions are
pure; none needs the model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

from completion.indentation import indent_of
from completion.model.types import LOGICAL_ENDS, START, STATE_IDS, State, advance
from completion.request import Code, Reason
from completion.secrets import holds_secret

MIN_REPEATED_LINE = 4
"""Shorter lines (``try:`` is one, ``pass`` another) may well stand twice in a row."""

SUFFIX_LOOKED_AT = 2000
"""Characters behind the cursor that are searched for the brackets they close."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_NO_CODE = re.compile(r"[ \t\f)\]},:]*(?:#.*)?")
_LOOP = re.compile(r"(?P<unit>[^\r\n]{2,40}?)(?P=unit){3,}")
_OPENERS = {b"(": b")", b"[": b"]", b"{": b"}"}
_BRACKET_STATES = frozenset(
    index
    for name, index in STATE_IDS.items()
    if name.startswith(("(", "[", "{", "close")) and name != "close format"
)
_CLOSER_OF = {
    **dict.fromkeys(("call", "group", "params", "bases", "import"), b")"),
    **dict.fromkeys(("subscript", "list"), b"]"),
    "dict": b"}",
}


@dataclass(frozen=True, slots=True)
class Around:
    """What the text around the cursor says about brackets.

    ``state`` is the syntactic state at the cursor, ``expected`` the closers of the brackets that
    stand open there, innermost last; ``behind`` how many closers without an opener of their own
    the rest of the statement has.
    """

    state: State
    expected: tuple[bytes, ...]
    behind: int


@dataclass(frozen=True)
class Surroundings:
    """The text around the cursor; ``prefix`` begins at the start of a logical line."""

    prefix: str
    suffix: str

    @cached_property
    def around(self) -> Around:
        """What it says about brackets."""
        return around_cursor(self.prefix, self.suffix)

    @property
    def line(self) -> str:
        """The cursor's line up to the cursor."""
        return _lines(self.prefix)[-1]


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter: ``kept`` returns the beginning of a text that may be shown.

    Where that is nothing but blanks, nothing is shown, because of ``reason``.
    """

    name: str
    reason: Reason
    kept: Callable[[str, Surroundings], str]


def filtered(text: str, prefix: str, suffix: str) -> str | Reason:
    """The part of ``text`` worth showing between ``prefix`` and ``suffix``, or why there is none.

    ``prefix`` begins at the start of a logical line; the cursor stands between the two.
    """
    place = Surroundings(prefix, suffix)
    for each in FILTERS:
        text = each.kept(text, place).rstrip()
        if not text:
            return each.reason
    return text


def without_loop(text: str) -> str:
    """``text`` up to where it starts to say the same four times in a row.

    What has no letter may repeat: rules of dashes, rows of zeros.
    """
    for match in _LOOP.finditer(text):
        if any(character.isalpha() for character in match["unit"]):
            return text[: match.start()]
    return text


def one_line_before_code(text: str, suffix: str) -> str:
    """``text`` up to its first line end where code stands behind the cursor on its line.

    Brackets that are closed there, commas, a colon and a comment are none: what is written between
    brackets may go over several lines.
    """
    rest = _lines(suffix)[0]
    return text if _NO_CODE.fullmatch(rest) else _lines(text)[0]


def without_suffix(text: str, prefix: str, suffix: str, around: Around) -> str:
    """``text`` without the end that stands behind the cursor already.

    That is the beginning of the rest of the cursor's line, unless ``text`` needs it to close a
    bracket of its own, or the next line of code, where a line of the result would equal it.
    """
    rest = _lines(suffix)[0].strip()
    if rest:
        return _without_overlap(text, rest, around)
    following = next((line for line in _lines(suffix) if line.strip()), "").strip()
    if len(following) < MIN_REPEATED_LINE:
        return text
    begin, line = 0, _lines(prefix)[-1]
    for match in _LINE.finditer(text):
        if (line + match.group()).strip() == following:
            return text[:begin]
        begin, line = match.end(), ""
    return text


def _without_overlap(text: str, rest: str, around: Around) -> str:
    for length in range(min(len(text), len(rest)), 0, -1):
        kept = text[:-length]
        if text.endswith(rest[:length]) and balanced(kept, around) == kept:
            return kept
    return text


def repeats_above(text: str, prefix: str) -> bool:
    """Whether the cursor's line would become the same as the last line of code above it."""
    *above, current = _lines(prefix)
    line = (current + _lines(text)[0]).strip()
    nearest = next((line for line in reversed(above) if line.strip()), "").strip()
    return line == nearest and len(line) >= MIN_REPEATED_LINE


def balanced(text: str, around: Around) -> str:
    """``text`` up to the first bracket that the text around it leaves no room for.

    It may close what stands open and is not closed behind the cursor, and may leave open only
    what is closed behind it.
    """
    written = text.encode()
    end, opened, left = _fitting(around, written)
    closed = max(around.behind - left, 0)
    end = opened[closed] if len(opened) > closed else end
    return written[:end].decode()


def misfit(around: Around, written: bytes) -> int | None:
    """Where ``written`` closes a bracket that is not open there, or is closed behind the cursor."""
    end, _, _ = _fitting(around, written)
    return None if end == len(written) else end


def _fitting(around: Around, written: bytes) -> tuple[int, list[int], int]:
    """Up to where the closing brackets have room, the brackets left open there, and how many of
    those around the cursor are not closed."""
    expected = list(around.expected)
    opened: list[tuple[int, bytes]] = []
    end = len(written)
    for at, mark in _marks(around.state, written):
        if mark in _OPENERS:
            opened.append((at, _OPENERS[mark]))
        elif opened and opened[-1][1] == mark:
            opened.pop()
        elif not opened and len(expected) > around.behind and expected[-1] == mark:
            expected.pop()
        else:
            end = at
            break
    return end, [at for at, _ in opened], len(expected)


def around_cursor(prefix: str, suffix: str) -> Around:
    """Read the brackets around the cursor."""
    data = prefix.encode()
    state, pieces = advance(START, data)
    begin = max((at for at, piece in pieces if piece in LOGICAL_ENDS), default=0)
    indent = len(indent_of(data[begin:].decode().lstrip("\r\n")))
    expected = [_CLOSER_OF[bracket] for bracket in state.brackets if bracket in _CLOSER_OF]
    behind = _unmatched_closers(state, _statement_rest(suffix, indent))
    return Around(state, tuple(expected), behind)


def _marks(state: State, data: bytes) -> Iterator[tuple[int, bytes]]:
    """(offset, bracket) for the brackets of code in ``data``, read from ``state`` on."""
    for at, piece in advance(state, data)[1]:
        if piece in _BRACKET_STATES and at >= 0:
            yield at, data[at : at + 1]


def _unmatched_closers(state: State, suffix: str) -> int:
    """How many brackets that stand open at the cursor are closed behind it."""
    count = depth = 0
    for _, mark in _marks(state, suffix.encode()):
        if mark in _OPENERS:
            depth += 1
        elif depth:
            depth -= 1
        else:
            count += 1
    return count


def _statement_rest(suffix: str, indent: int) -> str:
    """The rest of the cursor's statement: up to a line that is not indented more than its first.

    A line that begins with a closing bracket belongs to the statement too.
    """
    for match in list(_LINE.finditer(suffix[:SUFFIX_LOOKED_AT]))[1:]:
        line = match.group()
        if line.strip() and len(indent_of(line)) <= indent and line.lstrip()[0] not in ")]}":
            return suffix[: match.start()]
    return suffix[:SUFFIX_LOOKED_AT]


def _without_secret(text: str, place: Surroundings) -> str:
    """Nothing where a key or token would stand on the cursor's line or below."""
    return "" if holds_secret(place.line + text, len(place.line)) else text


FILTERS = (
    Filter(
        "blank",
        Reason(Code.EMPTY, "the model would write nothing here"),
        lambda text, _: text,
    ),
    Filter(
        "repetition",
        Reason(Code.EMPTY, "the model repeats itself"),
        lambda text, _: without_loop(text),
    ),
    Filter(
        "lines",
        Reason(Code.EMPTY, "nothing but a line break would stand before the code on this line"),
        lambda text, place: one_line_before_code(text, place.suffix),
    ),
    Filter(
        "suffix",
        Reason(Code.REPEATS_SUFFIX, "the text behind the cursor says it already"),
        lambda text, place: without_suffix(text, place.prefix, place.suffix, place.around),
    ),
    Filter(
        "above",
        Reason(Code.REPEATS_ABOVE, "it repeats the line above"),
        lambda text, place: "" if repeats_above(text, place.prefix) else text,
    ),
    Filter(
        "brackets",
        Reason(Code.UNBALANCED, "its brackets do not fit those around the cursor"),
        lambda text, place: balanced(text, place.around),
    ),
    Filter(
        "secret",
        Reason(Code.SECRET, "it holds what looks like a key or a token"),
        _without_secret,
    ),
)
"""All filters of text, in their order; names that do not exist are `naming.known_part`'s."""


def _lines(text: str) -> list[str]:
    return re.split(r"\r\n|\r|\n", text)
