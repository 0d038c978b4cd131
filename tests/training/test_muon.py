"""Muon: what the iteration makes of a matrix, and that it equals torch's where that is exact."""

from __future__ import annotations

import pytest
import torch

from training.muon import Muon, orthogonal


@pytest.mark.parametrize("shape", [(8, 8), (20, 6), (6, 20)])
def test_all_singular_values_come_close_to_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    found = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
    assert float(found.min()) > 0.6
    assert float(found.max()) < 1.3


def test_the_directions_stay() -> None:
    torch.manual_seed(1)
    matrix = torch.randn(12, 5)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    turned = u.T @ orthogonal(matrix) @ v.T
    torch.testing.assert_close(turned, turned.diagonal().diag(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("shape", [(24, 8), (8, 24)])
def test_steps_follow_those_of_torch(shape: tuple[int, int]) -> None:
    """torch iterates in bfloat16, so the two agree to its precision."""
    torch.manual_seed(2)
    begin, gradients = torch.randn(shape), [torch.randn(shape) for _ in range(4)]
    ends = []
    for make in (
        lambda weight: Muon([weight], lr=0.02, weight_decay=0.1),
        lambda weight: torch.optim.Muon([weight], lr=0.02, weight_decay=0.1),
    ):
        weight = torch.nn.Parameter(begin.clone())
        optimiser = make(weight)
        for gradient in gradients:
            weight.grad = gradient.clone()
            optimiser.step()
        ends.append(weight.detach() - begin)
    assert float((ends[0] - ends[1]).norm() / ends[1].norm()) < 0.03


def test_only_matrices() -> None:
    with pytest.raises(ValueError, match="matrices"):
        Muon([torch.nn.Parameter(torch.zeros(3))], lr=0.1)
