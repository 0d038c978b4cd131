"""Helper processes: start, talk, time out, restart after death, end with the server.

A helper is a Python module run as a child that speaks :mod:`indexing.messages` over its pipes. It
may be slow, hang, or be killed at any moment: whoever asks gets a :class:`HelperError` that says
which, and the helper is started again, later each time that it dies without having answered.

A helper ends when its stdin closes, so none outlives the server, however the server ends. One that
editors share (:class:`Meeting`) is met at a socket instead, and stays when the server leaves.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from indexing import messages
from lsp_server.links import Link, Program, linked

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


def module(name: str, module: str, *arguments: str, niceness: int = 0) -> Program:
    """The program that runs one of our modules.

    ``-I`` keeps the user's workspace and ``PYTHON*`` variables out of ``sys.path``.
    """
    command = (sys.executable, "-I", "-X", "utf8", "-m", module, *arguments)
    return Program(name, command, niceness)


@dataclass(frozen=True, slots=True)
class Health:
    """How a helper is: ``deaths`` counts all unexpected ends, ``pid`` is None while it is down.

    ``wanted``: it was started and not stopped.
    """

    name: str
    pid: int | None
    deaths: int
    last_error: str
    shared: bool
    wanted: bool


Answer = Any
"""A request's result: whatever JSON the helper sent; the caller knows its shape."""
Notified = Callable[[str, Mapping[str, Any]], None]
"""Takes a notification's method and params."""


class Helper:
    """One helper process, kept alive from each ``start()`` to the next ``stop()``."""

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
        self._link: Link | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._deaths_in_a_row = 0
        self._deaths = 0
        self._last_error = ""
        self._stopping = False

    @property
    def health(self) -> Health:
        """How it is now."""
        link = self._link
        pid, shared = (link.pid, link.shared) if link else (None, False)
        wanted = self._supervisor is not None
        return Health(self.program.name, pid, self._deaths, self._last_error, shared, wanted)

    def start(self) -> None:
        """Start the process in the background and keep it running; a second call does nothing."""
        if self._supervisor is None:
            self._stopping = False
            self._supervisor = asyncio.create_task(self._supervise(), name=self.program.name)

    async def stop(self) -> None:
        """End the process and wait until it is gone; leave a shared one."""
        supervisor = self._supervisor
        if supervisor is None:
            return
        self._stopping = True
        if link := self._link:
            link.close()
            done, _ = await asyncio.wait({supervisor}, timeout=GRACE_S)
            if not done and not link.shared:
                self.kill("it did not end by itself")
                await asyncio.wait({supervisor}, timeout=GRACE_S)
        supervisor.cancel()
        await asyncio.wait({supervisor})
        self._supervisor = None

    def kill(self, why: str) -> None:
        """End the process, and whatever it started, at once."""
        if self._link is None:
            return
        level = logging.INFO if self._stopping else logging.WARNING  # when stopping it may be busy
        log.log(level, "%s (pid %d) is killed: %s", self.program.name, self._link.pid, why)
        self._link.kill()

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
        if self._link is None or self._link.streams.outgoing.is_closing():
            return False
        self._link.streams.outgoing.write(messages.encode(message))
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
        link = await linked(self.program)
        self._link, streams = link, link.streams
        log.info("%s %s (pid %d)", self.program.name, link.came, link.pid)
        reading = asyncio.gather(
            self._read_messages(streams.incoming), self._read_log(streams.logged)
        )
        try:
            await streams.ended.wait()
        finally:
            self._link = None
            link.leave()
            await reading
        self._last_error = await link.last_words()

    async def _read_messages(self, incoming: asyncio.StreamReader) -> None:
        async for line in _lines(incoming):
            try:
                self._take(messages.decode(line))
            except messages.MalformedError as error:
                log.warning("%s sent no message: %s", self.program.name, error)

    async def _read_log(self, logged: asyncio.StreamReader | None) -> None:
        if logged is None:
            return
        async for line in _lines(logged):
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


async def _lines(stream: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The lines of a stream to its end; one that is longer than its limit is left out."""
    while True:
        try:
            line = await stream.readline()
        except ValueError:
            log.warning("a helper sent a line longer than %d bytes", messages.MAX_BYTES)
            continue
        except ConnectionError:  # a shared process died in the middle
            return
        if not line:
            return
        yield line


async def stop_all(helpers: Sequence[Helper]) -> None:
    """End several helpers at once."""
    stops: list[Coroutine[Any, Any, None]] = [helper.stop() for helper in helpers]
    await asyncio.gather(*stops)
