"""Where the index of a workspace lives on disk, and how much room all of them may take.

::

    <cache>/                      argument, else $LANCEFILL_CACHE, else the user's cache directory
        <name>-<digest>/          one folder per workspace: its name, and a digest of its real path
            index.sqlite3         indexing/store.py
            ngrams-1.bin ...      indexing/ngram_file.py
            lock                  held by the one indexer of the workspace
            adapter/              completion/model/adapter.py, after `lancefill train --adapt`
            workspace             the workspace's path; its modification time is the last use
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from indexing.system import is_file

VARIABLE = "LANCEFILL_CACHE"
ADAPTER = "adapter"
ADAPTER_MARK = "adapter.json"
"""Where in a workspace's folder its adapter is, and the file that is there once it is whole."""
DEFAULT_CAP = 2 * 1024**3
"""Bytes that all workspaces together may take before the least recently used are deleted."""


@dataclass(frozen=True, slots=True)
class Place:
    """The folder that holds a workspace's index.

    ``warning`` says why it is not where it should be, or cannot be there now; a folder elsewhere
    goes when the process ends.
    """

    folder: Path
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One workspace in the cache: its folder, its root as recorded, bytes, and last use (POSIX)."""

    folder: Path
    workspace: str
    size: int
    used: float


def cache_root(cache: Path | None = None) -> Path:
    """The directory of all indexes: ``cache``, else ``$LANCEFILL_CACHE``, else the user's cache.

    It is absolute: processes that work elsewhere are told of it.
    """
    chosen = cache or os.environ.get(VARIABLE)
    folder = chosen or platformdirs.user_cache_path("lancefill", appauthor=False)
    return Path(folder).absolute()


def workspace_folder(root: Path, cache: Path | None = None) -> Path:
    """The folder of the workspace ``root``; nothing is created."""
    real = os.path.realpath(root)
    digest = hashlib.blake2b(os.fsencode(real), digest_size=8).hexdigest()
    name = "".join(c if c.isalnum() or c in "-_." else "_" for c in Path(real).name)[:40]
    return cache_root(cache) / f"{name}-{digest}"


def adapter_folder(folder: Path) -> Path | None:
    """The adapter in a workspace's folder, or None where there is none."""
    adapter = folder / ADAPTER
    return adapter if is_file(adapter / ADAPTER_MARK) else None


def prepare(root: Path, cache: Path | None = None) -> Place:
    """Create the workspace's folder and note the use; a temporary folder when that fails.

    Where no temporary one can be made either, it is the folder that could not be written.
    """
    folder = workspace_folder(root, cache)
    try:
        note_use(root, folder)
    except OSError as error:
        warning = f"cannot write the cache {folder}, the index will not be kept: {told(error)}"
        try:
            temporary = tempfile.mkdtemp(prefix="lancefill-")
        except OSError:
            return Place(folder, warning)  # there may be room later
        atexit.register(shutil.rmtree, temporary, ignore_errors=True)
        return Place(Path(temporary), warning)
    return Place(folder)


def told(error: Exception) -> str:
    """What kept something from being written, an OSError or SQLite's, and what to do about it."""
    cause = getattr(error, "__cause__", None) or error
    reason = getattr(error, "strerror", None) or str(error)
    sign = errno.errorcode.get(getattr(cause, "errno", None) or 0, "")
    sign = sign or getattr(cause, "sqlite_errorname", "")
    remedy = next((remedy for signs, remedy in _REMEDIES if sign.startswith(signs)), "")
    return f"{reason}; {remedy} or set {VARIABLE} to another folder" if remedy else reason


_REMEDIES = (
    (("ENOSPC", "EDQUOT", "SQLITE_FULL"), "make room on the disk"),
    (
        ("EACCES", "EPERM", "EROFS", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM"),
        "make the folder yours to write",
    ),
    (("SQLITE_IOERR",), "look whether the disk is full or damaged,"),
    (("ENOTDIR", "EEXIST"), "move away the file of that name"),
)


def note_use(root: Path, folder: Path) -> None:
    """Record that the workspace's folder is in use now, creating it where it is missing."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    record = folder / "workspace"
    record.write_text(os.path.realpath(root), "utf-8", errors="surrogateescape")


def entries(cache: Path | None = None) -> list[Entry]:
    """Every workspace in the cache, the least recently used first."""
    found = []
    with contextlib.suppress(OSError):
        for record in cache_root(cache).glob("*/workspace"):
            with contextlib.suppress(OSError):
                workspace = record.read_text("utf-8", errors="surrogateescape")
                size = sum(file.stat().st_size for file in record.parent.rglob("*"))
                found.append(Entry(record.parent, workspace, size, record.stat().st_mtime))
    return sorted(found, key=lambda entry: entry.used)


def delete(folder: Path) -> bool:
    """Remove one workspace's folder; False when something of it could not be removed.

    Readers that have its files open keep reading them.
    """
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()


def trim(
    cache: Path | None = None, cap: int = DEFAULT_CAP, keep: Path | None = None
) -> list[Entry]:
    """Delete least recently used workspaces until ``cap`` bytes hold; returns those deleted.

    ``keep`` is the folder in use now and is never deleted.
    """
    known = entries(cache)
    total = sum(entry.size for entry in known)
    deleted = []
    for entry in known:
        if total <= cap:
            break
        if entry.folder != keep and delete(entry.folder):
            total -= entry.size
            deleted.append(entry)
    return deleted
