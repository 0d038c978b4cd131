"""``eval bytes`` as pictures: accuracy by offset inside the word, and what the boundary costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.bytes import cost, exactness, genlm, quality
from evaluation.bytes.arms import OURS, OURS_BRANCHES
from evaluation.bytes.places import OFFSETS
from evaluation.plots import PlotsError, saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDE, NARROW = 2.4, 1.2
LEAST_ERROR = 1e-16


def ready(folder: Path) -> None:
    """Make the folder. Raises PlotsError where nothing can be drawn."""
    try:
        import matplotlib
    except ImportError as error:
        raise PlotsError("plots need matplotlib: pip install 'lancefill[eval]'") from error
    matplotlib.use("Agg")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlotsError(f"cannot draw into {folder}: {error.strerror}") from error


def offsets(found: Sequence[quality.Row], folder: Path) -> Path:
    """The share of identifiers that are right, by the number of bytes typed."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 4.0))
    for arm in dict.fromkeys(one.arm for one in found):
        chosen = [one for one in found if one.arm == arm and one.offset is not None]
        places = [one.offset or 0 for one in chosen]
        width = WIDE if arm in (OURS, OURS_BRANCHES) else NARROW
        values = [100 * one.token.value for one in chosen]
        dashes = "--" if arm.startswith(genlm.NAME) else "-"
        (line,) = axes.plot(places, values, dashes, marker="o", ms=3, lw=width, label=arm)
        low, high = ([100 * getattr(one.token, end) for one in chosen] for end in ("low", "high"))
        axes.fill_between(places, low, high, color=line.get_color(), alpha=0.1, lw=0)
    axes.set_xticks(list(OFFSETS))
    axes.set_ylim(0, 100)
    axes.set_xlabel("bytes of the identifier that are typed", fontsize=9)
    axes.set_ylabel("rest of the identifier right, percent", fontsize=9)
    axes.legend(fontsize=7, frameon=False, loc="upper left")
    _plain(axes)
    return saved(figure, folder / "bytes-offsets.png")


def costs(found: Sequence[cost.Row], folder: Path) -> Path:
    """Milliseconds until the first byte behind the cursor is decided, by arm."""
    from matplotlib import pyplot

    every = [one for one in found if one.position == "all"]
    figure, axes = pyplot.subplots(figsize=(6.4, 0.9 + 0.34 * len(every)))
    for place, one in enumerate(every):
        axes.plot([one.ms.p50, one.ms.p95], [place, place], lw=2, color="#a9b4c2")
        axes.plot([one.ms.p50], [place], "o", color="#2f6fb3")
        axes.plot([one.ms.p95], [place], "|", ms=10, color="#2f6fb3")
    axes.set_yticks(range(len(every)), [one.arm for one in every], fontsize=8)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.set_xlabel("milliseconds to the first byte behind the cursor: p50 and p95", fontsize=9)
    _plain(axes)
    return saved(figure, folder / "bytes-cost.png")


def errors(found: Sequence[exactness.Row], folder: Path) -> Path:
    """The largest finite error in the log-probability of the next byte, by arm."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6.4, 0.9 + 0.34 * len(found)))
    names = [f"{one.arm} ({one.ruled_out:.0%} ruled out)" for one in found]
    axes.barh(names, [max(one.next_max, LEAST_ERROR) for one in found], color="#2f6fb3")
    axes.axvline(exactness.GOAL, color="#1b1b1b", lw=0.8, ls="--")
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set_xlabel("largest error in log P(next byte) on toy vocabularies", fontsize=9)
    _plain(axes)
    return saved(figure, folder / "bytes-errors.png")


def _plain(axes: Axes) -> None:
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
