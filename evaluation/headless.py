"""Completion without an editor: the server's own engine and helper processes, asked directly.

``lancefill complete`` and ``explain`` ask here, and so does ``lancefill eval ghost``, which needs
what the protocol does not carry (confidence, prompt, timeline).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from completion import engine
from completion.engine import Explanation, Options
from completion.request import Code, Ghost, Reason, Request
from indexing.build import BusyError, build
from indexing.index import Index
from lsp_server.environment import find
from lsp_server.helpers import FolderHelpers, Library, Model, model_program
from lsp_server.settings import Settings, options

PATIENT_POPUP_MS = 5_000.0
PATIENT_GHOST_MS = 20_000.0
"""Nobody is typing: an answer is worth more than the deadlines that an editor's settings hold."""
MODEL_START_S = 300.0
SETTLED = (Code.MODEL_MISSING, Code.MODEL_FAILED)
"""Reasons for which waiting longer for the model is of no use."""
NOT_ASKED = Reason(Code.DISABLED, "ghost text was not asked for")
ROOT_MARKS = (".git", "pyproject.toml", "setup.py", "setup.cfg")


class AbsentModelError(Exception):
    """The model that was asked for cannot be had; the message says why."""


@dataclass(frozen=True, slots=True)
class Headless:
    """One workspace with its index and its helper processes running; made by :func:`opened`.

    ``options`` are those of an editor with these settings.
    """

    index: Index
    helpers: FolderHelpers
    options: Options

    async def explain(self, path: str, data: bytes, offset: int) -> Explanation:
        """Return everything about completing at a byte offset of ``data``, taken as ``path``."""
        self.index.update(path, data)
        request = Request(path, data, offset)
        patient = dataclasses.replace(
            self.options,
            popup_deadline_ms=PATIENT_POPUP_MS,
            ghost_deadline_ms=PATIENT_GHOST_MS,
        )
        explained = await engine.explain(request, self.index.snapshot(), self.helpers, patient)
        if self.helpers.model is None:
            return dataclasses.replace(explained, ghost=Ghost(None, NOT_ASKED))
        return explained


@dataclass(frozen=True, slots=True)
class Running:
    """The helper processes of one editor, whatever folders it opens; made by :func:`running`."""

    settings: Settings
    model: Model | None
    library: Library

    async def within(
        self, root: Path, cache: Path | None, packages: tuple[Path, ...] = ()
    ) -> Headless:
        """Index ``root`` as far as its files changed, and complete there.

        ``packages``: folders with installed packages, before those of the root's environment.
        """
        with contextlib.suppress(BusyError):  # an editor's server keeps the index up to date
            await asyncio.to_thread(build, root, cache)
        environment = find(root, self.settings.interpreter, trusted=True)
        helpers = FolderHelpers(root, environment, self.model, self.library)
        index = Index.open(root, cache)
        index.use_packages((*packages, *environment.packages))
        return Headless(index, helpers, options(self.settings, snippets=False))


@asynccontextmanager
async def running(
    settings: Settings, weights: Path | None = None, *, in_use: bool = False
) -> AsyncIterator[Running]:
    """Start the helper processes and wait for the model: the shipped one without ``weights``.

    ``in_use``: the one that ``lancefill model use`` chose, as in an editor. Raises
    AbsentModelError where ``weights``, a folder, cannot be loaded.
    """
    program = model_program(settings.device, weights, in_use=in_use)
    model = Model(program, lambda: None) if settings.ghost_text else None
    library = Library()
    helpers = [library.helper] + ([model.helper] if model else [])
    for helper in helpers:
        helper.start()
    try:
        if model is not None:
            await settled(model)
            if weights is not None and (reason := model.reason) is not None:
                raise AbsentModelError(f"the model cannot be asked: {reason.message}")
        yield Running(settings, model, library)
    finally:
        await asyncio.gather(*(helper.stop() for helper in helpers))


@asynccontextmanager
async def opened(
    root: Path,
    *,
    cache: Path | None = None,
    settings: Settings | None = None,
    weights: Path | None = None,
    in_use: bool = False,
    packages: tuple[Path, ...] = (),
) -> AsyncIterator[Headless]:
    """Start the helpers, wait for the model, index ``root`` as far as its files changed."""
    async with running(settings or Settings(), weights, in_use=in_use) as started:
        yield await started.within(root, cache, packages)


def workspace_of(file: Path) -> Path:
    """Return the workspace that an editor would open for ``file``: the nearest marked folder."""
    folders = file.resolve().parents
    marked = (folder for folder in folders if any((folder / mark).exists() for mark in ROOT_MARKS))
    return next(marked, folders[0])


async def settled(model: Model) -> None:
    """Wait until the model can be asked, or never will be."""
    deadline = asyncio.get_running_loop().time() + MODEL_START_S
    while (reason := model.reason) is not None and reason.code not in SETTLED:
        if asyncio.get_running_loop().time() > deadline:
            return
        await asyncio.sleep(0.02)
