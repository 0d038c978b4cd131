"""Rates, means, spreads and rankings against values worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.statistics import mean, ranking, rate, ratio, spread


def test_wilson_interval_of_a_published_example() -> None:
    # Newcombe (1998), Statistics in Medicine 17, table I: 81 of 263 and 0 of 20, Wilson score.
    share = rate(81, 263)
    assert (share.value, share.low, share.high) == pytest.approx((0.3080, 0.2553, 0.3662), abs=5e-5)
    none = rate(0, 20)
    assert (none.low, none.high) == pytest.approx((0.0, 0.1611), abs=5e-5)


@given(total=st.integers(1, 1000), data=st.data())
def test_a_rate_lies_in_its_interval(total: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, total))
    share = rate(hits, total)
    assert 0 <= share.low <= share.value <= share.high <= 1


def test_nothing_observed_says_nothing() -> None:
    assert (rate(0, 0).low, rate(0, 0).high) == (0.0, 1.0)
    assert mean([]).total == 0
    assert math.isnan(spread([]).p95)


def test_ranking_by_hand() -> None:
    got = ranking([1, 2, None, 5, 10])
    assert (got.top1.hits, got.top5.hits, got.found.hits) == (1, 3, 4)
    assert got.mrr.value == pytest.approx((1 + 1 / 2 + 0 + 1 / 5 + 1 / 10) / 5)
    assert got.mrr.low < got.mrr.value < got.mrr.high


def test_bootstrap_of_a_constant_has_no_width() -> None:
    got = mean([0.25] * 9)
    assert (got.low, got.value, got.high) == (0.25, 0.25, 0.25)


def test_spread_by_hand() -> None:
    got = spread([4.0, 1.0, 3.0, 2.0])
    assert (got.n, got.minimum, got.p50, got.maximum) == (4, 1.0, 2.5, 4.0)
    assert got.p95 == pytest.approx(3.85)


def test_a_ratio_of_sums_is_not_the_mean_of_ratios() -> None:
    got = ratio([1, 0, 9], [2, 8, 10])
    assert got.value == pytest.approx(10 / 20)
    assert got.low <= got.value <= got.high
    assert ratio([], []).value == 0.0
    constant = ratio([1, 2, 3], [4, 8, 12])
    assert (constant.low, constant.high) == (pytest.approx(0.25), pytest.approx(0.25))
