"""How much of what is shown is accepted, and what follows from it."""

from __future__ import annotations

import json
import math
import os
import tempfile
from pathlib import Path

import filelock
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lsp_server.acceptance import (
    DECAY,
    HIGH,
    LOW,
    LOWER_MOST,
    RAISE_MOST,
    SAVED_EVERY,
    Acceptance,
    Counts,
    shift,
    threshold,
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "new" / "acceptance.json"


def lived(acceptance: Acceptance, fates: list[bool], first: int = 1) -> None:
    for number, fate in enumerate(fates, first):
        acceptance.shown(number)
        if fate:
            acceptance.taken(number)


@given(fates=st.lists(st.booleans(), min_size=30, max_size=80))
def test_the_share_is_the_mean_with_weights_that_fade(fates: list[bool]) -> None:
    acceptance = Acceptance(Path(os.devnull) / "acceptance.json")
    lived(acceptance, fates)
    acceptance.shown(0)  # what became of the last one is known when another one is shown
    weights = [DECAY**age for age in range(len(fates))][::-1]
    mean = sum(w * fate for w, fate in zip(weights, fates, strict=True)) / sum(weights)
    assert acceptance.counts.share == pytest.approx(mean)


def test_few_texts_change_nothing(file: Path) -> None:
    acceptance = Acceptance(file)
    lived(acceptance, [False] * 20)
    assert acceptance.counts.share is None
    assert acceptance.report(0.4)["minConfidence"] == 0.4
    lived(acceptance, [False] * 20, first=21)
    assert acceptance.report(0.4)["minConfidence"] == pytest.approx(0.7)


@given(share=st.floats(0, 1), other=st.floats(0, 1), chosen=st.floats(0, 1))
def test_the_threshold_stays_near_the_chosen_one(share: float, other: float, chosen: float) -> None:
    assert -LOWER_MOST <= shift(share) <= RAISE_MOST
    if share < other:
        assert shift(share) >= shift(other)
    assert 0 <= threshold(chosen, share) <= 1
    assert threshold(chosen, None) == chosen


def test_the_formula() -> None:
    assert [shift(share) for share in (LOW, 0.4, HIGH)] == [0, 0, 0]
    assert shift(0) == RAISE_MOST
    assert shift(LOW / 2) == pytest.approx(RAISE_MOST / 2)
    assert shift(1) == pytest.approx(-LOWER_MOST)
    assert (threshold(0.0, 0.0), threshold(1.0, 1.0)) == (0.0, 1.0)


def test_each_text_counts_once(file: Path) -> None:
    acceptance = Acceptance(file)
    for _ in range(3):
        acceptance.shown(1)
        acceptance.taken(1)
    acceptance.shown(2)
    acceptance.shown(3)
    acceptance.taken(9)  # by an editor that does not say what it shows
    told = acceptance.report(0.3)
    assert (told["shown"], told["accepted"]) == (3, 2)
    assert acceptance.counts.accepted == DECAY
    assert acceptance.counts.weight == DECAY + 1


def test_it_is_kept_between_sessions(file: Path) -> None:
    first = Acceptance(file)
    lived(first, [True, False])
    assert not file.exists()
    first.stop()
    assert set(json.loads(file.read_text())) == {"shown", "taken", "weight", "accepted"}
    assert Acceptance(file).counts == first.counts
    assert {each.name for each in file.parent.iterdir()} == {file.name, f"{file.name}.lock"}
    lived(first, [True] * SAVED_EVERY, first=3)
    assert Acceptance(file).counts.shown >= 2 + SAVED_EVERY


@pytest.mark.parametrize(
    "text",
    ["", "[]", "3", "{}", "null", '{"shown": "x", "taken": 1, "weight": 2, "accepted": 1}']
    + [
        json.dumps({"shown": 1, "taken": 1, "weight": weight, "accepted": accepted})
        for weight, accepted in ((1, 2), (-1, -2), (math.nan, 1), (math.inf, 1), (None, 1))
    ],
)
def test_a_damaged_file_counts_as_none(file: Path, text: str) -> None:
    file.parent.mkdir()
    file.write_text(text)
    assert Acceptance(file).counts.weight == 0


def test_without_a_place_to_keep_it_it_counts_until_the_end(tmp_path: Path) -> None:
    (tmp_path / "occupied").touch()
    acceptance = Acceptance(tmp_path / "occupied" / "acceptance.json")
    lived(acceptance, [True] * 40)
    acceptance.stop()
    assert acceptance.counts.share == 1


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=60))
def test_editors_side_by_side_add_up(fates: list[tuple[int, bool]]) -> None:
    """The slow twin is one editor, where no text's weight has faded before another's came."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        patched.setattr("lsp_server.acceptance.SAVED_EVERY", 1)
        file = Path(folder) / "acceptance.json"
        editors = [Acceptance(file) for _ in range(3)]
        alone = Acceptance(Path(folder) / "alone.json")
        for number, (which, accepted) in enumerate(fates):
            for one, name in ((editors[which], number), (alone, number)):
                one.shown(name)
                if accepted:
                    one.taken(name)
        for one in (*editors, alone):
            one.stop()
        together = Acceptance(file).counts
        assert together.shown == alone.counts.shown == len(fates)
        assert together.taken == alone.counts.taken
        assert together.weight == pytest.approx(alone.counts.weight)


def test_a_lock_that_is_held_loses_nothing(file: Path) -> None:
    editor = Acceptance(file)
    editor.shown(1)
    editor.taken(1)
    with filelock.FileLock(f"{file}.lock"):
        editor.stop()
    assert Acceptance(file).counts == Counts()
    editor.stop()
    assert Acceptance(file).counts.taken == 1
