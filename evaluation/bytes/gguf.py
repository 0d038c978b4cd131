"""Tokenizers of real models from GGUF files, which hold a vocabulary as arrays.

How text is split is not in them but for a name; the patterns are those of the models' own
``tokenizer.json``.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

from completion.spelling.vocabulary import GPT2_PATTERN, SPACE, TokenizerError

LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

PATTERNS = {
    "gpt-2": (GPT2_PATTERN,),
    "starcoder": (r"\p{N}", GPT2_PATTERN),
    "llama-bpe": (LLAMA3_PATTERN,),
    "qwen2": (LLAMA3_PATTERN.replace("{1,3}", ""),),
    "deepseek-coder": (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", r"[一-龥ࠀ-一가-퟿]+", r"\p{N}"),
}
"""What text is split with, outermost first, by the name that GGUF has for it (``pre``)."""

WHOLE_FIRST = frozenset(("llama-bpe",))
"""Of those: where a pre-token that is in the vocabulary is one token (``ignore_merges``)."""

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
    """Little-endian values, one after another."""

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


def read(path: Path) -> dict[str, Any]:
    """The metadata of a file, by its keys without ``tokenizer.ggml.``. Raises TokenizerError."""
    reader = _Reader(path.read_bytes())
    if reader.data[:4] != b"GGUF":
        raise TokenizerError(f"{path.name} is no GGUF file")
    reader.at = 4
    reader.number("I")
    reader.number("Q")
    found = {}
    for _ in range(reader.number("Q")):
        key = reader.value(_TEXT)
        found[key.removeprefix("tokenizer.ggml.")] = reader.value(reader.number("I"))
    return found


def tokenizer(path: Path, renamed: Mapping[int, str] | None = None) -> Tokenizer:
    """The tokenizer in a file. Raises TokenizerError where it is of a kind not known here.

    ``renamed`` gives ids that this model keeps free the names that a relative of it gives them, or
    adds them behind the last.
    """
    raw = read(path)
    names, kinds = [*raw["tokens"]], [*raw["token_type"]]
    for number, text in sorted((renamed or {}).items()):
        while len(names) <= number:
            names.append(f"[unused {len(names)}]")
            kinds.append(_CONTROL)
        names[number], kinds[number] = text, _CONTROL
    vocabulary = {text: number for number, text in enumerate(names)}
    if raw["model"] == "llama":
        found = _sentencepiece(vocabulary, raw["scores"])
    elif raw["pre"] in PATTERNS:
        found = _byte_level(vocabulary, raw["merges"], raw["pre"])
    else:
        raise TokenizerError(f"{path.name}: how {raw['pre']} splits text is not known here")
    for text, sort in zip(names, kinds, strict=True):
        if sort == _CONTROL:
            found.add_special_tokens([AddedToken(text, special=True, normalized=False)])
        elif sort == _USER and not text.startswith("[PAD"):
            found.add_tokens([AddedToken(text, normalized=False)])
    return found


def _byte_level(vocabulary: dict[str, int], merges: Sequence[str], kind: str) -> Tokenizer:
    pairs = [(left, right) for left, _, right in (one.partition(" ") for one in merges)]
    tokenizer = Tokenizer(
        models.BPE(vocab=vocabulary, merges=pairs, ignore_merges=kind in WHOLE_FIRST)
    )
    splits = [pre_tokenizers.Split(Regex(one), behavior="isolated") for one in PATTERNS[kind]]
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*splits, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _sentencepiece(vocabulary: dict[str, int], scores: Sequence[float]) -> Tokenizer:
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
        unk_token="<unk>",  # noqa: S106 - a token of text
        fuse_unk=True,
        byte_fallback=True,
    )
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)]
    )
    return tokenizer
