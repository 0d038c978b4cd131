"""``lancefill eval bytes``: is the boundary exact, what does it cost, and what is it worth?

Four sections: ``exactness`` (``exactness.py``), ``cost``, ``quality`` and ``infilling``
(``spans.py``), all with the shipped model and without header and n-gram, so that the arms differ in
the boundary alone. ``cost`` uses the eight-bit products of an editor's model, the others float32.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from completion.behind import Behind
from completion.model.checkpoint import CheckpointError, Loaded, load
from completion.model.worker import threads
from completion.spelling.vocabulary import TokenizerError
from completion.tree import CanonicalModel
from evaluation import report
from evaluation.apieval import Source
from evaluation.apirun import ChoiceError
from evaluation.bytes import cost, covers, exactness, genlm, plots, quality, spans, vocabularies
from evaluation.bytes.arms import Arm, Branches, token_arms
from evaluation.bytes.bench import Bench
from evaluation.bytes.healing import TransformersHealing
from evaluation.bytes.places import Files, cursors, identifiers
from evaluation.items import ItemsError
from evaluation.plots import PlotsError
from evaluation.workspaces import read_sources

SECTIONS = ("exactness", "vocabularies", "cost", "quality", "infilling")

NOTES = """\
none: decoding goes on behind the text's last token; one-token: that token is taken back and its
bytes forced; token_healing: transformers' own, on the text before the cursor alone. ours: the
likeliest leaf of the exact boundary goes on greedily; branches: as the product decodes. genlm-bytes
sums in float32. ruled out: what can come, or truly comes, has no chance at all."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The command line's options.

    ``cases`` toy texts, ``count`` cursors and as many identifiers (a third as many short ones),
    ``spans`` holes, ``splits`` texts in tokens of each vocabulary.
    """

    sections: tuple[str, ...]
    cases: int
    splits: int
    count: int
    spans: int
    seed: int
    data: Path
    weights: Path | None
    peers: bool
    install_peers: bool
    run_tests: bool
    json_file: Path | None
    items: Path | None
    plots: Path | None


@dataclass(slots=True)
class _Run:
    """What the sections share: where they print, what they found, which items they asked about."""

    choice: Choice
    console: Console
    loaded: Loaded
    files: Files
    peers: bool
    found: dict[str, Any] = field(default_factory=dict)
    items: list[Any] = field(default_factory=list)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[], None]]:
        """A progress bar, as the function that moves it by one."""
        with report.progress(self.console) as bar:
            task = bar.add_task(what, total=total)
            yield lambda: bar.advance(task)

    def beams(self, bench: Bench, runner: asyncio.Runner) -> list[genlm.GenlmBytes]:
        """The arms of genlm-bytes; none where they are left out."""
        return genlm.arms(bench, runner) if self.peers else []

    def show(self, title: str, header: Sequence[str], rows: Iterator[list[str]]) -> None:
        """Print a table."""
        self.console.print(report.table(title, header, rows))

    def draw(self, picture: Callable[[Any, Path], Path], rows: Sequence[Any]) -> None:
        """Draw a picture where pictures are wanted."""
        if self.choice.plots is not None:
            file = picture(rows, self.choice.plots)
            self.console.print(f"drawn: {file}", style="dim", highlight=False)


def run(sources: Sequence[Source], choice: Choice, console: Console) -> dict[str, Any]:
    """Measure, print; return the figures. Raises ChoiceError where something cannot be had."""
    facts = report.machine()
    torch.set_num_threads(threads())
    try:
        if choice.plots is not None:
            plots.ready(choice.plots)
        peers = _peers(choice, console)
        files = {
            (source.title, path): data
            for source in sources
            for path, data in read_sources(source.root).items()
            if data.strip()
        }
        running = _Run(choice, console, load(choice.weights), files, peers)
        for name in choice.sections or SECTIONS:
            running.found[name] = _SECTIONS[name](running)
    except (
        CheckpointError, PlotsError, TokenizerError, genlm.PeerError, exactness.ScipyError,
        ItemsError,
    ) as error:  # fmt: skip
        raise ChoiceError(str(error)) from error
    console.print(NOTES, style="dim", highlight=False)
    console.print(report.machine_line(facts), style="dim", highlight=False)
    result = {
        "eval": "bytes",
        "repositories": [source.title for source in sources],
        "cases": choice.cases,
        "splits": choice.splits,
        "count": choice.count,
        "spans": choice.spans,
        "seed": choice.seed,
        "machine": facts,
        **running.found,
    }
    if choice.json_file is not None:
        choice.json_file.write_text(report.json_text(result) + "\n", "utf-8")
    if choice.items is not None:
        report.write_jsonl(choice.items, running.items)
    summary = ("eval", "repositories", "cases", "count", "spans", "seed")
    goals = {name: found.get("goals") for name, found in running.found.items()}
    return {key: result[key] for key in summary} | {"goals": goals}


def draw_tree(text: str, weights: Path | None, folder: Path) -> Path:
    """Draw the cover tree of what is open at the end of ``text``; return the file.

    Raises ChoiceError where that cannot be done.
    """
    try:
        plots.ready(folder)
        loaded = load(weights)
        here = Behind.of(CanonicalModel(loaded.model, loaded.tokenizer), text)
        return plots.cover_tree(covers.of_place(here), here.layout.tail, folder)
    except (CheckpointError, PlotsError, ValueError) as error:
        raise ChoiceError(str(error)) from error


def _peers(choice: Choice, console: Console) -> bool:
    """Whether genlm-bytes can be asked; says so where it cannot. Raises PeerError."""
    if not choice.peers:
        return False
    if choice.install_peers:
        with console.status("installing genlm-bytes (once)"):
            genlm.install()
    try:
        genlm.imported()
    except genlm.PeerError as error:
        console.print(str(error), style="yellow", highlight=False)
        return False
    return True


def _exactness(running: _Run) -> dict[str, Any]:
    choice, bench = running.choice, Bench.loaded(running.loaded)
    with running.progress("toy texts", choice.cases) as done:
        errors, tests = exactness.on_toys(choice.cases, choice.seed, done, peers=running.peers)
    toys = exactness.rows(errors)
    places = cursors(running.files, choice.count, choice.seed)
    with asyncio.Runner() as runner, running.progress("cursors in code", len(places)) as done:
        errors = exactness.on_code(bench, places, running.beams(bench, runner), done)
    code = exactness.rows(errors)
    running.show(
        "toy vocabularies, against enumeration", exactness.HEADER, exactness.table_rows(toys)
    )
    running.show(
        "shipped model, against the exact boundary", exactness.HEADER, exactness.table_rows(code)
    )
    sampling = exactness.sampling(tests)
    running.console.print(f"samples of the boundary: {sampling}", highlight=False)
    running.draw(plots.errors, toys)
    return {
        "toys": toys,
        "code": code,
        "sampling": sampling,
        "goals": exactness.goals(toys, tests),
    }


def _vocabularies(running: _Run) -> dict[str, Any]:
    choice = running.choice
    paths = vocabularies.files_in(choice.data / "tokenizers")
    if not paths:
        said = f"vocabularies: left out, for there is none in {choice.data / 'tokenizers'} (--data)"
        running.console.print(said, style="yellow", highlight=False)
        return {"skipped": said}
    found = []
    with running.progress("random splits", choice.splits * len(paths)) as done:
        for path in paths:
            row = vocabularies.measure(
                path, running.files, choice.splits, choice.count, choice.seed, done
            )
            found.append(row)
    running.show(
        "real vocabularies, against full re-encoding",
        vocabularies.HEADER,
        vocabularies.table_rows(found),
    )
    return {"rows": found, "goals": vocabularies.goals(found)}


def _cost(running: _Run) -> dict[str, Any]:
    choice, bench = running.choice, Bench.loaded(running.loaded, fast=True)
    places = cursors(running.files, choice.count, choice.seed)
    with asyncio.Runner() as runner, running.progress("cursors, timed", len(places)) as done:
        costs = cost.measure(bench, places, running.beams(bench, runner), done)
    found = cost.rows(costs)
    running.show("to the first byte behind the cursor", cost.HEADER, cost.table_rows(found))
    running.draw(plots.costs, found)
    running.items += costs
    return {"rows": found, "goals": cost.goals(found)}


def _quality(running: _Run) -> dict[str, Any]:
    choice, bench = running.choice, Bench.loaded(running.loaded)
    longer = identifiers(running.files, choice.count, choice.seed, longer=True)
    shorter = identifiers(running.files, -(-choice.count // 3), choice.seed, longer=False)
    if not longer:
        raise ChoiceError("there is no identifier that is long enough")
    answers = []
    with asyncio.Runner() as runner:
        arms: list[Arm] = [
            *token_arms(bench), Branches(bench), TransformersHealing.loaded(running.loaded),
            *running.beams(bench, runner),
        ]  # fmt: skip
        for chosen in (longer, shorter):
            with running.progress("identifiers", len(chosen)) as done:
                answers.append(quality.ask(bench, running.files, chosen, arms, done))
    found = quality.rows(answers[0])
    running.show("the rest of an identifier", quality.HEADER, quality.table_rows(found))
    short = (one for one in quality.rows(answers[1]) if one.offset is None)
    running.show("of a short one", quality.HEADER, quality.table_rows(list(short)))
    gains = quality.gains(answers[0])
    running.show("gains, in points and nats", ("", "files", "gain"), quality.gain_rows(gains))
    running.draw(plots.offsets, found)
    running.items += [one for each in answers for one in each]
    return quality.result(*answers)


def _infilling(running: _Run) -> dict[str, Any]:
    choice, bench = running.choice, Bench.loaded(running.loaded)
    if not choice.data.is_dir():
        said = f"infilling: left out, for there is no folder {choice.data}: name one with --data"
        running.console.print(said, style="yellow", highlight=False)
        return {"skipped": said}
    blanks = spans.read(choice.data, choice.spans, choice.seed)
    with running.progress("holes", len(blanks)) as done:
        filled = spans.fill(bench, blanks, token_arms(bench), done, run_tests=choice.run_tests)
    found = spans.rows(filled)
    running.show("HumanEval random spans", spans.HEADER, spans.table_rows(found))
    running.items += filled
    return {"rows": found}


_SECTIONS: dict[str, Callable[[_Run], dict[str, Any]]] = {
    "exactness": _exactness,
    "vocabularies": _vocabularies,
    "cost": _cost,
    "quality": _quality,
    "infilling": _infilling,
}
