"""Eight-bit weights: how far they may be from the weights, and what that does to the network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from completion.model import checkpoint
from completion.model.codefill import CodeFill, Config, KVCache
from completion.model.quantised import FEW, LANES, EightBits, quantised
from completion.model.types import START, advance_tokens

CONFIG = Config(
    values=60, states=12, types=7, width=32, layers=2, heads=4, kv_heads=2, hidden=56,
    max_positions=64, grams=97, gram_width=8,
)  # fmt: skip


def network(config: Config = CONFIG) -> CodeFill:
    torch.manual_seed(0)
    made = CodeFill(config).eval().requires_grad_(requires_grad=False)
    for weight in made.parameters():
        if weight.dim() > 1:
            weight.normal_(std=0.2)
    return made


@given(
    st.integers(1, 40),
    st.integers(1, 6),
    st.integers(1, FEW),
    st.floats(1e-30, 1e30),
    st.integers(0, 2**32 - 1),
)
def test_products_are_those_of_weights_off_by_half_a_scale(
    height: int, lanes: int, rows: int, size: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(height, LANES * lanes, generator=generator) * size
    x = torch.randn(rows, LANES * lanes, generator=generator)
    eight = EightBits(weight)
    steps, scales = eight.rounded.double(), eight.scales.double()[:, None]
    assert ((steps * scales - weight.double()).abs() <= 0.51 * scales).all()
    assert (scales <= 1.01 * weight.double().abs().amax(dim=1, keepdim=True) / 127).all()
    exact = x.bfloat16().double() @ (steps * scales).T
    sums = x.bfloat16().double().abs() @ (steps * scales).abs().T
    found = eight.product(x)
    assert found.dtype == torch.float32
    assert ((found.double() - exact).abs() <= 2**-8 * exact.abs() + 1e-5 * sums).all()


def test_a_row_of_nothing_stays_nothing() -> None:
    weight = torch.zeros(3, LANES)
    weight[1] = 2.0
    assert EightBits(weight).product(torch.ones(1, LANES)).tolist() == [[0.0, 32.0, 0.0]]


@given(st.integers(2, FEW), st.integers(0, 2**32 - 1))
def test_rows_do_not_influence_each_other(rows: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    eight = EightBits(torch.randn(33, 2 * LANES, generator=generator))
    x = torch.randn(2 * rows, 2 * LANES, generator=generator)[::2]  # not contiguous
    alone = torch.cat([eight.product(row[None]) for row in x])
    assert torch.equal(eight.product(x), alone)


def test_many_rows_use_the_weights_as_they_are() -> None:
    plain = network()
    fast = quantised(plain)
    values, states = torch.randint(60, (1, FEW + 1)), torch.randint(12, (1, FEW + 1))
    assert torch.equal(fast.trunk(values, states), plain.trunk(values, states))


def test_few_rows_are_near_them_and_the_weights_are_shared() -> None:
    plain = network()
    fast = quantised(plain)
    assert fast.blocks[0].qkv.weight is plain.blocks[0].qkv.weight
    assert type(plain.value_embedding) is not type(fast.value_embedding)
    values, states = torch.randint(60, (1, FEW)), torch.randint(12, (1, FEW))
    found, wanted = fast(values, states).value_logits, plain(values, states).value_logits
    assert not torch.equal(found, wanted)
    assert (found - wanted).norm() <= 0.03 * wanted.norm()


def test_rows_of_another_length_and_other_types_stay_as_they_are() -> None:
    fast = quantised(network())  # hidden is no multiple of what the kernel reads
    assert type(fast.blocks[0].down) is torch.nn.Linear
    assert type(fast.blocks[0].qkv) is not torch.nn.Linear
    double = network().double()
    assert quantised(double) is double


@pytest.fixture(scope="module")
def text() -> tuple[Tensor, Tensor]:
    tokenizer = checkpoint.load(device="cpu").tokenizer
    ids = tokenizer.encode(Path(checkpoint.__file__).read_text("utf-8"))[:400]
    _, states = advance_tokens(START, (tokenizer.token_bytes[one] for one in ids))
    return torch.tensor([ids]), torch.tensor([states])


@torch.inference_mode()
def test_the_shipped_model_writes_on_as_with_float32(text: tuple[Tensor, Tensor]) -> None:
    loaded = checkpoint.load(device="cpu")
    values, states = text
    wanted = loaded.model(values, states).value_logits[0].log_softmax(dim=-1)
    fast, cache = quantised(loaded.model), KVCache.empty(loaded.config)
    chunks = zip(values.split(FEW, 1), states.split(FEW, 1), strict=True)
    logits = [fast(*chunk, cache=cache).value_logits[0] for chunk in chunks]
    found = torch.cat(logits).log_softmax(dim=-1)
    divergence = (wanted.exp() * (wanted - found)).sum(dim=-1)
    assert float(divergence.mean()) <= 0.005
    assert float((wanted.argmax(-1) == found.argmax(-1)).float().mean()) >= 0.97
