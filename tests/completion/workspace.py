"""Small repositories to complete in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from completion.context import Context
from completion.engine import Options
from completion.request import (
    Code,
    GhostOptions,
    InsertCall,
    LibraryAnswer,
    Prompt,
    RawGhost,
    Reason,
    Request,
)
from indexing.index import Index, Snapshot

CURSOR = "‸"

OPTIONS = Options(
    popup_deadline_ms=10_000,
    ghost_deadline_ms=10_000,
    insert_call=InsertCall.NONE,
    snippets=True,
    auto_import=True,
    model_scores=True,
    in_comments=False,
    in_strings=False,
    min_confidence=0.2,
    max_tokens=32,
)


class SilentHelpers:
    """No helper process: what a test does not replace answers with nothing."""

    async def library(self, request: Request, context: Context, budget_ms: float) -> LibraryAnswer:
        return LibraryAnswer()

    async def scores(
        self,
        request: Request,
        prompt: Prompt,
        names: Sequence[str],
        budget_ms: float,
        adapter: str | None = None,
    ) -> Sequence[float] | Reason:
        return Reason(Code.MODEL_MISSING, "no model in this test")

    async def ghost(
        self, request: Request, prompt: Prompt, options: GhostOptions, budget_ms: float
    ) -> RawGhost | Reason:
        return Reason(Code.MODEL_MISSING, "no model in this test")


def snapshot_of(files: Mapping[str, str], folder: Path) -> Snapshot:
    """The files as open buffers of an empty workspace."""
    index = Index.open(folder, folder / "cache")
    for path, text in files.items():
        index.update(path, text.encode())
    return index.snapshot()


def asked(
    files: Mapping[str, str], path: str, folder: Path, *, selected: str | None = None
) -> tuple[Request, Snapshot]:
    """A request at the cursor mark in ``files[path]``, and the snapshot it is about."""
    before, _, after = files[path].partition(CURSOR)
    whole = {**files, path: before + after}
    request = Request(path, whole[path].encode(), len(before.encode()), selected=selected)
    return request, snapshot_of(whole, folder)
