"""The main path: from a request to a ranked popup, and from a request to ghost text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from completion.context import Context
from completion.request import (
    Ghost,
    GhostOptions,
    InsertCall,
    LibraryAnswer,
    Popup,
    Prompt,
    RawGhost,
    Reason,
    Request,
)
from indexing.index import Snapshot


class Helpers(Protocol):
    """The helper processes as the engine sees them. None of them raises; a budget is a promise."""

    async def library(self, request: Request, context: Context, budget_ms: float) -> LibraryAnswer:
        """What jedi knows at the cursor."""
        ...

    async def scores(
        self, request: Request, prompt: Prompt, names: Sequence[str], budget_ms: float
    ) -> Sequence[float] | Reason:
        """Natural-log probability of each name, followed by a non-identifier byte, after the prompt."""
        ...

    async def ghost(
        self, request: Request, prompt: Prompt, options: GhostOptions, budget_ms: float
    ) -> RawGhost | Reason:
        """What the model would write after the prompt."""
        ...


@dataclass(frozen=True, slots=True)
class Options:
    """What a person can choose; the defaults are owned by the settings of whoever calls.

    ``snippets``: the editor understands LSP snippet syntax. ``min_confidence``: ghost text whose
    geometric mean probability per token is lower is not shown. ``in_comments``/``in_strings``:
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
    """Everything that one request led to; ``context`` is None where the text could not be read."""

    request: Request
    context: Context | None
    popup: Popup
    ghost: Ghost


async def popup(request: Request, snapshot: Snapshot, helpers: Helpers, options: Options) -> Popup:
    """The names that could stand at the cursor, best first; never raises, returns by its deadline.

    ``snapshot`` must hold ``request.text`` as the open buffer of ``request.path`` (``Index.update``).
    """
    raise NotImplementedError


async def ghost(request: Request, snapshot: Snapshot, helpers: Helpers, options: Options) -> Ghost:
    """What the model would write at the cursor, or the reason for nothing; never raises."""
    raise NotImplementedError


async def explain(
    request: Request, snapshot: Snapshot, helpers: Helpers, options: Options
) -> Explanation:
    """The popup and the ghost text with all that led to them."""
    raise NotImplementedError
