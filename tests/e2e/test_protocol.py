"""The server as VS Code, Neovim and an editor without abilities see it."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import pytest_asyncio

from evaluation.client import ResponseError

if TYPE_CHECKING:
    from tests.e2e.conftest import Serve, Session

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

MAIN = "from pkg.client import Client\nc = Client()\nc."
END = (2, 2)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("protocol") / "work"
    (root / "pkg").mkdir(parents=True)
    (root / "pkg" / "__init__.py").touch()
    (root / "pkg" / "client.py").write_text(
        'class Client:\n    """One connection."""\n\n'
        '    def send(self, data: bytes) -> int:\n        """Send all of it."""\n'
        "        return len(data)\n\n    def close(self) -> None: ...\n\n\n"
        "def connect(host: str) -> Client:\n    return Client()\n"
    )
    return root


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["vscode", "neovim", "bare"])
async def session(
    request: pytest.FixtureRequest,
    root: Path,
    serve: Serve,
    editors: Mapping[str, Mapping[str, Any]],
) -> AsyncIterator[Session]:
    async with serve(root, editors[request.param], name=request.param) as session:
        session.open("main.py", MAIN)
        await session.indexed()
        yield session


async def test_a_request_in_plain_words(session: Session) -> None:
    assert "lancefill.ask" in session.capabilities["executeCommandProvider"]["commands"]
    question = {"query": "send all of it", "textDocument": {"uri": session.uri("main.py")}}
    asked = {"command": "lancefill.ask", "arguments": [question]}
    answers = await session.client.request("workspace/executeCommand", asked)
    assert answers[0]["name"] == "pkg.client.Client.send"
    assert answers[0]["uri"] == session.uri("pkg/client.py")
    assert answers[0]["call"] == "client.send(data)"
    for wrong in ({}, {"query": 3}, {"query": "x", "limit": 0}):
        with pytest.raises(ResponseError):
            await session.client.request(
                "workspace/executeCommand", {"command": "lancefill.ask", "arguments": [wrong]}
            )


async def test_a_comment_above_an_empty_line_is_a_request(session: Session) -> None:
    session.open("plan.py", "import os\n# connect to the host\n\n")
    first = (await session.popup("plan.py", 2, 0))[0]
    assert first["label"] == "connect(host)"
    if "additionalTextEdits" not in first:
        first = await session.client.request("completionItem/resolve", first)
    (edit,) = first["additionalTextEdits"]
    assert "from pkg.client import connect" in edit["newText"]
    session.close("plan.py")


async def test_capabilities(session: Session) -> None:
    offered = session.capabilities
    wanted = {"vscode": "utf-16", "neovim": "utf-8", "bare": "utf-16"}
    assert offered["positionEncoding"] == wanted[session.name]
    assert offered["completionProvider"]["resolveProvider"] is True
    assert offered["completionProvider"]["triggerCharacters"] == [".", "@"]
    assert offered["inlineCompletionProvider"] == {}
    assert offered["textDocumentSync"]["change"] == 2
    assert offered["workspace"]["workspaceFolders"]["supported"] is True
    commands = offered["executeCommandProvider"]["commands"]
    assert sorted(commands) == ["lancefill.accepted", "lancefill.ask", "lancefill.import"]


async def test_popup_in_our_order(session: Session) -> None:
    items = await session.popup("main.py", *END)
    assert {"send", "close"} <= {item["label"] for item in items}
    assert len(items) <= 50
    assert all(item["sortText"] for item in items)
    assert len({item["sortText"] for item in items}) == len(items)


async def test_nothing_comes_by_itself_behind_what_is_finished(session: Session) -> None:
    session.open("done.py", "value = call(1)")
    at, before = session.at("done.py", 0, 15), len(session.client.notifications)
    typed = {**at, "context": {"triggerKind": 2, "triggerCharacter": ")"}}
    answer = await session.client.request("textDocument/completion", typed)
    assert answer["items"] == []
    assert (await session.reason("popup", before))["code"] == "gated"
    by_hand = {**at, "context": {"triggerKind": 1}}
    answer = await session.client.request("textDocument/completion", by_hand)
    assert answer["items"]
    session.close("done.py")


async def test_resolve_tells_what_the_list_left_out(session: Session) -> None:
    item = next(i for i in await session.popup("main.py", *END) if i["label"] == "send")
    lazy = session.name == "vscode"
    assert ("documentation" in item) is not lazy
    sent = {key: value for key, value in item.items() if key != "textEdit"}
    full = await session.client.request("completionItem/resolve", sent)
    assert "Send all of it." in full["documentation"]
    assert full["label"] == "send"


async def test_an_import_comes_with_the_item(session: Session) -> None:
    session.open("other.py", "def f():\n    return conn")
    item = next(i for i in await session.popup("other.py", 1, 15) if i["label"] == "connect")
    if session.name != "bare":
        assert "additionalTextEdits" not in item
        item = await session.client.request("completionItem/resolve", item)
    (edit,) = item["additionalTextEdits"]
    assert edit["newText"].startswith("from pkg.client import connect")
    session.close("other.py")


async def test_an_item_of_a_forgotten_popup_stays_as_it_is(session: Session) -> None:
    item = {"label": "send", "data": 123456, "sortText": "000"}
    assert (await session.client.request("completionItem/resolve", item))["label"] == "send"
    item = {"label": "send", "data": {"someone": "else"}}
    assert (await session.client.request("completionItem/resolve", item))["label"] == "send"


async def test_typing_is_followed(session: Session) -> None:
    session.open("typed.py", MAIN)
    for number, letter in enumerate("se"):
        here = {"line": 2, "character": 2 + number}
        session.change("typed.py", {"range": {"start": here, "end": here}, "text": letter})
    items = await session.popup("typed.py", 2, 4)
    assert items[0]["label"] == "send"
    assert items[0]["textEdit"]["range"] == {
        "start": {"line": 2, "character": 2},
        "end": {"line": 2, "character": 4},
    }
    assert (items[0].get("filterText") or items[0]["label"]).startswith("se")
    session.change("typed.py", {"text": "import os\nos.pat"})
    session.change("typed.py", {"text": MAIN})
    assert "close" in await session.labels("typed.py", *END)
    session.close("typed.py")


async def test_an_open_buffer_counts_instead_of_its_file(session: Session) -> None:
    text = (session.root / "pkg/client.py").read_text()
    session.open("pkg/client.py", text.replace("close", "hang_up"))
    labels = await session.labels("main.py", *END)
    assert "hang_up" in labels
    assert "close" not in labels
    session.close("pkg/client.py")
    assert "close" in await session.labels("main.py", *END)


@pytest.mark.parametrize("uri", ["untitled:Untitled-1", "vscode-remote://ssh-remote%2Bh/w/a.py"])
async def test_documents_that_are_no_files(session: Session, uri: str) -> None:
    session.open(uri, "class Thing:\n    def spin(self): ...\n\nThing().sp")
    assert "spin" in await session.labels(uri, 3, 10)


async def test_a_silent_answer_has_its_reason(session: Session) -> None:
    before = len(session.client.notifications)
    assert await session.ghost("main.py", *END) == []
    reason = await session.reason("ghost", before)
    assert (reason["code"], reason["uri"]) == ("disabled", session.uri("main.py"))
    assert await session.labels("never-opened.py", 0, 0) == []
    assert (await session.reason("popup", before))["code"] == "not-indexed"
    session.open("notes.md", "# Title\nc.", language="markdown")
    before = len(session.client.notifications)
    assert await session.labels("notes.md", 1, 2) == []
    assert "markdown" in (await session.reason("popup", before))["message"]
    session.close("notes.md")


async def test_a_file_that_may_hold_secrets_is_left_alone(session: Session) -> None:
    for name in (".env", "server.pem"):
        session.open(name, "token = 'x'\ntok")
        before = len(session.client.notifications)
        assert await session.popup(name, 1, 3) == []
        assert (await session.reason("popup", before))["code"] == "secret"
        session.close(name)


async def test_explain_tells_everything(session: Session) -> None:
    told = await session.client.request("lancefill/explain", session.at("main.py", *END))
    assert told["context"]["receiver"] == "c"
    assert told["popup"]["items"][0]["evidence"]
    assert told["ghost"]["reason"]


async def test_what_editors_tell_of_ghost_text_may_be_anything(session: Session) -> None:
    item = {"insertText": "x", "command": {"command": "lancefill.accepted", "arguments": [7]}}
    rude: list[Any] = [
        None,
        [],
        {},
        {"item": None},
        {"item": 3, "acceptedLength": "x"},
        {"item": {"insertText": "x"}, "acceptedLength": 2},
        {"item": {"command": {"arguments": []}}, "acceptedLength": 2},
        {"item": {"command": {"arguments": [{"id": 7}]}}, "acceptedLength": 2},
        {"item": item, "acceptedLength": 0},
        {"item": item},
    ]
    before = (await session.status())["acceptance"]
    for params in rude:
        session.client.notify("textDocument/didPartiallyAcceptCompletion", params)
    for params in rude[:-2]:
        session.client.notify("textDocument/didShowCompletion", params)
    for arguments in ([], ["x"], [None]):
        wrong = {"command": "lancefill.accepted", "arguments": arguments}
        with contextlib.suppress(ResponseError):
            await session.client.request("workspace/executeCommand", wrong)
    assert (await session.status())["acceptance"] == before
    session.client.notify("textDocument/didShowCompletion", {"item": item})
    taken = {"item": item, "acceptedLength": 1}
    session.client.notify("textDocument/didPartiallyAcceptCompletion", taken)
    whole = {"command": "lancefill.accepted", "arguments": [7]}
    assert await session.client.request("workspace/executeCommand", whole) is None
    after = (await session.status())["acceptance"]
    assert after["shown"] == before["shown"] + 1
    assert after["accepted"] == before["accepted"] + 1


async def test_every_request_gets_an_answer(session: Session) -> None:
    rude = [
        ("textDocument/completion", session.at("main.py", -1, 0)),
        ("textDocument/completion", session.at("main.py", 0, 2**40)),
        ("textDocument/completion", {"textDocument": {"uri": [5]}}),
        ("textDocument/completion", None),
        ("textDocument/inlineCompletion", {"context": 3}),
        ("completionItem/resolve", {"data": 7}),
        ("lancefill/explain", {}),
        ("no/such/method", {}),
    ]
    for method, params in rude:
        with pytest.raises(ResponseError):
            await session.client.request(method, params, 5)
    session.client.notify("textDocument/didChange", {"textDocument": {"uri": [5]}})
    session.client.notify("no/such/notification", [])
    assert "send" in await session.labels("main.py", *END)
    assert "could not be handled" in session.log


async def test_positions_past_the_end_are_clamped(session: Session) -> None:
    session.open("short.py", MAIN)
    assert "send" in await session.labels("short.py", 2, 10_000)
    assert "send" in await session.labels("short.py", 2**31 - 1, 7)
    far = {"line": 2**31 - 1, "character": 2**31 - 1}
    session.change("short.py", {"range": {"start": far, "end": far}, "text": "clo"})
    assert (await session.labels("short.py", 2, 5))[0] == "close"
    session.close("short.py")


async def test_newer_requests_take_the_place_of_older_ones(session: Session) -> None:
    session.open("fresh.py", "import json.decoder\njson.decoder.")  # jedi takes its time
    before = len(session.client.notifications)

    async def superseded() -> bool:  # not where each was answered before the next one was read
        sent = [
            session.client.send("textDocument/completion", session.at("fresh.py", 1, 13))[1]
            for _ in range(20)
        ]
        for answer in await asyncio.gather(*sent):
            assert (
                "JSONDecoder" in [item["label"] for item in answer["items"]]
                or (answer["isIncomplete"])
            )
        seen = session.client.notifications[before:]
        return "superseded" in [n.params["code"] for n in seen if "feature" in n.params]

    await session.until(superseded)

    async def answered() -> bool:
        return "JSONDecoder" in await session.labels("fresh.py", 1, 13)

    await session.until(answered)
    session.close("fresh.py")


async def test_five_hundred_requests_sent_and_cancelled_at_once(session: Session) -> None:
    sent = []
    for _ in range(500):
        id_, future = session.client.send("textDocument/completion", session.at("main.py", *END))
        session.client.cancel(id_)
        sent.append(future)
    answers = await asyncio.gather(*sent, return_exceptions=True)
    assert all(
        isinstance(answer, dict) or (isinstance(answer, ResponseError) and answer.code == -32800)
        for answer in answers
    )
    assert "send" in await session.labels("main.py", *END)
    assert "cancelled by the editor" in session.log


async def test_no_socket_is_open_and_no_model_is_loaded(session: Session) -> None:
    server = psutil.Process(session.client.process.pid)
    for process in (server, *server.children(recursive=True)):
        assert [c for c in process.net_connections() if c.family.name != "AF_UNIX"] == []
    assert not [mapped for mapped in server.memory_maps() if "libtorch" in mapped.path]


async def test_nothing_of_the_source_is_in_the_log(session: Session) -> None:
    text = "class Zyzzyva:  # zyzzyva\n    zyzzyva = 'zyzzyva'\n\nzyzzyva = Zyzzyva()\nzyzzyva."
    session.open("secret.py", text)
    for item in await session.popup("secret.py", 4, 8):
        await session.client.request("completionItem/resolve", item)
    await session.ghost("secret.py", 4, 8)
    await session.client.request("lancefill/explain", session.at("secret.py", 4, 8))
    malformed = {"uri": session.uri("worse.py"), "languageId": "python", "version": "zyzzyva"}
    open_it = {"textDocument": {**malformed, "text": text}}
    session.client.notify("textDocument/didOpen", open_it)
    with pytest.raises(ResponseError):
        await session.client.request("textDocument/completion", open_it)
    change = {"range": {"start": "zyzzyva"}, "text": "zyzzyva"}
    session.change("secret.py", change)
    await session.labels("main.py", *END)
    assert session.log.count("could not be handled") >= 3
    assert "zyzzyva" not in session.log.lower()
    session.close("secret.py")


async def test_progress_where_the_editor_shows_it(session: Session) -> None:
    def kinds() -> list[str]:
        heard = [seen for seen in session.client.notifications if seen.method == "$/progress"]
        return [seen.params["value"]["kind"] for seen in heard]

    async def ended() -> bool:
        return kinds()[-1:] == ["end"]

    if session.name == "bare":
        assert kinds() == []
    else:
        await session.until(ended)
        assert kinds()[0] == "begin"


async def test_the_status_says_when_all_is_ready(session: Session) -> None:
    async def ready() -> bool:
        told = [n.params for n in session.client.notifications if n.method == "didChangeStatus"]
        return bool(told[-1] == {"kind": "Normal", "message": "ready", "busy": False})

    await session.until(ready)


async def test_watchers_are_registered_only_where_they_are_offered(session: Session) -> None:
    asked = [
        registration["method"]
        for seen in session.client.asked
        if seen.method == "client/registerCapability"
        for registration in seen.params["registrations"]
    ]
    wanted = ["workspace/didChangeWatchedFiles", "workspace/didChangeConfiguration"]
    assert asked == (wanted if session.name == "vscode" else [])


async def test_files_that_change_on_disk_are_indexed_again(session: Session) -> None:
    path = session.root / "pkg" / "fresh.py"
    path.write_text("class Fresh:\n    def bloom(self): ...\n")
    uri = session.uri("pkg/fresh.py")
    session.client.notify("workspace/didChangeWatchedFiles", {"changes": [{"uri": uri, "type": 1}]})
    session.open("garden.py", "from pkg.fresh import Fresh\nFresh().")

    async def blooms() -> bool:
        return "bloom" in await session.members("garden.py", 1, 8)

    await session.until(blooms)
    path.unlink()
    session.client.notify("textDocument/didSave", {"textDocument": {"uri": uri}})

    async def withered() -> bool:
        return "bloom" not in await session.members("garden.py", 1, 8)

    await session.until(withered)
    session.close("garden.py")


async def test_what_no_editor_tells_is_seen_on_disk(session: Session) -> None:
    if session.name == "vscode":
        assert "watched for changes" not in session.log  # the editor watches
        assert (await session.status())["folders"][0]["watched"] == 0
        return
    await session.logged("folders are watched for changes")

    async def counted() -> bool:
        return (await session.status())["folders"][0]["watched"] > 0

    await session.until(counted)
    folder = session.root / "orchard"
    folder.mkdir()
    (folder / "tree.py").write_text("class Tree:\n    def bear(self): ...\n")
    session.open("pick.py", "from orchard.tree import Tree\nTree().")

    async def offered(name: str) -> bool:
        return name in await session.labels("pick.py", 1, 7)

    await session.until(lambda: offered("bear"))
    (folder / "tree.py").write_text("class Tree:\n    def ripen(self): ...\n")
    await session.until(lambda: offered("ripen"))
    shutil.rmtree(folder)
    session.close("pick.py")


async def test_folders_come_and_go(session: Session, tmp_path: Path) -> None:
    other = tmp_path / "second"
    other.mkdir()
    (other / "tool.py").write_text("class Tool:\n    def whirr(self): ...\n")
    folder = {"uri": other.as_uri(), "name": "second"}
    change = {"event": {"added": [folder], "removed": []}}
    session.client.notify("workspace/didChangeWorkspaceFolders", change)
    uri = (other / "use.py").as_uri()
    session.open(uri, "from tool import Tool\nTool().")

    async def whirrs() -> bool:
        return "whirr" in await session.labels(uri, 1, 7)

    await session.until(whirrs)
    change = {"event": {"added": [], "removed": [folder]}}
    session.client.notify("workspace/didChangeWorkspaceFolders", change)
    assert len((await session.status())["folders"]) == 1
    assert "send" in await session.labels("main.py", *END)


@pytest.mark.parametrize("root", ["nothing here", "a file"])
async def test_a_root_that_is_no_folder(
    tmp_path: Path, workspace: Path, serve: Serve, root: str
) -> None:
    (tmp_path / "a file").touch()
    wrong = (tmp_path / root).as_uri()
    folders = [{"uri": wrong, "name": root}, {"uri": workspace.as_uri(), "name": "work"}]
    async with serve(workspace, initialize={"workspaceFolders": folders}) as session:
        session.open("main.py", MAIN)

        async def known() -> bool:
            return "send" in await session.labels("main.py", *END)

        await session.until(known)


async def test_without_any_folder_open_documents_are_enough(workspace: Path, serve: Serve) -> None:
    none = {"workspaceFolders": None, "rootUri": None}
    async with serve(workspace, initialize=none) as session:
        session.open("main.py", "class Thing:\n    def spin(self): ...\n\nThing().sp")
        assert "spin" in await session.labels("main.py", 3, 10)


async def test_shutdown_and_exit_leave_no_process(workspace: Path, serve: Serve) -> None:
    async with serve(workspace) as session:
        await session.indexed()
        server = psutil.Process(session.client.process.pid)
        family = server.children(recursive=True)
        assert family
        assert await session.client.stop() == 0
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


@pytest.mark.parametrize("end", ["close", "kill", "kill while its helpers hang"])
async def test_a_server_that_is_left_or_killed_leaves_no_process(
    workspace: Path, serve: Serve, end: str
) -> None:
    async with serve(workspace) as session:
        await session.indexed()
        await session.until(lambda: _jedi_answers(session))
        server = psutil.Process(session.client.process.pid)
        family = server.children(recursive=True)
        if "hang" in end:
            for process in server.children():
                process.suspend()
        if "kill" in end:
            server.kill()
        status = await session.client.wait_ended()
        assert status == (-signal.SIGKILL if "kill" in end else 1)
    _, alive = psutil.wait_procs(family, timeout=5)
    assert alive == []


async def _jedi_answers(session: Session) -> bool:
    session.open("library.py", "import os.path\nos.path.")
    return "join" in await session.labels("library.py", 1, 8)
