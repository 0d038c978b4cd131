"""Is the rest of an identifier right after k of its bytes, and how likely is the true one?

The same identifiers are cut at every offset, and all arms are asked about them. *Token*: the
identifier goes on as it truly does and ends where it does; *line*: so does the rest of its line.
The likelihood is that of the identifier's rest followed by a byte of no identifier.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from completion.boundary import in_identifier
from evaluation.bytes import genlm
from evaluation.bytes.arms import LINE_TOKENS, NONE, OURS, OURS_BRANCHES, Arm, leading_identifier
from evaluation.bytes.bench import Bench
from evaluation.bytes.figures import by_group, share, signed
from evaluation.bytes.healing import TOKEN_HEALING
from evaluation.bytes.places import OFFSETS, Files, Identifier, Position, place
from evaluation.statistics import Mean

COMPARED = (NONE, TOKEN_HEALING)
"""The arms that the gain is told over."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One arm at one cut; ``log_prob`` is None where it has none, ``line`` where it was not asked
    for."""

    arm: str
    identifier: Identifier
    offset: int
    token: bool
    line: bool | None
    log_prob: float | None
    text: str


def ask(
    bench: Bench,
    files: Files,
    identifiers: Sequence[Identifier],
    arms: Sequence[Arm],
    done: Callable[[], None],
) -> list[Answer]:
    """Ask all arms about all identifiers at all offsets."""
    return [answer for one in identifiers for answer in _at_offsets(bench, files, one, arms, done)]


def _at_offsets(
    bench: Bench,
    files: Files,
    identifier: Identifier,
    arms: Sequence[Arm],
    done: Callable[[], None],
) -> Iterator[Answer]:
    data = files[identifier.file]
    for offset in OFFSETS:
        cut = identifier.begin + offset
        if cut >= identifier.end:
            break
        found = place(identifier.file, data, cut, Position.IDENTIFIER)
        at = bench.cursor(found.prompt)
        rest = data[cut : identifier.end]
        for arm in arms:
            by_byte = isinstance(arm, genlm.GenlmBytes)
            text = arm.write(at, _ends_identifier if by_byte else _ends_line, LINE_TOKENS)
            yield Answer(
                arm=arm.name,
                identifier=identifier,
                offset=offset,
                token=text is not None and leading_identifier(text) == rest,
                line=None if by_byte else text is not None and _line(text) == _line(found.rest),
                log_prob=arm.log_prob(at, rest),
                text="" if text is None else text.decode(errors="replace"),
            )
        done()


def _ends_line(text: bytes) -> bool:
    return b"\n" in text or b"\r" in text


def _ends_identifier(text: bytes) -> bool:
    return not all(map(in_identifier, text))


def _line(text: bytes) -> bytes:
    return (text.splitlines() or [b""])[0].rstrip()


# Figures

Group = Sequence[Answer]


@dataclass(frozen=True, slots=True)
class Row:
    """An arm's answers at one offset, or over all of them (None).

    ``log_prob`` in nats per identifier, over those to which the arm gives a chance; ``ruled_out``
    is the share of the others.
    """

    arm: str
    offset: int | None
    n: int
    token: Mean
    line: Mean | None
    log_prob: Mean | None
    ruled_out: float


def rows(answers: Group) -> list[Row]:
    """By arm, the offsets together first and then one by one."""
    found = []
    for arm in dict.fromkeys(one.arm for one in answers):
        chosen = [one for one in answers if one.arm == arm]
        found.append(_row(arm, None, chosen))
        found += (
            _row(arm, offset, [one for one in chosen if one.offset == offset])
            for offset in sorted({one.offset for one in chosen})
        )
    return found


def _row(arm: str, offset: int | None, chosen: Group) -> Row:
    files = [one.identifier.file for one in chosen]
    lines = [(one.identifier.file, float(one.line)) for one in chosen if one.line is not None]
    said = [(one.identifier.file, one.log_prob) for one in chosen if one.log_prob is not None]
    finite = [(file, log_prob) for file, log_prob in said if math.isfinite(log_prob)]
    tokens = (float(one.token) for one in chosen)
    return Row(
        arm=arm,
        offset=offset,
        n=len(chosen),
        token=by_group(zip(files, tokens, strict=True)),
        line=by_group(lines) if lines else None,
        log_prob=by_group(finite) if finite else None,
        ruled_out=1 - len(finite) / len(said) if said else 0.0,
    )


def gains(answers: Group) -> dict[str, dict[str, Mean]]:
    """How much more often our arms are right, by the arm that they are compared with and by
    measure; paired, with intervals over files."""
    by_arm: dict[str, Mapping[tuple[Identifier, int], Answer]] = {}
    for name in dict.fromkeys(one.arm for one in answers):
        chosen = [one for one in answers if one.arm == name]
        by_arm[name] = {(one.identifier, one.offset): one for one in chosen}
    found = {}
    for ours in (OURS, OURS_BRANCHES):
        for other in COMPARED:
            if ours in by_arm and other in by_arm:
                found[f"{ours} over {other}"] = _gain(by_arm[ours], by_arm[other])
    return found


def _gain(
    ours: Mapping[tuple[Identifier, int], Answer], others: Mapping[tuple[Identifier, int], Answer]
) -> dict[str, Mean]:
    pairs = [(one, others[key]) for key, one in ours.items()]
    found = {
        "token": by_group((a.identifier.file, float(a.token) - float(b.token)) for a, b in pairs),
        "line": by_group(
            (a.identifier.file, float(a.line or False) - float(b.line or False)) for a, b in pairs
        ),
    }
    nats = [
        (a.identifier.file, a.log_prob - b.log_prob)
        for a, b in pairs
        if a.log_prob is not None and b.log_prob is not None and math.isfinite(b.log_prob)
    ]
    if nats:
        found["log P"] = by_group(nats)
    return found


def largest_fall(found: Sequence[Row], arm: str) -> float:
    """By how much the accuracy falls at most from one offset to the next; 0 where it never does."""
    values = [one.token.value for one in found if one.arm == arm and one.offset is not None]
    return max([0.0, *(a - b for a, b in pairwise(values))])


def goals(found: Sequence[Row]) -> dict[str, bool]:
    """What is to be reached, and whether it is."""
    return {
        f"token, {arm}: non-decreasing in k": largest_fall(found, arm) == 0
        for arm in (OURS, OURS_BRANCHES)
        if any(one.arm == arm for one in found)
    }


HEADER = ("arm", "k", "n", "token", "line", "log P", "ruled out")


def table_rows(found: Sequence[Row]) -> Iterator[list[str]]:
    """One row for every arm and offset."""
    for one in found:
        yield [
            one.arm if one.offset is None else "",
            "all" if one.offset is None else str(one.offset),
            str(one.n),
            share(one.token),
            "-" if one.line is None else share(one.line),
            "-" if one.log_prob is None else f"{one.log_prob.value:.2f}",
            "-" if one.log_prob is None else f"{one.ruled_out:.1%}",
        ]


def gain_rows(found: Mapping[str, Mapping[str, Mean]]) -> Iterator[list[str]]:
    """One row for every comparison and measure; shares in points, log P in nats."""
    for name, measures in found.items():
        for measure, mean in measures.items():
            scale, digits = (1, 2) if measure == "log P" else (100, 1)
            yield [f"{name}, {measure}", str(mean.total), signed(mean, scale, digits)]


def result(longer: Group, shorter: Group) -> dict[str, Any]:
    """All figures as plain values."""
    found = rows(longer)
    return {
        "identifiers": found,
        "short identifiers": rows(shorter),
        "gains": gains(longer),
        "largest fall": {
            arm: largest_fall(found, arm) for arm in dict.fromkeys(one.arm for one in found)
        },
        "goals": goals(found),
    }
