"""Cancel-previous: of the requests that ask the same thing again, only the newest is worked on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Newest:
    """At most one piece of work per key; a newer one ends the older."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Task[Any]] = {}

    async def run(self, key: Hashable, work: Coroutine[Any, Any, T]) -> T | None:
        """The result of ``work``, or None when newer work for ``key`` took its place.

        Raises CancelledError when the caller itself was cancelled.
        """
        if older := self._running.get(key):
            older.cancel()
        task = asyncio.create_task(work)
        self._running[key] = task
        try:
            return await task
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if self._running.get(key) is task or (caller and caller.cancelling()):
                raise
            return None
        finally:
            if self._running.get(key) is task:
                del self._running[key]
