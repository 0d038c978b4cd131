"""What the exact boundary costs at cursors in code: passes, nodes, milliseconds.

An arm is done when the first byte behind the cursor is decided. The prompt's trunk is cached, but
for its last token, as it is while somebody types; no arm has seen the cursor before. Times are
paired: at every cursor all arms are asked one after the other, beginning with another one each
time, and what an arm adds is its time minus that of ``none`` at the same cursor.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from completion import decoding
from evaluation.bytes import genlm
from evaluation.bytes.arms import NONE, ONE_TOKEN, OURS, OURS_BRANCHES, Ours, token_arms
from evaluation.bytes.bench import Bench, Cursor, never
from evaluation.bytes.figures import by_group
from evaluation.bytes.places import STABLE, Place
from evaluation.statistics import Mean, Spread, spread

WARM_UP = 2
"""Places that are measured once in vain: the first passes of a process are slow."""

GOAL_PASSES, GOAL_RATIO = 1.2, 1.3
GOAL_P50_MS, GOAL_P95_MS = 15.0, 40.0


@dataclass(frozen=True, slots=True)
class Cost:
    """One arm at one cursor.

    ``passes`` beyond the one that reading the prompt needs; ``nodes`` beyond the prompt's own
    tokens; ``ms`` until the first byte behind the cursor is decided.
    """

    arm: str
    place: Place
    stable: bool
    passes: int
    nodes: int
    ms: float


Decided = Callable[[Cursor], object]
"""Decides the first byte behind the cursor."""


def measure(
    bench: Bench,
    places: Sequence[Place],
    peers: Sequence[genlm.GenlmBytes],
    done: Callable[[], None],
) -> list[Cost]:
    """Ask all arms at all places."""
    named = dict(_arms(bench, peers))
    for place in places[:WARM_UP]:
        _measured(bench, place, named, 0)
    found = []
    for number, place in enumerate(places):
        found += _measured(bench, place, named, number)
        done()
    return found


def _arms(bench: Bench, peers: Sequence[genlm.GenlmBytes]) -> Iterator[tuple[str, Decided]]:
    def branches(at: Cursor) -> object:
        return decoding.write(bench.exact, bench.session, at.layout, 1, never)

    for arm in token_arms(bench):
        yield arm.name, torch.inference_mode()(arm.begin)
    yield OURS_BRANCHES, branches
    for peer in peers:
        yield peer.name, peer.next_byte


def _measured(bench: Bench, place: Place, named: Mapping[str, Decided], number: int) -> list[Cost]:
    at = bench.cursor(place.prompt)
    with torch.inference_mode():
        tree, root = bench.read(bench.exact, at.layout)  # the prompt is cached from here on
        tree.score([root])
    tail = len(bench.tokenizer.encode(at.layout.tail.decode()))
    turn = number % len(named)
    counted = {}
    for name in (*list(named)[turn:], *list(named)[:turn]):
        bench.reset()
        start = time.perf_counter()
        named[name](at)
        counted[name] = (1000 * (time.perf_counter() - start), *bench.counts)
    stable = is_stable(bench, at)
    return [
        Cost(name, place, stable, passes - 1, nodes - tail, ms)
        for name, (ms, passes, nodes) in counted.items()
    ]


def is_stable(bench: Bench, at: Cursor) -> bool:
    """Whether no token reaches across the cursor."""
    with torch.inference_mode():
        leaves = Ours(bench).begin(at).leaves
    return bool((leaves.nodes == leaves.end).all())


@dataclass(frozen=True, slots=True)
class Row:
    """An arm at positions of one kind; ``ms`` and ``added`` in milliseconds.

    ``times_one_token`` is the median of the paired quotients.
    """

    arm: str
    position: str
    n: int
    share: float
    passes: Mean
    nodes: Mean
    ms: Spread
    added: Spread
    times_one_token: float | None


def rows(costs: Sequence[Cost]) -> list[Row]:
    """By kind of position, and all of them."""
    total = len({id(one.place) for one in costs})
    found: list[Row] = []
    for name, chosen in _positions(costs).items():
        found += (
            _row(arm, name, [one for one in chosen if one.arm == arm], costs, total)
            for arm in dict.fromkeys(one.arm for one in costs)
        )
    return found


def _positions(costs: Sequence[Cost]) -> dict[str, list[Cost]]:
    found: dict[str, list[Cost]] = {"all": list(costs)}
    for one in costs:
        found.setdefault(STABLE if one.stable else str(one.place.position), []).append(one)
    return found


def _row(arm: str, name: str, chosen: Sequence[Cost], costs: Sequence[Cost], total: int) -> Row:
    none, one_token = (
        {id(one.place): one.ms for one in costs if one.arm == base} for base in (NONE, ONE_TOKEN)
    )
    quotients = [one.ms / one_token[id(one.place)] for one in chosen if id(one.place) in one_token]
    return Row(
        arm=arm,
        position=name,
        n=len(chosen),
        share=len(chosen) / total,
        passes=by_group((one.place.file, one.passes) for one in chosen),
        nodes=by_group((one.place.file, one.nodes) for one in chosen),
        ms=spread([one.ms for one in chosen]),
        added=spread([one.ms - none[id(one.place)] for one in chosen]),
        times_one_token=median(quotients) if quotients else None,
    )


HEADER = ("position", "share", "passes", "nodes", "ms p50/p95", "added p50/p95", "x one-token")


def table_rows(found: Sequence[Row]) -> Iterator[list[str]]:
    """One row for every arm and kind of position."""
    for one in found:
        times = "" if one.times_one_token is None else f"{one.times_one_token:.2f}"
        first = f"{one.position}, n = {one.n}" if one.arm == NONE else f"  {one.arm}"
        yield [
            first,
            f"{one.share:.1%}" if one.arm == NONE else "",
            f"{one.passes.value:.2f}",
            f"{one.nodes.value:.2f}",
            f"{one.ms.p50:.1f}/{one.ms.p95:.1f}",
            f"{one.added.p50:.1f}/{one.added.p95:.1f}",
            times,
        ]


def goals(found: Sequence[Row]) -> dict[str, Any]:
    """What is to be reached, and whether it is; None where there is nothing to compare with."""
    every = {one.arm: one for one in found if one.position == "all"}
    stable = [one for one in found if one.position == STABLE and one.arm == OURS]
    ours = every[OURS]
    peers = [one for name, one in every.items() if name.startswith(genlm.NAME)]
    return {
        f"extra passes <= {GOAL_PASSES}": ours.passes.value <= GOAL_PASSES,
        f"extra passes <= {GOAL_PASSES}, with branches": (
            every[OURS_BRANCHES].passes.value <= GOAL_PASSES
        ),
        "no extra pass, no extra node at stable boundaries": (
            all(one.passes.value == 0 and one.nodes.value == 0 for one in stable)
            if stable
            else None
        ),
        f"added p50 <= {GOAL_P50_MS:.0f} ms": ours.added.p50 <= GOAL_P50_MS,
        f"added p95 <= {GOAL_P95_MS:.0f} ms": ours.added.p95 <= GOAL_P95_MS,
        f"<= {GOAL_RATIO} x one-token": (ours.times_one_token or 0.0) <= GOAL_RATIO,
        "faster than genlm-bytes": (
            all(ours.ms.p50 < one.ms.p50 for one in peers) if peers else None
        ),
    }
