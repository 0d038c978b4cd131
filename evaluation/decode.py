"""Milliseconds per decoded token of the shipped model, in a process of its own.

Run by ``lancefill eval latency`` as ``python -m evaluation.decode CONTEXT TOKENS [float]``, with
the model and the threads of the model process (with ``float`` without its eight-bit weights),
because what the processor may use (``ATEN_CPU_CAPABILITY``, ``ONEDNN_MAX_CPU_ISA``) is read when
torch starts.
Prints one line of JSON: device, dtype, threads and the milliseconds of every token.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace

import torch

from completion.model.checkpoint import Loaded, load
from completion.model.codefill import KVCache
from completion.model.quantised import quantised
from completion.model.worker import threads

WARM_UP = 8
FLOAT = "float"


@torch.inference_mode()
def milliseconds_per_token(loaded: Loaded, context: int, tokens: int, seed: int = 0) -> list[float]:
    """Return what each of ``tokens`` one-token steps takes after ``context`` cached tokens.

    The tokens are random: the work does not depend on which they are. The first steps, which warm
    caches up, are left out.
    """
    generator = torch.Generator().manual_seed(seed)
    shape = (1, context + WARM_UP + tokens)
    config = loaded.config
    values = torch.randint(config.values, shape, generator=generator).to(loaded.device)
    states = torch.randint(config.states, shape, generator=generator).to(loaded.device)
    cache = KVCache.empty(config, dtype=loaded.dtype, device=loaded.device)
    loaded.model(values[:, :context], states[:, :context], cache=cache, last_only=True)
    spent = []
    for step in range(context, shape[1]):
        start = time.perf_counter()
        one = slice(step, step + 1)
        output = loaded.model(values[:, one], states[:, one], cache=cache, last_only=True)
        output.value_logits.argmax().item()  # waits for the device
        spent.append(1000 * (time.perf_counter() - start))
    return spent[WARM_UP:]


def main(arguments: list[str]) -> None:
    """Measure and print."""
    context, tokens = map(int, arguments[:2])
    torch.set_num_threads(threads())
    loaded = load()
    if arguments[2:] != [FLOAT]:
        loaded = replace(loaded, model=quantised(loaded.model))
    print(
        json.dumps(
            {
                "device": str(loaded.device),
                "dtype": str(loaded.dtype).removeprefix("torch."),
                "threads": torch.get_num_threads(),
                "capability": torch.backends.cpu.get_cpu_capability(),
                "parameters": sum(weight.numel() for weight in loaded.model.parameters()),
                "ms": milliseconds_per_token(loaded, context, tokens),
            }
        )
    )


if __name__ == "__main__":
    main(sys.argv[1:])
