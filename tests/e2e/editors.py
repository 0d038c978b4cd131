"""Editors to type into, headless or on a screen of tmux, and what they need to be there."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

PLUGIN = Path(__file__).parents[2] / "neovim"
WAIT_S = 20.0
LOADING_S = 150.0
"""For the model, whose process gives way to others, on a machine that does other things too."""

needs_neovim = pytest.mark.skipif(
    shutil.which("nvim") is None, reason="Neovim is not installed (Debian: apt install neovim)"
)
needs_screen = pytest.mark.skipif(
    shutil.which("tmux") is None, reason="tmux is not installed (Debian: apt install tmux)"
)


SHOWN = """(function()
  local space = vim.api.nvim_get_namespaces()['lancefill.ghost']
  local mark = vim.api.nvim_buf_get_extmarks(0, space, 0, -1, { details = true })[1]
  if not mark then return { lines = {} } end
  local function joined(chunks)
    return table.concat(vim.tbl_map(function(chunk) return chunk[1] end, chunks))
  end
  local lines = { joined(mark[4].virt_text) }
  for _, chunks in ipairs(mark[4].virt_lines or {}) do table.insert(lines, joined(chunks)) end
  return { lines = lines }
end)()"""


def recent_neovim() -> bool:
    """Whether Neovim is 0.11 or later."""
    if shutil.which("nvim") is None:
        return False
    told = subprocess.run(["nvim", "--version"], capture_output=True, text=True, check=True).stdout
    major, minor = told.split("\n")[0].removeprefix("NVIM v").split(".")[:2]
    return (int(major), int(minor)) >= (0, 11)


needs_recent_neovim = pytest.mark.skipif(
    not recent_neovim(), reason="this needs Neovim 0.11, and an older one is installed"
)


def until(
    happened: Callable[[], object], say: Callable[[], str] = lambda: "", seconds: float = WAIT_S
) -> None:
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"not within {seconds:.0f} s. {say()}"
        time.sleep(0.02)


def lua(value: object) -> str:
    """Lists of strings, strings, numbers and booleans as Lua."""
    if isinstance(value, list | tuple):
        return "{" + ", ".join(map(lua, value)) + "}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"[{lua(key)}] = {lua(each)}" for key, each in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


def setup(options: Mapping[str, Any]) -> str:
    """The line of an ``init.lua`` that sets the plugin up."""
    return f"require('lancefill').setup({lua(options)})\n"


class Neovim:
    """A running Neovim, to type into."""

    def __init__(self, folder: Path, file: str, init: str) -> None:
        self.folder = folder
        self.socket = folder / "socket"
        self.heard_path = folder / "heard.jsonl"
        (folder / "init.lua").write_text(
            f"vim.opt.runtimepath:prepend({lua(str(PLUGIN))})\n" + init,
            "utf-8",
        )
        self.arguments = ["--clean", "-n", "-u", str(folder / "init.lua"), file]

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(self.folder / "cache"),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "XDG_RUNTIME_DIR": str(self.folder),
        }

    def start(self) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            ["nvim", "--headless", "--listen", str(self.socket), *self.arguments],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        until(self.socket.exists)
        until(lambda: self.ask("require('lancefill.client').of(0) ~= nil"))
        return process

    def type(self, keys: str) -> None:
        """As by hand: ``<CR>`` and its like are keys, ``<lt>`` is a less-than sign."""
        self._remote("--remote-send", keys)

    def ask(self, expression: str) -> Any:  # noqa: ANN401
        """The value of a Lua expression."""
        quoted = expression.replace("'", "''")
        told = self._remote("--remote-expr", f"json_encode(luaeval('{quoted}'))")
        return json.loads(told)

    def _remote(self, how: str, what: str) -> str:
        command = ["nvim", "--clean", "--headless", "--server", str(self.socket), how, what]
        done = subprocess.run(command, env=self.environment, capture_output=True, timeout=WAIT_S)
        assert done.returncode == 0, done.stderr.decode()
        # 0.7 writes the value of an expression to stderr where there is no screen.
        return (done.stdout or done.stderr).decode()

    @property
    def text(self) -> str:
        lines = self.ask("vim.api.nvim_buf_get_lines(0, 0, -1, true)")
        return "\n".join(lines)

    @property
    def ghost(self) -> list[str]:
        """The lines of ghost text, what follows the cursor included."""
        return list(self.ask(SHOWN)["lines"])

    def sees(self, *lines: str) -> None:
        """Wait until this ghost text is shown."""
        until(lambda: self.ghost == list(lines), lambda: f"shown: {self.ghost}")

    def heard(self, method: str) -> list[dict[str, Any]]:
        """The messages of a method that the scripted server was sent."""
        lines = self.heard_path.read_text("utf-8").splitlines()
        return [message for message in map(json.loads, lines) if message.get("method") == method]


class Screen:
    """A terminal in a tmux server of its own."""

    def __init__(self, editor: Neovim, columns: int = 60, lines: int = 12) -> None:
        self.editor = editor
        self.tmux = ["tmux", "-f", "/dev/null", "-S", str(editor.folder / "tmux")]
        size = ["-x", str(columns), "-y", str(lines)]
        command = [*self.tmux, "-u", "new-session", "-d", *size]
        subprocess.run(
            [*command, "nvim", *editor.arguments, "--cmd", "set noruler noshowcmd"],
            cwd=editor.folder,
            env=editor.environment | {"TERM": "screen", "LC_ALL": "C.UTF-8"},
            check=True,
            timeout=WAIT_S,
        )

    def type(self, *keys: str) -> None:
        """Names of keys as tmux knows them, or text."""
        subprocess.run([*self.tmux, "send-keys", *keys], check=True, timeout=WAIT_S)

    @property
    def lines(self) -> list[str]:
        """What is on the screen, without blanks at the ends of lines."""
        return [line.rstrip() for line in self.told("capture-pane", "-p").splitlines()]

    def told(self, *words: str) -> str:
        """What a command of tmux answers."""
        command = [*self.tmux, *words]
        done = subprocess.run(command, capture_output=True, check=True, timeout=WAIT_S)
        return done.stdout.decode()

    def shows(self, *lines: str) -> None:
        """Wait until the screen begins with these lines."""
        until(lambda: self.lines[: len(lines)] == list(lines), lambda: "\n".join(self.lines))

    def leave_insert_mode(self) -> None:
        """Escape by itself: with the next key right behind it, it is Alt and that key."""
        self.type("Escape")
        until(lambda: "-- INSERT --" not in self.lines)

    def close(self) -> None:
        subprocess.run([*self.tmux, "kill-server"], check=True, timeout=WAIT_S)
