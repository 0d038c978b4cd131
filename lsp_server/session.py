"""One editor's session: its open documents, workspace folders, helper processes and settings.

It knows what to ask the engine and with which text; it does not know how an answer is sent. Every
method that reads a document does so before its first ``await``, so an answer belongs to the text
that the question was asked about.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lsprotocol import types

from completion import engine, retrieval
from completion.request import (
    ApiAnswer,
    Code,
    Ghost,
    Popup,
    Reason,
    Request,
    Suggestion,
    TextEdit,
)
from indexing import quiet
from indexing.cache import Place, workspace_folder
from indexing.files import MAX_FILE_BYTES, MAY_HOLD_SECRETS, is_secret
from indexing.index import Index, Snapshot
from indexing.languages import language_of
from lsp_server import acceptance, documents, environment
from lsp_server.acceptance import Acceptance
from lsp_server.ahead import Ahead
from lsp_server.documents import Document, word_before
from lsp_server.editor import Editor
from lsp_server.environment import Environment
from lsp_server.helpers import (
    LOADING,
    NICENESS,
    FolderHelpers,
    Library,
    Model,
    model_program,
    shared_model,
    summary,
)
from lsp_server.idle import Idle
from lsp_server.notebooks import Notebooks, View
from lsp_server.parts import missing
from lsp_server.paths import name_in, notebook_name_in, path_of, relative_to
from lsp_server.processes import Helper, module, stop_all
from lsp_server.progress import ENDED
from lsp_server.rhythm import IN_TIME_S, Rhythm
from lsp_server.settings import PopupMode, Settings, options
from lsp_server.shown import Memory

log = logging.getLogger(__name__)

KEPT_POPUPS = 8
"""How many popups can still be resolved."""
PROMOTED_ITEMS = 5
"""How many names are put on top of another server's."""
TAKE_UP_S = 0.02
"""So long after a change the index takes it up, where no question needs it before: a letter typed
of ghost text that is shown needs no index, and of letters that come at once one parse is enough."""
LOGGED_SKIPPED = 20
"""How many skipped files are named in the log at once."""
DELETED = Reason(
    Code.GATED, "text was just deleted here; type on, or ask for it by key to get it anyway"
)
TYPED_ON = Reason(Code.SUPERSEDED, "the text changed before the model was asked")
JUDGED = frozenset(
    (
        *(Code.GATED, Code.EMPTY, Code.REPEATS_SUFFIX, Code.REPEATS_ABOVE, Code.UNBALANCED),
        *(Code.SECRET, Code.UNKNOWN_NAME, Code.NOTHING_FITS, Code.LOW_CONFIDENCE, Code.LANGUAGE),
    )
)
"""Reasons that hold as long as the text does: who asks again would hear the same."""
READY = "ready"
EVERYWHERE = Path(Path.cwd().anchor)


class Folder:
    """One workspace folder: its index, the process that writes it, the Python it is written for.

    ``progress`` is the indexer's last word, ``problem`` why it could not do its work the last time.
    The folder without an ``indexer`` takes the documents that lie in no workspace folder.
    """

    def __init__(self, root: Path, index: Index, surroundings: Environment) -> None:
        self.root = root
        self.index = index
        self.surround(surroundings)
        self.indexer: Helper | None = None
        self.progress: Mapping[str, Any] = {}
        self.problem = ""
        self.told_skipped: set[tuple[str, str]] = set()

    def surround(self, surroundings: Environment) -> None:
        """The Python that the folder is written for is this one now."""
        self.environment = surroundings
        self.index.use_packages(surroundings.packages)


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
class Given:
    """Ghost text, or why there is none, with the text and the cursor that it is for.

    ``number`` is the one that its acceptance is told by, None where there is nothing to accept.
    ``others`` are alternatives, the best first.
    """

    ghost: Ghost
    document: Document
    offset: int
    number: int | None = None
    others: tuple[Given, ...] = ()


@dataclass(frozen=True, slots=True)
class Imports:
    """The edits that import what accepted ghost text uses; ``end`` is where the text then ends.

    Each comes with the document that it is for: in a notebook that may be another cell.
    """

    document: Document
    edits: tuple[tuple[Document, TextEdit], ...]
    end: int


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
        self.settings = settings
        self._changed = changed
        self._progressed = progressed
        self._share_model = share_model
        self._started = False
        self._documents: dict[str, Document] = {}
        self._notebooks = Notebooks()
        self._popups: OrderedDict[int, Listed] = OrderedDict()
        self._numbers = itertools.count(1)
        self._memory = Memory()
        self._ahead: Ahead[tuple[Ghost, ...] | None] = Ahead()
        self._rhythm = Rhythm()
        self._behind: set[str] = set()
        self._taking_up = Idle(self._catch_up, TAKE_UP_S)
        self.acceptance = Acceptance()
        self._problems: list[str] = []
        self._cache: Path | None = None
        self.own: Mapping[Path, Settings] = {}
        self._folders = [self._open_folder(root) for root in dict.fromkeys(editor.roots)]
        self._outside = Folder(
            EVERYWHERE,
            Index(EVERYWHERE, Place(Path(os.devnull))),
            self._environment(EVERYWHERE),
        )
        self._model: Model | None = None
        self._library = Library()
        self._no_model, self._no_library = missing("torch"), missing("jedi")

    # Documents ------------------------------------------------------------------------------------

    def open_document(self, item: types.TextDocumentItem) -> None:
        """The editor opened a document: its text counts from now on, not the file's."""
        document = self._documents[item.uri] = _opened(item)
        self._wake_for(document)
        self._take_up(document)
        self._prepare(document)

    def change_document(
        self, uri: str, version: int, changes: Iterable[types.TextDocumentContentChangeEvent]
    ) -> None:
        """The editor changed an open document."""
        document = self._documents.get(uri)
        if document is None:
            log.warning("a change of a document that is not open was left out")
            return
        self._documents[uri] = documents.changed(document, version, changes, self.editor.encoding)
        self._rhythm.key()
        self._wake_for(document)
        self._behind.add(uri)
        self._taking_up.postpone()
        shown = self._memory.ended(uri, self._documents[uri].text)
        if shown is not None:
            self.work_ahead(uri, shown.end)

    def close_document(self, uri: str) -> None:
        """The editor closed a document: the file counts again."""
        document = self._drop(uri)
        if document is not None:
            folder, name = self._place(document)
            folder.index.forget(name)
            self.files_changed([uri])

    def open_notebook(
        self, notebook: types.NotebookDocument, cells: Iterable[types.TextDocumentItem]
    ) -> None:
        """The editor opened a notebook: its cells are documents that see those above them."""
        self._notebooks.open(notebook)
        opened = [_opened(item) for item in cells]
        self._documents |= {document.uri: document for document in opened}
        for document in opened[-1:]:  # it sees all others
            self._take_up(document)
            self._prepare(document)

    def change_notebook(self, uri: str, change: types.NotebookDocumentCellChanges) -> None:
        """The editor changed which cells a notebook has, or their texts."""
        self._notebooks.change(uri, change)
        for item in (change.structure and change.structure.did_open) or ():
            self.open_document(item)
        for gone in (change.structure and change.structure.did_close) or ():
            self._drop(gone.uri)
        for text in change.text_content or ():
            self.change_document(text.document.uri, text.document.version, text.changes)

    def close_notebook(self, uri: str, cells: Iterable[str]) -> None:
        """The editor closed a notebook with all its cells."""
        for cell in cells:
            self._drop(cell)
        self._notebooks.close(uri)
        folder = self._folder_of(uri)
        folder.index.forget(notebook_name_in(folder.root, uri))

    def is_open(self, uri: str) -> bool:
        """Whether the editor has the document open."""
        return uri in self._documents

    def _drop(self, uri: str) -> Document | None:
        self._memory.forget(uri)
        return self._documents.pop(uri, None)

    def _catch_up(self) -> None:
        """Let the indexes take up the changes that no question needed so far."""
        behind, self._behind = self._behind, set()
        for document in [self._documents[uri] for uri in behind if uri in self._documents]:
            self._take_up(document)

    def _take_up(self, document: Document) -> None:
        quiet.asked()
        folder, name = self._place(document)
        view = self._view(document)
        if view and len(view.text) <= MAX_FILE_BYTES:
            folder.index.update(name, view.text)
        elif view:
            folder.index.forget(name)

    def _prepare(self, document: Document) -> None:
        """See `engine.prepare`; of a notebook the last cell, which sees all others, is enough."""
        notebook = self._notebooks.of(document.uri)
        if notebook and notebook.last != document.uri:
            return
        folder, name = self._place(document)
        view = self._view(document)
        if view and len(view.text) <= MAX_FILE_BYTES:
            snapshot = folder.index.snapshot()
            engine.prepare(name, view.text, snapshot, ghost=self.settings.ghost_text)

    def _view(self, document: Document) -> View | None:
        return self._notebooks.view(document, self._documents)

    def _place(self, document: Document) -> tuple[Folder, str]:
        if notebook := self._notebooks.of(document.uri):
            folder = self._folder_of(notebook.uri)
            return folder, notebook_name_in(folder.root, notebook.uri)
        folder = self._folder_of(document.uri)
        return folder, name_in(folder.root, document.uri, document.language)

    # Workspace folders ----------------------------------------------------------------------------

    @property
    def roots(self) -> list[Path]:
        """The open workspace folders."""
        return [folder.root for folder in self._folders]

    async def change_folders(self, added: Iterable[Path], removed: Iterable[Path]) -> None:
        """Open and close workspace folders; what they were indexed by ends."""
        self._catch_up()
        gone = set(removed)
        closed = [folder for folder in self._folders if folder.root in gone]
        kept = [folder for folder in self._folders if folder.root not in gone]
        known = {folder.root for folder in kept}
        new = [self._open_folder(root) for root in dict.fromkeys(added) if root not in known]
        before = [self._place(document) for document in self._documents.values()]
        self._folders = kept + new
        for document, (folder, name) in zip(self._documents.values(), before, strict=True):
            if self._place(document) != (folder, name):
                folder.index.forget(name)
                self._take_up(document)
        if self._started:
            self._start_indexers()
        await stop_all([folder.indexer for folder in closed if folder.indexer])

    def files_changed(self, uris: Iterable[str]) -> None:
        """Files changed on disk: the indexers look at them again."""
        self._library.forget()
        paths = [path for uri in uris if (path := path_of(uri))]
        for folder in self._folders:  # one may lie in another, which indexes its files too
            names = [relative_to(path, folder.root) for path in paths]
            if folder.indexer and (known := [name for name in names if name]):
                folder.indexer.notify("changed", {"paths": known})

    def _open_folder(self, root: Path) -> Folder:
        index = Index.open(root, self._cache)
        if index.warning and self._cache is None:
            log.warning("%s", index.warning)
            self._problems.append(index.warning)
            with contextlib.suppress(OSError):  # no room anywhere: the index is built once there is
                self._cache = Path(tempfile.mkdtemp(prefix="lancefill-"))
                if index.folder != workspace_folder(root):  # a temporary one already
                    shutil.rmtree(index.folder, ignore_errors=True)
                index = Index.open(root, self._cache)
        found = self._environment(root)
        log.info("the project's Python is %s (%s)", found.interpreter, found.found_by)
        return Folder(root, index, found)

    def _environment(self, root: Path) -> Environment:
        chosen = self._settings_of(root).interpreter
        return environment.find(root, chosen, trusted=self.editor.trusted)

    def _settings_of(self, root: Path) -> Settings:
        """The settings of a workspace folder."""
        return self.own.get(root, self.settings)

    def _folder_of(self, uri: str) -> Folder:
        """The innermost workspace folder of a document."""
        path = path_of(uri)
        inside = [f for f in self._folders if path and relative_to(path, f.root) is not None]
        return max(inside, key=lambda folder: len(folder.root.parts), default=self._outside)

    # Questions ------------------------------------------------------------------------------------

    async def popup(
        self, uri: str, position: types.Position, *, automatic: bool = False
    ) -> Listed | Reason:
        """The names for the popup at a position; ``automatic``: nobody asked for it by hand."""
        promoted = self.settings.popup == PopupMode.PROMOTE
        if self.settings.popup == PopupMode.OFF:
            return Reason(Code.DISABLED, "the popup is switched off (lancefill.popup)")
        question = self._question(uri, position, automatic=automatic)
        if isinstance(question, Reason):
            return question
        with quiet.answering():
            popup = await engine.popup(*self._asked(question))
        if promoted:
            popup = replace(popup, items=popup.items[:PROMOTED_ITEMS])
        unfinished = _indexing(question.folder)
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
        listed = self._popups.get(number) if isinstance(number, int) else None
        if listed is None or not isinstance(rank, int) or not 0 <= rank < len(listed.found):
            return []
        found = listed.view.elsewhere(listed.found[rank])
        return [(cell, edit) for cell, edit in found if self._documents.get(cell.uri) is cell]

    def listed(self, number: object, rank: int | None) -> tuple[Suggestion, Document] | None:
        """The suggestion behind an item of a recent popup, and the text that it is for."""
        listed = self._popups.get(number) if isinstance(number, int) else None
        if listed is None or rank is None or rank >= len(listed.popup.items):
            return None
        return listed.popup.items[rank], listed.document

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
        if remembered := self._remembered(uri, position, selected, automatic=automatic):
            return remembered
        document = self._documents.get(uri)
        if ready := await self._worked_out(document, position, selected, automatic=automatic):
            return ready
        wait = self._wait() if automatic else 0.0
        if wait:
            await asyncio.sleep(wait)
        if self._documents.get(uri) is not document:
            return TYPED_ON
        question = self._question(uri, position, selected=selected, automatic=automatic)
        if isinstance(question, Reason):
            return question
        document, offset = question.document, question.offset
        if automatic and document.deleted_at == offset:
            return DELETED
        ghosts = question.own(await engine.ghosts(*self._asked(question, wait)))
        self._learn(ghosts[0])
        return self._given(ghosts, document, offset)

    def _wait(self) -> float:
        """How many seconds the person may go on typing before the model is asked."""
        return self._rhythm.wait(min(IN_TIME_S, self.settings.max_latency_ms / 1000))

    def _learn(self, ghost: Ghost) -> None:
        """Note how long an answer took, or at least took, where the model was asked."""
        code = ghost.reason.code if ghost.reason else None
        if ghost.prompt is not None and (code is None or code in JUDGED | {Code.DEADLINE}):
            self._rhythm.answered(ghost.timeline[-1].end / 1000)

    def work_ahead(self, uri: str, offset: int) -> None:
        """Work out what will be answered at a byte offset: the person is about to go on there."""
        document = self._documents.get(uri)
        if document is not None and self.settings.ghost_text:
            place = uri, document.text, offset
            self._ahead.begin(place, self._ghosts_at(document, offset))

    async def _ghosts_at(self, document: Document, offset: int) -> tuple[Ghost, ...] | None:
        """What comes by itself at a place; None where that may be another thing a moment later."""
        position = documents.position_at(document, offset, self.editor.encoding)
        if self._documents.get(document.uri) is not document:
            return None
        question = self._question(document.uri, position, automatic=True)
        if isinstance(question, Reason):
            return None
        ghosts = question.own(await engine.ghosts(*self._asked(question)))
        reason = ghosts[0].reason
        return ghosts if reason is None or reason.code in JUDGED else None

    async def _worked_out(
        self,
        document: Document | None,
        position: types.Position,
        selected: str | None,
        *,
        automatic: bool,
    ) -> Given | None:
        """What was worked out ahead for this place; work for another one ends here."""
        if document is None or selected is not None or not automatic:
            self._ahead.drop()
            return None
        offset = documents.offset_at(document, position, self.editor.encoding)
        ghosts = await self._ahead.take((document.uri, document.text, offset))
        return self._given(ghosts, document, offset) if ghosts else None

    def _remembered(
        self, uri: str, position: types.Position, selected: str | None, *, automatic: bool
    ) -> Given | None:
        """The rest of what was shown and is being typed, without asking the model.

        Nobody who asks by hand is given the very text that stands there already.
        """
        document = self._documents.get(uri)
        if document is None:
            return None
        offset = documents.offset_at(document, position, self.editor.encoding)
        given = counted = None
        for shown, rest in self._memory.rests(uri, document.text, offset):
            typed = len(shown.insert) - len(rest)
            if typed and counted is None:  # alternatives may begin alike: the best one counts
                counted = shown.number
                self.acceptance.taken(counted)
            if given is None and (typed or automatic) and rest:
                edit = TextEdit(offset, offset, rest.decode())
                if extends(edit, document, selected):
                    given = Given(Ghost(edit), document, offset, shown.number)
        return given

    def _given(self, ghosts: Sequence[Ghost], document: Document, offset: int) -> Given:
        """Texts that are given now, the best first; it is kept last, and so the one that stays."""
        kept = [
            Given(ghost, document, offset, self._remember(ghost.edit, document, offset))
            for ghost in reversed(ghosts)
        ]
        return replace(kept[-1], others=tuple(kept[-2::-1]))

    def _remember(self, edit: TextEdit | None, document: Document, offset: int) -> int | None:
        """Keep what is given now; the number that it gets."""
        if edit is None:
            return None
        typed = document.text[edit.start : offset]
        insert = edit.text.encode("utf-8", "replace").removeprefix(typed)
        return self._memory.remember(document.uri, document.text, offset, insert).number

    def imports_of(self, number: int) -> Imports | None:
        """What the ghost text of this number needs.

        None where there is nothing to import, and where the document is no longer the old one with
        that text in it: then the text was not accepted whole, or the person has gone on.
        """
        uri, shown = self._memory.find(number) or ("", None)
        document = self._documents.get(uri)
        if shown is None or document is None or not self.settings.auto_import:
            return None
        if shown.rest(document.text, shown.end) != b"":
            return None
        self._catch_up()
        if self._notebooks.of(uri):
            self._take_up(document)
        view = self._view(document)
        if view is None:
            return None
        folder, name = self._place(document)
        start, end = view.base + shown.offset, view.base + shown.end
        edits = engine.imports(view.text, start, end, name, folder.index.snapshot())
        placed = tuple(view.placed(edit, across=True) for edit in edits)
        own = (edit for cell, edit in placed if cell is document and edit.start <= shown.offset)
        longer = sum(len(each.text.encode()) for each in own)
        return Imports(document, placed, shown.end + longer) if placed else None

    async def explain(self, uri: str, position: types.Position) -> engine.Explanation | Reason:
        """Everything that a request at a position leads to."""
        question = self._question(uri, position)
        if isinstance(question, Reason):
            return question
        told = await engine.explain(*self._asked(question))
        if self._no_model:
            return replace(told, ghost=Ghost(None, Reason(Code.MODEL_MISSING, self._no_model)))
        return told

    async def ask(self, query: str, limit: int, uri: str = "") -> list[tuple[Path, ApiAnswer]]:
        """The APIs that fit a request in plain words, each with the folder that it is in.

        Asked in the folder of the document ``uri``, or in all of them. The first question reads
        what the APIs are about, in a thread: editors go on being served.
        """
        self._catch_up()
        document = self._documents.get(uri)
        asked = [self._place(document)] if document else [(each, "") for each in self._folders]
        found: list[tuple[Path, ApiAnswer]] = []
        for folder, near in asked:
            folder.index.refresh()
            snapshot = folder.index.snapshot()
            answers = await asyncio.to_thread(retrieval.ask, snapshot, query, limit, near)
            found += [(folder.root, answer) for answer in answers]
        found.sort(key=lambda pair: -pair[1].score)
        return found[:limit]

    def _question(
        self,
        uri: str,
        position: types.Position,
        *,
        selected: str | None = None,
        automatic: bool = False,
    ) -> Question | Reason:
        self._catch_up()
        document = self._documents.get(uri)
        if document is None:
            return Reason(Code.NOT_INDEXED, "the document is not open")
        view = self._view(document)
        if view is None:
            return Reason(Code.LANGUAGE, "this cell of the notebook is not Python")
        if len(view.text) > MAX_FILE_BYTES:
            size = len(view.text) / 1e6
            limit = MAX_FILE_BYTES / 1e6
            message = f"the file has {size:.1f} MB; the limit is {limit:.1f} MB"
            return Reason(Code.FILE_TOO_LARGE, message)
        folder, name = self._place(document)
        if language_of(name) is None and is_secret(name):
            return engine.SECRET_FILE
        if language_of(name) is None:
            return Reason(Code.NOT_INDEXED, f"{document.language} is not a language known here")
        folder.index.refresh()
        if self._notebooks.of(uri):
            self._take_up(document)  # another cell may have been read last
        offset = view.base + documents.offset_at(document, position, self.editor.encoding)
        request = Request(name, view.text, offset, selected, automatic)
        return Question(request, view, folder)

    def _asked(
        self, question: Question, waited: float = 0.0
    ) -> tuple[Request, Snapshot, FolderHelpers, engine.Options]:
        """What the engine takes; ``waited`` are the seconds since the question was asked."""
        quiet.asked()
        folder = question.folder
        self._wake_for(question.document)
        helpers = FolderHelpers(folder.root, folder.environment, self._model, self._library)
        chosen = options(self.settings, self.editor.snippets)
        share = self.acceptance.counts.share
        sure = acceptance.threshold(chosen.min_confidence, share)
        left = chosen.ghost_deadline_ms - 1000 * waited
        chosen = replace(chosen, min_confidence=sure, ghost_deadline_ms=left)
        return question.request, folder.index.snapshot(), helpers, chosen

    # Helper processes and settings ----------------------------------------------------------------

    def start(self) -> None:
        """Start the helper processes in the background."""
        self._started = True
        self._start_indexers()
        for document in self._documents.values():
            self._wake_for(document)
        self._start_model()

    async def stop(self) -> None:
        """End the helper processes; an index that could not be kept goes with them."""
        self.acceptance.stop()
        self._ahead.drop()
        await stop_all(self._helpers())
        if self._cache:
            shutil.rmtree(self._cache, ignore_errors=True)

    async def apply(self, settings: Settings, own: Mapping[Path, Settings] | None = None) -> None:
        """Take new settings into force; what they do not touch goes on undisturbed.

        ``own`` are those of workspace folders that have others; of these, the interpreter and what
        is excluded count.
        """
        folders = [self._settings_of(folder.root) for folder in self._folders]
        before, self.settings = self.settings, settings
        self.own = dict(own or {})
        self._memory.clear()
        self._ahead.drop()
        outdated: list[Helper] = []
        if (before.ghost_text, before.device) != (settings.ghost_text, settings.device):
            outdated += [self._model.helper] if self._model else []
            self._model = None
        for folder, then in zip(self._folders, folders, strict=True):
            now = self._settings_of(folder.root)
            if then.exclude != now.exclude:
                outdated += [folder.indexer] if folder.indexer else []
                folder.indexer = None
            if then.interpreter != now.interpreter:
                folder.surround(self._environment(folder.root))
        self._outside.surround(self._environment(EVERYWHERE))
        await stop_all(outdated)
        if self._started:
            self._start_indexers()
            self._start_model()
        self._changed()

    def status(self) -> Status:
        """What the person should know."""
        lacking = self._no_model if self.settings.ghost_text else None, self._no_library
        problems = [*self._problems, *filter(None, lacking)]
        problems += [
            f"{folder.root.name} cannot be indexed: {folder.problem}"
            for folder in self._folders
            if folder.problem
        ]
        busy = [
            f"indexing {folder.root.name}"
            for folder in self._folders
            if folder.progress.get("phase", READY) not in ENDED and not folder.problem
        ]
        reason = self._model.reason if self._model else None
        if reason and reason.code is Code.MODEL_LOADING:
            busy.append(reason.message)
        elif reason and reason.code is Code.MODEL_FAILED:
            problems.append(f"{reason.message}; the log and `lancefill doctor` say why")
        elif reason:
            problems.append(reason.message)
        problems += [
            f"{folder.root.name} is completed without what was learnt of it: {problem}"
            for folder in self._folders
            if (problem := self._adapter_problem(folder))
        ]
        return Status(tuple(problems), tuple(busy))

    def report(self) -> dict[str, object]:
        """The session's state as a JSON value, for ``lancefill/status``."""
        self._catch_up()
        return {
            "editor": self.editor.name,
            "encoding": self.editor.encoding.value,
            "trusted": self.editor.trusted,
            "documents": len(self._documents),
            "problems": list(self.status().problems),
            "helpers": [summary(helper.health) for helper in self._helpers()],
            "model": self._model_state(),
            "acceptance": self.acceptance.report(self.settings.min_confidence),
            "folders": [
                {
                    "root": str(folder.root),
                    "files": len(folder.index.snapshot().paths),
                    "secrets": _secrets(folder),
                    "watched": int(folder.progress.get("watched", 0)),
                    "ngrams": folder.index.snapshot().ngram_folder is not None,
                    "adapter": self._adapter_state(folder),
                    "interpreter": str(folder.environment.interpreter),
                    "foundBy": folder.environment.found_by,
                    "progress": dict(folder.progress),
                }
                for folder in self._folders
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
        indexers = [folder.indexer for folder in self._folders if folder.indexer]
        model = [self._model.helper] if self._model else []
        return [*indexers, self._library.helper, *model]

    def _prepare_open(self, folder: Folder) -> None:
        """The index is another one: what the open documents' popups need is read from it now."""
        self._catch_up()
        for document in self._documents.values():
            if self._place(document)[0] is folder:
                self._prepare(document)

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

    def _start_indexers(self) -> None:
        for folder in self._folders:
            if folder.indexer is None:
                excluded = self._settings_of(folder.root).exclude
                arguments = [f"--exclude={pattern}" for pattern in excluded]
                if self._cache:
                    arguments.append(f"--cache={self._cache}")
                if not self.editor.watches_files:
                    arguments.append("--watch")
                root = str(folder.root)
                program = module("indexer", "indexing.worker", root, *arguments, niceness=NICENESS)
                folder.indexer = Helper(program, self._hears(folder))
                folder.indexer.start()

    def _hears(self, folder: Folder) -> Callable[[str, Mapping[str, Any]], None]:
        def notified(method: str, params: Mapping[str, Any]) -> None:
            if folder not in self._folders:
                return  # it was closed
            known = folder.progress.get("phase") == READY
            if method != "progress" or (known and params.get("phase") == "walk"):
                return  # looking for changes now and then is nothing to show
            folder.progress = params
            if params.get("phase") in ENDED:
                folder.problem = str(params.get("problem", ""))
            if params.get("phase") == READY and folder.index.refresh():
                self._library.forget()
                log_skipped(folder)
                self._prepare_open(folder)
            self._progressed(folder, params)
            self._changed()

        return notified


def _opened(item: types.TextDocumentItem) -> Document:
    return documents.opened(item.uri, item.language_id, item.version, item.text)


def extends(edit: TextEdit, document: Document, selected: str | None) -> bool:
    """Whether an insertion goes on from the popup item that the editor previews, if it does."""
    if selected is None:
        return True
    word = word_before(document.text, edit.start) + edit.text
    return word.startswith(selected) and word != selected


def _indexing(folder: Folder) -> Reason | None:
    """Why something may be missing from the index, or None when it is complete."""
    if folder.indexer is None or folder.progress.get("phase", "walk") not in ("walk", "parse"):
        return None
    done, total = folder.progress.get("done", 0), folder.progress.get("total", 0)
    return Reason(Code.INDEXING, f"the index is being built: {done} of {total} files")


def _secrets(folder: Folder) -> int:
    """How many files are left out of the index for what they may hold."""
    skipped = folder.index.snapshot().skipped()
    return sum(reason == MAY_HOLD_SECRETS for _, reason in skipped)


def log_skipped(folder: Folder) -> None:
    """Say which files are left out of the index and why, each once."""
    skipped = set(folder.index.snapshot().skipped())
    new = sorted(skipped - folder.told_skipped)
    folder.told_skipped = skipped
    for path, reason in new[:LOGGED_SKIPPED]:
        log.info("%s skipped: %s", path, reason)
    if len(new) > LOGGED_SKIPPED:
        log.info("%d more files were skipped", len(new) - LOGGED_SKIPPED)
