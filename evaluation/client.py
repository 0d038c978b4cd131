"""A language client over a server's stdin and stdout, as an editor is one: JSON-RPC and no more.

It knows how messages are framed and which questions a server may ask its editor. What it sends is
up to the caller, wrong things included, so that tests can be as rude as real editors are.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = Any
"""A decoded JSON value; whoever asked knows its shape."""
MAX_MESSAGE = 64 << 20
GRACE_S = 5.0
LAST_WORDS = 8
"""Lines of the server's stderr that an error about its end quotes."""


class ResponseError(Exception):
    """The server answered a request with an error."""

    def __init__(self, error: Mapping[str, Json]) -> None:
        super().__init__(f"{error.get('message')} ({error.get('code')})")
        self.code = error.get("code")


class ServerEndedError(Exception):
    """The server is gone, or closed its stdout, while something was still expected of it."""


@dataclass(frozen=True, slots=True)
class Notification:
    """What the server said without being asked."""

    method: str
    params: Json


class Client:
    """One connection; made by :func:`started`. ``settings`` answers ``workspace/configuration``,
    ``scoped`` instead where the question names one of its URIs.
    """

    def __init__(self, process: Process, settings: Mapping[str, Json], log: Path | None) -> None:
        self.process = process
        self.settings = dict(settings)
        self.scoped: dict[str, Mapping[str, Json]] = {}
        self.notifications: list[Notification] = []
        self.asked: list[Notification] = []
        self._ids = itertools.count(1)
        self._pending: dict[int, asyncio.Future[Json]] = {}
        self._waiting: list[
            tuple[Callable[[Notification], bool], asyncio.Future[Notification]]
        ] = []
        self._last_words: deque[str] = deque(maxlen=LAST_WORDS)
        self._reader = asyncio.create_task(self._read())
        self._logger = asyncio.create_task(self._log(log))

    def notify(self, method: str, params: Json = None) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def send(self, method: str, params: Json = None) -> tuple[int, asyncio.Future[Json]]:
        """Send a request; return its id (to cancel it) and its future result."""
        id_ = next(self._ids)
        future: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._pending[id_] = future
        if self._reader.done():
            self._forget(self._ended())
        else:
            self._send({"id": id_, "method": method, "params": params})
        return id_, future

    async def request(self, method: str, params: Json = None, timeout_s: float = 30.0) -> Json:
        """Return a request's result. Raises ResponseError, ServerEndedError, TimeoutError."""
        _, future = self.send(method, params)
        async with asyncio.timeout(timeout_s):
            return await future

    def cancel(self, id_: int) -> None:
        """Ask the server to give a request up; it still answers."""
        self.notify("$/cancelRequest", {"id": id_})

    async def wait_for(
        self, matches: Callable[[Notification], bool], timeout_s: float = 30.0
    ) -> Notification:
        """Return the first notification, past or future, that ``matches``. Raises TimeoutError."""
        for seen in self.notifications:
            if matches(seen):
                return seen
        future: asyncio.Future[Notification] = asyncio.get_running_loop().create_future()
        self._waiting.append((matches, future))
        async with asyncio.timeout(timeout_s):
            return await future

    async def stop(self) -> int:
        """Shut the server down as editors do, by force if need be; return its exit status."""
        with contextlib.suppress(ResponseError, ServerEndedError, TimeoutError):
            await self.request("shutdown", timeout_s=GRACE_S)
            self.notify("exit")
        return await self.wait_ended()

    async def wait_ended(self) -> int:
        """Wait for the server to end, kill it when it does not, return its exit status."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            async with asyncio.timeout(GRACE_S):
                status = await self.process.wait()
        except TimeoutError:
            self.process.kill()
            status = await self.process.wait()
        await asyncio.wait({self._reader, self._logger})
        return status

    def _send(self, message: Mapping[str, Json]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}, ensure_ascii=False).encode()
        assert self.process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def _read(self) -> None:
        assert self.process.stdout is not None
        try:
            while (message := await _read_message(self.process.stdout)) is not None:
                self._take(message)
        finally:
            await asyncio.wait({self._logger}, timeout=GRACE_S)
            self._forget(self._ended())

    async def _log(self, log: Path | None) -> None:
        """Keep the end of the server's stderr, and all of it in ``log``."""
        assert self.process.stderr is not None
        with open(log or os.devnull, "ab") as file:  # noqa: PTH123, ASYNC230 - a few short lines
            async for line in self.process.stderr:
                self._last_words.append(line.decode("utf-8", "replace").rstrip())
                file.write(line)
                file.flush()

    def _ended(self) -> ServerEndedError:
        said = "; its last words: " + "\n".join(self._last_words) if self._last_words else ""
        return ServerEndedError(f"the server has ended{said}")

    def _take(self, message: Mapping[str, Json]) -> None:
        if "method" not in message:
            self._settle(message)
        elif "id" in message:
            self.asked.append(Notification(message["method"], message.get("params")))
            result = self._answer(message["method"], message.get("params"))
            self._send({"id": message["id"], "result": result})
        else:
            self._hear(Notification(message["method"], message.get("params")))

    def _settle(self, response: Mapping[str, Json]) -> None:
        future = self._pending.pop(response["id"], None)
        if future is None or future.done():
            return
        if "error" in response:
            future.set_exception(ResponseError(response["error"]))
        else:
            future.set_result(response.get("result"))

    def _answer(self, method: str, params: Json) -> Json:
        """Answer what a server may ask its editor; None is the right answer to most of it.

        Edits are left to whoever reads ``asked``.
        """
        if method == "workspace/configuration":
            return [self._setting(**item) for item in params["items"]]
        if method == "workspace/applyEdit":
            return {"applied": False, "failureReason": "it is only remembered"}
        return None

    def _setting(self, section: str | None = None, scopeUri: str | None = None) -> Json:  # noqa: N803
        return self.scoped.get(scopeUri or "", self.settings).get(section or "")

    def _hear(self, notification: Notification) -> None:
        self.notifications.append(notification)
        for matches, future in list(self._waiting):
            if not future.done() and matches(notification):
                future.set_result(notification)
        self._waiting = [entry for entry in self._waiting if not entry[1].done()]

    def _forget(self, error: Exception) -> None:
        futures = [*self._pending.values(), *(future for _, future in self._waiting)]
        self._pending.clear()
        self._waiting.clear()
        for future in futures:
            if not future.done():
                future.set_exception(error)


async def _read_message(stream: asyncio.StreamReader) -> Mapping[str, Json] | None:
    """Return the next message, or None at the end of the stream."""
    try:
        header = await stream.readuntil(b"\r\n\r\n")
        fields = dict(line.split(b":", 1) for line in header.strip().split(b"\r\n"))
        body = await stream.readexactly(int(fields[b"Content-Length"]))
    except asyncio.IncompleteReadError:
        return None
    message: Mapping[str, Json] = json.loads(body)
    return message


@asynccontextmanager
async def started(
    command: Sequence[str],
    folder: Path,
    *,
    settings: Mapping[str, Json] | None = None,
    environment: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> AsyncIterator[Client]:
    """Start ``command`` in ``folder`` and give the connection; end the server afterwards.

    ``environment`` is added to the current one; the server's stderr is kept in ``log``.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        limit=MAX_MESSAGE,
    )
    client = Client(process, settings or {}, log)
    try:
        yield client
    finally:
        await client.stop()
