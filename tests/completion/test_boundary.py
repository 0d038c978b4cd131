"""Boundary probabilities against exhaustive enumeration on random vocabularies."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from completion.boundary import boundary, name_log_probs
from completion.spelling.canonical import Canonical
from completion.tree import CanonicalModel
from tests.completion.toys import (
    covers,
    merge_lists,
    next_log_probs,
    rooted_tree,
    toy_model,
    toy_tokenizer,
)

Merges = list[tuple[bytes, bytes]]
prefixes = st.text(st.sampled_from("ab_ 1.\n"), max_size=7)
CLOSE = 1e-9


def trunk_and_tail(model: CanonicalModel, text: str) -> tuple[list[int], bytes]:
    spans = model.tokenizer.pretokens(text)
    begin = spans[-1][0] if spans else 0
    data = text.encode()
    return model.tokenizer.encode(data[:begin].decode()), data[begin:]


def brute_log_prob(model: CanonicalModel, header: list[int], ids: list[int], tail: bytes) -> float:
    """log P(the text behind ``ids`` starts with ``tail``)."""
    return math.log(math.fsum(math.exp(one) for _, one in covers(model, header, ids, tail)))


@settings(max_examples=25, deadline=None)
@given(merge_lists(), prefixes)
def test_cover_sums_equal_enumeration(merges: Merges, text: str) -> None:
    model = toy_model(toy_tokenizer(merges))
    header = [model.tokenizer.suffix, model.tokenizer.prefix]
    trunk, tail = trunk_and_tail(model, text)
    tree, root = rooted_tree(model, header, trunk)
    found = boundary(tree, root, tail)
    brute = {tuple(ids): one for ids, one in covers(model, header, trunk, tail)} if tail else {}
    total = brute_log_prob(model, header, trunk, tail) if tail else 0.0
    assert found.log_prob == pytest.approx(total, abs=CLOSE)
    leaves = {}
    for node, token, one in zip(found.nodes, found.tokens, found.log_probs, strict=True):
        if int(node) != found.end:
            path = [tree.places[step].token for step in tree.path(int(node))]
            leaves[(*path[1 + len(trunk) :], int(token))] = float(one)
    for ids, one in brute.items():
        if len(model.tokenizer.decode_bytes(ids)) > len(tail):
            assert leaves.pop(ids) == pytest.approx(one - total, abs=CLOSE)
    assert not leaves
    whole = next_log_probs(model, header, [*trunk, *model.tokenizer.encode(tail.decode())])
    ended = [
        float(one)
        for node, one in zip(found.nodes, found.log_probs, strict=True)
        if node == found.end
    ]
    shift = brute[tuple(model.tokenizer.encode(tail.decode()))] - total if tail else 0.0
    assert torch.allclose(torch.tensor(ended, dtype=torch.float64), whole + shift, atol=CLOSE)
    assert float(found.log_probs.exp().sum()) == pytest.approx(1, abs=CLOSE)


@settings(max_examples=12, deadline=None)
@given(merge_lists(), prefixes, st.booleans())
def test_name_scores_equal_enumeration(merges: Merges, text: str, may_end: bool) -> None:
    model = toy_model(toy_tokenizer(merges))
    header = [model.tokenizer.prefix]
    names = ["a", "ab", "a1", "b_a", "a="]
    trunk, tail = trunk_and_tail(model, text)
    tree, root = rooted_tree(model, header, trunk)
    scores = name_log_probs(tree, root, tail, names, may_end=may_end)
    total = brute_log_prob(model, header, trunk, tail) if tail else 0.0
    ends = {data[:1] for data in model.tokenizer.token_bytes if data and data < b"\x80"}
    ends -= {bytes([byte]) for byte in range(128) if chr(byte).isalnum() or chr(byte) == "_"}
    for name, score in zip(names, scores, strict=True):
        typed = tail + name.removesuffix("=").encode()
        if name.endswith("="):
            brute = brute_log_prob(model, header, trunk, tail + name.encode())
            assert score == pytest.approx(brute - total, abs=CLOSE)
            continue
        sums = [
            log_prob
            for ids, log_prob in covers(model, header, trunk, typed)
            if model.tokenizer.decode_bytes(ids) == typed
            for log_prob in ended(model, header, trunk + ids, log_prob, ends, may_end)
        ]
        crossing = [
            log_prob
            for ids, log_prob in covers(model, header, trunk, typed)
            if model.tokenizer.decode_bytes(ids)[len(typed) :][:1] in ends
        ]
        brute = math.log(math.fsum(map(math.exp, [*sums, *crossing])))
        assert score == pytest.approx(brute - total, abs=CLOSE)


def ended(
    model: CanonicalModel,
    header: list[int],
    ids: list[int],
    log_prob: float,
    ends: set[bytes],
    may_end: bool,
) -> list[float]:
    row = next_log_probs(model, header, ids)
    after = [token for token, data in enumerate(model.tokenizer.token_bytes) if data[:1] in ends]
    after += [model.tokenizer.end] if may_end else []
    return [log_prob + float(row[token]) for token in after if math.isfinite(row[token])]


def test_a_half_typed_word_reaches_the_token_that_spans_the_cursor() -> None:
    merges = [
        (b"r", b"e"),
        (b"t", b"u"),
        (b"re", b"tu"),
        (b"r", b"n"),
        (b"retu", b"rn"),
        (b"t", b"a"),
    ]
    model = toy_model(toy_tokenizer(merges))
    tree, root = rooted_tree(model, [model.tokenizer.prefix], [])
    found = boundary(tree, root, b"ret")
    across = [
        model.tokenizer.token_bytes[int(token)]
        for node, token in zip(found.nodes, found.tokens, strict=True)
        if int(node) != found.end
    ]
    assert across == [b"retu", b"return", b"ta"]
    overlaps = [found.overlap[int(node)] for node in found.nodes if int(node) != found.end]
    assert overlaps == [3, 3, 1]


def test_nothing_to_heal_costs_no_more_than_the_tail_itself() -> None:
    model = toy_model(toy_tokenizer([(b"a", b"b"), (b"ab", b"1")]))
    tree, root = rooted_tree(model, [model.tokenizer.prefix], [])
    boundary(tree, root, b"a1"[:1] + b"b")
    assert [place.token for place in tree.places] == [
        model.tokenizer.prefix,
        *model.tokenizer.encode("ab"),
    ]


def test_what_is_no_identifier_cannot_be_scored() -> None:
    model = toy_model(toy_tokenizer([]))
    tree, root = rooted_tree(model, [model.tokenizer.prefix], [])
    for names in (["a b"], ["1a"], [""], ["a"] * 33):
        with pytest.raises(ValueError, match="identifiers"):
            name_log_probs(tree, root, b"", names, may_end=False)


def test_the_rules_know_the_same_tokenizer() -> None:
    model = toy_model(toy_tokenizer([(b"a", b"b")]))
    assert isinstance(model.rules, Canonical)
    with pytest.raises(ValueError, match="tokens"):
        CanonicalModel(model.network, toy_tokenizer([]))
