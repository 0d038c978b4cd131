"""An answer that is worked out before anybody asks, and given up for any question but its own."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """At most one piece of work, known by its question."""

    def __init__(self) -> None:
        self._question: Hashable = None
        self._task: asyncio.Task[T] | None = None

    def begin(self, question: Hashable, work: Coroutine[Any, Any, T]) -> None:
        """Work on this from now on, and on nothing else."""
        self.drop()
        self._question, self._task = question, asyncio.create_task(work)

    async def take(self, question: Hashable) -> T | None:
        """The answer to a question that is really asked; None where it is not worked on.

        Work on another question ends: whoever asks goes first. The answer is kept for whoever asks
        the same again. Raises CancelledError when the caller itself was cancelled.
        """
        task = self._task
        if task is None or question != self._question:
            self.drop()
            return None
        await asyncio.wait((task,))
        return None if task.cancelled() else task.result()

    def drop(self) -> None:
        """Nobody will ask."""
        if self._task is not None:
            self._task.cancel()
        self._question = self._task = None
