"""Small vocabularies under the pre-tokenizers of real ones."""

from __future__ import annotations

from collections.abc import Sequence

from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

from completion.model.guest import Content
from completion.spelling.vocabulary import BYTE_OF_LETTER, GPT2_PATTERN, SPACE, Vocabulary

LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
POSSESSIVE_PATTERN = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+"
    r"| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s*[\r\n]|\s+(?!\S)|\s"
)
OWN_PATTERN = r"[\r\n]\s*| ?[\p{L}_]+| ?\p{N}| ?[^\s\p{L}\p{N}_]+|[^\S\r\n]+"

KINDS = {
    "gpt2": (GPT2_PATTERN,),
    "starcoder": (r"\p{N}", GPT2_PATTERN),
    "llama3": (LLAMA3_PATTERN,),
    "qwen2": (LLAMA3_PATTERN.replace("{1,3}", ""),),
    "possessive": (POSSESSIVE_PATTERN,),
    "deepseek": (r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", r"[一-龥ࠀ-一가-퟿]+", r"\p{N}"),
    "own": (OWN_PATTERN,),
    "words": (r"\w+",),  # what is between the words are gaps
    "none": (),
}
"""The patterns that text is split with, outermost first."""

_NAMES = {byte: letter for letter, byte in BYTE_OF_LETTER.items()}


def split(patterns: Sequence[str]) -> pre_tokenizers.PreTokenizer:
    """The library's own splits."""
    return pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(one), behavior="isolated") for one in patterns]
    )


def toy_vocabulary(
    merges: Sequence[tuple[bytes, bytes]],
    kind: str = "gpt2",
    *,
    whole_first: bool = False,
    added: Sequence[str] = (),
) -> Vocabulary:
    """A byte-level vocabulary with ``merges`` in this order of rank."""
    named = [(_name(left), _name(right)) for left, right in merges]
    vocabulary = {name: index for index, name in enumerate(sorted(_NAMES.values()))}
    for left, right in named:
        vocabulary.setdefault(left + right, len(vocabulary))
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=named, ignore_merges=whole_first))
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.pre_tokenizer = pre_tokenizers.Sequence([split(KINDS[kind]), byte_level])
    inner.add_tokens([AddedToken(one, normalized=False) for one in added])
    return Vocabulary.of(inner)


def toy_content(merges: Sequence[tuple[bytes, bytes]], kind: str = "gpt2") -> Content:
    """The same as a model is asked with; ``end`` is its last id."""
    vocabulary = toy_vocabulary(merges, kind, added=["<end>"])
    return Content(vocabulary, [vocabulary.added["<end>"]])


def sentencepiece(merges: Sequence[tuple[bytes, bytes]]) -> Vocabulary:
    """A vocabulary of the letters a, b and the space, with bytes to fall back to."""
    vocabulary = {"<unk>": 0} | {f"<0x{byte:02X}>": 1 + byte for byte in range(256)}
    named = [tuple(one.decode().replace(" ", SPACE) for one in pair) for pair in merges]
    for token in ("a", "b", SPACE, *("".join(pair) for pair in named)):
        vocabulary.setdefault(token, len(vocabulary))
    model = models.BPE(
        vocab=vocabulary, merges=named, byte_fallback=True, unk_token="<unk>", fuse_unk=True
    )
    inner = Tokenizer(model)
    inner.normalizer = normalizers.Sequence(
        [normalizers.Prepend(SPACE), normalizers.Replace(" ", SPACE)]
    )
    return Vocabulary.of(inner)


def _name(data: bytes) -> str:
    return "".join(_NAMES[byte] for byte in data)
