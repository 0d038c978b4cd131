"""Vocabularies of real models, from files that lie beside the checkout where they lie at all.

The files are GGUF, which holds a vocabulary as arrays; what is split how is not in them, and is
taken from the models' own ``tokenizer.json`` (``tests/completion/vocabularies.py``).
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

from completion.vocabulary import SPACE
from tests.completion.vocabularies import KINDS, split

FOLDER = Path(__file__).resolve().parents[4] / "shared" / "data" / "tokenizers"
_NUMBERS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
_TEXT, _ARRAY = 8, 9
_CONTROL, _USER = 3, 4  # kinds of tokens


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def number(self, form: str) -> Any:  # noqa: ANN401
        (found,) = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize(form)
        return found

    def value(self, kind: int) -> Any:  # noqa: ANN401
        if kind == _TEXT:
            length = self.number("Q")
            self.at += length
            return self.data[self.at - length : self.at].decode("utf-8", "replace")
        if kind == _ARRAY:
            inner, count = self.number("I"), self.number("Q")
            return [self.value(inner) for _ in range(count)]
        return self.number(_NUMBERS[kind])


def read_gguf(path: Path) -> dict[str, Any]:
    """The metadata of a file, by its keys without ``tokenizer.ggml.``"""
    reader = _Reader(path.read_bytes())
    assert reader.data[:4] == b"GGUF"
    reader.at = 4
    reader.number("I")
    reader.number("Q")
    found = {}
    for _ in range(reader.number("Q")):
        key = reader.value(_TEXT)
        found[key.removeprefix("tokenizer.ggml.")] = reader.value(reader.number("I"))
    return found


def real_tokenizer(name: str, kind: str, renamed: dict[int, str] | None = None) -> Tokenizer:
    """The tokenizer of ``name``, split as ``kind``; skips the test where its file is absent.

    ``renamed`` gives ids that this model keeps free the names that a relative of it gives them, or
    adds them behind the last.
    """
    path = FOLDER / f"{name}.gguf"
    if not path.is_file():
        pytest.skip(f"{path.name} is not beside the checkout, in shared/data/tokenizers")
    raw = read_gguf(path)
    names = [*raw["tokens"]]
    kinds = [*raw["token_type"]]
    for number, text in sorted((renamed or {}).items()):
        while len(names) <= number:
            names.append(f"[unused {len(names)}]")
            kinds.append(_CONTROL)
        names[number], kinds[number] = text, _CONTROL
    vocabulary = {text: number for number, text in enumerate(names)}
    tokenizer = (
        _sentencepiece(vocabulary, raw["scores"])
        if raw["model"] == "llama"
        else _byte_level(vocabulary, raw["merges"], kind)
    )
    for text, sort in zip(names, kinds, strict=True):
        if sort == _CONTROL:
            tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False)])
        elif sort == _USER and not text.startswith("[PAD"):
            tokenizer.add_tokens([AddedToken(text, normalized=False)])
    return tokenizer


def _byte_level(vocabulary: dict[str, int], merges: list[str], kind: str) -> Tokenizer:
    pairs = [tuple(one.split(" ")) for one in merges]
    tokenizer = Tokenizer(
        models.BPE(vocab=vocabulary, merges=pairs, ignore_merges=kind == "llama3")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [split(KINDS[kind]), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _sentencepiece(vocabulary: dict[str, int], scores: list[float]) -> Tokenizer:
    """As transformers converts Llama's: any two tokens that are one merge, in order of its score.

    Tokens of several blanks share the lowest score; of those the one with the lower id comes first.
    """
    found = []
    for text, number in vocabulary.items():
        for cut in range(1, len(text) if number < len(scores) else 0):
            left, right = text[:cut], text[cut:]
            if left in vocabulary and right in vocabulary:
                order = (-scores[number], number, vocabulary[left], vocabulary[right])
                found.append((order, left, right))
    model = models.BPE(
        vocab=vocabulary,
        merges=[(left, right) for _, left, right in sorted(found)],
        unk_token="<unk>",
        fuse_unk=True,
        byte_fallback=True,
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)]
    )
    return tokenizer
