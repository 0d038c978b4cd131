"""Pre-tokenizer patterns as automata that read one character at a time.

A pattern is compiled to a Thompson automaton whose branches are in order of preference, as a
backtracking engine tries them. Supported is what pre-tokenizers use: classes and properties of
characters, groups, alternatives, greedy, lazy and (behind one class) possessive repetition, and a
look at the one character that follows. Anything else raises PatternError.

What a class holds is asked of the tokenizer's own engine, so that both agree on every character.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple

import tokenizers
from tokenizers import pre_tokenizers

END = -1
"""The atom that stands for the end of the text."""


class PatternError(ValueError):
    """A pattern uses what cannot be followed character by character."""


class Node(NamedTuple):
    """``kind`` is 'character' (of class ``of``), 'look' (``wanted`` or not), 'fork' or 'match'."""

    kind: str
    following: tuple[int, ...] = ()
    of: int = 0
    wanted: bool = True


class Alphabet:
    """Characters, told apart by the classes that the patterns name.

    Characters of the same classes are one *atom*, a small number.
    """

    def __init__(self) -> None:
        self._classes: list[str] = []
        self._members: list[frozenset[int]] = []  # by atom: its classes
        self._numbers: dict[frozenset[int], int] = {}
        self._known: dict[str, int] = {}

    def class_of(self, source: str) -> int:
        """The number of the class of characters that ``source``, one character long, matches."""
        if source not in self._classes:
            self._classes.append(source)
        return self._classes.index(source)

    def holds(self, number: int, atom: int) -> bool:
        """Whether the characters of ``atom`` belong to a class."""
        return atom != END and number in self._members[atom]

    @property
    def atoms(self) -> range:
        """All atoms met so far."""
        return range(len(self._members))

    def read(self, text: str) -> list[int]:
        """The atom of every character."""
        known = self._known
        try:
            return [known[one] for one in text]
        except KeyError:
            self._learn("".join(one for one in dict.fromkeys(text) if one not in known))
        return [known[one] for one in text]

    def completions(self, begun: bytes) -> frozenset[int]:
        """The atoms of `beginning`."""
        return frozenset(self.read(self.beginning(begun)))

    def beginning(self, begun: bytes) -> str:
        """Characters whose UTF-8 starts with ``begun``, the beginning of one: of every kind some.

        Read off all of them if they are few, else one of each category and block, and those where a
        class could end.
        """
        return _representatives(begun, self._edges)

    @cached_property
    def _edges(self) -> tuple[int, ...]:
        """The code points where a range that a class spells out could begin or end."""
        points = {ord(one) for source in self._classes for one in source}
        escaped = re.findall(r"\\[xu]\{?([0-9A-Fa-f]+)", "".join(self._classes))
        points |= {int(one, 16) for one in escaped}
        return tuple(sorted({near for one in points for near in (one - 1, one, one + 1)}))

    def _learn(self, unknown: str) -> None:
        held: dict[str, set[int]] = {one: set() for one in unknown}
        for number, source in enumerate(self._classes):
            split = pre_tokenizers.Split(tokenizers.Regex(source), behavior="removed")
            left = {one for piece, _ in split.pre_tokenize_str(unknown) for one in piece}
            for one in unknown:
                if one not in left:
                    held[one].add(number)
        for one, classes in held.items():
            key = frozenset(classes)
            if key not in self._numbers:
                self._numbers[key] = len(self._members)
                self._members.append(key)
            self._known[one] = self._numbers[key]


def character_length(first: int) -> int:
    """How many bytes of UTF-8 a character has that begins with byte ``first``."""
    return 1 if first < 0xC0 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4


@lru_cache(maxsize=1)
def everything() -> str:
    """A character of every kind: the first letters of Unicode, and of each category some more.

    One of each stretch of 256, since patterns spell out ranges (DeepSeek's one of ideographs).
    """
    points = _of_every_category(0, 0x10FFFF)
    return "".join(chr(one) for one in sorted({*range(0x250), *points}))


@lru_cache(maxsize=4096)
def _representatives(begun: bytes, edges: tuple[int, ...]) -> str:
    if begun[0] > LAST_LEAD:
        return ""
    missing = character_length(begun[0]) - len(begun)
    low, high = (_code_point(begun, missing, end) for end in (0x80, 0xBF))
    low = max(low, {3: 0x800, 4: 0x10000}.get(len(begun) + missing, 0x80))
    high = min(high, 0x10FFFF)
    if high - low < FEW:
        points = {*range(low, high + 1)}
    else:
        points = _of_every_category(low, high) | {one for one in edges if low <= one <= high}
    return "".join(chr(one) for one in sorted(points) if not 0xD800 <= one < 0xE000)


LAST_LEAD = 0xF4
"""No character of UTF-8 begins with a higher byte."""

FEW = 64
"""So many characters are all looked at: the engine's Unicode may be newer than Python's."""

_SPARSE = 0x20000
"""In longer ranges one code point in 16 is looked at from here on: ideographs and unused ones."""


def _of_every_category(low: int, high: int) -> set[int]:
    """Code points of each category in each block of 256."""
    begin = high + 1 if high - low < 0x1000 else max(low, _SPARSE)
    scanned = (*range(low, min(begin, high + 1)), *range(begin, high + 1, 0x10))
    found = {(unicodedata.category(chr(one)), one >> 8): one for one in scanned}
    return {one for (category, _), one in found.items() if category != "Cs"}


def _code_point(begun: bytes, missing: int, filler: int) -> int:
    length = len(begun) + missing
    point = begun[0] & {2: 0x1F, 3: 0x0F, 4: 0x07}[length]
    for byte in (*begun[1:], *[filler] * missing):
        point = point << 6 | byte & 0x3F
    return point


class Automaton:
    """One compiled pattern over an alphabet."""

    def __init__(self, pattern: str, alphabet: Alphabet) -> None:
        """Raises PatternError for what is not supported, and for patterns that match nothing."""
        self.alphabet = alphabet
        self.nodes: list[Node] = [Node("match")]
        self.start = (_Parser(pattern, alphabet, self.nodes).parse()(0),)
        if self._may_be_empty():
            raise PatternError(f"the pattern matches the empty text: {pattern}")

    def reach(self, threads: Sequence[int], atom: int) -> list[int]:
        """The characters and matches that ``threads`` come to where ``atom`` follows, best first.

        Node 0 is the match.
        """
        found: list[int] = []
        seen: set[int] = set()
        stack = list(reversed(threads))
        while stack:
            at = stack.pop()
            if at in seen:
                continue
            seen.add(at)
            node = self.nodes[at]
            if node.kind == "fork":
                stack.extend(reversed(node.following))
            elif node.kind == "look":
                if self.alphabet.holds(node.of, atom) == node.wanted:
                    stack.extend(node.following)
            else:
                found.append(at)
        return found

    def read(self, reached: Sequence[int], atom: int) -> tuple[int, ...]:
        """The threads that are left once ``atom`` was read, best first."""
        left = [
            node.following[0]
            for node in map(self.nodes.__getitem__, reached)
            if node.kind == "character" and self.alphabet.holds(node.of, atom)
        ]
        return tuple(dict.fromkeys(left))

    def _may_be_empty(self) -> bool:
        """Whether the match can be come to without a character, whatever the looks say."""
        seen: set[int] = set()
        stack = list(self.start)
        while stack:
            at = stack.pop()
            if at not in seen:
                seen.add(at)
                if self.nodes[at].kind != "character":
                    stack.extend(self.nodes[at].following)
        return 0 in seen


Piece = Callable[[int], int]
"""What builds a part of a pattern in front of a node and returns where the part begins."""


class _Parsed(NamedTuple):
    build: Piece
    single: int | None = None  # the class, where the part is one character


_ESCAPED_CLASS = re.compile(r"\\[pP](?:\{\^?\w+\}|\w)|\\[sSdDwW]")
_ESCAPED_CHARACTER = re.compile(
    r"\\(?:x\{[0-9A-Fa-f]+\}|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|[^\w]|[nrtfv])"
)
_REPEAT = re.compile(r"[?*+]([?+]?)|\{(\d+)(?:,(\d*))?\}(?!\?)")
_UNSUPPORTED = re.compile(r"[$^]|\\[AbBGzZkKRX0-9]")


class _Parser:
    """Recursive descent over the pattern; every method leaves ``at`` behind what it read."""

    def __init__(self, pattern: str, alphabet: Alphabet, nodes: list[Node]) -> None:
        self.pattern = pattern
        self.alphabet = alphabet
        self.nodes = nodes
        self.at = 0
        self.ignore_case = False

    def parse(self) -> Piece:
        parsed = self._alternatives()
        if self.at != len(self.pattern):
            self._refuse()
        return parsed.build

    def _refuse(self) -> None:
        raise PatternError(f"not supported in a pre-tokenizer: {self.pattern[self.at :][:20]!r}")

    def _add(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1

    def _alternatives(self) -> _Parsed:
        parts = [self._sequence()]
        while self.pattern[self.at : self.at + 1] == "|":
            self.at += 1
            parts.append(self._sequence())
        if len(parts) == 1:
            return parts[0]

        def build(after: int) -> int:
            return self._add(Node("fork", tuple(part.build(after) for part in parts)))

        return _Parsed(build)

    def _sequence(self) -> _Parsed:
        parts: list[_Parsed] = []
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            parts.append(self._repeated(self._atom()))
        if len(parts) == 1:
            return parts[0]

        def build(after: int) -> int:
            for part in reversed(parts):
                after = part.build(after)
            return after

        return _Parsed(build)

    def _atom(self) -> _Parsed:
        rest = self.pattern[self.at :]
        if _UNSUPPORTED.match(rest):
            self._refuse()
        if rest[0] == "(":
            return self._group()
        if rest[0] == "[":
            return self._class(rest[: self._class_end(rest)])
        for known in (_ESCAPED_CLASS, _ESCAPED_CHARACTER):
            if found := known.match(rest):
                return self._class(found[0])
        if rest[0] in "\\?*+{":
            self._refuse()
        return self._class(rest[0])

    def _class(self, source: str) -> _Parsed:
        if "&&" in source:
            self._refuse()
        self.at += len(source)
        number = self.alphabet.class_of(f"(?i:{source})" if self.ignore_case else source)
        return _Parsed(lambda after: self._add(Node("character", (after,), number)), number)

    @staticmethod
    def _class_end(rest: str) -> int:
        """How long the bracketed class is that ``rest`` begins with."""
        at = 2 if rest.startswith("[^") else 1
        at += rest[at : at + 1] == "]"
        depth = 1
        while depth and at < len(rest):
            if rest[at] == "\\":
                at += 1
            elif rest[at] in "[]":
                depth += 1 if rest[at] == "[" else -1
            at += 1
        return at

    def _group(self) -> _Parsed:
        found = re.compile(r"\((?:\?(?:(i)?:|([!=])))?").match(self.pattern, self.at)
        if found is None or (self.pattern.startswith("(?", self.at) and len(found[0]) == 1):
            self._refuse()
        assert found is not None
        self.at = found.end()
        before, self.ignore_case = self.ignore_case, self.ignore_case or bool(found[1])
        inner = self._alternatives()
        self.ignore_case = before
        if self.pattern[self.at : self.at + 1] != ")":
            self._refuse()
        if found[2]:
            inner = self._look(inner, wanted=found[2] == "=")
        self.at += 1
        return inner

    def _look(self, inner: _Parsed, *, wanted: bool) -> _Parsed:
        number = inner.single
        if number is None:
            raise PatternError(f"a look ahead at more than one character: {self.pattern}")
        return _Parsed(lambda after: self._add(Node("look", (after,), number, wanted)))

    def _repeated(self, part: _Parsed) -> _Parsed:
        found = _REPEAT.match(self.pattern, self.at)
        if found is None:
            return part
        self.at = found.end()
        low, high = {"?": (0, 1), "*": (0, None), "+": (1, None)}.get(found[0][0], (0, 0))
        if found[2]:
            low = int(found[2])
            high = low if found[3] is None else int(found[3]) if found[3] else None
        possessive = found[1] == "+"
        if possessive and part.single is None:
            raise PatternError(f"possessive repetition of more than a class: {self.pattern}")
        look = part.single if possessive else None
        lazy = found[1] == "?"
        again = _Parsed(lambda after: self._repeat(part, low, high, after, look, lazy))
        return self._repeated(
            again
        )  # a plus behind braces repeats what they repeat, in this engine

    def _repeat(
        self, part: _Parsed, low: int, high: int | None, after: int, look: int | None, lazy: bool
    ) -> int:
        """``look``: the class that must not follow where the repetition could have gone on."""
        leave = after if look is None else self._add(Node("look", (after,), look, wanted=False))
        if high is None:
            entry = self._add(Node("fork"))
            self.nodes[entry] = self._choice(part.build(entry), leave, lazy)
        else:
            entry = after
            for _ in range(high - low):
                entry = self._add(self._choice(part.build(entry), leave, lazy))
        for _ in range(low):
            entry = part.build(entry)
        return entry

    @staticmethod
    def _choice(again: int, leave: int, lazy: bool) -> Node:
        return Node("fork", (leave, again) if lazy else (again, leave))
