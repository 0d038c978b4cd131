"""Plain text as Markdown: shown, it is the plain text again."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from lsp_server.markdown import from_plain

PARSER = MarkdownIt("commonmark")
PLAIN = {"inline", "paragraph_open", "paragraph_close"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Send it.\nAll of it.", "Send it.  \nAll of it."),
        ("As in `a*b*c`, not a*b*c.", r"As in `a*b*c`, not a\*b\*c."),
        ("Args:\n\n    x_y: _one_", "Args:\n\n" + 4 * "\u00a0" + r"x_y: \_one\_"),
        (">>> f()", r"\>>> f()"),
        ("1. one", r"1\. one"),
    ],
)
def test_examples(text: str, shown: str) -> None:
    assert from_plain(text) == shown


@given(st.text("ab1.)`*_[]<>#-+=~&|\\!(: \n", max_size=40))
@example("a\n===\n    b\n- c\n```\n<b>&amp;")
def test_shown_it_is_the_plain_text(text: str) -> None:
    tokens = PARSER.parse(from_plain(text))
    assert {token.type for token in tokens} <= PLAIN
    parts = [part for token in tokens for part in token.children or ()]
    assert {part.type for part in parts} <= {"text", "code_inline", "softbreak", "hardbreak"}
    assert bare("".join(part.content for part in parts)) == bare(text)


def bare(text: str) -> str:
    return "".join(text.replace("`", "").split())
