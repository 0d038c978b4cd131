"""The main path: from a request to a ranked popup, and from a request to ghost text.

Read :func:`_popup` and :func:`_ghost` first. Everything here is plain values in, plain values out;
the helper processes are reached through :class:`Helpers`, and what they do not answer in time is
left out with a :class:`Reason`.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from completion import confidence, filters, retrieval
from completion.blocks import body_lead
from completion.candidates import Candidates, gather, scope_at, with_library
from completion.cardinal import is_cardinal
from completion.context import Context, Place
from completion.features import facts, over_unseen, with_counts
from completion.indentation import restyled
from completion.languages import language_for
from completion.membership import known_members, read_ahead
from completion.naming import known_part
from completion.presenting import present, present_answers
from completion.prompting import prompt, window
from completion.ranking import Ranked, forest_for, likely, rank
from completion.request import (
    NOTHING_FITS,
    Code,
    Ghost,
    GhostOptions,
    InsertCall,
    Known,
    LibraryAnswer,
    LibraryItem,
    Origin,
    Popup,
    Prompt,
    RawGhost,
    Reason,
    Request,
    Suggestion,
    TextEdit,
    Timing,
)
from completion.unimported import import_edits
from indexing.files import is_secret
from indexing.index import Snapshot
from indexing.languages import family_of, language_of
from indexing.messages import place_of
from indexing.ngrams import View
from indexing.parsing import Edit, normalise, parse

MAX_ITEMS = 50
"""The most items a popup holds: editors re-encode the list on every keystroke."""

SCORED_NAMES = 32
"""How many of the best names the model is asked about."""

PREDICTED_NAMES = 32
"""How many names the n-gram proposes."""

MARGIN_MS = 2.0
"""Kept back from the popup's deadline for ranking once more and building the items."""

LIBRARY_WAIT_MS = 12.0
"""How long after the request jedi is waited for where the repository or statistics have names to
offer: a list is asked for anew with every letter, and jedi's late answer is there for the next."""

ANSWERS = 5
"""How many APIs that fit the comment above an empty line are offered there."""

ANSWERS_WAIT_MS = 300.0
"""How long they are waited for: nobody is typing there, the list was asked for by hand."""

ALTERNATIVES = 2
"""How many other texts are written where somebody asks by hand."""
ALTERNATIVES_MS = 300.0
"""How much longer that person waits for them at the most."""

log = logging.getLogger(__name__)
T = TypeVar("T")


class Helpers(Protocol):
    """The helper processes as the engine sees them. None of them raises; a budget is a promise."""

    async def library(self, request: Request, context: Context, budget_ms: float) -> LibraryAnswer:
        """What jedi knows at the cursor."""
        ...

    async def scores(
        self,
        request: Request,
        prompt: Prompt,
        names: Sequence[str],
        budget_ms: float,
        adapter: str | None = None,
    ) -> Sequence[float] | Reason:
        """Log-probability of each name, followed by a non-identifier byte, after the prompt.

        ``adapter`` as in ``GhostOptions``.
        """
        ...

    async def ghost(
        self, request: Request, prompt: Prompt, options: GhostOptions, budget_ms: float
    ) -> RawGhost | Reason:
        """What the model would write after the prompt."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """What a person can choose; the defaults are owned by the settings of whoever calls.

    ``snippets``: the editor understands LSP snippet syntax. ``min_confidence``: ghost text that is
    less probably right (``confidence.py``) is not shown. ``in_comments``/``in_strings``:
    ghost text there. ``model_scores``: wait for the model's opinion on the best names until the
    popup's deadline.
    """

    popup_deadline_ms: float
    ghost_deadline_ms: float
    insert_call: InsertCall
    snippets: bool
    auto_import: bool
    model_scores: bool
    in_comments: bool
    in_strings: bool
    min_confidence: float
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything that one request led to; ``context`` is None where reading it failed."""

    request: Request
    context: Context | None
    popup: Popup
    ghost: Ghost


class Clock:
    """The timeline of one request: steps in milliseconds since it was made."""

    def __init__(self) -> None:
        self.origin = time.perf_counter()
        self.steps: list[Timing] = []

    def now(self) -> float:
        """Milliseconds since the request arrived."""
        return (time.perf_counter() - self.origin) * 1000

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time what happens inside."""
        start = self.now()
        try:
            yield
        finally:
            self.steps.append(Timing(name, start, self.now()))

    def book_within(self, step: str, laps: Mapping[str, float]) -> None:
        """Add the steps of a helper process, in milliseconds, to the step that waited for it.

        They are counted from its start: the ways there and back are put behind them.
        """
        start = next(each.start for each in self.steps if each.step == step)
        for name, took in laps.items():
            self.steps.append(Timing(f"{step}: {name}", start, start + took))
            start += took


def prepare(path: str, text: bytes, snapshot: Snapshot, *, ghost: bool = True) -> None:
    """Do for a file that was just opened what its first popup would otherwise wait for.

    The words of ``text`` are read for the n-gram, what the file's imports bind is resolved, and
    what all files share is loaded; it is kept where it is found again. With ``ghost``, threads
    begin to read what ghost text asks for. Never raises.
    """
    try:
        forest_for(Place.MEMBER)
        language_for(path)
        snapshot.bindings(path)
        snapshot.importers("")
        snapshot.use_counts(())
        if ghost:
            read_ahead(path, snapshot)
        if snapshot.ngrams is not None:
            snapshot.ngrams.with_buffer(path, text)
    except Exception as error:  # noqa: BLE001  the popup will meet it again and answer
        log.error("preparing a file failed: %s", place_of(error))


async def popup(request: Request, snapshot: Snapshot, helpers: Helpers, options: Options) -> Popup:
    """The names that could stand at the cursor, best first; never raises, returns by its deadline.

    ``snapshot`` must hold ``request.text`` as the buffer of ``request.path`` (``Index.update``).
    """
    clock = Clock()
    try:
        answer = await _popup(request, snapshot, helpers, options, clock)
        if words := retrieval.asked_above(request.text, request.offset):
            answer = await _with_answers(answer, words, request, snapshot, options, clock)
    except Exception as error:  # noqa: BLE001  an editor gets an answer, whatever happens
        log.error("popup failed: %s", place_of(error))
        answer = Popup((), (_failure(error),))
    return replace(answer, timeline=tuple(clock.steps))


async def ghost(request: Request, snapshot: Snapshot, helpers: Helpers, options: Options) -> Ghost:
    """What the model would write at the cursor, or the reason for nothing; never raises."""
    clock = Clock()
    try:
        answer = await _ghost(request, snapshot, helpers, options, clock)
    except Exception as error:  # noqa: BLE001  an editor gets an answer, whatever happens
        log.error("ghost text failed: %s", place_of(error))
        answer = Ghost(None, _failure(error))
    return replace(answer, timeline=tuple(clock.steps))


async def ghosts(
    request: Request, snapshot: Snapshot, helpers: Helpers, options: Options
) -> tuple[Ghost, ...]:
    """What `ghost` answers and, where a person asked by hand, other texts, the likeliest first.

    The others begin with other words, and come as far as the time allows (`ALTERNATIVES_MS`); never
    raises.
    """
    began = time.perf_counter()
    first = await ghost(request, snapshot, helpers, options)
    spent = 1000 * (time.perf_counter() - began)
    latest = min(options.ghost_deadline_ms, spent + ALTERNATIVES_MS)
    if request.automatic or request.selected is not None or first.edit is None:
        return (first,)
    try:
        names = _other_words(first.edit.text, request, snapshot)
    except Exception as error:  # noqa: BLE001  the first one is there, whatever happens
        log.error("looking for alternatives failed: %s", place_of(error))
        return (first,)
    found: list[tuple[float, Ghost]] = []
    for name, likelihood in names.items():
        left = latest - 1000 * (time.perf_counter() - began)
        if left <= 0:
            break
        patience = replace(options, ghost_deadline_ms=left, min_confidence=0.0)
        other = await ghost(replace(request, selected=name), snapshot, helpers, patience)
        if other.edit is not None:
            found.append((likelihood * other.confidence, other))
    found.sort(key=lambda pair: -pair[0])
    return (first, *(other for _, other in found))


def _other_words(text: str, request: Request, snapshot: Snapshot) -> dict[str, float]:
    """The likeliest words at the cursor but the one that ``text`` makes there: P(word), best first.

    Behind a dot they are the popup's, in other expressions the n-gram's.
    """
    context = _read(request, snapshot)
    if context.place is Place.MEMBER:
        known: Mapping[str, float] = likely_names(request, context, snapshot)
    elif context.place is Place.NAME and not _lead(request, snapshot):
        known = _given_typed(request, context, snapshot) or {}
    else:
        known = {}
    first = confidence.first_word(context.prefix, text)
    begun = {name: p for name, p in known.items() if name.startswith(context.prefix)}
    words = sorted(begun.keys() - {first, context.prefix}, key=lambda name: -begun[name])
    return {name: begun[name] for name in words[:ALTERNATIVES]}


def imports(
    text: bytes, start: int, end: int, path: str, snapshot: Snapshot
) -> tuple[TextEdit, ...]:
    """The edits that import what accepted ghost text uses and the file does not know; never raises.

    It is bytes ``[start, end)`` of ``text``, which ``snapshot`` must hold as the buffer of
    ``path``; only a language that the model reads has ghost text.
    """
    try:
        return import_edits(text, start, end, path, snapshot)
    except Exception as error:  # noqa: BLE001  what was accepted stands there, whatever happens
        log.error("looking for imports failed: %s", place_of(error))
        return ()


async def explain(
    request: Request, snapshot: Snapshot, helpers: Helpers, options: Options
) -> Explanation:
    """The popup and the ghost text with all that led to them."""
    try:
        context = _read(request, snapshot)
    except Exception as error:  # noqa: BLE001  an editor gets an answer, whatever happens
        log.error("reading the context failed: %s", place_of(error))
        context = None
    listed = await popup(request, snapshot, helpers, options)
    told = tuple(
        replace(item, evidence=tuple(item.evidence), extra_edits=tuple(item.extra_edits))
        for item in listed.items
    )
    return Explanation(
        request,
        context,
        replace(listed, items=told),
        await ghost(request, snapshot, helpers, options),
    )


def _read(request: Request, snapshot: Snapshot) -> Context:
    language = language_for(request.path)
    return language.read(request.text, request.offset, snapshot.tree(request.path))


def _failure(error: Exception) -> Reason:
    return Reason(Code.FAILED, f"a defect in Lancefill ({type(error).__name__}); see the log")


NOTHING_BEGINS = Reason(
    Code.GATED,
    "nothing to complete begins behind what is typed; ask for it by key to get it anyway",
)
SECRET_FILE = Reason(Code.SECRET, "a file of this name may hold secrets: the model does not see it")


def finished(request: Request, context: Context) -> bool:
    """Whether a request that nobody made by hand is for the place right behind something finished.

    That is a place in code that touches what stands before it and is no cardinal point: behind a
    closed bracket, a string, a number. What was right there was a single mark (lab log). Behind a
    blank the writer means to go on, so it does not count, nor does a half-typed word. Behind a
    dot (`Place.MEMBER`) something always begins.
    """
    if not request.automatic or request.selected is not None:
        return False
    if context.place not in (Place.NAME, Place.NUMBER):
        return False
    before = request.text[: request.offset]
    if (context.prefix and context.place is not Place.NUMBER) or before[-1:] in b" \t\f":
        return False
    language = language_of(request.path)
    return language is not None and not is_cardinal(language.name, before)


# Popup


async def _popup(
    request: Request, snapshot: Snapshot, helpers: Helpers, options: Options, clock: Clock
) -> Popup:
    with clock.step("context"):
        context = _read(request, snapshot)
    if context.place in _NO_POPUP:
        return Popup((), (Reason(Code.GATED, f"no names are offered here: {context.place}"),))
    if finished(request, context):
        return Popup((), (NOTHING_BEGINS,))
    with clock.step("candidates"):
        view = view_of(request, context, snapshot)
        offered = partial(predicted, view, context)
        found = gather(context, request.path, snapshot, offered, imports=options.auto_import)

    def left() -> float:
        return options.popup_deadline_ms - MARGIN_MS - clock.now()

    async with _Pending() as pending:
        library = scores = None
        if needs_library(request, context, found):
            library = pending.start(helpers.library(request, context, left()))
            await asyncio.sleep(0)  # the question leaves now, jedi works while we rank
            if library.done():  # it was answered before, for another letter of this word
                found = with_library(found, library.result().items, context)
        with clock.step("ranking"):
            known = facts(request, context, found, snapshot, view)
            ranked = rank(found, known, MAX_ITEMS)
        if options.model_scores and language_for(request.path).model and ranked:
            asked = prompt(request, context, snapshot, typed="")
            names = [each.candidate.name for each in ranked[:SCORED_NAMES]]
            adapter = _named(snapshot.adapter_folder)
            scores = pending.start(helpers.scores(request, asked, names, left(), adapter))
        with clock.step("helpers"):
            answer, reasons = await _library_answer(library, _patience(found), clock, left)
            model, late = await _model_scores(scores, ranked, left)
    with clock.step("items"):
        merged = with_library(found, answer, context) if answer else found
        if model or len(merged.items) > len(found.items):
            known = replace(with_counts(known, merged, view), model=model)
            ranked = rank(merged, known, MAX_ITEMS)
        insert, snippets = options.insert_call, options.snippets
        items = present(ranked, request, context, snapshot, insert_call=insert, snippets=snippets)
    return Popup(items, (*reasons, *late, *_shortfall(items, request, snapshot)))


_NO_POPUP = frozenset((Place.STRING, Place.COMMENT, Place.NUMBER, Place.DEFINITION))


async def _with_answers(
    popup: Popup, words: str, request: Request, snapshot: Snapshot, options: Options, clock: Clock
) -> Popup:
    """The popup of an empty line under a comment: first what fits the comment, ready to use."""
    if any(reason.code is Code.GATED for reason in popup.reasons):  # inside a string, say
        return popup
    with clock.step("answers"):
        question = asyncio.to_thread(retrieval.ask, snapshot, words, 2 * ANSWERS, request.path)
        async with _Pending() as pending:
            patience = max(ANSWERS_WAIT_MS, options.popup_deadline_ms - clock.now())
            try:
                found = await _within(pending.start(question), patience)
            except Exception as error:  # noqa: BLE001  the names found before are not lost
                log.error("answering a comment failed: %s", place_of(error))
                return replace(popup, reasons=(*popup.reasons, _failure(error)))
    if found is None:
        late = Reason(Code.DEADLINE, "what fits the comment above was not found in time")
        return replace(popup, reasons=(*popup.reasons, late))
    family = family_of(request.path)
    own = [each for each in found if family_of(each.path) == family][:ANSWERS]
    items = present_answers(
        own, request, snapshot, imports=options.auto_import, snippets=options.snippets
    )
    reasons = tuple(each for each in popup.reasons if each.code is not Code.NO_CANDIDATES)
    return replace(popup, items=(*items, *popup.items)[:MAX_ITEMS], reasons=reasons)


def needs_library(request: Request, context: Context, found: Candidates) -> bool:
    """jedi is asked only for what the repository does not define."""
    if not language_for(request.path).jedi:
        return False
    asked = context.place in (Place.MEMBER, Place.IMPORTED, Place.MODULE)
    return asked and not found.complete


def _patience(found: Candidates) -> float:
    """Until when jedi is waited for, in milliseconds since the request.

    Not at all where the receiver's own members are known, to the deadline where nothing is.
    """
    if any(each.origin is Origin.MEMBER and each.how.certain for each in found.items):
        return 0.0
    return LIBRARY_WAIT_MS if found.items else math.inf


def view_of(request: Request, context: Context, snapshot: Snapshot) -> View | None:
    """The repository's n-gram with the buffer in it, but for the name being typed."""
    model = snapshot.ngrams
    return None if model is None else model.with_buffer(request.path, request.text, context.start)


def predicted(view: View | None, context: Context) -> list[str]:
    """The names that the n-gram proposes at the cursor, best first."""
    return [] if view is None else list(_proposals(view, context))


def _proposals(view: View, context: Context) -> dict[str, float]:
    """The words that the n-gram proposes at the cursor with their probabilities, best first."""
    before, _ = view.context(context.start)
    found = view.predict(before, context.prefix.encode(), PREDICTED_NAMES)
    return {name.decode("utf-8", "replace"): probability for name, probability in found}


def _shortfall(
    items: Sequence[Suggestion], request: Request, snapshot: Snapshot
) -> tuple[Reason, ...]:
    """Why the list is empty, where it is."""
    if items:
        return ()
    if snapshot.symbols(request.path) is None:
        return (Reason(Code.NOT_INDEXED, f"{request.path} is not in the index"),)
    return (Reason(Code.NO_CANDIDATES, "nothing known fits what is typed"),)


class _Pending:
    """Questions to the helpers; those without an answer at the end are given up."""

    def __init__(self) -> None:
        self.tasks: list[asyncio.Task[Any]] = []

    def start(self, question: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.create_task(question)
        self.tasks.append(task)
        return task

    async def __aenter__(self) -> _Pending:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self.tasks:
            task.cancel()


async def _within(task: asyncio.Task[T], budget_ms: float) -> T | None:
    """The task's result, or None where it is late."""
    if budget_ms > 0:
        await asyncio.wait((task,), timeout=budget_ms / 1000)
    return task.result() if task.done() else None


async def _library_answer(
    task: asyncio.Task[LibraryAnswer] | None,
    patience: float,
    clock: Clock,
    left: Callable[[], float],
) -> tuple[tuple[LibraryItem, ...], tuple[Reason, ...]]:
    """jedi's names, waited for until ``patience`` (see `_patience`) or the popup's deadline."""
    if task is None:
        return (), ()
    answer = await _within(task, min(left(), patience - clock.now()))
    if answer is None:
        late = "jedi's names come with the next letter"
        if patience == math.inf:
            late = "jedi did not answer in time"
        return (), (Reason(Code.DEADLINE, late),)
    return answer.items, (() if answer.reason is None else (answer.reason,))


async def _model_scores(
    task: asyncio.Task[Sequence[float] | Reason] | None,
    ranked: Sequence[Ranked],
    left: Callable[[], float],
) -> tuple[Mapping[str, float], tuple[Reason, ...]]:
    if task is None:
        return {}, ()
    answer = await _within(task, left())
    if answer is None:
        return {}, (Reason(Code.DEADLINE, "the model did not score the names in time"),)
    if isinstance(answer, Reason):
        return {}, (answer,)
    pairs = zip(ranked, answer, strict=False)
    return {each.candidate.name: over_unseen(score) for each, score in pairs}, ()


def _named(folder: Path | None) -> str | None:
    """A folder as it is named to the model process."""
    return str(folder) if folder else None


# Ghost text


async def _ghost(
    request: Request, snapshot: Snapshot, helpers: Helpers, options: Options, clock: Clock
) -> Ghost:
    with clock.step("context"):
        context = _read(request, snapshot)
    if (gated := _gate(request, context, options)) is not None:
        return Ghost(None, gated)
    asked_at, lead = request.offset, _lead(request, snapshot)
    with clock.step("prompt"):
        request, context = _behind(lead, request, context, snapshot)
        asked = prompt(request, context, snapshot, typed=request.selected)
        ngrams, adapter = _named(snapshot.ngram_folder), _named(snapshot.adapter_folder)
        names = {} if request.selected else likely_names(request, context, snapshot)
        allowed = Known() if request.selected else known_members(request, context, snapshot)
        wanted = GhostOptions(options.max_tokens, ngrams, adapter, names, allowed)
    with clock.step("model"):
        async with _Pending() as pending:
            left = options.ghost_deadline_ms - clock.now()
            writing = pending.start(helpers.ghost(request, asked, wanted, left))
            await asyncio.sleep(0)  # the question leaves now, the n-gram is read meanwhile
            proposals = _given_typed(request, context, snapshot)
            raw = await writing
    if isinstance(raw, Reason):
        return Ghost(None, raw, prompt=asked, asked=wanted)
    clock.book_within("model", raw.timeline)
    with clock.step("filters"):
        raw = replace(raw, text=restyled(raw.text, asked.prefix, asked.suffix))
        kept = _filtered(raw, asked, request, context, snapshot)
    answer = Ghost(None, None, 0.0, raw.tokens, raw.stop, raw.reused, asked, wanted)
    if isinstance(kept, Reason):
        return replace(answer, reason=kept)
    typed = request.selected or context.prefix
    signs = confidence.signs(raw, kept, context, typed, proposals, names)
    sure = confidence.shipped().probability(signs)
    answer = replace(answer, confidence=sure, signs=signs)
    if sure < options.min_confidence:
        unlikely = Reason(Code.LOW_CONFIDENCE, f"right with a probability of {sure:.2f} only")
        return replace(answer, reason=unlikely)
    if lead:
        return replace(answer, edit=TextEdit(asked_at, asked_at, lead + kept))
    return replace(answer, edit=_ghost_edit(kept, request, context))


def _lead(request: Request, snapshot: Snapshot) -> str:
    """What is written before the model is asked: the line break before a body that is missing."""
    before, after = request.text[: request.offset], request.text[request.offset :]
    if request.selected is not None or not before.endswith(b":"):
        return ""
    return body_lead(*window(before, after, snapshot.tree(request.path)))


def _behind(
    lead: str, request: Request, context: Context, snapshot: Snapshot
) -> tuple[Request, Context]:
    """The request as it would be made once ``lead`` is typed, and what stands at its cursor."""
    language = language_of(request.path)
    if not lead or language is None:
        return request, context
    at, written = request.offset, lead.encode()
    text = request.text[:at] + written + request.text[at:]
    moved = replace(request, text=text, offset=at + len(written))
    edit = Edit(at, at, moved.offset)
    old = normalise(request.text)
    tree = parse(language, normalise(text), snapshot.tree(request.path), edit, old)
    return moved, language_for(request.path).read(text, moved.offset, tree)


def likely_names(request: Request, context: Context, snapshot: Snapshot) -> dict[str, float]:
    """What the popup would offer behind a dot, the receiver's members first: P(name), best first.

    Elsewhere nothing: there it knows no better than the n-gram (lab log).
    """
    if context.place is not Place.MEMBER:
        return {}
    view = view_of(request, context, snapshot)
    found = gather(context, request.path, snapshot, partial(predicted, view, context))
    ranked = rank(found, facts(request, context, found, snapshot, view), MAX_ITEMS)
    return likely(ranked, context.prefix)


def _given_typed(
    request: Request, context: Context, snapshot: Snapshot
) -> Mapping[str, float] | None:
    """The n-gram's words at the cursor, with their probabilities given what is typed of them."""
    view = view_of(request, context, snapshot)
    if view is None:
        return None
    found = _proposals(view, context)
    whole = sum(found.values()) if context.prefix else 1.0
    return {name: probability / whole for name, probability in found.items()}


def _gate(request: Request, context: Context, options: Options) -> Reason | None:
    """Why no ghost text is asked for here, if so."""
    if is_secret(request.path):
        return SECRET_FILE
    language = language_for(request.path)
    if not language.model:
        return Reason(Code.LANGUAGE, f"the shipped model does not read {language.name}")
    if context.place is Place.COMMENT and not options.in_comments:
        return Reason(Code.GATED, "not inside comments")
    if context.place is Place.STRING and not options.in_strings:
        return Reason(Code.GATED, "not inside strings")
    if context.end > context.offset:
        return Reason(Code.GATED, "not in the middle of a word")
    if not request.text[: context.offset].strip():
        return Reason(Code.GATED, "nothing stands before the cursor")
    if request.selected is not None and not request.selected.startswith(context.prefix):
        return Reason(Code.GATED, "the selected item replaces what is typed")
    if finished(request, context):
        return NOTHING_BEGINS
    return None


def _filtered(
    raw: RawGhost,
    asked: Prompt,
    request: Request,
    context: Context,
    snapshot: Snapshot,
) -> str | Reason:
    text, unknown = known_part(raw.text, asked, context, scope_at(context, request.path, snapshot))
    if unknown and not text.strip():
        return Reason(Code.UNKNOWN_NAME, f"{unknown} does not exist")
    if raw.stop == NOTHING_FITS and not text.strip():
        return Reason(Code.NOTHING_FITS, "no name that exists here fits what is typed")
    return filters.filtered(text, asked.prefix, asked.suffix)


def _ghost_edit(text: str, request: Request, context: Context) -> TextEdit:
    if request.selected is None:
        return TextEdit(request.offset, request.offset, text)
    return TextEdit(context.start, request.offset, request.selected + text)
