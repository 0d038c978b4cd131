"""The training loop, which can be stopped and started again.

The budget is a length of time. The learning rate follows the share of it that is spent, so a run
ends well on whatever machine it runs, and one that was interrupted goes on where it stood: the
checkpoint holds weights, optimiser state, the place in the data and the time spent.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from completion.model.codefill import CodeFill, Config
from training.batches import Batch, collate, plan_epoch
from training.loss import Loss, loss_of
from training.shards import Shard
from training.team import Team

WARM_UP, DECAY = 0.02, 0.5  # shares of the budget: rise, and the straight fall to nothing
CLIP = 1.0
CHECKPOINT_SECONDS = 120.0
PROGRESS_SECONDS = 30.0
VALID_SECONDS = 600.0
VALID_BATCHES = 16


class TrainingError(RuntimeError):
    """The run cannot start or go on; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How one run is trained; it is kept in the checkpoint."""

    minutes: float = 70.0
    rows: int = 48_000
    batch_tokens: int = 4096
    matrix_rate: float = 0.02  # Muon, on the matrices of the blocks
    other_rate: float = 3e-3  # AdamW, on embeddings, heads and norms
    seed: int = 0
    processes: int = 2
    round_seconds: float = 15.0  # between two meetings of the processes


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

    In a team every member has a trainer; the first one also reports, validates and saves.
    """

    def __init__(self, folder: Path, plan: Plan, model: CodeFill) -> None:
        self.folder, self.plan, self.model = folder, plan, model
        self.device = next(model.parameters()).device
        self.optimisers = make_optimisers(model, plan)
        self.progress = Progress()
        self.stopping = False
        self.shards = {name: Shard.load(folder / f"{name}.npz") for name in ("train", "valid")}
        self.team: Team | None = None
        self._met = self._saved = self._validated = self._reported = 0.0
        self._reported_tokens = 0

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
        done = self.progress
        self._met = self._saved = self._validated = self._reported = done.seconds
        self._reported_tokens = done.tokens
        budget = 60 * self.plan.minutes
        losses: list[Loss] = []
        for batch in self._batches():
            if self._over(budget):
                break
            began = time.monotonic()
            set_rates(self.optimisers, schedule(done.seconds / budget))
            losses.append(self._step(batch))
            self._advance(batch, time.monotonic() - began)
            if self._leads:
                self._occasionally(losses, budget)
        if self._leads:
            self._validate()
            self.save()

    @property
    def _leads(self) -> bool:
        return self.team is None or self.team.rank == 0

    def _over(self, budget: float) -> bool:
        """Whether to stop; members of a team decide it together when they meet."""
        over = self.stopping or self.progress.seconds >= budget
        if self.team is None:
            return over
        if self.progress.seconds - self._met < self.plan.round_seconds:
            return False
        self._met = self.progress.seconds
        self.progress.tokens, over = self.team.meet(self.model, self.progress.tokens, over=over)
        return over

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
            rank, size = (self.team.rank, self.team.size) if self.team else (0, 1)
            for rows in planned[rank::size][self.progress.batch :]:
                yield collate(shard, rows, self.device)
            self.progress.epoch += 1
            self.progress.batch = 0

    def _occasionally(self, losses: list[Loss], budget: float) -> None:
        seconds = self.progress.seconds
        if seconds - self._reported >= PROGRESS_SECONDS:
            self._report(losses, budget)
            losses.clear()
        if seconds - self._validated >= VALID_SECONDS:
            self._validated = seconds
            self._validate()
        if seconds - self._saved >= CHECKPOINT_SECONDS:
            self._saved = seconds
            self.save()

    def _report(self, losses: list[Loss], budget: float) -> None:
        done = self.progress
        value, kind = mean_loss(losses)
        throughput = (done.tokens - self._reported_tokens) / (done.seconds - self._reported)
        self._reported, self._reported_tokens = done.seconds, done.tokens
        print(
            f"step {done.step}  loss {value:.3f}  type loss {kind:.3f}  "
            f"{done.tokens / 1e6:.2f}M tokens  {throughput:,.0f} tokens/s  "
            f"{max(budget - done.seconds, 0.0) / 60:.1f} min left",
            flush=True,
        )
        self._log(loss=value, type_loss=kind, throughput=throughput)

    @torch.no_grad()
    def _validate(self) -> None:
        self.model.eval()
        shard = self.shards["valid"]
        planned = plan_epoch(shard.lengths, self.plan.batch_tokens, 0)[:VALID_BATCHES]
        with self._number_format():
            losses = [loss_of(self.model, collate(shard, rows, self.device)) for rows in planned]
        value, kind = mean_loss(losses)
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


def mean_loss(losses: list[Loss]) -> tuple[float, float]:
    """Means of value and type loss over batches."""
    values = [float(loss.value) for loss in losses]
    return sum(values) / len(values), sum(float(loss.type) for loss in losses) / len(losses)


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
