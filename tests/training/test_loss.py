"""The loss that is made a few rows at a time equals the one over all logits."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from training import loss
from training.loss import linear_cross_entropy


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(1, 13), st.integers(0, 2**31))
def test_value_and_gradients(count: int, rows: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(count, 6, generator=generator, dtype=torch.float64)
    table = torch.randn(9, 6, generator=generator, dtype=torch.float64)
    targets = torch.randint(0, 9, (count,), generator=generator)
    weights = torch.rand(count, generator=generator)
    found = []
    before, loss.ROWS = loss.ROWS, rows
    for one in (
        linear_cross_entropy,
        lambda x, t, y, w: torch.dot(
            functional.cross_entropy((x @ t.T).float(), y, reduction="none"), w
        ),
    ):
        x, t = features.clone().requires_grad_(), table.clone().requires_grad_()
        total = one(x, t, targets, weights)
        torch.autograd.backward(3 * total)
        found.append((total.detach(), x.grad, t.grad))
    loss.ROWS = before
    for fast, slow in zip(*found, strict=True):
        torch.testing.assert_close(fast, slow, rtol=1e-4, atol=1e-5)
