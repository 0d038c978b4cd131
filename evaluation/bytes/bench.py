"""One network for all arms of ``eval bytes``, with and without the rules of its tokenizer.

Passes are counted where a distribution is asked for; the passes that only read a long prompt into
the cache are the same for every arm.
"""

from __future__ import annotations

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


class Exact(CanonicalModel):
    """The network with its mass on canonical sequences, as the product has it."""

    passes = 0

    def log_probs(self, hidden: Tensor, places: Sequence[Place]) -> Tensor:
        """As ever, counted."""
        self.passes += 1
        return super().log_probs(hidden, places)


class Plain(CanonicalModel):
    """The network as it was trained: any token may follow any other."""

    passes = 0

    def log_probs(self, hidden: Tensor, places: Sequence[Place]) -> Tensor:  # noqa: ARG002
        """(N, width) hidden states to (N, V) log-probabilities, without the rules, counted."""
        self.passes += 1
        logits = self.network.heads(hidden).value_logits
        return logits.log_softmax(dim=-1)


@dataclass(frozen=True, slots=True)
class Cursor:
    """A prompt and its tokens."""

    prompt: Prompt
    layout: Layout


@dataclass(frozen=True, slots=True)
class Bench:
    """The model under both views, and the one session whose cache all arms share."""

    exact: Exact
    plain: Plain
    session: Session

    @classmethod
    def of(cls, network: CodeFill, tokenizer: Tokenizer) -> Bench:
        """Set up for a network; raises ValueError where the tokenizer is another one's."""
        exact = Exact(network, tokenizer)
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

    def read(self, model: CanonicalModel, layout: Layout) -> tuple[TokenTree, int]:
        """A tree behind the cached trunk, and the node of the trunk's last token.

        Only what the session has not cached yet is read.
        """
        tree, root, _ = decoding.read(model, self.session, layout, never)
        return tree, root

    def trunk_log_prob(self, layout: Layout) -> float:
        """log P(the trunk's text | the sentinels before it), natural.

        For prompts that fit into one pass. Raises ValueError for longer ones.
        """
        if len(layout.values) > decoding.CHUNK:
            raise ValueError(f"more than {decoding.CHUNK} tokens: not read in one pass")
        with torch.inference_mode():
            session = Session(self.exact.cache())
            tree, root, _ = decoding.read(self.exact, session, layout, never)
            path = tree.path(root)
            rows = tree.score(path)
        begin = layout.values.index(self.tokenizer.prefix)
        steps = zip(rows[begin:], layout.values[begin + 1 :], strict=False)
        return math.fsum(float(row[token]) for row, token in steps)


def never() -> bool:
    """Nothing interrupts an evaluation."""
    return False
