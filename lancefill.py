"""The command line: one short function per subcommand.

Everything but click is imported inside the functions, so that ``--help`` and ``--version`` answer at
once and ``serve`` loads only the server. What the commands do lives in the rooms.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

FOLDER = click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path)
OUTPUT = click.Path(dir_okay=False, writable=True, path_type=Path)
Command = TypeVar("Command", bound=Callable[..., Any])


class Problem(click.ClickException):
    """Bad input: one line on stderr, exit status 2."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Position:
    """A place as people write it: line and column count from 1, the column in characters."""

    file: Path
    line: int
    column: int

    def offset(self, data: bytes) -> int:
        """Return the byte offset of the place in UTF-8 ``data``. Raises Problem."""
        lines = (data + b"|").splitlines(keepends=True)  # b"|": an empty last line is a line too
        lines[-1] = lines[-1][:-1]
        if self.line > len(lines):
            raise Problem(f"{self.file} has {len(lines)} lines: there is no line {self.line}")
        text = lines[self.line - 1].decode("utf-8").rstrip("\r\n")
        if self.column > len(text) + 1:
            raise Problem(
                f"line {self.line} of {self.file} has {len(text)} characters: "
                f"its last column is {len(text) + 1}, not {self.column}"
            )
        return sum(map(len, lines[: self.line - 1])) + len(text[: self.column - 1].encode("utf-8"))


class PositionType(click.ParamType):
    """Reads ``FILE:LINE:COL``."""

    name = "FILE:LINE:COL"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Position:
        """Return the Position that ``value`` names. Raises Problem."""
        name, line, column = (["", "", "", *str(value).rsplit(":", 2)])[-3:]
        if not (name and line.isdecimal() and column.isdecimal() and int(line) and int(column)):
            raise Problem(f"{value!r} is not FILE:LINE:COL, with line and column counted from 1")
        if not Path(name).is_file():
            raise Problem(f"there is no file {name}")
        return Position(Path(name), int(line), int(column))


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Every command has its own --help. Settings, limits, editors: see the README.",
)
@click.version_option(package_name="lancefill", message="lancefill %(version)s")
def main() -> None:
    """Code completion that knows your repository and runs on your machine.

    \b
    See it work, on a real repository or on your own:
      lancefill demo
      lancefill demo --repo ~/code/project
    Connect an editor (the editor starts this by itself):
      lancefill serve
    Ask without an editor what would be suggested, and why:
      lancefill complete src/app.py:12:9
      lancefill explain  src/app.py:12:9
    When something is wrong:
      lancefill doctor
    """


@main.command()
@click.option("--stdio", is_flag=True, hidden=True, help="Accepted because editors append it.")
def serve(stdio: bool) -> None:  # noqa: ARG001, FBT001
    """Run the language server over stdin and stdout.

    \b
    Neovim 0.11 or newer:
      vim.lsp.config("lancefill", {cmd = {"lancefill", "serve"}, filetypes = {"python"},
                                   root_markers = {"pyproject.toml", ".git"}})
      vim.lsp.enable("lancefill")
    """
    # Editors start servers inside the workspace: -I keeps the workspace's own modules, and what
    # PYTHONPATH names, from being imported in place of ours.
    arguments = [sys.executable, "-I", "-X", "utf8", "-m", "lsp_server"]
    os.execv(sys.executable, arguments)  # noqa: S606 - our own interpreter, no shell


@main.command()
@click.argument("path", type=FOLDER, default=".")
def index(path: Path) -> None:
    """Index the repository at PATH, as the server does by itself, and say what was found.

    The index lives in your cache folder and only changed files are read the next time.
    """
    from evaluation import commands

    commands.index(path)


@main.command()
def doctor() -> None:
    """Check the installation and say what to do about each problem.

    Exit status 1 when something must be done.
    """
    from evaluation import doctor as checks

    sys.exit(checks.run())


if __name__ == "__main__":
    main()
