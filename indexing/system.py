"""What we ask of the operating system where the ready answer does not hold everywhere.

`pathlib` raises PermissionError when it is asked about something in a folder that is closed to us
(until Python 3.14); for us such a thing is not there. Only Linux says which cores we may use, and
glibc gives no freed memory back by itself but what lies at the end of the heap.
"""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from pathlib import Path


def cores() -> int:
    """How many cores this process may use, 1 if nobody knows."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def exists(path: Path) -> bool:
    """Whether there is anything that we can see; never raises."""
    return os.path.exists(path)  # noqa: PTH110


def is_file(path: Path) -> bool:
    """Whether there is a file that we can see; never raises."""
    return os.path.isfile(path)  # noqa: PTH113


def is_folder(path: Path) -> bool:
    """Whether there is a folder that we can see; never raises."""
    return os.path.isdir(path)  # noqa: PTH112


def give_memory_back() -> None:
    """Let the system have what is not used any more; takes some milliseconds, so not in the way."""
    gc.collect()
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)
