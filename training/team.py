"""The processes that train one model in step with each other.

Each takes its share of every batch; the mean of their gradients is applied by all, so that all hold
the same weights and the curve does not depend on who was fast. On a processor they are started
here, one thread each, since threads of one process wait for each other at every matrix product.
On several GPUs ``torchrun`` starts them and says in the environment who is who.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch
from torch import Tensor, distributed

PATIENCE = timedelta(minutes=10)
"""How long the others wait while the first process validates and saves."""


class TeamError(RuntimeError):
    """A process of the team died or hangs."""


@dataclass(frozen=True, slots=True)
class Team:
    """One member's view: who it is, of how many."""

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this is the member that reports, validates and saves."""
        return self.rank == 0

    def share(self, weights: Sequence[Tensor], *, tokens: int, stopping: bool) -> tuple[int, bool]:
        """Replace the gradients of all weights by their mean over the team.

        Returns the tokens of all and whether one of them wants to stop.
        Raises TeamError where another member does not answer.
        """
        if self.size == 1:
            return tokens, stopping
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        facts = gradients[0].new_tensor([tokens, stopping])
        flat = torch.cat([*(one.flatten() for one in gradients), facts])
        try:
            distributed.all_reduce(flat)
        except RuntimeError as error:
            raise TeamError("a training process died; the same command goes on") from error
        total, stops = flat[-2:].tolist()
        _unpack(flat[:-2] / self.size, gradients)
        return int(total), stops > 0


def _unpack(flat: Tensor, gradients: list[Tensor]) -> None:
    begin = 0
    for gradient in gradients:
        gradient.copy_(flat[begin : begin + gradient.numel()].view_as(gradient))
        begin += gradient.numel()


def launched() -> Team | None:
    """The team that ``torchrun`` started this process for, or None."""
    if "TORCHELASTIC_RUN_ID" not in os.environ:
        return None
    return Team(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]))


@contextmanager
def joined(team: Team, meeting: Path | None) -> Iterator[None]:
    """Connect with the other members while the context lasts.

    They meet through the file ``meeting``, which must not exist before; None for what ``torchrun``
    has arranged.
    """
    if team.size == 1:
        yield
        return
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    if meeting is None:
        distributed.init_process_group(backend, timeout=PATIENCE)
    else:
        distributed.init_process_group(
            backend,
            init_method=meeting.resolve().as_uri(),
            rank=team.rank,
            world_size=team.size,
            timeout=PATIENCE,
        )
    try:
        yield
    finally:
        distributed.destroy_process_group()
