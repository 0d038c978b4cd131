"""The indexer process: keeps one workspace's store true to its files.

``python -I -X utf8 -m indexing.worker ROOT [--cache DIR] [--exclude PATTERN]... [--watch]``;
messages on stdin and stdout, log on stderr. One process per workspace works, elected by a file lock
that the system releases however the holder ends; the others wait, and tell their server when the
one at work has written something.

It looks at the named files when a ``changed`` message comes, and at all of them every few seconds,
because not every editor tells about changes on disk; where looking is slow, less often, up to once
a minute. For an editor that tells of none, ``--watch`` has the system tell (`indexing.watching`):
here, since this process knows which folders hold indexed files and only one works per workspace.

The store is checked for damage when it is opened and whenever its file changed without our doing; a
damaged one is built again. A workspace's folder that is deleted under us took the lock with it: it
is created again, and an indexer is elected again. Being killed at any moment loses at most the
transaction under way.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import queue
import sqlite3
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import filelock
import pathspec

from indexing import build, cache, messages, store
from indexing.system import give_memory_back
from indexing.watching import Watcher

POLL_SECONDS = 5.0
POLL_SHARE = 50
"""Looking at all files takes at most one part in this many of the time, but for the next limit."""

POLL_LIMIT = 60.0
"""All files are looked at at least this often, in seconds after the last time."""

LOCK_SECONDS = 1.0
RETRY_SECONDS = 30.0
PROGRESS_SECONDS = 0.25
SETTLE_SECONDS = 0.05
"""Changes come in bursts (a branch switch): collect for this long before working."""

NGRAM_SECONDS = 30.0
"""The n-grams are counted anew at most this often."""

log = logging.getLogger("indexing.worker")


class EndedError(Exception):
    """The server closed our input: stop."""


Paths = Sequence[str]


@dataclass(slots=True)
class Channel:
    """The way to the server: changed paths in, progress out. ``None`` in the inbox is the end.

    ``watched`` is how many folders are watched for changes.
    """

    outgoing: BinaryIO
    inbox: queue.SimpleQueue[Paths | None] = field(default_factory=queue.SimpleQueue)
    ended: bool = False
    phase: str = ""
    watched: int = 0
    _sent: float = 0.0

    def changed(self, call: messages.Call) -> messages.Message:
        """Handle ``changed``: note the paths; the store is the answer."""
        paths = call.params.get("paths", [])
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            raise ValueError("paths must be a list of strings")
        self.inbox.put(paths)
        return {}

    def end(self) -> None:
        """Nothing more will come."""
        self.ended = True
        self.inbox.put(None)

    def report(self, progress: build.Progress) -> None:
        """Tell the server, a few times a second at most; phases are always told."""
        if self.ended:
            raise EndedError
        now = time.monotonic()
        if progress.phase == self.phase and now - self._sent < PROGRESS_SECONDS:
            return
        self._sent = now
        self.tell(progress.phase, progress.done, progress.total, progress.skipped)

    def fail(self, problem: str) -> None:
        """Say why there is no index now; it is tried again."""
        log.error("cannot index now: %s", problem)
        self.tell("failed", problem=problem)

    def tell(
        self, phase: str, done: int = 0, total: int = 0, skipped: int = 0, problem: str = ""
    ) -> None:
        """Send one ``progress`` notification."""
        self.phase = phase
        counts = {"done": done, "total": total, "skipped": skipped}
        params = {"phase": phase, **counts, "problem": problem, "watched": self.watched}
        try:
            messages.write(self.outgoing, {"method": "progress", "params": params})
        except OSError as error:
            raise EndedError from error

    def wait(self, seconds: float) -> set[str]:
        """Changed paths, as soon as there are some; empty when the time is over."""
        paths: set[str] = set()
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            try:
                received = self.inbox.get(timeout=left)
            except queue.Empty:
                break
            if received is None:
                raise EndedError
            paths.update(received)
            deadline = min(deadline, time.monotonic() + SETTLE_SECONDS)
        return paths


def wait_for_lock(lock: filelock.BaseFileLock, folder: Path, channel: Channel) -> None:
    """Return once we are the workspace's indexer; until then watch what the other one writes."""
    watch: store.Watch | None = None
    waiting = False
    while True:
        try:
            lock.acquire(timeout=0)
            return
        except filelock.Timeout:
            if not waiting:
                log.info("another process indexes this workspace; waiting")
                channel.tell("waiting")
                waiting = True
        try:
            if watch is None:
                watch = store.Watch(folder)
                channel.tell("ready")
            elif watch.changed():
                channel.tell("ready")
        except store.StoreError:
            watch = None
        channel.wait(LOCK_SECONDS)


def poll_delay(looking: float) -> float:
    """Seconds until all files are looked at again, after that took ``looking`` seconds."""
    return min(POLL_LIMIT, max(POLL_SECONDS, looking * POLL_SHARE))


class Indexer:
    """The process at work, holding the lock."""

    def __init__(
        self,
        root: Path,
        folder: Path,
        channel: Channel,
        exclude: pathspec.GitIgnoreSpec,
        watcher: Watcher | None = None,
    ) -> None:
        self.root = root
        self.folder = folder
        self.channel = channel
        self.exclude = exclude
        self.watcher = watcher
        self._writer: store.Writer | None = None
        self._file = folder / store.FILE_NAME
        self._identity: tuple[int, ...] = ()
        self._counted = -NGRAM_SECONDS
        self._due = 0.0  # when all files are looked at again
        self._failed = False
        self._lock = _identity(folder / build.LOCK_NAME)[:2]

    def run(self) -> None:
        """Index until the lock that we hold is not the workspace's any more.

        Raises EndedError when the server closes our input.
        """
        paths: Paths = ()
        while not self._lost():
            try:
                self._round(paths)
                self._failed = False
            except (store.StoreError, sqlite3.DatabaseError, OSError) as error:
                self._due = time.monotonic() + self._recover(error)
            paths = sorted(self.channel.wait(self._due - time.monotonic()))
        self._close()

    def _lost(self) -> bool:
        """Whether the folder was deleted: another process may create a lock of its own there."""
        return _identity(self.folder / build.LOCK_NAME)[:2] != self._lock

    def _round(self, paths: Paths) -> None:
        """Look at ``paths``, or at all files when that is due: changes must not put it off."""
        cache.note_use(self.root, self.folder)
        writer = self._writer
        new = writer is None or _identity(self._file) != self._identity
        if writer is None or new:
            writer = self._open()
        named = paths if not new and time.monotonic() < self._due else None
        summary = build.synchronise(
            self.root, writer, self.channel.report, named, exclude=self.exclude
        )
        self._identity = _identity(self._file)
        if named is None:
            self._due = time.monotonic() + poll_delay(summary.looking)
        if self.watcher is not None and self.watcher.cover(writer.known()):
            self._due = time.monotonic()
        self.channel.watched = len(self.watcher.watched) if self.watcher else 0
        self._tell_ready(summary)
        if time.monotonic() - self._counted >= NGRAM_SECONDS:
            self._counted = time.monotonic()
            build.build_ngrams(self.root, self.folder, self.channel.report)
            self._tell_ready(summary)

    def _tell_ready(self, summary: build.Summary) -> None:
        """End what was reported; a look at the files that found nothing new is not told."""
        if self.channel.phase != "ready":
            self.channel.tell("ready", summary.files, summary.files, len(summary.skipped))
            give_memory_back()

    def _open(self) -> store.Writer:
        """The store, looked through for damage: it is new to us, or somebody touched its file."""
        self.channel.report(build.Progress("walk", 0, 0, 0))
        self._close()
        self._writer = store.open_writer(self.folder)
        return self._writer

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _recover(self, error: Exception) -> float:
        """Get ready to try again; the seconds to wait before."""
        self._close()
        again, self._failed = self._failed, True
        if self._lost():
            return 0.0
        if isinstance(error, OSError) or store.is_passing(error):
            self.channel.fail(cache.told(error))
            return RETRY_SECONDS
        log.error("the index is damaged and will be built again: %s", error)
        try:
            store.remove(self._file)
        except OSError as failure:
            self.channel.fail(f"the damaged index cannot be removed: {cache.told(failure)}")
            return RETRY_SECONDS
        return RETRY_SECONDS if again else SETTLE_SECONDS


def _identity(file: Path) -> tuple[int, ...]:
    """What tells files apart (the first two), and states of one; empty when there is none."""
    try:
        status = file.stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def run(
    root: Path,
    cache_folder: Path | None,
    exclude: pathspec.GitIgnoreSpec,
    incoming: BinaryIO,
    outgoing: BinaryIO,
    *,
    watch: bool = False,
) -> None:
    """Serve one workspace until ``incoming`` ends; ``watch``: nobody tells of changes on disk."""
    channel = Channel(outgoing)
    handlers: Mapping[str, messages.Handler] = {"changed": channel.changed}

    def listen() -> None:
        messages.serve(messages.Desk(handlers), incoming, outgoing)
        channel.end()

    threading.Thread(target=listen, name="listen", daemon=True).start()
    place = cache.prepare(root, cache_folder)
    if place.warning:
        log.warning(place.warning)
    with contextlib.suppress(EndedError):
        while True:
            try:
                cache.note_use(root, place.folder)
                work(root, place.folder, cache_folder, channel, exclude, watch=watch)
                log.warning("the folder of the index was deleted; creating it again")
            except OSError as error:
                channel.fail(cache.told(error))
                channel.wait(RETRY_SECONDS)


def work(
    root: Path,
    folder: Path,
    cache_folder: Path | None,
    channel: Channel,
    exclude: pathspec.GitIgnoreSpec,
    *,
    watch: bool,
) -> None:
    """Index from when we are elected until the folder is deleted under us."""
    lock = filelock.FileLock(folder / build.LOCK_NAME)
    watcher = Watcher(root, channel.inbox.put) if watch else None
    wait_for_lock(lock, folder, channel)
    try:
        cache.trim(cache_folder, keep=folder)
        Indexer(root, folder, channel, exclude, watcher).run()
    finally:
        if watcher is not None:
            watcher.stop()
        lock.release()


def excluded(patterns: Sequence[str]) -> pathspec.GitIgnoreSpec:
    """The files to leave out; patterns that are none are left out themselves."""
    try:
        return pathspec.GitIgnoreSpec.from_lines(patterns)
    except ValueError as error:
        log.error("nothing is excluded: %s", error)
        return pathspec.GitIgnoreSpec.from_lines([])


def main(arguments: Sequence[str] | None = None) -> int:
    """The process's entry point."""
    parser = argparse.ArgumentParser(prog="indexing.worker")
    parser.add_argument("root", type=Path)
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--exclude", action="append", default=[], metavar="PATTERN")
    parser.add_argument("--watch", action="store_true")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    messages.end_with_parent()
    incoming, outgoing = messages.take_stdio()
    exclude = excluded(options.exclude)
    root, cache_folder = options.root.absolute(), options.cache
    run(root, cache_folder, exclude, incoming, outgoing, watch=options.watch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
