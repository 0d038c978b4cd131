"""Statements beside each other: what counts and what does not."""

from __future__ import annotations

import pytest

from evaluation.statements import identifiers, lines, similarity


def test_comments_and_the_spaces_around_lines_do_not_count() -> None:
    assert lines("  run(a,\n\n    b)  # now\n") == ["run(a,", "b)"]
    assert lines("") == lines("# only words") == []


def test_a_hash_inside_a_string_is_no_comment() -> None:
    assert lines('split("#")  # "x"') == ['split("#")']
    assert lines(r"split('\'#')") == [r"split('\'#')"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("lift(shelf, 2)[0]", ["lift", "shelf"]),
        ("a.b(a)  # c", ["a", "b", "a"]),
        ("find(\"name\", 'other')", ["find"]),
        ("name is not None and True", ["name", "True"]),
        ('load()}"', ["load"]),
        ("x1 + 1e5 + 0x1f", ["x1"]),
        ("größe", ["größe"]),
        ("", []),
    ],
)
def test_identifiers_in_order(code: str, expected: list[str]) -> None:
    assert identifiers(code) == expected


def test_similarity_is_the_share_of_matching_characters() -> None:
    assert similarity("abcd", "bcde") == pytest.approx(75)
    assert similarity("lift()", " lift()  # up") == 100
    assert similarity("", "lift()") == 0
    assert similarity("", "") == 100
