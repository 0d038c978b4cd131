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
from functools import cached_property

from lsprotocol import types

from completion.importing import has_imports, statement_edit
from completion.languages.ipython import Cell, is_python, read_cell
from completion.request import Suggestion, TextEdit
from indexing.extract import extract
from indexing.files import MAX_FILE_BYTES
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


@dataclass(frozen=True, eq=False)
class Part:
    """A document and what is read of it if it is a Python cell, worked out when it is asked for."""

    document: Document

    @property
    def is_python(self) -> bool:
        """Whether it is Python by its language and its first line."""
        return self.document.language == PYTHON.name and is_python(self.document.text)

    @cached_property
    def cell(self) -> Cell:
        """The cell as Python reads it."""
        read = read_cell(self.document.text)
        assert read, "a view is made of Python cells"
        return read

    @cached_property
    def symbols(self) -> FileSymbols:
        """What the cell defines and imports."""
        data = normalise(self.cell.text)
        return extract(PYTHON, parse(PYTHON, data), data)


@dataclass(frozen=True, eq=False)
class View:
    """What is read where somebody types in a document: ``text``, of its ``parts``, it the last.

    ``starts`` are the byte offsets at which they begin in ``text``. A document that is no cell is
    its own and only part.
    """

    text: bytes
    parts: tuple[Part, ...]
    starts: tuple[int, ...]

    @property
    def document(self) -> Document:
        """Where somebody types."""
        return self.parts[-1].document

    @property
    def cells(self) -> tuple[Document, ...]:
        """The documents that ``text`` is made of."""
        return tuple(part.document for part in self.parts)

    @property
    def base(self) -> int:
        """Where ``document`` begins in ``text``."""
        return self.starts[-1]

    @property
    def too_long(self) -> bool:
        """Whether it is longer than what is read; only the text's length says anything then."""
        return len(self.text) > MAX_FILE_BYTES

    @cached_property
    def importing(self) -> Part:
        """The first cell with imports, or else the last."""
        return next((part for part in self.parts if has_imports(part.symbols)), self.parts[-1])

    def own(self, edit: TextEdit) -> TextEdit:
        """An edit of ``text`` as one of ``document``, in which it must lie."""
        return TextEdit(edit.start - self.base, edit.end - self.base, edit.text)

    def placed(self, edit: TextEdit, *, across: bool) -> tuple[Document, TextEdit]:
        """An import edit of ``text`` as one of the cell that it fits best.

        A new statement goes into the first cell with imports, else into the cell itself (always
        where not ``across`` cells); more names of a statement that is there go to it.
        """
        statement = edit.text.strip()
        if len(self.parts) > 1 and _STATEMENT.fullmatch(statement):
            part = self.importing if across else self.parts[-1]
            return part.document, statement_edit(part.cell.text, part.symbols, statement)
        index = bisect_right(self.starts, edit.start) - 1
        start = self.starts[index]
        document = self.parts[index].document
        return document, TextEdit(edit.start - start, edit.end - start, edit.text)

    def suggestion(self, item: Suggestion, *, across: bool) -> Suggestion:
        """A suggestion for ``text`` as one for ``document``, import edits of other cells left out.

        ``across``: as for `placed`.
        """
        if len(self.parts) == 1:
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
    return View(document.text, (Part(document),), (0,))


def joined(above: Iterable[Part], own: Part) -> View | None:
    """The view of a cell with those above it; None where the cell is not Python.

    Cells of other languages are left out, as are those that a cell magic gives to one. What would
    be `View.too_long` is not read at all.
    """
    if not own.is_python:
        return None
    parts = [*(part for part in above if part.is_python), own]
    if sum(len(part.document.text) for part in parts) > MAX_FILE_BYTES:
        unread = b"".join(part.document.text for part in parts)
        return View(unread, (own,), (len(unread) - len(own.document.text),))
    text, starts = bytearray(), [0]
    for part in parts[:-1]:
        text += part.cell.text + part.cell.closing + b"\n\n"
        starts.append(len(text))
    return View(bytes(text) + own.cell.text, tuple(parts), tuple(starts))


class Notebooks:
    """The open notebooks."""

    def __init__(self) -> None:
        self._open: dict[str, Notebook] = {}
        self._parts: dict[str, Part] = {}

    def open(self, document: types.NotebookDocument) -> None:
        """The editor opened a notebook."""
        self._open[document.uri] = Notebook(
            document.uri, tuple(_code_uri(cell) for cell in document.cells)
        )

    def change(self, uri: str, change: types.NotebookDocumentCellChanges) -> None:
        """The editor changed which cells a notebook has; one that is not open is passed over."""
        if notebook := self._open.get(uri):
            self._open[uri] = notebook.changed(change)
            self._forget_parts()

    def close(self, uri: str) -> None:
        """The editor closed a notebook."""
        self._open.pop(uri, None)
        self._forget_parts()

    def of(self, cell: str) -> Notebook | None:
        """The notebook with this code cell."""
        return next((each for each in self._open.values() if cell in each.cells), None)

    def last(self, uri: str, documents: Mapping[str, Document]) -> Document | None:
        """The last Python cell of a notebook, which sees all others; None where it has none."""
        cells = self._open[uri].cells if uri in self._open else ()
        found = [documents[cell] for cell in cells if cell and cell in documents]
        return next((cell for cell in reversed(found) if self._part(cell).is_python), None)

    def view(self, document: Document, documents: Mapping[str, Document]) -> View | None:
        """What is read where somebody types in ``document``, one of the open ``documents``.

        None in a cell that is not Python.
        """
        notebook = self.of(document.uri)
        if notebook is None:
            return whole(document)
        above = [documents[uri] for uri in notebook.above(document.uri) if uri in documents]
        return joined(map(self._part, above), self._part(document))

    def _part(self, cell: Document) -> Part:
        """What is read of a cell: kept as long as it stays the same, and is there."""
        part = self._parts.get(cell.uri)
        if part is None or part.document is not cell:
            part = self._parts[cell.uri] = Part(cell)
        return part

    def _forget_parts(self) -> None:
        here = {uri for notebook in self._open.values() for uri in notebook.cells}
        self._parts = {uri: part for uri, part in self._parts.items() if uri in here}
