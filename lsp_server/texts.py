"""What is open in the editor, and in which folder's index it counts."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from lsprotocol import types

from completion import engine
from indexing import quiet
from lsp_server import documents
from lsp_server.documents import Document, Encoding
from lsp_server.folders import Folder, Folders
from lsp_server.idle import Idle
from lsp_server.notebooks import Notebooks, View
from lsp_server.paths import name_in, notebook_name_in

log = logging.getLogger(__name__)

TAKE_UP_S = 0.02
"""So long after a change the index takes it up, where no question needs it before: a letter typed
of ghost text that is shown needs no index, and of letters that come at once one parse is enough."""


class Texts:
    """The open documents, some of them cells of notebooks; indexes are told of what they hold."""

    def __init__(self, folders: Folders, encoding: Encoding) -> None:
        """``encoding`` is that of positions."""
        self._folders = folders
        self._encoding = encoding
        self._documents: dict[str, Document] = {}
        self._notebooks = Notebooks()
        self._behind: set[str] = set()
        self._taking_up = Idle(self.catch_up, TAKE_UP_S)

    def __iter__(self) -> Iterator[Document]:
        return iter(tuple(self._documents.values()))

    def __len__(self) -> int:
        return len(self._documents)

    def get(self, uri: str) -> Document | None:
        """The document as it is now; None where it is not open."""
        return self._documents.get(uri)

    # What the editor does -------------------------------------------------------------------------

    def open(self, item: types.TextDocumentItem) -> Document:
        """A document was opened: its text counts from now on, not the file's."""
        document = self._documents[item.uri] = _opened(item)
        self.take_up(document)
        self._prepare(document)
        return document

    def change(
        self, uri: str, version: int, changes: Iterable[types.TextDocumentContentChangeEvent]
    ) -> Document | None:
        """An open document changed; what it is now."""
        document = self._documents.get(uri)
        if document is None:
            log.warning("a change of a document that is not open was left out")
            return None
        document = documents.changed(document, version, changes, self._encoding)
        self._documents[uri] = document
        self._behind.add(uri)
        self._taking_up.postpone()
        return document

    def close(self, uri: str) -> None:
        """A document was closed: the file counts again."""
        if document := self._documents.pop(uri, None):
            folder, name = self.place(document)
            folder.index.forget(name)

    def open_notebook(
        self, notebook: types.NotebookDocument, cells: Iterable[types.TextDocumentItem]
    ) -> list[Document]:
        """A notebook was opened: its cells are documents that see those above them."""
        self._notebooks.open(notebook)
        opened = [_opened(item) for item in cells]
        self._documents |= {document.uri: document for document in opened}
        if last := self._notebooks.last(notebook.uri, self._documents):
            self.take_up(last)
            self._prepare(last)
        return opened

    def change_cells(self, uri: str, change: types.NotebookDocumentCellChanges) -> None:
        """A notebook got or lost cells; those that it got are opened by `open`."""
        self._notebooks.change(uri, change)
        for gone in (change.structure and change.structure.did_close) or ():
            self._documents.pop(gone.uri, None)

    def close_notebook(self, uri: str, cells: Iterable[str]) -> None:
        """A notebook was closed with all its cells."""
        for cell in cells:
            self._documents.pop(cell, None)
        self._notebooks.close(uri)
        folder = self._folders.of(uri)
        folder.index.forget(notebook_name_in(folder.root, uri))

    # What is read ---------------------------------------------------------------------------------

    def is_cell(self, uri: str) -> bool:
        """Whether a document is a notebook's cell."""
        return self._notebooks.of(uri) is not None

    def view(self, document: Document) -> View | None:
        """What is read where somebody types in a document; None in a cell that is not Python."""
        return self._notebooks.view(document, self._documents)

    def place(self, document: Document) -> tuple[Folder, str]:
        """The folder of a document, and what it is called there."""
        if notebook := self._notebooks.of(document.uri):
            folder = self._folders.of(notebook.uri)
            return folder, notebook_name_in(folder.root, notebook.uri)
        folder = self._folders.of(document.uri)
        return folder, name_in(folder.root, document.uri, document.language)

    # Indexes --------------------------------------------------------------------------------------

    def catch_up(self) -> None:
        """Let the indexes take up the changes that no question needed so far."""
        behind, self._behind = self._behind, set()
        for document in [self._documents[uri] for uri in behind if uri in self._documents]:
            self.take_up(document)

    def take_up(self, document: Document) -> None:
        """Let the folder's index read a document as it is now."""
        quiet.asked()
        folder, name = self.place(document)
        view = self.view(document)
        if view and not view.too_long:
            folder.index.update(name, view.text)
        elif view:
            folder.index.forget(name)

    def prepare(self, folder: Folder) -> None:
        """The index is another one: what the open documents' popups need is read from it now."""
        self.catch_up()
        for document in self:
            if self.place(document)[0] is folder:
                self._prepare(document)

    def places(self) -> list[tuple[Folder, str]]:
        """Where all documents are, for `move`."""
        self.catch_up()
        return [self.place(document) for document in self]

    def move(self, before: Iterable[tuple[Folder, str]]) -> None:
        """Folders were opened or closed: documents that were elsewhere count where they are now."""
        for document, (folder, name) in zip(self, before, strict=True):
            if self.place(document) != (folder, name):
                folder.index.forget(name)
                self.take_up(document)

    def _prepare(self, document: Document) -> None:
        """See `engine.prepare`; of a notebook the cell that sees all others is enough."""
        notebook = self._notebooks.of(document.uri)
        if notebook and self._notebooks.last(notebook.uri, self._documents) is not document:
            return
        folder, name = self.place(document)
        view = self.view(document)
        if view and not view.too_long:
            ghost = self._folders.settings.ghost_text
            engine.prepare(name, view.text, folder.index.snapshot(), ghost=ghost)


def _opened(item: types.TextDocumentItem) -> Document:
    return documents.opened(item.uri, item.language_id, item.version, item.text)
