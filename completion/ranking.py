"""LANCE's order of the candidates: features, scored by the learned ranker, each with its evidence.

What is known of a candidate is in :mod:`completion.features`; how much it counts was fitted to
repositories that no figure is reported on (:mod:`training.ranker`) and lies in
``weights/ranker.json``. The score is the sum of what each feature added to it, so the evidence
tells the truth about the order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from completion import ranker
from completion.candidates import Candidate, Candidates
from completion.context import Place
from completion.features import FEATURES, Facts, matrix, shortlist
from completion.request import Evidence, Origin
from indexing.lazy import Lazy

LIKELY = 16
"""How many of the best names the ghost text's model is told of."""

NAMES = tuple(feature.name for feature in FEATURES)


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with its score and what made it (worked out when somebody looks)."""

    candidate: Candidate
    score: float
    evidence: Sequence[Evidence]


def forest_for(place: Place) -> ranker.Forest:
    """The trees that rank names at a place: those after a dot, or those for names elsewhere."""
    return ranker.shipped(NAMES)["member" if place is Place.MEMBER else "name"]


def rank(found: Candidates, known: Facts, limit: int) -> list[Ranked]:
    """The best ``limit`` candidates, best first; ties by name."""
    found = shortlist(found, known)
    if not found.items:
        return []
    forest = forest_for(known.context.place)
    values = matrix(found, known)
    scores = forest.scores(values).tolist()
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], found.items[i].name))[:limit]
    return [
        Ranked(
            found.items[i], scores[i], Lazy(partial(_evidence, found.items[i], known, values[i]))
        )
        for i in order
    ]


def likely(ranked: Sequence[Ranked], typed: str) -> dict[str, float]:
    """The best names that begin with ``typed``, and P(name) if it is one of them; best first.

    The ranker's scores are taken for natural log-odds: a factor on them fitted best near 1 after
    dots (lab log).
    """
    best = [each for each in ranked if each.candidate.name.startswith(typed)][:LIKELY]
    weights = [math.exp(each.score - best[0].score) for each in best]
    pairs = zip(best, weights, strict=True)
    return {each.candidate.name: weight / sum(weights) for each, weight in pairs}


def _evidence(candidate: Candidate, known: Facts, values: ranker.Floats) -> tuple[Evidence, ...]:
    """What counts for or against the candidate, the heaviest first; its tie even if it does not."""
    added = forest_for(known.context.place).contributions(values[None, :])[0]
    heaviest = np.argsort(-np.abs(added), kind="stable")
    return tuple(
        Evidence(
            FEATURES[index].name,
            float(values[index]),
            float(added[index]),
            FEATURES[index].told(candidate, known, float(values[index])),
        )
        for index in heaviest.tolist()
        if added[index] or (values[index] and FEATURES[index].name in _TIES)
    )


def telling(evidence: Sequence[Evidence]) -> list[Evidence]:
    """The evidence that people are shown: what ties the item to this place, then the heaviest."""
    told = [each for each in evidence if each.text and (each.contribution or each.feature in _TIES)]
    return sorted(told, key=lambda each: (each.feature not in _TIES, -abs(each.contribution)))


_TIES = frozenset((*Origin, "argument"))
"""The features whose words are the candidate's tie: the receiver, the scope, the import."""
