"""What editors say to a server, recorded by ``recorder.py`` and said again to the real one."""

from __future__ import annotations

import json
import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

from tests.e2e.conftest import ALONE, SERVER
from tests.e2e.editors import LOADING_S
from tests.e2e.record import workspace

TRAFFIC = sorted((Path(__file__).parents[1] / "data" / "traffic").glob("*.jsonl"))
CANCELLED = -32800
COMPLETION, INLINE = "textDocument/completion", "textDocument/inlineCompletion"

pytestmark = pytest.mark.e2e


@dataclass
class Conversation:
    """A server's side: every answer by the id of its request, and what it said by itself."""

    answers: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    statuses: list[str] = field(default_factory=list)

    def take(self, message: Mapping[str, Any], replies: Mapping[str, Any]) -> dict[str, Any] | None:
        """Note the message; the reply where the server asks something that the editor answered."""
        method = message.get("method")
        if method is None:
            self.answers.setdefault(message["id"], []).append(dict(message))
        elif method == "didChangeStatus":
            self.statuses.append(message["params"]["message"])
        elif "id" in message:
            return {"jsonrpc": "2.0", "id": message["id"], "result": replies.get(method)}
        return None


def send(stream: IO[bytes], message: Mapping[str, Any]) -> None:
    body = json.dumps(message, ensure_ascii=False).encode()
    stream.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
    stream.flush()


def received(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    while header := stream.readline():
        fields = [header, *iter(stream.readline, b"\r\n")]
        (length,) = (each.split(b":")[1] for each in fields if each.startswith(b"Content-Length:"))
        yield json.loads(stream.read(int(length)))


def replay(events: list[dict[str, Any]], root: Path) -> tuple[Conversation, int]:
    """Say what the editor said, each message when what came before it has come.

    Returns what the server said, and its exit status.
    """
    replies = {event["replied"]: event["result"] for event in events if "replied" in event}
    requests = {event["sent"]["id"] for event in events if "id" in event.get("sent", {})}
    said = Conversation()
    with server(root) as (process, stdin, heard):

        def hear_until(reached: Callable[[], bool], what: object) -> None:
            while not reached():
                try:
                    message = heard.get(timeout=LOADING_S)
                except queue.Empty:
                    pytest.fail(f"waited in vain for {what} after {said}")
                if reply := said.take(message, replies):
                    send(stdin, reply)

        for event in events:
            if "sent" in event:
                send(stdin, {"jsonrpc": "2.0", **event["sent"]})
            elif "answered" in event:
                hear_until(lambda event=event: event["answered"] in said.answers, event)
            elif event.get("status") == "ready":
                hear_until(lambda: "ready" in said.statuses, event)
        hear_until(lambda: said.answers.keys() >= requests, requests)
        stdin.close()
        status = process.wait(timeout=LOADING_S)
    while not heard.empty():
        said.take(heard.get(), replies)
    return said, status


@contextmanager
def server(
    root: Path,
) -> Iterator[tuple[subprocess.Popen[bytes], IO[bytes], queue.Queue[dict[str, Any]]]]:
    """The server, its stdin, and what it says."""
    with subprocess.Popen(
        (*SERVER, *ALONE),
        cwd=root,
        env=os.environ | {"LANCEFILL_CACHE": str(root.parent / "cache")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert process.stdin
        assert process.stdout
        heard: queue.Queue[dict[str, Any]] = queue.Queue()
        messages = received(process.stdout)
        listening = threading.Thread(target=lambda: [heard.put(message) for message in messages])
        listening.start()
        try:
            yield process, process.stdin, heard
        finally:
            process.kill()
            listening.join()


def read(path: Path, root: Path) -> list[dict[str, Any]]:
    """The events after the first, which says what was recorded, for this workspace."""
    lines = path.read_text("utf-8").replace("{ROOT}", str(root)).splitlines()
    first, *events = map(json.loads, lines)
    assert set(first) == {"about"}
    return events


@pytest.mark.parametrize("path", TRAFFIC, ids=lambda path: path.stem)
def test_every_request_gets_one_answer(path: Path, tmp_path: Path) -> None:
    root = workspace(tmp_path)
    events = read(path, root)
    said, status = replay(events, root)
    sent = [event["sent"] for event in events if "sent" in event]
    requests = {message["id"]: message for message in sent if "id" in message}
    cancelled = {each["params"]["id"] for each in sent if each["method"] == "$/cancelRequest"}

    assert {id_: len(answers) for id_, answers in said.answers.items()} == dict.fromkeys(
        requests, 1
    )
    errors = {id_ for id_, (answer,) in said.answers.items() if "error" in answer}
    assert errors <= cancelled
    assert {said.answers[id_][0]["error"]["code"] for id_ in errors} <= {CANCELLED}
    assert status == 0
    # Nothing is ready before the model is loaded: no status says so.
    assert said.statuses[0] != "ready"

    def items(method: str) -> list[list[dict[str, Any]]]:
        ids = [i for i, each in requests.items() if each["method"] == method and i not in cancelled]
        assert ids, "the recording asks for none"
        return [said.answers[id_][0]["result"]["items"] for id_ in ids]

    popups = [[item["label"] for item in popup] for popup in items(COMPLETION)]
    assert all(popups)
    assert ["send", "close"] in [sorted(labels[:2], reverse=True) for labels in popups]
    assert "connect" in [labels[0] for labels in popups]
    if any(message["method"] == INLINE for message in sent):
        assert any(items(INLINE))
        assert cancelled


def test_recordings_name_no_machine() -> None:
    assert len(TRAFFIC) >= 3
    for path in TRAFFIC:
        text = path.read_text("utf-8")
        assert not any(f"/{name}/" in text for name in ("home", "root"))
        assert str(Path(sys.prefix)) not in text
        assert not re.search(r'file://(?!\{ROOT\})|"(?!/")/|~/', text), "a path of a machine"
        assert "processId" not in text
