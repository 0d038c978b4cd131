"""What the commands beside ``eval codefill`` say when they are asked for what cannot be had."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from lancefill import main


def refused(arguments: Sequence[str]) -> str:
    done = CliRunner().invoke(main, ["eval", *arguments])
    assert done.exit_code == 2
    (line,) = done.output.strip().splitlines()
    return line


def test_a_folder_of_sets_that_is_not_there(tmp_path: Path) -> None:
    missing = str(tmp_path / "none")
    assert f"no folder {missing}" in refused(["infilling", "--data", missing])
    assert "cannot read" in refused(["infilling", "--data", str(tmp_path), "--set", "single-line"])
    assert "cannot read" in refused(["crosscodeeval", "--data", missing])


def test_a_set_that_nobody_knows(tmp_path: Path) -> None:
    said = refused(["infilling", "--data", str(tmp_path), "--set", "double-line"])
    assert "no set double-line" in said
    assert "random-span" in said


@pytest.mark.parametrize("role", ["report", "seen"])
def test_the_confidence_is_fitted_to_development_repositories_alone(role: str) -> None:
    assert "--role dev" in refused(["confidence", "--fit", "--role", role])


def test_items_that_are_none(tmp_path: Path) -> None:
    file = tmp_path / "items.jsonl"
    file.write_text("{}\n")
    assert "items.jsonl holds no items" in refused(["confidence", "--from", str(file)])


@pytest.mark.parametrize("command", ["keystrokes", "confidence", "members"])
def test_a_repository_that_nobody_knows(command: str) -> None:
    assert "neither a pinned repository nor a folder" in refused([command, "--repo", "no-such"])


def test_weights_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("print(sum([1, 2, 3]))\n")
    done = CliRunner().invoke(
        main, ["eval", "keystrokes", "--repo", str(tmp_path), "--weights", str(tmp_path)]
    )
    assert done.exit_code == 2
    assert "manifest.json" in done.output.strip().splitlines()[-1]


def test_one_line_is_typed_and_told(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("print(sum([1, 2, 3]))\n")
    items = tmp_path / "items.jsonl"
    arguments = ["eval", "keystrokes", "--repo", str(tmp_path), "--items", str(items)]
    done = CliRunner().invoke(main, [*arguments, "--count", "1"])
    assert done.exit_code == 0, done.output
    assert '"eval": "keystrokes", "lines": 1' in done.output.splitlines()[-1]
    assert len(items.read_text().splitlines()) == 1
