"""An editor without a screen: opens files, types, and asks the real server, as VS Code would.

The capabilities are VS Code's where they bear on completion, the position encoding is UTF-16, and
every request is made of the document as the edits left it: what is measured is what people get.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from evaluation.answers import GhostAnswer, Item, PopupAnswer
from evaluation.client import Client, Json, Notification, started

SHARING = (sys.executable, "-I", "-X", "utf8", "-m", "lsp_server")
"""The server as editors start it, with the model process that they share."""
SERVER = (*SHARING, "--own-model")
"""What is measured by itself: nobody else's model process is asked, and none is left behind."""
BULLET = "\N{BULLET} "
POLL_S = 0.02
LOADING = "being loaded"
INDEXED = ("ready", "waiting")
"""Phases of the indexer after which nothing more is to come."""
INVOKED, AUTOMATIC = 1, 2
"""InlineCompletionTriggerKind."""
KINDS = (
    *("", "text", "method", "function", "constructor", "field", "variable", "class", "interface"),
    *("module", "property", "unit", "value", "enum", "keyword", "snippet", "color", "file"),
    *("reference", "folder", "enum member", "constant", "struct", "event", "operator"),
)
"""Names of CompletionItemKind, by number."""

CAPABILITIES: Mapping[str, Json] = {
    "general": {"positionEncodings": ["utf-16"]},
    "window": {"workDoneProgress": True},
    "workspace": {"configuration": True, "workspaceFolders": True},
    "textDocument": {
        "synchronization": {"didSave": True},
        "completion": {
            "contextSupport": True,
            "completionItem": {
                "snippetSupport": True,
                "documentationFormat": ["plaintext"],
                "labelDetailsSupport": True,
                "resolveSupport": {
                    "properties": ["documentation", "detail", "additionalTextEdits"]
                },
            },
            "completionList": {"itemDefaults": ["editRange", "insertTextFormat", "data"]},
        },
        "inlineCompletion": {},
    },
}


LANGUAGE_IDS: Mapping[str, str] = {
    **dict.fromkeys(("py", "pyi"), "python"),
    "java": "java",
    **dict.fromkeys(("js", "mjs", "cjs"), "javascript"),
    **dict.fromkeys(("ts", "mts", "cts"), "typescript"),
    "jsx": "javascriptreact",
    "tsx": "typescriptreact",
}


def language_id(path: str) -> str:
    """Return what editors call the language of a file, by its suffix."""
    return LANGUAGE_IDS.get(path.rpartition(".")[2], "plaintext")


class Editor:
    """One editor window on one workspace; made by :func:`editing`.

    Documents are bytes of UTF-8 and positions byte offsets, as everywhere inside; they are turned
    into LSP positions here.
    """

    def __init__(self, client: Client, root: Path) -> None:
        self.client = client
        self.root = root
        self._documents: dict[str, bytes] = {}
        self._versions: dict[str, int] = {}

    def uri(self, path: str) -> str:
        """Return the URI of a path relative to the workspace."""
        return (self.root / path).as_uri()

    def open(self, path: str, data: bytes) -> None:
        """Show ``data`` as the file at ``path``, whatever the file on disk holds."""
        self._documents[path], self._versions[path] = data, 1
        document = {
            "uri": self.uri(path),
            "languageId": language_id(path),
            "version": 1,
            "text": data.decode("utf-8"),
        }
        self.client.notify("textDocument/didOpen", {"textDocument": document})

    def replace(self, path: str, start: int, end: int, text: str) -> None:
        """Replace bytes ``[start, end)`` of the open file at ``path``, as typing does."""
        data = self._documents[path]
        change = {"range": {"start": position(data, start), "end": position(data, end)}}
        self._documents[path] = data[:start] + text.encode() + data[end:]
        self._versions[path] += 1
        document = {"uri": self.uri(path), "version": self._versions[path]}
        self.client.notify(
            "textDocument/didChange",
            {"textDocument": document, "contentChanges": [{**change, "text": text}]},
        )

    def close(self, path: str) -> None:
        """Close the file; what is on disk counts again."""
        del self._documents[path], self._versions[path]
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": self.uri(path)}})

    async def caught_up(self) -> None:
        """Wait until the server has taken up every edit so far, so that no clock counts that."""
        await self.client.request("lancefill/status")

    async def popup(
        self, path: str, offset: int, resolve: int = 0, timeout_s: float = 30.0
    ) -> PopupAnswer:
        """Ask for the popup; the first ``resolve`` items also get their evidence, unclocked."""
        start = time.perf_counter()
        asked = self._at(path, offset)
        listed = await self.client.request("textDocument/completion", asked, timeout_s)
        ms = 1000 * (time.perf_counter() - start)
        items = _merged(listed)
        items.sort(key=lambda item: item.get("sortText") or item["label"])
        for number, item in enumerate(items[:resolve]):
            items[number] = await self.client.request("completionItem/resolve", item)
        return PopupAnswer(tuple(_shown(item) for item in items), ms)

    async def ghost(self, path: str, offset: int) -> GhostAnswer:
        """Ask for ghost text as an editor does after a pause in typing."""
        context = {"triggerKind": AUTOMATIC}
        heard = len(self.client.notifications)
        start = time.perf_counter()
        answer = await self.client.request(
            "textDocument/inlineCompletion", {**self._at(path, offset), "context": context}
        )
        ms = 1000 * (time.perf_counter() - start)
        items = answer if isinstance(answer, list) else (answer or {}).get("items", [])
        if items:
            return GhostAnswer(self._after_cursor(path, offset, items[0]), "", "", ms)
        code, message = _reason(self.client.notifications[heard:])
        return GhostAnswer("", code, message, ms)

    async def settled(
        self, told: Callable[[str], None] = lambda _: None, timeout_s: float = 300.0
    ) -> None:
        """Wait until the index is complete and the model, if one is started, loaded or failed.

        ``told`` is called with what is being waited for. Raises TimeoutError.
        """
        async with asyncio.timeout(timeout_s):
            while waiting := _unfinished(await self.client.request("lancefill/status")):
                told(waiting)
                await asyncio.sleep(POLL_S)

    def _at(self, path: str, offset: int) -> dict[str, Json]:
        place = position(self._documents[path], offset)
        return {"textDocument": {"uri": self.uri(path)}, "position": place}

    def _after_cursor(self, path: str, offset: int, item: Mapping[str, Json]) -> str:
        """Return the part of an inline item's text that would appear after the cursor."""
        text: str = item["insertText"]
        if "range" not in item:
            return text
        data = self._documents[path]
        start = _offset(data, item["range"]["start"])
        typed = data[start:offset].decode()
        return text.removeprefix(typed)


def _reason(heard: Sequence[Notification]) -> tuple[str, str]:
    """Return code and message of the reason for no ghost text, sent just before the answer."""
    for said in reversed(heard):
        if said.method == "lancefill/reason" and said.params["feature"] == "ghost":
            return said.params["code"], said.params["message"]
    return "", "the server gave no reason"


def _unfinished(status: Mapping[str, Json]) -> str:
    """Return what the server is still preparing, in words; empty when nothing."""
    for folder in status["folders"]:
        progress = folder["progress"]
        if progress.get("phase") not in INDEXED:
            return "indexing: {done:,} of {total:,} files".format_map(
                {"done": 0, "total": 0} | progress
            )
        if folder["files"] and not folder["ngrams"]:
            return "counting tokens"
    model: str = status["model"] or ""
    return model if LOADING in model else ""


def _merged(listed: Json) -> list[dict[str, Json]]:
    """Return a completion answer's items with the list's defaults filled in, as clients do."""
    if listed is None or isinstance(listed, list):
        return [dict(item) for item in listed or ()]
    defaults = listed.get("itemDefaults") or {}
    kept = {key: defaults[key] for key in ("insertTextFormat", "data") if key in defaults}
    return [{**kept, **item} for item in listed["items"]]


def _shown(item: Mapping[str, Json]) -> Item:
    documentation = item.get("documentation") or ""
    if isinstance(documentation, dict):
        documentation = documentation["value"]
    reasons = [line for line in documentation.splitlines() if line.startswith(BULLET)]
    kind = item.get("kind") or 0
    return Item(
        label=item["label"],
        kind=KINDS[kind] if kind < len(KINDS) else "",  # some servers number kinds of their own
        detail=item.get("detail") or (item.get("labelDetails") or {}).get("description") or "",
        why="; ".join(line.removeprefix(BULLET) for line in reasons),
    )


def position(data: bytes, offset: int) -> dict[str, int]:
    """Return the LSP position of a byte offset, in UTF-16 code units."""
    lines = (data[:offset] + b"|").splitlines()
    units = len(lines[-1].decode("utf-8").encode("utf-16-le")) // 2
    return {"line": len(lines) - 1, "character": units - 1}


def _offset(data: bytes, position: Mapping[str, int]) -> int:
    """Return the byte offset of an LSP position in UTF-16 code units."""
    lines = (data + b"|").splitlines(keepends=True)
    line = lines[position["line"]].decode("utf-8").encode("utf-16-le")
    head = line[: 2 * position["character"]].decode("utf-16-le")
    return sum(map(len, lines[: position["line"]])) + len(head.encode())


@asynccontextmanager
async def editing(
    root: Path,
    *,
    cache: Path | None = None,
    settings: Mapping[str, Json] | None = None,
    log: Path | None = None,
    command: Sequence[str] = SERVER,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[Editor]:
    """Start the real server in ``root`` and shake hands; close both afterwards.

    ``cache`` keeps the index out of the user's cache folder; ``settings`` are the values of the
    section ``lancefill``; the ``environment`` is added to this process's.
    """
    added = {**(environment or {}), **({} if cache is None else {"LANCEFILL_CACHE": str(cache)})}
    values = {"lancefill": dict(settings or {})}
    async with started(command, root, settings=values, environment=added, log=log) as client:
        await client.request(
            "initialize",
            {
                "processId": os.getpid(),
                "clientInfo": {"name": "lancefill evaluation"},
                "rootUri": root.as_uri(),
                "workspaceFolders": [{"uri": root.as_uri(), "name": root.name}],
                "capabilities": CAPABILITIES,
                "initializationOptions": values["lancefill"],
            },
        )
        client.notify("initialized", {})
        yield Editor(client, root)
