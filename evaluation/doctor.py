"""``lancefill doctor``: what is installed, whether it works, and what to do where it does not."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.text import Text

from completion.model import meeting
from evaluation.headless import settled
from evaluation.report import machine
from indexing import cache, store
from indexing.files import MAY_HOLD_SECRETS
from indexing.watching import BUDGET, folders_of
from lsp_server.helpers import Model, model_program
from lsp_server.processes import HelperError
from lsp_server.settings import Settings

PACKAGES = ("indexing", "completion", "lsp_server", "evaluation", "training", "lancefill")
MODEL_ANSWER_S = 60.0


class Level(StrEnum):
    """How a finding is to be taken."""

    FINE = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; ``remedy`` says what to do about a problem."""

    level: Level
    what: str
    text: str
    remedy: str = ""


def run(console: Console) -> int:
    """Print every finding as it is made; return 1 when something must be done, else 0."""
    marks = {Level.FINE: "green", Level.NOTE: "yellow", Level.PROBLEM: "bold red"}
    problems = 0
    for check in CHECKS:
        for found in _guarded(check):
            problems += found.level is Level.PROBLEM
            mark = (f"{found.level:<8}", marks[found.level])
            console.print(Text.assemble(mark, (f"{found.what:<12}", "bold"), found.text))
            if found.remedy:
                console.print(Text(f"{'':20}do: {found.remedy}", style="cyan"))
    return 1 if problems else 0


def _guarded(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Run a check; one that itself fails is a finding too, and the others still run."""
    try:
        yield from check()
    except Exception as error:  # noqa: BLE001 - whatever is broken is what we are looking for
        name = check.__name__.strip("_")
        text = f"could not be checked: {type(error).__name__}: {error}"
        yield Finding(Level.PROBLEM, name, text, "reinstall Lancefill; if it stays, report this")


def _versions() -> Iterator[Finding]:
    facts = machine()
    text = f"lancefill {facts['lancefill']}, Python {facts['python']} ({sys.executable})"
    yield Finding(Level.FINE, "versions", text)
    wanted = ("pygls", "lsprotocol", "tree-sitter", "tree-sitter-python", "jedi", "torch")
    found = [f"{name} {metadata.version(name)}" for name in wanted]
    yield Finding(Level.FINE, "", ", ".join(found))
    yield Finding(Level.FINE, "machine", f"{facts['cpu']}, {facts['cores']} cores")


def _owners() -> Iterator[Finding]:
    """Find other distributions that own a top-level name of ours: one overwrites the other."""
    owners = metadata.packages_distributions()
    yield from owner_findings({name: owners.get(name, []) for name in PACKAGES})


def owner_findings(owners: Mapping[str, list[str]]) -> Iterator[Finding]:
    """Judge who owns our top-level names, given the distributions that claim each."""
    shared = {name: sorted(set(found) - {"lancefill"}) for name, found in owners.items()}
    for name, others in shared.items():
        if others:
            text = f"{name!r} belongs to {', '.join(others)} too: one has overwritten the other"
            remedy = "install Lancefill in an environment of its own (pipx or uv tool)"
            yield Finding(Level.PROBLEM, "packages", text, remedy)
    if not any(shared.values()):
        yield Finding(Level.FINE, "packages", "no other package uses our module names")
    for name in owners:
        module = importlib.import_module(name)
        home, expected = Path(str(module.__file__)).resolve(), Path(__file__).resolve().parents[1]
        if not home.is_relative_to(expected):
            text = f"{name!r} was imported from {home}, not from {expected}"
            yield Finding(Level.PROBLEM, "packages", text, "unset PYTHONPATH and run it again")


def _cache() -> Iterator[Finding]:
    yield from cache_findings(cache.cache_root())


def cache_findings(folder: Path) -> Iterator[Finding]:
    """Judge the cache folder: can it be written, is it private, is every index in it sound."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        text = f"{folder} cannot be written ({error.strerror}): indexes are lost at every end"
        yield Finding(Level.PROBLEM, "cache", text, f"make it yours, or set {cache.VARIABLE}")
        return
    entries = cache.entries(folder)
    size = sum(entry.size for entry in entries) / 2**20
    yield Finding(Level.FINE, "cache", f"{folder}: {len(entries)} indexes, {size:.0f} MB")
    for entry in entries:
        if os.name == "posix" and stat.S_IMODE(entry.folder.stat().st_mode) & 0o077:
            text = f"other users can read the index of {entry.workspace}"
            yield Finding(Level.NOTE, "cache", text, f"chmod 700 {entry.folder}")
        if (problem := _index_problem(entry.folder)) is not None:
            text = f"the index of {entry.workspace} is of no use: {problem}"
            remedy = "nothing: it is built again when the workspace is opened"
            yield Finding(Level.NOTE, "index", text, remedy)
            continue
        yield Finding(Level.FINE, "index", f"{entry.workspace}: {_contents(entry.folder)}")


def _contents(folder: Path) -> str:
    """What a sound index holds and leaves out, and what is watched of its workspace."""
    view = store.open_view(folder)
    secrets = sum(reason == MAY_HOLD_SECRETS for _, reason in view.skipped())
    folders = len(folders_of(view.files))
    watched = "too many to watch" if folders > BUDGET else "watched where the editor does not"
    left_out = f"{secrets} left out that may hold secrets"
    return f"{len(view.files)} files, {left_out}; {folders} folders, {watched}"


def _index_problem(folder: Path) -> str | None:
    """Return what is wrong with the database in ``folder``, None when it is sound."""
    if not (folder / store.FILE_NAME).exists():
        return "there is none yet"
    try:
        connection = store.connect(folder / store.FILE_NAME)
    except store.StoreError as error:
        return str(error)
    try:
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    finally:
        connection.close()
    return None if verdict == "ok" else str(verdict)


def _model() -> Iterator[Finding]:
    """Start the model process as the server does and ask it what it is, and about adapters."""
    adapted = adapted_workspaces(cache.cache_root())
    answer = asyncio.run(_ask_model(adapted))
    if isinstance(answer, str):
        remedy = "popups work without it; reinstall Lancefill to have ghost text again"
        yield Finding(Level.PROBLEM, "model", answer, remedy)
        return
    size = f"{answer['parameters'] / 1e6:.1f}M parameters"
    where = f"{answer['dtype']} on {answer['device']}"
    yield Finding(Level.FINE, "model", f"{answer['model']}, {size}, {where}")
    yield from model_findings(answer)
    yield from adapter_findings(answer["adapters"])


def model_findings(answer: Mapping[str, Any]) -> Iterator[Finding]:
    """Which model it is exactly, and why it is not the one that was chosen."""
    if digest := answer.get("weights_sha256"):
        yield Finding(Level.FINE, "", f"weights sha256 {digest}")
    if family := answer.get("family"):
        revision = answer.get("revision") or "a folder of yours"
        yield Finding(Level.FINE, "", f"asked as {family}, {revision}")
    for note in answer.get("notes", ()):
        yield Finding(Level.NOTE, "", note)
    if problem := answer.get("problem"):
        remedy = "lancefill model list, then use, add or remove what it shows"
        yield Finding(Level.PROBLEM, "", f"not the model in use: {problem}", remedy)


def adapted_workspaces(folder: Path) -> dict[str, Path]:
    """The workspaces in the cache ``folder`` that have an adapter, and where it lies."""
    found = {entry.workspace: cache.adapter_folder(entry.folder) for entry in cache.entries(folder)}
    return {workspace: adapter for workspace, adapter in found.items() if adapter is not None}


def adapter_findings(adapters: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Judge each workspace's adapter by what the model process says of it."""
    if not adapters:
        yield Finding(Level.FINE, "adapter", "none; lancefill train --adapt FOLDER learns one")
    for workspace, answer in adapters.items():
        if problem := answer["adapter_problem"]:
            text = f"the one for {workspace} is not used: {problem}"
            remedy = f"lancefill train --adapt {workspace} (or the same with --remove)"
            yield Finding(Level.NOTE, "adapter", text, remedy)
            continue
        facts = answer["facts"]
        learnt = f"{facts['tokens']:,} tokens, {facts['date']}" if "tokens" in facts else ""
        text = f"in use for {workspace}: rank {facts['rank']}, {learnt}".rstrip(", ")
        yield Finding(Level.FINE, "adapter", text)


async def _ask_model(adapted: Mapping[str, Path]) -> Mapping[str, Any] | str:
    """Return the model process's account of itself and of adapters, or why there is none."""
    model = Model(model_program(Settings().device, in_use=True), lambda: None)
    model.helper.start()
    try:
        await settled(model)
        if reason := model.reason:
            return reason.message
        info = await model.helper.request("info", {}, MODEL_ANSWER_S)
        adapters = {
            workspace: await model.helper.request(
                "adapter", {"adapter": str(folder)}, MODEL_ANSWER_S
            )
            for workspace, folder in adapted.items()
        }
        return {**info, "adapters": adapters}
    except HelperError as error:
        return str(error)
    finally:
        await model.helper.stop()


def _shared() -> Iterator[Finding]:
    """The model processes that editors share now, and where they meet."""
    try:
        folder = meeting.folder()
    except OSError as error:
        text = f"every editor has a model process of its own: {error}"
        yield Finding(Level.NOTE, "sharing", text, "it costs memory only")
        return
    found = list(meeting.running())
    if not found:
        text = f"no editor runs; the model process they share will listen in {folder}"
        yield Finding(Level.FINE, "sharing", text)
    for place, facts in found:
        yield Finding(Level.FINE, "sharing", process_in_words(place, facts))


def process_in_words(place: Path, facts: Mapping[str, Any]) -> str:
    """A shared model process: which, whose, how large, where its log is."""
    pid = int(facts["pid"])
    state = f"editors: {facts['editors']}" if "editors" in facts else "busy"
    if "failure" in facts:
        state = f"its model cannot be loaded: {facts['failure']}, {state}"
    elif "model" in facts:
        state = f"{facts['model']}, {state}"
    with contextlib.suppress(psutil.Error):
        state += f", {psutil.Process(pid).memory_info().rss / 2**20:.0f} MB"
    return f"process {pid} for all editors: {state}; its log: {meeting.log_file(place)}"


CHECKS = (_versions, _owners, _cache, _model, _shared)
