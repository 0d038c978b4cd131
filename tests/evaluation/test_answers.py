"""What counts as right, by hand."""

from __future__ import annotations

import pytest

from completion.request import Ghost, TextEdit
from evaluation.answers import Item, PopupAnswer, after_cursor, line_right, name_right, rank
from evaluation.cuts import Cut, Place

CUT = Cut("a.py", 10, Place.TOKEN, "prepare", "pre", "pare(x)  ")


@pytest.mark.parametrize(
    ("text", "name", "line"),
    [
        ("pare(x)", True, True),
        ("pare(x)\nmore", True, True),
        ("pare(y)", True, False),
        ("pared(x)", False, False),
        ("par", False, False),
        ("(x)", False, False),
        ("", False, False),
        ("\npare(x)", False, False),
    ],
)
def test_ghost_text_is_right_when_it_goes_on_as_the_writer_did(
    text: str, name: bool, line: bool
) -> None:
    assert name_right(CUT, text) is name
    assert line_right(CUT, text) is line


def test_a_typed_name_that_is_complete_needs_a_letter_to_count() -> None:
    whole = Cut("a.py", 10, Place.TOKEN, "pre", "pre", "(x)")
    assert not name_right(whole, "(x)")


def test_ranks_count_from_one_and_late_is_a_miss() -> None:
    items = (Item("post"), Item("prepare"), Item("prepare"))
    assert rank(CUT, PopupAnswer(items, 5.0), late_ms=50.0) == 2
    assert rank(CUT, PopupAnswer(items, 51.0), late_ms=50.0) is None
    assert rank(CUT, PopupAnswer((), 5.0), late_ms=50.0) is None
    assert rank(CUT, PopupAnswer((Item("prepared"),), 5.0), late_ms=50.0) is None


def test_what_appears_after_the_cursor() -> None:
    data = "x = é.pre".encode()
    end = len(data)
    inserted = Ghost(TextEdit(end, end, "pare()"))
    replaced = Ghost(TextEdit(end - 3, end, "prepare()"))
    assert after_cursor(inserted, data, end) == after_cursor(replaced, data, end) == "pare()"
    assert after_cursor(Ghost(None), data, end) == ""
