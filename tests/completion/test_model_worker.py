"""The model process as its parent sees it, with a small random model on disk."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from completion.model import adapter, checkpoint
from completion.model.codefill import CodeFill, Config
from completion.model.tokenizer import Tokenizer
from completion.model.worker import ADAPTED, SESSIONS, Worker
from indexing import messages
from indexing.ngram_file import build
from tests.completion.toys import toy_tokenizer

Params = dict[str, Any]
PROMPT: Params = {
    "header": "# b.py\ndef helper(a)\n",
    "suffix": "\n",
    "prefix": "a = 1\nb = he",
    "deadline_ms": 60_000,
    "session": "s",
}
NEAR = 5e-3
"""How far log-probabilities may be apart: what is cached was read by the weights as they are where
many tokens were read at once, else by their eight-bit form."""
GHOST: Params = {**PROMPT, "path": "a.py", "max_tokens": 5, "ngrams": None}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("weights")
    tokenizer = toy_tokenizer([(b"h", b"e"), (b"l", b"p"), (b"he", b"lp"), (b"a", b"b")])
    (folder / "given.json").write_text(tokenizer._inner.to_str(), encoding="utf-8")
    torch.manual_seed(3)
    model = CodeFill(
        Config(values=tokenizer.size, width=32, layers=2, heads=2, kv_heads=1, hidden=48)
    )
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.02)
    checkpoint.save(folder, model, folder / "given.json", {"types": ["other"]})
    assert Tokenizer.load(folder / "tokenizer.json").size == tokenizer.size
    return folder


class Process:
    """A model process and the pipes to it."""

    def __init__(self, weights: Path) -> None:
        command = [sys.executable, "-I", "-X", "utf8", "-m", "completion.model.worker"]
        self.child = subprocess.Popen(
            [*command, "--device", "cpu", "--weights", str(weights)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        self.sent = 0
        self.first = self.read()

    def read(self) -> Params:
        assert self.child.stdout
        message = messages.read(self.child.stdout)  # type: ignore[arg-type]
        assert message is not None
        return message

    def send(self, method: str, params: Params) -> int:
        self.sent += 1
        assert self.child.stdin
        messages.write(
            self.child.stdin,  # type: ignore[arg-type]
            {"id": self.sent, "method": method, "params": params},
        )
        return self.sent

    def ask(self, method: str, params: Params) -> Params:
        number = self.send(method, params)
        answer = self.read()
        assert answer["id"] == number
        return answer

    def end(self) -> str:
        """Close stdin; the process must end by itself. Returns its log."""
        _, log = self.child.communicate(timeout=30)
        assert self.child.returncode == 0
        return log.decode()


@pytest.fixture(scope="module")
def process(weights: Path) -> Iterator[Process]:
    started = Process(weights)
    yield started
    started.end()


def test_it_says_when_it_is_ready_and_what_it_is(process: Process) -> None:
    assert process.first["method"] == "ready"
    answer = process.ask("info", {})["result"]
    assert answer == process.first["params"]
    assert (answer["device"], answer["dtype"]) == ("cpu", "float32")
    assert len(answer["weights_sha256"]) == 64


def test_ghost_text_and_reuse(process: Process) -> None:
    first = process.ask("ghost", {**GHOST, "session": "reuse"})["result"]
    assert 1 <= first["tokens"] <= 7
    assert 0 < first["confidence"] <= 1
    assert first["reused"] == 0
    assert {"prompt", "prefill", "boundary", "decode"} <= set(first["timeline"])
    typed = {**GHOST, "session": "reuse", "prefix": GHOST["prefix"] + "l"}
    assert process.ask("ghost", typed)["result"]["reused"] > 10


def test_names_are_scored_in_their_order(process: Process) -> None:
    params = {**PROMPT, "prefix": "a = 1\nb = ", "names": ["helper", "ab", "key="]}
    there = process.ask("score", params)["result"]["logprobs"]
    back = process.ask("score", {**params, "names": ["key=", "ab", "helper"]})["result"]["logprobs"]
    assert len(there) == 3
    assert max(there) < 0
    assert there == pytest.approx(back[::-1], abs=NEAR)


@pytest.mark.parametrize(
    ("method", "change", "error"),
    [
        ("ghost", {"prefix": None}, "prefix must be a string"),
        ("ghost", {"max_tokens": "many"}, "max_tokens must be a positive number"),
        ("ghost", {"deadline_ms": -1}, "deadline_ms must be a positive number"),
        ("ghost", {"deadline_ms": 1e-9}, "deadline"),
        ("ghost", {"prefix": "\ud800"}, "surrogate"),
        ("ghost", {"known": []}, "known must be"),
        ("ghost", {"known": {"there": []}}, "known must be"),
        ("ghost", {"known": {"here": ["a", 1]}}, "lists of names"),
        ("ghost", {"known": {"receivers": ["self"]}}, "receivers must be"),
        ("ghost", {"known": {"receivers": {"self": "ab"}}}, "lists of names"),
        ("score", {"names": "ab"}, "names must be a list"),
        ("score", {"names": ["a b"]}, "identifier"),
        ("score", {"names": ["ab"] * 40}, "names"),
        ("train", {}, "unknown method"),
    ],
)
def test_a_bad_request_is_an_error_and_the_next_is_answered(
    process: Process, method: str, change: Params, error: str
) -> None:
    long = {**GHOST, "names": ["ab"], "prefix": "a = 1\n" * 60, "session": "bad"}
    assert error in process.ask(method, {**long, **change})["error"]
    assert "result" in process.ask("ghost", GHOST)


def test_what_is_known_holds_the_text(process: Process) -> None:
    """Whatever the model of this test wants, only one name can stand there."""
    known = {"here": ["zq"], "receivers": {}, "made": []}
    params = {**GHOST, "prefix": "a = 1\nb = a.", "known": known, "session": "held"}
    assert process.ask("ghost", params)["result"]["text"][:2] in ("zq", "z", "")
    nothing = {**params, "known": {**known, "here": []}}
    assert process.ask("ghost", nothing)["result"]["stop"] == "nothing fits"


def test_the_newest_of_a_session_wins_and_cancel_is_heard(process: Process) -> None:
    long = {**GHOST, "prefix": "a = 1\n" * 80, "session": "many", "max_tokens": 64}
    for index in range(20):
        process.send("ghost", {**long, "prefix": long["prefix"] + f"ab{index}"})
    given_up = process.send("ghost", {**long, "session": "other"})
    messages.write(
        process.child.stdin,  # type: ignore[arg-type]
        {"method": "cancel", "params": {"id": given_up}},
    )
    answers = [process.read() for _ in range(21)]
    assert "result" in answers[19]
    errors = [answer.get("error") for answer in answers]
    assert errors.count(messages.SUPERSEDED) >= 17
    assert errors[20] == messages.CANCELLED
    assert "result" in process.ask("ghost", GHOST)


def test_the_log_holds_no_source_code(weights: Path) -> None:
    process = Process(weights)
    process.ask("ghost", {**GHOST, "prefix": "secret_token = 1\nsec"})
    process.ask("score", {**PROMPT, "names": ["secret token"]})
    assert "secret" not in process.end()


def test_missing_weights_are_said_and_every_request_is_answered(tmp_path: Path) -> None:
    process = Process(tmp_path)
    assert process.first["method"] == "failed"
    assert "manifest.json" in process.first["params"]["message"]
    assert "manifest.json" in process.ask("ghost", GHOST)["error"]
    assert "manifest.json" in process.ask("info", {})["error"]
    process.end()


def test_only_the_last_sessions_are_kept(weights: Path) -> None:
    worker = Worker(checkpoint.load(weights, "cpu"))
    reused = []
    for name in ["a", "b", "c", "d", "a", "e", "a", "b"]:
        call = messages.Call(1, "ghost", GHOST, session=name)
        reused.append(worker.ghost(call)["reused"] > 0)
    assert SESSIONS == 4
    assert reused == [False, False, False, False, True, False, True, False]


def test_the_repositorys_ngram_is_mixed_in_where_there_is_one(
    weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(checkpoint.load(weights, "cpu"))
    build([("b.py", b"b = helper.run()\n" * 50)], tmp_path / "there")

    def written(**change: object) -> str:
        call = messages.Call(1, "ghost", {**GHOST, "prefix": "b = hel", "max_tokens": 1, **change})
        return str(worker.ghost(call)["text"])

    alone = written()
    assert written(ngrams=str(tmp_path / "there")) == "per" != alone
    text = "b = heab\nb = he"
    opened = {"path": "b.py", "text": text, "offset": len(text), "prefix": text}
    assert written(ngrams=str(tmp_path / "there"), **opened).startswith("ab")
    assert written(ngrams=str(tmp_path / "nowhere")) == alone
    assert "without the repository's n-gram" in caplog.text


def adapter_to(weights: Path, folder: Path, seed: int, base: str | None = None) -> str:
    """A random adapter that is strong enough to change what is written."""
    loaded = checkpoint.load(weights, "cpu")
    generator = torch.Generator().manual_seed(seed)
    pairs = {
        name: adapter.Pair(
            torch.randn(2, module.in_features, generator=generator),
            torch.randn(module.out_features, 2, generator=generator),
        )
        for name, module in loaded.model.named_modules()
        if name.startswith("blocks.") and isinstance(module, torch.nn.Linear)
    }
    adapter.save(folder, adapter.Adapter(base or loaded.sha256, 2, 1.0, pairs, {"tokens": 9}))
    return str(folder)


def test_the_named_adapter_is_used_for_text_and_for_names(weights: Path, tmp_path: Path) -> None:
    first, second = (adapter_to(weights, tmp_path / f"{seed}", seed) for seed in (1, 2))
    worker = Worker(checkpoint.load(weights, "cpu"))

    def scored(folder: str | None, session: str) -> list[float]:
        params = {**PROMPT, "prefix": "b = ", "names": ["helper", "ab"], "adapter": folder}
        found = worker.score(messages.Call(1, "score", params, session=session))
        assert found["adapter_problem"] == ""
        return list(found["logprobs"])

    alone, adapted, other = (scored(folder, "s") for folder in (None, first, second))
    for one, another in ((alone, adapted), (alone, other), (adapted, other)):
        assert max(abs(a - b) for a, b in zip(one, another, strict=True)) > 10 * NEAR
    # Keys and values that one network cached are never another's: a session of its own says the
    # same as one that was asked through other networks before.
    for folder in (None, first, second, first, None):
        assert scored(folder, "s") == pytest.approx(scored(folder, "fresh"), abs=NEAR)
    direct = adapter.merged(
        worker._speaker._loaded.model, adapter.load(Path(first), worker._speaker._loaded.sha256)
    )
    assert torch.equal(
        worker._adapted_to({"adapter": first}).model.network.blocks[0].qkv.weight,
        direct.blocks[0].qkv.weight,
    )
    written = {
        name: worker.ghost(
            messages.Call(1, "ghost", {**GHOST, "adapter": name}, session=f"{name}")
        )["log_probs"]
        for name in (None, first, second)
    }
    assert len({tuple(each) for each in written.values()}) == 3


def test_only_the_last_adapters_are_kept_and_a_new_one_is_noticed(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [adapter_to(weights, tmp_path / f"{seed}", seed) for seed in range(3)]
    loaded: list[str] = []
    load = adapter.load
    monkeypatch.setattr(
        adapter, "load", lambda folder, base: (loaded.append(folder.name), load(folder, base))[1]
    )
    worker = Worker(checkpoint.load(weights, "cpu"))
    for index in (0, 1, 0, 2, 0, 1):
        worker._adapted_to({"adapter": folders[index]})
    assert ADAPTED == 2
    assert loaded == ["0", "1", "2", "1"]
    adapter_to(weights, tmp_path / "1", 9)
    os.utime(tmp_path / "1" / "adapter.json", ns=(1, 1))
    assert worker._adapted_to({"adapter": folders[1]}).problem == ""
    assert loaded[-1] == "1"
    assert len(loaded) == 5


def test_an_adapter_that_cannot_be_used_is_left_out_with_a_reason(
    weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(checkpoint.load(weights, "cpu"))
    foreign = adapter_to(weights, tmp_path / "foreign", 1, base="0" * 64)
    damaged = adapter_to(weights, tmp_path / "damaged", 1)
    (tmp_path / "damaged" / "adapter.safetensors").write_bytes(b"no")
    alone = worker.ghost(messages.Call(1, "ghost", GHOST))
    for folder, why in (
        (foreign, "another model"),
        (damaged, "damaged"),
        ("nowhere", "no adapter"),
    ):
        for _ in range(2):
            answer = worker.ghost(messages.Call(1, "ghost", {**GHOST, "adapter": folder}))
            assert answer["text"] == alone["text"]
            assert why in answer["adapter_problem"]
    assert caplog.text.count("without the repository's adapter") == 3  # not at every keystroke
    adapter_to(weights, tmp_path / "damaged", 1)
    told = worker.adapter(messages.Call(1, "adapter", {"adapter": damaged}))
    assert told["adapter_problem"] == ""
    assert told["facts"]["tokens"] == 9


def test_the_process_uses_an_adapter(process: Process, weights: Path, tmp_path: Path) -> None:
    folder = adapter_to(weights, tmp_path / "a", 1)
    params = {**PROMPT, "prefix": "b = ", "names": ["helper"]}
    alone = process.ask("score", params)["result"]
    adapted = process.ask("score", {**params, "adapter": folder})["result"]
    assert adapted["adapter_problem"] == ""
    assert adapted["logprobs"] != alone["logprobs"]
    assert process.ask("score", params)["result"] == alone
    (tmp_path / "a" / "adapter.json").unlink()
    left_out = process.ask("score", {**params, "adapter": folder})["result"]
    assert left_out["logprobs"] == alone["logprobs"]
    assert "no adapter" in left_out["adapter_problem"]
