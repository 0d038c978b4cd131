"""The indexer process: elected, told of changes, killed, and given a damaged store."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from indexing import messages, store
from indexing.build import build
from indexing.cache import workspace_folder
from indexing.index import Index

Repository = Callable[[Mapping[str, str]], Path]
FILES = {f"m{number}.py": f"def name{number}(): ...\n" for number in range(5)}
PATIENCE = 30.0


class Worker:
    """An indexer process as the server runs it."""

    def __init__(self, root: Path, cache: Path) -> None:
        command = [sys.executable, "-I", "-X", "utf8", "-m", "indexing.worker", str(root)]
        self.process = subprocess.Popen(
            [*command, "--cache", str(cache)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.received: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        while (message := messages.read(self.process.stdout)) is not None:
            self.received.put(message)
        self.received.put(None)

    def send(self, method: str, **params: object) -> None:
        assert self.process.stdin is not None
        messages.write(self.process.stdin, {"id": 1, "method": method, "params": params})

    def until(self, *phases: str) -> dict[str, Any]:
        """The next progress with one of these phases."""
        while (message := self.received.get(timeout=PATIENCE)) is not None:
            if message.get("params", {}).get("phase") in phases:
                return dict(message["params"])
        raise AssertionError("the worker ended")

    def answer(self) -> dict[str, Any]:
        while (message := self.received.get(timeout=PATIENCE)) is not None:
            if "id" in message:
                return message
        raise AssertionError("the worker ended")

    def end(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(PATIENCE)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[Path], Worker]]:
    workers: list[Worker] = []

    def start_one(root: Path) -> Worker:
        workers.append(Worker(root, tmp_path / "cache"))
        return workers[-1]

    yield start_one
    for worker in workers:
        worker.process.kill()
        worker.process.wait(PATIENCE)
        for stream in (worker.process.stdin, worker.process.stdout):
            if stream is not None:
                stream.close()


def names(root: Path, tmp_path: Path) -> set[str]:
    snapshot = Index.open(root, tmp_path / "cache").snapshot()
    return {d.name for path in snapshot.paths for d in snapshot.symbols(path).definitions}


def test_it_builds_takes_changes_and_ends_with_its_input(
    repository: Repository, tmp_path: Path, start: Callable[[Path], Worker]
) -> None:
    root = repository(FILES)
    worker = start(root)
    assert worker.until("ready")["done"] == len(FILES)
    (root / "m0.py").write_text("def changed(): ...\n")
    (root / "m1.py").unlink()
    worker.send("changed", paths=["m0.py", "m1.py", "../outside.py"])
    assert worker.answer() == {"id": 1, "result": {}}
    while names(root, tmp_path) != {"changed", "name2", "name3", "name4"}:
        worker.until("ready")
    worker.send("changed", paths="no list")
    assert "error" in worker.answer()
    assert worker.end() == 0


def test_one_works_and_the_next_takes_over_when_it_is_killed(
    repository: Repository, tmp_path: Path, start: Callable[[Path], Worker]
) -> None:
    root = repository(FILES)
    first = start(root)
    first.until("ready")
    second = start(root)
    second.until("waiting")
    first.process.send_signal(signal.SIGKILL)
    (root / "late.py").write_text("def late(): ...\n")
    second.until("walk")
    assert second.until("ready")["done"] == len(FILES) + 1
    assert "late" in names(root, tmp_path)
    assert second.end() == 0


def test_killed_at_any_moment_it_leaves_a_store_that_can_be_read(
    repository: Repository, tmp_path: Path, start: Callable[[Path], Worker]
) -> None:
    body = "class C:\n" + "".join(f"  def method{n}(self): self.x.y({n})\n" for n in range(100))
    root = repository({f"m{number}.py": body for number in range(40)})
    for phase in ("walk", "parse", "ready"):
        worker = start(root)
        worker.until(phase, "ready")
        worker.process.kill()
        worker.process.wait(PATIENCE)
        index = Index.open(root, tmp_path / "cache")
        assert len(index.snapshot().paths) in (0, 40)
    worker = start(root)
    worker.until("ready")
    assert len(Index.open(root, tmp_path / "cache").snapshot().paths) == 40


@pytest.mark.parametrize("damage", ["garbage", "truncated", "deleted"])
def test_a_damaged_store_is_built_again(
    repository: Repository, tmp_path: Path, start: Callable[[Path], Worker], damage: str
) -> None:
    root = repository(FILES)
    build(root, tmp_path / "cache")
    worker = start(root)
    worker.until("ready")
    path = workspace_folder(root, tmp_path / "cache") / store.FILE_NAME
    if damage == "garbage":
        path.write_bytes(os.urandom(path.stat().st_size))
    elif damage == "truncated":
        os.truncate(path, 5000)
    else:
        path.unlink()
    (root / "new.py").write_text("def new(): ...\n")
    worker.send("changed", paths=["new.py"])
    while len(names(root, tmp_path)) < len(FILES) + 1:
        worker.until("ready")
    assert worker.end() == 0
