"""How probably ghost text is right: a calibrated model of what is known when it is written.

The geometric mean of token probabilities says how sure the network was, not how often texts like
this one are what the person goes on to write. So the probability that accepting helps, that the
shown text is what stands next on the line, is a logistic regression on plain *signs*: the tokens'
probabilities, how the text ended, where the cursor stands, what the repository's n-gram and
the popup's ranking say of the first word. A monotone map of its output corrects what a logistic
curve cannot follow (isotonic regression, linear between the middles of its blocks; Zadrozny &
Elkan, KDD 2002). Weights and map are data, ``confidence.json``; ``lancefill eval confidence --fit``
makes them.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from completion.context import Context, Place
from completion.request import RawGhost

FILE_NAME = "confidence.json"

UNLIKELY = 1e-4
"""What n-gram and popup give at least to a word, proposed or not."""

CUT_SHORT = frozenset(("length", "deadline"))
"""Stops that say nothing of the text: it would have gone on."""

_FIRST_WORD = re.compile(r"[^\S\r\n]*(\w+)")

Signs = Mapping[str, float]
Point = tuple[float, float]


def signs(
    raw: RawGhost,
    shown: str,
    context: Context,
    typed: str,
    proposals: Mapping[str, float] | None,
    names: Mapping[str, float],
) -> dict[str, float]:
    """What is known of ``shown``, the part of ``raw.text`` that the filters kept, as numbers.

    ``typed`` is the half-typed word that ``shown`` goes on with; ``proposals`` are the n-gram's
    words at the cursor with their probabilities given what is typed, None where there is no n-gram;
    ``names`` are the popup's (`GhostOptions.names`), none where it was not asked.
    Log-probabilities are natural ones, of all tokens of ``raw``.
    """
    log_probs = list(raw.log_probs) or [math.log(max(raw.confidence, 1e-9))] * max(raw.tokens, 1)
    opinion = _opinion(shown, typed, proposals)
    ranked = _opinion(shown, typed, names or None)
    found = {
        "mean": sum(log_probs) / len(log_probs),
        "sum": sum(log_probs),
        "least": min(log_probs),
        "first": log_probs[0],
        "tokens": math.log1p(len(log_probs)),
        "length": math.log1p(len(shown)),
        "lines": "\n" in shown or "\r" in shown,
        "ended": raw.stop == "end",
        "unsure": raw.stop == "unsure",
        "cut short": raw.stop in CUT_SHORT,
        "filtered": len(shown) < len(raw.text.rstrip()),
        "statement": context.starts_statement,
        "member": context.place is Place.MEMBER,
        "inside": bool(context.prefix),
        "argument": context.call is not None,
        "n-gram asked": opinion is not None,
        "n-gram": _log(opinion),
        "popup asked": ranked is not None,
        "popup": _log(ranked),
    }
    return {name: float(value) for name, value in found.items()}


def _opinion(shown: str, typed: str, proposals: Mapping[str, float] | None) -> float | None:
    """Their probability of the word at the cursor; None where there are none or no word stands."""
    if proposals is None:
        return None
    word = first_word(typed, shown)
    return proposals.get(word, 0.0) if word else None


def _log(opinion: float | None) -> float:
    return 0.0 if opinion is None else math.log(max(opinion, UNLIKELY))


def first_word(typed: str, shown: str) -> str:
    """The word that ``shown`` begins with, or that it makes of ``typed``; empty: there is none."""
    match = _FIRST_WORD.match(shown)
    if typed and (match is None or match.start(1) > 0):
        return typed
    return typed + match[1] if match else ""


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A fitted model: ``weights`` by sign, ``bias``, and the map of its output.

    ``knots`` are (output, probability), both growing and in [0, 1]; none: the output as it is.
    """

    bias: float
    weights: Signs
    knots: tuple[Point, ...] = ()

    def probability(self, known: Signs) -> float:
        """The probability in [0, 1]. Raises KeyError where a sign is missing."""
        return mapped(self.output(known), self.knots)

    def output(self, known: Signs) -> float:
        """The logistic regression's output, in [0, 1]."""
        return logistic(self.bias + sum(w * known[name] for name, w in self.weights.items()))


def logistic(score: float) -> float:
    """1 / (1 + exp(-score)), without overflow."""
    if score >= 0:
        return 1 / (1 + math.exp(-score))
    return 1 - 1 / (1 + math.exp(score))


def mapped(value: float, knots: Sequence[Point]) -> float:
    """``value`` on the line through ``knots``, level beyond the first and the last."""
    if not knots:
        return value
    at = bisect_right(knots, value, key=lambda knot: knot[0])
    if at in (0, len(knots)):
        return knots[min(at, len(knots) - 1)][1]
    (left, low), (right, high) = knots[at - 1], knots[at]
    return low + (high - low) * (value - left) / (right - left)


def read(values: Mapping[str, Any]) -> Calibrated:
    """The model that the file's JSON holds."""
    knots = tuple((float(x), float(y)) for x, y in values["knots"])
    return Calibrated(float(values["bias"]), dict(values["weights"]), knots)


@cache
def shipped() -> Calibrated:
    """The model of the package."""
    return read(json.loads(resources.files("completion").joinpath(FILE_NAME).read_text("utf-8")))
