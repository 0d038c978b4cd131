"""From a position in the editor to what the engine takes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from lsprotocol import types

from completion import engine
from completion.request import Code, Ghost, Reason, Request
from indexing import quiet
from indexing.files import MAX_FILE_BYTES, is_secret
from indexing.index import Snapshot
from indexing.languages import language_of
from lsp_server import acceptance, documents
from lsp_server.acceptance import Acceptance
from lsp_server.documents import Document
from lsp_server.editor import Editor
from lsp_server.folders import Folder, Folders
from lsp_server.helpers import FolderHelpers
from lsp_server.notebooks import View
from lsp_server.settings import options
from lsp_server.texts import Texts


@dataclass(frozen=True, slots=True)
class Question:
    """What the engine is asked: the request, for the text that ``view`` makes of a document."""

    request: Request
    view: View
    folder: Folder

    @property
    def document(self) -> Document:
        """Where it was asked."""
        return self.view.document

    @property
    def offset(self) -> int:
        """The cursor's byte offset in that document."""
        return self.request.offset - self.view.base

    def own(self, ghosts: Iterable[Ghost]) -> tuple[Ghost, ...]:
        """The engine's ghost texts as ones for that document."""
        return tuple(
            replace(ghost, edit=self.view.own(ghost.edit)) if ghost.edit else ghost
            for ghost in ghosts
        )


Taken = tuple[Request, Snapshot, FolderHelpers, engine.Options]
"""What the engine takes."""


class Questions:
    """Makes questions of positions, or says why there can be none."""

    def __init__(
        self,
        editor: Editor,
        folders: Folders,
        texts: Texts,
        counted: Acceptance,
        helpers: Callable[[Folder, Document], FolderHelpers],
    ) -> None:
        """``helpers`` are those that may be asked about a document in a folder."""
        self._editor = editor
        self._folders = folders
        self._texts = texts
        self._acceptance = counted
        self._helpers = helpers

    def at(
        self,
        uri: str,
        position: types.Position,
        *,
        selected: str | None = None,
        automatic: bool = False,
    ) -> Question | Reason:
        """The question at a position, about the text as it is now."""
        self._texts.catch_up()
        document = self._texts.get(uri)
        if document is None:
            return Reason(Code.NOT_INDEXED, "the document is not open")
        view = self._texts.view(document)
        if view is None:
            return Reason(Code.LANGUAGE, "this cell of the notebook is not Python")
        if view.too_long:
            size, limit = len(view.text) / 1e6, MAX_FILE_BYTES / 1e6
            message = f"the file has {size:.1f} MB; the limit is {limit:.1f} MB"
            return Reason(Code.FILE_TOO_LARGE, message)
        folder, name = self._texts.place(document)
        if language_of(name) is None and is_secret(name):
            return engine.SECRET_FILE
        if language_of(name) is None:
            return Reason(Code.NOT_INDEXED, f"{document.language} is not a language known here")
        folder.index.refresh()
        if self._texts.is_cell(uri):
            self._texts.take_up(document)  # another cell may have been read last
        offset = view.base + documents.offset_at(document, position, self._editor.encoding)
        request = Request(name, view.text, offset, selected, automatic)
        return Question(request, view, folder)

    def taken(self, question: Question, waited: float = 0.0) -> Taken:
        """What the engine takes; ``waited`` are the seconds since the question was asked."""
        quiet.asked()
        folder = question.folder
        chosen = options(self._folders.settings, self._editor.snippets)
        sure = acceptance.threshold(chosen.min_confidence, self._acceptance.counts.share)
        left = chosen.ghost_deadline_ms - 1000 * waited
        chosen = replace(chosen, min_confidence=sure, ghost_deadline_ms=left)
        helpers = self._helpers(folder, question.document)
        return question.request, folder.index.snapshot(), helpers, chosen
