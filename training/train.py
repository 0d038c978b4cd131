"""``lancefill train``: from named packages to exported weights in one command.

Corpus, vocabulary, rows, training, evaluation, export: each step is skipped where its result is
there already, and training goes on from its checkpoint. So the command can be stopped at any time
and started again.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Protocol

import torch
from torch import distributed
from torch.multiprocessing import get_context

from completion.model.codefill import Config
from completion.model.tokenizer import Tokenizer
from training.export import export
from training.prepare import prepare
from training.team import Team, joined, launched
from training.trainer import ARMS, Plan, Trainer, TrainingError, load_checkpoint

PROCESSES = 4
"""The most that are started on a processor by default: every one holds the model and the rows."""


def run(
    run_folder: Path,
    corpus_folder: Path,
    *,
    tokens: int | None = None,
    target: Path | None = None,
    plan: Plan | None = None,
    config: Config | None = None,
    processes: int | None = None,
) -> Path | None:
    """Train and export; return the folder of the exported model, or None where it was stopped.

    A run found in ``run_folder`` goes on with the plan and network it began with; ``tokens``
    overrides the plan's budget. The model goes to ``target``, by default ``run_folder/model``.
    ``processes`` train on a processor, by default one per core up to PROCESSES; under ``torchrun``
    all processes call this, and all but the first return None.
    Raises TrainingError where the folder cannot be written or the checkpoint is damaged,
    CorpusError where the corpus cannot be had, and TeamError where a process died.
    """
    _check_writable(run_folder)
    plan = plan or Plan()
    if plan.arm not in ARMS:
        raise TrainingError(f"there is no arm {plan.arm!r}; there are {', '.join(ARMS)}")
    plan, config = _begun(run_folder, plan, replace(config or Config(), **ARMS[plan.arm]))
    if tokens is not None:
        plan = replace(plan, tokens=tokens)
    team, size = launched(), processes or min(os.cpu_count() or 1, PROCESSES)
    if team is None or team.leads:
        prepare(corpus_folder, run_folder, rows=plan.rows, seed=plan.seed, processes=size)
    if team is not None:
        return _train_launched(run_folder, corpus_folder, target, plan, config, team)
    if torch.cuda.is_available():
        size = 1
    if _train(run_folder, plan, config, size):
        print("stopped; the same command goes on from here", flush=True)
        return None
    return _exported(run_folder, corpus_folder, target)


def _exported(run_folder: Path, corpus_folder: Path, target: Path | None) -> Path:
    folder = target if target is not None else run_folder / "model"
    export(run_folder, corpus_folder, folder)
    return folder


def _train_launched(
    run_folder: Path,
    corpus_folder: Path,
    target: Path | None,
    plan: Plan,
    config: Config,
    team: Team,
) -> Path | None:
    """One of the processes that ``torchrun`` started."""
    with joined(team, None):
        distributed.barrier()  # the rows are there
        trainer = Trainer.start(run_folder, plan, _sized(run_folder, config), team)
        with stopped_by_signals(trainer):
            trainer.train()
    if trainer.stopped or not team.leads:
        return None
    return _exported(run_folder, corpus_folder, target)


def _train(run_folder: Path, plan: Plan, config: Config, size: int) -> bool:
    """Train in ``size`` processes, this one leading; return whether it was stopped."""
    config = _sized(run_folder, config)
    if size > 1:
        torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        meeting = Path(folder) / "meeting"
        members = [
            get_context("spawn").Process(
                target=_follow,
                args=(run_folder, plan, config, Team(rank, size), meeting),
                daemon=True,
            )
            for rank in range(1, size)
        ]
        for member in members:
            member.start()
        with joined(Team(0, size), meeting):
            trainer = Trainer.start(run_folder, plan, config, Team(0, size))
            if trainer.progress.step:
                print(f"going on from step {trainer.progress.step}", flush=True)
            with stopped_by_signals(trainer):
                trainer.train()
        for member in members:
            member.join()
    torch.set_num_threads(size)  # the others are gone: what follows has their cores
    return trainer.stopped


def _follow(run_folder: Path, plan: Plan, config: Config, team: Team, meeting: Path) -> None:
    """What the other processes of a team do; they stop when the first one says so."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    torch.set_num_threads(1)
    with joined(team, meeting):
        Trainer.start(run_folder, plan, config, team).train()


def _sized(run_folder: Path, config: Config) -> Config:
    """The network with as many values as the run's vocabulary has."""
    return replace(config, values=Tokenizer.load(run_folder / "tokenizer.json").size)


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


class Stoppable(Protocol):
    """Something that works in steps and looks, after each, whether it should go on."""

    asked_to_stop: bool


@contextmanager
def stopped_by_signals(trainer: Stoppable) -> Iterator[None]:
    """Ctrl-C and SIGTERM let the step end and save."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        trainer.asked_to_stop = True

    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, stop) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
