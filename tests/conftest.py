"""What tests of several rooms need."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's folder for sockets: a short path; whatever runs from there ends with the test."""
    folder = Path(tempfile.mkdtemp(prefix="lf"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    yield folder
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if any(str(folder) in word for word in process.cmdline()):
                process.kill()
    shutil.rmtree(folder)
