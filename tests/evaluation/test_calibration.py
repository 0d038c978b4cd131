"""Calibration's arithmetic against slow twins, and fits against what they must fulfil."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.calibration import (
    Floats,
    bins,
    brier,
    calibration_error,
    discrimination,
    fit_logistic,
    fit_monotone,
    folds,
    least_error,
)

items = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 1)), max_size=60)
Items = list[tuple[float, int]]


def arrays(pairs: Items) -> tuple[Floats, Floats]:
    said = np.array([one for one, _ in pairs], np.float64)
    return said, np.array([one for _, one in pairs], np.float64)


def slow_error(pairs: Items, count: int) -> float:
    """The calibration error with lists: the first bins get one item more where it does not fit."""
    ordered = sorted(pairs, key=lambda pair: pair[0])
    size, more = divmod(len(ordered), count)
    total, at = 0.0, 0
    for number in range(count):
        part = ordered[at : at + size + (number < more)]
        at += len(part)
        total += abs(sum(said for said, _ in part) - sum(right for _, right in part))
    return total / max(len(pairs), 1)


@given(items, st.integers(1, 20))
def test_the_calibration_error(pairs: Items, count: int) -> None:
    assert calibration_error(*arrays(pairs), count) == pytest.approx(slow_error(pairs, count))


def test_the_calibration_error_by_hand() -> None:
    pairs = [(0.1, 0), (0.3, 1), (0.8, 1), (0.9, 1)]
    assert calibration_error(*arrays(pairs), 2) == pytest.approx((0.6 + 0.3) / 4)
    assert [each.count for each in bins(*arrays(pairs), 3)] == [2, 1, 1]


@given(items)
def test_brier(pairs: Items) -> None:
    slow = sum((said - right) ** 2 for said, right in pairs) / max(len(pairs), 1)
    assert brier(*arrays(pairs)) == pytest.approx(slow)


@given(items)
def test_discrimination(pairs: Items) -> None:
    good = [said for said, right in pairs if right]
    wrong = [said for said, right in pairs if not right]
    wins = sum((one > other) + (one == other) / 2 for one in good for other in wrong)
    slow = wins / (len(good) * len(wrong)) if good and wrong else 0.5
    assert discrimination(*arrays(pairs)) == pytest.approx(slow)


def slow_isotonic(values: list[float], weights: list[float]) -> list[float]:
    """The min-max formula of isotonic regression (Barlow et al., 1972)."""

    def mean(begin: int, end: int) -> float:
        part = range(begin, end + 1)
        return sum(weights[i] * values[i] for i in part) / sum(weights[i] for i in part)

    last = len(values)
    return [
        max(min(mean(begin, end) for end in range(at, last)) for begin in range(at + 1))
        for at in range(last)
    ]


@settings(deadline=None)
@given(items.filter(len), st.integers(1, 7))
def test_the_monotone_map(pairs: Items, least: int) -> None:
    said, right = arrays(pairs)
    knots = fit_monotone(said, right, least)
    order = np.argsort(said, kind="stable")
    parts = np.array_split(order, max(1, len(order) // least))
    shares = [(float(right[part].sum()) + 1) / (len(part) + 2) for part in parts]
    slow = slow_isotonic(shares, [float(len(part)) for part in parts])
    for left, following in pairwise(knots):
        assert left[0] < following[0]
        assert left[1] <= following[1] + 1e-12
    heights = {round(height, 9) for _, height in knots}
    assert heights <= {round(value, 9) for value in slow}
    middles = [float(said[part].mean()) for part in parts]
    if len(set(middles)) == len(middles):  # else knots at one place are one
        assert heights == {round(value, 9) for value in slow}


def loss(bias: float, weights: Floats, matrix: Floats, right: Floats, ridge: float) -> float:
    """The penalised log loss, item by item."""
    total = 0.0
    for row, outcome in zip(matrix, right, strict=True):
        p = 1 / (1 + math.exp(-(bias + float(row @ weights))))
        total -= math.log(p if outcome else 1 - p)
    return total + ridge / 2 * float(((weights * matrix.std(axis=0)) ** 2).sum())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3), st.sampled_from([0.3, 1.0, 5.0]))
def test_no_step_from_the_logistic_fit_is_better(seed: int, signs: int, ridge: float) -> None:
    drawn = np.random.default_rng(seed)
    matrix = drawn.normal(size=(30, signs)) * 3 + 1
    right = (drawn.random(30) < 0.5).astype(np.float64)
    bias, weights = fit_logistic(matrix, right, ridge)
    best = loss(bias, weights, matrix, right, ridge)
    for _ in range(20):
        step = drawn.normal(size=signs + 1) * 0.05
        other = loss(bias + step[0], weights + step[1:], matrix, right, ridge)
        assert other >= best - 1e-4


def test_platts_calibration_finds_the_curve_that_made_the_outcomes() -> None:
    drawn = np.random.default_rng(1)
    score = drawn.normal(size=(4000, 1)) * 2
    right = (drawn.random(4000) < 1 / (1 + np.exp(-(0.5 + 1.5 * score[:, 0])))).astype(np.float64)
    bias, weights = fit_logistic(score, right)
    assert (bias, weights[0]) == (pytest.approx(0.5, abs=0.15), pytest.approx(1.5, abs=0.2))
    said = 1 / (1 + np.exp(-(bias + score[:, 0] * weights[0])))
    assert calibration_error(said, right) < 0.05


def test_a_column_without_variation_gets_no_weight() -> None:
    matrix = np.array([[1.0, 7.0], [2.0, 7.0], [3.0, 7.0], [4.0, 7.0]])
    _, weights = fit_logistic(matrix, np.array([0.0, 1.0, 0.0, 1.0]))
    assert weights[1] == 0.0


def test_the_least_error_is_that_of_confidences_without_fault() -> None:
    drawn = np.random.default_rng(3)
    said = drawn.random(600)
    measured = [
        calibration_error(said, (drawn.random(600) < said).astype(np.float64)) for _ in range(50)
    ]
    assert least_error(said) == pytest.approx(float(np.mean(measured)), abs=0.01)
    assert least_error(np.array([0.0, 1.0])) == 0.0
    assert least_error(said[:60]) > least_error(said)


def test_one_group_is_left_out_at_a_time() -> None:
    groups = ["b", "a", "b", "c"]
    found = [(kept.tolist(), out.tolist()) for kept, out in folds(groups)]
    assert found == [([0, 2, 3], [1]), ([1, 3], [0, 2]), ([0, 1, 2], [3])]
