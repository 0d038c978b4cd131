"""What ghost text is cut down to, through the whole engine, by a table that people can read."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from completion import engine, filters, membership
from completion.request import (
    Code,
    Ghost,
    GhostOptions,
    Prompt,
    RawGhost,
    Reason,
    Request,
)
from tests.completion.test_candidates import FILES
from tests.completion.workspace import CURSOR, OPTIONS, SilentHelpers, asked

Row = Mapping[str, str]
TABLE = Path(__file__).parents[1] / "data" / "ghost" / "filters.toml"
ROWS: list[Row] = tomllib.loads(TABLE.read_text("utf-8"))["row"]
NO_FILTER = "none"
OF_TEXT = {each.name for each in filters.FILTERS}
"""Beside these, names and indentation are looked at by modules of their own."""
REASONS = {each.reason.code for each in filters.FILTERS} | {Code.UNKNOWN_NAME, Code.NOTHING_FITS}
ANYWHERE = replace(OPTIONS, in_comments=True, in_strings=True, min_confidence=0.0)


class Model(SilentHelpers):
    def __init__(self, row: Row) -> None:
        self.raw = RawGhost(row["raw"], 0.9, 3, row.get("stop", "line"))

    async def ghost(
        self, request: Request, prompt: Prompt, options: GhostOptions, budget_ms: float
    ) -> RawGhost | Reason:
        return self.raw


async def written(row: Row, folder: Path) -> str | Reason:
    """The ghost text of a row, or the reason for none."""
    files = {**FILES, "m.py": row["before"] + CURSOR + row["after"]}
    request, snapshot = asked(files, "m.py", folder)
    found: Ghost = await engine.ghost(request, snapshot, Model(row), ANYWHERE)
    if found.edit is not None:
        assert (found.edit.start, found.edit.end) == (request.offset, request.offset)
        return found.edit.text
    assert found.reason is not None
    return found.reason


def switch_off(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take one filter away."""
    if name == "names":
        monkeypatch.setattr(engine, "known_part", lambda text, *_: (text, ""))
        monkeypatch.setattr(engine, "NOTHING_FITS", None)
    elif name == "indentation":
        monkeypatch.setattr(engine, "restyled", lambda text, *_: text)
    else:
        assert name in OF_TEXT
        left = tuple(each for each in filters.FILTERS if each.name != name)
        monkeypatch.setattr(filters, "FILTERS", left)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, members are read to the end."""
    monkeypatch.setattr(membership, "STORES_MS", 10_000.0)
    monkeypatch.setattr(membership, "READING_MS", 10_000.0)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['filter']}: {row['before'][-20:]!r}")
async def test_a_row_ends_as_it_says_and_because_of_its_filter(
    row: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = await written(row, tmp_path)
    if isinstance(found, Reason):
        assert found.code == row["reason"]
    else:
        assert found == row["shown"]
    if row["filter"] == NO_FILTER:
        assert found == row["raw"].rstrip()
        return
    switch_off(row["filter"], monkeypatch)
    assert await written(row, tmp_path) != found


def test_every_filter_and_every_reason_has_a_row() -> None:
    assert {row["filter"] for row in ROWS} == {*OF_TEXT, "names", "indentation", NO_FILTER}
    assert {row["reason"] for row in ROWS if "reason" in row} == {str(code) for code in REASONS}
    assert len(OF_TEXT) == len(filters.FILTERS)
    for name, code in [(each.name, each.reason.code) for each in filters.FILTERS]:
        assert any((row["filter"], row.get("reason")) == (name, code) for row in ROWS), name


@pytest.mark.parametrize("sign", ["\r\n", "\t", "🐍", "def f(:"])
def test_the_table_covers_what_files_are_made_of(sign: str) -> None:
    assert any(sign in row["before"] + row["after"] for row in ROWS)
