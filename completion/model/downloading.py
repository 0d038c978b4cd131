"""A model of the hub onto this disk: the one place that opens a socket.

What is downloaded is what is read later, weights in safetensors, configurations and tokenizer, and
code only where that is wanted; all from one commit, which is found out first. Small files come
before the weights, so that a model that cannot be used is refused before gigabytes are spent. A
download that was interrupted goes on where it was.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import errors
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from completion.model.registry import download_folder

SMALL = ("*.json", "tokenizer*", "*.jinja", "*.md", "LICENSE*")
WEIGHTS = ("model*.safetensors",)  # some repositories hold the same weights in another layout
CODE = ("*.py",)
PATIENCE_S = 20.0
"""How long the hub may be silent before a download counts as failed."""
LOOK_S = 0.2
"""How often the progress looks at the folder."""


class DownloadError(RuntimeError):
    """The model cannot be downloaded; the message is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a repository of the hub holds at one commit: (name, bytes) of each of its files."""

    name: str
    revision: str
    files: tuple[tuple[str, int], ...]

    @property
    def folder(self) -> Path:
        """Where it is downloaded to."""
        return download_folder(self.name, self.revision)

    def matching(self, patterns: tuple[str, ...]) -> list[tuple[str, int]]:
        """The files at the top of the repository that are wanted."""
        return [
            (name, size)
            for name, size in self.files
            if "/" not in name and any(fnmatch(name, pattern) for pattern in patterns)
        ]


def listing(name: str, revision: str | None) -> Listing:
    """What the hub has under ``name``; ``revision`` is a branch, a tag or a commit.

    Raises DownloadError, also where it has no weights in safetensors.
    """
    with _explained(name, revision):
        info = huggingface_hub.HfApi().model_info(
            name, revision=revision, files_metadata=True, timeout=PATIENCE_S
        )
    files = tuple((one.rfilename, one.size or 0) for one in info.siblings or ())
    found = Listing(name, str(info.sha), files)
    if not found.matching(WEIGHTS):
        raise DownloadError(
            f"{name} has no weights in safetensors, and other kinds may run code when read"
        )
    return found


def download(
    found: Listing, patterns: tuple[str, ...], console: Console, *, quiet: bool = False
) -> Path:
    """Download the files of these patterns, with a bar unless ``quiet``; where they are.

    Raises DownloadError.
    """
    wanted = found.matching(patterns)
    total = sum(size for _, size in wanted)
    with _explained(found.name, found.revision), _bar(found, total, console, quiet=quiet):
        huggingface_hub.snapshot_download(
            found.name,
            revision=found.revision,
            allow_patterns=[name for name, _ in wanted],
            local_dir=found.folder,
        )
    return found.folder


@contextlib.contextmanager
def _explained(name: str, revision: str | None) -> Iterator[None]:
    """Turn what the hub or the network says into one line."""
    try:
        yield
    except errors.GatedRepoError as error:
        raise DownloadError(
            f"{name} asks for its licence to be accepted: do that on its page of the hub, "
            "then log in with `hf auth login`"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise DownloadError(f"{name} has no revision {revision}") from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise DownloadError(
            f"the hub has no model {name}, and there is no folder of that name"
        ) from error
    except Exception as error:  # the library lets its transport's exceptions through
        why = " ".join(str(error).split()) or type(error).__name__
        raise DownloadError(
            f"cannot download {name} ({why[:160]}): run it again once there is a network, or copy "
            "the model's folder here and give that: lancefill model add FOLDER"
        ) from error


@contextlib.contextmanager
def _bar(found: Listing, total: int, console: Console, *, quiet: bool) -> Iterator[None]:
    """Show how much of ``total`` bytes is in the folder, while the caller downloads."""
    hub: Any = huggingface_hub.utils
    silent = hub.are_progress_bars_disabled()
    hub.disable_progress_bars()
    done = threading.Event()
    columns: tuple[Any, ...] = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    before = _held(found.folder)
    try:
        with Progress(*columns, console=console, disable=quiet or not total) as progress:
            task = progress.add_task(found.name, total=total)

            def look() -> None:
                while not done.wait(LOOK_S):
                    progress.update(task, completed=min(_held(found.folder) - before, total))

            watcher = threading.Thread(target=look, daemon=True)
            watcher.start()
            try:
                yield
                progress.update(task, completed=total)
            finally:
                done.set()
                watcher.join()
    finally:
        if not silent:
            hub.enable_progress_bars()


def _held(folder: Path) -> int:
    """The bytes of all files in the folder, unfinished ones too."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):  # renamed meanwhile
            total += path.stat().st_size if path.is_file() else 0
    return total
