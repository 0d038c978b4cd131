"""One network for all arms of ``eval bytes``, with and without the rules of its tokenizer.

Passes are counted where a distribution is asked for; the passes that only read a long prompt into
the cache are the same for every arm.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from completion import decoding
from completion.decoding import Session
from completion.fim import Layout, lay_out
from completion.model.checkpoint import Loaded
from completion.model.codefill import CodeFill
from completion.model.quantised import quantised
from completion.model.tokenizer import Tokenizer
from completion.request import Prompt
from completion.tree import CanonicalModel, Place, TokenTree


class Counted(CanonicalModel):
    """Counts the ``passes`` that give a distribution, and the ``nodes`` that trees add to what was
    read."""

    passes = 0
    nodes = 0

    def follow(self, place: Place, token: int) -> tuple[Place, int]:
        """As ever, counted."""
        self.nodes += 1
        return super().follow(place, token)

    def log_probs(self, hidden: Tensor, places: Sequence[Place]) -> Tensor:
        """As ever, counted."""
        self.passes += 1
        return super().log_probs(hidden, places)


class Plain(Counted):
    """The network as it was trained: any token may follow any other, but for the sentinels that
    open parts of a prompt."""

    def log_probs(self, hidden: Tensor, places: Sequence[Place]) -> Tensor:  # noqa: ARG002
        """(N, width) hidden states to (N, V) log-probabilities, without the rules, counted."""
        self.passes += 1
        logits = self.network.heads(hidden).value_logits
        one = self.tokenizer
        logits[:, [one.pad, one.context, one.suffix, one.prefix]] = -torch.inf
        return logits.log_softmax(dim=-1)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A prompt and its tokens."""

    prompt: Prompt
    layout: Layout


@dataclass(frozen=True, slots=True)
class Bench:
    """The model under both views, and the one session whose cache all arms share.

    ``exact`` has its mass on canonical sequences alone, as the product has it.
    """

    exact: Counted
    plain: Plain
    session: Session

    @classmethod
    def of(cls, network: CodeFill, tokenizer: Tokenizer) -> Bench:
        """Set up for a network; raises ValueError where the tokenizer is another one's."""
        exact = Counted(network, tokenizer)
        return cls(exact, Plain(network, tokenizer), Session(exact.cache()))

    @classmethod
    def loaded(cls, model: Loaded, *, fast: bool = False) -> Bench:
        """Set up for a checkpoint; with ``fast`` as the editor runs it, in eight bits."""
        return cls.of(quantised(model.model) if fast else model.model, model.tokenizer)

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of both views."""
        return self.exact.tokenizer

    def cursor(self, prompt: Prompt) -> Cursor:
        """The prompt with its tokens, in a window of its own."""
        return Cursor(prompt, lay_out(self.exact, prompt, None)[0])

    @property
    def counts(self) -> tuple[int, int]:
        """(passes, nodes) since `reset`."""
        views = (self.exact, self.plain)
        return sum(one.passes for one in views), sum(one.nodes for one in views)

    def reset(self) -> None:
        """Count from here."""
        for one in (self.exact, self.plain):
            one.passes = one.nodes = 0

    def read(self, model: CanonicalModel, layout: Layout) -> tuple[TokenTree, int]:
        """A tree behind the cached trunk, and the node of the trunk's last token.

        Only what the session has not cached yet is read.
        """
        tree, root, _ = decoding.read(model, self.session, layout, never)
        return tree, root

    def trunk_log_prob(self, at: Cursor) -> float:
        """log P(the trunk's text | the sentinels before it), natural; of a window that begins
        with its file."""
        values, states = at.layout.values, at.layout.states
        begin = values.index(self.tokenizer.prefix) + 1
        place = Place(self.tokenizer.prefix)
        header = dataclasses.replace(
            at.layout, values=values[:begin], states=states[:begin], place=place
        )
        with torch.inference_mode():
            tree, node = self.read(self.exact, header)
            path = [node]
            for token in values[begin:]:
                path.append(tree.add(path[-1], token))
            rows = tree.score(path)
        steps = zip(rows, values[begin:], strict=False)
        return math.fsum(float(row[token]) for row, token in steps)


def never() -> bool:
    """Nothing interrupts an evaluation."""
    return False
