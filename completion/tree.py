"""Several continuations of one cached prompt, scored together.

``CanonicalModel`` is a network with its mass on canonical sequences alone: after every token the
continuations that the tokenizer would never write are left out and the rest is renormalised. Only
for such a model the sums over cover encodings are exact (Phan et al., ICLR 2025).

``TokenTree`` grows continuations as a tree whose nodes share one row of the cache: a node attends
to the prompt and to its own ancestors, so that branching copies nothing. T is the number of nodes
in one pass, S all that the cache holds, V the vocabulary.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from completion.model.codefill import GRAM_ORDERS
from completion.model.tokenizer import Tokenizer
from completion.model.types import START, State, advance_token
from completion.spelling.canonical import START as BEGINNING
from completion.spelling.canonical import Canonical

MAX_NODES = 512
"""The most nodes of one tree; a pass over more would be late anyway."""


@dataclass(frozen=True, slots=True)
class Place:
    """A sequence's last token and what it leaves behind for the rules about the next one.

    ``pretoken`` is a state of ``Canonical``.
    """

    token: int
    pretoken: int = BEGINNING
    syntax: State = START


class Scores(Protocol):
    """What heads give: ``value_logits`` (..., V) of the next token, in float32 or wider."""

    @property
    def value_logits(self) -> Tensor: ...


class Cache(Protocol):
    """One row of keys and values of the first ``length`` tokens; ``ids`` (1, capacity) are theirs.

    ``codefill.KVCache`` says what the methods do.
    """

    length: int
    ids: Tensor

    @property
    def capacity(self) -> int: ...

    def truncate(self, length: int) -> None: ...

    def gather(self, begin: int, positions: Sequence[int]) -> None: ...


class Network(Protocol):
    """What a tree asks of a network: ``CodeFill``, or any causal model (``model/causal.py``).

    ``trunk`` appends to a cache that ``empty_cache`` made; its arguments are those of
    ``CodeFill.trunk``. A network without syntactic states or grams ignores ``states`` and
    ``before``.
    """

    @property
    def vocabulary(self) -> int:
        """V, the number of tokens that it predicts."""

    @property
    def device(self) -> torch.device: ...

    def empty_cache(self) -> Cache: ...

    def trunk(
        self,
        values: Tensor,
        states: Tensor,
        *,
        positions: Tensor | None = None,
        before: Tensor | None = None,
        cache: Any = None,  # noqa: ANN401 - of the network's own kind
        mask: Tensor | None = None,
    ) -> Tensor: ...

    def heads(self, x: Tensor) -> Scores: ...


class CanonicalModel:
    """The network, its tokenizer, and the rules that join them.

    ``ends`` are the tokens that end the middle.
    """

    def __init__(
        self, network: Network, tokenizer: Tokenizer, ends: Sequence[int] | None = None
    ) -> None:
        """Raises ValueError where the two have different vocabularies."""
        if network.vocabulary != tokenizer.size:
            raise ValueError(
                f"the network knows {network.vocabulary} tokens, the tokenizer {tokenizer.size}"
            )
        self.network = network
        self.tokenizer = tokenizer
        self.ends = (tokenizer.end,) if ends is None else tuple(ends)
        self.rules = Canonical.of(tokenizer.spelling)
        self.device = network.device
        self._barred: OrderedDict[tuple[int, int], Tensor] = OrderedDict()

    def over(self, network: Network) -> CanonicalModel:
        """The same tokenizer and rules over another network of the same vocabulary."""
        other = copy.copy(self)
        other.network = network
        if network.device != self.device:
            other.device, other._barred = network.device, OrderedDict()
        return other

    def cache(self) -> Cache:
        """An empty cache of one row."""
        return self.network.empty_cache()

    def follow(self, place: Place, token: int) -> tuple[Place, int]:
        """Where ``token`` leads from ``place``, and the token's own state id."""
        syntax, state = advance_token(place.syntax, self.tokenizer.token_bytes[token])
        pretoken = self.rules.follow(place.pretoken, place.token, token)
        return Place(token, pretoken, syntax), state

    def log_probs(self, hidden: Tensor, places: Sequence[Place]) -> Tensor:
        """(N, width) hidden states to (N, V) log-probabilities of what may follow each place."""
        logits = self.network.heads(hidden).value_logits
        barred = torch.stack([self._barred_at(place) for place in places])
        return logits.masked_fill_(barred, -torch.inf).log_softmax(dim=-1)

    def _barred_at(self, place: Place) -> Tensor:
        """(V,) True where a token cannot follow; the end of the middle always can."""
        key = (place.token, place.pretoken)
        row = self._barred.get(key)
        if row is not None:
            self._barred.move_to_end(key)
        else:
            row = torch.from_numpy(~self.rules.allowed(*key))
            row[list(self.ends)] = False
            row = self._barred[key] = row.to(self.device)
            if len(self._barred) > self.rules.rows_kept:
                self._barred.popitem(last=False)
        return row


class TokenTree:
    """Nodes behind ``cache``; each is a token, known by its number in the order of ``add``.

    The parent -1 is the last token in the cache. Nodes are scored in the order they were added.
    """

    def __init__(self, model: CanonicalModel, cache: Cache) -> None:
        self.model = model
        self.cache = cache
        self.begin = cache.length
        self.places: list[Place] = []
        self._parents: list[int] = []
        self._states: list[int] = []
        self._children: dict[tuple[int, int], int] = {}
        self._depths: list[int] = []
        self._sees = np.zeros((MAX_NODES, MAX_NODES), dtype=bool)
        self._scored = 0

    def __len__(self) -> int:
        return len(self.places)

    def add(self, parent: int, token: int) -> int:
        """The node of ``token`` behind ``parent``, made where it does not exist yet."""
        known = self._children.get((parent, token))
        if known is not None:
            return known
        return self.add_placed(parent, *self.model.follow(self.places[parent], token))

    def add_placed(self, parent: int, place: Place, state: int) -> int:
        """A new node whose place and state id the caller knows. Raises ValueError when full."""
        node = len(self.places)
        if node == MAX_NODES:
            raise ValueError(f"more than {MAX_NODES} tokens to score at once")
        if parent >= 0:
            self._sees[node] = self._sees[parent]
        self._sees[node, node] = True
        self._depths.append(self._depths[parent] + 1 if parent >= 0 else 0)
        self._parents.append(parent)
        self._states.append(state)
        self.places.append(place)
        self._children[parent, place.token] = node
        return node

    def path(self, node: int) -> list[int]:
        """The nodes from the root down to ``node``."""
        found = []
        while node >= 0:
            found.append(node)
            node = self._parents[node]
        return found[::-1]

    def tokens(self, nodes: Sequence[int]) -> tuple[list[int], list[int]]:
        """(token ids, state ids) of some nodes."""
        return [self.places[node].token for node in nodes], [self._states[node] for node in nodes]

    def score(self, nodes: Sequence[int]) -> Tensor:
        """(len(nodes), V) log-probabilities behind nodes that were added since the last call.

        One pass over all the nodes added since then, whether asked for or not. Raises ValueError
        for a node that was scored before.
        """
        if min(nodes) < self._scored:
            raise ValueError("a node of this tree was scored before")
        first, self._scored = self._scored, len(self.places)
        values, states = self.tokens(range(first, len(self.places)))
        chain = self._depths[-1] == len(self.places) - 1  # all nodes so far, without a branch
        device = self.model.device
        hidden = self.model.network.trunk(
            torch.tensor([values], device=device),
            torch.tensor([states], device=device),
            positions=None if chain else self._positions(first),
            before=None if chain else self._before(first),
            cache=self.cache,
            mask=None if chain else self._mask(first),
        )
        rows = hidden[0, [node - first for node in nodes]]
        return self.model.log_probs(rows, [self.places[node] for node in nodes])

    def keep(self, node: int) -> None:
        """Cut the cache down to the prompt and the path to ``node``; the tree is over."""
        self.cache.gather(self.begin, [self.begin + one for one in self.path(node)])

    def _positions(self, first: int) -> Tensor:
        depths = [self.begin + depth for depth in self._depths[first:]]
        return torch.tensor([depths], device=self.model.device)

    def _before(self, first: int) -> Tensor:
        """(1, T, 2): the two tokens before each new node on its path."""
        cached = self.cache.ids[0, max(self.begin - GRAM_ORDERS, 0) : self.begin].tolist()
        roots = [*reversed(cached), *[0] * GRAM_ORDERS][:GRAM_ORDERS]
        found = []
        for node in range(first, len(self.places)):
            above = self.path(node)[-GRAM_ORDERS - 1 : -1][::-1]
            found.append(([self.places[one].token for one in above] + roots)[:GRAM_ORDERS])
        return torch.tensor([found], device=self.model.device)

    def _mask(self, first: int) -> Tensor:
        """(1, 1, T, S): the whole prompt, and of the tree a node's own path."""
        count = len(self.places)
        mask = np.ones((count - first, self.begin + count), dtype=bool)
        mask[:, self.begin :] = self._sees[first:count, :count]
        return torch.from_numpy(mask).to(self.model.device)[None, None]
