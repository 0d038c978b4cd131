"""Reading ahead stands back while somebody types."""

import sys
import threading
import time
from pathlib import Path

import pytest

from indexing import quiet
from indexing.installed import Installed


def test_without_a_request_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet, "_asked", -quiet.PAUSE_S)
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it slept"))
    quiet.wait()


def test_each_request_begins_the_pause_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += seconds
        if len(slept) == 1:
            quiet.asked()  # a key, just as the pause would have ended

    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(quiet, "_asked", 99.99)
    quiet.wait()
    assert slept == pytest.approx([quiet.PAUSE_S - 0.01, quiet.PAUSE_S])


def test_an_answer_is_not_disturbed_however_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    answer = quiet.answering()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            answer.__exit__(None, None, None)
            monkeypatch.setattr(quiet, "_asked", -quiet.PAUSE_S)

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(quiet, "_asked", -quiet.PAUSE_S)
    answer.__enter__()
    quiet.wait()
    assert slept == [quiet.PAUSE_S] * 3


def test_a_package_is_read_ahead_in_a_pause(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    held, paused = threading.Event(), threading.Event()

    def wait() -> None:
        held.set()
        assert paused.wait(10)

    monkeypatch.setattr(quiet, "wait", wait)
    (tmp_path / "made.py").write_text("def used(): ...\n")
    packages = Installed((tmp_path,), None)
    packages.soon(lambda: packages.symbols(f"{tmp_path}/made.py"))
    assert held.wait(10)
    assert not packages._symbols
    paused.set()
    packages.wait(10)
    assert [each.name for each in packages._symbols[f"{tmp_path}/made.py"].definitions] == ["used"]


def test_threads_take_turns_often() -> None:
    before = sys.getswitchinterval()
    try:
        quiet.share_in_small_slices()
        assert sys.getswitchinterval() == pytest.approx(quiet.SLICE_S)
    finally:
        sys.setswitchinterval(before)
