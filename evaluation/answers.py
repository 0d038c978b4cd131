"""What one position got from the server, as plain values, and whether it was right."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from completion.request import Ghost
from evaluation.cuts import Cut

WORD = re.compile(r"\w*")
NEXT = re.compile(r"\W*\w+")
"""The next word of a line and what stands before it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One popup item as the editor shows it; ``why`` is the evidence for its rank, in words."""

    label: str
    kind: str = ""
    detail: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class PopupAnswer:
    """The popup's items in the order that the editor shows them, and how long they took."""

    items: tuple[Item, ...]
    ms: float


@dataclass(frozen=True, slots=True)
class GhostAnswer:
    """The text that would appear after the cursor, or the code and words of the reason for none.

    ``text`` starts at the cursor: a half-typed word that the server repeats is taken off.
    """

    text: str
    code: str
    reason: str
    ms: float


@dataclass(frozen=True, slots=True)
class Written:
    """One ghost text: ``text`` after the cursor (empty: ``reason`` says why) and what is true.

    ``whole``, ``helps`` and ``word`` are three ways to be right: the rest of the line and nothing
    else; what the line goes on with, so that accepting it helps; right up to the next word's end.
    ``signs`` are what the confidence was worked out from.
    """

    arm: str
    cut: Cut
    text: str
    reason: str
    confidence: float
    name_right: bool
    line_right: bool
    ms: float
    repository: str = ""
    stop: str = ""
    whole: bool = False
    helps: bool = False
    word: bool = False
    signs: Mapping[str, float] = field(default_factory=dict)

    def shown(self, threshold: float) -> bool:
        """Return whether the text would appear under a confidence threshold."""
        return bool(self.text) and self.confidence >= threshold


def rank(cut: Cut, answer: PopupAnswer, late_ms: float) -> int | None:
    """Return the 1-based rank of the true name; None when it is absent or the answer was late."""
    if answer.ms > late_ms:
        return None
    labels = [item.label for item in answer.items]
    return labels.index(cut.name) + 1 if cut.name in labels else None


def name_right(cut: Cut, text: str) -> bool:
    """Return whether ``text`` completes exactly the identifier that stood at the cursor."""
    match = WORD.match(text)
    return match is not None and bool(match[0]) and cut.typed + match[0] == cut.name


def line_right(cut: Cut, text: str) -> bool:
    """Return whether the first line of ``text`` is the true rest of the line, up to end spaces."""
    first = text.splitlines()[0] if text else ""
    return bool(first.strip()) and first.rstrip() == cut.rest.rstrip()


def whole_right(cut: Cut, text: str) -> bool:
    """Return whether ``text`` is the true rest of the line and nothing else, up to end spaces."""
    return bool(text.strip()) and text.rstrip() == cut.rest.rstrip()


def helps(cut: Cut, text: str) -> bool:
    """Return whether the line goes on with ``text``, up to its end spaces: nothing to take back."""
    return bool(text.strip()) and cut.rest.startswith(text.rstrip())


def word_right(cut: Cut, text: str) -> bool:
    """Return whether ``text`` is right up to the end of the next word.

    Where no word follows on the line the whole rest must be right.
    """
    true, written = NEXT.match(cut.rest), NEXT.match(text)
    if true is None:
        return whole_right(cut, text)
    return written is not None and written[0] == true[0]


def after_cursor(ghost: Ghost, data: bytes, offset: int) -> str:
    """Return what the ghost text puts behind the cursor: its edit without the typed bytes."""
    if ghost.edit is None:
        return ""
    typed = data[ghost.edit.start : offset].decode("utf-8", "replace")
    return ghost.edit.text.removeprefix(typed)
