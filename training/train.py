"""``lancefill train``: from named packages to exported weights in one command.

Corpus, vocabulary, rows, training, evaluation, export: each step is skipped where its result is
there already, and training goes on from its checkpoint. So the command can be stopped at any time
and started again.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

import torch
from torch.multiprocessing import get_context

from completion.model.codefill import Config
from completion.model.tokenizer import Tokenizer
from training.export import export
from training.prepare import prepare
from training.team import Team, make_team
from training.trainer import Plan, Trainer, TrainingError, load_checkpoint


def run(
    run_folder: Path,
    corpus_folder: Path,
    *,
    minutes: float | None = None,
    target: Path | None = None,
    plan: Plan | None = None,
    config: Config | None = None,
) -> Path | None:
    """Train and export; return the folder of the exported model, or None where it was stopped.

    A run found in ``run_folder`` goes on with the plan and network it began with; ``minutes``
    overrides the plan's. The model goes to ``target``, by default ``run_folder/model``.
    Raises TrainingError where the folder cannot be written or the checkpoint is damaged, and
    CorpusError where the corpus cannot be had.
    """
    _check_writable(run_folder)
    plan, config = _begun(run_folder, plan or Plan(), config or Config())
    if minutes is not None:
        plan = replace(plan, minutes=minutes)
    prepare(corpus_folder, run_folder, rows=plan.rows, seed=plan.seed, processes=plan.processes)
    vocabulary = Tokenizer.load(run_folder / "tokenizer.json").size
    stopped = _train(run_folder, plan, replace(config, values=vocabulary))
    if stopped:
        print("stopped; the same command goes on from here", flush=True)
        return None
    folder = target if target is not None else run_folder / "model"
    export(run_folder, corpus_folder, folder)
    return folder


def _train(run_folder: Path, plan: Plan, config: Config) -> bool:
    """Train in as many processes as planned, this one leading; return whether it was stopped."""
    trainer = Trainer.start(run_folder, plan, config)
    if trainer.progress.step:
        print(f"going on from step {trainer.progress.step}", flush=True)
    members = []
    if plan.processes > 1 and trainer.device.type == "cpu":
        parameters = sum(weight.numel() for weight in trainer.model.parameters())
        trainer.team, *others = make_team(plan.processes, parameters, trainer.progress.tokens)
        torch.set_num_threads(1)
        members = [
            get_context("spawn").Process(
                target=_follow, args=(run_folder, plan, config, team), daemon=True
            )
            for team in others
        ]
    for member in members:
        member.start()
    with _stopped_by_signals(trainer):
        trainer.train()
    for member in members:
        member.join()
    return trainer.stopping


def _follow(run_folder: Path, plan: Plan, config: Config, team: Team) -> None:
    """What the other processes of a team do; they stop when the first one says so."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)
    trainer = Trainer.start(run_folder, plan, config)
    trainer.team = team
    trainer.train()


def _begun(run_folder: Path, plan: Plan, config: Config) -> tuple[Plan, Config]:
    """The plan and network of the run in this folder, or those of a new one."""
    path = run_folder / "checkpoint.pt"
    if not path.is_file():
        return plan, config
    state = load_checkpoint(path)
    return Plan(**state["plan"]), Config(**state["config"])


def _check_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise TrainingError(f"cannot write to {folder}: {error.strerror}") from error


@contextmanager
def _stopped_by_signals(trainer: Trainer) -> Iterator[None]:
    """Ctrl-C and SIGTERM let the step end and save."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        trainer.stopping = True

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
