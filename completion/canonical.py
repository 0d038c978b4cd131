"""Which token sequences are canonical: the encodings that the tokenizer itself would write.

A model that was trained on canonical text gives its mass to canonical sequences. Two rules decide
whether a token may follow a sequence, and both need only the last token and one small state:

*Pre-tokens.* The shipped pattern never looks ahead, so a finite automaton over classes of
characters says whether the next character goes on with the pre-token or begins a new one. Tokens
never cross the border of a pre-token.

*Merges.* Inside a pre-token two neighbours are canonical exactly when no merge across their border
runs before the merges that built them; and a whole sequence is canonical exactly when all its
neighbours are (checked exhaustively in the tests). Compare the ranks along the right edge of the
left token's merge tree with those along the left edge of the right one's.

Inside an unfinished multi-byte character nothing is known of its class, so there, and only there,
``allowed`` is a superset.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from completion.model.tokenizer import Tokenizer

ROWS_KEPT = 1024
"""Memoised rows of ``allowed``; one byte per vocabulary entry each."""


class Pretoken(IntEnum):
    """What the pre-token in progress is; what may go on with it follows."""

    START = 0  # none: a special token, or the very beginning
    SPACE = 1  # one space, which a word, a digit, punctuation or a blank may follow
    WORD = 2
    NUMBER = 3
    PUNCTUATION = 4
    BLANK = 5
    BREAK = 6
    UNKNOWN = 7  # inside or just behind a character that came in pieces


# Classes of characters: space, other blank, line break, letter, number, punctuation; then the
# beginning of an unfinished character, and the bytes that go on with one.
_NEXT = {
    "s": Pretoken.SPACE,
    "b": Pretoken.BLANK,
    "r": Pretoken.BREAK,
    "l": Pretoken.WORD,
    "n": Pretoken.NUMBER,
    "p": Pretoken.PUNCTUATION,
    "u": Pretoken.UNKNOWN,
    "c": Pretoken.UNKNOWN,
}
_GOES_ON = {
    Pretoken.START: "",
    Pretoken.SPACE: "sblnpu",
    Pretoken.WORD: "l",
    Pretoken.NUMBER: "",
    Pretoken.PUNCTUATION: "p",
    Pretoken.BLANK: "sb",
    Pretoken.BREAK: "sbr",
    Pretoken.UNKNOWN: "",
}


class _Kind(IntEnum):
    """How a token stands to the pre-token before it."""

    IMPOSSIBLE = 0
    GOES_ON = 1  # in the same pre-token: the merges decide
    BEGINS = 2  # a new pre-token: always canonical


class Prefix(NamedTuple):
    """The canonical encoding of ``text[:end]``: that of ``text[:parent]`` and then ``token``.

    ``state`` is the pre-token in progress behind it.
    """

    end: int
    parent: int
    token: int
    state: Pretoken


class Cover(NamedTuple):
    """All canonical encodings that reach the end of a text with their last token and not before.

    ``contexts`` are the prefixes to stand behind, shortest first, each after its parent and the
    whole text last; ``across`` the tokens that reach beyond the end, by the length of the prefix
    that they follow.
    """

    contexts: tuple[Prefix, ...]
    across: dict[int, NDArray[np.int64]]


class Canonical:
    """The rules of one tokenizer. Rows over the vocabulary are read-only numpy arrays of bool."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Build the merge trees; about a tenth of a second for 8k tokens."""
        self._merges = _Merges(tokenizer)
        self.reachable = self._merges.reachable
        table = tokenizer.token_bytes
        pairs = sorted((table[token], int(token)) for token in np.flatnonzero(self.reachable))
        self._sorted_bytes = [data for data, _ in pairs]
        self._sorted_ids = np.array([token for _, token in pairs], dtype=np.int64)
        self._id_of = dict(pairs)
        self._longest = max(len(data) for data, _ in pairs)
        self._kinds, self._following = _pretoken_tables(tokenizer)
        self._row = lru_cache(maxsize=ROWS_KEPT)(self._make_row)
        self._compatible = lru_cache(maxsize=ROWS_KEPT)(self._make_compatible)
        self.cover = lru_cache(maxsize=256)(self._make_cover)
        self._adjacent = lru_cache(maxsize=65536)(self._merges.adjacent)

    def follow(self, state: Pretoken, tokens: Iterable[int]) -> Pretoken:
        """The pre-token in progress behind ``tokens``, where it was ``state`` before them."""
        current = int(state)
        for token in tokens:
            current = self._following[current][token]
        return Pretoken(current)

    def begins(self, state: Pretoken) -> NDArray[np.bool_]:
        """(V,) the tokens that begin a new pre-token behind ``state``."""
        row: NDArray[np.bool_] = self._kinds[state] == _Kind.BEGINS
        return row

    def allowed(self, last: int, state: Pretoken) -> NDArray[np.bool_]:
        """(V,) the tokens that may follow ``last`` in ``state``; never a special."""
        return self._row(last, state)

    def prefixes(self, text: bytes) -> list[Prefix]:
        """The canonical encodings of ``text[:i]`` for i = 1..n, at index i - 1.

        ``text`` is one pre-token or the beginning of one.
        """
        found: list[Prefix] = []
        for end in range(1, len(text) + 1):
            found.append(self._last_token(text, end, found))
        return found

    def extensions(self, text: bytes, before: Prefix | None) -> NDArray[np.int64]:
        """The tokens that may follow ``before`` and reach beyond the end of ``text``.

        ``text`` is a beginning of one pre-token and ends with a whole character; ``before`` is one
        of its ``prefixes``, or None for the empty one. The token's bytes start with the rest of
        ``text`` behind ``before``, and all of them belong to the same pre-token.
        """
        rest = text[before.end :] if before else text
        ids = self._starting_with(rest)
        ids = ids[1:] if rest in self._id_of else ids
        kinds = self._kinds[before.state if before else Pretoken.START]
        fits = kinds[ids] != _Kind.IMPOSSIBLE
        if before:
            fits &= self._compatible(before.token)[ids]
        found: NDArray[np.int64] = ids[fits]
        return found

    def _make_cover(self, text: bytes) -> Cover:
        """The cover encodings of ``text``, as in ``extensions``."""
        if not text:
            return Cover((), {})
        prefixes = self.prefixes(text)
        across = {}
        for before in (None, *prefixes[:-1]):
            ids = self.extensions(text, before)
            if len(ids):
                across[before.end if before else 0] = ids
        needed = {len(text), *across} - {0}
        for prefix in reversed(prefixes):  # a parent is shorter than its children
            if prefix.end in needed and prefix.parent:
                needed.add(prefix.parent)
        return Cover(tuple(prefixes[end - 1] for end in sorted(needed)), across)

    def _starting_with(self, data: bytes) -> NDArray[np.int64]:
        """All reachable tokens whose bytes start with ``data``, sorted by their bytes."""
        low = bisect_left(self._sorted_bytes, data)
        high = bisect_right(self._sorted_bytes, data, lo=low, key=lambda one: one[: len(data)])
        return self._sorted_ids[low:high]

    def _last_token(self, text: bytes, end: int, found: Sequence[Prefix]) -> Prefix:
        """The one token that the canonical encoding of ``text[:end]`` ends with."""
        for begin in range(max(0, end - self._longest), end):
            token = self._id_of.get(text[begin:end])
            if token is None:
                continue
            if begin == 0:
                return Prefix(end, 0, token, self.follow(Pretoken.START, [token]))
            before = found[begin - 1]
            if self._adjacent(before.token, token):
                return Prefix(end, begin, token, self.follow(before.state, [token]))
        raise AssertionError("every byte is a token, so every text has a canonical encoding")

    def _make_row(self, last: int, state: Pretoken) -> NDArray[np.bool_]:
        kinds = self._kinds[state]
        possible = (kinds != _Kind.IMPOSSIBLE) & self.reachable
        row: NDArray[np.bool_] = possible & ((kinds == _Kind.BEGINS) | self._compatible(last))
        row.setflags(write=False)
        return row

    def _make_compatible(self, last: int) -> NDArray[np.bool_]:
        row = self.reachable.copy()
        row[self._merges.barred_behind(last)] = False
        row.setflags(write=False)
        return row


Edge = tuple[tuple[int, float], ...]
"""Nodes along one edge of a merge tree, root first, each with the rank that consumes it."""


class _Merges:
    """Merge trees of all tokens, by their edges."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        size = tokenizer.size
        self.reachable = np.array([len(data) == 1 for data in tokenizer.token_bytes])
        self.born = [-1.0] * size
        self.right_edge: list[Edge] = [((token, math.inf),) for token in range(size)]
        self.left_edge: list[Edge] = [((token, math.inf),) for token in range(size)]
        self.rank: dict[tuple[int, int], float] = {}
        for (left, right), (rank, merged) in sorted(
            tokenizer.merges.items(), key=lambda m: m[1][0]
        ):
            self._add(left, right, rank, merged)
        self._partners = self._index_partners()
        self._left_nodes = self._index_left_nodes()

    def _add(self, left: int, right: int, rank: int, merged: int) -> None:
        """Build ``merged``, unless a merge across its middle comes first: then it never forms."""
        usable = bool(self.reachable[left] and self.reachable[right])
        if usable and not self.reachable[merged] and self.adjacent(left, right):
            self.reachable[merged] = True
            self.born[merged] = max(rank, self.born[left], self.born[right])
            self.right_edge[merged] += ((right, rank), *self.right_edge[right][1:])
            self.left_edge[merged] += ((left, rank), *self.left_edge[left][1:])
        self.rank[left, right] = max(rank, self.born[left], self.born[right])

    def adjacent(self, left: int, right: int) -> bool:
        """Whether [left, right] inside one pre-token is the canonical encoding of its bytes.

        Equal ranks are the same merge, and the leftmost runs first: so a node of the left token
        consumed at that rank is gone, a node of the right one is not.
        """
        for a, a_consumed in self.right_edge[left]:
            for b, b_consumed in self.left_edge[right]:
                rank = self.rank.get((a, b))
                if rank is not None and rank < a_consumed and rank <= b_consumed:
                    return False
        return True

    def barred_behind(self, left: int) -> NDArray[np.int64]:
        """All tokens that are not ``adjacent`` behind ``left``; ``adjacent`` is its slow twin."""
        found = [np.empty(0, dtype=np.int64)]
        for a, consumed in self.right_edge[left]:
            for rank, b in self._partners.get(a, ()):
                if rank >= consumed:
                    break
                tokens, lasts = self._left_nodes[b]
                found.append(tokens[: np.searchsorted(lasts, -rank, side="right")])
        return np.concatenate(found)

    def _index_partners(self) -> dict[int, list[tuple[float, int]]]:
        """left -> (rank, right) of its merges, first rank first."""
        partners: dict[int, list[tuple[float, int]]] = {}
        for (left, right), rank in self.rank.items():
            partners.setdefault(left, []).append((rank, right))
        return {left: sorted(found) for left, found in partners.items()}

    def _index_left_nodes(self) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        """node -> the tokens with that node on their left edge, longest-lived first.

        With each token comes the negated rank that consumes the node.
        """
        lists: list[list[tuple[float, int]]] = [[] for _ in self.left_edge]
        for token in np.flatnonzero(self.reachable):
            for node, consumed in self.left_edge[token]:
                lists[node].append((-consumed, int(token)))
        nodes = []
        for found in lists:
            found.sort()
            tokens = np.array([token for _, token in found], dtype=np.int64)
            nodes.append((tokens, np.array([negated for negated, _ in found], dtype=np.float64)))
        return nodes


def _pretoken_tables(tokenizer: Tokenizer) -> tuple[NDArray[np.int8], list[bytes]]:
    """By state and token: how the token stands to the state, and the state behind it."""
    signatures = [_signature(tokenizer, data) for data in tokenizer.token_bytes]
    kinds = np.zeros((len(Pretoken), len(signatures)), dtype=np.int8)
    following = []
    for state in Pretoken:
        known = {one: _run(state, one) for one in set(signatures)}
        kinds[state] = [known[one][0] for one in signatures]
        following.append(bytes(known[one][1] for one in signatures))
    return kinds, following


def _signature(tokenizer: Tokenizer, data: bytes) -> str:
    """The classes of a token's characters, one letter each."""
    body = data.lstrip(bytes(range(0x80, 0xC0)))
    text = body.decode("utf-8", errors="ignore")
    unfinished = "u" if len(text.encode()) < len(body) else ""
    classes = "".join(_class_of(tokenizer, character) for character in text)
    return ("c" if len(body) < len(data) else "") + classes + unfinished


def _run(state: Pretoken, signature: str) -> tuple[_Kind, Pretoken]:
    """How a token stands to ``state``, and the state behind it."""
    if not signature or (signature[0] == "c" and state is not Pretoken.UNKNOWN):
        return _Kind.IMPOSSIBLE, Pretoken.START if not signature else Pretoken.UNKNOWN
    goes_on, state = _step(state, signature[0])
    kind = _Kind.GOES_ON if goes_on else _Kind.BEGINS
    for one in signature[1:]:
        goes_on, state = _step(state, one)
        if goes_on is False:
            kind = _Kind.IMPOSSIBLE
    return kind, state


def _step(state: Pretoken, one: str) -> tuple[bool | None, Pretoken]:
    """Whether a character goes on with the pre-token (None: who knows), and the state behind it."""
    if one in _GOES_ON[state]:
        if state is Pretoken.BREAK:
            return True, state
        blank = one in "sb" and state in (Pretoken.SPACE, Pretoken.BLANK)
        return True, Pretoken.BLANK if blank else _NEXT[one]
    if one in "uc" or state is Pretoken.UNKNOWN:
        return None, Pretoken.UNKNOWN if one in "sb" else _NEXT[one]
    return False, _NEXT[one]


@lru_cache(maxsize=4096)
def _class_of(tokenizer: Tokenizer, character: str) -> str:
    """The class of a character, asked of the tokenizer's own pattern."""
    if character == " ":
        return "s"
    if character in "\r\n":
        return "r"
    for neighbour, name in (("a", "l"), (".", "p"), ("\t", "b")):
        if len(tokenizer.pretokens(neighbour + character)) == 1:
            return name
    return "n"
