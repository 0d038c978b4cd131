"""Any token model as a model of bytes, exactly; and ensembles of models that share no vocabulary.

``ByteStream`` reads one byte after another and says, before each, how likely every byte is. By the
Byte-Token Representation lemma (Phan et al., ICLR 2025) that needs the cover encodings of what was
read, which follow from those of one byte less: the tokens that reach beyond it and go on with that
byte, and behind the encoding of all of it the tokens that begin with it. In a vocabulary sorted by
bytes both are ranges, so a byte costs at most one pass of the network, over the one context that
is new, and none where that has no share of the probability worth a pass.

Numbers are natural logarithms in float64; a distribution is (257,), bytes and then `END`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from completion.boundary import in_identifier
from completion.mixture import NEAR
from completion.spelling.byte_order import Floats, Range
from completion.tree import MAX_NODES, Cache, CanonicalModel, Place, TokenTree
from indexing.lexemes import context
from indexing.ngrams import View

END = 256
"""The symbol behind the last byte: the middle ends."""

SYMBOLS = 257

_IN_IDENTIFIER = np.array([*map(in_identifier, range(256)), False])


class BytesError(ValueError):
    """The model cannot go on: a byte has no probability (less than 1e-308), or it has no room."""


class ByteModel(Protocol):
    """What says which byte comes next."""

    def next(self) -> Floats:
        """(257,) log P(symbol | what was pushed)."""
        ...

    def push(self, byte: int) -> None:
        """Go on with a byte. Raises BytesError where it cannot follow."""
        ...


@dataclass(frozen=True, slots=True)
class _Open:
    """Tokens that reach beyond the bytes read: those of ``among``, behind one node.

    ``log_prob`` is log P(what leads to the node), ``row`` (N,) the probabilities behind it in the
    order of the bytes.
    """

    node: int
    among: Range
    log_prob: float
    row: Floats


@dataclass(frozen=True, slots=True)
class _Whole:
    """A context that spells all bytes read: ``token`` behind the node ``parent``.

    Scored, it has a node of its own, with ``row`` as in `_Open` and ``end``, P(the middle ends).
    """

    parent: int
    token: int
    log_prob: float
    node: int | None = None
    row: Floats | None = None
    end: float = 0.0


class ByteStream:
    """A token model read byte by byte.

    ``floor``: a context with at most this share of the probability is not scored, and everything
    behind it counts as impossible; ``lost`` is the sum of such shares, an upper bound of how far
    any distribution is off (total variation). With 0 all is exact. ``passes`` of the network were
    needed so far.
    """

    def __init__(
        self, model: CanonicalModel, cache: Cache, root: Place, state: int = 0, floor: float = 0.0
    ) -> None:
        """``root`` is the last token of the prompt and not in the cache yet, ``state`` its id."""
        self.model = model
        self.floor = floor
        self.lost = 0.0
        self.passes = 0
        self._order = model.rules.order
        self._tree = TokenTree(model, cache)
        self._tree.add_placed(-1, root, state)
        self._wholes = [_Whole(-1, root.token, 0.0, node=0)]
        self._opens: list[_Open] = []

    @property
    def log_prob(self) -> float:
        """log P(all bytes pushed | prompt)."""
        known = [one.log_prob for one in self._wholes]
        known += [one.log_prob + _log(self._mass(one)) for one in self._opens]
        return _logsumexp(known)

    def next(self) -> Floats:
        """(257,) log P(symbol | bytes pushed)."""
        total = self.log_prob
        shares = np.zeros(SYMBOLS)
        for one in (*self._opens, *self._unread()):
            share = math.exp(one.log_prob - total)
            shares[:END] += share * self._order.next_bytes(one.among, one.row)
        shares[END] = sum(math.exp(one.log_prob - total) * one.end for one in self._wholes)
        with np.errstate(divide="ignore"):
            found: Floats = np.log(shares)
        return found

    def push(self, byte: int) -> None:
        """Go on with a byte. Raises BytesError where no token can spell it here."""
        data = bytes((byte,))
        narrowed = [
            replace(one, among=self._order.narrowed(one.among, data))
            for one in (*self._opens, *self._unread())
        ]
        wholes = [each for one in narrowed for each in self._completed(one)]
        longer = [replace(one, among=self._order.longer(one.among)) for one in narrowed]
        opens = [one for one in longer if self._mass(one) > 0]
        if not (wholes or opens):
            raise BytesError(f"the model gives byte {byte:#04x} no probability here")
        self._wholes, self._opens = wholes, opens
        self._drop()

    def _unread(self) -> list[_Open]:
        """All tokens behind the contexts that spell everything read; those are scored first."""
        self._score()
        everything = self._order.everything
        return [
            _Open(one.node, everything, one.log_prob, one.row)
            for one in self._wholes
            if one.node is not None and one.row is not None
        ]

    def _completed(self, one: _Open) -> Iterator[_Whole]:
        """The contexts that the tokens of a range make which end with the bytes read."""
        complete = self._order.complete(one.among)
        for place in range(complete.low, complete.high):
            probability = float(one.row[place])
            if probability > 0:
                token = int(self._order.ids[place])
                yield _Whole(one.node, token, one.log_prob + math.log(probability))

    def _drop(self) -> None:
        """Leave out the contexts that are not worth a pass, unless nothing else is left."""
        least = self.log_prob + _log(self.floor)
        kept = [one for one in self._wholes if one.log_prob > least]
        if kept or self._opens:
            total = self.log_prob
            self.lost += sum(
                math.exp(one.log_prob - total) for one in self._wholes if one.log_prob <= least
            )
            self._wholes = kept

    def _score(self) -> None:
        """Ask the network about the contexts it was not asked about yet."""
        new = [one for one in self._wholes if one.row is None]
        if not new:
            return
        if len(self._tree) + len(new) > MAX_NODES:
            self._begin_anew()
            new = [one for one in self._wholes if one.row is None]
        nodes = [
            self._tree.add(one.parent, one.token) if one.node is None else one.node for one in new
        ]
        try:
            with torch.inference_mode():
                rows = self._tree.score(nodes)
        except ValueError as error:  # the window or the cache is full
            raise BytesError(str(error)) from error
        self.passes += 1
        scored = [
            self._scored(one, node, row) for one, node, row in zip(new, nodes, rows, strict=True)
        ]
        self._wholes = [one for one in self._wholes if one.row is not None] + scored

    def _scored(self, one: _Whole, node: int, row: Tensor) -> _Whole:
        probabilities = row.double().exp().cpu().numpy()
        end = float(probabilities[list(self.model.ends)].sum())
        return replace(one, node=node, row=probabilities[self._order.ids], end=end)

    def _mass(self, one: _Open) -> float:
        return float(one.row[one.among.low : one.among.high].sum())

    def _begin_anew(self) -> None:
        """Give what all contexts have in common to the cache, and grow a tree of the rest."""
        tree = self._tree
        ends = [one.parent if one.node is None else one.node for one in self._wholes]
        ends += [one.node for one in self._opens]
        paths = [tree.path(end) for end in ends]
        common = paths[0]
        for path in paths:
            shared = sum(1 for a, b in zip(common, path, strict=False) if a == b)
            common = common[:shared]
        if len(common) < 2:
            raise BytesError("too many ways to write the text are open")
        tree.keep(common[-2])
        self._tree = TokenTree(self.model, tree.cache)
        new = {common[-2]: -1}
        for path in paths:
            for before, node in pairwise(path[len(common) - 2 :]):
                if node not in new:
                    (_,), (state,) = tree.tokens([node])
                    new[node] = self._tree.add_placed(new[before], tree.places[node], state)
        self._wholes = [
            replace(one, parent=new.get(one.parent, -1), node=_moved(one.node, new))
            for one in self._wholes
        ]
        self._opens = [replace(one, node=new[one.node]) for one in self._opens]


def _moved(node: int | None, new: Mapping[int, int]) -> int | None:
    return None if node is None else new[node]


class Words:
    """The repository's n-gram as a partner of byte models: it speaks of identifiers only.

    Where a word of the repository could go on or end, ``heard`` returns how likely the n-gram holds
    each of its next bytes; what that leaves, the end of the word, is shared among the bytes no
    identifier holds as the others have it. Elsewhere it repeats what the others say.
    """

    def __init__(self, view: View, before: bytes, most: int = 64) -> None:
        """``before`` ends at the cursor; ``most`` words are looked at."""
        self._view = view
        self._text = before[before.rfind(b"\n", 0, max(len(before) - NEAR, 0)) + 1 :]
        self._most = most

    def push(self, byte: int) -> None:
        """Go on with a byte."""
        self._text += bytes((byte,))

    def heard(self, others: Floats) -> Floats:
        """(257,) log P(symbol), where ``others`` (257,) say so much of the same place."""
        words, typed = context(self._text)
        if not typed:
            return others
        found = {
            word: share
            for word, share in self._view.predict(words, typed, self._most)
            if word.startswith(typed)
        }
        whole = sum(found.values())
        if not whole:
            return others
        shares = np.zeros(SYMBOLS)
        for word, share in found.items():
            if word != typed:
                shares[word[len(typed)]] += share / whole
        ending = np.exp(others) * ~_IN_IDENTIFIER
        if ending.sum() > 0:
            shares += found.get(typed, 0.0) / whole * ending / ending.sum()
        with np.errstate(divide="ignore"):
            return others if not shares.sum() else np.log(shares / shares.sum())


class Ensemble:
    """Byte models mixed: P(symbol) is the weighted mean of what each says.

    With ``words`` the repository's n-gram has its share, ``share``, wherever it has something to
    say. Weights are fixed, or learned by ``learned_weights`` from text that is not reported on.
    """

    def __init__(
        self,
        models: Sequence[ByteModel],
        weights: Sequence[float] | None = None,
        words: Words | None = None,
        share: float = 0.3,
    ) -> None:
        """Equal weights unless told. Raises ValueError for weights that are no distribution."""
        self.weights = tuple(weights) if weights else (1 / len(models),) * len(models)
        fits = len(self.weights) == len(models) and min(self.weights) >= 0
        if not fits or not math.isclose(math.fsum(self.weights), 1, rel_tol=1e-6):
            raise ValueError("an ensemble needs a weight of each model, 1 in all")
        self.models = tuple(models)
        self.words = words
        self.share = share

    def next(self) -> Floats:
        """(257,) log P(symbol | bytes pushed)."""
        said = np.stack([model.next() for model in self.models])
        mixed = _mixed(said, np.array(self.weights))
        if self.words is None:
            return mixed
        heard = np.stack([mixed, self.words.heard(mixed)])
        return _mixed(heard, np.array([1 - self.share, self.share]))

    def push(self, byte: int) -> None:
        """Go on with a byte. A model that cannot is left out from there on.

        Raises BytesError where none can.
        """
        kept: list[tuple[ByteModel, float]] = []
        problem: BytesError | None = None
        for model, weight in zip(self.models, self.weights, strict=True):
            try:
                model.push(byte)
                kept.append((model, weight))
            except BytesError as error:
                problem = error
        whole = math.fsum(weight for _, weight in kept)
        if problem is not None:
            if not whole:
                raise problem
            self.models = tuple(model for model, _ in kept)
            self.weights = tuple(weight / whole for _, weight in kept)
        if self.words is not None:
            self.words.push(byte)


def learned_weights(said: Floats, steps: int = 100) -> tuple[float, ...]:
    """The weights of an ensemble under which a text is likeliest, by expectation maximization.

    ``said`` is (T, M): log P of the byte that came, T times, by M models. Raises ValueError where
    a byte has no probability in any model.
    """
    likely = np.exp(said - said.max(axis=1, keepdims=True))
    if not np.isfinite(likely).all():
        raise ValueError("no model gives some byte a probability")
    weights = np.full(said.shape[1], 1 / said.shape[1])
    for _ in range(steps):
        shares = likely * weights
        weights = (shares / shares.sum(axis=1, keepdims=True)).mean(axis=0)
    return tuple(weights.tolist())


def _mixed(said: Floats, weights: Floats) -> Floats:
    """(257,) the logarithm of the weighted mean of (M, 257)."""
    top = said.max(axis=0)
    steady = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        mixed: Floats = steady + np.log(weights @ np.exp(said - steady))
    return mixed


def score(stream: ByteModel, data: bytes) -> list[float]:
    """log P(byte | those before it) of each byte of ``data``, which is pushed."""
    found = []
    for byte in data:
        found.append(float(stream.next()[byte]))
        stream.push(byte)
    return found


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf


def _logsumexp(values: Sequence[float]) -> float:
    top = max(values, default=-math.inf)
    if top == -math.inf:
        return top
    return top + math.log(math.fsum(math.exp(one - top) for one in values))
