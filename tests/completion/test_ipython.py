"""Cells as Python: magics become comments, and nothing moves."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from completion.languages.ipython import read_cell


def python(text: str) -> str:
    cell = read_cell(text.encode())
    assert cell is not None
    return cell.text.decode()


@pytest.mark.parametrize(
    ("cell", "read"),
    [
        ("%matplotlib inline\nx = 1", "#.................\nx = 1"),
        ("!pip install it's\r\nx = 1", "#................\r\nx = 1"),
        ("if x:\n    !ls\n    %cd ..\n", "if x:\n    #..\n    #.....\n"),
        ("!ls \\\n  -l\ny = 2", "#.........\ny = 2"),
        ("files = !ls -l\nfiles", "files = _#....\nfiles"),
        ("a, b = %who x", "a, b = _#...."),
        ("x = !", "x = _"),
        ("os.path?\n?os\nos.path??", "#.......\n#..\n#........"),
        ("%%time\nx = 1", "#.....\nx = 1"),
        ("%%timeit y = 1\n%time x = 1", "#.............\n#.........."),
        ("a = (b\n  % c)\n%d", "a = (b\n  % c)\n#."),
        ("a = '''\n%not a magic\n'''\n%one", "a = '''\n%not a magic\n'''\n#..."),
        ("a = b \\\n  % c", "a = b \\\n  % c"),
        ("x = 1  # what?\ny = 'really?'\n", "x = 1  # what?\ny = 'really?'\n"),
        ("a != b\nc %= 2", "a != b\nc %= 2"),
        ("名前?\r%x", "#......\r#."),
    ],
)
def test_magics_become_comments(cell: str, read: str) -> None:
    """Dots in ``read`` are blanks."""
    found = read_cell(cell.encode())
    assert found is not None
    assert found.text.decode() == read.replace(".", " ")
    assert len(found.text) == len(cell.encode())


@pytest.mark.parametrize("cell", ["%%bash\nls", "%%html", "\n%%sql db\nselect", "%%writefile a.py"])
def test_cells_of_other_languages_are_none(cell: str) -> None:
    assert read_cell(cell.encode()) is None


@pytest.mark.parametrize(
    ("cell", "closing"),
    [
        ("x = 1", ""),
        ("f(a, [b", "\n])"),
        ("f(a)]", ""),
        ("# f(", ""),
        ("x = f(''' a", "\n''')"),
        ("x = 1 + \\", "\n"),
        ("%time f(", ""),
        ("'it' (", "\n)"),
    ],
)
def test_what_a_cell_leaves_open_is_closed(cell: str, closing: str) -> None:
    found = read_cell(cell.encode())
    assert found is not None
    assert found.closing.decode() == closing


MARKS = ("'", '"', "'''", '"""', "(", ")", "[", "#", "\\", "?", " = ", " ", "\n", "\r\n", "\r")
WORDS = (
    "a",
    "%x",
    "!y",
    "é",
    "漢",
    "if a:\n    ",
    "%%time\n",
    "%%bash\n",
    "b = !ls\n",
    "\n%time f(\n",
)
PIECES = st.sampled_from(MARKS + WORDS)


@given(st.lists(PIECES, max_size=14).map("".join))
def test_nothing_moves(cell: str) -> None:
    data = cell.encode()
    found = read_cell(data)
    if found is None:
        return
    assert len(found.text) == len(data)
    for old, new in zip(data, found.text, strict=True):
        assert old == new or new in b"# _"


@given(st.lists(st.sampled_from(["x = 1\n", "f(\n  %d\n)\n", "'''\n!a\n'''\n", "y = 5 % x\n"])))
def test_plain_python_stays_as_it_is(lines: list[str]) -> None:
    text = "".join(lines).replace("  %d", "  1")
    ast.parse(text)
    assert python(text) == text
