"""The exported folder: complete, usable by its own card, written whole or not at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from transformers import AutoModelForCausalLM, AutoTokenizer

from completion.model import checkpoint
from completion.model.checkpoint import CheckpointError, load, save
from completion.model.codefill import CodeFill, Config
from completion.model.hub import CodeFillForCausalLM
from completion.model.hub_export import export
from lancefill import main
from tests.completion.toys import toy_tokenizer

FILES = {
    "README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json",
    "tokenizer_config.json",
}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    tokenizer = toy_tokenizer([(b"d", b"e"), (b"de", b"f")])
    (folder / "given.json").write_text(tokenizer._inner.to_str(), encoding="utf-8")
    torch.manual_seed(0)
    model = CodeFill(Config(values=tokenizer.size, width=32, layers=1, heads=2, kv_heads=1))
    save(folder, model, folder / "given.json", {"types": ["other", "end"]})
    return folder


def test_the_folder_is_complete_and_gives_the_same_logits(trained: Path, tmp_path: Path) -> None:
    target = export(tmp_path / "deep" / "model", trained)
    assert {path.name for path in target.iterdir()} == FILES
    assert [path.name for path in target.parent.iterdir()] == ["model"]
    found = AutoModelForCausalLM.from_pretrained(target, dtype=torch.float32)
    assert found.config.type_names == ["other", "end"]
    ids = AutoTokenizer.from_pretrained(target)("<|suffix|>\n<|prefix|>def", return_tensors="pt")
    wanted = load(trained, device="cpu", dtype=torch.float32)
    states = found.inputs_of(ids.input_ids)["states"]
    assert torch.equal(found(**ids).logits, wanted.model(ids.input_ids, states).value_logits)


def test_the_shipped_models_card_shows_how_to_use_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = export(tmp_path / "model")
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert card.startswith("---\nlicense: apache-2.0\n")
    assert (checkpoint.SHIPPED / checkpoint.CARD).read_text(encoding="utf-8") in card
    program = re.search(r"```python\n(.*?)```", card, re.DOTALL)
    assert program
    exec(program[1], {"folder": folder})
    assert capsys.readouterr().out.endswith("\n")  # it ran to its end, whatever the model writes
    assert sum(path.stat().st_size for path in folder.iterdir()) < 32e6


def test_a_folder_that_holds_something_is_left_alone(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="is not empty: nothing was written"):
        export(tmp_path, trained)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_filled(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    assert {path.name for path in export(tmp_path / "model", trained).iterdir()} == FILES


def test_no_permission_leaves_nothing(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(CodeFillForCausalLM, "save_pretrained", refuse)
    with pytest.raises(CheckpointError, match=r"cannot write .*model: Permission denied"):
        export(tmp_path / "model", trained)
    assert list(tmp_path.iterdir()) == []


def test_the_command(trained: Path, tmp_path: Path) -> None:
    command = ["model", "export", str(tmp_path / "out"), "--from", str(trained)]
    assert CliRunner().invoke(main, command).output == f"the model is in {tmp_path / 'out'}\n"
    again = CliRunner().invoke(main, command)
    assert again.exit_code == 2
    assert "is not empty" in again.output
    (tmp_path / "file").write_text("")
    for target in (tmp_path / "file", tmp_path / "file" / "model"):
        refused = CliRunner().invoke(main, ["model", "export", str(target), "--from", str(trained)])
        assert refused.exit_code == 2
        assert "cannot write" in refused.output
    empty = tmp_path / "empty"
    empty.mkdir()
    refused = CliRunner().invoke(main, ["model", "export", str(empty), "--from", str(empty)])
    assert refused.exit_code == 2
    assert "no model in" in refused.output
