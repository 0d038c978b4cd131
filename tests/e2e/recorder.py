"""Writes down what an editor and a language server say to each other, to be replayed.

Usage: ``recorder.py TRAFFIC ROOT COMMAND...``, in place of the server's command. TRAFFIC receives
one JSON object per line, in the order in which things happened:

    {"about": text}        what was recorded, and how; written by who starts the recording
    {"sent": message}      what the editor sent, its answers excepted
    {"answered": id}       the answer of that request came before what follows was sent
    {"replied": method, "result": value}   what the editor answered to the server's question
    {"status": text}       the server told this status before what follows was sent

ROOT, the workspace, is written as ``{ROOT}`` wherever it occurs, also where an editor shortens the
home to ``~``; the editor's process id is left out.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

TRAFFIC, ROOT, COMMAND = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
WRITING = threading.Lock()

questions: dict[Any, str] = {}


def write(event: Mapping[str, Any]) -> None:
    line = json.dumps(event, ensure_ascii=False, sort_keys=True)
    for spelling in (ROOT, ROOT.replace(str(Path.home()), "~", 1)):
        line = line.replace(spelling, "{ROOT}")
    with WRITING, TRAFFIC.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def receive(stream: IO[bytes]) -> tuple[bytes, dict[str, Any]] | None:
    """The next message, as it came and as it is meant; None at the end."""
    raw, length = b"", 0
    while (line := stream.readline()).strip():
        raw += line
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    if not length:
        return None
    body = stream.read(length)
    return raw + line + body, json.loads(body)


def from_editor(message: dict[str, Any]) -> None:
    if "method" in message:
        (message.get("params") or {}).pop("processId", None)
        del message["jsonrpc"]
        write({"sent": message})
    else:
        write({"replied": questions[message["id"]], "result": message.get("result")})


def from_server(message: Mapping[str, Any]) -> None:
    method = message.get("method")
    if method is None:
        write({"answered": message["id"]})
    elif "id" in message:
        questions[message["id"]] = method
    elif method == "didChangeStatus":
        write({"status": message["params"]["message"]})


def main() -> None:
    server = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin
    assert server.stdout

    def answers() -> None:
        assert server.stdout
        while got := receive(server.stdout):
            from_server(got[1])
            sys.stdout.buffer.write(got[0])
            sys.stdout.buffer.flush()

    listening = threading.Thread(target=answers)
    listening.start()
    while got := receive(sys.stdin.buffer):
        from_editor(got[1])
        server.stdin.write(got[0])
        server.stdin.flush()
    server.stdin.close()
    listening.join()


main()
