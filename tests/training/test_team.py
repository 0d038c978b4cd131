"""Processes that train in step: every member ends up with the mean of all gradients."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.multiprocessing import get_context

from training.team import Team, joined, launched

SIZE = 3


def gradients(rank: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(rank)
    return [torch.randn(shape, generator=generator) for shape in ((3, 4), (5,))]


def member(rank: int, meeting: Path, folder: Path) -> None:
    weights = [nn.Parameter(torch.zeros_like(one)) for one in gradients(rank)]
    idle = nn.Parameter(torch.zeros(2))  # has no gradient in any process
    for weight, gradient in zip(weights, gradients(rank), strict=True):
        weight.grad = gradient
    team = Team(rank, SIZE)
    with joined(team, meeting):
        total, stopped = team.share([*weights, idle], tokens=100 + rank, stopping=rank == 1)
        _, stopped_later = team.share(weights, tokens=1, stopping=False)
    found = [weight.grad for weight in weights]
    torch.save((found, total, stopped, stopped_later, idle.grad), folder / str(rank))


def test_all_hold_the_mean_and_agree(tmp_path: Path) -> None:
    context = get_context("spawn")
    members = [
        context.Process(target=member, args=(rank, tmp_path / "meeting", tmp_path))
        for rank in range(SIZE)
    ]
    for process in members:
        process.start()
    for process in members:
        process.join()
    wanted = [sum(parts) / SIZE for parts in zip(*map(gradients, range(SIZE)), strict=True)]
    for rank in range(SIZE):
        found, total, stopped, later, idle = torch.load(tmp_path / str(rank))
        for mean, one in zip(wanted, found, strict=True):
            torch.testing.assert_close(one, mean)
        assert (total, stopped, later, idle) == (303, True, False, None)


def test_alone_nothing_changes() -> None:
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.ones(2)
    assert Team().share([weight], tokens=7, stopping=True) == (7, True)
    assert weight.grad.tolist() == [1, 1]


def test_who_is_who_under_torchrun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert launched() is None
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "RANK": "2", "WORLD_SIZE": "4"}.items():
        monkeypatch.setenv(name, value)
    team = launched()
    assert team == Team(2, 4)
    assert not team.leads
