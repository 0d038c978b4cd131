"""What ghost text is cut down to: golden cases, and what holds for any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from completion.filters import around_cursor, balanced, filtered
from completion.model.types import START, advance
from completion.request import Code, Reason

KEPT = [  # (prefix, text, suffix, what is shown)
    ("x = ", "foo(1)", "\n", "foo(1)"),
    ("x = ", "foo(1)  \n", "\n", "foo(1)"),
    # the rest of the line
    ("foo(", "a, b)", ")\n", "a, b"),
    ("foo(", "bar()", ")\n", "bar()"),
    ("foo(", "bar())", ")\n", "bar()"),
    ("foo(", "bar(1)", "):\n", "bar(1)"),
    ("x = foo", "[0] + b", " + b\n", "[0]"),
    ("if a", " and b:", ":\n    pass\n", " and b"),
    ("x = {", "'a': 1}", "}\n", "'a': 1"),
    ('x = "', 'abc"', '"\n', "abc"),
    # the next line
    ("    a = 1\n    ", "b = 2\n    return a", "\n    return a\n", "b = 2"),
    ("x = [\n    1,\n    ", "2,", "\n]\n", "2,"),
    # brackets
    ("foo(", "a, (b, [c]))", "\n", "a, (b, [c]))"),
    ("foo(bar(", "a))", ")\n", "a)"),
    ("foo(", "a]", "\n", "a"),
    ("x = ", "foo)", "\n", "foo"),
    ("x = ", "foo.bar(a", "\n", "foo.bar"),
    ("x = ", "foo(", "a)\n", "foo("),
    ("x = ", "foo(\n    a", "\n)\ny = 1\n", "foo(\n    a"),
    ("x = foo(\n    a,\n    ", "b)", "\n    c,\n)\ny = 1\n", "b"),
    ("x = foo(\n    ", "a, b)", "\ny = (1)\n", "a, b)"),
    ("x = foo(\n    ", "a, b)", "\ny = 1)\n", "a, b)"),
    ("x = ", "')' + \"(\"  # [", "\n", "')' + \"(\"  # ["),
    ("x = ')", "('", "\n", "('"),
    ("x = f'{a", "[0]}'", "\n", "[0]}'"),
    # the line above
    ("pass\n", "pass # b", "\n", "pass # b"),
    ("f((\n  ),\n  (), (", "),", "\n", "),"),
    # loops
    ("# ", "-" * 40, "\n", "-" * 40),
    ("x = [", "0, 0, 0, 0, 0, 0]", "\n", "0, 0, 0, 0, 0, 0]"),
    ("x = ", "y + self.self.self.self.self.", "\n", "y +"),
    # what is no key, or stands there already
    ("key = 'AKIAIOSFODNN7EXAMPLE'", " + rest", "\n", " + rest"),
    ("key = 'AKIAIOSFODNN7EXAMPLE'\nkey", " = 1", "\n", " = 1"),
    (
        "x = ",
        "'0123456789abcdefghijklmnopqrstuvwxyz'",
        "\n",
        "'0123456789abcdefghijklmnopqrstuvwxyz'",
    ),
]

DROPPED = [
    ("x = ", "", "\n", Code.EMPTY),
    ("x = ", " \n\t", "\n", Code.EMPTY),
    ("x = ", "a.b.a.b.a.b.a.b.a.b.", "\n", Code.EMPTY),
    ("foo(", ")", ")\n", Code.REPEATS_SUFFIX),
    ("x", " = 1", " = 1\n", Code.REPEATS_SUFFIX),
    ("def f():\n    ", "return a", "\n    return a\n", Code.REPEATS_SUFFIX),
    ("    ret", "urn a", "\n\n    return a\n", Code.REPEATS_SUFFIX),
    ("    self.a = a\n    self", ".a = a", "\n", Code.REPEATS_ABOVE),
    ("    self.a = a\n\n    ", "self.a = a\n    b = 1", "\n", Code.REPEATS_ABOVE),
    ("x = a", ")", "\n", Code.UNBALANCED),
    ("x = a", "(b", "\n", Code.UNBALANCED),
    # keys and tokens
    ("key = ", "'AKIAIOSFODNN7EXAMPLE'", "\n", Code.SECRET),
    ("key = 'AKIA", "IOSFODNN7EXAMPLE'", "\n", Code.SECRET),
    ("key = 'q7Zr4XbVt9Jm2", "KpLw8Nc/3HdYsGf6TuEaR+5QxW1'", "\n", Code.SECRET),
    ("x = '", "9f86d081884c7d659a2feaa0c55ad015", "'\n", Code.SECRET),
    ("", "f(1)\ntoken = 'ghp_q7Zr4XbVt9Jm2KpLw8Nc3HdYsGf6TuEaR5QxW'", "\n", Code.SECRET),
]


@pytest.mark.parametrize(("prefix", "text", "suffix", "shown"), KEPT)
def test_kept(prefix: str, text: str, suffix: str, shown: str) -> None:
    assert filtered(text, prefix, suffix) == shown


@pytest.mark.parametrize(("prefix", "text", "suffix", "code"), DROPPED)
def test_dropped(prefix: str, text: str, suffix: str, code: Code) -> None:
    reason = filtered(text, prefix, suffix)
    assert isinstance(reason, Reason)
    assert reason.code is code


texts = st.lists(
    st.sampled_from(
        [
            "a",
            "self",
            ".",
            "(",
            ")",
            "[",
            "]",
            "{",
            "}",
            " ",
            "\n",
            "    ",
            "'",
            '"',
            "é",
            ",",
            "=",
            "\r\n",
        ]
    ),
    max_size=12,
).map("".join)


@given(texts, texts, texts)
def test_what_is_shown_begins_what_was_written(text: str, prefix: str, suffix: str) -> None:
    shown = filtered(text, prefix, suffix)
    if isinstance(shown, str):
        assert text.startswith(shown)
        assert shown.strip()
        assert shown == shown.rstrip()


@given(texts, texts, texts)
def test_what_is_balanced_stays(text: str, prefix: str, suffix: str) -> None:
    around = around_cursor(prefix, suffix)
    once = balanced(text, around)
    assert text.startswith(once)
    assert balanced(once, around) == once


brackets = st.recursive(
    st.sampled_from(["a", "a, b", ""]),
    lambda inner: st.builds(
        lambda kind, content, after: f"f{kind[0]}{content}{kind[1]}{after}",
        st.sampled_from(["()", "[]"]),
        inner,
        st.sampled_from(["", ".a", ", a"]),
    ),
    max_leaves=5,
)


@given(brackets, st.data())
def test_whatever_the_cut_the_right_text_is_kept_whole(line: str, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(line)))
    last = data.draw(st.integers(first, len(line)))
    around = around_cursor("x = " + line[:first], line[last:] + "\n")
    assert balanced(line[first:last], around) == line[first:last]


@given(texts, texts)
def test_with_nothing_behind_it_nothing_more_stays_open(text: str, prefix: str) -> None:
    kept = balanced(text, around_cursor(prefix, ""))
    state, _ = advance(START, prefix.encode())
    after, _ = advance(state, kept.encode())
    assert len(after.brackets) <= len(state.brackets)
