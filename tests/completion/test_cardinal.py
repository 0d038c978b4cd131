"""Cardinal points: the data that ships, and the place behind a text."""

from __future__ import annotations

import json
import re
from importlib import resources
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from completion.cardinal import LONGEST_LINE, is_cardinal, last_type, points_of, trigger_characters
from indexing.languages import languages
from training.corpus import PERMISSIVE

LANGUAGES = sorted({each.name for each in languages().values()})
STORED = ("python", "java", "javascript", "typescript")

PAPER = frozenset(
    (
        *("await", "assert", "raise", "del", "lambda", "yield", "return", "except", "while", "for"),
        *("if", "elif", "else", "global", "in", "and", "not", "or", "is", "with"),
        *(".", ";", ",", "[", "(", "{", "~", "+", "-", "*", "/", "//", "%", "**", "<<", ">>"),
        *("&", "|", "^", "<", ">", "<=", ">=", "==", "!="),
    )
)
"""The triggers of the paper's table, BINOP written out."""


def stored(language: str) -> dict[str, Any]:
    file = resources.files("completion.languages").joinpath(f"cardinal/{language}.json")
    values: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return values


def triggers(language: str) -> frozenset[str]:
    points = points_of(language)
    assert points is not None
    return points.triggers


# The data


def test_every_language_has_data() -> None:
    assert all(points_of(language) for language in LANGUAGES)


def test_the_papers_triggers_are_inferred_for_python() -> None:
    assert triggers("python") >= PAPER


def test_what_the_paper_drops_is_dropped_for_python() -> None:
    dropped = {"class", "def", "as", "True", "False", "None", "pass", "break", "try", ")", "]", "}"}
    assert not dropped & triggers("python")


def test_what_is_more_than_the_papers_is_known() -> None:
    """Line starts, what newer syntax brought, and values behind ``=``, ``:``, ``->``, imports."""
    more = {each for each in triggers("python") - PAPER if not each.endswith("=")}
    assert more == {
        *("<newline>", ":", "->", "@", "import", "from", "async", "case", "match", "nonlocal")
    }
    assert "=" in triggers("python")


@pytest.mark.parametrize(
    ("language", "some", "none"),
    [
        (
            "java",
            ". return new extends implements instanceof case :: -> @ throws",
            "class void int",
        ),
        ("javascript", ". ?. return new typeof await => of in extends", "class let const function"),
        ("typescript", ". ?. return new keyof as => | : < extends", "interface const enum infer"),
    ],
)
def test_other_languages(language: str, some: str, none: str) -> None:
    assert set(some.split()) <= triggers(language)
    assert not {*none.split(), ")", "]", "}", ";"} & triggers(language)


@pytest.mark.parametrize("language", STORED)
def test_the_data_says_where_it_comes_from(language: str) -> None:
    packages = stored(language)["packages"]
    assert packages
    for row in packages:
        assert set(re.split(" AND | OR ", row["licence"])) <= PERMISSIVE
        assert row["version"]
        assert row["bytes"] > 0


@pytest.mark.parametrize("language", STORED)
def test_the_data_agrees_with_itself(language: str) -> None:
    values = stored(language)
    for row in values["types"].values():
        shares = [row[name] for name in ("kept", "deterministic", "made_up", "impractical")]
        assert sum(shares) == pytest.approx(1, abs=0.001)
        assert row["trigger"] == (row["kept"] >= values["bounds"]["kept"])
    assert set(values["popup"]) <= {each[-1] for each in triggers(language)}


def test_names_list_themselves_behind_dots_and_decorators_only() -> None:
    assert trigger_characters() == [".", "@"]


# The place behind a text


@pytest.mark.parametrize(
    ("language", "before"),
    [
        ("python", ""),
        ("python", "x = 1\n"),
        ("python", "x = 1\r\n    "),
        ("python", "x = 1\r"),
        ("python", "client."),
        ("python", "return "),
        ("python", "for x in "),
        ("python", "call(a, "),
        ("python", "call(a,"),
        ("python", "x = y if z else "),
        ("python", "assert '😀' in "),
        ("python", "emoji = '😀' + "),
        ("python", "x = f'{"),
        ("python", "x = f'{{}} {a + "),
        ("python", "print(f'{client."),
        ("python", "if a is not "),
        ("java", "return this."),
        ("java", "List<"),
        ("java", "Foo::"),
        ("java", "/* done */ return "),
        ("javascript", "a?."),
        ("javascript", "const x = `${a} ${"),
        ("javascript", "`${`${a."),
        ("javascript", "<p>it's {a."),
        ("javascript", "x = a / b + "),
        ("typescript", "let x: "),
        ("tsx", "return "),
    ],
)
def test_cardinal_points(language: str, before: str) -> None:
    assert is_cardinal(language, before.encode())


@pytest.mark.parametrize(
    ("language", "before"),
    [
        ("python", "call(a)"),
        ("python", "call(a) "),
        ("python", "x = 'done'"),
        ("python", "x = 12"),
        ("python", "x = 1."),
        ("python", "name"),
        ("python", "name "),
        ("python", "return"),
        ("python", "module.return "),
        ("python", "x = 'open "),
        ("python", "x = 'open, "),
        ("python", "x = f'{a} in "),
        ("python", "x = f'{{ in "),
        ("python", "x = r'\\"),
        ("python", "x = 1  # return "),
        ("python", "x = 1\r\n# in "),
        ("python", "def "),
        ("python", "class "),
        ("python", "import a as "),
        ("python", "..."),
        ("python", "x = '😀'"),
        ("java", "call();"),
        ("java", "int "),
        ("java", "x = 1; // return "),
        ("java", "x = /* return "),
        ("javascript", "let "),
        ("javascript", "x = /a, "),
        ("javascript", "x = `in "),
        ("typescript", "interface "),
        ("tsx", "call()"),
    ],
)
def test_no_cardinal_points(language: str, before: str) -> None:
    assert not is_cardinal(language, before.encode())


def test_a_language_without_data_is_not_gated() -> None:
    assert is_cardinal("cobol", b"DISPLAY x ")


def test_a_line_that_nobody_wrote_is_not_read() -> None:
    line = b"x = [" + b"1, " * 100_000 + b"f(a)"
    assert is_cardinal("python", line)
    assert not is_cardinal("python", line[-LONGEST_LINE:])
    assert not is_cardinal("python", line + b"\ny = f(a)")


def test_deep_templates_end() -> None:
    assert is_cardinal("javascript", b"`" + rb"${\`" * 3 + b"${")
    assert not is_cardinal("javascript", b"`" + rb"${\`" * 500 + b"${")


FRAGMENTS = (
    *("x", "name", "return", "in", "é", "😀", "1", "1.5e-3", "\ufeff", "$", "#x"),
    *(
        ".",
        "..",
        "...",
        ",",
        ";",
        ":",
        "::",
        "=",
        "==",
        "=>",
        "->",
        "?.",
        "!",
        "/",
        "//",
        "/*",
        "*/",
    ),
    *("(", ")", "[", "]", "{", "}", "{{", "${", "\\", "@", "#", "<", ">", "</"),
    *('"', "'", '"""', "'''", "`", "f'", 'rb"', "/a/g"),
    *(" ", "\t", "\n", "\r\n", "\r", "\f"),
)
TEXTS = st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join).map(str.encode)


@given(st.sampled_from(LANGUAGES), st.one_of(TEXTS, st.binary(max_size=60)))
def test_any_bytes_have_an_answer(language: str, before: bytes) -> None:
    assert is_cardinal(language, before) in (True, False)


def literal_over_line_end(language: str, text: bytes) -> bool:
    """Whether a string or comment of ``text`` begins above its last line and ends in it."""
    points = points_of(language)
    assert points is not None
    start = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
    spans = [match.span() for match in points.lexeme.finditer(text + b" ")]
    return any(begin < start < end for begin, end in spans)


@given(st.sampled_from(LANGUAGES), st.one_of(TEXTS, st.binary(max_size=60)))
def test_the_last_line_says_what_the_whole_text_says(language: str, before: bytes) -> None:
    assume(not literal_over_line_end(language, before))
    points = points_of(language)
    assert points is not None
    assert is_cardinal(language, before) == (last_type(before, points) in points.triggers)


@given(st.sampled_from(LANGUAGES), st.lists(st.sampled_from(("a", "=", "b", "return", "(", ","))))
def test_lexemes_that_stand_apart_are_found(language: str, words: list[str]) -> None:
    """A twin that needs no lexer: blanks tell the lexemes apart."""
    last = words[-1] if words else "<newline>"
    assert is_cardinal(language, "".join(f"{each} " for each in words).encode()) == (
        last in triggers(language)
    )
