"""``lancefill complete`` and ``explain``: what one position would get, and all that led to it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.pretty import Pretty
from rich.table import Table
from rich.text import Text

from completion.engine import Explanation
from completion.prompting import lines_of
from completion.ranking import telling
from completion.request import Ghost, GhostOptions, Reason, Request, Suggestion, Timing
from evaluation import report, show
from evaluation.answers import Item, after_cursor
from evaluation.headless import opened
from lsp_server.settings import Settings

SHOWN_ITEMS = 10
EXPLAINED_ITEMS = 20


def ask(root: Path, path: str, data: bytes, offset: int, *, ghost: bool) -> Explanation:
    """Return everything about completing ``data``, taken as ``path`` in ``root``, at ``offset``.

    Without ``ghost`` no model process is started.
    """

    async def once() -> Explanation:
        async with opened(root, settings=Settings(ghost_text=ghost), in_use=True) as headless:
            return await headless.explain(path, data, offset)

    return asyncio.run(once())


def print_answer(console: Console, explanation: Explanation) -> None:
    """Print the code, the ghost text in it, the popup under it, and reasons for what is missing."""
    request, ghost = explanation.request, explanation.ghost
    after = after_cursor(ghost, request.text, request.offset)
    console.print(show.heading(show.place(request.path, request.text, request.offset)))
    console.print(show.code(request.text, request.offset, after))
    items = explanation.popup.items[:SHOWN_ITEMS]
    console.print(show.popup([item_of(suggestion) for suggestion in items]))
    reasons = [*explanation.popup.reasons, *([ghost.reason] if ghost.reason else [])]
    for reason in reasons:
        console.print(Text(f"{reason.code}: {reason.message}", style="yellow"))


def print_explanation(console: Console, explanation: Explanation) -> None:
    """Print what ``print_answer`` prints, then context, features, prompt and timelines."""
    print_answer(console, explanation)
    for title, part in _sections(explanation):
        console.print(show.heading(title))
        console.print(part, soft_wrap=isinstance(part, Text))


def print_prompt(console: Console, explanation: Explanation) -> None:
    """Print `prompt_text` alone."""
    console.print(Text(prompt_text(explanation)), soft_wrap=True)


def print_answer_json(console: Console, explanation: Explanation) -> None:
    """Print popup and ghost text as one JSON object."""
    answer = {"popup": explanation.popup, "ghost": explanation.ghost}
    text = json.dumps(report.as_json(answer), ensure_ascii=False)
    console.print(Text(text), soft_wrap=True)


def item_of(suggestion: Suggestion) -> Item:
    """Return a suggestion as a popup shows it."""
    why = "; ".join(one.text for one in telling(suggestion.evidence))
    return Item(suggestion.label, suggestion.kind, suggestion.detail, why)


def _sections(explanation: Explanation) -> Iterator[tuple[str, RenderableType]]:
    popup, ghost = explanation.popup, explanation.ghost
    if explanation.context is not None:
        fields = dataclasses.fields(explanation.context)
        values = {field.name: getattr(explanation.context, field.name) for field in fields}
        yield "context", Pretty(values, max_length=20, max_string=200)
    yield "candidates and their features", _features(popup.items[:EXPLAINED_ITEMS])
    yield "prompt of the ghost text, every byte", Text(prompt_text(explanation))
    yield "ghost text", _ghost(ghost)
    yield "timeline of the popup", _timeline(popup.timeline, popup.reasons)
    yield "timeline of the ghost text", _timeline(ghost.timeline, ())


def _features(items: Sequence[Suggestion]) -> Table:
    grid = report.table("", ("name", "score", "from"), ())
    grid.add_column("feature = value \N{MULTIPLICATION SIGN} weight", overflow="fold")
    for item in items:
        features = (
            f"{one.feature}={one.value:.3g} ({one.contribution:+.2f})" for one in item.evidence
        )
        grid.add_row(item.label, f"{item.score:.2f}", item.origin, "  ".join(features))
    return grid


def prompt_text(explanation: Explanation) -> str:
    """All that reached the model process: the prompt line by line with each line's file, the rest.

    A line of the prompt is its part, its file and its text as a Python string; these texts, joined
    part by part, are what was sent. Where nothing was sent there is the reason.
    """
    ghost, path = explanation.ghost, explanation.request.path
    if ghost.prompt is None:
        return f"nothing reached the model: {ghost.reason.message if ghost.reason else ''}"
    lines = list(lines_of(ghost.prompt, path))
    width = max((len(line.file) for line in lines), default=0)
    told = [f"{line.part:6}  {line.file:{width}}  {line.text!r}" for line in lines]
    for part in ("header", "suffix", "prefix"):
        text: str = getattr(ghost.prompt, part)
        told.append(f"{len(text.encode())} bytes of {part}")
    if ghost.asked:
        told += _also_told(ghost.asked, explanation.request)
    return "\n".join(told)


def _also_told(asked: GhostOptions, request: Request) -> Iterator[str]:
    """What the model process was told beside the prompt: no network reads it."""
    yield f"the whole text of {request.path}, counted together with the n-gram"
    yield f"the cursor in it: byte {request.offset}"
    yield f"how much may be written: {asked.max_tokens} tokens, in the time that is left"
    yield f"the repository's n-gram: {asked.ngrams or 'none'}"
    yield f"the model's adapter: {asked.adapter or 'none'}"
    names = (f"{name} {probability:.3f}" for name, probability in asked.names.items())
    yield f"names that may stand here, with their probabilities: {', '.join(names) or 'none'}"
    if asked.known.here is not None:
        yield f"names beside which no others exist here: {', '.join(asked.known.here) or 'none'}"
    for receiver, members in asked.known.receivers.items():
        yield f"names beside which no others exist behind {receiver}: {', '.join(members)}"
    yield f"names that may get a new attribute: {', '.join(asked.known.made) or 'none'}"
    yield f"names that nothing binds anew: {', '.join(asked.known.fixed) or 'none'}"


def _ghost(ghost: Ghost) -> Text:
    facts = f"  confidence {ghost.confidence:.2f}, {ghost.tokens} tokens, then {ghost.stop}; "
    facts += f"{ghost.reused} tokens of the prompt were in the cache"
    if ghost.edit is None:
        reason = ghost.reason
        text = Text(f"none: {reason.code}: {reason.message}" if reason else "none", style="yellow")
        return text.append(facts if ghost.tokens else "")
    return Text.assemble((repr(ghost.edit.text), "italic"), facts)


def _timeline(timeline: Iterable[Timing], reasons: Iterable[Reason]) -> Group:
    rows = [(one.step, f"{one.start:.1f}", f"{one.end - one.start:.1f}") for one in timeline]
    told = [Text(f"{reason.code}: {reason.message}", style="yellow") for reason in reasons]
    return Group(report.table("", ("step", "start ms", "took ms"), rows), *told)
