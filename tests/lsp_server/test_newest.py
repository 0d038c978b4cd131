"""Cancel-previous."""

import asyncio

import pytest

from lsp_server.newest import Newest


async def slow(result: str, seconds: float = 60.0) -> str:
    await asyncio.sleep(seconds)
    return result


async def test_newer_work_takes_the_place_of_older() -> None:
    newest = Newest()
    older = [asyncio.create_task(newest.run("a", slow("old"))) for _ in range(5)]
    await asyncio.sleep(0)
    assert await newest.run("a", slow("new", 0)) == "new"
    assert await asyncio.gather(*older) == [None] * 5


async def test_work_for_other_keys_goes_on() -> None:
    newest = Newest()
    answers = await asyncio.gather(*(newest.run(key, slow(key, 0.01)) for key in "abc"))
    assert answers == ["a", "b", "c"]


async def test_a_cancelled_caller_is_cancelled_and_its_work_too() -> None:
    newest = Newest()
    ended = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    caller = asyncio.create_task(newest.run("a", work()))
    await asyncio.sleep(0.01)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended.is_set()
    assert await newest.run("a", slow("next", 0)) == "next"


async def test_a_caller_both_superseded_and_cancelled_is_cancelled() -> None:
    newest = Newest()
    caller = asyncio.create_task(newest.run("a", slow("old")))
    await asyncio.sleep(0.01)
    newer = asyncio.create_task(newest.run("a", slow("new", 0.01)))
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert await newer == "new"


async def test_what_the_work_raises_is_raised() -> None:
    async def work() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await Newest().run("a", work())
