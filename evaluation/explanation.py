"""``lancefill complete`` and ``explain``: what one position would get, and all that led to it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.pretty import Pretty
from rich.table import Table
from rich.text import Text

from completion.engine import Explanation
from completion.ranking import telling
from completion.request import Ghost, Prompt, Reason, Suggestion, Timing
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
        console.print(part)


def print_answer_json(console: Console, explanation: Explanation) -> None:
    """Print popup and ghost text as one JSON object."""
    answer = {"popup": explanation.popup, "ghost": explanation.ghost}
    text = json.dumps(report.as_json(answer), ensure_ascii=False)
    console.print(text, soft_wrap=True, highlight=False, markup=False)


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
    if ghost.prompt is not None:
        yield "prompt of the ghost text, every byte", _prompt(ghost.prompt)
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


def _prompt(prompt: Prompt) -> Group:
    parts = (("context", prompt.header), ("suffix", prompt.suffix), ("prefix", prompt.prefix))
    panels = [
        Panel(Text(text), title=f"{name}, {len(text.encode())} bytes", title_align="left")
        for name, text in parts
    ]
    sources = Text("context from: " + (", ".join(prompt.sources) or "no other file"), style="dim")
    return Group(*panels, sources)


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
