"""CodeFill in transformers: everything equals the network itself, called row by row, uncached."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    DynamicCache,
    PreTrainedModel,
    StaticCache,
)

from completion.model import checkpoint
from completion.model.checkpoint import CheckpointError, Loaded, load
from completion.model.codefill import CodeFill, Config, Output
from completion.model.hub import CodeFillForCausalLM
from completion.model.hub_config import CodeFillConfig
from completion.model.hub_export import fast_tokenizer
from completion.model.prompt import header
from completion.model.tokenizer import Tokenizer
from completion.model.types import PAD_STATE, START, advance_tokens
from tests.completion.toys import toy_tokenizer

TOKENIZER = toy_tokenizer([(b"d", b"e"), (b"de", b"f"), (b" ", b"a"), (b"\n", b" "), (b"a", b"b")])
TYPES = ["other", "end", "identifier"]
CONFIG = Config(
    values=TOKENIZER.size, types=8, width=32, layers=2, heads=4, kv_heads=2, hidden=48,
    max_positions=96,
)  # fmt: skip
PROMPTS = [("", "\n", "def a(b"), ("# b.py\ndef c\n", "", "ab = 'a"), ("", "ab", "")]
NEVER = [TOKENIZER.pad, TOKENIZER.context, TOKENIZER.suffix, TOKENIZER.prefix]
"""Tokens that no text goes on with, and that a network of random weights would write."""


@pytest.fixture(scope="module")
def model() -> CodeFillForCausalLM:
    torch.manual_seed(0)
    network = CodeFill(CONFIG).double()
    for weight in network.parameters():
        if weight.dim() > 1:
            torch.nn.init.normal_(weight, std=0.3)
    return CodeFillForCausalLM.of(network, TOKENIZER, TYPES)


def row(tokenizer: Tokenizer, context: str, suffix: str, text: str) -> tuple[list[int], list[int]]:
    """(ids, states) of a prompt, as serving works them out."""
    values, states = header(tokenizer, context, suffix)
    ids = tokenizer.encode(text)
    behind = advance_tokens(START, (tokenizer.token_bytes[one] for one in ids))[1]
    return [*values, *ids], [*states, *behind]


def direct(model: CodeFillForCausalLM, prompt: tuple[str, str, str]) -> Output:
    """The network's own answer to one row."""
    ids, states = row(TOKENIZER, *prompt)
    with torch.no_grad():
        output: Output = model.network(torch.tensor([ids]), torch.tensor([states]))
    return output


def padded(*, left: bool) -> tuple[Tensor, Tensor]:
    """All prompts as one batch, and its attention mask."""
    rows = [row(TOKENIZER, *prompt)[0] for prompt in PROMPTS]
    longest = max(map(len, rows))
    blanks = [[TOKENIZER.pad] * (longest - len(one)) for one in rows]
    joined = [
        [*blank, *one] if left else [*one, *blank] for blank, one in zip(blanks, rows, strict=True)
    ]
    ids = torch.tensor(joined)
    return ids, (ids != TOKENIZER.pad).long()


def greedy(
    network: CodeFill,
    tokenizer: Tokenizer,
    prompt: tuple[str, str, str],
    count: int,
    never: Sequence[int] = (),
) -> list[int]:
    """The likeliest token again and again, everything computed afresh for each."""
    ids, states = row(tokenizer, *prompt)
    syntax, _ = advance_tokens(
        START, (tokenizer.token_bytes[i] for i in tokenizer.encode(prompt[2]))
    )
    written: list[int] = []
    while len(written) < count and tokenizer.end not in written:
        with torch.no_grad():
            found = network(torch.tensor([ids]), torch.tensor([states]), last_only=True)
        logits = found.value_logits[0, 0]
        logits[list(never)] = -torch.inf
        token = int(logits.argmax())
        written.append(token)
        ids.append(token)
        if token != tokenizer.end:
            syntax, (state,) = advance_tokens(syntax, [tokenizer.token_bytes[token]])
            states.append(state)
    return written


def assert_same(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_whole_row_is_what_the_network_says(
    model: CodeFillForCausalLM, prompt: tuple[str, str, str]
) -> None:
    wanted = direct(model, prompt)
    found = model(torch.tensor([row(TOKENIZER, *prompt)[0]]), use_cache=False)
    assert found.cache is None
    assert torch.equal(found.logits, wanted.value_logits)
    assert torch.equal(found.type_logits, wanted.type_logits)


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_padded_rows_are_what_they_are_alone(
    model: CodeFillForCausalLM, left: bool, masked: bool
) -> None:
    ids, mask = padded(left=left)
    garbage = ids.masked_fill(mask == 0, TOKENIZER.prefix) if masked else ids
    found = model(garbage, attention_mask=mask if masked else None)
    for index, prompt in enumerate(PROMPTS):
        wanted = direct(model, prompt)
        here = mask[index].bool()
        assert_same(found.logits[index, here], wanted.value_logits[0])
        assert_same(found.type_logits[index, here], wanted.type_logits[0])


@pytest.mark.parametrize("step", [1, 3])
def test_a_cache_of_padded_rows_equals_one_pass(model: CodeFillForCausalLM, step: int) -> None:
    ids, mask = padded(left=True)
    wanted = model(ids, attention_mask=mask).logits
    cache, parts = None, []
    for first in range(0, ids.shape[1], step):
        part = slice(first, first + step)
        output = model(ids[:, part], attention_mask=mask[:, : part.stop], cache=cache)
        cache = output.cache
        parts.append(output.logits)
    assert cache is not None
    assert cache.get_seq_length() == ids.shape[1]
    found = torch.cat(parts, dim=1)
    assert_same(found[mask.bool()], wanted[mask.bool()])


def test_a_cropped_and_a_reordered_cache(model: CodeFillForCausalLM) -> None:
    ids, mask = padded(left=True)
    output = model(ids, attention_mask=mask)
    cache: DynamicCache = output.cache
    cache.crop(-3)
    cache.reorder_cache(torch.tensor([2, 0, 0]))
    found = model(ids[[2, 0, 0], -3:], cache=cache).logits
    assert_same(found, output.logits[[2, 0, 0], -3:])


def test_only_the_last_logits(model: CodeFillForCausalLM) -> None:
    ids, mask = padded(left=True)
    whole = model(ids, attention_mask=mask)
    some = model(ids, attention_mask=mask, logits_to_keep=2)
    assert_same(some.logits, whole.logits[:, -2:])
    assert torch.equal(model(ids, attention_mask=mask, return_dict=False)[0], whole.logits)


def test_greedy_generation_in_a_batch_is_the_plain_loop(model: CodeFillForCausalLM) -> None:
    ids, mask = padded(left=True)
    found = model.generate(ids, attention_mask=mask, max_new_tokens=24, suppress_tokens=NEVER)
    for index, prompt in enumerate(PROMPTS):
        wanted = greedy(model.network, TOKENIZER, prompt, 24, NEVER)
        written = found[index, ids.shape[1] :].tolist()
        assert written[: len(wanted)] == wanted
        assert set(written[len(wanted) :]) <= {TOKENIZER.pad}


@pytest.mark.parametrize(
    "options",
    [
        {"num_beams": 4, "num_return_sequences": 2, "do_sample": False},
        {"do_sample": True, "num_return_sequences": 3},
        {"do_sample": False, "prompt_lookup_num_tokens": 2},
    ],
)
def test_cached_generation_equals_uncached(
    model: CodeFillForCausalLM, options: dict[str, object]
) -> None:
    ids, mask = padded(left=True)
    if "prompt_lookup_num_tokens" in options:
        ids, mask = ids[:1], mask[:1]  # it takes one row; it needs a cache: compare with greedy
        ids, mask = ids[:, mask[0].bool()], mask[:, mask[0].bool()]
    found = []
    for use_cache in (True, False):
        if not use_cache:
            options = {k: v for k, v in options.items() if k != "prompt_lookup_num_tokens"}
        torch.manual_seed(5)
        found.append(
            model.generate(
                ids, attention_mask=mask, max_new_tokens=16, suppress_tokens=NEVER,
                use_cache=use_cache, **options,
            )
        )  # fmt: skip
    assert torch.equal(*found)


def test_the_loss_is_the_next_tokens(model: CodeFillForCausalLM) -> None:
    ids, mask = padded(left=True)
    labels = ids.masked_fill(mask == 0, -100)
    output = model(ids, attention_mask=mask, labels=labels)
    wanted = functional.cross_entropy(
        output.logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100
    )
    assert_same(output.loss, wanted)
    output.loss.backward()
    assert model.network.state_embedding.weight.grad is not None
    model.zero_grad()


@pytest.fixture
def folder(model: CodeFillForCausalLM, tmp_path: Path) -> Path:
    model.save_pretrained(tmp_path)
    fast_tokenizer(TOKENIZER).save_pretrained(tmp_path)
    return tmp_path


def test_auto_classes_bring_the_same_model_back(model: CodeFillForCausalLM, folder: Path) -> None:
    again = AutoModelForCausalLM.from_pretrained(folder)
    ids, mask = padded(left=True)
    assert isinstance(again, CodeFillForCausalLM)
    assert not again.training
    assert again.config.type_names == TYPES
    assert again.config.network == CONFIG
    assert torch.equal(
        again(ids, attention_mask=mask).logits, model(ids, attention_mask=mask).logits
    )
    greedily = {"attention_mask": mask, "max_new_tokens": 8}
    assert torch.equal(again.generate(ids, **greedily), model.generate(ids, **greedily))


def test_another_precision_leaves_the_vocabulary_alone(
    model: CodeFillForCausalLM, folder: Path
) -> None:
    half = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    assert half.network.norm.dtype == torch.bfloat16
    assert torch.equal(half.vocabulary, model.vocabulary)
    assert half.reader.inputs(list(range(5, 40))) == model.reader.inputs(list(range(5, 40)))


def test_the_auto_tokenizer_is_ours(folder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for context, suffix, text in [*PROMPTS, ("", "é\n", "def\tñ = '日本'  # \r\n x\n\n\n  ")]:
        spelt = f"<|suffix|>{suffix}<|prefix|>{text}"
        spelt = f"<|context|>{context}{spelt}" if context else spelt
        assert tokenizer(spelt).input_ids == row(TOKENIZER, context, suffix, text)[0]
        assert tokenizer.decode(TOKENIZER.encode(text)) == text
    typed = "a = '<|suffix|>' <|end|>"
    assert tokenizer(typed, split_special_tokens=True).input_ids == TOKENIZER.encode(typed)
    batch = tokenizer(["<|suffix|><|prefix|>def", "a"], padding=True, return_tensors="pt")
    assert batch.input_ids[1].tolist()[:-1] == [TOKENIZER.pad] * (batch.input_ids.shape[1] - 1)


@pytest.fixture(scope="module")
def shipped() -> Loaded:
    return load(device="cpu", dtype=torch.float32)


@pytest.mark.parametrize(
    "prompt",
    [
        ("", "\n", "import o"),
        ("", "\n", "from pathlib import Path\n\n\ndef read(path: Path) -> str:\n    return pa"),
        ("# a.py\ndef area_of(side)\n", "\n    return total\n", "total = 0\nfor side in a:\n    t"),
    ],
)
def test_the_shipped_model_writes_what_its_network_does(
    shipped: Loaded, prompt: tuple[str, str, str]
) -> None:
    model = CodeFillForCausalLM.of(shipped.model, shipped.tokenizer, shipped.types)
    ids = torch.tensor([row(shipped.tokenizer, *prompt)[0]])
    found = model.generate(ids, max_new_tokens=16)[0, ids.shape[1] :].tolist()
    assert found == greedy(shipped.model, shipped.tokenizer, prompt, 16)


def test_a_checkpoint_becomes_a_model_that_can_be_trained(shipped: Loaded) -> None:
    model = CodeFillForCausalLM.from_checkpoint(device="cpu", dtype=torch.float32)
    assert model.config.type_names == shipped.types
    for name, weight in model.network.named_parameters():
        assert torch.equal(weight, shipped.model.get_parameter(name))
        assert weight.requires_grad


def test_a_new_model_has_everything_a_network_has(model: CodeFillForCausalLM) -> None:
    fresh = AutoModelForCausalLM.from_config(model.config, dtype=torch.float32)
    wanted = CodeFill(CONFIG)
    assert torch.equal(fresh.network.cos, wanted.cos)
    assert torch.equal(fresh.network.sin, wanted.sin)
    weights = dict(wanted.named_parameters())
    assert fresh.network.norm.tolist() == [1.0] * CONFIG.width
    for name, weight in fresh.network.named_parameters():
        assert float(weight.detach().std()) == pytest.approx(
            float(weights[name].detach().std()), rel=0.2
        )
    with pytest.raises(ValueError, match="does not know the bytes of its tokens"):
        fresh(torch.tensor([[7, 8]]))
    fresh.load_state_dict(model.state_dict())
    ids = torch.tensor([row(TOKENIZER, *PROMPTS[0])[0]])
    assert_same(fresh(ids).logits, model(ids).logits)


def test_weights_of_another_vocabulary_are_read_with_it(model: CodeFillForCausalLM) -> None:
    other = CodeFillForCausalLM.of(CodeFill(CONFIG), toy_tokenizer(OTHER_MERGES))
    first = other.reader.inputs([262, 263])
    other.load_state_dict(model.state_dict())
    assert other.reader.inputs([262, 263]) == model.reader.inputs([262, 263]) != first


OTHER_MERGES = [(b"(", b"'"), (b"('", b"b"), (b".", b"a"), (b"\n", b" "), (b"a", b"b")]


def test_padding_has_no_state_and_no_value(model: CodeFillForCausalLM) -> None:
    ids, _ = padded(left=True)
    found = model.inputs_of(ids)
    assert set(found["states"][ids == TOKENIZER.pad].tolist()) == {PAD_STATE}
    assert torch.equal(model.inputs_of(ids, 4)["states"], found["states"][:, 4:])


def test_what_does_not_fit_is_refused(model: CodeFillForCausalLM) -> None:
    ids = torch.tensor([row(TOKENIZER, *PROMPTS[0])[0]])
    with pytest.raises(ValueError, match="97 tokens exceed 96 positions"):
        model(torch.full((1, 97), 7))
    with pytest.raises(ValueError, match="works with a DynamicCache, not a StaticCache"):
        model(ids, cache=StaticCache(model.config, max_cache_len=32))
    with pytest.raises(ValueError, match="attention_mask must be"):
        model(ids, attention_mask=torch.ones(1, 1, 4, 4))
    foreign = DynamicCache()
    foreign.update(torch.ones(1, 2, 3, 8), torch.ones(1, 2, 3, 8), 0)
    with pytest.raises(ValueError, match="filled by another model"):
        model(ids, cache=foreign)
    with pytest.raises(ValueError, match="cannot be resized"):
        model.resize_token_embeddings(7)
    with pytest.raises(ValueError, match="belongs to another model"):
        CodeFillForCausalLM.of(model.network, toy_tokenizer([]))


# --- bad input on disk ------------------------------------------------------------------------


@pytest.mark.parametrize("keep", [4, 100, -7])
def test_truncated_weights(folder: Path, keep: int) -> None:
    path = folder / checkpoint.MODEL
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"the weights in .* are damaged"):
        AutoModelForCausalLM.from_pretrained(folder)


@pytest.mark.parametrize(("name", "value"), [("layers", 3), ("layers", 1), ("hidden", 40)])
def test_weights_of_another_shape(folder: Path, name: str, value: int) -> None:
    change_config(folder, {name: value})
    with pytest.raises(CheckpointError, match="do not fit its configuration"):
        AutoModelForCausalLM.from_pretrained(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "red"}, "has no field colour"),
        ({"width": "wide"}, "width cannot be 'wide'"),
        ({"layers": -1}, "layers cannot be -1"),
        ({"heads": 0}, "heads"),
        ({"width": 30}, "do not divide"),
    ],
)
def test_a_bad_configuration(folder: Path, change: dict[str, object], message: str) -> None:
    change_config(folder, change)
    with pytest.raises(ValueError, match=message):
        AutoConfig.from_pretrained(folder)


def test_other_syntactic_states(folder: Path) -> None:
    change_config(folder, {"states_sha256": "0"})
    with pytest.raises(CheckpointError, match="other syntactic states"):
        AutoModelForCausalLM.from_pretrained(folder)


def change_config(folder: Path, change: dict[str, object]) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


@pytest.mark.parametrize(
    ("merges", "message"),
    [([], "tokens for a network of"), (OTHER_MERGES, "the tokenizer of another model")],
)
def test_the_tokenizer_of_another_model(
    folder: Path, merges: list[tuple[bytes, bytes]], message: str
) -> None:
    fast_tokenizer(toy_tokenizer(merges)).save_pretrained(folder)
    with pytest.raises(CheckpointError, match=message):
        AutoModelForCausalLM.from_pretrained(folder)


def test_a_tokenizer_that_is_none(folder: Path) -> None:
    (folder / checkpoint.TOKENIZER).write_text("{}")
    with pytest.raises(CheckpointError, match="cannot read the tokenizer"):
        AutoModelForCausalLM.from_pretrained(folder)


def test_memory_that_does_not_suffice(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes")

    monkeypatch.setattr(PreTrainedModel, "from_pretrained", fail)
    with pytest.raises(CheckpointError, match="not enough memory to load"):
        CodeFillForCausalLM.from_pretrained(folder)


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"no file named model\.safetensors"):
        CodeFillForCausalLM.from_pretrained(tmp_path)


def test_the_configuration_names_what_transformers_asks_for() -> None:
    config = CodeFillConfig.of(CONFIG, TOKENIZER)
    assert config.network == CONFIG
    assert (config.vocab_size, config.hidden_size) == (CONFIG.values, CONFIG.width)
    assert (config.num_hidden_layers, config.num_key_value_heads) == (2, 2)
    assert config.max_position_embeddings == CONFIG.max_positions
