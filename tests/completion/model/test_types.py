"""The syntactic states: causal, the same in any chunks, and what Python's own lexer says."""

from __future__ import annotations

import io
import re
import tokenize
from pathlib import Path

import click
import pytest
import rich
from hypothesis import given
from hypothesis import strategies as st

from completion.model.types import (
    START,
    STATE_NAMES,
    advance,
    advance_token,
    advance_tokens,
    states_for,
)

REAL = [
    *sorted(Path(click.__file__).parent.glob("*.py"))[:8],
    *sorted(Path(rich.__file__).parent.glob("[a-l]*.py"))[:12],
]
FRAGMENTS = st.sampled_from(
    [
        *"abf_1.:,=@;+-*/\\(){}[]'\"# \n\r\t<>!é",
        *("def ", "class ", "import ", "from ", "lambda ", "for ", "return ", "async "),
        *('"""', "'''", 'f"', "\r\n", "    ", "{{", "->"),
    ]
)
TEXTS = st.lists(FRAGMENTS, max_size=40).map("".join)


def states_by_offset(text: bytes) -> dict[int, str]:
    return {offset: STATE_NAMES[state] for offset, state in advance(START, text)[1]}


def names(text: str) -> list[tuple[str, str]]:
    """(first word of the piece, state) of every piece that is not blank."""
    data = text.encode()
    found = sorted(states_by_offset(data).items())
    ends = [offset for offset, _ in found[1:]] + [len(data)]
    pieces = [(data[at:end].decode(), name) for (at, name), end in zip(found, ends, strict=True)]
    return [(piece, name) for piece, name in pieces if name != "blank"]


@given(TEXTS, st.data())
def test_feeding_in_chunks_is_feeding_at_once(text: str, data: st.DataObject) -> None:
    whole = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=6)))
    state, by_chunk = START, {}
    for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
        state, pieces = advance(state, whole[begin:end])
        by_chunk |= {begin + offset: STATE_NAMES[one] for offset, one in pieces}
    at_once = states_by_offset(whole)
    assert state == advance(START, whole)[0]
    assert {offset: by_chunk[offset] for offset in at_once} == at_once


@given(TEXTS, st.data())
def test_states_never_change_when_text_arrives(text: str, data: st.DataObject) -> None:
    whole = text.encode()
    ends = sorted({*data.draw(st.lists(st.integers(1, max(len(whole), 1)), max_size=8))})
    spans = [
        (begin, end)
        for begin, end in zip([0, *ends], [*ends, len(whole)], strict=True)
        if begin < end <= len(whole)
    ]
    states = states_for(whole, spans)
    for count, (_, cut) in enumerate(spans, start=1):
        assert states_for(whole[:cut], spans[:count]) == states[:count]
    assert advance_tokens(START, (whole[a:b] for a, b in spans))[1] == states


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_real_files_agree_with_pythons_lexer(path: Path) -> None:
    text = path.read_text()
    found = states_by_offset(text.encode())
    lines = [line.encode() for line in io.StringIO(text)]
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    before = None
    checked = 0
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        row, column = token.start
        if row > len(lines):
            break
        at = starts[row - 1] + len(lines[row - 1].decode()[:column].encode())
        if not expected(token, before, found.get(at, "")):
            pytest.fail(f"{path.name}:{row}:{column} {token.string!r} is {found.get(at)!r}")
        checked += 1
        if token.type not in (tokenize.NL, tokenize.COMMENT):
            before = token.string
    assert checked > 100


OPERATORS = {"(": r"\( ", ")": "close", "]": "close", ",": ", ", ".": r"\.", "=": "= "}
KINDS = {
    tokenize.NUMBER: "number",
    tokenize.COMMENT: "comment",
    tokenize.NEWLINE: "newline (plain|block)",
    tokenize.NL: "newline",
    tokenize.STRING: "quote|word",
}


def expected(token: tokenize.TokenInfo, before: str | None, state: str) -> bool:
    """What the state may be where Python's lexer saw ``token``."""
    if token.type == tokenize.NAME:
        pattern = "word (member|module)" if before == "." else "word (?!member)"
    elif token.type == tokenize.OP:
        pattern = OPERATORS.get(token.string, ".")
    else:
        pattern = KINDS.get(token.type, "")
    return re.match(pattern, state) is not None


def test_roles() -> None:
    found = dict(
        names(
            "from a import (b,\n c)\n@deco\nclass K(Base):\n    def m(self, x: T = v) -> R:\n"
            "        y = other.attr(arg, key=val)[idx]\n    z\n"
        )
    )
    assert {word: state for word, state in found.items() if word.isidentifier()} == {
        "from": "word start same",
        "a": "word module",
        "import": "word module",
        "b": "word imported",
        "c": "word imported",
        "deco": "word decorator",
        "class": "word start same",
        "K": "word class",
        "Base": "word operand bases",
        "def": "word start in",
        "m": "word def",
        "self": "word operand params",
        "x": "word operand params",
        "T": "word annotation",
        "v": "word value params",
        "R": "word annotation",
        "y": "word start in",
        "other": "word value none",
        "attr": "word member",
        "arg": "word operand call",
        "key": "word operand call",
        "val": "word value call",
        "idx": "word operand subscript",
        "z": "word start out",
    }


@pytest.mark.parametrize(
    ("text", "word", "state"),
    [
        ('f"a{name!r:>{width}} b" + tail', "name", "word operand format"),
        ('f"a{name!r:>{width}} b" + tail', "tail", "word operand none"),
        ("f'{{x}}' + tail", "tail", "word operand none"),
        ("x = lambda q: tail", "tail", "word operand none"),
        ("'unterminated\ntail", "tail", "word start same"),
        ("f'unterminated {\ntail", "tail", "word start same"),
        ("call(left, open,\ndef tail", "tail", "word def"),
        ("call(left, open,\n  tail", "tail", "word operand call"),
        ("x = 1 \\\n  + tail", "tail", "word operand none"),
        ("if a: tail", "tail", "word block"),
        ("a.b; tail", "tail", "word start same"),
        ("raise X from tail", "tail", "word operand none"),
        ("a.import_ if tail", "tail", "word operand none"),
        ("from . import tail", "tail", "word imported"),
        ("import a, tail", "tail", "word module"),
        ("for tail in x", "tail", "word bind"),
        (r"'a\'b' + tail", "tail", "word operand none"),
        ("r'''a'b''' + tail", "tail", "word operand none"),
        ("x: tail", "tail", "word annotation"),
        ("{a: tail}", "tail", "word value dict"),
        ("x[a: tail]", "tail", "word operand subscript"),
    ],
)
def test_state_of_one_word(text: str, word: str, state: str) -> None:
    assert dict(names(text))[word] == state


def test_literals() -> None:
    found = names('def f():\n    """Doc."""\n    x = "s" # c\n    y = """t"""\n')
    states = [state for _, state in found]
    for state in ("docstring", "string", "comment", "triple"):
        assert state in states


def test_a_token_is_what_follows_its_leading_blanks() -> None:
    state, _ = advance(START, b"x.")
    assert STATE_NAMES[advance_token(state, b" name")[1]] == "word member"
    assert STATE_NAMES[advance_token(state, b"  ")[1]] == "blank"
    assert STATE_NAMES[advance_token(START, b"\n    ")[1]] == "newline start"
