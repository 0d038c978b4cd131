"""The real repositories that figures are measured on: pinned packages, fetched once."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from indexing.cache import cache_root

MANIFEST = Path(__file__).with_name("repositories.toml")

Role = Literal["report", "seen", "dev", "scale"]
Kind = Literal["wheel", "sdist"]


class FetchError(Exception):
    """A pinned repository could not be had; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Repository:
    """One pinned package; ``lines`` counts Python source lines, ``role`` says what it may serve.

    A source distribution holds the project's tests, a wheel does not.
    """

    name: str
    version: str
    kind: Kind
    sha256: str
    role: Role
    licence: str
    lines: int


def repositories() -> dict[str, Repository]:
    """Return the manifest, by name."""
    entries = tomllib.loads(MANIFEST.read_text("utf-8"))
    return {name: Repository(name=name, **entry) for name, entry in entries.items()}


def fetch(name: str, cache: Path | None = None) -> Path:
    """Return a folder with the named repository's source, downloading it the first time.

    The folder is shared and must be treated as read-only. Raises FetchError.
    """
    known = repositories()
    if name not in known:
        raise FetchError(f"no repository named {name!r}; there are: {', '.join(sorted(known))}")
    repository = known[name]
    folder = (cache or cache_folder()) / f"{repository.name}-{repository.version}"
    if not folder.is_dir():
        _download(repository, folder)
    return folder


def cache_folder() -> Path:
    """Return the folder that fetched repositories live in."""
    return cache_root() / "repositories"


def _download(repository: Repository, folder: Path) -> None:
    """Fetch and unpack beside ``folder``, then rename: a killed download leaves no half."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        package = _download_package(repository, Path(temporary))
        unpacked = _unpack(package, Path(temporary, "unpacked"))
        try:
            unpacked.rename(folder)
        except OSError:  # another process was faster
            if not folder.is_dir():
                raise


def _unpack(package: Path, target: Path) -> Path:
    """Unpack an archive; return the folder that holds the repository."""
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as archive:
            archive.extractall(target)  # noqa: S202 - pinned by hash
        return target
    with tarfile.open(package) as archive:
        archive.extractall(target, filter="data")
    (inner,) = target.iterdir()
    return inner


def _download_package(repository: Repository, folder: Path) -> Path:
    """Let pip find the package on whatever index the user has configured, and check its hash."""
    requirement = folder / "requirement.txt"
    requirement.write_text(
        f"{repository.name}=={repository.version} --hash=sha256:{repository.sha256}\n", "utf-8"
    )
    form = "--only-binary=:all:" if repository.kind == "wheel" else "--no-binary=:all:"
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", form),
        *("--require-hashes", "--dest", str(folder), "--requirement", str(requirement)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    packages = [*folder.glob("*.whl"), *folder.glob("*.tar.gz")]
    if done.returncode != 0 or len(packages) != 1:
        last = (done.stderr.strip() or "pip said nothing").splitlines()[-1]
        raise FetchError(f"cannot download {repository.name} {repository.version}: {last}")
    return packages[0]


def copy_source(source: Path, target: Path) -> None:
    """Copy a repository's files to ``target``, where they may be edited."""
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", ".git", "*.pyc"))
