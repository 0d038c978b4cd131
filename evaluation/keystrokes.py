"""``lancefill eval keystrokes``: how many keys does completion save while real lines are typed?

Lines of code are drawn from real files and typed again, character by character, with what follows
them in the file below the cursor. Their text is cut away on disk before anything is indexed. At
every character the engine of an editor is asked, under its deadlines: for ghost text everywhere,
for a popup where editors ask by themselves (behind a dot, and inside a word). Then the typing is
replayed by a person who sees all that is shown and never errs: right ghost text costs one key, a
wanted name among the first five of the popup one key for each name above it and one to accept;
of two that help the one that saves more is taken. Indentation and the line break are not counted,
and no bracket closes by itself. What is shown and wrong costs no key, so it is counted apart.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from completion import engine
from completion.request import Code, Request
from evaluation import cuts, report
from evaluation.answers import after_cursor
from evaluation.apieval import Source
from evaluation.cuts import Cut, Place
from evaluation.headless import Headless, opened
from evaluation.statistics import Mean, rate, ratio, spread
from evaluation.workspaces import cut_copy, read_sources, rounds
from lsp_server.settings import Settings

FIRST = 5
"""Popup items that a person looks at."""

SHORTEST, LONGEST = 8, 120
"""Characters of the lines that are typed, without indentation."""

PER_FILE = 2
THRESHOLDS = tuple(step / 10 for step in range(10))

_IDENTIFIER = re.compile(r"[^\W\d]\w*")
_TYPED = re.compile(r"(?:^|(?<=[^\w]))[^\W\d]\w*$")


@dataclass(frozen=True, slots=True)
class Offer:
    """What was offered at one character: ghost text with its confidence, and the popup's names.

    ``popup_ms`` is None where no popup was asked for, ``ghost_ms`` where the place was gated.
    """

    ghost: str
    confidence: float
    names: tuple[str, ...]
    ghost_ms: float | None
    popup_ms: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """One line that was typed: ``cut.rest`` is its text, ``offers`` one for each character."""

    repository: str
    cut: Cut
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class Typing:
    """One line replayed: keys pressed, characters saved by each aid, how often each was taken.

    ``wrong`` counts the characters at which wrong ghost text was shown, ``shown`` all at which any
    was.
    """

    characters: int
    keys: int
    by_ghost: int
    by_popup: int
    ghosts: int
    popups: int
    shown: int
    wrong: int


def sample(files: Mapping[str, bytes], count: int, seed: int) -> list[Cut]:
    """Up to ``count`` lines of code, `PER_FILE` of one file at most, cut behind the indentation.

    Left out are lines in or with strings of several lines, and those shorter or longer than people
    type at one go.
    """
    taken: list[Cut] = []
    for cut in _drawn(files, seed):
        if len(taken) == count:
            break
        if sum(each.path == cut.path for each in taken) < PER_FILE:
            taken.append(cut)
    return sorted(taken, key=lambda cut: (cut.path, cut.offset))


def _drawn(files: Mapping[str, bytes], seed: int) -> Iterator[Cut]:
    """The lines that can be typed, file by file, both in an order drawn by ``seed``."""
    drawn = np.random.default_rng(seed)
    paths = sorted(files)
    for path in (paths[at] for at in drawn.permutation(len(paths))):
        data = files[path]
        starts = sorted(set(cuts.edges(data)))
        for start in (starts[at] for at in drawn.permutation(len(starts))):
            if data[cuts.line_start(data, start) : start].strip():
                continue
            cut = cuts.cut_at(path, data, start, Place.EDGE, (start, start))
            text = cut.rest.rstrip()
            if SHORTEST <= len(text) <= LONGEST and '"""' not in text and "'''" not in text:
                yield replace(cut, rest=text)


# Asking


def popup_due(before: str) -> bool:
    """Whether an editor asks for a popup by itself behind this beginning of a line."""
    return before.endswith(".") or _TYPED.search(before) is not None


async def ask(headless: Headless, cut: Cut, data: bytes) -> tuple[Offer, ...]:
    """The offers at every character of the line that is gone from ``data``."""
    return tuple([await _offer(headless, cut, data, typed) for typed in range(len(cut.rest))])


async def _offer(headless: Headless, cut: Cut, data: bytes, typed: int) -> Offer:
    """What is offered behind the line's first characters."""
    before = cut.rest[:typed].encode()
    text, offset = data[: cut.offset] + before + data[cut.offset :], cut.offset + len(before)
    headless.index.update(cut.path, text)
    request, snapshot = Request(cut.path, text, offset), headless.index.snapshot()
    options = replace(headless.options, min_confidence=0.0)
    names: tuple[str, ...] = ()
    popup_ms = ghost_ms = None
    if popup_due(cut.rest[:typed]):
        start = time.perf_counter()
        listed = await engine.popup(request, snapshot, headless.helpers, options)
        popup_ms = 1000 * (time.perf_counter() - start)
        names = tuple(_name(item.label) for item in listed.items[:FIRST])
    start = time.perf_counter()
    ghost = await engine.ghost(request, snapshot, headless.helpers, options)
    if ghost.reason is None or ghost.reason.code is not Code.GATED:
        ghost_ms = 1000 * (time.perf_counter() - start)
    return Offer(after_cursor(ghost, text, offset), ghost.confidence, names, ghost_ms, popup_ms)


def _name(label: str) -> str:
    match = _IDENTIFIER.match(label)
    return match[0] if match else label


# Replaying


def replay(line: Line, threshold: float, *, ghosts: bool = True, popups: bool = True) -> Typing:
    """Type the line with what was offered; ghost text below ``threshold`` is not shown."""
    text = line.cut.rest
    at = keys = by_ghost = by_popup = taken_ghosts = taken_popups = shown = wrong = 0
    while at < len(text):
        offer, left = line.offers[at], text[at:]
        written = offer.ghost.rstrip() if ghosts and offer.confidence >= threshold else ""
        right = bool(written) and left.startswith(written)
        shown += bool(written)
        wrong += bool(written) and not right
        ghost_gain = len(written) - 1 if right else 0
        step, cost = _from_popup(text, at, offer.names) if popups else (0, 0)
        if ghost_gain > 0 and ghost_gain >= step - cost:
            keys, at = keys + 1, at + len(written)
            by_ghost, taken_ghosts = by_ghost + ghost_gain, taken_ghosts + 1
        elif step > cost:
            keys, at = keys + cost, at + step
            by_popup, taken_popups = by_popup + step - cost, taken_popups + 1
        else:
            keys, at = keys + 1, at + 1
    return Typing(len(text), keys, by_ghost, by_popup, taken_ghosts, taken_popups, shown, wrong)


def _from_popup(text: str, at: int, names: Sequence[str]) -> tuple[int, int]:
    """(characters that the wanted name would add, keys that it costs); zeros: it is not offered."""
    typed = _TYPED.search(text[:at])
    begin = typed.start() if typed else at
    wanted = _IDENTIFIER.match(text, begin)
    if wanted is None or wanted[0] not in names:
        return 0, 0
    return wanted.end() - at, names.index(wanted[0]) + 1


# Figures


@dataclass(frozen=True, slots=True)
class Saved:
    """Lines replayed: shares of all characters saved, and what 100 lines bring."""

    saved: Mean
    by_ghost: float
    by_popup: float
    ghosts: float
    popups: float
    shown: float
    wrong: float


def saved(typings: Sequence[Typing]) -> Saved:
    """Sum up; the interval is a bootstrap over lines."""
    characters = [one.characters for one in typings]
    everything, lines = max(sum(characters), 1), max(len(typings), 1)

    def hundred(of: Callable[[Typing], int]) -> float:
        return 100 * sum(map(of, typings)) / lines

    return Saved(
        saved=ratio([one.characters - one.keys for one in typings], characters),
        by_ghost=sum(one.by_ghost for one in typings) / everything,
        by_popup=sum(one.by_popup for one in typings) / everything,
        ghosts=hundred(lambda one: one.ghosts),
        popups=hundred(lambda one: one.popups),
        shown=hundred(lambda one: one.shown),
        wrong=hundred(lambda one: one.wrong),
    )


ARMS: Mapping[str, Mapping[str, bool]] = {
    "popup and ghost text": {},
    "ghost text alone": {"popups": False},
    "popup alone": {"ghosts": False},
}


def run(
    sources: Sequence[Source],
    count: int,
    seed: int,
    settings: Settings,
    console: Console,
    weights: Path | None = None,
) -> tuple[dict[str, Any], list[Line]]:
    """Type ``count`` lines, as many of each repository; print; return the figures and the lines."""
    facts = report.machine()
    each = -(-count // len(sources))
    drawn = [(source, sample(read_sources(source.root), each, seed)) for source in sources]
    lines: list[Line] = []
    with report.progress(console) as progress:
        task = progress.add_task("typing", total=sum(len(found) for _, found in drawn))
        for source, found in drawn:
            progress.update(task, description=source.title)
            for one_round in rounds(found, lambda cut: cut):
                typing = _round(
                    source, one_round, settings, weights, lambda: progress.advance(task)
                )
                lines += asyncio.run(typing)
    for table in tables(lines, settings.min_confidence):
        console.print(table)
    console.print(report.machine_line(facts), style="dim", highlight=False)
    return result(lines, settings.min_confidence) | {"seed": seed, "machine": facts}, lines


async def _round(
    source: Source,
    found: Sequence[Cut],
    settings: Settings,
    weights: Path | None,
    done: Callable[[], None],
) -> list[Line]:
    lines = []
    with cut_copy(source.root, found) as workspace:
        root, cache = workspace.root, workspace.cache
        async with opened(root, cache=cache, settings=settings, weights=weights) as headless:
            for cut in found:
                offers = await ask(headless, cut, (root / cut.path).read_bytes())
                lines.append(Line(source.title, cut, offers))
                headless.index.forget(cut.path)
                done()
    return lines


def result(lines: Sequence[Line], threshold: float) -> dict[str, Any]:
    """The figures as plain values."""
    asked = [offer for line in lines for offer in line.offers]
    return {
        "eval": "keystrokes",
        "lines": len(lines),
        "characters": len(asked),
        "threshold": threshold,
        "arms": {name: asdict(_saved(lines, threshold, **arm)) for name, arm in ARMS.items()},
        "thresholds": {str(each): asdict(_saved(lines, each)) for each in THRESHOLDS},
        "answered": asdict(rate(sum(bool(offer.ghost) for offer in asked), len(asked))),
        "ghost_ms": asdict(spread([o.ghost_ms for o in asked if o.ghost_ms is not None])),
        "popup_ms": asdict(spread([o.popup_ms for o in asked if o.popup_ms is not None])),
    }


def _saved(lines: Sequence[Line], threshold: float, **arm: bool) -> Saved:
    return saved([replay(line, threshold, **arm) for line in lines])


HEADER = ("", "keys saved", "ghost", "popup", "ghosts", "popups", "shown", "wrong")


def tables(lines: Sequence[Line], threshold: float) -> list[Table]:
    """The arms, the thresholds, and how long everything took."""
    asked = [offer for line in lines for offer in line.offers]
    arms = [_row(name, _saved(lines, threshold, **arm)) for name, arm in ARMS.items()]
    sums = [_row(f"confidence >= {each:.1f}", _saved(lines, each)) for each in THRESHOLDS]
    ghosts = spread([o.ghost_ms for o in asked if o.ghost_ms is not None])
    popups = spread([o.popup_ms for o in asked if o.popup_ms is not None])
    times = [
        [name, str(each.n), f"{each.p50:.0f}", f"{each.p95:.0f}"]
        for name, each in (("ghost text", ghosts), ("popup", popups))
    ]
    title = f"{len(lines)} lines, {len(asked)} characters, confidence >= {threshold:g}"
    return [
        report.table(f"{title}; counts per 100 lines", HEADER, arms),
        report.table("popup and ghost text, by threshold", HEADER, sums),
        report.table("milliseconds", ("", "asked", "p50", "p95"), times),
    ]


def _row(name: str, each: Saved) -> list[str]:
    share = each.saved
    return [
        name,
        f"{share.value:.1%} [{100 * share.low:.0f}, {100 * share.high:.0f}]",
        f"{each.by_ghost:.1%}",
        f"{each.by_popup:.1%}",
        *(f"{x:.0f}" for x in (each.ghosts, each.popups, each.shown, each.wrong)),
    ]
