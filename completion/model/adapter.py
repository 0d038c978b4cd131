"""What a model learnt about one repository: a low-rank change of its block matrices, on disk.

LoRA (Hu et al., ICLR 2022): a matrix W (out, in) becomes W + scale · B · A with A (rank, in) and
B (out, rank). A folder holds ``adapter.safetensors``, A and B of every changed matrix, and
``adapter.json``: the SHA-256 of the base model's weights and of the tensors, rank, scale,
repository, date, tokens, and the figures on held-out files. An adapter fits one base only; nothing
is loaded that does not match. It is trained by ``training/adapt.py``; here nothing needs peft.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from completion.model.checkpoint import CheckpointError, write_all
from completion.model.codefill import CodeFill
from indexing.cache import ADAPTER_MARK as FACTS

FORMAT = 1  # raise where an older loader would misread the files
TENSORS = "adapter.safetensors"

Network = TypeVar("Network", bound=nn.Module)


class AdapterError(RuntimeError):
    """The adapter cannot be used or written; the message says which file and why."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The change of one matrix: ``a`` (rank, in) and ``b`` (out, rank)."""

    a: Tensor
    b: Tensor


@dataclass(frozen=True, slots=True)
class Adapter:
    """Changes by the name of the module whose weight they change, and what is known of them."""

    base_sha256: str
    rank: int
    scale: float
    pairs: Mapping[str, Pair]
    facts: Mapping[str, Any] = field(default_factory=dict)


def save(folder: Path, adapter: Adapter) -> None:
    """Write an adapter; what was in the folder stays as it was until all is written.

    Raises AdapterError where it cannot be.
    """
    tensors = {}
    for name, pair in adapter.pairs.items():
        tensors[f"{name}.a"] = pair.a.detach().float().cpu().contiguous()
        tensors[f"{name}.b"] = pair.b.detach().float().cpu().contiguous()
    data = safetensors.torch.save(tensors, metadata={"format": "pt"})
    facts = {
        "format": FORMAT,
        "base_sha256": adapter.base_sha256,
        "rank": adapter.rank,
        "scale": adapter.scale,
        "sha256": hashlib.sha256(data).hexdigest(),
        **adapter.facts,
    }
    try:
        write_all(folder, {TENSORS: data, FACTS: (json.dumps(facts, indent=1) + "\n").encode()})
    except CheckpointError as error:
        raise AdapterError(str(error)) from error


def load(folder: Path, base_sha256: str) -> Adapter:
    """Read and verify an adapter of the model whose weights have this SHA-256.

    Raises AdapterError where there is none, where it is damaged, or made for another model.
    """
    facts = _facts(folder)
    if facts.get("base_sha256") != base_sha256:
        raise AdapterError(f"{folder} was trained for another model: train it again")
    rank, scale = facts.get("rank"), facts.get("scale")
    if not isinstance(rank, int) or not isinstance(scale, int | float):
        raise AdapterError(f"{folder / FACTS} names no rank and scale")
    try:
        data = (folder / TENSORS).read_bytes()
    except OSError as error:
        raise AdapterError(f"{folder / TENSORS}: {error.strerror}") from error
    if hashlib.sha256(data).hexdigest() != facts.get("sha256"):
        raise AdapterError(f"{folder / TENSORS} is damaged: SHA-256 differs from {FACTS}")
    return Adapter(base_sha256, rank, float(scale), _pairs(data, folder), facts)


def remove(folder: Path) -> bool:
    """Delete the adapter in ``folder``; False where there was none. Raises AdapterError."""
    there = (folder / FACTS).exists()
    try:
        for name in (FACTS, TENSORS):  # without its facts nobody reads the tensors
            (folder / name).unlink(missing_ok=True)
        with suppress(OSError):
            folder.rmdir()
    except OSError as error:
        raise AdapterError(f"cannot delete {folder}: {error.strerror}") from error
    return there


def stamp(folder: Path) -> tuple[int, ...]:
    """What changes whenever the adapter in ``folder`` does; never raises."""
    found = []
    for name in (FACTS, TENSORS):
        try:
            found.append((folder / name).stat().st_mtime_ns)
        except OSError:
            found.append(0)
    return tuple(found)


@torch.no_grad()
def merged(network: CodeFill, adapter: Adapter) -> CodeFill:
    """The network with its matrices changed; all else is shared with ``network``.

    Raises AdapterError where the adapter's matrices are not the network's.
    """
    changed = sharing(network)
    for name, pair in adapter.pairs.items():
        try:
            module = changed.get_submodule(name)
        except AttributeError as error:
            raise AdapterError(f"the model has no matrix {name}") from error
        weight = getattr(module, "weight", None)
        if not isinstance(weight, Tensor) or weight.shape != (len(pair.b), pair.a.shape[-1]):
            raise AdapterError(f"the adapter does not fit the model's matrix {name}")
        delta = adapter.scale * (pair.b @ pair.a).to(weight.device)
        total = (weight.float() + delta).to(weight.dtype)  # rounded once, also on a GPU
        module.register_parameter("weight", nn.Parameter(total, requires_grad=False))
    return changed


def sharing(network: Network) -> Network:
    """Modules of its own over the same tensors: what is replaced in it stays in ``network``."""
    shared: dict[int, Any] = {
        id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())
    }
    return copy.deepcopy(network, shared)


def _facts(folder: Path) -> dict[str, Any]:
    path = folder / FACTS
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise AdapterError(f"no adapter in {folder}: {error.strerror}") from error
    except ValueError as error:
        raise AdapterError(f"{path} is damaged: {error}") from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise AdapterError(f"{path} is not of format {FORMAT}, the one this Lancefill reads")
    return facts


def _pairs(data: bytes, folder: Path) -> dict[str, Pair]:
    try:
        tensors = safetensors.torch.load(data)
        names = [name.removesuffix(".a") for name in tensors if name.endswith(".a")]
        pairs = {name: Pair(tensors[f"{name}.a"], tensors[f"{name}.b"]) for name in names}
    except (safetensors.SafetensorError, KeyError) as error:
        raise AdapterError(f"{folder / TENSORS} does not hold A and B of matrices") from error
    if not all(_fit(pair) for pair in pairs.values()):
        raise AdapterError(f"{folder / TENSORS}: A and B do not go together")
    return pairs


def _fit(pair: Pair) -> bool:
    return pair.a.ndim == pair.b.ndim == 2 and len(pair.a) == pair.b.shape[1]
