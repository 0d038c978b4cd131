"""Building: what is found new, changed, gone or unreadable, alone and with helper processes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import filelock
import pytest
import rich

from indexing import build as building
from indexing.build import BusyError, Job, Progress, build, parse_all, parse_file
from indexing.files import MAX_FILE_BYTES, Skipped
from indexing.index import Index
from indexing.store import Record, Watch
from indexing.symbols import Import

Repository = Callable[[Mapping[str, str]], Path]


def test_only_what_changed_is_parsed(repository: Repository, tmp_path: Path) -> None:
    root = repository({"a.py": "x = 1\n", "b.py": "y = 1\n", "c.py": "z = 1\n"})
    first = build(root, tmp_path / "cache")
    assert (first.files, first.parsed, first.removed) == (3, 3, 0)
    (root / "a.py").write_text("changed = 1\n")
    (root / "b.py").unlink()
    os.utime(root / "c.py", (1, 1))
    second = build(root, tmp_path / "cache")
    assert (second.files, second.parsed, second.removed) == (2, 2, 1)
    snapshot = Index.open(root, tmp_path / "cache").snapshot()
    assert snapshot.paths == {"a.py", "c.py"}
    assert snapshot.named("changed") != ()
    third = build(root, tmp_path / "cache")
    assert (third.files, third.parsed, third.removed) == (2, 0, 0)


def test_what_cannot_be_indexed_is_skipped_with_its_reason(
    repository: Repository, tmp_path: Path
) -> None:
    root = repository({"good.py": "x = 1\n"})
    (root / "binary.py").write_bytes(b"\x7fELF\0\0\0")
    (root / "huge.py").write_bytes(b"x = 1\n" * (20 * 1024 * 1024 // 6))
    (root / "lies.py").write_bytes(b"# coding: utf-8\nx = '\xff'\n")
    (root / "old.py").write_bytes(b"# coding: latin-1\nname = '\xe9'\n")
    (root / "link.py").symlink_to("link.py")
    reasons = {item.path: item.reason for item in build(root, tmp_path / "cache").skipped}
    assert reasons["binary.py"] == "binary"
    assert reasons["huge.py"] == f"larger than {MAX_FILE_BYTES} bytes"
    assert "decode" in reasons["lies.py"]
    assert "read" in reasons["link.py"]
    snapshot = Index.open(root, tmp_path / "cache").snapshot()
    assert snapshot.paths == {"good.py", "old.py"}
    assert dict(snapshot.skipped()) == reasons
    again = build(root, tmp_path / "cache")
    assert (again.parsed, {item.path: item.reason for item in again.skipped}) == (0, reasons)


def test_a_file_that_becomes_unreadable_leaves_the_index(
    repository: Repository, tmp_path: Path
) -> None:
    root = repository({"a.py": "x = 1\n", "b.py": "y = 1\n"})
    build(root, tmp_path / "cache")
    (root / "a.py").unlink()
    (root / "a.py").symlink_to("a.py")
    build(root, tmp_path / "cache")
    assert Index.open(root, tmp_path / "cache").snapshot().paths == {"b.py"}


def test_permissions_are_noticed_and_nothing_is_written_while_they_stay(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = repository({"a.py": "x = 1\n", "b.py": "y = 1\n"})
    folder = build(root, tmp_path / "cache").folder
    index, watch = Index.open(root, tmp_path / "cache"), Watch(folder)
    with monkeypatch.context() as denied:
        denied.setattr(os, "access", lambda path, _: Path(path).name != "a.py")
        for news in (True, False, False):
            summary = build(root, tmp_path / "cache")
            reasons = {item.path: item.reason for item in summary.skipped}
            assert reasons == {"a.py": "cannot be read: Permission denied"}
            assert (summary.parsed, watch.changed()) == (0, news)
        assert index.refresh()
        assert index.snapshot().paths == {"b.py"}
    assert build(root, tmp_path / "cache").parsed == 1
    assert index.refresh()
    assert index.snapshot().paths == {"a.py", "b.py"}


def test_two_builds_at_once_are_refused(repository: Repository, tmp_path: Path) -> None:
    root = repository({"a.py": ""})
    folder = build(root, tmp_path / "cache").folder
    with filelock.FileLock(folder / building.LOCK_NAME), pytest.raises(BusyError):
        build(root, tmp_path / "cache")


def test_files_that_are_gone_are_progress_too(repository: Repository, tmp_path: Path) -> None:
    root = repository({"a.py": "", "b.py": ""})
    build(root, tmp_path / "cache")
    (root / "a.py").unlink()
    seen: list[Progress] = []
    build(root, tmp_path / "cache", seen.append)
    assert Progress("parse", 0, 0, 0) in seen


def test_progress_goes_through_its_phases(repository: Repository, tmp_path: Path) -> None:
    seen: list[Progress] = []
    build(repository({"a.py": "x = 1\n", "b.py": ""}), tmp_path / "cache", seen.append)
    assert list(dict.fromkeys(p.phase for p in seen)) == ["walk", "parse", "ngrams", "ready"]
    assert seen[-1] == Progress("ready", 2, 2, 0)
    assert all(p.done <= p.total for p in seen)


def test_a_workspace_inside_site_packages_can_be_built(tmp_path: Path) -> None:
    root = tmp_path / ".venv" / "lib" / "site-packages" / "rich"
    shutil.copytree(Path(rich.__file__).parent, root, ignore=shutil.ignore_patterns("[!_]*.py"))
    assert build(root, tmp_path / "cache").files > 10
    snapshot = Index.open(root, tmp_path / "cache").snapshot()
    assert snapshot.module_name("_ratio.py") == "rich._ratio"
    imported = Import("rich._ratio", None, "r", 0, (0, 0))
    assert snapshot.resolve("__init__.py", imported).path == "_ratio.py"


@pytest.fixture
def jobs() -> tuple[Path, list[Job]]:
    root = Path(rich.__file__).parent
    paths = sorted(root.glob("*.py"))
    return root, [Job(path.name, path.stat().st_size, None) for path in paths]


def test_helper_processes_say_the_same_as_one(
    jobs: tuple[Path, list[Job]], monkeypatch: pytest.MonkeyPatch
) -> None:
    root, todo = jobs
    monkeypatch.setattr(building, "ALONE_BYTES", 0)
    alone = [parse_file(root, job.path) for job in todo]
    together = list(parse_all(root, todo, processes=2))
    assert sorted(together, key=lambda item: item.path) == sorted(alone, key=lambda item: item.path)


def test_helpers_that_die_are_replaced(jobs: tuple[Path, list[Job]]) -> None:
    root, todo = jobs
    pool = building.Pool(root, 2)
    stream = pool.parse([todo[:2], todo[2:4], todo[4:6], todo[6:8], todo[8:10]])
    results = [next(stream)]
    for process, _ in pool._helpers.values():
        process.kill()
        process.join()
    results += stream
    pool.close()
    assert {item.path for item in results} == {job.path for job in todo[:10]}


def test_a_file_that_kills_every_helper_costs_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A pickled job that cannot be unpickled ends the helper as a crash of the parser would.
    root = tmp_path
    for name in ("a.py", "b.py"):
        (root / name).write_text("x = 1\n")
    pool = building.Pool(root, 1)
    deadly = Job("deadly.py", 0, _Deadly())
    batches = [[Job("a.py", 6, None), deadly], [Job("b.py", 6, None)]]
    results = {item.path: item for item in pool.parse(batches)}
    pool.close()
    assert isinstance(results["a.py"], Record)
    assert isinstance(results["b.py"], Record)
    assert results["deadly.py"] == Skipped("deadly.py", "the parser crashed on it")


class _Deadly(bytes):
    def __reduce__(self) -> tuple[object, tuple[int]]:
        return os._exit, (1,)
