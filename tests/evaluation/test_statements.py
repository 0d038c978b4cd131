"""Statements beside each other: what counts and what does not."""

from __future__ import annotations

import pytest

from evaluation.statements import (
    edit_similarity,
    identifiers,
    identifiers_f1,
    lines,
    similarity,
)


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


def test_similarity_of_texts_as_they_stand() -> None:
    assert edit_similarity("  a = 1\n", "a = 1") == 100
    assert edit_similarity("a # x", "a") == pytest.approx(100 * 2 / 6)
    assert edit_similarity("", "") == 100
    assert edit_similarity("ab", "cd") == 0


def test_f1_of_identifiers_counts_each_once() -> None:
    assert identifiers_f1("a(b, b)", "b(a)") == 1
    assert identifiers_f1("a(b)", "a(c)") == 0.5
    assert identifiers_f1("a(b)", "(1)") == 0
    assert identifiers_f1("()", "(1)") == 1
