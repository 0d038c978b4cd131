"""The client against a server that does what it is told."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from evaluation.client import Client, ResponseError, ServerEndedError, started

SERVER = (sys.executable, str(Path(__file__).with_name("echo_server.py")))


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[Client]:
    async with started(SERVER, tmp_path, settings={"lancefill": {"popup": False}}) as client:
        yield client


async def test_answers_find_their_requests(client: Client) -> None:
    sent = [client.send("echo", {"n": n, "text": "é\u2028😀"}) for n in range(50)]
    assert [(await future)["n"] for _, future in sent] == list(range(50))
    assert await client.request("echo", "é\u2028😀") == "é\u2028😀"


async def test_an_error_answer_is_raised(client: Client) -> None:
    with pytest.raises(ResponseError, match="no") as caught:
        await client.request("fail")
    assert caught.value.code == -32602


async def test_configuration_is_answered_by_section(client: Client) -> None:
    assert await client.request("ask") == [{"popup": False}, None]
    assert [asked.method for asked in client.asked] == ["workspace/configuration"]


async def test_a_cancelled_request_is_answered(client: Client) -> None:
    id_, future = client.send("hold")
    client.cancel(id_)
    with pytest.raises(ResponseError, match="cancelled"):
        await future


async def test_notifications_can_be_waited_for_before_and_after(client: Client) -> None:
    client.notify("say", 1)
    client.notify("say", 2)
    second = await client.wait_for(lambda heard: heard.params == 2)
    assert second.method == "said"
    assert (await client.wait_for(lambda heard: heard.params == 1)).params == 1


async def test_a_request_that_is_not_answered_times_out(client: Client) -> None:
    with pytest.raises(TimeoutError):
        await client.request("hold", timeout_s=0.05)


async def test_a_dead_server_is_noticed(client: Client) -> None:
    _, held = client.send("hold")
    client.notify("die")
    with pytest.raises(ServerEndedError):
        await held
    assert await client.wait_ended() == 3
    with pytest.raises(ServerEndedError):
        await client.request("echo")


async def test_a_polite_end(client: Client) -> None:
    assert await client.stop() == 0
