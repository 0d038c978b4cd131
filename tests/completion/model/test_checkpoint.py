"""Loading the model: the same network comes back, and nothing damaged is loaded."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import safetensors.torch
import torch

from completion.model import checkpoint
from completion.model.checkpoint import CheckpointError, load, save
from completion.model.codefill import CodeFill, Config
from completion.model.tokenizer import Tokenizer
from training import bpe
from training.corpus import SourceFile

TYPES = ["other", "end"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tokenizer = tmp_path / "run" / "tokenizer.json"
    bpe.train([SourceFile("p", "a.py", "def f(x): return x\n" * 50)], tokenizer, size=280)
    values = Tokenizer.load(tokenizer).size
    torch.manual_seed(0)
    model = CodeFill(Config(values=values, width=32, layers=1, heads=2, kv_heads=1, hidden=16))
    save(tmp_path / "model", model, tokenizer, {"types": TYPES})
    return tmp_path / "model"


def test_what_was_saved_comes_back(folder: Path) -> None:
    loaded = load(folder, device="cpu")
    saved = safetensors_of(folder)
    assert loaded.dtype == torch.float32
    assert loaded.types == TYPES
    assert not loaded.model.training
    for name, weight in loaded.model.state_dict().items():
        assert torch.equal(weight, saved[name].float())
    assert loaded.manifest["parameters"] == sum(one.numel() for one in saved.values())


def safetensors_of(folder: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(folder / checkpoint.MODEL)


@pytest.mark.parametrize("name", [checkpoint.MODEL, checkpoint.TOKENIZER, checkpoint.MANIFEST])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        load(folder)


@pytest.mark.parametrize("name", [checkpoint.MODEL, checkpoint.TOKENIZER])
def test_a_truncated_file_is_not_loaded(folder: Path, name: str) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-7])
    with pytest.raises(CheckpointError, match="truncated"):
        load(folder)


@pytest.mark.parametrize("name", [checkpoint.MODEL, checkpoint.TOKENIZER])
def test_a_changed_file_is_not_loaded(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[-2] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(CheckpointError, match="SHA-256"):
        load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "format"),
        ({"config": {"width": 31}}, "configuration"),
        ({"config": {"unknown": 1}}, "no field unknown"),
        ({"config": {"layers": "2"}}, "layers cannot be '2'"),
        ({"config": {"layers": -2}}, "layers cannot be -2"),
        ({"config": {"heads": 0}}, "configuration"),
        ({"config": []}, "configuration"),
        ({"types": None}, "does not name the AST types"),
        ({"types": [1]}, "does not name the AST types"),
        ({"types": ["one"] * 129}, "129 AST types for a network of 128"),
        ({"states_sha256": "0"}, "syntactic states"),
        ({"files": {}}, "does not describe"),
    ],
)
def test_a_manifest_of_something_else_is_refused(
    folder: Path, change: dict[str, object], message: str
) -> None:
    path = folder / checkpoint.MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(CheckpointError, match=message):
        load(folder)


@pytest.mark.parametrize(
    ("name", "value"), [("layers", 2), ("hidden", 24), ("states", 64), ("hidden", 2**61)]
)
def test_a_network_of_another_size_is_refused(folder: Path, name: str, value: int) -> None:
    path = folder / checkpoint.MANIFEST
    manifest = json.loads(path.read_text())
    manifest["config"][name] = value
    path.write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="does not fit its configuration") as raised:
        load(folder)
    assert "\n" not in str(raised.value)


def test_a_tokenizer_of_another_size_is_refused(folder: Path) -> None:
    path = folder / checkpoint.MANIFEST
    manifest = json.loads(path.read_text())
    manifest["config"]["values"] += 1
    path.write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="tokens for a network"):
        load(folder)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (checkpoint.MODEL, "does not fit its configuration"),
        (checkpoint.TOKENIZER, "cannot read the tokenizer"),
    ],
)
def test_a_file_that_is_none_of_its_kind_is_refused(folder: Path, name: str, message: str) -> None:
    """As the manifest has it, and nonsense all the same."""
    data = b"nothing of the kind"
    (folder / name).write_bytes(data)
    path = folder / checkpoint.MANIFEST
    manifest = json.loads(path.read_text())
    digest = hashlib.sha256(data).hexdigest()
    manifest["files"][name] = {"bytes": len(data), "sha256": digest}
    path.write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match=message):
        load(folder)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"),
        torch.OutOfMemoryError("CUDA out of memory"),
    ],
)
@pytest.mark.parametrize("place", ["__init__", "load_state_dict", "to"])
def test_memory_that_does_not_suffice(
    folder: Path, error: Exception, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(CodeFill, place, fail)
    with pytest.raises(CheckpointError, match=r"not enough memory to load .*model\.safetensors"):
        load(folder, device="cpu")


def test_another_error_is_not_taken_for_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a kernel is missing")

    monkeypatch.setattr(CodeFill, "to", fail)
    with pytest.raises(RuntimeError, match="a kernel is missing"):
        load(folder, device="cpu")


@pytest.mark.parametrize("failing", ["model.safetensors.part", "manifest.json.part"])
def test_what_cannot_be_written_leaves_the_old_model(
    folder: Path, failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    write = Path.write_bytes

    def refuse(path: Path, data: bytes) -> int:
        if path.name == failing:
            raise PermissionError(13, "Permission denied", str(path))
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", refuse)
    other = CodeFill(load(folder, device="cpu").config)
    with pytest.raises(CheckpointError, match=rf"cannot write .*{failing}: Permission denied"):
        save(folder, other, folder / checkpoint.TOKENIZER, {"types": TYPES})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_file_where_the_folder_should_be(folder: Path) -> None:
    model = load(folder, device="cpu").model
    taken = folder / checkpoint.MODEL
    with pytest.raises(CheckpointError, match="cannot write"):
        save(taken, model, folder / checkpoint.TOKENIZER, {"types": TYPES})
    with pytest.raises(CheckpointError, match="cannot write"):
        save(taken / "below", model, folder / checkpoint.TOKENIZER, {"types": TYPES})


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_damaged_manifest_is_named(folder: Path, content: str) -> None:
    (folder / checkpoint.MANIFEST).write_text(content)
    with pytest.raises(CheckpointError, match=r"manifest\.json"):
        load(folder)
