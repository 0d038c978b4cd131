"""What a repository needs, installed beside it: so that its libraries can be read.

The pinned repositories are fetched without their dependencies, as a person would never work on
them. Wheels only, so that no package's build runs; into a folder of the user's cache that is named
after what was asked for, made once.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from email.parser import HeaderParser
from pathlib import Path
from typing import Any

from indexing.cache import cache_root

INSTALL_S = 600
GROUPS = ("dev", "test", "tests", "testing")
"""Extras and dependency groups that whoever works on a repository has installed."""

READING_S = 60.0
"""A person looks at a file longer than its packages take to be read, on a machine at rest."""

Packages = Callable[[Path], tuple[Path, ...]]
"""The folders with what is installed for the repository in a folder."""

_EXTRA = re.compile(r"\bextra\b")


class DependenciesError(Exception):
    """The dependencies cannot be had; the message says why."""


def requirements(root: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the repository in ``root`` declares: what it needs to run, what to work on it.

    From the metadata of a package, else from ``pyproject.toml``. Raises DependenciesError.
    """
    project = _project(root)
    metadata = next(iter([*root.glob("PKG-INFO"), *root.glob("*.dist-info/METADATA")]), None)
    if metadata is not None:
        found = HeaderParser().parsestr(metadata.read_text("utf-8", "replace"))
        lines = [str(line) for line in found.get_all("Requires-Dist", [])]
        needed: Iterable[str] = (
            line for line in lines if not _EXTRA.search(line.partition(";")[2])
        )
    else:
        needed = project.get("project", {}).get("dependencies", [])
    return tuple(needed), tuple(dict.fromkeys(_for_work(project)))


def _project(root: Path) -> dict[str, Any]:
    try:
        return tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DependenciesError(f"{root / 'pyproject.toml'} cannot be read: {error}") from error


def _for_work(project: dict[str, Any]) -> Iterator[str]:
    extras = project.get("project", {}).get("optional-dependencies", {})
    for name in GROUPS:
        for line in (*extras.get(name, ()), *project.get("dependency-groups", {}).get(name, ())):
            if isinstance(line, str):  # a group may include another one, which is a table
                yield line


def installed(root: Path, cache: Path | None = None) -> Path:
    """The folder with what the repository in ``root`` declares, installed the first time.

    Where what is needed to work on it cannot be had as wheels, what it needs to run alone. Raises
    DependenciesError.
    """
    needed, work = requirements(root)
    key = hashlib.sha256("\n".join((sys.version, *needed, "", *work)).encode()).hexdigest()[:12]
    folder = (cache or cache_root()) / "dependencies" / f"{root.name}-{key}"
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        if not (work and _install(folder, (*needed, *work)) is None):
            problem = _install(folder, needed) if needed else None
            if problem is not None:
                raise DependenciesError(f"what {root.name} needs cannot be installed: {problem}")
        (folder / "complete").touch()
    return folder


def _install(folder: Path, lines: Iterable[str]) -> str | None:
    """Install into ``folder``; what pip said last, where it could not."""
    listed = folder / "requirements.txt"
    listed.write_text("\n".join(lines) + "\n", "utf-8")
    flags = ("--quiet", "--disable-pip-version-check", "--only-binary", ":all:", "--upgrade")
    command = [sys.executable, "-m", "pip", "install", *flags, "--target", str(folder)]
    try:
        done = subprocess.run(
            [*command, "--requirement", str(listed)],
            capture_output=True, text=True, check=False, timeout=INSTALL_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"it took longer than {INSTALL_S} s"
    return (
        None if done.returncode == 0 else ([*done.stderr.strip().splitlines()] or ["nothing"])[-1]
    )


def nothing_installed(_root: Path) -> tuple[Path, ...]:
    """No packages."""
    return ()


def declared(root: Path) -> tuple[Path, ...]:
    """What the repository in ``root`` declares, installed. Raises DependenciesError."""
    return (installed(root),)
