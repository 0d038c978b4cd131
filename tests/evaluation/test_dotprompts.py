"""DotPrompts: read, held against the checkout, asked in the repository and in the file alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

from evaluation import dotprompts
from evaluation.arms import ALPHABETICAL
from evaluation.items import ItemsError

SHELF = "package a;\nclass Shelf {\n  void lift() {}\n  void drop() {}\n}\n"
START = "package a;\nclass Work {\n  void run(Shelf shelf) {\n    shelf."
REST, SUFFIX = "lift();\n  }", "\n  void later() {}\n}\n"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "repos" / "shelves" / "a"
    folder.mkdir(parents=True)
    (folder / "Shelf.java").write_text(SHELF)
    (folder / "Work.java").write_text(START + REST + SUFFIX)
    item = {
        "repo": "somebody/shelves", "commit": "1", "file": "a/Work.java", "prompt": START,
        "next_identifier": "lift", "rest_of_method": REST, "suffix": SUFFIX,
    }  # fmt: skip
    (tmp_path / "items.jsonl").write_text(json.dumps(item) + "\n")
    return tmp_path / "items.jsonl"


def test_the_rest_of_the_method_is_gone(data: Path) -> None:
    (prompted,) = dotprompts.read(data)
    assert prompted.text.decode() == START + "\n" + SUFFIX
    assert prompted.text[: prompted.item.offset].endswith(b"shelf.")


def test_the_repository_helps(data: Path) -> None:
    prompted = dotprompts.read(data)
    console = Console(quiet=True)
    whole = dotprompts.run(prompted, data.parent / "repos", console, ALPHABETICAL)
    alone = dotprompts.run(prompted, None, console, ALPHABETICAL)
    assert (whole["items"], alone["items"]) == (1, 1)
    assert alone["top1"] == 0


def test_another_commit_is_refused(data: Path) -> None:
    (data.parent / "repos" / "shelves" / "a" / "Work.java").write_text("class Work {}\n")
    with pytest.raises(ItemsError, match="check out its commit"):
        dotprompts.run(dotprompts.read(data), data.parent / "repos", Console(quiet=True))


def test_what_is_no_set(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text('{"prompt": 1}\n')
    for name in ("x.jsonl", "none.jsonl"):
        with pytest.raises(ItemsError, match=name):
            dotprompts.read(tmp_path / name)
