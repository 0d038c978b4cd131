"""Muon (Jordan, 2024): momentum whose matrices are made orthogonal before they are applied.

torch has this optimiser, but iterates in bfloat16, which processors without bfloat16 emulate: there
one step of it cost more than the forward and the backward pass together (docs/lab-log.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

STEPS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration; after five steps singular values lie between about 0.7 and 1.2."""


class Muon(torch.optim.Optimizer):
    """For two-dimensional weights; Nesterov momentum, decoupled weight decay.

    The update of an (out, in) matrix is scaled by sqrt(max(1, out / in)).
    """

    def __init__(
        self,
        weights: Iterable[Tensor],
        *,
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        """Raises ValueError for weights that are no matrices."""
        matrices = list(weights)
        if any(weight.ndim != 2 for weight in matrices):
            raise ValueError("Muon is for matrices")
        super().__init__(matrices, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update from the gradients; weights without one stay as they are."""
        if closure is not None:
            raise ValueError("Muon evaluates no closure")
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._update(weight, weight.grad, group)

    def _update(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[weight]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(gradient)
        average = state["momentum_buffer"].lerp_(gradient, 1 - group["momentum"])
        update = orthogonal(gradient.lerp(average, group["momentum"]))
        rate, (rows, columns) = group["lr"], weight.shape
        weight.mul_(1 - rate * group["weight_decay"])
        weight.add_(update, alpha=-rate * max(1.0, rows / columns) ** 0.5)


def orthogonal(matrix: Tensor) -> Tensor:
    """The (rows, columns) matrix with its singular values moved close to one.

    Newton-Schulz iteration in bfloat16 on GPUs and in the matrix' own type elsewhere.
    """
    a, b, c = COEFFICIENTS
    x = matrix.bfloat16() if matrix.is_cuda else matrix
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(STEPS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.T if tall else x).to(matrix.dtype)
