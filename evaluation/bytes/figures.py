"""Means of values that come in groups, as cuts come in files: groups are what is drawn again."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from evaluation.statistics import Mean, ratio


def by_group(values: Iterable[tuple[Hashable, float]]) -> Mean:
    """The mean of (group, value) with a bootstrap interval over groups; ``total`` counts them."""
    sums: dict[Hashable, float] = {}
    counts: dict[Hashable, int] = {}
    for group, value in values:
        sums[group] = sums.get(group, 0.0) + value
        counts[group] = counts.get(group, 0) + 1
    return ratio(list(sums.values()), [float(count) for count in counts.values()])


def share(mean: Mean) -> str:
    """A share in percent with its interval."""
    return f"{mean.value:.1%} [{100 * mean.low:.0f}, {100 * mean.high:.0f}]"


def signed(mean: Mean, scale: float, digits: int) -> str:
    """A difference with its interval, times ``scale``."""
    value, low, high = (scale * each for each in (mean.value, mean.low, mean.high))
    return f"{value:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}]"
