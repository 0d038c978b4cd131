"""``lancefill train --adapt REPO``: a short fine-tune on somebody's own repository.

LoRA (Hu et al., ICLR 2022) on the matrices of the blocks, through peft, on the processor. The
figures on the repository's held-out files decide whether the adapter is kept: one that does not
help there is not written. Rows, checkpoint and adapter lie in the workspace's cache folder, never
in the repository. A run that was stopped goes on with the rows it began with, on the same curve.
"""

from __future__ import annotations

import datetime
import json
import shutil
import time
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import filelock
import torch
from rich.console import Console
from torch import Tensor, nn

from completion.model import adapter, checkpoint
from completion.model.adapter import Adapter, Pair
from completion.model.checkpoint import Loaded
from completion.model.codefill import CodeFill
from indexing import cache
from indexing.system import cores
from training.adapted import Figures, helps, table
from training.batches import collate, plan_epoch
from training.evaluate import evaluate
from training.loss import loss_of
from training.repository import Files, find, rows
from training.shards import Shard
from training.train import stopped_by_signals
from training.trainer import CLIP, TrainingError, load_checkpoint, write_checkpoint

FOLDER = "adapting"
"""Where in the workspace's cache folder an unfinished run is."""
WARM_UP = 0.05  # share of the steps in which the rate rises; then it falls in a line to nothing
CHECKPOINT_SECONDS = 15.0
PROGRESS_SECONDS = 5.0
NAMED = 5  # files that are left out, of which name and reason are shown
STOPPED = "stopped; the same command goes on from here"
CPU = torch.device("cpu")


class AdaptError(TrainingError):
    """The run cannot start or go on; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a model is adapted; kept with the run, so that it goes on as it began."""

    tokens: int = 300_000
    rank: int = 8
    scale: int = 2
    rate: float = 1e-2
    batch_tokens: int = 2048
    seed: int = 0


def run(
    root: Path,
    console: Console,
    *,
    plan: Plan | None = None,
    weights: Path | None = None,
    cache_root: Path | None = None,
) -> Path | None:
    """Adapt the model in ``weights``, by default the shipped one, to the repository ``root``.

    Returns the adapter's folder, or None where the run was stopped or the adapter does not help.
    Raises TrainingError where the repository holds too little, the cache cannot be written, or
    another process is at it, CheckpointError where the model cannot be loaded.
    """
    plan = plan or Plan()
    place = _place(root, cache_root)
    try:
        with filelock.FileLock(place / f"{FOLDER}.lock", timeout=0):
            return _run(root, place, console, plan, weights)
    except filelock.Timeout as error:
        raise AdaptError(f"another process is adapting the model to {root}") from error
    except KeyboardInterrupt:  # between the steps; within them the trainer hears it
        console.print(STOPPED)
        return None
    except OSError as error:
        raise AdaptError(f"cannot write the cache {place}: {error.strerror or error}") from error


def remove(root: Path, cache_root: Path | None = None) -> bool:
    """Delete the repository's adapter and an unfinished run; False where there was neither.

    Raises AdapterError where it cannot be deleted, AdaptError while a run is going.
    """
    place = cache.workspace_folder(root, cache_root)
    if not place.is_dir():
        return False
    try:
        with filelock.FileLock(place / f"{FOLDER}.lock", timeout=0):
            unfinished = (place / FOLDER).exists()
            shutil.rmtree(place / FOLDER, ignore_errors=True)
            return adapter.remove(place / cache.ADAPTER) or unfinished
    except filelock.Timeout as error:
        raise AdaptError(f"another process is adapting the model to {root}") from error


def _run(
    root: Path, place: Path, console: Console, plan: Plan, weights: Path | None
) -> Path | None:
    torch.set_num_threads(cores())
    _need_peft()
    loaded = checkpoint.load(weights, CPU)
    folder = place / FOLDER
    _prepare(root, folder, console, plan, loaded)
    trainer = Adaptation(folder, plan, loaded)
    if trainer.step:
        console.print(f"going on from step {trainer.step} of {len(trainer.batches)}")
    with stopped_by_signals(trainer):
        finished = trainer.train(console)
    if not finished:
        console.print(STOPPED)
        return None
    learnt = trainer.adapter()
    valid = Shard.load(folder / "valid.npz")
    figures = _figures(loaded, learnt, valid)
    console.print(table(figures))
    worth_it = _is_worth_keeping(place, figures, loaded, valid, console)
    kept = _keep(place, learnt, figures, trainer, root) if worth_it else None
    shutil.rmtree(folder, ignore_errors=True)
    return kept


def _place(root: Path, cache_root: Path | None) -> Path:
    """The workspace's cache folder, which is there and can be written."""
    place = cache.workspace_folder(root, cache_root)
    try:
        cache.note_use(root, place)
    except OSError as error:
        raise AdaptError(f"cannot write the cache {place}: {error.strerror}") from error
    return place


def _prepare(root: Path, folder: Path, console: Console, plan: Plan, loaded: Loaded) -> None:
    """Cut the rows, unless an unfinished run of the same plan and model has them."""
    wanted = {"plan": asdict(plan), "base_sha256": loaded.sha256}
    path = folder / "run.json"
    if path.is_file():
        if path.read_text("utf-8", errors="replace") == json.dumps(wanted):
            return
        console.print("an unfinished run was begun with another model or plan: starting anew")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    files = find(root)
    _say_files(files, console)
    train, valid = rows(files, loaded, plan.tokens, plan.seed)
    train.save(folder / "train.npz")
    valid.save(folder / "valid.npz")
    path.write_text(json.dumps(wanted), "utf-8")  # last: the rows are whole


def _say_files(files: Files, console: Console) -> None:
    console.print(
        f"{len(files.train)} files to learn from, {len(files.held_out)} held out, "
        f"{len(files.left_out)} left out"
    )
    for path, reason in files.left_out[:NAMED]:
        console.print(f"  {path}: {reason}", markup=False, highlight=False)
    if len(files.left_out) > NAMED:
        rest = ", ".join(f"{count} {reason}" for reason, count in files.reasons.most_common())
        console.print(f"  all reasons: {rest}", markup=False, highlight=False)


def _figures(loaded: Loaded, learnt: Adapter, valid: Shard) -> Figures:
    changed = adapter.merged(loaded.model, learnt)  # what the product will run
    return Figures(
        evaluate(loaded.model, loaded.tokenizer, valid),
        evaluate(changed, loaded.tokenizer, valid),
    )


def _is_worth_keeping(
    place: Path, figures: Figures, loaded: Loaded, valid: Shard, console: Console
) -> bool:
    """Whether the new adapter is better than none, and than the one that is there already."""
    unchanged = "it is not kept, and nothing has changed"
    if not helps(figures):
        console.print(f"the adapter does not help on the held-out files: {unchanged}")
        return False
    try:
        earlier = adapter.load(place / cache.ADAPTER, loaded.sha256)
        changed = adapter.merged(loaded.model, earlier)
    except adapter.AdapterError:  # there is none, or none that can be used
        return True
    known = evaluate(changed, loaded.tokenizer, valid)
    if not helps(Figures(known, figures.after)):
        console.print(f"the adapter of {earlier.facts.get('date')} is as good: {unchanged}")
        return False
    return True


def _keep(place: Path, learnt: Adapter, figures: Figures, trainer: Adaptation, root: Path) -> Path:
    """Write the adapter."""
    facts = {
        "repository": str(root),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "tokens": trainer.tokens,
        "seconds": round(trainer.seconds),
        "plan": asdict(trainer.plan),
        "held_out": asdict(figures),
    }
    folder = place / cache.ADAPTER
    adapter.save(
        folder, Adapter(learnt.base_sha256, learnt.rank, learnt.scale, learnt.pairs, facts)
    )
    return folder


class Adaptation:
    """A run and its loop, which can be stopped at any step and started again."""

    def __init__(self, folder: Path, plan: Plan, loaded: Loaded) -> None:
        """Raises TrainingError where ``folder`` holds a damaged checkpoint."""
        self.folder, self.plan, self.base_sha256 = folder, plan, loaded.sha256
        self.asked_to_stop = False
        self.step = self.tokens = 0
        self.seconds = 0.0
        self.shard = Shard.load(folder / "train.npz")
        self.batches = plan_epoch(self.shard.lengths, plan.batch_tokens, plan.seed)
        self.network = injected(loaded.model, plan)
        self.optimiser = torch.optim.AdamW(
            self._weights().values(), lr=plan.rate, betas=(0.9, 0.95), weight_decay=0.0
        )
        if self._path.is_file():
            self._restore(load_checkpoint(self._path))

    def train(self, console: Console) -> bool:
        """Steps until the rows are read or ``asked_to_stop``; whether it finished."""
        saved = told = time.monotonic()
        begun, at_first = told, self.tokens
        losses: list[float] = []
        while self.step < len(self.batches) and not self.asked_to_stop:
            losses.append(self._step())
            now = time.monotonic()
            if now - told >= PROGRESS_SECONDS or self.step == len(self.batches):
                told = now
                speed = (self.tokens - at_first) / max(now - begun, 1e-9)
                _say_progress(console, self, losses, speed)
                losses.clear()
            if now - saved >= CHECKPOINT_SECONDS:
                saved = now
                self.save()
        self.save()
        return self.step == len(self.batches)

    def adapter(self) -> Adapter:
        """What has been learnt so far."""
        weights = {name: weight.detach() for name, weight in self._weights().items()}
        names = [name.removesuffix(".a") for name in weights if name.endswith(".a")]
        pairs = {name: Pair(weights[f"{name}.a"], weights[f"{name}.b"]) for name in names}
        return Adapter(self.base_sha256, self.plan.rank, self.plan.scale, pairs)

    def save(self) -> None:
        """Write the checkpoint. Raises TrainingError where it cannot be written."""
        state = {
            "weights": {name: weight.detach() for name, weight in self._weights().items()},
            "optimiser": self.optimiser.state_dict(),
            "progress": [self.step, self.tokens, self.seconds],
        }
        write_checkpoint(state, self._path)

    @property
    def _path(self) -> Path:
        return self.folder / "checkpoint.pt"

    def _step(self) -> float:
        began = time.monotonic()
        batch = collate(self.shard, self.batches[self.step], CPU)
        for group in self.optimiser.param_groups:
            group["lr"] = self.plan.rate * schedule(self.step, len(self.batches))
        loss = loss_of(self.network, batch)
        torch.autograd.backward(loss.total)
        nn.utils.clip_grad_norm_(self._weights().values(), CLIP)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self.step += 1
        self.tokens += batch.tokens
        self.seconds += time.monotonic() - began
        return float(loss.value.detach())

    def _weights(self) -> dict[str, Tensor]:
        """What is trained: ``<module>.a`` and ``<module>.b`` of every matrix."""
        found: dict[str, Tensor] = {}
        for name, module in self.network.named_modules():
            if hasattr(module, "lora_A"):
                found[f"{name}.a"] = module.lora_A["default"].weight
                found[f"{name}.b"] = module.lora_B["default"].weight
        return found

    @torch.no_grad()
    def _restore(self, state: dict[str, Any]) -> None:
        for name, weight in self._weights().items():
            weight.copy_(state["weights"][name])
        self.optimiser.load_state_dict(state["optimiser"])
        self.step, self.tokens, self.seconds = state["progress"]


def _need_peft() -> None:
    """Raises AdaptError where it is not installed, before anything takes time."""
    if find_spec("peft") is None:
        raise AdaptError("adapting needs the package peft: pip install 'lancefill[eval]'")


def injected(network: CodeFill, plan: Plan) -> CodeFill:
    """The network with an untrained adapter at every matrix of its blocks, by peft.

    ``network`` itself stays as it was; its tensors are shared.
    """
    from peft import LoraConfig, inject_adapter_in_model

    torch.manual_seed(plan.seed)
    changed = adapter.sharing(network)
    matrices = [
        name
        for name, module in changed.named_modules()
        if name.startswith("blocks.") and isinstance(module, nn.Linear)
    ]
    config = LoraConfig(
        r=plan.rank, lora_alpha=plan.rank * plan.scale, target_modules=matrices, bias="none"
    )
    inject_adapter_in_model(config, changed)
    return changed.train()


def schedule(step: int, steps: int) -> float:
    """The learning rate's factor: up in the first steps, then down in a line to nothing."""
    rise = (step + 1) / max(WARM_UP * steps, 1.0)
    fall = 1.0 - step / steps
    return min(1.0, rise, fall / (1.0 - WARM_UP))


def _say_progress(console: Console, trainer: Adaptation, losses: list[float], speed: float) -> None:
    total = len(trainer.shard.values)
    left = (total - trainer.tokens) / speed
    console.print(
        f"step {trainer.step} of {len(trainer.batches)}  loss {sum(losses) / len(losses):.3f}  "
        f"{trainer.tokens / 1000:.0f}k of {total / 1000:.0f}k tokens  {speed:,.0f} tokens/s  "
        f"{max(left, 0.0) / 60:.1f} min left",
        highlight=False,
    )
