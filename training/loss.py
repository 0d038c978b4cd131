"""The training objective: next token given the soft type (TVP) and next type (TTP)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from completion.model.codefill import CodeFill
from training.batches import Batch

TYPE_WEIGHT = 0.25


class Loss(NamedTuple):
    """Weighted means over the predicted positions."""

    total: Tensor
    value: Tensor
    type: Tensor


def loss_of(model: CodeFill, batch: Batch) -> Loss:
    """Cross entropies in nats; the heads run only where something is predicted."""
    hidden = model.trunk(batch.values, batch.states)
    predicted = batch.weights > 0
    output = model.heads(hidden[predicted])
    weights = batch.weights[predicted]
    weights = weights / weights.sum()
    value = functional.cross_entropy(
        output.value_logits, batch.targets[predicted], reduction="none"
    )
    kind = functional.cross_entropy(output.type_logits, batch.labels[predicted], reduction="none")
    value_mean, type_mean = torch.dot(value, weights), torch.dot(kind, weights)
    return Loss(value_mean + TYPE_WEIGHT * type_mean, value_mean, type_mean)
