"""Outside sets of holes: read, filled freely, judged, run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from completion.request import Code, GhostOptions, Prompt, RawGhost, Reason, Request
from evaluation import blanks, infilling, report
from evaluation.blanks import KINDS, Blank
from evaluation.freely import Free
from evaluation.headless import AbsentModelError
from evaluation.infilling import BOTH, PREFIX, first_line, judge
from evaluation.items import ItemsError
from tests.completion.workspace import SilentHelpers

HUMANEVAL = {
    "task_id": "T/0",
    "entry_point": "double",
    "prompt": "def double(x):\n",
    "suffix": "    return y\n",
    "canonical_solution": "    y = x + x  # größer\n",
    "test": "def check(f):\n    assert f(2) == 4\n    assert f(3) == 6",
}
DEVBENCH = {
    "id": "7",
    "category": "low_context",
    "prefix": "x = 1\n",
    "suffix": "\nprint(y)",
    "golden_completion": "\ny = x + 1",
    "assertions": "assert y == 2",
}


def written(folder: Path, kind: str, *rows: object) -> Path:
    file = folder / KINDS[kind].file
    file.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    file.write_text(text, "utf-8")
    return folder


def only(folder: Path, kind: str, row: object) -> Blank:
    (blank,) = KINDS[kind].read(written(folder, kind, row))
    return blank


def test_programs_are_put_together(tmp_path: Path) -> None:
    blank = only(tmp_path, "single-line", HUMANEVAL)
    assert blank.one_line
    assert blank.program(blank.truth) == (
        "def double(x):\n    y = x + x  # größer\n    return y\n\n"
        "def check(f):\n    assert f(2) == 4\n    assert f(3) == 6\ncheck(double)\n"
    )
    assert not only(tmp_path, "random-span", HUMANEVAL).one_line
    bench = only(tmp_path, "devbench-python", DEVBENCH)
    assert bench.program(bench.truth) == "x = 1\n\ny = x + 1\nprint(y)\nassert y == 2\n"
    assert only(tmp_path, "devbench-java", DEVBENCH).tests == ""


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({}, "is not single-line: an item has no 'task_id'"),
        ([], "is not single-line"),
        (HUMANEVAL | {"suffix": None}, "suffix is no text"),
    ],
)
def test_what_is_no_set(tmp_path: Path, row: object, says: str) -> None:
    with pytest.raises(ItemsError, match=says) as raised:
        KINDS["single-line"].read(written(tmp_path, "single-line", row))
    assert "single_line.jsonl" in str(raised.value)


def test_a_set_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ItemsError, match=r"cannot read .*random_span\.jsonl"):
        KINDS["random-span"].read(tmp_path)


def test_samples_depend_on_the_seed_and_keep_the_order() -> None:
    many = [Blank(str(number), "python", "", "", "", "") for number in range(50)]
    first, again, other = (blanks.sample(many, 10, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert first == sorted(first, key=many.index)
    assert blanks.sample(many, None, 1) == blanks.sample(many, 99, 1) == many


class Scripted(SilentHelpers):
    """Writes prepared texts, and keeps what it was asked."""

    def __init__(self, *answers: RawGhost | Reason) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[Request, Prompt, GhostOptions]] = []

    async def ghost(
        self, request: Request, prompt: Prompt, options: GhostOptions, budget_ms: float
    ) -> RawGhost | Reason:
        self.asked.append((request, prompt, options))
        return self.answers.pop(0)


def raw(text: str, stop: str, tokens: int = 3) -> RawGhost:
    return RawGhost(text, 0.5, tokens, stop)


async def filled(
    *answers: RawGhost | Reason, one_line: bool = False
) -> tuple[str, list[tuple[Request, Prompt, GhostOptions]]]:
    helpers = Scripted(*answers)
    text = await Free(helpers).fill("T/0", "x = ", "\nprint(x)\n", one_line=one_line)
    return text, helpers.asked


async def test_the_model_goes_on_through_guesses_and_line_ends() -> None:
    answers = [raw("a.", "unsure"), raw("b", "line"), raw("c", "length"), raw("(d)", "end")]
    text, asked = await filled(*answers)
    assert text == "a.b\nc(d)"
    assert [prompt.prefix for _, prompt, _ in asked] == [
        "x = ",
        "x = a.",
        "x = a.b\n",
        "x = a.b\nc",
    ]
    assert all(prompt.suffix == "\nprint(x)\n" for _, prompt, _ in asked)
    for request, prompt, _ in asked:
        assert request.text[: request.offset].decode() == prompt.prefix
        assert request.text[request.offset :] == b"\nprint(x)\n"


async def test_one_line_ends_behind_its_first_line() -> None:
    assert (await filled(raw("", "line"), raw("  a", "line"), one_line=True))[0] == "\n  a"
    assert (await filled(raw("a", "end"), one_line=True))[0] == "a"


async def test_the_budget_ends_it() -> None:
    text, asked = await filled(*[raw("a", "unsure", 40) for _ in range(9)])
    assert text == "a" * 5
    assert [options.max_tokens for _, _, options in asked] == [48, 48, 48, 48, 32]


async def test_nothing_written_does_not_go_on_for_ever() -> None:
    text, asked = await filled(*[raw("", "unsure", 0) for _ in range(500)])
    assert (text, len(asked)) == ("", 192)


async def test_a_model_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(AbsentModelError, match="gone"):
        await filled(Reason(Code.MODEL_FAILED, "gone"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("    y = x + x  # größer\n", (True, True, 100)),
        ("    y = x + x  # größer\n    y = 1\n", (False, True, 80)),
        ("    y = 2 * x\n", (False, False, 60)),
        ("", (False, False, 0)),
    ],
)
def test_judged_by_text_line_and_edits(
    tmp_path: Path, text: str, expected: tuple[bool, bool, float]
) -> None:
    blank = only(tmp_path, "single-line", HUMANEVAL)
    one = judge("single-line", BOTH, blank, text, test=False)
    assert (one.whole_right, one.line_right) == expected[:2]
    assert one.similarity == pytest.approx(expected[2], abs=16)
    assert one.passed is None


@pytest.mark.parametrize(
    ("text", "passes"), [("    y = 2 * x\n", True), ("    y = x\n", False), ("    y = (\n", False)]
)
def test_programs_are_run(tmp_path: Path, text: str, passes: bool) -> None:
    blank = only(tmp_path, "single-line", HUMANEVAL)
    assert judge("single-line", BOTH, blank, text, test=True).passed is passes


def test_the_first_line() -> None:
    assert first_line("\n  a  \nb") == "a"
    assert first_line("  \n") == ""


def sets(folder: Path, kinds: Sequence[str]) -> dict[str, list[Blank]]:
    return {kind: KINDS[kind].read(folder) for kind in kinds}


def test_the_model_that_ships_fills_holes(tmp_path: Path) -> None:
    """What it writes is its affair: that it was asked, judged, run and summed up is ours."""
    broken = DEVBENCH | {"id": "8", "assertions": "assert y == 3"}
    written(tmp_path, "single-line", HUMANEVAL)
    written(tmp_path, "devbench-python", DEVBENCH, broken)
    written(tmp_path, "devbench-java", DEVBENCH)
    kinds = ("single-line", "devbench-python", "devbench-java")
    result, filled = infilling.run(
        sets(tmp_path, kinds), Console(quiet=True), prefix_only=True, run_tests=True
    )
    assert [(one["set"], one["arm"], one["items"]) for one in result["sets"]] == [
        (kind, arm, 1 + (kind == "devbench-python")) for kind in kinds for arm in (BOTH, PREFIX)
    ]
    assert [one["passed"]["total"] for one in result["sets"]] == [1, 1, 1, 1, 0, 0]
    assert all(one.text.count("\n") >= 1 for one in filled if one.kind == "single-line")
    wide = report.console(record=True)
    for table in infilling.tables(filled):
        assert wide.measure(table).maximum <= report.WIDTH
    assert json.loads(report.json_text(result))["eval"] == "infilling"


def test_weights_that_are_not_there(tmp_path: Path) -> None:
    written(tmp_path, "single-line", HUMANEVAL)
    with pytest.raises(AbsentModelError, match=r"manifest\.json"):
        infilling.run(sets(tmp_path, ["single-line"]), Console(quiet=True), weights=tmp_path)
