"""Keystrokes: which lines are typed, when is asked, and typing replayed with what was offered."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from evaluation import keystrokes, report
from evaluation.apieval import Source
from evaluation.cuts import Cut, Place
from evaluation.keystrokes import Line, Offer, popup_due, replay, sample, saved
from lsp_server.settings import Settings

NOTHING = Offer("", 0.0, (), 1.0, None)
TEXT = "shelf.lift(by)"


def line(text: str = TEXT, **offers: Offer) -> Line:
    """A line with offers at ``at3``, ``at5``, ...; nothing elsewhere."""
    at = {int(name.removeprefix("at")): offer for name, offer in offers.items()}
    cut = Cut("a.py", 0, Place.EDGE, "", "", text)
    return Line("r", cut, tuple(at.get(each, NOTHING) for each in range(len(text))))


def ghost(text: str, confidence: float = 0.9) -> Offer:
    return Offer(text, confidence, (), 1.0, None)


def popup(*names: str) -> Offer:
    return Offer("", 0.0, names, 1.0, 1.0)


def test_without_help_every_character_is_a_key() -> None:
    typed = replay(line(), 0.5)
    assert (typed.keys, typed.characters, typed.shown) == (len(TEXT), len(TEXT), 0)


def test_right_ghost_text_costs_one_key() -> None:
    typed = replay(line(at6=ghost("lift(by)")), 0.5)
    assert typed.keys == len("shelf.") + 1
    assert (typed.by_ghost, typed.ghosts, typed.wrong) == (len("lift(by)") - 1, 1, 0)


def test_what_is_shown_and_wrong_is_counted_and_costs_nothing() -> None:
    typed = replay(line(at0=ghost("self"), at6=ghost("lift()")), 0.5)
    assert (typed.keys, typed.shown, typed.wrong) == (len(TEXT), 2, 2)


def test_ghost_text_below_the_threshold_is_not_shown() -> None:
    unsure = line(at6=ghost("lift(by)", 0.4))
    assert replay(unsure, 0.5).shown == 0
    assert replay(unsure, 0.4).ghosts == 1


@pytest.mark.parametrize(
    ("names", "keys"), [(("lift",), 1), (("drop", "lift"), 2), (("a", "b", "c", "lift"), 4)]
)
def test_a_name_of_the_popup_costs_its_place(names: tuple[str, ...], keys: int) -> None:
    typed = replay(line(at6=popup(*names)), 0.5)
    assert typed.keys == len(TEXT) - len("lift") + keys
    assert typed.popups == (keys < len("lift"))


def test_the_popup_completes_what_is_typed_of_a_word() -> None:
    typed = replay(line(at8=popup("drop", "lift")), 0.5)
    assert typed.popups == 0  # two letters are left, two keys would be spent
    assert replay(line(at8=popup("lift")), 0.5).by_popup == 1


def test_the_one_that_saves_more_is_taken() -> None:
    both = Offer("lift(by)", 0.9, ("lift",), 1.0, 1.0)
    assert replay(line(at6=both), 0.5).ghosts == 1
    short = Offer("li", 0.9, ("lift",), 1.0, 1.0)
    assert replay(line(at6=short), 0.5).popups == 1
    assert replay(line(at6=both), 0.5, ghosts=False).popups == 1
    assert replay(line(at6=both), 0.5, popups=False).popups == 0


texts = st.text(st.sampled_from("ab._( "), min_size=1, max_size=12)


@given(texts, st.data(), st.floats(0, 1))
def test_keys_and_savings_make_up_the_line(text: str, data: st.DataObject, least: float) -> None:
    offer = st.builds(
        Offer,
        st.sampled_from(["", "a", "ab", "(", "b.a", text]) | texts,
        st.floats(0, 1),
        st.lists(st.sampled_from(["a", "ab", "aba"]), max_size=5).map(tuple),
        st.none(),
        st.none(),
    )
    offers = data.draw(st.lists(offer, min_size=len(text), max_size=len(text)))
    one = Line("r", Cut("a.py", 0, Place.EDGE, "", "", text), tuple(offers))
    typed = replay(one, least)
    assert typed.keys + typed.by_ghost + typed.by_popup == typed.characters == len(text)
    assert typed.keys >= 1
    assert typed.wrong <= typed.shown <= len(text)
    alone = replay(one, least, popups=False, ghosts=False)
    assert alone.keys == len(text)


@pytest.mark.parametrize(
    ("before", "due"),
    [("", False), ("a", True), ("a.", True), ("x = ", False), ("x = fo", True), ("12", False)],
)
def test_when_editors_ask_for_a_popup(before: str, due: bool) -> None:
    assert popup_due(before) is due


FILE = b'''\
"""A file that is long enough,
with words of prose."""

import collections.abc


def lift(shelf, by):
    text = """several
    lines of text"""
    return shelf.lift(by, text)  # up
'''


def test_lines_of_code_are_typed_and_no_others() -> None:
    found = sample({"a.py": FILE, "b.py": FILE}, 100, 1)
    assert {cut.rest for cut in found} <= {
        "import collections.abc",
        "def lift(shelf, by):",
        "return shelf.lift(by, text)  # up",
    }
    assert len(found) == 2 * keystrokes.PER_FILE
    assert all(FILE[cut.offset :].startswith(cut.rest.encode()) for cut in found)
    assert sample({"a.py": FILE}, 1, 1) == sample({"a.py": FILE}, 1, 1)


def test_sums_over_lines() -> None:
    typings = [replay(line(at6=ghost("lift(by)")), 0.5), replay(line(at0=ghost("no")), 0.5)]
    summed = saved(typings)
    assert summed.saved.value == pytest.approx(7 / 28)
    assert summed.by_ghost == pytest.approx(7 / 28)
    assert (summed.ghosts, summed.shown, summed.wrong) == (50, 100, 50)
    assert saved([]).saved.value == 0


def test_a_real_line_is_typed_with_the_real_engine(tmp_path: Path) -> None:
    """What is offered is the model's affair; that every character was asked about is ours."""
    (tmp_path / "work.py").write_bytes(FILE)
    (tmp_path / "shelf.py").write_text("class Shelf:\n    def lift(self, by): ...\n")
    source = Source("small", tmp_path)
    settings = Settings(max_latency_ms=10_000, popup_deadline_ms=2_000)
    console = Console(quiet=True)
    result, lines = keystrokes.run([source], 1, 3, settings, console)
    (only,) = lines
    assert result["characters"] == len(only.offers) == len(only.cut.rest)
    assert all((offer.popup_ms is not None) == bool(due) for offer, due in _due(only))
    assert result["ghost_ms"]["n"] > 0
    assert (tmp_path / "work.py").read_bytes() == FILE
    assert set(result["arms"]) == set(keystrokes.ARMS)
    wide = report.console(record=True)
    for table in keystrokes.tables(lines, 0.5):
        assert wide.measure(table).maximum <= report.WIDTH


def _due(one: Line) -> list[tuple[Offer, bool]]:
    places = [popup_due(one.cut.rest[:at]) for at in range(len(one.cut.rest))]
    return list(zip(one.offers, places, strict=True))
