"""A session without an editor or helper processes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from lsprotocol import types

from completion import engine
from indexing import cache
from indexing.build import build
from indexing.index import Index
from lsp_server import editor as editors
from lsp_server.helpers import Model
from lsp_server.links import Program
from lsp_server.session import Listed, Session
from lsp_server.settings import Settings
from lsp_server.texts import TAKE_UP_S


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setenv("LANCEFILL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    folder = types.WorkspaceFolder((tmp_path / "outer").as_uri(), "outer")
    params = types.InitializeParams(types.ClientCapabilities(), workspace_folders=[folder])
    editor = editors.from_initialize(params)
    return Session(editor, Settings(), changed=lambda: None, progressed=lambda *_: None)


def opened(session: Session, path: Path, text: str) -> str:
    session.open_document(types.TextDocumentItem(path.as_uri(), "python", 1, text))
    return path.as_uri()


async def offered(session: Session, uri: str, character: int) -> set[str]:
    listed = await session.popup(uri, types.Position(0, character))
    assert isinstance(listed, Listed)
    return {item.label for item in listed.popup.items}


async def test_a_document_counts_in_its_innermost_folder_alone(
    session: Session, tmp_path: Path
) -> None:
    outer, inner = tmp_path / "outer", tmp_path / "outer" / "inner"
    opened(session, inner / "bird.py", "class Pelican: ...\n")
    outside = opened(session, outer / "use.py", "x = Pel")
    inside = opened(session, inner / "use.py", "x = Pel")
    assert "Pelican" in await offered(session, outside, 7)
    await session.change_folders([inner], [])
    assert "Pelican" not in await offered(session, outside, 7)
    assert "Pelican" in await offered(session, inside, 7)
    await session.change_folders([], [inner])
    assert "Pelican" in await offered(session, outside, 7)


def test_files_left_out_for_what_they_may_hold_are_counted(
    session: Session, tmp_path: Path
) -> None:
    for name in ("a.py", "credentials.py", "old.min.js"):
        (tmp_path / "outer" / name).write_text("x = 1\n")
    build(tmp_path / "outer")
    session._folders.all[0].index.refresh()
    (folder,) = session.report()["folders"]  # type: ignore[misc]
    assert (folder["files"], folder["secrets"], folder["watched"]) == (1, 1, 0)


class Notebook:
    """A notebook that is open in a session, with code cells alone."""

    def __init__(self, session: Session, folder: Path, *texts: str) -> None:
        self.session = session
        self.uri = (folder / "nb.ipynb").as_uri()
        self.cells = [f"vscode-notebook-cell:/nb.ipynb#{at}" for at in range(len(texts))]
        cells = [types.NotebookCell(types.NotebookCellKind.Code, uri) for uri in self.cells]
        notebook = types.NotebookDocument(self.uri, "jupyter-notebook", 1, cells)
        items = [
            types.TextDocumentItem(uri, "python", 1, text)
            for uri, text in zip(self.cells, texts, strict=True)
        ]
        session.open_notebook(notebook, items)

    def known(self, name: str) -> bool:
        """Whether the index knows a name that only the notebook defines."""
        return bool(self.session._folders.all[0].index.snapshot().named(name))


async def test_whichever_cell_was_read_last_each_sees_those_above_it(
    session: Session, tmp_path: Path
) -> None:
    book = Notebook(session, tmp_path / "outer", "pel", "pelican = 1\npel", "peloton = 2\npel")
    wanted = [set(), {"pelican"}, {"pelican", "peloton"}]
    for at in (2, 0, 1, 2, 0):
        position = types.Position(0 if at == 0 else 1, 3)
        listed = await session.popup(book.cells[at], position)
        assert isinstance(listed, Listed)
        assert {each.label for each in listed.popup.items if "pel" in each.label} == wanted[at]


async def test_a_closed_notebook_leaves_nothing(session: Session, tmp_path: Path) -> None:
    for removed in (False, True):
        book = Notebook(session, tmp_path / "outer", "class Pelican: ...")
        assert book.known("Pelican")
        if removed:
            array = types.NotebookCellArrayChange(0, 1)
            gone = types.NotebookDocumentCellChangeStructure(
                array, did_close=[types.TextDocumentIdentifier(book.cells[0])]
            )
            session.change_notebook(book.uri, types.NotebookDocumentCellChanges(gone))
        session.close_notebook(book.uri, [] if removed else book.cells)
        assert not book.known("Pelican")
        assert not any(map(session.is_open, book.cells))


@pytest.mark.parametrize("last", ["%%bash\nls", "%%html\n<b>"])
def test_a_notebook_that_ends_with_another_language_is_indexed_and_prepared(
    last: str, session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[bytes] = []
    monkeypatch.setattr(engine, "prepare", lambda _, text, *__, **___: prepared.append(text))
    book = Notebook(session, tmp_path / "outer", "class Pelican: ...", "x = 1", last)
    assert book.known("Pelican")
    assert prepared == [b"class Pelican: ...\n\nx = 1"]
    prepared.clear()
    session._renewed(session._folders.all[0])
    assert prepared == [b"class Pelican: ...\n\nx = 1"]


async def test_only_items_that_a_popup_has_are_looked_up(session: Session, tmp_path: Path) -> None:
    book = Notebook(session, tmp_path / "outer", "import os", "class Pelican: ...\npel")
    listed = await session.popup(book.cells[1], types.Position(1, 3))
    assert isinstance(listed, Listed)
    count = len(listed.popup.items)
    assert count
    for rank in range(count):
        assert session.listed(listed.number, rank) == (listed.popup.items[rank], listed.document)
    for number, rank in ((listed.number, -1), (listed.number, count), (listed.number, None)):
        assert session.listed(number, rank) is None
        assert session.elsewhere(number, rank) == []
    assert session.listed(listed.number + 1, 0) is None
    assert session.listed("1", 0) is None


async def test_open_documents_are_prepared_anew_when_the_index_is_another_one(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[str] = []
    monkeypatch.setattr(engine, "prepare", lambda path, *_, **__: prepared.append(path))
    opened(session, tmp_path / "outer" / "use.py", "x = 1\n")
    opened(session, tmp_path / "elsewhere.py", "y = 1\n")
    (tmp_path / "outer" / "bird.py").write_text("class Pelican: ...\n")
    build(tmp_path / "outer")
    prepared.clear()
    [folder] = session._folders.all
    told = session._folders._hears(folder)
    told("progress", {"phase": "ready"})
    assert prepared == ["use.py"]
    told("progress", {"phase": "ready"})  # nothing changed since
    assert prepared == ["use.py"]


async def test_a_list_that_nobody_asked_for_stays_shut_behind_what_is_finished(
    session: Session, tmp_path: Path
) -> None:
    uri = opened(session, tmp_path / "outer" / "use.py", "x = f(a)")
    asked = await session.popup(uri, types.Position(0, 8))
    told = await session.popup(uri, types.Position(0, 8), automatic=True)
    assert isinstance(asked, Listed)
    assert isinstance(told, Listed)
    assert asked.popup.items
    assert (told.popup.items, told.popup.reasons) == ((), (engine.NOTHING_BEGINS,))


def test_the_status_says_what_became_of_an_adapter(session: Session, tmp_path: Path) -> None:
    def adapter() -> object:
        return session.report()["folders"][0]["adapter"]  # type: ignore[index]

    assert adapter() is None
    place = cache.workspace_folder(tmp_path / "outer") / cache.ADAPTER
    place.mkdir()
    (place / cache.ADAPTER_MARK).touch()
    assert adapter() == "not used yet"
    session._model = Model(Program("model", ("true",)), lambda: None)
    assert adapter() == "not used yet"
    session._model.note_adapter(str(place), "")
    assert adapter() == "used"
    assert not any("learnt" in problem for problem in session.status().problems)
    session._model.note_adapter(str(place), "made for another model")
    assert adapter() == "made for another model"
    (problem,) = (each for each in session.status().problems if "learnt" in each)
    assert problem.startswith("outer is completed without")
    assert "made for another model" in problem
    (place / cache.ADAPTER_MARK).unlink()  # removed: nothing to complain about any more
    assert adapter() is None
    assert not any("learnt" in each for each in session.status().problems)


def test_a_model_that_is_not_there_tells_nothing(session: Session) -> None:
    assert session.report()["running"] == {}
    session._model = Model(Program("model", ("true",)), lambda: None)  # never started
    assert session.report()["running"] == {}
    session._model._facts = {"device": "cpu"}  # of a process that has ended
    assert session.report()["running"] == {}


async def test_changes_are_taken_up_once_when_a_question_needs_them_or_in_a_pause(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bytes] = []
    update = Index.update

    def updated(index: Index, path: str, data: bytes) -> None:
        taken.append(data)
        update(index, path, data)

    def typed(text: str) -> None:
        whole = types.TextDocumentContentChangeWholeDocument(text)
        session.change_document(uri, 2, [whole])

    uri = opened(session, tmp_path / "outer" / "use.py", "x = 1\n")
    monkeypatch.setattr(Index, "update", updated)
    for length in range(1, 5):
        typed("pelican"[:length] + " = 1\npel")
    assert taken == []
    listed = await session.popup(uri, types.Position(1, 3))
    assert isinstance(listed, Listed)
    assert "peli" in {item.label for item in listed.popup.items}
    assert taken == [b"peli = 1\npel"]
    typed("heron = 1\n")
    await asyncio.sleep(20 * TAKE_UP_S)
    assert taken[1:] == [b"heron = 1\n"]
    typed("")
    session.close_document(uri)
    await asyncio.sleep(20 * TAKE_UP_S)
    assert taken[2:] == []  # nobody needs it any more


def test_jedi_is_woken_by_python_alone_once_the_session_has_started(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken: list[bool] = []
    monkeypatch.setattr("lsp_server.helpers.Library.wake", lambda _: woken.append(True))
    monkeypatch.setattr(Session, "_start_model", lambda _: None)
    monkeypatch.setattr("lsp_server.folders.Folders.start", lambda _: None)
    opened(session, tmp_path / "outer" / "early.py", "")
    assert not woken
    session.start()
    assert len(woken) == 1
    script = tmp_path / "outer" / "a.ts"
    session.open_document(types.TextDocumentItem(script.as_uri(), "typescript", 1, ""))
    assert len(woken) == 1
    opened(session, tmp_path / "outer" / "late.py", "")
    assert len(woken) == 2
    Notebook(session, tmp_path / "outer", "x = 1")
    assert len(woken) == 3
