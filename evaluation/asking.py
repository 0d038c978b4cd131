"""``lancefill ask``: a request in plain words, answered in the terminal."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax
from rich.text import Text

from completion import retrieval
from completion.request import ApiAnswer
from evaluation import report
from evaluation.show import THEME
from indexing.build import BusyError, build
from indexing.index import Index


def ask(root: Path, request: str, limit: int, near: str, console: Console) -> list[ApiAnswer]:
    """Index ``root`` as far as its files changed and find what fits the request."""
    with console.status("reading the repository"):
        with contextlib.suppress(BusyError):  # an editor keeps its index up to date
            build(root)
        return retrieval.ask(Index.open(root).snapshot(), request, limit, near)


def print_answers(console: Console, answers: Sequence[ApiAnswer]) -> None:
    """Print answers for people."""
    if not answers:
        console.print("Nothing in this repository fits these words.", style="yellow")
    for number, answer in enumerate(answers, 1):
        head = Text.assemble((f"{number}. ", "dim"), (answer.name, "bold"), f"  {answer.kind}")
        console.print(head)
        if answer.documentation:
            console.print(Text("   " + answer.documentation))
        code = "\n".join(line for line in (answer.imported, answer.call) if line)
        console.print(
            Syntax(
                code,
                Syntax.guess_lexer(answer.path),
                theme=THEME,
                padding=(0, 3),
                background_color="default",
            )
        )
        console.print(Text("   " + answer.signature, style="dim"), soft_wrap=True)
        places = [answer.path, *(f"used {path}:{line}" for path, line in answer.used)]
        console.print(Text("   " + ", ".join(places), style="dim"), soft_wrap=True)
        why = "; ".join(each.text for each in answer.evidence if each.text)
        console.print(Text("   " + why, style="dim italic"), soft_wrap=True)


def print_json(console: Console, answers: Sequence[ApiAnswer]) -> None:
    """Print answers as one JSON array."""
    text = json.dumps(report.as_json(list(answers)), ensure_ascii=False)
    console.print(text, soft_wrap=True, highlight=False, markup=False)
