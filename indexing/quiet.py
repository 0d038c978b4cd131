"""Threads that read ahead stand back while somebody types.

A thread at work takes every second slice of the interpreter from the one that answers, which waits
up to `SLICE_S` for each: a popup of 15 ms takes 40. So what is read ahead, is read file by file,
each in a pause.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

PAUSE_S = 0.2
"""How long nothing must have been asked: longer than what mostly lies between two keystrokes."""

SLICE_S = 0.0005
"""Seconds after which a thread at work lets another go on (CPython's own default is ten times
that): what is waited for where a file is being read when a key is pressed."""

_asked = -PAUSE_S
_answering = 0
# One each per process, as the interpreter is that its threads share.


def asked() -> None:
    """Something was asked or typed: the pause begins anew."""
    global _asked  # noqa: PLW0603
    _asked = time.monotonic()


@contextmanager
def answering() -> Iterator[None]:
    """While this lasts somebody waits for an answer; the pause begins behind it."""
    global _answering  # noqa: PLW0603
    _answering += 1
    try:
        yield
    finally:
        _answering -= 1
        asked()


def wait() -> None:
    """Return once there is a pause; a thread calls it before each file."""
    while (left := PAUSE_S if _answering else _asked + PAUSE_S - time.monotonic()) > 0:
        time.sleep(left)


def share_in_small_slices() -> None:
    """Let threads take turns every `SLICE_S`."""
    sys.setswitchinterval(SLICE_S)
