"""How long to let a person type on before the model is asked.

A question that the next key makes void costs processor time and battery, one that waits costs the
person time. With I the time from one key to the next, as it was for the last keys, and m the time
that the model usually takes, asking t seconds after a key costs ::

    (t - e) P(I > t)  +  m P(t < I <= t + m)          both given that I > e

where e seconds have passed already: what the person waits for longer, and what is worked out for
nothing. The cheapest t is taken of all within which the text still comes in time. To the last
intervals one is added that never ends: the person may always stop here. After a pause nothing else
is known, so nothing is waited for.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Sequence

KEPT = 12
"""So many intervals and answers are looked back on."""
PAUSE_S = 0.6
"""A longer interval ends what is known of the rhythm."""
IN_TIME_S = 0.22
"""The model is to have answered so long after the last key, if it takes its usual time: what the
editor then needs to show the text comes on top, and a quarter of a second is the goal."""
FIRST_GUESS_S = 0.1
"""The model's usual time before it has answered."""


def ask_at(intervals: Sequence[float], passed: float, usual: float, latest: float) -> float:
    """When after the last key to ask, in seconds, at least ``passed``, what has passed already.

    ``intervals`` are between the last keys, ``usual`` the model's time; where possible it is no
    later than ``latest``.
    """
    later = [each for each in intervals if each > passed]

    def cost(at: float) -> float:
        after = sum(each > at for each in later)
        void = sum(at < each <= at + usual for each in later)
        return ((at - passed) * (after + 1) + usual * void) / (len(later) + 1)

    times = [passed, *(each for each in later if each <= latest)]
    return min(times, key=lambda at: (cost(at), at))


class Rhythm:
    """One person's keys, and the model's answers; times in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last = -PAUSE_S
        self._intervals: deque[float] = deque(maxlen=KEPT)
        self._answers: deque[float] = deque(maxlen=KEPT)

    def key(self) -> None:
        """The text changed."""
        now = self._clock()
        interval, self._last = now - self._last, now
        if interval > PAUSE_S:
            self._intervals.clear()
        else:
            self._intervals.append(interval)

    def answered(self, took: float) -> None:
        """The model answered after so long."""
        self._answers.append(took)

    @property
    def usual(self) -> float:
        """The model's usual time."""
        return statistics.median(self._answers) if self._answers else FIRST_GUESS_S

    def wait(self, in_time: float = IN_TIME_S) -> float:
        """How long to wait before the model is asked; ``in_time`` as `IN_TIME_S`."""
        passed = max(0.0, self._clock() - self._last)
        usual = self.usual
        return ask_at(self._intervals, passed, usual, in_time - usual) - passed
