"""Adapters: what is written is what is read, it fits one base only, and merging is exact."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from completion.model import adapter
from completion.model.adapter import FACTS, TENSORS, Adapter, AdapterError, Pair
from completion.model.codefill import CodeFill, Config
from training.adapt import Plan, injected

CONFIG = Config(
    values=64, width=16, layers=2, heads=2, kv_heads=1, hidden=24, grams=32, gram_width=4
)
BASE = "a" * 64


@pytest.fixture
def network() -> CodeFill:
    torch.manual_seed(4)
    network = CodeFill(CONFIG)
    for weight in network.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.2)
    return network.eval().requires_grad_(requires_grad=False)


@pytest.fixture
def learnt() -> Adapter:
    generator = torch.Generator().manual_seed(5)
    pairs = {
        f"blocks.{layer}.{name}": Pair(
            torch.randn(3, width, generator=generator), torch.randn(rows, 3, generator=generator)
        )
        for layer in range(CONFIG.layers)
        for name, rows, width in (("qkv", 32, 16), ("down", 16, 24))
    }
    return Adapter(BASE, 3, 0.5, pairs, {"tokens": 7})


def output(network: CodeFill) -> torch.Tensor:
    values = torch.arange(40).view(2, 20) % CONFIG.values
    result: torch.Tensor = network(values, values % CONFIG.states).value_logits
    return result


def test_merging_equals_pefts_own_forward(network: CodeFill) -> None:
    plan = Plan(rank=3, scale=2)
    by_peft = injected(network, plan).eval()
    pairs = {}
    generator = torch.Generator().manual_seed(6)
    for name, module in by_peft.named_modules():
        if hasattr(module, "lora_A"):
            a, b = module.lora_A["default"].weight, module.lora_B["default"].weight
            torch.nn.init.normal_(b, std=0.3, generator=generator)
            pairs[name] = Pair(a.detach(), b.detach())
    assert len(pairs) == 4 * CONFIG.layers  # every matrix of the blocks, and no other
    assert all(name.startswith("blocks.") for name in pairs)
    ours = adapter.merged(network, Adapter(BASE, 3, float(plan.scale), pairs))
    expected = output(by_peft)
    torch.testing.assert_close(output(ours), expected, rtol=1e-4, atol=1e-4)
    assert (output(network) - expected).abs().max() > 0.1


def test_an_untrained_adapter_changes_nothing(network: CodeFill) -> None:
    torch.testing.assert_close(output(injected(network, Plan()).eval()), output(network))
    pairs = {"blocks.0.qkv": Pair(torch.ones(2, 16), torch.zeros(32, 2))}
    assert torch.equal(
        output(adapter.merged(network, Adapter(BASE, 2, 1.0, pairs))), output(network)
    )


def test_merging_shares_all_but_the_changed_matrices(network: CodeFill, learnt: Adapter) -> None:
    before = {name: weight.clone() for name, weight in network.named_parameters()}
    changed = adapter.merged(network, learnt)
    ours, theirs = dict(changed.named_parameters()), dict(network.named_parameters())
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        is_changed = name.removesuffix(".weight") in learnt.pairs
        assert (weight.data_ptr() == theirs[name].data_ptr()) is not is_changed
        assert torch.equal(theirs[name], before[name])
    assert changed.cos.data_ptr() == network.cos.data_ptr()


def test_what_is_written_is_read(tmp_path: Path, learnt: Adapter) -> None:
    adapter.save(tmp_path / "new", learnt)
    assert {path.name for path in (tmp_path / "new").iterdir()} == {TENSORS, FACTS}
    again = adapter.load(tmp_path / "new", BASE)
    assert (again.rank, again.scale, again.facts["tokens"]) == (3, 0.5, 7)
    assert again.pairs.keys() == learnt.pairs.keys()
    for name, pair in learnt.pairs.items():
        assert torch.equal(again.pairs[name].a, pair.a)
        assert torch.equal(again.pairs[name].b, pair.b)


def test_an_adapter_of_another_base_is_refused(tmp_path: Path, learnt: Adapter) -> None:
    adapter.save(tmp_path, learnt)
    with pytest.raises(AdapterError, match="another model"):
        adapter.load(tmp_path, "b" * 64)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        (TENSORS, b"", "SHA-256 differs"),
        (TENSORS, None, "No such file"),
        (FACTS, b"{", "is damaged"),
        (FACTS, b'{"format": 99}', "not of format"),
        (FACTS, None, "no adapter in"),
        (FACTS, json.dumps({"format": 1, "base_sha256": BASE}).encode(), "no rank and scale"),
    ],
)
def test_damage_is_said_in_one_line(
    tmp_path: Path, learnt: Adapter, name: str, data: bytes | None, says: str
) -> None:
    adapter.save(tmp_path, learnt)
    if data is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(AdapterError, match=says) as caught:
        adapter.load(tmp_path, BASE)
    assert len(str(caught.value).splitlines()) == 1


def test_truncated_tensors_with_a_matching_hash_are_refused(
    tmp_path: Path, learnt: Adapter
) -> None:
    import hashlib

    adapter.save(tmp_path, learnt)
    data = (tmp_path / TENSORS).read_bytes()[:-5]
    facts = json.loads((tmp_path / FACTS).read_text())
    (tmp_path / TENSORS).write_bytes(data)
    (tmp_path / FACTS).write_text(json.dumps(facts | {"sha256": hashlib.sha256(data).hexdigest()}))
    with pytest.raises(AdapterError, match="does not hold A and B"):
        adapter.load(tmp_path, BASE)


@pytest.mark.parametrize(
    ("name", "pair", "says"),
    [
        ("blocks.7.qkv", Pair(torch.ones(2, 16), torch.ones(32, 2)), "has no matrix"),
        ("blocks.0.qkv", Pair(torch.ones(2, 8), torch.ones(32, 2)), "does not fit"),
        ("blocks", Pair(torch.ones(2, 16), torch.ones(32, 2)), "does not fit"),
    ],
)
def test_matrices_of_another_network_are_refused(
    network: CodeFill, name: str, pair: Pair, says: str
) -> None:
    with pytest.raises(AdapterError, match=says):
        adapter.merged(network, Adapter(BASE, 2, 1.0, {name: pair}))


def test_a_folder_that_cannot_be_written_keeps_nothing(tmp_path: Path, learnt: Adapter) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(AdapterError, match="cannot write"):
        adapter.save(tmp_path / "file" / "adapter", learnt)


def test_removing(tmp_path: Path, learnt: Adapter) -> None:
    adapter.save(tmp_path / "new", learnt)
    stamp = adapter.stamp(tmp_path / "new")
    assert all(stamp)
    assert adapter.remove(tmp_path / "new")
    assert not (tmp_path / "new").exists()
    assert not adapter.remove(tmp_path / "new")
    assert adapter.stamp(tmp_path / "new") == (0, 0)
