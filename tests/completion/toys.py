"""Small tokenizers and models for the tests of boundary and decoding."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from hypothesis import strategies as st
from tokenizers import pre_tokenizers
from torch import Tensor
from torch.nn import functional

from completion.model import tokenizer as tokenizers
from completion.model.codefill import CodeFill, Config, KVCache, Output
from completion.model.tokenizer import SPECIALS, Tokenizer
from completion.model.types import PREFIX_STATE, SUFFIX_STATE
from completion.spelling.vocabulary import BYTE_OF_LETTER
from completion.tree import CanonicalModel, Place, TokenTree

_NAMES = {byte: letter for letter, byte in BYTE_OF_LETTER.items()}

torch.set_num_threads(1)  # the models are so small that a second thread only costs


def toy_tokenizer(merges: Sequence[tuple[bytes, bytes]]) -> Tokenizer:
    """The shipped pre-tokenizer over all bytes, with ``merges`` in this order of rank."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {name: index for index, name in enumerate([*SPECIALS, *letters])}
    named = [(_name(left), _name(right)) for left, right in merges]
    for left, right in named:
        vocabulary.setdefault(left + right, len(vocabulary))
    return Tokenizer(tokenizers.from_vocabulary(vocabulary, named))


def _name(data: bytes) -> str:
    return "".join(_NAMES[byte] for byte in data)


@st.composite
def merge_lists(
    draw: st.DrawFn, alphabet: str = "ab_ 1.\n", most: int = 14
) -> list[tuple[bytes, bytes]]:
    """Random merges whose parts exist before them, as in every trained vocabulary."""
    known = [letter.encode() for letter in alphabet]
    merges: list[tuple[bytes, bytes]] = []
    for _ in range(draw(st.integers(0, most))):
        pair = draw(st.sampled_from(known)), draw(st.sampled_from(known))
        if pair not in merges and len(pair[0] + pair[1]) <= 5:
            merges.append(pair)
            known.append(pair[0] + pair[1])
    return merges


def segmentations(data: bytes, tokens: dict[bytes, int]) -> list[list[int]]:
    """Every way to write ``data`` in tokens; slow and obvious."""
    if not data:
        return [[]]
    return [
        [tokens[data[:end]], *rest]
        for end in range(1, len(data) + 1)
        if data[:end] in tokens
        for rest in segmentations(data[end:], tokens)
    ]


class ExactCodeFill(CodeFill):
    """Logits in the precision of the weights, so that sums can be compared to 1e-9."""

    def heads(self, x: Tensor) -> Output:
        logits = functional.linear(x, self.value_embedding.weight)
        return Output(logits, self.type_head(x))


def toy_model(tokenizer: Tokenizer, dtype: torch.dtype = torch.float64) -> CanonicalModel:
    """A small random network that is far from uniform."""
    return CanonicalModel(toy_network(tokenizer.size, dtype), tokenizer)


def toy_network(size: int, dtype: torch.dtype = torch.float64) -> ExactCodeFill:
    """The network of a `toy_model` over ``size`` tokens."""
    config = Config(
        values=size,
        width=16,
        layers=2,
        heads=2,
        kv_heads=1,
        hidden=24,
        max_positions=1024,
    )
    torch.manual_seed(1)
    network = ExactCodeFill(config).to(dtype).eval().requires_grad_(requires_grad=False)
    for parameter in network.parameters():
        if parameter.dim() > 1:
            parameter.normal_(std=0.25)
    return network


class Scripted(CodeFill):
    """Writes one text: its hidden state is the position, its logits want the next of ``script``."""

    def __init__(self, tokenizer: Tokenizer, script: Sequence[int]) -> None:
        super().__init__(
            Config(values=tokenizer.size, width=16, layers=1, heads=2, kv_heads=1, hidden=8)
        )
        self.script = [*script, tokenizer.end]
        self.weak: set[int] = set()  # positions whose token is only just the likeliest
        self.passes: list[int] = []

    def trunk(
        self,
        values: Tensor,
        states: Tensor,
        *,
        positions: Tensor | None = None,
        before: Tensor | None = None,
        cache: KVCache | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        assert cache is not None
        if positions is None:
            positions = torch.arange(cache.length, cache.length + values.shape[1])[None]
        cache.length += values.shape[1]
        self.passes.append(values.shape[1])
        return positions[..., None].double()

    def heads(self, x: Tensor) -> Output:
        logits = torch.zeros(*x.shape[:-1], self.config.values, dtype=torch.float64)
        for row, position in zip(
            logits.view(-1, self.config.values), x.flatten().tolist(), strict=True
        ):
            if int(position) + 1 < len(self.script):
                weak = int(position) + 1 in self.weak
                row[self.script[int(position) + 1]] = 0.1 if weak else 12.0
        return Output(logits, logits)


def covers(
    model: CanonicalModel, header: Sequence[int], ids: Sequence[int], tail: bytes
) -> Iterator[tuple[list[int], float]]:
    """Every canonical sequence behind ``ids`` whose last token, and none before, ends the tail."""
    row = next_log_probs(model, header, ids)
    for token, data in enumerate(model.tokenizer.token_bytes):
        if not data or not math.isfinite(row[token]):
            continue
        if data.startswith(tail):
            yield [token], float(row[token])
        elif tail.startswith(data):
            for rest, log_prob in covers(model, header, [*ids, token], tail[len(data) :]):
                yield [token, *rest], float(row[token]) + log_prob


def next_log_probs(model: CanonicalModel, header: Sequence[int], ids: Sequence[int]) -> Tensor:
    """What may follow ``header + ids``, computed afresh from all of it."""
    place, states = Place(header[-1]), _header_states(header)
    for token in ids:
        place, state = model.follow(place, token)
        states.append(state)
    hidden = model.network.trunk(torch.tensor([[*header, *ids]]), torch.tensor([states]))
    return model.log_probs(hidden[0, -1:], [place])[0]


def _header_states(header: Sequence[int]) -> list[int]:
    return [SUFFIX_STATE] * (len(header) - 1) + [PREFIX_STATE]


def rooted_tree(
    model: CanonicalModel, header: Sequence[int], ids: Sequence[int]
) -> tuple[TokenTree, int]:
    """A tree whose cache holds ``header`` but its last token, and the node behind ``ids``."""
    cache = model.cache()
    if header[:-1]:
        states = torch.tensor([_header_states(header)[:-1]])
        model.network.trunk(torch.tensor([header[:-1]]), states, cache=cache)
    tree = TokenTree(model, cache)
    node = tree.add_placed(-1, Place(header[-1]), PREFIX_STATE)
    for token in ids:
        node = tree.add(node, token)
    return tree, node
