"""The language server: what LSP calls, one short function per method.

pygls frames, decodes and dispatches. Three of its habits are replaced: its own document store (it
splits lines at form feeds), its silence about requests that it cannot decode, and its logging of
whole messages, source code included.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import gc
import importlib.metadata
import logging
import os
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.protocol import LanguageServerProtocol, default_converter, lsp_method

from completion.cardinal import trigger_characters
from completion.request import Code, Origin, Reason
from indexing import quiet
from indexing.languages import languages
from indexing.messages import place_of, take_stdio
from indexing.system import give_memory_back
from lsp_server import convert, editor, notebooks, settings
from lsp_server.folders import Folder
from lsp_server.idle import Idle, leave_garbage_to_pauses
from lsp_server.newest import Newest
from lsp_server.paths import path_of
from lsp_server.progress import IndexingProgress
from lsp_server.session import Session
from lsp_server.settings import Settings

log = logging.getLogger(__name__)

TRIGGERS = trigger_characters()
"""Letters trigger completion by themselves in every editor, so they need not be named."""
WATCHED = [*(f"**/*{suffix}" for suffix in languages()), "**/.gitignore"]
SETTINGS_WAIT_S = 2.0
"""How long the editor may take to answer what the settings are."""
REST_S = 20.0
"""How long nothing must have been asked before memory goes back to the system."""
LOG_LEVEL = "LANCEFILL_LOG"
"""The environment variable for what is no setting, since nobody needs it twice."""
OWN_MODEL = "--own-model"
"""Command line: a model process for this editor alone, not the one that a user's editors share."""
ASK = "lancefill.ask"
ASK_LIMIT, ASK_MOST = 8, 50
"""How many answers a request in plain words gets unless it says, and at the most."""
ACCEPTED = "lancefill.accepted"
"""The command that every inline item carries, so that editors tell when it was accepted."""
IMPORT = "lancefill.import"
"""The command of popup items in notebooks: an item can edit no other cell by itself."""
Steps = Generator[Any, Any, None]


class Protocol(LanguageServerProtocol):
    """pygls' protocol without its document store, and with an answer to every request."""

    @lsp_method(types.TEXT_DOCUMENT_DID_OPEN)
    def lsp_text_document__did_open(self, params: types.DidOpenTextDocumentParams) -> Steps:
        """Leave the document to :mod:`lsp_server.documents`."""
        yield self.fm.features[types.TEXT_DOCUMENT_DID_OPEN], (params,), None

    @lsp_method(types.TEXT_DOCUMENT_DID_CHANGE)
    def lsp_text_document__did_change(self, params: types.DidChangeTextDocumentParams) -> Steps:
        """Leave the document to :mod:`lsp_server.documents`."""
        yield self.fm.features[types.TEXT_DOCUMENT_DID_CHANGE], (params,), None

    @lsp_method(types.TEXT_DOCUMENT_DID_CLOSE)
    def lsp_text_document__did_close(self, params: types.DidCloseTextDocumentParams) -> Steps:
        """Leave the document to :mod:`lsp_server.documents`."""
        yield self.fm.features[types.TEXT_DOCUMENT_DID_CLOSE], (params,), None

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_OPEN)
    def lsp_notebook_document__did_open(self, params: types.DidOpenNotebookDocumentParams) -> Steps:
        """Leave the notebook to :mod:`lsp_server.notebooks`."""
        yield self.fm.features[types.NOTEBOOK_DOCUMENT_DID_OPEN], (params,), None

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
    def lsp_notebook_document__did_change(
        self, params: types.DidChangeNotebookDocumentParams
    ) -> Steps:
        """Leave the notebook to :mod:`lsp_server.notebooks`."""
        yield self.fm.features[types.NOTEBOOK_DOCUMENT_DID_CHANGE], (params,), None

    @lsp_method(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def lsp_notebook_document__did_close(
        self, params: types.DidCloseNotebookDocumentParams
    ) -> Steps:
        """Leave the notebook to :mod:`lsp_server.notebooks`."""
        yield self.fm.features[types.NOTEBOOK_DOCUMENT_DID_CLOSE], (params,), None

    def _handle_cancel_notification(self, msg_id: int | str) -> None:
        log.info("request %s was cancelled by the editor", msg_id)
        super()._handle_cancel_notification(msg_id)

    def structure_message(self, data: dict[str, Any]) -> object:
        """Decode a message; a request that cannot be decoded gets its error as an answer."""
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            if "id" in data and "method" in data:
                self._send_response(data["id"], error=error.to_response_error())
            raise


class Server(LanguageServer):
    """The server process; ``session`` is there from ``initialize`` on."""

    session: Session
    protocol: Protocol

    def __init__(self) -> None:
        super().__init__(
            "lancefill",
            importlib.metadata.version("lancefill"),
            protocol_cls=Protocol,
            converter_factory=default_converter,
            notebook_document_sync=notebooks.SYNC,
        )
        self.newest = Newest()
        self.idle = Idle(self.use_pause)
        self.rest = Idle(give_memory_back, REST_S)
        self.base_settings = Settings()
        self.share_model = True
        self.last_status: object = None
        self.shut_down = False
        self.shown_progress: dict[Path, IndexingProgress] = {}

    def report_server_error(self, error: Exception, source: object) -> None:  # noqa: ARG002
        """Log what went wrong; pygls would show it to the person in a message box."""
        log.error("a message could not be handled: %s", place_of(error))

    def answered(self) -> None:
        """Somebody works: what is done in pauses waits for the next one."""
        self.idle.postpone()
        self.rest.postpone()

    def use_pause(self) -> None:
        """Nobody waits: collect garbage, and tell of helpers that died since somebody looked."""
        gc.collect(1)
        self.tell_status()

    def warn(self, message: str) -> None:
        """Say something where the person looks for the server's log."""
        log.warning("%s", message)
        self.window_log_message(types.LogMessageParams(types.MessageType.Warning, message))

    def tell_reason(self, feature: str, uri: str, reason: Reason) -> None:
        """Say why a request ended with nothing; the log gets no message, which may quote code."""
        log.info("no %s: %s", feature, reason.code.value)
        self.protocol.notify(
            "lancefill/reason",
            {"feature": feature, "uri": uri, "code": reason.code, "message": reason.message},
        )

    def tell_status(self) -> None:
        """Send the status by Copilot's name for it, when it is not what was sent last."""
        status = self.session.status()
        if status != self.last_status:
            self.last_status = status
            message = "; ".join((*status.problems, *status.busy)) or "ready"
            kind = "Warning" if status.problems else "Normal"
            self.protocol.notify(
                "didChangeStatus", {"kind": kind, "message": message, "busy": bool(status.busy)}
            )

    def tell_progress(self, folder: Folder, latest: Mapping[str, Any]) -> None:
        """Show the progress of indexing, where the editor shows such things."""
        if self.session.editor.shows_progress:
            shown = self.shown_progress.get(folder.root)
            if shown is None:
                shown = IndexingProgress(self.work_done_progress, folder.root.name)
                self.shown_progress[folder.root] = shown
            shown.show(latest)

    async def apply_settings(self, raw: object, own: Mapping[Path, object] | None = None) -> None:
        """Take the section ``lancefill`` into force, over what ``initialize`` brought.

        ``own``: the same section as workspace folders have it.
        """
        chosen, warnings = settings.updated(self.base_settings, raw)
        told = dict.fromkeys(warnings)
        folders: dict[Path, Settings] = {}
        for root, section in (own or {}).items():
            theirs, warnings = settings.updated(self.base_settings, section)
            told |= dict.fromkeys(warnings)
            if theirs != chosen:
                folders[root] = theirs
        for warning in told:
            self.warn(warning)
        if (chosen, folders) != (self.session.settings, self.session.own_settings):
            await self.session.apply(chosen, folders)


server = Server()


# Life ---------------------------------------------------------------------------------------------


@server.feature(types.INITIALIZE)
def initialize(ls: Server, params: types.InitializeParams) -> None:
    """Meet the editor; open the index, so that the first popup need not wait for anything."""
    raw = params.initialization_options
    section = raw.get(settings.SECTION, raw) if isinstance(raw, Mapping) else raw
    ls.base_settings, warnings = settings.updated(Settings(), section)
    for warning in warnings:
        ls.warn(warning)
    ls.session = Session(
        editor.from_initialize(params),
        ls.base_settings,
        changed=ls.tell_status,
        progressed=ls.tell_progress,
        share_model=ls.share_model,
    )
    log.info("editor: %s, positions in %s", ls.session.editor.name, ls.session.editor.encoding)


@server.feature(types.INITIALIZED)
async def initialized(ls: Server, params: types.InitializedParams) -> None:  # noqa: ARG001
    """Learn the settings, ask to be told of changes, start the helper processes."""
    await pull_settings(ls)
    ls.session.start()
    ls.tell_status()
    await register_watchers(ls)


@server.feature(types.SHUTDOWN)
async def shutdown(ls: Server, params: None) -> None:  # noqa: ARG001
    """End the helper processes; ``exit`` follows."""
    ls.shut_down = True
    await ls.session.stop()


# Documents ----------------------------------------------------------------------------------------


@server.feature(types.TEXT_DOCUMENT_DID_OPEN)
def did_open(ls: Server, params: types.DidOpenTextDocumentParams) -> None:
    """The editor's text counts from now on."""
    ls.session.open_document(params.text_document)


@server.feature(types.TEXT_DOCUMENT_DID_CHANGE)
def did_change(ls: Server, params: types.DidChangeTextDocumentParams) -> None:
    """The text changed."""
    document = params.text_document
    ls.session.change_document(document.uri, document.version, params.content_changes)


@server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
def did_close(ls: Server, params: types.DidCloseTextDocumentParams) -> None:
    """The file on disk counts again."""
    ls.session.close_document(params.text_document.uri)


@server.feature(types.TEXT_DOCUMENT_DID_SAVE)
def did_save(ls: Server, params: types.DidSaveTextDocumentParams) -> None:
    """The file on disk changed; not every editor watches files for us."""
    ls.session.files_changed([params.text_document.uri])


@server.feature(types.NOTEBOOK_DOCUMENT_DID_OPEN)
def did_open_notebook(ls: Server, params: types.DidOpenNotebookDocumentParams) -> None:
    """The editor's cells count from now on."""
    ls.session.open_notebook(params.notebook_document, params.cell_text_documents)


@server.feature(types.NOTEBOOK_DOCUMENT_DID_CHANGE)
def did_change_notebook(ls: Server, params: types.DidChangeNotebookDocumentParams) -> None:
    """Cells came, went, moved, or their texts changed."""
    if params.change.cells:
        ls.session.change_notebook(params.notebook_document.uri, params.change.cells)


@server.feature(types.NOTEBOOK_DOCUMENT_DID_SAVE)
def did_save_notebook(ls: Server, params: types.DidSaveNotebookDocumentParams) -> None:
    """Nothing to do: what nobody has open of a notebook is not indexed."""


@server.feature(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
def did_close_notebook(ls: Server, params: types.DidCloseNotebookDocumentParams) -> None:
    """Nothing of the notebook counts any more."""
    cells = [cell.uri for cell in params.cell_text_documents]
    ls.session.close_notebook(params.notebook_document.uri, cells)


# Completion ---------------------------------------------------------------------------------------


@server.feature(
    types.TEXT_DOCUMENT_COMPLETION,
    types.CompletionOptions(
        trigger_characters=TRIGGERS,
        resolve_provider=True,
        completion_item=types.ServerCompletionItemOptions(label_details_support=True),
    ),
)
async def completion(ls: Server, params: types.CompletionParams) -> types.CompletionList:
    """The popup."""
    uri = params.text_document.uri
    kind = params.context.trigger_kind if params.context else None
    automatic = kind is types.CompletionTriggerKind.TriggerCharacter
    work = ls.session.popup(uri, params.position, automatic=automatic)
    listed = await ls.newest.run((uri, "popup"), work)
    if listed is None:
        listed = Reason(Code.SUPERSEDED, "a newer request took its place")
    if isinstance(listed, Reason):
        ls.tell_reason("popup", uri, listed)
        return types.CompletionList(is_incomplete=True, items=[])
    if not listed.popup.items:
        for reason in listed.popup.reasons:
            ls.tell_reason("popup", uri, reason)
    ls.answered()
    shown = convert.completion_list(
        listed.popup,
        listed.number,
        listed.document,
        listed.offset,
        ls.session.editor,
        promoted=listed.promoted,
    )
    if len(listed.view.cells) > 1 and ls.session.editor.applies_edits:
        for rank, item in enumerate(listed.popup.items):
            if item.origin in (Origin.IMPORTABLE, Origin.ASKED):
                shown.items[rank].command = types.Command(
                    "Import", IMPORT, arguments=[listed.number, rank]
                )
    return shown


@server.feature(types.COMPLETION_ITEM_RESOLVE)
def resolve(ls: Server, item: types.CompletionItem) -> types.CompletionItem:
    """The documentation, evidence and import edit of one item."""
    found = ls.session.listed(item.data, convert.rank_of(item.sort_text))
    if found is None:
        log.info("an item of a popup that is no longer kept stays as it is")
        return item
    return convert.resolved(item, *found, ls.session.editor)


@server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
async def inline_completion(
    ls: Server, params: types.InlineCompletionParams
) -> types.InlineCompletionList:
    """The ghost text."""
    uri, info = params.text_document.uri, params.context.selected_completion_info
    selected = info.text if info else None
    automatic = params.context.trigger_kind is types.InlineCompletionTriggerKind.Automatic
    work = ls.session.ghost(uri, params.position, selected=selected, automatic=automatic)
    answer = await ls.newest.run((uri, "ghost"), work)
    if answer is None:
        answer = Reason(Code.SUPERSEDED, "a newer request took its place")
    if isinstance(answer, Reason):
        ls.tell_reason("ghost", uri, answer)
        return types.InlineCompletionList([])
    if answer.ghost.reason:
        ls.tell_reason("ghost", uri, answer.ghost.reason)
    ls.answered()
    items = [
        convert.inline_item(
            each.ghost.edit,
            each.document,
            each.offset,
            ls.session.editor,
            types.Command("Accepted", ACCEPTED, arguments=[each.number]),
        )
        for each in (answer, *answer.others)
        if each.ghost.edit is not None
    ]
    return types.InlineCompletionList(items)


@server.feature("textDocument/didShowCompletion")
def did_show_completion(ls: Server, params: object) -> None:
    """The editor shows ``{item}``, an inline item of ours."""
    if (number := number_in(params)) is not None:
        ls.session.acceptance.shown(number)


@server.feature("textDocument/didPartiallyAcceptCompletion")
def did_partially_accept_completion(ls: Server, params: object) -> None:
    """The person accepted the first ``acceptedLength`` units of ``{item}``."""
    number, length = number_in(params), getattr(params, "acceptedLength", None)
    if number is not None and isinstance(length, int) and length > 0:
        ls.session.acceptance.taken(number)


@server.command(ACCEPTED)
def accepted(ls: Server, number: Any = None) -> None:  # noqa: ANN401
    """The person accepted the ghost text of this number, whole: bring the imports that it needs.

    Inline items cannot carry further edits, so the editor is asked to apply them; nobody waits for
    its answer, since an editor may be waiting for ours.
    """
    if not isinstance(number, int):
        log.info("%s takes the number that came with an inline item: ignored", ACCEPTED)
        return
    ls.session.acceptance.taken(number)
    found = ls.session.imports_of(number) if ls.session.editor.applies_edits else None
    if found is None:
        return

    def applied(result: types.ApplyWorkspaceEditResult) -> None:
        if result.applied:
            ls.session.work_ahead(found.document.uri, found.end)

    edit = convert.workspace_edit(found.edits, ls.session.editor)
    ls.workspace_apply_edit(types.ApplyWorkspaceEditParams(edit, "Import"), applied)


@server.command(IMPORT)
def import_elsewhere(ls: Server, number: Any = None, rank: Any = None) -> None:  # noqa: ANN401
    """An item was accepted whose import belongs into another cell."""
    if found := ls.session.elsewhere(number, rank):
        edit = convert.workspace_edit(found, ls.session.editor)
        ls.workspace_apply_edit(types.ApplyWorkspaceEditParams(edit, "Import"))


def number_in(params: object) -> int | None:
    """The number of the inline item in a notification; None, and a line in the log, without."""
    command = getattr(getattr(params, "item", None), "command", None)
    arguments = getattr(command, "arguments", None)
    if isinstance(arguments, list) and arguments and isinstance(arguments[0], int):
        return int(arguments[0])
    log.info("a notification about ghost text names none of ours: ignored")
    return None


# Workspace ----------------------------------------------------------------------------------------


@server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
async def did_change_configuration(ls: Server, params: types.DidChangeConfigurationParams) -> None:
    """Ask for the settings; of an editor that cannot be asked, take those that were sent along.

    VS Code sends them too, but without those that workspace folders have of their own.
    """
    raw = params.settings
    if ls.session.editor.pulls_settings:
        await pull_settings(ls)
    elif isinstance(raw, Mapping) and settings.SECTION in raw:
        await ls.apply_settings(raw[settings.SECTION])


@server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
def did_change_watched_files(ls: Server, params: types.DidChangeWatchedFilesParams) -> None:
    """Files changed on disk."""
    for change in params.changes:
        if change.type == types.FileChangeType.Deleted and ls.session.is_open(change.uri):
            log.info("an open file was deleted; its text in the editor goes on counting")
    ls.session.files_changed(change.uri for change in params.changes)


@server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
async def did_change_workspace_folders(
    ls: Server, params: types.DidChangeWorkspaceFoldersParams
) -> None:
    """Workspace folders were opened or closed."""
    added, removed = (
        [path for folder in folders if (path := path_of(folder.uri))]
        for folders in (params.event.added, params.event.removed)
    )
    for root in removed:
        if shown := ls.shown_progress.pop(root, None):
            shown.show({"phase": "closed"})
    await ls.session.change_folders(added, removed)
    await pull_settings(ls)
    ls.tell_status()


# Ours ---------------------------------------------------------------------------------------------


@server.feature("lancefill/status")
def status(ls: Server, params: object) -> dict[str, object]:  # noqa: ARG001
    """The state of the index and the helper processes, and what the model process runs."""
    return ls.session.report()


@server.feature("lancefill/explain")
async def explain(ls: Server, params: Any) -> dict[str, Any]:  # noqa: ANN401
    """Everything that a request at ``{textDocument: {uri}, position}`` leads to."""
    position = types.Position(params.position.line, params.position.character)
    explanation = await ls.session.explain(params.textDocument.uri, position)
    values = dataclasses.asdict(explanation)
    values.get("request", {}).pop("text", None)
    return values


@server.command(ASK)
async def ask(ls: Server, question: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """The repository's APIs that fit a request in plain words.

    ``question`` is ``{query, textDocument?: {uri}, limit?}``; what is wrong with it is answered as
    an error of the request.
    """
    asked = question if isinstance(question, Mapping) else {}
    query, limit = asked.get("query"), asked.get("limit", ASK_LIMIT)
    if not isinstance(query, str) or not isinstance(limit, int) or not 0 < limit <= ASK_MOST:
        raise JsonRpcInvalidParams(f"{ASK} takes {{query: text, limit: 1 to {ASK_MOST}}}")
    document = asked.get("textDocument")
    uri = str(document.get("uri", "")) if isinstance(document, Mapping) else ""
    answers = await ls.session.ask(query, limit, uri)
    return [
        {**dataclasses.asdict(answer), "uri": (root / answer.path).as_uri()}
        for root, answer in answers
    ]


async def pull_settings(ls: Server) -> None:
    """Ask the editor for the section ``lancefill``, where it answers such questions.

    Each workspace folder may have its own.
    """
    if not ls.session.editor.pulls_settings:
        return
    roots = ls.session.roots
    scopes = [None, *(root.as_uri() for root in roots)]
    items = [types.ConfigurationItem(scope, settings.SECTION) for scope in scopes]
    try:
        async with asyncio.timeout(SETTINGS_WAIT_S):
            answer = await ls.workspace_configuration_async(types.ConfigurationParams(items))
    except (JsonRpcException, TimeoutError):
        return
    first, *own = answer or [None]
    await ls.apply_settings(first, dict(zip(roots, own, strict=False)))


async def register_watchers(ls: Server) -> None:
    """Ask to be told of changed files and settings, where the editor offers it."""
    wanted = []
    if ls.session.editor.watches_files:
        watchers = [types.FileSystemWatcher(pattern) for pattern in WATCHED]
        options = types.DidChangeWatchedFilesRegistrationOptions(watchers)
        method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
        wanted.append(types.Registration(method, method, options))
    if ls.session.editor.watches_settings:
        method = types.WORKSPACE_DID_CHANGE_CONFIGURATION
        section = types.DidChangeConfigurationRegistrationOptions(settings.SECTION)
        wanted.append(types.Registration(method, method, section))
    if wanted:
        with contextlib.suppress(JsonRpcException):
            await ls.client_register_capability_async(types.RegistrationParams(wanted))


def log_level() -> int:
    """How much is logged: `LOG_LEVEL` names error, warning, info or debug; else info."""
    known = logging.getLevelNamesMapping()
    return known.get(os.environ.get(LOG_LEVEL, "").upper(), logging.INFO)


def main() -> int:
    """Serve one editor over stdin and stdout; what else editors append, ``--stdio``, is ignored.

    Returns the exit status: 0 after ``shutdown``, 1 when the editor left without.
    """
    server.share_model = OWN_MODEL not in sys.argv[1:]
    logging.basicConfig(stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger().setLevel(log_level())
    logging.getLogger("pygls").setLevel(logging.CRITICAL)  # it logs source code
    leave_garbage_to_pauses()
    quiet.share_in_small_slices()
    server.start_io(*take_stdio())
    return 0 if server.shut_down else 1
