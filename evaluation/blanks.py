"""Outside sets of code with a hole: HumanEval-Infilling and DevBench, read from their JSONL.

HumanEval-Infilling (Bavarian et al., "Efficient training of language models to fill in the middle",
2022) leaves out one line, or a span that begins and ends anywhere, often inside a word. DevBench's
items are pieces of programs in four languages with a completion that its authors hold for right.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.items import ItemsError

PYTHON = "python"
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Blank:
    """Code before and after a hole, what belongs there, and what to run behind all of it.

    ``one_line``: the hole is one whole line with its line break. ``tests`` is empty where there are
    none that can be run.
    """

    name: str
    language: str
    before: str
    after: str
    truth: str
    tests: str
    one_line: bool = False

    def program(self, middle: str) -> str:
        """The whole program with its tests."""
        return f"{self.before}{middle}{self.after}\n{self.tests}\n"


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the sets: where its file lies in the data folder, and how a row is read."""

    name: str
    file: str
    language: str
    blank: Callable[[Row, Kind], Blank]

    def read(self, folder: Path) -> list[Blank]:
        """Read the set. Raises ItemsError."""
        path = folder / self.file
        try:
            rows = path.read_text("utf-8").split("\n")  # other line ends may stand inside strings
            return [self.blank(json.loads(each), self) for each in rows if each.strip()]
        except OSError as error:
            raise ItemsError(f"cannot read {path}: {error.strerror}") from error
        except KeyError as error:
            raise ItemsError(f"{path} is not {self.name}: an item has no {error}") from error
        except (ValueError, TypeError, AttributeError) as error:
            raise ItemsError(f"{path} is not {self.name}: {error}") from error


def _humaneval(row: Row, kind: Kind) -> Blank:
    return Blank(
        name=_text(row, "task_id"),
        language=kind.language,
        before=_text(row, "prompt"),
        after=_text(row, "suffix"),
        truth=_text(row, "canonical_solution"),
        tests=f"{_text(row, 'test')}\ncheck({_text(row, 'entry_point')})",
        one_line=kind.name == "single-line",
    )


def _devbench(row: Row, kind: Kind) -> Blank:
    return Blank(
        name=f"{_text(row, 'category')}/{_text(row, 'id')}",
        language=kind.language,
        before=_text(row, "prefix"),
        after=_text(row, "suffix"),
        truth=_text(row, "golden_completion"),
        tests=_text(row, "assertions") if kind.language == PYTHON else "",
    )


def _text(row: Row, name: str) -> str:
    if not isinstance(row[name], str):
        raise ValueError(f"{name} is no text")
    return str(row[name])


KINDS = {
    kind.name: kind
    for kind in (
        Kind("single-line", "humaneval_infilling/single_line.jsonl", PYTHON, _humaneval),
        Kind("random-span", "humaneval_infilling/random_span.jsonl", PYTHON, _humaneval),
        *(
            Kind(f"devbench-{language}", f"devbench/{language}.jsonl", language, _devbench)
            for language in (PYTHON, "java", "javascript", "typescript")
        ),
    )
}
"""The sets by the names that the command line gives them."""


def sample(blanks: Sequence[Blank], count: int | None, seed: int) -> list[Blank]:
    """``count`` of the blanks, drawn by ``seed``, in the order of the set; all without a count."""
    if count is None or count >= len(blanks):
        return list(blanks)
    drawn = random.Random(seed).sample(range(len(blanks)), count)
    return [blanks[number] for number in sorted(drawn)]
