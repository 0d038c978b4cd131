"""The items of CodeFill's tables: lexemes drawn uniformly from files, and ends of statements.

Every lexeme that counts (``lexing.py``) is as likely as any other to become an item, over all files
of all repositories; for every n so is every statement of more than n lexemes, whose last n are
asked for. Left out are a file's first lexeme and its last line break, and files that Python does
not parse.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

from completion.lexeme import Kind
from evaluation.codefill.leaves import Leaf, Roles, leaves
from evaluation.codefill.lexing import (
    CLOSING,
    OPENING,
    Class,
    Lexeme,
    indentations,
    lexemes,
    statements,
)
from evaluation.codefill.normalise import Scope, Word, imported_names, normalise, normalised
from evaluation.syntax import Parsed, parsed

LENGTHS = range(2, 9)
"""n of the statement task: as many lexemes are left to complete."""

CARDINAL = frozenset(
    b". await assert raise del lambda yield return except while for if elif else global in and not "
    b"or is + - * / // % ** @ & | ^ << >> with ; , [ ( { ~".split()
)
"""The paper's cardinal points: after these a completion is worth most."""


def is_cardinal(before: bytes) -> bool:
    """Whether the paper would trigger completion behind this lexeme."""
    return before in CARDINAL


@dataclass(frozen=True, slots=True)
class Token:
    """What the tables group the next lexeme by; ``role`` is its AST type in the whole file."""

    token_class: Class
    leaf: Leaf | None
    cardinal: bool
    role: str


@dataclass(frozen=True, slots=True)
class Item:
    """A cursor in a file, and the lexemes that truly follow it.

    ``before`` is the statement so far. ``statement_end`` is the byte where the cursor's statement
    ends, before its line break; behind that where it is the line break that is asked for.
    ``token`` is set where one lexeme is asked for.
    """

    repository: str
    path: str
    cut: int
    statement_end: int
    before: tuple[bytes, ...]
    rest: tuple[Word, ...]
    scope: Scope
    token: Token | None

    @property
    def bracketed(self) -> bool:
        """Whether a bracket is open in the statement so far."""
        return sum((one in OPENING) - (one in CLOSING) for one in self.before) > 0

    @property
    def truth(self) -> str:
        """The next lexeme in the paper's stream."""
        found = normalise(self.rest[0], self.before, self.scope)
        assert found is not None, "comments are no items"
        return found

    @property
    def statement(self) -> list[str]:
        """The rest of the statement in the paper's stream."""
        return normalised(self.rest, self.before, self.scope)


@dataclass(frozen=True)
class _File:
    """One file of a repository, read so far as to know what could be drawn from it."""

    repository: str
    path: str
    data: bytes
    found: Sequence[Lexeme]

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        return list(statements(self.found))

    @cached_property
    def tokens(self) -> range:
        """The lexemes that can be items."""
        last = len(self.found) - (bool(self.found) and self.found[-1].kind is Kind.BREAK)
        return range(1, max(last, 1))

    def longer_than(self, length: int) -> list[tuple[int, int]]:
        return [(first, end) for first, end in self.spans if end - first > length]


@dataclass(frozen=True)
class _Content:
    """How many items of each kind a file holds; ``statements`` by n."""

    file: tuple[str, str, bytes]
    tokens: int
    statements: dict[int, int]


def draw(
    sources: Mapping[str, Mapping[str, bytes]], tokens: int, per_length: int, seed: int
) -> dict[str, list[Item]]:
    """Items by repository, in the order of files and bytes.

    ``sources`` are the repositories' files by path. ``tokens`` items ask for the next lexeme,
    ``per_length`` for the last n of a statement for each n of `LENGTHS`; fewer where there are not
    as many.
    """
    contents = [
        _content(repository, path, data)
        for repository, files in sorted(sources.items())
        for path, data in sorted(files.items())
        if parsed(data) is not None
    ]
    drawn = random.Random(seed)
    chosen: dict[int, list[tuple[int, int]]] = {}
    for length in (0, *LENGTHS):
        sizes = [each.statements[length] if length else each.tokens for each in contents]
        for file, number in _sampled(sizes, per_length if length else tokens, drawn):
            chosen.setdefault(file, []).append((length, number))
    items: dict[str, list[Item]] = {}
    for index in sorted(chosen):
        found = _items(contents[index], chosen[index])
        items.setdefault(contents[index].file[0], []).extend(sorted(found, key=lambda one: one.cut))
    return items


def _content(repository: str, path: str, data: bytes) -> _Content:
    file = _File(repository, path, data, lexemes(data))
    lengths = [end - first for first, end in file.spans]
    by_length = {n: sum(length > n for length in lengths) for n in LENGTHS}
    return _Content((repository, path, data), len(file.tokens), by_length)


def _sampled(sizes: Sequence[int], count: int, drawn: random.Random) -> Iterator[tuple[int, int]]:
    """``count`` different places, as (index of a size, number below it)."""
    ends = list(accumulate(sizes))
    total = ends[-1] if ends else 0
    for place in sorted(drawn.sample(range(total), min(count, total))):
        index = bisect_right(ends, place)
        yield index, place - (ends[index] - sizes[index])


def _items(content: _Content, wanted: Sequence[tuple[int, int]]) -> Iterator[Item]:
    repository, path, data = content.file
    tree = parsed(data)
    assert tree is not None, "only files that Python parses have contents"
    made = _Maker(_File(repository, path, data, lexemes(data)), tree)
    for length, number in wanted:
        yield made.statement(length, number) if length else made.token(number)


class _Maker:
    """Makes the items of one file."""

    def __init__(self, file: _File, tree: Parsed) -> None:
        self._file = file
        self._names = imported_names(tree.tree)
        self._leaves = leaves(tree)
        self._roles = Roles(file.data)

    def token(self, number: int) -> Item:
        """The item of the file's lexeme with this number among those that can be one."""
        index = self._file.tokens[number]
        lexeme = self._file.found[index]
        token = Token(
            token_class=lexeme.token_class,
            leaf=self._leaves.get(lexeme.begin),
            cardinal=is_cardinal(self._file.found[index - 1].text),
            role=self._roles.of(lexeme),
        )
        first, end = self._statement(index)
        return self._item(first, index, index + 1, end, token)

    def statement(self, length: int, number: int) -> Item:
        """The item of one of the statements that are longer than ``length``."""
        first, end = self._file.longer_than(length)[number]
        return self._item(first, end - length, end, end, None)

    def _statement(self, index: int) -> tuple[int, int]:
        """The statement of a lexeme; a line break belongs to the one that it ends."""
        return next((first, end) for first, end in self._file.spans if first <= index <= end)

    def _item(self, first: int, index: int, last: int, end: int, token: Token | None) -> Item:
        found = self._file.found
        return Item(
            repository=self._file.repository,
            path=self._file.path,
            cut=found[index].cut,
            statement_end=found[max(index, end - 1)].end,
            before=tuple(one.text for one in found[first:index]),
            rest=tuple((one.text, one.kind) for one in found[index:last]),
            scope=Scope(self._names, indentations(found, index)),
            token=token,
        )
