"""Loading the model: the same network comes back, and nothing damaged is loaded."""

from __future__ import annotations

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
        ({"config": {"unknown": 1}}, "configuration"),
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


def test_a_network_of_another_size_is_refused(folder: Path) -> None:
    path = folder / checkpoint.MANIFEST
    manifest = json.loads(path.read_text())
    manifest["config"]["layers"] = 2
    path.write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="does not fit its configuration"):
        load(folder)


def test_a_tokenizer_of_another_size_is_refused(folder: Path) -> None:
    path = folder / checkpoint.MANIFEST
    manifest = json.loads(path.read_text())
    manifest["config"]["values"] += 1
    path.write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="tokens for a network"):
        load(folder)


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_a_damaged_manifest_is_named(folder: Path, content: str) -> None:
    (folder / checkpoint.MANIFEST).write_text(content)
    with pytest.raises(CheckpointError, match=r"manifest\.json"):
        load(folder)
