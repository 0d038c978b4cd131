"""The engine's helpers over scripted processes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from completion.context import Context, read
from completion.request import (
    Code,
    GhostOptions,
    LibraryAnswer,
    LibraryItem,
    Prompt,
    RawGhost,
    Reason,
    Request,
)
from lsp_server.environment import Environment
from lsp_server.helpers import (
    LOADING,
    FolderHelpers,
    Library,
    Model,
    model_program,
    summary,
)
from lsp_server.links import Program

SCRIPT = str(Path(__file__).with_name("scripted_helper.py"))
ROOT = Path("/project")
PYTHON = Environment(Path("/venv/bin/python"), "the setting", (ROOT,))
OPTIONS = GhostOptions(max_tokens=3, ngrams="/cache/x")


def program(*said: str) -> Program:
    return Program("scripted", (sys.executable, "-I", "-X", "utf8", SCRIPT, *said))


@asynccontextmanager
async def helpers(*said: str) -> AsyncIterator[FolderHelpers]:
    made = FolderHelpers(ROOT, PYTHON, Model(program(*said), lambda: None), Library(program()))
    assert made.model
    running = (made.model.helper, made.jedi.helper)
    try:
        for helper in running:
            helper.start()
        yield made
    finally:
        await asyncio.gather(*(helper.stop() for helper in running))


async def until(condition: Callable[[], object]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")


def asked(text: str) -> tuple[Request, Context]:
    request = Request("pkg/a.py", text.encode(), len(text.encode()))
    return request, read(request.text, request.offset)


async def library(made: FolderHelpers, text: str, budget_ms: float = 2000) -> LibraryAnswer:
    answer = LibraryAnswer()
    for _ in range(100):
        answer = await made.library(*asked(text), budget_ms)
        if not (answer.reason and "not running" in answer.reason.message):
            break
        await asyncio.sleep(0.02)
    return answer


async def ghost(made: FolderHelpers, prefix: str, budget_ms: float = 2000) -> RawGhost | Reason:
    return await made.ghost(asked("x")[0], Prompt("h", "s", prefix), OPTIONS, budget_ms)


async def test_jedi_is_asked_where_the_word_starts() -> None:
    async with helpers() as made:
        answer = await library(made, "é = os.pa")
        assert answer.items == (
            LibraryItem("é = os.", "function", detail="é = os."),
            LibraryItem("/venv/bin/python", "module"),
        )


async def test_one_answer_serves_the_whole_word_and_a_late_one_the_next_keystroke() -> None:
    async with helpers() as made:
        await library(made, "warm.")
        late = await made.library(*asked("slow."), 10)
        assert late.reason
        assert late.reason.code is Code.DEADLINE
        assert "10 ms" in late.reason.message
        answer = await made.library(*asked("slow.pa"), 2000)
        assert answer.items[0].name == "slow."
        again = await made.library(*asked("slow.path"), 0.001)
        assert again == answer


async def test_another_python_is_asked_anew() -> None:
    async with helpers() as made:
        await library(made, "os.")
        other = replace(made, environment=replace(PYTHON, interpreter=Path("/other/python")))
        answer = await library(other, "os.")
        assert answer.items[1].name == "/other/python"


async def test_a_failure_of_jedi_is_told_and_asked_again() -> None:
    async with helpers() as made:
        for _ in range(2):
            answer = await library(made, "fail.")
            assert answer.items == ()
            assert answer.reason
            assert answer.reason.code is Code.LIBRARY_FAILED
            assert "jedi fell over" in answer.reason.message
        assert (await library(made, "fine.")).items


async def test_the_model_is_asked_once_it_is_ready() -> None:
    async with helpers("ready") as made:
        assert made.model
        await until(lambda: made.model.reason is None)
        answer = await ghost(made, "x = ", 100)
        assert answer == RawGhost("/project:pkg/a.py 90 /cache/x", 0.5, 3)
        scores = await made.scores(asked("x")[0], Prompt("", "", ""), ["a", "bcd"], 100)
        assert scores == [-1.0, -3.0]


async def test_a_model_that_is_loading_or_has_no_weights_says_so() -> None:
    async with helpers() as made:
        assert await ghost(made, "") == LOADING
    async with helpers("failed") as made:
        assert made.model
        await until(lambda: made.model.reason != LOADING)
        assert await ghost(made, "") == Reason(Code.MODEL_MISSING, "no weights here")
    none = FolderHelpers(ROOT, PYTHON, None, Library(program()))
    assert await ghost(none, "") == LOADING


async def test_a_slow_a_superseded_and_a_dead_model_have_their_reasons() -> None:
    async with helpers("ready") as made:
        assert made.model
        await until(lambda: made.model.reason is None)
        late = await ghost(made, "wait", 30)
        assert isinstance(late, Reason)
        assert late.code is Code.DEADLINE
        known_late = await ghost(made, "late", 3000)
        assert isinstance(known_late, Reason)
        assert known_late.code is Code.DEADLINE
        older = asyncio.create_task(ghost(made, "wait", 5000))
        await asyncio.sleep(0.05)
        assert isinstance(await ghost(made, "newer"), RawGhost)
        superseded = await older
        assert isinstance(superseded, Reason)
        assert superseded.code is Code.SUPERSEDED
        dead = await ghost(made, "die")
        assert isinstance(dead, Reason)
        assert dead.code is Code.MODEL_FAILED
        assert "ended (1)" in dead.message
        restarting = await ghost(made, "x")
        assert isinstance(restarting, Reason)
        assert restarting.code is Code.MODEL_FAILED
        await until(lambda: made.model.reason is None)
        assert isinstance(await ghost(made, "x"), RawGhost)


async def test_only_the_latest_answers_of_jedi_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lsp_server.helpers.LIBRARY_ANSWERS", 2)
    async with helpers() as made:
        for text in ("a.", "b.", "c."):
            assert (await library(made, text)).items
        assert (await made.library(*asked("c."), 0.001)).items
        assert not (await made.library(*asked("a."), 0.001)).items


async def test_what_became_of_an_adapter_is_remembered_and_told() -> None:
    async with helpers("ready") as made:
        assert made.model
        await until(lambda: made.model.reason is None)
        told: list[str] = []
        made.model._changed = lambda: told.append("changed")
        request, prompt = asked("x")[0], Prompt("h", "s", "x = ")
        assert made.model.adapter_problem("/good") is None
        for _ in range(2):
            await made.ghost(request, prompt, replace(OPTIONS, adapter="/good"), 2000)
            await made.scores(request, prompt, ["a"], 2000, "/bad")
            await made.ghost(request, prompt, OPTIONS, 2000)
        assert made.model.adapter_problem("/good") == ""
        assert made.model.adapter_problem("/bad") == "made for another model"
        assert len(told) == 2  # what is known already is no change


def test_the_model_process_is_told_which_model() -> None:
    assert "--in-use" not in model_program("cpu").command
    assert model_program("cpu", in_use=True).command[-3:] == ("--device", "cpu", "--in-use")
    assert model_program("auto", Path("w")).command[-2:] == ("--weights", "w")


async def test_jedi_ends_while_nobody_works_on_python_and_comes_back() -> None:
    jedi = Library(program(), rest_s=2.0)
    made = FolderHelpers(ROOT, PYTHON, None, jedi)
    assert summary(jedi.helper.health) == "scripted: not needed now"
    for _ in range(2):
        jedi.wake()
        await until(lambda: jedi.helper.health.pid)
        assert (await library(made, "os.")).items
        await until(lambda: not jedi.helper.health.wanted)
        assert jedi.helper.health.pid is None
        assert jedi.helper.health.deaths == 0
    jedi.wake()
    await asyncio.gather(jedi.helper.stop(), jedi.helper.stop())
    assert not jedi.helper.health.wanted


async def test_jedi_is_started_again_for_who_comes_back_while_it_ends() -> None:
    deaf = (sys.executable, "-c", "import time; time.sleep(3600)")
    jedi = Library(Program("deaf", deaf))
    jedi.wake()
    await until(lambda: jedi.helper.health.pid)
    first = jedi.helper.health.pid
    jedi._stop()
    await asyncio.sleep(0.1)
    assert jedi.helper.health.pid == first  # it takes its time
    jedi.wake()
    await until(lambda: jedi.helper.health.pid not in (None, first))
    assert jedi.helper.health.wanted
    await jedi.helper.stop()
