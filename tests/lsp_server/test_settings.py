"""Settings: defaults, wrong values, and the table that the documentation is checked against."""

import pytest

from completion.request import InsertCall
from lsp_server import settings
from lsp_server.settings import Settings, options, table, updated


def test_good_values_are_taken_and_the_rest_stays() -> None:
    raw = {
        "popupDeadlineMs": 50,
        "insertCall": "parentheses",
        "exclude": ["*.g.py"],
        "popup": None,
    }
    changed, warnings = updated(Settings(ghost_text=False), raw)
    assert warnings == ()
    assert changed == Settings(
        ghost_text=False, popup_deadline_ms=50, insert_call="parentheses", exclude=("*.g.py",)
    )


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"popup": True}, "expected string, got True"),
        ({"popup": False}, "expected string, got False"),
        ({"popup": "yes"}, "expected one of full, promote, off"),
        ({"ghostText": 1}, "expected boolean, got 1"),
        ({"popupDeadlineMs": True}, "expected integer, got True"),
        ({"popupDeadlineMs": 3.5}, "expected integer"),
        ({"popupDeadlineMs": 0}, "expected 5 to 2000, got 0"),
        ({"minConfidence": 2}, "expected 0.0 to 1.0"),
        ({"minConfidence": float("nan")}, "expected 0.0 to 1.0"),
        ({"insertCall": "braces"}, "expected one of none, parentheses, parameters"),
        ({"exclude": "*.py"}, "expected array"),
        ({"exclude": [1]}, "expected array"),
        ({"interpreter": {"path": "x" * 500}}, "..."),
        ({"ghosttext": True}, "did you mean lancefill.ghostText?"),
        ({"nothingLikeIt": True}, "is not a setting"),
        ([1, 2], "must be an object"),
        ("popup", "must be an object"),
    ],
)
def test_a_wrong_value_costs_a_warning_and_changes_nothing(raw: object, words: str) -> None:
    before = Settings(popup="off", popup_deadline_ms=77)
    after, warnings = updated(before, raw)
    assert after == before
    assert len(warnings) == 1
    assert words in warnings[0]
    assert len(warnings[0]) < 200


def test_one_wrong_value_does_not_hinder_the_others() -> None:
    after, warnings = updated(Settings(), {"popup": "no", "ghostText": False})
    assert after == Settings(ghost_text=False)
    assert len(warnings) == 1


def test_keys_of_the_editor_side_are_passed_over() -> None:
    assert updated(Settings(), {"path": "/x", "trace": {"server": "off"}}) == (Settings(), ())
    assert updated(Settings(), None) == (Settings(), ())


def test_an_integer_is_a_number() -> None:
    after, warnings = updated(Settings(), {"minConfidence": 1})
    assert (after.min_confidence, warnings) == (1.0, ())
    assert isinstance(after.min_confidence, float)


def test_every_default_obeys_its_own_rule_and_survives_the_round_trip() -> None:
    rows = table()
    assert len(rows) <= 12
    assert updated(Settings(), {row.name: row.default for row in rows}) == (Settings(), ())
    assert all(row.rule.help.endswith(".") for row in rows)


def test_the_engine_gets_what_the_person_chose() -> None:
    chosen = options(Settings(insert_call="parameters", max_latency_ms=99), snippets=True)
    assert chosen.insert_call is InsertCall.PARAMETERS
    assert chosen.ghost_deadline_ms == 99
    assert chosen.max_tokens == settings.MAX_TOKENS
