"""Is what the arms say true? Log-probabilities against enumeration, samples by a chi-squared test.

On toy vocabularies everything can be enumerated (``toys.py``): log P(text), from the first byte on,
and what the next byte is. ``none`` and ``one-token`` say nothing of the first; all arms are asked
under the canonical view of the network there, the one that was enumerated. On the shipped
vocabulary the beam of genlm-bytes is compared with the exact boundary.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from completion.request import Prompt
from evaluation.bytes import genlm
from evaluation.bytes.arms import OURS, Ours, TokenArm, token_arms
from evaluation.bytes.bench import Bench, Cursor
from evaluation.bytes.places import Place
from evaluation.bytes.toys import (
    ALPHABETS,
    Enumeration,
    random_merges,
    random_text,
    toy_network,
    toy_tokenizer,
)

GOAL = 1e-6
"""The largest error in log P that may be, in float64."""

TEXTS = 20
"""Texts for each toy vocabulary."""

LONGEST = 8
SAMPLES = 4000
"""Leaves drawn for one chi-squared test."""

TESTS = 40
FEWEST = 5.0
"""Cells with a smaller expectation are put together."""

DOUBT = 1e-3
"""A test with a smaller p-value says that the samples are of another distribution."""

PEER_SHARE = 0.1
"""The share of the toy vocabularies that genlm-bytes is asked about: it builds a trie for each."""


class ScipyError(Exception):
    """The test needs scipy, which is not installed."""


@dataclass(slots=True)
class Errors:
    """One arm's errors in natural log-probabilities.

    ``text``: of log P(text) at each case. ``next_byte``: of the probable next bytes' (those that
    the enumeration gives a chance), per case the largest; infinite where the arm rules one out.
    ``variation``: the total variation between the two distributions of the next byte, in [0, 1].
    """

    text: list[float] = field(default_factory=list)
    next_byte: list[float] = field(default_factory=list)
    variation: list[float] = field(default_factory=list)


def on_toys(
    cases: int, seed: int, done: Callable[[], None], *, peers: bool
) -> tuple[dict[str, Errors], list[float]]:
    """Errors by arm over ``cases`` random texts, and the p-values of the tests."""
    drawn = random.Random(seed)
    errors: dict[str, Errors] = {}
    tests: list[float] = []
    for number in range(-(-cases // TEXTS)):
        alphabet = drawn.choice(ALPHABETS)
        tokenizer = toy_tokenizer(random_merges(drawn, alphabet))
        bench = Bench.of(toy_network(tokenizer, seed + number), tokenizer)
        texts = [
            random_text(drawn, LONGEST, alphabet) for _ in range(min(TEXTS, cases - number * TEXTS))
        ]
        with asyncio.Runner() as runner:
            asked = peers and number * PEER_SHARE == int(number * PEER_SHARE)
            beams = genlm.arms(bench, runner) if asked else []
            known = enumeration(bench)
            for text in texts:
                _compare(bench, known, text, beams, errors)
                done()
        if len(tests) < TESTS:
            tests.append(chi_squared(bench, known, max(texts, key=len), seed + number))
    return errors, tests


def _compare(
    bench: Bench,
    known: Enumeration,
    text: str,
    beams: Sequence[genlm.GenlmBytes],
    errors: dict[str, Errors],
) -> None:
    at = bench.cursor(Prompt("", "", text))
    truth = known.log_prob(text.encode())
    following = _next_byte(known, bench, text.encode())
    before = bench.trunk_log_prob(at)
    for arm in under_one_view(bench):
        found = errors.setdefault(arm.name, Errors())
        _note(found, arm.next_byte(at), following)
        if isinstance(arm, Ours):
            found.text.append(abs(before + _tail(arm, at) - truth))
    for beam in beams:
        log_prob, said = beam.begin(at)
        found = errors.setdefault(beam.name, Errors())
        _note(found, said, following)
        found.text.append(abs(before + log_prob - truth))


def _tail(arm: Ours, at: Cursor) -> float:
    """log P(the open pre-token's bytes | the trunk)."""
    with torch.inference_mode():
        log_prob = arm.begin(at).leaves.log_prob
    assert log_prob is not None
    return log_prob


def under_one_view(bench: Bench) -> Sequence[TokenArm]:
    """The arms that look for leaves, all over the canonical view of the network."""
    arms = token_arms(bench)
    for arm in arms:
        arm.model = bench.exact
    return arms


def enumeration(bench: Bench) -> Enumeration:
    """What may be written behind the sentinels of a toy's prompt."""
    return Enumeration(bench.exact, (bench.tokenizer.suffix, bench.tokenizer.prefix))


def _next_byte(known: Enumeration, bench: Bench, text: bytes) -> NDArray[np.float64]:
    found = np.zeros(257)
    for (overlap, token), probability in known.leaves(text).items():
        ended = token == bench.tokenizer.end
        found[256 if ended else bench.tokenizer.token_bytes[token][overlap]] += probability
    return found


def _note(errors: Errors, said: NDArray[np.float64], truth: NDArray[np.float64]) -> None:
    probable = truth > 0
    with np.errstate(invalid="ignore"):
        errors.next_byte.append(float(np.abs(said[probable] - np.log(truth[probable])).max()))
    errors.variation.append(float(np.abs(np.exp(said) - truth).sum() / 2))


def chi_squared(bench: Bench, known: Enumeration, text: str, seed: int) -> float:
    """The p-value of leaves sampled from the boundary, against their enumeration.

    Raises ScipyError.
    """
    try:
        from scipy import stats
    except ImportError as error:
        raise ScipyError("the test needs scipy: pip install 'lancefill[eval]'") from error
    at = bench.cursor(Prompt("", "", text))
    with torch.inference_mode():
        leaves = Ours(bench).begin(at).leaves
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.multinomial(
        leaves.log_probs.exp(), SAMPLES, replacement=True, generator=generator
    ).tolist()
    expected = known.leaves(text.encode())
    observed = dict.fromkeys(expected, 0)
    for index in drawn:
        key = leaves.overlap[int(leaves.nodes[index])], int(leaves.tokens[index])
        if key not in observed:  # what cannot come was drawn
            return 0.0
        observed[key] += 1
    counts, wanted = _cells(observed, expected)
    return float(stats.chisquare(counts, wanted).pvalue) if len(counts) > 1 else 1.0


def _cells(
    observed: Mapping[tuple[int, int], int], expected: Mapping[tuple[int, int], float]
) -> tuple[list[float], list[float]]:
    """Counts and expectations of the cells; the small ones are one."""
    counts, wanted = [0.0], [0.0]
    for key, probability in expected.items():
        if SAMPLES * probability < FEWEST:
            counts[0] += observed[key]
            wanted[0] += SAMPLES * probability
        else:
            counts.append(observed[key])
            wanted.append(SAMPLES * probability)
    if wanted[0] < FEWEST and len(wanted) > 1:
        last_count, last_wanted = counts.pop(0), wanted.pop(0)
        counts[0] += last_count
        wanted[0] += last_wanted
    return counts, wanted


def on_code(
    bench: Bench,
    places: Sequence[Place],
    beams: Sequence[genlm.GenlmBytes],
    done: Callable[[], None],
) -> dict[str, Errors]:
    """Errors of genlm-bytes and of the other arms beside the exact boundary, at real cursors."""
    errors: dict[str, Errors] = {}
    for place in places:
        at = bench.cursor(place.prompt)
        log_prob = _tail(Ours(bench), at)
        truth = np.exp(Ours(bench).next_byte(at))
        for beam in beams:
            found = errors.setdefault(beam.name, Errors())
            summed, said = beam.begin(at)
            found.text.append(abs(summed - log_prob))
            _note(found, said, truth)
        for arm in token_arms(bench):
            if not isinstance(arm, Ours):
                _note(errors.setdefault(arm.name, Errors()), arm.next_byte(at), truth)
        done()
    return errors


@dataclass(frozen=True, slots=True)
class Row:
    """An arm's errors summed up; None where it says nothing. ``ruled_out``: the share of cases in
    which it gives a next byte that can come no chance at all."""

    arm: str
    n: int
    text_max: float | None
    text_mean: float | None
    next_max: float
    next_median: float
    variation: float
    ruled_out: float


def rows(errors: Mapping[str, Errors]) -> list[Row]:
    """One row for every arm."""
    return [
        Row(
            arm=name,
            n=len(one.next_byte),
            text_max=max(one.text) if one.text else None,
            text_mean=math.fsum(one.text) / len(one.text) if one.text else None,
            next_max=max((each for each in one.next_byte if math.isfinite(each)), default=0.0),
            next_median=float(np.median(one.next_byte)),
            variation=float(np.mean(one.variation)),
            ruled_out=float(np.mean(~np.isfinite(one.next_byte))),
        )
        for name, one in errors.items()
    ]


HEADER = (
    "arm",
    "n",
    "log P(text) max",
    "mean",
    "next byte max",
    "median",
    "variation",
    "ruled out",
)


def table_rows(found: Sequence[Row]) -> Iterator[list[str]]:
    """One row for every arm."""
    for one in found:
        texts = ("-", "-")
        if one.text_max is not None and one.text_mean is not None:
            texts = (f"{one.text_max:.1e}", f"{one.text_mean:.1e}")
        yield [
            one.arm, str(one.n), *texts, f"{one.next_max:.1e}", f"{one.next_median:.1e}",
            f"{one.variation:.4f}", f"{one.ruled_out:.1%}",
        ]  # fmt: skip


def sampling(tests: Sequence[float]) -> dict[str, Any]:
    """The chi-squared tests summed up; passed when none is below `DOUBT` corrected for their
    number."""
    least = min(tests, default=1.0)
    return {
        "tests": len(tests),
        "samples each": SAMPLES,
        "least p": least,
        "below 0.05": sum(one < 0.05 for one in tests),
        "passed": least * len(tests) >= DOUBT,
    }


def goals(found: Sequence[Row], tests: Sequence[float]) -> dict[str, bool | None]:
    """What is to be reached, and whether it is."""
    (ours,) = (one for one in found if one.arm == OURS)
    peers = [one for one in found if one.arm.startswith(genlm.NAME)]
    return {
        f"error in log P <= {GOAL}": ours.text_max is not None
        and max(ours.text_max, ours.next_max) <= GOAL,
        f"no less exact than {genlm.NAME}": (
            all((ours.text_max or 0.0) <= (one.text_max or 0.0) for one in peers) if peers else None
        ),
        "samples pass a chi-squared test": bool(sampling(tests)["passed"]) if tests else None,
    }
