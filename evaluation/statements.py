"""How near a written statement is to the true one, as CrossCodeEval's authors measure it.

Comments and the spaces around lines do not count. Identifiers are the words outside strings that
are no keywords (``True`` and ``False`` are identifiers to the authors), in order. The similarity of
edits is ``fuzz.ratio``: twice the matching characters by all characters, in percent.
"""

from __future__ import annotations

import keyword
import re
from difflib import SequenceMatcher

STRING = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'"
STRINGS = re.compile(STRING)
COMMENTS = re.compile(rf"({STRING})|#.*")
NAME = re.compile(r"[^\W\d]\w*")
WORD = re.compile(r"\w+")
KEYWORDS = frozenset(keyword.kwlist) - {"True", "False"}


def lines(code: str) -> list[str]:
    """The lines that hold code, without comments and the spaces around them."""
    bare = COMMENTS.sub(lambda match: match[1] or "", code)
    return [line.strip() for line in bare.splitlines() if line.strip()]


def identifiers(code: str) -> list[str]:
    """The identifiers of ``code`` in order, each as often as it stands there."""
    words = WORD.findall(STRINGS.sub("", "\n".join(lines(code))))
    return [word for word in words if NAME.fullmatch(word) and word not in KEYWORDS]


def similarity(one: str, other: str) -> float:
    """How alike two pieces of code are without their comments, from 0 to 100."""
    first, second = ("\n".join(lines(code)) for code in (one, other))
    return 100 * SequenceMatcher(None, first, second, autojunk=False).ratio()


def edit_similarity(one: str, other: str) -> float:
    """How alike two texts are as they stand, but for space around them, from 0 to 100."""
    return 100 * SequenceMatcher(None, one.strip(), other.strip(), autojunk=False).ratio()


def identifiers_f1(one: str, other: str) -> float:
    """How far two pieces of code have the same identifiers, in [0, 1]; 1 where neither has any."""
    first, second = set(identifiers(one)), set(identifiers(other))
    if not first and not second:
        return 1.0
    return 2 * len(first & second) / (len(first) + len(second))
