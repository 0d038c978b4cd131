"""The training loop, which can be stopped and started again.

The budget is a number of tokens, and the learning rate follows the share of it that is spent: up
at once, level, and straight down to nothing in the last part. So a run may be given more tokens
while it is level. One that was interrupted goes on where it stood, with the same curve: the
checkpoint holds weights, optimiser state and the place in the data.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from completion.model.codefill import CodeFill, Config
from training.batches import Batch, collate, plan_epoch
from training.loss import Loss, learn, loss_of, number_format
from training.muon import Muon
from training.shards import Shard
from training.siblings import Siblings
from training.team import Team

WARM_UP_TOKENS = 500_000
DECAY = 0.4  # share of the budget in which the rate falls to nothing
CLIP = 1.0
CHECKPOINT_SECONDS = 120.0
PROGRESS_SECONDS = 30.0
VALID_SECONDS = 300.0
VALID_TOKENS, VALID_BATCHES = 4096, 16

ALONE = Team()
PARALLEL = "parallel"
ARMS: dict[str, dict[str, int]] = {
    "joint": {},  # (b): one trunk over names and syntax, a head for types and one for names
    "joint without grams": {"grams": 0},
    "plain": {"states": 0, "types": 0, "grams": 0},  # a language model over names
    PARALLEL: {"states": 0, "types": 0, "grams": 0},  # (a): a decoder per task, tied softly
}
"""What can be trained, and what of the network's configuration each fixes."""


class TrainingError(RuntimeError):
    """The run cannot start or go on; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How one run is trained; it is kept in the checkpoint."""

    tokens: int = 30_000_000
    rows: int = 80_000
    batch_tokens: int = 12_288  # of all processes together
    arm: str = "joint"
    matrix_rate: float = 0.02  # Muon, on the matrices of the blocks
    other_rate: float = 3e-3  # AdamW, on embeddings, heads and norms
    seed: int = 0


@dataclass(slots=True)
class Progress:
    """Where a run stands."""

    step: int = 0
    epoch: int = 0
    batch: int = 0  # within the epoch
    tokens: int = 0
    seconds: float = 0.0


class Trainer:
    """The state of a run and its loop; ``train`` returns at the end or when asked to stop.

    Every member of a team has a trainer; the first one also reports, validates and saves.
    """

    def __init__(self, folder: Path, plan: Plan, model: CodeFill, team: Team) -> None:
        self.folder, self.plan, self.model, self.team = folder, plan, model, team
        self.device = next(model.parameters()).device
        self.siblings = Siblings(model.config, plan.seed) if plan.arm == PARALLEL else None
        if self.siblings is not None:
            self.siblings.to(self.device)
        self.optimisers = make_optimisers(self._networks(), plan)
        self.progress = Progress()
        self.asked_to_stop = False  # here; the team agrees on ``stopped`` with the next step
        self.stopped = False
        self.shards = {name: Shard.load(folder / f"{name}.npz") for name in ("train", "valid")}
        self._saved = self._validated = self._reported = 0.0
        self._reported_tokens = 0

    @property
    def path(self) -> Path:
        """The checkpoint."""
        return self.folder / "checkpoint.pt"

    @classmethod
    def start(cls, folder: Path, plan: Plan, config: Config, team: Team = ALONE) -> Trainer:
        """A new run, or the one that ``folder`` holds."""
        torch.manual_seed(plan.seed)
        trainer = cls(folder, plan, CodeFill(config).to(device_of(team)), team)
        if trainer.path.is_file():
            trainer.restore(load_checkpoint(trainer.path))
        return trainer

    def train(self) -> None:
        """Steps until the tokens are spent or ``stopped``; the last act is a checkpoint.

        Raises TrainingError where the gradient is not finite, and keeps the last checkpoint.
        """
        done = self.progress
        self._saved = self._validated = self._reported = done.seconds
        self._reported_tokens = done.tokens
        losses: list[Loss] = []
        batches = self._batches()
        while not self.stopped and done.tokens < self.plan.tokens:
            began = time.monotonic()
            set_rates(self.optimisers, schedule(done.tokens, self.plan.tokens))
            losses.append(self._step(next(batches)))
            done.seconds += time.monotonic() - began
            if self.team.leads:
                self._occasionally(losses)
        if self.team.leads:
            self._validate()
            self.save()

    def _step(self, batch: Batch) -> Loss:
        self.model.train()
        loss = self._learn(batch)
        weights = [weight for network in self._networks() for weight in network.parameters()]
        tokens, self.stopped = self.team.share(
            weights, tokens=batch.tokens, stopping=self.asked_to_stop
        )
        norm = float(nn.utils.clip_grad_norm_(weights, CLIP))
        if not math.isfinite(norm):
            raise TrainingError(
                f"training came apart: in step {self.progress.step} the gradient is {norm}; "
                f"the last checkpoint is from before, start anew with another --depth or --tokens"
            )
        for optimiser in self.optimisers:
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        if self.siblings is not None:
            self.siblings.pull(self.model, schedule(self.progress.tokens, self.plan.tokens))
        self.progress.step += 1
        self.progress.batch += 1
        self.progress.tokens += tokens
        return loss

    def _networks(self) -> list[CodeFill]:
        """All that are trained, the one that is exported first."""
        others = [] if self.siblings is None else [self.siblings.types, self.siblings.statements]
        return [self.model, *others]

    def _learn(self, batch: Batch) -> Loss:
        if self.siblings is None:
            return learn(self.model, batch)
        return self.siblings.learn(self.model, batch, self.progress.step)

    def _batches(self) -> Iterator[Batch]:
        """The batches from here on, epoch after epoch."""
        shard = self.shards["train"]
        while True:
            seed = self.plan.seed + self.progress.epoch
            share = self.plan.batch_tokens // self.team.size
            planned = plan_epoch(shard.lengths, share, seed)
            steps = len(planned) // self.team.size
            mine = planned[self.team.rank :: self.team.size][:steps]
            for rows in mine[self.progress.batch :]:
                yield collate(shard, rows, self.device)
            self.progress.epoch += 1
            self.progress.batch = 0

    def _occasionally(self, losses: list[Loss]) -> None:
        seconds = self.progress.seconds
        if seconds - self._reported >= PROGRESS_SECONDS:
            self._report(losses)
            losses.clear()
        if seconds - self._validated >= VALID_SECONDS:
            self._validated = seconds
            self._validate()
        if seconds - self._saved >= CHECKPOINT_SECONDS:
            self._saved = seconds
            self.save()

    def _report(self, losses: list[Loss]) -> None:
        done = self.progress
        value, kind = mean_loss(losses)
        throughput = (done.tokens - self._reported_tokens) / (done.seconds - self._reported)
        self._reported, self._reported_tokens = done.seconds, done.tokens
        left = (self.plan.tokens - done.tokens) / throughput
        print(
            f"step {done.step}  loss {_shown(value)}  type loss {_shown(kind)}  "
            f"{done.tokens / 1e6:.2f}M tokens  {throughput:,.0f} tokens/s  "
            f"{max(left, 0.0) / 60:.1f} min left",
            flush=True,
        )
        self._log(loss=value, type_loss=kind, throughput=throughput)

    @torch.no_grad()
    def _validate(self) -> None:
        self.model.eval()
        shard = self.shards["valid"]
        planned = plan_epoch(shard.lengths, VALID_TOKENS, 0)[:VALID_BATCHES]
        with number_format(self.device):
            losses = [loss_of(self.model, collate(shard, rows, self.device)) for rows in planned]
        value, kind = mean_loss(losses)
        print(f"held out: loss {_shown(value)}  type loss {_shown(kind)}", flush=True)
        self._log(valid_loss=value, valid_type_loss=kind)

    def _log(self, **numbers: float) -> None:
        known = {name: number for name, number in numbers.items() if not math.isnan(number)}
        with (self.folder / "log.jsonl").open("a") as log:
            log.write(json.dumps(asdict(self.progress) | known) + "\n")

    def save(self) -> None:
        """Write the checkpoint. Raises TrainingError where it cannot be written."""
        state = {
            "config": self.model.config.to_json(),
            "plan": asdict(self.plan),
            "progress": asdict(self.progress),
            "model": self.model.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
            "siblings": None if self.siblings is None else self.siblings.state_dict(),
            "rng": torch.get_rng_state(),
        }
        write_checkpoint(state, self.path)

    def restore(self, state: dict[str, Any]) -> None:
        """Take over a loaded checkpoint. Raises TrainingError where it is another run's."""
        if state["config"] != self.model.config.to_json():
            raise TrainingError(
                f"{self.path} was trained with another network; use another folder for this one"
            )
        self.model.load_state_dict(state["model"])
        if self.siblings is not None:
            self.siblings.load_state_dict(state["siblings"])
        for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        self.progress = Progress(**state["progress"])
        torch.set_rng_state(state["rng"])


def mean_loss(losses: list[Loss]) -> tuple[float, float]:
    """Means of value and type loss over the batches that have one; NaN where none has."""
    values, kinds = (
        torch.stack([getattr(loss, name) for loss in losses]).nanmean()
        for name in ("value", "type")
    )
    return float(values), float(kinds)


def _shown(loss: float) -> str:
    """A loss in three digits, or a dash where no batch had one: a task may leave it out."""
    return "-" if math.isnan(loss) else f"{loss:.3f}"


def schedule(tokens: int, budget: int) -> float:
    """The learning rate's factor when ``tokens`` of the budget are spent."""
    rise = max(tokens / min(WARM_UP_TOKENS, budget / 10), 0.02)
    fall = (1.0 - tokens / budget) / DECAY
    return max(min(1.0, rise, fall), 0.0)


def device_of(team: Team) -> torch.device:
    """This member's own GPU, or the processor."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", team.rank % torch.cuda.device_count())


def make_optimisers(networks: Sequence[CodeFill], plan: Plan) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the blocks, AdamW for the rest."""
    blocks = [weight for network in networks for weight in network.blocks.parameters()]
    matrices = [weight for weight in blocks if weight.ndim == 2]
    chosen = {id(weight) for weight in matrices}
    weights = [weight for network in networks for weight in network.parameters()]
    others = [weight for weight in weights if id(weight) not in chosen]
    optimisers: list[torch.optim.Optimizer] = [
        Muon(matrices, lr=plan.matrix_rate, weight_decay=0.02),
        torch.optim.AdamW(
            others, lr=plan.other_rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True
        ),
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


def write_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Write a checkpoint atomically. Raises TrainingError where it cannot be written."""
    part = path.with_suffix(".part")
    try:
        torch.save(state, part)
        part.replace(path)
    except (OSError, RuntimeError) as error:  # torch's own writer raises the latter
        raise TrainingError(f"cannot write {path}: {error}") from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint. Raises TrainingError where it is damaged."""
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises anything from EOFError to UnpicklingError
        raise TrainingError(f"{path} is damaged ({error}); move it away to start anew") from error
    return state
