"""No program of a workspace is run before the person trusts it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Serve, Session

pytestmark = pytest.mark.e2e

UNTRUSTED = {"workspaceTrusted": False, "interpreter": "chosen/bin/python"}


@pytest.fixture
def ran(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file for each of the workspace's programs that was run.

    They are planted wherever something could take them for the project's Python, or git could be
    told to start them.
    """
    marks = workspace.parent / "ran"
    marks.mkdir()
    for name in (".venv", "venv", "active", "chosen", "named", "monitor"):
        program = workspace / name / "bin/python"
        program.parent.mkdir(parents=True)
        program.write_text(f"#!/bin/sh\ntouch '{marks}/{name}'\nexec '{sys.executable}' \"$@\"\n")
        program.chmod(0o755)
    monkeypatch.setenv("VIRTUAL_ENV", str(workspace / "active"))
    (workspace / ".jedi").mkdir()
    project = {"path": ".", "environment_path": str(workspace / "named/bin/python")}
    (workspace / ".jedi/project.json").write_text(json.dumps([1, project]))
    for command in (["init", "-q"], ["config", "core.fsmonitor", "monitor/bin/python"]):
        subprocess.run(["git", "-C", workspace, *command], check=True)
    return marks


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


async def use(session: Session, lines: int) -> None:
    """Ask, below some empty ``lines``, for what only jedi knows, until it has answered."""
    session.change("main.py", {"text": "import json\n" + "\n" * lines + "json."})

    async def known() -> bool:
        return "dumps" in await session.labels("main.py", lines + 1, 5)

    await session.until(known)


@pytest.mark.parametrize("options", [UNTRUSTED, {"lancefill": UNTRUSTED}], ids=["flat", "section"])
async def test_nothing_of_an_untrusted_workspace_is_run(
    serve: Serve, workspace: Path, ran: Path, options: object
) -> None:
    async with serve(workspace, initialize={"initializationOptions": options}) as session:
        session.open("main.py", "")
        await session.indexed()
        await use(session, 0)
        session.client.settings["lancefill"] = {"interpreter": ".venv", "workspaceTrusted": True}
        session.client.notify("workspace/didChangeConfiguration", {"settings": None})
        folder = {"uri": workspace.as_uri(), "name": "again"}
        for added, removed in (([], [folder]), ([folder], [])):
            event: dict[str, Any] = {"added": added, "removed": removed}
            session.client.notify("workspace/didChangeWorkspaceFolders", {"event": event})
        await use(session, 1)
        status = await session.status()
        assert status["trusted"] is False
        assert [each["foundBy"] for each in status["folders"]] == ["the workspace is not trusted"]
    assert names(ran) == []


async def test_a_trusted_workspaces_python_is_run(serve: Serve, workspace: Path, ran: Path) -> None:
    trusted = {"workspaceTrusted": True, "interpreter": "chosen/bin/python"}
    settings = {"interpreter": "chosen/bin/python"}
    async with serve(
        workspace, initialize={"initializationOptions": trusted}, settings=settings
    ) as session:
        session.open("main.py", "")
        await session.indexed()
        await use(session, 0)
        assert (await session.status())["trusted"] is True
    assert names(ran) == ["chosen"]
