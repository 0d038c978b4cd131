"""CrossCodeEval: read, laid out as a workspace with and without chunks, asked, judged."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from evaluation import crosscodeeval, report
from evaluation.apieval import judged
from evaluation.arms import ALPHABETICAL, Answer
from evaluation.crosscodeeval import ALONE, CHUNKS, Prompted, Text, Writer
from evaluation.items import ItemsError, Variant
from evaluation.workspaces import Workspace

PROMPT = "from shelf import Shelf\n\n# größer\nshelf = Shelf()\nshelf."
REST, BELOW = "lift(shelf)  # up", "\nprint(shelf)\n"
SHELF = ("class Shelf:\n    def lift(self, by):\n        pass", "    def drop(self):\n        pass")
ITEM: dict[str, Any] = {
    "prompt": PROMPT,
    "groundtruth": REST,
    "right_context": BELOW,
    "metadata": {"repository": "somebody-shelves-1", "file": "src/work.py"},
    "crossfile_context": {
        "text": "# what others saw",
        "list": [
            {"filename": "src/shelf.py", "retrieved_chunk": SHELF[0]},
            {"filename": "src/work.py", "retrieved_chunk": "shelf.lift(shelf)"},
            {"filename": "src/shelf.py", "retrieved_chunk": SHELF[1]},
        ],
    },
}


def written(folder: Path, *items: object) -> Path:
    file = folder / "python.jsonl"
    file.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items), "utf-8")
    return file


@pytest.fixture
def prompted(tmp_path: Path) -> Prompted:
    (only,) = crosscodeeval.read(written(tmp_path, ITEM))
    return only


def test_the_rest_of_the_statement_is_gone(prompted: Prompted) -> None:
    assert prompted.text.decode() == PROMPT + BELOW
    assert prompted.text[: prompted.item.offset].decode() == PROMPT
    assert (prompted.item.name, prompted.item.rest) == ("lift", REST)


def test_what_follows_begins_on_the_next_line(tmp_path: Path) -> None:
    (only,) = crosscodeeval.read(written(tmp_path, ITEM | {"right_context": "print()\n"}))
    assert only.text.decode() == PROMPT + "\nprint()\n"


def test_other_line_ends_inside_strings(tmp_path: Path) -> None:
    items = crosscodeeval.read(written(tmp_path, ITEM | {"right_context": "\nx = '\u2028'\n"}))
    assert len(items) == 1


def test_chunks_of_one_file_are_joined_and_the_items_own_are_not_there(prompted: Prompted) -> None:
    assert prompted.chunks == {"src/shelf.py": "\n".join(SHELF) + "\n"}
    with crosscodeeval.laid_out(prompted, CHUNKS) as workspace:
        assert (workspace.root / "src" / "shelf.py").read_text() == prompted.chunks["src/shelf.py"]
        assert (workspace.root / "src" / "work.py").read_bytes() == prompted.text
    with crosscodeeval.laid_out(prompted, ALONE) as workspace:
        assert [each.name for each in workspace.root.rglob("*.py")] == ["work.py"]


@pytest.mark.parametrize(
    ("item", "says"),
    [
        ({"prompt": 1}, "an item has no 'metadata'"),
        ([], "is not CrossCodeEval"),
        ({**ITEM, "crossfile_context": None}, "is not CrossCodeEval"),
        ({**ITEM, "prompt": "shelf"}, "src/work.py is not Python cut between a dot and a name"),
        ({**ITEM, "groundtruth": "(shelf)"}, "cut between a dot and a name"),
        ({**ITEM, "metadata": {"repository": "a", "file": "a.ts"}}, "a.ts is not Python"),
        ({**ITEM, "metadata": {"repository": "a", "file": "../a.py"}}, "no path in a repository"),
        ({**ITEM, "metadata": {"repository": "a", "file": "/a.py"}}, "no path in a repository"),
    ],
)
def test_what_is_no_set(tmp_path: Path, item: object, says: str) -> None:
    with pytest.raises(ItemsError, match=says) as raised:
        crosscodeeval.read(written(tmp_path, item))
    assert "python.jsonl" in str(raised.value)


def test_a_file_that_is_no_jsonl_or_not_there(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("prompt\n")
    for name in ("x.jsonl", "none.jsonl"):
        with pytest.raises(ItemsError, match=name):
            crosscodeeval.read(tmp_path / name)


def test_samples_depend_on_the_seed_and_keep_the_order(prompted: Prompted) -> None:
    many = [Prompted(prompted.item, b"%d" % number, {}) for number in range(50)]
    first, again, other = (crosscodeeval.sample(many, 10, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert first == sorted(first, key=many.index)
    assert crosscodeeval.sample(many, None, 1) == crosscodeeval.sample(many, 99, 1) == many


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lift(shelf)", (True, True, True)),
        ("lift( shelf )", (False, True, True)),
        ("lift(other)", (False, False, True)),
        ("lifted(shelf)", (False, False, False)),
        ("", (False, False, False)),
    ],
)
def test_judged_by_line_identifiers_and_name(
    prompted: Prompted, text: str, expected: tuple[bool, bool, bool]
) -> None:
    popup = judged(prompted.item, ALPHABETICAL, Variant.BELOW, Answer(0, (), 1.0))
    one = crosscodeeval.judge(prompted, ALONE, popup, Text(text, 0.9))
    assert (one.line_right, one.identifiers_right, one.name_right) == expected
    assert (one.similarity == 100) == expected[0]


class Copying:
    """Writes the truth where another file defines it, and something unsure where none does."""

    async def write(self, workspace: Workspace, prompted: Prompted) -> Text:
        if (workspace.root / "src" / "shelf.py").exists():
            return Text("lift(shelf)", 0.9)
        return Text("drop()", 0.1)


@asynccontextmanager
async def copying() -> AsyncIterator[Writer]:
    yield Copying()


def test_the_chunks_help(prompted: Prompted) -> None:
    console = Console(quiet=True)
    result, answered = crosscodeeval.run([prompted], console, ALPHABETICAL, copying)
    alone, chunks = result["arms"][ALONE], result["arms"][CHUNKS]
    assert [one.arm for one in answered] == [ALONE, CHUNKS]
    assert (alone["popup"]["ranking"]["found"]["hits"], alone["ghost"]["line"]["hits"]) == (0, 0)
    assert (chunks["popup"]["ranking"]["found"]["hits"], chunks["ghost"]["line"]["hits"]) == (1, 1)
    assert (alone["stands"]["items"], chunks["stands"]["items"]) == (0, 1)
    assert (alone["ghost"]["written"]["hits"], alone["ghost"]["shown"]["hits"]) == (1, 0)
    assert json.loads(report.json_text(result))["eval"] == "crosscodeeval"


async def test_the_model_that_ships_writes_to_the_end_of_the_statement(prompted: Prompted) -> None:
    """What it writes is its affair; where the statement ends is `test_infilling`'s."""
    with crosscodeeval.laid_out(prompted, CHUNKS) as workspace:
        async with crosscodeeval.whole() as writer:
            text = await writer.write(workspace, prompted)
    assert text.text.strip()
    assert text.reason == ""


def test_the_tables_fit_a_page(prompted: Prompted) -> None:
    console = report.console(record=True)
    _, answered = crosscodeeval.run([prompted], Console(quiet=True), ALPHABETICAL, copying)
    for table in crosscodeeval.tables(answered):
        assert console.measure(table).maximum <= report.WIDTH
