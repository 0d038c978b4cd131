"""What answers to CodeFill's items are worth: ranks of lexemes, likeness of statements.

An answer is compared as the paper compares, normalised (``normalise.py``), and beside it as it is
written, raw. Candidates that become equal by normalisation are one candidate with the sum of their
probabilities, and the list is ranked anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from completion.lexeme import Kind
from evaluation.codefill.arms import Next, Rest
from evaluation.codefill.items import Item
from evaluation.codefill.normalise import Word, normalise, normalised
from evaluation.codefill.textscores import Likeness, likeness

TOP = 10
"""MRR is taken over this many candidates, as in the paper."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One lexeme asked for: 1-based ranks of the truth among the best `TOP`; None is a miss.

    ``typed`` says whether there is a type head at all; ``type_rank`` is among its best `TOP`.
    """

    arm: str
    item: Item
    answered: bool
    rank: int | None
    raw_rank: int | None
    typed: bool
    type_rank: int | None
    first: str
    ms: float

    def to_json(self) -> dict[str, Any]:
        """Plain values, without what the item's whole file imports."""
        return _place(self.item) | {
            "arm": self.arm,
            "truth": self.item.truth,
            "first": self.first,
            "rank": self.rank,
            "raw_rank": self.raw_rank,
            "type_rank": self.type_rank,
            "ms": self.ms,
        }


@dataclass(frozen=True, slots=True)
class Written:
    """One statement asked for, and how near it is to the truth."""

    arm: str
    item: Item
    text: str
    normal: Likeness
    raw: Likeness
    ms: float

    @property
    def answered(self) -> bool:
        """Whether anything was written."""
        return bool(self.text)

    def to_json(self) -> dict[str, Any]:
        """Plain values, without what the item's whole file imports."""
        return _place(self.item) | {
            "arm": self.arm,
            "n": len(self.item.rest),
            "truth": " ".join(_texts(self.item.rest)),
            "written": self.text,
            "rouge": self.normal.rouge,
            "meteor": self.normal.meteor,
            "ms": self.ms,
        }


@dataclass(frozen=True, slots=True)
class Answers:
    """All that was asked."""

    tokens: list[Scored] = field(default_factory=list)
    statements: list[Written] = field(default_factory=list)

    @property
    def arms(self) -> list[str]:
        """Who answered, in the order of their first answers."""
        return list(dict.fromkeys(one.arm for one in self.tokens))


def scored(arm: str, item: Item, found: Next) -> Scored:
    """Compare the next lexemes with the true one."""
    normal = ranked(item, found.words)
    raw = [text for (text, kind), _ in found.raw if kind is not Kind.COMMENT]
    token = item.token
    return Scored(
        arm=arm,
        item=item,
        answered=bool(normal),
        rank=_rank(normal, item.truth),
        raw_rank=_rank(raw, item.rest[0][0]),
        typed=bool(found.types),
        type_rank=_rank(found.types, token.role if token else ""),
        first=normal[0] if normal else "",
        ms=found.ms,
    )


def written(arm: str, item: Item, rest: Rest) -> Written:
    """Compare the rest of a statement with the true one."""
    normal = normalised(rest.words, item.before, item.scope)
    texts = _texts(rest.words)
    return Written(
        arm=arm,
        item=item,
        text=" ".join(texts),
        normal=likeness(item.statement, normal),
        raw=likeness(_texts(item.rest), texts),
        ms=rest.ms,
    )


def ranked(item: Item, found: Sequence[tuple[Word, float]]) -> list[str]:
    """The candidates in the paper's stream, the likeliest first; equal ones are added up."""
    sums: dict[str, float] = {}
    for word, probability in found:
        name = normalise(word, item.before, item.scope)
        if name is not None:
            sums[name] = sums.get(name, 0.0) + probability
    return sorted(sums, key=lambda name: -sums[name])


def _rank(found: Sequence[str] | Sequence[bytes], truth: str | bytes) -> int | None:
    return next((at for at, one in enumerate(found[:TOP], 1) if one == truth), None)


def _texts(words: Sequence[Word]) -> list[str]:
    return [text.decode(errors="replace") for text, _ in words]


def _place(item: Item) -> dict[str, Any]:
    return {"repository": item.repository, "path": item.path, "offset": item.cut}
