"""HumanEval-Infilling's random spans, those cut inside an identifier apart.

The arms differ in how they begin; behind that all write greedily until the model says that the
middle is complete or the budget is used up. pass@1, of one greedy text, only with ``--run-tests``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from completion.boundary import in_identifier
from completion.prompting import SUFFIX_BYTES
from completion.request import Prompt
from evaluation import freely, sandbox
from evaluation.blanks import KINDS, Blank, sample
from evaluation.bytes.arms import Arm, leading_identifier
from evaluation.bytes.bench import Bench
from evaluation.bytes.figures import by_group, share
from evaluation.infilling import first_line
from evaluation.statistics import Mean

SET = "random-span"
INSIDE, EDGE = "inside", "edges"
"""The holes that begin or end inside an identifier, and the others."""


@dataclass(frozen=True, slots=True)
class Filled:
    """One hole filled by one arm.

    ``word``: the identifier that the hole begins in goes on and ends as it truly does; None where
    it begins in none. ``passed`` is None where no test was run.
    """

    arm: str
    blank: Blank
    inside: bool
    text: str
    whole: bool
    line: bool
    word: bool | None
    passed: bool | None


def read(folder: Path, count: int | None, seed: int) -> list[Blank]:
    """``count`` holes of the set. Raises evaluation.items.ItemsError where it cannot be read."""
    return sample(KINDS[SET].read(folder), count, seed)


def is_inside(blank: Blank) -> bool:
    """Whether the hole begins or ends inside an identifier."""
    truth, before, after = (one.encode() for one in (blank.truth, blank.before, blank.after))
    return _joined(before[-1:], truth[:1]) or _joined(truth[-1:], after[:1])


def _joined(left: bytes, right: bytes) -> bool:
    return bool(left and right) and in_identifier(left[0]) and in_identifier(right[0])


def fill(
    bench: Bench,
    blanks: Sequence[Blank],
    arms: Sequence[Arm],
    done: Callable[[], None],
    *,
    run_tests: bool,
) -> list[Filled]:
    """Fill all holes in all arms."""
    found = []
    for blank in blanks:
        suffix = blank.after.encode()[:SUFFIX_BYTES].decode(errors="ignore")
        at = bench.cursor(Prompt("", suffix, blank.before))
        runnable = run_tests and sandbox.run(blank.program(blank.truth)).passed
        for arm in arms:
            written = arm.write(at, _never, freely.BUDGET) or b""
            text = written.decode(errors="ignore")
            passed = sandbox.run(blank.program(text)).passed if runnable else None
            found.append(_judged(arm.name, blank, text, passed=passed))
        done()
    return found


def _judged(arm: str, blank: Blank, text: str, *, passed: bool | None) -> Filled:
    begins_inside = _joined(blank.before.encode()[-1:], blank.truth.encode()[:1])
    # What follows the hole may belong to the identifier, too.
    words = [leading_identifier((each + blank.after).encode()) for each in (text, blank.truth)]
    return Filled(
        arm=arm,
        blank=blank,
        inside=is_inside(blank),
        text=text,
        whole=text.rstrip() == blank.truth.rstrip(),
        line=first_line(text) == first_line(blank.truth),
        word=words[0] == words[1] if begins_inside else None,
        passed=passed,
    )


def _never(_: bytes) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Row:
    """How well an arm filled; ``passed`` of the holes whose true text passes, None where none was
    run. Intervals over the problems, of which a hole is a part."""

    arm: str
    part: str
    n: int
    whole: Mean
    line: Mean
    word: Mean | None
    passed: Mean | None
    runnable: int


def rows(filled: Sequence[Filled]) -> list[Row]:
    """All, those inside identifiers, and the others; by arm."""
    found: list[Row] = []
    parts = {
        "all": list(filled),
        INSIDE: [one for one in filled if one.inside],
        EDGE: [one for one in filled if not one.inside],
    }
    for part, chosen in parts.items():
        found += (
            _row(arm, part, [one for one in chosen if one.arm == arm])
            for arm in dict.fromkeys(one.arm for one in chosen)
        )
    return found


def _row(arm: str, part: str, chosen: Sequence[Filled]) -> Row:
    tested = [(_problem(one.blank), float(one.passed)) for one in chosen if one.passed is not None]
    words = [(_problem(one.blank), float(one.word)) for one in chosen if one.word is not None]
    return Row(
        arm=arm,
        part=part,
        n=len(chosen),
        whole=by_group((_problem(one.blank), float(one.whole)) for one in chosen),
        line=by_group((_problem(one.blank), float(one.line)) for one in chosen),
        word=by_group(words) if words else None,
        passed=by_group(tested) if tested else None,
        runnable=len(tested),
    )


def _problem(blank: Blank) -> str:
    """The problem that a hole was made in; its name is all but the last part of the hole's."""
    return blank.name.rpartition("/")[0]


HEADER = ("holes", "n", "whole", "first line", "word", "pass@1", "run")


def table_rows(found: Sequence[Row]) -> Iterator[list[str]]:
    """One row for every part and arm."""
    for one in found:
        yield [
            f"{one.part}: {one.arm}",
            str(one.n),
            share(one.whole),
            share(one.line),
            "-" if one.word is None else share(one.word),
            "not run" if one.passed is None else share(one.passed),
            str(one.runnable),
        ]
