"""From a run's checkpoint to the folder that ships: weights, tokenizer, manifest, model card."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Any

import torch

from completion.model import checkpoint
from completion.model.codefill import CodeFill, Config
from completion.model.tokenizer import Tokenizer
from training.evaluate import evaluate
from training.shards import Shard
from training.trainer import load_checkpoint

MODEL_CARD = "MODEL_CARD.md"


def export(run_folder: Path, corpus_folder: Path, target: Path) -> dict[str, Any]:
    """Evaluate the run's checkpoint on the held-out packages and write it to ``target``."""
    state = load_checkpoint(run_folder / "checkpoint.pt")
    model = CodeFill(Config(**state["config"]))
    model.load_state_dict(state["model"])
    tokenizer_path = run_folder / "tokenizer.json"
    metrics = evaluate(model, Tokenizer.load(tokenizer_path), Shard.load(run_folder / "valid.npz"))
    types = json.loads((run_folder / "types.json").read_text())
    facts = {
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "types": types if model.config.types else [],
        "training": _training(state),
        "metrics": metrics,
        "corpus": json.loads((corpus_folder / "manifest.json").read_text()),
    }
    manifest = checkpoint.save(target, model, tokenizer_path, facts)
    (target / MODEL_CARD).write_text(model_card(manifest))
    return manifest


def _training(state: dict[str, Any]) -> dict[str, Any]:
    progress = state["progress"]
    return {
        "plan": state["plan"],
        "steps": progress["step"],
        "tokens": progress["tokens"],
        "hours": round(progress["seconds"] / 3600, 2),
        "tokens_per_second": round(progress["tokens"] / max(progress["seconds"], 1.0)),
        "torch": str(torch.__version__),
    }


def model_card(manifest: dict[str, Any]) -> str:
    """What the model is, what it was trained on, how well it does, and what it is not."""
    training, metrics, config = manifest["training"], manifest["metrics"], manifest["config"]
    rows = "\n".join(
        f"| {part} | {score['tokens']:,} | {score['loss']:.3f} | {score['bits_per_byte']:.3f} "
        f"| {score['accuracy']:.1%} | {score['type_accuracy']:.1%} |"
        for part, score in metrics.items()
    )
    return CARD.format(
        reading=_reading(config),
        parameters=manifest["parameters"] / 1e6,
        megabytes=manifest["files"][checkpoint.MODEL]["bytes"] / 1e6,
        date=manifest["date"],
        config=config,
        training=training,
        tokens=training["tokens"] / 1e6,
        rows=rows,
        packages=_package_table(manifest["corpus"]["packages"]),
        held_out=", ".join(
            row["name"] for row in manifest["corpus"]["packages"] if row["split"] == "valid"
        ),
    )


def _reading(config: dict[str, Any]) -> str:
    """What the network reads and predicts, in a sentence or two."""
    grams = (
        f"Pairs and triples of tokens are looked up in tables of {config['grams']:,} rows each. "
        if config["grams"]
        else ""
    )
    if not config["types"]:
        return f"It reads tokens alone. {grams}"
    return (
        "One trunk reads tokens and causal syntactic states; one head predicts the AST type of the "
        "next token, the other the token itself given the soft predicted type (after Izadi et al., "
        f"CodeFill, ICSE 2022). {grams}"
    )


def _package_table(packages: list[dict[str, Any]]) -> str:
    return "\n".join(
        f"| {row['name']} | {row['version']} | {row['licence']} | {row['files']} "
        f"| {row['bytes']:,} | {row['split']} |"
        for row in packages
    )


CARD = """\
# CodeFill

A decoder of {parameters:.1f} million parameters ({megabytes:.1f} MB, bfloat16) that fills in the
middle of Python statements. Trained from nothing by `lancefill train`, {date}. Licence: Apache-2.0.

## What it is
{config[layers]} layers of width {config[width]}, {config[heads]} heads ({config[kv_heads]} for keys
and values), rotary positions up to {config[max_positions]}; byte-level BPE of {config[values]}
tokens whose pre-tokens never look ahead. Arm: {training[plan][arm]}. {reading}
Prompts are suffix first:
`<|context|> signatures <|suffix|> S <|prefix|> P M <|end|>`.

## What it is not
A small model after a short run: {training[hours]} hours, {tokens:.1f} million tokens,
{training[steps]} steps. It knows the shape of
Python and copies some names from the text around the cursor; it knows little of any library. Its
confidence decides what is shown. Only Python was in the corpus. What it writes may resemble the
code it was trained on.

## How well it does
Packages that training never saw ({held_out}), cut at uniformly random characters of code lines.
*prefix* is plain next-token prediction; *middle* is fill in the middle, end marker included.

| part | tokens | loss (nats/token) | bits/byte | next token right | its type right |
|---|---|---|---|---|---|
{rows}

## What it was trained on
Permissively licensed packages, deduplicated, at most a few megabytes of each; vendored, generated
and minified files, most tests, and files with strings shaped like secrets were left out.

| package | version | licence | files | bytes | split |
|---|---|---|---|---|---|
{packages}
"""
