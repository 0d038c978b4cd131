"""How long the model is not asked while somebody types, against trying every moment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lsp_server.rhythm import FIRST_GUESS_S, IN_TIME_S, KEPT, PAUSE_S, Rhythm, ask_at

seconds = st.integers(0, 60).map(lambda each: each / 100)
rhythms = st.lists(seconds.filter(bool), max_size=KEPT)


def cost(intervals: list[float], passed: float, usual: float, at: float) -> float:
    """What asking at a moment costs on average, key by key: see `lsp_server.rhythm`."""
    total, count = at - passed, 1  # the person stops here
    for interval in intervals:
        if interval <= passed:
            continue
        count += 1
        if interval > at:
            total += at - passed
            total += usual if interval <= at + usual else 0.0
    return total / count


@given(rhythms, seconds, seconds, seconds)
def test_no_moment_is_cheaper(
    intervals: list[float], passed: float, usual: float, latest: float
) -> None:
    chosen = ask_at(intervals, passed, usual, latest)
    later = [passed + step / 200 for step in range(int((latest - passed) * 200) + 1)]
    cheapest = min(cost(intervals, passed, usual, at) for at in (passed, *later))
    assert cost(intervals, passed, usual, chosen) <= cheapest + 1e-9
    assert passed <= chosen <= max(passed, latest)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def typed(*intervals: float, answers: tuple[float, ...] = ()) -> tuple[Rhythm, Clock]:
    """A rhythm after a first key and others so long after each other."""
    clock = Clock()
    rhythm = Rhythm(clock)
    for took in answers:
        rhythm.answered(took)
    rhythm.key()
    for interval in intervals:
        clock.now += interval
        rhythm.key()
    return rhythm, clock


@given(rhythms, seconds, st.lists(seconds, max_size=5))
def test_the_text_still_comes_in_time(
    intervals: list[float], passed: float, answers: list[float]
) -> None:
    rhythm, clock = typed(*intervals, answers=tuple(answers))
    clock.now += passed
    wait = rhythm.wait()
    assert wait >= 0
    assert wait == 0 or passed + wait + rhythm.usual <= IN_TIME_S + 1e-9


@given(rhythms, st.floats(PAUSE_S + 0.01, 1e6), st.lists(seconds, max_size=5))
def test_after_a_pause_nothing_is_waited_for(
    intervals: list[float], pause: float, answers: list[float]
) -> None:
    rhythm, _ = typed(*intervals, pause, answers=tuple(answers))
    assert rhythm.wait() == 0


def test_within_a_burst_the_next_key_is_waited_for() -> None:
    rhythm, clock = typed(*[0.11] * 8)
    clock.now += 0.05  # the editor's own wait
    assert rhythm.wait() == pytest.approx(0.06)
    clock.now += 0.08  # and it did not come
    assert rhythm.wait() == 0


def test_a_slow_typist_waits_for_nothing() -> None:
    rhythm, clock = typed(*[0.4] * 8)
    clock.now += 0.05
    assert rhythm.wait() == 0


def test_one_key_makes_no_rhythm() -> None:
    rhythm, _ = typed()
    assert rhythm.wait() == 0
    assert Rhythm(Clock()).wait() == 0


def test_where_the_model_is_slow_there_is_no_time_to_wait() -> None:
    rhythm, clock = typed(*[0.12] * 8, answers=(0.3, 0.3, 0.01))
    clock.now += 0.05
    assert rhythm.usual == 0.3
    assert rhythm.wait() == 0
    assert typed()[0].usual == FIRST_GUESS_S


def test_a_shorter_latency_leaves_less_time() -> None:
    rhythm, clock = typed(*[0.11] * 8)
    clock.now += 0.05
    assert rhythm.wait(0.2) == 0
