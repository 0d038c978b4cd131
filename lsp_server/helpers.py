"""The engine's helpers, made of helper processes: the model and jedi.

Nothing here raises or waits longer than it was told to; whatever a process does, the engine gets an
answer or a :class:`~completion.request.Reason`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from completion.context import Context
from completion.model import meeting
from completion.request import (
    Code,
    GhostOptions,
    Known,
    LibraryAnswer,
    LibraryItem,
    Prompt,
    RawGhost,
    Reason,
    Request,
)
from indexing import messages
from lsp_server.environment import Environment
from lsp_server.idle import Idle
from lsp_server.links import Meeting, Program
from lsp_server.processes import Answer, Cause, Health, Helper, HelperError, module

log = logging.getLogger(__name__)

MARGIN_MS = 10.0
"""Taken off a budget before a process is told of it, for the way there and back."""
LIBRARY_LIMIT_S = 15.0
"""How long jedi may work on one question; its answer is kept for the next keystroke."""
LIBRARY_REST_S = 120.0
"""How long jedi, 60 MB, stays while nobody works on Python."""
LIBRARY_ANSWERS = 32
"""How many of jedi's answers are kept."""
NICENESS = 5
"""Of the processes that no keystroke waits for, or not for long: the model and the indexers."""
JEDI = module("jedi", "completion.jedi_worker")
LOADING = Reason(Code.MODEL_LOADING, "the model is being loaded")


def model_program(device: str, weights: Path | None = None, *, in_use: bool = False) -> Program:
    """The model process, on ``auto``, ``cpu`` or ``cuda``, with other weights than the shipped.

    ``in_use``: with the model that ``lancefill model use`` chose.
    """
    arguments = _model_arguments(device, weights, in_use=in_use)
    return module("model", "completion.model.worker", *arguments, niceness=NICENESS)


def _model_arguments(
    device: str, weights: Path | None = None, *, in_use: bool = False
) -> tuple[str, ...]:
    chosen = ("--weights", str(weights)) if weights else ()
    return ("--device", device, *chosen, *(("--in-use",) if in_use else ()))


def shared_model(device: str) -> Program:
    """The process of the model in use that all editors of the user share, where that can be."""
    alone = model_program(device, in_use=True)
    arguments = _model_arguments(device, in_use=True)
    try:
        place = meeting.place_of(arguments)
    except meeting.SharingError as error:
        log.info("a model process for this editor alone: %s", error)
        return alone
    options = ("--socket", str(place), "--niceness", str(NICENESS), *arguments)
    starter = module("model", "completion.model.shared", *options).command
    return replace(alone, meeting=Meeting(place, starter))


class Model:
    """The model process, and whether it has loaded its weights."""

    def __init__(self, program: Program, changed: Callable[[], None]) -> None:
        self.helper = Helper(program, self._notified)
        self._changed = changed
        self._ready: int | None = None
        self._failure: Reason | None = None
        self._facts: Mapping[str, Any] = {}
        self._adapters: dict[str, str] = {}

    @property
    def facts(self) -> Mapping[str, Any]:
        """What runs there, as the process said (``info``); empty while it cannot be asked."""
        return {} if self.reason else self._facts

    def note_adapter(self, folder: str, problem: str) -> None:
        """The process answered with the adapter in ``folder``, or without it because of this."""
        if self._adapters.get(folder) != problem:
            self._adapters[folder] = problem
            self._changed()

    def adapter_problem(self, folder: str) -> str | None:
        """Why the adapter in ``folder`` is not used, "" if it is; None before it was asked for."""
        return self._adapters.get(folder)

    @property
    def reason(self) -> Reason | None:
        """Why the model cannot be asked now, or None."""
        health = self.helper.health
        if self._failure:
            return self._failure
        if health.pid is not None and health.pid == self._ready:
            return None
        if health.deaths:
            return Reason(Code.MODEL_FAILED, f"the model process {health.last_error}, restarting")
        return LOADING

    def _notified(self, method: str, params: Mapping[str, Any]) -> None:
        if method == "ready":
            self._ready, self._failure = self.helper.health.pid, None
            self._facts = params
        elif method == "failed":
            message = str(params.get("message", "the model could not be loaded"))
            self._failure = Reason(Code.MODEL_MISSING, message)
        self._changed()


class Library:
    """The jedi process and its latest answers.

    jedi is asked what could stand where the half-typed word starts, whatever has been typed of it,
    so one answer serves every keystroke of the word; an answer that comes too late for one popup is
    there for the next.
    """

    def __init__(self, program: Program = JEDI, rest_s: float = LIBRARY_REST_S) -> None:
        self.helper = Helper(program)
        self._rest = Idle(self._stop, rest_s)
        self._stopping: asyncio.Task[None] | None = None
        self._wanted = False
        self._answers: OrderedDict[object, asyncio.Task[LibraryAnswer]] = OrderedDict()

    async def complete(
        self,
        root: Path,
        environment: Environment,
        request: Request,
        context: Context,
        budget_ms: float,
    ) -> LibraryAnswer:
        """What jedi knows at the start of the word at the cursor."""
        before = request.text[: context.start]
        key = (root, environment, request.path, before)
        if key not in self._answers:
            self._drop_unfinished()
            text = before + request.text[request.offset :]
            question = self._ask(root, environment, request.path, text, context.start)
            self._answers[key] = asyncio.create_task(question)
        self._answers.move_to_end(key)
        task = self._answers[key]
        if not task.done():  # what is known already is answered at once
            await asyncio.wait({task}, timeout=budget_ms / 1000)
        if not task.done() or task.cancelled():
            late = f"jedi needs longer than {budget_ms:.0f} ms"
            return LibraryAnswer(reason=Reason(Code.DEADLINE, late))
        answer = task.result()
        if answer.reason:
            self._answers.pop(key, None)
        return answer

    def wake(self) -> None:
        """Somebody works on Python: the process is there from now on, until that has ended."""
        self._wanted = True
        self.helper.start()
        self._rest.postpone()

    def _stop(self) -> None:
        self._stopping = asyncio.create_task(self._rested())

    async def _rested(self) -> None:
        """End the process; where somebody came back meanwhile, which takes time, start it again."""
        self._wanted = False
        await self.helper.stop()
        if self._wanted:
            self.helper.start()

    def forget(self) -> None:
        """Files changed on disk: what jedi said may be outdated."""
        self._answers.clear()

    def _drop_unfinished(self) -> None:
        """Give up questions that nobody will ask again, and answers that are too many."""
        for key, task in list(self._answers.items()):
            if not task.done():
                task.cancel()
                del self._answers[key]
        while len(self._answers) >= LIBRARY_ANSWERS:
            self._answers.popitem(last=False)

    async def _ask(
        self, root: Path, environment: Environment, path: str, text: bytes, offset: int
    ) -> LibraryAnswer:
        interpreter = environment.interpreter
        params = {
            "path": str(root / path),
            "text": text.decode("utf-8", "replace"),
            "offset": offset,
            "root": str(root),
            "extra_paths": [str(path) for path in environment.import_roots],
            "interpreter": str(interpreter) if interpreter else None,
            "deadline_ms": LIBRARY_LIMIT_S * 1000,
        }
        try:
            answer = await self.helper.request("complete", params, LIBRARY_LIMIT_S)
        except HelperError as error:
            if error.late:
                return LibraryAnswer(reason=Reason(Code.DEADLINE, str(error)))
            return LibraryAnswer(reason=Reason(Code.LIBRARY_FAILED, str(error)))
        return LibraryAnswer(tuple(_library_item(item) for item in answer["items"]))


@dataclass(frozen=True, slots=True)
class FolderHelpers:
    """What the engine may ask about one workspace folder: ``completion.engine.Helpers``."""

    root: Path
    environment: Environment
    model: Model | None
    jedi: Library

    async def library(self, request: Request, context: Context, budget_ms: float) -> LibraryAnswer:
        """What jedi knows at the cursor."""
        return await self.jedi.complete(self.root, self.environment, request, context, budget_ms)

    async def scores(
        self,
        request: Request,
        prompt: Prompt,
        names: Sequence[str],
        budget_ms: float,
        adapter: str | None = None,
    ) -> Sequence[float] | Reason:
        """Natural-log probability of each name after the prompt."""
        params = {**_prompt_params(prompt), "names": list(names), "adapter": adapter}
        answer = await self._ask_model("score", request, params, budget_ms)
        return answer if isinstance(answer, Reason) else [float(p) for p in answer["logprobs"]]

    async def ghost(
        self, request: Request, prompt: Prompt, options: GhostOptions, budget_ms: float
    ) -> RawGhost | Reason:
        """What the model would write after the prompt."""
        params = {
            **_prompt_params(prompt),
            "path": request.path,
            "max_tokens": options.max_tokens,
            "ngrams": options.ngrams,
            "adapter": options.adapter,
            "names": dict(options.names),
            "known": _known_params(options.known),
            "text": request.text.decode("utf-8", "replace"),
            "offset": request.offset,
        }
        answer = await self._ask_model("ghost", request, params, budget_ms)
        return answer if isinstance(answer, Reason) else _raw_ghost(answer)

    async def _ask_model(
        self, method: str, request: Request, params: Mapping[str, object], budget_ms: float
    ) -> Answer | Reason:
        if self.model is None:
            return LOADING
        if reason := self.model.reason:
            return reason
        body = {**params, "deadline_ms": max(1.0, budget_ms - MARGIN_MS)}
        session = f"{self.root}:{request.path}"
        try:
            answer = await self.model.helper.request(method, body, budget_ms / 1000, session)
        except HelperError as error:
            return _model_reason(error, budget_ms)
        if adapter := params.get("adapter"):
            self.model.note_adapter(str(adapter), str(answer.get("adapter_problem", "")))
        return answer


def _model_reason(error: HelperError, budget_ms: float) -> Reason:
    if error.late:
        return Reason(Code.DEADLINE, f"the model needs longer than {budget_ms:.0f} ms")
    if error.cause is Cause.REFUSED and error.detail in (messages.SUPERSEDED, messages.CANCELLED):
        return Reason(Code.SUPERSEDED, "a newer request took its place")
    return Reason(Code.MODEL_FAILED, str(error))


def _prompt_params(prompt: Prompt) -> dict[str, object]:
    return {"header": prompt.header, "suffix": prompt.suffix, "prefix": prompt.prefix}


def _known_params(known: Known) -> dict[str, object]:
    here = None if known.here is None else list(known.here)
    receivers = {source: list(names) for source, names in known.receivers.items()}
    return {
        "here": here,
        "receivers": receivers,
        "made": list(known.made),
        "fixed": list(known.fixed),
    }


def _library_item(raw: Mapping[str, str]) -> LibraryItem:
    known = {item.name for item in fields(LibraryItem)}
    return LibraryItem(**{name: value for name, value in raw.items() if name in known})


def _raw_ghost(raw: Mapping[str, Any]) -> RawGhost:
    known = {item.name for item in fields(RawGhost)}
    return RawGhost(**{name: value for name, value in raw.items() if name in known})


def summary(health: Health) -> str:
    """A helper's state in words."""
    deaths = f", died {health.deaths} times, last: {health.last_error}" if health.deaths else ""
    return f"{health.name}: {_state(health)}{deaths}"


def _state(health: Health) -> str:
    if health.pid:
        return f"running (pid {health.pid}{', shared' * health.shared})"
    return "down" if health.wanted else "not needed now"
