"""No internet socket is opened: a whole session runs where opening one is death."""

from __future__ import annotations

import platform
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from completion.model import meeting
from tests.e2e.editors import LOADING_S
from tests.e2e.offline import ARCHITECTURES
from tests.e2e.test_model import judged

if TYPE_CHECKING:
    from tests.e2e.conftest import Serve

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        sys.platform != "linux" or platform.machine() not in ARCHITECTURES,
        reason="the filter of system calls is Linux's, and its numbers are the processor's",
    ),
]

OFFLINE = (sys.executable, "-I", str(Path(__file__).with_name("offline.py")))
PATIENT = {"ghostText": True, "minConfidence": 0.0, "maxLatencyMs": 10_000, "popupDeadlineMs": 2000}
MAIN = "import os\nfrom pkg.client import Client\n\nc = Client()\nc.\nos.\nfor name in os.listdir("


@pytest.mark.parametrize(
    ("family", "survives"), [("AF_UNIX", True), ("AF_INET", False), ("AF_INET6", False)]
)
def test_the_filter_kills_what_opens_one_however_deep(family: str, survives: bool) -> None:
    opening = f"import socket; socket.socket(socket.{family})"
    child = (
        f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {opening!r}]))"
    )
    done = subprocess.run([*OFFLINE, sys.executable, "-I", "-c", child], timeout=60)
    assert done.returncode == (0 if survives else -signal.SIGSYS % 256)


def is_filtered(process: psutil.Process) -> bool:
    return "Seccomp:\t2" in Path(f"/proc/{process.pid}/status").read_text()


async def test_a_session_with_popups_and_ghost_text_opens_none(
    workspace: Path, serve: Serve, editors: Mapping[str, Mapping[str, Any]], runtime: Path
) -> None:
    async with serve(
        workspace, editors["neovim"], settings=PATIENT, under=OFFLINE, options=()
    ) as session:
        session.open("main.py", MAIN)
        await session.indexed()

        async def loaded() -> bool:
            return bool((await session.status())["model"] == "ready")

        await session.until(loaded, LOADING_S)
        assert "send" in await session.labels("main.py", 4, 2)

        async def jedi_answers() -> bool:
            return "listdir" in await session.labels("main.py", 5, 3)

        await session.until(jedi_answers)
        await judged(session, session.at("main.py", 6, 23), {"triggerKind": 2})
        asked = {"command": "lancefill.ask", "arguments": [{"query": "send all of it"}]}
        assert await session.client.request("workspace/executeCommand", asked)
        await session.logged("folders are watched for changes")

        server = psutil.Process(session.client.process.pid)
        ((place, facts),) = meeting.running()
        assert place.is_relative_to(runtime)
        model = psutil.Process(facts["pid"])
        processes = [server, *server.children(recursive=True), model]
        commands = " ".join(part for process in processes for part in process.cmdline())
        for module in ("lsp_server", "indexing.worker", "completion.model", "completion.jedi"):
            assert module in commands
        for process in processes:
            assert is_filtered(process)
        helpers = (await session.status())["helpers"]
        assert len(helpers) == 3
        assert all("running" in line and "died" not in line for line in helpers), helpers
