"""Downloads, with a hub that is a folder: what is asked of it, and what its errors become."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import errors
from rich.console import Console

from completion.model import downloading, registry
from completion.model.downloading import (
    CODE,
    SMALL,
    WEIGHTS,
    DownloadError,
    Listing,
    download,
    listing,
)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = (
    "config.json",
    "tokenizer.json",
    "model.safetensors",
    "consolidated.safetensors",
    "pytorch_model.bin",
    "modeling_own.py",
    "onnx/model.safetensors",
)
CONSOLE = Console(file=io.StringIO())


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(registry.VARIABLE, str(tmp_path))
    return tmp_path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A hub with one repository; what was asked of it."""
    calls: list[dict[str, Any]] = []

    def model_info(self: object, name: str, **options: object) -> SimpleNamespace:
        siblings = [SimpleNamespace(rfilename=file, size=3) for file in FILES]
        calls.append({"name": name, **options})
        return SimpleNamespace(sha=COMMIT, siblings=siblings)

    def snapshot_download(name: str, **options: Any) -> str:  # noqa: ANN401
        calls.append({"name": name, **options})
        for file in options["allow_patterns"]:
            options["local_dir"].mkdir(parents=True, exist_ok=True)
            (options["local_dir"] / file).write_bytes(b"abc")
        return str(options["local_dir"])

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return calls


def test_only_what_is_read_is_downloaded_and_from_one_commit(
    data: Path, asked: list[dict[str, Any]]
) -> None:
    found = listing("org/one", "main")
    assert found.revision == COMMIT
    folder = download(found, SMALL, CONSOLE, quiet=True)
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "tokenizer.json"]
    assert (
        download(found, WEIGHTS, CONSOLE) == folder == data / "models" / f"org--one@{COMMIT[:12]}"
    )
    assert sorted(file.name for file in folder.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
    ]
    assert [call["revision"] for call in asked] == ["main", COMMIT, COMMIT]
    download(found, CODE, CONSOLE)
    assert asked[-1]["allow_patterns"] == ["modeling_own.py"]


def test_a_repository_without_safetensors(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "FILES", ("config.json", "pytorch_model.bin"))
    with pytest.raises(DownloadError, match="org/one has no weights in safetensors"):
        listing("org/one", None)
    assert len(asked) == 1


def _refusal(kind: type[errors.HfHubHTTPError]) -> errors.HfHubHTTPError:
    answer: Any = SimpleNamespace(headers={}, status_code=404, request=None)
    return kind("refused", response=answer)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (_refusal(errors.GatedRepoError), "asks for its licence"),
        (_refusal(errors.RepositoryNotFoundError), "the hub has no model org/x"),
        (_refusal(errors.RevisionNotFoundError), "has no revision v9"),
        (ConnectionError("name not known\nat all"), "name not known at all.*add FOLDER"),
        (TimeoutError(), "TimeoutError.*run it again once there is a network"),
        (OSError(28, "No space left on device"), "No space left"),
    ],
)
def test_errors_are_one_line(
    error: Exception, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", fail)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    known = Listing("org/x", "v9", (("model.safetensors", 1),))
    for call in (lambda: listing("org/x", "v9"), lambda: download(known, WEIGHTS, CONSOLE)):
        with pytest.raises(DownloadError, match=message) as raised:
            call()
        assert "\n" not in str(raised.value)


def test_the_bar_shows_what_has_come(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "LOOK_S", 0.001)
    shown = Console(file=io.StringIO(), force_terminal=True, width=100)
    found = Listing("org/one", COMMIT, (("model.safetensors", 4000),))

    def slowly(name: str, **options: Any) -> None:  # noqa: ANN401
        options["local_dir"].mkdir(parents=True)
        (options["local_dir"] / "model.safetensors.incomplete").write_bytes(b"x" * 4000)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", slowly)
    download(found, WEIGHTS, shown)
    assert isinstance(shown.file, io.StringIO)
    assert "org/one" in shown.file.getvalue()
    assert "4.0/4.0 kB" in shown.file.getvalue()
