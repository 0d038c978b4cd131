"""A Hugging Face tokenizer as byte strings: what its tokens spell, and how text becomes tokens.

Byte-level BPE (GPT-2, StarCoder, DeepSeek-Coder, Qwen2, Llama-3) and SentencePiece BPE with byte
fallback (Llama-2, Code Llama, Gemma) are read from ``tokenizer.json``. What cannot be exact is
refused with the reason: other kinds of vocabulary, and normalizers that lose text.

Text is content: no sentinel can be typed. Added tokens are left out when text is encoded, but for
white space and single characters, which some vocabularies keep there. Unicode normalization
(NFC, in Qwen2's file) is left out as well: it would change what somebody wrote.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import models, normalizers, pre_tokenizers

from completion.spelling.pattern import PatternError
from completion.spelling.pretokens import Splitter

SPACE = "\u2581"
"""How SentencePiece writes a space."""

GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""What ``ByteLevel`` splits with (``use_regex``), from the library's documentation."""

_HARMLESS_NORMALIZERS = ("NFC", "Prepend")
_BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")


class TokenizerError(ValueError):
    """The tokenizer file is missing, damaged, or of a kind that cannot be exact."""


@dataclass(frozen=True, eq=False)
class Spelling:
    """All that the rules of canonical encodings have to know of a tokenizer.

    ``token_bytes`` are the bytes of each id, none for ids that stand for no text. ``merges`` maps a
    pair of ids to (rank, merged id). ``whole_first``: a pre-token that is in the vocabulary is
    that token, whatever the merges say. ``fallback`` are the tokens of one byte that spell
    characters without a token of their own; ``texts`` those that are looked for in the text before
    anything else, the longest first.
    """

    token_bytes: Sequence[bytes]
    merges: Mapping[tuple[int, int], tuple[int, int]]
    splitter: Splitter
    whole_first: bool = False
    fallback: frozenset[int] = field(default_factory=frozenset)
    texts: frozenset[int] = field(default_factory=frozenset)
    known: dict[str, object] = field(default_factory=dict)
    """What was worked out from it, kept as long as it is."""


class Vocabulary:
    """A tokenizer as read from ``tokenizer.json``.

    ``token_bytes`` has an entry for each of ``size`` ids, empty for sentinels and holes; ``added``
    gives the ids of special and added tokens by their text.
    """

    def __init__(self, description: Mapping[str, Any]) -> None:
        """``description`` is the content of ``tokenizer.json``. Raises TokenizerError."""
        try:
            self._read(description)
        except (KeyError, TypeError, AttributeError) as error:
            raise TokenizerError(f"the tokenizer's description is damaged: {error!r}") from error

    def _read(self, description: Mapping[str, Any]) -> None:
        model = description["model"]
        _check_model(model)
        self._model = model
        self.added = {one["content"]: int(one["id"]) for one in description["added_tokens"]}
        self._sentencepiece = _writes_spaces(description)
        if self._sentencepiece and not model.get("byte_fallback"):
            raise TokenizerError("a SentencePiece vocabulary without bytes to fall back to")
        self._splits = _Splits(description["pre_tokenizer"], spaces_written=self._sentencepiece)
        _check_normalizer(description["normalizer"])
        self._vocabulary = {
            token: int(number)
            for token, number in model["vocab"].items()
            if token not in self.added or token == model.get("unk_token")
        }
        self.size = 1 + max((*self._vocabulary.values(), *self.added.values()))
        self.texts: dict[str, int] = {
            one["content"]: int(one["id"]) for one in description["added_tokens"] if _is_text(one)
        }
        if len(set(self._vocabulary.values())) < len(self._vocabulary):
            raise TokenizerError("two tokens of the vocabulary have the same id")
        self.token_bytes = self._spelled()
        self._missing = self._missing_bytes()
        try:
            _ = self._merges
        except (TypeError, ValueError) as error:
            raise TokenizerError(f"the merges of the tokenizer are damaged: {error}") from error

    @classmethod
    def load(cls, folder: Path) -> Vocabulary:
        """Read ``tokenizer.json`` in ``folder``. Raises TokenizerError where that cannot be."""
        path = folder / "tokenizer.json"
        try:
            return cls(json.loads(path.read_text(encoding="utf-8")))
        except TokenizerError:
            raise
        except FileNotFoundError as error:
            raise TokenizerError(f"there is no tokenizer.json in {folder}") from error
        except (OSError, ValueError) as error:
            raise TokenizerError(f"cannot read the tokenizer {path}: {error!r}") from error

    @classmethod
    def of(cls, tokenizer: tokenizers.Tokenizer) -> Vocabulary:
        """The vocabulary of a tokenizer of the library. Raises TokenizerError."""
        return cls(json.loads(tokenizer.to_str()))

    def encode(self, text: str) -> list[int]:
        """The canonical ids of ``text``, as it stands inside a longer one: no space is put first.

        Raises TokenizerError for text that the vocabulary would change, ValueError on lone
        surrogates.
        """
        text.encode()
        if self._sentencepiece and SPACE in text:
            raise TokenizerError(f"this tokenizer reads U+2581 as a space: {_around(text, SPACE)}")
        if self._missing and (lost := self._missing.intersection(text.encode())):
            raise TokenizerError(
                f"the vocabulary has no token for the byte {min(lost):#x} of a text"
            )
        ids: list[int] = []
        for at, piece in enumerate(self._texts_apart(text)):
            ids += [self.texts[piece]] if at % 2 else self._inner.encode(piece).ids
        return ids

    def _texts_apart(self, text: str) -> list[str]:
        """The text in pieces, every second of which is one of ``texts``."""
        return self._texts_pattern.split(text) if self.texts else [text]

    @cached_property
    def _texts_pattern(self) -> re.Pattern[str]:
        longest_first = sorted(self.texts, key=len, reverse=True)
        return re.compile(f"({'|'.join(map(re.escape, longest_first))})")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes that the ids stand for; sentinels stand for none."""
        return b"".join(self.token_bytes[token] for token in ids)

    @cached_property
    def spelling(self) -> Spelling:
        """For the rules of canonical encodings. Raises TokenizerError for some patterns."""
        try:
            splitter = Splitter.of(tuple(self._patterns))
        except PatternError as error:
            raise TokenizerError(f"the pre-tokenizer cannot be followed: {error}") from error
        fallback = self._byte_tokens.values() if self._sentencepiece else ()
        return Spelling(
            token_bytes=self.token_bytes,
            merges=self._merges,
            splitter=splitter,
            whole_first=bool(self._model.get("ignore_merges")),
            fallback=frozenset(fallback),
            texts=frozenset(self.texts.values()),
        )

    @property
    def _patterns(self) -> list[str]:
        longest_first = sorted(self.texts, key=len, reverse=True)
        texts = "|".join("".join(f"\\x{{{ord(one):x}}}" for one in text) for text in longest_first)
        return [*([texts] if texts else []), *self._splits.patterns]

    @cached_property
    def _merges(self) -> dict[tuple[int, int], tuple[int, int]]:
        known = self._vocabulary
        found = {}
        for rank, listed in enumerate(self._model["merges"]):
            left, right = listed.split(" ", 1) if isinstance(listed, str) else listed
            if left in known and right in known and left + right in known:
                found[known[left], known[right]] = rank, known[left + right]
        return found

    @cached_property
    def _inner(self) -> tokenizers.Tokenizer:
        names = {number: token for token, number in self._vocabulary.items()}
        model = models.BPE(
            vocab=self._vocabulary,
            merges=[(names[left], names[right]) for left, right in self._merges],
            unk_token=self._model.get("unk_token"),
            fuse_unk=bool(self._model.get("fuse_unk")),
            byte_fallback=bool(self._model.get("byte_fallback")),
            ignore_merges=bool(self._model.get("ignore_merges")),
        )
        inner = tokenizers.Tokenizer(model)
        if self._sentencepiece:
            inner.normalizer = normalizers.Replace(" ", SPACE)
        inner.pre_tokenizer = self._splits.build()
        return inner

    @cached_property
    def _byte_tokens(self) -> dict[int, int]:
        """byte -> the token that falls back to it."""
        found = {}
        for token, number in self._vocabulary.items():
            if match := _BYTE_TOKEN.fullmatch(token):
                found[int(match[1], 16)] = number
        return found

    def _spelled(self) -> list[bytes]:
        table = [b""] * self.size
        for token, number in self._vocabulary.items():
            if token != self._model.get("unk_token"):
                table[number] = self._bytes_of(token)
        for text, number in self.texts.items():
            table[number] = text.encode()
        return table

    def _bytes_of(self, token: str) -> bytes:
        if not self._sentencepiece:
            try:
                return bytes(BYTE_OF_LETTER[letter] for letter in token)
            except KeyError as error:
                raise TokenizerError(f"{token!r} is no token of a byte-level vocabulary") from error
        if match := _BYTE_TOKEN.fullmatch(token):
            return bytes([int(match[1], 16)])
        return token.replace(SPACE, " ").encode()

    def _missing_bytes(self) -> frozenset[int]:
        """Bytes that no token spells alone; StarCoder's vocabulary lacks one that nobody writes."""
        known = {data[0] for data in self.token_bytes if len(data) == 1}
        missing = frozenset(range(256)) - known - _NEVER_IN_UTF8
        if missing and min(missing) < 0x80:
            raise TokenizerError(f"the vocabulary has no token for {bytes([min(missing)])!r}")
        return missing


def _is_text(added: Mapping[str, Any]) -> bool:
    """Whether an added token is a piece of text, and no sentinel.

    Gemma adds runs of line breaks, DeepSeek single letters.
    """
    plain = not (added["special"] or added["lstrip"] or added["rstrip"] or added["single_word"])
    return plain and (len(added["content"]) == 1 or added["content"].isspace())


_NEVER_IN_UTF8 = frozenset((0xC0, 0xC1, *range(0xF5, 0x100)))


def _check_model(model: Mapping[str, Any]) -> None:
    kind = model.get("type", "BPE" if "merges" in model else "unknown")
    if kind != "BPE":
        raise TokenizerError(f"exact bytes need a BPE vocabulary, and this one is {kind}")
    for name in ("continuing_subword_prefix", "end_of_word_suffix"):
        if model.get(name):
            raise TokenizerError(f"tokens with a {name.replace('_', ' ')} do not spell text")


def _writes_spaces(description: Mapping[str, Any]) -> bool:
    """Whether spaces are written as in SentencePiece."""
    parts = [*_parts(description["normalizer"]), *_parts(description["pre_tokenizer"])]
    return any(
        part["type"] == "Metaspace" or (part["type"] == "Replace" and _replaces_spaces(part))
        for part in parts
    )


def _replaces_spaces(part: Mapping[str, Any]) -> bool:
    return bool(part["pattern"] == {"String": " "} and part["content"] == SPACE)


def _parts(described: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """A normalizer or pre-tokenizer as the list of its parts."""
    if described is None:
        return []
    inner = described.get("normalizers", described.get("pretokenizers"))
    return [described] if inner is None else [one for part in inner for one in _parts(part)]


def _check_normalizer(described: Mapping[str, Any] | None) -> None:
    for part in _parts(described):
        harmless = part["type"] in _HARMLESS_NORMALIZERS
        if harmless or (part["type"] == "Replace" and _replaces_spaces(part)):
            continue
        one = tokenizers.Tokenizer(models.BPE())
        one = tokenizers.Tokenizer.from_str(
            json.dumps({**json.loads(one.to_str()), "normalizer": part})
        )
        changed = (text for text in _PROBES if one.normalizer.normalize_str(text) != text)
        example = next(changed, None)
        shown = "" if example is None else f": it changes {example!r}"
        raise TokenizerError(f"the normalizer {part['type']} loses text{shown}")


_PROBES = ("A", "\u00e9", "\uff21", "\ufb01", "  ", "\t", "a\u0301", "\u00a0", "``", "\u4e2d")


class _Splits:
    """The pre-tokenizer as patterns, outermost first, and as an object of the library."""

    def __init__(self, described: Mapping[str, Any] | None, *, spaces_written: bool) -> None:
        self.patterns: list[str] = []
        self._built: list[Any] = []
        self._spaces_written = spaces_written
        for part in _parts(described):
            self._add(part)

    def build(self) -> pre_tokenizers.PreTokenizer | None:
        """All of them in a sequence; None where there are none."""
        return pre_tokenizers.Sequence(self._built) if self._built else None

    def _add(self, part: Mapping[str, Any]) -> None:
        kind = part["type"]
        if kind == "ByteLevel":
            if part["use_regex"]:
                self._split(GPT2_PATTERN)
            self._built.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
        elif kind == "Digits":
            self._split(r"\p{N}" if part["individual_digits"] else r"\p{N}+")
        elif kind == "Metaspace":
            if part.get("split", True):
                raise TokenizerError("the pre-tokenizer splits at spaces that SentencePiece wrote")
        elif kind == "Split":
            self._add_split(part)
        else:
            raise TokenizerError(f"the pre-tokenizer {kind} is not supported")

    def _add_split(self, part: Mapping[str, Any]) -> None:
        pattern = part["pattern"]
        if self._spaces_written and pattern == {"String": " "}:
            return  # no space is left to split at
        if self._spaces_written:
            raise TokenizerError("a pattern over spaces that SentencePiece wrote is not supported")
        removed = part["behavior"] == "Removed" and part["invert"]
        if not removed and part["behavior"] != "Isolated":
            raise TokenizerError(f"a split that is {part['behavior']} is not supported")
        self._split(pattern["Regex"] if "Regex" in pattern else re.escape(pattern["String"]))

    def _split(self, pattern: str) -> None:
        try:
            built = pre_tokenizers.Split(tokenizers.Regex(pattern), behavior="isolated")
        except Exception as error:  # the library raises nothing narrower
            raise TokenizerError(f"the pattern of the pre-tokenizer is damaged: {error}") from error
        self.patterns.append(pattern)
        self._built.append(built)


def _around(text: str, part: str) -> str:
    at = text.index(part)
    return repr(text[max(0, at - 10) : at + 10])


def _bytes_of_letters() -> dict[str, int]:
    """The byte-level alphabet: printable Latin-1 stands for itself, the rest from U+0100 up."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = {chr(byte): byte for byte in printable}
    others = (byte for byte in range(256) if byte not in set(printable))
    return table | {chr(0x100 + index): byte for index, byte in enumerate(others)}


BYTE_OF_LETTER = _bytes_of_letters()
"""The letter that a byte-level vocabulary writes for a byte -> the byte."""
