"""Folders with whole models: a small byte-level vocabulary, sentinels, random weights."""

from __future__ import annotations

from pathlib import Path

from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from transformers.utils import logging

from completion.model.families import QWEN, Family, Mark
from completion.spelling.vocabulary import BYTE_OF_LETTER
from tests.completion.model.architectures import tiny

MERGES = [("s", "e"), ("l", "f"), ("se", "lf"), ("Ġ", "="), ("f", "o"), ("fo", "o"), ("Ġ", "a")]
WINDOW = 1024


def sentinels(family: Family) -> list[str]:
    """The texts of all that a family's vocabulary must have."""
    marks = [*family.stops, *family.template, *family.file, *family.repository, *family.here]
    texts = [piece.text for piece in marks if isinstance(piece, Mark)]
    begin = [family.begin.text] if family.begin else []
    return list(dict.fromkeys([*begin, *texts, *family.signs]))


def byte_level(added: list[str]) -> Tokenizer:
    """A vocabulary of all bytes and a few merges, split as GPT-2 splits."""
    letters = sorted(BYTE_OF_LETTER, key=lambda letter: BYTE_OF_LETTER[letter])
    vocabulary = {letter: index for index, letter in enumerate(letters)}
    for left, right in MERGES:
        vocabulary[left + right] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=MERGES))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.add_special_tokens(
        [AddedToken(text, special=True, normalized=False) for text in added]
    )
    return tokenizer


def save_guest(
    folder: Path,
    family: Family = QWEN,
    architecture: str = "qwen2",
    tokenizer: Tokenizer | None = None,
) -> Path:
    """Write a model of this family and architecture; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = tokenizer or byte_level(sentinels(family))
    tokenizer.save(str(folder / "tokenizer.json"))
    last = tokenizer.get_vocab_size() - 1
    positions = (
        "n_positions" if architecture in ("gpt2", "gpt_bigcode") else "max_position_embeddings"
    )
    more = {positions: WINDOW, "bos_token_id": last, "eos_token_id": last, "pad_token_id": last}
    logging.disable_progress_bar()
    tiny(architecture, last + 6, **more).save_pretrained(folder)
    return folder
