"""Housekeeping while nobody waits: after a pause, never between two keystrokes."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

PAUSE_S = 0.5
"""How long nothing must have been asked."""

YOUNG = 100_000
"""So many new containers are collected at once if no pause comes: about a hundred popups."""


class Idle:
    """Does its work once nothing has happened for ``seconds``; asked for again, it waits again."""

    def __init__(self, work: Callable[[], object], seconds: float = PAUSE_S) -> None:
        self._work = work
        self._seconds = seconds
        self._timer: asyncio.TimerHandle | None = None

    def postpone(self) -> None:
        """Something happened: the pause starts anew."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(self._seconds, self._work)


def leave_garbage_to_pauses() -> None:
    """No collection while somebody types: one takes 1 to 60 ms and comes at any keystroke.

    What exists by now, the imports, never becomes garbage: collections need not look at it.
    """
    gc.enable()
    gc.freeze()
    gc.set_threshold(YOUNG, 10, 1000)
