"""Which models are installed beside the shipped one, and which of them is in use.

One small JSON file in the user's data folder (``$LANCEFILL_DATA``, where that is set), beside it
the folder ``models`` with what was downloaded::

    {"format": 1, "in_use": "name", "models": {"name": {"folder": …, "family": …, …}}}

A name is what people type; None for ``in_use`` is the model that ships. Whoever changes the file
holds its lock, and puts a new one in its place. Nothing here loads torch or opens a socket.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import filelock
import platformdirs

VARIABLE = "LANCEFILL_DATA"
FILE, MODELS = "models.json", "models"
FORMAT = 1  # raise where an older Lancefill would misread the file
SHIPPED = "shipped"
"""What people call the model that ships; no other can have the name."""
LOCK_S = 10.0

_NAME = re.compile(r"\w[\w.+-]*(/\w[\w.+-]*)?")


class RegistryError(RuntimeError):
    """The registry cannot be read or changed; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One installed model.

    ``revision`` is the commit that was downloaded, "" for a folder of the user's. ``parameters``
    and ``bytes`` (of its weights) are what was found when it was added. ``remote_code``: its own
    code may be run. ``downloaded``: the folder is ours and goes with the entry.
    """

    name: str
    folder: str
    family: str
    revision: str = ""
    parameters: int = 0
    bytes: int = 0
    remote_code: bool = False
    eight_bits: bool = False
    downloaded: bool = False

    @property
    def path(self) -> Path:
        """The folder with weights and tokenizer."""
        return Path(self.folder)

    def problem(self) -> str:
        """Why the model cannot be used, as far as its folder tells; "" where that is there."""
        if self.path.is_dir():
            return ""
        again = f"lancefill model add {self.name if self.downloaded else self.folder}"
        away = f"lancefill model remove {self.name}"
        return f"the folder of {self.name} is gone: {self.folder} ({away}, or {again})"


@dataclass(frozen=True, slots=True)
class Registry:
    """The installed models by name, and the name of the one in use, None for the shipped one."""

    models: Mapping[str, Entry] = field(default_factory=dict)
    in_use: str | None = None

    @property
    def chosen(self) -> Entry | None:
        """The model in use, None for the shipped one."""
        return None if self.in_use is None else self.models[self.in_use]

    def with_model(self, entry: Entry) -> Registry:
        """One more model, or another in place of the one of that name."""
        return replace(self, models={**self.models, entry.name: entry})

    def without(self, name: str) -> Registry:
        """One model less; if it was in use, the shipped one is. Raises RegistryError."""
        self.entry(name)
        left = {one: entry for one, entry in self.models.items() if one != name}
        return Registry(left, None if self.in_use == name else self.in_use)

    def using(self, name: str) -> Registry:
        """The same with this model in use, or with ``SHIPPED``. Raises RegistryError."""
        if name == SHIPPED:
            return replace(self, in_use=None)
        if problem := self.entry(name).problem():
            raise RegistryError(problem)
        return replace(self, in_use=name)

    def entry(self, name: str) -> Entry:
        """The model of this name. Raises RegistryError that lists the names."""
        if name == SHIPPED:
            raise RegistryError("the model that ships is always there and cannot be removed")
        if name not in self.models:
            known = ", ".join((SHIPPED, *sorted(self.models)))
            raise RegistryError(f"there is no model {name}; there are: {known}")
        return self.models[name]


def data_root() -> Path:
    """``$LANCEFILL_DATA``, else the user's data directory."""
    told = os.environ.get(VARIABLE)
    return (
        Path(told).expanduser().resolve()
        if told
        else platformdirs.user_data_path("lancefill", appauthor=False)
    )


def check_name(name: str) -> str:
    """The name, if a model can be called that. Raises RegistryError."""
    if not _NAME.fullmatch(name):
        raise RegistryError(f"{name!r} is no name of a model: letters, digits, . _ - + and one /")
    if name == SHIPPED:
        raise RegistryError(f"{SHIPPED} is the name of the model that ships; take another --name")
    return name


def download_folder(name: str, revision: str) -> Path:
    """Where a downloaded model lies: one folder per name and commit."""
    return data_root() / MODELS / f"{name.replace('/', '--')}@{revision[:12]}"


def read() -> Registry:
    """What is installed. Raises RegistryError where the file is damaged."""
    path = data_root() / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Registry()
    except (OSError, UnicodeDecodeError) as error:
        raise _damaged(path, str(error)) from error
    try:
        return _parsed(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _damaged(path, str(error)) from error


def change(how: Callable[[Registry], Registry]) -> Registry:
    """Read, change and write the registry, while nobody else does. Raises RegistryError."""
    root = data_root()
    try:
        root.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(root / f"{FILE}.lock", timeout=LOCK_S):
            changed = how(read())
            part = root / f"{FILE}.part"
            part.write_text(_text(changed), encoding="utf-8")
            part.replace(root / FILE)
    except filelock.Timeout as error:
        raise RegistryError(f"another process holds {root / FILE}; try again") from error
    except OSError as error:
        raise RegistryError(f"cannot write {root / FILE}: {error.strerror}") from error
    return changed


def remove(name: str) -> Entry:
    """Forget a model, and delete its files if they are ours. Raises RegistryError."""
    gone = read().entry(name)
    left = change(lambda known: known.without(name))
    delete_files(gone, left)
    return gone


def delete_files(gone: Entry, left: Registry) -> None:
    """Delete the files of a model that is no longer installed, if they are ours and nobody's else.

    Raises RegistryError where they cannot be.
    """
    ours = gone.downloaded and gone.path.parent == data_root() / MODELS
    if not ours or any(other.folder == gone.folder for other in left.models.values()):
        return
    try:
        shutil.rmtree(gone.path)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise RegistryError(f"the files of {gone.name} could not be deleted: {error}") from error


def _text(registry: Registry) -> str:
    models = {name: asdict(entry) for name, entry in sorted(registry.models.items())}
    for entry in models.values():
        del entry["name"]
    written = {"format": FORMAT, "in_use": registry.in_use, "models": models}
    return json.dumps(written, indent=1, ensure_ascii=False) + "\n"


def _parsed(raw: Any) -> Registry:  # noqa: ANN401 - whatever the file holds
    """Raises ValueError, KeyError, TypeError or AttributeError where it is no registry."""
    if raw["format"] != FORMAT:
        raise ValueError(f"format {raw['format']!r} instead of {FORMAT}")
    models = {name: _entry(name, facts) for name, facts in raw["models"].items()}
    in_use = raw["in_use"]
    if in_use is not None and in_use not in models:
        raise ValueError(f"{in_use!r} is in use and not installed")
    return Registry(models, in_use)


def _entry(name: str, facts: Mapping[str, Any]) -> Entry:
    entry = Entry(name=name, **facts)
    for one in fields(Entry):
        kind = {"str": str, "int": int, "bool": bool}[str(one.type)]
        if type(getattr(entry, one.name)) is not kind:
            raise ValueError(f"{one.name} of {name} is not {kind.__name__}")
    return entry


def _damaged(path: Path, why: str) -> RegistryError:
    return RegistryError(
        f"{path} is damaged ({why}): mend it, or delete it and add your models again"
    )
