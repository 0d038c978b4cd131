"""A small learned ranker: gradient-boosted trees read from a text file, evaluated with numpy.

``weights/ranker.json`` holds one forest for names after a dot and one for names elsewhere
(:mod:`training.ranker` fits them). A tree is five lists by node: the feature that is looked at
(empty: a leaf), the threshold, the nodes for "at most" and for "more", and the mean score of the
training rows that came by. So the file says what the ranker does, and how much each step of a way
through a tree adds to the score can be told: the score is the sum over features of what their
steps added (Saabas, "Interpreting random forests", 2014), exactly.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.intp]

FILE_NAME = "ranker.json"
NODE_FIELDS = ("feature", "threshold", "at_most", "more", "value")


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees side by side: all their nodes in flat arrays, so that one step goes down all of them.

    ``roots`` are the nodes that the trees begin at. ``children[2 * node]`` is where "at most the
    threshold" leads and ``children[2 * node + 1]`` where "more" does; a leaf leads to itself.
    ``start`` is the sum of the roots' values: the score before anything is looked at.
    """

    features: int
    height: int
    roots: Places
    feature: Places
    threshold: Floats
    children: Places
    value: Floats

    @property
    def start(self) -> float:
        """The score of a candidate of which nothing is known."""
        return float(self.value[self.roots].sum())

    def scores(self, matrix: Floats) -> Floats:
        """The score of each row of a ``(rows, features)`` matrix: ``(rows,)``."""
        node = self._at_roots(matrix)
        for _ in range(self.height):
            node = self._next(matrix, node)
        scores: Floats = self.value.take(node).sum(axis=0)
        return scores

    def contributions(self, matrix: Floats) -> Floats:
        """What each feature added to each row's score: ``(rows, features)``.

        The rows' sums are ``scores(matrix) - start``.
        """
        node = self._at_roots(matrix)
        added = np.zeros(matrix.size)
        for _ in range(self.height):
            following = self._next(matrix, node)
            step = self.value.take(following) - self.value.take(node)
            where = self.feature.take(node) + self._rows(matrix)
            added += np.bincount(where.ravel(), step.ravel(), matrix.size)
            node = following
        return added.reshape(matrix.shape)

    def _at_roots(self, matrix: Floats) -> Places:
        return np.broadcast_to(self.roots[:, None], (len(self.roots), len(matrix)))

    def _rows(self, matrix: Floats) -> Places:
        """Where each row begins in the flat matrix."""
        return (np.arange(len(matrix)) * self.features)[None, :]

    def _next(self, matrix: Floats, node: Places) -> Places:
        """One step down from the nodes ``(trees, rows)``."""
        # mode="clip" skips numpy's check of the places, which are right by construction.
        looked_at = self.feature.take(node, mode="clip") + self._rows(matrix)
        more = matrix.ravel().take(looked_at, mode="clip") > self.threshold.take(node, mode="clip")
        return self.children.take(2 * node + more, mode="clip")


def forest(trees: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Forest:
    """The trees of the file over the features ``names``, in their order.

    Raises KeyError when a tree looks at a feature that is not among them.
    """
    numbers = {name: index for index, name in enumerate(names)} | {"": 0}
    sizes = [len(tree["value"]) for tree in trees]
    roots = np.cumsum([0, *sizes], dtype=np.intp)[:-1] if trees else np.zeros(0, np.intp)
    children = [
        root + child
        for root, tree in zip(roots.tolist(), trees, strict=True)
        for pair in zip(tree["at_most"], tree["more"], strict=True)
        for child in pair
    ]
    return Forest(
        features=len(names),
        height=max(map(_height, trees), default=0),
        roots=roots,
        feature=np.array([numbers[name] for tree in trees for name in tree["feature"]], np.intp),
        threshold=np.array([each for tree in trees for each in tree["threshold"]], np.float64),
        children=np.array(children, np.intp),
        value=np.array([each for tree in trees for each in tree["value"]], np.float64),
    )


def _height(tree: Mapping[str, Any], node: int = 0) -> int:
    if not tree["feature"][node]:
        return 0
    return 1 + max(_height(tree, tree["at_most"][node]), _height(tree, tree["more"][node]))


@cache
def shipped(names: tuple[str, ...]) -> Mapping[str, Forest]:
    """The forests of the package by the place they are for, over the features ``names``."""
    text = resources.files("completion").joinpath("weights", FILE_NAME).read_text("utf-8")
    return {place: forest(trees, names) for place, trees in json.loads(text)["forests"].items()}
