"""Several processes that train one model and meet now and then to average it (local SGD).

One process with two threads waits for both at every matrix product; where other work keeps the
processors busy that halved throughput (docs/lab-log.md). Here every process has one thread, its
own share of the batches and its own optimiser, and they meet by the clock: a process that got
less of the machine has done fewer steps, and nobody waits for long.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import BrokenBarrierError
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing import get_context
from torch.nn.utils import parameters_to_vector, vector_to_parameters

PATIENCE_SECONDS = 300.0  # the first process validates and saves while the others train


class TeamError(RuntimeError):
    """A process of the team died or hangs."""


@dataclass(slots=True)
class Team:
    """One member's view: who it is, and what all of them share."""

    rank: int
    size: int
    weights: Tensor  # (size, parameters)
    tokens: Tensor  # (size,) trained on since the last meeting
    over: Tensor  # (size,) whether a member wants to stop
    barrier: Any
    counted: int = field(default=0)

    def meet(self, model: nn.Module, tokens: int, *, over: bool) -> tuple[int, bool]:
        """Wait for all, average the model; return all tokens so far and whether to stop."""
        self.weights[self.rank] = parameters_to_vector(model.parameters()).detach().cpu()
        self.tokens[self.rank] = tokens - self.counted
        self.over[self.rank] = over
        self._wait()
        mean = self.weights.mean(dim=0).to(next(model.parameters()).device)
        vector_to_parameters(mean, model.parameters())
        self.counted += int(self.tokens.sum())
        stop = bool(self.over.any())
        self._wait()  # nobody may write the next round before everybody has read this one
        return self.counted, stop

    def _wait(self) -> None:
        try:
            self.barrier.wait(PATIENCE_SECONDS)
        except BrokenBarrierError as error:
            raise TeamError("a training process died; the same command goes on") from error


def make_team(size: int, parameters: int, tokens: int) -> list[Team]:
    """``size`` views of one team whose members start from the same checkpoint."""
    barrier = get_context("spawn").Barrier(size)
    shared = (
        torch.zeros(size, parameters),
        torch.zeros(size, dtype=torch.int64),
        torch.zeros(size, dtype=torch.bool),
    )
    for tensor in shared:
        tensor.share_memory_()  # type: ignore[no-untyped-call]
    return [Team(rank, size, *shared, barrier, counted=tokens) for rank in range(size)]
