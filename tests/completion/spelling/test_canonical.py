"""The rules against full re-encoding, on random vocabularies under real pre-tokenizers."""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from completion.spelling.canonical import DEAD, ROOT, START, Canonical, Cover
from completion.spelling.vocabulary import Vocabulary
from tests.completion.toys import merge_lists, segmentations, toy_tokenizer
from tests.completion.vocabularies import KINDS, sentencepiece, toy_vocabulary

Merges = list[tuple[bytes, bytes]]

LETTERS = "as1' .\n"
kinds = st.sampled_from(sorted(KINDS))
texts = st.text(st.sampled_from(LETTERS), max_size=7)
wide = st.text(st.sampled_from("aZ_s' \n\r\t1²é中́\u2028\u00a0🙂.+Ⅷ\x0c\x1c"), max_size=12)
merges_of_bytes = merge_lists(alphabet=LETTERS)
shuffled = merge_lists(alphabet=LETTERS).flatmap(st.permutations)  # parts may come late


def all_tokens(vocabulary: Vocabulary) -> dict[bytes, int]:
    return {data: index for index, data in enumerate(vocabulary.token_bytes) if data}


def accepted(canonical: Canonical, ids: list[int]) -> bool:
    return canonical.ends(canonical.follow_all(ids))


@settings(max_examples=120, deadline=None)
@given(merges_of_bytes | shuffled, kinds, texts, st.booleans())
def test_exactly_the_canonical_encoding_is_accepted(
    merges: Merges, kind: str, text: str, whole_first: bool
) -> None:
    vocabulary = toy_vocabulary(merges, kind, whole_first=whole_first)
    canonical = Canonical(vocabulary.spelling)
    ways = segmentations(text.encode(), all_tokens(vocabulary))
    assert [ids for ids in ways if accepted(canonical, ids)] == [vocabulary.encode(text)]


@settings(max_examples=120, deadline=None)
@given(merges_of_bytes | shuffled, kinds, texts, st.booleans())
def test_rows_are_what_following_allows(
    merges: Merges, kind: str, text: str, whole_first: bool
) -> None:
    vocabulary = toy_vocabulary(merges, kind, whole_first=whole_first)
    canonical = Canonical(vocabulary.spelling)
    state, last = START, 0
    for token in [*vocabulary.encode(text), None]:
        row = canonical.allowed(last, state)
        following = [canonical.follow(state, last, one) != DEAD for one in range(vocabulary.size)]
        assert row.tolist() == following
        if token is not None:
            state, last = canonical.follow(state, last, token), token


@settings(max_examples=60, deadline=None)
@given(merges_of_bytes, kinds, wide)
@example([], "gpt2", "🙂\u200d🙂")
def test_canonical_encodings_of_any_text_are_accepted(merges: Merges, kind: str, text: str) -> None:
    extra = [(b"\xc3", b"\xa9"), (b"a", b"\xc3"), (b"\xf0", b"\x9f"), (b"\x99", b"\x82")]
    vocabulary = toy_vocabulary([*merges, *extra], kind)
    assert accepted(Canonical(vocabulary.spelling), vocabulary.encode(text))


@pytest.mark.parametrize("whole_first", [False, True])
@pytest.mark.parametrize(
    "merges",
    [
        [(b"a", b"a"), (b"aa", b"a"), (b"aa", b"aa")],
        [(b"a", b"b"), (b"b", b"a"), (b"ab", b"a"), (b"b", b"b"), (b"a", b"bb"), (b"ba", b"b")],
        [(b"a", b"b"), (b"b", b"a"), (b"a", b"ba"), (b"ab", b"a")],  # one text, two derivations
        [(b"b", b"a"), (b"a", b"b"), (b"ab", b"a"), (b"aba", b"b")],  # an unreachable token
    ],
)
def test_every_short_text_over_two_letters(merges: Merges, whole_first: bool) -> None:
    vocabulary = toy_vocabulary(merges, "words", whole_first=whole_first)
    canonical = Canonical(vocabulary.spelling)
    tokens = {data: i for data, i in all_tokens(vocabulary).items() if set(data) <= set(b"ab")}
    for length in range(1, 9):
        for letters in product("ab", repeat=length):
            text = "".join(letters)
            ways = segmentations(text.encode(), tokens)
            assert [ids for ids in ways if accepted(canonical, ids)] == [vocabulary.encode(text)]


@lru_cache(maxsize=64)
def continued(letters: str, most: int) -> tuple[str, ...]:
    return tuple(
        "".join(one) for length in range(most + 1) for one in product(letters, repeat=length)
    )


def observed_covers(vocabulary: Vocabulary, text: str, letters: str) -> set[tuple[int, ...]]:
    """The beginnings that reach the end of ``text``, of the encodings of all longer texts."""
    found = set()
    length = len(text.encode())
    for rest in continued(letters, 4):
        covered = 0
        beginning: list[int] = []
        for token in vocabulary.encode(text + rest):
            beginning.append(token)
            covered += len(vocabulary.token_bytes[token])
            if covered >= length:
                found.add(tuple(beginning))
                break
    return found


def spelled_covers(cover: Cover) -> set[tuple[int, ...]]:
    paths: dict[int, tuple[int, ...]] = {ROOT: ()}
    for index, context in enumerate(cover.contexts):
        paths[index] = (*paths[context.parent], context.token)
    across = {
        (*paths[index], token) for index, ids in cover.across.items() for token in ids.tolist()
    }
    return across | {paths[index] for index in cover.whole}


@settings(max_examples=60, deadline=None)
@given(
    merge_lists(alphabet="s' 1", most=10),
    kinds,
    st.text(st.sampled_from("s' 1"), min_size=1, max_size=6),
    st.booleans(),
)
@example(
    merges=[(b" ", b" ")], kind="gpt2", text="s  ", whole_first=False
)  # whose is the last blank?
@example(
    merges=[(b"'", b"s")], kind="gpt2", text="s'", whole_first=False
)  # it may begin a contraction
@example(merges=[(b"1", b"1"), (b"11", b"11")], kind="possessive", text="1", whole_first=False)
def test_covers_are_how_longer_texts_begin(
    merges: Merges, kind: str, text: str, whole_first: bool
) -> None:
    vocabulary = toy_vocabulary(merges, kind, whole_first=whole_first)
    cover = Canonical(vocabulary.spelling).cover(START, 0, text.encode())
    letters = set(b"s' 1")
    spelled = {
        path
        for path in spelled_covers(cover)
        if set(vocabulary.decode_bytes(path)) <= letters  # those that the longer texts can hold
    }
    assert spelled == observed_covers(vocabulary, text, "s' 1")


@settings(max_examples=60, deadline=None)
@given(
    merge_lists(alphabet="ab ", most=12).flatmap(st.permutations),
    st.text(st.sampled_from("ab é\n"), max_size=7),
)
def test_sentencepiece_with_bytes_to_fall_back_to(merges: Merges, text: str) -> None:
    vocabulary = sentencepiece(merges)
    canonical = Canonical(vocabulary.spelling)
    tokens: dict[bytes, list[int]] = {}
    for token, data in enumerate(vocabulary.token_bytes):
        if data:
            tokens.setdefault(data, []).append(token)

    def ways(data: bytes) -> list[list[int]]:
        if not data:
            return [[]]
        return [
            [token, *rest]
            for end in range(1, len(data) + 1)
            for token in tokens.get(data[:end], ())
            for rest in ways(data[end:])
        ]

    found = [ids for ids in ways(text.encode()) if accepted(canonical, ids)]
    assert found == [vocabulary.encode(text)]


@settings(max_examples=80, deadline=None)
@given(merges_of_bytes, kinds, st.text(st.sampled_from(LETTERS), max_size=24), st.integers(0, 3))
def test_what_is_settled_stays_whatever_follows(
    merges: Merges, kind: str, text: str, keep: int
) -> None:
    vocabulary = toy_vocabulary(merges, kind)
    canonical = Canonical(vocabulary.spelling)
    ids = vocabulary.encode(text)
    count, covered = canonical.settled(text.encode(), keep, ids)
    assert covered == len(vocabulary.decode_bytes(ids[:count])) <= max(0, len(text) - keep)
    for rest in continued(LETTERS, 2):
        assert vocabulary.encode(text + rest)[:count] == ids[:count]


def test_sentinels_are_never_allowed() -> None:
    tokenizer = toy_tokenizer([(b"a", b"b")])
    canonical = Canonical(tokenizer.spelling)
    states = {START, *(canonical.follow_all(tokenizer.encode(text)) for text in ("a", " ", "1\n"))}
    specials = [token for token, data in enumerate(tokenizer.token_bytes) if not data]
    assert len(specials) == 5
    for state in states:
        assert not canonical.allowed(0, state)[specials].any()


def test_rows_cannot_be_changed() -> None:
    canonical = Canonical(toy_tokenizer([]).spelling)
    with pytest.raises(ValueError, match="read-only"):
        canonical.allowed(0, START)[0] = True
    assert isinstance(canonical.allowed(0, START), np.ndarray)


def test_no_character_begins_with_what_is_never_in_utf8() -> None:
    vocabulary = toy_vocabulary([])
    canonical = Canonical(vocabulary.spelling)
    row = canonical.allowed(0, START)
    begins = {data[0] for data, may in zip(vocabulary.token_bytes, row, strict=True) if may}
    assert begins == {*range(0x80), *range(0xC2, 0xF5)}


def test_a_byte_is_fallen_back_to_only_where_a_character_needs_it() -> None:
    vocabulary = sentencepiece([])
    canonical = Canonical(vocabulary.spelling)
    row = canonical.allowed(0, START)
    single = {data[0] for data, may in zip(vocabulary.token_bytes, row, strict=True) if may}
    assert single == {*range(0x80), *range(0xC2, 0xF5)}
    assert sum(row) == len(single)  # a, b and the blank are spelled in one way
