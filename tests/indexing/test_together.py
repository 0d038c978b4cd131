"""What follows a word within a few lines, against looking at every place by itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import pytest

from indexing import together
from indexing.ngram_file import Mapped, build, open_mapped

REAL = {path.name: path.read_bytes() for path in sorted(Path(click.__file__).parent.glob("*.py"))}
NAMES = [b"name", b"self", b"Context", b"nowhere_at_all", b"(", b"name", b"invoke"]


@pytest.fixture
def mapped(tmp_path: Path) -> Mapped:
    build(REAL.items(), tmp_path)
    return open_mapped(tmp_path)


def twin(mapped: Mapped, word: bytes, names: Sequence[bytes]) -> list[float]:
    text = [mapped.words[number] for number in mapped.corpus.tolist()]
    numbers = {mapped.words[number]: number for number in range(len(mapped.words))}
    start, end = (int(mapped.heads[numbers[word] + at]) for at in (0, 1))
    step = max(1, math.ceil((end - start) / together.PLACES))
    places = mapped.order[start:end:step].tolist()
    windows = [text[at : at + together.WINDOW] for at in places]
    windows = [window for window in windows if len(window) == together.WINDOW]
    lifts = []
    for name in names:
        share = text.count(name) / len(text)
        expected = len(windows) * min(1.0, share * together.WINDOW)
        seen = sum(name in window for window in windows)
        known = windows and name in numbers
        lifts.append(math.log((seen + 0.5) / (expected + 0.5)) if known else 0.0)
    return lifts


@pytest.mark.parametrize("kept", [together.WORDS_KEPT, 1])
def test_lift_equals_counting(mapped: Mapped, monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    monkeypatch.setattr(together, "WORDS_KEPT", kept)
    words = [b"def", b"invoke", b"self", b"Context"]
    expected = [twin(mapped, word, NAMES) for word in words]
    for _ in range(2):  # the second time from what is remembered
        np.testing.assert_allclose(together.together(mapped, words, NAMES), expected, rtol=1e-12)


def test_unknown_words_and_names_say_nothing(mapped: Mapped) -> None:
    assert not together.together(mapped, [b"nowhere_at_all", b""], NAMES).any()
    assert not together.together(mapped, [b"self"], [b"nowhere_at_all"]).any()
    assert together.together(mapped, [], NAMES).shape == (0, len(NAMES))
