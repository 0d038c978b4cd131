"""Whole statements by beam search, to choose from by a score that does not punish length."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from completion import decoding
from completion.beams import NO_TOKEN, Open, bracketed, followed, has_room, score
from completion.boundary import Boundary, boundary
from completion.decoding import Interrupted, Session
from completion.fim import Layout
from completion.lexeme import BLANKS
from completion.mixture import Mixed, Partner, at_cursor
from completion.model.tokenizer import Tokenizer
from completion.model.types import State, advance
from completion.tree import CanonicalModel, TokenTree

BEAMS = 5
"""As in CodeFill, which tried 3, 5 and 10."""

MAX_TOKENS = 64
"""The most tokens of one statement."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement up to its end, without the line break.

    ``log_prob`` is natural and includes that it ends there; ``tokens`` counts that end too. Where
    it has not ``ended`` the text is only its beginning.
    """

    text: bytes
    log_prob: float
    tokens: int
    ended: bool = True

    @property
    def score(self) -> float:
        """Log-probability per token: the longer of two statements is not the worse for it."""
        return self.log_prob / self.tokens


def likeliest_statements(
    model: CanonicalModel,
    session: Session,
    layout: Layout,
    interrupted: Interrupted,
    *,
    beams: int = BEAMS,
    max_tokens: int = MAX_TOKENS,
    partner: Partner | None = None,
) -> list[Statement]:
    """What may stand between the cursor and the end of the statement, best `Statement.score` first.

    At most ``beams`` of them, by beam search, which is greedy with one beam; beginnings only where
    no end was found within ``max_tokens``. Raises TimeoutError where the deadline passes while the
    prompt is read.
    """
    with torch.inference_mode():
        tree, root, _ = decoding.read(model, session, layout, interrupted)
        search = _StatementSearch(tree, beams, partner)
        search.begin(boundary(tree, root, layout.tail))
        while search.open and search.steps < max_tokens and not interrupted():
            search.step()
        decoding.keep_path(tree, root, session)
    return search.best()


@lru_cache(maxsize=8)
def _line_ends(tokenizer: Tokenizer, comments: bool) -> Tensor:
    """(V,) True for tokens that begin a new line, for the end, and for those of a comment."""
    ends = [data[:1] in (b"\r", b"\n") for data in tokenizer.token_bytes]
    if comments:
        starts = [data.lstrip(BLANKS)[:1] == b"#" for data in tokenizer.token_bytes]
        ends = [one or other for one, other in zip(ends, starts, strict=True)]
    ends[tokenizer.end] = True
    return torch.tensor(ends)


def _ends_at(tokenizer: Tokenizer, syntax: State) -> Tensor:
    """(V,) True for the tokens that end the statement that stands at ``syntax``.

    As in ``decoding``: a line break inside brackets goes on, and one behind a backslash; one inside
    a string ends what a person wants to see.
    """
    behind, _ = advance(syntax, b"\n")
    if not bracketed(behind) and (behind.fresh or behind.literal):
        quoted = syntax.literal or syntax.pending[-1:] in (b"'", b'"')
        return _line_ends(tokenizer, not quoted)
    only = torch.zeros(len(tokenizer.token_bytes), dtype=torch.bool)
    only[tokenizer.end] = True
    return only


@dataclass(slots=True)
class _StatementSearch:
    """All that is ``open`` has the same number of tokens; ``ended`` is the statements found, and
    ``left`` what was open last.
    """

    tree: TokenTree
    beams: int
    partner: Partner | None
    open: list[Open] = field(default_factory=list)
    left: list[Open] = field(default_factory=list)
    ended: dict[bytes, Statement] = field(default_factory=dict)
    steps: int = 0

    def begin(self, found: Boundary) -> None:
        """Take the likeliest leaves of the boundary."""
        here = self.tree.places[found.end].syntax
        row = at_cursor(found, here, self.partner)
        size = len(self.tree.model.tokenizer.token_bytes)
        self.steps = 1
        divided = self._divide(Open(found.end, NO_TOKEN, b"", 0.0), here, row)
        across = row.log_probs[size:]
        best = across.topk(min(self.beams, len(across)))
        for log_prob, index in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            node, token = int(found.nodes[size + index]), int(found.tokens[size + index])
            data = self.tree.model.tokenizer.token_bytes[token][found.overlap[node] :]
            divided.append(Open(node, token, data, log_prob, row.odds_behind(size + index)))
        self._keep(divided)

    def step(self) -> None:
        """Score all that is open, and divide what may follow."""
        self.steps += 1
        divided: list[Open | Statement] = []
        rows = score(self.tree, self.open, self.partner)
        for one, row in zip(self.open, rows, strict=True):
            syntax = self.tree.places[self.tree.add(one.node, one.token)].syntax
            divided += self._divide(one, syntax, row)
        self._keep(divided)

    def best(self) -> list[Statement]:
        """The statements found, best first; where none has ended, what is left of the beam."""
        found = list(self.ended.values()) or [
            Statement(one.text.rstrip(BLANKS), one.log_prob, self.steps, ended=False)
            for one in self.left
        ]
        return sorted(found, key=lambda one: (-one.score, one.text))[: self.beams]

    def _divide(self, one: Open, syntax: State, row: Mixed) -> list[Open | Statement]:
        """The likeliest that go on behind ``one``, and that it ends there."""
        ends = _ends_at(self.tree.model.tokenizer, syntax).to(row.log_probs.device)
        log_probs = row.log_probs[: len(ends)]
        log_prob = one.log_prob + float(log_probs[ends].logsumexp(dim=0))
        ended = Statement(one.text.rstrip(BLANKS), log_prob, self.steps)
        best = log_probs.masked_fill(ends, -math.inf).topk(self.beams).indices.tolist()
        return [ended, *followed(self.tree, one, best, row)]

    def _keep(self, found: list[Open | Statement]) -> None:
        """Go on with the likeliest; an end counts where it is among the likeliest itself."""
        found = [one for one in found if one.log_prob > -math.inf]
        found.sort(key=lambda one: -one.log_prob)
        for one in found[: self.beams]:
            if isinstance(one, Statement):
                self._end(one)
        opened = [one for one in found if isinstance(one, Open)][: self.beams]
        self.left = opened or self.left
        go_on = has_room(self.tree, self.beams) and not self._is_done(opened)
        self.open = opened if go_on else []

    def _end(self, statement: Statement) -> None:
        """Texts that differ in the blanks before the line break are one statement."""
        known = self.ended.get(statement.text)
        if known is not None:
            both = float(np.logaddexp(statement.log_prob, known.log_prob))
            statement = Statement(statement.text, both, statement.tokens)
        self.ended[statement.text] = statement

    def _is_done(self, opened: Sequence[Open]) -> bool:
        """Whether one that has ended is better than any would be that ended now, and surely; or
        where there are enough, whether one is likelier: else the beam might repeat itself for long.
        """
        if not (opened and self.ended):
            return False
        best = max(one.score for one in self.ended.values())
        likeliest = max(one.log_prob for one in self.ended.values())
        enough = len(self.ended) >= self.beams and likeliest >= opened[0].log_prob
        return enough or best >= opened[0].log_prob / (self.steps + 1)
