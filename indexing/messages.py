"""How the server and its helper processes talk: one JSON object per line, over pipes or a socket.

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
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
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


def serve(desk: Desk, incoming: BinaryIO, outgoing: BinaryIO) -> None:
    """Answer the requests of one caller alone, until ``incoming`` ends."""

    def attend() -> None:
        desk.attend(incoming, outgoing)
        desk.close()

    threading.Thread(target=attend, name="messages", daemon=True).start()
    desk.work()


class Desk:
    """Answers requests one at a time; callers that have some waiting take turns.

    A thread for each caller reads ahead, so that a cancellation reaches the call that is running.
    A request of a method in ``newest_only`` stops the older ones of the same caller, method and
    session that have no answer yet. Every request gets exactly one answer, a bad one an error;
    notifications get none. Whoever comes is told the ``greeting`` first, and may ask for
    ``callers``: how many there are.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler],
        newest_only: Collection[str] = (),
        greeting: Message | None = None,
    ) -> None:
        self._handlers = {**handlers, "callers": self._count}
        self._newest_only = frozenset(newest_only)
        self._greeting = greeting
        self._callers: set[_Caller] = set()
        self._turns: deque[_Caller] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def attend(self, incoming: BinaryIO, outgoing: BinaryIO) -> None:
        """Take a caller's requests until its stream ends; then those without an answer are stopped.

        Returns at once where the desk is closed.
        """
        caller = _Caller(outgoing, self._newest_only)
        with self._changed:
            if self._closed:
                return
            self._callers.add(caller)
        if self._greeting:
            caller.send(self._greeting)
        try:
            for message in _messages(incoming):
                if call := caller.take(message):
                    self._queue(caller, call)
        except (OSError, ValueError) as error:
            log.warning("the connection broke: %s", error)
        caller.stop(CANCELLED)
        with self._changed:
            self._callers.discard(caller)
            self._changed.notify()

    def work(self, idle_s: float | None = None) -> None:
        """Answer until the desk is closed: by ``close``, or after ``idle_s`` without a caller."""
        while turn := self._next(idle_s):
            caller, call = turn
            answer = _answer(self._handlers, call)
            caller.unanswered.discard(call)
            if call.id is not None:
                caller.send({"id": call.id, **answer})

    def close(self) -> None:
        """Take nobody any more; ``work`` returns once what is waiting has its answers."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _count(self, _: Call) -> Message:
        return {"callers": len(self._callers)}

    def _queue(self, caller: _Caller, call: Call) -> None:
        with self._changed:
            if not caller.waiting:
                self._turns.append(caller)
            caller.waiting.append(call)
            self._changed.notify()

    def _next(self, idle_s: float | None) -> tuple[_Caller, Call] | None:
        with self._changed:
            while not self._turns:
                if self._closed:
                    return None
                heard = self._changed.wait(None if self._callers else idle_s)
                self._closed = self._closed or not (heard or self._callers or self._turns)
            caller = self._turns.popleft()
            call = caller.waiting.popleft()
            if caller.waiting:
                self._turns.append(caller)
            return caller, call


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


def _messages(incoming: BinaryIO) -> Iterator[Message]:
    while True:
        try:
            message = read(incoming)
        except MalformedError as error:
            log.warning("skipped a message: %s", error)
            continue
        if message is None:
            return
        yield message


class _Caller:
    """One who asks: its stream, what of it waits for its turn, what has no answer yet."""

    def __init__(self, outgoing: BinaryIO, newest_only: frozenset[str]) -> None:
        self.waiting: deque[Call] = deque()
        self.unanswered: set[Call] = set()
        self._outgoing = outgoing
        self._newest_only = newest_only

    def send(self, message: Message) -> None:
        """Answer; one who does not listen any more is no reason to stop."""
        try:
            write(self._outgoing, message)
        except (OSError, ValueError) as error:
            log.warning("an answer was not taken: %s", error)

    def take(self, message: Message) -> Call | None:
        """The call that a message is, if it is one; a cancellation does its work here."""
        id_, method, params = (message.get(key) for key in ("id", "method", "params"))
        params = {} if params is None else params
        if not isinstance(method, str) or not isinstance(params, dict):
            log.warning("skipped a message: it is no request")
        elif method == "cancel":
            self.stop(CANCELLED, lambda call: call.id == params.get("id"))
        elif isinstance(id_, int | str | None):
            return self._newest(Call(id_, method, params, session=params.get("session")))
        else:
            log.warning("skipped a message: its id is neither a number nor a string")
        return None

    def stop(self, reason: str, which: Callable[[Call], bool] = lambda _: True) -> None:
        """Stop those that have no answer yet."""
        for call in tuple(self.unanswered):
            if which(call):
                call.stop(reason)

    def _newest(self, call: Call) -> Call:
        if call.method in self._newest_only:
            same = (call.method, call.session)
            self.stop(SUPERSEDED, lambda older: (older.method, older.session) == same)
        self.unanswered.add(call)
        return call
