"""A helper process that does whatever its requests ask for; run as a script."""

import os
import subprocess
import sys
import time

from indexing import messages


def echo(call: messages.Call) -> messages.Message:
    return {"echo": call.params["value"], "pid": os.getpid()}


def wait(call: messages.Call) -> messages.Message:
    """Until it is cancelled."""
    while not call.stopped:
        time.sleep(0.005)
    raise messages.StoppedError


def hang(call: messages.Call) -> messages.Message:
    """Deaf to everything, the end of its input included."""
    time.sleep(3600)
    return {}


def die(call: messages.Call) -> messages.Message:
    os._exit(call.params["status"])


def orphan(call: messages.Call) -> messages.Message:
    """Leave a child behind that holds the pipes open, and end."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    print(f"child {child.pid}", file=sys.stderr, flush=True)
    os._exit(0)


def babble(call: messages.Call) -> messages.Message:
    os.write(CHANNEL.fileno(), b"this is no JSON\n[1]\n")
    print("x" * 200_000, file=sys.stderr, flush=True)
    messages.write(CHANNEL, {"method": "progress", "params": {"done": 1}})
    return {}


def fail(call: messages.Call) -> messages.Message:
    raise ValueError("no such thing")


if __name__ == "__main__":
    INCOMING, CHANNEL = messages.take_stdio()
    HANDLERS = {f.__name__: f for f in (echo, wait, hang, die, orphan, babble, fail)}
    messages.serve(messages.Desk(HANDLERS), INCOMING, CHANNEL)
