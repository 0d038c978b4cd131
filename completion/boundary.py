"""The exact boundary: what a token model says about text that ends inside a token.

The prompt splits into the *trunk*, tokens that no further typing changes, and the *tail*, the
bytes of the last pre-token. A cover encoding of the tail is a canonical sequence whose last token,
and no earlier one, reaches the tail's end; all of them have the form E(tail[:i]) + one token. By
the Byte-Token Representation lemma (Phan et al., ICLR 2025) the probability of the tail's bytes is
the sum over its covers. The contexts E(tail[:i]) form a tree over the cached trunk, scored in one
pass; where no token reaches beyond the tail that tree is the chain of the tail's own tokens, and
exactness costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import torch
from torch import Tensor

from completion.model.tokenizer import Tokenizer
from completion.tree import TokenTree

MAX_NAMES = 32
_NAME = re.compile(r"[^\W\d]\w*=?")
_IDENTIFIER_BYTES = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")


@dataclass(frozen=True, slots=True)
class Boundary:
    """Every first token at or across the cursor, with its probability given trunk and tail.

    Row j of ``nodes``, ``tokens`` (int64) and ``log_probs`` (float) is one leaf: ``tokens[j]``
    behind the tree's node ``nodes[j]``. The leaves behind ``end``, the node of the whole tail, add
    their whole token; the others' tokens begin ``overlap[node]`` bytes before the cursor. The
    probabilities sum to 1. ``log_prob`` is log P(tail | trunk).
    """

    log_prob: float
    nodes: Tensor
    tokens: Tensor
    log_probs: Tensor
    end: int
    overlap: dict[int, int]

    def index(self, overlap: int, token: int) -> int | None:
        """The row of the leaf ``token`` that begins ``overlap`` bytes before the cursor."""
        if overlap == 0:
            return token
        for node, before in self.overlap.items():
            if before == overlap:
                found = ((self.nodes == node) & (self.tokens == token)).nonzero()
                return int(found[0]) if len(found) else None
        return None


def boundary(tree: TokenTree, root: int, tail: bytes) -> Boundary:
    """Score all covers of ``tail`` behind ``root``, a node that is not scored yet.

    ``root`` ends the trunk. ``tail`` is what is typed of the pre-token behind it, in whole
    characters; it may be empty.
    """
    spots = _plant(tree, root, tail)
    nodes = list(spots.values())
    rows = dict(zip(nodes, tree.score(nodes), strict=True))
    leaves = _leaves(tree, spots, rows, tail)
    log_probs = torch.cat([one for _, _, one in leaves])
    total = log_probs.logsumexp(dim=0)
    return Boundary(
        log_prob=float(total),
        nodes=torch.cat([torch.full_like(ids, node) for node, ids, _ in leaves]),
        tokens=torch.cat([ids for _, ids, _ in leaves]),
        log_probs=log_probs - total,
        end=spots[len(tail)],
        overlap={node: len(tail) - reach for reach, node in spots.items()},
    )


def name_log_probs(
    tree: TokenTree, root: int, tail: bytes, names: Sequence[str], *, may_end: bool
) -> list[float]:
    """log P(name and then no identifier byte | trunk, tail) for identifiers, exact to the byte.

    ``root`` and ``tail`` as in ``boundary``. A name that ends there has one canonical encoding,
    so each name is one path in the same tree. A name with ``=`` behind it, a keyword argument, must
    be followed by just that. ``may_end``: what follows the middle is no identifier byte either, so
    that the end of the middle ends the name too. Raises ValueError for what is no identifier, or
    for too many names.
    """
    if len(names) > MAX_NAMES or not all(_NAME.fullmatch(name) for name in names):
        raise ValueError(f"at most {MAX_NAMES} names, all of them identifiers, can be scored")
    spots = _plant(tree, root, tail)
    paths = [_plant_name(tree, root, tail, name.removesuffix("=")) for name in names]
    nodes = sorted({root, *spots.values(), *(node for path in paths for node in path)})
    rows = dict(zip(nodes, tree.score(nodes), strict=True))
    leaves = _leaves(tree, spots, rows, tail)
    total = float(torch.cat([one for _, _, one in leaves]).logsumexp(dim=0))
    scores = []
    for name, path in zip(names, paths, strict=True):
        ends = _ends_name(tree.model.tokenizer, name.endswith("="), may_end).to(rows[root].device)
        steps = [float(rows[a][tree.places[b].token]) for a, b in pairwise(path)]
        scores.append(sum(steps) + float(rows[path[-1]][ends].logsumexp(dim=0)) - total)
    return scores


def _plant(tree: TokenTree, root: int, tail: bytes) -> dict[int, int]:
    """Grow the contexts of the tail's covers: how much of the tail each covers -> its node."""
    spots = {0: root}
    for prefix in tree.model.rules.cover(tail).contexts:
        spots[prefix.end] = tree.add(spots[prefix.parent], prefix.token)
    return spots


def _plant_name(tree: TokenTree, root: int, tail: bytes, name: str) -> list[int]:
    path = [root]
    for token in tree.model.tokenizer.encode(tail.decode() + name):
        path.append(tree.add(path[-1], token))
    return path


def _leaves(
    tree: TokenTree, spots: dict[int, int], rows: dict[int, Tensor], tail: bytes
) -> list[tuple[int, Tensor, Tensor]]:
    """(node, tokens behind it, log P(tail's beginning and token | trunk)), whole tail first."""
    cover = tree.model.rules.cover(tail)
    reached = {0: 0.0}
    for one in cover.contexts:
        reached[one.end] = reached[one.parent] + float(rows[spots[one.parent]][one.token])
    end = rows[spots[len(tail)]]
    everything = torch.arange(len(end), device=end.device)
    leaves = [(spots[len(tail)], everything, end + reached[len(tail)])]
    for reach, found in cover.across.items():
        ids = torch.from_numpy(found).to(end.device)
        leaves.append((spots[reach], ids, rows[spots[reach]][ids] + reached[reach]))
    return leaves


@lru_cache(maxsize=8)
def _ends_name(tokenizer: Tokenizer, keyword: bool, may_end: bool) -> Tensor:
    """The tokens whose first byte ends a name; in UTF-8 every byte of a wide letter is >= 0x80."""
    if keyword:
        return torch.tensor([data[:1] == b"=" for data in tokenizer.token_bytes])
    ends = [bool(data) and not in_identifier(data[0]) for data in tokenizer.token_bytes]
    ends[tokenizer.end] = may_end
    return torch.tensor(ends)


def in_identifier(byte: int) -> bool:
    """Whether an identifier can hold this byte of UTF-8."""
    return byte in _IDENTIFIER_BYTES or byte >= 0x80
