"""Lexemes: those of Python's own tokenizer, and spellings that go on as the lexeme would."""

from __future__ import annotations

import io
import tokenize
from pathlib import Path

import click
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from completion.lexeme import _STRING_PREFIXES, Kind, scan, spelling
from evaluation.codefill.lexing import raw_lexemes

FILES = sorted(Path(click.__file__).parent.glob("*.py"))
SKIPPED = frozenset(
    (
        *(tokenize.ENCODING, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
        *(tokenize.ENDMARKER, tokenize.COMMENT),
    )
)
PIECES = st.sampled_from(
    [
        *(b"a", b"f", b"r", b"0", b"1", b"e", b"x", b".", b'"', b"'", b"\\", b"\n", b" ", b"="),
        *(b"*", b"#", b"(", b"-", b"<", b"\xc3\xa9", b'"""'),
    ]
)
TEXTS = st.lists(PIECES, max_size=7).map(b"".join)


def test_formatted_strings_are_one_lexeme() -> None:
    assert scan(b'f"{a}" + b', inside=False).end == 6


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_lexemes_are_those_of_pythons_tokenizer(file: Path) -> None:
    if hasattr(tokenize, "FSTRING_START"):
        pytest.skip("this Python splits formatted strings")
    data = file.read_bytes()
    theirs = [one.string.encode() for one in tokenize.tokenize(io.BytesIO(data).readline)
              if one.type not in SKIPPED]  # fmt: skip
    ours = [
        data[one.begin : one.end]
        for one in raw_lexemes(data)
        if one.kind not in (Kind.BREAK, Kind.COMMENT)
    ]
    assert ours == theirs


@given(TEXTS, TEXTS, st.booleans())
def test_a_spelling_goes_on_as_the_text_does(text: bytes, more: bytes, inside: bool) -> None:
    found = scan(text, inside=inside)
    assume(found.open and found.kind is not Kind.NOTHING)
    short = spelling(text, inside)
    one, other = scan(text + more, inside=inside), scan(short + more, inside=inside)
    assert (one.open, one.end - len(text)) == (other.open, other.end - len(short))
    assert one.kind is other.kind


@given(TEXTS, TEXTS, st.booleans())
def test_what_is_not_open_stays_as_it_is(text: bytes, more: bytes, inside: bool) -> None:
    found = scan(text, inside=inside)
    assume(not found.open)
    assert scan(text + more, inside=inside) == found


@pytest.mark.parametrize(
    ("text", "kind", "end"),
    [
        (b" name(", Kind.WORD, 5),
        (b'"a\\"b" x', Kind.STRING, 6),
        (b'"""a\n"b"""', Kind.STRING, 10),
        (b"'never closed\nx", Kind.STRING, 13),
        (b"1_000.5e-3j+", Kind.NUMBER, 11),
        (b"**=x", Kind.OPERATOR, 3),
        (b"\n\n    x", Kind.BREAK, 6),
        (b"  # why\nx", Kind.COMMENT, 7),
        (b" \\\n x ", Kind.WORD, 5),
    ],
)
def test_examples(text: bytes, kind: Kind, end: int) -> None:
    found = scan(text, inside=False)
    assert (found.kind, found.end, found.open) == (kind, end, False)


def test_a_line_break_inside_brackets_is_a_blank() -> None:
    assert scan(b"\n  x,", inside=True) == (3, 4, Kind.WORD, False)


@pytest.mark.parametrize("prefix", [b"bb", b"uu", b"ff", b"rr", b"fu", b"bf", b"tu"])
def test_two_letters_that_are_no_string_prefix_are_a_word(prefix: bytes) -> None:
    found = scan(prefix + b"'a'", inside=False)
    assert (found.end, found.kind, found.open) == (2, Kind.WORD, False)


@pytest.mark.parametrize("prefix", [b"", *sorted(_STRING_PREFIXES), b"Rb", b"bR", b"U", b"TR"])
def test_string_prefixes_belong_to_the_string(prefix: bytes) -> None:
    text = prefix + b"'a'"
    found = scan(text, inside=False)
    assert (found.begin, found.end, found.kind) == (0, len(text), Kind.STRING)
