"""Ghost text through the real server and the real model process."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import pytest_asyncio

from tests.e2e.editors import LOADING_S

if TYPE_CHECKING:
    from tests.e2e.conftest import Serve, Session

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]

LINES = ["class Point:", "    def __init__(self, x, y):", "        self.x = x", "        self.y = "]
CURSOR = (3, len(LINES[3]))
PATIENT = {"ghostText": True, "device": "cpu", "minConfidence": 0.0, "maxLatencyMs": 10_000}

JUDGED = (
    "empty",
    "low-confidence",
    "unknown-name",
    "nothing-fits",
    "unbalanced-brackets",
    "repeats-above",
)
"""Reasons that are about the text which the model wrote; which it writes is not tested here."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session(
    serve: Serve, editors: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Session]:
    root = tmp_path_factory.mktemp("model") / "work"
    root.mkdir()
    async with serve(root, editors["vscode"], settings=PATIENT) as session:
        session.open("point.py", "\n".join(LINES))
        await ready(session)
        yield session


async def ready(session: Session) -> None:
    async def loaded() -> bool:
        return bool((await session.status())["model"] == "ready")

    await session.until(loaded, LOADING_S)


async def shown(session: Session) -> dict[str, Any]:
    (item,) = await session.ghost("point.py", *CURSOR)
    return item


async def test_the_status_says_which_model_runs_and_where(session: Session) -> None:
    running = (await session.status())["running"]
    assert (running["device"], running["problem"]) == ("cpu", "")
    assert running["model"].startswith("codefill")


async def test_ghost_text_continues_the_line(session: Session) -> None:
    item = await shown(session)
    assert item["insertText"].strip()
    assert item["range"]["end"] == {"line": CURSOR[0], "character": CURSOR[1]}


async def test_none_comes_by_itself_behind_what_is_finished(session: Session) -> None:
    session.open("done.py", "value = call(1)")
    before = len(session.client.notifications)
    assert await session.ghost("done.py", 0, 15) == []
    assert (await session.reason("ghost", before))["code"] == "gated"
    await judged(session, session.at("done.py", 0, 15), {"triggerKind": 1})


async def test_a_half_typed_word_is_part_of_the_suggestion(session: Session) -> None:
    session.open("half.py", "import os\n\nfor name in os.listdir(path):\n    pri")
    for item in await judged(session, session.at("half.py", 3, 7), {"triggerKind": 2}):
        assert item["insertText"].startswith("pri")
        assert item["range"]["start"] == {"line": 3, "character": 4}
    session.close("half.py")


async def test_by_hand_several_texts_come(session: Session) -> None:
    members = "".join(f"    def {name}(self, data): ...\n" for name in ("send", "receive", "close"))
    session.open("cycle.py", f"class Client:\n{members}\nclient = Client()\nclient.")
    at = session.at("cycle.py", 6, 7)
    by_itself = await judged(session, at, {"triggerKind": 2})
    items = await judged(session, at, {"triggerKind": 1})
    assert len(by_itself) <= 1
    if items:
        assert len(items) <= 3  # the others come as far as the time allows: maybe none does
        assert [item["insertText"] for item in items[: len(by_itself)]] == [
            item["insertText"] for item in by_itself
        ]
        assert len({item["insertText"] for item in items}) == len(items)
        assert len({item["command"]["arguments"][0] for item in items}) == len(items)
    session.close("cycle.py")


async def test_nothing_of_what_the_model_reads_and_writes_is_in_the_log(session: Session) -> None:
    lines = ["zyzzyva_one = 1", "zyzzyva_two = 2", "print(zyzzyva_one, zyzzyva_two)", "zyzzyva_"]
    session.open("secret.py", "\n".join(lines))
    await session.ghost("secret.py", 3, len(lines[3]))
    await session.labels("secret.py", 3, len(lines[3]))
    assert "zyzzyva" not in session.log
    session.close("secret.py")


async def test_the_previewed_popup_item_is_extended(session: Session) -> None:
    session.open("loop.py", "import os\n\nfor name in os.")
    here = {"line": 2, "character": 15}
    info = {"range": {"start": here, "end": here}, "text": "listdir"}
    context = {"triggerKind": 2, "selectedCompletionInfo": info}
    for item in await judged(session, session.at("loop.py", 2, 15), context):
        assert item["insertText"].startswith("listdir")
        assert item["insertText"] != "listdir"
    session.close("loop.py")


async def judged(
    session: Session, at: Mapping[str, Any], context: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """The items; where there are none, because of what the model wrote and for no other reason."""
    before = len(session.client.notifications)
    params = {**at, "context": context}
    answer = await session.client.request("textDocument/inlineCompletion", params)
    if not answer["items"]:
        assert (await session.reason("ghost", before))["code"] in JUDGED
    return list(answer["items"])


VAULT = "class Vault:\n    def unlock(self, code): ...\n"
USES = ("    vault = Va", "    return Va", "    use(🐍, Va")


async def test_text_that_is_accepted_whole_brings_its_import(session: Session) -> None:
    session.open("vault.py", VAULT)
    for number, last in enumerate(USES):
        name, text = f"uses_{number}.py", f"import os\n\n\ndef main():\n{last}"
        session.open(name, text)
        column = len(last.encode("utf-16-le")) // 2
        here = {"line": 4, "character": column}
        word = {"start": {"line": 4, "character": column - 2}, "end": here}
        context = {"triggerKind": 1, "selectedCompletionInfo": {"range": word, "text": "Vault"}}
        for item in await judged(session, session.at(name, 4, column), context):
            await accept_and_see(session, name, item, word)
            return
    raise AssertionError("the model wrote nothing anywhere")


async def accept_and_see(
    session: Session, name: str, item: Mapping[str, Any], word: Mapping[str, Any]
) -> None:
    """Accept an item as editors do, and look at what the server asks for then."""
    assert item["range"] == word
    session.change(name, {"range": word, "text": item["insertText"]})
    command = {key: item["command"][key] for key in ("command", "arguments")}
    assert await session.client.request("workspace/executeCommand", command) is None

    async def asked() -> bool:
        return any(one.method == "workspace/applyEdit" for one in session.client.asked)

    await session.until(asked)
    (asking,) = (one for one in session.client.asked if one.method == "workspace/applyEdit")
    (change,) = asking.params["edit"]["documentChanges"]
    assert change["textDocument"] == {"uri": session.uri(name), "version": 2}
    below = {"line": 1, "character": 0}
    edit = {"range": {"start": below, "end": below}, "newText": "from vault import Vault\n"}
    assert change["edits"] == [edit]
    session.change(name, {"range": edit["range"], "text": edit["newText"]})
    await session.client.request("workspace/executeCommand", command)  # once more: nothing to do
    await session.status()
    assert sum(one.method == "workspace/applyEdit" for one in session.client.asked) == 1


async def test_only_the_newest_request_is_worked_on(session: Session) -> None:
    params = {**session.at("point.py", *CURSOR), "context": {"triggerKind": 1}}
    sent = [session.client.send("textDocument/inlineCompletion", params)[1] for _ in range(10)]
    answers = await asyncio.gather(*sent)
    assert [len(answer["items"]) for answer in answers[:9]] == [0] * 9
    assert answers[9]["items"]
    told = [n.params for n in session.client.notifications if n.method == "lancefill/reason"]
    assert sum(reason["code"] == "superseded" for reason in told) >= 9


async def test_what_is_typed_of_it_comes_back_without_the_model(session: Session) -> None:
    last = "    parser = argparse."
    session.open("through.py", f"import argparse\n\ndef main():\n{last}")
    (item,) = await session.ghost("through.py", 3, len(last))
    accepting = item["command"]
    text = item["insertText"][len(last) - item["range"]["start"]["character"] :]
    line = text.splitlines()[0]
    assert len(line) > 2
    session.client.notify("textDocument/didShowCompletion", {"item": item})
    before = (await session.status())["acceptance"]
    pid = await session.helper("model")
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        places = [*range(1, len(line)), *range(len(line) - 2, 0, -1)]  # and back, by Backspace
        column, spent = len(last), []
        for typed in places:
            longer = len(last) + typed > column
            start, end = sorted((column, len(last) + typed))
            span = {"start": {"line": 3, "character": start}}
            span["end"] = {"line": 3, "character": start if longer else end}
            letter = line[typed - 1] if longer else ""
            session.change("through.py", {"range": span, "text": letter})
            column = len(last) + typed
            await session.status()  # the change has been taken up: the clock counts the answer
            begun = time.perf_counter()
            (again,) = await session.ghost("through.py", 3, column)
            spent.append(time.perf_counter() - begun)
            start = again["range"]["start"]["character"]
            assert again["insertText"][column - start :] == text[typed:]
            assert again["range"]["end"] == {"line": 3, "character": column}
            assert again["command"] == accepting
        assert statistics.median(spent) < 0.05
    finally:
        os.kill(pid, signal.SIGCONT)
    after = (await session.status())["acceptance"]
    assert after["accepted"] == before["accepted"] + 1
    session.close("through.py")


async def test_accepting_is_counted_by_the_items_command(session: Session) -> None:
    session.open("accepted.py", "\n".join(LINES))
    (item,) = await session.ghost("accepted.py", *CURSOR)
    assert item["command"]["command"] in session.capabilities["executeCommandProvider"]["commands"]
    before = (await session.status())["acceptance"]["accepted"]
    for _ in range(2):
        assert await session.client.request("workspace/executeCommand", item["command"]) is None
    assert (await session.status())["acceptance"]["accepted"] == before + 1
    session.close("accepted.py")


async def test_none_comes_by_itself_where_text_was_just_deleted(session: Session) -> None:
    session.open("deleted.py", "\n".join([*LINES, "        self.zq"]))
    span = {"start": {"line": 4, "character": 14}, "end": {"line": 4, "character": 15}}
    session.change("deleted.py", {"range": span, "text": ""})
    before = len(session.client.notifications)
    assert await session.ghost("deleted.py", 4, 14) == []
    reason = await session.reason("ghost", before)
    assert (reason["code"], "deleted" in reason["message"]) == ("gated", True)
    await judged(session, session.at("deleted.py", 4, 14), {"triggerKind": 1})
    session.close("deleted.py")


async def test_a_killed_model_costs_one_suggestion(session: Session) -> None:
    await shown(session)
    pid = await session.helper("model")
    assert pid
    before = len(session.client.notifications)
    os.kill(pid, signal.SIGSTOP)
    params = {**session.at("point.py", *CURSOR), "context": {"triggerKind": 1}}
    _, answer = session.client.send("textDocument/inlineCompletion", params)
    await session.status()  # by now the request has been passed on
    os.kill(pid, signal.SIGKILL)
    assert (await answer)["items"] == []
    reason = await session.reason("ghost", before)
    assert reason["code"] == "model-failed"
    assert "SIGKILL" in reason["message"]
    assert "model was killed by SIGKILL" in session.log
    labels = await session.labels("point.py", 3, 13)
    assert "x" in labels
    await ready(session)
    assert await shown(session)


async def test_the_server_stays_small(session: Session) -> None:
    server = psutil.Process(session.client.process.pid)
    assert server.memory_info().rss < 250e6
    assert not [mapped for mapped in server.memory_maps() if "libtorch" in mapped.path]


async def test_switching_ghost_text_off_ends_the_model_process(session: Session) -> None:
    pid = await session.helper("model")
    assert pid
    session.client.settings["lancefill"] = {"ghostText": False}
    session.client.notify("workspace/didChangeConfiguration", {"settings": None})

    async def gone() -> bool:
        return not psutil.pid_exists(pid)

    await session.until(gone)
    assert await session.ghost("point.py", *CURSOR) == []
    session.client.settings["lancefill"] = PATIENT
    session.client.notify("workspace/didChangeConfiguration", {"settings": None})
    await session.until(lambda: session.helper("model"))
    await ready(session)
    assert await shown(session)


async def test_a_stopped_model_holds_up_nothing_else(
    session: Session, workspace: Path, serve: Serve
) -> None:
    settings = {"ghostText": True, "maxLatencyMs": 100}
    async with serve(workspace, settings=settings) as other:
        other.open("point.py", "\n".join(LINES))
        await ready(other)
        pid = await other.helper("model")
        assert pid
        os.kill(pid, signal.SIGSTOP)
        before = len(other.client.notifications)
        assert await other.ghost("point.py", *CURSOR) == []
        assert (await other.reason("ghost", before))["code"] == "deadline"
        assert "x" in await other.labels("point.py", 3, 13)
    assert not psutil.pid_exists(pid)
