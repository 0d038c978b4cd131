"""Continuations of a boundary against all that the model could write."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from completion.boundary import boundary
from completion.continuations import Continuation, likeliest, sample
from completion.model.types import PREFIX_STATE
from completion.tree import CanonicalModel, Place, TokenTree
from tests.completion.test_bytelm import brute, kinds, model_over, sequences
from tests.completion.toys import merge_lists

Merges = list[tuple[bytes, bytes]]
MERGES: Merges = [(b"a", b"s"), (b"as", b"s"), (b"s", b"s"), (b" ", b"as")]


def tree_behind(model: CanonicalModel) -> tuple[TokenTree, int]:
    tree = TokenTree(model, model.cache())
    return tree, tree.add_placed(-1, Place(model.ends[0]), PREFIX_STATE)


def first_byte(text: bytes) -> bool:
    return len(text) >= 1


def drawn(model: CanonicalModel, tail: bytes, generator: torch.Generator) -> Continuation:
    tree, root = tree_behind(model)
    with torch.inference_mode():
        return sample(tree, boundary(tree, root, tail), first_byte, 4, generator)


def test_samples_have_the_distribution_of_the_sums() -> None:
    model = model_over(MERGES, "gpt2")
    tail = b"as"
    generator = torch.Generator().manual_seed(5)
    count = 1500
    seen = Counter(drawn(model, tail, generator).text[:1] for _ in range(count))
    before = brute(model, tail)
    expected = {
        bytes((byte,)): math.exp(brute(model, tail + bytes((byte,))) - before)
        for byte in range(256)
    }
    large = [one for one, share in expected.items() if share * count >= 5]
    rest = count - sum(seen[one] for one in large)
    observed = [*(seen[one] for one in large), rest]
    shares = [*(expected[one] for one in large), 1 - sum(expected[one] for one in large)]
    found = stats.chisquare(observed, [share * count for share in shares])
    assert found.pvalue > 1e-3


@settings(max_examples=15, deadline=None)
@given(
    merge_lists(alphabet="as' ", most=8),
    kinds,
    st.text(st.sampled_from("as' "), min_size=1, max_size=3),
)
def test_with_all_beams_one_token_is_exact(merges: Merges, kind: str, text: str) -> None:
    model = model_over(merges, kind)
    tail = text.encode()
    tree, root = tree_behind(model)
    with torch.inference_mode():
        found = boundary(tree, root, tail)
        every = likeliest(
            tree, found, lambda _: True, count=10_000, most=1, beams=len(found.log_probs)
        )
    before = brute(model, tail)
    sums: dict[bytes, float] = {}
    for ids, log_prob in sequences(model, tail):
        text_bytes = model.tokenizer.decode_bytes(ids)
        if len(text_bytes) > len(tail):
            rest = text_bytes[len(tail) :]
            sums[rest] = sums.get(rest, 0.0) + math.exp(log_prob - before)
    across = {one.text: math.exp(one.log_prob) for one in every if one.text in sums}
    assert across.keys() == sums.keys()
    for rest, share in sums.items():  # behind the whole tail the same text may follow as well
        assert across[rest] >= share - 1e-12
    assert math.fsum(math.exp(one.log_prob) for one in every) == pytest.approx(1, abs=1e-9)
    assert [one.log_prob for one in every] == sorted((o.log_prob for o in every), reverse=True)
    assert len({(one.text, one.ended) for one in every}) == len(every)


def test_what_is_not_permitted_is_not_written() -> None:
    model = model_over(MERGES, "gpt2")
    tree, root = tree_behind(model)

    def only_s(written: bytes, data: bytes) -> bool:
        return set(data) <= set(b"s")

    with torch.inference_mode():
        found = likeliest(
            tree,
            boundary(tree, root, b"a"),
            lambda text: len(text) >= 3,
            count=5,
            most=4,
            permits=only_s,
        )
    assert found
    assert all(set(one.text) <= set(b"s") for one in found)


def test_the_end_of_the_middle_ends_a_continuation() -> None:
    model = model_over([], "gpt2")
    tree, root = tree_behind(model)
    with torch.inference_mode():
        found = boundary(tree, root, b"a")
        every = likeliest(tree, found, lambda _: True, count=400, most=1, beams=400)
    ended = [one for one in every if one.ended]
    assert [one.text for one in ended] == [b""]
    assert ended[0].log_prob == pytest.approx(float(found.log_probs[model.ends[0]]))


def test_texts_that_two_sequences_spell_take_one_place() -> None:
    model = model_over(MERGES, "gpt2")
    tree, root = tree_behind(model)
    with torch.inference_mode():
        found = likeliest(tree, boundary(tree, root, b"a"), first_byte, count=6, most=3, beams=300)
    assert len(found) == len({(one.text, one.ended) for one in found}) == 6


def test_a_tree_is_drawn_from_once() -> None:
    model = model_over(MERGES, "gpt2")
    tree, root = tree_behind(model)
    with torch.inference_mode():
        found = boundary(tree, root, b"a")
        tree.score([tree.add(found.end, 5)])
        with pytest.raises(ValueError, match="was scored before"):
            tree.score([found.end])
