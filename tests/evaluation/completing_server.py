"""A language server that always offers the same names, in an order that sortText decides."""

import json
import sys


def read() -> dict:
    length = int(sys.stdin.buffer.readline().split(b":")[1])
    sys.stdin.buffer.readline()
    return json.loads(sys.stdin.buffer.read(length))


def write(message: dict) -> None:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    sys.stdout.buffer.flush()


ITEMS = [
    {"label": "append_row(row)", "sortText": "2"},
    {"label": "zeta", "sortText": "3"},
    {"label": "alpha", "sortText": "1"},
]
while True:
    message = read()
    method, id_ = message.get("method"), message.get("id")
    if method == "exit":
        sys.exit(0)
    if id_ is not None and method:
        result = {"items": ITEMS} if method == "textDocument/completion" else None
        write({"id": id_, "result": {"capabilities": {}} if method == "initialize" else result})
