"""Files from URIs, and what documents are called inside."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePath, PurePosixPath
from urllib.parse import unquote_to_bytes, urlsplit

from indexing.files import is_secret

_SCRIPT = (".js", ".mjs", ".cjs", ".jsx")
_SUFFIXES = {
    "python": (".py", ".pyi"),
    "java": (".java",),
    "javascript": _SCRIPT,
    "javascriptreact": (".jsx", *_SCRIPT),
    "typescript": (".ts", ".mts", ".cts"),
    "typescriptreact": (".tsx",),
}
"""The suffixes of a language by LSP's name for it, the usual one first."""


def path_of(uri: str) -> Path | None:
    """The file of a ``file:`` URI, or None for documents that are no local file."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme != "file":
        return None
    path = os.fsdecode(unquote_to_bytes(parts.path))
    if os.name == "nt":
        path = path.lstrip("/")
    elif parts.netloc not in ("", "localhost"):
        path = f"//{parts.netloc}{path}"
    return Path(path)


def name_in(root: Path | None, uri: str, language: str) -> str:
    """What a document is called inside: its path relative to ``root``, with ``/``.

    Documents outside the root, or in no file at all (``untitled:``, ``vscode-remote:``), get a name
    that no file under the root has. A suffix is added where the editor's language needs one, but
    to a name that says that the file may hold secrets.
    """
    path = path_of(uri)
    relative = relative_to(path, root) if path and root else None
    name = relative or re.sub(r"[:/]+", "/", uri).strip("/")
    suffixes = _SUFFIXES.get(language)
    if suffixes and PurePosixPath(name).suffix not in suffixes and not is_secret(name):
        name += suffixes[0]
    return name


def notebook_name_in(root: Path, uri: str) -> str:
    """What a notebook's Python is called inside: the blank in it keeps others from importing it.

    Nothing is put before a name that says that the file may hold secrets.
    """
    name = name_in(root, uri, "python")
    folder, slash, last = name.rpartition("/")
    return name if is_secret(name) else f"{folder}{slash}notebook {last}"


def relative_to(path: Path, root: Path) -> str | None:
    """A path below ``root``, with ``/``; None for one that is not below it.

    Symbolic links are followed only where the names alone do not say so.
    """
    if path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    inner, outer = PurePath(os.path.realpath(path)), PurePath(os.path.realpath(root))
    return inner.relative_to(outer).as_posix() if inner.is_relative_to(outer) else None
