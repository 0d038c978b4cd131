"""``lancefill model add``: a model is checked before anybody relies on it.

Its tokenizer must be one that can be exact, its family is found out, its weights must be whole and
fit its configuration, and it must answer for branches as for their paths; only then it is in the
registry. What is wrong with small files is said before the weights are downloaded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from completion.model import registry
from completion.model.downloading import (
    CODE,
    SMALL,
    WEIGHTS,
    DownloadError,
    download,
    listing,
)
from completion.model.guest import Guest, manner, open_guest
from completion.model.loading import weight_files
from completion.model.registry import Entry


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked for; ``given`` is a name on the hub, or a folder.

    ``name`` is what the model is to be called, ``family`` how it is to be asked, both where not
    what is found.
    """

    given: str
    name: str = ""
    revision: str | None = None
    family: str = ""
    remote_code: bool = False
    eight_bits: bool = False


@dataclass(frozen=True, slots=True)
class Installed:
    """An entry of the registry, and what a person should know of the model."""

    entry: Entry
    warnings: tuple[str, ...]


def add(wish: Wish, console: Console) -> Installed:
    """Download a model where it is not a folder, check it, and write it into the registry.

    Raises DownloadError, TokenizerError, NetworkError, RegistryError, or ValueError for a family
    that does not fit; nothing is in the registry then, and what was downloaded for nothing is gone.
    """
    known = registry.read()
    place = Path(wish.given).expanduser()
    entry, guest = _from_folder(wish, place) if place.is_dir() else _from_hub(wish, console)
    entry = replace(
        entry,
        family=guest.manner.family.name,
        parameters=guest.loaded.parameters,
        bytes=sum(file.stat().st_size for file in weight_files(entry.path)),
    )
    changed = registry.change(lambda now: now.with_model(entry))
    before = known.models.get(entry.name)
    if before is not None and before.folder != entry.folder:
        registry.delete_files(before, changed)
    return Installed(entry, (*guest.manner.warnings, *guest.loaded.notes))


def _from_folder(wish: Wish, place: Path) -> tuple[Entry, Guest]:
    if wish.revision is not None:
        raise ValueError("a folder has no --revision")
    folder = place.resolve()
    name = registry.check_name(wish.name or folder.name)
    entry = _entry(wish, name, folder)
    return entry, _opened(wish, folder, name, lambda: None)


def _from_hub(wish: Wish, console: Console) -> tuple[Entry, Guest]:
    if wish.given.startswith((".", "/", "~")):
        raise ValueError(f"there is no folder {wish.given}")
    name = registry.check_name(wish.name or wish.given)
    found = listing(wish.given, wish.revision)
    folder = download(found, SMALL, console, quiet=True)

    def weights() -> None:
        if wish.remote_code:
            download(found, CODE, console, quiet=True)
        download(found, WEIGHTS, console)

    entry = replace(_entry(wish, name, folder), revision=found.revision, downloaded=True)
    try:
        return entry, _opened(wish, folder, wish.given, weights)
    except DownloadError:
        raise  # to go on with the next time
    except Exception:
        registry.delete_files(entry, registry.read())
        raise


def _entry(wish: Wish, name: str, folder: Path) -> Entry:
    return Entry(
        name, str(folder), wish.family, remote_code=wish.remote_code, eight_bits=wish.eight_bits
    )


def _opened(wish: Wish, folder: Path, name: str, weights: Callable[[], None]) -> Guest:
    """The model, loaded; ``weights`` is called once its small files are found to be good."""
    asked = manner(folder, name, wish.family)
    _ = asked.vocabulary.spelling  # refused here, if its pre-tokenizer cannot be followed
    weights()
    return open_guest(folder, asked, remote_code=wish.remote_code, eight_bits=wish.eight_bits)
