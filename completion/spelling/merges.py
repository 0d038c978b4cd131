"""Which two tokens of a byte-pair encoding may stand side by side.

Inside a pre-token two neighbours are canonical exactly when no merge across their border runs
before the merges that built them; and a whole sequence is canonical exactly when all its
neighbours are (checked exhaustively in the tests). So along the right edge of the left token's
merge tree and the left edge of the right one's, every pair is asked whether it would have merged
while both were there.

Of the merges that can run, the one of the lowest rank does, leftmost first. Where all parts come
to be before the ranks that use them, as in a vocabulary that was learnt by merging, that is
a comparison of ranks. In others, as in one made of SentencePiece's scores, a part may come late and
its merges of lower rank then run at once; so it matters when a merge *can* run. A merge's *time* is
the highest rank up to it: whatever runs at the same time further left runs first.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]

UNIT = -1.0
"""The time of what is there before any merge."""


class Use(NamedTuple):
    """The merge that uses up a node of a merge tree.

    It has ``rank``, can run from ``ready`` on and runs at ``time``; ``own`` says that it was this
    node that it waited for, not its sibling.
    """

    rank: float
    ready: float
    time: float
    own: bool


NEVER = Use(math.inf, math.inf, math.inf, own=False)
"""Of the root, which stays."""

Edge = tuple[tuple[int, Use], ...]
"""Nodes along one edge of a merge tree, root first, each with what uses it up."""


class _Nodes(NamedTuple):
    """By node: the tokens with it on their left edge, and there what uses it up.

    Those of node n are at ``begins[n] : begins[n + 1]``.
    """

    begins: Ids
    tokens: Ids
    rank: NDArray[np.float64]
    ready: NDArray[np.float64]
    time: NDArray[np.float64]
    own: NDArray[np.bool_]


class Merges:
    """Merge trees of all tokens, by their edges."""

    def __init__(
        self,
        lengths: Sequence[int],
        units: Sequence[bool],
        merges: Mapping[tuple[int, int], tuple[int, int]],
    ) -> None:
        """``lengths`` are those of the ids' texts, ``units`` says what is there before any merge.

        ``merges`` maps a pair of ids to (rank, merged id); a lower rank merges first.
        """
        self._made = list(units)
        self._born = [UNIT] * len(units)
        self.right_edge: list[Edge] = [((token, NEVER),) for token in range(len(units))]
        self.left_edge: list[Edge] = list(self.right_edge)
        self._rank = {pair: rank for pair, (rank, _) in merges.items()}
        for (left, right), (rank, merged) in sorted(
            merges.items(), key=lambda merge: lengths[merge[1][1]]
        ):
            self._add(left, right, rank, merged)
        self.reachable = np.array(self._made, dtype=np.bool_)
        self._partners = self._index_partners()
        self._nodes = self._index_nodes()

    def adjacent(self, left: int, right: int) -> bool:
        """Whether [left, right] inside one pre-token is the canonical encoding of its bytes."""
        return not self._crossed(left, right, None)

    def barred_behind(self, left: int) -> Ids:
        """All tokens that are not ``adjacent`` behind ``left``; ``adjacent`` is its slow twin."""
        nodes = self._nodes
        found = [nodes.tokens[:0]]
        for a, use in self.right_edge[left]:
            for rank, b in self._partners.get(a, ()):
                if self._before_left(rank, a, b, use):
                    part = slice(nodes.begins[b], nodes.begins[b + 1])
                    found.append(nodes.tokens[part][self._before_right_all(rank, a, b, part)])
        return np.concatenate(found)

    def _add(self, left: int, right: int, rank: int, merged: int) -> None:
        """Build ``merged``, unless a merge across its middle comes first: then it never forms."""
        usable = self._made[left] and self._made[right] and not self._made[merged]
        if not usable or self._crossed(left, right, (left, right)):
            return
        ready_left, ready_right = self._born[left], self._born[right]
        ready = max(ready_left, ready_right)
        time = max(rank, ready)
        self._made[merged] = True
        self._born[merged] = time
        of_left = Use(rank, ready, time, own=ready_left > ready_right)
        of_right = Use(rank, ready, time, own=ready_right >= ready_left)
        self.left_edge[merged] += ((left, of_left), *self.left_edge[left][1:])
        self.right_edge[merged] += ((right, of_right), *self.right_edge[right][1:])

    def _crossed(self, left: int, right: int, but: tuple[int, int] | None) -> bool:
        """Whether a pair across the border, other than ``but``, merges while both are there."""
        for a, left_use in self.right_edge[left]:
            for b, right_use in self.left_edge[right]:
                rank = self._rank.get((a, b))
                if rank is None or (a, b) == but:
                    continue
                if self._before_left(rank, a, b, left_use) and self._before_right(
                    rank, a, b, right_use
                ):
                    return True
        return False

    def _before_left(self, rank: float, a: int, b: int, use: Use) -> bool:
        """Whether the pair (a, b) merges before ``use``, which joins a to what stands left of it.

        Of two that can run, the lower rank runs first, and of equal ones the left one.
        """
        born_a, born_b = self._born[a], self._born[b]
        ready = max(born_a, born_b)
        if use.own and born_a > born_b:  # both waited for a
            return rank < use.rank
        if use.ready <= ready:  # the other could run before b was there
            return use.time > ready and rank < use.rank
        return max(rank, ready) < use.ready or rank < use.rank

    def _before_right(self, rank: float, a: int, b: int, use: Use) -> bool:
        """Whether the pair (a, b) merges before ``use``, which joins b to what stands right."""
        born_a, born_b = self._born[a], self._born[b]
        ready = max(born_a, born_b)
        if use.own and born_b >= born_a:
            return rank <= use.rank
        if ready <= use.ready:
            return max(rank, ready) <= use.ready or rank <= use.rank
        return use.time >= ready and rank <= use.rank

    def _before_right_all(self, rank: float, a: int, b: int, part: slice) -> NDArray[np.bool_]:
        """`_before_right` of all uses of b in a part of the nodes."""
        nodes = self._nodes
        born_a, born_b = self._born[a], self._born[b]
        ready = max(born_a, born_b)
        lower = rank <= nodes.rank[part]
        both_waited = nodes.own[part] & (born_b >= born_a)
        later = ready <= nodes.ready[part]
        other = np.where(
            later,
            lower | (max(rank, ready) <= nodes.ready[part]),
            lower & (nodes.time[part] >= ready),
        )
        found: NDArray[np.bool_] = np.where(both_waited, lower, other)
        return found

    def _index_partners(self) -> dict[int, list[tuple[float, int]]]:
        """left -> (rank, right) of its merges."""
        partners: dict[int, list[tuple[float, int]]] = {}
        for (left, right), rank in self._rank.items():
            if self._made[left] and self._made[right]:
                partners.setdefault(left, []).append((rank, right))
        return partners

    def _index_nodes(self) -> _Nodes:
        edges = [
            (node, token, *use)
            for token in np.flatnonzero(self.reachable).tolist()
            for node, use in self.left_edge[token]
        ]
        table = np.array(edges, dtype=np.float64).reshape(-1, 6)
        table = table[np.argsort(table[:, 0], kind="stable")]
        begins = np.searchsorted(table[:, 0], np.arange(len(self.left_edge) + 1))
        node_tokens = table[:, 1].astype(np.int64)
        return _Nodes(
            begins, node_tokens, table[:, 2], table[:, 3], table[:, 4], table[:, 5].astype(np.bool_)
        )
