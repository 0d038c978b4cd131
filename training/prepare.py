"""Corpus to rows: the vocabulary, the list of AST types and the shards of one run."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Sequence
from pathlib import Path

from training import bpe, corpus, labels, shards
from training.corpus import SourceFile

LOG = logging.getLogger(__name__)

VALID_ROWS = 800
TYPE_SAMPLE = 800  # files whose leaves are counted to choose the types


def prepare(corpus_folder: Path, run_folder: Path, *, rows: int, seed: int, processes: int) -> None:
    """Make what is missing in ``run_folder``: tokenizer.json, types.json, train and valid rows."""
    run_folder.mkdir(parents=True, exist_ok=True)
    if not (corpus_folder / "manifest.json").is_file():
        corpus.build(corpus_folder)
    splits = {name: corpus.read(corpus_folder / f"{name}.jsonl") for name in ("train", "valid")}
    tokenizer_path, types_path = run_folder / "tokenizer.json", run_folder / "types.json"
    if not tokenizer_path.is_file():
        bpe.train(splits["train"], tokenizer_path, seed=seed)
    if not types_path.is_file():
        types_path.write_text(json.dumps(_choose_types(splits["train"], seed), indent=1) + "\n")
    types = json.loads(types_path.read_text())
    for split, wanted in (("valid", VALID_ROWS), ("train", rows)):
        path = run_folder / f"{split}.npz"
        if not path.is_file():
            shard = shards.build(
                splits[split], tokenizer_path, types, wanted, seed=seed, processes=processes
            )
            shard.save(path)
            LOG.info("%s: %d rows, %d tokens", path, len(shard), len(shard.values))


def _choose_types(files: Sequence[SourceFile], seed: int) -> tuple[str, ...]:
    sample = random.Random(seed).sample(list(files), min(TYPE_SAMPLE, len(files)))
    texts = (file.text.encode() for file in sample)
    return labels.choose_types(labels.leaves(text, labels.parse(text)) for text in texts)
