"""The repository's n-gram as the token model's partner.

Where the model is not sure, P(token) = w · P_ngram(token) + (1 - w) · P_model(token). At the
beginning of a lexeme w is `WEIGHT`, behind a dot `AFTER_DOT`. Within one it follows Bayes' rule:
whoever gave more to what is written of the lexeme has more to say on how that goes on, so that the
mixture is one of whole lexemes. With a fixed w the two would have to agree anew on every token of a
name. Whether a word ends is mixed before what follows it.

At the cursor the names that the popup would offer (`GhostOptions.names`) speak for the n-gram with
the share `NAMED`: they know the receiver's type.

The n-gram speaks of whole lexemes, so a word counts for the one token that the canonical encoding
of what is written and then the word has at this place. How operators, brackets and line breaks
merge into tokens depends on what follows them, so their share is split among all tokens that begin
with them as the model splits its own; so is that of strings and numbers, of which the n-gram knows
only that they stand there. Whether a blank comes before a word is the model's to say, too. Words
that the n-gram does not know stay with the model. What comes out is a distribution.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import torch
from torch import Tensor

from completion.boundary import Boundary, in_identifier
from completion.lexeme import Kind, scan
from completion.model.tokenizer import Tokenizer
from completion.model.types import State, logical_lines
from indexing.lexemes import NEWLINE, NUMBER, STRING, context
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

AFTER_DOT = 0.7
"""w behind a dot, where the repository's names and the popup's are what can stand."""

PRIOR = math.log(WEIGHT / (1 - WEIGHT))
"""`WEIGHT` as log-odds of the n-gram against the model."""

NEAR = 400
"""Bytes before the cursor that are read for the n-gram's context, and the rest of their line."""

_WORD = re.compile(rb"[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*")

NAMED = 0.5
"""The share of the popup's names beside the n-gram's words, where there are both."""

_LITERALS = (STRING, NUMBER)
_NOTHING: Mapping[str, float] = MappingProxyType({})

CERTAIN = 8.0
"""Log-odds do not go beyond this: neither of the two is ever ruled out."""

Index = Callable[[int, int], int | None]
"""(bytes of the token that are written already, token) -> where its log-probability stands."""


def plain_index(overlap: int, token: int) -> int | None:
    """The index of a row over the vocabulary behind all that is written."""
    return token if overlap == 0 else None


@dataclass(frozen=True, slots=True)
class Mixed:
    """What comes next: (N,) natural ``log_probs``.

    ``odds`` are the log-odds of the n-gram against the model for the lexeme so far. ``models`` is
    (N,) the model's part of the probabilities, None where nothing is mixed; ``begins`` says of each
    entry whether it begins another lexeme, None where nobody asks.
    """

    log_probs: Tensor
    odds: float = PRIOR
    models: Tensor | None = None
    begins: Tensor | None = None

    def odds_behind(self, at: int) -> float:
        """The odds if the text goes on with what stands at ``at``."""
        if self.models is None:
            return PRIOR if self.begins is not None and self.begins[at] else self.odds
        models = float(self.models[at])
        ngrams = math.exp(float(self.log_probs[at])) - models
        if min(models, ngrams) <= 0:
            return self.odds if models <= 0 else -CERTAIN
        return _bounded(math.log(ngrams / models))


class Partner:
    """An n-gram, and the text before the cursor of one request."""

    def __init__(
        self, view: View, tokenizer: Tokenizer, before: str, names: Mapping[str, float] = _NOTHING
    ) -> None:
        self._view = view
        self._names = {name.encode(): share for name, share in names.items()}
        self._tokenizer = tokenizer
        text = before.encode()
        line = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        begins = logical_lines(text[:line])
        self._near = text[begins[max(bisect_right(begins, len(text) - NEAR) - 1, 0)] :]
        self._words = len(context(self._near)[0])

    def begin(self, found: Boundary, syntax: State) -> Mixed:
        """Mix the leaves of the boundary at the cursor, which stands at ``syntax``."""
        words, typed = context(self._near)
        tail = self._near[len(self._near) - max(found.overlap.values()) :]
        weight = _weight(words)
        odds = math.log(weight / (1 - weight))
        if typed and tail.lstrip() == typed:  # a name with digits has more than one pre-token
            among = self._view.predict(words, typed, PROPOSALS)
            odds += math.log(sum(each for _, each in among) or LEAST) - found.log_prob
        begins = _begins(self._tokenizer).to(found.log_probs.device)[found.tokens]
        for node, overlap in found.overlap.items():
            if overlap:  # then the token begins before the cursor, and one of its bytes behind it
                at = (found.nodes == node).nonzero().flatten()
                firsts = (
                    self._tokenizer.token_bytes[token][overlap]
                    for token in found.tokens[at].tolist()
                )
                begins[at] = begins.new_tensor([not in_identifier(byte) for byte in firsts])
        return self._mix(found.log_probs, begins, b"", syntax, _bounded(odds), found.index)

    def blend(self, log_probs: Tensor, written: bytes, syntax: State, odds: float) -> Mixed:
        """Mix (V,) log-probabilities of the next token with the n-gram's.

        ``written`` is what was generated behind the cursor, ``syntax`` where that leads, ``odds``
        what its last token left (`Mixed.odds_behind`). In strings and comments the n-gram has
        nothing to say.
        """
        begins = _begins(self._tokenizer).to(log_probs.device)
        return self._mix(log_probs, begins, written, syntax, odds, plain_index)

    def _mix(
        self,
        log_probs: Tensor,
        begins: Tensor,
        written: bytes,
        syntax: State,
        odds: float,
        index: Index,
    ) -> Mixed:
        """``begins``: (N,) the entries that do not make a word longer; ``index`` finds a token's.

        Either the word that is typed goes on, as far as it is the n-gram's with its weight, or it
        is complete and another lexeme follows, for which nobody has earned more than `WEIGHT` yet.
        """
        if not _WORD.fullmatch(syntax.pending):
            begins, odds = torch.ones_like(begins), PRIOR
        same = Mixed(log_probs, odds, None, begins)
        literal = syntax.literal or syntax.outer or syntax.pending[-1:] in (b"'", b'"')
        if literal or float(log_probs.max()) > math.log(SURE):
            return same
        try:
            text = (self._near + written).decode()
        except UnicodeDecodeError:  # inside a character
            return same
        row = _Row(self._tokenizer, log_probs, index, text)
        words, typed = context(text.encode())
        proposals = self._proposals(words, typed)
        if not typed:
            weight = _weight(words)
            following = weight * row.following(proposals, blank=False)
            if not following.any():
                return same
            own = log_probs.exp()
            mixed = own * (1 - following.sum()) + following
            return Mixed(mixed.log(), odds, (1 - weight) * own, torch.ones_like(begins))
        return self._inside(row, begins, words, typed, proposals, odds) or same

    def _inside(
        self,
        row: _Row,
        begins: Tensor,
        words: list[bytes],
        typed: bytes,
        proposals: dict[bytes, float],
        odds: float,
    ) -> Mixed | None:
        """Mix what follows a word that is ``typed``; None where the n-gram has nothing to say.

        The word goes on, with the weight that the odds give to the n-gram; or it ends there, with
        that weight too, and another lexeme follows, for which nobody has earned odds yet.
        """
        weight = 1 / (1 + math.exp(-odds))
        own = row.log_probs.exp()
        ends = float(own[begins].sum())
        whole = proposals.pop(typed, 0.0) if ends > LEAST else 0.0
        longer = weight * row.longer(proposals, typed)
        following = torch.zeros_like(own)
        if whole:
            behind = self._proposals([*words, typed], b"")
            following = WEIGHT * row.following(behind, blank=True)
        if not (longer.any() or following.any()):
            return None
        ended = (1 - weight) * own + (weight * whole / ends * own if whole else 0.0)
        ended = ended * begins
        lost = weight * (1 - whole) - longer.sum()  # what no token spells
        going_on = (1 - weight) * own * ~begins
        new = ended * (1 - following.sum()) + ended.sum() * following
        mixed = new + going_on + longer + lost * own
        return Mixed(mixed.log(), odds, (1 - WEIGHT) * ended + going_on, begins)

    def _proposals(self, words: list[bytes], typed: bytes) -> dict[bytes, float]:
        """Lexemes that start with ``typed``, and P(lexeme | words, typed)."""
        found = self._view.predict(words, typed, PROPOSALS)
        whole = sum(probability for _, probability in found) if typed else 1.0
        proposals = {word: probability / whole for word, probability in found}
        if not typed:
            literals = self._view.score(words, _LITERALS)
            proposals |= zip(_LITERALS, literals, strict=True)
        if len(words) == self._words:  # at the cursor
            named = {name: share for name, share in self._names.items() if name.startswith(typed)}
            if whole := sum(named.values()):
                proposals = {word: (1 - NAMED) * share for word, share in proposals.items()}
                for name, share in named.items():
                    proposals[name] = proposals.get(name, 0.0) + NAMED * share / whole
        return proposals


@dataclass(frozen=True, slots=True)
class _Row:
    """What the model says behind ``text``: (N,) log-probabilities.

    ``index`` says where a token stands among them.
    """

    tokenizer: Tokenizer
    log_probs: Tensor
    index: Index
    text: str

    def longer(self, words: Mapping[bytes, float], typed: bytes) -> Tensor:
        """(N,) the probabilities of ``words``, where what makes them of ``typed`` begins."""
        shares = torch.zeros_like(self.log_probs)
        for word, probability in words.items():
            if word != typed and _WORD.fullmatch(word):
                self._share(shares, probability, [word[len(typed) :]])
        return shares

    def following(self, lexemes: Mapping[bytes, float], *, blank: bool) -> Tensor:
        """(N,) the probabilities of ``lexemes``, where they begin: words with a blank if need be.

        Those of operators and line breaks are in proportion to the model's own.
        """
        shares = torch.zeros_like(self.log_probs)
        groups = _groups(self.tokenizer)
        for lexeme, probability in lexemes.items():
            if (places := groups.get(lexeme)) is None:  # a word, or a literal that is often there
                spellings = [b" " + lexeme] if blank else [lexeme, b" " + lexeme]
                self._share(shares, probability, spellings)
            else:
                places = places.to(self.log_probs.device)
                own = self.log_probs[places].exp()
                if float(own.sum()) > LEAST:
                    shares[places] += own * (probability / own.sum())
        return shares

    def _share(self, shares: Tensor, probability: float, spellings: Sequence[bytes]) -> None:
        """Give it to the spellings that may stand here, in proportion to the model's own."""
        places = [self._place(spelling) for spelling in spellings]
        known = [at for at in places if at is not None and self.log_probs[at] > -math.inf]
        if known:
            shares[known] += probability * self.log_probs[known].softmax(dim=0)

    def _place(self, continued: bytes) -> int | None:
        """Where the first token stands that reaches beyond the text if ``continued`` follows."""
        line = self.text[max(self.text.rfind("\n"), self.text.rfind("\r"), 0) :]
        return self.index(*_next_token(self.tokenizer, line, continued.decode()))


def _weight(words: Sequence[bytes]) -> float:
    """The n-gram's w for the lexeme behind ``words``."""
    return AFTER_DOT if words[-1:] == [b"."] else WEIGHT


def _bounded(odds: float) -> float:
    return max(-CERTAIN, min(CERTAIN, odds))


def at_cursor(found: Boundary, syntax: State, partner: Partner | None) -> Mixed:
    """The leaves of the boundary at the cursor, mixed if there is a partner."""
    if partner is None:
        return Mixed(found.log_probs)
    return partner.begin(found, syntax)


def behind(
    log_probs: Tensor, written: bytes, syntax: State, odds: float, partner: Partner | None
) -> Mixed:
    """A row over the vocabulary behind what is ``written``, mixed if there is a partner."""
    if partner is None:
        return Mixed(log_probs)
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


def prepare(tokenizer: Tokenizer) -> None:
    """Work out what is kept of a tokenizer: a second for 150k tokens, which no person waits for."""
    _begins(tokenizer)
    _groups(tokenizer)


@lru_cache(maxsize=8)
def _begins(tokenizer: Tokenizer) -> Tensor:
    """(V,) True for the tokens behind which a word is not the longer."""
    longer = [bool(data) and in_identifier(data[0]) for data in tokenizer.token_bytes]
    return ~torch.tensor(longer)


@lru_cache(maxsize=8)
def _groups(tokenizer: Tokenizer) -> dict[bytes, Tensor]:
    """By operator, and for `NEWLINE` and literals: the tokens that begin with it, blanks aside."""
    groups: dict[bytes, list[int]] = {}
    for token, data in enumerate(tokenizer.token_bytes):
        first = scan(data, inside=False)
        if first.kind is Kind.OPERATOR:
            groups.setdefault(data[first.begin : first.end], []).append(token)
        elif first.kind in (Kind.STRING, Kind.NUMBER):
            literal = STRING if first.kind is Kind.STRING else NUMBER
            groups.setdefault(literal, []).append(token)
        elif first.kind is Kind.BREAK or token == tokenizer.end:
            groups.setdefault(NEWLINE, []).append(token)
    return {lexeme: torch.tensor(tokens) for lexeme, tokens in groups.items()}
