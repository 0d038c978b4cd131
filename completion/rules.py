"""What may be written, applied to what a model says: masked rows and leaves, renormalised.

The rules know bytes (``constraint.py``); here they meet tokens and probabilities. What is kept is
the model's own distribution given that it keeps to the rules at this token.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from completion.boundary import Boundary
from completion.constraint import Closed, Constraint, vocabulary_of
from completion.model.tokenizer import Tokenizer
from completion.model.types import State


@dataclass(frozen=True, slots=True)
class Rules:
    """What may be written, and where what stands behind the cursor ends it; None: no rule."""

    constraint: Constraint | None = None
    closed: Closed | None = None

    def leaves(self, found: Boundary, tokenizer: Tokenizer, syntax: State) -> Boundary | None:
        """The leaves at the cursor, at ``syntax``, that may be written; None: there are none."""
        if self.constraint is None:
            return found
        kept = torch.ones_like(found.log_probs, dtype=torch.bool)
        vocabulary, code = vocabulary_of(tokenizer), _is_code(syntax)
        for node, overlap in found.overlap.items():
            rows = found.nodes == node
            tokens = found.tokens[rows].cpu().numpy()
            allowed = self.constraint.leaves(vocabulary, tokens, overlap, code=code)
            if allowed is not None:
                kept[rows] = torch.from_numpy(allowed).to(kept.device)
        held = _held(found.log_probs, kept)
        return None if held is None else replace(found, log_probs=held)

    def row(
        self, own: Tensor, tokenizer: Tokenizer, written: bytes, syntax: State
    ) -> Tensor | None:
        """(V,) log-probabilities behind what is ``written``; None where nothing may follow."""
        if self.constraint is None:
            return own
        allowed = self.constraint.row(vocabulary_of(tokenizer), written, code=_is_code(syntax))
        return own if allowed is None else _held(own, torch.from_numpy(allowed).to(own.device))

    def end(self, written: bytes, data: bytes, syntax: State) -> int | None:
        """Where in ``data``, behind what is ``written``, the text must end; None: it need not."""
        return None if self.closed is None else self.closed.end(written, data, syntax)


FREE = Rules()
"""No rule at all."""


def _held(log_probs: Tensor, kept: Tensor) -> Tensor | None:
    """Log-probabilities given that it is one of those kept; None where none of them can be."""
    held = log_probs.masked_fill(~kept, -math.inf)
    total = held.logsumexp(dim=0)
    return None if float(total) == -math.inf else held - total


def _is_code(syntax: State) -> bool:
    """Whether a lexeme of code may begin or go on at ``syntax``."""
    return not (syntax.literal or syntax.outer or syntax.pending[-1:] in (b"'", b'"'))
