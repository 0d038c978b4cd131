"""Workspaces in which answers cannot be looked up: repositories with the asked-for lines cut away.

An index built from a whole repository has seen every answer. So the items of an evaluation are
dealt into rounds of at most one per file, each round gets a copy of the repository in which the
files of its items hold the CUT text, and everything that the product learns from a repository
(symbols, uses, n-grams) is built from that copy, in a cache that is thrown away with it.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from evaluation.cuts import Cut
from evaluation.items import Variant, cut_text
from evaluation.repositories import copy_source
from indexing.languages import language_of

Item = TypeVar("Item")
SUFFIX = ".py"


@dataclass(frozen=True, slots=True)
class Workspace:
    """A private copy of a repository: its ``root`` and the ``cache`` folder for its index."""

    root: Path
    cache: Path


def read_sources(root: Path, paths: Iterable[str] | None = None) -> dict[str, bytes]:
    """Return the Python files under ``root`` by their path relative to it; all without ``paths``.

    Only files that are UTF-8 and no longer than a megabyte: others are no ground for sampling.
    """
    if paths is None:
        paths = (path.relative_to(root).as_posix() for path in root.rglob(f"*{SUFFIX}"))
    sources = {}
    for path in sorted(path for path in paths if path.endswith(SUFFIX)):
        data = (root / path).read_bytes()
        if len(data) <= 1_000_000 and _is_utf8(data):
            sources[path] = data
    return sources


def rounds(items: Iterable[Item], cut_of: Callable[[Item], Cut]) -> list[list[Item]]:
    """Deal ``items`` into the fewest rounds that hold no file twice, keeping their order."""
    dealt: list[list[Item]] = []
    used: Counter[str] = Counter()
    for item in items:
        path = cut_of(item).path
        if used[path] == len(dealt):
            dealt.append([])
        dealt[used[path]].append(item)
        used[path] += 1
    return dealt


@contextmanager
def cut_copy(
    source: Path, cuts: Iterable[Cut], variant: Variant = Variant.BELOW
) -> Iterator[Workspace]:
    """Give a copy of ``source`` with the rest of the line gone at every one of ``cuts``.

    With `Variant.ABOVE` the code below the line is gone too.
    """
    offsets = {cut.path: cut.offset for cut in cuts}

    def cut_file(path: str, data: bytes) -> bytes:
        return cut_text(data, offsets[path], variant) if path in offsets else data

    with rewritten(source, cut_file) as workspace:
        yield workspace


@contextmanager
def rewritten(source: Path, change: Callable[[str, bytes], bytes]) -> Iterator[Workspace]:
    """Give a copy of ``source`` in which every file of code holds what ``change`` makes of it."""
    with tempfile.TemporaryDirectory(prefix="lancefill-") as folder:
        workspace = Workspace(root=Path(folder, source.name), cache=Path(folder, ".cache"))
        copy_source(source, workspace.root)
        for file in workspace.root.rglob("*"):
            if file.is_file() and language_of(file.name) is not None:
                data = file.read_bytes()
                changed = change(file.relative_to(workspace.root).as_posix(), data)
                if changed != data:
                    file.write_bytes(changed)
        yield workspace


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
