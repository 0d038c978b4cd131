"""A vocabulary sorted by its bytes: the tokens that start alike are a range."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]


class Range(NamedTuple):
    """The places ``low`` to ``high`` in the order; their tokens share the first ``depth`` bytes."""

    low: int
    high: int
    depth: int


class ByteOrder:
    """Tokens by their bytes. ``ids`` are (N,) in that order, ``table`` are their bytes.

    Tokens without bytes are left out; tokens of the same bytes stand side by side.
    """

    def __init__(self, token_bytes: Sequence[bytes], tokens: Iterable[int]) -> None:
        pairs = sorted((token_bytes[token], token) for token in tokens if token_bytes[token])
        self.table = [data for data, _ in pairs]
        self.ids: Ids = np.array([token for _, token in pairs], dtype=np.int64)
        self._joined = np.frombuffer(b"".join(self.table), dtype=np.uint8)
        lengths = np.array([0, *map(len, self.table)], dtype=np.int64)
        self._begins = np.cumsum(lengths)[:-1]
        self._lengths = lengths[1:]

    @property
    def everything(self) -> Range:
        """All tokens."""
        return Range(0, len(self.table), 0)

    def narrowed(self, among: Range, data: bytes) -> Range:
        """Those of a range that go on with ``data`` behind their shared bytes."""
        low, high, depth = among
        end = depth + len(data)
        low = bisect_left(self.table, data, low, high, key=lambda one: one[depth:])
        high = bisect_right(self.table, data, low, high, key=lambda one: one[depth:end])
        return Range(low, high, end)

    def complete(self, among: Range) -> Range:
        """Those that are nothing but the shared bytes; they come first."""
        high = among.low
        while high < among.high and self._lengths[high] == among.depth:
            high += 1
        return Range(among.low, high, among.depth)

    def longer(self, among: Range) -> Range:
        """Those that have more than the shared bytes."""
        return Range(self.complete(among).high, among.high, among.depth)

    def neighbours(self) -> tuple[Ids, Ids]:
        """All bytes that have another behind them in some token, and what they have."""
        inside = np.ones(len(self._joined), dtype=np.bool_)
        inside[self._begins + self._lengths - 1] = False
        left = np.flatnonzero(inside)
        return self._joined[left].astype(np.int64), self._joined[left + 1].astype(np.int64)

    def next_bytes(self, among: Range, weights: Floats) -> Floats:
        """(256,) the sums of ``weights``, (N,) in this order, by the byte behind the shared ones.

        All tokens of the range must have one.
        """
        places = self._begins[among.low : among.high] + among.depth
        shares = weights[among.low : among.high]
        return np.bincount(self._joined[places], weights=shares, minlength=256).astype(np.float64)
