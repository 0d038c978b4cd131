"""Helper processes: start, talk, time out, restart after death, end with the server.

A helper is a Python module run as a child that speaks :mod:`indexing.messages` over its pipes. It
may be slow, hang, or be killed at any moment: whoever asks gets a :class:`HelperError` that says
which, and the helper is started again, later each time that it dies without having answered.

A helper ends when its stdin closes, so none outlives the server, however the server ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from indexing import messages

log = logging.getLogger(__name__)

FIRST_RESTART_S = 0.25
LAST_RESTART_S = 30.0
STUCK_S = 20.0
"""A helper that owes an answer for this long after it was given up is killed."""
GRACE_S = 0.5
"""How long a helper may take to end by itself once its stdin is closed."""


class Cause(StrEnum):
    """Why a helper gave no answer."""

    DOWN = "is not running"
    LATE = "did not answer in time"
    DIED = "died"
    REFUSED = "answered with an error"


class HelperError(Exception):
    """A helper gave no answer; ``detail`` is its own error text where it sent one.

    ``late`` says that nothing is wrong but the time, by its clock or by ours.
    """

    def __init__(self, name: str, cause: Cause, detail: str = "") -> None:
        super().__init__(f"{name} {cause}" + (f": {detail}" if detail else ""))
        self.cause = cause
        self.detail = detail
        self.late = cause is Cause.LATE or detail == messages.LATE


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and what to call it in the log; ``niceness`` as in ``nice(1)``, where there is.

    The person's keystroke waits for the server and for jedi; who works longer should be nicer.
    """

    name: str
    command: tuple[str, ...]
    niceness: int = 0


def module(name: str, module: str, *arguments: str, niceness: int = 0) -> Program:
    """The program that runs one of our modules.

    ``-I`` keeps the user's workspace and ``PYTHON*`` variables out of ``sys.path``.
    """
    command = (sys.executable, "-I", "-X", "utf8", "-m", module, *arguments)
    return Program(name, command, niceness)


@dataclass(frozen=True, slots=True)
class Health:
    """How a helper is: ``deaths`` counts all unexpected ends, ``pid`` is None while it is down."""

    name: str
    pid: int | None
    deaths: int
    last_error: str


Answer = Any
"""A request's result: whatever JSON the helper sent; the caller knows its shape."""
Notified = Callable[[str, Mapping[str, Any]], None]
"""Takes a notification's method and params."""


class Helper:
    """One helper process, kept alive from ``start()`` to ``stop()``."""

    def __init__(
        self,
        program: Program,
        notified: Notified = lambda _method, _params: None,
        stuck_s: float = STUCK_S,
    ) -> None:
        self.program = program
        self._notified = notified
        self._stuck_s = stuck_s
        self._ids = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Answer]] = {}
        self._overdue: dict[int, asyncio.TimerHandle] = {}
        self._process: Process | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._deaths_in_a_row = 0
        self._deaths = 0
        self._last_error = ""
        self._stopping = False

    @property
    def health(self) -> Health:
        """How it is now."""
        pid = self._process.pid if self._process else None
        return Health(self.program.name, pid, self._deaths, self._last_error)

    def start(self) -> None:
        """Start the process in the background and keep it running; a second call does nothing."""
        if self._supervisor is None:
            self._supervisor = asyncio.create_task(self._supervise(), name=self.program.name)

    async def stop(self) -> None:
        """End the process and wait until it is gone."""
        self._stopping = True
        if self._supervisor is None:
            return
        if self._process and self._process.stdin:
            self._process.stdin.close()
            done, _ = await asyncio.wait({self._supervisor}, timeout=GRACE_S)
            if not done:
                self.kill("it did not end by itself")
                await asyncio.wait({self._supervisor}, timeout=GRACE_S)
        self._supervisor.cancel()
        await asyncio.wait({self._supervisor})

    def kill(self, why: str) -> None:
        """End the process, and whatever it started, at once."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        level = logging.INFO if self._stopping else logging.WARNING  # when stopping it may be busy
        log.log(level, "%s (pid %d) is killed: %s", self.program.name, process.pid, why)
        _kill_group(process)

    def notify(self, method: str, params: Mapping[str, Any]) -> bool:
        """Send a message that has no answer; False when the helper is down."""
        return self._send({"method": method, "params": dict(params)})

    async def request(
        self, method: str, params: Mapping[str, Any], timeout_s: float, session: str | None = None
    ) -> Answer:
        """The result of a request. Raises :class:`HelperError`.

        A request given up, by the time running out or by the caller being cancelled, is cancelled
        in the helper too.
        """
        id_ = next(self._ids)
        body = {**params, "session": session} if session is not None else dict(params)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._pending[id_] = answer
        if not self._send({"id": id_, "method": method, "params": body}):
            del self._pending[id_]
            raise HelperError(self.program.name, Cause.DOWN, self._last_error)
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            raise HelperError(self.program.name, Cause.LATE) from None
        finally:
            if self._pending.pop(id_, None):
                self._give_up(id_)

    def _send(self, message: Mapping[str, Any]) -> bool:
        process = self._process
        if process is None or process.stdin is None or process.stdin.is_closing():
            return False
        process.stdin.write(messages.encode(message))
        return True

    def _give_up(self, id_: int) -> None:
        self._send({"method": "cancel", "params": {"id": id_}})
        why = f"it owed an answer for {self._stuck_s:g} s"
        loop = asyncio.get_running_loop()
        self._overdue[id_] = loop.call_later(self._stuck_s, self.kill, why)

    async def _supervise(self) -> None:
        while True:
            started = time.monotonic()
            try:
                await self._run_once()
            except OSError as error:
                self._last_error = f"could not be started: {error}"
            finally:
                self._forget_requests()
            if self._stopping:
                return
            pause = min(LAST_RESTART_S, FIRST_RESTART_S * 2**self._deaths_in_a_row)
            self._deaths += 1
            self._deaths_in_a_row += 1
            log.warning(
                "%s %s after %.1f s; starting it again in %.2g s",
                *(self.program.name, self._last_error, time.monotonic() - started, pause),
            )
            await asyncio.sleep(pause)

    async def _run_once(self) -> None:
        """From the start of the process to its end. Raises OSError when it cannot be started."""
        process, exited = await _spawn(self.program)
        self._process = process
        log.info("%s started (pid %d)", self.program.name, process.pid)
        reading = asyncio.gather(self._read_messages(process), self._read_log(process))
        try:
            await exited.wait()
        finally:
            self._process = None
            _kill_group(process)
            await reading
        status = await process.wait()
        self._last_error = (
            f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended ({status})"
        )

    async def _read_messages(self, process: Process) -> None:
        assert process.stdout
        async for line in _lines(process.stdout):
            try:
                self._take(messages.decode(line))
            except messages.MalformedError as error:
                log.warning("%s sent no message: %s", self.program.name, error)

    async def _read_log(self, process: Process) -> None:
        assert process.stderr
        async for line in _lines(process.stderr):
            text = line.decode("utf-8", "replace").rstrip()
            level = logging.getLevelName(text.partition(" ")[0])
            level = level if isinstance(level, int) else logging.INFO
            log.log(level, "[%s] %s", self.program.name, text)

    def _take(self, message: messages.Message) -> None:
        if "id" not in message:
            self._notified(str(message.get("method")), message.get("params") or {})
            return
        self._deaths_in_a_row = 0
        if timer := self._overdue.pop(message["id"], None):
            timer.cancel()
        answer = self._pending.pop(message["id"], None)
        if answer is None or answer.done():
            return
        if "error" in message:
            error = HelperError(self.program.name, Cause.REFUSED, str(message["error"]))
            answer.set_exception(error)
        else:
            answer.set_result(message.get("result"))

    def _forget_requests(self) -> None:
        for timer in self._overdue.values():
            timer.cancel()
        self._overdue.clear()
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(HelperError(self.program.name, Cause.DIED, self._last_error))
        self._pending.clear()


class _Streams(SubprocessStreamProtocol):
    """asyncio's own, which also tells when the process has ended.

    ``Process.wait`` waits for the pipes too, and a grandchild can hold those open for ever.
    """

    def __init__(self, exited: asyncio.Event) -> None:
        super().__init__(limit=messages.MAX_BYTES, loop=asyncio.get_running_loop())
        self._exited = exited

    def process_exited(self) -> None:
        super().process_exited()
        self._exited.set()


async def _spawn(program: Program) -> tuple[Process, asyncio.Event]:
    """Start a process in a group of its own; the event is set when it has ended.

    It stays in the server's session: Linux shares the processor out among sessions first, and
    niceness counts only within one. It gets no ``PYTHON*`` variable: ``-I`` keeps it from reading
    them itself, but jedi starts the project's interpreter, which would take the workspace's modules
    for its own where ``PYTHONPATH`` names the workspace.
    """
    exited = asyncio.Event()
    loop = asyncio.get_running_loop()
    transport, streams = await loop.subprocess_exec(
        lambda: _Streams(exited),
        *program.command,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        process_group=0,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
    )
    if program.niceness and os.name == "posix":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, transport.get_pid(), os.nice(0) + program.niceness)
    return Process(transport, streams, loop), exited


def _kill_group(process: Process) -> None:
    """Kill a process with all that it started; those of a process that has ended count."""
    with contextlib.suppress(ProcessLookupError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        elif process.returncode is None:
            process.kill()


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The lines of a stream; one that is longer than the stream's limit is left out."""
    while True:
        try:
            line = await stream.readline()
        except ValueError:
            log.warning("a helper sent a line longer than %d bytes", messages.MAX_BYTES)
            continue
        if not line:
            return
        yield line


async def stop_all(helpers: Sequence[Helper]) -> None:
    """End several helpers at once."""
    stops: list[Coroutine[Any, Any, None]] = [helper.stop() for helper in helpers]
    await asyncio.gather(*stops)
