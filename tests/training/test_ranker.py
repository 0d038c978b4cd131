"""The ranker's fit: its trees are LightGBM's, and what they say is told exactly."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from completion.ranker import Forest, forest
from evaluation import samples
from training import ranker
from training.ranker import NAMES, List, SamplesError, cross_validated, fit, load, ranks, write


def lists(count: int, seed: int = 0, repository: str = "a", place: str = "member") -> list[List]:
    """Lists in which the candidate with the highest n-gram score is right."""
    drawn = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        matrix = drawn.normal(size=(8, len(NAMES)))
        right = int(matrix[:, NAMES.index("ngram")].argmax())
        kind = "call" if place == "member" else "bare"
        typed = 0 if place == "member" else 1
        one = List(repository, place, kind, typed, scored=False, matrix=matrix, right=right)
        found.append(one)
    return found


@pytest.fixture(scope="module")
def trees() -> Forest:
    return forest(fit(lists(200)), NAMES)


def test_the_fit_finds_what_is_right(trees: Forest) -> None:
    held = lists(50, seed=1)
    first = sum(rank == 1 for rank in ranks(trees, held))
    assert first > 40


def test_more_of_what_may_only_raise_never_lowers(trees: Forest) -> None:
    matrix = lists(1, seed=2)[0].matrix
    column = NAMES.index("ngram")
    scores = []
    for value in np.linspace(-3, 3, 30):
        matrix[:, column] = value
        scores.append(trees.scores(matrix)[0])
    assert scores == sorted(scores)


def slow_score(found: list[dict[str, list[float]]], row: np.ndarray) -> float:
    """One tree after the other, one node after the other."""
    total = 0.0
    for tree in found:
        node = 0
        while tree["feature"][node]:
            value = row[NAMES.index(str(tree["feature"][node]))]
            node = int(tree["at_most" if value <= tree["threshold"][node] else "more"][node])
        total += tree["value"][node]
    return total


SOME_TREES = fit(lists(120, seed=4))


@settings(max_examples=50)
@given(st.integers(0, 10_000), st.integers(1, 12))
def test_all_trees_at_once_are_the_trees_one_by_one(seed: int, rows: int) -> None:
    matrix = np.random.default_rng(seed).normal(size=(rows, len(NAMES)))
    fast = forest(SOME_TREES, NAMES)
    scores = fast.scores(matrix)
    assert scores == pytest.approx([slow_score(SOME_TREES, row) for row in matrix])
    assert fast.start + fast.contributions(matrix).sum(axis=1) == pytest.approx(scores)


def test_each_repository_is_ranked_by_others() -> None:
    two = lists(60, seed=5, repository="a") + lists(60, seed=6, repository="b")
    found = list(cross_validated(two))
    assert sorted(each.repository for each, _ in found) == ["a"] * 60 + ["b"] * 60
    assert sum(rank == 1 for _, rank in found) > 60


def test_a_feature_that_is_left_out_says_nothing() -> None:
    without = forest(fit(lists(100), ["ngram"]), NAMES)
    assert NAMES.index("ngram") not in without.feature[without.feature > 0]


def test_missing_names_are_no_ranks(trees: Forest) -> None:
    one = lists(1)[0]
    assert ranks(trees, [replace(one, right=-1)]) == [0]


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    both = lists(80) + lists(80, seed=1, place="name")
    write(tmp_path / "ranker.json", both, {"fitted_to": ["a"]})
    stored = json.loads((tmp_path / "ranker.json").read_text())
    assert stored["about"] == {"fitted_to": ["a"]}
    assert set(stored["forests"]) == {"member", "name"}
    again = forest(stored["forests"]["member"], NAMES)
    plain = forest(fit([each for each in both if each.place == "member"]), NAMES)
    matrix = both[0].matrix
    assert again.scores(matrix) == pytest.approx(plain.scores(matrix), abs=1e-4)


def test_samples_survive_the_disk(tmp_path: Path) -> None:
    before = lists(3) + lists(2, seed=1, place="name")
    stored = [
        samples.List(each.repository, each.place, each.kind, each.typed, each.scored,
                     each.matrix.astype(np.float32), each.right)
        for each in before
    ]  # fmt: skip
    samples.write(tmp_path / "s.npz", stored)
    after = load(tmp_path / "s.npz")
    assert [(each.place, each.kind, each.right) for each in after] == [
        (each.place, each.kind, each.right) for each in before
    ]
    assert after[4].matrix == pytest.approx(before[4].matrix, abs=1e-6)


def test_samples_of_other_features_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", features=np.array(["other"]))
    with pytest.raises(SamplesError, match="other features"):
        load(tmp_path / "s.npz")
    (tmp_path / "t.npz").write_text("no archive")
    with pytest.raises(SamplesError, match="cannot be read"):
        load(tmp_path / "t.npz")


def test_nothing_to_fit() -> None:
    with pytest.raises(SamplesError, match="nothing can be fitted"):
        fit([])


def test_a_run_tells_its_figures_and_writes(tmp_path: Path) -> None:
    both = [*lists(60), *lists(60, seed=1, repository="b")]
    both += [*lists(60, place="name"), *lists(60, seed=1, repository="b", place="name")]
    stored = [
        samples.List(each.repository, each.place, each.kind, each.typed, each.scored,
                     each.matrix.astype(np.float32), each.right)
        for each in both
    ]  # fmt: skip
    samples.write(tmp_path / "s.npz", stored)
    told: list[str] = []
    file = ranker.run([tmp_path / "s.npz"], tmp_path / "r.json", told.append, ablate=False)
    about = json.loads(file.read_text())["about"]
    assert about["fitted_to"] == ["a", "b"]
    assert [line.split("  ")[0] for line in told] == list(about["cross_validated"])
