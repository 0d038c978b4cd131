"""APIEval as pictures: arms side by side, our arm by stratum, and how long popups took."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.apieval import Asked
from evaluation.arms import LANCEFILL
from evaluation.tables import SITUATIONS, arms, common, figures, select

if TYPE_CHECKING:
    from matplotlib.axes import Axes

OURS, OTHERS = "#2f6fb3", "#a9b4c2"
MEASURES = (("top1", "first"), ("top5", "among the first five"))


class PlotsError(Exception):
    """Nothing can be drawn; the message says why."""


def draw(asked: Sequence[Asked], folder: Path) -> list[Path]:
    """Draw every picture into ``folder``; return the files. Raises PlotsError."""
    try:
        import matplotlib
    except ImportError as error:
        raise PlotsError("plots need matplotlib: pip install 'lancefill[eval]'") from error
    matplotlib.use("Agg")
    folder.mkdir(parents=True, exist_ok=True)
    return [_arms(asked, folder), _strata(asked, folder), _latency(asked, folder)]


def _arms(asked: Sequence[Asked], folder: Path) -> Path:
    from matplotlib import pyplot

    shared = common(asked)
    shown = [each for each in SITUATIONS if select(shared, each, arms(shared)[0])]
    figure, grid = pyplot.subplots(
        len(MEASURES), len(shown), figsize=(3.1 * len(shown), 5.4), sharey=True, squeeze=False
    )
    for row, (measure, words) in enumerate(MEASURES):
        for axes, situation in zip(grid[row], shown, strict=True):
            names = arms(shared)
            chosen = [select(shared, situation, name) for name in names]
            _bars(axes, names, [getattr(figures(each).ranking, measure) for each in chosen])
            axes.set_title(f"{situation}\n{words} (n = {len(chosen[0])})", fontsize=9)
    return saved(figure, folder / "arms.png")


def _bars(axes: Axes, names: Sequence[str], rates: Sequence[object]) -> None:
    values = [rate.value for rate in rates]  # type: ignore[attr-defined]
    low = [rate.value - rate.low for rate in rates]  # type: ignore[attr-defined]
    high = [rate.high - rate.value for rate in rates]  # type: ignore[attr-defined]
    colours = [OURS if name.startswith("lancefill") else OTHERS for name in names]
    axes.barh(names, values, xerr=[low, high], color=colours, error_kw={"lw": 1, "capsize": 2})
    for place, value in enumerate(values):
        label = axes.text(0.02, place, f"{value:.0%}", va="center", fontsize=8, color="#1b1b1b")
        label.set_bbox({"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8})
        label.set_zorder(5)  # above the intervals
    axes.set_xlim(0, 1)
    axes.set_ylim(len(names) - 0.4, -0.6)  # the first on top
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def _strata(asked: Sequence[Asked], folder: Path) -> Path:
    from matplotlib import pyplot

    chosen = select(asked, SITUATIONS[0])
    names = sorted({str(one.item.stratum) for one in chosen})
    groups = [[one for one in chosen if one.item.stratum == name] for name in names]
    figure, axes = pyplot.subplots(figsize=(6, 3.2))
    labels = [f"{name} ({len(group)})" for name, group in zip(names, groups, strict=True)]
    _bars(axes, labels, [figures(group).ranking.top1 for group in groups])
    for bar in axes.patches:
        bar.set_facecolor(OURS)
    axes.set_title("right name first, after the dot, by what stands before it", fontsize=9)
    return saved(figure, folder / "strata.png")


def _latency(asked: Sequence[Asked], folder: Path) -> Path:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.2))
    for name in arms(asked):
        times = sorted(one.ms for one in asked if one.arm == name)
        shares = [(place + 1) / len(times) for place in range(len(times))]
        width = 2.2 if name == LANCEFILL.name else 1.2
        axes.plot([max(0.5, ms) for ms in times], shares, label=name, lw=width)
    axes.set_xscale("log")
    axes.set_xlabel("milliseconds until the popup is there", fontsize=9)
    axes.set_ylabel("share of popups", fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return saved(figure, folder / "latency.png")


def saved(figure: object, file: Path) -> Path:
    """Write a figure and free it; return the file."""
    from matplotlib.figure import Figure

    assert isinstance(figure, Figure)
    figure.tight_layout()
    figure.savefig(file, dpi=130)
    figure.clear()
    return file
