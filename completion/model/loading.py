"""A causal model of transformers from a folder into memory, and nothing that does not fit.

A folder is what ``save_pretrained`` or a snapshot of a hub leaves: ``config.json``, weights in
safetensors (in pieces with ``model.safetensors.index.json``, or one), ``tokenizer.json``. Other
kinds of weights may run code when they are read and are not read. No socket is opened.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from completion.model.causal import CausalNetwork, NetworkError, check
from completion.model.checkpoint import best_device, out_of_memory
from completion.model.quantised import quantise_linears

CONFIG = "config.json"
WEIGHTS, PIECES = "model.safetensors", "model.safetensors.index.json"
NAMED = 3
"""How many of the wrong weights an error names."""


@dataclass(frozen=True, slots=True)
class LoadedCausal:
    """A model ready to run; ``notes`` say what was done otherwise than asked, and why."""

    network: CausalNetwork
    parameters: int
    notes: tuple[str, ...] = ()


def load(
    folder: Path,
    vocabulary: int,
    *,
    device: str = "auto",
    dtype: torch.dtype | None = None,
    trust_remote_code: bool = False,
    eight_bits: bool = False,
) -> LoadedCausal:
    """Read a model, try it, and give it back on the best device in the best type.

    ``vocabulary`` is its tokenizer's number of tokens; ``device`` is auto, cpu or cuda.
    ``eight_bits``: linear maps read one byte a weight where few rows are multiplied, on a
    processor. Where the GPU's memory does not suffice the processor is taken, with a note. Raises
    NetworkError.
    """
    weight_files(folder)
    target = _device(device)
    code = trust_remote_code
    try:
        return _loaded(folder, vocabulary, target, dtype, code=code, eight_bits=eight_bits)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        if target.type == "cpu":
            raise NetworkError(f"not enough memory to load {folder}") from error
    if target.type == "cuda":
        torch.cuda.empty_cache()
    note = "not enough memory on the GPU: it runs on the processor"
    cpu = torch.device("cpu")
    try:
        found = _loaded(folder, vocabulary, cpu, dtype, code=code, eight_bits=eight_bits)
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise NetworkError(f"not enough memory to load {folder}, on the GPU or off it") from error
    return LoadedCausal(found.network, found.parameters, (note, *found.notes))


def best_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the device computes in it, as processors with AVX512-BF16 or AMX do.

    Else float16 on GPUs and float32 on processors, where the narrower types are slower.
    """
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    able = torch.cpu.get_capabilities()
    return torch.bfloat16 if able.get("avx512_bf16") or able.get("amx_bf16") else torch.float32


def weight_files(folder: Path) -> list[Path]:
    """The files of weights in ``folder``, each of them whole.

    Raises NetworkError where there are none, where one is missing, and where one is damaged.
    """
    if not folder.is_dir():
        raise NetworkError(f"there is no folder {folder}")
    if not (folder / CONFIG).is_file():
        raise NetworkError(f"there is no model in {folder}: it has no {CONFIG}")
    names = _pieces(folder) if (folder / PIECES).is_file() else [WEIGHTS]
    files = [folder / name for name in names]
    missing = [file.name for file in files if not file.is_file()]
    if missing == [WEIGHTS] and _other_weights(folder):
        raise NetworkError(
            f"{folder} has no weights in safetensors, and other kinds may run code when read"
        )
    if missing:
        raise NetworkError(f"{folder} lacks {_few(missing)}: was the download interrupted?")
    for file in files:
        try:
            with safetensors.safe_open(file, framework="pt"):
                pass
        except (OSError, safetensors.SafetensorError) as error:
            raise NetworkError(f"{file} is damaged: {_one_line(error)}") from error
    return files


def _pieces(folder: Path) -> list[str]:
    path = folder / PIECES
    try:
        names = sorted(set(json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise NetworkError(f"{path} is damaged: {_one_line(error)}") from error
    if not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise NetworkError(f"{path} names files outside its folder")
    return names


def _other_weights(folder: Path) -> bool:
    return any(file.suffix in (".bin", ".pt", ".pth", ".ckpt", ".h5") for file in folder.iterdir())


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        raise NetworkError("there is no GPU that torch can use; take the device auto or cpu")
    return best_device() if name == "auto" else torch.device(name)


def _loaded(
    folder: Path,
    vocabulary: int,
    device: torch.device,
    dtype: torch.dtype | None,
    *,
    code: bool,
    eight_bits: bool,
) -> LoadedCausal:
    number = best_dtype(device) if dtype is None else dtype
    model = _read(folder, number, code=code)
    network = CausalNetwork(model.to(device).eval().requires_grad_(requires_grad=False), vocabulary)
    check(network)
    parameters = sum(weight.numel() for weight in model.parameters())
    notes = []
    if eight_bits and not quantise_linears(model):
        notes.append("not in eight bits, which needs a processor and float32")
    elif eight_bits:
        network = CausalNetwork(model, vocabulary)  # its head is another module now
    return LoadedCausal(network, parameters, tuple(notes))


def _read(folder: Path, dtype: torch.dtype, *, code: bool) -> Any:  # noqa: ANN401 - any architecture
    """The model as transformers reads it. Raises NetworkError where weights do not fit."""
    read: Any = AutoModelForCausalLM.from_pretrained
    try:
        with _quietly():
            model, info = read(
                folder,
                dtype=dtype,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=code,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are named below
            )
    except Exception as error:
        if out_of_memory(error):
            raise
        raise _unread(folder, error, code=code) from error
    wrong = [
        str(name if isinstance(name, str) else name[0])
        for kind in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs")
        for name in info.get(kind, ())
    ]
    if wrong:
        raise NetworkError(
            f"the weights in {folder} do not fit its {CONFIG}: {_few(sorted(wrong))}"
        )
    return model


def _unread(folder: Path, error: Exception, *, code: bool) -> NetworkError:
    whole = _one_line(error)
    why = whole.partition(". ")[0]  # what follows is advice to programmers
    if not code and "trust_remote_code" in whole:
        why = (
            "its architecture comes as code of its own, which is not run unless the model was "
            "added with --trust-remote-code"
        )
    return NetworkError(f"cannot load {folder}: {why}")


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the progress bars and reports of transformers; errors come as exceptions."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def _few(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
