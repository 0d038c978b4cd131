"""The rankers that APIEval compares: each answers with names in order, and how long that took.

Arms that are language servers are driven over LSP as an editor drives them, our own included; the
others run in this process over our index. Whatever an arm learns from the repository it learns
from the cut workspace that it is opened in.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from completion.candidates import gather
from completion.engine import popup
from completion.languages import language_for
from completion.model.prompt import CONTEXT_LINES, format_context
from completion.prompting import prompt
from completion.request import Prompt, Reason, Request
from completion.signatures import declaration
from evaluation import headless, lance
from evaluation.client import ResponseError
from evaluation.editor import Editor, editing
from evaluation.items import ApiItem, Shape
from evaluation.workspaces import Workspace
from indexing.build import build
from indexing.index import Index, Snapshot
from indexing.symbols import Definition
from lsp_server.settings import Settings

LETTERS = (0, 1, 3)
"""How many letters of the name are typed when the popup is asked for; 0 only after a dot."""

MOST = 50
"""Names further down are not looked at: no editor shows them."""

OWN_LATE_MS = 100.0
"""Our own popup is a miss when it takes longer: three times its deadline, in which it must also
cross two pipes."""

PEER_LATE_MS = 2000.0
SETTLE_S = 20.0
IDENTIFIER = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Answer:
    """One popup: the letters typed, the names in order (at most `MOST`), and milliseconds."""

    typed: int
    names: tuple[str, ...]
    ms: float


class Asking(Protocol):
    """An arm opened in a workspace."""

    async def ask(self, item: ApiItem, data: bytes) -> list[Answer]:
        """Complete at the item's cut in ``data``, the cut text, while its name is typed."""
        ...


@dataclass(frozen=True, slots=True)
class Arm:
    """A ranker: its name, the milliseconds after which an answer is a miss, how it is opened."""

    name: str
    late_ms: float
    opened: Callable[[Workspace], AbstractAsyncContextManager[Asking]]


def letters(item: ApiItem) -> list[int]:
    """How many letters are typed at the stops where an item's popup is asked for."""
    least = 0 if item.shape is Shape.MEMBER else 1
    return [typed for typed in LETTERS if least <= typed < max(1, len(item.name))]


# Language servers


@dataclass(frozen=True, slots=True)
class _Typing:
    """An editor on a server; ``warm`` asks once unclocked first, since a peer analyses lazily."""

    editor: Editor
    own: bool

    async def ask(self, item: ApiItem, data: bytes) -> list[Answer]:
        editor, answers, done = self.editor, [], 0
        editor.open(item.path, data)
        if self.own:
            await editor.caught_up()  # nobody completes in the millisecond in which a file opens
        else:
            await self._popup(item.path, item.offset)
        for typed in letters(item):
            editor.replace(item.path, item.offset + done, item.offset + done, item.name[done:typed])
            done = typed
            names, ms = await self._popup(item.path, item.offset + typed)
            kept = names if self.own else _filtered(names, item.name[:typed])
            answers.append(Answer(typed, tuple(kept[:MOST]), ms))
        editor.close(item.path)
        return answers

    async def _popup(self, path: str, offset: int) -> tuple[list[str], float]:
        start = time.perf_counter()
        try:
            answer = await self.editor.popup(path, offset, timeout_s=SETTLE_S)
        except (ResponseError, TimeoutError):
            return [], 1000 * (time.perf_counter() - start)
        labels = (IDENTIFIER.match(item.label) for item in answer.items)
        return list(dict.fromkeys(each[0] for each in labels if each)), answer.ms


def _filtered(names: Sequence[str], typed: str) -> list[str]:
    """What a client shows of a peer's list once letters are typed."""
    return [name for name in names if name.lower().startswith(typed.lower())]


@asynccontextmanager
async def _own_server(workspace: Workspace) -> AsyncIterator[Asking]:
    settings = {"ghostText": False}
    async with editing(workspace.root, cache=workspace.cache, settings=settings) as editor:
        await editor.settled()
        yield _Typing(editor, own=True)


LANCEFILL = Arm("lancefill", OWN_LATE_MS, _own_server)
"""What ships, through its server."""


def server(name: str, command: Sequence[str], late_ms: float = PEER_LATE_MS) -> Arm:
    """Any language server, by the command that starts it."""

    @asynccontextmanager
    async def opened(workspace: Workspace) -> AsyncIterator[Asking]:
        async with editing(workspace.root, command=command) as editor:
            yield _Typing(editor, own=False)

    return Arm(name, late_ms, opened)


# In this process

Order = Callable[[Request, Snapshot], list[str]]


@dataclass(frozen=True, slots=True)
class _Local:
    """An order over our index."""

    index: Index
    order: Order

    async def ask(self, item: ApiItem, data: bytes) -> list[Answer]:
        answers = []
        for typed in letters(item):
            text, offset = typed_text(item, data, typed)
            self.index.update(item.path, text)
            start = time.perf_counter()
            names = self.order(Request(item.path, text, offset), self.index.snapshot())
            answers.append(Answer(typed, tuple(names[:MOST]), 1000 * (time.perf_counter() - start)))
        self.index.forget(item.path)
        return answers


def typed_text(item: ApiItem, data: bytes, typed: int) -> tuple[bytes, int]:
    """The cut text with the first letters of the name, and the cursor behind them."""
    offset = item.offset + typed
    return data[: item.offset] + item.name[:typed].encode() + data[item.offset :], offset


def _local(name: str, order: Order) -> Arm:
    @asynccontextmanager
    async def opened(workspace: Workspace) -> AsyncIterator[Asking]:
        await asyncio.to_thread(build, workspace.root, workspace.cache)
        yield _Local(Index.open(workspace.root, workspace.cache), order)

    return Arm(name, PEER_LATE_MS, opened)


def _alphabetically(request: Request, snapshot: Snapshot) -> list[str]:
    context = language_for(request.path).read(
        request.text, request.offset, snapshot.tree(request.path)
    )
    return sorted(each.name for each in gather(context, request.path, snapshot).items)


def _lance(request: Request, snapshot: Snapshot) -> list[str]:
    context = language_for(request.path).read(
        request.text, request.offset, snapshot.tree(request.path)
    )
    return [definition.name for _, definition in lance.apis(request, context, snapshot)]


ALPHABETICAL = _local("alphabetical", _alphabetically)
"""Our candidates by name: what the order is worth."""

LANCE = _local("LANCE", _lance)
"""LANCE as published, as a ranker alone."""

PROMPTED = 32
"""How many of LANCE's signatures go into the prompt, and how many names the model scores."""


@dataclass(frozen=True, slots=True)
class _Prompting:
    """LANCE's signatures in the prompt of the model that ships, which orders the names."""

    running: headless.Headless

    async def ask(self, item: ApiItem, data: bytes) -> list[Answer]:
        answers = []
        for typed in letters(item):
            text, offset = typed_text(item, data, typed)
            self.running.index.update(item.path, text)
            start = time.perf_counter()
            names = await self._names(Request(item.path, text, offset))
            answers.append(Answer(typed, tuple(names[:MOST]), 1000 * (time.perf_counter() - start)))
        self.running.index.forget(item.path)
        return answers

    async def _names(self, request: Request) -> list[str]:
        snapshot = self.running.index.snapshot()
        context = language_for(request.path).read(
            request.text, request.offset, snapshot.tree(request.path)
        )
        found = lance.apis(request, context, snapshot)
        best = [definition.name for _, definition in found[:PROMPTED]]
        asked = _with_signatures(prompt(request, context, snapshot, typed=""), found[:PROMPTED])
        scores = await self.running.helpers.scores(request, asked, best, headless.PATIENT_GHOST_MS)
        if not best or isinstance(scores, Reason):
            return [definition.name for _, definition in found]
        order = sorted(zip(scores, best, strict=True), key=lambda pair: -pair[0])
        return [*(name for _, name in order), *(each.name for _, each in found[PROMPTED:])]


def _with_signatures(plain: Prompt, found: Sequence[tuple[str, Definition]]) -> Prompt:
    lines = [(path, declaration(definition)) for path, definition in found[:CONTEXT_LINES]]
    return replace(plain, header=format_context(lines))


@asynccontextmanager
async def _prompting(workspace: Workspace) -> AsyncIterator[Asking]:
    async with headless.opened(
        workspace.root, cache=workspace.cache, settings=Settings()
    ) as running:
        yield _Prompting(running)


LANCE_PROMPT = Arm("LANCE + model", 10_000.0, _prompting)
"""LANCE as published, as the prompt of the model that ours uses."""


@dataclass(frozen=True, slots=True)
class _Scoring:
    """Our engine in this process, waiting for the model's scores until the popup's deadline."""

    running: headless.Headless

    async def ask(self, item: ApiItem, data: bytes) -> list[Answer]:
        options = replace(self.running.options, model_scores=True)
        answers = []
        for typed in letters(item):
            text, offset = typed_text(item, data, typed)
            self.running.index.update(item.path, text)
            request, snapshot = Request(item.path, text, offset), self.running.index.snapshot()
            start = time.perf_counter()
            listed = await popup(request, snapshot, self.running.helpers, options)
            ms = 1000 * (time.perf_counter() - start)
            answers.append(Answer(typed, tuple(each.label for each in listed.items), ms))
        self.running.index.forget(item.path)
        return answers


@asynccontextmanager
async def _scoring(workspace: Workspace) -> AsyncIterator[Asking]:
    async with headless.opened(
        workspace.root, cache=workspace.cache, settings=Settings()
    ) as running:
        yield _Scoring(running)


LANCEFILL_MODEL = Arm("lancefill + model", OWN_LATE_MS, _scoring)
"""What ships, with the model's scores of the best names as one more feature."""

ARMS = {
    arm.name.replace(" ", ""): arm
    for arm in (LANCEFILL, LANCEFILL_MODEL, LANCE, LANCE_PROMPT, ALPHABETICAL)
}
"""The arms that need nothing but Lancefill, by what the command line calls them."""
