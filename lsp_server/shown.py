"""The ghost texts that were given last, so that what is typed of one need not be asked for again.

A person who types what is shown wants the rest of it, at once and unchanged. So a document that is
the old one with the beginning of a text typed at its place, and nothing else, is answered here.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

KEPT = 4
"""How many texts are remembered per document."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A text that was given: ``insert``, at the byte ``offset`` of the document ``text`` (UTF-8).

    In a notebook ``text`` is all that was read, the cells above first.
    ``number`` names it to the editor and is not given to another one in this session.
    """

    number: int
    text: bytes
    offset: int
    insert: bytes

    @property
    def end(self) -> int:
        """Where ``insert`` ends once it is typed."""
        return self.offset + len(self.insert)

    def rest(self, text: bytes, offset: int) -> bytes | None:
        """What of ``insert`` is not typed yet; empty where all of it is.

        None where ``text`` is not the old document with a beginning of ``insert`` typed and the
        cursor, byte ``offset``, behind it.
        """
        typed = offset - self.offset
        if not 0 <= typed <= len(self.insert) or len(text) - len(self.text) != typed:
            return None
        before, after = self.text[: self.offset], self.text[self.offset :]
        if not text.startswith(self.insert[:typed], self.offset):
            return None
        if not text.startswith(before) or not text.endswith(after):
            return None
        return self.insert[typed:]


class Memory:
    """The last texts of every open document, by its URI."""

    def __init__(self) -> None:
        self._kept: dict[str, deque[Shown]] = {}
        self._numbers = itertools.count(1)

    def remember(self, uri: str, text: bytes, offset: int, insert: bytes) -> Shown:
        """Keep a text that is given now; see `Shown`."""
        shown = Shown(next(self._numbers), text, offset, insert)
        self._kept.setdefault(uri, deque(maxlen=KEPT)).append(shown)
        return shown

    def rests(self, uri: str, text: bytes, offset: int) -> Iterator[tuple[Shown, bytes]]:
        """The texts that the document still goes on with, or has just ended; the newest first."""
        for shown in reversed(self._kept.get(uri, ())):
            rest = shown.rest(text, offset)
            if rest is not None:
                yield shown, rest

    def ended(self, uri: str, text: bytes) -> Shown | None:
        """The text that the document has just been completed by, typed to its end or accepted."""
        kept = reversed(self._kept.get(uri, ()))
        return next((each for each in kept if each.rest(text, each.end) == b""), None)

    def find(self, number: int) -> tuple[str, Shown] | None:
        """The text of this number and its document's URI; None where it is not remembered."""
        every = ((uri, shown) for uri, texts in self._kept.items() for shown in texts)
        return next((each for each in every if each[1].number == number), None)

    def forget(self, uri: str) -> None:
        """The document was closed."""
        self._kept.pop(uri, None)

    def clear(self) -> None:
        """What was given may not be given again: the settings are others."""
        self._kept.clear()
