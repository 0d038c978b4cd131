"""Where the editors of a user meet the model process that they share.

It is a socket in a folder that nobody else may open, and the kernel says who is at the other end:
where it does not (all but Linux), no process is shared. Another interpreter, other code or another
model in use is another process. ``shared.py`` is the process; nothing here loads torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import stat
import struct
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import platformdirs

from completion.model import registry
from indexing import messages

PATIENCE_S = 1.0
"""An end of a connection that takes or gives nothing for so long is given up."""
LONGEST_PATH = 100
"""Bytes of a socket's path; the kernel takes 107."""


class SharingError(OSError):
    """No process can be shared; the message is one line that says why."""


def place_of(arguments: Sequence[str]) -> Path:
    """Where the process that was started with ``arguments`` listens.

    Raises :class:`SharingError`.
    """
    try:
        path = folder() / f"model-{_identity(arguments)}.sock"
    except (OSError, PackageNotFoundError) as error:
        raise SharingError(str(error)) from error
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise SharingError(f"the path of the socket is too long: {path}")
    return path


def log_file(place: Path) -> Path:
    """Where the process that listens at ``place`` writes what it has to say."""
    return place.with_suffix(".log")


def peer(connection: socket.socket) -> int:
    """The process at the other end.

    Raises :class:`SharingError` if it is another user's, or in a container, where it has no number
    that means anything here.
    """
    size = struct.calcsize("3i")
    pid, user, _ = struct.unpack(
        "3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    )
    if user != os.getuid():
        raise SharingError(f"another user's process ({pid}) is at the other end")
    if pid == 0:
        raise SharingError("a process in another container is at the other end")
    return int(pid)


def running() -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """Where processes listen now, each with its ``pid`` and what it answers to ``info``.

    ``editors`` counts those who are connected. One that does not answer within ``PATIENCE_S``,
    because it loads or works, has a ``pid`` only; one without a model says why in ``failure``.
    """
    with contextlib.suppress(OSError):
        for place in sorted(folder().glob("model-*.sock")):
            with contextlib.suppress(OSError), connected(place) as connection:
                yield place, {"pid": peer(connection), **_facts(connection)}


def _facts(connection: socket.socket) -> Mapping[str, Any]:
    answers: list[Mapping[str, Any]] = []
    incoming, outgoing = connection.makefile("rb"), connection.makefile("wb")
    with contextlib.suppress(OSError, messages.MalformedError), incoming, outgoing:
        for id_, method in enumerate(("info", "callers")):
            messages.write(outgoing, {"id": id_, "method": method})
            while (answer := messages.read(incoming)) and answer.get("id") != id_:
                pass  # its greeting
            answers.append(answer or {})
    if len(answers) < 2 or "result" not in answers[1]:
        return {}
    info, callers = answers
    told = info["result"] if "result" in info else {"failure": str(info.get("error", ""))}
    return {**told, "editors": callers["result"]["callers"] - 1}


def folder() -> Path:
    """The user's own folder for sockets, made if it is missing.

    Raises OSError, a :class:`SharingError` where nothing can be shared in it.
    """
    if sys.platform != "linux":
        raise SharingError("a model process is shared on Linux only")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where nothing is set there is a folder in /tmp
        own = platformdirs.user_runtime_path("lancefill", appauthor=False)
    own.parent.mkdir(0o700, exist_ok=True)
    own.mkdir(0o700, exist_ok=True)
    found = own.lstat()
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
    if not mine or stat.S_IMODE(found.st_mode) & 0o077:
        raise SharingError(f"{own} is not a folder of this user's alone (mode 700)")
    return own


def _identity(arguments: Sequence[str]) -> str:
    package = Path(__file__).parents[1]
    code = [*package.rglob("*.py"), *Path(messages.__file__).parent.rglob("*.py")]
    newest = max(file.stat().st_mtime_ns for file in (*code, *package.glob("weights/*")))
    try:
        chosen = str(registry.read().chosen)
    except (registry.RegistryError, OSError) as error:
        chosen = str(error)
    parts = (sys.executable, str(package), version("lancefill"), str(newest), chosen, *arguments)
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()


@contextlib.contextmanager
def connected(place: Path) -> Iterator[socket.socket]:
    """A connection to the process that listens at ``place``. Raises OSError where none does."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE_S)
        connection.connect(str(place))
        yield connection


def listens(place: Path) -> bool:
    """Whether a process listens at ``place``."""
    try:
        with connected(place):
            return True
    except OSError:
        return False
