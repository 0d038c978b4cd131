"""Workspace folders and their indexers, without an editor."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from lsprotocol import types

from completion.request import Code
from lsp_server import editor as editors
from lsp_server.folders import Folder
from lsp_server.links import Program
from lsp_server.processes import stop_all
from lsp_server.session import Session
from lsp_server.settings import Settings

READY = """
import json, sys
for phase in sys.argv[1:]:
    print(json.dumps({"method": "progress", "params": {"phase": phase}}), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("LANCEFILL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "work").mkdir()
    folder = types.WorkspaceFolder((tmp_path / "work").as_uri(), "work")
    params = types.InitializeParams(types.ClientCapabilities(), workspace_folders=[folder])
    editor = editors.from_initialize(params)
    made = Session(editor, Settings(), changed=lambda: None, progressed=lambda *_: None)
    made._no_model = made._no_library = None
    return made


@pytest.fixture
async def folder(session: Session) -> AsyncIterator[Folder]:
    [made] = session._folders.all
    yield made
    await stop_all([made.indexer] if made.indexer else [])


def index_with(session: Session, monkeypatch: pytest.MonkeyPatch, *command: str) -> None:
    """Start an indexer that is this command."""
    program = Program("indexer", command)
    monkeypatch.setattr("lsp_server.folders.module", lambda *_, **__: program)
    session._folders.start()


async def until(condition: Callable[[], object]) -> None:
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came true")


async def test_an_indexer_that_dies_again_and_again_is_a_problem(
    session: Session, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    index_with(session, monkeypatch, "false")
    assert session.status().busy == ("indexing work",)
    await until(lambda: folder.indexer and folder.indexer.health.deaths > 1)
    told = "work cannot be indexed: the indexer ended (1), it is started again"
    assert (session.status().problems, session.status().busy) == ((told,), ())
    assert folder.unfinished
    assert folder.unfinished.code is Code.INDEXING
    assert "ended (1)" in folder.unfinished.message


async def test_an_indexer_that_came_back_is_no_problem_once_it_is_through(
    session: Session, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    index_with(session, monkeypatch, sys.executable, "-c", READY, "walk", "parse", "ready")
    await until(lambda: folder.progress.get("phase") == "ready")
    assert session.status() == type(session.status())((), ())
    assert folder.indexer
    folder.indexer.kill("the test wants it")
    await until(lambda: folder.problem)
    assert "was killed by SIGKILL" in folder.problem
    await until(lambda: not folder.problem)
    assert (session.status().problems, session.status().busy) == ((), ())
    assert folder.unfinished is None


async def test_a_failed_round_is_a_problem_until_one_succeeds(
    session: Session, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = session._folders._hears(folder)
    told("progress", {"phase": "failed", "problem": "no room"})
    assert session.status().problems == ("work cannot be indexed: no room",)
    told("progress", {"phase": "walk"})
    assert session.status().problems == ("work cannot be indexed: no room",)
    told("progress", {"phase": "ready", "problem": ""})
    assert session.status().problems == ()
    told("progress", {"phase": "walk"})
    assert folder.progress["phase"] == "ready"
