"""The cover tree of a text, as far as a picture shows it: contexts, and the tokens behind them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from completion.behind import Behind
from completion.boundary import Boundary
from completion.spelling.canonical import ROOT, Cover
from completion.tree import CanonicalModel

SHOWN = 4
"""Tokens that are shown behind one context; the others are counted."""

Chances = Mapping[tuple[int, int], float]
"""P(a leaf | trunk, tail) by (context, token); of those that have one."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A token that begins at byte ``begin`` and reaches the end of the text or beyond it.

    ``chance`` is its probability among all leaves, None without a model.
    """

    begin: int
    data: bytes
    chance: float | None


@dataclass(frozen=True, slots=True)
class Knot:
    """A context: its last token, which spells the text from byte ``begin`` on.

    ``leaves`` are the likeliest tokens behind it, ``more`` counts those left out, of which
    ``rest`` is the probability. The root's token stands before the text: its ``begin`` is negative.
    """

    begin: int
    data: bytes
    children: tuple[Knot, ...]
    leaves: tuple[Leaf, ...]
    more: int
    rest: float | None

    @property
    def chance(self) -> float | None:
        """The probability of everything behind it, None without a model."""
        if self.rest is None:
            return None
        known = [*(one.chance for one in self.children), *(one.chance for one in self.leaves)]
        return self.rest + math.fsum(one for one in known if one is not None)


def of_place(here: Behind) -> Knot:
    """The cover tree of the bytes before the cursor that are open, with a model's probabilities.

    Raises ValueError where no tokens spell them.
    """
    _, found = here.boundary()
    place, tail = here.layout.place, here.layout.tail
    cover = here.model.rules.cover(place.pretoken, place.token, tail)
    return knot(here.model, cover, place.token, _chances(cover, found))


def knot(model: CanonicalModel, cover: Cover, last: int, chances: Chances | None = None) -> Knot:
    """A cover as a tree; ``last`` is the token before the text.

    Behind what spells the whole text nearly everything may follow; without ``chances`` it is left
    out.
    """
    return _knot(model, cover, ROOT, last, chances)


def _knot(
    model: CanonicalModel, cover: Cover, index: int, token: int, chances: Chances | None
) -> Knot:
    table = model.tokenizer.token_bytes
    end = cover.end(index)
    if chances is None:
        across = cover.across[index].tolist() if index in cover.across else []
        order = sorted(across, key=lambda one: (len(table[one]), table[one]))
    else:
        behind = [one for at, one in chances if at == index]
        order = sorted(behind, key=lambda one: -chances[index, one])
    children = tuple(
        _knot(model, cover, at, one.token, chances)
        for at, one in enumerate(cover.contexts)
        if one.parent == index
    )
    left = order[SHOWN:]
    return Knot(
        begin=end - len(table[token]),
        data=table[token],
        children=children,
        leaves=tuple(
            Leaf(end, table[one], None if chances is None else chances[index, one])
            for one in order[:SHOWN]
        ),
        more=len(left),
        rest=None if chances is None else math.fsum(chances[index, one] for one in left),
    )


def _chances(cover: Cover, found: Boundary) -> Chances:
    return dict(_rows(cover, found))


def _rows(cover: Cover, found: Boundary) -> Iterator[tuple[tuple[int, int], float]]:
    """The boundary's leaves come in the order of its contexts: the whole ones, then the others."""
    nodes = found.nodes.tolist()
    contexts = dict(zip(dict.fromkeys(nodes), (*cover.whole, *cover.across), strict=True))
    rows = (nodes, found.tokens.tolist(), found.log_probs.exp().tolist())
    for node, token, chance in zip(*rows, strict=True):
        if chance > 0:
            yield (contexts[node], token), chance
