"""``lancefill study``: which arm, and which size, for the processor time at hand.

Every run reads the same rows with the same vocabulary. Arms are compared at one depth and one
number of tokens. Depths are compared at one number of floating-point operations: the deeper the
network, the fewer tokens it gets. Over the logarithm of size the loss then is about a parabola
(Hoffmann et al., Training Compute-Optimal Large Language Models, 2022, approach 2).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from completion.model.checkpoint import MANIFEST
from completion.model.codefill import Config
from training import train
from training.trainer import Plan

SHARED = ("tokenizer.json", "types.json", "train.npz", "valid.npz")


@dataclass(frozen=True, slots=True)
class Run:
    """One network to train; ``tokens`` of a budget in operations."""

    arm: str
    depth: int
    tokens: int

    @property
    def name(self) -> str:
        """The folder's name: another run has another one."""
        return f"{self.arm.replace(' ', '-')}-{self.depth}-{self.tokens}"


@dataclass(frozen=True, slots=True)
class Result:
    """What came out of one run on the held-out packages."""

    arm: str
    depth: int
    tokens: int
    weights: int  # that take part in a product for every token
    parameters: int
    hours: float
    prefix_bits: float  # per byte
    middle_bits: float
    middle_accuracy: float


def plan_runs(arms: Sequence[str], depths: Sequence[int], depth: int, tokens: int) -> list[Run]:
    """Arms at ``depth`` with ``tokens``, and the first arm at the other depths, at equal cost."""
    operations = tokens * working_weights(depth)
    sized = [
        Run(arms[0], one, round(operations / working_weights(one)))
        for one in depths
        if one != depth
    ]
    return [*(Run(arm, depth, tokens) for arm in arms), *sized]


def working_weights(depth: int) -> int:
    """Weights that multiply every token: six operations each in training."""
    config = Config.of_depth(depth)
    joint = (config.heads + 2 * config.kv_heads) * config.head_width
    block = config.width * (joint + config.width + 3 * config.hidden)
    return config.layers * block + config.width * config.values


def run(
    run_folder: Path, corpus_folder: Path, runs: Sequence[Run], processes: int | None = None
) -> list[Result]:
    """Train what is not there yet under ``run_folder``; raises what ``train.run`` raises.

    Stops with fewer results where training was stopped; the same call goes on.
    """
    results: list[Result] = []
    for one in runs:
        folder = run_folder / one.name
        if not (folder / "model" / MANIFEST).is_file():
            _share(run_folder, folder)
            plan = Plan(arm=one.arm, tokens=one.tokens)
            config = Config.of_depth(one.depth)
            done = train.run(folder, corpus_folder, plan=plan, config=config, processes=processes)
            if done is None:
                break
            _share(folder, run_folder)
        results.append(_result(one, json.loads((folder / "model" / MANIFEST).read_text())))
        _write(run_folder / "study.json", results)
    return results


def best_size(results: Sequence[Result]) -> float | None:
    """The number of working weights at the bottom of the parabola through runs of equal cost.

    None where there are fewer than three or the parabola has no bottom between them.
    """
    sizes = np.log([result.weights for result in results])
    if len(set(sizes)) < 3:
        return None
    square, linear, _ = np.polyfit(sizes, [result.prefix_bits for result in results], 2)
    if square <= 0 or not sizes.min() <= (bottom := -linear / (2 * square)) <= sizes.max():
        return None
    return float(np.exp(bottom))


def _share(source: Path, target: Path) -> None:
    """Link what all runs read, where ``source`` has it and ``target`` has not."""
    target.mkdir(parents=True, exist_ok=True)
    for name in SHARED:
        if (source / name).is_file() and not (target / name).exists():
            (target / name).hardlink_to((source / name).resolve())


def _result(one: Run, manifest: dict[str, Any]) -> Result:
    metrics = manifest["metrics"]
    return Result(
        arm=one.arm,
        depth=one.depth,
        tokens=manifest["training"]["tokens"],
        weights=working_weights(one.depth),
        parameters=manifest["parameters"],
        hours=manifest["training"]["hours"],
        prefix_bits=metrics["prefix"]["bits_per_byte"],
        middle_bits=metrics["middle"]["bits_per_byte"],
        middle_accuracy=metrics["middle"]["accuracy"],
    )


def _write(path: Path, results: Sequence[Result]) -> None:
    path.write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")
