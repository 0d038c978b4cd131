"""The rules of canonical encodings on real vocabularies, against full re-encoding.

Each text is written in tokens at random, often as the tokenizer does it, and the rules have to say
whether it is how the tokenizer does it. At cursors in code: how often a token could reach across,
and what the tree of contexts holds beyond the tokens of the text.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from completion.spelling.canonical import Canonical
from completion.spelling.vocabulary import TokenizerError, Vocabulary
from evaluation.bytes.gguf import tokenizer
from evaluation.bytes.places import Files, cursors

HEADER = (
    "vocabulary", "tokens", "built", "splits", "canonical", "disagree", "stable", "open split",
    "extra nodes", "p95", "ms",
)  # fmt: skip

LONGEST = 14
"""Characters of a text that is written in tokens at random."""

AS_IT_IS = 0.3
"""How many of the texts are written as the tokenizer does it."""

NEAR = 4000
"""Bytes before a cursor that are read."""

_EMOJI = "👩‍💻🙂🏳️‍🌈👨‍👩‍👧‍👦🎉🇪🇺❤️"
_PROSE = (
    "It's “quoted” — don't you'LL we've 12345 67.89…\n\n  Indented\ttabs  \r\n   \n naïve café "
)


@dataclass(frozen=True, slots=True)
class Row:
    """One vocabulary. ``nodes`` are those beyond the tail's own tokens, one per cursor."""

    name: str
    size: int
    built_s: float
    splits: int
    canonical: int
    disagree: int
    examples: tuple[str, ...]
    stable: float
    open_split: float
    nodes_mean: float
    nodes_p95: float
    milliseconds_p50: float


def files_in(folder: Path) -> list[Path]:
    """The vocabularies in a folder: GGUF files, and folders with a ``tokenizer.json``."""
    found = [*folder.glob("*.gguf"), *(one.parent for one in folder.glob("*/tokenizer.json"))]
    return sorted(found)


def opened(path: Path) -> Vocabulary:
    """The vocabulary of a file or folder. Raises TokenizerError."""
    return Vocabulary.load(path) if path.is_dir() else Vocabulary.of(tokenizer(path))


def measure(
    path: Path, files: Files, splits: int, count: int, seed: int, done: Callable[[], None]
) -> Row:
    """One vocabulary: ``splits`` random splits and ``count`` cursors. Raises TokenizerError."""
    vocabulary = opened(path)
    started = time.perf_counter()
    rules = Canonical(vocabulary.spelling)
    built = time.perf_counter() - started
    checked = list(_checks(vocabulary, rules, files, splits, seed, done))
    wrong = [text for text, said, true in checked if said != true]
    trees = [tree for tree in _trees(vocabulary, rules, files, count, seed) if tree]
    nodes = np.array([nodes for nodes, _, _, _ in trees])
    return Row(
        path.stem,
        vocabulary.size,
        built,
        len(checked),
        sum(true for _, _, true in checked),
        len(wrong),
        tuple(wrong[:5]),
        float(np.mean([stable for _, stable, _, _ in trees])),
        float(np.mean([split for _, _, split, _ in trees])),
        float(nodes.mean()),
        float(np.quantile(nodes, 0.95)),
        float(np.median([ms for _, _, _, ms in trees])),
    )


def table_rows(rows: Sequence[Row]) -> Iterator[list[str]]:
    """The rows of the table."""
    for row in rows:
        yield [
            row.name, f"{row.size:,}", f"{row.built_s:.1f} s", f"{row.splits:,}",
            f"{row.canonical / max(row.splits, 1):.0%}", str(row.disagree), f"{row.stable:.0%}",
            f"{row.open_split:.1%}", f"{row.nodes_mean:.2f}", f"{row.nodes_p95:.0f}",
            f"{row.milliseconds_p50:.2f}",
        ]  # fmt: skip


def goals(rows: Sequence[Row]) -> dict[str, Any]:
    """What issue and papers ask for."""
    return {"splits that disagree (0)": sum(row.disagree for row in rows)}


def _checks(
    vocabulary: Vocabulary,
    rules: Canonical,
    files: Files,
    splits: int,
    seed: int,
    done: Callable[[], None],
) -> Iterator[tuple[str, bool, bool]]:
    """(text, what the rules say, whether it is so)."""
    drawn = random.Random(seed)
    ids_of: dict[bytes, list[int]] = {}
    for token, data in enumerate(vocabulary.token_bytes):
        if data:
            ids_of.setdefault(data, []).append(token)
    code = [files[name].decode("utf-8", "replace") for name in sorted(files)]
    made = 0
    while made < splits:
        text = _text(drawn, code)
        try:
            encoded = vocabulary.encode(text)
        except TokenizerError:  # the vocabulary says that it would lose this text
            continue
        written = encoded if drawn.random() < AS_IT_IS else _written(drawn, text.encode(), ids_of)
        if written is None:
            continue
        made += 1
        done()
        yield text, rules.ends(rules.follow_all(written)), written == encoded


def _text(drawn: random.Random, code: Sequence[str]) -> str:
    """A few characters of code, prose, ideographs, emoji, or of anything."""
    kind = drawn.random()
    length = drawn.randint(1, LONGEST)
    if kind < 0.6:
        source = drawn.choice(code) if kind < 0.5 else _PROSE
        begin = drawn.randrange(max(len(source) - length, 1))
        return source[begin : begin + length]
    ranges = {0.7: [(0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3)], 0.8: [(0, 0xFF)]}
    for share, chosen in ranges.items():
        if kind < share:
            return "".join(chr(drawn.randint(*drawn.choice(chosen))) for _ in range(length))
    if kind < 0.9:
        return "".join(drawn.choice(_EMOJI + " \na's1") for _ in range(length))
    points = (drawn.choice((drawn.randrange(0xD800), drawn.randrange(0xE000, 0x110000), 32))
              for _ in range(length))  # fmt: skip
    return "".join(map(chr, points))


def _written(drawn: random.Random, data: bytes, ids_of: dict[bytes, list[int]]) -> list[int] | None:
    """``data`` in tokens at random, more often in long ones; None where that leads nowhere."""
    found = []
    begin = 0
    while begin < len(data):
        ends = [end for end in range(begin + 1, len(data) + 1) if data[begin:end] in ids_of]
        if not ends:
            return None
        end = ends[-1] if drawn.random() < 0.75 else drawn.choice(ends)
        found.append(drawn.choice(ids_of[data[begin:end]]))
        begin = end
    return found


def _trees(
    vocabulary: Vocabulary, rules: Canonical, files: Files, count: int, seed: int
) -> Iterator[tuple[int, bool, bool, float] | None]:
    """(nodes beyond the text's own, stable, several ways to split, ms) of each cursor."""
    for place in cursors(files, count, seed):
        text = place.prompt.prefix[-NEAR:]
        text = text[text.find("\n") + 1 :] if len(text) == NEAR else text
        try:
            ids = vocabulary.encode(text)
        except TokenizerError:
            yield None
            continue
        data = text.encode()
        started = time.perf_counter()
        known, covered = rules.settled(data, 0, ids)
        state = rules.follow_all(ids[:known])
        cover = rules.cover(state, ids[known - 1] if known else 0, data[covered:])
        spent = 1000 * (time.perf_counter() - started)
        yield (
            len(cover.contexts) - (len(ids) - known),
            not cover.across,
            len(cover.whole) > 1,
            spent,
        )
