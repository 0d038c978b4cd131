"""Tokenizers of the library read as byte strings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

from completion.spelling.canonical import DEAD, START, Canonical
from completion.spelling.vocabulary import BYTE_OF_LETTER, TokenizerError, Vocabulary
from tests.completion.vocabularies import KINDS, sentencepiece, toy_vocabulary

MERGES = [(b"a", b"b"), (b" ", b"ab"), (b"\xc3", b"\xa9"), (b"<", b"|")]
anything = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.sampled_from(sorted(KINDS)), anything)
def test_what_is_encoded_is_lossless(kind: str, text: str) -> None:
    vocabulary = toy_vocabulary(MERGES, kind)
    assert vocabulary.decode_bytes(vocabulary.encode(text)) == text.encode()


@given(anything.filter(lambda text: "\u2581" not in text))
def test_sentencepiece_is_lossless_and_puts_no_space_first(text: str) -> None:
    vocabulary = sentencepiece([(b"a", b"b"), (b" ", b"ab")])
    assert vocabulary.decode_bytes(vocabulary.encode(text)) == text.encode()


def test_sentinels_cannot_be_typed() -> None:
    vocabulary = toy_vocabulary(MERGES, added=["<|end|>", "<fim_prefix>"])
    for text in ("<|end|>", "a<fim_prefix>b"):
        ids = vocabulary.encode(text)
        assert vocabulary.decode_bytes(ids) == text.encode()
        assert not set(ids) & set(vocabulary.added.values())
    assert vocabulary.token_bytes[vocabulary.added["<|end|>"]] == b""


def test_added_white_space_is_text_the_longest_first() -> None:
    vocabulary = toy_vocabulary(MERGES, "none", added=["\n\n", "\n\n\n", "<|end|>"])
    two, three = vocabulary.added["\n\n"], vocabulary.added["\n\n\n"]
    newline = vocabulary.token_bytes.index(b"\n")
    assert vocabulary.encode("\n\n\n\n") == [three, newline]
    assert vocabulary.encode("a\n\n")[1:] == [two]
    canonical = Canonical(vocabulary.spelling)
    for ids, right in (
        ([three, newline], True),
        ([two, two], False),
        ([newline, newline], False),
        ([two], True),
        ([two, newline], False),
    ):
        assert canonical.ends(canonical.follow_all(ids)) == right
    cover = canonical.cover(START, 0, b"\n")
    assert {token for ids in cover.across.values() for token in ids.tolist()} == {two, three}


def test_added_letters_keep_their_ids() -> None:
    # In a byte-level vocabulary they are also how it writes bytes that are never in UTF-8.
    vocabulary = toy_vocabulary(MERGES, "own", added=["<|end|>", "ö", "÷"])
    letter = vocabulary.added["ö"]
    assert vocabulary.encode("aöb")[1] == letter
    canonical = Canonical(vocabulary.spelling)
    for text in ("aöb÷ö", "öØ", "Øö", "ö🙂÷"):  # Ø and the smile are written in pieces
        assert canonical.ends(canonical.follow_all(vocabulary.encode(text)))
    bytewise = [vocabulary.token_bytes.index(bytes((byte,))) for byte in "ö".encode()]
    assert canonical.follow_all(bytewise) == DEAD


def described(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - as json has it
    letters = {letter: index for index, letter in enumerate(sorted(BYTE_OF_LETTER))}
    inner = Tokenizer(models.BPE(vocab=letters, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found: dict[str, Any] = json.loads(inner.to_str())
    found["model"] |= changes.pop("model", {})
    return found | changes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": {"type": "Unigram"}}, "this one is Unigram"),
        ({"model": {"type": "WordPiece"}}, "this one is WordPiece"),
        ({"model": {"end_of_word_suffix": "</w>"}}, "end of word suffix"),
        ({"normalizer": {"type": "Lowercase"}}, "Lowercase loses text: it changes 'A'"),
        ({"normalizer": {"type": "NFKC"}}, "NFKC loses text: it changes"),
        ({"pre_tokenizer": {"type": "Whitespace"}}, "Whitespace is not supported"),
        (
            {"pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"}},
            "without bytes to fall back to",
        ),
        ({"model": {"vocab": {"b": 0, "c": 1}}}, "has no token for b'\\\\x00'"),
        ({"model": {"vocab": {"b": 0, "c": 0}}}, "two tokens of the vocabulary have the same id"),
        ({"model": {"merges": ["a"]}}, "the merges of the tokenizer are damaged"),
        ({"model": {"merges": [["a", "b", "c"]]}}, "the merges of the tokenizer are damaged"),
        ({"added_tokens": [{"content": "<s>"}]}, "the tokenizer's description is damaged"),
        (
            {
                "pre_tokenizer": {
                    "type": "Split",
                    "pattern": {"Regex": "(a"},
                    "behavior": "Isolated",
                    "invert": False,
                }
            },
            "the pattern of the pre-tokenizer is damaged",
        ),
    ],
)
def test_what_cannot_be_exact_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TokenizerError, match=message):
        Vocabulary(described(**changes))


def test_a_pattern_that_cannot_be_followed_is_refused() -> None:
    pattern = {"type": "Split", "pattern": {"Regex": r"a(?=bc)"}, "behavior": "Isolated"}
    vocabulary = Vocabulary(described(pre_tokenizer=pattern | {"invert": False}))
    with pytest.raises(TokenizerError, match="look ahead at more than one character"):
        _ = vocabulary.spelling


def test_normal_forms_are_left_alone() -> None:
    vocabulary = Vocabulary(described(normalizer={"type": "NFC"}))
    text = "e\u0301"
    assert normalizers.NFC().normalize_str(text) != text
    assert vocabulary.decode_bytes(vocabulary.encode(text)) == text.encode()


def test_sentencepiece_cannot_tell_its_own_space() -> None:
    with pytest.raises(TokenizerError, match="reads U\\+2581 as a space: 'a▁b'"):
        sentencepiece([]).encode("a▁b")


def test_holes_and_a_missing_byte() -> None:
    letters = {letter: 10 * index for index, letter in enumerate(sorted(BYTE_OF_LETTER))}
    last = next(letter for letter, byte in BYTE_OF_LETTER.items() if byte == 0xF1)
    del letters[last]
    vocabulary = Vocabulary(described(model={"vocab": letters}))
    assert vocabulary.size == 10 * 255 + 1
    assert vocabulary.token_bytes[1] == b""
    assert not Canonical(vocabulary.spelling).allowed(0, START)[1]
    with pytest.raises(TokenizerError, match="no token for the byte 0xf1"):
        vocabulary.encode("\U00040000")


def test_files(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match="there is no tokenizer"):
        Vocabulary.load(tmp_path)
    path = tmp_path / "tokenizer.json"
    for broken in ("", "{}", '{"model": 1}', "[1]", "\x00"):
        path.write_text(broken, encoding="utf-8")
        with pytest.raises(TokenizerError, match=r"cannot read the tokenizer|is damaged"):
            Vocabulary.load(tmp_path)
    path.write_text(json.dumps(described()), encoding="utf-8")
    assert Vocabulary.load(tmp_path).encode("ab") != []


def test_a_byte_fallback_vocabulary_with_duplicates() -> None:
    vocabulary = sentencepiece([])
    spelled = [token for token, data in enumerate(vocabulary.token_bytes) if data == b"a"]
    assert len(spelled) == 2  # the letter and the byte
    canonical = Canonical(vocabulary.spelling)
    assert [canonical.ends(canonical.follow_all([one])) for one in sorted(spelled)] == [False, True]


def test_an_added_token_of_the_vocabulary_is_no_text() -> None:
    inner = Tokenizer(models.BPE(vocab=letters_and("<s>"), merges=[]))
    inner.add_special_tokens([AddedToken("<s>")])
    vocabulary = Vocabulary.of(inner)
    assert vocabulary.token_bytes[vocabulary.added["<s>"]] == b""


def letters_and(token: str) -> dict[str, int]:
    return {one: index for index, one in enumerate([*sorted(BYTE_OF_LETTER), token])}
