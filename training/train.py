"""``lancefill train``: corpus to weights in one command that can be stopped and started again.

The budget is a length of time. The learning rate follows the share of it that is spent, so a run
ends well on whatever machine it runs, and one that was interrupted goes on where it stood: the
checkpoint holds weights, optimiser state, the place in the data and the time spent.
"""

from __future__ import annotations

import json
import logging
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import nn

from completion.model.codefill import CodeFill, Config
from training.batches import Batch, collate, plan_epoch
from training.loss import Loss, loss_of
from training.prepare import prepare
from training.shards import Shard

LOG = logging.getLogger(__name__)

WARM_UP, DECAY = 0.02, 0.5  # shares of the budget: rise, and the straight fall to nothing
CLIP = 1.0
CHECKPOINT_SECONDS = 120.0
PROGRESS_STEPS = 20
VALID_SECONDS = 600.0
VALID_BATCHES = 16


class TrainingError(RuntimeError):
    """The run cannot start or go on; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How one run is trained; a run is resumed with the plan it began with."""

    minutes: float = 70.0
    rows: int = 48_000
    batch_tokens: int = 4096
    matrix_rate: float = 0.02  # Muon, on the matrices of the blocks
    other_rate: float = 3e-3  # AdamW, on embeddings, heads and norms
    seed: int = 0
    processes: int = 2


@dataclass(slots=True)
class Progress:
    """Where a run stands."""

    step: int = 0
    epoch: int = 0
    batch: int = 0  # within the epoch
    tokens: int = 0
    seconds: float = 0.0


def run(
    run_folder: Path, corpus_folder: Path, plan: Plan | None = None, config: Config | None = None
) -> Path:
    """Prepare what is missing, train until the budget is spent, return the checkpoint's path.

    Goes on from ``checkpoint.pt`` in ``run_folder`` where there is one. Raises TrainingError
    where the folder cannot be written or the checkpoint does not fit.
    """
    plan = plan or Plan()
    _check_writable(run_folder)
    prepare(corpus_folder, run_folder, rows=plan.rows, seed=plan.seed, processes=plan.processes)
    trainer = Trainer.start(run_folder, plan, config or Config())
    with _stop_on_interrupt(trainer):
        trainer.train()
    return trainer.path


class Trainer:
    """The state of a run and its loop; ``train`` returns at the end or when asked to stop."""

    def __init__(self, folder: Path, plan: Plan, model: CodeFill) -> None:
        self.folder, self.plan, self.model = folder, plan, model
        self.device = next(model.parameters()).device
        self.optimisers = make_optimisers(model, plan)
        self.progress = Progress()
        self.stopping = False
        self.shards = {name: Shard.load(folder / f"{name}.npz") for name in ("train", "valid")}
        self._saved = self._validated = 0.0

    @property
    def path(self) -> Path:
        """The checkpoint."""
        return self.folder / "checkpoint.pt"

    @classmethod
    def start(cls, folder: Path, plan: Plan, config: Config) -> Trainer:
        """A new run, or the one that ``folder`` holds."""
        torch.manual_seed(plan.seed)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        trainer = cls(folder, plan, CodeFill(config).to(device))
        if trainer.path.is_file():
            trainer.restore(load_checkpoint(trainer.path))
        return trainer

    def train(self) -> None:
        """Steps until the time is spent or ``stopping``; the last act is a checkpoint."""
        self._saved = self._validated = self.progress.seconds
        budget = 60 * self.plan.minutes
        recent = _Recent()
        for batch in self._batches():
            if self.stopping or self.progress.seconds >= budget:
                break
            began = time.monotonic()
            set_rates(self.optimisers, schedule(self.progress.seconds / budget))
            loss = self._step(batch)
            self._advance(batch, time.monotonic() - began)
            recent.add(loss, batch.tokens, time.monotonic() - began)
            self._occasionally(recent, budget)
        self._validate()
        self.save()

    def _number_format(self) -> torch.autocast:
        """bfloat16 on GPUs. Processors stay with float32: without AMX, bfloat16 products of this
        size were measured at a third to a half of float32's speed (docs/lab-log.md)."""
        return torch.autocast(
            self.device.type, dtype=torch.bfloat16, enabled=self.device.type == "cuda"
        )

    def _step(self, batch: Batch) -> Loss:
        self.model.train()
        with self._number_format():
            loss = loss_of(self.model, batch)
        torch.autograd.backward(loss.total)
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        return Loss(*(part.detach() for part in loss))

    def _advance(self, batch: Batch, seconds: float) -> None:
        self.progress.step += 1
        self.progress.batch += 1
        self.progress.tokens += batch.tokens
        self.progress.seconds += seconds

    def _batches(self) -> Iterator[Batch]:
        """The batches from here on, epoch after epoch."""
        shard = self.shards["train"]
        while True:
            seed = self.plan.seed + self.progress.epoch
            planned = plan_epoch(shard.lengths, self.plan.batch_tokens, seed)
            for rows in planned[self.progress.batch :]:
                yield collate(shard, rows, self.device)
            self.progress.epoch += 1
            self.progress.batch = 0

    def _occasionally(self, recent: _Recent, budget: float) -> None:
        if self.progress.step % PROGRESS_STEPS == 0:
            self._report(recent, budget)
        if self.progress.seconds - self._validated >= VALID_SECONDS:
            self._validated = self.progress.seconds
            self._validate()
        if self.progress.seconds - self._saved >= CHECKPOINT_SECONDS:
            self._saved = self.progress.seconds
            self.save()

    def _report(self, recent: _Recent, budget: float) -> None:
        done = self.progress
        left = max(budget - done.seconds, 0.0)
        print(
            f"step {done.step}  loss {recent.value:.3f}  type loss {recent.type:.3f}  "
            f"{done.tokens / 1e6:.2f}M tokens  {recent.throughput:,.0f} tokens/s  "
            f"{left / 60:.1f} min left",
            flush=True,
        )
        self._log(loss=recent.value, type_loss=recent.type, throughput=recent.throughput)
        recent.reset()

    @torch.no_grad()
    def _validate(self) -> None:
        self.model.eval()
        shard = self.shards["valid"]
        planned = plan_epoch(shard.lengths, self.plan.batch_tokens, 0)[:VALID_BATCHES]
        with self._number_format():
            losses = [loss_of(self.model, collate(shard, rows, self.device)) for rows in planned]
        value = sum(float(loss.value) for loss in losses) / len(losses)
        kind = sum(float(loss.type) for loss in losses) / len(losses)
        print(f"held out: loss {value:.3f}  type loss {kind:.3f}", flush=True)
        self._log(valid_loss=value, valid_type_loss=kind)

    def _log(self, **numbers: float) -> None:
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(asdict(self.progress) | numbers) + "\n")

    def save(self) -> None:
        """Write the checkpoint atomically."""
        part = self.path.with_suffix(".part")
        state = {
            "config": self.model.config.to_json(),
            "plan": asdict(self.plan),
            "progress": asdict(self.progress),
            "model": self.model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "rng": torch.get_rng_state(),
        }
        torch.save(state, part)
        part.replace(self.path)

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a loaded checkpoint. Raises TrainingError where it is another run's."""
        if state["config"] != self.model.config.to_json():
            raise TrainingError(
                f"{self.path} was trained with another network; use another folder for this one"
            )
        self.model.load_state_dict(state["model"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.progress = Progress(**state["progress"])
        torch.set_rng_state(state["rng"])
        print(f"going on from step {self.progress.step}", flush=True)


class _Recent:
    """Means since the last progress line."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._losses: list[Loss] = []
        self._tokens, self._seconds = 0, 0.0

    def add(self, loss: Loss, tokens: int, seconds: float) -> None:
        self._losses.append(loss)
        self._tokens += tokens
        self._seconds += seconds

    @property
    def value(self) -> float:
        return sum(float(loss.value) for loss in self._losses) / len(self._losses)

    @property
    def type(self) -> float:
        return sum(float(loss.type) for loss in self._losses) / len(self._losses)

    @property
    def throughput(self) -> float:
        return self._tokens / self._seconds


def schedule(share: float) -> float:
    """The learning rate's factor when ``share`` of the budget is spent."""
    if share < WARM_UP:
        return max(share / WARM_UP, 0.02)
    return min(1.0, max((1.0 - share) / DECAY, 0.0))


def make_optimisers(model: CodeFill, plan: Plan) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the blocks, AdamW for the rest."""
    matrices = [weight for weight in model.blocks.parameters() if weight.ndim == 2]
    chosen = {id(weight) for weight in matrices}
    others = [weight for weight in model.parameters() if id(weight) not in chosen]
    optimisers: list[torch.optim.Optimizer] = [
        torch.optim.Muon(matrices, lr=plan.matrix_rate, weight_decay=0.02, momentum=0.95),
        torch.optim.AdamW(others, lr=plan.other_rate, betas=(0.9, 0.95), weight_decay=0.0),
    ]
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["peak"] = group["lr"]
    return optimisers


def set_rates(optimisers: list[torch.optim.Optimizer], factor: float) -> None:
    """Scale every group's learning rate from its peak."""
    for optimiser in optimisers:
        for group in optimiser.param_groups:
            group["lr"] = group["peak"] * factor


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint. Raises TrainingError where it is damaged."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises anything from EOFError to UnpicklingError
        raise TrainingError(f"{path} is damaged ({error}); move it away to start anew") from error
    return state


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise TrainingError(f"cannot write to {folder}: {error.strerror}") from error


class _stop_on_interrupt:  # noqa: N801 - reads as a with-statement
    """Ctrl-C and SIGTERM let the step end and save."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self._before: dict[int, Any] = {}

    def __enter__(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._stop)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._trainer.stopping = True
