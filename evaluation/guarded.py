"""The child of ``sandbox.py``: runs one Python file under limits, and says that it came to its end.

Run as ``python -I -B -X utf8 guarded.py FILE SECONDS MEGABYTES`` in a folder of its own; imports
nothing of ours. Limits of the system hold processor time, memory and file sizes; a network
namespace of its own, where the system grants one, holds the network; and an audit hook refuses
connections, other programs, and changes to files outside the folder. That stops what a model writes
by accident. It is no wall against code that wants to get out.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import runpy
import sys

DONE = 77
"""Exit status of a file that ran to its end: nothing that it calls gives that by chance."""

FILE_BYTES = 10 * 2**20
OPEN_FILES = 64

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_REFUSED = (
    *("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostby", "socket.send"),
    *("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.kill"),
    *("os.startfile", "pty.", "ftplib.", "smtplib.", "urllib.", "http."),
)
_CHANGES = frozenset(
    (
        *("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.chmod", "os.chown", "os.link"),
        *("os.symlink", "os.truncate", "os.utime", "os.setxattr", "os.chdir", "shutil.rmtree"),
        *("shutil.move", "shutil.copyfile", "shutil.copytree"),
    )
)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class RefusedError(PermissionError):
    """What the program may not do."""


def limit(seconds: int, megabytes: int) -> None:
    """Set the system's limits for this process, and cut it off the network where it may."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (megabytes * 2**20, megabytes * 2**20))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).unshare(_NEW_USER | _NEW_NETWORK)


def guard(folder: str) -> None:
    """Refuse from now on what reaches beyond this process and ``folder``."""

    def outside(path: object) -> bool:
        if not isinstance(path, str | bytes):
            return False  # a file that is open already
        real = os.path.realpath(os.fsdecode(path))
        return real != folder and not real.startswith(folder + os.sep) and real != os.devnull

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if event.startswith(_REFUSED):
            raise RefusedError(event)
        if event == "open" and isinstance(flags := arguments[2], int) and flags & _WRITING:
            changed: tuple[object, ...] = arguments[:1]
        else:
            changed = arguments[:2] if event in _CHANGES else ()
        if any(outside(path) for path in changed):
            raise RefusedError(event)

    sys.addaudithook(hook)


def main(arguments: list[str]) -> None:
    """Run the file; leave with `DONE` behind its last line."""
    file, seconds, megabytes = arguments
    limit(int(seconds), int(megabytes))
    sys.argv = [file]
    guard(os.path.realpath(os.getcwd()))  # noqa: PTH109 - pathlib is not imported for so little
    try:
        runpy.run_path(file, run_name="__main__")
    except SystemExit as left:
        print(f"SystemExit: {left.code}", file=sys.stderr)
        sys.exit(1)
    sys.stdout.flush()
    os._exit(DONE)


if __name__ == "__main__":
    main(sys.argv[1:])
