"""How far the confidence of ghost texts is what it says, and what a threshold would show.

Of every request: nothing was written, or a text with a confidence, which is right in three ways
(`evaluation.answers.Written`). The confidence claims the second of them, *helps*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.table import Table

from evaluation import report
from evaluation.answers import Written
from evaluation.calibration import (
    Bin,
    Floats,
    bins,
    brier,
    calibration_error,
    discrimination,
    least_error,
)
from evaluation.plots import OTHERS, OURS, PlotsError, saved

THRESHOLDS = tuple(step / 20 for step in range(20))
ENOUGH = 2 / 3
"""The share of shown texts that is to help: what the default of ``minConfidence`` is chosen by."""

WAYS = ("whole", "helps", "word")
"""The ways to be right, as `Written` names them."""


@dataclass(frozen=True, slots=True)
class Quality:
    """How good the confidences of ``texts`` texts are; ``base`` is the share that helps.

    ``error`` is the calibration error, ``least`` what it is by chance on so many texts when every
    confidence is exactly right.
    """

    texts: int
    base: float
    error: float
    least: float
    brier: float
    discrimination: float


@dataclass(frozen=True, slots=True)
class Point:
    """What one threshold does to 100 requests: shares of all requests, and of what is shown."""

    threshold: float
    shown: float
    accepted: float
    rejected: float
    whole: float
    helps: float
    word: float


def quality(written: Sequence[Written]) -> Quality:
    """Sum up the confidences of what was written."""
    said, right = arrays(written)
    return judged(said, right)


def judged(said: Floats, right: Floats) -> Quality:
    """Sum up probabilities beside outcomes."""
    return Quality(
        texts=len(said),
        base=float(right.mean()) if len(right) else 0.0,
        error=calibration_error(said, right),
        least=least_error(said),
        brier=brier(said, right),
        discrimination=discrimination(said, right),
    )


def arrays(written: Sequence[Written]) -> tuple[Floats, Floats]:
    """(confidence, helps) of the requests that were answered with a text."""
    texts = [one for one in written if one.text]
    said = np.array([one.confidence for one in texts], np.float64)
    return said, np.array([one.helps for one in texts], np.float64)


def points(written: Sequence[Written], thresholds: Sequence[float] = THRESHOLDS) -> list[Point]:
    """The shown/accepted curve."""
    return [_point(written, threshold) for threshold in thresholds]


def _point(written: Sequence[Written], threshold: float) -> Point:
    shown = [one for one in written if one.shown(threshold)]
    of_shown = [sum(getattr(one, way) for one in shown) / max(len(shown), 1) for way in WAYS]
    share = len(shown) / max(len(written), 1)
    return Point(threshold, share, share * of_shown[1], share * (1 - of_shown[1]), *of_shown)


def advised(written: Sequence[Written]) -> float | None:
    """The least threshold, in steps of 0.05, at which `ENOUGH` of what is shown helps."""
    found = (each.threshold for each in points(written) if each.shown and each.helps >= ENOUGH)
    return next(found, None)


def curve(title: str, written: Sequence[Written]) -> Table:
    """The curve as a table: of 100 requests accepted, rejected, nothing; right of what is shown."""
    header = ("confidence", "accepted", "rejected", "nothing", "helps", "whole rest", "next word")
    rows = [
        [
            f">= {each.threshold:.2f}",
            *(f"{100 * x:.1f}" for x in (each.accepted, each.rejected, 1 - each.shown)),
            *(f"{x:.0%}" for x in (each.helps, each.whole, each.word)),
        ]
        for each in points(written)
    ]
    return report.table(title, header, rows)


def draw(written: Sequence[Written], folder: Path) -> list[Path]:
    """Draw the reliability plot and the curve into ``folder``. Raises PlotsError."""
    try:
        import matplotlib
    except ImportError as error:
        raise PlotsError("plots need matplotlib: pip install 'lancefill[eval]'") from error
    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    said, right = arrays(written)
    return [_reliability(bins(said, right), folder), _curve(points(written), folder)]


def _reliability(found: Sequence[Bin], folder: Path) -> Path:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(4.2, 4.2))
    axes.plot([0, 1], [0, 1], color=OTHERS, lw=1)
    axes.plot([each.said for each in found], [each.true for each in found], "o-", color=OURS)
    axes.set_xlabel("confidence, mean of the bin", fontsize=9)
    axes.set_ylabel("share that helps", fontsize=9)
    axes.set_title(f"{sum(each.count for each in found)} texts, bins of equal mass", fontsize=9)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    return saved(figure, folder / "reliability.png")


def _curve(found: Sequence[Point], folder: Path) -> Path:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.2, 3.6))
    labels = {"whole": "whole rest of the line", "helps": "helps", "word": "next word"}
    for way, label in labels.items():
        axes.plot(
            [each.shown for each in found], [getattr(each, way) for each in found], label=label
        )
    axes.set_xlabel("share of requests that are shown a text", fontsize=9)
    axes.set_ylabel("of what is shown, right", fontsize=9)
    axes.set(xlim=(0, None), ylim=(0, 1))
    axes.legend(fontsize=8, frameon=False)
    return saved(figure, folder / "shown.png")
