"""The user's Python: the interpreter whose packages the project imports, and the import roots."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from indexing.system import is_file, is_folder

_FOLDERS = (".venv", "venv")
_EXECUTABLES = ("bin/python", "Scripts/python.exe")
_NUMBER = re.compile(r"python3\.(\d+)")


@dataclass(frozen=True, slots=True)
class Environment:
    """Where imports of a workspace are found.

    ``interpreter`` is None where none was found or the workspace is not trusted: a workspace's
    ``.venv/bin/python`` is a program of the workspace. ``found_by`` says where it came from.
    """

    interpreter: Path | None
    found_by: str
    import_roots: tuple[Path, ...]

    @property
    def packages(self) -> tuple[Path, ...]:
        """The folders with the interpreter's installed packages; nothing is run to find them."""
        if self.interpreter is None:
            return ()
        prefix = self.interpreter.parent.parent
        found = [prefix / "Lib" / "site-packages", *_versions(prefix / "lib")]
        return tuple(folder for folder in found if is_folder(folder))


def find(
    root: Path, setting: str, *, trusted: bool, variables: Mapping[str, str] = os.environ
) -> Environment:
    """The environment of a workspace: the setting, then ``.venv``, then ``VIRTUAL_ENV``."""
    roots = tuple(path for path in (root, root / "src") if is_folder(path))
    if not trusted:
        return Environment(None, "the workspace is not trusted", roots)
    if setting:
        chosen = root / Path(setting).expanduser()
        executable = _executable(chosen) if is_folder(chosen) else chosen
        if executable is None or not is_file(executable):
            return Environment(None, f"the setting names no Python: {setting}", roots)
        return Environment(executable, "the setting", roots)
    for name in _FOLDERS:
        if executable := _executable(root / name):
            return Environment(executable, name, roots)
    active = variables.get("VIRTUAL_ENV")
    if active and (executable := _executable(Path(active))):
        return Environment(executable, "VIRTUAL_ENV", roots)
    return Environment(None, "no virtual environment was found", roots)


def _executable(folder: Path) -> Path | None:
    """The Python of a virtual environment."""
    candidates = (folder / name for name in _EXECUTABLES)
    return next((path for path in candidates if is_file(path)), None)


def _versions(folder: Path) -> Iterator[Path]:
    """The packages of the newest Python in an environment's ``lib``."""
    found = {name: _NUMBER.fullmatch(name.name) for name in folder.glob("python3.*")}
    numbers = {path: int(match[1]) for path, match in found.items() if match}
    if numbers:
        yield max(numbers, key=numbers.__getitem__) / "site-packages"
