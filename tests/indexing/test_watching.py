"""Changes on disk as the system tells them: which folders are watched, and what is told."""

from __future__ import annotations

import io
import logging
import queue
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pathspec
import pytest

from indexing import watching, worker
from indexing.files import entered_below
from indexing.index import Index
from indexing.watching import Watcher

if TYPE_CHECKING:
    from typing_extensions import Buffer

Repository = Callable[[Mapping[str, str]], Path]
PATIENCE = 20.0
FILES = {
    "a.py": "def a(): ...\n",
    "pkg/inner/b.py": "def b(): ...\n",
    "docs/guide.txt": "no source\n",
    "node_modules/c.py": "def c(): ...\n",
    ".gitignore": "built/\n",
    "built/d.py": "def d(): ...\n",
}
INDEXED = ("a.py", "pkg/inner/b.py")


class Told:
    """What a watcher told, in order."""

    def __init__(self) -> None:
        self.inbox: queue.SimpleQueue[list[str]] = queue.SimpleQueue()

    def until(self, path: str) -> set[str]:
        """All that is told up to ``path``."""
        seen: set[str] = set()
        while path not in seen:
            seen.update(self.inbox.get(timeout=PATIENCE))
        return seen


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def watch(told: Told) -> Iterator[Callable[..., Watcher]]:
    watchers: list[Watcher] = []

    def watch_one(root: Path, **options: int) -> Watcher:
        watchers.append(Watcher(root, told.inbox.put, **options))
        return watchers[-1]

    yield watch_one
    for watcher in watchers:
        watcher.stop()


def test_files_that_come_change_and_go_are_told(
    repository: Repository, told: Told, watch: Callable[..., Watcher]
) -> None:
    root = repository(FILES)
    watcher = watch(root)
    assert watcher.cover(INDEXED)
    assert watcher.watched == {"", "pkg", "pkg/inner"}
    assert not watcher.cover(INDEXED)
    (root / "a.py").write_text("def changed(): ...\n")
    assert told.until("a.py") == {"a.py"}
    (root / "pkg/new.py").write_text("x = 1\n")
    assert told.until("pkg/new.py") == {"pkg/new.py"}
    (root / "pkg/inner/b.py").unlink()
    assert told.until("pkg/inner/b.py") == {"pkg/inner/b.py"}


def test_what_no_index_holds_is_not_told(
    repository: Repository, told: Told, watch: Callable[..., Watcher]
) -> None:
    root = repository(FILES)
    watch(root).cover(INDEXED)
    (root / "notes.txt").write_text("no source")
    (root / "credentials.py").write_text("no source of ours")
    (root / "built/d.py").write_text("ignored")
    (root / "built").touch()
    (root / "node_modules/c.py").write_text("pruned")
    (root / ".gitignore").write_text("built/\nmore/\n")
    (root / "z.py").write_text("x = 1\n")
    assert told.until("z.py") == {".gitignore", "z.py"}


def test_new_folders_come_under_watch_and_ignored_ones_cost_none(
    repository: Repository, told: Told, watch: Callable[..., Watcher]
) -> None:
    root = repository({**FILES, "pkg/.gitignore": "cache\n"})
    watcher = watch(root)
    watcher.cover(INDEXED)
    for folder in ("pkg/cache", "venv/lib", ".git/objects", "pkg/fresh/deep/__pycache__"):
        (root / folder).mkdir(parents=True)
    (root / "env").mkdir()
    (root / "env/pyvenv.cfg").touch()
    told.until("pkg/fresh")
    assert watcher.cover(INDEXED)
    watched = watcher.watched - {"env"}  # whether the watch or the environment was first is chance
    assert watched == {"", "pkg", "pkg/inner", "pkg/fresh", "pkg/fresh/deep"}
    (root / "pkg/fresh/deep/e.py").write_text("x = 1\n")
    told.until("pkg/fresh/deep/e.py")


def test_a_folder_that_comes_back_is_watched_again(
    repository: Repository, told: Told, watch: Callable[..., Watcher]
) -> None:
    root = repository(FILES)
    watcher = watch(root)
    watcher.cover(INDEXED)
    shutil.move(root / "pkg", root.parent / "moved")
    told.until("pkg")
    watcher.cover(["a.py"])
    assert watcher.watched == {""}
    shutil.move(root.parent / "moved", root / "pkg")
    told.until("pkg")
    assert watcher.cover(INDEXED)
    (root / "pkg/inner/b.py").write_text("x = 1\n")
    told.until("pkg/inner/b.py")


def test_beyond_the_budget_nothing_is_watched(
    repository: Repository, watch: Callable[..., Watcher], caplog: pytest.LogCaptureFixture
) -> None:
    root = repository(FILES)
    watcher = watch(root, budget=2)
    assert watcher.cover(["a.py"])
    assert not watcher.cover(INDEXED)
    assert not watcher.cover(INDEXED)
    assert watcher.watched == frozenset()
    assert [record.message for record in caplog.records].count(
        "changes on disk are looked for now and then only: more than 2 folders hold sources"
    ) == 1
    assert watcher.cover(["a.py"])


def test_a_system_that_refuses_is_asked_again_by_the_next_call(
    repository: Repository,
    watch: Callable[..., Watcher],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    root = repository(FILES)
    watcher = watch(root)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "inotify limit reached")

    with monkeypatch.context() as patched:
        patched.setattr(watching, "RustNotify", refuse)
        assert not watcher.cover(INDEXED)
    assert "inotify limit reached" in caplog.text
    assert watcher.cover(INDEXED)


def test_folders_below_one_are_those_that_a_walk_enters(repository: Repository) -> None:
    root = repository({**FILES, "pkg/.gitignore": "cache\n", "pkg/cache/x/e.py": ""})
    assert set(entered_below(root, "pkg")) == {"pkg", "pkg/inner"}
    for outside in ("pkg/cache", "pkg/cache/x", "built", "node_modules", "missing", "a.py"):
        assert list(entered_below(root, outside)) == []


@pytest.fixture
def no_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """All files are looked at again only when something says so."""
    monkeypatch.setattr(worker, "POLL_SECONDS", 3600.0)
    monkeypatch.setattr(worker, "POLL_LIMIT", 3600.0)


def test_the_indexer_takes_up_what_nobody_told(
    repository: Repository,
    tmp_path: Path,
    no_looking: None,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    root, cache = repository(FILES), tmp_path / "cache"
    ended = threading.Event()
    readable = threading.Event()

    class Held(io.RawIOBase):
        """Input that ends when the test says so."""

        def readable(self) -> bool:
            return True

        def readinto(self, _: object) -> int:
            ended.wait(PATIENCE * 5)
            return 0

    class Seen(io.BytesIO):
        """Output whose every message is a moment to look."""

        def write(self, data: Buffer) -> int:
            readable.set()
            return super().write(data)

    def until(*names: str) -> None:
        for _ in range(200):
            snapshot = Index.open(root, cache).snapshot()
            found = {d.name for p in snapshot.paths for d in snapshot.symbols(p).definitions}
            if found == set(names):
                return
            readable.clear()
            readable.wait(0.1)
        raise AssertionError(found)

    nothing = pathspec.GitIgnoreSpec.from_lines([])
    arguments = (root, cache, nothing, io.BufferedReader(Held()), Seen())
    caplog.set_level(logging.INFO)
    indexer = threading.Thread(target=worker.run, args=arguments, kwargs={"watch": True})
    indexer.start()
    try:
        until("a", "b")
        while "folders are watched" not in caplog.text:
            readable.wait(0.05)
        (root / "a.py").write_text("def changed(): ...\n")
        until("changed", "b")
        (root / "pkg/inner/b.py").unlink()
        until("changed")
        (root / "fresh/deep").mkdir(parents=True)
        (root / "fresh/deep/new.py").write_text("def new(): ...\n")
        until("changed", "new")
        (root / "fresh/deep/new.py").write_text("def newer(): ...\n")
        until("changed", "newer")
    finally:
        ended.set()
        indexer.join(PATIENCE)
    assert not indexer.is_alive()
