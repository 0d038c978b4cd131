"""Pairwise rules against full re-encoding, on random vocabularies."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from completion.canonical import Canonical, Prefix, Pretoken
from completion.model.tokenizer import Tokenizer
from tests.completion.toys import merge_lists, segmentations, toy_tokenizer

texts = st.text(st.sampled_from("ab_ 1.\n\t"), max_size=7)
wide = st.text(st.sampled_from("aZ_ \n\r\t1²é中́\u2028\u00a0🙂.+Ⅷ\x0c\x1c"), max_size=12)


def follows_the_rules(canonical: Canonical, ids: list[int], start: int) -> bool:
    last, state = start, Pretoken.START
    for token in ids:
        if not canonical.allowed(last, state)[token]:
            return False
        last, state = token, canonical.follow(state, [token])
    return True


def path_to(found: list[Prefix], prefix: Prefix) -> list[int]:
    before = path_to(found, found[prefix.parent - 1]) if prefix.parent else []
    return [*before, prefix.token]


def all_tokens(tokenizer: Tokenizer) -> dict[bytes, int]:
    return {data: index for index, data in enumerate(tokenizer.token_bytes) if data}


@settings(max_examples=40)
@given(merge_lists(), texts)
def test_pairwise_rules_accept_exactly_the_canonical_encoding(
    merges: list[tuple[bytes, bytes]], text: str
) -> None:
    tokenizer = toy_tokenizer(merges)
    canonical = Canonical(tokenizer)
    ways = segmentations(text.encode(), all_tokens(tokenizer))
    accepted = [ids for ids in ways if follows_the_rules(canonical, ids, tokenizer.prefix)]
    assert accepted == [tokenizer.encode(text)]


@pytest.mark.parametrize(
    "merges",
    [
        [(b"a", b"a"), (b"aa", b"a"), (b"aa", b"aa")],
        [(b"a", b"b"), (b"b", b"a"), (b"ab", b"a"), (b"b", b"b"), (b"a", b"bb"), (b"ba", b"b")],
        [(b"a", b"b"), (b"b", b"a"), (b"a", b"ba"), (b"ab", b"a")],  # one text, two derivations
        [(b"b", b"a"), (b"a", b"b"), (b"ab", b"a"), (b"aba", b"b")],  # an unreachable token
    ],
)
def test_every_short_text_over_two_letters(merges: list[tuple[bytes, bytes]]) -> None:
    tokenizer = toy_tokenizer(merges)
    canonical = Canonical(tokenizer)
    tokens = {data: i for data, i in all_tokens(tokenizer).items() if set(data) <= set(b"ab")}
    for length in range(1, 9):
        for letters in product("ab", repeat=length):
            text = "".join(letters)
            ways = segmentations(text.encode(), tokens)
            accepted = [ids for ids in ways if follows_the_rules(canonical, ids, tokenizer.prefix)]
            assert accepted == [tokenizer.encode(text)]
            found = canonical.prefixes(text.encode())
            assert path_to(found, found[-1]) == tokenizer.encode(text)


@settings(max_examples=40)
@given(merge_lists(), wide)
def test_canonical_encodings_of_any_text_are_accepted(
    merges: list[tuple[bytes, bytes]], text: str
) -> None:
    tokenizer = toy_tokenizer([*merges, (b"\xc3", b"\xa9"), (b"a", b"\xc3"), (b"\xf0", b"\x9f")])
    assert follows_the_rules(Canonical(tokenizer), tokenizer.encode(text), tokenizer.prefix)


@given(wide)
def test_pretokens_begin_where_the_automaton_says(text: str) -> None:
    tokenizer = toy_tokenizer([])
    canonical = Canonical(tokenizer)
    text = "".join(character for character in text if ord(character) < 128)
    state, begins = Pretoken.START, []
    for offset, token in enumerate(tokenizer.encode(text)):
        if canonical.begins(state)[token]:
            begins.append(offset)
        state = canonical.follow(state, [token])
    assert begins == [begin for begin, _ in tokenizer.pretokens(text)]


@settings(max_examples=40)
@given(merge_lists(), texts)
def test_prefixes_are_the_encodings_of_every_prefix(
    merges: list[tuple[bytes, bytes]], text: str
) -> None:
    tokenizer = toy_tokenizer(merges)
    canonical = Canonical(tokenizer)
    for begin, end in tokenizer.pretokens(text):
        piece = text.encode()[begin:end]
        found = canonical.prefixes(piece)
        for prefix in found:
            path = path_to(found, prefix)
            assert path == tokenizer.encode(piece[: prefix.end].decode())
            assert prefix.state == canonical.follow(Pretoken.START, path)


@settings(max_examples=40)
@given(merge_lists(), texts.filter(bool))
def test_extensions_are_the_tokens_that_reach_beyond_the_text(
    merges: list[tuple[bytes, bytes]], text: str
) -> None:
    tokenizer = toy_tokenizer(merges)
    canonical = Canonical(tokenizer)
    begin, end = tokenizer.pretokens(text)[-1]
    tail = text.encode()[begin:end]
    prefixes = canonical.prefixes(tail)
    for before in [None, *prefixes[:-1]]:
        head = tail[: before.end] if before else b""
        expected = []
        for data, token in all_tokens(tokenizer).items():
            whole = head + data
            if len(whole) <= len(tail) or not whole.startswith(tail) or not whole.isascii():
                continue
            one = len(tokenizer.pretokens(whole.decode())) == 1
            if one and tokenizer.encode(whole.decode()) == [
                *tokenizer.encode(head.decode()),
                token,
            ]:
                expected.append(token)
        assert sorted(canonical.extensions(tail, before).tolist()) == sorted(expected)


def test_specials_are_never_allowed() -> None:
    tokenizer = toy_tokenizer([(b"a", b"b")])
    canonical = Canonical(tokenizer)
    for state in Pretoken:
        row = canonical.allowed(tokenizer.prefix, state)
        assert not row[[tokenizer.pad, tokenizer.end, tokenizer.context, tokenizer.suffix]].any()
        assert row.dtype == np.bool_
