"""``lancefill model``: add, list, use, remove, and the model process that takes what is in use."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
import torch
from click.testing import CliRunner, Result

from completion.model import registry, worker
from completion.model.worker import Worker
from indexing import messages
from lancefill import main
from tests.completion.model.guests import byte_level, save_guest

torch.set_num_threads(1)

COMMIT = "0123456789abcdef0123456789abcdef01234567"
GHOST: dict[str, Any] = {
    "header": "# b.py\ndef f(x)\n",
    "suffix": ")\n",
    "prefix": "import os\nself.fo",
    "path": "a.py",
    "max_tokens": 4,
    "deadline_ms": 60_000,
    "ngrams": None,
}


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(registry.VARIABLE, str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_guest(tmp_path_factory.mktemp("saved"))


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    shutil.copytree(saved, tmp_path / "mine")
    return tmp_path / "mine"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("there is no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["model", *arguments])


def call(**params: Any) -> messages.Call:  # noqa: ANN401
    return messages.Call(1, "ghost", {**GHOST, **params}, "s")


@pytest.mark.usefixtures("offline")
def test_a_folder_from_adding_to_removing(folder: Path) -> None:
    added = run("add", str(folder))
    assert added.exit_code == 0, added.output
    assert "added mine: qwen2.5-coder" in added.output
    assert "lancefill model use mine" in added.output
    assert registry.read().in_use is None
    assert run("use", "mine").exit_code == 0
    listed = run("list").output
    assert [line.split()[0] for line in listed.splitlines() if "mine" in line] == ["*"]
    assert "a folder of yours" in listed
    assert registry.read().models["mine"].bytes == (folder / "model.safetensors").stat().st_size
    found = worker._chosen("cpu")
    assert found.info()["model"] == "mine"
    assert found.info()["problem"] == ""
    answer = found.ghost(call())
    assert isinstance(answer["text"], str)
    assert answer["tokens"] >= 1
    assert run("use", "shipped").exit_code == 0
    assert worker._chosen("cpu").info()["model"] != "mine"
    removed = run("remove", "mine")
    assert "is left as it is" in removed.output
    assert (folder / "config.json").is_file()
    assert registry.read() == registry.Registry()


def test_the_list_as_json_says_which_is_in_use_and_what_is_wrong(folder: Path) -> None:
    def listed() -> list[dict[str, Any]]:
        return json.loads(run("list", "--json").output)  # type: ignore[no-any-return]

    (shipped,) = listed()
    assert (shipped["name"], shipped["in_use"], shipped["problem"]) == ("shipped", True, "")
    assert shipped["parameters"] > 0 < shipped["bytes"]
    registry.change(
        lambda known: known.with_model(
            registry.Entry("mine", str(folder), "qwen2.5-coder", parameters=7)
        ).using("mine")
    )
    shipped, mine = listed()
    assert (shipped["in_use"], mine["in_use"]) == (False, True)
    assert (mine["name"], mine["parameters"], mine["problem"]) == ("mine", 7, "")
    shutil.rmtree(folder)
    assert "is gone" in listed()[1]["problem"]


@pytest.fixture
def hub(saved: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """A hub with one model; which files were asked for, call by call."""
    asked: list[list[str]] = []

    def model_info(self: object, name: str, **_: object) -> SimpleNamespace:
        siblings = [
            SimpleNamespace(rfilename=file.name, size=file.stat().st_size)
            for file in saved.iterdir()
        ]
        return SimpleNamespace(sha=COMMIT, siblings=siblings)

    def snapshot_download(name: str, *, allow_patterns: list[str], **options: Any) -> None:  # noqa: ANN401
        asked.append(sorted(allow_patterns))
        options["local_dir"].mkdir(parents=True, exist_ok=True)
        for file in allow_patterns:
            shutil.copy(saved / file, options["local_dir"])

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    return asked


def test_a_name_is_downloaded_pinned_and_deleted(hub: list[list[str]], data: Path) -> None:
    added = run("add", "org/small", "--use")
    assert added.exit_code == 0, added.output
    assert hub == [
        ["config.json", "generation_config.json", "tokenizer.json"],
        ["model.safetensors"],
    ]
    (entry,) = registry.read().models.values()
    assert (entry.revision, entry.downloaded) == (COMMIT, True)
    assert registry.read().chosen == entry
    assert COMMIT[:12] in run("list").output
    assert worker._chosen("cpu").info()["revision"] == COMMIT
    assert run("remove", "org/small").output == "removed org/small\n"
    assert list((data / "models").iterdir()) == []
    assert registry.read().in_use is None


def test_a_tokenizer_that_cannot_be_exact_is_refused_before_weights_come(
    hub: list[list[str]], saved: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    spoilt = tmp_path / "spoilt"
    shutil.copytree(saved, spoilt)
    raw = json.loads((spoilt / "tokenizer.json").read_text(encoding="utf-8"))
    raw["normalizer"] = {"type": "Lowercase"}
    (spoilt / "tokenizer.json").write_text(json.dumps(raw), encoding="utf-8")

    def snapshot_download(name: str, *, allow_patterns: list[str], **options: Any) -> None:  # noqa: ANN401
        hub.append(allow_patterns)
        options["local_dir"].mkdir(parents=True, exist_ok=True)
        for file in allow_patterns:
            shutil.copy(spoilt / file, options["local_dir"])

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    refused = run("add", "org/small")
    assert refused.exit_code == 2
    assert "the normalizer Lowercase loses text: it changes 'A'" in refused.output
    assert len(hub) == 1
    assert registry.read() == registry.Registry()


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("add", "org/none"), "once there is a network"),
        (("add", "./none"), "there is no folder ./none"),
        (("add", "a b"), "is no name of a model"),
        (("use", "none"), "there is no model none; there are: shipped"),
        (("remove", "none"), "there is no model none"),
        (("remove", "shipped"), "the model that ships is always there"),
    ],
)
def test_what_cannot_be_is_one_line(arguments: tuple[str, ...], message: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert len(result.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--revision", "v1"), "a folder has no --revision"),
        (("--family", "mellum"), "has not all the sentinels of mellum"),
        (("--family", "nonsense"), "there is no family nonsense"),
        (("--name", "shipped"), "shipped is the name of the model that ships"),
        (("--name", "../up"), "is no name of a model"),
    ],
)
def test_wishes_that_a_folder_cannot_have(
    folder: Path, more: tuple[str, ...], message: str
) -> None:
    result = run("add", str(folder), *more)
    assert result.exit_code == 2
    assert message in result.output
    assert registry.read() == registry.Registry()


def test_a_folder_with_half_a_download(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\0" * 100)
    result = run("add", str(folder))
    assert (result.exit_code, "is damaged" in result.output) == (2, True)
    assert registry.read() == registry.Registry()


def test_a_model_that_does_not_see_the_suffix_comes_with_a_warning(tmp_path: Path) -> None:
    folder = save_guest(tmp_path / "plain", tokenizer=byte_level(["<|endoftext|>"]))
    result = run("add", str(folder))
    assert result.exit_code == 0
    assert "note: no family is known for its vocabulary" in " ".join(result.output.split())


def _gone(folder: Path, data: Path) -> None:
    shutil.rmtree(folder)


def _damaged(folder: Path, data: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"")


def _other_tokenizer(folder: Path, data: Path) -> None:
    byte_level([f"<{index}>" for index in range(50)]).save(str(folder / "tokenizer.json"))


def _broken_registry(folder: Path, data: Path) -> None:
    (data / "models.json").write_text("{", encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (_gone, "the folder of mine is gone"),
        (_damaged, "is damaged"),
        (_other_tokenizer, "has not all the sentinels"),
        (_broken_registry, r"models.json is damaged"),
    ],
)
def test_a_broken_model_gives_way_to_the_shipped_one(
    folder: Path,
    data: Path,
    damage: Callable[[Path, Path], None],
    why: str,
) -> None:
    assert run("add", str(folder), "--use").exit_code == 0
    damage(folder, data)
    found = worker._chosen("cpu")
    info = found.info()
    assert why in info["problem"]
    assert "\n" not in info["problem"]
    assert info["model"] != "mine"
    assert found.ghost(call())["tokens"] >= 1


def test_out_of_gpu_memory_while_it_answers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("add", str(folder), "--use").exit_code == 0
    found = worker._chosen("cpu")
    before = found.ghost(call())["text"]
    guest = found._speaker

    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(guest.model, "device", torch.device("meta"))  # as if it were a GPU
    with monkeypatch.context() as patched:
        patched.setattr(worker, "write", full)
        with pytest.raises(RuntimeError, match="the GPU's memory was used up"):
            found.ghost(call())
    assert "runs on the processor" in found.info()["problem"]
    assert found.ghost(call())["text"] == before


def test_other_errors_are_not_taken_for_a_full_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run("add", str(folder), "--use").exit_code == 0
    found: Worker = worker._chosen("cpu")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("something else")

    monkeypatch.setattr(worker, "write", fail)
    with pytest.raises(RuntimeError, match="something else"):
        found.ghost(call())
    assert found.info()["problem"] == ""
