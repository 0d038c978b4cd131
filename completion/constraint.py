"""What may be written, by its bytes: members that exist, nothing that the suffix closes already.

A constraint knows no tokenizer. It says whether some bytes may follow what is written, so it can be
intersected with whatever a model chooses from: tokens, tokens that began before the cursor, single
bytes. Where all members of a receiver are known, an identifier behind its dot is one of them, or
the beginning of one; a byte that no identifier holds can follow a whole one only (monitor-guided
decoding, Agrawal et al. 2023, on bytes instead of tokens). Everywhere else all is allowed.

:meth:`Constraint.permits` is that rule, byte by byte. :meth:`Constraint.row` is the same for a
whole vocabulary, in which the beginnings of names are looked up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from completion.filters import Around, around_cursor, misfit
from completion.model.tokenizer import Tokenizer
from completion.model.types import START, STATE_IDS, State, advance
from completion.rebinding import BINDERS, open_to_for, rebound
from completion.request import Known

LOOKED_AT = 512
"""Bytes before a place that are searched for the receiver's dot; a longer receiver is not known."""

ROWS_KEPT = 256
"""Rows over the vocabulary that one constraint remembers."""

_CHAIN = re.compile(rb"[\w\x80-\xff.]*\Z")
_IMPORT = re.compile(rb"[ \t]*(?:import|from)\b")
_IDENTIFIER = re.compile(rb"[A-Za-z0-9_\x80-\xff]*")
_DEEP = re.compile(rb"\.[\w\x80-\xff]+\.")
_LAST_WORD = re.compile(rb"[\w\x80-\xff]*\Z")
_NO_CODE = re.compile(rb"[\"'#]")
_CLOSERS = frozenset(b")]}")
_STATEMENTS_END = frozenset(STATE_IDS[f"newline {each}"] for each in ("block", "plain", "start"))

Mask = NDArray[np.bool_]
Names = frozenset[bytes]


class Vocabulary:
    """The bytes of every token, arranged for look-ups. V is their number; specials have none.

    ``spelling`` finds the tokens that are just some bytes, ``leaving`` those that go on with what
    no identifier holds behind some bytes of one; ``dotted`` by what stands before their first dot
    those that go on behind it, ``deep`` those of them with names between dots.
    """

    def __init__(self, tokens: Sequence[bytes]) -> None:
        self.tokens = tokens
        self.spelling: dict[bytes, list[int]] = {}
        self.leaving: dict[bytes, list[int]] = {}
        self.dotted: dict[bytes, list[int]] = {}
        self.is_dotted = np.zeros(len(tokens), dtype=bool)
        self.deep = [token for token, data in enumerate(tokens) if _DEEP.search(data)]
        for token, data in enumerate(tokens):
            self.spelling.setdefault(data, []).append(token)
            if (lead := _lead(data)) < len(data):
                self.leaving.setdefault(data[:lead], []).append(token)
            if 0 <= (dot := data.find(b".")) < len(data) - 1:
                self.dotted.setdefault(data[:dot], []).append(token)
                self.is_dotted[token] = True


def _lead(data: bytes) -> int:
    """How many bytes of an identifier ``data`` begins with."""
    match = _IDENTIFIER.match(data)
    return match.end() if match else 0


@dataclass(frozen=True, slots=True)
class Spot:
    """A place behind the dot of a receiver whose members are ``names``; ``typed`` of one stands."""

    names: Names
    typed: bytes

    def takes(self, byte: int) -> bool:
        """Whether the byte may follow."""
        following = bytes((byte,))
        if _IDENTIFIER.fullmatch(following):
            begun = self.typed + following
            return any(name.startswith(begun) for name in self.names)
        return self.typed in self.names


@dataclass(frozen=True, slots=True)
class Constraint:
    """What may follow ``before``, the text up to the cursor, at least its line.

    ``here`` are the members that can stand at the cursor, None where they are not known;
    ``receivers`` those behind dots that are still to be written, by the source before the dot;
    ``made``: receivers that a statement may begin with in order to make them a new attribute;
    ``fixed``: names that nothing on the line binds anew. Of other receivers nothing is known
    where a comprehension, a ``lambda`` or what is written may have bound them to something else.
    """

    before: bytes
    here: Names | None = None
    receivers: Mapping[bytes, Names] = field(default_factory=dict)
    made: Names = frozenset()
    fixed: Names = frozenset()
    _rows: dict[object, Mask | None] = field(default_factory=dict, compare=False, repr=False)
    _begun: dict[bytes, tuple[int, State]] = field(default_factory=dict, compare=False, repr=False)

    def spot(self, written: bytes) -> Spot | None:
        """The place behind ``written``, if only known members can stand there."""
        line, chain = self._end(written)
        receiver, _, typed = chain.rpartition(b".")
        if self._at_cursor(written):
            return Spot(self.here or frozenset(), typed)
        names = self.receivers.get(receiver)
        if not names or _IMPORT.match(line) or (receiver in self.made and not line.strip()):
            return None
        if self._may_mean_another(receiver, written, len(chain)):
            return None
        return Spot(names, typed)

    def _may_mean_another(self, receiver: bytes, written: bytes, length: int) -> bool:
        """Whether the receiver, in the last ``length`` bytes, may be another than at the cursor."""
        code = self._statement(written, length)
        if rebound(receiver, code):
            return True
        root = receiver.partition(b".")[0]
        return root not in self.fixed and any(open_to_for(code))

    def _statement(self, written: bytes, length: int) -> bytes:
        """The statement at the cursor and what is written, without the last ``length`` bytes."""
        code = self.before[self._start()[0] :] + written
        return code[: len(code) - length]

    def _start(self) -> tuple[int, State]:
        """Where the statement at the cursor begins, and the state at the cursor."""
        found = self._begun.get(self.before)
        if found is None:
            state, pieces = advance(START, self.before)
            ends = (at for at, piece in pieces if piece in _STATEMENTS_END)
            found = self._begun[self.before] = max(ends, default=0), state
        return found

    def _is_code(self, written: bytes) -> bool:
        """Whether code, not a string or comment, goes on behind ``written``."""
        state = advance(self._start()[1], written)[0]
        return not (state.literal or state.outer or state.pending[-1:] in (b"'", b'"'))

    def _at_cursor(self, written: bytes) -> bool:
        """Whether ``written`` still spells the identifier at the cursor, whose names are known."""
        return self.here is not None and _IDENTIFIER.fullmatch(written) is not None

    def _end(self, written: bytes) -> tuple[bytes, bytes]:
        """The names and dots that the text ends in, and what stands before them on their line."""
        text = self.before[-LOOKED_AT:] + written
        match = _CHAIN.search(text, max(0, len(text) - LOOKED_AT))
        begin = match.start() if match else len(text)
        line = max(text.rfind(b"\n", 0, begin), text.rfind(b"\r", 0, begin)) + 1
        return text[line:begin], text[begin:]

    def permits(self, written: bytes, data: bytes) -> bool:
        """Whether ``data`` may follow what is ``written``; nothing: whether it may end.

        Strings and comments are not looked into.
        """
        if not (self._at_cursor(written) or self._is_code(written)):
            return True
        if not data:
            spot = self.spot(written)
            return spot is None or spot.typed in spot.names
        for at, byte in enumerate(data):
            spot = self.spot(written + data[:at])
            if spot is not None and not spot.takes(byte):
                return False
            if _NO_CODE.match(data, at):
                return True
        return True

    def _bound_by(self, written: bytes, length: int) -> tuple[tuple[bool, ...], bytes]:
        """All that `_may_mean_another` may read of the text, and of what is written next."""
        code = self._statement(written, length)
        roots = (receiver.partition(b".")[0] for receiver in self.receivers)
        matters = BINDERS.search(code) is not None or any(root in code for root in roots)
        return open_to_for(code), code if matters else b""

    def whole(self, written: bytes) -> bytes:
        """``written`` without the beginning of a name behind which none of those known goes on."""
        if self.permits(written, b""):
            return written
        match = _LAST_WORD.search(written)
        return written[: match.start()] if match else written

    def row(self, vocabulary: Vocabulary, written: bytes, *, code: bool = True) -> Mask | None:
        """(V,) the tokens that `permits` behind ``written``; None: all of them.

        ``code``: ``written`` does not end in a string or comment, where all is allowed.
        """
        at_cursor = self._at_cursor(written)
        if not (at_cursor or (code and self._is_code(written))):
            return None
        line, chain = self._end(written)
        place = (bool(_IMPORT.match(line)), not line.strip())
        key = (at_cursor, chain, place, self._bound_by(written, len(chain)))
        if key not in self._rows:
            if len(self._rows) >= ROWS_KEPT:
                self._rows.clear()
            self._rows[key] = self._made_row(vocabulary, written)
        return self._rows[key]

    def leaves(
        self, vocabulary: Vocabulary, tokens: NDArray[np.int64], overlap: int, *, code: bool = True
    ) -> Mask | None:
        """(N,) which of ``tokens`` may stand, ``overlap`` bytes of each before the cursor.

        None: all of them.
        """
        if overlap == 0:
            row = self.row(vocabulary, b"", code=code)
            return None if row is None else row[tokens]
        spot = self.spot(b"")
        if not (code or self.here is not None):
            return None
        found = np.ones(len(tokens), dtype=bool)
        if spot is not None:
            begun = {name[:end] for name in spot.names for end in range(len(name) + 1)}
            for at, token in enumerate(tokens.tolist()):
                data = vocabulary.tokens[token][overlap:]
                lead = _lead(data)
                known = begun if lead == len(data) else spot.names
                found[at] = spot.typed + data[:lead] in known
        for at in np.flatnonzero(found & vocabulary.is_dotted[tokens]).tolist():
            found[at] = self.permits(b"", vocabulary.tokens[int(tokens[at])][overlap:])
        return None if found.all() else found

    def _made_row(self, vocabulary: Vocabulary, written: bytes) -> Mask | None:
        spot = self.spot(written)
        if spot is None:
            row = np.ones(len(vocabulary.tokens), dtype=bool)
        else:
            row = _of_members(vocabulary, spot.names, spot.typed).copy()
        for token in self._looked_into(vocabulary, written):
            row[token] &= self.permits(written, vocabulary.tokens[token])
        return None if row.all() else row

    def _looked_into(self, vocabulary: Vocabulary, written: bytes) -> Iterator[int]:
        """The tokens that go on behind a dot of their own whose receiver may be known."""
        _, chain = self._end(written)
        for head, tokens in vocabulary.dotted.items():
            whole = _CHAIN.search(chain + head)
            if whole is not None and whole.group() in self.receivers:
                yield from tokens
        yield from vocabulary.deep


@lru_cache(maxsize=ROWS_KEPT)
def _of_members(vocabulary: Vocabulary, names: Names, typed: bytes) -> Mask:
    """(V,) the tokens that make one of the names longer, or leave a whole one."""
    row = np.zeros(len(vocabulary.tokens), dtype=bool)
    rests = {name[len(typed) :] for name in names if name.startswith(typed)}
    pieces = {rest[:end] for rest in rests for end in range(1, len(rest) + 1)}
    if b"" in rests:
        pieces.add(b"")  # the specials, which end the text
    found = [token for piece in pieces for token in vocabulary.spelling.get(piece, ())]
    found += [token for rest in rests for token in vocabulary.leaving.get(rest, ())]
    row[found] = True
    row.flags.writeable = False
    return row


def constraint(before: str, known: Known) -> Constraint | None:
    """The constraint behind ``before``; None where nothing is known."""
    if known.here is None and not known.receivers:
        return None
    names = {receiver.encode(): _bytes(each) for receiver, each in known.receivers.items()}
    here = None if known.here is None else _bytes(known.here)
    return Constraint(before.encode(), here, names, _bytes(known.made), _bytes(known.fixed))


def _bytes(names: Sequence[str]) -> Names:
    return frozenset(name.encode() for name in names)


@lru_cache(maxsize=8)
def vocabulary_of(tokenizer: Tokenizer) -> Vocabulary:
    """The sorted bytes of a tokenizer's tokens."""
    return Vocabulary(tokenizer.token_bytes)


@dataclass(frozen=True, slots=True)
class Closed:
    """What the text behind the cursor closes: text that closes it too ends before that.

    ``quote`` closes the string that the cursor is in, on the cursor's line; empty: none does.
    """

    around: Around
    quote: bytes = b""

    def end(self, written: bytes, data: bytes, syntax: State) -> int | None:
        """Where in ``data``, written at ``syntax`` behind ``written``, the text ends; None: not."""
        ends = [*self._quotes(data, syntax), *self._brackets(written, data)]
        return min(ends, default=None)

    def _brackets(self, written: bytes, data: bytes) -> Iterator[int]:
        if not _CLOSERS.isdisjoint(data):
            found = misfit(self.around, written + data)
            if found is not None and found >= len(written):
                yield found - len(written)

    def _quotes(self, data: bytes, syntax: State) -> Iterator[int]:
        if not self.quote or syntax.outer or self.quote not in data:
            return
        if _quote_of(syntax) != self.quote:
            return
        for at, byte in enumerate(data):
            if byte == self.quote[0] and not advance(syntax, data[: at + 1])[0].literal:
                yield at
                return


def closed(prefix: str, suffix: str) -> Closed:
    """What ``suffix`` closes of what stands open behind ``prefix``."""
    around = around_cursor(prefix, suffix)
    quote = _quote_of(around.state)
    rest = re.split(r"[\r\n]", suffix, maxsplit=1)[0].encode()
    at = rest.find(quote) if quote else -1
    if at < 0 or around.state.outer:
        return Closed(around)
    behind, _ = advance(START, rest[at + 1 :])
    return Closed(around, b"" if behind.literal or _quote_of(behind) else quote)


def _quote_of(state: State) -> bytes:
    """The quote of the string of one line that is open; one that just began counts."""
    mark = state.literal or state.pending
    quotes = mark[len(mark.rstrip(b"\"'")) :]
    return quotes if len(quotes) == 1 else b""
