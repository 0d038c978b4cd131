"""How much of what is shown is accepted, and how sure ghost text must therefore be.

Counted are the texts that the editor said it showed (``textDocument/didShowCompletion``), each
once: 1 when it was accepted, at least in part, 0 when another one was shown without that. The share
is exponentially weighted, so that habits of long ago fade::

    weight <- DECAY * weight + 1        accepted <- DECAY * accepted + (1 or 0)
    share   = accepted / weight

    shift   = RAISE_MOST * (1 - share / LOW)                 share < LOW
              -LOWER_MOST * (share - HIGH) / (1 - HIGH)      share > HIGH
              0                                              between, or weight < ENOUGH
    threshold = minConfidence + shift, in [0, 1]; a minConfidence of 0 or 1 is taken as it is

All of it stays on this machine: four numbers in a file of the cache folder, none where the folder
cannot be written. Several editors add to the same numbers, each what happened in it.
"""

from __future__ import annotations

import json
import logging
import math
import os
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import filelock

from indexing.cache import cache_root

FILE_NAME = "acceptance.json"
DECAY = 0.98
"""After 50 more texts one counts about a third."""
ENOUGH = 20.0
"""The weight of about 25 texts; with less the threshold is the person's."""
LOW, HIGH = 0.2, 0.6
"""Shares between which the threshold is right as it is."""
RAISE_MOST, LOWER_MOST = 0.3, 0.1
SAVED_EVERY = 10
"""So many texts are lost at most when the server is killed."""
LOCK_S = 0.05
"""So long another editor's writing is waited for; then ours comes with the next texts."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Counts:
    """What was counted: totals, and the same with old texts weighing less.

    ``shown`` counts texts that the editor said it showed, ``taken`` accepted ones, at least in
    part, whether or not the editor says what it shows.
    """

    shown: int = 0
    taken: int = 0
    weight: float = 0.0
    accepted: float = 0.0

    def observed(self, accepted: bool) -> Counts:
        """The counts with one more text whose fate is known."""
        weight, kept = DECAY * self.weight + 1, DECAY * self.accepted + accepted
        return replace(self, weight=weight, accepted=kept)

    def after(self, news: News) -> Counts:
        """The counts with what else happened."""
        counts = replace(self, shown=self.shown + news.shown, taken=self.taken + news.taken)
        for fate in news.fates:
            counts = counts.observed(fate)
        return counts

    @property
    def share(self) -> float | None:
        """The weighted share in [0, 1]; None with too few texts."""
        return self.accepted / self.weight if self.weight >= ENOUGH else None


@dataclass(frozen=True, slots=True)
class News:
    """What happened in this editor since the file was written; ``fates`` tells accepted texts."""

    shown: int = 0
    taken: int = 0
    fates: tuple[bool, ...] = ()


def shift(share: float | None) -> float:
    """What is added to the threshold: from -LOWER_MOST to RAISE_MOST."""
    if share is None:
        return 0.0
    if share < LOW:
        return RAISE_MOST * (1 - share / LOW)
    return -LOWER_MOST * (max(0.0, share - HIGH) / (1 - HIGH))


def threshold(chosen: float, share: float | None) -> float:
    """How sure ghost text must be, where the person chose ``chosen`` (in [0, 1])."""
    return chosen if chosen in (0.0, 1.0) else min(1.0, max(0.0, chosen + shift(share)))


class Acceptance:
    """The counts of this person, and the text that is shown now."""

    def __init__(self, file: Path | None = None) -> None:
        """``file`` keeps the counts between sessions; by default that of the cache folder."""
        self._file = cache_root() / FILE_NAME if file is None else file
        self._saved = _read(self._file)
        self._news = News()
        self._shown: int | None = None
        self._taken: int | None = None

    @property
    def counts(self) -> Counts:
        """What was counted so far, here and, as far as the file said, elsewhere."""
        return self._saved.after(self._news)

    def shown(self, number: int) -> None:
        """The editor shows a text; the one before it is over."""
        if number != self._shown:
            self._close()
            self._shown = number
            self._news = replace(self._news, shown=self._news.shown + 1)

    def taken(self, number: int) -> None:
        """A text was accepted, whole or in part; more of the same one counts no more."""
        if number != self._taken:
            self._taken = number
            self._news = replace(self._news, taken=self._news.taken + 1)
            if number == self._shown:
                self._observe(accepted=True)

    def stop(self) -> None:
        """The session ends."""
        self._close()
        self._save()

    def report(self, chosen: float) -> dict[str, object]:
        """The state as a JSON value; ``chosen`` is the person's threshold."""
        counts = self.counts
        return {
            "shown": counts.shown,
            "accepted": counts.taken,
            "share": counts.share,
            "minConfidence": threshold(chosen, counts.share),
        }

    def _close(self) -> None:
        if self._shown is not None and self._shown != self._taken:
            self._observe(accepted=False)
        self._shown = None

    def _observe(self, *, accepted: bool) -> None:
        self._news = replace(self._news, fates=(*self._news.fates, accepted))
        if self._news.shown >= SAVED_EVERY:
            self._save()

    def _save(self) -> None:
        """Write the counts, whole or not at all; those that cannot be kept count until the end."""
        if self._news == News():
            return
        new = self._file.with_name(f"{FILE_NAME}.{os.getpid()}")
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with filelock.FileLock(f"{self._file}.lock", timeout=LOCK_S):
                counts = _read(self._file).after(self._news)
                new.write_text(json.dumps(asdict(counts)), "utf-8")
                new.replace(self._file)
        except OSError as error:  # Timeout is one
            log.info("how much is accepted is not kept: %s", error)
        else:
            self._saved, self._news = counts, News()


def _read(file: Path) -> Counts:
    """The counts in a file; none where it is missing or holds something else."""
    try:
        values: Any = json.loads(file.read_text("utf-8"))
        counts = Counts(**{each.name: values[each.name] for each in fields(Counts)})
        valid = 0 <= counts.accepted <= counts.weight < math.inf and counts.shown >= 0
        return counts if valid and counts.taken >= 0 else Counts()
    except (OSError, ValueError, KeyError, TypeError):
        return Counts()
