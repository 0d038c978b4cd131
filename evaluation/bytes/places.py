"""Where ``eval bytes`` puts the cursor: anywhere in code, and inside identifiers.

The prompt is the file alone: what stands before the cursor and, from the next line on, what
stands behind it; the rest of the cursor's line is not typed yet.
"""

from __future__ import annotations

import random
import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from completion.lexeme import Kind
from completion.prompting import SUFFIX_BYTES
from completion.request import Prompt
from evaluation.codefill.lexing import KEYWORDS, Raw, raw_lexemes

Files = Mapping[tuple[str, str], bytes]
"""(repository, path) -> content."""

LETTERS = re.compile(rb"[A-Za-z_]+")
"""Identifiers of one pre-token, whose every byte is a character."""

OFFSETS = range(7)
"""How many bytes of an identifier are typed."""

_LINE_END = re.compile(rb"\r\n?|\n")


class Position(StrEnum):
    """What stands directly before a cursor."""

    IDENTIFIER = "identifier"
    NUMBER = "number"
    PUNCTUATION = "punctuation"
    BLANK = "blank"
    STRING = "string or comment"


STABLE = "stable boundary"
"""The name of the positions, of any kind, where no token reaches across the cursor."""


@dataclass(frozen=True, slots=True)
class Place:
    """A cursor in a file; ``rest`` is what truly follows up to the line's end."""

    file: tuple[str, str]
    prompt: Prompt
    rest: bytes
    position: Position


@dataclass(frozen=True, slots=True)
class Identifier:
    """An identifier at bytes ``begin`` to ``end`` of a file."""

    file: tuple[str, str]
    begin: int
    end: int


def cursors(files: Files, count: int, seed: int) -> list[Place]:
    """``count`` cursors, every byte of every file as likely as any other, in the files' order.

    Not inside a character, and not where nothing stands before the cursor.
    """
    names = sorted(files)
    ends, total = [], 0
    for name in names:
        total += len(files[name])
        ends.append(total)
    drawn = random.Random(seed)
    chosen: dict[tuple[str, str], set[int]] = {}
    left = min(count, total // 2)
    while left:
        at = drawn.randrange(total)
        index = bisect_right(ends, at)
        data = files[names[index]]
        offset = at - (ends[index] - len(data))
        offsets = chosen.setdefault(names[index], set())
        if offset not in offsets and data[:offset].strip() and data[offset] & 0xC0 != 0x80:
            offsets.add(offset)
            left -= 1
    return [
        place(name, files[name], offset, position(offset, lexemes))
        for name in sorted(chosen)
        for lexemes in [list(raw_lexemes(files[name]))]
        for offset in sorted(chosen[name])
    ]


def position(offset: int, lexemes: Sequence[Raw]) -> Position:
    """What stands before ``offset``, which is not 0; ``lexemes`` are all those of the file."""
    index = bisect_right(lexemes, offset - 1, key=lambda one: one.begin) - 1
    if index >= 0 and offset <= lexemes[index].end:
        kind = lexemes[index].kind
        inside = offset < lexemes[index].end
        if kind is Kind.COMMENT or (kind is Kind.STRING and inside):
            return Position.STRING
        if kind in (Kind.WORD, Kind.NUMBER):
            return Position.IDENTIFIER if kind is Kind.WORD else Position.NUMBER
        if kind in (Kind.OPERATOR, Kind.STRING):
            return Position.PUNCTUATION
    return Position.BLANK


def place(file: tuple[str, str], data: bytes, offset: int, where: Position) -> Place:
    """The cursor at ``offset``, with the rest of its line gone."""
    found = _LINE_END.search(data, offset)
    end = found.start() if found else len(data)
    suffix = data[end : end + SUFFIX_BYTES].decode(errors="ignore")
    return Place(file, Prompt("", suffix, data[:offset].decode()), data[offset:end], where)


def identifiers(files: Files, count: int, seed: int, *, longer: bool) -> list[Identifier]:
    """``count`` identifiers, each as likely as any other, in the files' order.

    Of letters and underscores alone, and no keywords. ``longer``: of more bytes than `OFFSETS`
    counts, else of 2 to as many.
    """
    found = [one for name in sorted(files) for one in _identifiers(name, files[name])]
    most = max(OFFSETS)
    chosen = [one for one in found if _has_length(one.end - one.begin, most, longer=longer)]
    picked = random.Random(seed).sample(range(len(chosen)), min(count, len(chosen)))
    return [chosen[index] for index in sorted(picked)]


def _has_length(length: int, most: int, *, longer: bool) -> bool:
    return length > most if longer else 2 <= length <= most


def _identifiers(name: tuple[str, str], data: bytes) -> Iterator[Identifier]:
    for raw in raw_lexemes(data):
        text = data[raw.begin : raw.end]
        if raw.kind is Kind.WORD and text not in KEYWORDS and LETTERS.fullmatch(text) and raw.begin:
            yield Identifier(name, raw.begin, raw.end)
