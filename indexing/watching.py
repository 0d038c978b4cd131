"""Changes on disk, told by the system, for editors that do not tell them.

Only folders that hold indexed files are watched, those above them up to the root, and new ones that
the indexer would enter: a recursive watch would spend the system's inotify watches on environments
and caches. A folder may be missed (one that had no source so far, one that only git's own excludes
ignore), and watching may be refused; so whoever watches goes on looking now and then as well.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from watchfiles import Change
from watchfiles._rust_notify import (
    RustNotify,
    WatchfilesRustInternalError,
)  # returns once it watches

from indexing.files import entered_below, is_secret
from indexing.languages import language_of

BUDGET = 4000
"""How many folders are watched at the most; a user often has 8192 inotify watches in all."""

DEBOUNCE_MS, STEP_MS = 500, 50
"""Changes are told once nothing happened for a step, or the first is as old as the debounce."""

log = logging.getLogger(__name__)

Tell = Callable[[list[str]], None]


class Watcher:
    """Tells the paths that changed (relative, with ``/``), from a thread of its own.

    ``watched`` are the folders under watch now, ``""`` for the root.
    """

    def __init__(self, root: Path, tell: Tell, budget: int = BUDGET) -> None:
        self.watched: frozenset[str] = frozenset()
        self._root = root
        self._tell = tell
        self._budget = budget
        self._born: set[str] = set()  # new folders, which may hold no file yet
        self._outdated = threading.Event()  # folders came or went: what was watched may be gone
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._complained = False

    def cover(self, indexed: Iterable[str]) -> bool:
        """Watch the folders of these files.

        True when a watch began: what changed before it did must be looked for. Whatever refuses
        to be watched is logged once and tried again by the next call.
        """
        outdated = self._outdated.is_set()
        self._outdated.clear()
        wanted = self._wanted(indexed)
        if wanted == self.watched and not outdated:
            return False
        self.stop()
        if len(wanted) > self._budget:
            self._complain(f"more than {self._budget} folders hold sources")
            return False
        try:
            notify = RustNotify(
                [str(self._root / folder) for folder in sorted(wanted)],
                debug=False,
                force_polling=False,
                poll_delay_ms=0,
                recursive=False,
                ignore_permission_denied=True,
            )
        except (OSError, WatchfilesRustInternalError) as error:
            self._complain(str(error))
            return False
        self.watched, self._ended = wanted, threading.Event()
        self._thread = threading.Thread(
            target=self._listen, args=(notify, self._ended), name="watch", daemon=True
        )
        self._thread.start()
        log.info("%d folders are watched for changes", len(wanted))
        return True

    def stop(self) -> None:
        """Watch nothing."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self._thread, self.watched = None, frozenset()

    def _wanted(self, indexed: Iterable[str]) -> frozenset[str]:
        """The folders to watch: all of them, or more than the budget allows."""
        wanted = set(folders_of(indexed))
        born = {
            folder: list(islice(entered_below(self._root, folder), self._budget + 1))
            for folder in tuple(self._born)
        }
        self._born.difference_update(folder for folder, entered in born.items() if not entered)
        wanted.update(*born.values())
        return frozenset(folder for folder in wanted if (self._root / folder).is_dir())

    def _listen(self, notify: RustNotify, ended: threading.Event) -> None:
        with notify:
            try:
                while isinstance(seen := notify.watch(DEBOUNCE_MS, STEP_MS, 0, ended), set):
                    named = self._named(seen)
                    changed = sorted(path for change, path in named if self._counts(change, path))
                    if changed:
                        self._tell(changed)
            except (OSError, WatchfilesRustInternalError) as error:
                self._complain(str(error))
                self._outdated.set()

    def _named(self, seen: Iterable[tuple[int, str]]) -> Iterator[tuple[int, str]]:
        for change, path in seen:
            if Path(path).is_relative_to(self._root) and Path(path) != self._root:
                yield change, Path(path).relative_to(self._root).as_posix()

    def _counts(self, change: int, path: str) -> bool:
        """Whether the indexer should look; folders that come or go are noted on the way."""
        if path in self.watched or (self._root / path).is_dir():
            if change == Change.modified:
                return False
            if change == Change.added and not any(entered_below(self._root, path)):
                return False
            self._born.add(path)
            self._outdated.set()
            return True
        if path.rpartition("/")[2] == ".gitignore":
            return True
        return language_of(path) is not None and not is_secret(path)

    def _complain(self, why: str) -> None:
        if not self._complained:
            log.warning("changes on disk are looked for now and then only: %s", why)
        self._complained = True


def folders_of(files: Iterable[str]) -> frozenset[str]:
    """The folders that hold these files, those above them, and the root, ``""``."""
    folders = {path.rpartition("/")[0] for path in files}
    return frozenset(("", *(above for folder in folders for above in _upwards(folder))))


def _upwards(folder: str) -> Iterator[str]:
    """The folder and those that it lies in, but for the root."""
    while folder:
        yield folder
        folder = folder.rpartition("/")[0]
