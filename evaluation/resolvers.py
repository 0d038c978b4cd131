"""Who says what a call refers to: independent resolvers, asked for the definition of a name.

A resolver is asked about the UNCUT files and answers with the files that a name is defined in.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlparse

import jedi

from evaluation import cuts
from evaluation.client import Client, Json, ResponseError, started
from evaluation.editor import CAPABILITIES, position

ANSWER_S = 30.0


class Resolver(Protocol):
    """Somebody who follows names to their definitions."""

    name: str

    async def files(self, path: str, offset: int) -> frozenset[str]:
        """The files that define the name at byte ``offset`` of ``path``; empty: not known.

        Files of the repository are relative to its root, others are absolute.
        """
        ...


class Jedi:
    """jedi, in this process."""

    name = "jedi"

    def __init__(self, root: Path, files: Mapping[str, bytes]) -> None:
        self._root = root
        self._files = files
        roots = [str(folder) for folder in (root, root / "src") if folder.is_dir()]
        self._project = jedi.Project(root, sys_path=roots, smart_sys_path=False)
        self._script: tuple[str, jedi.Script] | None = None

    async def files(self, path: str, offset: int) -> frozenset[str]:
        """What jedi's ``goto`` says, imports followed."""
        data = self._files[path]
        row = data.count(b"\n", 0, offset) + 1
        column = len(data[cuts.line_start(data, offset) : offset].decode())
        try:
            found = self._opened(path).goto(row, column, follow_imports=True)
        except Exception:  # noqa: BLE001 - jedi fails in many ways; each means that it does not know
            return frozenset()
        return frozenset(_relative(name.module_path, self._root) for name in found)

    def _opened(self, path: str) -> jedi.Script:
        if self._script is None or self._script[0] != path:
            script = jedi.Script(
                self._files[path].decode(), path=self._root / path, project=self._project
            )
            self._script = (path, script)
        return self._script[1]


class Server:
    """A language server's ``textDocument/definition``; made by :func:`resolving`."""

    def __init__(self, name: str, client: Client, root: Path, files: Mapping[str, bytes]) -> None:
        self.name = name
        self._client = client
        self._root = root
        self._files = files
        self._open = ""

    async def files(self, path: str, offset: int) -> frozenset[str]:
        """Where the server says that the name is defined."""
        self._show(path)
        asked = {
            "textDocument": {"uri": (self._root / path).as_uri()},
            "position": position(self._files[path], offset),
        }
        try:
            answer = await self._client.request("textDocument/definition", asked, ANSWER_S)
        except (ResponseError, TimeoutError):
            return frozenset()
        return frozenset(_relative(_path(location), self._root) for location in _listed(answer))

    def _show(self, path: str) -> None:
        if self._open == path:
            return
        if self._open:
            closed = {"uri": (self._root / self._open).as_uri()}
            self._client.notify("textDocument/didClose", {"textDocument": closed})
        self._open = path
        document = {
            "uri": (self._root / path).as_uri(),
            "languageId": "python",
            "version": 1,
            "text": self._files[path].decode(),
        }
        self._client.notify("textDocument/didOpen", {"textDocument": document})


@asynccontextmanager
async def resolving(
    name: str, command: Sequence[str], root: Path, files: Mapping[str, bytes]
) -> AsyncIterator[Server]:
    """Start the language server ``command`` in ``root`` to follow names; end it afterwards."""
    async with started(command, root) as client:
        await client.request(
            "initialize",
            {
                "processId": None,
                "rootUri": root.as_uri(),
                "workspaceFolders": [{"uri": root.as_uri(), "name": root.name}],
                "capabilities": CAPABILITIES,
            },
        )
        client.notify("initialized", {})
        yield Server(name, client, root, files)


def _listed(answer: Json) -> list[Mapping[str, Json]]:
    if answer is None:
        return []
    return answer if isinstance(answer, list) else [answer]


def _path(location: Mapping[str, Json]) -> Path:
    uri: str = location.get("uri") or location["targetUri"]
    return Path(unquote(urlparse(uri).path))


def _relative(path: Path | None, root: Path) -> str:
    if path is not None and path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    return str(path)
