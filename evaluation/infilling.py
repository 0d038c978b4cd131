"""``lancefill eval infilling``: does the model fill holes that others left in code?

The sets are in ``blanks.py``. The model writes freely (``freely.py``) between what stands before
the hole and what stands behind it, in one file without a repository. Measured are the whole text,
its first line, the similarity of edits and, with ``--run-tests``, pass@1: the program with the
written text passes its tests (``sandbox.py``), one greedy text for each hole. Only holes count
there whose true text passes here. The model was trained on Python alone; the other languages are
there to be seen, not to be judged by.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from evaluation import freely, report, sandbox
from evaluation.blanks import PYTHON, Blank
from evaluation.statements import edit_similarity
from evaluation.statistics import Mean, Rate, mean, rate

BOTH, PREFIX = "prefix and suffix", "prefix only"
Sets = Mapping[str, Sequence[Blank]]


@dataclass(frozen=True, slots=True)
class Filled:
    """One hole filled in one arm; ``passed`` is None where its tests were not run."""

    kind: str
    arm: str
    blank: Blank
    text: str
    whole_right: bool
    line_right: bool
    similarity: float
    passed: bool | None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Quality:
    """How well holes were filled; ``passed`` is of those whose true text passes."""

    whole: Rate
    line: Rate
    similarity: Mean
    passed: Rate


def run(
    sets: Sets,
    console: Console,
    *,
    weights: Path | None = None,
    prefix_only: bool = False,
    run_tests: bool = False,
) -> tuple[dict[str, Any], list[Filled]]:
    """Fill, judge, print; return the figures and what was written. Raises AbsentModelError."""
    facts = report.machine()
    arms = (BOTH, PREFIX) if prefix_only else (BOTH,)
    total = len(arms) * sum(map(len, sets.values()))
    with report.progress(console) as progress:
        task = progress.add_task("writing", total=total)
        texts = asyncio.run(write_all(sets, arms, weights, lambda: progress.advance(task)))
        task = progress.add_task("judging", total=total)
        runnable = _runnable(sets) if run_tests else frozenset()
        filled = []
        for (kind, arm, blank), text in texts:
            filled.append(judge(kind, arm, blank, text, test=(kind, blank.name) in runnable))
            progress.advance(task)
    for table in tables(filled):
        console.print(table)
    console.print(report.machine_line(facts), style="dim", highlight=False)
    return result(filled) | {"machine": facts}, filled


Hole = tuple[str, str, Blank]
"""The set's name, the arm, and the blank."""


async def write_all(
    sets: Sets, arms: Sequence[str], weights: Path | None, done: Callable[[], None]
) -> list[tuple[Hole, str]]:
    """What the model writes into every hole, arm by arm. Raises AbsentModelError."""
    texts: list[tuple[Hole, str]] = []
    with tempfile.TemporaryDirectory(prefix="lancefill-") as folder:
        async with freely.model_running(weights) as started:
            writer = freely.alone(started, Path(folder))
            for kind, blanks in sets.items():
                for arm in arms:
                    for blank in blanks:
                        texts.append(((kind, arm, blank), await fill(writer, blank, arm)))
                        done()
    return texts


async def fill(writer: freely.Free, blank: Blank, arm: str) -> str:
    """What the model writes into one hole. Raises AbsentModelError."""
    after = blank.after if arm == BOTH else ""
    text = await writer.fill(blank.name, blank.before, after, one_line=blank.one_line)
    return text.rstrip() + "\n" if blank.one_line else text


def _runnable(sets: Sets) -> frozenset[tuple[str, str]]:
    """The holes whose true text passes its tests here."""
    return frozenset(
        (kind, blank.name)
        for kind, blanks in sets.items()
        for blank in blanks
        if blank.tests
        and blank.language == PYTHON
        and sandbox.run(blank.program(blank.truth)).passed
    )


def judge(kind: str, arm: str, blank: Blank, text: str, *, test: bool) -> Filled:
    """What a text is worth beside the true one; with ``test`` the program is run."""
    outcome = sandbox.run(blank.program(text)) if test else None
    return Filled(
        kind=kind,
        arm=arm,
        blank=blank,
        text=text,
        whole_right=text.rstrip() == blank.truth.rstrip(),
        line_right=bool(first_line(text)) and first_line(text) == first_line(blank.truth),
        similarity=edit_similarity(text, blank.truth),
        passed=None if outcome is None else outcome.passed,
        said="" if outcome is None else outcome.said,
    )


def first_line(text: str) -> str:
    """The first line that is not blank, without space around it; empty where there is none."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "")


# Figures


def quality(filled: Sequence[Filled]) -> Quality:
    """Sum up."""
    tested = [one for one in filled if one.passed is not None]
    return Quality(
        whole=rate(sum(one.whole_right for one in filled), len(filled)),
        line=rate(sum(one.line_right for one in filled), len(filled)),
        similarity=mean([one.similarity for one in filled]),
        passed=rate(sum(bool(one.passed) for one in tested), len(tested)),
    )


def groups(filled: Sequence[Filled]) -> dict[tuple[str, str], list[Filled]]:
    """By set and arm, in their order."""
    found: dict[tuple[str, str], list[Filled]] = {}
    for one in filled:
        found.setdefault((one.kind, one.arm), []).append(one)
    return found


HEADER = ("", "n", "whole", "first line", "similarity", "pass@1", "runnable")


def tables(filled: Sequence[Filled]) -> list[Table]:
    """A table for Python, and one for the languages that the model was not trained on."""
    rows: dict[bool, list[list[str]]] = {}
    for (kind, arm), chosen in groups(filled).items():
        name = kind if arm == BOTH else f"  {arm}"
        rows.setdefault(chosen[0].blank.language == PYTHON, []).append(_row(name, chosen))
    titles = {True: "holes filled", False: "in languages that the model was not trained on"}
    return [report.table(titles[python], HEADER, found) for python, found in rows.items()]


def _row(name: str, filled: Sequence[Filled]) -> list[str]:
    summed = quality(filled)
    near, passed = summed.similarity, summed.passed
    return [
        name,
        str(len(filled)),
        str(summed.whole),
        str(summed.line),
        f"{near.value:.1f} [{near.low:.0f}, {near.high:.0f}]",
        str(passed) if passed.total else "not run",
        str(passed.total),
    ]


def result(filled: Sequence[Filled]) -> dict[str, Any]:
    """The figures as plain values."""
    rows = [
        {
            "set": kind,
            "arm": arm,
            "language": chosen[0].blank.language,
            "items": len(chosen),
            **asdict(quality(chosen)),
        }
        for (kind, arm), chosen in groups(filled).items()
    ]
    return {"eval": "infilling", "sets": rows}
