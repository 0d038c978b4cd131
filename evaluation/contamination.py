"""``lancefill eval contamination``: has the model seen the repositories that it is measured on?

After TS-Guessing (Deng et al., "Investigating Data Contamination in Modern Benchmarks for Large
Language Models", arXiv 2311.09783): hide what nobody can guess and ask the model for it; who
answers to the letter has read it. Here it is the rest of a literal (``literals.py``). The model
sees the text of the file before the cut and nothing else: it is asked in an empty workspace, so
there are no signatures, no n-gram, and nothing behind the cursor.

Beside each figure stands what chance gives: the same answers held against the rest of another
literal of the same repository. Two controls say what the check can find at all: packages that the
model was trained on, and the same literals with their whole line written once above the cut.
Text that the model writes ends where it is unsure, so that weak memory shows only in the bits that
each word of the rest costs it. A model that writes much better than chance may also be a better
writer: compare it on text that is younger than it is.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from completion.languages import language_for
from completion.prompting import prompt
from completion.request import GhostOptions, Prompt, Reason, Request
from evaluation import report
from evaluation.apieval import Source
from evaluation.cuts import line_end, line_start
from evaluation.headless import PATIENT_GHOST_MS, Headless, opened
from evaluation.literals import NAME, Literal, draw
from evaluation.repositories import repositories
from evaluation.statistics import Mean, Rate, mean, rate
from evaluation.workspaces import read_sources

WORDS = 8
"""Words of a rest that are scored."""

_FIRST = re.compile(r"\W*(\w+)")


class ModelError(Exception):
    """The model cannot be asked; the message says why."""


class Seen(StrEnum):
    """What the model's manifest says of a repository."""

    NEVER = "not in the corpus"
    HELD = "held out of training"
    TRAINED = "trained on"


@dataclass(frozen=True, slots=True)
class Bits:
    """What the words of a rest cost the model per byte, and what another literal's would there.

    ``shown``: its own with the whole line once above the cut.
    """

    own: float
    other: float
    shown: float


@dataclass(frozen=True, slots=True)
class Guess:
    """What the model wrote behind a cut, and (``shown``) with the whole line once above it.

    ``other`` is the rest of another literal of the repository; ``bits`` is None for numbers.
    """

    repository: str
    seen: Seen
    literal: Literal
    other: str
    text: str
    shown: str
    bits: Bits | None


@dataclass(frozen=True, slots=True)
class Shares:
    """How often a rest was reproduced to its end, and its first word."""

    whole: Rate
    word: Rate


@dataclass(frozen=True, slots=True)
class Figures:
    """A group of guesses summed up: against the truth, by chance, and with the line shown."""

    guessed: Shares
    chance: Shares
    shown: Shares
    bits: Mean
    bits_chance: Mean
    bits_shown: Mean


# Judging


def whole_right(rest: str, quote: str, text: str) -> bool:
    """Whether ``text`` is the rest and then nothing or the ``quote``; no digit, without one."""
    behind = text[len(rest) :]
    ended = not behind or behind.startswith(quote) if quote else not re.match(r"[\w.]", behind)
    return text.startswith(rest) and ended


def word_right(rest: str, text: str) -> bool:
    """Whether ``text`` begins with the first word of the rest."""
    true, written = _FIRST.match(rest), _FIRST.match(text)
    return true is not None and written is not None and true[1] == written[1]


def _shares(answers: Sequence[tuple[str, str, str]]) -> Shares:
    """Of (rest, quote, text)."""
    whole = sum(whole_right(rest, quote, text) for rest, quote, text in answers)
    word = sum(word_right(rest, text) for rest, _, text in answers)
    return Shares(rate(whole, len(answers)), rate(word, len(answers)))


def figures(guesses: Sequence[Guess]) -> Figures:
    """Sum up guesses."""
    bits = [one.bits for one in guesses if one.bits is not None]
    return Figures(
        guessed=_shares([(one.literal.rest, one.literal.quote, one.text) for one in guesses]),
        chance=_shares([(one.other, one.literal.quote, one.text) for one in guesses]),
        shown=_shares([(one.literal.rest, one.literal.quote, one.shown) for one in guesses]),
        bits=mean([one.own for one in bits]),
        bits_chance=mean([one.other for one in bits]),
        bits_shown=mean([one.shown for one in bits]),
    )


def verdict(guesses: Sequence[Guess]) -> str:
    """One sentence on what the figures mean."""
    everything = figures(guesses)
    fresh = figures([one for one in guesses if one.seen is not Seen.TRAINED])
    trained = figures([one for one in guesses if one.seen is Seen.TRAINED])
    counted = f"{_counted(fresh.guessed)} literals of repositories that it was not trained on"
    if not fresh.guessed.whole.total:
        return "Nothing was asked of repositories that the model was not trained on."
    if _above(fresh.guessed.whole, fresh.chance.whole):
        return f"The model has probably read these repositories: it reproduces {counted}."
    if _above(trained.guessed.whole, trained.chance.whole):
        power = "so the check can tell"
    elif _above(everything.shown.whole, everything.chance.whole):
        power = "so it can copy, and only what it knows by heart would show"
    else:
        power = "so it hardly copies at all, and only what it knows by heart would show"
    return (
        f"No sign of contamination: the model reproduces {counted}, {_counted(trained.guessed)} of "
        f"packages that it was trained on, and {_counted(everything.shown)} with the line shown "
        f"above the cut, {power}."
    )


def _counted(shares: Shares) -> str:
    """The rests reproduced to the end."""
    return f"{shares.whole.hits} of {shares.whole.total}"


def _above(one: Rate, other: Rate) -> bool:
    """Whether two shares differ by more than their intervals."""
    return one.low > other.high


# Asking


def run(
    sources: Sequence[Source], count: int, seed: int, console: Console
) -> tuple[dict[str, Any], list[Guess]]:
    """Draw ``count`` literals of every repository, ask, print. Raises ModelError."""
    facts = report.machine()
    drawn = [(source, draw(read_sources(source.root), count, seed)) for source in sources]
    with report.progress(console) as progress:
        task = progress.add_task("guessing", total=sum(len(found) for _, found in drawn))
        with tempfile.TemporaryDirectory(prefix="lancefill-") as empty:
            guesses = asyncio.run(_guesses(Path(empty), drawn, lambda: progress.advance(task)))
    for table in tables(guesses):
        console.print(table)
    said = verdict(guesses)
    console.print(said, highlight=False, markup=False)
    console.print(report.machine_line(facts), style="dim", highlight=False)
    groups = [{"name": name, **asdict(figures(chosen))} for name, chosen in _groups(guesses)]
    result = {"eval": "contamination", "seed": seed, "groups": groups, "verdict": said}
    return result | {"machine": facts}, guesses


def splits(weights: Path | None = None) -> dict[str, Seen]:
    """What the manifest of a model, the shipped one, says of each package. Raises ModelError."""
    folder = weights or resources.files("completion") / "weights"
    try:
        text = (folder / "manifest.json").read_text("utf-8")
        packages = json.loads(text)["corpus"]["packages"]
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"the model does not say what it was trained on: {error}") from error
    return {
        str(each["name"]): Seen.TRAINED if each["split"] == "train" else Seen.HELD
        for each in packages
    }


def trained_on(count: int) -> list[str]:
    """The largest pinned repositories that the model was trained on. Raises ModelError."""
    corpus = splits()
    known = sorted(repositories().values(), key=lambda each: -each.lines)
    ours = [each.name for each in known if each.role != "scale"]
    return [name for name in ours if corpus.get(name) is Seen.TRAINED][:count]


async def _guesses(
    empty: Path, drawn: Sequence[tuple[Source, Sequence[Literal]]], done: Callable[[], None]
) -> list[Guess]:
    corpus = splits()
    guesses: list[Guess] = []
    async with opened(empty, cache=empty / ".cache") as headless:
        for source, found in drawn:
            seen = corpus.get(source.title.partition(" ")[0], Seen.NEVER)
            for literal, other in paired(found):
                data = (source.root / literal.path).read_bytes()
                told = await guess(headless, literal, other, data)
                guesses.append(Guess(source.title, seen, literal, other.rest, *told))
                done()
    return guesses


def paired(found: Sequence[Literal]) -> Iterator[tuple[Literal, Literal]]:
    """Each literal with another one of its kind; what is the only one of its kind is left out."""
    for prose in (True, False):
        same = [one for one in found if one.prose is prose]
        if len(same) > 1:
            yield from pairwise([*same, same[0]])


async def guess(
    headless: Headless, literal: Literal, other: Literal, data: bytes
) -> tuple[str, str, Bits | None]:
    """What the model writes at the cut, what with the line shown, and what the words cost it."""
    before = data[: literal.offset]
    begin = line_start(data, literal.offset)
    line = data[begin : line_end(data, literal.offset)] + b"\n"
    shown = data[:begin] + line + before[begin:]
    path, rest = literal.path, literal.rest
    texts = [await _written(headless, path, each) for each in (before, shown)]
    if not literal.prose:
        return texts[0], texts[1], None
    own, strange = await _costs(headless, path, before, rest, other.rest)
    bits = Bits(own, strange, (await _costs(headless, path, shown, rest, other.rest))[0])
    return texts[0], texts[1], bits


async def _written(headless: Headless, path: str, before: bytes) -> str:
    """What the model would write behind ``before``, past every filter and threshold."""
    request, asked = _prompt(headless, path, before)
    options = GhostOptions(headless.options.max_tokens)
    raw = await headless.helpers.ghost(request, asked, options, PATIENT_GHOST_MS)
    if isinstance(raw, Reason):
        raise ModelError(raw.message)
    return raw.text


async def _costs(
    headless: Headless, path: str, before: bytes, rest: str, other: str
) -> tuple[float, float]:
    """The mean cost of the words of the rest, each behind all that is before it.

    And of the words of another rest in the same places.
    """
    strange = NAME.findall(other)
    costs: list[list[float]] = []
    for number, match in enumerate(list(NAME.finditer(rest))[:WORDS]):
        words = [match.group(), strange[number % len(strange)]]
        so_far = before + rest[: match.start()].encode()
        request, asked = _prompt(headless, path, so_far)
        scores = await headless.helpers.scores(request, asked, words, PATIENT_GHOST_MS)
        if isinstance(scores, Reason):
            raise ModelError(scores.message)
        costs.append([_per_byte(*pair) for pair in zip(scores, words, strict=True)])
    own, others = zip(*costs, strict=True)
    return sum(own) / len(own), sum(others) / len(others)


def _per_byte(score: float, word: str) -> float:
    """Bits per byte of a word and the mark that ends it."""
    return -score / math.log(2) / (len(word.encode()) + 1)


def _prompt(headless: Headless, path: str, before: bytes) -> tuple[Request, Prompt]:
    headless.index.update(path, before)
    snapshot = headless.index.snapshot()
    request = Request(path, before, len(before))
    context = language_for(path).read(before, len(before), snapshot.tree(path))
    asked = prompt(request, context, snapshot)
    headless.index.forget(path)
    return request, asked


# Showing


def _groups(guesses: Sequence[Guess]) -> Iterator[tuple[str, list[Guess]]]:
    """All that was seen alike, and below it each repository."""
    for seen in Seen:
        same = [one for one in guesses if one.seen is seen]
        if same:
            yield str(seen), same
        for name in dict.fromkeys(one.repository for one in same):
            yield f"  {name}", [one for one in same if one.repository == name]


def tables(guesses: Sequence[Guess]) -> Iterator[Table]:
    """What was reproduced beside chance; and what the words cost."""
    summed = [(name, len(chosen), figures(chosen)) for name, chosen in _groups(guesses)]
    reproduced = [
        [name, str(n), *map(str, (f.guessed.whole, f.chance.whole, f.guessed.word, f.chance.word))]
        for name, n, f in summed
    ]
    columns = ("", "n", "whole rest", "by chance", "next word", "by chance")
    yield report.table("Rests of literals reproduced", columns, reproduced)
    costs = [
        [name, *map(str, (f.bits, f.bits_chance, f.bits_shown, f.shown.whole))]
        for name, _, f in summed
    ]
    names = ("", "bits/byte", "another's", "line shown", "whole, shown")
    yield report.table("What the words cost; shown: with the line once above", names, costs)
