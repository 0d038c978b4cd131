"""The model process: prompts in, text and scores out.

Run as ``python -I -X utf8 -m completion.model.worker [--device auto|cpu|cuda] [--weights FOLDER]``;
it speaks ``indexing.messages`` and knows no workspace. When the weights are in memory it says
``ready`` with what ``info`` answers; where they cannot be loaded it says ``failed`` with a
``message`` and answers every request with that. A newer request of a session stops the older one
between two passes of the network.
"""

from __future__ import annotations

import argparse
import gc
import logging
import sys
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from completion.constraint import closed, constraint
from completion.decoding import Interrupted, Session, score_names, write
from completion.fim import Layout, lay_out
from completion.mixture import Partner
from completion.model import adapter
from completion.model.checkpoint import Loaded, load
from completion.model.quantised import quantised
from completion.request import Known, Prompt
from completion.rules import Rules
from completion.tree import CanonicalModel
from indexing import messages
from indexing.ngram_file import FILE_NAME, BrokenNgramsError
from indexing.ngrams import NgramModel
from indexing.system import cores

METHODS = ("ghost", "score", "info", "adapter")
"""What can be asked, each a method of ``Worker``."""

SESSIONS = 4
"""Prompts whose keys and values are kept, one per open file that was last asked about."""

ADAPTED = 2
"""Adapted networks that are kept, one per repository that was last asked about; each holds block
matrices of its own."""

MAX_TOKENS = 64
"""The longest text a request may ask for; ``fim.PROMPT_TOKENS`` leaves room for it."""

THREADS = 4
"""The most that are used, and at most half of the cores: threads that wait for each other on a busy
machine cost more than they bring (measured on two cores with a load of 8: 95 instead of 7 ms per
token).
"""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Adapted:
    """A model ready to answer: ``key`` tells apart whose keys and values a cache holds.

    ``problem`` says why this is the shipped model although an adapter was named.
    """

    model: CanonicalModel
    key: str = ""
    problem: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)


class Worker:
    """A loaded model and the sessions that talk to it; its methods answer requests."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded
        self._model = CanonicalModel(quantised(loaded.model), loaded.tokenizer)
        self._sessions: OrderedDict[tuple[str, str], Session] = OrderedDict()
        self._adapted: OrderedDict[str, Adapted] = OrderedDict()

    def handlers(self) -> dict[str, messages.Handler]:
        """The methods by their names on the wire."""
        return {name: getattr(self, name) for name in METHODS}

    def warm_up(self) -> None:
        """Do everything once, so that no person waits for what torch does the first time."""
        prompt = Prompt("# a.py\ndef f(x)\n", "\n", "import os\nos.pa")
        layout, _ = lay_out(self._model, prompt, None)
        session = Session(self._model.cache())
        known = Known(("path", "open"), {"os": ("path", "open")})
        rules = Rules(constraint(layout.before, known), closed(layout.before, layout.suffix))
        write(self._model, session, layout, 4, lambda: False, rules=rules)
        score_names(self._model, session, layout, ["path", "open"], lambda: False)

    def ghost(self, call: messages.Call) -> messages.Message:
        """What the model would write at the cursor: a ``RawGhost``."""
        adapted = self._adapted_to(call.params)
        session, layout, prepared = self._prepare(call, adapted)
        most = min(_number(call.params, "max_tokens"), MAX_TOKENS)
        partner, rules = self._partner(call.params, layout), _rules(call.params, layout)
        stopped = _interrupted(call)
        raw = asdict(write(adapted.model, session, layout, int(most), stopped, partner, rules))
        raw["timeline"] = {"prompt": round(prepared, 2), **raw["timeline"]}
        return {**raw, "adapter_problem": adapted.problem}

    def score(self, call: messages.Call) -> messages.Message:
        """``logprobs``: log P(name and then no identifier byte | prompt) of each of ``names``."""
        names = call.params.get("names")
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ValueError("names must be a list of strings")
        adapted = self._adapted_to(call.params)
        session, layout, _ = self._prepare(call, adapted)
        scores = score_names(adapted.model, session, layout, names, _interrupted(call))
        logprobs = [round(score, 6) for score in scores]
        return {"logprobs": logprobs, "adapter_problem": adapted.problem}

    def adapter(self, call: messages.Call) -> messages.Message:
        """Whether the named adapter can be used (``adapter_problem`` is empty), and its facts."""
        adapted = self._adapted_to(call.params)
        return {"adapter_problem": adapted.problem, "facts": dict(adapted.facts)}

    def info(self, call: messages.Call | None = None) -> messages.Message:  # noqa: ARG002
        """What runs here, and on what."""
        manifest = self._loaded.manifest
        return {
            "device": str(self._loaded.device),
            "dtype": str(self._loaded.dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "parameters": manifest.get("parameters"),
            "model": manifest.get("name", "codefill"),
            "weights_sha256": self._loaded.sha256,
        }

    def _adapted_to(self, params: Mapping[str, Any]) -> Adapted:
        """The model for this request; the shipped one where it names no adapter that can be used.

        An adapter that cannot be used is looked at again once its files are others.
        """
        folder = params.get("adapter")
        if folder is None:
            return Adapted(self._model)
        path = Path(str(folder))
        key = f"{path} {adapter.stamp(path)}"
        found = self._adapted.pop(key, None) or self._adapt(path, key)
        self._adapted[key] = found
        if len(self._adapted) > ADAPTED:
            self._adapted.popitem(last=False)
        return found

    def _adapt(self, folder: Path, key: str) -> Adapted:
        try:
            learnt = adapter.load(folder, self._loaded.sha256)
            network = quantised(adapter.merged(self._loaded.model, learnt))
        except (adapter.AdapterError, MemoryError) as error:
            problem = str(error) or "not enough memory for the adapter"
            log.warning("going on without the repository's adapter: %s", problem)
            return Adapted(self._model, problem=problem)
        return Adapted(self._model.over(network), key, facts=learnt.facts)

    def _prepare(self, call: messages.Call, adapted: Adapted) -> tuple[Session, Layout, float]:
        """The call's session and prompt in tokens, and the milliseconds that took."""
        started = time.perf_counter()
        session = self._session(call.session or "", adapted.key)
        header, suffix, prefix = (_text(call.params, one) for one in ("header", "suffix", "prefix"))
        layout, session.anchor = lay_out(
            self._model, Prompt(header, suffix, prefix), session.anchor
        )
        return session, layout, 1000 * (time.perf_counter() - started)

    def _partner(self, params: Mapping[str, Any], layout: Layout) -> Partner | None:
        """The repository's n-gram, if the request names a folder that holds one."""
        folder = params.get("ngrams")
        if folder is None:
            return None
        try:
            stamp = (Path(str(folder)) / FILE_NAME).stat().st_mtime_ns
            ngrams = _open_ngrams(str(folder), stamp)
        except (OSError, BrokenNgramsError) as error:
            log.warning("going on without the repository's n-gram: %s", error)
            return None
        path, text, offset = (params.get(name) for name in ("path", "text", "offset"))
        open_text = text.encode() if isinstance(text, str) else None
        view = ngrams.with_buffer(str(path), open_text, offset if open_text is not None else None)
        names = params.get("names") or {}
        if not isinstance(names, dict) or not all(
            isinstance(share, int | float) for share in names.values()
        ):
            raise ValueError("names must be an object of numbers")
        return Partner(view, self._model.tokenizer, layout.before, names)

    def _session(self, name: str, adapter_key: str) -> Session:
        """The session of this name; what one network cached is of no use to another."""
        key = name, adapter_key
        session = self._sessions.pop(key, None)
        if session is None:
            if len(self._sessions) >= SESSIONS:
                self._sessions.popitem(last=False)
            session = Session(self._model.cache())
        self._sessions[key] = session
        return session


@lru_cache(maxsize=SESSIONS)
def _open_ngrams(folder: str, stamp: int) -> NgramModel:  # noqa: ARG001 - another stamp, another file
    return NgramModel.open(Path(folder))


def _rules(params: Mapping[str, Any], layout: Layout) -> Rules:
    """What the request says may be written. Raises ValueError where it is no such thing."""
    told = params.get("known", {})
    if not isinstance(told, dict) or not set(told) <= {each.name for each in fields(Known)}:
        raise ValueError("known must be an object of here, receivers and made")
    known = Known(**told)
    if not isinstance(known.receivers, dict):
        raise ValueError("the known receivers must be an object of lists")
    lists = [known.here or (), known.made, *known.receivers.values()]
    for names in lists:
        if not isinstance(names, list | tuple) or not all(isinstance(one, str) for one in names):
            raise ValueError("known must hold lists of names")
    return Rules(constraint(layout.before, known), closed(layout.before, layout.suffix))


def _interrupted(call: messages.Call) -> Interrupted:
    """Whether the call's deadline has passed; raises once somebody gave the call up."""
    deadline = call.arrived + _number(call.params, "deadline_ms") / 1000

    def interrupted() -> bool:
        if call.stopped:
            raise messages.StoppedError
        return time.perf_counter() > deadline

    return interrupted


def _number(params: Mapping[str, Any], name: str) -> float:
    value = params.get(name)
    if not isinstance(value, int | float) or value <= 0:
        raise ValueError(f"{name} must be a positive number")
    return value


def _text(params: Mapping[str, Any], name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string")
    return value


def _started(device: str, weights: Path | None) -> Worker:
    torch.set_num_threads(threads())
    worker = Worker(load(weights, None if device == "auto" else device))
    worker.warm_up()
    gc.collect()
    gc.freeze()  # what is loaded stays; no collection looks at it again
    return worker


def threads() -> int:
    """How many threads one pass of the network uses on this machine."""
    return min(THREADS, max(1, cores() // 2))


def _failing(message: str) -> messages.Handler:
    def fail(_: messages.Call) -> messages.Message:
        raise RuntimeError(message)

    return fail


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until stdin ends."""
    parser = argparse.ArgumentParser(prog="completion.model.worker")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--weights", type=Path, default=None)
    options = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    messages.end_with_parent()
    incoming, outgoing = messages.take_stdio()
    try:
        worker = _started(options.device, options.weights)
        handlers = worker.handlers()
        messages.write(outgoing, {"method": "ready", "params": worker.info()})
    except Exception as error:  # noqa: BLE001
        log.error("the model cannot be loaded: %s", error)
        handlers = dict.fromkeys(METHODS, _failing(str(error)))
        messages.write(outgoing, {"method": "failed", "params": {"message": str(error)}})
    messages.serve(incoming, outgoing, handlers, newest_only=("ghost", "score"))
    messages.leave()


if __name__ == "__main__":
    main()
