"""Where ghost text begins the body of a block, held against Python's own parser."""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from completion import engine
from completion.blocks import body_lead
from completion.request import RawGhost
from tests.completion.test_engine import Model, applied
from tests.completion.workspace import CURSOR, OPTIONS, asked

HEADERS = (
    *("def f(a, b={1: 2}):", "class A(B):", "if a[1:]:", "for a in b:", "while a:", "try:"),
    *("with a as b:", "async def g(\na,\n):", "match a:", "@a\n@b(1)\ndef h():", "if '🐍':  # é"),
    *("match(a, b):", "match -a:", "match *a, b:", "match [a]:", "match {}:", "match ~a:"),
    *("match '🐍':", "match \\\na:", "match größe:", "match match:", "match ...:"),
)
CLAUSES = {"try:": "finally:", "if a[1:]:": "else:"}


def lead_at(marked: str) -> str:
    before, _, after = marked.partition(CURSOR)
    return body_lead(before, after)


Block = str | list[tuple[str, "Block"]]
blocks: st.SearchStrategy[Block] = st.recursive(
    st.just("pass"),
    lambda inner: st.lists(st.tuples(st.sampled_from(HEADERS[:8]), inner), min_size=1, max_size=2),
    max_leaves=5,
)


def written(block: Block, lead: str, unit: str) -> list[str]:
    """The lines of a block."""
    if isinstance(block, str):
        return [lead + block]
    lines = []
    for header, body in block:
        lines += [lead + part for part in header.split("\n")]
        lines += written(body, lead + unit, unit)
        if header in CLAUSES:
            lines += [lead + CLAUSES[header], lead + unit + "pass"]
    return lines


@given(blocks, st.sampled_from(["\t", "  ", "    "]), st.sampled_from(["\n", "\r\n"]), st.data())
def test_a_missing_body_begins_where_python_wants_it(
    block: Block, unit: str, end: str, data: st.DataObject
) -> None:
    lines = [*written([("if x:", "y = 2"), ("def f():", block)], "", unit), "z = 3"]
    ast.parse(end.join(lines))
    bodies = [at for at, line in enumerate(lines) if line.strip() == "pass"]
    at = data.draw(st.sampled_from(bodies))
    before, after = end.join(lines[:at]), end + end.join(lines[at + 1 :])
    assert before + lead_at(before + CURSOR + after) + "pass" + after == end.join(lines)
    assert lead_at(before + CURSOR + end + end.join(lines[at:])) == ""  # it has its body


@pytest.mark.parametrize("header", HEADERS)
def test_behind_headers(header: str) -> None:
    header = header.partition("  #")[0]
    assert lead_at(f"{header}{CURSOR}") == "\n    "
    assert lead_at(f"{header}{CURSOR}\n\nx = 1\n") == "\n    "
    assert lead_at(f"{header}{CURSOR}\n\n    x = 1\n") == ""


@pytest.mark.parametrize(
    "text",
    [
        "x = a[1:‸",
        "x = {1:‸",
        "x:‸",
        "x = lambda:‸",
        "x = 'def f():‸",
        "# def f():‸",
        "def f():‸ return 1",
        "def f():‸  # why",
        "def f(): ‸",
        "def f()‸:",
        "if a == (lambda:‸",
        "def f():‸\n    # still to be written\n",
        "‸",
        ":‸",
        "match:‸",
        "case:‸",
        "match.case:‸",
        "class A:\n    match:‸",
        "class A:\n    case :‸\n    size: int\n",
        "match = lambda:‸",
    ],
)
def test_elsewhere_nothing_begins(text: str) -> None:
    assert lead_at(text) == ""


SOFT = st.sampled_from(["match", "case", " ", ".", "a", "[1]", "(a)", "-", "=", "'b'", "*", "\\\n"])


@given(st.lists(SOFT, max_size=4).map("".join), st.sampled_from(["match", "case"]))
def test_keywords_that_are_names_too_are_held_against_python(rest: str, keyword: str) -> None:
    header = f"{keyword}{rest}:"
    inner = "\n    case _: pass" if keyword == "match" else " pass"
    whole = f"{header}{inner}" if keyword == "match" else f"match a:\n    {header}{inner}"
    if is_python(f"{header} int"):
        return  # an annotation, whatever else it may be
    begins = bool(lead_at(f"{header}{CURSOR}"))
    assert begins or not is_python(whole)


def is_python(text: str) -> bool:
    try:
        ast.parse(text)
    except SyntaxError:
        return False
    return True


def test_a_file_that_indents_nothing_gets_four_blanks_and_its_line_end() -> None:
    assert lead_at("x = 1\r\ndef f():‸\r\n") == "\r\n    "


async def test_the_model_is_asked_where_the_body_begins(tmp_path: Path) -> None:
    text = f"class A:\n\tsize = 1\n\n\tdef double(self, number):{CURSOR}\n\nx = 1\n"
    request, snapshot = asked({"m.py": text}, "m.py", tmp_path)
    model = Model()
    model.raw = RawGhost("return self.size * number", 0.9, 3, "line")
    found = await engine.ghost(replace(request, automatic=True), snapshot, model, OPTIONS)
    assert model.prompts[0].prefix.endswith("number):\n\t\t")
    assert found.edit is not None
    assert (found.edit.start, found.edit.end) == (request.offset, request.offset)
    shown = applied(text, [found.edit])
    assert shown == text.replace(CURSOR, "\n\t\treturn self.size * number")
    typed = text.replace(CURSOR, "\n\t\t" + CURSOR)
    request, snapshot = asked({"m.py": typed}, "m.py", tmp_path / "typed")
    same = await engine.ghost(replace(request, automatic=True), snapshot, model, OPTIONS)
    assert model.prompts[1] == model.prompts[0]
    assert (same.signs, same.confidence) == (found.signs, found.confidence)


async def test_nothing_is_shown_where_the_body_would_be_empty(tmp_path: Path) -> None:
    request, snapshot = asked({"m.py": f"def f():{CURSOR}\n"}, "m.py", tmp_path)
    found = await engine.ghost(request, snapshot, Model("  "), OPTIONS)
    assert found.edit is None


async def test_an_item_that_is_previewed_is_extended_on_its_line(tmp_path: Path) -> None:
    request, snapshot = asked({"m.py": f"if a:{CURSOR}"}, "m.py", tmp_path, selected="b")
    model = Model(".c")
    await engine.ghost(request, snapshot, model, OPTIONS)
    assert model.prompts[0].prefix == "if a:b"
