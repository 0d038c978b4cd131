"""The repository's n-gram as the token model's partner.

Where the model is not sure, P(token) = w · P_ngram(token) + (1 - w) · P_model(token). At the
beginning of a lexeme w is `WEIGHT`. Within one it follows Bayes' rule: whoever gave more to what is
written of the lexeme has more to say on how that goes on, so that the mixture is one of whole
lexemes. With a fixed w the two would have to agree anew on every token of a name.

The n-gram speaks of whole lexemes, so a word counts for the one token that the canonical encoding
of what is written and then the word has at this place. How operators, brackets and line breaks
merge into tokens depends on what follows them, so their share is split among all tokens that begin
with them as the model splits its own. Whether a blank comes before a word is the model's to say,
too. Strings, numbers and words that the n-gram does not know stay with the model. What comes out is
a distribution.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from completion.boundary import Boundary
from completion.lexeme import Kind, scan
from completion.model.tokenizer import Tokenizer
from completion.model.types import State, logical_lines
from indexing.lexemes import NEWLINE, context
from indexing.ngrams import View

PROPOSALS = 8
"""Lexemes that the n-gram proposes at one place."""

LEAST = 1e-4
"""The model's probability of an operator below which it cannot say how that goes on."""

SURE = 0.9
"""Where the model gives one token more than this, the n-gram is not asked: asking takes time."""

WEIGHT = 0.5
"""w. The n-gram's own smoothing already leaves to others what it is not sure of; weights that also
grew with the evidence for the context, tuned on development repositories, were no better.
"""

PRIOR = math.log(WEIGHT / (1 - WEIGHT))
"""The same as log-odds of the n-gram against the model."""

NEAR = 400
"""Bytes before the cursor that are read for the n-gram's context, and the rest of their line."""

_WORD = re.compile(rb"[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*")

CERTAIN = 8.0
"""Log-odds do not go beyond this: neither of the two is ever ruled out."""

Index = Callable[[int, int], int | None]
"""(bytes of the token that are written already, token) -> where its log-probability stands."""


def plain_index(overlap: int, token: int) -> int | None:
    """The index of a row over the vocabulary behind all that is written."""
    return token if overlap == 0 else None


@dataclass(frozen=True, slots=True)
class Mixed:
    """What comes next: (N,) natural ``log_probs``, and the model's ``own``.

    ``odds`` are the log-odds of the n-gram against the model for this lexeme so far; ``weight`` is
    the n-gram's w here, 0 where it has nothing to say.
    """

    log_probs: Tensor
    own: Tensor
    odds: float = PRIOR
    weight: float = 0.0

    def odds_behind(self, at: int) -> float:
        """The odds if the lexeme goes on with what stands at ``at``."""
        if not self.weight:
            return self.odds
        models = (1 - self.weight) * math.exp(float(self.own[at]))
        ngrams = math.exp(float(self.log_probs[at])) - models
        if min(models, ngrams) <= 0:
            return self.odds if models <= 0 else -CERTAIN
        return _bounded(math.log(ngrams / models))


class Partner:
    """An n-gram, and the text before the cursor of one request."""

    def __init__(self, view: View, tokenizer: Tokenizer, before: str) -> None:
        self._view = view
        self._tokenizer = tokenizer
        text = before.encode()
        line = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        begins = logical_lines(text[:line])
        self._near = text[begins[max(bisect_right(begins, len(text) - NEAR) - 1, 0)] :]

    def begin(self, found: Boundary, syntax: State) -> Mixed:
        """Mix the leaves of the boundary at the cursor, which stands at ``syntax``."""
        words, typed = context(self._near)
        tail = self._near[len(self._near) - max(found.overlap.values()) :]
        odds = PRIOR
        if typed and tail.lstrip() == typed:  # a name with digits has more than one pre-token
            among = self._view.predict(words, typed, PROPOSALS)
            odds += math.log(sum(each for _, each in among) or LEAST) - found.log_prob
        return self.blend(found.log_probs, b"", syntax, _bounded(odds), found.index)

    def blend(
        self,
        log_probs: Tensor,
        written: bytes,
        syntax: State,
        odds: float,
        index: Index = plain_index,
    ) -> Mixed:
        """Mix (N,) log-probabilities of what comes next with the n-gram's.

        ``written`` is what was generated behind the cursor, ``syntax`` where that leads, ``odds``
        what its last token left (`Mixed.odds_behind`). In strings and comments the n-gram has
        nothing to say.
        """
        if not _WORD.fullmatch(syntax.pending):  # a lexeme begins
            odds = PRIOR
        same = Mixed(log_probs, log_probs, odds)
        literal = syntax.literal or syntax.outer or syntax.pending[-1:] in (b"'", b'"')
        if literal or float(log_probs.max()) > math.log(SURE):
            return same
        try:
            text = (self._near + written).decode()
        except UnicodeDecodeError:  # inside a character
            return same
        weight = 1 / (1 + math.exp(-odds))
        words, typed = context(text.encode())
        found = self._proposals(words, typed)
        shares: dict[int, float] = {}
        for word, probability in found:
            if word != typed and _WORD.fullmatch(word):
                rest = word[len(typed) :]
                for at, share in self._placed(text, rest, bool(typed), log_probs, index):
                    shares[at] = shares.get(at, 0.0) + weight * share * probability
        operators = self._operators(words, typed, dict(found))
        groups = self._grouped(log_probs, operators, weight)
        if not shares and not groups:
            return same
        return Mixed(_blended(log_probs, shares, groups), log_probs, odds, weight)

    def _proposals(self, words: list[bytes], typed: bytes) -> list[tuple[bytes, float]]:
        """Lexemes that start with ``typed``, and P(lexeme | words, typed)."""
        found = self._view.predict(words, typed, PROPOSALS)
        whole = sum(probability for _, probability in found) if typed else 1.0
        return [(word, probability / whole) for word, probability in found]

    def _operators(
        self, words: list[bytes], typed: bytes, found: dict[bytes, float]
    ) -> dict[bytes, float]:
        """What else may follow: at once, or if the lexeme that is being typed is complete."""
        complete = found.get(typed, 0.0) if typed else 1.0
        if typed and complete:
            found = dict(self._view.predict([*words, typed], limit=PROPOSALS))
        return {
            lexeme: complete * probability
            for lexeme, probability in found.items()
            if complete and not _WORD.fullmatch(lexeme)
        }

    def _grouped(
        self, log_probs: Tensor, operators: dict[bytes, float], weight: float
    ) -> list[tuple[Tensor, Tensor]]:
        """Where each operator counts, and the shares, in proportion to the model's own."""
        groups, found = _groups(self._tokenizer), []
        for operator, probability in operators.items():
            if (places := groups.get(operator)) is None:
                continue
            own = log_probs[places.to(log_probs.device)].exp()
            if float(own.sum()) > LEAST:
                found.append((places.to(own.device), own * (weight * probability / own.sum())))
        return found

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


def _bounded(odds: float) -> float:
    return max(-CERTAIN, min(CERTAIN, odds))


def at_cursor(found: Boundary, syntax: State, partner: Partner | None) -> Mixed:
    """The leaves of the boundary at the cursor, mixed if there is a partner."""
    if partner is None:
        return Mixed(found.log_probs, found.log_probs)
    return partner.begin(found, syntax)


def behind(
    log_probs: Tensor, written: bytes, syntax: State, odds: float, partner: Partner | None
) -> Mixed:
    """A row over the vocabulary behind what is ``written``, mixed if there is a partner."""
    if partner is None:
        return Mixed(log_probs, log_probs)
    return partner.blend(log_probs, written, syntax, odds)


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


@lru_cache(maxsize=8)
def _groups(tokenizer: Tokenizer) -> dict[bytes, Tensor]:
    """By operator, and for `NEWLINE`: the tokens that begin with it, blanks aside."""
    groups: dict[bytes, list[int]] = {}
    for token, data in enumerate(tokenizer.token_bytes):
        first = scan(data, inside=False)
        if first.kind is Kind.OPERATOR:
            groups.setdefault(data[first.begin : first.end], []).append(token)
        elif first.kind is Kind.BREAK:
            groups.setdefault(NEWLINE, []).append(token)
    return {lexeme: torch.tensor(tokens) for lexeme, tokens in groups.items()}


def _blended(
    log_probs: Tensor, shares: dict[int, float], groups: list[tuple[Tensor, Tensor]]
) -> Tensor:
    """(1 - sum of all shares) · P, with the shares added where they belong."""
    places = torch.tensor(list(shares), dtype=torch.int64, device=log_probs.device)
    given = torch.tensor(list(shares.values()), dtype=log_probs.dtype, device=log_probs.device)
    left = 1 - float(given.sum()) - sum(float(part.sum()) for _, part in groups)
    mixed = log_probs.exp() * left
    mixed[places] += given
    for tokens, part in groups:
        mixed[tokens] += part
    return mixed.log()
