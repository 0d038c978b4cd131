"""What ``lancefill eval apieval`` was asked to do, done: sources, items, arms, tables, files."""

from __future__ import annotations

import random
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from evaluation import apieval, items, peers, plots, report, tables
from evaluation.apieval import PYTHON, Asked, Source
from evaluation.arms import ARMS, LANCEFILL, Arm, server
from evaluation.items import ApiItem, ItemsError, Shape, Variant
from evaluation.repositories import FetchError, fetch, repositories


class ChoiceError(FetchError):
    """What was asked for does not exist or does not fit together."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The command line's options."""

    names: tuple[str, ...]
    role: str
    language: str
    member: int
    bare: int
    seed: int
    given: Path | None
    items: Path | None
    label_only: bool
    arm_names: tuple[str, ...]
    peer_names: tuple[str, ...]
    commands: tuple[str, ...]
    peer_count: int
    above: bool
    failures: int
    json_file: Path | None
    answers: Path | None
    plots: Path | None


def run(choice: Choice, console: Console) -> dict[str, Any]:
    """Label, ask, print; return the figures. Raises FetchError where something cannot be had."""
    facts = report.machine()
    try:
        with console.status("starting") as status:
            work = list(_items(choice, status.update))
            if choice.items is not None:
                items.write(choice.items, (item for _, found in work for item in found))
            if choice.label_only:
                return {"eval": "apieval", "items": sum(len(found) for _, found in work)}
            asked = list(_asked(choice, work, status.update))
    except (peers.PeersError, ItemsError) as error:
        raise FetchError(str(error)) from error
    _show(asked, choice, console)
    console.print(report.machine_line(facts), style="dim", highlight=False)
    result = {"eval": "apieval", "seed": choice.seed, "machine": facts, **tables.result(asked)}
    _write(asked, result, choice, console)
    return {key: result[key] for key in ("eval", "seed", "goals")}


def counts(member: int, bare: int) -> dict[Shape, int]:
    """How many items of each shape."""
    return {Shape.MEMBER: member, Shape.BARE: bare}


def sources(names: Sequence[str], role: str, language: str = PYTHON) -> list[Source]:
    """The repositories that are meant, fetched where they are pinned. Raises FetchError."""
    if language != PYTHON and not names:
        raise ChoiceError(f"no repository of {language} is pinned: name a folder with --repo")
    known = repositories()
    chosen = names or [name for name, each in known.items() if each.role == role]
    found = []
    for name in chosen:
        if name in known:
            found.append(Source(f"{name} {known[name].version}", fetch(name)))
        elif Path(name).expanduser().is_dir():
            folder = Path(name).expanduser().resolve()
            found.append(Source(folder.name, folder, language, pinned=False))
        else:
            raise ChoiceError(f"{name} is neither a pinned repository nor a folder")
    return found


def _items(choice: Choice, told: apieval.Told) -> Iterator[tuple[Source, list[ApiItem]]]:
    if choice.given is not None:
        if len(choice.names) != 1:
            raise ChoiceError("--from needs --repo FOLDER, the repository of its items")
        yield sources(choice.names, choice.role, choice.language)[0], items.read(choice.given)
        return
    wanted = counts(choice.member, choice.bare)
    for source in sources(choice.names, choice.role, choice.language):
        yield source, apieval.labelled(source, wanted, choice.seed, told)


def _asked(
    choice: Choice, work: Sequence[tuple[Source, list[ApiItem]]], told: apieval.Told
) -> Iterator[Asked]:
    variants = tuple(Variant) if choice.above else (Variant.BELOW,)
    own, others = _arms(choice, told)
    for source, found in work:
        yield from apieval.ask(source.root, found, own, variants, told)
        few = sample(found, choice.peer_count, choice.seed)
        yield from apieval.ask(source.root, few, others, (Variant.BELOW,), told)


def _arms(choice: Choice, told: apieval.Told) -> tuple[list[Arm], list[Arm]]:
    """Our own arms, asked about every item, and other servers, asked about some."""
    unknown = {*choice.arm_names} - {*ARMS}
    strangers = {*choice.peer_names} - {*peers.PEERS}
    if unknown or strangers:
        known = ", ".join((*ARMS, *peers.PEERS))
        raise ChoiceError(f"no arm {', '.join(sorted(unknown | strangers))}; there are: {known}")
    own = [ARMS[name] for name in choice.arm_names or (LANCEFILL.name,)]
    others = [server(shlex.split(command)[0], shlex.split(command)) for command in choice.commands]
    if choice.peer_names:
        folder = peers.environment(told)
        others += [server(name, peers.PEERS[name].command(folder)) for name in choice.peer_names]
    return own, others


def sample(found: Sequence[ApiItem], count: int, seed: int) -> list[ApiItem]:
    """Up to ``count`` of the items of each shape, drawn by ``seed``, in their order."""
    kept: set[ApiItem] = set()
    for shape in Shape:
        same = [item for item in found if item.shape is shape]
        kept |= set(random.Random(seed).sample(same, min(count, len(same))))
    return [item for item in found if item in kept]


def _show(asked: Sequence[Asked], choice: Choice, console: Console) -> None:
    for table in tables.by_arm(asked):
        console.print(table)
    if LANCEFILL.name in tables.arms(asked):
        for table in (*tables.splits(asked), tables.goals(asked), tables.differences(asked)):
            if table.row_count:
                console.print(table)
    for line in tables.failures(asked, choice.failures) if choice.failures else ():
        console.print(line, markup=False, highlight=False)


def _write(
    asked: Sequence[Asked], result: dict[str, Any], choice: Choice, console: Console
) -> None:
    if choice.answers is not None:
        report.write_jsonl(choice.answers, asked)
    if choice.json_file is not None:
        choice.json_file.write_text(report.json_text(result) + "\n", "utf-8")
    if choice.plots is not None:
        try:
            for file in plots.draw(asked, choice.plots):
                console.print(f"drawn: {file}", style="dim", highlight=False)
        except plots.PlotsError as error:
            console.print(str(error), style="yellow")
