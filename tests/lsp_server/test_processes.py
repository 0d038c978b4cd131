"""Helper processes that die, hang and babble."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from lsp_server.links import Program
from lsp_server.processes import Cause, Helper, HelperError, Notified

SCRIPT = Path(__file__).with_name("misbehaving_helper.py")
PROGRAM = Program("misbehaving", (sys.executable, "-I", "-X", "utf8", str(SCRIPT)))


@asynccontextmanager
async def running(
    stuck_s: float = 20.0, notified: Notified = lambda _method, _params: None
) -> AsyncIterator[Helper]:
    helper = Helper(PROGRAM, notified, stuck_s)
    helper.start()
    try:
        await answering(helper)
        yield helper
    finally:
        await helper.stop()
        assert helper.health.pid is None


async def answering(helper: Helper) -> int:
    """Wait until the helper answers; its process id."""
    for _ in range(500):
        try:
            return int((await helper.request("echo", {"value": 1}, 5))["pid"])
        except HelperError:
            await asyncio.sleep(0.02)
    raise AssertionError("the helper never answered")


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")


async def test_a_nice_helper_is_nicer_than_we_are_and_shares_our_session() -> None:
    helper = Helper(Program(PROGRAM.name, PROGRAM.command, niceness=5))
    helper.start()
    await answering(helper)
    pid = helper.health.pid
    assert pid is not None
    assert psutil.Process(pid).nice() == min(19, psutil.Process().nice() + 5)
    assert (os.getsid(pid), os.getpgid(pid)) == (os.getsid(0), pid)
    await helper.stop()


async def test_requests_get_their_own_answers() -> None:
    async with running() as helper:
        answers = await asyncio.gather(
            *(helper.request("echo", {"value": value}, 5) for value in range(20))
        )
        assert [answer["echo"] for answer in answers] == list(range(20))


async def test_an_error_names_its_cause() -> None:
    async with running() as helper:
        with pytest.raises(HelperError, match="no such thing") as refused:
            await helper.request("fail", {}, 5)
        assert refused.value.cause is Cause.REFUSED
        with pytest.raises(HelperError) as late:
            await helper.request("wait", {}, 0.05)
        assert late.value.cause is Cause.LATE
        assert (await helper.request("echo", {"value": 2}, 5))["echo"] == 2


async def test_a_cancelled_caller_cancels_the_work() -> None:
    async with running() as helper:
        task = asyncio.create_task(helper.request("wait", {}, 60))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await helper.request("echo", {"value": 3}, 5))["echo"] == 3


async def test_death_in_the_middle_of_a_request_is_told_and_survived(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running() as helper:
        task = asyncio.create_task(helper.request("hang", {}, 60))
        await asyncio.sleep(0.05)
        first = helper.health.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        with pytest.raises(HelperError, match="SIGKILL") as died:
            await task
        assert died.value.cause is Cause.DIED
        assert await answering(helper) != first
        assert helper.health.deaths == 1
        assert "was killed by SIGKILL" in caplog.text


async def test_each_death_without_an_answer_makes_the_pause_longer(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lsp_server.processes.FIRST_RESTART_S", 0.01)
    helper = Helper(Program("hopeless", (sys.executable, "-c", "raise SystemExit(3)")))
    helper.start()
    await until(lambda: helper.health.deaths >= 4)
    with pytest.raises(HelperError, match=r"is not running: ended \(3\)"):
        await helper.request("echo", {}, 1)
    await helper.stop()
    pauses = [float(match) for match in re.findall(r"again in ([\d.]+) s", caplog.text)]
    assert pauses[:4] == [0.01, 0.02, 0.04, 0.08]


async def test_a_program_that_does_not_exist_is_no_crash() -> None:
    helper = Helper(Program("missing", ("/nowhere/python",)))
    helper.start()
    await until(lambda: helper.health.deaths > 0)
    assert "could not be started" in helper.health.last_error
    await helper.stop()


async def test_a_stuck_helper_is_killed_and_started_again(caplog: pytest.LogCaptureFixture) -> None:
    async with running(stuck_s=0.1) as helper:
        first = helper.health.pid
        with pytest.raises(HelperError) as late:
            await helper.request("hang", {}, 0.05)
        assert late.value.cause is Cause.LATE
        await until(lambda: helper.health.pid != first)
        assert await answering(helper) != first
        assert "owed an answer" in caplog.text


async def test_a_late_answer_is_not_a_stuck_helper() -> None:
    async with running(stuck_s=0.3) as helper:
        first = helper.health.pid
        with pytest.raises(HelperError):
            await helper.request("wait", {}, 0.02)
        await asyncio.sleep(0.4)
        assert helper.health.pid == first


async def test_stop_ends_a_deaf_helper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lsp_server.processes.GRACE_S", 0.1)
    async with running() as helper:
        pid = helper.health.pid
        assert pid is not None
        task = asyncio.create_task(helper.request("hang", {}, 60))
        await asyncio.sleep(0.05)
        await helper.stop()
        with pytest.raises(HelperError):
            await task
        assert not psutil.pid_exists(pid)


async def test_children_of_a_dead_helper_go_with_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with running() as helper:
        with pytest.raises(HelperError):
            await helper.request("orphan", {}, 5)
        await answering(helper)
        (child,) = re.findall(r"child (\d+)", caplog.text)
        assert not psutil.pid_exists(int(child)) or (
            psutil.Process(int(child)).status() == psutil.STATUS_ZOMBIE
        )


async def test_noise_is_logged_and_notifications_are_passed_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    heard: list[tuple[str, Mapping[str, Any]]] = []
    async with running(notified=lambda *heard_: heard.append(heard_)) as helper:
        assert await helper.request("babble", {}, 5) == {}
        assert heard == [("progress", {"done": 1})]
        assert "sent no message" in caplog.text
        assert (await helper.request("echo", {"value": 4}, 5))["echo"] == 4


async def test_notify_says_whether_anyone_listens() -> None:
    helper = Helper(PROGRAM)
    assert not helper.notify("echo", {"value": 1})
    helper.start()
    await answering(helper)
    assert helper.notify("echo", {"value": 1})
    await helper.stop()
