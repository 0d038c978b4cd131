"""A server that speaks the framing and does what its requests are called."""

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


held = []
while True:
    message = read()
    method, id_ = message.get("method"), message.get("id")
    if method == "echo":
        write({"id": id_, "result": message["params"]})
    elif method == "fail":
        write({"id": id_, "error": {"code": -32602, "message": "no"}})
    elif method == "ask":
        items = [{"section": "lancefill"}, {"section": "other"}]
        write({"id": 1, "method": "workspace/configuration", "params": {"items": items}})
        write({"id": id_, "result": read()["result"]})
    elif method == "say":
        write({"method": "said", "params": message["params"]})
    elif method == "hold":
        held.append(id_)
    elif method == "$/cancelRequest":
        error = {"code": -32800, "message": "cancelled"}
        write({"id": message["params"]["id"], "error": error})
    elif method == "die":
        sys.exit(3)
    elif method == "shutdown":
        write({"id": id_, "result": None})
    elif method == "exit":
        sys.exit(0)
