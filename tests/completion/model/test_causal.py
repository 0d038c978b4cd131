"""Causal models of transformers as networks of a tree, against their own uncached forward."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from completion.model.causal import BRANCHING_ROOM, CausalNetwork, NetworkError, check, window_of
from tests.completion.model.architectures import CONFIGS, WINDOW, tiny

torch.set_num_threads(1)  # the models are so small that a second thread only costs

VOCABULARY = 90
ROWS = 97  # more rows than tokens, as most models have
NETWORKS = {
    name: CausalNetwork(tiny(name, ROWS, torch.float64), VOCABULARY) for name in sorted(CONFIGS)
}
EXACT = {name: 1e-4 if name == "gemma2" else 1e-8 for name in NETWORKS}
"""How near is equal: the attention of Gemma 2 sums in float32 whatever the weights are."""
tokens = st.integers(0, VOCABULARY - 1)


def own_logits(network: CausalNetwork, ids: list[int]) -> Tensor:
    """What the model itself says behind ``ids``, read from the beginning."""
    return network.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1, :VOCABULARY]


@pytest.mark.parametrize("name", sorted(CONFIGS))
@settings(max_examples=12, deadline=None)
@given(
    prompt=st.lists(tokens, min_size=1, max_size=9),
    passes=st.lists(
        st.lists(st.tuples(st.integers(0, 20), tokens), min_size=1, max_size=6),
        min_size=1,
        max_size=3,
    ),
)
def test_every_node_of_a_tree_is_scored_as_its_path(
    name: str, prompt: list[int], passes: list[list[tuple[int, int]]]
) -> None:
    network = NETWORKS[name]
    cache = network.empty_cache()
    with torch.inference_mode():
        network.trunk(torch.tensor([prompt]), cache=cache)
        paths: list[list[int]] = []  # of node numbers, itself last
        ids: list[int] = []
        for grown in passes:
            first = len(paths)
            for parent, token in grown:
                above = paths[parent % len(paths)] if paths else []
                paths.append([*above, len(paths)])
                ids.append(token)
            sees = np.zeros((len(paths) - first, len(prompt) + len(paths)), dtype=bool)
            sees[:, : len(prompt)] = True
            for row, path in enumerate(paths[first:]):
                sees[row, [len(prompt) + node for node in path]] = True
            hidden = network.trunk(
                torch.tensor([ids[first:]]),
                positions=torch.tensor([[len(prompt) + len(path) - 1 for path in paths[first:]]]),
                cache=cache,
                mask=torch.from_numpy(sees)[None, None],
            )
            for path, row in zip(paths[first:], network.heads(hidden[0]).value_logits, strict=True):
                wanted = own_logits(network, [*prompt, *(ids[node] for node in path)])
                assert torch.allclose(row, wanted, atol=EXACT[name])
        kept = paths[-1]
        cache.gather(len(prompt), [len(prompt) + node for node in kept])
        read = [*prompt, *(ids[node] for node in kept)]
        assert cache.ids[0, : cache.length].tolist() == read
        hidden = network.trunk(torch.tensor([[5]]), cache=cache)
        assert torch.allclose(
            network.heads(hidden[0, -1]).value_logits,
            own_logits(network, [*read, 5]),
            atol=EXACT[name],
        )


@pytest.mark.parametrize("name", sorted(CONFIGS))
def test_a_cache_grows_and_is_cut(name: str) -> None:
    network = CausalNetwork(tiny(name, ROWS, torch.float64, **_longer(name)), VOCABULARY)
    ids = [(7 * at) % VOCABULARY for at in range(400)]
    cache = network.empty_cache()
    with torch.inference_mode():
        for begin in range(0, len(ids), 130):  # grows within a pass, and in several
            network.trunk(torch.tensor([ids[begin : begin + 130]]), cache=cache)
        cache.truncate(300)
        hidden = network.trunk(torch.tensor([[3]]), cache=cache)
        logits = network.heads(hidden[0, -1]).value_logits
        assert torch.allclose(logits, own_logits(network, [*ids[:300], 3]), atol=EXACT[name])
    with pytest.raises(ValueError, match="cannot truncate"):
        cache.truncate(302)


def _longer(name: str) -> dict[str, int]:
    if name in ("gpt2", "gpt_bigcode"):
        return {"n_positions": 512}
    sliding = name in ("starcoder2", "mistral", "gemma2")
    return {"max_position_embeddings": 512, **({"sliding_window": 512} if sliding else {})}


@pytest.mark.parametrize("name", sorted(CONFIGS))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_architecture_passes_its_check(name: str, dtype: torch.dtype) -> None:
    check(CausalNetwork(tiny(name, ROWS, dtype), VOCABULARY))


def test_an_architecture_that_cannot_branch_is_refused() -> None:
    config = transformers.MambaConfig(vocab_size=ROWS, hidden_size=32, num_hidden_layers=2)
    model = transformers.MambaForCausalLM(config).eval()
    with pytest.raises(NetworkError, match="MambaForCausalLM cannot score branches"):
        check(CausalNetwork(model, VOCABULARY))


def test_a_model_that_does_more_with_its_logits_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    network = CausalNetwork(tiny("granite", ROWS), VOCABULARY)
    monkeypatch.setattr(network, "_scaled", lambda logits: logits)
    with pytest.raises(NetworkError, match="does not score branches as it scores their paths"):
        check(network)


def test_weights_that_are_no_numbers() -> None:
    model = tiny("llama", ROWS)
    model.model.norm.weight[3] = float("nan")
    with pytest.raises(NetworkError, match="no finite numbers"):
        check(CausalNetwork(model, VOCABULARY))


def test_fewer_rows_than_tokens() -> None:
    with pytest.raises(NetworkError, match="97 tokens and the tokenizer has 98"):
        CausalNetwork(tiny("llama", ROWS), ROWS + 1)


def test_no_language_model() -> None:
    config = CONFIGS["llama"](vocab_size=ROWS)
    with pytest.raises(NetworkError, match="LlamaModel is no causal language model"):
        CausalNetwork(transformers.LlamaModel(config), VOCABULARY)


def test_the_window_is_never_left() -> None:
    network = NETWORKS["mistral"]
    cache = network.empty_cache()
    with torch.inference_mode():
        network.trunk(torch.ones((1, WINDOW), dtype=torch.int64), cache=cache)
        with pytest.raises(ValueError, match=f"{WINDOW + 1} tokens exceed the model's window"):
            network.trunk(torch.tensor([[1]]), cache=cache)
        branches = torch.arange(BRANCHING_ROOM)[None] % VOCABULARY
        network.trunk(branches, positions=torch.full_like(branches, WINDOW - 1), cache=cache)
        with pytest.raises(ValueError, match="do not fit a cache of"):
            network.trunk(torch.tensor([[1]]), positions=torch.tensor([[0]]), cache=cache)


def test_the_window_is_the_smallest_limit() -> None:
    assert window_of(CONFIGS["mistral"](sliding_window=64)) == 64
    assert window_of(CONFIGS["qwen2"](sliding_window=64)) == WINDOW  # which Qwen does not use
    assert window_of(CONFIGS["gpt2"]()) == WINDOW
