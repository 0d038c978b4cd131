"""``lancefill demo``, what ``make run`` shows: the real server completing real code.

Positions are sampled by seed from the repository's own call sites, the rest of their lines is cut
away in the open document (never on disk), and what comes back is shown as it came, wrong or right.
An open document hides its file from the index. A few positions make a picture, not a measurement:
that is ``lancefill eval``.
"""

from __future__ import annotations

import asyncio
import math
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import rich
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from evaluation import cuts, show
from evaluation.answers import GhostAnswer, PopupAnswer, line_right, name_right, rank
from evaluation.cuts import Cut, Place
from evaluation.editor import Editor, editing
from evaluation.report import machine, machine_line, table
from evaluation.repositories import FetchError, fetch, repositories
from evaluation.statistics import spread
from evaluation.workspaces import read_sources
from indexing.files import Found, discover

DEFAULT = "openai-agents"
SHOWN_ITEMS = 5


@dataclass(frozen=True, slots=True)
class Shown:
    """One position with what came back for it."""

    cut: Cut
    popup: PopupAnswer
    ghost: GhostAnswer

    @property
    def rank(self) -> int | None:
        """Where the true name stands in the popup, from 1; None when it is not there."""
        return rank(self.cut, self.popup, late_ms=math.inf)

    @property
    def in_sight(self) -> bool:
        """Whether the true name is among the items that are shown."""
        return self.rank is not None and self.rank <= SHOWN_ITEMS


def main(
    repo: Path | None, console: Console, *, per_place: int, seed: int, svg: Path | None
) -> None:
    """Show ``repo``, or without one a repository that nobody here wrote."""
    root, title = (repo, str(repo)) if repo else _default(console)
    run(root, title, console, per_place, seed)
    if svg is not None:  # before what names paths of this machine
        svg.write_text(without_fonts(console.export_svg(title="lancefill demo")), "utf-8")
    console.print(connect(), highlight=False)


def without_fonts(picture: str) -> str:
    """The picture without rich's links to web fonts: whoever opens it asks nobody for anything."""
    return re.sub(r"\s*@font-face \{.*?\}\n", "", picture, flags=re.DOTALL)


def _default(console: Console) -> tuple[Path, str]:
    """Return the default repository and its title; offline, an installed package's source."""
    chosen = repositories()[DEFAULT]
    try:
        with console.status(f"fetching {chosen.name} {chosen.version}"):
            return fetch(DEFAULT), f"{chosen.name} {chosen.version} ({chosen.licence})"
    except FetchError as error:
        console.print(Text(str(error), style="yellow"))
        return Path(rich.__file__).parent, f"rich {metadata.version('rich')}, as installed"


def run(root: Path, title: str, console: Console, per_place: int, seed: int) -> list[Shown]:
    """Complete ``per_place`` sampled positions of every place in ``root``, printing each."""
    files = read_sources(root, (one.path for one in discover(root) if isinstance(one, Found)))
    sampled = cuts.sample(files, dict.fromkeys(Place, per_place), seed, per_file=1)
    lines = sum(data.count(b"\n") for data in files.values())
    console.print(Text.assemble((title, "bold"), f"  {len(files)} files, {lines:,} lines"))
    console.print(
        f"{len(sampled)} positions drawn from its call sites with seed {seed}\n", highlight=False
    )
    shown = asyncio.run(_complete(root, files, sampled, console))
    console.print(summary(shown))
    console.print(machine_line(machine()), style="dim", highlight=False)
    return shown


async def _complete(
    root: Path, files: Mapping[str, bytes], sampled: Sequence[Cut], console: Console
) -> list[Shown]:
    start = time.perf_counter()
    shown = []
    async with editing(root) as editor:
        with console.status("starting the language server") as status:
            await editor.settled(status.update)
        console.print(f"server, index and model ready in {time.perf_counter() - start:.1f} s\n")
        for number, cut in enumerate(sampled, start=1):
            shown.append(await _position(editor, cut, files[cut.path]))
            console.print(render(shown[-1], files[cut.path], f"{number}/{len(sampled)}"))
    return shown


async def _position(editor: Editor, cut: Cut, data: bytes) -> Shown:
    """Type the line up to the cursor in the open file, ask for everything, close it unsaved.

    An editor has asked for ghost text on this line before; so does this, where the line starts.
    """
    start = cuts.line_start(data, cut.offset)
    start += len(data[start : cut.offset]) - len(data[start : cut.offset].lstrip())
    editor.open(cut.path, data[:start] + data[cuts.line_end(data, start) :])
    if start < cut.offset:
        await editor.ghost(cut.path, start)
    await editor.caught_up()
    editor.replace(cut.path, start, start, data[start : cut.offset].decode())
    popup = await editor.popup(cut.path, cut.offset, resolve=SHOWN_ITEMS)
    ghost = await editor.ghost(cut.path, cut.offset)
    editor.close(cut.path)
    return Shown(cut, popup, ghost)


def render(shown: Shown, data: bytes, number: str) -> Group:
    """Return one position as a person sees it: code with ghost text, popup, what was right."""
    cut = shown.cut
    cut_data = cuts.without_rest(data, cut.offset)
    return Group(
        show.heading(show.place(cut.path, data, cut.offset), f"{cut.place}  {number}"),
        show.code(cut_data, cut.offset, shown.ghost.text),
        show.popup(shown.popup.items[:SHOWN_ITEMS], right=cut.name),
        _verdict("popup", _popup_verdict(shown), shown.in_sight, shown.popup.ms),
        _verdict("ghost", _ghost_verdict(shown), name_right(cut, shown.ghost.text), shown.ghost.ms),
        Text.assemble(("   truth  ", "dim"), (cut.typed, "dim"), cut.rest.rstrip()),
        Text(),
    )


def _popup_verdict(shown: Shown) -> str:
    if not shown.popup.items:
        return "nothing offered"
    where = f"#{shown.rank}" if shown.rank else "not offered"
    return f"{shown.cut.name} is {where} of {len(shown.popup.items)}"


def _ghost_verdict(shown: Shown) -> str:
    if not shown.ghost.text:
        return f"nothing: {shown.ghost.reason} ({shown.ghost.code})"
    if line_right(shown.cut, shown.ghost.text):
        return "the whole line is right"
    return "the name is right" if name_right(shown.cut, shown.ghost.text) else "wrong"


def _verdict(what: str, words: str, right: bool, ms: float) -> Text:
    mark = ("\N{CHECK MARK}", "bold green") if right else ("\N{BALLOT X}", "bold red")
    return Text.assemble(
        "   ", (f"{what}  ", "dim"), mark, f" {words}", (f"   {ms:.1f} ms", "cyan")
    )


def summary(shown: Sequence[Shown]) -> Table:
    """Return the table of hits per place; what was not answered counts as not right."""
    places = [place for place in Place if any(one.cut.place is place for one in shown)]
    rows = [_row(place, [one for one in shown if one.cut.place is place]) for place in places]
    header = ("", "n", "popup #1", "top 5", "ghost", "name", "line")
    times = ("popup ms", "ghost ms")
    return table("What was right", (*header, *times), [*rows, _row("all", shown)])


def _row(name: str, shown: Sequence[Shown]) -> list[str]:
    ghosts = [(one.cut, one.ghost.text) for one in shown]
    counts = [
        sum(one.rank == 1 for one in shown),
        sum(one.in_sight for one in shown),
        sum(bool(text) for _, text in ghosts),
        sum(name_right(cut, text) for cut, text in ghosts),
        sum(line_right(cut, text) for cut, text in ghosts),
    ]
    times = [[one.popup.ms for one in shown], [one.ghost.ms for one in shown]]
    medians = [f"{spread(values).p50:.1f}" for values in times]
    return [name, str(len(shown)), *map(str, counts), *medians]


def connect() -> Text:
    """Return what to type to have this in an editor."""
    command = Path(sys.executable).with_name("lancefill")
    return Text.from_markup(
        "\n[bold]In your editor[/bold]\n"
        "  VS Code   [cyan]make vsix && code --install-extension vscode-extension/lancefill.vsix[/]"
        f"\n            then set [cyan]lancefill.path[/] to [cyan]{command}[/]\n"
        "  Neovim    in init.lua (0.11 or newer; older: README.md):\n"
        f'[cyan]            vim.lsp.config("lancefill", {{cmd = {{"{command}", "serve"}},\n'
        '              filetypes = {"python"}, root_markers = {"pyproject.toml", ".git"}})\n'
        '            vim.lsp.enable("lancefill")[/]\n'
        "  yours     [cyan]make run REPO=path/to/your/repository[/]\n"
    )
