"""The model in the package: loads, is small, knows Python better than chance, in every format."""

from __future__ import annotations

import inspect
import json

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from completion.model import prompt
from completion.model.checkpoint import MANIFEST, SHIPPED, Loaded, load
from completion.model.prompt import header
from completion.model.types import START, advance_tokens
from training.corpus import PERMISSIVE, REPORT_REPOSITORIES

TEXT = inspect.getsource(prompt)


@pytest.fixture(scope="module")
def shipped() -> Loaded:
    return load(device="cpu", dtype=torch.float32)


def log_probs(loaded: Loaded) -> tuple[Tensor, Tensor]:
    """(T, V) after the header and every token of a real file, and the (T,) tokens that follow."""
    tokenizer = loaded.tokenizer
    values, states = header(tokenizer, "", "\n")
    ids = tokenizer.encode(TEXT)[:400]
    _, syntax = advance_tokens(START, (tokenizer.token_bytes[token] for token in ids))
    output = loaded.model(torch.tensor([values + ids]), torch.tensor([states + syntax]))
    return output.value_logits[0, len(values) - 1 : -1].log_softmax(-1), torch.tensor(ids)


def test_it_fits_the_package() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 32e6
    assert (SHIPPED / "MODEL_CARD.md").is_file()


def test_it_predicts_python(shipped: Loaded) -> None:
    scores, targets = log_probs(shipped)
    assert functional.nll_loss(scores, targets) < 4.5  # chance is 9.0 nats


def test_bfloat16_gives_nearly_the_same_distribution(shipped: Loaded) -> None:
    wanted, targets = log_probs(shipped)
    found, _ = log_probs(load(device="cpu", dtype=torch.bfloat16))
    divergence = (wanted.exp() * (wanted - found)).sum(-1)
    assert divergence.mean() < 0.005
    assert divergence.max() < 0.1
    difference = functional.nll_loss(found, targets) - functional.nll_loss(wanted, targets)
    assert difference.abs() < 0.02


def test_its_manifest_says_what_it_was_trained_on(shipped: Loaded) -> None:
    packages = json.loads((SHIPPED / MANIFEST).read_text())["corpus"]["packages"]
    for package in packages:
        assert set(package["licence"].replace(" OR ", " AND ").split(" AND ")) <= PERMISSIVE
    assert not {package["name"] for package in packages} & REPORT_REPOSITORIES
    assert {package["split"] for package in packages} == {"train", "valid"}
    assert shipped.manifest["training"]["tokens"] > 1e6
    assert 0 < shipped.manifest["metrics"]["middle"]["loss"] < 9
