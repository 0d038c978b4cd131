"""Training rows on disk: flat arrays in one ``.npz`` per split, written by several processes.

``values`` uint16, ``states``, ``labels`` and ``weights`` uint8, all of the same length, and
``offsets`` int64 with one more entry than there are rows: row i is ``[offsets[i], offsets[i+1])``.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from completion.model.tokenizer import Tokenizer
from training.corpus import SourceFile
from training.labels import label_ids
from training.samples import (
    Package,
    Row,
    Source,
    analyse,
    choose_context,
    choose_middle,
    make_row,
    package_of,
)

TRIES = 6
COLUMNS: dict[str, type[np.unsignedinteger]] = {
    "values": np.uint16,
    "states": np.uint8,
    "labels": np.uint8,
    "weights": np.uint8,
}


@dataclass(frozen=True, slots=True)
class Shard:
    """Rows of one split, one behind the other."""

    values: NDArray[np.uint16]
    states: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    weights: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Tokens per row."""
        return np.diff(self.offsets)

    def reordered(self, order: NDArray[np.int64]) -> Shard:
        """The same rows, ``order[i]`` in place i."""
        spans = [slice(self.offsets[row], self.offsets[row + 1]) for row in order]
        columns = {
            name: np.concatenate([getattr(self, name)[span] for span in spans]) for name in COLUMNS
        }
        return Shard(**columns, offsets=_offsets(self.lengths[order]))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what ``save`` wrote."""
        with np.load(path) as arrays:
            return cls(**{name: arrays[name] for name in cls.__dataclass_fields__})

    def save(self, path: Path) -> None:
        """Write atomically."""
        part = path.with_suffix(".part.npz")
        np.savez(part, **{name: getattr(self, name) for name in self.__dataclass_fields__})
        part.replace(path)


def build(
    files: Sequence[SourceFile],
    tokenizer_path: Path,
    types: Sequence[str],
    rows: int,
    *,
    seed: int,
    processes: int,
) -> Shard:
    """Cut ``rows`` samples, files drawn by their size; packages stay together for context."""
    jobs = [
        (group, tokenizer_path, tuple(types), share, seed + index)
        for index, (group, share) in enumerate(_divide(files, rows))
    ]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        made = _joined(list(pool.map(_package_rows, jobs)))
    return made.reordered(np.random.default_rng(seed).permutation(len(made)))


def _divide(files: Sequence[SourceFile], rows: int) -> list[tuple[list[SourceFile], int]]:
    packages: dict[str, list[SourceFile]] = defaultdict(list)
    for file in files:
        packages[file.package].append(file)
    total = sum(len(file.text) for file in files)
    return [
        (group, round(rows * sum(len(file.text) for file in group) / total))
        for group in packages.values()
    ]


def _package_rows(job: tuple[list[SourceFile], Path, tuple[str, ...], int, int]) -> Shard:
    files, tokenizer_path, types, rows, seed = job
    rng = random.Random(seed)
    sources = [analyse(file) for file in files]
    drawn = rng.choices(sources, weights=[len(source.text) for source in sources], k=rows)
    tokenizer = Tokenizer.load(tokenizer_path)
    return pack(cut(drawn, package_of(sources), tokenizer, label_ids(types), rng))


def cut(
    drawn: Iterable[Source],
    package: Package,
    tokenizer: Tokenizer,
    ids: dict[str, int],
    rng: random.Random,
) -> Iterator[Row]:
    """A row from each of the drawn files, with signatures of ``package`` as context.

    A file in which no good place for the cursor is found yields none this time.
    """
    for source in drawn:
        middles = (choose_middle(source, rng) for _ in range(TRIES))
        middle = next((one for one in middles if one is not None), None)
        if middle is not None:
            context = choose_context(source, middle, package, rng)
            yield make_row(source, middle, context, tokenizer, ids, rng)


def pack(rows: Iterable[Row]) -> Shard:
    """Rows one behind the other."""
    arrays = [
        [np.array(getattr(row, name), dtype) for name, dtype in COLUMNS.items()] for row in rows
    ]
    columns = {
        name: np.concatenate([np.empty(0, dtype), *(row[index] for row in arrays)])
        for index, (name, dtype) in enumerate(COLUMNS.items())
    }
    return Shard(**columns, offsets=_offsets(np.array([len(row[0]) for row in arrays], np.int64)))


def _joined(shards: Sequence[Shard]) -> Shard:
    columns = {name: np.concatenate([getattr(shard, name) for shard in shards]) for name in COLUMNS}
    return Shard(**columns, offsets=_offsets(np.concatenate([one.lengths for one in shards])))


def _offsets(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
