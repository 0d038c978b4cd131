"""Which files of a workspace count, and why each of the others does not.

In a git checkout git decides (tracked files and untracked ones that are not ignored); elsewhere the
nested ``.gitignore`` files do, and directories that hold no source of the user's own are not
entered. Secrets, oversized, minified and binary files are left out in both.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pathspec

from indexing.languages import family_of, language_of
from indexing.system import exists

MAX_FILE_BYTES = 1024 * 1024
"""Larger sources are generated tables; one of them would hold up everything else."""

PRUNED = frozenset(
    {".git", ".hg", ".svn", "node_modules", ".venv", "venv", "site-packages", "__pycache__"}
    | {"bower_components", ".gradle", ".next", ".nuxt"}
    | {".tox", ".nox", ".eggs", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
)
"""Directories that are not entered where git does not decide."""

SECRET_FILES = (
    *(
        ".env*",
        "*.pem",
        "*.key",
        "*.p12",
        "*.pfx",
        "id_rsa*",
        "id_dsa*",
        "id_ecdsa*",
        "id_ed25519*",
    ),
    *(
        ".netrc",
        ".pgpass",
        ".npmrc",
        ".pypirc",
        "*.keystore",
        "*.jks",
        "credentials",
        "credentials.*",
    ),
)
SECRET_FOLDERS = frozenset({".aws", ".ssh", ".gnupg", ".azure", ".kube", ".docker"})

MINIFIED_FILES = ("*.min.*", "*-min.js", "*.bundle.js")
MINIFIED_LINE = 5000
MINIFIED_AVERAGE = 200
"""Bytes: a script with a longer line than the first, and longer lines on average than the second,
was written by a program."""

GIT_SECONDS = 60
BINARY_PROBE = 8192

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """A file to index: its path relative to the root with ``/``, and what `stat` says of it."""

    path: str
    mtime_ns: int
    size: int


MAY_HOLD_SECRETS = "may hold secrets"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A source file that is not indexed, and the reason in words."""

    path: str
    reason: str
    mtime_ns: int = 0
    size: int = 0


def discover(root: Path, limit: int = MAX_FILE_BYTES) -> Iterator[Found | Skipped]:
    """Every source file below ``root``, in order of path; ``limit`` is the size cap in bytes.

    Files of no known language are left out silently.
    """
    listed = listed_by_git(root)
    paths = walked(root) if listed is None else listed
    for path in sorted(set(paths)):
        if language_of(path) is not None:
            yield inspect(root, path, limit)


def inspect(root: Path, path: str, limit: int = MAX_FILE_BYTES) -> Found | Skipped:
    """Whether one file counts, from its name, status and permissions; no byte is read."""
    if is_secret(path):
        return Skipped(path, MAY_HOLD_SECRETS)
    if is_named_minified(path):
        return Skipped(path, "minified")
    try:
        status = (root / path).stat()
    except OSError as error:
        return Skipped(path, f"cannot be read: {error.strerror}")
    if not stat.S_ISREG(status.st_mode):
        return Skipped(path, "not a regular file")
    if not os.access(root / path, os.R_OK):  # a change of permissions leaves the status as it was
        return Skipped(path, f"cannot be read: {os.strerror(errno.EACCES)}")
    if status.st_size > limit:
        reason = f"larger than {limit} bytes"
        return Skipped(path, reason, status.st_mtime_ns, status.st_size)
    return Found(path, status.st_mtime_ns, status.st_size)


def is_secret(path: str) -> bool:
    """Whether a file's name, or a folder on its path, says that it holds secrets."""
    *folders, name = path.lower().split("/")
    in_folder = not SECRET_FOLDERS.isdisjoint(folders)
    return in_folder or any(fnmatch(name, pattern) for pattern in SECRET_FILES)


def is_named_minified(path: str) -> bool:
    """Whether a script's name says that it was minified or bundled."""
    name = path.rpartition("/")[2].lower()
    scripts = family_of(path) == "javascript"
    return scripts and any(fnmatch(name, pattern) for pattern in MINIFIED_FILES)


def is_minified(path: str, data: bytes) -> bool:
    """Whether a script's lines are longer than anybody writes."""
    if family_of(path) != "javascript" or len(data) <= MINIFIED_LINE:
        return False
    lines = data.splitlines()
    return len(data) > MINIFIED_AVERAGE * len(lines) and max(map(len, lines)) > MINIFIED_LINE


def is_binary(data: bytes) -> bool:
    """Whether bytes are no text: a NUL near the start, unless a UTF-16 mark explains it."""
    return b"\0" in data[:BINARY_PROBE] and not data.startswith((b"\xff\xfe", b"\xfe\xff"))


def listed_by_git(root: Path) -> list[str] | None:
    """What git counts as the checkout's files below ``root``; ``None`` outside a git checkout.

    A root that git ignores (a package inside site-packages) is not the checkout's own.
    """
    if not any(exists(folder / ".git") for folder in (root, *root.resolve().parents)):
        return None
    if _git(root, "check-ignore", "-q", ".") is not None:
        return None
    listed = _git(root, "ls-files", "-co", "--exclude-standard", "-z", "--deduplicate")
    if listed is None:
        return None
    return [os.fsdecode(name) for name in listed.split(b"\0") if name]


def _git(root: Path, *arguments: str) -> bytes | None:
    """The output of a git command in ``root``; ``None`` when it fails or there is no git."""
    # fsmonitor off: the checkout's configuration must not be able to start a program.
    command = ["git", "-c", "core.fsmonitor=false", "-C", str(root), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=GIT_SECONDS, stdin=subprocess.DEVNULL, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        log.warning("git does not answer, walking the folders instead: %s", error)
        return None
    return done.stdout if done.returncode == 0 else None


def walked(root: Path) -> Iterator[str]:
    """Files below ``root`` that no ``.gitignore`` on the way excludes; links are not followed down.

    The root itself may lie anywhere, inside site-packages too.
    """
    yield from _walk(root, "", ())


Rules = tuple[tuple[str, "pathspec.GitIgnoreSpec"], ...]


def _walk(folder: Path, path: str, rules: Rules) -> Iterator[str]:
    """Files below ``folder``, which is ``path`` from the root (with a slash at its end)."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        _warn_of_folder(path or ".", error.strerror)
        return
    if any(entry.name == ".gitignore" for entry in entries):
        rules = (*rules, (path, _ignore_rules(folder / ".gitignore")))
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            inner = f"{path}{entry.name}/"
            if _is_entered(Path(entry)) and not _ignored(inner, rules):
                yield from _walk(Path(entry), inner, rules)
        elif not _ignored(path + entry.name, rules):
            yield path + entry.name


def entered_below(root: Path, path: str) -> Iterator[str]:
    """The folder ``path`` and those in it that a walk from ``root`` enters; none if it is not.

    Only ``.gitignore`` files are asked, in a git checkout too.
    """
    folder, inner, rules = root, "", _rules_of(root, "", ())
    for name in path.split("/"):
        folder, inner = folder / name, f"{inner}{name}/"
        if not folder.is_dir() or not _is_entered(folder) or _ignored(inner, rules):
            return
        rules = _rules_of(folder, inner, rules)
    yield from _entered(folder, inner, rules)


def _entered(folder: Path, path: str, rules: Rules) -> Iterator[str]:
    """``path``, whose rules are among ``rules``, and the folders in it that are entered."""
    yield path.rstrip("/")
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        inner, below = f"{path}{entry.name}/", Path(entry)
        if not entry.is_dir(follow_symlinks=False) or not _is_entered(below):
            continue
        if not _ignored(inner, rules):
            yield from _entered(below, inner, _rules_of(below, inner, rules))


def _rules_of(folder: Path, path: str, rules: Rules) -> Rules:
    """``rules`` and those of the folder's own ``.gitignore``, if it has one."""
    file = folder / ".gitignore"
    return (*rules, (path, _ignore_rules(file))) if exists(file) else rules


@cache  # all folders are walked every few seconds: once is enough
def _warn_of_folder(path: str, reason: str) -> None:
    log.warning("folder %s skipped: %s", path, reason)


def _is_entered(folder: Path) -> bool:
    return folder.name not in PRUNED and not exists(folder / "pyvenv.cfg")


def _ignore_rules(file: Path) -> pathspec.GitIgnoreSpec:
    try:
        lines = file.read_text("utf-8", errors="replace").splitlines()
        return pathspec.GitIgnoreSpec.from_lines(lines)
    except (OSError, ValueError) as error:
        log.warning("%s is not used: %s", file, error)
        return pathspec.GitIgnoreSpec.from_lines([])


def _ignored(path: str, rules: Rules) -> bool:
    """The innermost ``.gitignore`` that mentions the path decides."""
    for folder, spec in reversed(rules):
        verdict = spec.check_file(path.removeprefix(folder)).include
        if verdict is not None:
            return bool(verdict)
    return False
