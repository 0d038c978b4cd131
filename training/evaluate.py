"""Loss and accuracy on held-out packages, for the model card and the manifest."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch.nn import functional

from completion.model.codefill import CodeFill
from completion.model.tokenizer import Tokenizer
from training.batches import Batch, collate, plan_epoch
from training.samples import WEIGHT_MIDDLE, WEIGHT_PREFIX
from training.shards import Shard

BATCH_TOKENS = 8192
PARTS = {"prefix": WEIGHT_PREFIX, "middle": WEIGHT_MIDDLE}


@dataclass(frozen=True, slots=True)
class Score:
    """One part of the rows, every predicted token counted once."""

    tokens: int
    loss: float  # nats per token
    bits_per_byte: float
    accuracy: float  # of the next token, greedy
    type_accuracy: float  # of its AST type


@torch.inference_mode()
def evaluate(model: CodeFill, tokenizer: Tokenizer, shard: Shard) -> dict[str, dict[str, float]]:
    """Scores of the prefixes (language model) and of the middles (fill in the middle)."""
    model.eval()
    sums = {part: np.zeros(5) for part in PARTS}
    sizes = torch.tensor([len(data) for data in tokenizer.token_bytes])
    device = next(model.parameters()).device
    for rows in plan_epoch(shard.lengths, BATCH_TOKENS, seed=0):
        for part, found in _batch_sums(model, collate(shard, rows, device), sizes.to(device)):
            sums[part] += found
    return {part: asdict(_score(found)) for part, found in sums.items()}


def _batch_sums(
    model: CodeFill, batch: Batch, sizes: torch.Tensor
) -> Iterator[tuple[str, np.ndarray[tuple[int], np.dtype[np.float64]]]]:
    """For each part: tokens, summed loss, bytes, right tokens, right types."""
    hidden = model.trunk(batch.values, batch.states)
    for part, weight in PARTS.items():
        chosen = batch.weights == weight
        output = model.heads(hidden[chosen])
        targets, labels = batch.targets[chosen], batch.labels[chosen]
        parts = (
            torch.ones_like(targets).sum(),
            functional.cross_entropy(output.value_logits, targets, reduction="sum"),
            sizes[targets].sum(),
            (output.value_logits.argmax(-1) == targets).sum(),
            (output.type_logits.argmax(-1) == labels).sum() if model.config.types else 0,
        )
        yield part, np.array([float(one) for one in parts])


def _score(sums: np.ndarray[tuple[int], np.dtype[np.float64]]) -> Score:
    tokens, loss, size, right, right_types = (float(one) for one in sums)
    return Score(
        tokens=int(tokens),
        loss=round(loss / tokens, 4),
        bits_per_byte=round(loss / math.log(2) / size, 4),
        accuracy=round(right / tokens, 4),
        type_accuracy=round(right_types / tokens, 4),
    )
