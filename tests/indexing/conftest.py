"""Small repositories to index."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from indexing.index import Index, Snapshot

Tree = Mapping[str, str]


@pytest.fixture
def repository(tmp_path: Path) -> Callable[[Tree], Path]:
    """Writes files below a fresh root."""

    def write(files: Tree) -> Path:
        root = tmp_path / "repository"
        root.mkdir(exist_ok=True)
        for path, text in files.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        return root

    return write


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[Tree], Snapshot]:
    """A snapshot in which every given file is an open buffer; nothing is on disk."""

    def open_all(files: Tree) -> Snapshot:
        index = Index.open(tmp_path, tmp_path / "cache")
        for path, text in files.items():
            index.update(path, text.encode())
        return index.snapshot()

    return open_all
