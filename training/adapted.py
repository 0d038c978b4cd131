"""What an adapter changes on held-out files: figures before and after, and whether it helps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich import box
from rich.table import Table

Scores = Mapping[str, Mapping[str, float]]
"""By part of the rows, what ``training.evaluate`` says."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The same held-out rows before and after."""

    before: Scores
    after: Scores


def helps(figures: Figures) -> bool:
    """Whether the held-out tokens are likelier, all of them together and those of the middles.

    The middles are what ghost text is; over all tokens the figure is steadier.
    """
    middle_before, middle_after = (one["middle"]["loss"] for one in (figures.before, figures.after))
    return middle_after < middle_before and _loss(figures.after) < _loss(figures.before)


def table(figures: Figures) -> Table:
    """The figures for a person, one line per part."""
    shown = Table(title="held-out files of this repository", box=box.SIMPLE_HEAD)
    shown.add_column("part")
    for name in ("tokens", "loss (nats/token)", "bits/byte", "next token right"):
        shown.add_column(name, justify="right")
    for part, before in figures.before.items():
        after = figures.after[part]
        shown.add_row(
            part,
            f"{before['tokens']:,}",
            f"{before['loss']:.3f} → {after['loss']:.3f}",
            f"{before['bits_per_byte']:.3f} → {after['bits_per_byte']:.3f}",
            f"{before['accuracy']:.1%} → {after['accuracy']:.1%}",
        )
    return shown


def _loss(scores: Scores) -> float:
    return sum(score["loss"] * score["tokens"] for score in scores.values())
