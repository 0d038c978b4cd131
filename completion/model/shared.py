"""One model process for all editors of a user.

Run as ``python -I -X utf8 -m completion.model.shared --socket PATH`` with the arguments of
``completion.model.worker``, it leaves the model process behind, in the background, unless one
listens at ``PATH`` already, and ends as soon as that can be asked: status 0, or 1 with the reason
on stderr.

Beside the socket lie a lock, held by the process that listens, and its log. The process speaks
``indexing.messages`` with each editor, serves them in turns, survives all of them, and ends when
none has been there for a while.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import io
import logging
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from completion.model.meeting import PATIENCE_S, SharingError, listens, log_file, peer, place_of
from indexing import messages

IDLE_S = 60.0
"""How long the process stays without an editor: a window that is loaded again finds it warm."""
START_S = 10.0
"""How long a start may take; loading the model comes after it."""
POLL_S = 0.02
FULL_S = 0.5
"""How long to wait where the system has no room for one more editor."""

log = logging.getLogger(__name__)


def _alone(place: Path) -> bool:
    """Whether this process is to listen at ``place``; False once another one does.

    The lock is held until this process ends. Raises :class:`SharingError` when neither comes true.
    """
    lock = os.open(place.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    for _ in range(round(START_S / POLL_S)):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if listens(place):  # else it is about to, or about to end
                return False
            time.sleep(POLL_S)
        else:
            return True
    raise SharingError(f"a process holds the lock beside {place} and does not listen")


def _listening(place: Path) -> socket.socket:
    """A socket at ``place``, in place of what a dead process may have left there."""
    place.unlink(missing_ok=True)
    waiting = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        waiting.bind(str(place))
    finally:
        os.umask(before)
    waiting.listen()
    return waiting


def _leave_streams(place: Path) -> None:
    """Go on without the starter's streams; what is printed goes to the log."""
    out = os.open(log_file(place), os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for old, new in ((nothing, 0), (out, 1), (out, 2)):
        os.dup2(old, new)


def _attend(connection: socket.socket, desk: messages.Desk) -> None:
    with connection, contextlib.suppress(OSError):
        pid = peer(connection)
        log.info("process %d is here", pid)
        with connection.makefile("rb") as incoming, io.BufferedWriter(_Sender(connection)) as out:
            desk.attend(incoming, out)
        log.info("process %d has gone", pid)


class _Sender(io.RawIOBase):
    """A socket to write to, which is shut down once the other end takes nothing any more."""

    def __init__(self, connection: socket.socket) -> None:
        patience = struct.pack("ll", int(PATIENCE_S), int(PATIENCE_S % 1 * 1e6))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, patience)
        self._connection = connection

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - whatever has bytes
        try:
            self._connection.sendall(data)
        except OSError:
            with contextlib.suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)  # so its reader sees the end
            raise
        return len(data)


def _take_place(place: Path, arguments: Sequence[str]) -> socket.socket | None:
    """The socket that editors come to, or None where another process listens. Raises OSError.

    Whoever named the place did so for the model that was in use then.
    """
    if "--in-use" in arguments and place != place_of(arguments):
        raise SharingError("another model is in use now")
    os.setpgid(0, 0)  # whoever ends the starter's group does not mean this process
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.chdir("/")
    if not _alone(place):
        return None
    waiting = _listening(place)
    _leave_streams(place)
    return waiting


def _serve(waiting: socket.socket, idle_s: float, arguments: Sequence[str]) -> None:
    """Load the model, while the kernel keeps the editors that come; answer until none is left."""
    from completion.model import worker  # it loads torch

    desk = worker.desk(arguments)
    threading.Thread(target=_accept, args=(waiting, desk), daemon=True).start()
    desk.work(idle_s)
    log.info("no editor for %g s", idle_s)


def _accept(waiting: socket.socket, desk: messages.Desk) -> None:
    """Attend to everybody who comes, each in a thread."""
    while True:
        try:
            connection, _ = waiting.accept()
            threading.Thread(target=_attend, args=(connection, desk), daemon=True).start()
        except (
            OSError,
            RuntimeError,
        ) as error:  # too many files or threads: there may be room soon
            log.warning("an editor has to wait: %s", error)
            time.sleep(FULL_S)


def _run(place: Path, idle_s: float, arguments: Sequence[str], started: int) -> None:
    """What the process in the background does; ``started`` is a pipe to the one that waits."""
    try:
        waiting = _take_place(place, arguments)
    except OSError as error:
        os.write(started, f"{error}\n".encode())
        return
    os.close(started)
    if waiting:
        _serve(waiting, idle_s, arguments)
        place.unlink(missing_ok=True)


def main() -> int:
    """Leave a process behind that listens, and say whether there is one."""
    parser = argparse.ArgumentParser(prog="completion.model.shared")
    parser.add_argument("--socket", type=Path, required=True)
    parser.add_argument("--idle", type=float, default=IDLE_S, help="seconds without an editor")
    parser.add_argument("--niceness", type=int, default=0)
    options, arguments = parser.parse_known_args()
    waits, started = os.pipe()
    if not os.fork():
        os.close(waits)
        os.nice(options.niceness)
        try:
            _run(options.socket, options.idle, arguments, started)
        except Exception:
            log.exception("the process ends")
        messages.leave()
    os.close(started)
    with os.fdopen(waits, encoding="utf-8", errors="replace") as told:
        problem = told.read()
    sys.stderr.write(problem)
    return 1 if problem else 0


if __name__ == "__main__":
    sys.exit(main())
