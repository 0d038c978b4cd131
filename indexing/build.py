"""From files to the store: find what changed, parse it in helper processes, write it at once.

The indexer process (`indexing.worker`), ``lancefill index`` and the evaluation all come through
here. Parsing is nearly all of the work, so it is spread over processes that take batches of paths
and send back rows ready to be written; the writer inserts one batch while the next are parsed.
"""

from __future__ import annotations

import gc
import hashlib
import logging
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path

import filelock
import pathspec

from indexing import cache, parsing, store
from indexing.extract import outline
from indexing.files import MAX_FILE_BYTES, Found, Skipped, discover, inspect, is_binary, is_minified
from indexing.languages import language_of
from indexing.system import cores, exists

LOCK_NAME = "lock"
STAMP_NAME = "ngrams.stamp"
PROCESSES = min(4, cores())

BATCH_BYTES = 256 * 1024
"""Source sent to a parsing process at once: large enough to hide the round trip."""

ALONE_BYTES = 2 * BATCH_BYTES
"""Less changed source than this is parsed in the indexer itself: starting helpers takes longer."""

COMMIT_FILES = 4000
"""Files per transaction; bounds the memory that the sums of one transaction take."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a build is: phase ``walk``, ``parse``, ``ngrams`` or ``ready``; numbers of files."""

    phase: str
    done: int
    total: int
    skipped: int


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A file whose status changed and whose bytes did not."""

    path: str
    stat: store.Stat


@dataclass(frozen=True, slots=True)
class Job:
    """A file to parse; ``digest`` is that of the bytes on record, if any."""

    path: str
    size: int
    digest: bytes | None


@dataclass(frozen=True, slots=True)
class Summary:
    """What a build did: files in the index now, parsed and removed by it, and those left out.

    ``looking`` is the part of ``seconds`` that it took to see what changed.
    """

    folder: Path
    files: int
    parsed: int
    removed: int
    skipped: tuple[Skipped, ...]
    seconds: float
    looking: float
    warning: str = ""


Parsed = store.Record | Unchanged | Skipped
Report = Callable[[Progress], None]


class BusyError(Exception):
    """Another process is indexing this workspace."""


def build(root: Path, cache_folder: Path | None = None, report: Report | None = None) -> Summary:
    """Bring the index of ``root`` up to date, n-grams included, and say what was done.

    Raises BusyError when another process holds the workspace's lock.
    """
    started = time.monotonic()
    place = cache.prepare(root, cache_folder)
    (report or _silent)(Progress("walk", 0, 0, 0))
    try:
        with filelock.FileLock(place.folder / LOCK_NAME, timeout=0):
            with closing(store.open_writer(place.folder)) as writer:
                summary = synchronise(root, writer, report or _silent, warning=place.warning)
            build_ngrams(root, place.folder, report or _silent)
    except filelock.Timeout as error:
        raise BusyError(f"{root} is being indexed by another process") from error
    (report or _silent)(Progress("ready", summary.files, summary.files, len(summary.skipped)))
    seconds = time.monotonic() - started
    return Summary(
        place.folder, summary.files, summary.parsed, summary.removed, summary.skipped, seconds,
        summary.looking, summary.warning,
    )  # fmt: skip


def _silent(progress: Progress) -> None:
    pass


def synchronise(
    root: Path,
    writer: store.Writer,
    report: Report,
    paths: Sequence[str] | None = None,
    warning: str = "",
    exclude: pathspec.GitIgnoreSpec | None = None,
) -> Summary:
    """Make the store agree with the files, those that ``exclude`` matches left out.

    With ``paths``, only those are looked at, unless one is new: whether that counts is for the
    whole discovery to say.
    """
    started = time.monotonic()
    known = writer.known()
    looked_at = known.keys() if paths is None or not known.keys() >= set(paths) else set(paths)
    if looked_at == known.keys():
        found = list(discover(root))
    else:
        found = [inspect(root, path) for path in sorted(looked_at) if exists(root / path)]
    if exclude is not None:
        found = [item for item in found if not exclude.match_file(item.path)]
    looking = time.monotonic() - started
    gone = looked_at - {item.path for item in found}
    jobs = list(_changed(found, known))
    news = [item for item in found if isinstance(item, Skipped) and _is_news(item, known)]
    if jobs or gone or news:
        _write(root, writer, jobs, gone, news, report)
    on_record = writer.known()
    skipped = writer.skipped()
    seconds = time.monotonic() - started
    files = len(on_record) - len(skipped)
    return Summary(
        writer.path.parent, files, len(jobs), len(gone), skipped, seconds, looking, warning
    )


Known = Mapping[str, tuple[store.Stat, bytes | None]]


def _is_news(item: Skipped, known: Known) -> bool:
    return known.get(item.path) != (store.Stat(item.mtime_ns, item.size), None)


def _changed(found: Iterable[Found | Skipped], known: Known) -> Iterator[Job]:
    for item in found:
        if isinstance(item, Found):
            stat, digest = known.get(item.path, (None, None))
            if stat != (item.mtime_ns, item.size):
                yield Job(item.path, item.size, digest)


def _write(
    root: Path,
    writer: store.Writer,
    jobs: Sequence[Job],
    gone: Iterable[str],
    news: Iterable[Skipped],
    report: Report,
) -> None:
    """Apply every change in as few transactions as memory allows."""
    skipped = 0
    report(Progress("parse", 0, len(jobs), 0))  # also where there is nothing but to forget files
    writer.begin()
    for path in gone:
        writer.drop(path)
    for refused in news:
        _apply(writer, refused)
    for done, item in enumerate(parse_all(root, jobs), start=1):
        _apply(writer, item)
        if isinstance(item, Skipped):
            skipped += 1
            log.info("%s skipped: %s", item.path, item.reason)
        report(Progress("parse", done, len(jobs), skipped))
        if done % COMMIT_FILES == 0:
            writer.commit()
            writer.begin()
    writer.commit()


def _apply(writer: store.Writer, item: Parsed) -> None:
    match item:
        case Skipped(path, reason, mtime_ns, size):
            writer.skip(path, store.Stat(mtime_ns, size), reason)
        case Unchanged(path, stat):
            writer.touch(path, stat)
        case _:
            writer.put(item)


# Parsing ------------------------------------------------------------------------------------------


def parse_file(root: Path, path: str, digest: bytes | None = None) -> Parsed:
    """Read and parse one file; ``digest`` is that of its bytes on record."""
    try:
        with (root / path).open("rb") as file:
            status = os.fstat(file.fileno())
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        return Skipped(path, f"cannot be read: {error.strerror}")
    stat = store.Stat(status.st_mtime_ns, status.st_size)
    found = hashlib.blake2b(raw, digest_size=16).digest()
    if found == digest:
        return Unchanged(path, stat)
    reason = _refusal(path, raw)
    if reason:
        return Skipped(path, reason, *stat)
    language = language_of(path)
    assert language is not None, path
    try:
        data = parsing.decoded(raw)
    except (ValueError, LookupError) as error:
        return Skipped(path, f"cannot be decoded: {error}", *stat)
    data = language.mend(data)
    return store.record(path, stat, found, outline(language, parsing.parse(language, data), data))


def _refusal(path: str, raw: bytes) -> str:
    """Why a file's bytes are not indexed; empty when they are."""
    if is_binary(raw):
        return "binary"
    if len(raw) > MAX_FILE_BYTES:
        return f"larger than {MAX_FILE_BYTES} bytes"
    return "minified" if is_minified(path, raw) else ""


def parse_all(root: Path, jobs: Sequence[Job], processes: int = PROCESSES) -> Iterator[Parsed]:
    """Parse every job, in any order, in helper processes when there is enough to do."""
    if processes == 1 or sum(job.size for job in jobs) < ALONE_BYTES:
        for job in jobs:
            yield parse_file(root, job.path, job.digest)
        return
    with closing(Pool(root, processes)) as pool:
        yield from pool.parse(_batches(jobs))


def _batches(jobs: Sequence[Job]) -> list[list[Job]]:
    """Groups of about `BATCH_BYTES`, to be taken from the end: the large files first."""
    batches: list[list[Job]] = []
    size = BATCH_BYTES
    for job in sorted(jobs, key=lambda job: job.size):
        if size >= BATCH_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(job)
        size += job.size
    return batches


class Pool:
    """Parsing processes. One that dies (a parser can crash) costs the file that killed it."""

    AHEAD = 2  # batches on their way to each process, so that none waits for the writer

    def __init__(self, root: Path, processes: int) -> None:
        self._root = root
        self._helpers: dict[Connection, tuple[BaseProcess, list[list[Job]]]] = {}
        for _ in range(processes):
            self._start()

    def _start(self) -> Connection:
        # spawn: the indexer has threads, and a forked child would keep its pipes open
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_helper, args=(theirs, self._root), daemon=True)
        process.start()
        theirs.close()
        self._helpers[ours] = (process, [])
        return ours

    def close(self) -> None:
        """End the processes."""
        for connection, (process, _) in self._helpers.items():
            connection.close()
            process.terminate()
            process.join()

    def parse(self, batches: list[list[Job]]) -> Iterator[Parsed]:
        """Parse the batches, taking them from the end of the list."""
        for connection in self._helpers:
            self._feed(connection, batches)
        while any(sent for _, sent in self._helpers.values()):
            for ready in wait(list(self._helpers)):
                assert isinstance(ready, Connection)
                try:
                    done: list[Parsed] = ready.recv()
                except (EOFError, OSError):
                    yield from self._bury(ready, batches)
                    continue
                self._helpers[ready][1].pop(0)
                self._feed(ready, batches)
                yield from done

    def _feed(self, connection: Connection, batches: list[list[Job]]) -> None:
        sent = self._helpers[connection][1]
        while batches and len(sent) < self.AHEAD:
            sent.append(batches.pop())
            try:
                connection.send(sent[-1])
            except OSError:
                return  # it died; reading from it will say so

    def _bury(self, connection: Connection, batches: list[list[Job]]) -> Iterator[Parsed]:
        """Replace a dead process: skip the file that it died of, or find it among its batch."""
        process, sent = self._helpers.pop(connection)
        connection.close()
        process.join()
        first, *others = sent or [[]]
        log.warning("a parsing process died with status %s", process.exitcode)
        batches.extend(others)
        if len(first) == 1:
            yield Skipped(first[0].path, "the parser crashed on it")
        else:
            batches.extend([job] for job in first)
        self._feed(self._start(), batches)


def _helper(connection: Connection, root: Path) -> None:
    """What a parsing process does until its pipe closes."""
    gc.set_threshold(100_000)  # rows and nodes hold no cycles: looking for some is 5 % of the time
    while True:
        try:
            jobs: list[Job] = connection.recv()
            connection.send([parse_file(root, job.path, job.digest) for job in jobs])
        except (EOFError, OSError, KeyboardInterrupt):
            return


# N-grams ------------------------------------------------------------------------------------------


def build_ngrams(root: Path, folder: Path, report: Report) -> bool:
    """Count the repository's n-grams again if an indexed file changed; True when it was done."""
    with closing(store.connect(folder / store.FILE_NAME)) as connection:
        rows = connection.execute("SELECT path, digest FROM files ORDER BY path").fetchall()
    stamp = hashlib.blake2b(repr(rows).encode(), digest_size=16).hexdigest()
    if _counted(folder) == stamp:
        return False
    from indexing import ngram_file  # numpy, which parsing processes can do without

    report(Progress("ngrams", 0, len(rows), 0))
    ngram_file.build(_sources(root, [path for path, _ in rows], report), folder)
    (folder / STAMP_NAME).write_text(stamp, "ascii")
    return True


def _counted(folder: Path) -> str:
    """What the n-grams on disk were counted from; empty when they are missing or damaged."""
    from indexing import ngram_file

    try:
        ngram_file.open_mapped(folder, check_all=True)
        return (folder / STAMP_NAME).read_text("ascii", errors="replace")
    except (ngram_file.BrokenNgramsError, OSError):
        return ""


def _sources(root: Path, paths: Sequence[str], report: Report) -> Iterator[tuple[str, bytes]]:
    for done, path in enumerate(paths, start=1):
        try:
            data = parsing.decoded((root / path).read_bytes())
        except (OSError, ValueError, LookupError):
            continue  # it changed since it was indexed; the next round sees it
        report(Progress("ngrams", done, len(paths), 0))
        yield path, data
