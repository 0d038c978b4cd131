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

_BUFFERS_KEPT = 16
_NEW_WORDS_KEPT = 4096
_PLACEHOLDERS = (NUMBER, STRING)

Floats = NDArray[np.float64]
Wide = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """How well a context is known: its longest known end, ``order`` lexemes, was seen ``count``
    times in the repository, before ``distinct`` different lexemes. All 0 where nothing is known.
    """

    order: int
    count: int
    distinct: int


@dataclass(frozen=True, slots=True)
class Counts:
    """What follows a context at one level: word numbers, sorted, and how often; both (n,)."""

    words: Ids
    counts: Wide

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    @property
    def distinct(self) -> int:
        return len(self.words)

    def of(self, numbers: Ids) -> Wide:
        """The counts of some words; 0 for those that do not occur."""
        if not len(self.words):
            return np.zeros(len(numbers), np.int64)
        at = np.minimum(np.searchsorted(self.words, numbers), len(self.words) - 1)
        return np.where(self.words[at] == numbers, self.counts[at], 0)


Column = list[Counts]
"""One level's counts by length of context."""


def _counted(words: Ids) -> Counts:
    return Counts(*np.unique(words, return_counts=True))


def _sum(one: Counts, other: Counts, sign: int = 1) -> Counts:
    """``one + sign * other``; words that no longer occur are left out."""
    if not one.distinct or not other.distinct:
        return one if one.distinct else Counts(other.words, sign * other.counts)
    at = np.searchsorted(one.words, other.words)
    known = one.words[np.minimum(at, len(one.words) - 1)] == other.words
    words, counts = one.words, one.counts.copy()
    counts[at[known]] += sign * other.counts[known]
    if not known.all():
        words = np.insert(words, at[~known], other.words[~known])
        counts = np.insert(counts, at[~known], sign * other.counts[~known])
    some = counts != 0
    return Counts(words, counts) if some.all() else Counts(words[some], counts[some])


def _added(one: Column, other: Column, sign: int = 1) -> Column:
    return [_sum(mine, its, sign) for mine, its in zip(one, other, strict=True)]


def _following(ids: Ids, context: Sequence[int]) -> list[Counts]:
    """What follows the last 1 … `REACH` words of a context (nearest first) in some lexemes.

    ``ids`` begins with `REACH` boundaries; numbers below 1 are not counted.
    """
    hits = np.flatnonzero(ids[REACH - 1 : -1] == context[0]) + REACH
    hits = hits[ids[hits] > 0]
    found = [_counted(ids[hits])]
    for back in range(2, REACH + 1):
        hits = hits[ids[hits - back] == context[back - 1]]
        found.append(_counted(ids[hits]))
    return found


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
        self._last: tuple[tuple[int, ...], Column, Column] | None = None
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
        self.built = corpus[start:end]
        self.folder: Ids = np.empty(0, np.int32)
        if last - first <= FOLDER_LIMIT:
            self.folder = np.concatenate((corpus[first:start], corpus[end:last]))
        self.folder_unigrams = _counted(self.folder[self.folder > 0])
        words = np.flatnonzero(mapped.unigrams).astype(np.int32)
        everything = Counts(words, mapped.unigrams[words].astype(np.int64))
        self.other_unigrams = _sum(everything, _counted(self.built[self.built > 0]), -1)

    def _number(self, word: bytes) -> int:
        number = numbers_of(self.mapped, [word])[0]
        if number >= 0:
            return int(number)
        return self.new_words.setdefault(word, len(self.mapped.words) + len(self.new_words))

    def others(self, context: tuple[int, ...]) -> tuple[Column, Column]:
        """What follows a context in the other files of the repository, and of the folder.

        The last answer is kept: while a name is typed, its context stays the same.
        """
        if self._last is None or self._last[0] != context:
            built = _following(self.built, context)
            repository = _added(_mapped_following(self.mapped, context), built, -1)
            self._last = (context, repository, _following(self.folder, context))
        return self._last[1:]

    def view(self, text: bytes | None, cursor: int | None) -> View:
        if text is None:
            return View(self, None, self.built)
        if self._lexed is None or self._lexed.text[1:] != text:
            self._lexed = relex(self._lexed, text, self.syntax, self._interner)
        ids = np.concatenate((np.zeros(REACH, np.int32), self._lexed.ids))
        if cursor is not None:
            before, touching, _ = locate(self._lexed, cursor, self.syntax)
            ids[REACH + before : REACH + before + touching] = -1
        return View(self, self._lexed, ids)


def numbers_of(mapped: Mapped, words: Sequence[bytes]) -> Ids:
    """The numbers of words in the mapped vocabulary, -1 for words that are not in it."""
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
        self._last: tuple[tuple[int, ...], list[Column]] | None = None

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
        numbers = self._numbers(names)
        terms, unknown = self._terms(context)
        scores = np.full(len(names), unknown)
        for counts, weight in terms:
            scores += weight * counts.of(numbers)
        return [float(score) for score in scores]

    def predict(
        self, context: Sequence[bytes], typed: bytes = b"", limit: int = 32
    ) -> list[tuple[bytes, float]]:
        """The likeliest next words that start with ``typed``, best first, with P(word | context).

        The probabilities are those of `score`, not renormalised. Only text is predicted: the
        placeholders keep their part for themselves.
        """
        terms, unknown = self._terms(context)
        scores = np.zeros(self._word_count + 1)  # the last place takes what -1 stands for
        for counts, weight in terms:
            scores[counts.words] += weight * counts.counts
        scores[self._numbers(_PLACEHOLDERS)] = 0.0
        candidates = self._starting_with(typed)
        return [
            (self._word(number), float(scores[number] + unknown))
            for number in _best(candidates[scores[candidates] > 0], scores, limit)
        ]

    def evidence(self, context: Sequence[bytes]) -> Evidence:
        """How well the context is known in the repository."""
        repository = self._tables(context)[0]
        order = max(k for k, counts in enumerate(repository) if counts.distinct or k == 0)
        return Evidence(order, repository[order].total, repository[order].distinct)

    def _terms(self, context: Sequence[bytes]) -> tuple[list[tuple[Counts, float]], float]:
        """P as a sum: ``sum(weight * count) + unknown``.

        Each level is interpolated over the context's lengths (Witten-Bell), then the levels are
        mixed, each by 2 to the longest length that it knows (Hellendoorn & Devanbu 2017).
        What is left is spread evenly over all words and one unknown word.
        """
        columns = self._tables(context)
        confidences = [_confidence(column) for column in columns]
        everything = sum(confidences) or 1
        terms: list[tuple[Counts, float]] = []
        left = 0.0 if any(confidences) else 1.0
        for column, confidence in zip(columns, confidences, strict=True):
            share = confidence / everything
            for counts in reversed(column):
                taken = _trust(counts)
                if taken:
                    terms.append((counts, share * taken / counts.total))
                    share *= 1 - taken
            left += share
        return terms, left / (columns[0][0].distinct + 1)

    @cached_property
    def _unigrams(self) -> tuple[Counts, Counts, Counts]:
        file = _counted(self._ids[self._ids > 0])
        buffer = self._buffer
        return _sum(buffer.other_unigrams, file), _sum(buffer.folder_unigrams, file), file

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

    def _starting_with(self, typed: bytes) -> Wide:
        words = self._mapped.words
        first = max(1, bisect_left(words, typed))
        last = bisect_left(words, typed + b"\xff") if typed else len(words)  # no UTF-8 has 0xff
        new = [n for word, n in self._new_words() if word.startswith(typed)]
        return np.concatenate((np.arange(first, last), np.array(new, np.int64)))

    def _tables(self, context: Sequence[bytes]) -> list[Column]:
        """Counts by level, repository to file, and by length of context, 0 to `REACH`."""
        words = [BOUNDARY] * REACH + list(context[-REACH:])
        ids = tuple(self._numbers(words[-REACH:])[::-1].tolist())
        if self._last is None or self._last[0] != ids:
            nested = self._nested(ids)
            columns = zip(self._unigrams, nested, strict=True)
            self._last = (ids, [[unigrams, *column] for unigrams, column in columns])
        return self._last[1]

    def _nested(self, context: tuple[int, ...]) -> tuple[Column, Column, Column]:
        file = _following(self._ids, context)
        repository, folder = self._buffer.others(context)
        return _added(repository, file), _added(folder, file), file


def _trust(counts: Counts) -> float:
    """Witten-Bell's weight of a context, with new words twice as likely as in their estimate."""
    total = counts.total
    return total / (total + 2 * counts.distinct) if total else 0.0


def _confidence(column: Column) -> int:
    return max((2**length for length, counts in enumerate(column) if counts.distinct), default=0)


def _best(candidates: Wide, scores: Floats, limit: int) -> list[int]:
    """The candidates with the highest scores, best first, then by number."""
    if len(candidates) > limit:
        worst = np.partition(scores[candidates], len(candidates) - limit)[len(candidates) - limit]
        candidates = candidates[scores[candidates] >= worst]
    by_score = np.lexsort((candidates, -scores[candidates]))
    return [int(number) for number in candidates[by_score[:limit]]]


def _mapped_following(mapped: Mapped, context: Sequence[int]) -> list[Counts]:
    start = end = 0
    found: list[Counts] = []
    for length, word in enumerate(context, 1):
        if length == 1:
            known = 0 <= word < len(mapped.words)
            start, end = (int(n) for n in mapped.heads[word : word + 2]) if known else (0, 0)
        else:
            start, end = _narrowed(mapped, start, end, length, word)
        found.append(_slice_counted(mapped, start, end, length))
    return found


def _narrowed(mapped: Mapped, start: int, end: int, back: int, word: int) -> tuple[int, int]:
    def before(index: int) -> int:
        return int(mapped.corpus[int(mapped.order[index]) - back])

    places = range(len(mapped.order))
    first = bisect_left(places, word, start, end, key=before)
    return first, bisect_right(places, word, first, end, key=before)


def _slice_counted(mapped: Mapped, start: int, end: int, length: int) -> Counts:
    if end - start <= HEAVY:
        return _counted(mapped.corpus[mapped.order[start:end]])
    at = int(np.searchsorted(mapped.heavy, heavy_key(start, length)))
    first, last = mapped.heavy_starts[at : at + 2]
    return Counts(mapped.heavy_words[first:last], mapped.heavy_counts[first:last].astype(np.int64))
