"""The model process that editors share: one of it, whoever starts, dies, stalls or comes again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from completion.model import meeting, shared
from indexing import messages
from lsp_server.helpers import Model, shared_model
from lsp_server.links import Meeting, Program
from lsp_server.processes import Helper, HelperError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="shared on Linux only")

WAIT_S = 60.0
NO_MODEL = ("--weights", "/nowhere")
"""A model that cannot be loaded: the process says so to whoever asks, and is up within a second."""


def command(place: Path, *options: str) -> tuple[str, ...]:
    told = ("--socket", str(place), *options, *NO_MODEL)
    return (sys.executable, "-I", "-X", "utf8", "-m", "completion.model.shared", *told)


def start(place: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(place, *options), check=False, capture_output=True, text=True, timeout=WAIT_S
    )


def until(condition: Callable[[], bool], seconds: float = WAIT_S) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


def pid_at(place: Path) -> int:
    with meeting.connected(place) as connection:
        return meeting.peer(connection)


def gone(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


class Caller:
    """An editor, as far as the model process knows."""

    def __init__(self, place: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(WAIT_S)
        self.socket.connect(str(place))
        self.incoming = self.socket.makefile("rb")

    def say(self, **message: object) -> None:
        self.socket.sendall(messages.encode(message))

    def hear(self) -> messages.Message | None:
        return messages.read(self.incoming)

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self.incoming.close()
        self.socket.close()


def test_many_who_start_it_at_once_get_one(runtime: Path) -> None:
    place = runtime / "model.sock"
    starters = [
        subprocess.Popen(command(place), stderr=subprocess.PIPE, text=True) for _ in range(6)
    ]
    assert [starter.communicate(timeout=WAIT_S)[1] for starter in starters] == [""] * 6
    assert [starter.returncode for starter in starters] == [0] * 6
    assert len({pid_at(place) for _ in starters}) == 1
    until(lambda: len([one for one in psutil.process_iter() if _listens_at(one, place)]) == 1)


def _listens_at(process: psutil.Process, place: Path) -> bool:
    with contextlib.suppress(psutil.Error):
        return str(place) in process.cmdline()
    return False


def test_only_the_user_may_come_near(runtime: Path) -> None:
    place = runtime / "model.sock"
    assert start(place).returncode == 0
    modes = [path.stat().st_mode & 0o777 for path in (place, meeting.log_file(place))]
    assert modes == [0o600, 0o600]
    assert (runtime / "model.lock").stat().st_mode & 0o777 == 0o600


def test_another_users_process_is_no_peer(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = runtime / "model.sock"
    assert start(place).returncode == 0
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    with pytest.raises(meeting.SharingError, match="another user's process"):
        pid_at(place)


def test_a_process_that_has_no_number_here_is_no_peer(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = runtime / "model.sock"
    assert start(place).returncode == 0
    elsewhere = struct.pack("3i", 0, os.getuid(), os.getgid())
    monkeypatch.setattr(socket.socket, "getsockopt", lambda *_: elsewhere)
    with pytest.raises(meeting.SharingError, match="another container"):
        pid_at(place)


def test_it_greets_and_answers_everybody(runtime: Path) -> None:
    place = runtime / "model.sock"
    start(place)
    with Caller(place) as one, Caller(place) as other:
        for caller in (one, other):
            assert (caller.hear() or {})["method"] == "failed"
            caller.say(id=1, method="info")
            assert "nowhere" in (caller.hear() or {})["error"]
        one.say(id=2, method="callers")
        assert one.hear() == {"id": 2, "result": {"callers": 2}}


def test_what_a_killed_one_left_behind_is_in_nobodys_way(runtime: Path) -> None:
    place = runtime / "model.sock"
    start(place)
    first = pid_at(place)
    os.kill(first, signal.SIGKILL)
    until(lambda: gone(first))
    assert place.exists()
    assert start(place).returncode == 0
    assert pid_at(place) != first


def test_it_ends_once_nobody_has_been_there_for_a_while(runtime: Path) -> None:
    place = runtime / "model.sock"
    start(place, "--idle", "0.2")
    with Caller(place) as caller:
        pid = meeting.peer(caller.socket)
        assert caller.hear()
        time.sleep(0.5)
        assert not gone(pid)
    until(lambda: gone(pid))
    assert not place.exists()
    assert "no editor for 0.2 s" in meeting.log_file(place).read_text()


def test_it_outlives_who_started_it_and_the_group_of_that(runtime: Path) -> None:
    place = runtime / "model.sock"
    starter = subprocess.Popen(command(place), process_group=0)
    starter.wait(timeout=WAIT_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(starter.pid, signal.SIGKILL)
    pid = pid_at(place)
    os.kill(pid, signal.SIGHUP)
    with Caller(place) as caller:
        assert (caller.hear() or {})["method"] == "failed"


def test_one_who_takes_no_answers_is_dropped_and_the_others_are_served(runtime: Path) -> None:
    place = runtime / "model.sock"
    start(place)
    with Caller(place) as deaf, Caller(place) as other:
        assert other.hear()
        deaf.socket.settimeout(0.5)
        with contextlib.suppress(OSError):  # until its answers fill what the kernel keeps for it
            for id_ in range(100_000):
                deaf.say(id=id_, method="callers")
        other.say(id=-1, method="callers")
        assert (other.hear() or {})["id"] == -1

        def left_alone() -> bool:
            other.say(id=-2, method="callers")
            return (other.hear() or {})["result"] == {"callers": 1}

        until(left_alone)


def test_a_place_that_cannot_be_taken_is_said(runtime: Path) -> None:
    told = start(runtime / "missing" / "model.sock")
    assert told.returncode == 1
    assert "No such file or directory" in told.stderr
    assert len(told.stderr.splitlines()) == 1


def test_a_lock_that_somebody_holds_without_listening_is_said(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "START_S", 0.1)
    place = runtime / "model.sock"
    holder = os.open(place.with_suffix(".lock"), os.O_CREAT | os.O_RDWR)
    shared.fcntl.flock(holder, shared.fcntl.LOCK_EX)
    with pytest.raises(meeting.SharingError, match="does not listen"):
        shared._alone(place)
    os.close(holder)


def test_the_folder_must_be_the_users_alone(runtime: Path) -> None:
    place = meeting.place_of(("--device", "cpu"))
    assert place.parent == runtime / "lancefill"
    assert place == meeting.place_of(("--device", "cpu"))
    assert place != meeting.place_of(("--device", "cuda"))
    place.parent.chmod(0o755)
    with pytest.raises(meeting.SharingError, match="not a folder of this user's alone"):
        meeting.place_of(())
    place.parent.rmdir()
    place.parent.symlink_to(runtime)
    with pytest.raises(meeting.SharingError, match="not a folder of this user's alone"):
        meeting.place_of(())
    assert shared_model("cpu").meeting is None


def test_a_path_too_long_for_a_socket_is_said(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime / ("x" * 100)))
    with pytest.raises(meeting.SharingError, match="too long"):
        meeting.place_of(())


def test_another_model_in_use_is_met_elsewhere(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = meeting.place_of(())
    monkeypatch.setenv("LANCEFILL_DATA", str(runtime / "data"))
    (runtime / "data").mkdir()
    (runtime / "data" / "models.json").write_text("no JSON")
    assert meeting.place_of(()) != before


def test_one_without_a_model_says_why(runtime: Path) -> None:
    place = meeting.place_of(())
    assert start(place).returncode == 0
    until(lambda: all("editors" in facts for _, facts in meeting.running()))
    ((found, facts),) = meeting.running()
    assert (found, facts["pid"], facts["editors"]) == (place, pid_at(place), 0)
    assert "nowhere" in facts["failure"]


def test_one_that_gets_busy_between_two_questions_says_nothing(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meeting, "PATIENCE_S", 0.3)

    def answer_once() -> None:
        caller, _ = waiting.accept()
        with caller, caller.makefile("rb") as incoming:
            asked = messages.read(incoming) or {}
            caller.sendall(messages.encode({"id": asked["id"], "result": {"model": "codefill"}}))
            messages.read(incoming)
            incoming.read()  # until the other end gives up

    with socket.socket(socket.AF_UNIX) as waiting:
        waiting.bind(str(meeting.place_of(())))
        waiting.listen()
        busy = threading.Thread(target=answer_once)
        busy.start()
        assert [facts for _, facts in meeting.running()] == [{"pid": os.getpid()}]
        busy.join()


@pytest.fixture
async def editors(runtime: Path) -> AsyncIterator[tuple[Helper, Helper]]:
    """Two editors' connections to one process."""
    place = runtime / "model.sock"
    own = (sys.executable, "-c", "raise SystemExit('its own process was started')")
    program = Program("model", own, meeting=Meeting(place, command(place)))
    pair = Helper(program), Helper(program)
    for helper in pair:
        helper.start()
    for helper in pair:
        await answering(helper)
    yield pair
    for helper in pair:
        await helper.stop()


async def callers(helper: Helper) -> int | None:
    """How many editors the process says it has; None while there is no answer."""
    with contextlib.suppress(HelperError):
        return int((await helper.request("callers", {}, WAIT_S))["callers"])
    return None


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(1500):
        if await condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it never came true")


async def answering(helper: Helper) -> None:
    async def answers() -> bool:
        return await callers(helper) is not None

    await eventually(answers)


async def test_editors_meet_one_process_and_leave_it_running(
    editors: tuple[Helper, Helper],
) -> None:
    one, other = editors
    assert one.health.pid == other.health.pid
    assert one.health.shared
    assert await callers(other) == 2
    await one.stop()
    assert one.health.pid is None

    async def alone() -> bool:
        return await callers(other) == 1

    await eventually(alone)


async def test_all_editors_come_back_to_one_process_after_its_death(
    editors: tuple[Helper, Helper],
) -> None:
    first = editors[0].health.pid
    assert first is not None
    editors[0].kill("the test wants it")
    for helper in editors:

        async def is_back(helper: Helper = helper) -> bool:
            return helper.health.pid != first and await callers(helper) is not None

        await eventually(is_back)
    assert editors[0].health.pid == editors[1].health.pid != first
    assert "its log:" in editors[1].health.last_error


async def test_where_nothing_can_be_shared_the_editor_has_its_own(
    runtime: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = Path(__file__).parents[2] / "lsp_server" / "misbehaving_helper.py"
    place = runtime / "missing" / "model.sock"
    own = (sys.executable, "-I", "-X", "utf8", str(script))
    helper = Helper(Program("model", own, meeting=Meeting(place, command(place))))
    helper.start()
    await answering(helper)
    assert not helper.health.shared
    assert "model is not shared: " in caplog.text
    await helper.stop()


async def test_the_model_itself_is_shared_and_writes(runtime: Path) -> None:
    models = [Model(shared_model("cpu"), lambda: None) for _ in range(2)]
    for model in models:
        model.helper.start()

    async def ready() -> bool:
        return not any(model.reason for model in models)

    await eventually(ready)
    assert models[0].helper.health.pid == models[1].helper.health.pid
    ((place, facts),) = meeting.running()
    assert (facts["pid"], facts["editors"]) == (models[0].helper.health.pid, 2)
    assert facts["device"] == "cpu"
    assert place.parent == runtime / "lancefill"
    prompt = {"header": "", "suffix": "\n", "prefix": "import os\nos.pa"}
    asked = {**prompt, "max_tokens": 4, "deadline_ms": 30_000, "names": {}, "known": {}}
    answers = await asyncio.gather(
        *(model.helper.request("ghost", asked, WAIT_S, "one session") for model in models)
    )
    assert answers[0]["text"] == answers[1]["text"].strip() != ""
    for model in models:
        await model.helper.stop()


@asynccontextmanager
async def deaf(place: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, Helper]]:
    """A process that listens and reads nothing, and an editor that has asked it something long."""
    script = (
        "import socket, sys, time; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); "
        "s.listen(); c = s.accept(); print('here', flush=True); time.sleep(60)"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", script, str(place)), stdout=asyncio.subprocess.PIPE
    )
    until(place.exists)
    helper = Helper(Program("model", ("false",), meeting=Meeting(place, ("false",))))
    helper.start()
    assert process.stdout
    await process.stdout.readline()
    asked = asyncio.create_task(helper.request("ghost", {"text": "x" * 900_000}, WAIT_S))
    await asyncio.sleep(0.1)
    yield process, helper
    await helper.stop()
    with pytest.raises(HelperError):
        await asked
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def test_an_editor_that_ends_leaves_a_process_that_does_not_read(runtime: Path) -> None:
    async with deaf(runtime / "model.sock") as (process, helper):
        await helper.stop()
        assert process.returncode is None


async def test_a_process_that_dies_in_the_middle_has_ended(
    runtime: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with deaf(runtime / "model.sock") as (process, helper):
        process.kill()

        async def noticed() -> bool:
            return helper.health.deaths > 0

        await eventually(noticed)
    assert "model ended (its log" in caplog.text


def test_a_folder_of_sockets_that_cannot_be_had_is_said(
    monkeypatch: pytest.MonkeyPatch, runtime: Path
) -> None:
    def refused(*_: object, **__: object) -> Path:
        raise PermissionError(13, "somebody else's", "/tmp/runtime-0")

    monkeypatch.setattr("platformdirs.user_runtime_path", refused)
    with pytest.raises(meeting.SharingError, match="somebody else's"):
        meeting.place_of(())
    assert list(meeting.running()) == []
    assert shared_model("cpu").meeting is None
    assert runtime.exists()


def test_a_place_of_another_model_is_not_taken(runtime: Path) -> None:
    told = ("--socket", str(runtime / "model-other.sock"), "--device", "cpu", "--in-use")
    starter = (sys.executable, "-I", "-X", "utf8", "-m", "completion.model.shared", *told)
    done = subprocess.run(starter, check=False, capture_output=True, text=True, timeout=WAIT_S)
    assert (done.returncode, done.stderr) == (1, "another model is in use now\n")


def test_an_editor_for_whom_there_is_no_room_waits(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "FULL_S", 0.01)
    desk = messages.Desk({}, greeting={"method": "ready"})
    full = [OSError(24, "Too many open files"), RuntimeError("can't start new thread")]
    with socket.socket(socket.AF_UNIX) as waiting:
        waiting.bind(str(runtime / "model.sock"))
        waiting.listen()

        class Full:
            def accept(self) -> tuple[socket.socket, object]:
                if full:
                    raise full.pop()
                return waiting.accept()

        accepting = threading.Thread(target=shared._accept, args=(Full(), desk), daemon=True)
        accepting.start()
        with Caller(runtime / "model.sock") as caller:
            assert caller.hear() == {"method": "ready"}
