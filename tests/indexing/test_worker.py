"""The indexer process: elected, told of changes, killed, and given a damaged store."""

from __future__ import annotations

import io
import os
import queue
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import filelock
import pathspec
import pytest

from indexing import messages, store, worker
from indexing.build import LOCK_NAME, Summary, build
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
    for one in workers:
        one.process.kill()
        one.process.wait(PATIENCE)
        for stream in (one.process.stdin, one.process.stdout):
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


def test_a_deleted_cache_is_built_again_by_one_indexer(
    repository: Repository, tmp_path: Path, start: Callable[[Path], Worker]
) -> None:
    root = repository(FILES)
    first = start(root)
    first.until("ready")
    while (tmp_path / "cache").exists():  # the indexer may write there still
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)
    (root / "new.py").write_text("def new(): ...\n")
    first.send("changed", paths=["new.py"])
    assert first.until("parse")["total"] == len(FILES) + 1
    first.until("ready")
    assert "new" in names(root, tmp_path)
    folder = workspace_folder(root, tmp_path / "cache")
    assert (folder / "workspace").read_text() == str(root.resolve())
    second = start(root)
    second.until("waiting")
    assert first.end() == second.end() == 0


class Script(worker.Channel):
    """A server that lets time pass: what it says changed, after how many seconds; then it ends."""

    def __init__(self, *steps: tuple[float, set[str]]) -> None:
        super().__init__(io.BytesIO())
        self.steps = list(steps)
        self.asked: list[float] = []
        self.now = 1000.0

    def wait(self, seconds: float) -> set[str]:
        self.asked.append(round(seconds, 3))
        if not self.steps:
            raise worker.EndedError
        after, paths = self.steps.pop(0)
        self.now += min(after, seconds)
        return paths if after <= seconds else set()


@pytest.fixture
def scripted(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Script], worker.Indexer]]:
    """An indexer at work for such a server."""
    root = repository(FILES)
    folder = build(root, tmp_path / "cache").folder

    def at_work(script: Script) -> worker.Indexer:
        monkeypatch.setattr(worker, "time", SimpleNamespace(monotonic=lambda: script.now))
        return worker.Indexer(root, folder, script, pathspec.GitIgnoreSpec.from_lines([]))

    with filelock.FileLock(folder / LOCK_NAME):
        yield at_work


def test_only_looking_makes_looks_rare_and_changes_do_not_put_them_off(
    scripted: Callable[[Script], worker.Indexer], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    looks: list[object] = []

    def synchronise(*arguments: object, **_: object) -> Summary:
        looks.append(arguments[3])
        return Summary(tmp_path, 5, 5, 0, (), seconds=500.0, looking=0.2)

    monkeypatch.setattr(worker.build, "synchronise", synchronise)
    script = Script(*[(3.0, {"m0.py"})] * 7)
    with pytest.raises(worker.EndedError):
        scripted(script).run()
    assert looks == [None, *[["m0.py"]] * 3, None, *[["m0.py"]] * 3]
    assert script.asked == [10.0, 7.0, 4.0, 1.0, 10.0, 7.0, 4.0, 1.0]
    assert [worker.poll_delay(seconds) for seconds in (0.0, 0.3, 100.0)] == [5.0, 15.0, 60.0]


def failing(name: str) -> store.StoreError:
    cause = sqlite3.OperationalError("as scripted")
    cause.sqlite_errorname = name
    error = store.StoreError("as scripted")
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "delays", "kept"),
    [
        (failing("SQLITE_CANTOPEN"), [30.0, 30.0, 30.0], True),
        (failing("SQLITE_FULL"), [30.0, 30.0, 30.0], True),
        (PermissionError("as scripted"), [30.0, 30.0, 30.0], True),
        (failing("SQLITE_CORRUPT"), [worker.SETTLE_SECONDS, 30.0, 30.0], False),
    ],
)
def test_only_damage_costs_the_index_and_no_failure_is_tried_again_at_once_for_ever(
    scripted: Callable[[Script], worker.Indexer],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    delays: list[float],
    kept: bool,
) -> None:
    def open_writer(_: Path) -> store.Writer:
        raise error

    monkeypatch.setattr(store, "open_writer", open_writer)
    script = Script((60.0, set()), (60.0, set()))
    indexer = scripted(script)
    with pytest.raises(worker.EndedError):
        indexer.run()
    assert script.asked == delays
    assert (indexer.folder / store.FILE_NAME).exists() is kept


def test_an_index_that_cannot_even_be_removed_is_tried_later(
    scripted: Callable[[Script], worker.Indexer], monkeypatch: pytest.MonkeyPatch
) -> None:
    script = Script((60.0, set()))
    indexer = scripted(script)
    file = indexer.folder / store.FILE_NAME
    file.unlink()
    file.mkdir()  # not even root can unlink that
    monkeypatch.setattr(store, "is_passing", lambda _: False)
    with pytest.raises(worker.EndedError):
        indexer.run()
    assert script.asked == [30.0, 30.0]


def test_a_store_that_cannot_be_read_now_is_not_replaced(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = build(repository(FILES), tmp_path / "cache").folder
    before = (folder / store.FILE_NAME).read_bytes()

    def check(_: store.Writer) -> None:
        raise failing("SQLITE_IOERR_READ")

    with monkeypatch.context() as patched:
        patched.setattr(store.Writer, "check", check)
        with pytest.raises(store.StoreError):
            store.open_writer(folder)
    assert (folder / store.FILE_NAME).read_bytes() == before
    with pytest.raises(store.StoreError) as missing:
        store.connect(tmp_path / "nowhere" / "index")
    assert store.is_passing(missing.value)
