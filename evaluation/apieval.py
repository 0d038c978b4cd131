"""``lancefill eval apieval``: are the repository's own APIs ranked first where they are called?

Each item is a call of an API that another file of the repository defines (``labels.py``). The rest
of its line is cut away, on disk and in the editor, before anything is indexed (``workspaces.py``),
and the popup of the real server is asked for twice: after the dot, and after the callee's first
letter has been typed. An empty popup, a popup without the name, and a popup that came late are
misses. Ranks and milliseconds come from the same requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from evaluation import report
from evaluation.answers import PopupAnswer, rank
from evaluation.cuts import without_rest
from evaluation.editor import Editor, editing
from evaluation.labels import ApiItem, Receiver, api_items
from evaluation.statistics import Ranking, ranking, spread
from evaluation.workspaces import Workspace, cut_copy, read_sources, rounds

LATE_MS = 100.0
"""A popup that takes longer is a miss: three times the server's own deadline, in which it must also
cross two pipes."""
TYPED = (0, 1)
"""How many letters of the callee are typed before the popup is asked for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One popup: the item, the letters ``typed``, the true name's ``rank`` and the milliseconds."""

    item: ApiItem
    typed: int
    rank: int | None
    offered: int
    first: str
    ms: float


def run(
    root: Path, title: str, console: Console, *, count: int, seed: int, model: bool
) -> tuple[dict[str, Any], list[Asked]]:
    """Evaluate ``count`` items of the repository at ``root``; print, return result and items."""
    facts = report.machine()
    files = read_sources(root)
    with report.progress(console) as progress:
        task = progress.add_task("labelling calls", total=count)
        items = []
        for item in api_items(root, files, seed, count):
            items.append(item)
            progress.advance(task)
        asked = _ask_all(root, items, progress, model=model)
    console.print(_table(title, asked))
    console.print(_by_receiver(asked))
    console.print(report.machine_line(facts), style="dim", highlight=False)
    return result(title, asked, seed, model=model) | {"machine": facts}, asked


def _ask_all(
    root: Path, items: Sequence[ApiItem], progress: Progress, *, model: bool
) -> list[Asked]:
    dealt = rounds(items, lambda item: item.cut)
    task = progress.add_task("asking", total=len(items))
    asked: list[Asked] = []
    for one_round in dealt:
        with cut_copy(root, [item.cut for item in one_round]) as workspace:
            answers = _ask_round(workspace, one_round, lambda: progress.advance(task), model=model)
            asked += asyncio.run(answers)
    return asked


async def _ask_round(
    workspace: Workspace, items: Sequence[ApiItem], done: Callable[[], None], *, model: bool
) -> list[Asked]:
    root = workspace.root
    asked: list[Asked] = []
    async with editing(root, cache=workspace.cache, settings={"ghostText": model}) as editor:
        await editor.settled()
        for item in items:
            asked += await _ask(editor, item, (root / item.cut.path).read_bytes())
            done()
    return asked


async def _ask(editor: Editor, item: ApiItem, data: bytes) -> list[Asked]:
    """Open the cut file, ask, type a letter, ask again, close."""
    cut = item.cut
    assert data == without_rest(data, cut.offset), "the workspace holds the cut text"
    editor.open(cut.path, data)
    await editor.caught_up()  # nobody completes in the millisecond in which a file opens
    answers = [await editor.popup(cut.path, cut.offset)]
    editor.replace(cut.path, cut.offset, cut.offset, cut.name[0])
    answers.append(await editor.popup(cut.path, cut.offset + 1))
    editor.close(cut.path)
    return [_judged(item, typed, answer) for typed, answer in zip(TYPED, answers, strict=True)]


def _judged(item: ApiItem, typed: int, answer: PopupAnswer) -> Asked:
    first = answer.items[0].label if answer.items else ""
    found = rank(item.cut, answer, LATE_MS)
    return Asked(item, typed, found, len(answer.items), first, answer.ms)


def result(title: str, asked: Sequence[Asked], seed: int, *, model: bool) -> dict[str, Any]:
    """Return the figures of a run as plain values."""
    arms = {
        name: {
            "ranking": asdict(ranking([one.rank for one in chosen])),
            "ms": asdict(spread([one.ms for one in chosen])),
            "late": sum(one.ms > LATE_MS for one in chosen),
        }
        for name, chosen in _arms(asked).items()
    }
    return {"eval": "apieval", "repository": title, "seed": seed, "model": model, "arms": arms}


def _arms(asked: Sequence[Asked]) -> dict[str, list[Asked]]:
    names = ("the dot", "one letter")
    return {
        name: [one for one in asked if one.typed == n] for n, name in zip(TYPED, names, strict=True)
    }


def _table(title: str, asked: Sequence[Asked]) -> Table:
    header = (
        "",
        "n",
        "top 1",
        "top 5",
        "in 50",
        "MRR",
        "p50/p95 ms",
    )
    rows = []
    for name, chosen in _arms(asked).items():
        ranks, ms = ranking([one.rank for one in chosen]), spread([one.ms for one in chosen])
        rows.append([name, str(len(chosen)), *_figures(ranks), f"{ms.p50:.1f}/{ms.p95:.1f}"])
    return report.table(f"APIEval, {title}", header, rows)


def _figures(ranks: Ranking) -> list[str]:
    return [str(ranks.top1), str(ranks.top5), str(ranks.found), str(ranks.mrr)]


def _by_receiver(asked: Sequence[Asked]) -> Table:
    rows = []
    for kind in Receiver:
        chosen = [one for one in asked if one.item.kind is kind]
        arms = [ranking([one.rank for one in arm]) for arm in _arms(chosen).values()]
        shares = [f"{share.value:.0%}" for arm in arms for share in (arm.top1, arm.top5)]
        if chosen:
            rows.append([kind, str(arms[0].top1.total), *shares])
    header = ("by receiver", "n", "dot top 1", "dot top 5", "letter top 1", "letter top 5")
    return report.table("", header, rows)
