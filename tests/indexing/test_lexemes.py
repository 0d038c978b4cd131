from __future__ import annotations

from pathlib import Path

import click
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from indexing import lexemes
from indexing.lexemes import (
    C_LIKE,
    JAVA,
    JAVASCRIPT,
    NEWLINE,
    NUMBER,
    PYTHON,
    STRING,
    Interner,
    Lexed,
    Syntax,
)

REAL = Path(click.__file__).with_name("core.py").read_bytes()[:30_000]
PIECES = st.sampled_from(
    [*b"ab1.=,()[]{}#\\'\"\n\r \t*/-x`:", *(b'"""', b"'''", b"\r\n", b"//", b"/*", b"*/", b"->")]
).map(lambda piece: piece if isinstance(piece, bytes) else bytes([piece]))
SOURCES = st.one_of(st.binary(max_size=60), st.lists(PIECES, max_size=60).map(b"".join))
SYNTAXES = st.sampled_from([PYTHON, C_LIKE, JAVA, JAVASCRIPT])


def counting() -> Interner:
    numbers: dict[bytes, int] = {}
    return Interner(lambda word: numbers.setdefault(word, len(numbers)))


def same(one: Lexed, other: Lexed) -> bool:
    return (
        one.text == other.text
        and one.starts.tolist() == other.starts.tolist()
        and one.firsts.tolist() == other.firsts.tolist()
        and one.ids.tolist() == other.ids.tolist()
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (b"a = b.c(1)\n", [NEWLINE, b"a", b"=", b"b", b".", b"c", b"(", b"1", b")", NEWLINE]),
        (b'"""doc\n"""\nx\n', [NEWLINE, b"x", NEWLINE]),
        (b'def f():\n    "doc"\n    y', b"\n|def|f|(|)|:|\n|y".split(b"|")),
        (b"# comment\n\n\nx # more\n# end", [NEWLINE, b"x", NEWLINE]),
        (b"f(\n  a, # why\n\n  b\n)", [NEWLINE, *b"f ( a , b".split(), NEWLINE, b")"]),
        (b"x = \\\n  y", [NEWLINE, b"x", b"=", b"y"]),
        (
            b"x = 3.14 + 0x1F - 12e-3 + .5",
            b"\n|x|=|N|+|N|-|N|+|N".replace(b"N", NUMBER).split(b"|"),
        ),
        (b"d['key'] = 'a b'", [NEWLINE, b"d", b"[", b"'key'", b"]", b"=", STRING]),
        (b"x = rb'a' + f\"{y}\"", [NEWLINE, b"x", b"=", STRING, b"+", STRING]),
        (b"x = 'open\ny", [NEWLINE, b"x", b"=", STRING, NEWLINE, b"y"]),
        (b"a**=b->c:=d!=e", b"\n|a|**=|b|->|c|:=|d|!=|e".split(b"|")),
        (b"\xef\xbb\xbfimport \xc3\xa4", [NEWLINE, b"import", b"\xc3\xa4"]),
        (b"a\r\nb\rc", [NEWLINE, b"a", NEWLINE, b"b", NEWLINE, b"c"]),
    ],
)
def test_python_lexemes(source: bytes, expected: list[bytes]) -> None:
    assert lexemes.lex(source, PYTHON) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (b"a = /[/'] x/gi;", [b"a", b"=", STRING, b";"]),
        (b"f(/a\\/b/)", [b"f", b"(", STRING, b")"]),
        (b"return /x y/.test(s)", [b"return", STRING, b".", b"test", b"(", b"s", b")"]),
        (b"a / b / c", [b"a", b"/", b"b", b"/", b"c"]),
        (b"f(a) / 2", [b"f", b"(", b"a", b")", b"/", b"2"]),
        (b"x = /* c */ 1 // d", [b"x", b"=", b"1"]),
        (b"x = `a ${b} 'c`;", [b"x", b"=", STRING, b";"]),
        (b"a.#p ?? $b", [b"a", b".", b"#", b"p", b"?", b"?", b"$", b"b"]),
    ],
)
def test_javascript_lexemes(source: bytes, expected: list[bytes]) -> None:
    assert lexemes.lex(source, JAVASCRIPT)[1:] == expected


def test_java_lexemes() -> None:
    source = b'String s = """\n  it\'s "so"\n  """; char c = \'"\'; /** doc */ int i;'
    assert lexemes.lex(source, JAVA)[1:] == [
        *(b"String", b"s", b"=", STRING, b";", b"char", b"c", b"=", STRING, b";"),
        *(b"int", b"i", b";"),
    ]


def test_the_suffix_chooses_the_syntax() -> None:
    paths = ("a.pyi", "a.java", "a.tsx", "a.mjs", "a.c")
    assert [lexemes.syntax_of(path) for path in paths] == [
        *(PYTHON, JAVA, JAVASCRIPT, JAVASCRIPT, C_LIKE),
    ]


def test_c_like_comments_and_strings() -> None:
    source = b"/* a\n b */ int x = 'c'; // end\nlet s = `a\nb`;"
    expected = [
        NEWLINE,
        *b"int x = 'c' ;".split(),
        NEWLINE,
        *b"let s =".split(),
        STRING,
        b";",
    ]
    assert lexemes.lex(source, C_LIKE) == expected


@given(SOURCES, st.integers(0, 60), SYNTAXES)
@settings(max_examples=300)
def test_cut_text_has_the_lexemes_of_the_whole_but_the_last(
    source: bytes, cut: int, syntax: Syntax
) -> None:
    whole, part = lexemes.lex(source, syntax), lexemes.lex(source[:cut], syntax)
    assert part[:-1] == whole[: max(0, len(part) - 1)]


@pytest.mark.parametrize(
    ("before", "words", "typed"),
    [
        (b"import os\nos.pa", [NEWLINE, b"import", b"os", NEWLINE, b"os", b"."], b"pa"),
        (b"os.", [NEWLINE, b"os", b"."], b""),
        (b"x = f(a, ", [NEWLINE, *b"x = f ( a ,".split()], b""),
        (b"x = 12", [NEWLINE, b"x", b"=", b"12"], b""),
        (b"", [NEWLINE], b""),
        (b"x.foo # foo", [NEWLINE, b"x", b".", b"foo"], b""),
        (b"x.foo ", [NEWLINE, b"x", b".", b"foo"], b""),
    ],
)
def test_context_before_the_cursor(before: bytes, words: list[bytes], typed: bytes) -> None:
    assert lexemes.context(before) == (words, typed)


@given(
    SOURCES,
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 9), SOURCES), max_size=4),
    SYNTAXES,
)
@settings(max_examples=400)
def test_reading_again_what_changed_equals_reading_all(
    source: bytes, edits: list[tuple[int, int, bytes]], syntax: Syntax
) -> None:
    interner = counting()
    text, lexed = source, lexemes.relex(None, source, syntax, interner)
    for start, removed, inserted in edits:
        text = text[:start] + inserted + text[start + removed :]
        lexed = lexemes.relex(lexed, text, syntax, interner)
        assert same(lexed, lexemes.relex(None, text, syntax, interner))


@given(st.integers(0, len(REAL)), st.integers(0, 200), PIECES)
@settings(max_examples=40)
def test_reading_again_an_edited_real_file(start: int, removed: int, inserted: bytes) -> None:
    interner = counting()
    old = lexemes.relex(None, REAL, PYTHON, interner)
    edited = REAL[:start] + inserted + REAL[start + removed :]
    assert same(
        lexemes.relex(old, edited, PYTHON, interner),
        lexemes.relex(None, edited, PYTHON, interner),
    )


def test_relexing_reads_only_the_edited_line() -> None:
    seen: list[bytes] = []

    class Watching(Interner):
        def __getitem__(self, raw: bytes) -> int:
            seen.append(raw)
            return super().__getitem__(raw)

    interner = Watching(lambda word: hash(word) % 1000)
    old = lexemes.relex(None, b"one = 1\ntwo = 2\nthree = 3\nfour = 4\n", PYTHON, interner)
    seen.clear()
    lexemes.relex(old, b"one = 1\ntwo = 2\nthreex = 3\nfour = 4\n", PYTHON, interner)
    assert seen == [b"\n", b"threex", b"=", b"3"]


@given(SOURCES, SYNTAXES)
@example(b"A\x0b", PYTHON)
@settings(max_examples=300)
def test_locate_at_the_end_agrees_with_context(source: bytes, syntax: Syntax) -> None:
    lexed = lexemes.relex(None, source, syntax, counting())
    words, typed = lexemes.context(source, syntax)
    assert lexemes.locate(lexed, len(source), syntax) == (len(words), int(bool(typed)), typed)


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        (0, (1, 0, b"")),
        (1, (1, 1, b"o")),
        (2, (1, 1, b"on")),
        (4, (2, 0, b"")),
        (9, (3, 1, b"tw")),
        (99, (4, 0, b"")),
        (-1, (1, 0, b"")),
    ],
)
def test_locate_inside_the_text(offset: int, expected: tuple[int, int, bytes]) -> None:
    source = b"one =\n\ttwo "
    lexed = lexemes.relex(None, source, PYTHON, counting())
    assert lexemes.locate(lexed, offset, PYTHON) == expected
