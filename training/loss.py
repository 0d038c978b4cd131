"""The training objective: next token given the soft type (TVP) and next type (TTP)."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from completion.model.codefill import CodeFill
from training.batches import Batch, split

TYPE_WEIGHT = 0.25
ROWS = 256
"""Predictions whose logits exist at a time; the logits of a whole batch would not fit a cache."""
PART_TOKENS = 2048
"""What a processor takes through the network at once: measured against 1,024, 3,072 and 6,144."""


class Loss(NamedTuple):
    """Weighted means over the predicted positions, in nats."""

    total: Tensor
    value: Tensor
    type: Tensor


def loss_of(model: CodeFill, batch: Batch) -> Loss:
    """Cross entropies in nats; the heads run only where something is predicted."""
    hidden = model.trunk(batch.values, batch.states)
    predicted = batch.weights > 0
    weights = batch.weights[predicted]
    weights = weights / weights.sum()
    features, type_logits = model.features(hidden[predicted])
    value = linear_cross_entropy(
        features, model.value_embedding.weight, batch.targets[predicted], weights
    )
    if not model.config.types:
        return Loss(value, value, torch.zeros_like(value))
    kind = functional.cross_entropy(type_logits, batch.labels[predicted], reduction="none")
    type_mean = torch.dot(kind, weights)
    return Loss(value + TYPE_WEIGHT * type_mean, value, type_mean)


def learn(model: CodeFill, batch: Batch) -> Loss:
    """Add the gradients of the loss to those of the weights.

    On processors a few rows go through the network at a time, so that what a layer leaves is still
    in the cache when the next one reads it; the loss is the same.
    """
    device = batch.values.device
    total = batch.weights.sum()
    parts = [batch] if device.type == "cuda" else split(batch, PART_TOKENS)
    found = [total.new_zeros(())] * len(Loss._fields)
    for part in parts:
        share = part.weights.sum() / total
        if not share:
            continue
        with number_format(device):
            loss = loss_of(model, part)
        torch.autograd.backward(loss.total * share)
        found = [one + each.detach() * share for one, each in zip(found, loss, strict=True)]
    return Loss(*found)


def number_format(device: torch.device) -> torch.autocast:
    """bfloat16 on GPUs. Processors stay with float32: without AMX, bfloat16 products of this size
    were measured at a third to a half of float32's speed (docs/lab-log.md)."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=device.type == "cuda")


def linear_cross_entropy(
    features: Tensor, table: Tensor, targets: Tensor, weights: Tensor
) -> Tensor:
    """sum of weights · cross_entropy(features · tableᵀ, targets), a few rows at a time.

    features (N, width), table (V, width), targets (N,) int64, weights (N,) float32. The gradient is
    made along with the value, while the logits are at hand; that of a frozen table is left out.
    """
    result: Tensor = _LinearCrossEntropy.apply(features, table, targets, weights)  # type: ignore[no-untyped-call]
    return result


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - torch's context has no public type
        features: Tensor,
        table: Tensor,
        targets: Tensor,
        weights: Tensor,
    ) -> Tensor:
        columns = table.to(features.dtype)
        total = weights.new_zeros(())
        d_features = torch.empty_like(features)
        d_table = torch.zeros_like(columns) if ctx.needs_input_grad[1] else None
        for begin in range(0, len(targets), ROWS):
            part = slice(begin, begin + ROWS)
            right, weight = targets[part].unsqueeze(1), weights[part]
            logits = (features[part] @ columns.T).float()
            log_probs = torch.log_softmax(logits, dim=1)
            total -= torch.dot(log_probs.gather(1, right).squeeze(1), weight)
            slope = log_probs.exp_().scatter_add_(
                1, right, torch.full_like(right, -1.0, dtype=log_probs.dtype)
            )
            slope = slope.mul_(weight.unsqueeze(1)).to(features.dtype)
            torch.mm(slope, columns, out=d_features[part])
            if d_table is not None:
                d_table.addmm_(slope.T, features[part])
        ctx.save_for_backward(d_features, None if d_table is None else d_table.to(table.dtype))
        return total

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401 - torch's context has no public type
        gradient: Tensor,
    ) -> tuple[Tensor, Tensor | None, None, None]:
        d_features, d_table = ctx.saved_tensors
        d_table = None if d_table is None else d_table * gradient
        return d_features * gradient, d_table, None, None
