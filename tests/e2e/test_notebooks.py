"""A notebook as VS Code tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from evaluation.client import Notification
from tests.e2e.editors import LOADING_S
from tests.e2e.test_model import judged

if TYPE_CHECKING:
    from tests.e2e.conftest import Serve, Session

pytestmark = pytest.mark.e2e

CELLS = {
    "one": "%matplotlib inline\nfrom pkg.client import Client\n!pip list",
    "two": "c = Client()\n# 👩‍💻",
    "shell": "%%bash\nls (",
    "three": "é = c; c.se",
    "four": "later = 1\n",
}


class Book:
    """A notebook in the editor."""

    def __init__(self, session: Session, cells: Mapping[str, str]) -> None:
        self.session = session
        self.uri = session.uri("pkg/nb.ipynb")
        kinds = [{"kind": 2, "document": self.cell(name)} for name in cells]
        notebook = {"uri": self.uri, "notebookType": "jupyter-notebook", "version": 1}
        items = [self.item(name, text) for name, text in cells.items()]
        opened = {"notebookDocument": {**notebook, "cells": kinds}, "cellTextDocuments": items}
        session.client.notify("notebookDocument/didOpen", opened)

    def cell(self, name: str) -> str:
        path = self.session.uri("pkg/nb.ipynb").removeprefix("file:")
        return f"vscode-notebook-cell:{path}#{name}"

    def item(self, name: str, text: str, language: str = "python") -> dict[str, Any]:
        return {"uri": self.cell(name), "languageId": language, "version": 1, "text": text}

    def change(self, **cells: object) -> None:
        document = {"uri": self.uri, "version": 2}
        params = {"notebookDocument": document, "change": {"cells": cells}}
        self.session.client.notify("notebookDocument/didChange", params)

    def type(self, name: str, line: int, character: int, text: str) -> None:
        here = {"line": line, "character": character}
        document = {"uri": self.cell(name), "version": 2}
        typed = [{"range": {"start": here, "end": here}, "text": text}]
        self.change(textContent=[{"document": document, "changes": typed}])

    async def labels(self, name: str, line: int, character: int) -> list[str]:
        return await self.session.labels(self.cell(name), line, character)


@pytest.fixture
def vscode(editors: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    capabilities = dict(editors["vscode"]["capabilities"])
    capabilities["notebookDocument"] = {"synchronization": {"dynamicRegistration": True}}
    return {**editors["vscode"], "capabilities": capabilities}


def applied(session: Session) -> list[Notification]:
    """The edits that the server asked for."""
    return [seen for seen in session.client.asked if seen.method == "workspace/applyEdit"]


async def test_a_cell_sees_those_above_it(
    serve: Serve, workspace: Path, vscode: Mapping[str, Any]
) -> None:
    async with serve(workspace, vscode) as session:
        assert session.capabilities["notebookDocumentSync"]["notebookSelector"][0]["cells"] == [
            {"language": "python"}
        ]
        await session.indexed()
        book = Book(session, CELLS)
        item = (await session.popup(book.cell("three"), 0, 11))[0]
        assert item["label"] == "send"
        assert item["textEdit"]["range"] == {
            "start": {"line": 0, "character": 9},
            "end": {"line": 0, "character": 11},
        }
        book.type("three", 0, 11, "n\nla")
        assert (await session.popup(book.cell("three"), 0, 12))[0]["label"] == "send"
        assert "later" not in await book.labels("three", 1, 2)
        before = len(session.client.notifications)
        assert await book.labels("shell", 1, 2) == []
        assert (await session.reason("popup", before))["code"] == "language"

        moved = {"start": 4, "deleteCount": 1, "cells": []}
        book.change(structure={"array": moved})
        first = {"start": 0, "deleteCount": 0}
        kinds = [{"kind": 2, "document": book.cell("four")}]
        book.change(structure={"array": {**first, "cells": kinds}})
        assert "later" in await book.labels("three", 1, 2)
        book.type("two", 0, 0, "large = 1\n")
        assert "large" in await book.labels("three", 1, 2)

        session.open("other.py", "later")
        assert "later" not in await session.labels("other.py", 0, 4)
        session.open("another.py", "import ")
        assert all("nb" not in label for label in await session.labels("another.py", 0, 7))
        saved = {"notebookDocument": {"uri": book.uri}}
        session.client.notify("notebookDocument/didSave", saved)
        closed = [{"uri": book.cell(name)} for name in CELLS]
        session.client.notify("notebookDocument/didClose", {**saved, "cellTextDocuments": closed})
        assert (await session.status())["documents"] == 2
        assert "could not be handled" not in session.log


async def test_ghost_text_is_for_its_cell_alone(
    serve: Serve, workspace: Path, vscode: Mapping[str, Any]
) -> None:
    settings = {"ghostText": True, "minConfidence": 0, "maxLatencyMs": 10000}
    async with serve(workspace, vscode, settings=settings) as session:
        await session.indexed()
        book = Book(session, {**CELLS, "three": "é = 1\nfor item in range(le"})

        async def ready() -> bool:
            return bool((await session.status())["model"] == "ready")

        await session.until(ready, LOADING_S)
        here = session.at(book.cell("three"), 1, 20)
        for item in await judged(session, here, {"triggerKind": 2}):
            assert item["range"]["start"] == {"line": 1, "character": 18}
            assert item["insertText"].startswith("le")
        told = await session.client.request("lancefill/explain", here)
        prefix = told["ghost"]["prompt"]["prefix"]
        assert prefix.startswith(f"#{'':17}\nfrom pkg.client import Client\n#{'':8}\n\n")
        assert "ls (" not in prefix
        assert "later" not in told["ghost"]["prompt"]["suffix"]
        assert "ngrams" in told["ghost"]["asked"]


async def test_an_import_goes_into_the_cell_with_imports(
    serve: Serve, workspace: Path, vscode: Mapping[str, Any]
) -> None:
    async with serve(workspace, vscode) as session:
        await session.indexed()
        book = Book(session, {"one": "%time\nimport os\n", "two": "conn"})
        items = await session.popup(book.cell("two"), 0, 4)
        item = next(each for each in items if each["label"] == "connect")
        full = await session.client.request("completionItem/resolve", item)
        assert not full.get("additionalTextEdits")
        await session.client.request("workspace/executeCommand", item["command"])
        edits = [seen.params["edit"]["documentChanges"] for seen in applied(session)]
        end = {"line": 2, "character": 0}
        new = {"range": {"start": end, "end": end}, "newText": "from pkg.client import connect\n"}
        cell = {"uri": book.cell("one"), "version": 1}
        assert edits == [[{"textDocument": cell, "edits": [new]}]]

        book.type("one", 2, 0, "\n")  # the cell is another one now
        await session.client.request("workspace/executeCommand", item["command"])
        assert len(applied(session)) == 1
