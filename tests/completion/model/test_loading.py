"""Folders with models: what fits is loaded, what does not is said in one line."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from completion.model import loading
from completion.model.causal import NetworkError
from completion.model.loading import LoadedCausal, load, weight_files
from completion.model.quantised import FEW
from tests.completion.model.architectures import tiny

torch.set_num_threads(1)

VOCABULARY = 90
OWN_CODE = {"AutoConfig": "own.C", "AutoModelForCausalLM": "own.M"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    tiny("llama", 97).save_pretrained(folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    shutil.copytree(saved, tmp_path / "model")
    return tmp_path / "model"


def configure(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def test_what_was_saved_is_loaded(folder: Path) -> None:
    found = load(folder, VOCABULARY, device="cpu", dtype=torch.float32)
    wanted = tiny("llama", 97)
    ids = torch.tensor([[3, 5, 8]])
    logits = found.network.heads(found.network.trunk(ids)).value_logits
    assert torch.allclose(logits, wanted(input_ids=ids).logits[..., :VOCABULARY], atol=1e-4)
    assert found.parameters == sum(weight.numel() for weight in wanted.parameters())
    assert found.notes == ()
    assert not any(weight.requires_grad for weight in found.network.model.parameters())


def test_weights_in_pieces(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    tiny("llama", 97).save_pretrained(folder, max_shard_size=20_000)
    assert len(weight_files(folder)) > 1
    load(folder, VOCABULARY, device="cpu")
    weight_files(folder)[1].unlink()
    with pytest.raises(NetworkError, match=r"lacks model-00002.* was the download interrupted"):
        load(folder, VOCABULARY)


def test_nothing_is_asked_of_the_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    load(folder, VOCABULARY, device="cpu")


def test_eight_bits_are_near(folder: Path) -> None:
    exact = load(folder, VOCABULARY, device="cpu", dtype=torch.float32).network
    found = load(folder, VOCABULARY, device="cpu", dtype=torch.float32, eight_bits=True)
    few, many = torch.arange(8)[None], torch.arange(FEW + 1)[None]
    of = lambda network, ids: network.heads(network.trunk(ids)[0]).value_logits  # noqa: E731
    assert found.notes == ()
    assert not torch.equal(of(found.network, few), of(exact, few))
    off = (of(found.network, few) - of(exact, few)).abs().max() / of(exact, few).std()
    assert off < 0.2
    assert torch.allclose(found.network.trunk(many), exact.trunk(many), atol=1e-5)


def test_eight_bits_need_float32(folder: Path) -> None:
    found = load(folder, VOCABULARY, device="cpu", dtype=torch.bfloat16, eight_bits=True)
    assert found.network.dtype == torch.bfloat16
    assert found.notes == ("not in eight bits, which needs a processor and float32",)


@pytest.mark.parametrize(
    ("able", "wanted"),
    [
        ({}, torch.float32),
        ({"avx512_bf16": True}, torch.bfloat16),
        ({"amx_bf16": True}, torch.bfloat16),
    ],
)
def test_the_type_is_the_processors(
    able: dict[str, bool], wanted: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert loading.best_dtype(torch.device("cpu")) == wanted


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_hidden_layers": 3}, r"do not fit its config.json: model.layers.2.* and \d+ more"),
        ({"num_hidden_layers": 1}, r"do not fit its config.json: model.layers.1"),
        ({"hidden_size": 64}, "do not fit its config.json: lm_head.weight"),
        ({"vocab_size": 96}, "do not fit its config.json: lm_head.weight, model.embed_tokens"),
        ({"model_type": "nonsense"}, "cannot load .*`nonsense`"),
        ({"num_attention_heads": 0}, "cannot load"),
        (
            {"model_type": "own", "auto_map": OWN_CODE},
            "code of its own, which is not run unless",
        ),
    ],
)  # fmt: skip
def test_a_configuration_that_does_not_fit(
    folder: Path, changes: dict[str, Any], message: str
) -> None:
    configure(folder, **changes)
    with pytest.raises(NetworkError, match=message) as raised:
        load(folder, VOCABULARY, device="cpu")
    assert "\n" not in str(raised.value)


def _cut(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-9])


def _poison(folder: Path) -> None:
    path = folder / "model.safetensors"
    weights = safetensors.torch.load_file(path)
    weights["model.norm.weight"][0] = float("inf")
    safetensors.torch.save_file(weights, path, metadata={"format": "pt"})


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), "it has no config.json"),
        (lambda folder: (folder / "config.json").write_text("{"), "cannot load"),
        (lambda folder: (folder / "config.json").write_text("[]"), "cannot load"),
        (lambda folder: (folder / "model.safetensors").unlink(), "lacks model.safetensors"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b""), "is damaged"),
        (
            lambda folder: (folder / "model.safetensors.index.json").write_text("{}"),
            "index.json is damaged",
        ),
        (
            lambda folder: (folder / "model.safetensors.index.json").write_text(
                '{"weight_map": {"a": "../model.safetensors"}}'
            ),
            "outside its folder",
        ),
        (_cut, "is damaged"),
        (_poison, "no finite numbers"),
        (_pickled, "no weights in safetensors, and other kinds may run code"),
        (shutil.rmtree, "there is no folder"),
    ],
)
def test_a_damaged_folder(folder: Path, damage: Callable[[Path], object], message: str) -> None:
    damage(folder)
    with pytest.raises(NetworkError, match=message) as raised:
        load(folder, VOCABULARY, device="cpu")
    assert "\n" not in str(raised.value)


def test_no_gpu(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(NetworkError, match="there is no GPU"):
        load(folder, VOCABULARY, device="cuda")


def test_out_of_gpu_memory_falls_back_to_the_processor(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = loading._loaded

    def failing(*arguments: Any, **options: bool) -> LoadedCausal:  # noqa: ANN401
        if torch.device("meta") in arguments:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return loaded(*arguments, **options)

    monkeypatch.setattr(loading, "_loaded", failing)
    monkeypatch.setattr(loading, "best_device", lambda: torch.device("meta"))
    found = load(folder, VOCABULARY)
    assert found.network.device.type == "cpu"
    assert found.notes == ("not enough memory on the GPU: it runs on the processor",)


def test_out_of_memory_altogether(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(loading, "_loaded", failing)
    with pytest.raises(NetworkError, match="not enough memory to load"):
        load(folder, VOCABULARY, device="cpu")
