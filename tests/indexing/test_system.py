"""Questions to the operating system whose ready answers do not hold everywhere."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from indexing import system
from indexing.files import Found, discover, inspect
from indexing.index import package_prefix

Repository = Callable[[Mapping[str, str]], Path]


@pytest.fixture
def shut(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes a folder one that we may see and not enter, which root can enter all the same."""

    def shut_one(folder: Path) -> None:
        def guarded(ask: Callable[..., object], inside: bool) -> Callable[..., object]:
            def asked(path: Path, *arguments: object, **options: object) -> object:
                if folder in (Path(path).parents if inside else (Path(path),)):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
                return ask(path, *arguments, **options)

            return asked

        monkeypatch.setattr(os, "stat", guarded(os.stat, inside=True))
        monkeypatch.setattr(os, "scandir", guarded(os.scandir, inside=False))

    return shut_one


def test_a_folder_that_is_shut_costs_what_is_in_it(
    repository: Repository, shut: Callable[[Path], None]
) -> None:
    root = repository({"a.py": "", "shut/b.py": "", "shut/__init__.py": "", "z.py": ""})
    shut(root / "shut")
    for ask in (system.exists, system.is_file, system.is_folder):
        assert ask(root / "shut" / "b.py") is False
    assert list(discover(root)) == [inspect(root, "a.py"), inspect(root, "z.py")]
    assert all(isinstance(found, Found) for found in discover(root))
    assert package_prefix(root / "shut") == ""


def test_without_linux_the_number_of_cores_is_still_known() -> None:
    elsewhere = "import os; vars(os).pop('sched_getaffinity', 0)"
    program = f"{elsewhere}; from indexing.build import PROCESSES; print(PROCESSES)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert 1 <= int(done.stdout) <= 4


def test_cores_follow_what_the_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    assert system.cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert system.cores() == 1
