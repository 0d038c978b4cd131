"""The indexer process: keeps one workspace's store true to its files.

``python -I -X utf8 -m indexing.worker ROOT [--cache DIR] [--exclude PATTERN]...``; messages on
stdin and stdout, log on stderr. One process per workspace works, elected by a file lock that the
system releases however the holder ends; the others wait, and tell their server when the one at work
has written something.

It looks at the named files when a ``changed`` message comes, and at all of them every few seconds,
because not every editor tells about changes on disk. The store is checked for damage when it is
opened and whenever its file changed without our doing; a damaged one is built again. Being killed
at any moment loses at most the transaction under way.
"""

from __future__ import annotations

import argparse
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

POLL_SECONDS = 5.0
POLL_SHARE = 50
"""Looking at all files takes at most one part in this many of the time."""

LOCK_SECONDS = 1.0
RETRY_SECONDS = 30.0
PROGRESS_SECONDS = 0.25
SETTLE_SECONDS = 0.05
"""Changes come in bursts (a branch switch): collect for this long before working."""

NGRAM_SECONDS = 30.0
"""The n-grams are counted anew at most this often."""

PASSING = ("SQLITE_BUSY", "SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN")
"""Errors that say nothing about the file's contents, by the start of their name."""

log = logging.getLogger("indexing.worker")


class EndedError(Exception):
    """The server closed our input: stop."""


Paths = Sequence[str]


@dataclass(slots=True)
class Channel:
    """The way to the server: changed paths in, progress out. ``None`` in the inbox is the end."""

    outgoing: BinaryIO
    inbox: queue.SimpleQueue[Paths | None] = field(default_factory=queue.SimpleQueue)
    ended: bool = False
    phase: str = ""
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

    def tell(self, phase: str, done: int = 0, total: int = 0, skipped: int = 0) -> None:
        """Send one ``progress`` notification."""
        self.phase = phase
        params = {"phase": phase, "done": done, "total": total, "skipped": skipped}
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


class Indexer:
    """The process at work, holding the lock."""

    def __init__(
        self, root: Path, folder: Path, channel: Channel, exclude: pathspec.GitIgnoreSpec
    ) -> None:
        self.root = root
        self.folder = folder
        self.channel = channel
        self.exclude = exclude
        self._writer: store.Writer | None = None
        self._identity: tuple[int, ...] = ()
        self._counted = -NGRAM_SECONDS

    def run(self) -> None:
        """Index until the server closes our input."""
        paths: list[str] | None = None
        while True:
            started = time.monotonic()
            delay = POLL_SECONDS
            try:
                self._round(paths)
            except (store.StoreError, sqlite3.DatabaseError) as error:
                delay = self._recover(error)
            except OSError as error:
                self._close()
                log.error("cannot index now: %s", error)
                delay = RETRY_SECONDS
            spent = time.monotonic() - started
            paths = sorted(self.channel.wait(max(delay, spent * POLL_SHARE))) or None

    def _round(self, paths: Paths | None) -> None:
        writer = self._writer
        if writer is None or self._stat() != self._identity:
            writer, paths = self._open(), None
        summary = build.synchronise(
            self.root, writer, self.channel.report, paths, exclude=self.exclude
        )
        self._identity = self._stat()
        self._tell_ready(summary)
        if time.monotonic() - self._counted >= NGRAM_SECONDS:
            self._counted = time.monotonic()
            build.build_ngrams(self.root, self.folder, self.channel.report)
            self._tell_ready(summary)

    def _tell_ready(self, summary: build.Summary) -> None:
        """End what was reported; a look at the files that found nothing new is not told."""
        if self.channel.phase != "ready":
            self.channel.tell("ready", summary.files, summary.files, len(summary.skipped))

    def _open(self) -> store.Writer:
        """The store, looked through for damage: it is new to us, or somebody touched its file."""
        self.channel.report(build.Progress("walk", 0, 0, 0))
        self._close()
        self._writer = store.open_writer(self.folder)
        return self._writer

    def _stat(self) -> tuple[int, ...]:
        try:
            status = (self.folder / store.FILE_NAME).stat()
        except OSError:
            return ()
        return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _recover(self, error: Exception) -> float:
        """Get ready to try again; the seconds to wait before."""
        self._close()
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(PASSING):
            log.error("cannot write the index now: %s", error)
            return RETRY_SECONDS
        log.error("the index is damaged and will be built again: %s", error)
        store.remove(self.folder / store.FILE_NAME)
        return SETTLE_SECONDS


def run(
    root: Path,
    cache_folder: Path | None,
    exclude: pathspec.GitIgnoreSpec,
    incoming: BinaryIO,
    outgoing: BinaryIO,
) -> None:
    """Serve one workspace until ``incoming`` ends."""
    channel = Channel(outgoing)
    handlers: Mapping[str, messages.Handler] = {"changed": channel.changed}

    def listen() -> None:
        messages.serve(incoming, outgoing, handlers)
        channel.end()

    threading.Thread(target=listen, name="listen", daemon=True).start()
    place = cache.prepare(root, cache_folder)
    if place.warning:
        log.warning(place.warning)
    try:
        lock = filelock.FileLock(place.folder / build.LOCK_NAME)
        wait_for_lock(lock, place.folder, channel)
        with lock:
            cache.trim(cache_folder, keep=place.folder)
            Indexer(root, place.folder, channel, exclude).run()
    except EndedError:
        return


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
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    messages.end_with_parent()
    incoming, outgoing = messages.take_stdio()
    exclude = excluded(options.exclude)
    run(options.root.absolute(), options.cache, exclude, incoming, outgoing)
    return 0


if __name__ == "__main__":
    sys.exit(main())
