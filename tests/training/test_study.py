"""The plan of a study, and what is read off its results."""

from __future__ import annotations

from pathlib import Path

import pytest

from completion.model.codefill import CodeFill, Config
from training.study import Result, best_size, draw, plan_runs, table, working_weights


def result(depth: int, bits: float, arm: str = "joint") -> Result:
    weights = working_weights(depth)
    return Result(arm, depth, 100, weights, weights, 0.1, bits, bits, 0.4)


@pytest.mark.parametrize("depth", [2, 3, 4, 6])
def test_working_weights_are_those_of_the_network(depth: int) -> None:
    config = Config.of_depth(depth)
    network = CodeFill(config)
    blocks = sum(weight.numel() for weight in network.blocks.parameters() if weight.ndim == 2)
    assert working_weights(depth) == blocks + network.value_embedding.weight.numel()


def test_other_depths_cost_as_much() -> None:
    runs = plan_runs(["joint", "plain"], [2, 4, 6], 4, 1_000_000)
    assert [(run.arm, run.depth) for run in runs] == [
        ("joint", 4),
        ("plain", 4),
        ("joint", 2),
        ("joint", 6),
    ]
    for run in runs:
        cost = run.tokens * working_weights(run.depth)
        assert cost == pytest.approx(1_000_000 * working_weights(4), rel=1e-5)
    assert len({run.name for run in runs}) == 4


def test_the_best_size_is_the_bottom_of_the_parabola() -> None:
    assert best_size([result(2, 1.6), result(4, 1.5)]) is None
    assert best_size([result(2, 1.4), result(4, 1.5), result(6, 1.6)]) is None
    best = best_size([result(2, 1.60), result(4, 1.50), result(6, 1.55)])
    assert best is not None
    assert working_weights(2) < best < working_weights(6)


def test_what_a_person_sees(tmp_path: Path) -> None:
    results = [result(4, 1.5), result(4, 1.7, "plain"), result(2, 1.6), result(6, 1.55)]
    shown = table(results)
    assert shown.row_count == 4
    assert "best:" in str(shown.caption)
    draw(results, tmp_path / "plots")
    assert (tmp_path / "plots" / "study.svg").stat().st_size > 1000
