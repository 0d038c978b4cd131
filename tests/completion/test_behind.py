"""The place behind a prompt: its three questions give what the modules below say alone."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from completion import behind
from completion.behind import Behind
from completion.bytelm import END, score
from completion.model.guest import manner, open_guest
from completion.tree import CanonicalModel
from tests.completion.model.guests import save_guest
from tests.completion.toys import merge_lists, toy_network, toy_tokenizer

Merges = list[tuple[bytes, bytes]]
MERGES: Merges = [(b"a", b"b"), (b"ab", b"a"), (b"b", b"b"), (b"ab", b"b")]
LETTERS = "ab_ 1.\n"


def model_over(merges: Merges) -> CanonicalModel:
    tokenizer = toy_tokenizer(merges)
    return CanonicalModel(toy_network(tokenizer.size), tokenizer)


def one_byte(text: bytes) -> bool:
    return len(text) >= 1


def first_bytes(here: Behind) -> np.ndarray:
    """(257,) P(the first byte) by the boundary's own leaves."""
    tree, found = here.boundary()
    shares = np.zeros(257)
    table = here.model.tokenizer.token_bytes
    rows = (found.nodes.tolist(), found.tokens.tolist(), found.log_probs.tolist())
    for node, token, log_prob in zip(*rows, strict=True):
        rest = table[token][found.overlap[node] :]
        shares[END if token in tree.model.ends else rest[0] if rest else 0] += math.exp(log_prob)
    return shares


@settings(max_examples=12, deadline=None)
@given(merge_lists(), st.text(st.sampled_from(LETTERS), max_size=12), st.integers(1, 4))
def test_the_stream_says_what_the_boundary_says(merges: Merges, prefix: str, chunk: int) -> None:
    here = Behind.of(model_over(merges), prefix)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(behind, "CHUNK", chunk)  # however the trunk is read
        said = np.exp(here.stream().next())
    assert said == pytest.approx(first_bytes(here), abs=1e-9)


def test_what_is_asked_changes_nothing() -> None:
    here = Behind.of(model_over(MERGES), "ab ab ab" * 40, suffix="b\n")
    before = here.stream().next()
    texts = here.likeliest(one_byte, count=3, most=2)
    here.sample(one_byte, 5, torch.Generator().manual_seed(1))
    here.stream().push(ord("a"))
    assert here.likeliest(one_byte, count=3, most=2) == texts
    assert np.array_equal(here.stream().next(), before)


def test_the_likeliest_next_byte_is_the_likeliest_text_of_one() -> None:
    here = Behind.of(model_over(MERGES), "a\nab")
    said = here.stream().next()
    everything = here.likeliest(lambda _: True, count=10_000, most=1, beams=10_000)
    sums: dict[bytes, float] = {}
    for one in everything:
        sums[one.text[:1]] = sums.get(one.text[:1], 0.0) + math.exp(one.log_prob)
    assert sums[b"b"] == pytest.approx(math.exp(said[ord("b")]))
    assert sums[b""] == pytest.approx(math.exp(said[END]))


def test_a_text_that_was_drawn_is_as_likely_as_its_bytes() -> None:
    here = Behind.of(model_over([]), "ab")  # a byte a token: a text is written in one way only
    drawn = here.sample(lambda text: len(text) >= 3, 3, torch.Generator().manual_seed(3))
    rest = here.stream()
    total = math.fsum(score(rest, drawn.text)) + (rest.next()[END] if drawn.ended else 0.0)
    assert drawn.log_prob == pytest.approx(total)


def test_what_is_not_permitted_is_not_written() -> None:
    here = Behind.of(model_over(MERGES), "a")
    found = here.likeliest(
        one_byte, count=4, most=2, permits=lambda _, data: set(data) <= set(b"b")
    )
    assert found
    assert all(set(one.text) <= set(b"b") for one in found)


def test_a_guest_lays_its_prompts_out_itself(tmp_path: Path) -> None:
    folder = save_guest(tmp_path / "guest")
    guest = open_guest(folder, manner(folder), device="cpu")
    here = Behind.of(guest, "x = 1\nsel", suffix="\n", path="a.py")
    assert here.layout == guest.lay_out(behind.Prompt("", "\n", "x = 1\nsel"), "a.py", None)[0]
    assert here.layout.tail.endswith(b"sel")
    assert np.exp(here.stream().next()) == pytest.approx(first_bytes(here), abs=1e-4)


def test_lone_surrogates() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        Behind.of(model_over([]), "\ud800")
