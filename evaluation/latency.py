"""``lancefill eval latency``: every row of the speed and memory table, measured and judged.

The scale is sympy (753k lines); the rows in `ON_TYPICAL` measure on aiohttp (104k lines). A figure
is the median unless its name says otherwise; each keeps the number of measurements, minimum and
maximum. Rows may be measured alone (``--row``). What a row measures, and how, is the docstring of
its function in ``latency_rows.py``.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evaluation import report
from evaluation.client import ServerEndedError
from evaluation.latency_rows import ROWS, Bench, Figure, MeasureError
from evaluation.repositories import fetch

SCALE = "sympy"
TYPICAL = "aiohttp"
ON_TYPICAL = frozenset(("popup100k", "second"))
"""The rows whose goals are for a repository of 100k lines."""


class UnknownRowError(ValueError):
    """A row was asked for that there is not; the message names those that there are."""


def run(console: Console, rows: Sequence[str], samples: int, seed: int) -> dict[str, Any]:
    """Measure ``rows`` (all of them when empty) and print the table; return the result.

    Raises UnknownRowError and FetchError.
    """
    if unknown := [row for row in rows if row not in ROWS]:
        raise UnknownRowError(f"no row {', '.join(unknown)}; there are: {', '.join(ROWS)}")
    facts = report.machine()
    asked = rows or tuple(ROWS)
    roots = {row: fetch(TYPICAL if row in ON_TYPICAL else SCALE) for row in asked}
    figures: list[Figure] = []
    failed: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="lancefill-") as folder:
        benches = {
            root: Bench(root=root, cache=Path(folder), samples=samples, seed=seed)
            for root in set(roots.values())
        }
        for name, root in roots.items():
            start = time.perf_counter()
            try:
                with console.status(f"measuring {name}"):
                    figures += ROWS[name](benches[root])
            except (MeasureError, ServerEndedError, TimeoutError) as error:
                failed[name] = str(error) or "no answer in time"
                console.print(Text(f"{name} could not be measured: {failed[name]}", style="red"))
            took = time.perf_counter() - start
            console.print(f"{name}: {took:.0f} s", style="dim")
    console.print(table(figures))
    for note in [one.note for one in figures if one.note]:
        console.print(note, style="dim")
    console.print(report.machine_line(facts), style="dim", highlight=False)
    values = [{**asdict(one), "met": one.met} for one in figures]
    return {"eval": "latency", "machine": facts, "figures": values, "failed": failed}


def table(figures: Sequence[Figure]) -> Table:
    """Return the figures beside their goals."""
    header = ("what", "figure", "goal", "", "n", "min \N{EN DASH} max")
    return report.table("Speed and memory", header, [_cells(one) for one in figures])


def _cells(figure: Figure) -> list[str]:
    goal = "" if figure.goal is None else f"\N{LESS-THAN OR EQUAL TO} {figure.goal:g} {figure.unit}"
    met = {None: "", True: "[green]\N{CHECK MARK}[/]", False: "[red]\N{BALLOT X}[/]"}[figure.met]
    spread = f"{figure.minimum:.3g} \N{EN DASH} {figure.maximum:.3g}" if figure.n > 1 else ""
    return [figure.what, f"{figure.value:.3g} {figure.unit}", goal, met, str(figure.n), spread]
