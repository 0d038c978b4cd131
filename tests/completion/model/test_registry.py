"""The registry of installed models: what is written is read, and what is damaged is said."""

from __future__ import annotations

import json
from pathlib import Path

import filelock
import pytest
from hypothesis import given
from hypothesis import strategies as st

from completion.model import registry
from completion.model.registry import Entry, Registry, RegistryError

ONE = Entry("org/one", "/somewhere/one", "qwen2.5-coder", "abc", 10, 20, downloaded=True)
TWO = Entry("two", "/somewhere/two", "starcoder2", eight_bits=True, remote_code=True)


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(registry.VARIABLE, str(tmp_path / "data"))
    return tmp_path / "data"


def test_at_first_there_is_the_shipped_model_alone(data: Path) -> None:
    assert registry.read() == Registry()
    assert registry.read().chosen is None
    assert not data.exists()


def test_what_is_written_is_read(data: Path, tmp_path: Path) -> None:
    three = Entry("three", str(tmp_path), "mellum")
    for entry in (ONE, TWO, three):
        registry.change(lambda known, entry=entry: known.with_model(entry))
    registry.change(lambda known: known.using("three"))
    found = registry.read()
    assert found == Registry({"org/one": ONE, "two": TWO, "three": three}, "three")
    assert found.chosen == three
    assert registry.change(lambda known: known.using("shipped")).chosen is None
    assert sorted(file.name for file in data.iterdir()) == ["models.json", "models.json.lock"]


def test_a_model_whose_folder_is_gone_is_not_used() -> None:
    with pytest.raises(RegistryError, match="folder of org/one is gone: /somewhere/one"):
        Registry({ONE.name: ONE}).using("org/one")
    assert "lancefill model add org/one" in ONE.problem()
    assert "lancefill model add /somewhere/two" in TWO.problem()


def test_an_unknown_name() -> None:
    known = Registry({"two": TWO})
    for asked in (known.using, known.without, known.entry):
        with pytest.raises(RegistryError, match="there is no model six; there are: shipped, two"):
            asked("six")


def test_removing_deletes_what_was_downloaded_and_nothing_else(data: Path, tmp_path: Path) -> None:
    ours = registry.download_folder("org/one", "0123456789abcdef")
    theirs = tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir(parents=True)
        (folder / "config.json").write_text("{}")
    foreign = Entry("liar", str(theirs), "mellum", downloaded=True)  # not below our folder
    for entry in (
        Entry("org/one", str(ours), "mellum", downloaded=True),
        Entry("mine", str(theirs), "mellum"),
        foreign,
    ):
        registry.change(lambda known, entry=entry: known.with_model(entry))
    registry.change(lambda known: known.using("org/one"))
    for name in ("org/one", "mine", "liar"):
        registry.remove(name)
    assert registry.read() == Registry()
    assert not ours.exists()
    assert (theirs / "config.json").exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        '{"format": 2, "in_use": null, "models": {}}',
        '{"format": 1, "in_use": "a", "models": {}}',
        '{"format": 1, "in_use": null, "models": []}',
        '{"format": 1, "in_use": null, "models": {"a": {}}}',
        '{"format": 1, "in_use": null, "models": {"a": {"folder": 1, "family": "x"}}}',
        '{"format": 1, "in_use": null, "models": {"a": {"folder": "b", "family": "x", "c": 1}}}',
        '{"format": 1, "in_use": [], "models": {}}',
    ],
)
def test_a_damaged_file_is_said_and_stays(data: Path, text: str) -> None:
    data.mkdir()
    (data / "models.json").write_text(text)
    for asked in (registry.read, lambda: registry.change(lambda known: known.with_model(TWO))):
        with pytest.raises(RegistryError, match=r"models.json is damaged .*delete it") as raised:
            asked()
        assert "\n" not in str(raised.value)
    assert (data / "models.json").read_text() == text


def test_a_file_that_is_no_text(data: Path) -> None:
    data.mkdir()
    (data / "models.json").write_bytes(b"\xff\xfe")
    with pytest.raises(RegistryError, match="damaged"):
        registry.read()


def test_a_failed_change_changes_nothing(data: Path) -> None:
    registry.change(lambda known: known.with_model(TWO))
    before = (data / "models.json").read_text()
    with pytest.raises(RegistryError):
        registry.change(lambda known: known.using("six"))
    assert (data / "models.json").read_text() == before


def test_somebody_else_holds_the_file(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "LOCK_S", 0.01)
    data.mkdir()
    with (
        filelock.FileLock(data / "models.json.lock"),
        pytest.raises(RegistryError, match="another process holds"),
    ):
        registry.change(lambda known: known)


@pytest.mark.parametrize("name", ["", "/", "a/b/c", "../a", "..", "a b", "shipped", "a\n", "a/.."])
def test_names_that_nobody_can_have(name: str) -> None:
    with pytest.raises(RegistryError):
        registry.check_name(name)


@given(st.from_regex(r"[a-z][a-z0-9._+-]*(/[a-z][a-z0-9._-]*)?", fullmatch=True))
def test_names_lead_to_folders_below_ours(name: str) -> None:
    if name == "shipped":
        return
    assert registry.check_name(name) == name
    folder = registry.download_folder(name, "f" * 40)
    assert folder.resolve().parent == (registry.data_root() / registry.MODELS).resolve()


def test_the_file_is_plain(data: Path) -> None:
    registry.change(lambda known: known.with_model(ONE))
    raw = json.loads((data / "models.json").read_text(encoding="utf-8"))
    assert raw["models"]["org/one"]["revision"] == "abc"
