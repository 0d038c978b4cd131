"""Few numbers, each with its spread: hit rates, ranks, percentiles."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Z95 = 1.959964
"""Standard normal quantile of a two-sided 95 % interval."""


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its 95 % Wilson interval; all of ``value``, ``low`` and ``high`` in [0, 1]."""

    hits: int
    total: int
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.1%} [{100 * self.low:.0f}, {100 * self.high:.0f}]"


def rate(hits: int, total: int) -> Rate:
    """Return ``hits / total`` with its Wilson score interval; nothing observed gives [0, 1]."""
    if total == 0:
        return Rate(0, 0, 0.0, 0.0, 1.0)
    share, z2 = hits / total, Z95 * Z95
    centre = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z95 * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    half /= 1 + z2 / total
    # Rounding must not put the share itself outside.
    low, high = min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))
    return Rate(hits, total, share, low, high)


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean with its 95 % percentile-bootstrap interval."""

    total: int
    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.2f}, {self.high:.2f}]"


def mean(values: Sequence[float], seed: int = 0, resamples: int = 2000) -> Mean:
    """Return the mean of ``values`` with a bootstrap interval over items."""
    if not values:
        return Mean(0, 0.0, 0.0, 0.0)
    data = np.asarray(values, dtype=np.float64)
    picks = np.random.default_rng(seed).integers(0, len(data), (resamples, len(data)))
    low, high = np.quantile(data[picks].mean(axis=1), [0.025, 0.975])
    return Mean(len(data), float(data.mean()), float(low), float(high))


def ratio(
    parts: Sequence[float], wholes: Sequence[float], seed: int = 0, resamples: int = 2000
) -> Mean:
    """Return the sum of ``parts`` by that of ``wholes`` with a bootstrap interval over items.

    Every whole is positive.
    """
    if not wholes:
        return Mean(0, 0.0, 0.0, 0.0)
    above, below = np.asarray(parts, np.float64), np.asarray(wholes, np.float64)
    picks = np.random.default_rng(seed).integers(0, len(below), (resamples, len(below)))
    drawn = above[picks].sum(axis=1) / below[picks].sum(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Mean(len(below), float(above.sum() / below.sum()), float(low), float(high))


@dataclass(frozen=True, slots=True)
class Spread:
    """How a quantity is distributed over ``n`` measurements, in the unit that they came in."""

    n: int
    minimum: float
    p50: float
    p95: float
    maximum: float


def spread(values: Sequence[float]) -> Spread:
    """Return the quantiles of ``values`` (linear interpolation); NaN where nothing was measured."""
    if not values:
        return Spread(0, math.nan, math.nan, math.nan, math.nan)
    quantiles = np.quantile(np.asarray(values, dtype=np.float64), [0.0, 0.5, 0.95, 1.0])
    return Spread(len(values), *(float(value) for value in quantiles))


@dataclass(frozen=True, slots=True)
class Ranking:
    """How well the right answers were ranked; one that was not offered has reciprocal rank 0."""

    top1: Rate
    top5: Rate
    found: Rate
    mrr: Mean


def ranking(ranks: Sequence[int | None]) -> Ranking:
    """Summarise 1-based ``ranks`` of the right answers; None is a miss (absent, empty or late)."""

    def within(limit: float) -> Rate:
        return rate(sum(rank is not None and rank <= limit for rank in ranks), len(ranks))

    reciprocal = [0.0 if rank is None else 1.0 / rank for rank in ranks]
    return Ranking(within(1), within(5), within(math.inf), mean(reciprocal))
