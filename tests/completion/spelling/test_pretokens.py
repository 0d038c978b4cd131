"""Splits read character by character, against the library's own splits of whole texts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from completion.spelling.pattern import PatternError
from completion.spelling.pretokens import Splitter, pieces
from tests.completion.vocabularies import KINDS, split

LETTERS = "abLes'  \n\r\t1中.+ém"
kinds = st.sampled_from(sorted(set(KINDS) - {"none"}))
texts = st.text(st.sampled_from(LETTERS), min_size=1, max_size=9)


def begins(kind: str, text: str) -> tuple[int, ...]:
    return tuple(begin for _, (begin, _) in split(KINDS[kind]).pre_tokenize_str(text))


@settings(max_examples=400, deadline=None)
@given(kinds, texts)
def test_a_whole_text_is_split_in_one_way(kind: str, text: str) -> None:
    _, complete = pieces(Splitter.of(KINDS[kind]), text)
    assert complete == {begins(kind, text)}


@settings(max_examples=400, deadline=None)
@given(kinds, texts, texts)
def test_how_a_longer_text_is_split_was_possible_before(kind: str, text: str, rest: str) -> None:
    possible, _ = pieces(Splitter.of(KINDS[kind]), text)
    assert tuple(at for at in begins(kind, text + rest) if at < len(text)) in possible


@settings(max_examples=60, deadline=None)
@given(kinds, st.text(st.sampled_from("s' 1\n.r"), min_size=1, max_size=5))
def test_what_is_possible_happens(kind: str, text: str) -> None:
    possible, _ = pieces(Splitter.of(KINDS[kind]), text)
    letters = "s' 1\n.re"
    rests = ["", *letters, *(one + other for one in letters for other in letters)]
    seen = {tuple(at for at in begins(kind, text + rest) if at < len(text)) for rest in rests}
    assert possible == seen


@pytest.mark.parametrize("digits", range(1, 9))
def test_a_plus_behind_braces_repeats_in_this_engine(digits: int) -> None:
    assert begins("possessive", "1" * digits) == (0,)
    _, complete = pieces(Splitter.of(KINDS["possessive"]), "1" * digits)
    assert complete == {(0,)}


def test_the_last_blank_is_open_until_something_follows() -> None:
    splitter = Splitter.of(KINDS["gpt2"])
    assert pieces(splitter, "a   ")[0] == {(0, 1), (0, 1, 3)}
    assert pieces(splitter, "a   b")[0] == {(0, 1, 3)}
    assert pieces(splitter, "a   \n")[0] == {(0, 1), (0, 1, 4)}


@pytest.mark.parametrize(
    "pattern",
    [
        r"a(?=bc)",  # looks at two characters
        r"(?<=a)b",
        r"^a",
        r"a$",
        r"\bword",
        r"(?>a|b)c",
        r"(ab)++c",
        r"[a&&b]",
        r"a*",  # matches nothing
        r"a{1,3}?b",
        r"(a)\1",
        r"(a",
    ],
)
def test_what_cannot_be_followed_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        Splitter.of((pattern,))
