"""The search for lexemes against enumeration, against exact name scores, and by example."""

from __future__ import annotations

import math
from collections import defaultdict
from unittest import mock

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from completion import search
from completion.boundary import name_log_probs
from completion.decoding import Session
from completion.fim import Layout, lay_out
from completion.lexeme import Kind, scan
from completion.model.types import START, advance
from completion.request import Prompt
from completion.search import Candidate, likeliest_lexemes
from completion.tree import CanonicalModel
from evaluation.codefill.lexing import raw_lexemes
from tests.completion.toys import (
    covers,
    merge_lists,
    next_log_probs,
    rooted_tree,
    toy_model,
    toy_tokenizer,
)

Merges = list[tuple[bytes, bytes]]
Masses = dict[tuple[bytes, Kind], float]
MERGES = [(b"a", b"b"), (b"ab", b"a"), (b" ", b"a"), (b"\n", b" "), (b"1", b"1"), (b"b", b"a")]
FLOOR = 5e-4


def layout_of(model: CanonicalModel, prefix: str) -> Layout:
    return lay_out(model, Prompt("", "", prefix), None)[0]


def found_behind(model: CanonicalModel, prefix: str, **options: object) -> list[Candidate]:
    session = Session(model.cache())
    return likeliest_lexemes(
        model, session, layout_of(model, prefix), lambda: False, **options  # type: ignore[arg-type]
    )  # fmt: skip


class Twin:
    """Every continuation of one token, and of two where the first is likely; no tree, no table."""

    def __init__(self, model: CanonicalModel, prefix: str) -> None:
        self.model = model
        self.before = prefix.encode()
        layout = layout_of(model, prefix)
        self.header = [model.tokenizer.suffix, model.tokenizer.prefix]
        self.trunk, self.tail = list(layout.values[2:]), layout.tail
        syntax, _ = advance(START, self.before)
        self.bracketed = any(bracket != "lambda" for bracket in syntax.brackets)
        self.mass: Masses = defaultdict(float)
        self.line_end = 0.0

    def candidates(self) -> Masses:
        opened: list[tuple[list[int], float]] = []
        for ids, log_prob in self._leaves():
            probability = math.exp(log_prob)
            if not self._ends(ids, probability):
                opened.append((ids, probability))
        opened = [one for one in opened if self._is_border(self._text(one[0]))]
        total = sum(self.mass.values()) + self.line_end + sum(one for _, one in opened)
        for ids, probability in opened:
            if probability <= FLOOR * total:
                continue
            row = next_log_probs(self.model, self.header, [*self.trunk, *ids])
            for token, log_prob in enumerate(row.tolist()):
                if log_prob > -math.inf:
                    self._ends([*ids, token], probability * math.exp(log_prob))
        breaks = [key for key in self.mass if key[1] is Kind.BREAK]
        among = sum(self.mass[key] for key in breaks)
        for key in breaks:
            self.mass[key] *= 1 + self.line_end / among
        if self.line_end and not among:
            line = self.before[self.before.rfind(b"\n") + 1 :]
            indent = line[: len(line) - len(line.lstrip(b" "))]
            self.mass[b"\n" + indent, Kind.BREAK] += self.line_end
        return {key: mass / total for key, mass in self.mass.items()}

    def _leaves(self) -> list[tuple[list[int], float]]:
        """Every sequence whose last token, and none before, reaches beyond the cursor."""
        found = []
        exact: list[tuple[list[int], float]] = [] if self.tail else [([], 0.0)]
        if self.tail:
            for ids, log_prob in covers(self.model, self.header, self.trunk, self.tail):
                longer = len(self.model.tokenizer.decode_bytes(ids)) > len(self.tail)
                (found if longer else exact).append((ids, log_prob))
        for ids, log_prob in exact:
            row = next_log_probs(self.model, self.header, [*self.trunk, *ids]).tolist()
            found += [([*ids, token], log_prob + one) for token, one in enumerate(row)
                      if one > -math.inf]  # fmt: skip
        total = math.log(math.fsum(math.exp(one) for _, one in found))
        return [(ids, one - total) for ids, one in found]

    def _text(self, ids: list[int]) -> bytes:
        return self.model.tokenizer.decode_bytes(ids)[len(self.tail) :]

    def _is_border(self, text: bytes) -> bool:
        cut = len(self.before)
        fresh = self.before.endswith(b"\n") and not self.bracketed
        if fresh and text[:1] in (b"\n", b"\r", b" ", b"\t", b"\f"):
            return False
        spans = [one for one in raw_lexemes(self.before + text) if one.begin < cut]
        return not spans or (
            spans[-1].end <= cut
            and not scan(self.before + text, spans[-1].begin, inside=self.bracketed).open
        )

    def _ends(self, ids: list[int], probability: float) -> bool:
        """Book what the continuation settles; False where a lexeme may still go on."""
        text = self._text(ids)
        found = scan(text, inside=self.bracketed)
        at_end = ids[-1] == self.model.tokenizer.end
        line = self.before[self.before.rfind(b"\n") + 1 :]
        fresh = not line.strip(b" ") and not self.bracketed
        if not at_end and not self._is_border(text):
            return True
        if at_end and found.kind is Kind.NOTHING:
            if not self.bracketed and not fresh:
                self.line_end += probability
            return True
        if not found.open or at_end or found.kind is Kind.COMMENT:
            lexeme = text[found.begin : found.end]
            if found.kind is Kind.BREAK:
                last = max(lexeme.rfind(b"\n"), lexeme.rfind(b"\r"))
                lexeme = b"\n" + lexeme[last + 1 :]
            lexeme = b"." if lexeme == b".." else lexeme  # and then no third
            key = (b"" if found.kind is Kind.COMMENT else lexeme, found.kind)
            self.mass[key] += probability
            return True
        return False


@settings(max_examples=8, deadline=None)
@given(merge_lists("ab_ 1.\n("), st.text(st.sampled_from("ab_ 1.\n(="), max_size=6))
@example([], "\n ")  # nothing behind an indentation is no line break
@example([], "b")  # a quote behind the word "bb" begins another lexeme
def test_probabilities_equal_enumeration(merges: Merges, text: str) -> None:
    model = toy_model(toy_tokenizer(merges))
    prefix = "b" + text
    with mock.patch.object(search, "MAX_STEPS", 1):
        found = found_behind(model, prefix, beams=400, floor=FLOOR, normalised=False)
    twin = {key: mass for key, mass in Twin(model, prefix).candidates().items() if mass}
    ours = {(one.text, one.kind): math.exp(one.log_prob) for one in found}
    assert ours.keys() == twin.keys()
    for key, mass in twin.items():
        assert ours[key] == pytest.approx(mass, rel=1e-6), key


@settings(max_examples=8, deadline=None)
@given(merge_lists("ab_ 1.\n"))
def test_rests_of_names_have_their_exact_probability(merges: Merges) -> None:
    model = toy_model(toy_tokenizer(merges))
    layout = layout_of(model, "b.ab")
    found = [one for one in found_behind(model, "b.ab", inside=True, floor=1e-7) if one.text]
    names = [
        one for one in found if one.text.decode("latin-1").isidentifier() and one.text.isascii()
    ]
    assert names
    tree, root = rooted_tree(model, layout.values[:2], layout.values[2:])
    scores = name_log_probs(
        tree, root, layout.tail, [one.text.decode() for one in names[:32]], may_end=True
    )
    for one, score in zip(names[:32], scores, strict=True):
        assert one.log_prob == pytest.approx(score, abs=1e-9)


def test_normalised_strings_and_numbers_are_known_once_they_begin() -> None:
    model = toy_model(toy_tokenizer(MERGES))
    found = found_behind(model, "a = ", beams=400)
    literals = [one for one in found if one.kind in (Kind.STRING, Kind.NUMBER)]
    assert [one.text for one in literals] == [b"", b""]
    assert {one.kind for one in literals} == {Kind.STRING, Kind.NUMBER}
    whole = found_behind(model, "a = ", beams=400, floor=1e-9, normalised=False)
    assert any(one.text == b"1" for one in whole if one.kind is Kind.NUMBER)


def test_nothing_is_found_inside_a_string_and_the_cache_is_left_in_order() -> None:
    model = toy_model(toy_tokenizer(MERGES))
    session, layout = Session(model.cache()), layout_of(model, "a = 'ab")
    assert likeliest_lexemes(model, session, layout, lambda: False) == []
    assert session.cache.length == len(session.values) == len(layout.values)


def test_a_second_search_finds_the_same_in_the_cache_of_the_first() -> None:
    model = toy_model(toy_tokenizer(MERGES))
    session, layout = Session(model.cache()), layout_of(model, "b = ab.a(ab, ")
    first = likeliest_lexemes(model, session, layout, lambda: False)
    again = likeliest_lexemes(model, session, layout, lambda: False)
    assert [one.text for one in first] == [one.text for one in again]
    assert [one.log_prob for one in first] == pytest.approx([one.log_prob for one in again])


def test_the_deadline_ends_the_search_with_what_is_known() -> None:
    model = toy_model(toy_tokenizer(MERGES))
    layout = layout_of(model, "b = ")
    found = likeliest_lexemes(model, Session(model.cache()), layout, lambda: True)
    assert found
    assert all(one.kind is not Kind.WORD for one in found)
