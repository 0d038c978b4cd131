"""Completions as a person reads them in a terminal: the code and, under the cursor, what came."""

from __future__ import annotations

from collections.abc import Sequence

from rich.padding import Padding
from rich.rule import Rule
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from evaluation.answers import Item

LINES_BEFORE = 4
LINES_AFTER = 1
TAB = 4
CURSOR = "\N{LEFT ONE EIGHTH BLOCK}"
THEME = "ansi_dark"
LABEL_WIDTH = 34
POPUP_INDENT = 7


def place(path: str, data: bytes, offset: int) -> str:
    """Return ``path:line:column`` of a byte offset, both from 1, the column in characters."""
    lines = (data[:offset] + b"|").splitlines()
    return f"{path}:{len(lines)}:{len(lines[-1].decode('utf-8', 'replace'))}"


def heading(left: str, right: str = "") -> Rule:
    """Return the line that opens one position."""
    title = Text.assemble((left, "bold"), (f"  {right}" if right else "", "dim"))
    return Rule(title, align="left", style="cyan")


def code(data: bytes, offset: int, ghost: str = "") -> Text:
    """Return the lines around ``offset`` with the cursor and, dimmed behind it, the ghost text.

    ``data`` is the document as the editor has it. A long ghost text keeps its line breaks.
    """
    row = len((data[:offset] + b"|").splitlines())
    first = max(0, row - 1 - LINES_BEFORE)
    lines = data.splitlines()
    shown = [line.decode("utf-8", "replace") for line in lines[first : row + LINES_AFTER]]
    before = (data[:offset] + b"|").splitlines()[-1].decode("utf-8", "replace")
    column = len(before.expandtabs(TAB)) - 1
    result = Text()
    for number, line in enumerate(_highlighted(shown), start=first + 1):
        result.append(f"{number:>5} ", style="dim")
        result.append("\N{BOX DRAWINGS LIGHT VERTICAL} ", style="cyan" if number == row else "dim")
        result.append_text(_with_cursor(line, column, ghost) if number == row else line)
        result.append("\n")
    result.right_crop(1)
    return result


def popup(items: Sequence[Item], right: str | None = None) -> Padding:
    """Return ``items`` as a list with the evidence beside each; the ``right`` one is marked."""
    grid = Table(box=None, show_header=False, padding=(0, 1), expand=True)
    grid.add_column(justify="right", style="dim", width=2)
    grid.add_column(no_wrap=True, max_width=LABEL_WIDTH)
    grid.add_column(no_wrap=True, style="dim", max_width=10)
    grid.add_column(ratio=1, no_wrap=True, overflow="ellipsis", style="dim")
    for number, item in enumerate(items, start=1):
        label = Text(item.label, style="bold green" if item.label == right else "bold")
        grid.add_row(str(number), label, item.kind, Text(item.why or item.detail))
    return Padding(grid, (0, 0, 0, POPUP_INDENT))


def _highlighted(lines: Sequence[str]) -> list[Text]:
    """Highlight ``lines`` together, so that a string over several of them keeps its colour."""
    source = "\n".join(line.expandtabs(TAB) for line in lines)
    text = Syntax("", "python", theme=THEME, background_color="default").highlight(source)
    text.rstrip()
    found = list(text.split("\n", allow_blank=True))
    return found + [Text() for _ in range(len(lines) - len(found))]


def _with_cursor(line: Text, column: int, ghost: str) -> Text:
    before, after = line.divide([column]) if column < len(line) else (line, Text())
    pad = " " * (column - len(before))
    return Text.assemble(before, pad, (CURSOR, "bold red"), (ghost, "italic dim"), after)
