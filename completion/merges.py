"""Which two tokens of a byte-pair encoding may stand side by side.

Inside a pre-token two neighbours are canonical exactly when no merge across their border runs
before the merges that built them; and a whole sequence is canonical exactly when all its
neighbours are (checked exhaustively in the tests). So the ranks along the right edge of the left
token's merge tree are compared with those along the left edge of the right one's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]

Edge = tuple[tuple[int, float], ...]
"""Nodes along one edge of a merge tree, root first, each with the rank that consumes it."""


class Merges:
    """Merge trees of all tokens, by their edges."""

    def __init__(
        self, units: Sequence[bool], merges: Mapping[tuple[int, int], tuple[int, int]]
    ) -> None:
        """``units`` says of each id whether it is there before any merge.

        ``merges`` maps a pair of ids to (rank, merged id); a lower rank merges first.
        """
        self.reachable = np.array(units, dtype=np.bool_)
        self._born = [-1.0] * len(units)
        self.right_edge: list[Edge] = [((token, math.inf),) for token in range(len(units))]
        self.left_edge: list[Edge] = [((token, math.inf),) for token in range(len(units))]
        self.rank: dict[tuple[int, int], float] = {}
        for (left, right), (rank, merged) in sorted(merges.items(), key=lambda m: m[1][0]):
            self._add(left, right, rank, merged)
        self._partners = self._index_partners()
        self._left_nodes = self._index_left_nodes()

    def _add(self, left: int, right: int, rank: int, merged: int) -> None:
        """Build ``merged``, unless a merge across its middle comes first: then it never forms."""
        usable = bool(self.reachable[left] and self.reachable[right])
        if usable and not self.reachable[merged] and self.adjacent(left, right):
            self.reachable[merged] = True
            self._born[merged] = max(rank, self._born[left], self._born[right])
            born = self._born[merged]
            self.right_edge[merged] += ((right, born), *self.right_edge[right][1:])
            self.left_edge[merged] += ((left, born), *self.left_edge[left][1:])
        self.rank[left, right] = max(rank, self._born[left], self._born[right])

    def adjacent(self, left: int, right: int) -> bool:
        """Whether [left, right] inside one pre-token is the canonical encoding of its bytes.

        Equal ranks are the same merge, and the leftmost runs first: so a node of the left token
        consumed at that rank is gone, a node of the right one is not.
        """
        for a, a_consumed in self.right_edge[left]:
            for b, b_consumed in self.left_edge[right]:
                rank = self.rank.get((a, b))
                if rank is not None and rank < a_consumed and rank <= b_consumed:
                    return False
        return True

    def barred_behind(self, left: int) -> Ids:
        """All tokens that are not ``adjacent`` behind ``left``; ``adjacent`` is its slow twin."""
        begins, tokens, lasts = self._left_nodes
        found = [tokens[:0]]
        for a, consumed in self.right_edge[left]:
            for rank, b in self._partners.get(a, ()):
                if rank >= consumed:
                    break
                part = slice(begins[b], begins[b + 1])
                count = np.searchsorted(lasts[part], -rank, side="right")
                found.append(tokens[part][:count])
        return np.concatenate(found)

    def _index_partners(self) -> dict[int, list[tuple[float, int]]]:
        """left -> (rank, right) of its merges, first rank first."""
        partners: dict[int, list[tuple[float, int]]] = {}
        for (left, right), rank in self.rank.items():
            partners.setdefault(left, []).append((rank, right))
        return {left: sorted(found) for left, found in partners.items()}

    def _index_left_nodes(self) -> tuple[Ids, Ids, NDArray[np.float64]]:
        """(begins, tokens, lasts) by node: the tokens with it on their left edge.

        Those of node n are ``tokens[begins[n] : begins[n + 1]]``, longest-lived first; ``lasts``
        holds the negated rank that consumes the node there.
        """
        edges = [
            (node, -consumed, token)
            for token in np.flatnonzero(self.reachable).tolist()
            for node, consumed in self.left_edge[token]
        ]
        nodes = np.array([node for node, _, _ in edges], dtype=np.int64)
        lasts = np.array([last for _, last, _ in edges], dtype=np.float64)
        tokens = np.array([token for _, _, token in edges], dtype=np.int64)
        order = np.lexsort((tokens, lasts, nodes))
        begins = np.searchsorted(nodes[order], np.arange(len(self.left_edge) + 1))
        return begins, tokens[order], lasts[order]
