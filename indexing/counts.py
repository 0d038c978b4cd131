"""Words counted: how often each of some lexemes occurs, by its number in the vocabulary."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexing.lexemes import Ids

Wide = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Counts:
    """Word numbers, sorted, and how often each occurs: both (n,); ``total`` is their sum."""

    words: Ids
    counts: Wide
    total: int

    @property
    def distinct(self) -> int:
        return len(self.words)

    def of(self, numbers: Ids) -> Wide:
        """The counts of some words; 0 for those that do not occur."""
        if not len(self.words):
            return np.zeros(len(numbers), np.int64)
        at = np.minimum(self.words.searchsorted(numbers), len(self.words) - 1)
        found: Wide = self.counts[at] * (self.words[at] == numbers)
        return found

    def within(self, first: int, last: int) -> tuple[Ids, Wide]:
        """The words from number ``first`` to before ``last``, and their counts."""
        start, end = self.words.searchsorted((first, last))
        return self.words[start:end], self.counts[start:end]


NOTHING = Counts(np.empty(0, np.int32), np.empty(0, np.int64), 0)


def counted(words: Ids) -> Counts:
    """``np.unique`` with the counts, without its overhead: most slices hold a few words."""
    if not len(words):
        return NOTHING
    words = np.sort(words)
    changes = np.empty(len(words) + 1, np.bool_)
    changes[0] = changes[-1] = True
    np.not_equal(words[1:], words[:-1], out=changes[1:-1])
    bounds = changes.nonzero()[0]
    return Counts(words[bounds[:-1]], bounds[1:] - bounds[:-1], len(words))


def without(all_: Counts, some: Counts) -> Counts:
    """``all_ - some``, of which ``some`` is a part; words that no longer occur are left out."""
    if not some.distinct:
        return all_
    counts = all_.counts.copy()
    counts[all_.words.searchsorted(some.words)] -= some.counts
    left = counts > 0
    return Counts(all_.words[left], counts[left], all_.total - some.total)
