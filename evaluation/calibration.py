"""Calibration as arithmetic: fits of probabilities to outcomes, and how far they are off.

Arrays are parallel: ``probabilities`` (n,) in [0, 1], ``right`` (n,) of 0 and 1, and ``matrix``
(n, signs) of what is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BINS = 15
"""Bins of the reliability plot and of the calibration error, each with as many items."""

RIDGE = 1.0
"""Penalty on the squared weights of standardised signs, against the summed log loss."""

BLOCK = 40
"""The fewest items that a knot of the monotone map stands for: few say nothing of a rate."""


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin: its items, their mean probability, and the share of them that is right."""

    count: int
    said: float
    true: float


def bins(probabilities: Floats, right: Floats, count: int = BINS) -> list[Bin]:
    """Items in the order of their probabilities, dealt into bins of equal mass (up to one item).

    Items of one probability may be dealt into two bins: their order is the arrays'. Empty bins are
    left out.
    """
    order = np.argsort(probabilities, kind="stable")
    parts = [part for part in np.array_split(order, count) if len(part)]
    return [
        Bin(len(part), float(probabilities[part].mean()), float(right[part].mean()))
        for part in parts
    ]


def calibration_error(probabilities: Floats, right: Floats, count: int = BINS) -> float:
    """Expected calibration error: the bins' |said - true|, weighted by their items.

    0 where there are no items.
    """
    found = bins(probabilities, right, count)
    total = sum(each.count for each in found)
    return sum(each.count * abs(each.said - each.true) for each in found) / max(total, 1)


def least_error(probabilities: Floats, count: int = BINS, draws: int = 200, seed: int = 0) -> float:
    """The calibration error that probabilities without any fault have on so few items.

    The mean over outcomes that are drawn from the probabilities themselves: what is measured is
    to be read against it.
    """
    drawn = np.random.default_rng(seed).random((draws, len(probabilities)))
    outcomes = (drawn < probabilities).astype(np.float64)
    return float(np.mean([calibration_error(probabilities, each, count) for each in outcomes]))


def brier(probabilities: Floats, right: Floats) -> float:
    """Mean squared distance of probability and outcome; 0 where there are no items."""
    return float(np.mean((probabilities - right) ** 2)) if len(right) else 0.0


def discrimination(probabilities: Floats, right: Floats) -> float:
    """P(a right item has the higher probability than a wrong one), ties counting half: the AUC.

    1/2 where only one kind of item is there.
    """
    wrong = np.sort(probabilities[right == 0])
    good = probabilities[right == 1]
    if not len(wrong) or not len(good):
        return 0.5
    below = np.searchsorted(wrong, good, "left") + np.searchsorted(wrong, good, "right")
    return float(below.sum() / (2 * len(wrong) * len(good)))


def fit_logistic(matrix: Floats, right: Floats, ridge: float = RIDGE) -> tuple[float, Floats]:
    """(bias, weights (signs,)) of the penalised logistic regression of ``right`` on ``matrix``.

    Columns are standardised for the penalty; a column without variation gets no weight. With one
    column this is Platt's calibration of a score.
    """
    from scipy.optimize import minimize

    middle, spread = matrix.mean(axis=0), matrix.std(axis=0)
    scale = np.where(spread > 0, spread, np.inf)
    columns = np.column_stack([np.ones(len(matrix)), (matrix - middle) / scale])

    def loss(weights: Floats) -> tuple[float, Floats]:
        scores = columns @ weights
        value = (
            np.logaddexp(0, scores).sum() - right @ scores + ridge / 2 * weights[1:] @ weights[1:]
        )
        slope = columns.T @ (1 / (1 + np.exp(-scores)) - right)
        slope[1:] += ridge * weights[1:]
        return float(value), slope

    found = minimize(loss, np.zeros(columns.shape[1]), jac=True, method="L-BFGS-B").x
    weights = found[1:] / scale
    return float(found[0] - weights @ middle), weights


def fit_monotone(outputs: Floats, right: Floats, least: int = BLOCK) -> list[tuple[float, float]]:
    """Knots (output, share right), both growing: isotonic regression over blocks of ``least``.

    A block's share is (right + 1) / (items + 2), so that few items never speak of certainty.
    """
    from scipy.optimize import isotonic_regression

    order = np.argsort(outputs, kind="stable")
    parts = np.array_split(order, max(1, len(order) // least))
    weights = np.array([len(part) for part in parts], np.float64)
    shares = np.array([(right[part].sum() + 1) / (len(part) + 2) for part in parts])
    middles = np.array([outputs[part].mean() for part in parts])
    fitted = isotonic_regression(shares, weights=weights)
    knots: list[tuple[float, float]] = []
    for begin, end in zip(fitted.blocks[:-1], fitted.blocks[1:], strict=True):
        middle = float(np.average(middles[begin:end], weights=weights[begin:end]))
        if not knots or middle > knots[-1][0]:
            knots.append((middle, float(fitted.x[begin])))
    return knots


def folds(groups: Sequence[str]) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """(kept, left out) places of the items, one group left out at a time."""
    names = np.array(groups)
    return [
        (np.flatnonzero(names != name), np.flatnonzero(names == name))
        for name in sorted(set(groups))
    ]
