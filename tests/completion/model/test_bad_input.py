"""Texts that nobody should write, and somebody does: the model answers all the same."""

from __future__ import annotations

import random

import pytest

from completion.decoding import Session, score_names, write
from completion.fim import PROMPT_TOKENS, lay_out
from completion.model.prompt import CONTEXT_TOKENS, SUFFIX_TOKENS, header
from completion.request import Prompt
from tests.completion.toys import toy_model, toy_tokenizer
from training.corpus import SourceFile
from training.labels import FIXED, OTHER, label_ids
from training.samples import analyse, choose_middle, make_row

TOKENIZER = toy_tokenizer([(b"a", b"b"), (b" ", b" "), (b"(", b"(")])
MODEL = toy_model(TOKENIZER)
LINES = {
    "one name": "a" * 100_000,
    "brackets": "(" * 100_000,
    "quotes": "'" * 100_000,
    "code": "x = f(a, b); " * 7_700,
    "blanks": " " * 100_000,
    "letters of three bytes": "\u65e5" * 100_000,
    "combining marks": "a" + "\u0301" * 100_000,
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
@pytest.mark.parametrize("above", ["", "import os\n"])
def test_a_line_of_100_000_characters(line: str, above: str) -> None:
    session = Session(MODEL.cache())
    layout, session.anchor = lay_out(MODEL, Prompt(line, line, above + line), None)
    assert len(layout.values) <= PROMPT_TOKENS
    assert line.endswith(layout.before)
    raw = write(MODEL, session, layout, 4, lambda: False)
    assert 0 < raw.confidence <= 1
    assert len(score_names(MODEL, session, layout, ["ab", "a"], lambda: False)) == 2
    typed, _ = lay_out(MODEL, Prompt(line, line, above + line + "b"), session.anchor)
    assert len(typed.values) <= PROMPT_TOKENS


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_header_of_100_000_characters(line: str) -> None:
    values, states = header(TOKENIZER, line, line)
    assert len(values) == len(states) <= CONTEXT_TOKENS + SUFFIX_TOKENS + 3


def test_types_that_no_label_names_are_other() -> None:
    """A grammar newer than the model brings node types that its list does not have."""
    source = analyse(
        SourceFile("p", "a.py", "class A:\n    def f(self) -> int:\n        return 1\n")
    )
    labels = label_ids(FIXED)  # nothing but what is no node of a tree
    rng = random.Random(0)
    middle = next(one for one in iter(lambda: choose_middle(source, rng), 0) if one)
    row = make_row(source, middle, "", TOKENIZER, labels, rng)
    assert len(row.labels) == len(row.values)
    assert labels[OTHER] in row.labels
    assert set(row.labels) <= set(labels.values())
