"""``lancefill eval codefill``: CodeFill's tables of tokens and statements, on held-out packages.

Items are lexemes and ends of statements of real files (``items.py``). All arms
(``arms.py``) are asked about the same ones; answers are scored in ``scores.py``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from completion.model.checkpoint import CheckpointError, load
from evaluation import report
from evaluation.apieval import Source
from evaluation.apirun import ChoiceError
from evaluation.codefill import plots, tables, textscores
from evaluation.codefill.arms import Arm, Asked, Model, Network, Ngram, ask, indexed
from evaluation.codefill.items import Item, draw
from evaluation.codefill.reranker import declared, reranked
from evaluation.codefill.scores import Answers, scored, written
from evaluation.plots import PlotsError
from evaluation.workspaces import read_sources

PER_LENGTH = 0.04
"""Items of the statement task for each n, as a share of the items of the token tables."""

RERANKED = ", re-ranked"
SHIPPED = "shipped"


@dataclass(frozen=True, slots=True)
class Choice:
    """The command line's options; ``weights`` are written NAME=FOLDER."""

    weights: tuple[str, ...]
    count: int
    seed: int
    suffix: bool
    reranker: bool
    json_file: Path | None
    items: Path | None
    plots: Path | None


def run(sources: Sequence[Source], choice: Choice, console: Console) -> dict[str, Any]:
    """Draw, ask, print; return the figures. Raises ChoiceError where something cannot be had."""
    facts = report.machine()
    try:
        textscores.check()
        arms = _arms(choice.weights)
        with console.status("drawing items"):
            items = _drawn(sources, choice)
        answers = _asked(sources, items, arms, choice, console)
        _draw_plots(answers, choice, console)
    except (CheckpointError, PlotsError, textscores.ScoresError) as error:
        raise ChoiceError(str(error)) from error
    for table in tables.tables(answers):
        console.print(table)
    console.print(tables.NOTES, style="dim", highlight=False)
    console.print(report.machine_line(facts), style="dim", highlight=False)
    result = {
        "eval": "codefill",
        "repositories": [source.title for source in sources],
        "count": choice.count,
        "seed": choice.seed,
        "suffix": choice.suffix,
        "machine": facts,
        **tables.result(answers),
    }
    _write(answers, result, choice)
    return {key: result[key] for key in ("eval", "repositories", "count", "seed", "summary")}


def _arms(weights: Sequence[str]) -> list[Arm]:
    """The n-gram, and each network with and without the repository. Raises CheckpointError."""
    named = []
    for each in weights:
        name, equals, folder = each.partition("=")
        if not (name and equals and Path(folder).is_dir()):
            raise ChoiceError(f"{each!r} is not NAME=FOLDER with the folder of a model")
        named.append((name, Path(folder)))
    if len({name for name, _ in named}) < len(named):
        raise ChoiceError("two models of the same name")
    networks = [Network(name, load(folder)) for name, folder in named]
    networks = networks or [Network(SHIPPED, load())]
    models = [Model(one, repository=with_it) for one in networks for with_it in (False, True)]
    return [Ngram(), *models]


def _drawn(sources: Sequence[Source], choice: Choice) -> dict[str, list[Item]]:
    files = {source.title: read_sources(source.root) for source in sources}
    per_length = max(1, round(PER_LENGTH * choice.count))
    items = draw(files, choice.count, per_length, choice.seed)
    if not items:
        raise ChoiceError("there is no Python file to draw from")
    return items


def _asked(
    sources: Sequence[Source],
    items: dict[str, list[Item]],
    arms: Sequence[Arm],
    choice: Choice,
    console: Console,
) -> Answers:
    answers = Answers()
    with report.progress(console) as progress:
        task = progress.add_task("", total=sum(map(len, items.values())))
        for source in sources:
            if source.title not in items:
                continue
            progress.update(task, description=f"indexing {source.title}")
            for asked in _opened(source, items[source.title], suffix=choice.suffix):
                progress.update(task, description=source.title, advance=1)
                _ask(asked, arms, answers, reranker=choice.reranker)
    return answers


def _opened(source: Source, items: Sequence[Item], *, suffix: bool) -> Iterator[Asked]:
    """The items of one repository, file by file, none of whose text behind the cursor is known."""
    with indexed(source.root) as index:
        path, data = "", b""
        for item in items:
            if item.path != path:
                index.forget(path)
                path, data = item.path, (source.root / item.path).read_bytes()
            yield ask(index, item, data, suffix=suffix)


def _ask(asked: Asked, arms: Sequence[Arm], answers: Answers, *, reranker: bool) -> None:
    item = asked.item
    for arm in arms:
        if item.token is None:
            answers.statements.append(written(arm.name, item, arm.rest(asked)))
            continue
        found = arm.next(asked)
        answers.tokens.append(scored(arm.name, item, found))
        if reranker and isinstance(arm, Model):
            names = declared(asked.text[: item.cut])
            before = item.before[-1] if item.before else b""
            words, raw = (reranked(one, before, names) for one in (found.words, found.raw))
            again = dataclasses.replace(found, words=words, raw=raw)
            answers.tokens.append(scored(arm.name + RERANKED, item, again))


def _draw_plots(answers: Answers, choice: Choice, console: Console) -> None:
    if choice.plots is not None:
        for file in plots.draw(answers, choice.plots):
            console.print(f"drawn: {file}", style="dim", highlight=False)


def _write(answers: Answers, result: dict[str, Any], choice: Choice) -> None:
    if choice.json_file is not None:
        choice.json_file.write_text(report.json_text(result) + "\n", "utf-8")
    if choice.items is not None:
        tokens = [one.to_json() for one in answers.tokens]
        report.write_jsonl(choice.items, tokens + [one.to_json() for one in answers.statements])
