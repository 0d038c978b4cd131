"""How evaluations show themselves: a table for people, the machine, one JSON line last."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from indexing.system import cores

WIDTH = 100
"""Columns to fill where nobody's terminal says how many there are."""


def console(*, record: bool = False) -> Console:
    """Return a console as wide as the terminal, or WIDTH where there is none."""
    made = Console(record=record)
    return made if made.is_terminal and not record else Console(record=record, width=WIDTH)


def machine() -> dict[str, Any]:
    """Say what the figures were measured on, without importing torch."""
    return {
        "cpu": _cpu_model(),
        "cores": cores(),
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": _version("torch"),
        "lancefill": _version("lancefill"),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M"),
    }


def machine_line(facts: Mapping[str, Any]) -> str:
    """Return ``facts`` as one line under a table."""
    return (
        f"{facts['cpu']}, {facts['cores']} cores (load {facts['load']} at the start), "
        f"Python {facts['python']}, torch {facts['torch']}, lancefill {facts['lancefill']}"
    )


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    """Return a table whose first column is text and whose other columns are figures."""
    shown = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    shown.padding, shown.pad_edge = (0, 1, 0, 0), False
    for number, name in enumerate(header):
        shown.add_column(name, justify="left" if number == 0 else "right", no_wrap=True)
    for row in rows:
        shown.add_row(*row)
    return shown


def progress(console: Console) -> Progress:
    """Return a progress bar with what is being done, how much is done and the time left."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    )


def as_json(value: object) -> object:
    """Return ``value`` with dataclasses as objects and floats cut to four significant digits."""
    if is_dataclass(value) and not isinstance(value, type):
        return as_json(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(item) for item in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def json_text(result: object) -> str:
    """Return ``result`` as one line of JSON."""
    return json.dumps(as_json(result))


def print_json(console: Console, result: object) -> None:
    """Print ``result`` as one line of JSON: the last line of every evaluation."""
    console.print(json_text(result), soft_wrap=True, highlight=False, markup=False)


def write_jsonl(path: Path, items: Iterable[Any]) -> None:
    """Write one JSON object per item."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(as_json(item), ensure_ascii=False) + "\n" for item in items]
    path.write_text("".join(lines), "utf-8")


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"
