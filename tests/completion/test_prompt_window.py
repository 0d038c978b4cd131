"""The window before the cursor begins at a line, never inside a string; a prompt by its lines."""

from __future__ import annotations

import tree_sitter_python
from hypothesis import given
from hypothesis import strategies as st
from tree_sitter import Language, Parser

from completion.prompting import PREFIX_BYTES, _last_lines, lines_of
from completion.request import Prompt

PARTS = ("header", "suffix", "prefix")
PARSER = Parser(Language(tree_sitter_python.language()))
DOCSTRING = b'    """It\'s text.\n' + b"    more 'text' (of it\n" * 80 + b'    """\n'
CODE = b"    value = compute(value)\n" * 60


def test_a_window_that_would_begin_in_a_docstring_begins_behind_it() -> None:
    before = b"x = 1\n" * 30 + b"def f():\n" + DOCSTRING + CODE + b"    val"
    window = _last_lines(before, PARSER.parse(before + b"ue\n"))
    assert window == CODE + b"    val"


def test_inside_a_docstring_it_begins_inside() -> None:
    before = b"def f():\n" + DOCSTRING[:-8] + DOCSTRING[16:-8] + b"    te"
    window = _last_lines(before, PARSER.parse(before + b'xt\n    """\n'))
    assert PREFIX_BYTES - 40 < len(window) <= PREFIX_BYTES
    assert window.startswith(b"    more")


def test_one_long_line_begins_at_a_character() -> None:
    before = b"x = '" + "é".encode() * PREFIX_BYTES
    window = _last_lines(before, PARSER.parse(before))
    assert window.decode() == "é" * (PREFIX_BYTES // 2)


lines = st.lists(
    st.sampled_from(["x = 1\n", '"""\n', "'''a\r\n", "é\r", "f(\n", ")\n"]), max_size=900
)


@given(lines)
def test_the_window_ends_the_text_and_begins_a_line(found: list[str]) -> None:
    before = "".join(found).encode()
    window = _last_lines(before, PARSER.parse(before))
    assert before.endswith(window)
    assert len(window) <= PREFIX_BYTES
    begin = len(before) - len(window)
    assert begin == 0 or before[begin - 1 : begin] in (b"\n", b"\r")


TEXTS = st.lists(st.sampled_from(("a", "# b.py", "# a.py", "\n", "\r\n", "\r", "\x0c", "é")))


@given(TEXTS.map("".join), TEXTS.map("".join), TEXTS.map("".join))
def test_the_lines_of_a_prompt_make_it_up(header: str, suffix: str, prefix: str) -> None:
    lines = list(lines_of(Prompt(header, suffix, prefix, ("a.py", "b.py")), "own.py"))
    parts = {part: [line for line in lines if line.part == part] for part in PARTS}
    assert ["".join(line.text for line in parts[part]) for part in PARTS] == [
        header,
        suffix,
        prefix,
    ]
    assert {line.file for line in parts["suffix"] + parts["prefix"]} <= {"own.py"}


def test_every_line_of_the_header_has_its_file() -> None:
    header = "# a.py\nclass A\ndef f()\n# b.py\ndef g()\n"
    lines = lines_of(Prompt(header, "", "", ("a.py", "b.py")), "own.py")
    assert [line.file for line in lines] == ["a.py"] * 3 + ["b.py"] * 2
