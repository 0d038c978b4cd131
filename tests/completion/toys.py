"""Small tokenizers and models for the tests of boundary and decoding."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from hypothesis import strategies as st
from tokenizers import pre_tokenizers

from completion.model import tokenizer as tokenizers
from completion.model.codefill import CodeFill, Config
from completion.model.tokenizer import SPECIALS, Tokenizer

_NAMES = {byte: letter for letter, byte in tokenizers._bytes_of_letters().items()}


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


def toy_model(tokenizer: Tokenizer, seed: int = 0, dtype: torch.dtype = torch.float32) -> CodeFill:
    """A small random network that is far from uniform."""
    torch.manual_seed(seed)
    config = Config(
        values=tokenizer.size,
        width=32,
        layers=2,
        heads=2,
        kv_heads=1,
        hidden=48,
        max_positions=1024,
    )
    model = CodeFill(config).to(dtype).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.25)
    return model.requires_grad_(requires_grad=False)
