"""Indexing progress as the editor sees it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from lsprotocol import types
from pygls.exceptions import JsonRpcException

from lsp_server.progress import IndexingProgress


class Shown:
    """pygls' progress, written down."""

    def __init__(self, *, refuses: bool = False) -> None:
        self.refuses = refuses
        self.said: list[Any] = []

    async def create_async(self, token: str) -> None:
        if self.refuses:
            raise JsonRpcException("no")

    def begin(self, token: str, value: types.WorkDoneProgressBegin) -> None:
        self.said.append(value)

    report = end = begin


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lsp_server.progress.INTERVAL_S", 0.02)


def parse(done: int) -> dict[str, Any]:
    return {"phase": "parse", "done": done, "total": 100}


READY = {"phase": "ready", "done": 100, "total": 100, "skipped": 3}


async def test_many_messages_become_few() -> None:
    shown = Shown()
    progress = IndexingProgress(shown, "work")  # type: ignore[arg-type]
    for done in range(100):
        progress.show(parse(done))
        await asyncio.sleep(0.001)
    progress.show(READY)
    await asyncio.sleep(0.05)
    kinds = [value.kind for value in shown.said]
    assert (kinds[0], kinds[-1], set(kinds[1:-1])) == ("begin", "end", {"report"})
    assert len(kinds) < 15
    assert shown.said[-1].message == "100 files, 3 skipped"
    assert all(0 <= value.percentage <= 100 for value in shown.said[:-1])


async def test_the_first_time_is_shown_even_when_it_is_over_at_once() -> None:
    shown = Shown()
    IndexingProgress(shown, "work").show(READY)  # type: ignore[arg-type]
    await asyncio.sleep(0.01)
    assert [value.kind for value in shown.said] == ["begin", "end"]


async def test_a_short_update_later_is_not_shown_and_a_long_one_is() -> None:
    shown = Shown()
    progress = IndexingProgress(shown, "work")  # type: ignore[arg-type]
    progress.show(READY)
    await asyncio.sleep(0.01)
    shown.said.clear()
    progress.show(parse(1))
    progress.show(READY)
    await asyncio.sleep(0.05)
    assert shown.said == []
    progress.show(parse(1))
    await asyncio.sleep(0.05)
    progress.show(READY)
    await asyncio.sleep(0.05)
    assert {value.kind for value in shown.said} == {"begin", "report", "end"}


async def test_an_editor_that_refuses_is_left_in_peace() -> None:
    shown = Shown(refuses=True)
    IndexingProgress(shown, "work").show(READY)  # type: ignore[arg-type]
    await asyncio.sleep(0.01)
    assert shown.said == []
