"""Other language servers, ready to run: in an environment of their own in the user's cache folder.

It is made at the first use from the pinned list ``peers.txt``, whose contents are part of the
folder's name: another list is another environment.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from indexing.cache import cache_root

REQUIREMENTS = Path(__file__).with_name("peers.txt")
TYPESCRIPT = "5.9.3"
"""The version of TypeScript whose checker labels items; installed with npm, beside the peers."""

INSTALL_S = 600


class PeersError(Exception):
    """The environment of the peers could not be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A language server: what it is called by, the package it comes from, and how it is started."""

    name: str
    package: str
    program: str
    arguments: tuple[str, ...]

    def command(self, folder: Path) -> tuple[str, ...]:
        """How it is started from the environment in ``folder``."""
        return (str(folder / "bin" / self.program), *self.arguments)


PEERS = {
    peer.name: peer
    for peer in (
        Peer("basedpyright", "basedpyright", "basedpyright-langserver", ("--stdio",)),
        Peer("pyrefly", "pyrefly", "pyrefly", ("lsp",)),
        Peer("ty", "ty", "ty", ("server",)),
        Peer("jedi", "jedi-language-server", "jedi-language-server", ()),
    )
}


def pinned() -> dict[str, str]:
    """Each package of the list with its version."""
    lines = (line.split("#")[0].strip() for line in REQUIREMENTS.read_text("utf-8").splitlines())
    pairs = (line.partition("==") for line in lines if line)
    return {name: version for name, _, version in pairs}


def environment(told: Callable[[str], None] = lambda _: None) -> Path:
    """Return the environment's folder, making it the first time. Raises PeersError."""
    digest = hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:12]
    folder = cache_root() / "peers" / digest
    if not (folder / "complete").exists():
        told("installing the language servers to compare with (once)")
        _make(folder)
    return folder


def typescript(told: Callable[[str], None] = lambda _: None) -> Path:
    """Return the folder of the typescript package, fetched the first time. Raises PeersError."""
    folder = cache_root() / "peers" / f"typescript-{TYPESCRIPT}"
    package = folder / "node_modules" / "typescript"
    if not (folder / "complete").exists():
        npm = shutil.which("npm")
        if npm is None:
            raise PeersError("labelling TypeScript needs Node with npm, version 20 or later")
        told("installing TypeScript (once)")
        folder.mkdir(parents=True, exist_ok=True)
        flags = ("--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund")
        _install([npm, "install", *flags, f"typescript@{TYPESCRIPT}"])
        (folder / "complete").touch()
    return package


def _make(folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    venv.create(folder, with_pip=False, clear=True, symlinks=True)
    python = str(folder / "bin" / "python")
    flags = ("--quiet", "--disable-pip-version-check", "--requirement", str(REQUIREMENTS))
    _install([sys.executable, "-m", "pip", "--python", python, "install", *flags])
    (folder / "complete").touch()


def _install(command: list[str]) -> None:
    with tempfile.TemporaryFile() as log:
        try:
            done = subprocess.run(command, stdout=log, stderr=log, timeout=INSTALL_S, check=False)
        except subprocess.TimeoutExpired as error:
            raise PeersError("installing the peers took too long") from error
        log.seek(0)
        said = log.read().decode("utf-8", "replace").strip().splitlines()
    if done.returncode:
        last = said[-1] if said else "the installer said nothing"
        raise PeersError(f"the peers cannot be installed: {last}")
