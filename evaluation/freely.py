"""What the model writes when nothing stops it early: no filter, no threshold, no fear of guesses.

Ghost text ends before a token that is a guess, and at the end of the logical line. For sets whose
published figures know neither, the model process is asked again behind what it wrote, until it says
that the middle is complete or the budget is used up. So what comes out is what a person would get
who accepts everything and asks for more; the boundary between prompt and text is the exact one,
every time.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from completion.engine import Helpers
from completion.prompting import SUFFIX_BYTES
from completion.request import GhostOptions, Prompt, RawGhost, Reason, Request
from evaluation.headless import PATIENT_GHOST_MS, AbsentModelError, Running, running
from lsp_server.environment import Environment
from lsp_server.helpers import FolderHelpers
from lsp_server.settings import MAX_TOKENS, Settings

BUDGET = 192
"""Tokens of one text."""


@asynccontextmanager
async def model_running(weights: Path | None = None) -> AsyncIterator[Running]:
    """The shipped model, or that of a folder, ready to be asked. Raises AbsentModelError."""
    async with running(Settings(), weights) as started:
        reason = started.model.reason if started.model else None
        if reason is not None:
            raise AbsentModelError(f"the model cannot be asked: {reason.message}")
        yield started


@dataclass(frozen=True, slots=True)
class Free:
    """Writes on and on; ``ngrams`` is the folder of a repository's n-gram, if there is one."""

    helpers: Helpers
    ngrams: str | None = None

    async def fill(self, name: str, before: str, after: str, *, one_line: bool) -> str:
        """The text between ``before`` and ``after``, which are all that is known of a file.

        ``name`` tells one file from another; else as in :meth:`go_on`.
        """
        suffix = after.encode()[:SUFFIX_BYTES].decode(errors="ignore")
        data = before.encode()
        request = Request(name, data + after.encode(), len(data))
        return await self.go_on(request, Prompt("", suffix, before), one_line=one_line)

    async def go_on(self, request: Request, prompt: Prompt, *, one_line: bool) -> str:
        """The text at the cursor of a request; with ``one_line`` up to its first line's end.

        Lines are logical ones: a line break inside brackets ends none. Blank lines at the beginning
        do not count. Raises AbsentModelError.
        """
        text, left = "", BUDGET
        while left > 0:
            raw = await self._ask(request, prompt, text, min(left, MAX_TOKENS))
            text, left = text + raw.text, left - max(raw.tokens, 1)
            if raw.stop == "end" or (raw.stop == "line" and one_line and text.strip()):
                break
            if raw.stop == "line":
                text += "\n"
        return text

    async def _ask(self, request: Request, prompt: Prompt, text: str, tokens: int) -> RawGhost:
        """What the model writes behind ``text``, which is taken for typed."""
        at, typed = request.offset, text.encode()
        grown = Request(
            request.path, request.text[:at] + typed + request.text[at:], at + len(typed)
        )
        asked = replace(prompt, prefix=prompt.prefix + text)
        options = GhostOptions(tokens, self.ngrams)
        raw = await self.helpers.ghost(grown, asked, options, PATIENT_GHOST_MS)
        if isinstance(raw, Reason):
            raise AbsentModelError(f"the model did not answer: {raw.message}")
        return raw


def alone(started: Running, folder: Path) -> Free:
    """A writer without a repository; ``folder`` is an empty one."""
    environment = Environment(None, "no environment is needed", ())
    return Free(FolderHelpers(folder, environment, started.model, started.library))
