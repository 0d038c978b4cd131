"""The real server as a subprocess, driven by a client that can be as rude as editors are."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from evaluation.client import Client, Notification, started

SERVER = (sys.executable, "-I", "-X", "utf8", "-m", "lsp_server")
ALONE = ("--own-model",)
"""The server's options: what a test does to its model process is nobody else's concern."""
RESOLVED = ["documentation", "detail", "additionalTextEdits"]
COMPLETION_ITEM = {
    "snippetSupport": True,
    "labelDetailsSupport": True,
    "deprecatedSupport": True,
    "tagSupport": {"valueSet": [1]},
}
VSCODE: Mapping[str, Any] = {
    "clientInfo": {"name": "Visual Studio Code", "version": "1.106.0"},
    "capabilities": {
        "general": {"positionEncodings": ["utf-16"]},
        "window": {"workDoneProgress": True},
        "workspace": {
            "applyEdit": True,
            "workspaceEdit": {"documentChanges": True},
            "configuration": True,
            "workspaceFolders": True,
            "didChangeConfiguration": {"dynamicRegistration": True},
            "didChangeWatchedFiles": {"dynamicRegistration": True, "relativePatternSupport": True},
        },
        "textDocument": {
            "synchronization": {"dynamicRegistration": True, "didSave": True},
            "completion": {
                "contextSupport": True,
                "completionItem": {**COMPLETION_ITEM, "resolveSupport": {"properties": RESOLVED}},
                "completionList": {
                    "itemDefaults": ["commitCharacters", "editRange", "insertTextFormat", "data"]
                },
            },
            "inlineCompletion": {"dynamicRegistration": True},
        },
    },
}
NEOVIM: Mapping[str, Any] = {
    "clientInfo": {"name": "Neovim", "version": "0.12.0"},
    "capabilities": {
        "general": {"positionEncodings": ["utf-8", "utf-16", "utf-32"]},
        "window": {"workDoneProgress": True},
        "workspace": {
            "applyEdit": True,
            "workspaceEdit": {"documentChanges": True},
            "configuration": True,
            "workspaceFolders": True,
            "didChangeConfiguration": {"dynamicRegistration": False},
            "didChangeWatchedFiles": {"dynamicRegistration": False},
        },
        "textDocument": {
            "synchronization": {"didSave": True},
            "completion": {
                "completionItem": {
                    **COMPLETION_ITEM,
                    "resolveSupport": {"properties": ["additionalTextEdits", "command"]},
                },
                "completionList": {"itemDefaults": ["editRange", "insertTextFormat", "data"]},
            },
            "inlineCompletion": {"dynamicRegistration": False},
        },
    },
}
BARE: Mapping[str, Any] = {"capabilities": {}}
"""An editor that says nothing about itself."""

CLIENT = '''\
"""Talking to the server."""


class Client:
    """One connection."""

    def send(self, data: bytes) -> int:
        """Send all of it."""
        return len(data)

    def close(self) -> None: ...


def connect(host: str) -> Client:
    return Client()
'''


class Session:
    """One server and the editor's side of it; positions are the encoding's own units."""

    def __init__(
        self, client: Client, root: Path, log: Path, answer: Mapping[str, Any], name: str
    ) -> None:
        self.client = client
        self.root = root
        self.name = name
        self.capabilities = answer["capabilities"]
        self._log = log
        self._versions: dict[str, int] = {}

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        return self._log.read_text("utf-8", errors="replace")

    def uri(self, name: str) -> str:
        return (self.root / name).as_uri()

    def open(self, name: str, text: str, language: str = "python") -> None:
        uri = name if ":" in name else self.uri(name)
        item = {"uri": uri, "languageId": language, "version": 1, "text": text}
        self._versions[name] = 1
        self.client.notify("textDocument/didOpen", {"textDocument": item})

    def change(self, name: str, *changes: Mapping[str, Any]) -> None:
        self._versions[name] += 1
        document = {"uri": self.uri(name), "version": self._versions[name]}
        self.client.notify(
            "textDocument/didChange", {"textDocument": document, "contentChanges": list(changes)}
        )

    def close(self, name: str) -> None:
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": self.uri(name)}})

    def at(self, name: str, line: int, character: int) -> dict[str, Any]:
        uri = name if ":" in name else self.uri(name)
        position = {"line": line, "character": character}
        return {"textDocument": {"uri": uri}, "position": position}

    async def popup(self, name: str, line: int, character: int) -> list[dict[str, Any]]:
        """The popup's items in our order, the list's defaults filled in as editors do."""
        answer = await self.client.request(
            "textDocument/completion", self.at(name, line, character)
        )
        assert answer["isIncomplete"] is True
        defaults = answer.get("itemDefaults") or {}
        kept = {key: defaults[key] for key in ("data", "insertTextFormat") if key in defaults}
        items = [{**kept, **item} for item in answer["items"]]
        for item in items:
            if "textEdit" not in item:
                text = item.get("textEditText", item["label"])
                item["textEdit"] = {"range": defaults["editRange"], "newText": text}
        return sorted(items, key=lambda item: str(item["sortText"]))

    async def labels(self, name: str, line: int, character: int) -> list[str]:
        return [item["label"] for item in await self.popup(name, line, character)]

    async def members(self, name: str, line: int, character: int) -> set[str]:
        """The names that the index, not jedi, knows to follow the dot."""
        told = await self.client.request("lancefill/explain", self.at(name, line, character))
        return {item["label"] for item in told["popup"]["items"] if item["origin"] == "member"}

    async def ghost(self, name: str, line: int, character: int) -> list[dict[str, Any]]:
        params = {**self.at(name, line, character), "context": {"triggerKind": 2}}
        answer = await self.client.request("textDocument/inlineCompletion", params)
        items: list[dict[str, Any]] = answer["items"]
        return items

    async def reason(self, feature: str, start: int = 0) -> dict[str, Any]:
        """The first reason told for a feature, of the notifications from ``start`` on."""

        def fits(seen: Notification) -> bool:
            fresh = all(seen is not old for old in self.client.notifications[:start])
            return fresh and seen.method == "lancefill/reason" and seen.params["feature"] == feature

        return dict((await self.client.wait_for(fits, 10)).params)

    async def status(self) -> dict[str, Any]:
        return dict(await self.client.request("lancefill/status"))

    async def helper(self, name: str) -> int | None:
        """The process id of a helper, None while it is down."""
        for line in (await self.status())["helpers"]:
            if line.startswith(f"{name}: running"):
                return int(line.split("pid ")[1].split(")")[0])
        return None

    async def indexed(self) -> None:
        """Wait until the first indexing is over."""
        await self.until(self._is_indexed)

    async def _is_indexed(self) -> bool:
        folders = (await self.status())["folders"]
        return all(folder["progress"].get("phase") == "ready" for folder in folders)

    async def until(self, condition: Callable[[], Any], seconds: float = 20.0) -> None:
        """Wait until a condition (a coroutine function) holds."""
        async with asyncio.timeout(seconds):
            for _ in range(10_000):
                if await condition():
                    return
                await asyncio.sleep(0.05)

    async def logged(self, words: str) -> None:
        """Wait until the log contains ``words``."""

        async def contains() -> bool:
            return words in self.log

        await self.until(contains)


Serve = Callable[..., AbstractAsyncContextManager[Session]]


@asynccontextmanager
async def serving(
    root: Path,
    editor: Mapping[str, Any] = VSCODE,
    *,
    cache: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    initialize: Mapping[str, Any] | None = None,
    name: str = "",
    under: Sequence[str] = (),
    options: Sequence[str] = ALONE,
) -> AsyncIterator[Session]:
    """A server with ``root`` as its workspace; ghost text is off unless ``settings`` ask for it.

    ``under`` is a command that runs the server's command, which ends with the ``options``.
    """
    values = {"ghostText": False, **(settings or {})}
    log = root.parent / f"{root.name}.log"
    environment = {"LANCEFILL_CACHE": str(cache or _cache(root.parent))}
    async with started(
        (*under, *SERVER, *options),
        root,
        settings={"lancefill": values},
        environment=environment,
        log=log,
    ) as client:
        params = {
            "processId": os.getpid(),
            "rootUri": root.as_uri(),
            "workspaceFolders": [{"uri": root.as_uri(), "name": root.name}],
            "initializationOptions": values,
            **editor,
            **(initialize or {}),
        }
        answer = await client.request("initialize", params)
        client.notify("initialized", {})
        yield Session(client, root, log, answer, name)


def _cache(folder: Path) -> Path:
    """A cache folder of the test's own, but for jedi's trees of the standard library."""
    cache, shared = folder / "cache", folder.parent / "jedi"
    cache.mkdir(exist_ok=True)
    shared.mkdir(exist_ok=True)
    if not (cache / "jedi").exists():
        (cache / "jedi").symlink_to(shared)
    return cache


@pytest.fixture(scope="session")
def serve() -> Serve:
    """Start a server: ``async with serve(root, editor) as session``."""
    return serving


@pytest.fixture(scope="session")
def editors() -> Mapping[str, Mapping[str, Any]]:
    """What editors say about themselves."""
    return {"vscode": VSCODE, "neovim": NEOVIM, "bare": BARE}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A small repository."""
    root = tmp_path / "work"
    (root / "pkg").mkdir(parents=True)
    (root / "pkg" / "__init__.py").touch()
    (root / "pkg" / "client.py").write_text(CLIENT)
    return root
