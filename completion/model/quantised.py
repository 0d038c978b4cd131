"""Eight-bit weights for products with few rows, on a processor.

While text is written, one token or a few go through the network at a time, and every weight is read
for each of them: the reading is what takes the time, four bytes a weight in float32. Here every
matrix has a second form of one byte a weight and a scale a row, and the rows that it is multiplied
with are rounded to bfloat16, as is the product. Where many rows share the reading, as when a prompt
is read, the matrix is used as it is: what is cached of a token depends a little on how many were
read with it, but not on which.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from completion.model.adapter import sharing
from completion.model.codefill import CodeFill, TiedEmbedding

FEW = 16
"""The most rows for which the eight-bit form is used; from some 100 on it would be slower."""

LANES = 16
"""What the length of a row must be a multiple of: torch's kernel reads that many at once and does
not look where the row ends."""

LARGEST = 127


def quantised(network: CodeFill) -> CodeFill:
    """The network with products that read less; all weights are shared with ``network``.

    A network on another device or in another type than float32 is given back as it is.
    """
    weight = network.value_embedding.weight
    if weight.device.type != "cpu" or weight.dtype != torch.float32:
        return network
    fast = sharing(network)
    for block in fast.blocks:
        for name, module in list(block.named_children()):
            if isinstance(module, nn.Linear) and module.in_features % LANES == 0:
                setattr(block, name, _Linear(module.weight))
    if fast.config.width % LANES == 0:
        fast.value_embedding = _Embedding(fast.value_embedding.weight)
    return fast


def quantise_linears(network: nn.Module) -> int:
    """Give the float32 linear maps of any network an eight-bit form, in place; how many got one.

    Those on another device or with rows of another length than ``LANES`` reads stay as they are.
    """
    count = 0
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear and _fits(child.weight):
                setattr(module, name, _Linear(child.weight, child.bias))
                count += 1
    return count


def _fits(weight: Tensor) -> bool:
    alike = weight.device.type == "cpu" and weight.dtype == torch.float32
    return alike and weight.shape[1] % LANES == 0


class EightBits:
    """A (N, K) matrix as ``rounded`` (N, K) int8 times ``scales`` (N,) bfloat16.

    The largest weight of a row is some 127 scales; others are off by half a scale at most.
    """

    def __init__(self, weight: Tensor) -> None:
        weight = weight.detach()
        least = torch.finfo(torch.bfloat16).tiny
        self.scales = (weight.abs().amax(dim=1) / LARGEST).clamp_min(least).bfloat16()
        steps = (weight / self.scales.float()[:, None]).round()
        self.rounded = steps.clamp(-LARGEST, LARGEST).to(torch.int8)

    def product(self, x: Tensor) -> Tensor:
        """(..., K) to (..., N) in float32."""
        rows = x.reshape(-1, x.shape[-1]).bfloat16().contiguous()
        found: Tensor = torch.ops.aten._weight_int8pack_mm(rows, self.rounded, self.scales)
        return found.float().view(*x.shape[:-1], -1)


class _Linear(nn.Module):
    """What ``nn.Linear`` is, without weights of its own to fill first."""

    def __init__(self, weight: Tensor, bias: Tensor | None = None) -> None:
        super().__init__()
        self.weight, self.bias = weight, bias
        self._eight_bits = EightBits(weight)

    def forward(self, x: Tensor) -> Tensor:
        if not _few(x):
            return functional.linear(x, self.weight, self.bias)
        found = self._eight_bits.product(x)
        return found if self.bias is None else found + self.bias


class _Embedding(TiedEmbedding):
    def __init__(self, weight: Tensor) -> None:
        rows, width = weight.shape
        super().__init__(rows, width, _weight=weight)
        self._eight_bits = EightBits(weight)

    def compare(self, features: Tensor) -> Tensor:
        return self._eight_bits.product(features) if _few(features) else super().compare(features)


def _few(x: Tensor) -> bool:
    return x.numel() <= FEW * x.shape[-1]
