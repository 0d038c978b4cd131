"""One editor's session: its open documents, workspace folders, helper processes and settings.

It knows what to ask the engine and with which text; it does not know how an answer is sent. Every
method that reads a document does so before its first ``await``, so an answer belongs to the text
that the question was asked about.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
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
from indexing.cache import Place
from indexing.files import MAX_FILE_BYTES, is_secret
from indexing.index import Index, Snapshot
from indexing.languages import language_of
from lsp_server import acceptance, documents, environment
from lsp_server.acceptance import Acceptance
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
    summary,
)
from lsp_server.idle import Idle
from lsp_server.paths import name_in, path_of, relative_to
from lsp_server.processes import Answer, Helper, HelperError, module, stop_all
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
INFO_S = 2.0
"""How long the model process may be asked what it runs; it may be writing."""
LOGGED_SKIPPED = 20
"""How many skipped files are named in the log at once."""
DELETED = Reason(
    Code.GATED, "text was just deleted here; type on, or ask for it by key to get it anyway"
)
READY = "ready"
EVERYWHERE = Path(Path.cwd().anchor)


class Folder:
    """One workspace folder: its index, the process that writes it, the Python it is written for.

    ``progress`` is the indexer's last word. The folder without an ``indexer`` takes the documents
    that lie in no workspace folder.
    """

    def __init__(self, root: Path, index: Index, surroundings: Environment) -> None:
        self.root = root
        self.index = index
        self.surround(surroundings)
        self.indexer: Helper | None = None
        self.progress: Mapping[str, Any] = {}
        self.told_skipped: set[tuple[str, str]] = set()

    def surround(self, surroundings: Environment) -> None:
        """The Python that the folder is written for is this one now."""
        self.environment = surroundings
        self.index.use_packages(surroundings.packages)


@dataclass(frozen=True, slots=True)
class Question:
    """What the engine is asked: the request, and where it came from."""

    request: Request
    document: Document
    folder: Folder


@dataclass(frozen=True, slots=True)
class Listed:
    """A popup with the number that its items carry and the text that it is for.

    ``promoted``: it is to stand on top of another server's.
    """

    popup: Popup
    number: int
    document: Document
    offset: int
    promoted: bool


@dataclass(frozen=True, slots=True)
class Given:
    """Ghost text, or why there is none, with the text and the cursor that it is for.

    ``number`` is the one that its acceptance is told by, None where there is nothing to accept.
    """

    ghost: Ghost
    document: Document
    offset: int
    number: int | None = None


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
    ) -> None:
        """``changed`` is called when the status may have changed, ``progressed`` while indexing."""
        self.editor = editor
        self.settings = settings
        self._changed = changed
        self._progressed = progressed
        self._started = False
        self._documents: dict[str, Document] = {}
        self._popups: OrderedDict[int, Listed] = OrderedDict()
        self._numbers = itertools.count(1)
        self._memory = Memory()
        self._behind: set[str] = set()
        self._taking_up = Idle(self._catch_up, TAKE_UP_S)
        self.acceptance = Acceptance()
        self._problems: list[str] = []
        self._cache: Path | None = None
        self._folders = [self._open_folder(root) for root in editor.roots]
        self._outside = Folder(
            EVERYWHERE,
            Index(EVERYWHERE, Place(Path(os.devnull))),
            environment.find(EVERYWHERE, settings.interpreter, trusted=editor.trusted),
        )
        self._model: Model | None = None
        self._running: tuple[int | None, Answer] = (None, {})
        self._library = Library()

    # Documents ------------------------------------------------------------------------------------

    def open_document(self, item: types.TextDocumentItem) -> None:
        """The editor opened a document: its text counts from now on, not the file's."""
        document = documents.opened(item.uri, item.language_id, item.version, item.text)
        self._documents[item.uri] = document
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
        self._behind.add(uri)
        self._taking_up.postpone()

    def close_document(self, uri: str) -> None:
        """The editor closed a document: the file counts again."""
        document = self._documents.pop(uri, None)
        self._memory.forget(uri)
        if document is not None:
            folder, name = self._place(document)
            folder.index.forget(name)
            self.files_changed([uri])

    def is_open(self, uri: str) -> bool:
        """Whether the editor has the document open."""
        return uri in self._documents

    def _catch_up(self) -> None:
        """Let the indexes take up the changes that no question needed so far."""
        behind, self._behind = self._behind, set()
        for document in [self._documents[uri] for uri in behind if uri in self._documents]:
            self._take_up(document)

    def _take_up(self, document: Document) -> None:
        quiet.asked()
        folder, name = self._place(document)
        if len(document.text) <= MAX_FILE_BYTES:
            folder.index.update(name, document.text)
        else:
            folder.index.forget(name)

    def _prepare(self, document: Document) -> None:
        folder, name = self._place(document)
        if len(document.text) <= MAX_FILE_BYTES:
            snapshot = folder.index.snapshot()
            engine.prepare(name, document.text, snapshot, ghost=self.settings.ghost_text)

    def _place(self, document: Document) -> tuple[Folder, str]:
        folder = self._folder_of(document.uri)
        return folder, name_in(folder.root, document.uri, document.language)

    # Workspace folders ----------------------------------------------------------------------------

    async def change_folders(self, added: Iterable[Path], removed: Iterable[Path]) -> None:
        """Open and close workspace folders; what they were indexed by ends."""
        self._catch_up()
        gone = set(removed)
        closed = [folder for folder in self._folders if folder.root in gone]
        kept = [folder for folder in self._folders if folder.root not in gone]
        known = {folder.root for folder in kept}
        new = [self._open_folder(root) for root in added if root not in known]
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
        changed: dict[int, tuple[Folder, list[str]]] = {}
        for uri in uris:
            path, folder = path_of(uri), self._folder_of(uri)
            name = relative_to(path, folder.root) if path and folder.indexer else None
            if name:
                changed.setdefault(id(folder), (folder, []))[1].append(name)
        for folder, names in changed.values():
            assert folder.indexer
            folder.indexer.notify("changed", {"paths": names})

    def _open_folder(self, root: Path) -> Folder:
        index = Index.open(root, self._cache)
        if index.warning and self._cache is None:
            log.warning("%s", index.warning)
            shutil.rmtree(index.folder, ignore_errors=True)
            self._cache = Path(tempfile.mkdtemp(prefix="lancefill-"))
            self._problems.append(index.warning)
            index = Index.open(root, self._cache)
        found = environment.find(root, self.settings.interpreter, trusted=self.editor.trusted)
        log.info("the project's Python is %s (%s)", found.interpreter, found.found_by)
        return Folder(root, index, found)

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
        request, unfinished = question.request, _indexing(question.folder)
        if unfinished and not popup.items:
            popup = replace(popup, reasons=(unfinished, *popup.reasons))
        number, document = next(self._numbers), question.document
        listed = Listed(popup, number, document, request.offset, promoted=promoted)
        self._popups[listed.number] = listed
        while len(self._popups) > KEPT_POPUPS:
            self._popups.popitem(last=False)
        return listed

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
        if remembered := self._remembered(uri, position, selected, automatic=automatic):
            return remembered
        question = self._question(uri, position, selected=selected, automatic=automatic)
        if isinstance(question, Reason):
            return question
        document, offset = question.document, question.request.offset
        if automatic and document.deleted_at == offset:
            return DELETED
        ghost = await engine.ghost(*self._asked(question))
        return Given(ghost, document, offset, self._remember(ghost.edit, document, offset))

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
        given = None
        for shown, rest in self._memory.rests(uri, document.text, offset):
            typed = len(shown.insert) - len(rest)
            if typed:
                self.acceptance.taken(shown.number)
            if given is None and (typed or automatic) and rest:
                edit = TextEdit(offset, offset, rest.decode())
                if extends(edit, document, selected):
                    given = Given(Ghost(edit), document, offset, shown.number)
        return given

    def _remember(self, edit: TextEdit | None, document: Document, offset: int) -> int | None:
        """Keep what is given now; the number that it gets."""
        if edit is None:
            return None
        typed = document.text[edit.start : offset]
        insert = edit.text.encode("utf-8", "replace").removeprefix(typed)
        return self._memory.remember(document.uri, document.text, offset, insert).number

    async def explain(self, uri: str, position: types.Position) -> engine.Explanation | Reason:
        """Everything that a request at a position leads to."""
        question = self._question(uri, position)
        if isinstance(question, Reason):
            return question
        return await engine.explain(*self._asked(question))

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
        if len(document.text) > MAX_FILE_BYTES:
            size = len(document.text) / 1e6
            limit = MAX_FILE_BYTES / 1e6
            message = f"the file has {size:.1f} MB; the limit is {limit:.1f} MB"
            return Reason(Code.FILE_TOO_LARGE, message)
        folder, name = self._place(document)
        if language_of(name) is None and is_secret(name):
            return engine.SECRET_FILE
        if language_of(name) is None:
            return Reason(Code.NOT_INDEXED, f"{document.language} is not a language known here")
        folder.index.refresh()
        offset = documents.offset_at(document, position, self.editor.encoding)
        request = Request(name, document.text, offset, selected, automatic)
        return Question(request, document, folder)

    def _asked(self, question: Question) -> tuple[Request, Snapshot, FolderHelpers, engine.Options]:
        quiet.asked()
        folder = question.folder
        helpers = FolderHelpers(folder.root, folder.environment, self._model, self._library)
        chosen = options(self.settings, self.editor.snippets)
        share = self.acceptance.counts.share
        sure = acceptance.threshold(chosen.min_confidence, share)
        chosen = replace(chosen, min_confidence=sure)
        return question.request, folder.index.snapshot(), helpers, chosen

    # Helper processes and settings ----------------------------------------------------------------

    def start(self) -> None:
        """Start the helper processes in the background."""
        self._started = True
        self._start_indexers()
        self._library.helper.start()
        self._start_model()

    async def stop(self) -> None:
        """End the helper processes; an index that could not be kept goes with them."""
        self.acceptance.stop()
        await stop_all(self._helpers())
        if self._cache:
            shutil.rmtree(self._cache, ignore_errors=True)

    async def apply(self, settings: Settings) -> None:
        """Take new settings into force; what they do not touch goes on undisturbed."""
        before, self.settings = self.settings, settings
        self._memory.clear()
        outdated: list[Helper] = []
        if (before.ghost_text, before.device) != (settings.ghost_text, settings.device):
            outdated += [self._model.helper] if self._model else []
            self._model = None
        if before.exclude != settings.exclude:
            outdated += [folder.indexer for folder in self._folders if folder.indexer]
            for folder in self._folders:
                folder.indexer = None
        if before.interpreter != settings.interpreter:
            for folder in self._folders:
                trusted = self.editor.trusted
                folder.surround(
                    environment.find(folder.root, settings.interpreter, trusted=trusted)
                )
        await stop_all(outdated)
        if self._started:
            self._start_indexers()
            self._start_model()
        self._changed()

    def status(self) -> Status:
        """What the person should know."""
        problems = list(self._problems)
        busy = [
            f"indexing {folder.root.name}"
            for folder in self._folders
            if folder.progress.get("phase", READY) not in (READY, "waiting")
        ]
        reason = self._model.reason if self._model else None
        if reason and reason.code is Code.MODEL_LOADING:
            busy.append(reason.message)
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
                    "ngrams": folder.index.snapshot().ngram_folder is not None,
                    "adapter": self._adapter_state(folder),
                    "interpreter": str(folder.environment.interpreter),
                    "foundBy": folder.environment.found_by,
                    "progress": dict(folder.progress),
                }
                for folder in self._folders
            ],
        }

    async def running(self) -> dict[str, Any]:
        """What the model process said of itself (``model``, ``device``, ``problem``, …).

        Each process is asked once: one that is stopped or busy must not hold up the status. Empty
        while it cannot be asked, and where it does not answer in time.
        """
        if self._model is None or self._model.reason:
            return {}
        pid = self._model.helper.health.pid
        if self._running[0] != pid:
            try:
                self._running = (pid, await self._model.helper.request("info", {}, INFO_S))
            except HelperError as error:
                log.info("what the model runs on is not known: %s", error)
                return {}
        return dict(self._running[1])

    def _model_state(self) -> str:
        if not self.settings.ghost_text:
            return "off"
        reason = self._model.reason if self._model else LOADING
        return reason.message if reason else "ready"

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

    def _start_model(self) -> None:
        if self.settings.ghost_text and self._model is None:
            self._model = Model(model_program(self.settings.device, in_use=True), self._changed)
            self._model.helper.start()

    def _start_indexers(self) -> None:
        for folder in self._folders:
            if folder.indexer is None:
                arguments = [f"--exclude={pattern}" for pattern in self.settings.exclude]
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
            known = folder.progress.get("phase") == READY
            if method != "progress" or (known and params.get("phase") == "walk"):
                return  # looking for changes now and then is nothing to show
            folder.progress = params
            if params.get("phase") == READY and folder.index.refresh():
                self._library.forget()
                log_skipped(folder)
                self._prepare_open(folder)
            self._progressed(folder, params)
            self._changed()

        return notified


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


def log_skipped(folder: Folder) -> None:
    """Say which files are left out of the index and why, each once."""
    skipped = set(folder.index.snapshot().skipped())
    new = sorted(skipped - folder.told_skipped)
    folder.told_skipped = skipped
    for path, reason in new[:LOGGED_SKIPPED]:
        log.info("%s skipped: %s", path, reason)
    if len(new) > LOGGED_SKIPPED:
        log.info("%d more files were skipped", len(new) - LOGGED_SKIPPED)
