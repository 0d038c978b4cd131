"""When a session asks the model for ghost text, and when it knows the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lsprotocol import types

from completion import engine
from completion.request import Code, Ghost, Prompt, Reason, Request, TextEdit, Timing
from lsp_server import editor as editors
from lsp_server.ghosts import DELETED, TYPED_ON, Given
from lsp_server.session import Session
from lsp_server.settings import Settings

Typist = Callable[[str], "Typing"]


class Typing:
    """A one-line document whose cursor is at its end, and a model that always writes the same."""

    def __init__(self, session: Session, uri: str, text: str) -> None:
        self.session, self.uri, self.text = session, uri, text
        self.asked: list[Request] = []
        session.open_document(types.TextDocumentItem(uri, "python", 1, text))

    def replace(self, start: int, end: int, text: str) -> None:
        self.text = self.text[:start] + text + self.text[end:]
        span = types.Range(types.Position(0, start), types.Position(0, end))
        change = types.TextDocumentContentChangePartial(span, text)
        self.session.change_document(self.uri, 2, [change])

    def type(self, text: str) -> None:
        self.replace(len(self.text), len(self.text), text)

    def backspace(self) -> None:
        self.replace(len(self.text) - 1, len(self.text), "")

    async def given(self, selected: str | None = None, *, automatic: bool = True) -> Given | Reason:
        end = types.Position(0, len(self.text))
        return await self.session.ghost(self.uri, end, selected=selected, automatic=automatic)

    async def rest(self, selected: str | None = None, *, automatic: bool = True) -> str:
        given = await self.given(selected, automatic=automatic)
        assert isinstance(given, Given)
        edit = given.ghost.edit
        assert edit is not None
        assert edit.end == given.offset
        return edit.text


@pytest.fixture
def typist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Typist:
    monkeypatch.setenv("LANCEFILL_CACHE", str(tmp_path / "cache"))
    params = types.InitializeParams(types.ClientCapabilities())
    editor = editors.from_initialize(params)
    session = Session(editor, Settings(), changed=lambda: None, progressed=lambda *_: None)

    def start(text: str) -> Typing:
        typing = Typing(session, (tmp_path / "a.py").as_uri(), text)

        async def ghost(request: Request, *_: object) -> Ghost:
            typing.asked.append(request)
            start = request.offset
            if request.selected is None:
                return Ghost(TextEdit(start, start, "send(data)"))
            return Ghost(TextEdit(start, start, request.selected + "(data)"))

        monkeypatch.setattr(engine, "ghost", ghost)
        return typing

    return start


async def test_what_is_typed_of_it_is_not_asked_for_again(typist: Typist) -> None:
    typing = typist("x = c.")
    first = await typing.given()
    assert isinstance(first, Given)
    for number in range(1, len("send(data)")):
        typing.type("send(data)"[number - 1])
        assert await typing.rest() == "send(data)"[number:]
        again = await typing.given()
        assert isinstance(again, Given)
        assert again.number == first.number
    assert len(typing.asked) == 1
    typing.type(")")
    await typing.given()
    assert len(typing.asked) == 2


async def test_backspace_gives_the_longer_rest_and_a_wrong_letter_asks(typist: Typist) -> None:
    typing = typist("x = c.")
    await typing.given()
    typing.type("se")
    assert await typing.rest() == "nd(data)"
    typing.backspace()
    assert await typing.rest() == "end(data)"
    assert len(typing.asked) == 1
    typing.type("a")
    await typing.given()
    assert len(typing.asked) == 2


async def test_a_change_elsewhere_asks(typist: Typist) -> None:
    typing = typist("x = c.")
    await typing.given()
    typing.type("s")
    typing.replace(0, 1, "y")
    await typing.given()
    assert len(typing.asked) == 2


async def test_the_popups_selected_item_must_be_extended(typist: Typist) -> None:
    typing = typist("x = c.")
    await typing.given()
    typing.type("s")
    assert await typing.rest(selected="send") == "end(data)"
    assert len(typing.asked) == 1
    assert await typing.rest(selected="settle") == "settle(data)"
    assert await typing.rest(selected="send(data)") == "send(data)(data)"
    assert [request.selected for request in typing.asked[1:]] == ["settle", "send(data)"]


async def test_a_selected_item_that_utf8_cannot_hold_is_given_all_the_same(typist: Typist) -> None:
    typing = typist("x = c.")
    assert await typing.rest(selected="\ud800") == "\ud800(data)"


async def test_by_hand_the_same_text_is_asked_for_anew(typist: Typist) -> None:
    typing = typist("x = c.")
    await typing.rest()
    await typing.rest()
    assert len(typing.asked) == 1
    await typing.rest(automatic=False)
    assert len(typing.asked) == 2


async def test_alternatives_are_kept_and_the_best_one_is_typed_through(
    typist: Typist, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ghosts(request: Request, *_: object) -> tuple[Ghost, ...]:
        at = request.offset
        return tuple(Ghost(TextEdit(at, at, text)) for text in ("send(1)", "seal()", "close()"))

    typing = typist("x = c.")
    monkeypatch.setattr(engine, "ghosts", ghosts)
    given = await typing.given(automatic=False)
    assert isinstance(given, Given)
    every = (given, *given.others)
    texts = [each.ghost.edit.text for each in every if each.ghost.edit]
    assert texts == ["send(1)", "seal()", "close()"]
    assert len({each.number for each in every}) == 3
    typing.type("s")
    assert await typing.rest() == "end(1)"
    typing.type("e")
    assert await typing.rest() == "nd(1)"
    assert typing.session.acceptance.counts.taken == 1  # both begin so, and one is taken
    typing.type("a")
    again = await typing.given()
    assert isinstance(again, Given)
    assert again.number == given.others[0].number


async def test_nothing_comes_by_itself_where_text_was_just_deleted(typist: Typist) -> None:
    typing = typist("x = c.sk")
    typing.backspace()
    assert await typing.given() == DELETED
    assert DELETED.code is Code.GATED
    assert typing.asked == []
    await typing.rest(automatic=False)
    typing.type("a")
    await typing.rest()
    assert len(typing.asked) == 2
    typing.replace(0, 1, "")  # elsewhere: the cursor has not touched that place
    await typing.rest()
    assert len(typing.asked) == 3


async def test_other_settings_and_a_closed_document_forget(typist: Typist) -> None:
    typing = typist("x = c.")
    await typing.given()
    await typing.session.apply(Settings(min_confidence=0.9))
    await typing.given()
    assert len(typing.asked) == 2
    typing.session.close_document(typing.uri)
    typing = typist(typing.text)
    await typing.given()
    assert len(typing.asked) == 1
    await typing.session.apply(Settings(ghost_text=False))
    silent = await typing.given()
    assert isinstance(silent, Reason)
    assert silent.code is Code.DISABLED


async def test_typing_through_counts_as_accepted_in_part(typist: Typist) -> None:
    typing = typist("x = c.")
    given = await typing.given()
    assert isinstance(given, Given)
    assert given.number is not None
    acceptance = typing.session.acceptance
    acceptance.shown(given.number)
    await typing.given()
    assert acceptance.counts.taken == 0
    typing.type("send(data)")  # at once, as by an editor that does not run the item's command
    await typing.given()
    assert (acceptance.counts.taken, acceptance.counts.accepted) == (1, 1)
    assert typing.session.report()["acceptance"] == acceptance.report(Settings().min_confidence)


async def test_the_share_of_accepted_texts_moves_the_threshold(
    typist: Typist, monkeypatch: pytest.MonkeyPatch
) -> None:
    typing = typist("x = c.")
    chosen: list[float] = []

    async def ghost(
        _request: Request, _snapshot: object, _helpers: object, options: engine.Options
    ) -> Ghost:
        chosen.append(options.min_confidence)
        return Ghost(None)

    monkeypatch.setattr(engine, "ghost", ghost)
    await typing.given()
    for number in range(100):
        typing.session.acceptance.shown(number)
    await typing.given()
    assert chosen == [Settings().min_confidence, pytest.approx(Settings().min_confidence + 0.3)]


async def test_what_follows_an_accepted_text_is_worked_out_ahead(typist: Typist) -> None:
    typing = typist("x = c.")
    await typing.given()
    typing.type("send(data)")
    await asyncio.sleep(0.01)
    assert [request.offset for request in typing.asked] == [6, 16]
    assert typing.asked[1].automatic
    assert await typing.rest() == "send(data)"
    assert len(typing.asked) == 2
    numbers = {given.number for given in (await typing.given(), await typing.given())}
    assert len(numbers) == 1
    assert len(typing.asked) == 2


async def test_so_it_is_when_its_last_letter_is_typed(typist: Typist) -> None:
    typing = typist("x = c.")
    await typing.given()
    for letter in "send(data)":
        typing.type(letter)
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    assert [request.offset for request in typing.asked] == [6, 16]


async def test_a_real_question_goes_before_what_is_worked_out_ahead(
    typist: Typist, monkeypatch: pytest.MonkeyPatch
) -> None:
    typing = typist("x = c.")
    await typing.given()
    given_up: list[int] = []

    async def slow(request: Request, *_: object) -> tuple[Ghost, ...]:
        try:
            await asyncio.sleep(0.2 if request.offset == 17 else 60)
        except asyncio.CancelledError:
            given_up.append(request.offset)
            raise
        return (Ghost(TextEdit(request.offset, request.offset, "real")),)

    monkeypatch.setattr(engine, "ghosts", slow)
    typing.type("send(data)")
    await asyncio.sleep(0.01)
    typing.type(".")
    assert await typing.rest() == "real"
    assert given_up == [16]


class Cells:
    """A notebook of one-line cells."""

    def __init__(self, session: Session, *texts: str) -> None:
        self.session = session
        self.texts = {f"nb-cell:#{number}": text for number, text in enumerate(texts)}
        self.uris = list(self.texts)
        kinds = [types.NotebookCell(types.NotebookCellKind.Code, uri) for uri in self.uris]
        book = types.NotebookDocument("file:///nb.ipynb", "jupyter-notebook", 1, kinds)
        items = [types.TextDocumentItem(uri, "python", 1, t) for uri, t in self.texts.items()]
        session.open_notebook(book, items)

    def write(self, at: int, text: str) -> None:
        """Let a cell be ``text``."""
        self.texts[self.uris[at]] = text
        document = types.VersionedTextDocumentIdentifier(2, self.uris[at])
        whole = types.TextDocumentContentChangeWholeDocument(text)
        change = types.NotebookDocumentCellContentChanges(document, [whole])
        self.change(types.NotebookDocumentCellChanges(text_content=[change]))

    def remove(self, at: int) -> None:
        """Take a cell out."""
        gone = types.TextDocumentIdentifier(self.uris.pop(at))
        array = types.NotebookCellArrayChange(at, 1)
        structure = types.NotebookDocumentCellChangeStructure(array, did_close=[gone])
        self.change(types.NotebookDocumentCellChanges(structure))

    def change(self, change: types.NotebookDocumentCellChanges) -> None:
        self.session.change_notebook("file:///nb.ipynb", change)

    async def given(self, at: int) -> Given:
        """What comes by itself at the end of a cell."""
        uri = self.uris[at]
        end = types.Position(0, len(self.texts[uri]))
        given = await self.session.ghost(uri, end, selected=None, automatic=True)
        assert isinstance(given, Given)
        edit = given.ghost.edit
        assert edit is not None
        assert (edit.start, edit.end) == (given.offset, given.offset) == (end.character,) * 2
        return given


async def test_a_cell_is_asked_for_anew_once_one_above_it_is_another(typist: Typist) -> None:
    typing = typist("")
    cells = Cells(typing.session, "x = 1", "é = 2", "y = x.", "z = 3")
    first = await cells.given(2)
    assert (await cells.given(2)).number == first.number
    cells.write(3, "z = 4")  # it stands below
    assert (await cells.given(2)).number == first.number
    assert [request.text for request in typing.asked] == ["x = 1\n\né = 2\n\ny = x.".encode()]
    cells.write(0, "x = 'text'")
    await cells.given(2)
    assert typing.asked[-1].text == "x = 'text'\n\né = 2\n\ny = x.".encode()
    cells.remove(1)
    await cells.given(1)
    assert [request.text for request in typing.asked[2:]] == [b"x = 'text'\n\ny = x."]
    cells.write(1, "y = x.send(da")
    edit = (await cells.given(1)).ghost.edit
    assert edit is not None
    assert edit.text == "ta)"  # what is typed of it is still known
    assert len(typing.asked) == 3


async def test_what_is_worked_out_ahead_in_a_cell_is_for_the_cells_above_it(
    typist: Typist,
) -> None:
    typing = typist("")
    cells = Cells(typing.session, "x = 1", "y = x.")
    await cells.given(1)
    cells.write(1, "y = x.send(data)")
    await asyncio.sleep(0.01)
    assert len(typing.asked) == 2
    await cells.given(1)
    assert len(typing.asked) == 2
    cells.write(0, "x = 'text'")
    await cells.given(1)
    assert len(typing.asked) == 3


async def test_a_new_index_forgets_what_was_worked_out_ahead(
    typist: Typist, monkeypatch: pytest.MonkeyPatch
) -> None:
    typing = typist("x = c.")
    await typing.given()
    unknown = Ghost(None, Reason(Code.UNKNOWN_NAME, "send2 does not exist"))
    asked: list[int] = []

    async def ghosts(request: Request, *_: object) -> tuple[Ghost, ...]:
        asked.append(request.offset)
        return (unknown,)

    monkeypatch.setattr(engine, "ghosts", ghosts)
    typing.type("send(data)")
    for _ in range(2):
        given = await typing.given()
        assert isinstance(given, Given)
        assert given.ghost == unknown
    assert asked == [16]
    typing.session._renewed(typing.session._folders.of(typing.uri))
    await typing.given()
    assert asked == [16, 16]


async def test_what_may_be_another_thing_later_is_not_kept(
    typist: Typist, monkeypatch: pytest.MonkeyPatch
) -> None:
    typing = typist("x = c.")
    await typing.given()
    answers = iter([Reason(Code.DEADLINE, "late"), None, Reason(Code.EMPTY, "nothing"), None])
    asked: list[int] = []

    async def ghosts(request: Request, *_: object) -> tuple[Ghost, ...]:
        asked.append(request.offset)
        reason = next(answers)
        at = request.offset
        return (Ghost(None, reason),) if reason else (Ghost(TextEdit(at, at, "next()")),)

    monkeypatch.setattr(engine, "ghosts", ghosts)
    typing.type("send(data)")
    assert await typing.rest() == "next()"  # the first answer came too late, so it is asked again
    assert asked == [16, 16]
    typing.type("next()")
    given = await typing.given()
    assert isinstance(given, Given)
    assert given.ghost.reason == Reason(Code.EMPTY, "nothing")  # that holds
    assert asked == [16, 16, 22]


@pytest.mark.parametrize("how", ["by hand", "selected"])
async def test_who_asks_otherwise_is_answered_anew(typist: Typist, how: str) -> None:
    typing = typist("x = c.")
    await typing.given()
    typing.type("send(data)")
    await asyncio.sleep(0.01)
    await typing.given("a" if how == "selected" else None, automatic=how != "by hand")
    assert len(typing.asked) == 3


async def test_the_model_is_not_asked_while_the_next_key_is_near(
    typist: Typist, monkeypatch: pytest.MonkeyPatch
) -> None:
    typing = typist("x = c.")
    monkeypatch.setattr(typing.session._ghosts, "_wait", lambda: 0.05)
    asking = asyncio.create_task(typing.given())
    await asyncio.sleep(0.01)
    typing.type("a")
    assert await asking == TYPED_ON
    assert TYPED_ON.code is Code.SUPERSEDED
    assert typing.asked == []
    assert await typing.rest() == "send(data)"
    await typing.rest(automatic=False)
    assert len(typing.asked) == 2


async def test_waiting_is_part_of_the_deadline_and_answers_are_learnt_from(
    typist: Typist, monkeypatch: pytest.MonkeyPatch
) -> None:
    typing = typist("x = c.")
    left: list[float] = []

    async def ghosts(
        _request: Request, _snapshot: object, _helpers: object, options: engine.Options
    ) -> tuple[Ghost, ...]:
        left.append(options.ghost_deadline_ms)
        code = (Code.EMPTY, Code.DEADLINE, Code.MODEL_FAILED)[len(left) - 1]
        timeline = (Timing("model", 0, 100.0 * len(left)),)
        return (Ghost(None, Reason(code, ""), prompt=Prompt("", "", ""), timeline=timeline),)

    monkeypatch.setattr(engine, "ghosts", ghosts)
    monkeypatch.setattr(typing.session._ghosts, "_wait", lambda: 0.02)
    for _ in range(3):
        await typing.given()
    whole = Settings().max_latency_ms
    assert all(whole - 300 < each <= whole - 20 for each in left)
    assert list(typing.session._ghosts._rhythm._answers) == [0.1, 0.2]  # what failed says nothing


async def test_waiting_for_what_is_worked_out_ahead_is_part_of_the_deadline_too(
    typist: Typist, monkeypatch: pytest.MonkeyPatch
) -> None:
    typing = typist("x = c.")
    await typing.given()
    left: list[float] = []

    async def ghosts(
        _request: Request, _snapshot: object, _helpers: object, options: engine.Options
    ) -> tuple[Ghost, ...]:
        left.append(options.ghost_deadline_ms)
        await asyncio.sleep(0.2)
        return (Ghost(None, Reason(Code.DEADLINE, "late")),)

    monkeypatch.setattr(engine, "ghosts", ghosts)
    typing.type("send(data)")
    await typing.given()
    assert left[0] == Settings().max_latency_ms
    assert left[1] <= left[0] - 200


WORDS = ("send(data)", "close()", "f(é)", "")
STEPS = ("type", "follow", "accept", "backspace", "ask", "ask by hand", "pause")
Known = list[tuple[bytes, str]]
"""Texts, and what was given at their ends."""


def fresh(text: bytes) -> str:
    """What the model of this test writes at the end of a text: always the same there."""
    return WORDS[len(text) * 7 % len(WORDS)]


def pressed(step: str, text: bytes, known: Known) -> str:
    """What a step types."""
    shown = known[-1][1] if known and known[-1][0] == text else ""
    return {"type": "z", "follow": shown[:1] or ".", "accept": shown or "()"}.get(step, "")


def check(answer: Given | Reason, text: bytes, known: Known) -> None:
    """An answer is what the model writes here, or the rest of what was given before."""
    if isinstance(answer, Reason):
        assert answer == DELETED
        return
    assert (answer.document.text, answer.offset) == (text, len(text))
    edit = answer.ghost.edit
    if edit is None:
        assert fresh(text) == ""
        return
    assert (edit.start, edit.end) == (len(text), len(text))
    whole = [before + insert.encode() for before, insert in known if text.startswith(before)]
    begun = {each.removeprefix(text).decode() for each in whole if each.startswith(text)}
    assert edit.text in {fresh(text), *begun}
    known.append((text, edit.text))


async def live(typing: Typing, steps: list[str]) -> None:
    known: Known = []
    for step in steps:
        text = typing.text.encode()
        if keys := pressed(step, text, known):
            typing.type(keys)
        elif step == "backspace":
            typing.backspace()
        elif step == "pause":
            await asyncio.sleep(0.004)
        else:
            check(await typing.given(automatic=step == "ask"), text, known)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.sampled_from(STEPS), min_size=4, max_size=18), st.booleans())
def test_whatever_is_typed_every_answer_is_for_the_text_that_was_asked_about(
    typist: Typist, steps: list[str], slow: bool
) -> None:
    async def ghosts(request: Request, *_: object) -> tuple[Ghost, ...]:
        await asyncio.sleep(0.001 if slow else 0)
        assert request.offset == len(request.text)
        if written := fresh(request.text):
            return (Ghost(TextEdit(request.offset, request.offset, written)),)
        return (Ghost(None, Reason(Code.EMPTY, "nothing")),)

    async def run() -> None:
        typing = typist("some_name = client.")
        patch.setattr(engine, "ghosts", ghosts)
        patch.setattr(typing.session._ghosts, "_wait", lambda: 0.001 if slow else 0.0)
        await live(typing, steps)

    with pytest.MonkeyPatch.context() as patch:
        asyncio.run(run())
