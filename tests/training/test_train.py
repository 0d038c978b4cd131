"""The whole path on a toy corpus: rows, batches, loop, resume, export, load."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pytest
import torch

from completion.model.checkpoint import load
from completion.model.codefill import CodeFill, Config
from training import loss, prepare, shards, train
from training.batches import collate, plan_epoch
from training.corpus import read
from training.loss import TYPE_WEIGHT, Loss, loss_of
from training.shards import Shard
from training.trainer import (
    ARMS,
    WARM_UP_TOKENS,
    Plan,
    Trainer,
    TrainingError,
    load_checkpoint,
    schedule,
)

CONFIG = Config(width=16, layers=1, heads=2, kv_heads=1, hidden=16, grams=64, gram_width=4)
PLAN = Plan(tokens=10**9, rows=60, batch_tokens=1024)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    paths = sorted(Path(click.__file__).parent.glob("*.py"))[:4]
    for split, chosen in (("train", paths[:3]), ("valid", paths[3:])):
        rows = [
            {"package": "p", "path": path.name, "text": path.read_text()[:6000]} for path in chosen
        ]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    row = {"name": "p", "version": "1", "licence": "MIT", "files": 3, "bytes": 9, "split": "valid"}
    (folder / "manifest.json").write_text(json.dumps({"packages": [row], "left_out": {}}))
    return folder


@pytest.fixture(scope="module")
def prepared(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "VALID_ROWS", 6)
        prepare.prepare(corpus, folder, rows=PLAN.rows, seed=0, processes=1)
    return folder


@pytest.fixture
def run_folder(prepared: Path, tmp_path: Path) -> Path:
    for path in prepared.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.fixture
def stop_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Make the loop stop, as by a signal, when a number of steps is done."""

    def arrange(steps: int) -> None:
        def occasionally(trainer: Trainer, *_: object) -> None:
            trainer.asked_to_stop = trainer.progress.step >= steps - 1

        monkeypatch.setattr(Trainer, "_occasionally", occasionally)

    return arrange


def test_rows_are_what_the_seed_says(prepared: Path, corpus: Path) -> None:
    files = read(corpus / "train.jsonl")
    types = json.loads((prepared / "types.json").read_text())
    again = shards.build(files, prepared / "tokenizer.json", types, 60, seed=0, processes=1)
    kept = Shard.load(prepared / "train.npz")
    assert len(kept) > 40
    for name in Shard.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(again, name), getattr(kept, name))


def test_an_epoch_has_every_row_once_in_batches_that_fit(prepared: Path) -> None:
    lengths = Shard.load(prepared / "train.npz").lengths
    planned = plan_epoch(lengths, 2048, seed=3)
    assert sorted(np.concatenate(planned).tolist()) == list(range(len(lengths)))
    for rows in planned:
        assert len(rows) == 1 or len(rows) * max(lengths[rows]) <= 2048
    other = plan_epoch(lengths, 2048, seed=4)
    assert [rows.tolist() for rows in planned] != [rows.tolist() for rows in other]


def test_targets_are_the_next_tokens(prepared: Path) -> None:
    shard = Shard.load(prepared / "train.npz")
    batch = collate(shard, np.array([5, 2]), torch.device("cpu"))
    for row, number in enumerate((5, 2)):
        whole = shard.values[shard.offsets[number] : shard.offsets[number + 1]].astype(int)
        count = len(whole) - 1
        assert batch.values[row, :count].tolist() == whole[:-1].tolist()
        assert batch.targets[row, :count].tolist() == whole[1:].tolist()
        assert not batch.weights[row, count:].any()


def test_the_loss_is_the_weighted_mean_over_predicted_tokens(prepared: Path) -> None:
    shard = Shard.load(prepared / "train.npz")
    batch = collate(shard, np.array([1, 4, 7]), torch.device("cpu"))
    torch.manual_seed(0)
    model = CodeFill(CONFIG)
    torch.nn.init.normal_(model.type_embedding.weight, std=0.5)
    model.requires_grad_(requires_grad=False)
    output = model(batch.values, batch.states)
    value = kind = total = 0.0
    for row, position in batch.weights.nonzero().tolist():
        weight = float(batch.weights[row, position])
        scores = output.value_logits[row, position].log_softmax(-1)
        types = output.type_logits[row, position].log_softmax(-1)
        value -= weight * float(scores[batch.targets[row, position]])
        kind -= weight * float(types[batch.labels[row, position]])
        total += weight
    found = loss_of(model, batch)
    assert float(found.value) == pytest.approx(value / total, rel=1e-4)
    assert float(found.type) == pytest.approx(kind / total, rel=1e-4)
    assert float(found.total) == pytest.approx((value + TYPE_WEIGHT * kind) / total, rel=1e-4)


def test_learning_in_parts_adds_the_gradients_of_the_whole(
    prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = Shard.load(prepared / "train.npz")
    batch = collate(shard, np.arange(7), torch.device("cpu"))
    batch.weights[2] = 0.0  # a row without anything to predict
    torch.manual_seed(0)
    model = CodeFill(CONFIG)
    torch.nn.init.normal_(model.type_embedding.weight, std=0.5)
    whole = loss_of(model, batch)
    torch.autograd.backward(whole.total)
    wanted = [weight.grad for weight in model.parameters()]
    for tokens in (1, 2 * batch.values.shape[1], 10**6):
        monkeypatch.setattr(loss, "PART_TOKENS", tokens)
        model.zero_grad()
        found = loss.learn(model, batch)
        torch.testing.assert_close(found, Loss(*(one.detach() for one in whole)))
        for weight, gradient in zip(model.parameters(), wanted, strict=True):
            torch.testing.assert_close(weight.grad, gradient, rtol=1e-4, atol=1e-6)


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(
    run_folder: Path, stop_after: Callable[[int], None]
) -> None:
    stop_after(6)
    Trainer.start(run_folder, PLAN, CONFIG).train()
    straight = load_checkpoint(run_folder / "checkpoint.pt")
    (run_folder / "checkpoint.pt").unlink()
    for steps in (2, 6):
        stop_after(steps)
        Trainer.start(run_folder, PLAN, CONFIG).train()
    resumed = load_checkpoint(run_folder / "checkpoint.pt")
    assert resumed["progress"]["tokens"] == straight["progress"]["tokens"]
    for name, weight in straight["model"].items():
        torch.testing.assert_close(resumed["model"][name], weight, rtol=0, atol=1e-5)


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_goes_on_where_it_stopped_and_exports(
    arm: str, run_folder: Path, corpus: Path, stop_after: Callable[[int], None]
) -> None:
    plan = replace(PLAN, arm=arm)
    curves = []
    for stops in ([8], [3, 8]):
        (run_folder / "checkpoint.pt").unlink(missing_ok=True)
        for steps in stops:
            stop_after(steps)
            assert train.run(run_folder, corpus, plan=plan, config=CONFIG, processes=1) is None
        curves.append(load_checkpoint(run_folder / "checkpoint.pt"))
    assert curves[0]["progress"]["step"] == 8
    for name, weight in curves[0]["model"].items():
        torch.testing.assert_close(curves[1]["model"][name], weight, rtol=0, atol=1e-5)
    done = curves[1]["progress"]["tokens"]
    folder = train.run(run_folder, corpus, tokens=done, processes=1)
    assert folder is not None
    assert load(folder, device="cpu").config.grams == ARMS[arm].get("grams", CONFIG.grams)


def test_processes_in_step_give_the_same_curve_every_time(run_folder: Path, corpus: Path) -> None:
    ends = []
    for _ in range(2):
        (run_folder / "checkpoint.pt").unlink(missing_ok=True)
        train.run(run_folder, corpus, tokens=4000, plan=PLAN, config=CONFIG, processes=2)
        ends.append(load_checkpoint(run_folder / "checkpoint.pt"))
    assert ends[0]["progress"]["tokens"] == ends[1]["progress"]["tokens"] >= 4000
    for name, weight in ends[0]["model"].items():
        torch.testing.assert_close(ends[1]["model"][name], weight, rtol=0, atol=1e-5)


def test_training_learns(run_folder: Path, stop_after: Callable[[int], None]) -> None:
    stop_after(12)
    trainer = Trainer.start(run_folder, PLAN, CONFIG)
    trainer.progress.tokens = PLAN.tokens // 10  # past the warm-up
    shard = trainer.shards["train"]
    batch = collate(shard, np.arange(8), torch.device("cpu"))
    before = float(loss_of(trainer.model, batch).value.detach())
    trainer.train()
    assert float(loss_of(trainer.model, batch).value.detach()) < before - 0.3


def test_run_ends_with_a_model_that_loads(run_folder: Path, corpus: Path) -> None:
    folder = train.run(run_folder, corpus, tokens=5000, plan=PLAN, config=CONFIG, processes=2)
    assert folder == run_folder / "model"
    loaded = load(folder, device="cpu")
    assert (loaded.config.width, loaded.config.layers) == (CONFIG.width, CONFIG.layers)
    assert loaded.types[:2] == ["other", "end"]
    assert set(loaded.manifest["metrics"]) == {"prefix", "middle"}
    card = (folder / "MODEL_CARD.md").read_text()
    assert "| p | 1 | MIT |" in card
    assert "{" not in card
    log = [json.loads(line) for line in (run_folder / "log.jsonl").read_text().splitlines()]
    assert log[-1]["valid_loss"] > 0
    saved = load_checkpoint(run_folder / "checkpoint.pt")["model"]
    weight = loaded.model.value_embedding.weight
    torch.testing.assert_close(weight, saved["value_embedding.weight"], rtol=0.01, atol=1e-6)


def test_a_stopped_run_exports_nothing(
    run_folder: Path, corpus: Path, stop_after: Callable[[int], None]
) -> None:
    stop_after(2)
    assert train.run(run_folder, corpus, plan=PLAN, config=CONFIG, processes=1) is None
    assert not (run_folder / "model").exists()
    stop_after(4)
    assert train.run(run_folder, corpus, processes=1) is None  # with the plan it began with
    state = load_checkpoint(run_folder / "checkpoint.pt")
    assert state["progress"]["step"] == 4
    assert state["config"]["width"] == CONFIG.width


def test_a_damaged_checkpoint_is_named(run_folder: Path, corpus: Path) -> None:
    (run_folder / "checkpoint.pt").write_bytes(b"PK\x03\x04 truncated")
    with pytest.raises(TrainingError, match=r"checkpoint\.pt is damaged"):
        train.run(run_folder, corpus, plan=PLAN, config=CONFIG)


def test_training_that_came_apart_ends_and_keeps_the_last_checkpoint(
    run_folder: Path, stop_after: Callable[[int], None]
) -> None:
    stop_after(1)
    Trainer.start(run_folder, PLAN, CONFIG).train()
    before = (run_folder / "checkpoint.pt").read_bytes()
    stop_after(3)
    trainer = Trainer.start(run_folder, PLAN, CONFIG)
    torch.nn.init.constant_(trainer.model.norm, math.inf)
    with pytest.raises(TrainingError, match="training came apart: in step 2 the gradient is nan"):
        trainer.train()
    assert (run_folder / "checkpoint.pt").read_bytes() == before


def test_another_networks_checkpoint_is_not_taken(
    run_folder: Path, stop_after: Callable[[int], None]
) -> None:
    stop_after(1)
    Trainer.start(run_folder, PLAN, CONFIG).train()
    other = Config(width=32, layers=1, heads=2, kv_heads=1, hidden=16, grams=64, gram_width=4)
    with pytest.raises(TrainingError, match="another network"):
        Trainer.start(run_folder, PLAN, other)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, corpus: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TrainingError, match="cannot write to"):
        train.run(tmp_path / "file" / "run", corpus, plan=PLAN)


def test_the_rate_rises_stays_and_falls_to_nothing() -> None:
    budget = 100 * WARM_UP_TOKENS
    rates = [schedule(share * WARM_UP_TOKENS, budget) for share in range(101)]
    assert rates[0] < 0.1
    assert rates[1] == rates[50] == rates[60] == 1.0
    assert rates[80] == pytest.approx(0.5)
    assert rates[100] == 0.0
    assert schedule(budget + 1, budget) == 0.0
    assert schedule(5, 100) == pytest.approx(0.5)  # a short run rises in its first tenth
