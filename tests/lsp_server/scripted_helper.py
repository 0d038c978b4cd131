"""Stands in for the model and for jedi; what it answers is written in the question."""

import os
import sys
import time

from indexing import messages


def complete(call: messages.Call) -> messages.Message:
    text, offset = call.params["text"].encode(), call.params["offset"]
    if b"slow" in text:
        time.sleep(0.2)
    if b"fail" in text:
        raise ValueError("jedi fell over")
    before = text[:offset].decode()
    told = {"name": before, "kind": "function", "detail": text.decode(), "else": "ignored"}
    return {"items": [told, {"name": str(call.params["interpreter"]), "kind": "module"}]}


def ghost(call: messages.Call) -> messages.Message:
    prefix = call.params["prefix"]
    if prefix == "die":
        os._exit(1)
    if prefix == "late":
        raise TimeoutError("in the middle of a secret")
    if prefix == "wait":
        while not call.stopped:
            time.sleep(0.002)
        raise messages.StoppedError
    text = f"{call.session} {call.params['deadline_ms']:g} {call.params['ngrams']}"
    tokens = call.params["max_tokens"]
    return {"text": text, "confidence": 0.5, "tokens": tokens, "unknown": 1, **adapted(call)}


def score(call: messages.Call) -> messages.Message:
    return {"logprobs": [-float(len(name)) for name in call.params["names"]], **adapted(call)}


def adapted(call: messages.Call) -> messages.Message:
    """An adapter called ``bad`` is of no use."""
    bad = str(call.params["adapter"]).endswith("bad")
    return {"adapter_problem": "made for another model" if bad else ""}


if __name__ == "__main__":
    INCOMING, OUTGOING = messages.take_stdio()
    for said in sys.argv[1:]:
        messages.write(OUTGOING, {"method": said, "params": {"message": "no weights here"}})
    HANDLERS = {"complete": complete, "ghost": ghost, "score": score}
    messages.serve(messages.Desk(HANDLERS, ("ghost", "score")), INCOMING, OUTGOING)
