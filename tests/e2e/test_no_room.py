"""Full disks and packages that are missing: what is said, every time, and what works on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from evaluation.client import Notification
from lsp_server.__main__ import OLDEST, too_old

if TYPE_CHECKING:
    from tests.e2e.conftest import Serve, Session

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount")


def mounted(options: str) -> tuple[str, ...]:
    """The command that gives a command a cache folder in memory with these limits."""
    mount = f'mount -t tmpfs -o {options} none "$LANCEFILL_CACHE" && exec "$@"'
    return (*OWN_MOUNTS, "sh", "-c", mount, "sh")


def can_mount(folder: Path) -> bool:
    command = [*OWN_MOUNTS, "mount", "-t", "tmpfs", "none", str(folder)]
    return shutil.which("unshare") is not None and subprocess.run(command).returncode == 0


async def popups_work(session: Session) -> None:
    session.open("main.py", "class Heron:\n    def wade(self): ...\n\nHeron().")
    assert "wade" in await session.labels("main.py", 3, 8)


async def problem(session: Session, words: str) -> str:
    """The problem with these words, once the server tells it."""
    found: list[str] = []

    async def told() -> bool:
        found[:] = [each for each in (await session.status())["problems"] if words in each]
        return bool(found)

    await session.until(told)

    def shown(seen: Notification) -> bool:
        return seen.method == "didChangeStatus" and words in seen.params["message"]

    assert (await session.client.wait_for(shown)).params["kind"] == "Warning"
    return found[0]


@pytest.mark.parametrize(
    ("disk", "told"),
    [
        ("nr_inodes=1", "No space left on device; make room on the disk or set LANCEFILL_CACHE"),
        ("ro", "Read-only file system; make the folder yours to write or set LANCEFILL_CACHE"),
    ],
)
async def test_a_disk_that_takes_nothing(
    workspace: Path, serve: Serve, disk: str, told: str
) -> None:
    if not can_mount(workspace):
        pytest.skip("this machine lets nobody mount")
    async with serve(workspace, under=mounted(disk)) as session:
        assert told in await problem(session, "cannot write the cache")
        await popups_work(session)
        await session.indexed()
        session.open("other.py", "from pkg.client import Client\nClient().")
        assert "send" in await session.labels("other.py", 1, 9)


async def test_a_disk_that_fills_up_while_the_index_is_built(workspace: Path, serve: Serve) -> None:
    if not can_mount(workspace):
        pytest.skip("this machine lets nobody mount")
    async with serve(workspace, under=mounted("size=40k")) as session:
        said = await problem(session, "work cannot be indexed")
        assert "make room on the disk or set LANCEFILL_CACHE to another folder" in said
        await popups_work(session)
        session.open("json_user.py", "import json\njson.")

        async def jedi_answers() -> bool:
            return "dumps" in await session.labels("json_user.py", 1, 5)

        await session.until(jedi_answers)


def test_a_command_on_a_full_disk_is_one_line(workspace: Path, tmp_path: Path) -> None:
    if not can_mount(workspace):
        pytest.skip("this machine lets nobody mount")
    cache = tmp_path / "small"
    cache.mkdir()
    command = [*mounted("size=40k"), sys.executable, "-m", "lancefill", "index", str(workspace)]
    environment = {**os.environ, "LANCEFILL_CACHE": str(cache)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("Error: the index cannot be written: ")
    assert "make room on the disk" in done.stderr


@pytest.fixture
def without(tmp_path: Path) -> Callable[[str], Path]:
    """Make a Python with all that the server needs but one package; returns its executable."""

    def make(package: str) -> Path:
        home = tmp_path / "python"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
        (packages,) = home.glob("lib/python*/site-packages")
        folders = [Path(each) for each in sys.path if Path(each).name == packages.name]
        entries = {entry.name: entry for folder in folders for entry in folder.iterdir()}
        for name, entry in entries.items():
            if not name.startswith(package) and entry.suffix != ".pth":
                (packages / name).symlink_to(entry)
        (packages / "lancefill.pth").write_text(str(ROOT))
        return home / "bin/python"

    return make


def instead(python: Path) -> tuple[str, ...]:
    """The command that runs a command of another Python's with this one."""
    return ("sh", "-c", f'shift; exec "{python}" "$@"', "sh")


@pytest.mark.parametrize(
    ("package", "lost"), [("torch", "no ghost text"), ("jedi", "no names of the standard library")]
)
async def test_popups_work_without(
    workspace: Path, serve: Serve, without: Callable[[str], Path], package: str, lost: str
) -> None:
    python = without(package)
    async with serve(workspace, under=instead(python), settings={"ghostText": True}) as session:
        said = await problem(session, lost)
        assert f"the package {package} is missing. Install it for {python}" in said
        await popups_work(session)
        if package == "torch":
            assert await session.ghost("main.py", 3, 8) == []
            reason = await session.reason("ghost")
            assert (reason["code"], reason["message"]) == ("model-missing", said)
            told = await session.client.request("lancefill/explain", session.at("main.py", 3, 8))
            assert told["ghost"]["reason"]["message"] == said
        assert "starting it again" not in session.log


@pytest.mark.parametrize("package", ["pygls", "tree_sitter", "numpy"])
def test_a_server_that_cannot_start_says_what_to_do(
    without: Callable[[str], Path], package: str
) -> None:
    python = without(package)
    command = [str(python), "-I", "-X", "utf8", "-m", "lsp_server", "--stdio"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"Lancefill cannot start: No module named '{package}")
    assert f"The installation in {python.parents[1]} is not whole" in line
    assert "install Lancefill there again" in line


def test_a_python_that_is_too_old_is_named() -> None:
    assert too_old((3, 11, 0)) is None
    said = too_old((3, 9, 18))
    assert said is not None
    assert "is Python 3.9, and 3.11 or later is needed" in said
    required = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert required == ">=" + ".".join(map(str, OLDEST))
