"""Cells and the text that is read for them, against the slow and obvious way."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types
from lsprotocol.types import PositionEncodingKind as Encoding
from tree_sitter import Tree

from completion.languages.ipython import Cell, read_cell
from completion.request import Origin, Suggestion, TextEdit
from completion.retrieval import asked_above
from indexing.extract import extract
from indexing.files import MAX_FILE_BYTES
from indexing.languages import Language
from indexing.symbols import FileSymbols
from lsp_server import notebooks
from lsp_server.convert import range_of
from lsp_server.documents import Document, offset_at, opened
from lsp_server.notebooks import Notebooks, Part, View, joined, whole

PIECES = ("a", "x = 1", "import os", " ", "é", "漢", "👩\u200d💻", "𝒳", "\n", "\r\n", "\r", "\x0c")
MAGICS = ("%time\n", "\n!ls é\n", "(", "'''", "%%bash\n", "files = !ls\n")
TEXTS = st.lists(st.sampled_from(PIECES + MAGICS), max_size=10).map("".join)
CODECS = {Encoding.Utf8: "utf-8", Encoding.Utf16: "utf-16-le", Encoding.Utf32: "utf-32-le"}
UNIT = {Encoding.Utf8: 1, Encoding.Utf16: 2, Encoding.Utf32: 4}


def cell(text: str, name: str = "c", language: str = "python") -> Document:
    return opened(f"vscode-notebook-cell:/nb.ipynb#{name}", language, 1, text)


def view(*texts: str) -> View:
    *above, last = [Part(cell(text, str(number))) for number, text in enumerate(texts)]
    made = joined(above, last)
    assert made is not None
    return made


def plainly(text: str, index: int, encoding: Encoding) -> types.Position:
    """The position of a character, counted line by line and unit by unit."""
    lines = re.split(r"\r\n|\r|\n", text[:index])
    return types.Position(len(lines) - 1, len(lines[-1].encode(CODECS[encoding])) // UNIT[encoding])


@given(st.lists(TEXTS, max_size=4), TEXTS, st.sampled_from(list(CODECS)), st.data())
def test_positions_go_there_and_back(
    above: list[str], text: str, encoding: Encoding, data: st.DataObject
) -> None:
    own = cell(text)
    parts = [Part(cell(each, str(number))) for number, each in enumerate(above)]
    made = joined(parts, Part(own))
    if made is None:
        assert text.lstrip().startswith("%%bash")
        return
    ends = [at for at in range(len(text) + 1) if text[at - 1 : at + 1] != "\r\n"]
    first, last = sorted(data.draw(st.tuples(st.sampled_from(ends), st.sampled_from(ends))))
    position = plainly(text, first, encoding)
    start = made.base + offset_at(own, position, encoding)
    assert len(made.text) == made.base + len(text.encode())
    assert start == made.base + len(text[:first].encode())
    end = made.base + len(text[:last].encode())
    edit = made.own(TextEdit(start, end, "new"))
    assert range_of(own, edit.start, edit.end, encoding) == types.Range(
        position, plainly(text, last, encoding)
    )
    changed = own.text[: edit.start] + b"new" + own.text[edit.end :]
    assert changed.decode() == text[:first] + "new" + text[last:]


@given(st.lists(TEXTS, min_size=1, max_size=4), st.data())
def test_an_edit_of_the_text_is_one_of_the_cell_that_it_lies_in(
    texts: list[str], data: st.DataObject
) -> None:
    texts = [text.replace("%%bash", "") for text in texts]
    made = view(*texts)
    index = data.draw(st.integers(0, len(texts) - 1))
    length = len(texts[index].encode())
    at = data.draw(st.integers(0, length))
    edit = TextEdit(made.starts[index] + at, made.starts[index] + length, ", name")
    assert made.placed(edit, across=True) == (made.cells[index], TextEdit(at, length, ", name"))


def test_cells_above_come_first_and_other_languages_are_left_out() -> None:
    every = [
        cell("import os", "1"),
        cell("select 1", "2", "sql"),
        cell("%%bash\nls (", "3"),
        cell("f(", "4"),
        cell("%time x = 1\ny = !ls", "5"),
    ]
    cells = [Part(each) for each in every]
    made = joined(cells, Part(cell("x.", "6")))
    assert made is not None
    assert made.text == b"import os\n\nf(\n)\n\n#          \ny = _# \n\nx."
    assert [each.uri[-1] for each in made.cells] == ["1", "4", "5", "6"]
    assert joined(cells[:1], cells[1]) is None
    assert joined(cells[:1], cells[2]) is None
    assert whole(every[0]).own(TextEdit(1, 2, "")) == TextEdit(1, 2, "")


@pytest.mark.parametrize(
    ("texts", "asked"),
    [
        (["x = 1", "# connect to the host\n"], "connect to the host"),
        (["x = 1", "!connect to the host\n"], ""),
        (["!connect to the host", ""], ""),
        (["# connect to the host", ""], ""),
    ],
)
def test_only_a_comment_of_the_cell_itself_is_a_request(texts: list[str], asked: str) -> None:
    made = view(*texts)
    assert asked_above(made.text, len(made.text)) == asked


@pytest.mark.parametrize(
    ("texts", "edit", "wanted"),
    [
        (("import os\nx = 1", "import re", "y"), "from m import n\n", ("0", "import os\nfrom m")),
        (("x = 1\n", "import re", "y"), "from m import n\n", ("1", "import re\nfrom m")),
        (("import re", "y"), "\nfrom m import n\n", ("0", "import re\nfrom m")),
        (("x = 1\n", "%%time\ny"), "from m import n\n\n", ("1", "%%time\nfrom m")),
        (("x = 1\n", "y"), "from m import n\n\n", ("1", "from m")),
        (("def f():\n    import os\n", "y"), "from m import n\n", ("1", "from m")),
    ],
)
def test_an_import_goes_into_the_first_cell_with_imports_or_the_cell_itself(
    texts: Sequence[str], edit: str, wanted: tuple[str, str]
) -> None:
    made = view(*texts)
    place, placed = made.placed(TextEdit(0, 0, edit), across=True)
    changed = place.text[: placed.start] + placed.text.encode() + place.text[placed.end :]
    assert (place.uri[-1], changed.decode().partition(" import n")[0]) == wanted
    place, _ = made.placed(TextEdit(0, 0, edit), across=False)
    assert place is made.document


def test_a_suggestion_edits_its_own_cell_alone() -> None:
    made = view("import os", "val")
    imported = TextEdit(0, 0, "from m import value\n")
    edit = TextEdit(made.base, made.base + 3, "value")
    item = Suggestion("value", "variable", Origin.IMPORTABLE, edit, 1.0, extra_edits=(imported,))
    own = made.suggestion(item, across=True)
    assert (own.edit, list(own.extra_edits)) == (TextEdit(0, 3, "value"), [])
    [(place, _)] = made.elsewhere(item)
    assert place.uri.endswith("#0")
    alone = made.suggestion(item, across=False)
    assert [each.text.strip() for each in alone.extra_edits] == ["from m import value"]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done: cells that are read, and texts that are parsed."""
    done: list[str] = []

    def counted(text: bytes) -> Cell | None:
        done.append(f"read {text.decode()}")
        return read_cell(text)

    def parsed(language: Language, tree: Tree, data: bytes) -> FileSymbols:
        done.append(f"parsed {data.decode()}")
        return extract(language, tree, data)

    monkeypatch.setattr(notebooks, "read_cell", counted)
    monkeypatch.setattr(notebooks, "extract", parsed)
    return done


def test_every_version_of_a_cell_is_read_and_parsed_once(read: list[str]) -> None:
    texts = {"1": "x = 1", "2": "import os", "3": "y = 2", "4": "val"}
    open_cells = {each.uri: each for each in (cell(text, name) for name, text in texts.items())}
    kinds = [types.NotebookCell(types.NotebookCellKind.Code, uri) for uri in open_cells]
    books = Notebooks()
    books.open(types.NotebookDocument("nb", "jupyter-notebook", 1, kinds))
    *_, last = open_cells

    def ask() -> None:
        made = books.view(open_cells[last], open_cells)
        assert made is not None
        edit = TextEdit(made.base, made.base + 3, "value")
        for number in range(50):
            item = Suggestion(
                *("value", "variable", Origin.IMPORTABLE, edit, 1.0),
                extra_edits=(TextEdit(0, 0, f"from m import value{number}\n"),),
            )
            shown = made.suggestion(item, across=True)
            assert list(shown.extra_edits) == []
            assert [place.text for place, _ in made.elsewhere(item)] == [b"import os"]

    for _ in range(3):
        ask()
    assert sorted(read) == [
        *("parsed import os", "parsed x = 1"),
        *("read import os", "read val", "read x = 1", "read y = 2"),
    ]
    read.clear()
    for text in ("valu", "value"):
        open_cells[last] = cell(text, "4")
        ask()
    assert read == ["read valu", "read value"]
    assert len(books._parts) == 4
    gone = types.NotebookCellArrayChange(0, 2)
    books.change("nb", types.NotebookDocumentCellChanges(_structure(gone)))
    assert len(books._parts) == 2
    books.close("nb")
    assert books._parts == {}


@pytest.mark.parametrize("above", [["x = 1", "#" * MAX_FILE_BYTES], ["#" * 600_000] * 2])
def test_cells_that_are_too_long_are_not_read(above: list[str], read: list[str]) -> None:
    shell = cell("%%bash\n" + "#" * MAX_FILE_BYTES, "b")
    short = joined([Part(shell), Part(cell("x = 1"))], Part(cell("y = 2")))
    assert short is not None
    assert (short.text, short.too_long) == (b"x = 1\n\ny = 2", False)
    read.clear()
    own = cell("z = 3", "z")
    made = joined([Part(cell(text)) for text in above], Part(own))
    assert made is not None
    assert (made.too_long, made.document, read) == (True, own, [])


def test_the_last_python_cell_sees_all_others() -> None:
    cells = [
        *(cell("x = 1", "1"), cell("%%time\ny = 2", "2"), cell("%%bash\nls", "3")),
        cell("select 1", "4", "sql"),
    ]
    documents = {each.uri: each for each in cells}
    kinds = [types.NotebookCell(types.NotebookCellKind.Code, uri) for uri in documents]
    kinds.append(types.NotebookCell(types.NotebookCellKind.Markup, "text"))
    books = Notebooks()
    books.open(types.NotebookDocument("nb", "jupyter-notebook", 1, kinds))
    assert books.last("nb", documents) is cells[1]
    assert books.last("nb", {each.uri: each for each in cells[2:]}) is None
    assert books.last("other", documents) is None


def test_cells_come_and_go() -> None:
    def listed(
        *uris: str, kind: types.NotebookCellKind = types.NotebookCellKind.Code
    ) -> list[types.NotebookCell]:
        return [types.NotebookCell(kind, uri) for uri in uris]

    text = listed("t", kind=types.NotebookCellKind.Markup)
    books = Notebooks()
    books.open(types.NotebookDocument("nb", "jupyter-notebook", 1, [*listed("a"), *text]))
    moved = types.NotebookCellArrayChange(1, 0, listed("b", "c"))
    books.change("nb", types.NotebookDocumentCellChanges(_structure(moved)))
    found = books.of("c")
    assert found is not None
    assert (found.cells, found.above("c")) == (("a", "b", "c", None), ["a", "b"])
    gone = types.NotebookCellArrayChange(0, 1)
    books.change("nb", types.NotebookDocumentCellChanges(_structure(gone)))
    books.change("unknown", types.NotebookDocumentCellChanges(_structure(gone)))
    assert books.of("a") is None
    assert books.of("t") is None
    assert books.of("b") is not None
    books.close("nb")
    assert books.of("b") is None


def _structure(array: types.NotebookCellArrayChange) -> types.NotebookDocumentCellChangeStructure:
    return types.NotebookDocumentCellChangeStructure(array)
