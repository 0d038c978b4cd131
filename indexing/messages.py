"""How the server and its helper processes talk: one JSON object per line over pipes.

A request is ``{"id": 7, "method": "ghost", "params": {...}}``; its answer is
``{"id": 7, "result": {...}}`` or ``{"id": 7, "error": "why"}``. A message without an id is a
notification. ``{"method": "cancel", "params": {"id": 7}}`` asks the helper to give request 7 up.

JSON is written in ASCII, so no character of a message can be taken for a line end, and anything a
JSON string can hold (lone surrogates too) survives the way.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NoReturn

MAX_BYTES = 64 * 1024 * 1024
"""The longest line either side accepts: the largest document that is opened, escaped, with room."""

PR_SET_PDEATHSIG = 1

CANCELLED = "cancelled"
"""The error of a request that was given up because the caller asked for it."""

SUPERSEDED = "superseded"
"""The error of a request that was given up because a newer one of its session arrived."""

LATE = "the deadline passed"
"""The error of a request whose handler raised TimeoutError."""

Message = dict[str, Any]
log = logging.getLogger(__name__)


class MalformedError(ValueError):
    """A line that is no message; the stream stands at the start of the next line."""


@dataclass(slots=True, eq=False)
class Call:
    """One request in progress, as its handler sees it.

    ``session`` is the caller's name for a stream of requests that supersede each other. ``stopped``
    says why the handler should give up, or is None to go on; the reader thread sets it.
    ``arrived`` is when the request was read, in ``time.perf_counter`` seconds.
    """

    id: int | str | None
    method: str
    params: Mapping[str, Any]
    session: str | None = None
    stopped: str | None = None
    arrived: float = field(default_factory=time.perf_counter)

    def stop(self, reason: str) -> None:
        """Ask the handler to give up; the first reason counts."""
        self.stopped = self.stopped or reason


class StoppedError(Exception):
    """Raised by a handler that saw ``call.stopped``."""


Handler = Callable[[Call], Message]
"""Answers a request with its result; what it raises becomes the error of the answer."""


def encode(message: Mapping[str, Any]) -> bytes:
    """The line for a message. Raises ValueError for what JSON has no number for (NaN, infinity)."""
    return json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"


def decode(line: bytes) -> Message:
    """The message of a line. Raises :class:`MalformedError`."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"a line of {len(line)} bytes is not JSON") from error
    if not isinstance(message, dict):
        raise MalformedError(f"expected a JSON object, got {type(message).__name__}")
    return message


def read(stream: BinaryIO, limit: int = MAX_BYTES) -> Message | None:
    """The next message, or None at the end of the stream. Raises :class:`MalformedError`.

    A line longer than ``limit`` bytes is read past without being kept; a last line that the end of
    the stream cut off counts as malformed.
    """
    line = stream.readline(limit)
    if not line:
        return None
    if line.endswith(b"\n"):
        return decode(line)
    length = len(line)
    while rest := stream.readline(limit):
        length += len(rest)
        if rest.endswith(b"\n"):
            break
    raise MalformedError(f"a line of {length} bytes is longer than {limit} or was cut off")


def write(stream: BinaryIO, message: Mapping[str, Any]) -> None:
    """Send one message. On a buffered stream it is one write, so threads may share the stream."""
    stream.write(encode(message))
    stream.flush()


def take_stdio() -> tuple[BinaryIO, BinaryIO]:
    """Standard input and output for messages alone.

    From now on whatever else this process prints, libraries and their native code included, goes
    to standard error, where it cannot break a message.
    """
    incoming = os.fdopen(os.dup(0), "rb")
    outgoing = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return incoming, outgoing


def end_with_parent() -> None:
    """Be killed when the process that started us ends, however busy this one is.

    On Linux the kernel sees to it. Elsewhere a helper ends when it next looks at its stdin.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))


def leave() -> NoReturn:
    """End this process at once: taking a large heap apart takes a second and saves nothing."""
    logging.shutdown()
    os._exit(0)


def serve(
    incoming: BinaryIO,
    outgoing: BinaryIO,
    handlers: Mapping[str, Handler],
    newest_only: Collection[str] = (),
) -> None:
    """Answer requests one at a time, in order, until ``incoming`` ends.

    A thread reads ahead, so that a cancellation reaches the call that is running. A request of a
    method in ``newest_only`` stops the older ones of the same method and session that have no
    answer yet. Every request gets exactly one answer, a bad one an error; notifications get none.
    """
    inbox = _Inbox(incoming, frozenset(newest_only))
    threading.Thread(target=inbox.fill, name="messages", daemon=True).start()
    while (call := inbox.waiting.get()) is not None:
        answer = _answer(handlers, call)
        inbox.unanswered.discard(call)
        if call.id is not None:
            write(outgoing, {"id": call.id, **answer})


def _answer(handlers: Mapping[str, Handler], call: Call) -> Message:
    try:
        if call.stopped:
            return {"error": call.stopped}
        if call.method not in handlers:
            return {"error": f"unknown method: {call.method}"}
        result = handlers[call.method](call)
        encode(result)
    except StoppedError:
        return {"error": call.stopped or CANCELLED}
    except TimeoutError:
        log.debug("%s: %s", call.method, LATE)  # nothing is wrong: the question was too large
        return {"error": LATE}
    except Exception as error:  # noqa: BLE001  the helper outlives every bad request
        log.warning("%s failed: %s", call.method, place_of(error))
        return {"error": f"{type(error).__name__}: {error}"}
    return {"result": result}


def place_of(error: BaseException) -> str:
    """An error's type and where it was raised, for the log: its text may quote source code."""
    return "\n".join((type(error).__name__, *traceback.format_tb(error.__traceback__)))


class _Inbox:
    """What has arrived and has no answer yet."""

    def __init__(self, incoming: BinaryIO, newest_only: frozenset[str]) -> None:
        self.incoming = incoming
        self.newest_only = newest_only
        self.waiting: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self.unanswered: set[Call] = set()

    def fill(self) -> None:
        """Read until the stream ends; then stop what is running and end the queue."""
        try:
            while (message := self._next()) is not None:
                self._take(message)
        except (OSError, ValueError) as error:
            log.warning("the pipe broke: %s", error)
        self._stop_all(CANCELLED)
        self.waiting.put(None)

    def _next(self) -> Message | None:
        while True:
            try:
                return read(self.incoming)
            except MalformedError as error:
                log.warning("skipped a message: %s", error)

    def _take(self, message: Message) -> None:
        id_, method, params = (message.get(key) for key in ("id", "method", "params"))
        params = {} if params is None else params
        if not isinstance(method, str) or not isinstance(params, dict):
            log.warning("skipped a message: it is no request")
        elif method == "cancel":
            self._stop_all(CANCELLED, lambda call: call.id == params.get("id"))
        elif isinstance(id_, int | str | None):
            self._queue(Call(id_, method, params, session=params.get("session")))
        else:
            log.warning("skipped a message: its id is neither a number nor a string")

    def _queue(self, call: Call) -> None:
        if call.method in self.newest_only:
            same = (call.method, call.session)
            self._stop_all(SUPERSEDED, lambda older: (older.method, older.session) == same)
        self.unanswered.add(call)
        self.waiting.put(call)

    def _stop_all(self, reason: str, which: Callable[[Call], bool] = lambda _: True) -> None:
        for call in tuple(self.unanswered):
            if which(call):
                call.stop(reason)
