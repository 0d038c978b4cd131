"""The evaluations' arithmetic on answers made up by hand, and what they print."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from rich.console import Console

from evaluation import demo, ghost, latency, report
from evaluation.answers import GhostAnswer, Item, PopupAnswer, Written
from evaluation.cuts import Cut, Place
from evaluation.demo import Shown
from evaluation.latency_rows import ROWS, Figure
from evaluation.show import code, place

CUT = Cut("a.py", 4, Place.DOT, "name", "", "name()")


def printed(*values: object) -> str:
    console = Console(width=report.WIDTH, file=StringIO(), record=True)
    console.print(*values)
    return console.export_text()


def written(text: str, confidence: float, *, name: bool, line: bool) -> Written:
    return Written("model alone", CUT, text, "", confidence, name, line, 10.0)


def test_ghost_text_below_the_threshold_is_not_answered() -> None:
    items = [
        written("name()", 0.9, name=True, line=True),
        written("name(x)", 0.4, name=True, line=False),
        written("no", 0.5, name=False, line=False),
        written("", 0.0, name=False, line=False),
    ]
    arm = ghost.result("r", items, 1)["arms"]["model alone"]
    assert arm["answered"]["value"] == 0.75
    assert arm["name_right"]["value"] == 0.5
    assert arm["line_right"]["value"] == 0.25
    high = arm["thresholds"]["0.5"]
    assert high["answered"]["value"] == 0.5
    assert high["name_right_of_shown"]["value"] == 0.5
    assert arm["confidence"]["texts"] == 3
    assert arm["confidence"]["brier"] == pytest.approx((0.81 + 0.16 + 0.25) / 3)


def test_a_figure_is_judged_by_its_goal() -> None:
    assert Figure("r", "w", 3.0, "ms", 3.0).met is True
    assert Figure("r", "w", 3.1, "ms", 3.0).met is False
    assert Figure("r", "w", 3.1, "ms").met is None
    shown = printed(latency.table([Figure("r", "popup, p50", 9.0, "ms", 8.0, 20, 1.0, 30.0)]))
    assert "≤ 8 ms" in shown
    assert "✗" in shown
    assert "1 – 30" in shown


def test_every_row_says_what_it_measures() -> None:
    assert all(row.__doc__ for row in ROWS.values())


def test_the_demo_shows_failures_as_failures() -> None:
    data = b"a = name()\n"
    cut = Cut("a.py", 4, Place.STATEMENT, "name", "", "name()")
    silent = Shown(cut, PopupAnswer((), 3.0), GhostAnswer("", "empty", "nothing to say", 40.0))
    right = Shown(
        cut,
        PopupAnswer((Item("name", "function", "", "why"),), 3.0),
        GhostAnswer("name()", "", "", 9),
    )
    shown = printed(demo.render(silent, data, "1/2"))
    assert "✗ nothing offered" in shown
    assert "✗ nothing: nothing to say (empty)" in shown
    assert "name()" in shown  # the truth
    good = printed(demo.render(right, data, "2/2"))
    assert "✓ name is #1 of 1" in good
    assert "✓ the whole line is right" in good
    row = demo.summary([silent, right]).rows
    assert len(row) == 2  # the place and all
    assert "vim.lsp.enable" in printed(demo.connect())


def test_code_shows_cursor_and_ghost_in_place() -> None:
    data = "# é\nif x:\n\ty = z.\nrest\n".encode()
    offset = data.index(b"\nrest")
    shown = printed(code(data, offset, "go()"))
    assert "    3 │     y = z.▏go()\n" in shown
    assert place("a.py", data, offset) == "a.py:3:8"
    assert "    1 │ ▏" in printed(code(b"", 0))


def test_json_comes_last_and_on_one_line() -> None:
    console = Console(width=40, file=StringIO(), record=True)
    report.print_json(console, {"figure": Figure("r", "[bold]", 1 / 3, "ms"), "list": [1] * 50})
    (line,) = console.export_text().splitlines()
    value = json.loads(line)
    assert value["figure"]["value"] == 0.3333
    assert value["figure"]["what"] == "[bold]"
