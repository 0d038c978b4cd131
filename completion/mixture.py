"""The repository's n-gram as the token model's partner.

Where the model is not sure, P(token) = w · P_ngram(token) + (1 - w) · P_model(token). The n-gram
speaks of whole lexemes, so a word counts for the one token that the canonical encoding of what is
written and then the word has at this place. Only words are proposed: how brackets and operators
merge into tokens depends on what follows them, so their share, and that of words that the n-gram
does not know, stays with the model. Whether a blank comes before the word is the model's to say:
the word's share is split as the model splits its own between the two tokens. What comes out is a
distribution.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from functools import lru_cache

import torch
from torch import Tensor

from completion.model.tokenizer import Tokenizer
from completion.model.types import State
from indexing.lexemes import context
from indexing.ngrams import View

PROPOSALS = 8
"""Words that the n-gram proposes at one place."""

SURE = 0.9
"""Where the model gives one token more than this, the n-gram is not asked: asking takes time."""

WEIGHT = 0.5
"""w. The n-gram's own smoothing already leaves to others what it is not sure of; weights that also
grew with the evidence for the context, tuned on development repositories, were no better.
"""

NEAR = 400
"""Bytes before the cursor that are read for the n-gram's context."""

_WORD = re.compile(rb"[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*")

Index = Callable[[int, int], int | None]
"""(bytes of the token that are written already, token) -> where its log-probability stands."""


def plain_index(overlap: int, token: int) -> int | None:
    """The index of a row over the vocabulary behind all that is written."""
    return token if overlap == 0 else None


class Partner:
    """An n-gram, and the text before the cursor of one request."""

    def __init__(self, view: View, tokenizer: Tokenizer, before: str) -> None:
        self._view = view
        self._tokenizer = tokenizer
        near = before.encode()[-NEAR:]
        cut = max(near.find(b"\n"), near.find(b"\r")) + 1 if len(near) == NEAR else 0
        self._near = near[cut:]

    def blend(
        self, log_probs: Tensor, written: bytes, syntax: State, index: Index = plain_index
    ) -> Tensor:
        """Mix (N,) log-probabilities of what comes next with the n-gram's.

        ``written`` is what was generated behind the cursor, ``syntax`` where that leads. In strings
        and comments the n-gram has nothing to say.
        """
        literal = syntax.literal or syntax.pending[-1:] in (b"'", b'"')
        if literal or float(log_probs.max()) > math.log(SURE):
            return log_probs
        try:
            text = (self._near + written).decode()
        except UnicodeDecodeError:  # inside a character
            return log_probs
        words, typed = context(text.encode())
        shares: dict[int, float] = {}
        for continued, probability in self._proposals(words, typed):
            for at, share in self._placed(text, continued, bool(typed), log_probs, index):
                shares[at] = shares.get(at, 0.0) + WEIGHT * share * probability
        return _blended(log_probs, shares)

    def _proposals(self, words: list[bytes], typed: bytes) -> Iterator[tuple[bytes, float]]:
        """How the lexeme may go on, with P(rest | words, typed); the rest is never empty."""
        found = self._view.predict(words, typed, PROPOSALS)
        whole = sum(probability for _, probability in found) if typed else 1.0
        for word, probability in found:
            if word != typed and _WORD.fullmatch(word):
                yield word[len(typed) :], probability / whole

    def _placed(
        self, text: str, continued: bytes, inside: bool, log_probs: Tensor, index: Index
    ) -> list[tuple[int, float]]:
        """Where the proposal counts, and which share of it."""
        spellings = [continued] if inside else [continued, b" " + continued]
        places = [self._place(text, spelling, index) for spelling in spellings]
        known = [at for at in places if at is not None and log_probs[at] > -math.inf]
        if not known:
            return []
        shares = log_probs[known].softmax(dim=0).tolist()
        return list(zip(known, shares, strict=True))

    def _place(self, text: str, continued: bytes, index: Index) -> int | None:
        """The index of the first token that reaches beyond ``text`` if ``continued`` follows."""
        line = text[max(text.rfind("\n"), text.rfind("\r"), 0) :]
        return index(*_next_token(self._tokenizer, line, continued.decode()))


@lru_cache(maxsize=4096)
def _next_token(tokenizer: Tokenizer, line: str, continued: str) -> tuple[int, int]:
    """(bytes of it in ``line``, token): the first token to end behind ``line``."""
    begin = tokenizer.pretokens(line)[-1][0] if line else 0
    piece = line.encode()[begin:].decode()
    left = len(piece.encode())
    for token in tokenizer.encode(piece + continued):
        length = len(tokenizer.token_bytes[token])
        if length > left:
            return left, token
        left -= length
    raise ValueError("nothing follows the line")


def _blended(log_probs: Tensor, shares: dict[int, float]) -> Tensor:
    """(1 - sum of shares) · P, with the shares added where they belong."""
    if not shares:
        return log_probs
    mixed = log_probs.exp() * (1 - sum(shares.values()))
    places = torch.tensor(list(shares), device=mixed.device)
    mixed[places] += torch.tensor(list(shares.values()), dtype=mixed.dtype, device=mixed.device)
    return mixed.log()
