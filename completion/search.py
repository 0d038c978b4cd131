"""What may stand next at the cursor: whole lexemes with their probabilities.

``decoding.write`` follows one text; here a beam of them is followed. At every node the tokens
divide, by one table per *spelling* of the lexeme in the making (``lexeme.py``), into those that let
it go on and those that end it and with what: so the probability of a lexeme is summed over
everything that may come behind it, and is exact but for what fell off the beam.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from completion import decoding
from completion.beams import NO_TOKEN, Open, bracketed, followed, has_room, score
from completion.boundary import Boundary, boundary
from completion.decoding import Interrupted, Session
from completion.fim import Layout
from completion.lexeme import Kind, scan, spelling
from completion.mixture import Mixed, Partner, at_cursor
from completion.model.tokenizer import Tokenizer
from completion.model.types import State
from completion.tree import CanonicalModel, TokenTree

BEAMS = 10

FLOOR = 1e-3
"""Beginnings of lexemes that are less likely than this are not followed."""

MAX_STEPS = 24
"""The most tokens of one lexeme; what is longer is not found."""

Ids = NDArray[np.int64]
Floats = NDArray[np.float64]


class Candidate(NamedTuple):
    """A lexeme without the blanks before it, and log P(it is the next one), natural.

    ``text`` is empty where it is enough to know that a lexeme of this ``kind`` begins.
    """

    text: bytes
    log_prob: float
    kind: Kind


def likeliest_lexemes(
    model: CanonicalModel,
    session: Session,
    layout: Layout,
    interrupted: Interrupted,
    *,
    beams: int = BEAMS,
    floor: float = FLOOR,
    normalised: bool = True,
    inside: bool = False,
    partner: Partner | None = None,
) -> list[Candidate]:
    """What may stand next at the cursor, up to the end of one lexeme, best first.

    The cursor stands between two lexemes, and that is given: tokens that would make the lexeme
    before it longer are left out and the rest is renormalised. With ``inside`` it stands in a name,
    number or operator, and the candidates are the rests of that. Of comments, and with
    ``normalised`` of strings and numbers, only the beginning is looked for. Where a statement may
    end, the end of the middle counts as a line break, indented as the other line breaks are.
    Nothing is found inside a string or a comment. Raises TimeoutError where the deadline passes
    while the prompt is read.
    """
    with torch.inference_mode():
        tree, root, _ = decoding.read(model, session, layout, interrupted)
        found = boundary(tree, root, layout.tail)
        here = tree.places[found.end].syntax
        candidates: list[Candidate] = []
        if not here.literal:
            known = _known_kinds(normalised)
            dotted = (len(layout.before) - len(layout.before.rstrip("."))) % 3 > 0
            search = _LexemeSearch(tree, here, dotted, beams, floor, known, inside, partner)
            search.begin(found)
            while search.open and search.steps < MAX_STEPS and not interrupted():
                search.step()
            candidates = search.candidates()
        decoding.keep_path(tree, root, session)
    return candidates


def _probabilities(log_probs: Tensor) -> Floats:
    found: Floats = log_probs.double().exp().cpu().numpy()
    return found


def _largest(values: Floats, count: int) -> Ids:
    """Where the ``count`` largest values above 0 stand."""
    if len(values) > count:
        places = np.argpartition(values, len(values) - count)[len(values) - count :]
    else:
        places = np.arange(len(values))
    return places[values[places] > 0]


def _known_kinds(normalised: bool) -> frozenset[Kind]:
    """The lexemes that are known once they begin."""
    return frozenset((Kind.COMMENT, *((Kind.STRING, Kind.NUMBER) if normalised else ())))


class _Step(NamedTuple):
    """What a token does to a lexeme: ``added`` are its bytes that belong to it."""

    added: bytes
    kind: Kind
    open: bool


@lru_cache(maxsize=1 << 14)
def _step(before: bytes, data: bytes, bracketed: bool, border: bool) -> _Step | None:
    """Read ``data`` behind ``before``, a lexeme in the making or, at a ``border``, a whole one.

    None where it makes a lexeme longer that must end there.
    """
    text = before + data
    begin = 0
    if border and before:
        last = scan(text, inside=bracketed)
        begin = len(before)
        if last.open or last.end != begin:
            return None
    found = scan(text, begin, inside=bracketed)
    return _Step(text[len(before) : found.end], found.kind, found.open)


class _Table(NamedTuple):
    """How the tokens divide behind one spelling of a lexeme in the making.

    Behind those ``going_on`` it is still open; token ``ending[i]`` ends it as ``ends[numbers[i]]``:
    the bytes that it adds, and what the lexeme is.
    """

    going_on: Ids
    ending: Ids
    numbers: Ids
    ends: list[tuple[bytes, Kind]]


@lru_cache(maxsize=1024)
def _table(
    tokenizer: Tokenizer, before: bytes, bracketed: bool, border: bool, known: frozenset[Kind]
) -> _Table:
    """The table for `_step`; a lexeme of ``known`` kind counts as ended, without its bytes."""
    going_on: list[int] = []
    ending: list[int] = []
    numbers: list[int] = []
    ends: dict[tuple[bytes, Kind], int] = {}
    for token, data in enumerate(tokenizer.token_bytes):
        step = _step(before, data, bracketed, border) if data else None
        if step is None:
            continue
        if step.open and step.kind not in known:
            going_on.append(token)
            continue
        end = (b"" if step.kind in known else step.added, step.kind)
        ending.append(token)
        numbers.append(ends.setdefault(end, len(ends)))
    ids = [np.array(one, np.int64) for one in (going_on, ending, numbers)]
    return _Table(ids[0], ids[1], ids[2], list(ends))


@dataclass(slots=True)
class _LexemeSearch:
    """``open`` are the lexemes in the making, ``mass`` the probabilities of those that ended.

    ``dotted``: a dot before the cursor could become a number or an ellipsis; `State` does not know.
    ``line_end`` is the probability that the middle ends before any lexeme, ``total`` that of all
    that was admitted at the cursor.
    """

    tree: TokenTree
    here: State
    dotted: bool
    beams: int
    floor: float
    known: frozenset[Kind]
    inside: bool
    partner: Partner | None
    open: list[Open] = field(default_factory=list)
    mass: dict[tuple[bytes, Kind], float] = field(default_factory=dict)
    line_end: float = 0.0
    total: float = 0.0
    steps: int = 0

    @property
    def _lead(self) -> bytes:
        """What stands before the cursor of the lexeme that is looked for."""
        return self.here.pending if self.inside else b""

    @property
    def _starts_line(self) -> bool:
        """Whether the lexeme before the cursor is a line break with its indentation."""
        return self.here.fresh and not bracketed(self.here) and not self.here.pending

    @property
    def _before(self) -> bytes:
        """A spelling of the lexeme, or the part of one, that touches the cursor."""
        if self._starts_line:
            return b"\n"
        dot = b"." if self.dotted else b""
        return spelling(self.here.pending or dot, bracketed(self.here))

    def begin(self, found: Boundary) -> None:
        """Divide the leaves of the boundary."""
        row = at_cursor(found, self.here, self.partner)
        probabilities = _probabilities(row.log_probs)
        size = len(self.tree.model.tokenizer.token_bytes)
        table = self._table(self._before, border=not self.inside)
        cursor = Open(found.end, NO_TOKEN, b"", 0.0)
        opened = self._divide(cursor, row, probabilities[:size], table)
        self.total += float(probabilities[table.going_on].sum())
        leaves = zip(
            found.nodes[size:].tolist(),
            found.tokens[size:].tolist(),
            probabilities[size:].tolist(),
            strict=True,
        )
        for at, (node, token, probability) in enumerate(leaves, size):
            across = self._across(node, token, found.overlap[node], probability)
            opened += (one._replace(odds=row.odds_behind(at)) for one in across)
        self.total += sum(self.mass.values()) + self.line_end
        self._keep(opened)

    def step(self) -> None:
        """Score all that is open, and divide what may follow."""
        opened = []
        rows = score(self.tree, self.open, self.partner)
        for one, row in zip(self.open, rows, strict=True):
            table = self._table(spelling(self._lead + one.text, bracketed(self.here)))
            opened += self._divide(one, row, _probabilities(row.log_probs), table)
        self.steps += 1
        self._keep(opened)

    def candidates(self) -> list[Candidate]:
        """What has been found, best first."""
        breaks = [key for key in self.mass if key[1] is Kind.BREAK]
        among = sum(self.mass[key] for key in breaks)
        if among:
            for key in breaks:
                self.mass[key] *= 1 + self.line_end / among
        elif self.line_end:
            self.mass[b"\n" + b" " * self.here.indent, Kind.BREAK] = self.line_end
        found = [
            Candidate(text, math.log(mass / self.total), kind)
            for (text, kind), mass in self.mass.items()
        ]
        return sorted(found, key=lambda one: (-one.log_prob, one.text))

    def _table(self, before: bytes, *, border: bool = False) -> _Table:
        tokenizer = self.tree.model.tokenizer
        return _table(tokenizer, before, bracketed(self.here), border, self.known)

    def _divide(self, one: Open, row: Mixed, probabilities: Floats, table: _Table) -> list[Open]:
        """Book what ends behind ``one``; return the likeliest that go on."""
        weight = math.exp(one.log_prob)
        ending = probabilities[table.ending]
        sums = np.bincount(table.numbers, ending, len(table.ends)) * weight
        for number in np.flatnonzero(sums):
            self._end(one.text, *table.ends[number], float(sums[number]))
        end = self.tree.model.tokenizer.end
        self._end_of_middle(one, weight * float(probabilities[end]))
        best = table.going_on[_largest(probabilities[table.going_on], self.beams)].tolist()
        return followed(self.tree, one, best, row)

    def _across(self, node: int, token: int, overlap: int, probability: float) -> list[Open]:
        """The same for one token that began ``overlap`` bytes before the cursor."""
        data = self.tree.model.tokenizer.token_bytes[token][overlap:]
        step = _step(self._before, data, bracketed(self.here), not self.inside)
        if step is None or not probability:
            return []
        if not step.open or step.kind in self.known:
            self._end(b"", step.added, step.kind, probability)
            return []
        self.total += probability
        return [Open(node, token, data, math.log(probability))]

    def _end(self, text: bytes, added: bytes, kind: Kind, probability: float) -> None:
        if not probability:
            return
        key = (b"", kind) if kind in self.known else (self._lexeme(text + added), kind)
        self.mass[key] = self.mass.get(key, 0.0) + probability

    def _end_of_middle(self, one: Open, probability: float) -> None:
        found = scan(self._lead + one.text, inside=bracketed(self.here))
        if found.kind is not Kind.NOTHING:
            self._end(one.text, b"", found.kind, probability)
        elif not (bracketed(self.here) or self._starts_line):
            self.line_end += probability

    def _lexeme(self, text: bytes) -> bytes:
        """Without the blanks before it, and at a line break without the blank lines."""
        if self.inside:
            return text
        lexeme = text[scan(text, inside=bracketed(self.here)).begin :]
        if lexeme == b"..":  # and then no third
            return b"."
        if lexeme[:1] in (b"\r", b"\n"):
            return b"\n" + lexeme[max(lexeme.rfind(b"\r"), lexeme.rfind(b"\n")) + 1 :]
        return lexeme

    def _keep(self, opened: list[Open]) -> None:
        """Go on with the likeliest, unless they can no longer be among the best."""
        best = sorted(self.mass.values(), reverse=True)[: self.beams]
        least = max(best[-1] if len(best) == self.beams else 0.0, self.floor * self.total)
        opened = [one for one in opened if math.exp(one.log_prob) > least]
        opened.sort(key=lambda one: -one.log_prob)
        self.open = opened[: self.beams] if has_room(self.tree, self.beams) else []
