"""Whatever comes, the next request is answered correctly, and the log says what happened."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Serve, Session

pytestmark = pytest.mark.e2e

MAIN = "from pkg.client import Client\nc = Client()\nc."
END = (2, 2)
CODECS = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}
ODD = ("é", "e\u0301", "漢", "👩\u200d💻", "𝒳", "\ufeff", "\u2028", "\x0c", "\x85")
ENDS = ("\n", "\r\n", "\r")


def units(text: str, encoding: str) -> int:
    codec, size = CODECS[encoding]
    return len(text.encode(codec)) // size


async def works(session: Session) -> None:
    """The server completes a class of another file in a fresh document."""
    session.open("check.py", MAIN)
    assert {"send", "close"} <= set(await session.labels("check.py", *END))
    session.close("check.py")


@pytest.mark.parametrize("encoding", CODECS)
async def test_odd_characters_and_line_ends_before_the_cursor(
    workspace: Path, serve: Serve, encoding: str
) -> None:
    editor = {"capabilities": {"general": {"positionEncodings": [encoding]}}}
    async with serve(workspace, editor) as session:
        assert session.capabilities["positionEncoding"] == encoding
        await session.indexed()
        for number, end in enumerate(ENDS):
            await _type_after_odd_text(session, f"odd{number}.py", end, encoding)
        await works(session)


async def _type_after_odd_text(session: Session, name: str, end: str, encoding: str) -> None:
    """Open a document full of odd text, edit inside it, and complete after it."""
    odd = "".join(ODD)
    lines = ["\ufefffrom pkg.client import Client", f"# {odd}", "c = Client()", ""]
    session.open(name, end.join(lines))
    quoted = f"print('{odd}', c."
    here = {"line": 3, "character": 0}
    session.change(name, {"range": {"start": here, "end": here}, "text": quoted})
    before = units(quoted, encoding)
    here = {"line": 3, "character": before}
    session.change(name, {"range": {"start": here, "end": here}, "text": "se"})
    # cut the emoji out of the comment above: nothing below may move
    start, stop = (units(f"# {odd}"[:column], encoding) for column in (4, 8))
    cut = {"start": {"line": 1, "character": start}, "end": {"line": 1, "character": stop}}
    session.change(name, {"range": cut, "text": ""})
    (first, *_) = await session.popup(name, 3, before + 2)
    assert first["label"] == "send", (name, encoding)
    assert first["textEdit"]["range"] == {
        "start": {"line": 3, "character": before},
        "end": {"line": 3, "character": before + 2},
    }
    session.close(name)


async def test_a_workspace_full_of_odd_files(workspace: Path, serve: Serve) -> None:
    odd = workspace / "odd"
    odd.mkdir()
    thing = "class {}:\n    def spin(self): ...\n"
    files: dict[str, bytes] = {
        "latin1": ("# coding: latin-1\n# \xe9\n" + thing.format("Latin")).encode("latin-1"),
        "undeclared": b"# \xe9\xff\n" + thing.format("Undeclared").encode(),
        "bom": b"\xef\xbb\xbf" + thing.format("Marked").encode(),
        "carriage": thing.format("Carriage").replace("\n", "\r").encode(),
        "windows": thing.format("Windows").replace("\n", "\r\n").encode(),
        "feed": ("\x0c\n" + thing.format("Feed") + "\x0c").encode(),
        "separator": ("# \u2028 \x85\n" + thing.format("Separator")).encode(),
        "emoji": ("x = '👩\u200d💻'\n" + thing.format("Emoji")).encode(),
        "binary": os.urandom(64) + b"\0" * 64 + thing.format("Binary").encode(),
        "unknown": b"# coding: no-such-codec\n" + thing.format("Unknown").encode(),
        "broken": b"# coding: no-such-codec\n# \xe9\n" + thing.format("Broken").encode(),
        "huge": thing.format("Huge").encode() + b"x = 1\n" * 3_500_000,
        "unclosed": thing.format("Unclosed").encode() + b"def f((((((\n" * 50,
    }
    for name, data in files.items():
        (odd / f"{name}.py").write_bytes(data)
    (odd / "loop").symlink_to(odd)
    (odd / "self.py").symlink_to(odd / "self.py")
    (odd / "dangling.py").symlink_to("/nowhere/at/all.py")
    (odd / "folder.py").mkdir()
    os.mkfifo(odd / "pipe.py")
    async with serve(workspace) as session:
        await session.indexed()
        await works(session)
        good = ("Latin", "Marked", "Carriage", "Windows", "Feed", "Separator", "Emoji", "Unclosed")
        for name in (*good, "Undeclared", "Unknown"):
            session.open("use.py", f"{name}")
            labels = await session.labels("use.py", 0, len(name))
            assert name in labels
            session.close("use.py")
        for name in ("Huge", "Binary", "Broken"):
            session.open("use.py", name)
            assert name not in await session.labels("use.py", 0, len(name))
            session.close("use.py")
        for name, why in (
            ("huge", "larger than"),
            ("binary", "binary"),
            ("broken", "cannot be decoded"),
            ("self", "cannot be read"),
        ):
            await session.logged(f"odd/{name}.py skipped: {why}")
        session.open("odd/carriage.py", files["carriage"].decode() + "Carriage().")
        assert "spin" in await session.labels("odd/carriage.py", 2, 11)


async def test_a_huge_document_is_refused_and_nothing_else(workspace: Path, serve: Serve) -> None:
    async with serve(workspace) as session:
        await session.indexed()
        session.open("huge.py", "x = 1\n" * 3_500_000 + "x.")
        before = len(session.client.notifications)
        assert await session.labels("huge.py", 3_500_000, 2) == []
        reason = await session.reason("popup", before)
        assert reason["code"] == "file-too-large"
        assert "21.0 MB" in reason["message"]
        here = {"line": 1_000_000, "character": 0}
        session.change("huge.py", {"range": {"start": here, "end": here}, "text": "y"})
        await works(session)
        whole = {"text": MAIN}
        session.change("huge.py", whole)
        assert "send" in await session.labels("huge.py", *END)
        assert "file-too-large" in session.log


async def test_a_file_that_disappears_while_it_is_open(workspace: Path, serve: Serve) -> None:
    path = workspace / "pkg" / "client.py"
    async with serve(workspace) as session:
        await session.indexed()
        session.open("pkg/client.py", path.read_text())
        path.rename(workspace / "pkg" / "renamed.py")
        changes = [
            {"uri": session.uri(f"pkg/{n}.py"), "type": t}
            for n, t in [("client", 3), ("renamed", 1)]
        ]
        session.client.notify("workspace/didChangeWatchedFiles", {"changes": changes})
        await works(session)
        session.client.notify(
            "textDocument/didSave", {"textDocument": {"uri": session.uri("pkg/client.py")}}
        )
        session.close("pkg/client.py")
        session.open("use.py", "from pkg.renamed import Client\nClient().")

        async def moved() -> bool:
            return "send" in await session.members("use.py", 1, 9)

        await session.until(moved)
        (workspace / "pkg" / "renamed.py").unlink()
        (workspace / "pkg" / "renamed.py").mkdir()
        changes = [{"uri": session.uri("pkg/renamed.py"), "type": 2}]
        session.client.notify("workspace/didChangeWatchedFiles", {"changes": changes})

        async def gone() -> bool:
            return "send" not in await session.members("use.py", 1, 9)

        await session.until(gone)
        assert "an open file was deleted" in session.log
        session.open("self.py", "class A:\n    def inside(self): ...\n\nA().")
        assert "inside" in await session.labels("self.py", 3, 4)


async def test_files_and_folders_that_are_not_ours_to_read(workspace: Path, serve: Serve) -> None:
    for name in ("shut/inner.py", "shut/.venv/bin/python", "shut/__init__.py", "secret.py"):
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text("class Hidden:\n    def unseen(self): ...\n")
    (workspace / ".venv").symlink_to(workspace / "shut" / ".venv")
    (workspace / "secret.py").chmod(0)
    (workspace / "shut").chmod(0)
    if os.access(workspace / "secret.py", os.R_OK):
        pytest.skip("this user may read everything")
    try:
        async with serve(workspace) as session:
            await session.indexed()
            await works(session)
            assert await _files(session) == 2
            await session.logged("secret.py skipped: cannot be read: Permission denied")
            await session.logged("folder shut/ skipped: Permission denied")
            (workspace / "pkg" / "client.py").chmod(0)
            saved = {"textDocument": {"uri": session.uri("pkg/client.py")}}
            session.client.notify("textDocument/didSave", saved)

            async def gone() -> bool:
                return await _files(session) == 1

            await session.until(gone)
            session.open("self.py", "class A:\n    def inside(self): ...\n\nA().")
            assert "inside" in await session.labels("self.py", 3, 4)
            assert session.log.count("folder shut/ skipped") == 1
    finally:
        (workspace / "shut").chmod(0o700)


async def test_a_cache_that_is_deleted_while_the_server_runs(workspace: Path, serve: Serve) -> None:
    async with serve(workspace) as session:
        await session.indexed()
        (record,) = (workspace.parent / "cache").glob("*/workspace")
        for number in range(2):
            shutil.rmtree(record.parent)
            name = f"Later{number}"
            path = workspace / "pkg" / f"{name.lower()}.py"
            path.write_text(f"class {name}:\n    def arrives(self): ...\n")
            session.client.notify("textDocument/didSave", {"textDocument": {"uri": path.as_uri()}})
            session.open("use.py", f"from pkg.{name.lower()} import {name}\n{name}().")

            async def healed() -> bool:
                return "arrives" in await session.members("use.py", 1, 9)

            await session.until(healed)
            session.close("use.py")
            assert record.read_text() == str(workspace)
        await works(session)
        assert session.log.count("the folder of the index was deleted") == 2
        assert len(session.log.splitlines()) < 60


async def _files(session: Session) -> int:
    (folder,) = (await session.status())["folders"]
    return int(folder["files"])


@pytest.mark.parametrize("name", ["vscode", "bare"])
async def test_unknown_settings_and_wrong_types(
    workspace: Path, serve: Serve, editors: Mapping[str, Any], name: str
) -> None:
    wrong = {"popup": "yes", "popupDeadlineMs": -4, "colour": "red", "exclude": {"a": 1}}
    async with serve(workspace, editors[name], settings=wrong) as session:
        await session.indexed()
        await works(session)
        warned = [n.params for n in session.client.notifications if n.method == "window/logMessage"]
        for name in wrong:
            assert any(f"lancefill.{name}" in warning["message"] for warning in warned)
            assert f"lancefill.{name}" in session.log
        assert {warning["type"] for warning in warned} == {2}
        for junk in (None, 5, {"lancefill": [1]}, {"lancefill": {"popup": 3}}, {"other": 1}):
            session.client.notify("workspace/didChangeConfiguration", {"settings": junk})
        await works(session)


@pytest.mark.parametrize("options", [5, {"lancefill": [7]}, {"workspaceTrusted": False}])
async def test_initialization_options_of_any_shape(
    workspace: Path, serve: Serve, options: object
) -> None:
    async with serve(workspace, initialize={"initializationOptions": options}) as session:
        await session.indexed()
        await works(session)


@pytest.mark.parametrize("name", ["neovim", "bare"])
async def test_settings_are_taken_while_running(
    workspace: Path, serve: Serve, editors: Mapping[str, Any], name: str
) -> None:
    async with serve(workspace, editors[name]) as session:
        await session.indexed()
        session.open("main.py", MAIN)

        def set_to(section: Mapping[str, Any]) -> None:
            session.client.settings["lancefill"] = section
            sent = {"settings": session.client.settings}
            session.client.notify("workspace/didChangeConfiguration", sent)

        async def is_off() -> bool:
            return await session.labels("main.py", *END) == []

        set_to({"popup": "off"})
        await session.until(is_off)
        set_to({"popup": "full", "insertCall": "parentheses"})

        async def inserts_calls() -> bool:
            items = await session.popup("main.py", *END)
            return any(item["textEdit"]["newText"].startswith("send(") for item in items)

        await session.until(inserts_calls)


@pytest.mark.parametrize("name", ["vscode", "neovim", "bare"])
async def test_beside_another_server_the_best_five_stand_on_top(
    workspace: Path, serve: Serve, editors: Mapping[str, Any], name: str
) -> None:
    async with serve(workspace, editors[name], settings={"popup": "promote"}) as session:
        await session.indexed()
        session.open("main.py", MAIN.removesuffix("c."))
        items = await session.popup("main.py", END[0], 0)
        assert len(items) == 5
        assert [item.get("preselect", False) for item in items] == [True] + 4 * [False]
        assert all(item["sortText"] < other for item in items for other in ("00", "_", "a", "A"))
        starred = [item.get("labelDetails", {}).get("detail") for item in items]
        assert starred == 5 * [None if name == "bare" else " ★"]
        session.open("dot.py", MAIN)
        first = (await session.popup("dot.py", *END))[0]
        assert first["label"] in ("send", "close")
        sent = {key: value for key, value in first.items() if key != "textEdit"}
        full = await session.client.request("completionItem/resolve", sent)
        assert full["documentation"]


async def test_excluded_files_are_left_out(workspace: Path, serve: Serve) -> None:
    settings = {"exclude": ["generated/", "*_pb2.py"]}
    for name in ("generated/tables.py", "pkg/api_pb2.py"):
        (workspace / name).parent.mkdir(exist_ok=True)
        (workspace / name).write_text("class Noise: ...\n")
    async with serve(workspace, settings=settings) as session:
        await session.indexed()
        await works(session)
        assert await _files(session) == 2
        session.client.settings["lancefill"] = {"ghostText": False, "exclude": ["!", "//", "[z-a]"]}
        session.client.notify("workspace/didChangeConfiguration", {"settings": None})

        async def all_there() -> bool:
            return await _files(session) == 4

        await session.until(all_there)


async def test_a_cache_folder_that_cannot_be_written(workspace: Path, serve: Serve) -> None:
    blocked = workspace.parent / "a file, not a folder"
    blocked.touch()
    async with serve(workspace, cache=blocked) as session:
        await session.indexed()
        await works(session)
        assert any("cannot write the cache" in p for p in (await session.status())["problems"])
        assert "cannot write the cache" in session.log
        told = [n.params for n in session.client.notifications if n.method == "didChangeStatus"]
        assert told[-1]["kind"] == "Warning"


async def test_a_temporary_cache_goes_with_a_server_whose_editor_is_gone(
    workspace: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked, temporary = workspace.parent / "a file", workspace.parent / "temporary"
    blocked.touch()
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    async with serve(workspace, cache=blocked) as session:
        await session.indexed()
        assert [each.name[:10] for each in temporary.iterdir()] == ["lancefill-"]
        assert await session.client.wait_ended() == 1  # it was not asked to shut down
        assert not list(temporary.iterdir())


@pytest.mark.parametrize("damage", ["truncated", "garbage", "empty"])
async def test_an_index_that_is_damaged(workspace: Path, serve: Serve, damage: str) -> None:
    async with serve(workspace) as session:
        await session.indexed()
    (store,) = (workspace.parent / "cache").glob("*/*.sqlite3")
    _break(store, damage)
    async with serve(workspace) as session:
        await session.indexed()
        await works(session)
        assert damage == "empty" or "anew" in session.log
        _break(store, damage)
        await session.labels("check.py", *END)
        path = workspace / "pkg" / "later.py"
        path.write_text("class Later:\n    def arrives(self): ...\n")
        session.client.notify("textDocument/didSave", {"textDocument": {"uri": path.as_uri()}})
        session.open("use.py", "from pkg.later import Later\nLater().")

        async def healed() -> bool:
            return "arrives" in await session.labels("use.py", 1, 8)

        await session.until(healed, 40)
        await works(session)


def _break(store: Path, damage: str) -> None:
    if damage == "garbage":
        store.write_bytes(os.urandom(20_000))
    else:
        with store.open("r+b") as file:
            file.truncate(0 if damage == "empty" else store.stat().st_size // 2)


async def test_helpers_killed_in_the_middle_of_a_request(workspace: Path, serve: Serve) -> None:
    async with serve(workspace) as session:
        await session.indexed()
        session.open("main.py", MAIN)
        session.open("library.py", "import os.path\nos.path.")
        for name in ("jedi", "indexer"):
            pid = await _running(session, name)
            asked = [
                session.client.send("textDocument/completion", session.at(file, line, column))[1]
                for file, line, column in (("library.py", 1, 8), ("main.py", *END))
            ]
            os.kill(pid, signal.SIGKILL)
            library, own = await asyncio.gather(*asked)
            assert isinstance(library["items"], list)
            assert "send" in {item["label"] for item in own["items"]}
            await session.logged(f"{name} was killed by SIGKILL")
            assert await _running(session, name) != pid
            await works(session)

        async def from_jedi() -> bool:
            return "join" in await session.labels("library.py", 1, 8)

        await session.until(from_jedi)


async def _running(session: Session, name: str) -> int:
    found: list[int] = []

    async def up() -> bool:
        pid = await session.helper(name)
        found[:] = [pid] if pid else []
        return bool(pid)

    await session.until(up)
    return found[0]


GARBAGE = (b"{", b"[]", b"5", b"\xff\xfe", b'{"jsonrpc":"2.0"}', b'{"jsonrpc":"1.0","id":1}')


async def test_garbage_on_the_wire(workspace: Path, serve: Serve) -> None:
    async with serve(workspace) as session:
        await session.indexed()
        stdin = session.client.process.stdin
        assert stdin
        for body in GARBAGE:
            stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        await works(session)
