"""Which token sequences are canonical: beginnings of what the tokenizer itself would write.

A model that was trained on canonical text gives its mass to canonical sequences. Two rules decide
whether a token may follow a sequence, and both need only the last token and one small state:

*Pre-tokens.* Tokens never cross the border of a pre-token. Where the text so far leaves open
whether there is one, both are followed (``pretokens.py``), and so is a character whose last byte
is not there yet: a *reading* is one way in which the text may turn out.

*Merges.* Inside a pre-token two neighbours are canonical exactly when ``merges.py`` says so.

A *state* is the set of all readings that are still possible, as a small number; ``START`` is the
one behind a sentinel or at the very beginning.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from completion.spelling.byte_order import ByteOrder, Ids
from completion.spelling.merges import Merges
from completion.spelling.pattern import character_length
from completion.spelling.pretokens import State as Split
from completion.spelling.vocabulary import Spelling

Row = NDArray[np.bool_]

START = 0
DEAD = -1
"""No reading is left: the sequence is not canonical, and nothing that follows makes it so."""

ROOT = -1
"""The parent of the contexts that stand directly behind the trunk."""

ROWS_KEPT = 1024
"""Memoised rows of ``allowed``, at most ..."""

BYTES_KEPT = 32 << 20
"""... and at most this much of them; one byte per vocabulary entry each."""


COVERS_KEPT = 1024
"""Memoised covers of texts, fewer for large vocabularies: behind a blank nearly all tokens fit."""

MARGIN = 8
"""Bytes between the open end of a text and the place from which it is looked at again."""


class Reading(NamedTuple):
    """One way in which a text may turn out.

    ``split`` is None where nothing was read since ``START``. ``begun`` are the bytes of an
    unfinished character and ``apart`` says whether a pre-token begins before it. ``alone``: the
    last token is a whole pre-token. ``spelled`` is the pre-token so far, as long as it could turn
    out to be a token that the merges do not make.
    """

    split: Split | None = None
    begun: bytes = b""
    apart: bool = False
    alone: bool = False
    spelled: bytes | None = None


class Shape(NamedTuple):
    """All that the splits see of a token: tokens of one shape may follow the same readings.

    ``lead`` are the bytes that end a character, ``atoms`` the whole characters behind them as
    ``Alike`` simplifies them, ``trail`` the bytes that begin one. ``kind`` is ORDINARY, ALONE for a
    token that is written only as a whole pre-token, or TEXT for one of ``Spelling.texts``.
    """

    lead: bytes
    atoms: tuple[int, ...]
    trail: bytes
    kind: int = 0


ORDINARY, ALONE, TEXT = range(3)
BORDER, INSIDE = True, False


class Context(NamedTuple):
    """A canonical beginning of a text, up to byte ``end``: ``parent``'s tokens and then ``token``.

    ``parent`` counts the cover's contexts, `ROOT` is where the text begins.
    """

    end: int
    parent: int
    token: int
    state: int


class Cover(NamedTuple):
    """All canonical sequences that reach the end of a text with their last token and not before.

    ``contexts`` are what those stand behind, each after its parent; ``whole`` are the contexts that
    spell the whole text; ``across`` holds, by context, the tokens that reach beyond its end.
    """

    contexts: tuple[Context, ...]
    whole: tuple[int, ...]
    across: dict[int, Ids]

    def end(self, index: int) -> int:
        """How much of the text a context spells, in bytes."""
        return 0 if index == ROOT else self.contexts[index].end

    def without(self, unwanted: Callable[[int, Ids], Row]) -> Cover:
        """The same without some of the tokens that reach beyond the end.

        ``unwanted`` gets how much of the text a context spells, and the tokens behind it.
        """
        across = {}
        for index, ids in self.across.items():
            kept = ids[~unwanted(self.end(index), ids)]
            if len(kept):
                across[index] = kept
        return _pruned(self.contexts, self.whole, across)


class Canonical:
    """The rules of one tokenizer. Rows over the vocabulary are read-only numpy arrays of bool."""

    def __init__(self, spelling: Spelling) -> None:
        """Build the merge trees: about 3 s for 150k tokens, a tenth of a second for 8k."""
        self._spelling = spelling
        self.token_bytes = spelling.token_bytes
        self._splitter = spelling.splitter
        units, self._characters = _units(spelling)
        self._merges = Merges([*map(len, self.token_bytes)], units, spelling.merges)
        self._alone = self._only_alone()
        self._alone_bytes = sorted(self.token_bytes[token] for token in self._alone)
        merged = np.flatnonzero(self._merges.reachable).tolist()
        self.order = ByteOrder(self.token_bytes, {*merged, *self._alone, *spelling.texts})
        self._shapes, self._shape_of = self._find_shapes()
        self._shape_of_token: list[int] = self._shape_of.tolist()
        self._whole = [at for at, shape in enumerate(self._shapes) if not shape.lead]
        self._broken = [at for at, shape in enumerate(self._shapes) if shape.lead]
        self._numbers: dict[frozenset[Reading], int] = {frozenset([Reading()]): START}
        self._readings: list[frozenset[Reading]] = list(self._numbers)
        self._after = lru_cache(maxsize=65536)(self._make_after)
        self._steps: dict[tuple[int, int, bool], int] = {}
        self.rows_kept = rows = max(16, min(ROWS_KEPT, BYTES_KEPT // max(len(self.token_bytes), 1)))
        self._tables = lru_cache(maxsize=rows)(self._make_table)
        self._row = lru_cache(maxsize=rows)(self._make_row)
        self._compatible = lru_cache(maxsize=rows)(self._make_compatible)
        self._adjacent = lru_cache(maxsize=65536)(self._merges.adjacent)
        self._completions = lru_cache(maxsize=4096)(self._splitter.alphabet.completions)
        self._beginning = lru_cache(maxsize=4096)(self._splitter.alphabet.beginning)
        self._along = lru_cache(maxsize=8 * COVERS_KEPT)(self._make_along)
        self.cover = lru_cache(maxsize=min(COVERS_KEPT, 4 * rows))(self._make_cover)

    @classmethod
    def of(cls, spelling: Spelling) -> Canonical:
        """The rules of a tokenizer, whose states mean the same to all who ask here."""
        if "rules" not in spelling.known:
            spelling.known["rules"] = cls(spelling)
        rules = spelling.known["rules"]
        assert isinstance(rules, Canonical), "nothing else is kept under that name"
        return rules

    def follow(self, state: int, last: int, token: int) -> int:
        """The state behind ``token``, where ``last`` stood before it; DEAD where it may not."""
        shape = self._shape_of_token[token]
        if state == DEAD or shape < 0:
            return DEAD
        beside = state != START and self._adjacent(last, token)
        key = state, token if self._alone else shape, beside
        found = self._steps.get(key)
        if found is None:
            found = self._steps[key] = self._step(state, token, beside)
        return found

    def follow_all(self, tokens: Iterable[int]) -> int:
        """The state behind ``tokens``, which begin at START."""
        state, last = START, 0
        for token in tokens:
            state, last = self.follow(state, last, token), token
        return state

    def ends(self, state: int) -> bool:
        """Whether a text may end here: then the sequence is what the tokenizer writes for it."""
        return state != DEAD and any(map(self._may_end, self._readings[state]))

    def allowed(self, last: int, state: int) -> Row:
        """(V,) the tokens that may follow ``last`` in ``state``; never a sentinel."""
        return self._row(last, state)

    def begins(self, state: int) -> Row:
        """(V,) the tokens that may begin a new pre-token in ``state``.

        Without pre-tokens, as in SentencePiece, those that no word goes on with.
        """
        return self._tables(state)[0] if self._splitter.levels else self._no_word

    @cached_property
    def _no_word(self) -> Row:
        row = [_NO_WORD.match(data) is not None for data in self.token_bytes]
        return np.array(row, dtype=np.bool_)

    def _may_end(self, reading: Reading) -> bool:
        if reading.begun or self._misspelled(reading):
            return False
        return reading.split is None or self._splitter.ends(reading.split)

    # Following

    def _step(self, state: int, token: int, beside: bool) -> int:
        found: set[Reading] = set()
        for reading in self._readings[state]:
            for border in (True, False) if beside else (True,):
                found.update(self._read(reading, token, border))
        return self._number(frozenset(found)) if found else DEAD

    def _number(self, readings: frozenset[Reading]) -> int:
        known = self._numbers.get(readings)
        if known is None:
            known = self._numbers[readings] = len(self._readings)
            self._readings.append(readings)
        return known

    def _read(self, reading: Reading, token: int, border: bool) -> Iterator[Reading]:
        """The readings behind ``token``, if a pre-token begins with it or if none does."""
        shape = self._shapes[self._shape_of_token[token]]
        if border and self._misspelled(reading):
            return
        spelled = self._spelled(reading, token, border)
        for split, begun, apart in self._after(
            reading.split, reading.begun, reading.apart, reading.alone, shape, border
        ):
            yield Reading(split, begun, apart, shape.kind != ORDINARY, spelled)

    def _spelled(self, reading: Reading, token: int, border: bool) -> bytes | None:
        if not self._alone:
            return None
        if border or reading.split is None:
            before: bytes | None = b""
        else:
            before = reading.spelled
        if before is None:
            return None
        spelled = before + self.token_bytes[token]
        return spelled if self._begins_alone(spelled) else None

    def _make_after(
        self,
        split: Split | None,
        begun: bytes,
        apart: bool,
        alone: bool,
        shape: Shape,
        border: bool,
    ) -> tuple[tuple[Split | None, bytes, bool], ...]:
        """(split, begun, apart) of the readings behind a token of ``shape``."""
        first = split is None and not begun
        if (alone and not border) or (shape.kind != ORDINARY and not (border or first)):
            return ()
        if begun:
            return () if border else self._after_begun(split, begun, apart, shape)
        if shape.lead:
            return ()
        found: list[Split | None] = [split]
        for at, atom in enumerate(shape.atoms):
            found = [
                one for each in found for one in self._character(each, atom, border and at == 0)
            ]
        if shape.atoms:
            found = self._spelled_by(shape.kind, found)
        apart = border and not shape.atoms
        return self._with_trail(found, shape.trail, apart)

    def _after_begun(
        self, split: Split | None, begun: bytes, apart: bool, shape: Shape
    ) -> tuple[tuple[Split | None, bytes, bool], ...]:
        missing = character_length(begun[0]) - len(begun)
        if not shape.atoms and not shape.trail and len(shape.lead) < missing:
            return self._with_trail([split], begun + shape.lead, apart) if shape.lead else ()
        try:
            character = (begun + shape.lead).decode()
        except UnicodeDecodeError:
            return ()
        if len(character) != 1 or character in self._characters:
            return ()
        found = self._character(split, self._splitter.alphabet.read(character)[0], apart)
        for atom in shape.atoms:
            found = [one for each in found for one in self._character(each, atom, INSIDE)]
        return self._with_trail(self._spelled_by(shape.kind, found), shape.trail, INSIDE)

    def _character(self, split: Split | None, atom: int, border: bool) -> list[Split | None]:
        if split is None:
            return [*self._splitter.begin(atom)]
        return [*self._splitter.step(split, atom, border=border)]

    def _with_trail(
        self, found: Iterable[Split | None], trail: bytes, apart: bool
    ) -> tuple[tuple[Split | None, bytes, bool], ...]:
        """Those behind which a character that begins with ``trail`` may stand."""
        if not trail:
            return tuple((split, b"", False) for split in found)
        if self._characters and self._characters.issuperset(self._beginning(trail)):
            return ()  # all of them have tokens of their own
        atoms = self._completions(trail)
        return tuple(
            (split, trail, apart)
            for split in found
            if any(self._character(split, atom, apart) for atom in atoms)
        )

    def _spelled_by(self, kind: int, found: list[Split | None]) -> list[Split | None]:
        """Those that a token of this kind may spell: one of the texts spells those, none other."""
        if not self._spelling.texts:
            return found
        matches = self._splitter.levels[0].matches
        return [one for one in found if (one is not None and matches(one[0])) == (kind == TEXT)]

    # Tokens that the merges do not make

    def _only_alone(self) -> list[int]:
        """Tokens that are written only where they are a whole pre-token."""
        if not self._spelling.whole_first:
            return []
        unreached = np.flatnonzero(~self._merges.reachable).tolist()
        texts = self._spelling.texts
        return [token for token in unreached if self.token_bytes[token] and token not in texts]

    def _misspelled(self, reading: Reading) -> bool:
        """Whether the pre-token, if it ended here, would be written as one token instead."""
        if reading.spelled is None or reading.alone:
            return False
        at = bisect_left(self._alone_bytes, reading.spelled)
        return self._alone_bytes[at : at + 1] == [reading.spelled]

    def _begins_alone(self, spelled: bytes) -> bool:
        at = bisect_left(self._alone_bytes, spelled)
        return at < len(self._alone_bytes) and self._alone_bytes[at].startswith(spelled)

    # Rows

    def _find_shapes(self) -> tuple[list[Shape], NDArray[np.int64]]:
        """The shapes that occur, and the shape of each token; -1 for those never written."""
        alphabet = self._splitter.alphabet
        bodies = [_parts_of(data) for data in self.order.table]
        alike = self._splitter.alike("".join({one for _, body, _ in bodies for one in body}))
        texts, alone = self._spelling.texts, frozenset(self._alone)
        known: dict[Shape, int] = {}
        of = np.full(len(self.token_bytes), -1, dtype=np.int64)
        for token, (lead, body, trail) in zip(self.order.ids.tolist(), bodies, strict=True):
            kind = TEXT if token in texts else ALONE if token in alone else ORDINARY
            shape = Shape(lead, alike.simplest(alphabet.read(body)), trail, kind)
            of[token] = known.setdefault(shape, len(known))
        return list(known), of

    def _make_table(self, state: int) -> tuple[Row, Row]:
        """(V,) the tokens that may begin a new pre-token in ``state``; those that may go on."""
        rows = np.zeros((2, len(self._shapes) + 1), dtype=np.bool_)
        for reading in () if state == DEAD else self._readings[state]:
            may_end = not self._misspelled(reading)
            key = reading.split, reading.begun, reading.apart, reading.alone
            for index in self._whole if not reading.begun else self._broken:
                shape = self._shapes[index]
                rows[0, index] |= may_end and bool(self._after(*key, shape, BORDER))
                rows[1, index] |= state != START and bool(self._after(*key, shape, INSIDE))
        borders, joins = rows[0][self._shape_of], rows[1][self._shape_of]
        return borders, joins

    def _make_row(self, last: int, state: int) -> Row:
        borders, joins = self._tables(state)
        row = borders | (joins & self._compatible(last)) if joins.any() else borders.copy()
        row.setflags(write=False)
        return row

    def _make_compatible(self, last: int) -> Row:
        row = self._merges.reachable.copy()
        row[self._merges.barred_behind(last)] = False
        row.setflags(write=False)
        return row

    # Covers

    def _make_cover(self, state: int, last: int, text: bytes) -> Cover:
        """All canonical ways to write ``text``, which may end inside a token.

        ``last`` is the token before it, ``state`` the state there. ``text`` ends with a whole
        character, or inside one.
        """
        if not text:
            return Cover((), (ROOT,), {})
        found: list[Context] = []
        across: dict[int, Ids] = {}
        at_end: list[list[int]] = [[] for _ in range(len(text) + 1)]
        at_end[0] = [ROOT]
        for begin in range(len(text)):
            if not at_end[begin]:
                continue
            tokens, beyond = self._along(text[begin:])
            for index in at_end[begin]:
                here, before = (state, last) if index == ROOT else found[index][:1:-1]
                for length, token in tokens:
                    following = self.follow(here, before, token)
                    if following != DEAD:
                        at_end[begin + length].append(len(found))
                        found.append(Context(begin + length, index, token, following))
                if len(beyond):
                    fits = beyond[self.allowed(before, here)[beyond]]
                    if len(fits):
                        across[index] = fits
        return _pruned(found, at_end[len(text)], across)

    def _make_along(self, rest: bytes) -> tuple[list[tuple[int, int]], Ids]:
        """(length, token) of the tokens that ``rest`` begins with, and those that begin with it."""
        order = self.order
        among = order.everything
        found: list[tuple[int, int]] = []
        for length in range(1, len(rest) + 1):
            among = order.narrowed(among, rest[length - 1 : length])
            complete = order.complete(among)
            found += [(length, token) for token in order.ids[complete.low : complete.high].tolist()]
            if among.low == among.high:
                return found, order.ids[:0]
            among = order.longer(among)
        return found, order.ids[among.low : among.high]

    def settled(self, text: bytes, keep: int, ids: list[int]) -> tuple[int, int]:
        """How much of ``text`` no further typing changes: (tokens of it, bytes of it).

        ``text`` begins at START, ``ids`` is its encoding. The last ``keep`` bytes are left open
        whatever they are.
        """
        begin = self._certain(text, len(text) - keep)
        count = covered = 0
        while covered < begin:
            covered += len(self.token_bytes[ids[count]])
            count += 1
        state, last = self.follow_all(ids[:count]), ids[count - 1] if count else 0
        cover = self.cover(state, last, text[begin:])
        at, children = ROOT, _children(cover)
        while at not in cover.across and len(children.get(at, ())) == 1:
            only = children[at][0]
            if begin + cover.contexts[only].end > len(text) - keep:
                break
            at, count = only, count + 1
        return count, begin + (cover.contexts[at].end if at != ROOT else 0)

    def _certain(self, text: bytes, most: int) -> int:
        """A place at or before ``most`` that no token reaches across, with a margin before it.

        What the splits leave open at the end of a text lies within the margin.
        """
        for at in range(most - MARGIN, 0, -1):
            if not self._inside[text[at - 1], text[at]]:
                return at
        return 0

    @cached_property
    def _inside(self) -> Row:
        """(256, 256) the pairs of bytes that stand side by side in some token."""
        pairs = np.zeros((256, 256), dtype=np.bool_)
        left, right = self.order.neighbours()
        pairs[left, right] = True
        return pairs


def _pruned(found: Sequence[Context], whole: Sequence[int], across: dict[int, Ids]) -> Cover:
    """Without the contexts that lead nowhere, in the order of their ends."""
    needed = {*whole, *across}
    for index in range(len(found) - 1, -1, -1):  # a parent stands before its children
        if index in needed:
            needed.add(found[index].parent)
    order = sorted(needed - {ROOT}, key=lambda index: found[index].end)
    new = {old: index for index, old in enumerate(order)} | {ROOT: ROOT}
    contexts = tuple(found[old]._replace(parent=new[found[old].parent]) for old in order)
    kept = {new[old]: ids for old, ids in across.items()}
    return Cover(contexts, tuple(new[old] for old in whole), kept)


def _children(cover: Cover) -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for index, context in enumerate(cover.contexts):
        children.setdefault(context.parent, []).append(index)
    return children


def _units(spelling: Spelling) -> tuple[list[bool], frozenset[str]]:
    """Which tokens are there before any merge; and the characters that need no bytes to spell."""
    table = spelling.token_bytes
    if not spelling.fallback:
        return [len(data) == 1 for data in table], frozenset()
    single = [
        token not in spelling.fallback and bool(data) and len(data) == character_length(data[0])
        for token, data in enumerate(table)
    ]
    characters = frozenset(table[token].decode() for token, one in enumerate(single) if one)
    units = [
        one or (token in spelling.fallback and not (data.isascii() and data.decode() in characters))
        for token, (one, data) in enumerate(zip(single, table, strict=True))
    ]
    return units, characters


def _parts_of(data: bytes) -> tuple[bytes, str, bytes]:
    """A token's bytes that end a character, its whole characters, and those that begin one."""
    rest = data.lstrip(_CONTINUING)
    text = rest.decode("utf-8", errors="ignore")
    length = len(text.encode())
    return data[: len(data) - len(rest)], text, rest[length:]


_CONTINUING = bytes(range(0x80, 0xC0))
_NO_WORD = re.compile(rb"[^\w\x80-\xff]")
