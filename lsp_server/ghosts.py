"""Ghost text: what is typed through, what is worked out ahead, and when the model is asked."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lsprotocol import types

from completion import engine
from completion.request import Code, Ghost, Reason, TextEdit
from lsp_server import documents
from lsp_server.acceptance import Acceptance
from lsp_server.ahead import Ahead
from lsp_server.documents import Document, Encoding, word_before
from lsp_server.folders import Folders
from lsp_server.notebooks import View
from lsp_server.questions import Questions
from lsp_server.rhythm import IN_TIME_S, Rhythm
from lsp_server.shown import Memory
from lsp_server.texts import Texts

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
"""Reasons that hold as long as text and index do: who asks again would hear the same."""


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
class Place:
    """A cursor, byte ``offset`` of all that is read where somebody types.

    In a notebook that begins with the cells above: once one of them changes it is another place.
    """

    view: View
    offset: int

    @property
    def document(self) -> Document:
        """Where somebody types."""
        return self.view.document

    @property
    def own(self) -> int:
        """The byte offset in that document."""
        return self.offset - self.view.base

    @property
    def key(self) -> tuple[str, int, bytes, int]:
        """The same for places at which all is the same."""
        return self.document.uri, self.view.base, self.view.text, self.offset


class Ghosts:
    """Answers for ghost text, and what is remembered of them."""

    def __init__(
        self,
        folders: Folders,
        texts: Texts,
        questions: Questions,
        counted: Acceptance,
        encoding: Encoding,
    ) -> None:
        """``encoding`` is that of positions."""
        self._folders = folders
        self._texts = texts
        self._questions = questions
        self._acceptance = counted
        self._encoding = encoding
        self._memory = Memory()
        self._ahead: Ahead[tuple[Ghost, ...] | None] = Ahead()
        self._rhythm = Rhythm()

    def changed(self, document: Document) -> None:
        """Somebody typed in a document, which is this now."""
        self._rhythm.key()
        view = self._texts.view(document)
        shown = self._memory.ended(document.uri, view.text) if view else None
        if view and shown:
            self._work_ahead(Place(view, shown.end))

    def forget(self, uri: str) -> None:
        """A document was closed."""
        self._memory.forget(uri)

    def renewed(self) -> None:
        """An index is another one: what was worked out ahead may be said otherwise now."""
        self._ahead.drop()

    def clear(self) -> None:
        """Other settings are in force, or the session is over: nothing that was found counts."""
        self._memory.clear()
        self._ahead.drop()

    async def at(
        self,
        uri: str,
        position: types.Position,
        *,
        selected: str | None,
        automatic: bool = False,
    ) -> Given | Reason:
        """The ghost text at a position; ``automatic``: nobody asked for it by hand."""
        began = time.monotonic()
        document, place = self._texts.get(uri), self._place(uri, position)
        if place and (known := self._remembered(place, selected, automatic=automatic)):
            return known
        if ready := await self._worked_out(place, selected, automatic=automatic):
            return ready
        if automatic and (wait := self._wait()):
            await asyncio.sleep(wait)
        if self._texts.get(uri) is not document:
            return TYPED_ON
        question = self._questions.at(uri, position, selected=selected, automatic=automatic)
        if isinstance(question, Reason):
            return question
        if automatic and question.document.deleted_at == question.offset:
            return DELETED
        waited = time.monotonic() - began
        ghosts = question.own(await engine.ghosts(*self._questions.taken(question, waited)))
        self._learn(ghosts[0])
        return self._given(ghosts, Place(question.view, question.request.offset))

    def _place(self, uri: str, position: types.Position) -> Place | None:
        """Where in what is read a position is; None where nothing is read."""
        document = self._texts.get(uri)
        view = self._texts.view(document) if document else None
        if view is None:
            return None
        own = documents.offset_at(view.document, position, self._encoding)
        return Place(view, view.base + own)

    def _wait(self) -> float:
        """How many seconds the person may go on typing before the model is asked."""
        return self._rhythm.wait(min(IN_TIME_S, self._folders.settings.max_latency_ms / 1000))

    def _learn(self, ghost: Ghost) -> None:
        """Note how long an answer took, or at least took, where the model was asked."""
        code = ghost.reason.code if ghost.reason else None
        if ghost.prompt is not None and (code is None or code in JUDGED | {Code.DEADLINE}):
            self._rhythm.answered(ghost.timeline[-1].end / 1000)

    def work_ahead(self, uri: str, offset: int) -> None:
        """Work out what will be answered at a byte offset: the person is about to go on there."""
        document = self._texts.get(uri)
        view = self._texts.view(document) if document else None
        if view:
            self._work_ahead(Place(view, view.base + offset))

    def _work_ahead(self, place: Place) -> None:
        if self._folders.settings.ghost_text:
            self._ahead.begin(place.key, self._ghosts_at(place))

    async def _ghosts_at(self, place: Place) -> tuple[Ghost, ...] | None:
        """What comes by itself at a place; None where that may be another thing a moment later."""
        position = documents.position_at(place.document, place.own, self._encoding)
        question = self._questions.at(place.document.uri, position, automatic=True)
        if isinstance(question, Reason):
            return None
        if Place(question.view, question.request.offset).key != place.key:
            return None
        ghosts = question.own(await engine.ghosts(*self._questions.taken(question)))
        reason = ghosts[0].reason
        return ghosts if reason is None or reason.code in JUDGED else None

    async def _worked_out(
        self, place: Place | None, selected: str | None, *, automatic: bool
    ) -> Given | None:
        """What was worked out ahead for this place; work for another one ends here."""
        if place is None or selected is not None or not automatic:
            self._ahead.drop()
            return None
        ghosts = await self._ahead.take(place.key)
        return self._given(ghosts, place) if ghosts else None

    def _remembered(self, place: Place, selected: str | None, *, automatic: bool) -> Given | None:
        """The rest of what was shown and is being typed, without asking the model.

        Nobody who asks by hand is given the very text that stands there already.
        """
        document, offset = place.document, place.own
        given = counted = None
        for shown, rest in self._memory.rests(document.uri, place.view.text, place.offset):
            typed = len(shown.insert) - len(rest)
            if typed and counted is None:  # alternatives may begin alike: the best one counts
                counted = shown.number
                self._acceptance.taken(counted)
            if given is None and (typed or automatic) and rest:
                edit = TextEdit(offset, offset, rest.decode())
                if extends(edit, document, selected):
                    given = Given(Ghost(edit), document, offset, shown.number)
        return given

    def _given(self, ghosts: Sequence[Ghost], place: Place) -> Given:
        """Texts that are given now, the best first; it is kept last, and so the one that stays."""
        kept = [
            Given(ghost, place.document, place.own, self._remember(ghost.edit, place))
            for ghost in reversed(ghosts)
        ]
        return replace(kept[-1], others=tuple(kept[-2::-1]))

    def _remember(self, edit: TextEdit | None, place: Place) -> int | None:
        """Keep what is given now; the number that it gets."""
        if edit is None:
            return None
        document = place.document
        typed = document.text[edit.start : place.own]
        insert = edit.text.encode("utf-8", "replace").removeprefix(typed)
        return self._memory.remember(document.uri, place.view.text, place.offset, insert).number

    def imports_of(self, number: int) -> Imports | None:
        """What the ghost text of this number needs.

        None where there is nothing to import, and where the document is no longer the old one with
        that text in it: then the text was not accepted whole, or the person has gone on.
        """
        uri, shown = self._memory.find(number) or ("", None)
        document = self._texts.get(uri)
        if shown is None or document is None or not self._folders.settings.auto_import:
            return None
        self._texts.catch_up()
        if self._texts.is_cell(uri):
            self._texts.take_up(document)
        view = self._texts.view(document)
        if view is None or view.too_long or shown.rest(view.text, shown.end) != b"":
            return None
        folder, name = self._texts.place(document)
        snapshot = folder.index.snapshot()
        edits = engine.imports(view.text, shown.offset, shown.end, name, snapshot)
        placed = tuple(view.placed(edit, across=True) for edit in edits)
        begin, end = shown.offset - view.base, shown.end - view.base
        own = (edit for cell, edit in placed if cell is document and edit.start <= begin)
        longer = sum(len(each.text.encode()) for each in own)
        return Imports(document, placed, end + longer) if placed else None


def extends(edit: TextEdit, document: Document, selected: str | None) -> bool:
    """Whether an insertion goes on from the popup item that the editor previews, if it does."""
    if selected is None:
        return True
    word = word_before(document.text, edit.start) + edit.text
    return word.startswith(selected) and word != selected
