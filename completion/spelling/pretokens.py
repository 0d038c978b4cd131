"""How a pre-tokenizer splits text, read one character at a time and before the text is complete.

Splits are nested levels, outermost first; each splits the pieces of the one before it. A level
divides its piece into matches of a pattern and the gaps between them, as the engine finds them:
leftmost, and of several matches at one place the preferred one.

What is not known yet is guessed, and held to it. ``Splitter.step`` takes a claim, that a pre-token
begins before the next character or that none does, and returns the states in which that may still
turn out true. A state's *duties* are threads of the pattern that must never match: those that would
have been preferred to a match that was claimed, or that would have begun a match where a gap was
claimed. So a look ahead, however long it stays open, costs a state and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from completion.spelling.pattern import END, Alphabet, Automaton, everything


class Piece(NamedTuple):
    """One level inside a piece: ``threads`` of the match in the making, none in a gap."""

    threads: tuple[int, ...] = ()
    duties: frozenset[int] = frozenset()


NO_DUTIES: frozenset[int] = frozenset()

State = tuple[Piece, ...]
"""One piece per level."""


class Level:
    """One split: a pattern whose matches, and the gaps between them, are the pieces."""

    def __init__(self, pattern: str, alphabet: Alphabet) -> None:
        """Raises PatternError where the pattern cannot be followed character by character."""
        self._automaton = Automaton(pattern, alphabet)
        self._steps: dict[tuple[Piece, int, bool], tuple[Piece, ...]] = {}

    def begin(self, atom: int, duties: frozenset[int] = NO_DUTIES) -> tuple[Piece, ...]:
        """The states behind the first character of a match or of a gap."""
        automaton = self._automaton
        threads = automaton.read(automaton.reach(automaton.start, atom), atom)
        gap = Piece((), duties | frozenset(threads))
        return (Piece(threads, duties), gap) if threads else (gap,)

    def step(self, piece: Piece, atom: int, *, border: bool) -> tuple[Piece, ...]:
        """The states behind one more character, if a piece begins before it or if none does."""
        key = piece, atom, border
        if key not in self._steps:
            self._steps[key] = tuple(self._step(piece, atom, border))
        return self._steps[key]

    def ends(self, piece: Piece) -> bool:
        """Whether the text may end here."""
        if 0 in self._automaton.reach(tuple(piece.duties), END):
            return False
        return not piece.threads or 0 in self._automaton.reach(piece.threads, END)

    def matches(self, piece: Piece) -> bool:
        """Whether this is inside a match, not in a gap."""
        return bool(piece.threads)

    def _step(self, piece: Piece, atom: int, border: bool) -> Iterator[Piece]:
        automaton = self._automaton
        owed = automaton.reach(tuple(sorted(piece.duties)), atom)
        if 0 in owed:
            return
        duties = frozenset(automaton.read(owed, atom))
        if not piece.threads:
            found = self.begin(atom, duties)
            yield from (one for one in found if bool(one.threads) == border)
            return
        reached = automaton.reach(piece.threads, atom)
        matched = 0 in reached
        preferred = automaton.read(reached[: reached.index(0)] if matched else reached, atom)
        if not border and preferred:
            yield Piece(preferred, duties)
        elif border and matched:
            yield from self.begin(atom, duties | frozenset(preferred))


@dataclass(frozen=True, eq=False)
class Splitter:
    """All levels of a pre-tokenizer; with none of them the whole text is one pre-token."""

    alphabet: Alphabet
    levels: tuple[Level, ...]
    _live: dict[State, bool] = field(default_factory=dict)
    _alike: dict[int, Alike] = field(default_factory=dict)

    @classmethod
    @lru_cache(maxsize=16)
    def of(cls, patterns: tuple[str, ...]) -> Splitter:
        """The splitter of some patterns, outermost first. Raises PatternError."""
        alphabet = Alphabet()
        return cls(alphabet, tuple(Level(pattern, alphabet) for pattern in patterns))

    def alike(self, characters: str) -> Alike:
        """Which runs of ``characters`` it treats alike."""
        self.alphabet.read(everything() + characters)
        count = len(self.alphabet.atoms)  # with other kinds of characters, other runs are alike
        if count not in self._alike:
            self._alike[count] = Alike(self)
        return self._alike[count]

    def begin(self, atom: int) -> list[State]:
        """The states behind the first character of a text."""
        return self._living(product(*(level.begin(atom) for level in self.levels)))

    def step(self, state: State, atom: int, *, border: bool) -> list[State]:
        """The states behind one more character, if a pre-token begins before it or if none does."""
        if not border:
            pairs = zip(self.levels, state, strict=True)
            return self._living(
                product(*(one.step(piece, atom, border=False) for one, piece in pairs))
            )
        return self._living(
            following
            for outermost in range(len(self.levels))
            for following in self._split(state, atom, outermost)
        )

    def ends(self, state: State) -> bool:
        """Whether the text may end here."""
        return all(one.ends(piece) for one, piece in zip(self.levels, state, strict=True))

    def _split(self, state: State, atom: int, outermost: int) -> Iterator[State]:
        """The states if ``outermost`` is the first level at which a piece begins."""
        inner = self.levels[outermost + 1 :]
        if not all(one.ends(p) for one, p in zip(inner, state[outermost + 1 :], strict=True)):
            return
        ways = [
            one.step(piece, atom, border=at == outermost)
            for at, (one, piece) in enumerate(
                zip(self.levels, state[: outermost + 1], strict=False)
            )
        ]
        yield from product(*ways, *(one.begin(atom) for one in inner))

    def _living(self, states: Iterable[State]) -> list[State]:
        return [state for state in states if self.lives(state)]

    def lives(self, state: State) -> bool:
        """Whether some text leads on from here to its end."""
        known = self._live.get(state)
        if known is None:
            known = self._live[state] = self._search(state)
        return known

    def _search(self, state: State) -> bool:
        seen = {state}
        todo = [state]
        while todo:
            one = todo.pop()
            if self.ends(one) or self._live.get(one, False):
                return True
            for atom in self.alphabet.atoms:
                for following in self._unchecked(one, atom):
                    if following not in seen:
                        seen.add(following)
                        todo.append(following)
        return False

    def _unchecked(self, state: State, atom: int) -> Iterator[State]:
        pairs = zip(self.levels, state, strict=True)
        yield from product(*(one.step(piece, atom, border=False) for one, piece in pairs))
        for outermost in range(len(self.levels)):
            yield from self._split(state, atom, outermost)


class Alike:
    """Tells which runs of characters lead to the same states, wherever no pre-token begins.

    Vocabularies hold many words and few kinds of them.
    """

    def __init__(self, splitter: Splitter) -> None:
        self._states = _reachable(splitter)
        places = {state: at for at, state in enumerate(self._states)}
        self._steps = {
            atom: [
                frozenset(places[one] for one in splitter.step(state, atom, border=False))
                for state in self._states
            ]
            for atom in splitter.alphabet.atoms
        }
        nothing = tuple(frozenset((at,)) for at in range(len(self._states)))
        self._known: dict[_Leads, tuple[int, ...]] = {nothing: ()}
        self._leads: dict[tuple[int, ...], _Leads] = {(): nothing}

    def simplest(self, atoms: Sequence[int]) -> tuple[int, ...]:
        """The first atom, and for the others those of the first run met that leads where they do.

        The first one is kept: a pre-token may begin before it.
        """
        if not atoms:
            return ()
        rest: tuple[int, ...] = ()
        for atom in reversed(atoms[1:]):
            rest = self._prepended(atom, rest)
        return (atoms[0], *rest)

    def _prepended(self, atom: int, rest: tuple[int, ...]) -> tuple[int, ...]:
        longer = (atom, *rest)
        if longer not in self._leads:
            behind = self._leads[rest]
            leads = tuple(
                frozenset().union(*(behind[at] for at in one)) for one in self._steps[atom]
            )
            self._leads[longer] = leads
            self._known.setdefault(leads, longer)
        return self._known[self._leads[longer]]


_Leads = tuple[frozenset[int], ...]
"""By state: the states that a run of characters leads to."""


def _reachable(splitter: Splitter) -> list[State]:
    """All states of a splitter."""
    found: dict[State, None] = {}
    todo = [state for atom in splitter.alphabet.atoms for state in splitter.begin(atom)]
    while todo:
        state = todo.pop()
        if state not in found:
            found[state] = None
            for atom in splitter.alphabet.atoms:
                for border in (False, True):
                    todo.extend(splitter.step(state, atom, border=border))
    return list(found)


def pieces(splitter: Splitter, text: str) -> list[set[tuple[int, ...]]]:
    """All ways in which ``text`` may turn out split, as the places where pre-tokens begin.

    The first element are those if text follows, the second those if it ends there. Slow.
    """
    atoms = splitter.alphabet.read(text)
    ways: list[tuple[State, tuple[int, ...]]] = []
    for at, atom in enumerate(atoms):
        if at == 0:
            ways = [(state, (0,)) for state in splitter.begin(atom)]
            continue
        ways = [
            (following, (*begins, at) if border else begins)
            for state, begins in ways
            for border in (False, True)
            for following in splitter.step(state, atom, border=border)
        ]
    return [{way for _, way in ways}, {way for state, way in ways if splitter.ends(state)}]
