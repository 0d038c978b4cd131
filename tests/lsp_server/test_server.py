"""What the server does beside answering, without an editor."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types

from lsp_server import editor as editors
from lsp_server.folders import Folders
from lsp_server.server import Server, did_change_configuration, pull_settings
from lsp_server.session import Session
from lsp_server.settings import Settings

ANSWERED_S = 0.05


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    return [tmp_path / name for name in ("a", "b")]


@pytest.fixture
def server(roots: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """One whose editor has two folders open and can be asked for settings."""
    monkeypatch.setenv("LANCEFILL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("lsp_server.server.SETTINGS_WAIT_S", ANSWERED_S)
    for root in roots:
        root.mkdir()
    workspace = types.WorkspaceClientCapabilities(configuration=True)
    folders = [types.WorkspaceFolder(root.as_uri(), root.name) for root in roots]
    params = types.InitializeParams(
        types.ClientCapabilities(workspace=workspace), workspace_folders=folders
    )
    made = Server()
    editor = editors.from_initialize(params)
    made.session = Session(editor, Settings(), changed=lambda: None, progressed=lambda *_: None)
    return made


def answers(server: Server, monkeypatch: pytest.MonkeyPatch, *sections: Any) -> None:  # noqa: ANN401
    """Have the editor answer what the settings are, of the window and of each folder."""

    async def configuration(_: types.ConfigurationParams) -> list[Any]:
        return list(sections)

    monkeypatch.setattr(server, "workspace_configuration_async", configuration)


async def test_settings_sent_along_do_not_hide_those_of_folders(
    server: Server, roots: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(server, monkeypatch, {}, {"exclude": ["gen/"]}, {})
    await pull_settings(server)
    sent = types.DidChangeConfigurationParams({"lancefill": {"exclude": []}})
    await did_change_configuration(server, sent)
    assert server.session.own_settings[roots[0]].exclude == ("gen/",)
    assert roots[1] not in server.session.own_settings


async def test_the_only_folder_left_keeps_settings_of_its_own(
    server: Server, roots: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {None: {}, roots[0].as_uri(): {"exclude": ["gen/"]}, roots[1].as_uri(): {}}

    async def configuration(asked: types.ConfigurationParams) -> list[Any]:
        return [own[item.scope_uri] for item in asked.items]

    monkeypatch.setattr(server, "workspace_configuration_async", configuration)
    await pull_settings(server)
    await server.session.change_folders([], [roots[1]])
    await pull_settings(server)
    assert server.session.own_settings[roots[0]].exclude == ("gen/",)


async def test_helpers_that_end_slowly_are_started_again_all_the_same(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def slowly(_: object) -> None:
        await asyncio.sleep(4 * ANSWERED_S)

    def note(folders: Folders) -> None:
        started.append(folders)

    started: list[Folders] = []
    monkeypatch.setattr("lsp_server.session.stop_all", slowly)
    monkeypatch.setattr(Folders, "start", note)
    monkeypatch.setattr(Session, "_start_model", lambda _: None)
    server.session.start()
    answers(server, monkeypatch, {"exclude": ["gen/"]})
    await pull_settings(server)
    assert server.session.settings.exclude == ("gen/",)
    assert len(started) == 2


async def test_an_editor_that_does_not_answer_changes_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def configuration(_: types.ConfigurationParams) -> list[Any]:
        await asyncio.sleep(60)
        return [{"popup": "off"}]

    monkeypatch.setattr(server, "workspace_configuration_async", configuration)
    await pull_settings(server)
    assert server.session.settings == Settings()


def test_what_changed_unheard_is_told_in_a_pause(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(server.protocol, "notify", lambda _, params: told.append(params["kind"]))
    server.use_pause()
    server.use_pause()
    server.session._folders.problems.append("something is wrong")
    server.use_pause()
    assert told[-1] == "Warning"
    assert len(told) == 2
