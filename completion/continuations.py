"""What a token model writes behind a boundary: sampled exactly, or the likeliest texts.

Drawing one leaf of the boundary in proportion to its probability and going on with plain tokens
draws from the model's distribution over texts that begin with what was typed (Vieira et al., ICML
2025, for all tokenizations; here for canonical ones). The likeliest text is another matter: several
token sequences can spell one text, so beams are merged by what they spell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from completion.boundary import Boundary
from completion.tree import TokenTree

BEAMS = 8
"""Texts that go on side by side where the likeliest are looked for."""

Finished = Callable[[bytes], bool]
"""Whether a text needs no further token."""

Permits = Callable[[bytes, bytes], bool]
"""Whether bytes may follow what is written; no bytes: whether it may end (`Constraint.permits`)."""


@dataclass(frozen=True, slots=True)
class Continuation:
    """What follows the cursor, and log P(it | the prompt's bytes); ``ended``: and then the end."""

    text: bytes
    log_prob: float
    ended: bool = False


@dataclass(slots=True)
class _Beam:
    """One token sequence: ``node`` is what ``token`` stands behind; -1 where the sequence is over.

    ``text`` is what it spells behind the cursor.
    """

    node: int
    token: int
    text: bytes
    log_prob: float


def sample(
    tree: TokenTree,
    found: Boundary,
    finished: Finished,
    most: int,
    generator: torch.Generator | None = None,
) -> Continuation:
    """Draw what follows the cursor, until it is ``finished``, ends, or has ``most`` tokens.

    The tree must have scored no further than ``found``: draw once from each tree.
    """
    at = int(torch.multinomial(found.log_probs.exp().cpu(), 1, generator=generator))
    beam = _leaf(tree, found, at)
    for _ in range(most - 1):
        if beam.node < 0 or finished(beam.text):
            break
        row = _row(tree, beam)
        token = int(torch.multinomial(row.exp().cpu(), 1, generator=generator))
        beam = _longer(tree, beam, tree.add(beam.node, beam.token), token, float(row[token]))
    return Continuation(beam.text, beam.log_prob, beam.node < 0)


def likeliest(
    tree: TokenTree,
    found: Boundary,
    finished: Finished,
    *,
    count: int,
    most: int,
    beams: int = BEAMS,
    permits: Permits | None = None,
) -> list[Continuation]:
    """The ``count`` likeliest texts behind the cursor, best first, as far as ``beams`` reach.

    Each goes on until it is ``finished``, ends, or has ``most`` tokens. Texts that ``permits``
    forbids are left out; the others keep the probability that the model gives them. Sequences that
    spell the same text are one, their probabilities added.
    """
    best = found.log_probs.topk(min(len(found.log_probs), _enough(beams, permits)))
    leaves = (_leaf(tree, found, at) for at in best.indices.tolist())
    open_, done = _divided([one for one in leaves if _fits(one, b"", permits)], finished, beams)
    for _ in range(most - 1):
        if not open_:
            break
        longer = []
        nodes = [tree.add(one.node, one.token) for one in open_]
        for one, node, row in zip(open_, nodes, tree.score(nodes), strict=True):
            top = row.topk(min(len(row), _enough(beams, permits)))
            for token in top.indices.tolist():
                each = _longer(tree, one, node, token, float(row[token]))
                if _fits(each, one.text, permits):
                    longer.append(each)
        open_, over = _divided(longer, finished, beams)
        done += over
        worst = _merged(done)[count - 1 : count]
        open_ = [one for one in open_ if not worst or one.log_prob > worst[0].log_prob]
    return _merged(done + open_)[:count]


def _enough(beams: int, permits: Permits | None) -> int:
    """How many tokens of a row are looked at: with a constraint most of them may be forbidden."""
    return beams if permits is None else 64 * beams


def _leaf(tree: TokenTree, found: Boundary, at: int) -> _Beam:
    node, token = int(found.nodes[at]), int(found.tokens[at])
    data = tree.model.tokenizer.token_bytes[token][found.overlap[node] :]
    ended = token in tree.model.ends
    return _Beam(-1 if ended else node, token, data, float(found.log_probs[at]))


def _longer(tree: TokenTree, beam: _Beam, node: int, token: int, log_prob: float) -> _Beam:
    ended = token in tree.model.ends
    text = beam.text + tree.model.tokenizer.token_bytes[token]
    return _Beam(-1 if ended else node, token, text, beam.log_prob + log_prob)


def _row(tree: TokenTree, beam: _Beam) -> Tensor:
    return tree.score([tree.add(beam.node, beam.token)])[0]


def _fits(beam: _Beam, before: bytes, permits: Permits | None) -> bool:
    if beam.log_prob == -math.inf:
        return False
    return permits is None or permits(before, beam.text[len(before) :])


def _divided(
    beams: Sequence[_Beam], finished: Finished, most: int
) -> tuple[list[_Beam], list[_Beam]]:
    """The likeliest that go on, and those that are over."""
    over = [one for one in beams if one.node < 0 or finished(one.text)]
    going_on = [one for one in beams if not (one.node < 0 or finished(one.text))]
    going_on.sort(key=lambda one: -one.log_prob)
    return going_on[:most], over


def _merged(beams: Sequence[_Beam]) -> list[Continuation]:
    sums: dict[tuple[bytes, bool], list[float]] = {}
    for one in beams:
        sums.setdefault((one.text, one.node < 0), []).append(one.log_prob)
    found = []
    for (text, ended), logs in sums.items():
        top = max(logs)
        log_prob = top + math.log(math.fsum(math.exp(one - top) for one in logs))
        found.append(Continuation(text, log_prob, ended))
    return sorted(found, key=lambda one: (-one.log_prob, one.text))
