"""Where a helper process comes from: a child of ours over pipes, or one that editors share.

The shared one is met at a socket (``completion.model.meeting``). Where that does not come about, a
child does the same work.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from abc import ABC, abstractmethod
from asyncio.subprocess import DEVNULL, PIPE, Process, SubprocessStreamProtocol
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from completion.model import meeting
from indexing import messages

log = logging.getLogger(__name__)

STARTER_S = 15.0
"""How long a shared process may take until it listens."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """A process that others share: the socket where it listens, and what starts it if none does.

    That command ends with status 0 as soon as somebody listens; else its stderr says why.
    """

    socket: Path
    starter: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and what to call it in the log; ``niceness`` as in ``nice(1)``, where there is.

    The person's keystroke waits for the server and for jedi; who works longer should be nicer.
    Where a ``meeting`` is named and comes about, nothing is run: the shared process does the work.
    """

    name: str
    command: tuple[str, ...]
    niceness: int = 0
    meeting: Meeting | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Streams:
    """The ends of a connection; ``ended`` is set once it is none any more.

    ``logged`` is the other process's stderr, where that is ours.
    """

    ended: asyncio.Event
    incoming: asyncio.StreamReader
    outgoing: asyncio.StreamWriter
    logged: asyncio.StreamReader | None = None


class Link(ABC):
    """A process that can be talked to. ``came`` says in the log how we came by it."""

    shared: ClassVar[bool]
    came: ClassVar[str]

    def __init__(self, pid: int, streams: Streams) -> None:
        self.pid = pid
        self.streams = streams

    @abstractmethod
    def close(self) -> None:
        """Say nothing any more: a process of ours then ends by itself, a shared one stays."""

    @abstractmethod
    def kill(self) -> None:
        """End the process at once."""

    @abstractmethod
    def leave(self) -> None:
        """Have nothing to do with it any more."""

    @abstractmethod
    async def last_words(self) -> str:
        """How it ended."""


async def linked(program: Program) -> Link:
    """Meet or start what a program names. Raises OSError where it cannot be started."""
    if program.meeting:
        try:
            return await _met(program.meeting)
        except OSError as error:
            log.warning("%s is not shared: %s", program.name, error)
    return await _spawn(program)


class _Child(Link):
    """A process of ours, in a group of its own, at the other end of its pipes."""

    shared = False
    came = "started"

    def __init__(self, process: Process, ended: asyncio.Event) -> None:
        assert process.stdin
        assert process.stdout
        streams = Streams(ended, process.stdout, process.stdin, process.stderr)
        super().__init__(process.pid, streams)
        self._process = process

    def close(self) -> None:
        self.streams.outgoing.close()

    def kill(self) -> None:
        """Kill it with all that it started; those of a process that has ended count."""
        with contextlib.suppress(ProcessLookupError):
            if os.name == "posix":
                os.killpg(self.pid, signal.SIGKILL)
            elif self._process.returncode is None:
                self._process.kill()

    def leave(self) -> None:
        self.kill()

    async def last_words(self) -> str:
        status = await self._process.wait()
        return (
            f"was killed by {signal.Signals(-status).name}" if status < 0 else f"ended ({status})"
        )


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


async def _spawn(program: Program) -> _Child:
    """Start a process in a group of its own.

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
        env=_environment(),
    )
    if program.niceness and os.name == "posix":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, transport.get_pid(), os.nice(0) + program.niceness)
    return _Child(Process(transport, streams, loop), exited)


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


class _Shared(Link):
    """A process that other editors may talk to as well, at the other end of a socket."""

    shared = True
    came = "is shared"

    def __init__(self, pid: int, place: Path, streams: Streams) -> None:
        super().__init__(pid, streams)
        self._place = place

    def close(self) -> None:
        self.streams.outgoing.transport.abort()  # what it has not read it need not read

    def kill(self) -> None:
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGKILL)

    def leave(self) -> None:
        self.close()

    async def last_words(self) -> str:
        return f"ended (its log: {meeting.log_file(self._place)})"


class _Connection(asyncio.StreamReaderProtocol):
    """asyncio's own, which also tells when the other end has gone, and then goes too."""

    def __init__(self) -> None:
        self.incoming = asyncio.StreamReader(limit=messages.MAX_BYTES)
        self.ended = asyncio.Event()
        super().__init__(self.incoming)

    def eof_received(self) -> bool:
        super().eof_received()
        return False  # closes this end

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self.ended.set()


async def _met(where: Meeting) -> _Shared:
    """The shared process, started if there is none. Raises OSError."""
    try:
        return await _joined(where.socket)
    except (FileNotFoundError, ConnectionRefusedError):
        await _begin(where.starter)
        return await _joined(where.socket)


async def _joined(place: Path) -> _Shared:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_unix_connection(_Connection, str(place))
    outgoing = asyncio.StreamWriter(transport, protocol, protocol.incoming, loop)
    try:
        pid = meeting.peer(transport.get_extra_info("socket"))
    except OSError:
        outgoing.close()
        raise
    return _Shared(pid, place, Streams(protocol.ended, protocol.incoming, outgoing))


async def _begin(starter: tuple[str, ...]) -> None:
    """Run what starts the shared process, to its end."""
    process = await asyncio.create_subprocess_exec(
        *starter, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, process_group=0, env=_environment()
    )
    async with asyncio.timeout(STARTER_S):  # TimeoutError is an OSError
        _, said = await process.communicate()
    if process.returncode:
        raise OSError(" ".join(said.decode("utf-8", "replace").split()))
