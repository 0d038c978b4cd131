"""Which names stand near each other: what follows a word within a few lines, repository-wide.

An n-gram sees the five lexemes before the cursor. That ``connect`` was called three lines above
says as much about ``execute`` here: the mapped n-gram file knows where every word stands, and a
sample of those places shows what comes after it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from indexing.counts import Counts, counted
from indexing.ngram_file import Mapped
from indexing.ngrams import numbers_of

WINDOW = 48
"""Lexemes looked at behind each place: about five lines."""

PLACES = 192
"""How many places of a word are looked at, spread evenly over the repository."""

WORDS_KEPT = 256
"""Of how many words it is remembered what stands behind them."""

Floats = NDArray[np.float64]


def together(mapped: Mapped, words: Sequence[bytes], names: Sequence[bytes]) -> Floats:
    """How much more often each name follows each word than it would by chance.

    Returns ``(len(words), len(names))``: the natural logarithm of (windows behind the word that
    hold the name + 1/2) over (the same by the name's share of the repository + 1/2), so 0 where
    nothing is known. As built: what was typed since is not counted.
    """
    lift = np.zeros((len(words), len(names)))
    wanted = numbers_of(mapped, names)
    known = np.flatnonzero(wanted > 0)
    if not len(known):
        return lift
    numbers = wanted[known]
    chance = np.minimum(mapped.unigrams[numbers] * (WINDOW / len(mapped.corpus)), 1.0)
    for row, word in enumerate(numbers_of(mapped, words).tolist()):
        places, near = _near(mapped, word)
        if places:
            lift[row, known] = np.log((near.of(numbers) + 0.5) / (places * chance + 0.5))
    return lift


def _near(mapped: Mapped, word: int) -> tuple[int, Counts]:
    """How many windows behind a word there are, and in how many of them each other word occurs.

    Remembered: what is called above stays the same while a line is typed.
    """
    if word not in mapped.near:
        if len(mapped.near) >= WORDS_KEPT:
            mapped.near.clear()
        windows = np.sort(_windows(mapped, word), axis=1)
        new = np.ones(windows.shape, np.bool_)
        new[:, 1:] = windows[:, 1:] != windows[:, :-1]
        mapped.near[word] = len(windows), counted(windows[new])
    return mapped.near[word]


def _windows(mapped: Mapped, word: int) -> NDArray[np.int32]:
    """The lexemes behind a sample of the places of a word: (places, `WINDOW`)."""
    if word <= 0:
        return np.empty((0, WINDOW), np.int32)
    start, end = int(mapped.heads[word]), int(mapped.heads[word + 1])
    step = max(1, -(-(end - start) // PLACES))
    places = mapped.order[start:end:step].astype(np.int64)
    places = places[places + WINDOW <= len(mapped.corpus)]
    windows: NDArray[np.int32] = mapped.corpus[places[:, None] + np.arange(WINDOW)]
    return windows
