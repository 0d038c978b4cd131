"""Notebooks: which cells an open one has, and what is read where somebody types in one of them.

A cell is a document of its own. What is asked about it is asked about a text in which the code
cells above it come first, in their order, a blank line behind each (`ipython` says what becomes of
magics). Cells below have not run yet. The cell stands in that text byte for byte as long as it is
in the editor, so a position is mapped by adding where it begins.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from lsprotocol import types

from completion.importing import has_imports, statement_edit
from completion.languages.ipython import read_cell
from completion.request import Suggestion, TextEdit
from indexing.extract import extract
from indexing.languages.python import PYTHON
from indexing.lazy import Lazy
from indexing.parsing import normalise, parse
from indexing.symbols import FileSymbols
from lsp_server.documents import Document

_STATEMENT = re.compile(r"(?:from|import)\s.+", re.DOTALL)
SYNC = types.NotebookDocumentSyncOptions(
    [
        types.NotebookDocumentFilterWithCells(
            cells=[types.NotebookCellLanguage(PYTHON.name)], notebook="*"
        )
    ],
    save=True,
)
"""Which cells an editor is to tell of."""


@dataclass(frozen=True, slots=True)
class Notebook:
    """An open notebook; ``cells`` are its cells' URIs, in their order, None for those of text."""

    uri: str
    cells: tuple[str | None, ...]

    @property
    def last(self) -> str | None:
        """The last code cell."""
        return next((uri for uri in reversed(self.cells) if uri is not None), None)

    def above(self, cell: str) -> list[str]:
        """The code cells above a cell of the notebook."""
        return [uri for uri in self.cells[: self.cells.index(cell)] if uri is not None]

    def changed(self, change: types.NotebookDocumentCellChanges) -> Notebook:
        """The notebook with cells put in and taken out."""
        cells = list(self.cells)
        if structure := change.structure:
            array = structure.array
            stop = array.start + array.delete_count
            cells[array.start : stop] = map(_code_uri, array.cells or ())
        return replace(self, cells=tuple(cells))


def _code_uri(cell: types.NotebookCell) -> str | None:
    return cell.document if cell.kind == types.NotebookCellKind.Code else None


@dataclass(frozen=True, slots=True)
class View:
    """What is read where somebody types in ``document``: ``text``, in which it begins at ``base``.

    ``cells`` are the documents that ``text`` is made of, ``document`` the last, and ``starts`` the
    byte offsets at which they begin in it. A document that is no cell is its own and only one.
    """

    document: Document
    text: bytes
    cells: tuple[Document, ...]
    starts: tuple[int, ...]

    @property
    def base(self) -> int:
        """Where ``document`` begins in ``text``."""
        return self.starts[-1]

    def own(self, edit: TextEdit) -> TextEdit:
        """An edit of ``text`` as one of ``document``, in which it must lie."""
        return TextEdit(edit.start - self.base, edit.end - self.base, edit.text)

    def placed(self, edit: TextEdit, *, across: bool) -> tuple[Document, TextEdit]:
        """An import edit of ``text`` as one of the cell that it fits best.

        A new statement goes into the first cell with imports, else into the cell itself (always
        where not ``across`` cells); more names of a statement that is there go to it.
        """
        statement = edit.text.strip()
        if len(self.cells) > 1 and _STATEMENT.fullmatch(statement):
            fitting = next(filter(_has_imports, self.cells), self.document)
            cell = fitting if across else self.document
            return cell, statement_edit(_python(cell), _symbols(_python(cell)), statement)
        index = bisect_right(self.starts, edit.start) - 1
        start = self.starts[index]
        return self.cells[index], TextEdit(edit.start - start, edit.end - start, edit.text)

    def suggestion(self, item: Suggestion, *, across: bool) -> Suggestion:
        """A suggestion for ``text`` as one for ``document``, import edits of other cells left out.

        ``across``: as for `placed`.
        """
        if len(self.cells) == 1:
            return item

        def own() -> tuple[TextEdit, ...]:
            placed = (self.placed(edit, across=across) for edit in item.extra_edits)
            return tuple(edit for cell, edit in placed if cell is self.document)

        return replace(item, edit=self.own(item.edit), extra_edits=Lazy(own))

    def elsewhere(self, item: Suggestion) -> list[tuple[Document, TextEdit]]:
        """The import edits of a suggestion for ``text`` that belong into other cells."""
        placed = (self.placed(edit, across=True) for edit in item.extra_edits)
        return [(cell, edit) for cell, edit in placed if cell is not self.document]


def whole(document: Document) -> View:
    """The view of a document that is no cell."""
    return View(document, document.text, (document,), (0,))


def joined(above: Iterable[Document], cell: Document) -> View | None:
    """The view of a cell with those above it; None where the cell is not Python.

    Cells of other languages are left out, as are those that a cell magic gives to one.
    """
    own = read_cell(cell.text) if cell.language == PYTHON.name else None
    if own is None:
        return None
    text, cells, starts = bytearray(), [cell], [0]
    for each in above:
        if each.language == PYTHON.name and (read := read_cell(each.text)):
            text += read.text + read.closing + b"\n\n"
            cells.insert(-1, each)
            starts.append(len(text))
    return View(cell, bytes(text) + own.text, tuple(cells), tuple(starts))


def _python(cell: Document) -> bytes:
    read = read_cell(cell.text)
    assert read, "a view is made of Python cells"
    return read.text


def _has_imports(cell: Document) -> bool:
    return has_imports(_symbols(_python(cell)))


def _symbols(text: bytes) -> FileSymbols:
    data = normalise(text)
    return extract(PYTHON, parse(PYTHON, data), data)


class Notebooks:
    """The open notebooks."""

    def __init__(self) -> None:
        self._open: dict[str, Notebook] = {}

    def open(self, document: types.NotebookDocument) -> None:
        """The editor opened a notebook."""
        self._open[document.uri] = Notebook(
            document.uri, tuple(_code_uri(cell) for cell in document.cells)
        )

    def change(self, uri: str, change: types.NotebookDocumentCellChanges) -> None:
        """The editor changed which cells a notebook has; one that is not open is passed over."""
        if notebook := self._open.get(uri):
            self._open[uri] = notebook.changed(change)

    def close(self, uri: str) -> None:
        """The editor closed a notebook."""
        self._open.pop(uri, None)

    def of(self, cell: str) -> Notebook | None:
        """The notebook with this code cell."""
        return next((each for each in self._open.values() if cell in each.cells), None)

    def view(self, document: Document, documents: Mapping[str, Document]) -> View | None:
        """What is read where somebody types in ``document``, one of the open ``documents``.

        None in a cell that is not Python.
        """
        notebook = self.of(document.uri)
        if notebook is None:
            return whole(document)
        above = (documents.get(uri) for uri in notebook.above(document.uri))
        return joined([each for each in above if each is not None], document)
