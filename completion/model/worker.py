"""The model process: prompts in, text and scores out.

Run as ``python -I -X utf8 -m completion.model.worker [--device auto|cpu|cuda]`` with
``--weights FOLDER`` for a model in the format of the shipped one, or ``--in-use`` for the one that
``lancefill model use`` chose; it speaks ``indexing.messages`` and knows no workspace. When the
weights are in memory it says ``ready`` with what ``info`` answers. Where the chosen model cannot be
loaded the shipped one is, and ``info`` says why; where that cannot it says ``failed`` with a
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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import torch

from completion.constraint import closed, constraint
from completion.decoding import Interrupted, Session, score_names, write
from completion.fim import Anchor, Layout, lay_out
from completion.mixture import Partner, prepare
from completion.model import adapter, registry
from completion.model.checkpoint import Loaded, load, out_of_memory
from completion.model.quantised import quantised
from completion.request import Known, Prompt
from completion.rules import Rules
from completion.tree import CanonicalModel, Network
from indexing import messages
from indexing.ngram_file import FILE_NAME, BrokenNgramsError
from indexing.ngrams import NgramModel
from indexing.system import cores

METHODS = ("ghost", "score", "info", "adapter")
"""What can be asked, each a method of ``Worker``."""
NEWEST_ONLY = ("ghost", "score")
"""Of these only the newest of a session is wanted."""

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


class Speaker(Protocol):
    """A loaded model as the process asks it: the shipped one, or a ``guest.Guest``."""

    @property
    def model(self) -> CanonicalModel: ...

    def lay_out(self, prompt: Prompt, path: str, last: Any) -> tuple[Layout, Any]:  # noqa: ANN401
        """The prompt's tokens, and what the session's next call gets as ``last``."""

    def adapted(self, folder: Path) -> tuple[Network, Mapping[str, Any]]:
        """The network with an adapter in it, and the adapter's facts. Raises AdapterError."""

    def facts(self) -> messages.Message:
        """For ``info``: which model it is."""

    def on_processor(self) -> Speaker:
        """The same model off the GPU."""


class Shipped:
    """The shipped model, or another in its format."""

    def __init__(self, loaded: Loaded, model: CanonicalModel | None = None) -> None:
        self._loaded = loaded
        self.model = model or CanonicalModel(quantised(loaded.model), loaded.tokenizer)

    def lay_out(
        self,
        prompt: Prompt,
        path: str,  # noqa: ARG002 - this model is told no names of files
        last: Anchor | None,
    ) -> tuple[Layout, Anchor]:
        """The prompt's tokens, and the anchor of the session's next prompt."""
        return lay_out(self.model, prompt, last)

    def adapted(self, folder: Path) -> tuple[Network, Mapping[str, Any]]:
        """The network with an adapter in it, and the adapter's facts. Raises AdapterError."""
        learnt = adapter.load(folder, self._loaded.sha256)
        return quantised(adapter.merged(self._loaded.model, learnt)), learnt.facts

    def facts(self) -> messages.Message:
        """Name, parameters and hash."""
        manifest = self._loaded.manifest
        return {
            "device": str(self._loaded.device),
            "dtype": str(self._loaded.dtype).removeprefix("torch."),
            "parameters": manifest.get("parameters"),
            "model": manifest.get("name", "codefill"),
            "weights_sha256": self._loaded.sha256,
        }

    def on_processor(self) -> Shipped:
        """The same model off the GPU, in float32."""
        loaded = replace(
            self._loaded,
            model=self._loaded.model.to("cpu", torch.float32),
            device=torch.device("cpu"),
            dtype=torch.float32,
        )
        return Shipped(loaded, self.model.over(quantised(loaded.model)))


class Worker:
    """A loaded model and the sessions that talk to it; its methods answer requests.

    ``problem`` says why this is not the model that was chosen.
    """

    def __init__(self, loaded: Loaded | Speaker, problem: str = "") -> None:
        self._speaker: Speaker = Shipped(loaded) if isinstance(loaded, Loaded) else loaded
        self._problem = problem
        self._sessions: OrderedDict[tuple[str, str], Session] = OrderedDict()
        self._adapted: OrderedDict[str, Adapted] = OrderedDict()

    @property
    def _model(self) -> CanonicalModel:
        return self._speaker.model

    def handlers(self) -> dict[str, messages.Handler]:
        """The methods by their names on the wire."""
        return {name: getattr(self, name) for name in METHODS}

    def warm_up(self) -> None:
        """Do everything once, so that no person waits for what torch does the first time."""
        prepare(self._model.tokenizer)
        prompt = Prompt("# a.py\ndef f(x)\n", "\n", "import os\nos.pa")
        layout, _ = self._speaker.lay_out(prompt, "a.py", None)
        session = Session(self._model.cache())
        known = Known(("path", "open"), {"os": ("path", "open")})
        rules = Rules(constraint(layout.before, known), closed(layout.before, layout.suffix))
        write(self._model, session, layout, 4, lambda: False, rules=rules)
        score_names(self._model, session, layout, ["path", "open"], lambda: False)

    def ghost(self, call: messages.Call) -> messages.Message:
        """What the model would write at the cursor: a ``RawGhost``."""
        with self._memory():
            return self._ghost(call)

    def score(self, call: messages.Call) -> messages.Message:
        """``logprobs``: log P(name and then no identifier byte | prompt) of each of ``names``."""
        with self._memory():
            return self._score(call)

    def _ghost(self, call: messages.Call) -> messages.Message:
        adapted = self._adapted_to(call.params)
        session, layout, prepared = self._prepare(call, adapted)
        most = min(_number(call.params, "max_tokens"), MAX_TOKENS)
        partner, rules = self._partner(call.params, layout), _rules(call.params, layout)
        stopped = _interrupted(call)
        raw = asdict(write(adapted.model, session, layout, int(most), stopped, partner, rules))
        raw["timeline"] = {"prompt": round(prepared, 2), **raw["timeline"]}
        return {**raw, "adapter_problem": adapted.problem}

    def _score(self, call: messages.Call) -> messages.Message:
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
        facts = self._speaker.facts()
        return {**facts, "threads": torch.get_num_threads(), "problem": self._problem}

    @contextmanager
    def _memory(self) -> Iterator[None]:
        """Go on on the processor once the GPU's memory is used up; the call that saw it fails."""
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if self._model.device.type == "cpu" or not out_of_memory(error):
                raise
            self._problem = "the GPU's memory was used up: the model runs on the processor"
            log.warning(self._problem)
            self._sessions.clear()
            self._adapted.clear()
            self._speaker = self._speaker.on_processor()
            raise RuntimeError(self._problem) from error

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
            network, facts = self._speaker.adapted(folder)
        except (adapter.AdapterError, MemoryError) as error:
            problem = str(error) or "not enough memory for the adapter"
            log.warning("going on without the repository's adapter: %s", problem)
            return Adapted(self._model, problem=problem)
        return Adapted(self._model.over(network), key, facts=facts)

    def _prepare(self, call: messages.Call, adapted: Adapted) -> tuple[Session, Layout, float]:
        """The call's session and prompt in tokens, and the milliseconds that took."""
        started = time.perf_counter()
        session = self._session(call.session or "", adapted.key)
        header, suffix, prefix = (_text(call.params, one) for one in ("header", "suffix", "prefix"))
        path = str(call.params.get("path") or "")
        layout, session.anchor = self._speaker.lay_out(
            Prompt(header, suffix, prefix), path, session.anchor
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
        raise ValueError("known must be an object of here, receivers, made and fixed")
    known = Known(**told)
    if not isinstance(known.receivers, dict):
        raise ValueError("the known receivers must be an object of lists")
    lists = [known.here or (), known.made, known.fixed, *known.receivers.values()]
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


def _started(device: str, weights: Path | None, *, in_use: bool = False) -> Worker:
    torch.set_num_threads(threads())
    worker = _chosen(device) if in_use else _warm(Worker(load(weights, _wanted(device))))
    gc.collect()
    gc.freeze()  # what is loaded stays; no collection looks at it again
    return worker


def _warm(worker: Worker) -> Worker:
    worker.warm_up()
    return worker


def _wanted(device: str) -> str | None:
    return None if device == "auto" else device


def _chosen(device: str) -> Worker:
    """The model that the registry names; where it cannot be used the shipped one, and why."""
    try:
        entry = registry.read().chosen
        if entry is not None:
            return _warm(Worker(_guest(entry, device)))
        problem = ""
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, there is another
        problem = " ".join(str(error).split()) or type(error).__name__
        log.warning("going on with the shipped model: %s", problem)
    return _warm(Worker(load(None, _wanted(device)), problem))


def _guest(entry: registry.Entry, device: str) -> Speaker:
    """Raises what ``guest.manner`` and ``guest.open_guest`` do, and RegistryError."""
    if problem := entry.problem():
        raise registry.RegistryError(problem)
    from completion.model import guest  # it loads transformers, which the shipped model does not

    return guest.installed(entry, device)


def threads() -> int:
    """How many threads one pass of the network uses on this machine."""
    return min(THREADS, max(1, cores() // 2))


def _failing(message: str) -> messages.Handler:
    def fail(_: messages.Call) -> messages.Message:
        raise RuntimeError(message)

    return fail


def desk(arguments: Sequence[str] | None = None) -> messages.Desk:
    """Load the model that the command line names; where that fails, whoever asks is told why."""
    parser = argparse.ArgumentParser(prog="completion.model.worker")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--weights", type=Path, default=None)
    which.add_argument("--in-use", action="store_true")
    options = parser.parse_args(arguments)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    greeting: messages.Message
    try:
        worker = _started(options.device, options.weights, in_use=options.in_use)
        handlers = worker.handlers()
        greeting = {"method": "ready", "params": worker.info()}
    except Exception as error:  # noqa: BLE001
        log.error("the model cannot be loaded: %s", error)
        handlers = dict.fromkeys(METHODS, _failing(str(error)))
        greeting = {"method": "failed", "params": {"message": str(error)}}
    return messages.Desk(handlers, NEWEST_ONLY, greeting)


def main() -> int:
    """Serve whoever started this process, until stdin ends."""
    messages.end_with_parent()
    incoming, outgoing = messages.take_stdio()
    messages.serve(desk(), incoming, outgoing)
    messages.leave()


if __name__ == "__main__":
    main()
