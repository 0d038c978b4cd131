"""Byte by byte against sums over every canonical sequence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from completion import bytelm
from completion.boundary import boundary
from completion.bytelm import (
    END,
    SYMBOLS,
    BytesError,
    ByteStream,
    Ensemble,
    Words,
    learned_weights,
    score,
)
from completion.model.types import PREFIX_STATE
from completion.tree import CanonicalModel, Place, TokenTree
from tests.completion.toys import merge_lists, next_log_probs, toy_network
from tests.completion.vocabularies import KINDS, toy_content

Merges = list[tuple[bytes, bytes]]
LETTERS = "as' 1\n"
CLOSE = 1e-9
kinds = st.sampled_from(sorted(KINDS))


def model_over(merges: Merges, kind: str) -> CanonicalModel:
    content = toy_content(merges, kind)
    return CanonicalModel(toy_network(content.size), content, ends=[content.end])


def stream(model: CanonicalModel, floor: float = 0.0) -> ByteStream:
    return ByteStream(model, model.cache(), Place(model.ends[0]), PREFIX_STATE, floor)


def sequences(
    model: CanonicalModel, data: bytes, ids: tuple[int, ...] = (), log_prob: float = 0.0
) -> Iterator[tuple[tuple[int, ...], float]]:
    """(tokens, log P) of all canonical sequences that reach the end of ``data`` with their last."""
    if not data:
        yield ids, log_prob
        return
    row = next_log_probs(model, [model.ends[0]], ids)
    for token, spelled in enumerate(model.tokenizer.token_bytes):
        logs = float(row[token])
        if not spelled or logs == -math.inf:
            continue
        if spelled.startswith(data):
            yield (*ids, token), log_prob + logs
        elif data.startswith(spelled):
            rest = data[len(spelled) :]
            yield from sequences(model, rest, (*ids, token), log_prob + logs)


def brute(model: CanonicalModel, data: bytes) -> float:
    """log P(the text starts with ``data``)."""
    sums = [log_prob for _, log_prob in sequences(model, data)]
    return math.log(math.fsum(map(math.exp, sums))) if sums else -math.inf


@settings(max_examples=15, deadline=None)
@given(
    merge_lists(alphabet=LETTERS, most=10),
    kinds,
    st.text(st.sampled_from(LETTERS), max_size=4),
)
def test_next_bytes_are_ratios_of_sums(merges: Merges, kind: str, text: str) -> None:
    model = model_over(merges, kind)
    read = stream(model)
    for byte in text.encode():
        read.push(byte)
    before = brute(model, text.encode())
    assert read.log_prob == pytest.approx(before, abs=CLOSE)
    said = read.next()
    assert math.fsum(np.exp(said)) == pytest.approx(1, abs=CLOSE)
    for letter in LETTERS.encode():
        after = brute(model, text.encode() + bytes((letter,)))
        assert said[letter] == pytest.approx(after - before, abs=CLOSE)


@settings(max_examples=15, deadline=None)
@given(
    merge_lists(alphabet=LETTERS, most=10),
    kinds,
    st.text(st.sampled_from(LETTERS + "é"), min_size=1, max_size=9),
)
def test_bytes_add_up_to_the_boundary(merges: Merges, kind: str, text: str) -> None:
    model = model_over(merges, kind)
    read = stream(model)
    total = math.fsum(score(read, text.encode()))
    tree = TokenTree(model, model.cache())
    root = tree.add_placed(-1, Place(model.ends[0]), PREFIX_STATE)
    assert total == pytest.approx(boundary(tree, root, text.encode()).log_prob, abs=CLOSE)
    assert read.log_prob == pytest.approx(total, abs=CLOSE)
    assert read.passes <= len(text.encode())


@settings(max_examples=20, deadline=None)
@given(
    merge_lists(alphabet=LETTERS, most=10),
    kinds,
    st.text(st.sampled_from(LETTERS), min_size=6, max_size=16),
    st.integers(5, 9),
)
def test_a_tree_that_is_full_begins_anew(merges: Merges, kind: str, text: str, nodes: int) -> None:
    model = model_over(merges, kind)
    expected = score(stream(model), text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bytelm, "MAX_NODES", nodes)
        read = stream(model)
        try:
            found = score(read, text.encode())
        except BytesError:  # too many ways were open for so small a tree
            reject()
    assert found == pytest.approx(expected, abs=1e-7)


@settings(max_examples=15, deadline=None)
@given(
    merge_lists(alphabet=LETTERS, most=10),
    st.text(st.sampled_from(LETTERS), min_size=1, max_size=8),
    st.floats(0.01, 0.5),
)
def test_what_is_left_out_is_bounded(merges: Merges, text: str, floor: float) -> None:
    model = model_over(merges, "gpt2")
    exact, rough = stream(model), stream(model, floor)
    for byte in text.encode():
        exact.push(byte)
        try:
            rough.push(byte)
        except BytesError:
            assert rough.lost > 0  # all that went on this way was left out
            return
    distance = 0.5 * np.abs(np.exp(exact.next()) - np.exp(rough.next())).sum()
    gone = math.exp(exact.log_prob) - math.exp(rough.log_prob)
    assert gone >= -CLOSE
    assert distance <= rough.lost + CLOSE
    assert rough.passes <= exact.passes


def test_the_end_has_its_share_and_only_behind_whole_characters() -> None:
    model = model_over([], "gpt2")
    read = stream(model)
    read.push("é".encode()[0])
    assert read.next()[END] > -math.inf  # the model may stop anywhere: nothing says it cannot
    assert math.fsum(np.exp(read.next())[:0x80]) == 0  # but a letter cannot be cut


def test_a_byte_that_nothing_spells() -> None:
    read = stream(model_over([], "gpt2"))
    read.push(0xC3)
    with pytest.raises(BytesError, match="byte 0x61 no probability"):
        read.push(ord("a"))


class Says:
    """A byte model that says the same everywhere."""

    def __init__(self, shares: dict[int, float]) -> None:
        self.row = np.full(SYMBOLS, -math.inf)
        for symbol, share in shares.items():
            self.row[symbol] = math.log(share)
        self.pushed = b""

    def next(self) -> np.ndarray:
        return self.row

    def push(self, byte: int) -> None:
        self.pushed += bytes((byte,))


def test_an_ensemble_is_the_weighted_mean() -> None:
    one, other = Says({97: 0.5, 98: 0.5}), Says({97: 0.1, 99: 0.9})
    ensemble = Ensemble([one, other], [0.25, 0.75])
    said = np.exp(ensemble.next())
    assert said[[97, 98, 99]].tolist() == pytest.approx([0.2, 0.125, 0.675])
    ensemble.push(97)
    assert (one.pushed, other.pushed) == (b"a", b"a")


def test_a_model_that_cannot_go_on_is_left_out() -> None:
    class Stops(Says):
        def push(self, byte: int) -> None:
            raise BytesError("no more")

    one, other = Stops({97: 1.0}), Says({98: 0.5, 97: 0.5})
    ensemble = Ensemble([one, other], [0.75, 0.25])
    ensemble.push(98)
    assert np.exp(ensemble.next())[[97, 98]].tolist() == pytest.approx([0.5, 0.5])
    assert ensemble.weights == (1.0,)
    with pytest.raises(BytesError, match="no more"):
        Ensemble([one]).push(97)


@pytest.mark.parametrize("weights", [[0.5], [0.7, 0.7], [1.5, -0.5]])
def test_weights_that_are_none(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="a weight of each model"):
        Ensemble([Says({97: 1.0}), Says({98: 1.0})], weights)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(-8, 0), st.floats(-8, 0)), min_size=4, max_size=30))
def test_learned_weights_are_the_best(said: list[tuple[float, float]]) -> None:
    table = np.array(said)
    found = learned_weights(table, steps=3000)

    def total(weights: Sequence[float]) -> float:
        return float(np.log(np.exp(table) @ np.array(weights)).sum())

    grid = max(total((share, 1 - share)) for share in np.linspace(0, 1, 201))
    assert total(found) >= grid - 1e-3
    assert math.fsum(found) == pytest.approx(1)


def test_models_of_different_vocabularies_together() -> None:
    one = model_over([(b"a", b"s"), (b"as", b"s")], "gpt2")
    other = model_over([(b"s", b"s"), (b" ", b"a")], "llama3")
    text = b"ass as"
    table = np.array([score(stream(one), text), score(stream(other), text)]).T
    ensemble = Ensemble([stream(one), stream(other)])
    assert score(ensemble, text) == pytest.approx(np.log(np.exp(table).mean(axis=1)).tolist())


def test_the_words_of_a_repository() -> None:
    def predict(words: list[bytes], typed: bytes, limit: int) -> list[tuple[bytes, float]]:
        assert words[-1] == b"."
        return [(b"path", 0.3), (b"pa", 0.1), (b"other", 0.6)]

    words = Words(SimpleNamespace(predict=predict), b"import os\nos.")  # type: ignore[arg-type]
    others = np.full(SYMBOLS, math.log(1 / SYMBOLS))
    assert words.heard(others) is others  # nothing is typed yet
    words.push(ord("p"))
    assert math.exp(words.heard(others)[ord("a")]) == pytest.approx(1)
    words.push(ord("a"))
    heard = np.exp(words.heard(others))
    assert heard[ord("t")] == pytest.approx(0.75)
    assert heard[ord("(")] == heard[END] > 0
    assert heard[ord("x")] == 0
    assert math.fsum(heard) == pytest.approx(1)
    mixed = np.exp(Ensemble([Says({ord("x"): 1.0})], words=words, share=0.5).next())
    assert mixed[ord("x")] == pytest.approx(0.5)


def test_tensors_of_a_model_in_single_precision() -> None:
    model = CanonicalModel(
        toy_network(toy_content([], "gpt2").size, torch.float32), toy_content([], "gpt2"), [0]
    )
    assert stream(model).next().dtype == np.float64
