"""The imports that ghost text brings once it was accepted whole."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lsprotocol import types
from lsprotocol.types import PositionEncodingKind as Encoding

from completion import engine
from completion.request import Ghost, Request, TextEdit
from lsp_server import editor as editors
from lsp_server.convert import workspace_edit
from lsp_server.ghosts import Given
from lsp_server.session import Session
from lsp_server.settings import Settings

BEFORE = "🐍 = 'é'; client = Cli"
INSERT = "ent(\n    1,\n)"
IMPORT = "from depot import Client\n\n"
Start = Callable[..., Session]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    """A session in a folder with a module, and a model that always writes `INSERT`."""
    monkeypatch.setenv("LANCEFILL_CACHE", str(tmp_path / "cache"))

    async def ghost(request: Request, *_: object) -> Ghost:
        return Ghost(TextEdit(request.offset, request.offset, INSERT))

    monkeypatch.setattr(engine, "ghost", ghost)

    def made(encoding: Encoding = Encoding.Utf16, *, versioned: bool = True) -> Session:
        capabilities = types.ClientCapabilities(
            general=types.GeneralClientCapabilities(position_encodings=[encoding]),
            workspace=types.WorkspaceClientCapabilities(
                apply_edit=True,
                workspace_edit=types.WorkspaceEditClientCapabilities(document_changes=versioned),
            ),
        )
        folder = types.WorkspaceFolder(tmp_path.as_uri(), "work")
        params = types.InitializeParams(capabilities, workspace_folders=[folder])
        editor = editors.from_initialize(params)
        session = Session(editor, Settings(), changed=lambda: None, progressed=lambda *_: None)
        opened(session, tmp_path / "depot.py", "class Client: ...\n")
        return session

    return made


def opened(session: Session, path: Path, text: str) -> str:
    session.open_document(types.TextDocumentItem(path.as_uri(), "python", 1, text))
    return path.as_uri()


def units(text: str, encoding: Encoding) -> int:
    names = {
        Encoding.Utf8: ("utf-8", 1),
        Encoding.Utf16: ("utf-16-le", 2),
        Encoding.Utf32: ("utf-32-le", 4),
    }
    codec, size = names[encoding]
    return len(text.encode(codec)) // size


def typed(session: Session, uri: str, at: types.Position, text: str, version: int) -> None:
    change = types.TextDocumentContentChangePartial(types.Range(at, at), text)
    session.change_document(uri, version, [change])


async def given(session: Session, uri: str, at: types.Position) -> int:
    answer = await session.ghost(uri, at, selected=None)
    assert isinstance(answer, Given)
    assert answer.number is not None
    return answer.number


@pytest.mark.parametrize("encoding", [Encoding.Utf8, Encoding.Utf16, Encoding.Utf32])
async def test_what_is_accepted_whole_brings_its_import(
    start: Start, encoding: Encoding, tmp_path: Path
) -> None:
    session = start(encoding)
    uri = opened(session, tmp_path / "m.py", BEFORE)
    at = types.Position(0, units(BEFORE, encoding))
    number = await given(session, uri, at)
    assert session.imports_of(number) is None  # not accepted yet
    typed(session, uri, at, INSERT, 2)
    found = session.imports_of(number)
    assert found is not None
    assert found.end == len((IMPORT + BEFORE + INSERT).encode())
    assert [(each.start, each.end, each.text) for _, each in found.edits] == [(0, 0, IMPORT)]
    (change,) = workspace_edit(found.edits, session.editor).document_changes or ()
    assert isinstance(change, types.TextDocumentEdit)
    assert (change.text_document.uri, change.text_document.version) == (uri, 2)
    (edit,) = change.edits
    assert edit == types.TextEdit(types.Range(types.Position(0, 0), types.Position(0, 0)), IMPORT)


@pytest.mark.parametrize("encoding", [Encoding.Utf8, Encoding.Utf16, Encoding.Utf32])
async def test_an_import_that_is_extended_behind_wide_letters(
    start: Start, encoding: Encoding, tmp_path: Path
) -> None:
    session = start(encoding)
    top = "é = '🐍'; from depot import other"
    uri = opened(session, tmp_path / "m.py", f"{top}\nx = Cli")
    opened(session, tmp_path / "depot.py", "class Client: ...\nother = 1\n")
    at = types.Position(1, 7)
    number = await given(session, uri, at)
    typed(session, uri, at, INSERT, 2)
    found = session.imports_of(number)
    assert found is not None
    (change,) = workspace_edit(found.edits, session.editor).document_changes or ()
    assert isinstance(change, types.TextDocumentEdit)
    (edit,) = change.edits
    assert isinstance(edit, types.TextEdit)
    end = types.Position(0, units(top, encoding))
    assert edit == types.TextEdit(types.Range(end, end), ", Client")


async def test_an_editor_that_knows_no_versions_gets_plain_changes(
    start: Start, tmp_path: Path
) -> None:
    session = start(versioned=False)
    uri = opened(session, tmp_path / "m.py", BEFORE)
    at = types.Position(0, units(BEFORE, Encoding.Utf16))
    number = await given(session, uri, at)
    typed(session, uri, at, INSERT, 2)
    found = session.imports_of(number)
    assert found is not None
    changes = workspace_edit(found.edits, session.editor).changes or {}
    assert [each.new_text for each in changes[uri]] == [IMPORT]


async def test_in_a_notebook_the_import_goes_into_the_cell_with_imports(
    start: Start, tmp_path: Path
) -> None:
    session = start(Encoding.Utf16)
    opened(session, tmp_path / "depot.py", "class Client: ...\n")
    uri, first, last = (tmp_path / "nb.ipynb").as_uri(), "nb-cell:#1", "nb-cell:#2"
    code = types.NotebookCellKind.Code
    cells = [types.NotebookCell(code, first), types.NotebookCell(code, last)]
    session.open_notebook(
        types.NotebookDocument(uri, "jupyter-notebook", 1, cells),
        [
            types.TextDocumentItem(first, "python", 1, "%time é\nimport os"),
            types.TextDocumentItem(last, "python", 1, BEFORE),
        ],
    )
    at = types.Position(0, units(BEFORE, Encoding.Utf16))
    number = await given(session, last, at)
    typed(session, last, at, INSERT, 2)
    found = session.imports_of(number)
    assert found is not None
    assert found.end == len((BEFORE + INSERT).encode())
    (change,) = workspace_edit(found.edits, session.editor).document_changes or ()
    assert isinstance(change, types.TextDocumentEdit)
    assert (change.text_document.uri, change.text_document.version) == (first, 1)
    (edit,) = change.edits
    end = types.Position(1, 9)
    assert edit == types.TextEdit(types.Range(end, end), "\nfrom depot import Client\n")


async def test_nothing_is_imported_where_the_document_is_another(
    start: Start, tmp_path: Path
) -> None:
    session = start()
    uri = opened(session, tmp_path / "m.py", BEFORE)
    at = types.Position(0, units(BEFORE, Encoding.Utf16))
    number = await given(session, uri, at)
    typed(session, uri, at, INSERT[:-1], 2)
    assert session.imports_of(number) is None  # accepted in part
    typed(session, uri, types.Position(2, 0), ")", 3)
    assert session.imports_of(number) is not None
    typed(session, uri, types.Position(2, 1), " ", 4)
    assert session.imports_of(number) is None  # the person has gone on
    assert session.imports_of(number + 100) is None
    session.close_document(uri)
    assert session.imports_of(number) is None


async def test_the_setting_is_respected(start: Start, tmp_path: Path) -> None:
    session = start()
    await session.apply(Settings(auto_import=False))
    uri = opened(session, tmp_path / "m.py", BEFORE)
    at = types.Position(0, units(BEFORE, Encoding.Utf16))
    number = await given(session, uri, at)
    typed(session, uri, at, INSERT, 2)
    assert session.imports_of(number) is None
