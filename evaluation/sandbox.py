"""Runs Python that a model wrote, in a process of its own, under limits (``guarded.py``).

A fresh folder is all that the program may change; it gets no environment, no input, no network,
and is killed with whatever it started when its time is over.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from evaluation import guarded

SECONDS = 10
"""Processor time of one program; the wall clock gives it twice as much."""

MEGABYTES = 2048
"""Address space; importing numpy alone takes several hundred."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether the program ran to its end without an error, and otherwise the last thing it said."""

    passed: bool
    said: str = ""


def run(program: str, seconds: int = SECONDS, megabytes: int = MEGABYTES) -> Outcome:
    """Run a program. Only where ``resource`` exists: not on Windows."""
    with tempfile.TemporaryDirectory(prefix="lancefill-") as name:
        folder = Path(name).resolve()
        file, errors = folder / "program.py", folder / "errors.txt"
        file.write_text(program, "utf-8", errors="surrogatepass")
        command = [sys.executable, "-I", "-B", "-X", "utf8", guarded.__file__, str(file)]
        with errors.open("wb") as stream:
            child = subprocess.Popen(
                [*command, str(seconds), str(megabytes)],
                cwd=folder,
                env={"TMPDIR": name, "HOME": name, "OMP_NUM_THREADS": "1"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stream,
                start_new_session=True,
            )
            late = _wait(child, 2 * seconds)
        said = errors.read_text("utf-8", errors="replace").strip().rpartition("\n")[2]
    if late:
        return Outcome(passed=False, said="out of time")
    if child.returncode < 0:
        return Outcome(passed=False, said=signal.Signals(-child.returncode).name)
    return Outcome(child.returncode == guarded.DONE, said)


def _wait(child: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for the child, and kill it and what it started when that takes too long."""
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    return False
