"""Processes that meet to average one model."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from training import team as teams
from training.team import Team, TeamError, make_team


def model(value: float) -> nn.Module:
    network = nn.Linear(2, 3, bias=False)
    nn.init.constant_(network.weight, value)
    return network


def test_a_meeting_averages_the_weights_and_adds_the_tokens() -> None:
    members = make_team(3, 6, tokens=100)
    models = [model(value) for value in (1.0, 2.0, 6.0)]
    tokens = [100 + 5, 100 + 7, 100 + 1]

    def meet(rank: int, *, over: bool = False) -> tuple[int, bool]:
        return members[rank].meet(models[rank], tokens[rank], over=over)

    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(meet, range(3))) == [(113, False)] * 3
        for network in models:
            assert torch.equal(network.weight, torch.full((3, 2), 3.0))
        tokens = [113 + 2, 113, 113]
        asked = [pool.submit(meet, rank, over=rank == 2) for rank in range(3)]
        assert [one.result() for one in asked] == [(115, True)] * 3


def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teams, "PATIENCE_SECONDS", 0.05)
    alone: Team = make_team(2, 6, tokens=0)[0]
    with pytest.raises(TeamError, match="died"):
        alone.meet(model(1.0), 0, over=False)
