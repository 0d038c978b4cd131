"""``lancefill eval members``: does ghost text behind a dot name members that exist?

Items are dots in code: attributes that are read and methods that are called, drawn by seed, the
cursor behind the dot. The rest of the line is cut away before anything is indexed
(``workspaces.py``). Two arms on identical items: held to the members that are known while the text
is written, and not held (what does not exist is then cut away afterwards, as in both arms).

Where all members of the receiver are known, a name that is none of them does not exist; it is
counted in what the model wrote, before the filters, and in what would be shown. That knowledge
itself can be wrong: ``true name ruled out`` is how often the writer's own name was not among the
known ones. Nothing is said of names behind other receivers but whether they were right.
"""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from completion import engine, standard_library, stores
from completion.languages import language_for
from completion.membership import known_members
from completion.request import (
    GhostOptions,
    Known,
    Prompt,
    RawGhost,
    Reason,
    Request,
)
from evaluation import cuts, report
from evaluation.answers import WORD, after_cursor, name_right
from evaluation.apieval import Source
from evaluation.cuts import Cut, Place
from evaluation.dependencies import READING_S, Packages, nothing_installed
from evaluation.headless import Headless, opened
from evaluation.passing import Passing
from evaluation.statistics import mean, rate, spread
from evaluation.workspaces import Workspace, cut_copy, read_sources, rounds
from lsp_server.settings import Settings

HELD, FREE = ARMS = ("held", "not held")


@dataclass(slots=True)
class Recording(Passing):
    """The helpers, and what the model wrote last; ``held``: it is told of the known members."""

    held: bool = True
    text: str = ""
    stop: str = ""

    async def ghost(
        self, request: Request, prompt: Prompt, options: GhostOptions, budget_ms: float
    ) -> RawGhost | Reason:
        """Pass on, and keep the text."""
        asked = options if self.held else dataclasses.replace(options, known=Known())
        raw = await self.helpers.ghost(request, prompt, asked, budget_ms)
        self.text, self.stop = ("", "") if isinstance(raw, Reason) else (raw.text, raw.stop)
        return raw


@dataclass(frozen=True, slots=True)
class Dotted:
    """One answer behind a dot.

    ``known``: all members of the receiver are; ``ruled_out``: the true name is none of them.
    ``missing`` and ``shown_missing``: the name that was written, or shown, is none of them.
    ``known_ms`` is what working out the known members took, ``ms`` the whole answer.
    """

    arm: str
    repository: str
    cut: Cut
    text: str
    reason: str
    stop: str
    known: bool
    ruled_out: bool
    missing: bool
    shown_missing: bool
    right: bool
    known_ms: float
    ms: float


def sample(files: Mapping[str, bytes], count: int, seed: int) -> list[Cut]:
    """Return up to ``count`` cuts behind dots, at most `cuts.PER_FILE` in a file, one in a line."""
    drawn = random.Random(seed)
    paths = sorted(files)
    drawn.shuffle(paths)
    found: list[Cut] = []
    for path in paths:
        data = files[path]
        spans = list(_dots(data))
        drawn.shuffle(spans)
        by_line = {cuts.line_start(data, span[0]): span for span in spans}
        chosen = list(by_line.values())[: min(cuts.PER_FILE, count - len(found))]
        found += [cuts.cut_at(path, data, span[0], Place.DOT, span) for span in chosen]
    return sorted(found, key=lambda cut: (cut.path, cut.offset))


def _dots(data: bytes) -> Iterator[cuts.Span]:
    """Yield the span of every name that stands right behind a dot, called or read."""
    called = (site.name for site in cuts.sites(data) if site.receiver is not None)
    for start, end in itertools.chain(called, cuts.reads(data)):
        if data[start - 1 : start] == b"." and data[start:end].isascii():
            yield start, end


def run(
    sources: Sequence[Source],
    console: Console,
    count: int,
    seed: int,
    settings: Settings,
    weights: Path | None = None,
    packages: Packages = nothing_installed,
) -> tuple[dict[str, Any], list[Dotted]]:
    """Evaluate ``count`` dots of each repository; print, and return figures and items.

    ``packages`` gives the folders of a repository's installed packages.

    Raises AbsentModelError where ``weights``, the folder of another model, cannot be loaded.
    """
    facts = report.machine()
    sampled = [(one, sample(read_sources(one.root), count, seed)) for one in sources]
    written: list[Dotted] = []
    with report.progress(console) as progress:
        total = len(ARMS) * sum(len(each) for _, each in sampled)
        task = progress.add_task("writing", total=total)
        for source, each in sampled:
            done, folders = (lambda: progress.advance(task)), packages(source.root)
            written += write_all(source, each, settings, done, weights, folders)
    console.print(_table(written))
    console.print(report.machine_line(facts), style="dim", highlight=False)
    return result(written, seed) | {"machine": facts}, written


def write_all(
    source: Source,
    sampled: Sequence[Cut],
    settings: Settings,
    done: Callable[[], None],
    weights: Path | None = None,
    packages: tuple[Path, ...] = (),
) -> list[Dotted]:
    """Ask both arms at every cut of a repository, in copies that do not hold the answers."""
    written: list[Dotted] = []
    for number, one_round in enumerate(rounds(sampled, lambda cut: cut)):
        arms = ARMS if number % 2 else ARMS[::-1]  # the first one finds nothing warm
        with cut_copy(source.root, one_round) as workspace:
            asking = _Asking(source.title, workspace, settings, done, weights, packages)
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
    packages: tuple[Path, ...] = ()

    async def all(self, sampled: Sequence[Cut], arms: Sequence[str]) -> list[Dotted]:
        root, cache, written = self.workspace.root, self.workspace.cache, []
        async with opened(
            root,
            cache=cache,
            settings=self.settings,
            weights=self.weights,
            packages=self.packages,
        ) as headless:
            # Arm by arm, so that no arm finds the prompt of the same cut in the model's cache.
            for arm, cut in itertools.product(arms, sampled):
                data = (root / cut.path).read_bytes()
                written.append(await _write(headless, self.title, arm, cut, data))
                headless.index.forget(cut.path)
                self.done()
        return written


async def _write(headless: Headless, title: str, arm: str, cut: Cut, data: bytes) -> Dotted:
    headless.index.update(cut.path, data)
    request = Request(cut.path, data, cut.offset, automatic=True)
    snapshot = headless.index.snapshot()
    engine.prepare(cut.path, data, snapshot)  # as the server does when a file is opened
    context = language_for(cut.path).read(data, cut.offset, snapshot.tree(cut.path))
    known_members(request, context, snapshot)  # what it has no time to read is read by a thread
    standard_library.wait(READING_S)
    stores.wait(snapshot, READING_S)
    if snapshot.packages is not None:
        snapshot.packages.wait(READING_S)
    started = time.perf_counter()
    here = known_members(request, context, snapshot).here
    known_ms = 1000 * (time.perf_counter() - started)
    helpers = Recording(headless.helpers, held=arm == HELD)
    options = dataclasses.replace(headless.options, min_confidence=0.0)
    started = time.perf_counter()
    ghost = await engine.ghost(request, snapshot, helpers, options)
    ms = 1000 * (time.perf_counter() - started)
    text = after_cursor(ghost, data, cut.offset)
    return Dotted(
        arm=arm,
        repository=title,
        cut=cut,
        text=text,
        reason=str(ghost.reason.code) if ghost.reason else "",
        stop=helpers.stop,
        known=here is not None,
        ruled_out=here is not None and cut.name not in here,
        missing=_is_missing(helpers.text, here),
        shown_missing=_is_missing(text, here),
        right=name_right(cut, text),
        known_ms=known_ms,
        ms=ms,
    )


def _is_missing(text: str, here: Sequence[str] | None) -> bool:
    """Return whether ``text`` begins with a name that is none of those known."""
    match = WORD.match(text)
    return here is not None and match is not None and bool(match[0]) and match[0] not in here


def result(written: Sequence[Dotted], seed: int) -> dict[str, Any]:
    """Return the figures of a run as plain values, of each repository and of all."""
    titles = sorted({one.repository for one in written})
    figures = {title: _figures([o for o in written if o.repository == title]) for title in titles}
    return {"eval": "members", "seed": seed, "all": _figures(written), "repositories": figures}


def _figures(written: Sequence[Dotted]) -> dict[str, Any]:
    held = [one for one in written if one.arm == HELD]
    known = [one for one in held if one.known]
    return {
        "known": asdict(rate(len(known), len(held))),
        "true_name_ruled_out": asdict(rate(sum(one.ruled_out for one in known), len(known))),
        "gain_in_right_names": asdict(mean(_gains(written))),
        "known_ms": asdict(spread([one.known_ms for one in held])),
        "arms": {arm: _split([one for one in written if one.arm == arm]) for arm in ARMS},
    }


def _gains(written: Sequence[Dotted]) -> list[float]:
    """Return, item by item, whether holding to members made a name right (1) or wrong (-1)."""
    held = [one for one in written if one.arm == HELD]
    free = {(one.repository, one.cut): one.right for one in written if one.arm == FREE}
    return [float(one.right) - float(free[one.repository, one.cut]) for one in held]


def _split(written: Sequence[Dotted]) -> dict[str, Any]:
    parts = {"known": True, "not known": False}
    return {
        "all": _quality(written),
        **{
            name: _quality([o for o in written if o.known is known])
            for name, known in parts.items()
        },
    }


def _quality(written: Sequence[Dotted]) -> dict[str, Any]:
    def share(name: str) -> dict[str, Any]:
        return asdict(rate(sum(getattr(one, name) for one in written), len(written)))

    return {
        "answered": asdict(rate(sum(bool(one.text) for one in written), len(written))),
        "written_that_do_not_exist": share("missing"),
        "shown_that_do_not_exist": share("shown_missing"),
        "name_right": share("right"),
        "ms": asdict(spread([one.ms for one in written])),
    }


def _table(written: Sequence[Dotted]) -> Table:
    header = ("", "n", "of dots", "written, none", "shown, none", "name right", "p50/p95 ms")
    rows = []
    for title in (*sorted({one.repository for one in written}), ""):
        of_title = [one for one in written if title in ("", one.repository)]
        for arm in ARMS:
            for known in (True, False):
                some = [one for one in of_title if one.arm == arm and one.known is known]
                whole = sum(one.arm == arm for one in of_title)
                name = f"{title.partition(' ')[0] or 'all'}, {arm}, {'' if known else 'not '}known"
                rows.append(_row(name, some, whole))
    return report.table("Members behind dots", header, rows)


def _row(name: str, written: Sequence[Dotted], whole: int) -> list[str]:
    count = len(written)
    shares = [
        str(rate(sum(getattr(one, field) for one in written), count))
        for field in ("missing", "shown_missing", "right")
    ]
    ms = spread([one.ms for one in written])
    return [name, str(count), f"{count / whole:.0%}", *shares, f"{ms.p50:.0f}/{ms.p95:.0f}"]
