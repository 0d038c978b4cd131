"""Cleaning of input, and the one edit between two texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexing import parsing
from indexing.languages import language_of
from indexing.parsing import Edit, decoded, difference, normalise

PYTHON = language_of("any.py")
assert PYTHON is not None


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"a\r\nb", b"a\r\nb"),
        (b"a\rb\r\rc\r", b"a\nb\n\nc\n"),
        (b"\xef\xbb\xbfa = 1", b"a = 1"),
        ("a = 'é'".encode("utf-16"), "a = 'é'".encode()),
        ("# coding: cp1252\na = '€'".encode("cp1252"), "# coding: cp1252\na = '€'".encode()),
        ("# coding: latin-1\na = 'é'".encode("latin-1"), "# coding: latin-1\na = 'é'".encode()),
        (b"a = '\xe9'", "a = 'é'".encode()),
    ],
)
def test_any_encoding_becomes_normalised_utf8(raw: bytes, expected: bytes) -> None:
    assert decoded(raw) == expected


@pytest.mark.parametrize("raw", [b"# coding: utf-8\n'\xe9'", b"# coding: no-such-thing\n'\xe9'"])
def test_a_file_that_is_not_what_it_says_is_refused(raw: bytes) -> None:
    with pytest.raises((ValueError, LookupError)):
        decoded(raw)


def test_lone_carriage_returns_end_lines() -> None:
    data = normalise(b"def f():\r  return 1\rdef g():\r  return 2\r")
    kinds = [node.type for node in parsing.parse(PYTHON, data).root_node.children]
    assert kinds == ["function_definition", "function_definition"]


@given(
    st.binary(max_size=30), st.binary(max_size=30), st.binary(max_size=30), st.binary(max_size=30)
)
def test_the_difference_turns_one_text_into_the_other(
    head: bytes, old: bytes, new: bytes, tail: bytes
) -> None:
    one, other = head + old + tail, head + new + tail
    edit = difference(one, other)
    if edit is None:
        assert one == other
        return
    assert one[: edit.start] + other[edit.start : edit.new_end] + one[edit.old_end :] == other
    assert edit.old_end - edit.start <= len(old)
    assert edit.new_end - edit.start <= len(new)


def test_the_difference_is_short() -> None:
    assert difference(b"aXa", b"aYYa") == Edit(1, 2, 3)
    assert difference(b"aa", b"aaa") == Edit(2, 2, 3)
