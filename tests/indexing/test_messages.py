"""Framing and the request loop: one answer per request, whatever arrives."""

from __future__ import annotations

import io
import os
import threading
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing import messages

letters = st.text(st.sampled_from('a"\\\n\r\u2028é🙂\ud800\x00 '), max_size=8)
json_values = st.none() | st.booleans() | st.integers() | letters | st.lists(letters, max_size=3)


@settings(max_examples=50)
@given(st.lists(st.dictionaries(letters, json_values, max_size=3), max_size=3))
def test_what_is_written_is_read(sent: list[dict[str, Any]]) -> None:
    stream = io.BytesIO()
    for message in sent:
        messages.write(stream, message)
    assert stream.getvalue().count(b"\n") == len(sent)
    stream.seek(0)
    assert [messages.read(stream) for _ in sent] == sent
    assert messages.read(stream) is None


@pytest.mark.parametrize(
    "line",
    [
        b"{\n",
        b"[1]\n",
        b"\xff\xfe\n",
        b"\n",
        b"[" * 100_000 + b"\n",
        b'{"id": 1, ' + b" " * 99 + b"}\n",
    ],
)
def test_a_bad_line_is_skipped_and_the_next_is_read(line: bytes) -> None:
    stream = io.BytesIO(line + b'{"id":2}\n')
    with pytest.raises(messages.MalformedError):
        messages.read(stream, limit=64)
    assert messages.read(stream, limit=64) == {"id": 2}


def test_a_line_cut_off_by_the_end_is_malformed() -> None:
    stream = io.BytesIO(b'{"id":1}')
    with pytest.raises(messages.MalformedError):
        messages.read(stream)
    assert messages.read(stream) is None


def test_a_number_json_does_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        messages.encode({"score": float("nan")})


class Helper:
    """A served loop at the other end of two pipes."""

    def __init__(
        self, handlers: dict[str, messages.Handler], newest_only: tuple[str, ...] = ()
    ) -> None:
        self.incoming, self.send = _pipe()
        self.receive, self.outgoing = _pipe()
        self.thread = threading.Thread(
            target=messages.serve,
            args=(messages.Desk(handlers, newest_only), self.incoming, self.outgoing),
        )
        self.thread.start()

    def request(self, id_: object, method: str, **params: object) -> None:
        messages.write(self.send, {"id": id_, "method": method, "params": params})

    def answer(self) -> dict[str, Any] | None:
        return messages.read(self.receive)

    def close(self) -> list[dict[str, Any]]:
        """End the input, as a dying server does; what the helper still had to say."""
        self.send.close()
        self.thread.join(10)
        assert not self.thread.is_alive()
        self.outgoing.close()
        last = [messages.decode(line) for line in self.receive]
        self.receive.close()
        self.incoming.close()
        return last


def _pipe() -> tuple[BinaryIO, BinaryIO]:
    read_end, write_end = os.pipe()
    return os.fdopen(read_end, "rb"), os.fdopen(write_end, "wb")


def echo(call: messages.Call) -> messages.Message:
    return {"echo": call.params["value"]}


def test_each_request_gets_its_answer_and_a_bad_one_an_error() -> None:
    helper = Helper({"echo": echo})
    helper.request(1, "echo", value="a")
    helper.request(2, "echo")
    helper.request(3, "nothing")
    helper.send.write(
        b'garbage\n[]\n{"id": [1], "method": "echo"}\n{"method": 5}\n'
        b'{"id": 9, "method": "echo", "params": 3}\n'
    )
    messages.write(helper.send, {"method": "echo", "params": {"value": "a notification"}})
    helper.request("four", "echo", value=float("1e300"))
    assert helper.answer() == {"id": 1, "result": {"echo": "a"}}
    assert helper.answer() == {"id": 2, "error": "KeyError: 'value'"}
    assert helper.answer() == {"id": 3, "error": "unknown method: nothing"}
    assert helper.answer() == {"id": "four", "result": {"echo": 1e300}}
    helper.close()


def test_a_deadline_is_answered_and_not_worth_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    def slow(call: messages.Call) -> messages.Message:
        raise TimeoutError

    caplog.set_level("INFO")
    helper = Helper({"slow": slow})
    helper.request(1, "slow")
    assert helper.answer() == {"id": 1, "error": messages.LATE}
    helper.close()
    assert caplog.text == ""


def test_a_result_that_cannot_be_sent_becomes_an_error() -> None:
    helper = Helper({"bad": lambda call: {"value": float("nan")}})
    helper.request(1, "bad")
    answer = helper.answer()
    assert answer is not None
    assert answer["error"].startswith("ValueError")
    helper.close()


def wait_until_stopped(call: messages.Call) -> messages.Message:
    while not call.stopped:
        threading.Event().wait(0.001)
    raise messages.StoppedError


def test_cancel_reaches_the_running_and_the_waiting_call() -> None:
    helper = Helper({"wait": wait_until_stopped})
    helper.request(1, "wait")
    helper.request(2, "wait")
    messages.write(helper.send, {"method": "cancel", "params": {"id": 2}})
    messages.write(helper.send, {"method": "cancel", "params": {"id": 77}})
    messages.write(helper.send, {"method": "cancel", "params": {"id": 1}})
    assert helper.answer() == {"id": 1, "error": messages.CANCELLED}
    assert helper.answer() == {"id": 2, "error": messages.CANCELLED}
    helper.close()


def test_the_newest_of_a_session_supersedes_the_older_ones() -> None:
    helper = Helper({"wait": wait_until_stopped, "echo": echo}, newest_only=("wait", "echo"))
    helper.request(1, "wait", session="a")
    helper.request(2, "echo", session="a", value=1)
    helper.request(3, "echo", session="b", value=2)
    helper.request(4, "echo", session="a", value=3)
    helper.request(5, "wait", session="a")
    messages.write(helper.send, {"method": "cancel", "params": {"id": 5}})
    answers = [helper.answer() for _ in range(5)]
    assert answers == [
        {"id": 1, "error": messages.SUPERSEDED},
        {"id": 2, "error": messages.SUPERSEDED},
        {"id": 3, "result": {"echo": 2}},
        {"id": 4, "result": {"echo": 3}},
        {"id": 5, "error": messages.CANCELLED},
    ]
    helper.close()


def test_the_end_of_the_input_ends_a_running_call() -> None:
    helper = Helper({"wait": wait_until_stopped})
    helper.request(1, "wait")
    assert helper.close() == [{"id": 1, "error": messages.CANCELLED}]


def asking(method: str, *ids: str) -> BinaryIO:
    """What a caller sends who asks this in one session, and then nothing any more."""
    params = {"session": "the same file"}
    calls = [messages.encode({"id": one, "method": method, "params": params}) for one in ids]
    return io.BytesIO(b"".join(calls))


def answers(stream: io.BytesIO) -> list[messages.Message]:
    return [messages.decode(line) for line in stream.getvalue().splitlines()]


@given(st.lists(st.integers(0, 4), max_size=5))
def test_callers_with_much_to_ask_take_turns_with_those_who_ask_little(asked: list[int]) -> None:
    desk = messages.Desk({})
    told = io.BytesIO()
    for number, count in enumerate(asked):
        desk.attend(asking("x", *(f"{number}: {turn}" for turn in range(count))), told)
    desk.close()
    desk.work()
    turns = [
        f"{number}: {turn}"
        for turn in range(max(asked, default=0))
        for number, count in enumerate(asked)
        if turn < count
    ]
    assert [answer["id"] for answer in answers(told)] == turns


def test_a_newer_request_stops_older_ones_of_its_own_caller_only() -> None:
    desk = messages.Desk({"ghost": lambda _: {}}, newest_only=("ghost",))
    told = io.BytesIO()
    desk.attend(asking("ghost", "one", "two"), told)
    desk.attend(asking("ghost", "three"), told)
    desk.close()
    desk.work()
    gone = messages.CANCELLED  # a caller who has left wants nothing any more
    errors = {answer["id"]: answer["error"] for answer in answers(told)}
    assert errors == {"one": messages.SUPERSEDED, "two": gone, "three": gone}


def test_whoever_comes_is_greeted_and_nobody_once_the_desk_is_closed() -> None:
    desk = messages.Desk({}, greeting={"method": "ready", "params": {}})
    early, late = io.BytesIO(), io.BytesIO()
    desk.attend(io.BytesIO(), early)
    desk.close()
    desk.attend(asking("callers", "too late"), late)
    desk.work()
    assert early.getvalue() == messages.encode({"method": "ready", "params": {}})
    assert late.getvalue() == b""


def test_a_desk_without_callers_closes_after_a_while_and_not_while_one_is_there() -> None:
    desk = messages.Desk({})
    incoming, send = _pipe()
    attending = threading.Thread(target=desk.attend, args=(incoming, io.BytesIO()))
    attending.start()
    working = threading.Thread(target=desk.work, args=(0.05,))
    working.start()
    working.join(0.3)
    assert working.is_alive()
    send.close()
    attending.join()
    working.join(10)
    assert not working.is_alive()
    incoming.close()
