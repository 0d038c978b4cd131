"""A language server that says what a script tells it to; for tests of an editor's side.

Usage: ``standin.py SCRIPT HEARD``. SCRIPT is JSON: the texts before the cursor on its line ->
``{items, delay, loading, indexing}``, the items of the answer, the seconds until it is sent, the
seconds for which the model is loading when it is asked for first, and the seconds for which files
are indexed meanwhile, where they take longer than that. A changed configuration is answered with
the status. A line that the script does
not know is answered with nothing and a ``lancefill/reason``. Methods of other requests ->
``{result, edits}``, the edits to ask the editor for after the answer, in the document that changed
last; one with ``hangs`` is never answered. HEARD receives one JSON line per message of the editor.
"""

import json
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

SCRIPT: dict[str, dict[str, Any]] = json.loads(Path(sys.argv[1]).read_text("utf-8"))
HEARD = Path(sys.argv[2])
INLINE = "textDocument/inlineCompletion"
CAPABILITIES = {
    "textDocumentSync": 1,
    "completionProvider": {"resolveProvider": True},
    "inlineCompletionProvider": {},
}
SENDING = threading.Lock()

texts: dict[str, str] = {}
model = {"model": "ready"}
"""What ``lancefill/status`` tells."""
newest: dict[str, Any] = {}
"""The document that changed last: ``uri`` and ``version``."""


def send(message: Mapping[str, Any]) -> None:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    with SENDING:
        sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        sys.stdout.buffer.flush()


def receive() -> dict[str, Any] | None:
    length = 0
    while header := sys.stdin.buffer.readline().strip():
        name, _, value = header.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return dict(json.loads(sys.stdin.buffer.read(length))) if length else None


def before_cursor(params: Mapping[str, Any]) -> str:
    """The cursor's line up to the cursor, whose column counts UTF-16 units."""
    position = params["position"]
    line = texts[params["textDocument"]["uri"]].split("\n")[position["line"]]
    return line.encode("utf-16-le")[: 2 * position["character"]].decode("utf-16-le")


def tell_reason(params: Mapping[str, Any], code: str) -> None:
    reason = {"feature": "ghost", "uri": params["textDocument"]["uri"], "code": code}
    send({"method": "lancefill/reason", "params": {**reason, "message": "nothing to write"}})


def tell_status(message: str, *, busy: bool = False) -> None:
    status = {"kind": "Normal", "message": message, "busy": busy}
    send({"method": "didChangeStatus", "params": status})


def later(seconds: float, act: Callable[[], None]) -> None:
    """In a thread that does not outlive the server."""
    timer = threading.Timer(seconds, act)
    timer.daemon = True
    timer.start()


def load(seconds: float, indexing: float) -> None:
    """Two jobs at once; the status is no longer busy when the longer one is done."""

    def loaded() -> None:
        model["model"] = "ready"
        if indexing > seconds:
            tell_status("files are indexed", busy=True)

    model["model"] = "the model is being loaded"
    tell_status(model["model"], busy=True)
    later(seconds, loaded)
    later(max(seconds, indexing), lambda: tell_status("ready"))


def inline(number: int, params: Mapping[str, Any]) -> None:
    scripted = SCRIPT.get(before_cursor(params), {"items": []})
    if loading := scripted.pop("loading", None):
        load(loading, scripted.get("indexing", 0))
        tell_reason(params, "model-loading")
        scripted = {"items": []}
    elif not scripted["items"]:
        tell_reason(params, "empty")
    answer = {"id": number, "result": {"items": scripted["items"]}}
    later(scripted.get("delay", 0), lambda: send(answer))


def notified(method: str, params: Mapping[str, Any]) -> None:
    if method in ("initialized", "workspace/didChangeConfiguration"):
        tell_status("ready")
    elif method == "textDocument/didOpen":
        texts[params["textDocument"]["uri"]] = params["textDocument"]["text"]
        newest.update(uri=params["textDocument"]["uri"], version=params["textDocument"]["version"])
    elif method == "textDocument/didChange":
        texts[params["textDocument"]["uri"]] = params["contentChanges"][-1]["text"]
        newest.update(params["textDocument"])


def main() -> None:
    while (message := receive()) and message.get("method") != "exit":
        with HEARD.open("a", encoding="utf-8") as file:
            file.write(json.dumps(message) + "\n")
        method, number = message.get("method", ""), message.get("id")
        if number is None:
            notified(method, message.get("params") or {})
        elif method == INLINE:
            inline(number, message["params"])
        elif method and not SCRIPT.get(method, {}).get("hangs"):
            known = {"initialize": {"capabilities": CAPABILITIES}, "lancefill/status": model}
            scripted = SCRIPT.get(method, {})
            send({"id": number, "result": known.get(method) or scripted.get("result")})
            if edits := scripted.get("edits"):
                change = {"textDocument": newest, "edits": edits}
                edit = {"edit": {"documentChanges": [change]}}
                send({"id": "edit", "method": "workspace/applyEdit", "params": edit})


main()
