"""What ``lancefill model list`` shows, and what ``add`` says."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from completion.model.checkpoint import MANIFEST, MODEL
from completion.model.checkpoint import SHIPPED as FOLDER
from completion.model.registry import SHIPPED, Entry, Registry
from evaluation import report

if TYPE_CHECKING:  # it loads transformers
    from completion.model.installing import Installed

_SHIPPED_FAMILY = "codefill"
_MISSING = "missing: reinstall Lancefill"


def print_table(console: Console, known: Registry) -> None:
    """All models, the shipped one first, with a mark at the one in use."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("")
    for name in ("model", "asked as", "parameters", "on disk", "revision"):
        table.add_column(name, justify="right" if name in ("parameters", "on disk") else "left")
    shipped = _shipped()
    table.add_row(_mark(known.in_use is None), SHIPPED, *shipped)
    for name, entry in sorted(known.models.items()):
        table.add_row(_mark(known.in_use == name), name, *_cells(entry))
    console.print(table)
    for entry in known.models.values():
        if problem := entry.problem():
            console.print(Text(problem, style="yellow"), soft_wrap=True)


def print_json(console: Console, known: Registry) -> None:
    """The same as one JSON array: fields of `Entry`, ``in_use``, and ``problem`` ("": none).

    The shipped one has only ``name``, ``family``, ``parameters`` and ``bytes`` of those fields.
    """
    facts = _shipped_facts()
    parameters, size = facts or (0, 0)
    shipped = {
        "name": SHIPPED,
        "family": _SHIPPED_FAMILY,
        "parameters": parameters,
        "bytes": size,
        "in_use": known.in_use is None,
        "problem": "" if facts else _MISSING,
    }
    others = [
        {**asdict(entry), "in_use": name == known.in_use, "problem": entry.problem()}
        for name, entry in sorted(known.models.items())
    ]
    report.print_json(console, [shipped, *others])


def print_added(console: Console, found: Installed, *, used: bool) -> None:
    """What was added, and how to use it."""
    entry = found.entry
    facts = f"{entry.family}, {entry.parameters / 1e6:,.1f}M parameters"
    console.print(Text(f"added {entry.name}: {facts}"), soft_wrap=True)
    for warning in found.warnings:
        console.print(Text(f"note: {warning}", style="yellow"), soft_wrap=True)
    if not used:
        console.print(Text(f"to use it: lancefill model use {entry.name}"), soft_wrap=True)


def _mark(in_use: bool) -> Text:
    return Text("*" if in_use else "", style="bold green")


def _cells(entry: Entry) -> tuple[str, ...]:
    eight = ", eight bits" if entry.eight_bits else ""
    revision = entry.revision[:12] or ("" if entry.downloaded else "a folder of yours")
    return (
        entry.family + eight,
        f"{entry.parameters / 1e6:,.1f}M",
        f"{entry.bytes / 1e6:,.0f} MB",
        "gone" if entry.problem() else revision,
    )


def _shipped() -> tuple[str, ...]:
    facts = _shipped_facts()
    if facts is None:
        return (_SHIPPED_FAMILY, "", "", _MISSING)
    parameters, size = facts
    return (_SHIPPED_FAMILY, f"{parameters / 1e6:,.1f}M", f"{size / 1e6:,.0f} MB", "")


def _shipped_facts() -> tuple[int, int] | None:
    """Parameters, and bytes of weights; None where the files are missing or damaged."""
    try:
        facts = json.loads((FOLDER / MANIFEST).read_text(encoding="utf-8"))
        return int(facts["parameters"]), int(facts["files"][MODEL]["bytes"])
    except (OSError, ValueError, KeyError):
        return None
