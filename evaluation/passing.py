"""Helpers that pass everything on, for arms that change one thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from completion.context import Context
from completion.engine import Helpers
from completion.request import GhostOptions, LibraryAnswer, Prompt, RawGhost, Reason, Request


@dataclass(slots=True)
class Passing:
    """The same as ``helpers``; an arm overrides what it changes."""

    helpers: Helpers

    async def library(self, request: Request, context: Context, budget_ms: float) -> LibraryAnswer:
        """Pass on."""
        return await self.helpers.library(request, context, budget_ms)

    async def scores(
        self,
        request: Request,
        prompt: Prompt,
        names: Sequence[str],
        budget_ms: float,
        adapter: str | None = None,
    ) -> Sequence[float] | Reason:
        """Pass on."""
        return await self.helpers.scores(request, prompt, names, budget_ms, adapter)

    async def ghost(
        self, request: Request, prompt: Prompt, options: GhostOptions, budget_ms: float
    ) -> RawGhost | Reason:
        """Pass on."""
        return await self.helpers.ghost(request, prompt, options, budget_ms)
