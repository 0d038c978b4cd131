"""Rows to padded batches of about equal token counts, in an order fixed by the seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.shards import Shard

ROW_MULTIPLE = 16  # padded lengths, so that the allocator sees few shapes


@dataclass(frozen=True, slots=True)
class Batch:
    """(B, T) inputs, and for each position what stands at the next one."""

    values: Tensor
    states: Tensor
    targets: Tensor
    labels: Tensor
    weights: Tensor  # float32; 0 where the next token is given rather than predicted
    tokens: int  # without padding


def plan_epoch(lengths: NDArray[np.int64], tokens: int, seed: int) -> list[NDArray[np.int64]]:
    """Row numbers of each batch; rows of similar length share a batch of at most ``tokens``."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(lengths))
    batches: list[NDArray[np.int64]] = []
    for chunk in np.array_split(order, max(len(order) // 1024, 1)):
        batches += _fill(chunk[np.argsort(lengths[chunk], kind="stable")], lengths, tokens)
    rng.shuffle(batches)
    return batches


def _fill(
    rows: NDArray[np.int64], lengths: NDArray[np.int64], tokens: int
) -> Iterator[NDArray[np.int64]]:
    begin = 0
    for end in range(1, len(rows) + 1):
        longest = _padded(int(lengths[rows[end - 1]]))
        if end - begin > 1 and longest * (end - begin) > tokens:
            yield rows[begin : end - 1]
            begin = end - 1
    yield rows[begin:]


def collate(shard: Shard, rows: NDArray[np.int64], device: torch.device) -> Batch:
    """Pad the rows on the right; causal attention never looks there."""
    lengths = shard.lengths[rows]
    width = _padded(int(lengths.max())) + 1
    filled = {name: np.zeros((len(rows), width), np.int64) for name in _FIELDS}
    for index, row in enumerate(rows):
        begin, end = shard.offsets[row], shard.offsets[row + 1]
        for name, array in filled.items():
            array[index, : end - begin] = getattr(shard, name)[begin:end]
    tensors = {name: torch.from_numpy(array).to(device) for name, array in filled.items()}
    return Batch(
        values=tensors["values"][:, :-1],
        states=tensors["states"][:, :-1],
        targets=tensors["values"][:, 1:],
        labels=tensors["labels"][:, 1:],
        weights=tensors["weights"][:, 1:].float(),
        tokens=int(lengths.sum()),
    )


def split(batch: Batch, tokens: int) -> list[Batch]:
    """The same rows in parts of at most ``tokens`` each, padding included, or of one row."""
    rows = max(tokens // batch.values.shape[1], 1)
    fields = ("values", "states", "targets", "labels", "weights")
    pieces = zip(*(getattr(batch, name).split(rows) for name in fields), strict=True)
    # The batch's tokens are counted once, not with its parts.
    return [Batch(**dict(zip(fields, each, strict=True)), tokens=0) for each in pieces]


_FIELDS = ("values", "states", "labels", "weights")


def _padded(length: int) -> int:
    return -(-length // ROW_MULTIPLE) * ROW_MULTIPLE
