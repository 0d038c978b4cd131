"""Records again what the installed Neovim says: ``python -m tests.e2e.record ENCODING``.

Neovim, with the plugin, the real server behind ``recorder.py`` and keys typed as by a person; the
traffic is laid into ``tests/data/traffic``. ENCODING is the only one that it offers for positions.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.e2e.conftest import CLIENT
from tests.e2e.editors import LOADING_S, Neovim, lua, until

TRAFFIC = Path(__file__).parents[1] / "data" / "traffic"
RECORDER = Path(__file__).with_name("recorder.py")
PARTY = "\N{PARTY POPPER}"
SETTINGS = {"maxLatencyMs": 10000, "popupDeadlineMs": 2000, "minConfidence": 0}
"""Slow machines too must show what they have."""
USE = """\
from pkg.client import Client

for index in range(10):
    print(index)
c = Client()
"""
ENABLE = """
if vim.lsp.enable then
  vim.lsp.config('lancefill', {config})
  vim.lsp.enable('lancefill')
  require('lancefill.ghost').enable({{ debounce_ms = 75, keys = true }})
  vim.api.nvim_create_autocmd('LspAttach', {{ callback = function(event)
    vim.lsp.completion.enable(true, event.data.client_id, event.buf, {{ autotrigger = true }})
  end }})
else
  require('lancefill').setup(vim.tbl_extend('error', {config}, {{ ghost = {{ keys = true }} }}))
end
vim.o.hidden, vim.o.completeopt = true, 'menuone,noinsert'
"""


def workspace(folder: Path) -> Path:
    """A small repository, and a file with Windows' line ends."""
    root = folder / "work"
    (root / "pkg").mkdir(parents=True)
    (root / "pkg" / "__init__.py").touch()
    (root / "pyproject.toml").touch()
    (root / "pkg" / "client.py").write_text(CLIENT, "utf-8")
    (root / "use.py").write_text(USE, "utf-8")
    (root / "dos.py").write_bytes(b"import pkg.client\r\n\r\nvalue = 1\r\n")
    return root


def type_as_a_person(editor: Neovim) -> None:
    def shows(words: str) -> None:
        until(lambda: words in editor.text, lambda: editor.text)

    def popup() -> None:
        until(lambda: editor.ask("vim.fn.pumvisible()") == 1, lambda: editor.text)

    until(
        lambda: editor.ask("require('lancefill').status()") == "Lancefill: ready", seconds=LOADING_S
    )
    editor.type(f"ggO# {PARTY} größe<Esc>yyPjddu")  # edits elsewhere, one of them undone
    editor.type(f'Goname = "{PARTY}é"; c.<C-x><C-o>')
    popup()
    editor.type("<C-e>se<C-x><C-o>")
    popup()
    editor.type("<C-y>")
    shows("c.send")
    editor.type("<Esc>ofor index in ran")
    until(lambda: editor.ghost)
    editor.type(editor.ghost[0][0].replace("<", "<lt>"))  # of what is shown
    until(lambda: editor.ghost)
    editor.type("<M-Right>")
    until(lambda: editor.ghost)
    editor.type("<Tab>")
    until(lambda: not editor.ghost)
    editor.ask("require('lancefill.ghost').request()")
    editor.type("x = 1<CR>")  # gives up what is on its way
    ghost = "require('lancefill.ghost')"
    editor.type(f"<Cmd>lua {ghost}.request() {ghost}.dismiss()<CR>y = conn<C-x><C-o>")
    popup()
    editor.type("<C-y>")
    shows("import Client, connect")
    editor.type("<Esc>:w<CR>:edit work/dos.py<CR>Govalue = pkg.client.<C-x><C-o>")
    popup()
    editor.type("<C-e><Esc>ggddu:Lancefill ask send all of it<CR>")
    until(lambda: editor.ask("#vim.fn.getqflist()") > 0)
    editor.type(":cclose<CR>:bdelete! work/use.py<CR>:bdelete! work/dos.py<CR>")
    until(lambda: editor.ask("vim.api.nvim_buf_get_name(0)") == "")


def main(encoding: str) -> None:
    folder = Path(tempfile.mkdtemp())
    root, traffic = workspace(folder), folder / "traffic.jsonl"
    told = subprocess.run(["nvim", "--version"], capture_output=True, text=True, check=True).stdout
    version = told.split("\n")[0].removeprefix("NVIM v")
    command = [sys.executable, str(RECORDER), str(traffic), str(root)]
    server = [str(Path(sys.executable).with_name("lancefill")), "serve", "--stdio"]
    config = {
        "cmd": [*command, *server],
        "settings": {"lancefill": SETTINGS},
        "capabilities": {"general": {"positionEncodings": [encoding]}},
    }
    traffic.write_text(f'{{"about": "Neovim {version} with neovim/, recorded by recorder.py"}}\n')
    editor = Neovim(folder, "work/use.py", ENABLE.format(config=lua(config)))
    process = editor.start()
    try:
        type_as_a_person(editor)
        editor.type(":qall!<CR>")
        process.communicate(timeout=20)
    finally:
        process.kill()
    shutil.copy(traffic, TRAFFIC / f"neovim-{version}-{encoding}.jsonl")


if __name__ == "__main__":
    main(*sys.argv[1:])
