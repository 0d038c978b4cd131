"""Files as lexemes and statements, their leaves and roles, and the paper's normalisation."""

from __future__ import annotations

import ast
from pathlib import Path

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from completion.lexeme import Kind
from evaluation.codefill.leaves import Leaf, Roles, leaves
from evaluation.codefill.lexing import (
    Class,
    Lexeme,
    indentations,
    lexemes,
    raw_lexemes,
    split,
    statements,
)
from evaluation.codefill.normalise import (
    ALIAS,
    DEDENT,
    EOS,
    INDENT,
    LIBRARY,
    MODULE,
    NUMBER,
    STRING,
    Scope,
    Word,
    imported_names,
    normalise,
    normalised,
)
from evaluation.syntax import parsed

FILES = sorted(Path(click.__file__).parent.glob("*.py"))[:6]
CODE = b"""import os  # why

# a comment
def f(a,  # of an argument
      b):
    # before the first line

    if a.b(1):
        return b
    x = 'y'
z = f(2,
      3)
"""
SOURCES = st.text(
    st.sampled_from("ab1 \n\t\"'#()[]{}.,:=\\+é\r\f"), max_size=60
)  # mostly broken, as files are while somebody types


@given(SOURCES)
def test_lexemes_and_blanks_make_up_any_text(text: str) -> None:
    data = text.encode()
    end, rebuilt = 0, b""
    for raw in raw_lexemes(data):
        blank = data[end : raw.begin]
        assert not blank.strip(b" \t\f\r\n\\")
        assert raw.begin < raw.end
        rebuilt += blank + data[raw.begin : raw.end]
        end = raw.end
    assert rebuilt + data[end:] == data
    assert not data[end:].strip(b" \t\f\r\n\\")


@given(SOURCES)
def test_what_counts_is_in_order_and_cut_before_it_begins(text: str) -> None:
    end = 0
    for one in lexemes(text.encode()):
        assert end <= one.cut <= one.begin < one.end
        end = one.end if one.kind is not Kind.BREAK else one.cut


def test_comments_and_blank_lines_do_not_count() -> None:
    texts = [one.text for one in lexemes(CODE)]
    assert texts[:4] == [b"import", b"os", b"\n", b"def"]
    assert b"\n    " in texts
    assert not any(b"#" in text for text in texts)


def test_the_cursor_stands_behind_a_comment_inside_brackets_and_before_one_that_ends_a_line() -> (
    None
):
    parameter = next(one for one in lexemes(CODE) if one.text == b"b")
    assert CODE[: parameter.cut].endswith(b"# of an argument\n")
    line_break = lexemes(CODE)[2]
    assert CODE[: line_break.cut] == b"import os"
    assert CODE[: lexemes(CODE)[3].cut].endswith(b"# a comment\n")


def test_classes() -> None:
    classes = {one.text: one.token_class for one in lexemes(CODE)}
    assert classes[b"import"] is Class.KEYWORD
    assert classes[b"os"] is Class.IDENTIFIER
    assert classes[b"("] is classes[b":"] is Class.PUNCTUATION
    assert classes[b"="] is Class.OPERATOR
    assert classes[b"1"] is classes[b"'y'"] is Class.LITERAL
    assert classes[b"\n"] is Class.BREAK


def test_statements_run_over_lines_inside_brackets() -> None:
    found = lexemes(CODE)
    lines = [b" ".join(one.text for one in found[first:end]) for first, end in statements(found)]
    assert lines[1] == b"def f ( a , b ) :"
    assert lines[-1] == b"z = f ( 2 , 3 )"
    assert len(lines) == 6


def test_blocks_around_a_line_break() -> None:
    found = lexemes(CODE)
    breaks = [index for index, one in enumerate(found) if one.kind is Kind.BREAK]
    assert [indentations(found, index) for index in breaks] == [
        *((0,), (0,), (0, 4), (0, 4, 8), (0, 4), (0,)),
    ]


def test_leaves_are_those_of_a_parse() -> None:
    tree = parsed(CODE)
    assert tree is not None
    found = leaves(tree)
    by_text = {(CODE[one.begin : one.end], found.get(one.begin)) for one in lexemes(CODE)}
    assert {(b"b", Leaf.FUNCTION), (b"f", Leaf.FUNCTION), (b"a", Leaf.NAME)} <= by_text
    assert (b"1", Leaf.NUMBER) in by_text
    assert (b"os", None) in by_text


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_roles_are_those_that_the_type_head_was_taught(file: Path) -> None:
    from training import labels

    data = file.read_bytes()
    taught = labels.leaves(data, labels.parse(data))
    roles = Roles(data)
    found = [one for one in lexemes(data)[:-1] if one.kind is not Kind.BREAK]
    assert [roles.of(one) for one in found] == [taught.role_at(one.begin) for one in found]


@pytest.mark.parametrize(
    ("line", "role"), [(b"\n    b", "same"), (b"\n        b", "in"), (b"\nb", "out")]
)
def test_roles_of_line_breaks(line: bytes, role: str) -> None:
    data = b"if x:\n    a" + line
    line_break = lexemes(data)[-2]
    assert Roles(data).of(line_break) == f"newline {role}"


# --- normalisation ---------------------------------------------------------------------------

IMPORTS = "import os.path as p\nfrom re import match as m, sub\nfrom . import here\n"
SCOPE = Scope(imported_names(ast.parse(IMPORTS)), (0, 4))


def normal(text: bytes, before: tuple[bytes, ...] = (), kind: Kind = Kind.WORD) -> str | None:
    return normalise((text, kind), before, SCOPE)


def test_imported_names() -> None:
    assert SCOPE.names == {
        b"os": LIBRARY, b"path": LIBRARY, b"re": LIBRARY, b"p": ALIAS, b"m": ALIAS,
        b"match": MODULE, b"sub": MODULE, b"here": MODULE,
    }  # fmt: skip


def test_names_are_replaced_but_for_attributes() -> None:
    assert normal(b"os") == LIBRARY
    assert normal(b"path", (b"x", b".")) == "path"
    assert normal(b"other") == "other"
    assert normal(b"is") == "is"


@pytest.mark.parametrize(
    ("before", "place"),
    [
        ((b"import",), LIBRARY),
        ((b"import", b"x", b"as"), ALIAS),
        ((b"from",), LIBRARY),
        ((b"from", b"x", b"import", b"("), MODULE),
        ((b"from", b"x", b"import", b"y", b"as"), ALIAS),
        ((b"yield", b"from"), "anything"),
    ],
)
def test_any_name_of_an_import_statement_is_its_placeholder(
    before: tuple[bytes, ...], place: str
) -> None:
    assert normal(b"anything", before) == place


def test_literals_comments_and_operators() -> None:
    assert normal(b"", kind=Kind.STRING) == normal(b"'a'", kind=Kind.STRING) == STRING
    assert normal(b"1", kind=Kind.NUMBER) == NUMBER
    assert normal(b"", kind=Kind.COMMENT) is None
    assert normal(b"+=", kind=Kind.OPERATOR) == "+="


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (b"\n    ", EOS),
        (b"\n        ", EOS + INDENT),
        (b"\n\t", EOS + INDENT),
        (b"\n", EOS + DEDENT),
    ],
)
def test_line_breaks_by_the_change_of_indentation(text: bytes, name: str) -> None:
    assert normal(text, kind=Kind.BREAK) == name


def test_a_whole_statement() -> None:
    words: list[Word] = split(b"x = os.os('a', 1)  # b")
    expected = ["x", "=", LIBRARY, ".", "os", "(", STRING, ",", NUMBER, ")"]
    assert normalised(words, (), SCOPE) == expected
    assert normalised(split(b"b import c"), (b"from",), SCOPE) == [LIBRARY, "import", MODULE]


def test_a_lexeme_knows_its_class() -> None:
    assert Lexeme(0, 0, 1, b"x", Kind.WORD).token_class is Class.IDENTIFIER
