"""The probability that ghost text is right: signs, the map of outputs, the file that ships."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from completion import confidence
from completion.confidence import UNLIKELY, Calibrated, first_word, logistic, mapped, signs
from completion.context import Context
from completion.languages import language_for
from completion.request import RawGhost

RAW = RawGhost("fetch(3)", 0.5, 3, "line", log_probs=(-0.1, -1.0, -0.4))


def context(text: str) -> Context:
    return language_for("a.py").read(text.encode(), len(text.encode()), None)


def known(
    raw: RawGhost = RAW,
    text: str = "client.",
    *,
    shown: str | None = None,
    proposals: Mapping[str, float] | None = None,
    names: Mapping[str, float] = {},
) -> dict[str, float]:
    there = context(text)
    written = raw.text if shown is None else shown
    return signs(raw, written, there, there.prefix, proposals, names)


def test_what_the_tokens_say() -> None:
    found = known()
    assert found["mean"] == pytest.approx(-0.5)
    assert found["sum"] == pytest.approx(-1.5)
    assert (found["least"], found["first"]) == (-1.0, -0.1)
    assert found["tokens"] == pytest.approx(math.log(4))


def test_a_helper_that_tells_only_the_mean() -> None:
    found = known(RawGhost("fetch(3)", 0.5, 3))
    assert found["mean"] == found["least"] == pytest.approx(math.log(0.5))
    assert found["sum"] == pytest.approx(3 * math.log(0.5))
    assert math.isfinite(known(RawGhost("x", 0.0, 0))["sum"])


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("client.", "member"),
        ("client.fe", "inside"),
        ("f(", "argument"),
        ("x = 1\n", "statement"),
    ],
)
def test_where_the_cursor_stands(text: str, sign: str) -> None:
    assert known(text=text)[sign] == 1.0
    others = {"client.", "client.fe", "f(", "x = 1\n"} - {text, "client.fe", "client."}
    assert all(known(text=other)[sign] == 0.0 for other in others)


@pytest.mark.parametrize(
    ("stop", "sign"),
    [("end", "ended"), ("unsure", "unsure"), ("length", "cut short"), ("deadline", "cut short")],
)
def test_how_it_ended(stop: str, sign: str) -> None:
    ends = ("ended", "unsure", "cut short")
    found = known(RawGhost("x", 0.5, 1, stop))
    assert [name for name in ends if found[name]] == [sign]
    assert not any(known()[name] for name in ends)


def test_what_the_filters_took_away() -> None:
    assert known(shown="fetch")["filtered"] == 1.0
    assert known(RawGhost("fetch(3)  \n", 0.5, 3), shown="fetch(3)")["filtered"] == 0.0


def test_what_the_ngram_says() -> None:
    nothing = known()
    assert (nothing["n-gram asked"], nothing["n-gram"]) == (0.0, 0.0)
    agreed = known(proposals={"fetch": 0.25, "drop": 0.5})
    assert (agreed["n-gram asked"], agreed["n-gram"]) == (1.0, pytest.approx(math.log(0.25)))
    differs = known(proposals={"drop": 0.5})
    assert differs["n-gram"] == pytest.approx(math.log(UNLIKELY))
    bracket = known(shown="(3)", proposals={"drop": 0.5})
    assert bracket["n-gram asked"] == 0.0


def test_what_the_popup_says() -> None:
    nothing = known()
    assert (nothing["popup asked"], nothing["popup"]) == (0.0, 0.0)
    agreed = known(names={"fetch": 0.25, "drop": 0.75})
    assert (agreed["popup asked"], agreed["popup"]) == (1.0, pytest.approx(math.log(0.25)))
    assert known(names={"drop": 1.0})["popup"] == pytest.approx(math.log(UNLIKELY))


@pytest.mark.parametrize(
    ("typed", "shown", "word"),
    [
        ("", "fetch(3)", "fetch"),
        ("fe", "tch(3)", "fetch"),
        ("fetch", "(3)", "fetch"),
        ("fetch", " = 3", "fetch"),
        ("", " fetch", "fetch"),
        ("", "(3)", ""),
        ("", "\nfetch", ""),
        ("größ", "er", "größer"),
    ],
)
def test_the_word_at_the_cursor(typed: str, shown: str, word: str) -> None:
    assert first_word(typed, shown) == word


unit = st.floats(0, 1)


@st.composite
def knots(draw: st.DrawFn) -> list[tuple[float, float]]:
    places = sorted(set(draw(st.lists(unit, min_size=1, max_size=6))))
    heights = sorted(draw(st.lists(unit, min_size=len(places), max_size=len(places))))
    return list(zip(places, heights, strict=True))


@given(knots(), unit)
def test_the_map_is_numpys_interpolation(points: list[tuple[float, float]], value: float) -> None:
    expected = np.interp(value, *zip(*points, strict=True))
    assert mapped(value, points) == pytest.approx(expected, abs=1e-9)


@given(knots(), unit, unit)
def test_the_map_keeps_the_order(
    points: list[tuple[float, float]], one: float, other: float
) -> None:
    low, high = sorted((one, other))
    assert mapped(low, points) <= mapped(high, points) + 1e-12


def test_no_map_changes_nothing() -> None:
    assert mapped(0.3, ()) == 0.3


@given(st.floats(-1e6, 1e6))
def test_the_logistic_function(score: float) -> None:
    value = logistic(score)
    assert 0 <= value <= 1
    assert value + logistic(-score) == pytest.approx(1)


def test_probability_is_the_mapped_output() -> None:
    model = Calibrated(0.5, {"a": 2.0, "b": -1.0}, ((0.0, 0.1), (1.0, 0.9)))
    at = {"a": 1.0, "b": 3.0, "not looked at": 9.0}
    assert model.output(at) == pytest.approx(1 / (1 + math.exp(0.5)))
    assert model.probability(at) == pytest.approx(0.1 + 0.8 * model.output(at))
    with pytest.raises(KeyError):
        model.probability({"a": 1.0})


def test_the_model_that_ships_knows_its_signs_and_only_grows() -> None:
    model = confidence.shipped()
    assert set(model.weights) <= set(known())
    for (left, low), (right, high) in pairwise(model.knots):
        assert left < right
        assert low <= high
    assert 0 < model.probability(known()) < 1


def test_the_model_that_ships_prefers_the_surer_text() -> None:
    sure = RawGhost("fetch(3)", 0.99, 3, "line", log_probs=(-0.01, -0.01, -0.01))
    guess = RawGhost("fetch(3)", 0.2, 3, "line", log_probs=(-1.0, -1.5, -2.5))
    model = confidence.shipped()
    assert model.probability(known(sure)) > model.probability(known(guess))


def test_the_file_says_what_it_was_fitted_to() -> None:
    from importlib import resources

    text = resources.files("completion").joinpath(confidence.FILE_NAME).read_text("utf-8")
    about = json.loads(text)["about"]
    assert about["fitted_to"]
    assert about["texts"] > 0
    assert len(about["manifest_sha256"]) == 64
