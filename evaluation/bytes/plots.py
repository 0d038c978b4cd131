"""``eval bytes`` as pictures: accuracy by offset inside the word, costs, a cover tree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.bytes import cost, covers, exactness, genlm, quality
from evaluation.bytes.arms import OURS, OURS_BRANCHES
from evaluation.bytes.places import OFFSETS
from evaluation.plots import PlotsError, saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDE, NARROW = 2.4, 1.2
LEAST_ERROR = 1e-16

GAP = 0.26
"""Beside the bars of tokens, for the lines that join them; in columns, a byte each."""

THICK, THIN = 5.0, 0.7
"""The width of the line to what is certain, and of the thinnest, in points."""

LONGEST = 12
"""Bytes of a token that are drawn."""

COLUMN, ROW = 0.31, 0.27
"""Inches of one byte, and of one token."""

LEAST_SHOWN = 0.001
TYPED, COMING, LINE, INK, FAINT = "#2f6fb3", "#d7e3f1", "#a9b4c2", "#1b1b1b", "#5a6572"


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


def cover_tree(root: covers.Knot, text: bytes, folder: Path) -> Path:
    """Contexts, and the tokens that reach the end of ``text`` behind them: a column for each byte.

    Lines are as wide as what they lead to is likely, or all alike without a model.
    """
    from matplotlib import pyplot

    left, right = max(root.begin, -LONGEST), max(_reach(root), len(text) + 3) + 2
    count, cursor = _rows(root), len(text)
    size = COLUMN * (right - left) + 0.3, ROW * (count + 2) + 0.3
    figure, axes = pyplot.subplots(figsize=size)
    _Drawing(axes, cursor).knot(root, 0)
    axes.plot([cursor, cursor], [-0.9, count - 0.4], color=INK, lw=0.9, ls="--", zorder=0)
    axes.text(cursor - GAP, -1, "typed", ha="right", va="center", fontsize=8, color=TYPED)
    axes.text(cursor + GAP, -1, "what may follow", va="center", fontsize=8, color=FAINT)
    axes.set_xlim(left, right)
    axes.set_ylim(count - 0.4, -1.5)
    axes.axis("off")
    return saved(figure, folder / "cover-tree.png")


def _reach(knot: covers.Knot) -> int:
    """The column behind all that is drawn of the tokens behind a context."""
    ends = [one.begin + min(len(one.data), LONGEST) for one in knot.leaves]
    return max([*ends, *map(_reach, knot.children)], default=0)


def _rows(knot: covers.Knot) -> int:
    """The lines of a picture that a context and all behind it take."""
    return len(knot.leaves) + (knot.more > 0) + sum(map(_rows, knot.children))


@dataclass(frozen=True, slots=True)
class _Drawing:
    """Draws bars of tokens, whose bytes before ``cursor`` are typed."""

    axes: Axes
    cursor: int

    def knot(self, knot: covers.Knot, row: int) -> float:
        """Draw a context and all behind it from ``row`` on; return the height of its bar."""
        end = knot.begin + len(knot.data)
        ends: list[tuple[float, float | None]] = []
        for leaf in knot.leaves:
            self._bar(leaf.begin, leaf.data, row)
            self._beside(leaf.begin + min(len(leaf.data), LONGEST), row, _percent(leaf.chance))
            ends.append((row, leaf.chance))
            row += 1
        if knot.more:
            said = f"{knot.more:,} more"
            self._beside(self.cursor, row, f"{said}   {_percent(knot.rest)}".rstrip())
            if end < self.cursor:
                self.axes.plot([end + GAP, self.cursor], [row, row], color=LINE, lw=THIN, zorder=0)
            ends.append((row, knot.rest))
            row += 1
        for child in knot.children:
            ends.append((self.knot(child, row), child.chance))
            row += _rows(child)
        height = (ends[0][0] + ends[-1][0]) / 2 if ends else row
        self._bar(knot.begin, knot.data, height)
        for there, chance in ends:
            self._join(end, height, there, chance)
        return height

    def _bar(self, begin: int, data: bytes, row: float) -> None:
        """A token: the end of a long one before the text, the beginning of another long one."""
        first = max(begin, -LONGEST)
        shown = data[first - begin :][:LONGEST]
        end = first + len(shown)
        if first < end:
            self._box(first, end, row, COMING)
        if first < min(end, self.cursor):
            self._box(first, min(end, self.cursor), row, TYPED, open_right=end > self.cursor)
        for at, byte in enumerate(shown, first):
            self.axes.text(
                at + 0.5, row, _letter(byte), ha="center", va="center", fontsize=9,
                family="monospace", color="white" if at < self.cursor else INK,
            )  # fmt: skip

    def _box(
        self, low: int, high: int, row: float, colour: str, *, open_right: bool = False
    ) -> None:
        from matplotlib.patches import Rectangle

        width = high - low - (GAP if open_right else 2 * GAP)
        self.axes.add_patch(Rectangle((low + GAP, row - 0.38), width, 0.76, fc=colour, lw=0))

    def _beside(self, place: float, row: float, said: str) -> None:
        self.axes.text(place + 1.3 * GAP, row, said, va="center", fontsize=8, color=FAINT)

    def _join(self, place: int, here: float, there: float, chance: float | None) -> None:
        """A line between two bars, from one gap to the other."""
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path as Curve

        low, high = place - GAP, place + GAP
        points = [(low, here), (high, here), (low, there), (high, there)]
        curve = Curve(points, [Curve.MOVETO, *[Curve.CURVE4] * 3])
        width = THIN if chance is None else max(THIN, THICK * chance)
        self.axes.add_patch(PathPatch(curve, fc="none", ec=LINE, lw=width, zorder=0))


def _percent(chance: float | None) -> str:
    if chance is None:
        return ""
    return f"{chance:.1%}" if chance >= LEAST_SHOWN else f"< {LEAST_SHOWN:.1%}"


def _letter(byte: int) -> str:
    """How a byte is drawn: spaces and line breaks are visible, parts of other letters in hex."""
    if byte in _MARKS:
        return _MARKS[byte]
    return chr(byte) if 0x20 < byte < 0x7F else f"{byte:02x}"


_MARKS = {0x20: "\u00b7", 0x0A: "\u21b5", 0x0D: "\u240d", 0x09: "\u2192"}


def _plain(axes: Axes) -> None:
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
