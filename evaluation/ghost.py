"""``lancefill eval ghost``: is the ghost text right at identifier edges and inside identifiers?

Items are drawn from call sites (``cuts.py``): half of them before an identifier (after a dot, on
``self``, at the start of a statement), half inside one. The rest of the line is cut away, on disk
and in the buffer, before anything is indexed (``workspaces.py``). The server's own engine and model
process answer under the deadline of the settings: late is not answered. Two arms on
identical items: with the repository's n-gram mixed in, as shipped, and the model alone.

Everything is asked without the confidence threshold; what the threshold of the default settings
would have hidden counts as not answered. So one run also says what other thresholds would do, and
how far the confidence is what it says (``calibration.py``).
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from completion import engine
from completion.engine import Helpers
from completion.request import (
    Code,
    GhostOptions,
    Prompt,
    RawGhost,
    Reason,
    Request,
)
from evaluation import calibrated, cuts, report
from evaluation.answers import (
    Written,
    after_cursor,
    helps,
    line_right,
    name_right,
    whole_right,
    word_right,
)
from evaluation.apieval import Source
from evaluation.cuts import Cut, Place
from evaluation.headless import Headless, opened
from evaluation.passing import Passing
from evaluation.statistics import rate, spread
from evaluation.workspaces import Workspace, cut_copy, read_sources, rounds
from lsp_server.settings import Settings

SHARES = {Place.DOT: 0.2, Place.SELF: 0.1, Place.STATEMENT: 0.2, Place.NAME: 0.2, Place.TOKEN: 0.3}
INSIDE = frozenset((Place.NAME, Place.TOKEN))
THRESHOLDS = tuple(tenth / 10 for tenth in range(10))


class ModelAlone(Passing):
    """The helpers with one difference: the model is told of no n-gram and no names."""

    async def ghost(
        self, request: Request, prompt: Prompt, options: GhostOptions, budget_ms: float
    ) -> RawGhost | Reason:
        """Pass on without the repository's words."""
        alone = dataclasses.replace(options, ngrams=None, names={})
        return await self.helpers.ghost(request, prompt, alone, budget_ms)


SHIPPED = "model + n-gram"
ARMS: Mapping[str, Callable[[Helpers], Helpers]] = {
    SHIPPED: lambda helpers: helpers,
    "model alone": ModelAlone,
}


def run(
    source: Source,
    console: Console,
    count: int,
    seed: int,
    settings: Settings,
    weights: Path | None = None,
) -> tuple[dict[str, Any], list[Written]]:
    """Evaluate ``count`` cuts of the repository; print, and return result and items.

    ``weights`` is the folder of another model than the shipped one; raises AbsentModelError where
    it cannot be loaded.
    """
    facts, title = report.machine(), source.title
    counts = {place: round(share * count) for place, share in SHARES.items()}
    sampled = cuts.sample(read_sources(source.root), counts, seed)
    with report.progress(console) as progress:
        task = progress.add_task("writing", total=len(ARMS) * len(sampled))
        written = write_all(
            source, sampled, settings, lambda: progress.advance(task), weights=weights
        )
    console.print(_table(title, written))
    shipped = [one for one in written if one.arm == SHIPPED]
    console.print(calibrated.curve(f"{SHIPPED}: shown and right, per 100 requests", shipped))
    console.print(_reasons(written))
    console.print(report.machine_line(facts), style="dim", highlight=False)
    return result(title, written, seed) | {"machine": facts}, written


def write_all(
    source: Source,
    sampled: Sequence[Cut],
    settings: Settings,
    done: Callable[[], None],
    arms: Sequence[str] = tuple(ARMS),
    weights: Path | None = None,
) -> list[Written]:
    """Ask the ``arms`` at every cut of a repository, in copies that do not hold the answers."""
    written: list[Written] = []
    for one_round in rounds(sampled, lambda cut: cut):
        with cut_copy(source.root, one_round) as workspace:
            asking = _Asking(source.title, workspace, settings, done, weights)
            written += asyncio.run(asking.all(one_round, arms))
    return written


@dataclass(frozen=True, slots=True)
class _Asking:
    """One round: the workspace that its cuts are asked in."""

    title: str
    workspace: Workspace
    settings: Settings
    done: Callable[[], None]
    weights: Path | None

    async def all(self, sampled: Sequence[Cut], arms: Sequence[str]) -> list[Written]:
        root, cache, written = self.workspace.root, self.workspace.cache, []
        async with opened(
            root, cache=cache, settings=self.settings, weights=self.weights
        ) as headless:
            # Arm by arm, so that no arm finds the prompt of the same cut in the model's cache.
            for arm, cut in itertools.product(arms, sampled):
                data = (root / cut.path).read_bytes()
                written.append(await _write(headless, self.title, arm, cut, data))
                headless.index.forget(cut.path)
                self.done()
        return written


async def _write(headless: Headless, title: str, arm: str, cut: Cut, data: bytes) -> Written:
    """Ask once, with nothing of this prompt cached: the worst case of the first keystroke."""
    headless.index.update(cut.path, data)
    request = Request(cut.path, data, cut.offset, automatic=True)  # as while somebody types
    options = dataclasses.replace(headless.options, min_confidence=0.0)
    start = time.perf_counter()
    ghost = await engine.ghost(
        request, headless.index.snapshot(), ARMS[arm](headless.helpers), options
    )
    ms = 1000 * (time.perf_counter() - start)
    text = after_cursor(ghost, data, cut.offset)
    return Written(
        arm=arm,
        cut=cut,
        text=text,
        reason=str(ghost.reason.code) if ghost.reason else "",
        confidence=ghost.confidence,
        name_right=name_right(cut, text),
        line_right=line_right(cut, text),
        ms=ms,
        repository=title,
        stop=ghost.stop,
        whole=whole_right(cut, text),
        helps=helps(cut, text),
        word=word_right(cut, text),
        signs=ghost.signs,
    )


def result(title: str, written: Sequence[Written], seed: int) -> dict[str, Any]:
    """Return the figures of a run as plain values."""
    threshold = Settings().min_confidence
    arms = {}
    for arm in ARMS:
        chosen = [one for one in written if one.arm == arm]
        arms[arm] = {
            **_quality(chosen, threshold),
            "thresholds": {str(limit): _quality(chosen, limit) for limit in THRESHOLDS},
            "confidence": asdict(calibrated.quality(chosen)),
            "ms": asdict(spread([one.ms for one in chosen])),
        }
    facts = {"eval": "ghost", "repository": title, "seed": seed, "threshold": threshold}
    return {**facts, "arms": arms}


def _quality(written: Sequence[Written], threshold: float) -> dict[str, Any]:
    shown = [one for one in written if one.shown(threshold)]
    return {
        "answered": asdict(rate(len(shown), len(written))),
        "name_right": asdict(rate(sum(one.name_right for one in shown), len(written))),
        "line_right": asdict(rate(sum(one.line_right for one in shown), len(written))),
        "name_right_of_shown": asdict(rate(sum(one.name_right for one in shown), len(shown))),
    }


def _table(title: str, written: Sequence[Written]) -> Table:
    header = ("", "n", "answered", "name right", "line right", "of shown", "p50/p95 ms")
    rows = []
    for arm in ARMS:
        of_arm = [one for one in written if one.arm == arm]
        inside = [one for one in of_arm if one.cut.place in INSIDE]
        edges = [one for one in of_arm if one.cut.place not in INSIDE]
        rows.append(_row(arm, of_arm))
        rows += [_row("  at an edge", edges), _row("  inside", inside)]
    return report.table(f"Ghost text, {title}", header, rows)


def _row(name: str, written: Sequence[Written]) -> list[str]:
    shown = [one for one in written if one.shown(Settings().min_confidence)]
    names, lines = sum(one.name_right for one in shown), sum(one.line_right for one in shown)
    ms = spread([one.ms for one in written])
    shares = [rate(hits, len(written)) for hits in (len(shown), names, lines)]
    if_shown = f"{rate(names, len(shown)).value:.0%}"
    return [name, str(len(written)), *map(str, shares), if_shown, f"{ms.p50:.0f}/{ms.p95:.0f}"]


def _reasons(written: Sequence[Written]) -> Table:
    """Return how often each reason led to nothing, the threshold included."""
    threshold = Settings().min_confidence
    rows = []
    for arm in ARMS:
        silent = [one for one in written if one.arm == arm and not one.shown(threshold)]
        codes = [one.reason or str(Code.LOW_CONFIDENCE) for one in silent]
        told = ", ".join(f"{code} {codes.count(code)}" for code in sorted(set(codes)))
        rows.append([arm, told or "none"])
    return report.table("", ("why nothing was shown", "times"), rows)
