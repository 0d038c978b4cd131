"""Housekeeping waits for a pause."""

from __future__ import annotations

import asyncio
import gc

from lsp_server.idle import YOUNG, Idle, leave_garbage_to_pauses


async def test_work_is_done_once_after_the_last_event() -> None:
    done: list[str] = []
    idle = Idle(lambda: done.append("work"), seconds=0.0)
    for _ in range(3):
        idle.postpone()
    assert done == []
    await asyncio.sleep(0.05)
    assert done == ["work"]


async def test_every_pause_has_its_work() -> None:
    paused = asyncio.Event()
    idle = Idle(paused.set, seconds=0.0)
    for _ in range(2):
        idle.postpone()
        async with asyncio.timeout(10):
            await paused.wait()
        paused.clear()


def test_garbage_is_left_to_pauses() -> None:
    before = gc.get_threshold()
    try:
        leave_garbage_to_pauses()
        assert gc.get_threshold()[0] == YOUNG
        assert gc.get_freeze_count() > 0
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
