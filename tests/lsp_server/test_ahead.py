"""Answers that are worked out before they are asked for."""

from __future__ import annotations

import asyncio

import pytest

from lsp_server.ahead import Ahead


class Work:
    """Counts how often it was begun, ended and given up."""

    def __init__(self) -> None:
        self.begun = self.ended = self.given_up = 0
        self.go_on = asyncio.Event()

    async def run(self, answer: str) -> str:
        self.begun += 1
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        self.ended += 1
        return answer


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_asks_the_same_gets_the_answer_whether_or_not_it_is_ready() -> None:
    ahead, work = Ahead[str](), Work()
    ahead.begin(("a", 1), work.run("x"))
    early = asyncio.create_task(ahead.take(("a", 1)))
    await settled()
    assert not early.done()
    work.go_on.set()
    assert await early == "x"
    assert await ahead.take(("a", 1)) == "x"
    assert (work.begun, work.ended) == (1, 1)


async def test_another_question_ends_the_work() -> None:
    ahead, work = Ahead[str](), Work()
    ahead.begin("a", work.run("x"))
    await settled()
    assert await ahead.take("b") is None
    await settled()
    assert work.given_up == 1
    work.go_on.set()
    assert await ahead.take("a") is None


async def test_newer_work_takes_the_place_of_older() -> None:
    ahead, work = Ahead[str](), Work()
    ahead.begin("a", work.run("x"))
    await settled()
    ahead.begin("b", work.run("y"))
    work.go_on.set()
    assert await ahead.take("b") == "y"
    assert (work.given_up, work.ended) == (1, 1)


async def test_who_waits_and_is_cancelled_leaves_the_work_to_the_next() -> None:
    ahead, work = Ahead[str](), Work()
    ahead.begin("a", work.run("x"))
    first = asyncio.create_task(ahead.take("a"))
    await settled()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    work.go_on.set()
    assert await ahead.take("a") == "x"


async def test_work_that_is_dropped_while_somebody_waits_has_no_answer() -> None:
    ahead, work = Ahead[str](), Work()
    ahead.begin("a", work.run("x"))
    waiting = asyncio.create_task(ahead.take("a"))
    await settled()
    ahead.drop()
    assert await waiting is None
    assert work.given_up == 1
