"""How near a written statement is to the true one, lexeme by lexeme: ROUGE-L, METEOR and others.

Both come from well-kept libraries (rouge-score, nltk) and are given lexemes, not words of text.
ROUGE-L is its F1. METEOR compares lexemes as they are: no stems and no lower case, and no synonyms,
for which there is no data offline, and which code does not have; so it is at most what nltk's
defaults would give.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from typing import Any

SEPARATOR = "\x1f"
"""Joins lexemes for a library that wants one text: the unit separator stands in no lexeme."""


class ScoresError(Exception):
    """The libraries are not installed; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """All between 0 and 1; ``edits`` is twice the matching characters by all characters."""

    rouge: float
    meteor: float
    exact: bool
    edits: float


def likeness(true: Sequence[str], written: Sequence[str]) -> Likeness:
    """Compare two statements that are split into lexemes. Raises ScoresError."""
    one, other = " ".join(true), " ".join(written)
    return Likeness(
        rouge=_rouge(true, written),
        meteor=_meteor(true, written),
        exact=list(true) == list(written),
        edits=SequenceMatcher(None, one, other, autojunk=False).ratio(),
    )


class _Lexemes:
    """What rouge-score calls a tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        return [each for each in text.split(SEPARATOR) if each]


class _Untouched:
    """What nltk calls a stemmer."""

    def stem(self, token: str) -> str:
        return token


class _NoSynonyms:
    """What nltk calls a wordnet, without a word in it."""

    def synsets(self, _: str) -> list[Any]:
        return []


def check() -> None:
    """Raises ScoresError where a library is missing."""
    try:
        import nltk  # noqa: F401
        import rouge_score  # noqa: F401
    except ImportError as error:
        raise ScoresError(
            "scores of statements need nltk and rouge-score: pip install 'lancefill[eval]'"
        ) from error


@cache
def _scorer() -> Any:  # noqa: ANN401 - the library has no types
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], tokenizer=_Lexemes())


def _rouge(true: Sequence[str], written: Sequence[str]) -> float:
    scores = _scorer().score(SEPARATOR.join(true), SEPARATOR.join(written))
    return float(scores["rougeL"].fmeasure)


def _meteor(true: Sequence[str], written: Sequence[str]) -> float:
    from nltk.translate.meteor_score import single_meteor_score

    return float(
        single_meteor_score(
            true, written, preprocess=str, stemmer=_Untouched(), wordnet=_NoSynonyms()
        )
    )
