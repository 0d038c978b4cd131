"""Somebody's repository as training rows: its own Python files, split by file.

About one file in five is held out, chosen by a hash of its path, so that the split is the same the
next time. Training rows see the signatures of training files only; held-out rows are cut as the
product would ask, with the whole repository's signatures for context.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from completion.model.checkpoint import Loaded
from indexing.files import Skipped, discover, is_binary
from training.corpus import MIN_BYTES, SourceFile, text_reason
from training.labels import label_ids, parse
from training.samples import Package, Row, Source, analyse, package_of
from training.shards import Shard, cut, pack
from training.trainer import TrainingError

MIN_FILES = 5
HELD_OUT = 5  # one file in this many
MOST_BYTES = 2_000_000
"""Of source: more text than a short run can read; which files are taken is the hash's choice."""
HELD_OUT_TOKENS = 60_000
DRAWN = 16
"""Files drawn at a time until the rows have as many tokens as are wanted."""


class RepositoryError(TrainingError):
    """There is too little to learn from; the message says what was found."""


@dataclass(frozen=True, slots=True)
class Files:
    """The files to learn from and those held out, and why others were left out (path, reason)."""

    train: tuple[SourceFile, ...]
    held_out: tuple[SourceFile, ...]
    left_out: tuple[tuple[str, str], ...]

    @property
    def reasons(self) -> Counter[str]:
        """How many files were left out for which reason."""
        return Counter(reason for _, reason in self.left_out)


def find(root: Path) -> Files:
    """The repository's own Python files. Raises RepositoryError where there are too few."""
    kept: list[SourceFile] = []
    left_out: list[tuple[str, str]] = []
    for path, found in _inspected(root):
        if isinstance(found, str):
            kept.append(SourceFile(root.name, path, found))
        else:
            left_out.append((path, found.reason))
    kept, surplus = _capped(sorted(kept, key=lambda file: _digest(file.path)))
    left_out += [(file.path, f"more than {MOST_BYTES} bytes in all") for file in surplus]
    if len(kept) < MIN_FILES:
        raise RepositoryError(_too_few(root, len(kept), left_out))
    held_out = round(len(kept) / HELD_OUT)
    return Files(tuple(kept[held_out:]), tuple(kept[:held_out]), tuple(left_out))


def rows(files: Files, loaded: Loaded, tokens: int, seed: int) -> tuple[Shard, Shard]:
    """Rows of about ``tokens`` tokens to learn from, and held-out ones.

    Raises RepositoryError where hardly anything in the files is code.
    """
    train = [analyse(file) for file in files.train]
    held_out = [analyse(file) for file in files.held_out]
    everything = package_of([*train, *held_out])
    return (
        _until(tokens, train, package_of(train), loaded, seed),
        _until(min(tokens, HELD_OUT_TOKENS), held_out, everything, loaded, seed),
    )


def _until(
    tokens: int, sources: Sequence[Source], package: Package, loaded: Loaded, seed: int
) -> Shard:
    rng = random.Random(seed)
    ids = label_ids(loaded.types)
    weights = [len(source.text) for source in sources]
    made: list[Row] = []
    count = 0
    while count < tokens:
        drawn = rng.choices(sources, weights=weights, k=DRAWN)
        new = list(cut(drawn, package, loaded.tokenizer, ids, rng))
        if not new:
            raise RepositoryError("there is hardly any code in the repository's Python files")
        made += new
        count += sum(len(row.values) for row in new)
    return pack(made)


def _inspected(root: Path) -> Iterator[tuple[str, str | Skipped]]:
    """The text of every Python file, or why it is left out."""
    for found in discover(root):
        if not found.path.endswith((".py", ".pyi")):
            continue
        yield found.path, found if isinstance(found, Skipped) else _text(root, found.path)


def _text(root: Path, path: str) -> str | Skipped:
    try:
        data = (root / path).read_bytes()
        text = data.decode()
    except OSError as error:
        return Skipped(path, f"cannot be read: {error.strerror}")
    except UnicodeDecodeError:
        return Skipped(path, "not UTF-8")
    if len(data) < MIN_BYTES:
        return Skipped(path, "nearly empty")
    reason = "binary" if is_binary(data) else text_reason(text)
    if reason is None and parse(data).root_node.has_error:
        reason = "a syntax error"
    return text if reason is None else Skipped(path, reason)


def _capped(files: Sequence[SourceFile]) -> tuple[list[SourceFile], list[SourceFile]]:
    """The first files that fit into MOST_BYTES, and the others."""
    total = 0
    kept: list[SourceFile] = []
    surplus: list[SourceFile] = []
    for file in files:
        total += len(file.text.encode())
        (kept if total <= MOST_BYTES else surplus).append(file)
    return kept, surplus


def _too_few(root: Path, count: int, left_out: Sequence[tuple[str, str]]) -> str:
    if not count and not left_out:
        return f"there are no Python files in {root}"
    message = f"{count} Python files in {root} can be learnt from, at least {MIN_FILES} are needed"
    if left_out:
        reasons = Counter(reason for _, reason in left_out).most_common(3)
        message += "; left out: " + ", ".join(f"{number} {reason}" for reason, number in reasons)
    return message


def _digest(path: str) -> bytes:
    return hashlib.blake2b(path.encode("utf-8", "surrogateescape"), digest_size=8).digest()
