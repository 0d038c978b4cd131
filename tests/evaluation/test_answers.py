"""What counts as right, by hand."""

from __future__ import annotations

import pytest

from completion.request import Ghost, TextEdit
from evaluation.answers import (
    Item,
    PopupAnswer,
    after_cursor,
    helps,
    line_right,
    name_right,
    rank,
    whole_right,
    word_right,
)
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


@pytest.mark.parametrize(
    ("text", "whole", "helping", "word"),
    [
        ("pare(x)", True, True, True),
        ("pare(x)  \n", True, True, True),
        ("pare", False, True, True),
        ("par", False, True, False),
        ("pare(y)", False, False, True),
        ("pare(x)\nmore", False, False, True),
        ("pared(x)", False, False, False),
        (" pare", False, False, False),
        ("", False, False, False),
        ("  ", False, False, False),
    ],
)
def test_three_ways_to_be_right(text: str, whole: bool, helping: bool, word: bool) -> None:
    found = (whole_right(CUT, text), helps(CUT, text), word_right(CUT, text))
    assert found == (whole, helping, word)


@pytest.mark.parametrize(
    ("rest", "text", "word"),
    [
        (" = make(x)", " = make", True),
        (" = make(x)", " = maker", False),
        (" = make(x)", "= make", False),
        ("):", "):", True),
        ("):", ")", False),
    ],
)
def test_right_up_to_the_next_word_wherever_it_begins(rest: str, text: str, word: bool) -> None:
    assert word_right(Cut("a.py", 10, Place.EDGE, "", "", rest), text) is word


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
