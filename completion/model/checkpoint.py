"""The shipped model on disk, and the only way into memory.

A folder holds ``model.safetensors`` (bfloat16), ``tokenizer.json``, ``MODEL_CARD.md`` and
``manifest.json``, which names the format, the network's configuration, the AST types, what was
trained on what, and the SHA-256 of the two files that are loaded. Nothing is loaded that does not
match it, so a truncated download or a tokenizer of another model is an error in words.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from completion.model.codefill import CodeFill, Config
from completion.model.tokenizer import Tokenizer
from completion.model.types import STATE_NAMES
from completion.spelling.vocabulary import TokenizerError

FORMAT = 1  # raise where an older loader would misread the files
SHIPPED = Path(__file__).resolve().parent.parent / "weights"
MODEL, TOKENIZER, MANIFEST = "model.safetensors", "tokenizer.json", "manifest.json"
CARD = "MODEL_CARD.md"


class CheckpointError(RuntimeError):
    """The model cannot be loaded; the message says which file and why."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model ready to run, in evaluation mode."""

    model: CodeFill
    tokenizer: Tokenizer
    config: Config
    device: torch.device
    dtype: torch.dtype
    manifest: dict[str, Any]

    @property
    def types(self) -> list[str]:
        """The names of the AST types that the type head predicts."""
        return list(self.manifest["types"])

    @property
    def sha256(self) -> str:
        """The SHA-256 of the weights, which says which model this is."""
        return str(self.manifest["files"][MODEL]["sha256"])


def load(
    folder: Path | None = None,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> Loaded:
    """Read and verify a model; the shipped one, on the best device, unless told otherwise.

    Raises CheckpointError where a file is missing, damaged or belongs to another model, and where
    the memory does not suffice.
    """
    place = SHIPPED if folder is None else folder
    manifest = _manifest(place)
    config = _config(manifest, place)
    _check_types(manifest, config, place)
    tokenizer = _tokenizer(manifest, config, place)
    target = torch.device(device) if device is not None else best_device()
    number = dtype if dtype is not None else best_dtype(target)
    try:
        data = _verified(place, MODEL, manifest)
        model = _network(config, data, place).to(device=target, dtype=number).eval()
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise CheckpointError(f"not enough memory to load {place / MODEL} on {target}") from error
    return Loaded(
        model.requires_grad_(requires_grad=False), tokenizer, config, target, number, manifest
    )


def save(folder: Path, model: CodeFill, tokenizer: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Write a model and its manifest, ``facts`` included.

    What was in the folder stays as it was until all files are written; the manifest comes last.
    Raises CheckpointError where they cannot be.
    """
    weights = {
        name: weight.detach().to("cpu", torch.bfloat16).contiguous()
        for name, weight in model.state_dict().items()
    }
    files = {
        MODEL: safetensors.torch.save(weights, metadata={"format": "pt"}),
        TOKENIZER: tokenizer.read_bytes(),
    }
    manifest = {
        "format": FORMAT,
        "config": model.config.to_json(),
        "parameters": sum(weight.numel() for weight in weights.values()),
        "states_sha256": states_digest(),
        "files": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            for name, data in files.items()
        },
        **facts,
    }
    write_all(folder, {**files, MANIFEST: (json.dumps(manifest, indent=1) + "\n").encode()})
    return manifest


def best_device() -> torch.device:
    """CUDA where there is one, else the processor."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def best_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 on GPUs, float32 on processors."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def states_digest() -> str:
    """A hash of the names of the syntactic states: a model knows them by number."""
    return hashlib.sha256("\n".join(STATE_NAMES).encode()).hexdigest()


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CheckpointError(f"no model in {folder}: {path.name}: {error.strerror}") from error
    except ValueError as error:
        raise CheckpointError(f"{path} is damaged: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not of format {FORMAT}, the one this Lancefill reads")
    return manifest


def config_of(shape: Mapping[str, Any]) -> Config:
    """The network's configuration; what ``shape`` leaves out has its default.

    Raises ValueError for a field that nobody knows or that is no such number.
    """
    defaults: dict[str, object] = {field.name: field.default for field in fields(Config)}
    for name, value in shape.items():
        if name not in defaults:
            raise ValueError(f"the network has no field {name}")
        if not _like(value, defaults[name]):
            raise ValueError(f"{name} cannot be {value!r}")
    try:
        return Config(**shape)
    except ZeroDivisionError as error:
        raise ValueError(f"heads cannot be none: {dict(shape)}") from error


def _like(value: object, default: object) -> bool:
    """Whether a value is a number where the default is one: an integer may stand for a float."""
    if isinstance(default, bool):
        return isinstance(value, bool)
    if not isinstance(default, int | float):
        return True  # the network's own to judge
    kinds = (int, float) if isinstance(default, float) else (int,)
    return type(value) in kinds and isinstance(value, int | float) and value >= 0


def _config(manifest: dict[str, Any], folder: Path) -> Config:
    try:
        config = config_of(manifest["config"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{folder / MANIFEST}: bad configuration: {error}") from error
    if manifest.get("states_sha256") != states_digest():
        raise CheckpointError(f"{folder}: trained with other syntactic states; train it again")
    return config


def _check_types(manifest: dict[str, Any], config: Config, folder: Path) -> None:
    types = manifest.get("types")
    if not isinstance(types, list) or not all(isinstance(name, str) for name in types):
        raise CheckpointError(f"{folder / MANIFEST} does not name the AST types")
    if len(types) > config.types:
        raise CheckpointError(
            f"{folder / MANIFEST}: {len(types)} AST types for a network of {config.types}"
        )


def _tokenizer(manifest: dict[str, Any], config: Config, folder: Path) -> Tokenizer:
    _verified(folder, TOKENIZER, manifest)
    try:
        tokenizer = Tokenizer.load(folder / TOKENIZER)
    except TokenizerError as error:
        raise CheckpointError(str(error)) from error
    if tokenizer.size != config.values:
        raise CheckpointError(f"{folder}: {tokenizer.size} tokens for a network of {config.values}")
    return tokenizer


def _verified(folder: Path, name: str, manifest: dict[str, Any]) -> bytes:
    """The file's bytes, if they are those that the manifest was written for."""
    try:
        data = (folder / name).read_bytes()
        expected = manifest["files"][name]
        size, digest = int(expected["bytes"]), str(expected["sha256"])
    except OSError as error:
        raise CheckpointError(f"{folder / name}: {error.strerror}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{folder / MANIFEST} does not describe {name}") from error
    if len(data) != size:
        raise CheckpointError(
            f"{folder / name} has {len(data)} bytes instead of {size}: truncated?"
        )
    if hashlib.sha256(data).hexdigest() != digest:
        raise CheckpointError(f"{folder / name} is not the file of this model (SHA-256 differs)")
    return data


def _network(config: Config, data: bytes, folder: Path) -> CodeFill:
    try:
        model = CodeFill(config)
        model.load_state_dict(safetensors.torch.load(data))
    except (RuntimeError, safetensors.SafetensorError) as error:
        if out_of_memory(error):
            raise
        why = " ".join(str(error).split())  # torch lists names on lines of their own
        raise CheckpointError(f"{folder / MODEL} does not fit its configuration: {why}") from error
    return model


def out_of_memory(error: Exception) -> bool:
    """Whether ``error`` is the processor's or the GPU's way to say that nothing is left."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "allocate memory" in str(error)


def write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write every file beside its place, then move all of them there in this order."""
    parts = {name: folder / f"{name}.part" for name in files}
    path = folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            path = parts[name]
            path.write_bytes(data)
        for name, part in parts.items():
            path = folder / name
            part.replace(path)
    except OSError as error:
        for part in parts.values():
            with suppress(OSError):
                part.unlink()
        raise CheckpointError(f"cannot write {path}: {error.strerror}") from error
