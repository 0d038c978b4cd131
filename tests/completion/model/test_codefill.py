"""The network: what is cached, branched or masked gives what a fresh forward pass gives."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from completion.model.codefill import CodeFill, Config, KVCache, Output

CONFIG = Config(
    values=50, states=12, types=7, width=32, layers=2, heads=4, kv_heads=2, hidden=48,
    max_positions=64, grams=97, gram_width=8,
)  # fmt: skip


@pytest.fixture(scope="module")
def model() -> CodeFill:
    torch.manual_seed(0)
    network = CodeFill(CONFIG).double().eval().requires_grad_(requires_grad=False)
    for weight in network.parameters():
        if weight.dim() > 1:
            weight.normal_(std=0.3)
    return network


def tokens(length: int, rows: int = 1) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(length)
    values = torch.randint(0, CONFIG.values, (rows, length), generator=generator)
    return values, torch.randint(0, CONFIG.states, (rows, length), generator=generator)


def cache(rows: int = 1) -> KVCache:
    return KVCache.empty(CONFIG, rows=rows, capacity=40, dtype=torch.float64)


def assert_same(found: Output, wanted: Output) -> None:
    torch.testing.assert_close(found.value_logits, wanted.value_logits, rtol=0, atol=2e-5)
    torch.testing.assert_close(found.type_logits, wanted.type_logits, rtol=0, atol=2e-5)


@pytest.mark.parametrize("chunks", [[20], [1] * 20, [7, 1, 1, 11], [19, 1]])
def test_cached_chunks_equal_one_pass(model: CodeFill, chunks: list[int]) -> None:
    values, states = tokens(20, rows=2)
    kept = cache(rows=2)
    parts = [
        model(value, state, cache=kept)
        for value, state in zip(values.split(chunks, 1), states.split(chunks, 1), strict=True)
    ]
    joined = Output(*(torch.cat(logits, dim=1) for logits in zip(*parts, strict=True)))
    assert kept.length == 20
    assert_same(joined, model(values, states))


def test_last_only_is_the_last(model: CodeFill) -> None:
    whole = model(*tokens(9))
    assert_same(model(*tokens(9), last_only=True), Output(*(part[:, -1:] for part in whole)))


def test_the_future_is_not_seen(model: CodeFill) -> None:
    values, states = tokens(12)
    changed = values.clone()
    changed[:, 8:] = 1
    before, after = model(values, states), model(changed, states)
    assert_same(Output(*(part[:, :8] for part in after)), Output(*(part[:, :8] for part in before)))
    assert not torch.equal(before.value_logits[:, 8:], after.value_logits[:, 8:])


def test_truncating_forgets(model: CodeFill) -> None:
    values, states = tokens(12)
    kept = cache()
    model(values, states, cache=kept)
    kept.truncate(5)
    assert_same(
        model(values[:, 5:7], states[:, 5:7], cache=kept),
        Output(*(part[:, 5:7] for part in model(values, states))),
    )


def test_a_tree_under_a_mask_equals_its_paths_as_rows(model: CodeFill) -> None:
    values, states = tokens(6)
    parents = [-1, 0, 0, 2, 2]  # two branches behind node 0, two leaves behind node 2
    nodes, node_states = tokens(5)
    mask = torch.zeros(5, 11, dtype=torch.bool)
    mask[:, :6] = True
    paths = []
    for node, parent in enumerate(parents):
        paths.append([*paths[parent], node] if parent >= 0 else [node])
        mask[node, [6 + one for one in paths[-1]]] = True
    positions = torch.tensor([[5 + len(path) for path in paths]])
    kept = cache()
    model(values, states, cache=kept)
    before = []
    for path in paths:
        above = [*values[0].tolist(), *nodes[0, path[:-1]].tolist()]
        before.append(above[-1:-3:-1])
    found = model(
        nodes,
        node_states,
        cache=kept,
        positions=positions,
        before=torch.tensor([before]),
        mask=mask[None, None],
    )
    for node, path in enumerate(paths):
        alone = model(
            torch.cat((values, nodes[:, path]), 1),
            torch.cat((states, node_states[:, path]), 1),
            last_only=True,
        )
        assert_same(Output(*(part[:, node : node + 1] for part in found)), alone)


def test_gathering_keeps_one_path_of_a_tree(model: CodeFill) -> None:
    values, states = tokens(8)
    kept = cache()
    model(values[:, :5], states[:, :5], cache=kept)
    mask = torch.ones(1, 1, 2, 7, dtype=torch.bool)
    mask[..., 1, 5] = False  # two alternatives for position 5
    side_by_side = torch.stack((values[:, 7], values[:, 5]), 1)
    side_states = torch.stack((states[:, 7], states[:, 5]), 1)
    before = values[:, [4, 3]].unsqueeze(1).expand(1, 2, 2)
    model(
        side_by_side,
        side_states,
        cache=kept,
        mask=mask,
        before=before,
        positions=torch.tensor([[5, 5]]),
    )
    kept.gather(5, [6])
    found = model(values[:, 6:7], states[:, 6:7], cache=kept)
    assert_same(found, Output(*(part[:, 6:7] for part in model(values, states))))


def test_one_block_against_the_formulas(model: CodeFill) -> None:
    """The first block written out with explicit heads, angles and softmax."""
    values, states = tokens(7)
    assert model.state_embedding is not None
    assert model.grams is not None
    before = [
        [ids[-2] if len(ids) > 1 else 0, ids[-3] if len(ids) > 2 else 0]
        for ids in (values[0, :end].tolist() for end in range(1, 8))
    ]
    embedded = model.value_embedding(values) + model.state_embedding(states)
    embedded = embedded + model.grams(values, torch.tensor([before]))
    x = embedded[0]
    block = model.blocks[0]
    width, heads, shared = CONFIG.head_width, CONFIG.heads, CONFIG.kv_heads
    joint = block.qkv(rms(x) * block.attention_norm)
    queries, keys, given = joint.split((heads * width, shared * width, shared * width), dim=-1)
    mixed = torch.zeros(7, heads * width, dtype=torch.float64)
    for head in range(heads):
        group = head // (heads // shared)
        for at in range(7):
            query = turned(queries[at, head * width : (head + 1) * width], at)
            past = [turned(keys[t, group * width : (group + 1) * width], t) for t in range(at + 1)]
            share = torch.stack([query @ key for key in past]).div(width**0.5).softmax(0)
            seen = given[: at + 1, group * width : (group + 1) * width]
            mixed[at, head * width : (head + 1) * width] = share @ seen
    x = x + block.attention_out(mixed)
    gate, up = block.gate_up(rms(x) * block.feed_norm).chunk(2, dim=-1)
    wanted = x + block.down(functional.silu(gate) * up)
    rotation = model.cos[:7], model.sin[:7]
    found = block(embedded, rotation, None, None, 0)[0]
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-6)


def rms(x: Tensor) -> Tensor:
    return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()


def turned(vector: Tensor, position: int) -> Tensor:
    """Each pair (i, i + D/2) as a complex number, turned by its angle."""
    half = len(vector) // 2
    angles = position * CONFIG.rope_theta ** (-torch.arange(half, dtype=torch.float64) / half)
    turned_pairs = torch.complex(vector[:half], vector[half:]) * torch.exp(1j * angles)
    return torch.cat((turned_pairs.real, turned_pairs.imag))


def test_the_value_head_sees_the_soft_type(model: CodeFill) -> None:
    hidden = model.trunk(*tokens(4))
    output = model.heads(hidden)
    normed = rms(hidden) * model.norm
    kinds = output.type_logits.double().softmax(-1)
    wanted = (normed + model.type_embedding(kinds)) @ model.value_embedding.weight.T
    torch.testing.assert_close(output.value_logits, wanted.float(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_close(model: CodeFill, dtype: torch.dtype) -> None:
    small = CodeFill(CONFIG).to(dtype).eval()
    small.load_state_dict(model.state_dict())
    wanted = model(*tokens(24)).value_logits.log_softmax(-1)
    found = small(*tokens(24)).value_logits.log_softmax(-1)
    difference = (found - wanted).abs()
    assert difference.mean() < 0.02 * wanted.std() + 0.02
    assert difference.max() < 0.1 * wanted.abs().max()


def test_logits_are_float32_whatever_the_weights_are(model: CodeFill) -> None:
    assert {part.dtype for part in model(*tokens(3))} == {torch.float32}


def test_too_long_is_refused(model: CodeFill) -> None:
    with pytest.raises(ValueError, match="65 tokens exceed 64"):
        model(*tokens(65))
    kept = KVCache.empty(CONFIG, capacity=4, dtype=torch.float64)
    with pytest.raises(ValueError, match="5 tokens do not fit"):
        model(*tokens(5), cache=kept)
    with pytest.raises(ValueError, match="truncate"):
        kept.truncate(1)


def test_a_configuration_that_does_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="divide"):
        Config(width=30, heads=4)
