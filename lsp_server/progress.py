"""Indexing as work-done progress: a few messages per second, however many the indexer sends."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Mapping
from typing import Any

from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.progress import Progress

INTERVAL_S = 0.3
LOOKING, READY = "walk", "ready"
READING = (LOOKING, "parse")
"""The phases of an indexer in which files may be missing from the index."""
ENDED = (READY, "waiting", "failed", "closed")
"""Those in which it is not at work; ``closed`` is said of a folder that is not open any more."""
_WORDS = {LOOKING: "looking for files", "parse": "reading files", "ngrams": "counting tokens"}

log = logging.getLogger(__name__)
_tokens = itertools.count(1)


class IndexingProgress:
    """What the editor shows while one folder is being indexed.

    The first time is always shown; later ones only when they take longer than ``INTERVAL_S``, so
    that saving a file does not make the editor's progress bar flash.
    """

    def __init__(self, progress: Progress, name: str) -> None:
        self._progress = progress
        self._title = f"Indexing {name}"
        self._latest: Mapping[str, Any] = {}
        self._first = True
        self._task: asyncio.Task[None] | None = None

    def show(self, latest: Mapping[str, Any]) -> None:
        """The indexer said something."""
        self._latest = latest
        ended = latest.get("phase") in ENDED
        if (self._task is None or self._task.done()) and (self._first or not ended):
            self._task = asyncio.create_task(self._run(self._first))
            self._first = False

    async def _run(self, first: bool) -> None:
        if not first:
            await asyncio.sleep(INTERVAL_S)
            if self._latest.get("phase") in ENDED:
                return
        token = f"lancefill/indexing/{next(_tokens)}"
        try:
            await self._progress.create_async(token)
        except JsonRpcException as error:
            log.info("the editor shows no progress: %s", error)
            return
        self._progress.begin(token, types.WorkDoneProgressBegin(title=self._title, percentage=0))
        while self._latest.get("phase") not in ENDED:
            self._progress.report(token, _report(self._latest))
            await asyncio.sleep(INTERVAL_S)
        self._progress.end(token, types.WorkDoneProgressEnd(message=_summary(self._latest)))


def _report(latest: Mapping[str, Any]) -> types.WorkDoneProgressReport:
    done, total = int(latest.get("done", 0)), int(latest.get("total", 0))
    what = _WORDS.get(str(latest.get("phase")), "")
    return types.WorkDoneProgressReport(
        message=f"{what}: {done:,} of {total:,}" if total else what,
        percentage=min(100, 100 * done // total) if total else None,
    )


def _summary(latest: Mapping[str, Any]) -> str:
    if latest.get("phase") == "waiting":
        return "another process indexes this folder"
    if latest.get("phase") in ("failed", "closed"):
        return str(latest["phase"])
    skipped = int(latest.get("skipped", 0))
    return f"{int(latest.get('total', 0)):,} files" + (f", {skipped:,} skipped" if skipped else "")
