"""What the network reads beside the token ids, worked out from the ids alone.

Serving keeps the syntactic state of a prompt by itself (``fim.py``, ``tree.py``). A caller who has
nothing but ids, as everybody who calls ``generate`` of transformers has, gets the same inputs from
here: the layout of ``prompt.py`` is recognised by its sentinels, the text behind ``<|prefix|>`` is
read by the automaton of ``types.py``. Inputs never look ahead, so reading on equals reading anew.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from completion.model.codefill import GRAM_ORDERS
from completion.model.types import (
    CONTEXT_STATE,
    PAD_STATE,
    PREFIX_STATE,
    START,
    SUFFIX_STATE,
    State,
    advance_token,
)

PLACES_KEPT = 256
"""Ends of rows that are remembered; a row that goes on from one of them is not read again."""


@dataclass(frozen=True, slots=True)
class Sentinels:
    """The ids of the special tokens (``tokenizer.SPECIALS``)."""

    pad: int
    end: int
    context: int
    suffix: int
    prefix: int


class Place(NamedTuple):
    """What must be known of the tokens so far to read the next one."""

    syntax: State = START
    section: int | None = None  # the state of every token of the header; None in the text


class Reader:
    """Token ids to the network's inputs, row by row."""

    def __init__(self, token_bytes: Sequence[bytes], sentinels: Sentinels) -> None:
        self.sentinels = sentinels
        self._token_bytes = token_bytes
        self._opens = {sentinels.context: CONTEXT_STATE, sentinels.suffix: SUFFIX_STATE}
        self._kept: OrderedDict[tuple[int, ...], Place] = OrderedDict()

    def inputs(self, ids: Sequence[int], first: int = 0) -> Mapping[str, Sequence[Any]]:
        """Everything that ``CodeFill.trunk`` reads of the tokens from ``first`` on, by its names.

        ``ids`` is a whole row without padding. This is the one place where a row becomes inputs.
        """
        above = [*[0] * GRAM_ORDERS, *ids]
        before = [above[at : at + GRAM_ORDERS][::-1] for at in range(first, len(ids))]
        states = self._states(tuple(ids), first)
        return {"values": list(ids[first:]), "states": states, "before": before}

    def _states(self, ids: tuple[int, ...], first: int) -> list[int]:
        place = self._kept.get(ids[:first])
        if place is None:
            place, _ = self._read(Place(), ids[:first])
        place, states = self._read(place, ids[first:])
        self._kept[ids] = place
        self._kept.move_to_end(ids)
        if len(self._kept) > PLACES_KEPT:
            self._kept.popitem(last=False)
        return states

    def _read(self, place: Place, ids: Sequence[int]) -> tuple[Place, list[int]]:
        states = []
        for token in ids:
            place, state = self._step(place, token)
            states.append(state)
        return place, states

    def _step(self, place: Place, token: int) -> tuple[Place, int]:
        """The place behind ``token``, and the token's own state."""
        if token in self._opens:
            return Place(section=self._opens[token]), self._opens[token]
        if token == self.sentinels.prefix:
            return Place(), PREFIX_STATE
        if token in (self.sentinels.end, self.sentinels.pad):
            return Place(), PAD_STATE
        if place.section is not None:
            return place, place.section
        syntax, state = advance_token(place.syntax, self._token_bytes[token])
        return Place(syntax), state
