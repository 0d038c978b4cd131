"""The doctor's findings on installations that are not well."""

from __future__ import annotations

import os
import re
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from evaluation import doctor
from evaluation.doctor import Finding, Level, cache_findings, owner_findings
from indexing import cache
from indexing.build import build


def problems(found: list[Finding]) -> list[str]:
    return [one.text for one in found if one.level is not Level.FINE]


def test_another_owner_of_a_package_name_is_a_problem() -> None:
    shared = list(owner_findings({"completion": ["lancefill", "other-tool"]}))
    assert any("other-tool" in text for text in problems(shared))
    assert all(one.remedy for one in shared if one.level is Level.PROBLEM)
    assert problems(list(owner_findings({"completion": ["lancefill"]}))) == []


@pytest.fixture
def indexed(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    (root / "a.py").write_text("def f(): ...\n")
    build(root, tmp_path / "cache")
    return tmp_path / "cache"


def test_a_sound_cache_is_fine(indexed: Path) -> None:
    found = list(cache_findings(indexed))
    assert problems(found) == []
    assert "1 indexes" in found[0].text


def test_what_is_left_out_and_watched_is_counted(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    (root / "pkg" / "deep").mkdir(parents=True)
    for name in ("a.py", "pkg/deep/b.py", "pkg/credentials.py", ".aws"):
        (root / name).write_text("x = 1\n")
    build(root, tmp_path / "cache")
    said = [each.text for each in cache_findings(tmp_path / "cache") if each.what == "index"]
    counts = "2 files, 1 left out that may hold secrets; 3 folders, watched where the editor"
    assert any(counts in text for text in said)


def test_a_broken_index_is_noted(indexed: Path) -> None:
    (entry,) = cache.entries(indexed)
    (entry.folder / "index.sqlite3").write_bytes(b"garbage" * 1000)
    assert any("is of no use" in text for text in problems(list(cache_findings(indexed))))


def test_an_index_that_others_can_read_is_noted(indexed: Path) -> None:
    (entry,) = cache.entries(indexed)
    entry.folder.chmod(0o755)
    assert any("other users can read" in text for text in problems(list(cache_findings(indexed))))


def test_adapters_are_found_and_judged(indexed: Path) -> None:
    assert doctor.adapted_workspaces(indexed) == {}
    assert "train --adapt" in next(doctor.adapter_findings({})).text
    (entry,) = cache.entries(indexed)
    (entry.folder / cache.ADAPTER).mkdir()
    (entry.folder / cache.ADAPTER / cache.ADAPTER_MARK).touch()
    place = entry.folder / cache.ADAPTER
    assert doctor.adapted_workspaces(indexed) == {entry.workspace: place}
    facts = {"rank": 8, "tokens": 300_000, "date": "2026-01-01"}
    good = {"adapter_problem": "", "facts": facts}
    bad = {"adapter_problem": "trained for another model", "facts": {}}
    used, left_out = doctor.adapter_findings({"/one": good, "/two": bad})
    assert (used.level, left_out.level) == (Level.FINE, Level.NOTE)
    assert used.text == "in use for /one: rank 8, 300,000 tokens, 2026-01-01"
    assert "trained for another model" in left_out.text
    assert "--adapt /two" in left_out.remedy


def test_a_cache_that_cannot_be_written_is_a_problem(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    (found,) = cache_findings(file)
    assert found.level is Level.PROBLEM
    assert "LANCEFILL_CACHE" in found.remedy


def test_a_failing_check_does_not_end_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[Finding]:
        raise OSError("no")

    def sound() -> list[Finding]:
        return [Finding(Level.FINE, "sound", "all well")]

    monkeypatch.setattr(doctor, "CHECKS", (broken, sound))
    console = Console(record=True, width=100, file=StringIO())
    assert doctor.run(console) == 1
    shown = console.export_text()
    assert "broken" in shown
    assert "all well" in shown


def test_which_model_runs_and_why_it_is_not_the_one_in_use() -> None:
    (shipped,) = doctor.model_findings({"weights_sha256": "abc", "problem": ""})
    assert (shipped.level, shipped.text) == (Level.FINE, "weights sha256 abc")
    asked, note = doctor.model_findings(
        {"family": "mellum", "revision": "", "notes": ["it runs on the processor"], "problem": ""}
    )
    assert asked.text == "asked as mellum, a folder of yours"
    assert (note.level, note.text) == (Level.NOTE, "it runs on the processor")
    *_, broken = doctor.model_findings({"weights_sha256": "abc", "problem": "its folder is gone"})
    assert broken.level is Level.PROBLEM
    assert "its folder is gone" in broken.text
    assert "lancefill model list" in broken.remedy


def test_a_shared_model_process_is_told_with_its_editors_and_memory() -> None:
    facts = {"pid": os.getpid(), "model": "codefill", "editors": 2}
    said = doctor.process_in_words(Path("/run/user/7/lancefill/model-1.sock"), facts)
    start, memory = f"process {os.getpid()} for all editors: codefill, editors: 2, ", r"\d+ MB"
    log = "; its log: /run/user/7/lancefill/model-1.log"
    assert re.fullmatch(re.escape(start) + memory + re.escape(log), said)
    assert "busy" in doctor.process_in_words(Path("one.sock"), {"pid": os.getpid()})
    broken = {"pid": os.getpid(), "failure": "no weights", "editors": 0}
    said = doctor.process_in_words(Path("one.sock"), broken)
    assert "for all editors: its model cannot be loaded: no weights, editors: 0, " in said
