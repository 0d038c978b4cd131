"""The exact boundary: what a token model says about text that ends inside a token.

The prompt splits into the *trunk*, tokens that no further typing changes, and the *tail*, the
bytes behind it. A cover encoding of the tail is a canonical sequence whose last token, and no
earlier one, reaches the tail's end. By the Byte-Token Representation lemma (Phan et al., ICLR 2025)
the probability of the tail's bytes is the sum over its covers. What the covers stand behind, the
contexts, form a tree over the cached trunk, scored in one pass; where no token reaches beyond the
tail that tree is the chain of the tail's own tokens, and exactness costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from completion.spelling.byte_order import Ids
from completion.spelling.canonical import ROOT, Canonical, Cover, Row
from completion.tree import CanonicalModel, TokenTree

MAX_NAMES = 32
_NAME = re.compile(r"[^\W\d]\w*=?")
_IDENTIFIER_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


@dataclass(frozen=True, slots=True)
class Boundary:
    """Every first token at or across the cursor, with its probability given trunk and tail.

    Row j of ``nodes``, ``tokens`` (int64) and ``log_probs`` (float) is one leaf: ``tokens[j]``
    behind the tree's node ``nodes[j]``. The leaves behind ``end``, the node of the whole tail, come
    first, one for each token in the order of their ids. A leaf's token begins ``overlap[node]``
    bytes before the cursor: none behind a node of the whole tail, of which there may be several
    where it is open how the text is split. The probabilities sum to 1. ``log_prob`` is
    log P(tail | trunk).
    """

    log_prob: float
    nodes: Tensor
    tokens: Tensor
    log_probs: Tensor
    end: int
    overlap: dict[int, int]

    def index(self, overlap: int, token: int) -> int | None:
        """The row of the first leaf ``token`` that begins ``overlap`` bytes before the cursor."""
        if overlap == 0:
            return token
        for node, before in self.overlap.items():
            if before == overlap:
                found = ((self.nodes == node) & (self.tokens == token)).nonzero()
                return int(found[0]) if len(found) else None
        return None


def boundary(tree: TokenTree, root: int, tail: bytes) -> Boundary:
    """Score all covers of ``tail`` behind ``root``, a node that is not scored yet.

    ``root`` ends the trunk. ``tail`` is what is typed behind it, in whole characters; it may be
    empty. Raises ValueError where no tokens spell it.
    """
    cover = _cover(tree, root, tail)
    if not cover.whole:
        raise ValueError(f"no tokens spell {tail!r} behind the prompt")
    nodes = _plant(tree, root, cover)
    rows = dict(zip(nodes.values(), tree.score(list(nodes.values())), strict=True))
    leaves = _leaves(cover, nodes, rows)
    log_probs = torch.cat([one for _, _, one in leaves])
    total = log_probs.logsumexp(dim=0)
    return Boundary(
        log_prob=float(total),
        nodes=torch.cat([torch.full_like(ids, nodes[index]) for index, ids, _ in leaves]),
        tokens=torch.cat([ids for _, ids, _ in leaves]),
        log_probs=log_probs - total,
        end=nodes[cover.whole[0]],
        overlap={node: len(tail) - cover.end(index) for index, node in nodes.items()},
    )


def name_log_probs(
    tree: TokenTree, root: int, tail: bytes, names: Sequence[str], *, may_end: bool
) -> list[float]:
    """log P(name and then no identifier byte | trunk, tail) for identifiers, exact to the byte.

    ``root`` and ``tail`` as in ``boundary``. A name's covers, of tail and name together, are in the
    same tree. A name with ``=`` behind it, a keyword argument, must be followed by just that.
    ``may_end``: what follows the middle is no identifier byte either, so that the end of the middle
    ends the name too. Raises ValueError for what is no identifier, or for too many names.
    """
    if len(names) > MAX_NAMES or not all(_NAME.fullmatch(name) for name in names):
        raise ValueError(f"at most {MAX_NAMES} names, all of them identifiers, can be scored")
    covers = [_cover(tree, root, tail), *(_name_cover(tree, root, tail, name) for name in names)]
    planted = [_plant(tree, root, cover) for cover in covers]
    nodes = sorted({node for one in planted for node in one.values()})
    rows = dict(zip(nodes, tree.score(nodes), strict=True))
    sums = []
    for name, cover, one in zip(("", *names), covers, planted, strict=True):
        ends = _ends_name(tree.model, name.endswith("="), may_end).to(rows[root].device)
        leaves = _leaves(cover, one, rows)
        if name:
            leaves = [
                (at, ids, logs.masked_fill(~ends[ids], -torch.inf) if at in cover.whole else logs)
                for at, ids, logs in leaves
            ]
        sums.append(float(torch.cat([logs for _, _, logs in leaves]).logsumexp(dim=0)))
    return [score - sums[0] for score in sums[1:]]


def _cover(tree: TokenTree, root: int, text: bytes) -> Cover:
    """The covers of ``text`` behind ``root``."""
    place = tree.places[root]
    return tree.model.rules.cover(place.pretoken, place.token, text)


def _name_cover(tree: TokenTree, root: int, tail: bytes, name: str) -> Cover:
    """The covers of tail and name of which no identifier byte follows the name."""
    place = tree.places[root]
    return _covers_of_name(tree.model.rules, place.pretoken, place.token, tail, name)


@lru_cache(maxsize=64 * MAX_NAMES)
def _covers_of_name(rules: Canonical, state: int, last: int, tail: bytes, name: str) -> Cover:
    spelled = name.removesuffix("=")
    text = tail + spelled.encode()
    table = rules.token_bytes
    keyword = name != spelled

    def goes_on(end: int, ids: Ids) -> Row:
        behind = (table[token][len(text) - end] for token in ids)
        ends = [byte == ord("=") if keyword else not in_identifier(byte) for byte in behind]
        return ~np.array(ends, dtype=np.bool_)

    return rules.cover(state, last, text).without(goes_on)


def _plant(tree: TokenTree, root: int, cover: Cover) -> dict[int, int]:
    """Grow the contexts of a cover: the context -> its node."""
    nodes = {ROOT: root}
    for index, context in enumerate(cover.contexts):
        nodes[index] = tree.add(nodes[context.parent], context.token)
    return nodes


def _leaves(
    cover: Cover, nodes: dict[int, int], rows: dict[int, Tensor]
) -> list[tuple[int, Tensor, Tensor]]:
    """(context, tokens behind it, log P(context and token | trunk)), those of the whole first."""
    reached = {ROOT: 0.0}
    for index, context in enumerate(cover.contexts):
        row = rows[nodes[context.parent]]
        reached[index] = reached[context.parent] + float(row[context.token])
    leaves = []
    for index in cover.whole:
        row = rows[nodes[index]]
        leaves.append((index, torch.arange(len(row), device=row.device), row + reached[index]))
    for index, found in cover.across.items():
        row = rows[nodes[index]]
        ids = torch.from_numpy(found).to(row.device)
        leaves.append((index, ids, row[ids] + reached[index]))
    return leaves


@lru_cache(maxsize=8)
def _ends_name(model: CanonicalModel, keyword: bool, may_end: bool) -> Tensor:
    """The tokens whose first byte ends a name; in UTF-8 every byte of a wide letter is >= 0x80."""
    tokenizer = model.tokenizer
    if keyword:
        return torch.tensor([data[:1] == b"=" for data in tokenizer.token_bytes])
    ends = [bool(data) and not in_identifier(data[0]) for data in tokenizer.token_bytes]
    for token in model.ends:
        ends[token] = may_end
    return torch.tensor(ends)


def in_identifier(byte: int) -> bool:
    """Whether an identifier can hold this byte of UTF-8."""
    return byte in _IDENTIFIER_BYTES or byte >= 0x80
