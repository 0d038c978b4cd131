"""Samples say what completion will ask: honest prefixes, exact boundaries, the right loss."""

from __future__ import annotations

import random
from pathlib import Path

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from completion.model.prompt import LONG_WINDOW
from completion.model.tokenizer import Tokenizer
from completion.model.types import START, SUFFIX_STATE, advance_tokens
from training import bpe
from training.corpus import SourceFile
from training.labels import choose_types, label_ids
from training.samples import (
    WEIGHT_MIDDLE,
    WEIGHT_PREFIX,
    Middle,
    Source,
    analyse,
    choose_context,
    choose_middle,
    make_row,
    package_of,
)

FOLDER = Path(click.__file__).parent
FILES = [SourceFile("click", path.name, path.read_text()) for path in sorted(FOLDER.glob("*.py"))]
SOURCES = [analyse(file) for file in FILES[:6]]
ODD = analyse(SourceFile("odd", "odd.py", "é = 'ü€'\r\nif é:\r\n    x = (é,\r\n  1)\r\n" * 9))
TYPES = label_ids(choose_types(source.leaves for source in SOURCES))


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = tmp_path_factory.mktemp("bpe") / "tokenizer.json"
    bpe.train(FILES[:6], path, size=600)
    return Tokenizer.load(path)


def drawn(source: Source, rng: random.Random) -> Middle:
    while (middle := choose_middle(source, rng)) is None:
        pass
    return middle


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**9), which=st.integers(0, len(SOURCES)))
def test_every_row(tokenizer: Tokenizer, seed: int, which: int) -> None:
    source = [*SOURCES, ODD][which]
    rng = random.Random(seed)
    middle = drawn(source, rng)
    row = make_row(source, middle, "# a.py\ndef f(x)\n", tokenizer, TYPES, rng)
    at = row.values.index(tokenizer.prefix)
    joined = tokenizer.decode_bytes(row.values[at + 1 :])
    weights = row.weights[at + 1 : -1]

    assert len({len(row.values), len(row.states), len(row.labels), len(row.weights)}) == 1
    assert len(row.values) <= LONG_WINDOW
    assert row.values[-1] == tokenizer.end
    assert row.weights[-1] == WEIGHT_MIDDLE
    assert not any(row.weights[: at + 1])
    # The joined text is what stands before the end of the middle, in the file's own bytes.
    assert source.text[: middle.end].endswith(joined)
    # The token in the weights that spans the cursor belongs to the middle.
    sizes = [len(tokenizer.token_bytes[token]) for token in row.values[at + 1 : -1]]
    inside = sum(
        size for size, weight in zip(sizes, weights, strict=True) if weight == WEIGHT_MIDDLE
    )
    assert weights == sorted(weights)
    assert set(weights) <= {WEIGHT_PREFIX, WEIGHT_MIDDLE}
    assert inside >= min(middle.end - middle.cut, len(joined))
    # States are what a server that feeds token by token would compute.
    tokens = (tokenizer.token_bytes[token] for token in row.values[at + 1 : -1])
    assert row.states[at + 1 : -1] == advance_tokens(START, tokens)[1]
    # The suffix begins exactly where the middle ends.
    begin = row.values.index(tokenizer.suffix)
    suffix = tokenizer.decode_bytes(row.values[begin + 1 : at])
    assert source.text[middle.end :].startswith(suffix)
    assert set(row.states[begin:at]) == {SUFFIX_STATE}
    assert middle.suffix or not suffix


def test_prefixes_begin_at_logical_lines(tokenizer: Tokenizer) -> None:
    rng = random.Random(1)
    for _ in range(40):
        middle = drawn(SOURCES[1], rng)
        row = make_row(SOURCES[1], middle, "", tokenizer, TYPES, rng)
        joined = tokenizer.decode_bytes(row.values[row.values.index(tokenizer.prefix) + 1 :])
        begin = middle.end - len(joined)
        ends = SOURCES[1].logical_ends
        assert begin == 0 or begin - 1 in ends or len(row.values) in (512, 1024)


def test_middles_are_of_every_kind() -> None:
    rng = random.Random(2)
    text = SOURCES[1].text
    middles = [drawn(SOURCES[1], rng) for _ in range(400)]
    to_the_end = [one for one in middles if one.end == SOURCES[1].logical_end(one.cut)]
    lines = [one for one in middles if b"\n" in text[one.cut : one.end].strip()]
    assert 0.5 < len(to_the_end) / 400 < 0.95
    assert 0.02 < len(lines) / 400 < 0.5
    assert 0.03 < sum(not one.suffix for one in middles) / 400 < 0.2
    letters = [text[one.cut - 1 : one.cut + 1] for one in middles]
    inside = [pair for pair in letters if pair.decode(errors="replace").isalnum()]
    assert len(inside) > 100  # the cursor is inside a word more often than not


def test_context_comes_from_other_files_and_often_has_the_names_in_use() -> None:
    rng = random.Random(3)
    package = package_of(SOURCES)
    source = SOURCES[1]
    own = {text for _, text in source.signatures}
    found = [choose_context(source, drawn(source, rng), package, rng) for _ in range(200)]
    assert 0.35 < sum(map(bool, found)) / 200 < 0.65
    shown = {line for one in found for line in one.splitlines() if not line.startswith("#")}
    foreign = {
        " ".join(one.text.split())[:160] for one in package.signatures if one.path != source.path
    }
    assert shown <= foreign
    assert not any(f"# {source.path}" in one.splitlines() for one in found)
    assert own


def test_signatures_are_definitions_up_to_the_colon() -> None:
    text = "class A(B):\n    def m(\n        self, x: int = {1: 2}\n    ) -> C:\n        pass\n"
    source = analyse(SourceFile("p", "p.py", text))
    assert [(name, " ".join(line.split())) for name, line in source.signatures] == [
        ("A", "class A(B)"),
        ("m", "def m( self, x: int = {1: 2} ) -> C"),
    ]
