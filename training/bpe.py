"""Trains the byte-level BPE vocabulary on a sample of the corpus."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

import tokenizers
from tokenizers import models, pre_tokenizers, trainers

from completion.model.tokenizer import SPECIALS, bytelevel_pretokenizer, from_vocabulary
from training.corpus import SourceFile

VOCABULARY = 8192  # specials and the 256 bytes included
SAMPLE_BYTES = 40_000_000
MAX_TOKEN = 24  # letters; longer ones are licence texts and rulers


def train(
    files: Sequence[SourceFile], path: Path, *, size: int = VOCABULARY, seed: int = 0
) -> None:
    """Learn ``size`` tokens and write ``tokenizer.json``; special tokens get the first ids."""
    learner = tokenizers.Tokenizer(models.BPE())
    learner.pre_tokenizer = bytelevel_pretokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=MAX_TOKEN,
        show_progress=False,
    )
    learner.train_from_iterator(_sample(files, seed), trainer)
    model = json.loads(learner.to_str())["model"]
    merges = [(left, right) for left, right in model["merges"]]
    path.parent.mkdir(parents=True, exist_ok=True)
    from_vocabulary(model["vocab"], merges).save(str(path))


def _sample(files: Sequence[SourceFile], seed: int) -> list[str]:
    shuffled = list(files)
    random.Random(seed).shuffle(shuffled)
    texts, room = [], SAMPLE_BYTES
    for file in shuffled:
        if room <= 0:
            break
        texts.append(file.text)
        room -= len(file.text)
    return texts
