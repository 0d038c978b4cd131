"""The layout in front of the prefix."""

from __future__ import annotations

from completion.model.prompt import CONTEXT_TOKENS, format_context, header
from completion.model.types import CONTEXT_STATE, PREFIX_STATE, SUFFIX_STATE
from tests.completion.toys import toy_tokenizer


def test_layout_with_everything() -> None:
    tokenizer = toy_tokenizer([(b"a", b"b")])
    values, states = header(tokenizer, "ab", "b")
    assert values == [
        tokenizer.context,
        *tokenizer.encode("ab"),
        tokenizer.suffix,
        *tokenizer.encode("b"),
        tokenizer.prefix,
    ]
    assert states == [CONTEXT_STATE] * 2 + [SUFFIX_STATE] * 2 + [PREFIX_STATE]


def test_without_context_and_suffix_the_suffix_sentinel_stays() -> None:
    tokenizer = toy_tokenizer([])
    assert header(tokenizer, "", "")[0] == [tokenizer.suffix, tokenizer.prefix]


def test_context_and_suffix_are_cut() -> None:
    tokenizer = toy_tokenizer([])
    values, states = header(tokenizer, "c" * 500, "s" * 500, suffix_tokens=7)
    assert len(values) == len(states) == 1 + CONTEXT_TOKENS + 1 + 7 + 1


def test_paths_are_written_where_they_change() -> None:
    lines = format_context([("a.py", "def f(\n    x)"), ("a.py", "class A"), ("b.py", "def g()")])
    assert lines == "# a.py\ndef f( x)\nclass A\n# b.py\ndef g()\n"
    assert format_context([]) == ""
