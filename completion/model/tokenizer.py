"""The shipped tokenizer: byte-level BPE whose pre-tokens never look ahead.

Every pre-token but the last is decided by the bytes read so far: each alternative of
``PRETOKEN_PATTERN`` is a maximal run that ends at the first character outside its class. So for
any ``text`` and any cut, all pre-tokens of ``text[:cut]`` but the last are pre-tokens of
``text``: while somebody types, only the tokens of the last pre-token are unstable.

Content is encoded without looking for special tokens. The five specials are plain vocabulary
entries that no merge produces, so text that spells ``<|end|>`` becomes ordinary bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from completion.spelling.pretokens import Splitter
from completion.spelling.vocabulary import BYTE_OF_LETTER, Spelling, TokenizerError

# One alternative per class of character; together they cover every character exactly once.
# Combining marks (\p{M}) are neither letters nor blanks and fall into the punctuation run.
PRETOKEN_PATTERN = "|".join(
    (
        r"[\r\n]\s*",  # a line break with the blank lines and the indentation behind it
        r" ?[\p{L}_]+",  # a word
        r" ?\p{N}",  # one digit
        r" ?[^\s\p{L}\p{N}_]+",  # a run of punctuation
        r"[^\S\r\n]+",  # blanks inside a line
    )
)

PAD, END, CONTEXT, SUFFIX, PREFIX = SPECIALS = (
    "<|pad|>",
    "<|end|>",  # ends the middle
    "<|context|>",  # opens signatures from other files
    "<|suffix|>",  # opens the text after the cursor
    "<|prefix|>",  # opens the text before the cursor; the middle follows it directly
)


def split_pretokenizer() -> pre_tokenizers.Split:
    """The split alone, whose pieces are still text; ``Tokenizer.pretokens`` measures them."""
    return pre_tokenizers.Split(tokenizers.Regex(PRETOKEN_PATTERN), behavior="isolated")


def bytelevel_pretokenizer() -> pre_tokenizers.Sequence:
    """The split followed by the bytes-as-letters alphabet that BPE merges work on."""
    bytelevel = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([split_pretokenizer(), bytelevel])


class Tokenizer:
    """Text to ids and ids to bytes; ``merges`` maps a pair of ids to (rank, merged id)."""

    def __init__(self, inner: tokenizers.Tokenizer) -> None:
        self._inner = inner
        self._split = split_pretokenizer()
        vocabulary = inner.get_vocab(with_added_tokens=True)
        missing = [name for name in SPECIALS if name not in vocabulary]
        if missing:
            raise TokenizerError(f"the tokenizer lacks the special tokens {missing}")
        self.pad, self.end, self.context, self.suffix, self.prefix = (
            vocabulary[name] for name in SPECIALS
        )
        self.size = len(vocabulary)
        self.token_bytes = _token_bytes(vocabulary)

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """Read ``tokenizer.json``. Raises TokenizerError where it is missing or damaged."""
        try:
            return cls(tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8")))
        except TokenizerError:
            raise
        except Exception as error:  # the library raises nothing narrower
            raise TokenizerError(f"cannot read the tokenizer {path}: {error}") from error

    @cached_property
    def merges(self) -> dict[tuple[int, int], tuple[int, int]]:
        """(left id, right id) -> (rank, id of the merged token); a lower rank merges first."""
        vocabulary = self._inner.get_vocab(with_added_tokens=True)
        listed: list[list[str]] = json.loads(self._inner.to_str())["model"]["merges"]
        return {
            (vocabulary[left], vocabulary[right]): (rank, vocabulary[left + right])
            for rank, (left, right) in enumerate(listed)
        }

    @cached_property
    def spelling(self) -> Spelling:
        """For the rules of canonical encodings."""
        return Spelling(self.token_bytes, self.merges, Splitter.of((PRETOKEN_PATTERN,)))

    def encode(self, text: str) -> list[int]:
        """The canonical ids of ``text``. Raises ValueError on lone surrogates."""
        _refuse_surrogates(text)
        ids: list[int] = self._inner.encode(text, add_special_tokens=False).ids
        return ids

    def with_decoder(self) -> tokenizers.Tokenizer:
        """A copy for the library's own use, which decodes ids to text by itself."""
        copy = tokenizers.Tokenizer.from_str(self._inner.to_str())
        copy.decoder = decoders.ByteLevel()
        return copy

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes the ids stand for; specials stand for none."""
        return b"".join(self.token_bytes[token] for token in ids)

    def pretokens(self, text: str) -> list[tuple[int, int]]:
        """The pre-tokens of ``text`` as (begin, end) byte offsets into its UTF-8."""
        _refuse_surrogates(text)
        spans = []
        begin = 0
        for piece, _ in self._split.pre_tokenize_str(text):
            end = begin + len(piece.encode())
            spans.append((begin, end))
            begin = end
        return spans


def from_vocabulary(
    vocabulary: dict[str, int], merges: list[tuple[str, str]]
) -> tokenizers.Tokenizer:
    """A library tokenizer that treats the specials as vocabulary nobody can type."""
    inner = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    inner.pre_tokenizer = bytelevel_pretokenizer()
    return inner


def _refuse_surrogates(text: str) -> None:
    text.encode()


def _token_bytes(vocabulary: dict[str, int]) -> list[bytes]:
    table = [b""] * len(vocabulary)
    for token, index in vocabulary.items():
        if token not in SPECIALS:
            table[index] = bytes(BYTE_OF_LETTER[letter] for letter in token)
    return table
