"""A nested-cache n-gram of the repository's lexemes: file within folder within repository.

Hellendoorn & Devanbu, "Are deep neural networks the best choice for modeling source code?", FSE
2017. The repository's counts are mapped from disk (`ngram_file`); the folder's and the file's are
taken from the lexemes themselves, which one comparison over an array finds faster than a table
would. An open buffer replaces its file's lexemes at every level, exactly: a `View` with a buffer
answers as a model built from the repository with that text in the file's place.
"""

from __future__ import annotations

import zlib
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexing.counts import Counts, Wide, counted, without
from indexing.lexemes import (
    BOUNDARY,
    NUMBER,
    STRING,
    Ids,
    Interner,
    Lexed,
    Syntax,
    context_at,
    locate,
    relex,
    syntax_of,
)
from indexing.ngram_file import HEAVY, REACH, Mapped, heavy_key, open_mapped, path_key

FOLDER_LIMIT = 1 << 19
"""A folder with more lexemes than this has no level of its own: slow, and it says little."""

_BUFFERS_KEPT = 4
_NEW_WORDS_KEPT = 4096
_FIRST_WORDS_KEPT = 16
_NUMBERS_KEPT = 1 << 15
_PLACEHOLDERS = (NUMBER, STRING)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """How well a context is known: its longest known end, ``order`` lexemes, was seen ``count``
    times in the repository, before ``distinct`` different lexemes. All 0 where nothing is known.
    """

    order: int
    count: int
    distinct: int


Column = list[Counts]
"""Counts by length of context."""


class _Lexemes:
    """The lexemes of some files, each after `REACH` boundaries; numbers below 1 are not counted.

    Where the last word that was asked for stands is remembered: most contexts end in one of few.
    """

    def __init__(self, ids: Ids) -> None:
        self.ids = ids
        self._after: dict[int, tuple[Wide, Counts]] = {}

    def following(self, context: Sequence[int], reach: int = REACH) -> Column:
        """What follows the last 1 … ``reach`` words of a context, the nearest first."""
        if not reach:
            return []
        hits, counts = self._first(context[0])
        found = [counts]
        for back in range(2, reach + 1):
            if len(hits):
                hits = hits[self.ids[hits - back] == context[back - 1]]
            found.append(counted(self.ids[hits]))
        return found

    def _first(self, word: int) -> tuple[Wide, Counts]:
        if word not in self._after:
            hits = np.flatnonzero(self.ids[REACH - 1 : -1] == word) + REACH
            hits = hits[self.ids[hits] > 0]
            if len(self._after) >= _FIRST_WORDS_KEPT:
                self._after.clear()
            self._after[word] = hits, counted(self.ids[hits])
        return self._after[word]


@dataclass(frozen=True, slots=True)
class _Others:
    """What follows a context in the other files, by its length from 0 to `REACH`."""

    repository: Column
    folder: Column


@dataclass(frozen=True, slots=True)
class _Sums:
    """How many words follow a context at one level, and how many different ones."""

    total: int
    distinct: int


def _together(others: Counts, own: Counts) -> _Sums:
    """Of two places' counts, without adding them up."""
    if not own.total:
        return _Sums(others.total, others.distinct)
    new = len(own.words) - np.count_nonzero(others.of(own.words))
    return _Sums(others.total + own.total, others.distinct + int(new))


@dataclass(frozen=True, slots=True)
class _Mix:
    """P(word | context) as a sum: ``sum(weight * count of the word) + unknown``.

    ``repository`` is what the context's lengths, from 0, are known by in the repository.
    """

    terms: list[tuple[Counts, float]]
    unknown: float
    repository: list[_Sums]


class NgramModel:
    """The repository's n-gram, mapped from disk; holds the last few open buffers."""

    def __init__(self, mapped: Mapped) -> None:
        self.mapped = mapped
        self._buffers: OrderedDict[str, _Buffer] = OrderedDict()

    @classmethod
    def open(cls, folder: Path, *, check_all: bool = False) -> NgramModel:
        """Map what `ngram_file.build` put into ``folder``; raises `BrokenNgramsError`."""
        return cls(open_mapped(folder, check_all=check_all))

    def with_buffer(self, path: str, text: bytes | None = None, cursor: int | None = None) -> View:
        """The model with ``text`` in the place of what the file at ``path`` held when it was built.

        Without a text, the file is taken as it was built. The identifier that touches byte
        ``cursor`` of the text is being typed: it is not counted. Calls for one path are cheap when
        the texts differ in a few lines.
        """
        buffer = self._buffers.pop(path, None)
        if buffer is None or len(buffer.new_words) > _NEW_WORDS_KEPT:
            buffer = _Buffer(self.mapped, path)
        self._buffers[path] = buffer
        if len(self._buffers) > _BUFFERS_KEPT:
            self._buffers.popitem(last=False)
        return buffer.view(text, cursor)


class _Buffer:
    """What stays the same while one file is edited, and its last text."""

    def __init__(self, mapped: Mapped, path: str) -> None:
        self.mapped = mapped
        self.syntax: Syntax = syntax_of(path)
        self.new_words: dict[bytes, int] = {}
        self._interner = Interner(self._number)
        self._lexed: Lexed | None = None
        self._last: tuple[tuple[int, ...], _Others] | None = None
        self._place(path_key(path))

    def _place(self, key: bytes) -> None:
        """Find the file's own lexemes as built, and those of the other files in its folder."""
        mapped, corpus = self.mapped, self.mapped.corpus
        index = bisect_left(mapped.paths, key)
        known = index < len(mapped.paths) and mapped.paths[index] == key
        start, end = mapped.file_starts[index], mapped.file_starts[index + known]
        folder = key[: key.index(b"\0") + 1]
        first = mapped.file_starts[bisect_left(mapped.paths, folder)]
        last = mapped.file_starts[bisect_left(mapped.paths, folder[:-1] + b"\1")]
        if last - first > FOLDER_LIMIT:
            first, last = start, end
        self.file_range, self.folder_range = (int(start), int(end)), (int(first), int(last))
        self.built = _Lexemes(corpus[start:end])
        self.folder = _Lexemes(np.concatenate((corpus[first:start], corpus[end:last])))
        words = np.flatnonzero(mapped.unigrams).astype(np.int32)
        counts = mapped.unigrams[words].astype(np.int64)
        everything = Counts(words, counts, int(counts.sum()))
        self.unigrams = (
            without(everything, counted(self.built.ids[self.built.ids > 0])),
            counted(self.folder.ids[self.folder.ids > 0]),
        )

    def _number(self, word: bytes) -> int:
        number = numbers_of(self.mapped, [word])[0]
        if number >= 0:
            return int(number)
        return self.new_words.setdefault(word, len(self.mapped.words) + len(self.new_words))

    def others(self, context: tuple[int, ...]) -> _Others:
        """What follows a context in the other files of the repository, and of the folder.

        The last answer is kept: while a name is typed, its context stays the same.
        """
        if self._last is None or self._last[0] != context:
            slices = _slices(self.mapped, context)
            heavy = sum(end - start > HEAVY for start, end in slices)
            repository, folder = self._by_tables(context, slices[:heavy])
            more, nearer = self._by_positions(slices[heavy:])
            every, near = self.unigrams
            self._last = context, _Others([every, *repository, *more], [near, *folder, *nearer])
        return self._last[1]

    def _by_tables(
        self, context: Sequence[int], slices: Sequence[tuple[int, int]]
    ) -> tuple[Column, Column]:
        """The counts after contexts that are frequent: those are written down."""
        reach = len(slices)
        repository = [
            without(_written(self.mapped, start, length), built)
            for length, ((start, _), built) in enumerate(
                zip(slices, self.built.following(context, reach), strict=True), 1
            )
        ]
        return repository, self.folder.following(context, reach)

    def _by_positions(self, slices: Sequence[tuple[int, int]]) -> tuple[Column, Column]:
        """The counts after contexts that are rare, from the places where they stand.

        Each slice lies within the one before it, so the places are read once.
        """
        if not slices:
            return [], []
        origin, end = slices[0]
        positions = self.mapped.order[origin:end].astype(np.int64)
        words = self.mapped.corpus[positions]
        other = ~_inside(positions, self.file_range)
        near = other & _inside(positions, self.folder_range)
        parts = [slice(start - origin, end - origin) for start, end in slices]
        return (
            [counted(words[part][other[part]]) for part in parts],
            [counted(words[part][near[part]]) for part in parts],
        )

    def view(self, text: bytes | None, cursor: int | None) -> View:
        if text is None:
            return View(self, None, self.built.ids)
        if self._lexed is None or self._lexed.text[1:] != text:
            self._lexed = relex(self._lexed, text, self.syntax, self._interner)
        ids = np.concatenate((np.zeros(REACH, np.int32), self._lexed.ids))
        if cursor is not None:
            before, touching, _ = locate(self._lexed, cursor, self.syntax)
            ids[REACH + before : REACH + before + touching] = -1
        return View(self, self._lexed, ids)


def numbers_of(mapped: Mapped, words: Sequence[bytes]) -> Ids:
    """The numbers of words in the mapped vocabulary, -1 for words that are not in it.

    The same names are asked for at every keystroke: their numbers are remembered.
    """
    known = mapped.numbers
    if len(known) > _NUMBERS_KEPT:
        known.clear()
    unknown = [word for word in dict.fromkeys(words) if word not in known]
    if unknown:
        known.update(zip(unknown, _found(mapped, unknown).tolist(), strict=True))
    return np.fromiter(map(known.__getitem__, words), np.int32, len(words))


def _found(mapped: Mapped, words: Sequence[bytes]) -> Ids:
    hashes = np.fromiter(map(zlib.crc32, words), np.uint32, len(words))
    numbers = np.full(len(words), -1, np.int32)
    at, end = np.searchsorted(mapped.hashes, hashes), len(mapped.hashes)
    unsure = np.flatnonzero(at < end)
    while len(unsure):  # once more for each further word with the same hash
        unsure = unsure[mapped.hashes[at[unsure]] == hashes[unsure]]
        found = mapped.hashed[at[unsure]]
        for index, number in zip(unsure.tolist(), found.tolist(), strict=True):
            if mapped.words[number] == words[index]:
                numbers[index] = number
        at += 1
        unsure = unsure[(numbers[unsure] < 0) & (at[unsure] < end)]
    return numbers


class View:
    """A model with one file open in it. Immutable: another text is another view."""

    def __init__(self, buffer: _Buffer, lexed: Lexed | None, ids: Ids) -> None:
        self._buffer = buffer
        self._mapped = buffer.mapped
        self._lexed = lexed
        self._ids = ids
        self._word_count = len(self._mapped.words) + len(buffer.new_words)
        self._last: tuple[tuple[int, ...], _Mix] | None = None

    @property
    def mapped(self) -> Mapped:
        """The repository's lexemes as built."""
        return self._mapped

    def context(self, offset: int) -> tuple[list[bytes], bytes]:
        """The words before byte ``offset`` of the open text, at least `REACH` of them where there
        are as many, and the half-typed identifier that ends there. See `lexemes.context`.
        """
        if self._lexed is None:
            raise ValueError("a view without a text has no positions")
        return context_at(self._lexed, offset, self._buffer.syntax, REACH)

    def score(self, context: Sequence[bytes], names: Sequence[bytes]) -> list[float]:
        """P(name | context) for each name; a word that occurs nowhere has the unknown word's."""
        numbers, mix = self._numbers(names), self._mix(context)
        scores = np.zeros(len(names))
        for counts, weight in mix.terms:
            scores += weight * counts.of(numbers)
        told: list[float] = (scores + mix.unknown).tolist()
        return told

    def predict(
        self, context: Sequence[bytes], typed: bytes = b"", limit: int = 32
    ) -> list[tuple[bytes, float]]:
        """The likeliest next words that start with ``typed``, best first, with P(word | context).

        The probabilities are those of `score`, not renormalised. Only text is predicted: the
        placeholders keep their part for themselves.
        """
        mix = self._mix(context)
        first, last, new = self._starting_with(typed)
        scores = np.zeros(last - first + len(new))
        for counts, weight in mix.terms:
            words, found = counts.within(first, last)
            scores[words - first] += weight * found
            if len(new):
                scores[last - first :] += weight * counts.of(new)
        for number in self._numbers(_PLACEHOLDERS).tolist():
            if first <= number < last:
                scores[number - first] = 0.0
            scores[last - first :][new == number] = 0.0
        best = ((at, float(scores[at] + mix.unknown)) for at in _best(scores, limit))
        known = last - first
        return [
            (self._word(first + at if at < known else int(new[at - known])), p) for at, p in best
        ]

    def evidence(self, context: Sequence[bytes]) -> Evidence:
        """How well the context is known in the repository."""
        sums = self._mix(context).repository
        order = max(k for k, each in enumerate(sums) if each.distinct or k == 0)
        return Evidence(order, sums[order].total, sums[order].distinct)

    def _mix(self, context: Sequence[bytes]) -> _Mix:
        """The last answer is kept: names are proposed, then scored, after the same words."""
        words = [BOUNDARY] * REACH + list(context[-REACH:])
        ids = tuple(self._numbers(words[-REACH:])[::-1].tolist())
        if self._last is None or self._last[0] != ids:
            file = [self._unigrams, *self._lexemes.following(ids)]
            self._last = ids, _mixed(self._buffer.others(ids), file)
        return self._last[1]

    @cached_property
    def _unigrams(self) -> Counts:
        return counted(self._ids[self._ids > 0])

    @cached_property
    def _lexemes(self) -> _Lexemes:
        return _Lexemes(self._ids)

    def _numbers(self, words: Sequence[bytes]) -> Ids:
        numbers = numbers_of(self._mapped, words)
        for index in np.flatnonzero(numbers < 0):
            number = self._buffer.new_words.get(words[int(index)], -1)
            numbers[index] = number if number < self._word_count else -1
        return numbers

    def _word(self, number: int) -> bytes:
        known = len(self._mapped.words)
        return (
            self._mapped.words[number] if number < known else self._new_words()[number - known][0]
        )

    def _new_words(self) -> list[tuple[bytes, int]]:
        """Words of this text or an earlier one that the mapped vocabulary lacks."""
        count = self._word_count - len(self._mapped.words)
        return list(islice(self._buffer.new_words.items(), count))

    def _starting_with(self, typed: bytes) -> tuple[int, int, Ids]:
        """The range of the mapped words that start with ``typed``, and the new ones that do."""
        words = self._mapped.words
        first = max(1, bisect_left(words, typed))
        last = bisect_left(words, typed + b"\xff") if typed else len(words)  # no UTF-8 has 0xff
        new = [n for word, n in self._new_words() if word.startswith(typed)]
        return first, max(first, last), np.array(new, np.int32)


def _mixed(others: _Others, file: Column) -> _Mix:
    """Mix what is known of a context at each level.

    Each level is interpolated over the context's lengths (Witten-Bell), then the levels are
    mixed, each by 2 to the longest length that it knows (Hellendoorn & Devanbu 2017).
    What is left is spread evenly over all words and one unknown word. The file is a part of all
    three levels: its counts have the sum of their weights.
    """
    levels = [
        [_together(theirs, own) for theirs, own in zip(others.repository, file, strict=True)],
        [_together(theirs, own) for theirs, own in zip(others.folder, file, strict=True)],
        [_Sums(own.total, own.distinct) for own in file],
    ]
    confidences = [_confidence(level) for level in levels]
    everything = sum(confidences) or 1
    left = 0.0 if any(confidences) else 1.0
    weights = np.zeros((len(levels), REACH + 1))
    for row, (level, confidence) in enumerate(zip(levels, confidences, strict=True)):
        weights[row], rest = _interpolated(level, confidence / everything)
        left += rest
    weights[2] = weights.sum(axis=0)
    columns = zip((others.repository, others.folder, file), weights.tolist(), strict=True)
    terms = [
        (counts, weight)
        for column, its in columns
        for counts, weight in zip(column, its, strict=True)
        if counts.total
    ]
    return _Mix(terms, left / (levels[0][0].distinct + 1), levels[0])


def _interpolated(level: Sequence[_Sums], share: float) -> tuple[list[float], float]:
    """What each count weighs, by the context's length, and what is left of the level's share."""
    weights = [0.0] * len(level)
    for length in range(len(level) - 1, -1, -1):
        taken = _trust(level[length])
        if taken:
            weights[length] = share * taken / level[length].total
            share *= 1 - taken
    return weights, share


def _trust(sums: _Sums) -> float:
    """Witten-Bell's weight of a context, with new words twice as likely as in their estimate."""
    return sums.total / (sums.total + 2 * sums.distinct) if sums.total else 0.0


def _confidence(level: Sequence[_Sums]) -> int:
    return max((2**length for length, sums in enumerate(level) if sums.distinct), default=0)


def _best(scores: Floats, limit: int) -> list[int]:
    """Where the highest scores above 0 stand, best first, then by place."""
    places = np.flatnonzero(scores > 0)
    if len(places) > limit:
        worst = np.partition(scores[places], len(places) - limit)[len(places) - limit]
        places = places[scores[places] >= worst]
    by_score = np.lexsort((places, -scores[places]))
    return [int(place) for place in places[by_score[:limit]]]


def _inside(positions: Wide, limits: tuple[int, int]) -> NDArray[np.bool_]:
    return (positions >= limits[0]) & (positions < limits[1])


def _slices(mapped: Mapped, context: Sequence[int]) -> list[tuple[int, int]]:
    """Where in ``order`` the last 1 … `REACH` words of a context stand, the nearest first."""
    known = 0 <= context[0] < len(mapped.words)
    start, end = mapped.heads[context[0] : context[0] + 2].tolist() if known else (0, 0)
    found = [(start, end)]
    for back in range(2, len(context) + 1):
        start, end = _narrowed(mapped, start, end, back, context[back - 1])
        found.append((start, end))
    return found


def _narrowed(mapped: Mapped, start: int, end: int, back: int, word: int) -> tuple[int, int]:
    def before(index: int) -> int:
        return int(mapped.corpus[int(mapped.order[index]) - back])

    places = range(len(mapped.order))
    first = bisect_left(places, word, start, end, key=before)
    return first, bisect_right(places, word, first, end, key=before)


def _written(mapped: Mapped, start: int, length: int) -> Counts:
    """The counts of a context that occurs more than `HEAVY` times."""
    at = int(np.searchsorted(mapped.heavy, heavy_key(start, length)))
    first, last = mapped.heavy_starts[at : at + 2].tolist()
    counts = mapped.heavy_counts[first:last].astype(np.int64)
    return Counts(mapped.heavy_words[first:last], counts, int(counts.sum()))
