"""One editor's session: what is open, the workspace's folders, helper processes, settings.

It knows what to ask the engine and with which text; it does not know how an answer is sent. Every
method that reads a document does so before its first ``await``, so an answer belongs to the text
that the question was asked about.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lsprotocol import types

from completion import engine, retrieval
from completion.request import ApiAnswer, Code, Ghost, Popup, Reason, Suggestion, TextEdit
from indexing import quiet
from lsp_server.acceptance import Acceptance
from lsp_server.documents import Document
from lsp_server.editor import Editor
from lsp_server.folders import Folder, Folders
from lsp_server.ghosts import Ghosts, Given, Imports
from lsp_server.helpers import (
    LOADING,
    FolderHelpers,
    Library,
    Model,
    model_program,
    shared_model,
    summary,
)
from lsp_server.notebooks import View
from lsp_server.parts import missing
from lsp_server.processes import Helper, stop_all
from lsp_server.questions import Question, Questions
from lsp_server.settings import PopupMode, Settings
from lsp_server.texts import Texts

log = logging.getLogger(__name__)

KEPT_POPUPS = 8
"""How many popups can still be resolved."""
PROMOTED_ITEMS = 5
"""How many names are put on top of another server's."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A popup with the number that its items carry and the text that it is for.

    ``promoted``: it is to stand on top of another server's. ``found`` are its items as ones for the
    text of ``view``.
    """

    popup: Popup
    number: int
    document: Document
    offset: int
    promoted: bool
    view: View
    found: tuple[Suggestion, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """What the person should know: what is wrong, and what is being prepared, in words."""

    problems: tuple[str, ...]
    busy: tuple[str, ...]


Progressed = Callable[[Folder, Mapping[str, Any]], None]


class Session:
    """Everything that lives from ``initialize`` to ``shutdown``."""

    def __init__(
        self,
        editor: Editor,
        settings: Settings,
        *,
        changed: Callable[[], None],
        progressed: Progressed,
        share_model: bool = True,
    ) -> None:
        """``changed`` is called when the status may have changed, ``progressed`` while indexing.

        ``share_model``: with the user's other editors.
        """
        self.editor = editor
        self._changed = changed
        self._progressed = progressed
        self._share_model = share_model
        self._started = False
        self._popups: OrderedDict[int, Listed] = OrderedDict()
        self._numbers = itertools.count(1)
        self.acceptance = Acceptance()
        self._folders = Folders(editor, settings, self._heard, self._renewed)
        self._texts = Texts(self._folders, editor.encoding)
        self._questions = Questions(
            editor, self._folders, self._texts, self.acceptance, self._helpers_for
        )
        self._ghosts = Ghosts(
            self._folders, self._texts, self._questions, self.acceptance, editor.encoding
        )
        self._model: Model | None = None
        self._library = Library()
        self._no_model, self._no_library = missing("torch"), missing("jedi")

    @property
    def settings(self) -> Settings:
        """The settings in force; folders may have others (`own_settings`)."""
        return self._folders.settings

    @property
    def own_settings(self) -> Mapping[Path, Settings]:
        """Those of folders that have others."""
        return self._folders.own

    @property
    def roots(self) -> list[Path]:
        """The open workspace folders."""
        return [folder.root for folder in self._folders.all]

    # What the editor tells ------------------------------------------------------------------------

    def open_document(self, item: types.TextDocumentItem) -> None:
        """The editor opened a document: its text counts from now on, not the file's."""
        self._wake_for(self._texts.open(item))

    def change_document(
        self, uri: str, version: int, changes: Iterable[types.TextDocumentContentChangeEvent]
    ) -> None:
        """The editor changed an open document."""
        if document := self._texts.change(uri, version, changes):
            self._wake_for(document)
            self._ghosts.changed(document)

    def close_document(self, uri: str) -> None:
        """The editor closed a document: the file counts again."""
        if self.is_open(uri):
            self._ghosts.forget(uri)
            self._texts.close(uri)
            self.files_changed([uri])

    def open_notebook(
        self, notebook: types.NotebookDocument, cells: Iterable[types.TextDocumentItem]
    ) -> None:
        """The editor opened a notebook: its cells are documents that see those above them."""
        for document in self._texts.open_notebook(notebook, cells):
            self._wake_for(document)

    def change_notebook(self, uri: str, change: types.NotebookDocumentCellChanges) -> None:
        """The editor changed which cells a notebook has, or their texts."""
        self._texts.change_cells(uri, change)
        for item in (change.structure and change.structure.did_open) or ():
            self.open_document(item)
        for gone in (change.structure and change.structure.did_close) or ():
            self._ghosts.forget(gone.uri)
        for text in change.text_content or ():
            self.change_document(text.document.uri, text.document.version, text.changes)

    def close_notebook(self, uri: str, cells: Iterable[str]) -> None:
        """The editor closed a notebook with all its cells."""
        closed = tuple(cells)
        for cell in closed:
            self._ghosts.forget(cell)
        self._texts.close_notebook(uri, closed)

    def is_open(self, uri: str) -> bool:
        """Whether the editor has the document open."""
        return self._texts.get(uri) is not None

    async def change_folders(self, added: Iterable[Path], removed: Iterable[Path]) -> None:
        """Open and close workspace folders; what they were indexed by ends."""
        before = self._texts.places()
        unneeded = self._folders.change(added, removed)
        self._texts.move(before)
        if self._started:
            self._folders.start()
        await stop_all(unneeded)

    def files_changed(self, uris: Iterable[str]) -> None:
        """Files changed on disk: the indexers look at them again."""
        self._library.forget()
        self._folders.files_changed(uris)

    # What the editor asks -------------------------------------------------------------------------

    async def popup(
        self, uri: str, position: types.Position, *, automatic: bool = False
    ) -> Listed | Reason:
        """The names for the popup at a position; ``automatic``: nobody asked for it by hand."""
        promoted = self.settings.popup == PopupMode.PROMOTE
        if self.settings.popup == PopupMode.OFF:
            return Reason(Code.DISABLED, "the popup is switched off (lancefill.popup)")
        question = self._questions.at(uri, position, automatic=automatic)
        if isinstance(question, Reason):
            return question
        with quiet.answering():
            popup = await engine.popup(*self._questions.taken(question))
        if promoted:
            popup = replace(popup, items=popup.items[:PROMOTED_ITEMS])
        unfinished = question.folder.unfinished
        if unfinished and not popup.items:
            popup = replace(popup, reasons=(unfinished, *popup.reasons))
        listed = self._listed(question, popup, promoted=promoted)
        self._popups[listed.number] = listed
        while len(self._popups) > KEPT_POPUPS:
            self._popups.popitem(last=False)
        return listed

    def _listed(self, question: Question, popup: Popup, *, promoted: bool) -> Listed:
        """The popup as one for the document that it was asked for in."""
        view, across = question.view, self.editor.applies_edits
        own = tuple(view.suggestion(item, across=across) for item in popup.items)
        number, shown = next(self._numbers), replace(popup, items=own)
        place = question.document, question.offset
        return Listed(shown, number, *place, promoted=promoted, view=view, found=popup.items)

    def elsewhere(self, number: object, rank: object) -> list[tuple[Document, TextEdit]]:
        """The import edits of a popup's item that belong into other cells of the notebook.

        Those of cells that were edited meanwhile are left out.
        """
        item = self._item(number, rank)
        if item is None:
            return []
        listed, at = item
        found = listed.view.elsewhere(listed.found[at])
        return [(cell, edit) for cell, edit in found if self._texts.get(cell.uri) is cell]

    def listed(self, number: object, rank: object) -> tuple[Suggestion, Document] | None:
        """The suggestion behind an item of a recent popup, and the text that it is for."""
        item = self._item(number, rank)
        if item is None:
            return None
        listed, at = item
        return listed.popup.items[at], listed.document

    def _item(self, number: object, rank: object) -> tuple[Listed, int] | None:
        """A recent popup and the place of an item in it; None where there is no such item."""
        listed = self._popups.get(number) if isinstance(number, int) else None
        if listed is None or not isinstance(rank, int) or not 0 <= rank < len(listed.found):
            return None
        return listed, rank

    async def ghost(
        self,
        uri: str,
        position: types.Position,
        *,
        selected: str | None,
        automatic: bool = False,
    ) -> Given | Reason:
        """The ghost text at a position; ``automatic``: nobody asked for it by hand."""
        if not self.settings.ghost_text:
            return Reason(Code.DISABLED, "ghost text is switched off (lancefill.ghostText)")
        if self._no_model:
            return Reason(Code.MODEL_MISSING, self._no_model)
        return await self._ghosts.at(uri, position, selected=selected, automatic=automatic)

    def work_ahead(self, uri: str, offset: int) -> None:
        """Work out what will be answered at a byte offset: the person is about to go on there."""
        self._ghosts.work_ahead(uri, offset)

    def imports_of(self, number: int) -> Imports | None:
        """What the accepted ghost text of this number needs; see `Ghosts.imports_of`."""
        return self._ghosts.imports_of(number)

    async def explain(self, uri: str, position: types.Position) -> engine.Explanation | Reason:
        """Everything that a request at a position leads to."""
        question = self._questions.at(uri, position)
        if isinstance(question, Reason):
            return question
        told = await engine.explain(*self._questions.taken(question))
        if self._no_model:
            return replace(told, ghost=Ghost(None, Reason(Code.MODEL_MISSING, self._no_model)))
        return told

    async def ask(self, query: str, limit: int, uri: str = "") -> list[tuple[Path, ApiAnswer]]:
        """The APIs that fit a request in plain words, each with the folder that it is in.

        Asked in the folder of the document ``uri``, or in all of them. The first question reads
        what the APIs are about, in a thread: editors go on being served.
        """
        self._texts.catch_up()
        document = self._texts.get(uri)
        asked = (
            [self._texts.place(document)]
            if document
            else [(each, "") for each in self._folders.all]
        )
        found: list[tuple[Path, ApiAnswer]] = []
        for folder, near in asked:
            folder.index.refresh()
            snapshot = folder.index.snapshot()
            answers = await asyncio.to_thread(retrieval.ask, snapshot, query, limit, near)
            found += [(folder.root, answer) for answer in answers]
        found.sort(key=lambda pair: -pair[1].score)
        return found[:limit]

    # Helper processes and settings ----------------------------------------------------------------

    def start(self) -> None:
        """Start the helper processes in the background."""
        self._started = True
        self._folders.start()
        for document in self._texts:
            self._wake_for(document)
        self._start_model()

    async def stop(self) -> None:
        """End the helper processes; an index that could not be kept goes with them."""
        self.acceptance.stop()
        self._ghosts.clear()
        await stop_all(self._helpers())
        self._folders.discard()

    async def apply(self, settings: Settings, own: Mapping[Path, Settings] | None = None) -> None:
        """Take new settings into force; what they do not touch goes on undisturbed.

        ``own`` are those of workspace folders that have others, see `Folders`.
        """
        before = self.settings
        outdated = self._folders.apply(settings, own or {})
        self._ghosts.clear()
        if (before.ghost_text, before.device) != (settings.ghost_text, settings.device):
            outdated += [self._model.helper] if self._model else []
            self._model = None
        await stop_all(outdated)
        if self._started:
            self._folders.start()
            self._start_model()
            self._changed()

    def status(self) -> Status:
        """What the person should know."""
        lacking = self._no_model if self.settings.ghost_text else None, self._no_library
        problems = [*self._folders.problems, *filter(None, lacking)]
        problems += [
            f"{folder.root.name} cannot be indexed: {folder.problem}"
            for folder in self._folders.all
            if folder.problem
        ]
        busy = [f"indexing {folder.root.name}" for folder in self._folders.all if folder.busy]
        reason = self._model.reason if self._model else None
        if reason and reason.code is Code.MODEL_LOADING:
            busy.append(reason.message)
        elif reason and reason.code is Code.MODEL_FAILED:
            problems.append(f"{reason.message}; the log and `lancefill doctor` say why")
        elif reason:
            problems.append(reason.message)
        problems += [
            f"{folder.root.name} is completed without what was learnt of it: {problem}"
            for folder in self._folders.all
            if (problem := self._adapter_problem(folder))
        ]
        return Status(tuple(problems), tuple(busy))

    def report(self) -> dict[str, object]:
        """The session's state as a JSON value, for ``lancefill/status``."""
        self._texts.catch_up()
        return {
            "editor": self.editor.name,
            "encoding": self.editor.encoding.value,
            "trusted": self.editor.trusted,
            "documents": len(self._texts),
            "problems": list(self.status().problems),
            "helpers": [summary(helper.health) for helper in self._helpers()],
            "model": self._model_state(),
            "running": dict(self._model.facts) if self._model else {},
            "acceptance": self.acceptance.report(self.settings.min_confidence),
            "folders": [
                {
                    "root": str(folder.root),
                    "files": len(folder.index.snapshot().paths),
                    "secrets": folder.secrets,
                    "watched": int(folder.progress.get("watched", 0)),
                    "ngrams": folder.index.snapshot().ngram_folder is not None,
                    "adapter": self._adapter_state(folder),
                    "interpreter": str(folder.environment.interpreter),
                    "foundBy": folder.environment.found_by,
                    "progress": dict(folder.progress),
                }
                for folder in self._folders.all
            ],
        }

    def _model_state(self) -> str:
        if not self.settings.ghost_text:
            return "off"
        reason = self._model.reason if self._model else LOADING
        return self._no_model or (reason.message if reason else "ready")

    def _adapter_problem(self, folder: Folder) -> str | None:
        """Why a folder's adapter is not used; None where there is none or nobody knows yet."""
        adapter = folder.index.snapshot().adapter_folder
        if adapter is None or self._model is None:
            return None
        return self._model.adapter_problem(str(adapter))

    def _adapter_state(self, folder: Folder) -> str | None:
        if folder.index.snapshot().adapter_folder is None:
            return None
        problem = self._adapter_problem(folder)
        return "not used yet" if problem is None else problem or "used"

    def _helpers(self) -> list[Helper]:
        indexers = [folder.indexer for folder in self._folders.all if folder.indexer]
        model = [self._model.helper] if self._model else []
        return [*indexers, self._library.helper, *model]

    def _wake_for(self, document: Document) -> None:
        if self._started and document.language == "python" and not self._no_library:
            self._library.wake()

    def _start_model(self) -> None:
        if self.settings.ghost_text and self._model is None and not self._no_model:
            device = self.settings.device
            shared = self._share_model
            program = shared_model(device) if shared else model_program(device, in_use=True)
            self._model = Model(program, self._changed)
            self._model.helper.start()

    def _helpers_for(self, folder: Folder, document: Document) -> FolderHelpers:
        self._wake_for(document)
        return FolderHelpers(folder.root, folder.environment, self._model, self._library)

    def _heard(self, folder: Folder, progress: Mapping[str, Any]) -> None:
        self._progressed(folder, progress)
        self._changed()

    def _renewed(self, folder: Folder) -> None:
        """The index of a folder is another one."""
        self._library.forget()
        self._ghosts.renewed()
        self._texts.prepare(folder)
