"""Programs that a model wrote: those that come to their end pass, and none reaches further."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from evaluation import sandbox

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no limits on Windows")


@pytest.mark.parametrize(
    "program",
    [
        "assert 1 + 1 == 2",
        "open('a.txt', 'w').write('x')\nassert open('a.txt').read() == 'x'",
        "import tempfile\nwith tempfile.NamedTemporaryFile('w') as file: file.write('x')",
        "import asyncio\nasync def one(): return 1\nassert asyncio.run(one()) == 1",
        "import threading\none = threading.Thread(target=int)\none.start()\none.join()",
        "assert __name__ == '__main__'",
    ],
)
def test_what_passes(program: str) -> None:
    outcome = sandbox.run(program)
    assert outcome.passed, outcome.said


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("assert 1 + 1 == 3, 'so'", "AssertionError: so"),
        ("x = (", "SyntaxError"),
        ("import sys\nsys.exit(0)", "SystemExit: 0"),
        ("import os\nos._exit(0)", ""),
        ("import socket\nsocket.create_connection(('127.0.0.1', 9))", "RefusedError"),
        ("import urllib.request\nurllib.request.urlopen('http://localhost')", "RefusedError"),
        ("import subprocess\nsubprocess.run(['true'])", "RefusedError"),
        ("import os\nos.system('true')", "RefusedError: os.system"),
        ("import os\nos.fork()", "RefusedError: os.fork"),
        ("import os\nos.kill(os.getppid(), 9)", "RefusedError: os.kill"),
        ("open('../outside.txt', 'w')", "RefusedError: open"),
        ("text = 'x' * (2 * 10**9)", "MemoryError"),
        ("open('a.txt', 'w').write('x' * 20_000_000)", ""),
    ],
)
def test_what_does_not_pass(program: str, says: str) -> None:
    outcome = sandbox.run(program, megabytes=1024)
    assert not outcome.passed
    assert says in outcome.said


def test_files_outside_stay_as_they_are(tmp_path: Path) -> None:
    kept = tmp_path / "kept.txt"
    kept.write_text("kept")
    for change in (
        "os.remove({})",
        "os.rename({}, 'x')",
        "shutil.rmtree({})",
        "os.truncate({}, 0)",
    ):
        place = str(tmp_path if "rmtree" in change else kept)
        outcome = sandbox.run(f"import os, shutil\n{change.format(repr(place))}")
        assert "RefusedError" in outcome.said
    assert kept.read_text() == "kept"


def test_time_is_limited() -> None:
    assert not sandbox.run("while True: pass", seconds=1).passed
    asleep = sandbox.run("import time\ntime.sleep(60)", seconds=1)
    assert (asleep.passed, asleep.said) == (False, "out of time")


def test_it_gets_no_environment_and_no_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "word")
    program = "import os, sys\nassert 'SECRET' not in os.environ\nassert '' not in sys.path"
    outcome = sandbox.run(program)
    assert outcome.passed, outcome.said
