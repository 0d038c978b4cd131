"""The Neovim plugin: keys typed into Neovim, against a scripted server and the real one."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.editors import (
    LOADING_S,
    PLUGIN,
    WAIT_S,
    Neovim,
    Screen,
    lua,
    needs_neovim,
    needs_recent_neovim,
    needs_screen,
    setup,
    until,
)

ROOT = Path(__file__).parents[2]
STANDIN = Path(__file__).with_name("standin.py")
INLINE = "textDocument/inlineCompletion"
QUIET_S = 0.4
"""Longer than the debounce and a round trip: what has not come by then is not coming."""
PARTY = "\N{PARTY POPPER}"

pytestmark = [pytest.mark.e2e, needs_neovim]

MODEL = """(function()
  local answers = vim.lsp.buf_request_sync(0, 'lancefill/status', {}, 10000)
  return select(2, next(answers)).result.model
end)()"""

REASON = "(require('lancefill').reason() or {})"

COUNTED = """(function()
  local position, wrong, compared = require('lancefill.position'), {}, 0
  for _, line in ipairs(%s) do
    for bytes = 0, #line do
      local byte = line:byte(bytes + 1)
      if not byte or byte < 0x80 or byte >= 0xC0 then
        local utf32, utf16 = vim.str_utfindex(line, bytes)
        local expected = { ['utf-16'] = utf16, ['utf-32'] = utf32, ['utf-8'] = bytes }
        for encoding, units in pairs(expected) do
          compared = compared + 1
          local there = position.units(line, bytes, encoding)
          local back = position.bytes(line, units, encoding)
          if there ~= units or back ~= bytes then
            table.insert(wrong, { line, bytes, encoding, there, back })
          end
        end
      end
    end
  end
  return { wrong = wrong, compared = compared }
end)()"""


Start = Callable[..., Neovim]


def scripted(folder: Path, script: Mapping[str, Any], **ghost: object) -> dict[str, Any]:
    """Options of the plugin that start the scripted server."""
    full = {
        typed: answer if isinstance(answer, dict) else {"items": [{"insertText": answer}]}
        for typed, answer in script.items()
    }
    (folder / "script.json").write_text(json.dumps(full), "utf-8")
    command = [sys.executable, str(STANDIN), str(folder / "script.json")]
    return {
        "cmd": [*command, str(folder / "heard.jsonl")],
        "ghost": {"enabled": True, "debounce_ms": 20, "keys": True, **ghost},
    }


def server_processes(folder: Path) -> list[int]:
    """The ids of the scripted servers whose script is in the folder."""
    script = os.fsencode(folder / "script.json")
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            if script in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def tell_status_again(editor: Neovim) -> None:
    """Has the scripted server tell its status, and waits until all that follows has happened."""
    editor.ask("vim.lsp.buf_notify(0, 'workspace/didChangeConfiguration', {})")
    until(lambda: editor.ask("require('lancefill').status()") == "Lancefill: ready")
    time.sleep(QUIET_S)


def kill_server(folder: Path) -> None:
    (server,) = server_processes(folder)
    os.kill(server, signal.SIGKILL)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts Neovim on ``work.py`` with a scripted server; ends it after the test."""
    processes = []

    def starting(script: Mapping[str, Any], text: str = "") -> Neovim:
        (tmp_path / "work.py").write_text(text, "utf-8")
        editor = Neovim(tmp_path, "work.py", setup(scripted(tmp_path, script)))
        processes.append(editor.start())
        return editor

    yield starting
    for process in processes:
        process.terminate()
        process.wait(timeout=10)
        assert process.stderr is not None
        process.stderr.close()


def test_whole(start: Start) -> None:
    editor = start({"for x in ": "range(10):"})
    editor.type("ifor x in ")
    editor.sees("range(10):")
    assert editor.text == "for x in "
    editor.type("<Tab>")
    until(lambda: editor.text == "for x in range(10):")
    assert editor.ghost == []
    editor.type("!")
    until(lambda: editor.text == "for x in range(10):!")


def test_undo_takes_back_what_was_accepted_alone(start: Start) -> None:
    editor = start({"for x in ": "range(10):"})
    editor.type("ifor x in ")
    editor.sees("range(10):")
    editor.type("<Tab>")
    until(lambda: editor.text == "for x in range(10):")
    editor.type("<Esc>u")
    until(lambda: editor.text == "for x in ")


def test_typing_its_beginning_keeps_the_rest_and_asks_nothing(start: Start) -> None:
    editor = start({"x = ": "first(second)"})
    editor.type("ix = ")
    editor.sees("first(second)")
    asked = len(editor.heard(INLINE))
    for typed, rest in (("fi", "rst(second)"), ("rst", "(second)"), ("(", "second)")):
        editor.type(typed)
        # Not waited for: it is there as soon as the key is.
        assert editor.ghost == [rest]
    time.sleep(QUIET_S)
    assert len(editor.heard(INLINE)) == asked
    assert editor.text == "x = first("


def test_typing_something_else_takes_it_away(start: Start) -> None:
    editor = start({"x = ": "first", "x = g": {"items": [{"insertText": "reat"}], "delay": 0.3}})
    editor.type("ix = ")
    editor.sees("first")
    editor.type("g")
    assert editor.ghost == []
    editor.sees("reat")
    assert editor.text == "x = g"


def test_by_word(start: Start) -> None:
    editor = start({"x = ": "größe.of_it(a,\n    b)"})
    editor.type("ix = ")
    editor.sees("größe.of_it(a,", "    b)")
    texts = ["größe", "größe.", "größe.of_it", "größe.of_it(", "größe.of_it(a", "größe.of_it(a,"]
    for text in (*texts, "größe.of_it(a,\n    b", "größe.of_it(a,\n    b)"):
        assert editor.ghost != []
        editor.type("<M-Right>")
        until(lambda text=text: editor.text == "x = " + text, lambda: editor.text)
    assert editor.ghost == []


def test_by_line(start: Start) -> None:
    editor = start({"if x:": " # why\n    one()\n\ttwo()"})
    editor.type(":setlocal tabstop=3<CR>iif x:")
    editor.sees(" # why", "    one()", "   two()")
    for text in (" # why", " # why\n    one()", " # why\n    one()\n\ttwo()"):
        editor.type("<M-Down>")
        until(lambda text=text: editor.text == "if x:" + text, lambda: editor.text)


def test_dismissed_until_the_next_key(start: Start) -> None:
    editor = start({"x = ": "first", "x = f": "irst"})
    editor.type("ix = ")
    editor.sees("first")
    editor.type("<C-]>")
    time.sleep(QUIET_S)
    assert editor.ghost == []
    editor.type("f")
    editor.sees("irst")
    editor.type("<Esc>")
    until(lambda: editor.ghost == [])
    assert editor.text == "x = f"


def test_several_lines_in_the_middle_of_a_line(start: Start) -> None:
    editor = start({"f(": "a,\n  b"}, text="f()\nend")
    editor.type("0f(a")
    editor.sees("a,", "  b)")
    editor.type("<Tab>")
    until(lambda: editor.text == "f(a,\n  b)\nend", lambda: editor.text)
    editor.type("!")
    until(lambda: editor.text == "f(a,\n  b!)\nend")


def test_typed_through_over_a_line_break(start: Start) -> None:
    editor = start({"f(": "a,\nb)"}, text="\nend")
    editor.type(":setlocal indentexpr= | startinsert<CR>f(")
    editor.sees("a,", "b)")
    editor.type("a,<CR>")
    editor.sees("b)")
    editor.type("<Tab>")
    until(lambda: editor.text == "f(a,\nb)\nend", lambda: editor.text)


def test_columns_count_utf16_units(start: Start) -> None:
    before = f"名 = '{PARTY}' + "
    where = {"line": 1, "character": len(before) + 1}  # the emoji counts as two
    replaced = {"start": {"line": 1, "character": 9}, "end": where}
    text = f"+ '{PARTY}名'"
    editor = start(
        {before: {"items": [{"insertText": text, "range": replaced}]}}, text=f"# {PARTY}\n\n"
    )
    editor.type(f"ji{before}")
    editor.sees(f"'{PARTY}名'")
    (request,) = editor.heard(INLINE)[-1:]
    assert request["params"]["position"] == where
    editor.type("<M-Right>")
    until(lambda: editor.text == f"# {PARTY}\n{before}'", lambda: editor.text)
    editor.type("<Tab>")
    until(lambda: editor.text == f"# {PARTY}\n{before}'{PARTY}名'", lambda: editor.text)


def test_what_the_range_covers_behind_the_cursor_is_replaced(start: Start) -> None:
    span = {"start": {"line": 0, "character": 1}, "end": {"line": 0, "character": 3}}
    editor = start({"f(": {"items": [{"insertText": "(x)", "range": span}]}}, text="f();")
    editor.type("0f(a")
    editor.sees("x);")
    editor.type("<Tab>")
    until(lambda: editor.text == "f(x);", lambda: editor.text)


@pytest.mark.parametrize(("keys", "text"), [("<Left>", "x = "), ("f", "x = f")])
def test_answers_that_come_too_late_are_dropped(start: Start, keys: str, text: str) -> None:
    editor = start({"x = ": {"items": [{"insertText": "first"}], "delay": 0.3}})
    editor.type("ix = ")
    until(lambda: editor.heard(INLINE))
    editor.type(keys)
    time.sleep(0.3 + QUIET_S)
    assert editor.ghost == []
    assert editor.text == text


def test_items_are_cycled(start: Start) -> None:
    editor = start({"x": {"items": [{"insertText": text} for text in (" = 1", " = 2", " += 3")]}})
    editor.type("ix")
    editor.sees(" = 1")
    editor.type("<M-n>")
    editor.sees(" = 2")
    editor.type("<M-p><M-p>")
    editor.sees(" += 3")
    editor.type("<M-p>")
    editor.sees(" = 2")
    editor.type(" =")  # begins two of the three
    editor.sees(" 2")
    for rest in (" 1", " 2", " 1"):
        editor.type("<M-n>")
        editor.sees(rest)
    editor.type("<M-p><Tab>")
    until(lambda: editor.text == "x = 2", lambda: editor.text)


def test_the_server_is_told_what_became_of_its_items(start: Start) -> None:
    command = {"title": "Accepted", "command": "lancefill.accepted", "arguments": [7]}
    one = {"insertText": f"{PARTY}one two", "command": command}
    editor = start({"x = ": {"items": [one, {"insertText": "other"}]}})
    editor.type("ix = ")
    editor.sees(f"{PARTY}one two")
    editor.type("<M-n><M-p>")
    shown = "textDocument/didShowCompletion"
    until(lambda: len(editor.heard(shown)) == 3, lambda: editor.heard(shown))
    items = [each["params"]["item"]["insertText"] for each in editor.heard(shown)]
    assert items == [f"{PARTY}one two", "other", f"{PARTY}one two"]
    editor.type("<M-Right>")
    part = "textDocument/didPartiallyAcceptCompletion"
    until(lambda: editor.heard(part))
    (told,) = editor.heard(part)
    assert told["params"] == {"item": one, "acceptedLength": len("xxone")}  # UTF-16 units
    assert not editor.heard("workspace/executeCommand")
    editor.type("<Tab>")
    until(lambda: editor.text == f"x = {PARTY}one two", lambda: editor.text)
    until(lambda: editor.heard("workspace/executeCommand"))
    (ran,) = editor.heard("workspace/executeCommand")
    assert ran["params"] == {"command": "lancefill.accepted", "arguments": [7]}


def test_the_import_that_an_accepted_text_brings(start: Start) -> None:
    command = {"title": "Accepted", "command": "lancefill.accepted", "arguments": [7]}
    item = {"insertText": f"os.path.join(\n    '{PARTY}')", "command": command}
    top = {"line": 0, "character": 0}
    edit = {"range": {"start": top, "end": top}, "newText": "import os\n"}
    brought = {"result": None, "edits": [edit]}
    editor = start({"x = ": {"items": [item]}, "workspace/executeCommand": brought})
    editor.type("ix = ")
    editor.sees("os.path.join(", f"    '{PARTY}')")
    editor.type("<Tab>")
    accepted = f"import os\nx = os.path.join(\n    '{PARTY}')"
    until(lambda: editor.text == accepted, lambda: editor.text)
    editor.type("!")  # the cursor has moved along
    until(lambda: editor.text == accepted + "!", lambda: editor.text)
    editor.type("<Esc>u")
    until(lambda: editor.text == "x = ", lambda: editor.text)


@pytest.mark.parametrize(
    "item",
    [
        {"insertText": {"kind": "snippet", "value": "$1"}},
        {"insertText": "other"},
        {"insertText": "x = "},
        {"insertText": "x = 1", "range": None},
    ],
    ids=["snippet", "something-else", "nothing-new", "another-line"],
)
def test_items_that_do_not_continue_the_line_are_not_shown(
    start: Start, item: dict[str, Any]
) -> None:
    row = 1 if "range" in item else 0
    at = {"line": row, "character": 0}, {"line": row, "character": 4}
    item = {**item, "range": {"start": at[0], "end": at[1]}}
    editor = start({"x = ": {"items": [item]}, "y": "es"})
    editor.type("ix = ")
    until(lambda: editor.heard(INLINE))
    time.sleep(QUIET_S)
    assert editor.ghost == []
    editor.type("<CR>y")
    editor.sees("es")
    assert editor.text == "x = \ny"


def offering_an_import() -> dict[str, Any]:
    """A script of a server whose popup has `connect`, which brings an import."""
    top = {"line": 0, "character": 0}
    item = {
        "label": "connect",
        "sortText": "000",
        "additionalTextEdits": [
            {"range": {"start": top, "end": top}, "newText": "from a import connect\n"}
        ],
    }
    offered = {"isIncomplete": True, "items": [item, {"label": "continue"}]}
    return {
        "textDocument/completion": {"result": offered},
        "completionItem/resolve": {"result": item},
    }


def accept_connect(editor: Neovim) -> None:
    """Takes `connect` from the popup that a key has opened, and waits for its import."""
    until(lambda: editor.ask("vim.fn.pumvisible()") == 1)
    editor.type("<C-y>()")
    expected = "from a import connect\nx = 1\nconnect()"
    until(lambda: editor.text == expected, lambda: editor.text)


def test_an_import_is_written_with_the_name_that_needs_it(start: Start) -> None:
    editor = start(offering_an_import(), text="x = 1\n")
    editor.type(":set completeopt=menuone<CR>ocon<C-x><C-o>")
    until(lambda: editor.ask("vim.fn.pumvisible()") == 1)
    editor.type("<C-e>")
    until(lambda: editor.ask("vim.fn.pumvisible()") == 0)
    assert editor.text == "x = 1\ncon"
    editor.type("<C-x><C-o>")
    accept_connect(editor)


@needs_recent_neovim
def test_an_import_is_written_where_the_server_is_enabled_by_name(tmp_path: Path) -> None:
    """With the lines of ``docs/editors.md`` for a Neovim that draws ghost text itself."""
    (tmp_path / "work.py").write_text("x = 1\n", "utf-8")
    page = (ROOT / "docs" / "editors.md").read_text("utf-8")
    block = re.findall(r"```lua\n(.*?)```", page, re.DOTALL)[0]
    command = lua({"cmd": scripted(tmp_path, offering_an_import())["cmd"]})
    init = f"{OWN}\nvim.lsp.config('lancefill', {command})\n{block}"
    editor = Neovim(tmp_path, "work.py", init)
    process = editor.start()
    try:
        editor.type(":set completeopt=menuone<CR>ocon<C-x><C-o>")
        accept_connect(editor)
    finally:
        process.terminate()
        process.communicate(timeout=10)


@pytest.mark.parametrize(
    "page", ["README.md", "docs/editors.md", "neovim/doc/lancefill.txt", "neovim/lsp/lancefill.lua"]
)
def test_every_page_that_enables_by_name_enables_popups(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert "vim.lsp.enable('lancefill')" in text
    assert "'LspAttach'" in text
    assert "vim.lsp.completion.enable(true, event.data.client_id, event.buf," in text


def test_tab_is_a_tab_where_nothing_is_shown(start: Start) -> None:
    editor = start({})
    editor.type(":setlocal noexpandtab softtabstop=0<CR>ix<Tab>y")
    until(lambda: editor.text == "x\ty", lambda: editor.text)


MAPPED = """
vim.fn.maparg = function()
  return { buffer = %d, replace_keycodes = 1, callback = function() return 'before' end }
end
"""
"""Stands for what 0.8 and later tell of a mapping of Lua's."""


@needs_recent_neovim
def test_a_key_does_what_it_did_before_where_nothing_is_shown(tmp_path: Path) -> None:
    """In 0.11 <Tab> jumps through a snippet."""
    (tmp_path / "work.py").write_text("", "utf-8")
    editor = Neovim(tmp_path, "work.py", setup(scripted(tmp_path, {})))
    process = editor.start()
    try:
        editor.type("i<Cmd>lua vim.snippet.expand('f($1, $2)')<CR>1<Tab>2")
        until(lambda: editor.text == "f(1, 2)", lambda: editor.text)
    finally:
        process.terminate()
        process.communicate(timeout=10)


@pytest.mark.parametrize(("local", "typed"), [(0, "before"), (1, "\t")])
def test_a_mapping_of_one_buffer_is_not_made_one_of_all(
    tmp_path: Path, local: int, typed: str
) -> None:
    (tmp_path / "work.py").write_text("", "utf-8")
    init = MAPPED % local + setup(scripted(tmp_path, {}))
    editor = Neovim(tmp_path, "work.py", init)
    process = editor.start()
    try:
        editor.type(":setlocal noexpandtab softtabstop=0<CR>i<Tab>")
        until(lambda: editor.text == typed, lambda: editor.text)
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_status_reason_pause_and_resume(start: Start) -> None:
    editor = start({"x = ": "first"})
    until(lambda: editor.ask("require('lancefill').status()") == "Lancefill: ready")
    editor.type("inothing here")
    until(lambda: (editor.ask("require('lancefill').reason()") or {}).get("code") == "empty")
    editor.type("<Esc>:Lancefill pause<CR>")
    until(lambda: editor.ask("require('lancefill').status()") == "Lancefill: paused")
    editor.type("ccx = ")
    time.sleep(QUIET_S)
    assert editor.ghost == []
    editor.type("<Esc>:Lancefill resume<CR>")
    editor.type("a")
    editor.sees("first")


def test_what_was_asked_while_the_model_loaded_comes_by_itself(start: Start) -> None:
    editor = start({"x = ": {"items": [{"insertText": "first"}], "loading": 3.0}})
    editor.type("ix = ")
    until(lambda: editor.heard(INLINE))
    assert editor.ghost == []
    editor.sees("first")
    assert len(editor.heard(INLINE)) == 2


def test_what_was_asked_while_the_model_loaded_does_not_wait_for_the_index(start: Start) -> None:
    loading = {"items": [{"insertText": "first"}], "loading": 0.5, "indexing": WAIT_S + 10}
    editor = start({"x = ": loading})
    editor.type("ix = ")
    editor.sees("first")
    assert editor.ask("require('lancefill').status()") == "Lancefill: files are indexed"


def test_a_status_without_the_model_asks_for_nothing(start: Start) -> None:
    editor = start({"x = ": {"items": [{"insertText": "first"}], "loading": WAIT_S + 10}})
    editor.type("ix = ")
    until(lambda: editor.ask(f"{REASON}.code") == "model-loading")
    tell_status_again(editor)
    assert len(editor.heard(INLINE)) == 1


def test_what_is_dismissed_does_not_come_back_with_the_next_status(start: Start) -> None:
    editor = start({"x = ": {"items": [{"insertText": "first"}], "loading": 0.5}})
    editor.type("ix = ")
    editor.sees("first")
    editor.type("<C-]>")
    until(lambda: editor.ghost == [])
    tell_status_again(editor)
    assert editor.ghost == []
    assert len(editor.heard(INLINE)) == 2


def test_what_is_dismissed_while_the_model_loads_does_not_come(start: Start) -> None:
    editor = start({"x = ": {"items": [{"insertText": "first"}], "loading": 1.0}})
    editor.type("ix = ")
    until(lambda: editor.ask(f"{REASON}.code") == "model-loading")
    editor.ask("require('lancefill.ghost').dismiss()")
    until(lambda: editor.ask("require('lancefill').status()") == "Lancefill: ready")
    time.sleep(QUIET_S)
    assert editor.ghost == []
    assert len(editor.heard(INLINE)) == 1


def test_what_was_asked_while_the_model_loaded_is_forgotten_elsewhere(start: Start) -> None:
    loading = {"items": [{"insertText": "first"}], "loading": 5.0}
    editor = start({"x = ": loading, "x =": "never"})
    editor.type("ix = ")
    until(lambda: (editor.ask("require('lancefill').reason()") or {}).get("code"))
    editor.type("<Left>")
    until(lambda: editor.ask("require('lancefill').status()") == "Lancefill: ready")
    time.sleep(QUIET_S)
    assert editor.ghost == []
    assert len(editor.heard(INLINE)) == 1


def test_restart(start: Start) -> None:
    editor = start({"x = ": "first"})
    before = editor.ask("require('lancefill.client').of(0).id")
    editor.type(":Lancefill restart<CR>")
    until(lambda: editor.ask("(require('lancefill.client').of(0) or {}).id or 0") > before)
    editor.type("ix = ")
    editor.sees("first")


def test_restart_of_a_server_that_was_killed(start: Start, tmp_path: Path) -> None:
    editor = start({"x = ": "first"})
    kill_server(tmp_path)
    until(lambda: editor.ask("#require('lancefill.client').all()") == 0)
    editor.type(":Lancefill restart<CR>")
    until(lambda: editor.ask("require('lancefill.client').of(0) ~= nil"))
    editor.type("ix = ")
    editor.sees("first")


def test_restart_of_a_killed_server_of_another_configuration(tmp_path: Path) -> None:
    """Of what ``lsp/lancefill.lua`` returns, started here as ``vim.lsp.enable`` does it."""
    (tmp_path / "work.py").write_text("", "utf-8")
    command = scripted(tmp_path, {})["cmd"]
    init = f"""
    vim.api.nvim_create_autocmd('FileType', {{ pattern = 'python', callback = function(event)
      local config = require('lancefill').client_config()
      config.cmd, config.root_dir = {lua(command)}, {lua(str(tmp_path))}
      vim.lsp.buf_attach_client(event.buf, vim.lsp.start_client(config))
    end }})"""
    editor = Neovim(tmp_path, "work.py", init)
    process = editor.start()
    try:
        kill_server(tmp_path)
        until(lambda: editor.ask("#require('lancefill.client').all()") == 0)
        editor.type(":Lancefill restart<CR>")
        until(lambda: editor.ask("require('lancefill.client').of(0) ~= nil"))
        assert editor.ask("require('lancefill.client').of(0).config.cmd") == command
        editor.type(":Lancefill restart<CR>")
        until(lambda: len(editor.heard("initialize")) == 3)
        time.sleep(QUIET_S)
        assert len(editor.heard("initialize")) == 3  # what was started once is not started again
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_restart_of_a_server_that_does_not_end(start: Start, tmp_path: Path) -> None:
    """The new one is started once the old one is gone."""
    editor = start({"shutdown": {"hangs": True}})
    before = editor.ask("require('lancefill.client').of(0).id")
    editor.type(":Lancefill restart<CR>")
    until(lambda: len(server_processes(tmp_path)) == 1 and len(editor.heard("initialize")) == 2)
    until(lambda: editor.ask("(require('lancefill.client').of(0) or {}).id or 0") > before)


def test_restart_says_where_there_is_nothing_to_start(start: Start) -> None:
    editor = start({})
    editor.type(":bwipeout!<CR>:Lancefill restart<CR>")
    until(lambda: "no open buffer to start" in editor.ask("vim.fn.execute('messages')"))


def test_restart_keeps_a_configuration_that_is_not_the_plugins(tmp_path: Path) -> None:
    """Started as the README does it for old Neovims, by ``vim.lsp.start_client``."""
    (tmp_path / "work.py").write_text("", "utf-8")
    config = {"name": "lancefill", "cmd": scripted(tmp_path, {})["cmd"], "root_dir": str(tmp_path)}
    init = f"""
    vim.api.nvim_create_autocmd('FileType', {{ pattern = 'python', callback = function(event)
      vim.lsp.buf_attach_client(event.buf, vim.lsp.start_client({lua(config)}))
    end }})"""
    editor = Neovim(tmp_path, "work.py", init)
    process = editor.start()
    try:
        editor.type(":Lancefill restart<CR>")
        until(lambda: len(editor.heard("initialize")) == 2)
        until(lambda: editor.ask("require('lancefill.client').of(0) ~= nil"))
        assert editor.ask("require('lancefill.client').of(0).config.cmd") == config["cmd"]
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_a_popup_takes_it_away(start: Start) -> None:
    editor = start({"f": "oo"}, text="first fast\n\n")
    editor.type("jif")
    editor.sees("oo")
    editor.type("<C-x><C-n>")
    until(lambda: editor.ask("vim.fn.pumvisible()") == 1)
    assert editor.ghost == []
    editor.type("<C-e>")
    editor.sees("oo")
    assert editor.text == "first fast\nf"


def test_a_missing_program_is_said_once(tmp_path: Path) -> None:
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text("", "utf-8")
    editor = Neovim(tmp_path, "one.py", setup({"cmd": ["no-such-program"]}))
    command = ["nvim", "--headless", *editor.arguments, "-c", "edit two.py", "-c", "qall!"]
    done = subprocess.run(
        command, cwd=tmp_path, env=editor.environment, capture_output=True, timeout=WAIT_S
    )
    assert done.returncode == 0
    assert done.stderr.count(b'"no-such-program" is not executable') == 1


def test_the_words_of_the_command(start: Start, tmp_path: Path) -> None:
    uri = (tmp_path / "work.py").as_uri()
    answer = {"uri": uri, "offset": len("one = 1\ntwo"), "signature": "two: int"}
    script = {
        "lancefill/explain": {"result": {"context": "after a dot"}},
        "workspace/executeCommand": {"result": [answer]},
    }
    editor = start(script, text="one = 1\ntwo = 2\n")
    editor.type("jl:Lancefill explain<CR>")
    until(lambda: "after a dot" in editor.text)
    (asked,) = editor.heard("lancefill/explain")
    place = {"textDocument": {"uri": uri}, "position": {"line": 1, "character": 1}}
    assert asked["params"] == place
    editor.type(":quit<CR>:Lancefill ask open a file<CR>")
    until(lambda: editor.ask("#vim.fn.getqflist()") == 1)
    (command,) = editor.heard("workspace/executeCommand")
    assert command["params"]["arguments"][0]["query"] == "open a file"
    item = "vim.fn.getqflist()[1]"
    assert editor.ask(f"{{ {item}.lnum, {item}.text }}") == [2, "two: int"]
    until(lambda: editor.ask("vim.wo.wrap") is False)
    assert "nowrap" not in editor.ask("vim.fn.execute('setglobal wrap?')")
    editor.type(":Lancefill log<CR>")
    until(lambda: editor.ask("vim.api.nvim_buf_get_name(0)").endswith("lsp.log"))
    words = "require('lancefill.commands').complete('re', 'Lancefill re')"
    assert editor.ask(words) == ["restart", "resume"]


def test_the_workspace_of_a_file(start: Start, tmp_path: Path) -> None:
    for folder in ("project/package", "project/inner", "loose"):
        (tmp_path / folder).mkdir(parents=True)
    for marker in ("project/setup.py", "project/inner/setup.py"):
        (tmp_path / marker).touch()
    editor = start({})

    def root(file: Path) -> Path:
        return Path(editor.ask(f"require('lancefill').root({lua(str(file))})"))

    assert root(tmp_path / "project/package/a.py") == tmp_path / "project"
    assert root(tmp_path / "project/inner/a.py") == tmp_path / "project/inner"
    assert root(tmp_path / "loose/a.py") == tmp_path  # the current folder
    assert root(Path("/no-such-folder/a.py")) == Path("/no-such-folder")


def test_health_and_help(start: Start) -> None:
    editor = start({})
    editor.type(":checkhealth lancefill<CR>")
    until(lambda: "drawn by lancefill.ghost" in editor.text, lambda: editor.text)
    assert str(editor.folder) in editor.text
    assert "failed to" not in editor.text.lower()


def test_the_help_file_has_tags(tmp_path: Path) -> None:
    shutil.copytree(PLUGIN / "doc", tmp_path / "doc")
    command = ["nvim", "--headless", "--clean", "-c", f"helptags {tmp_path / 'doc'}", "-c", "qall"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S)
    assert done.stderr == ""
    tags = {line.split("\t")[0] for line in (tmp_path / "doc/tags").read_text().splitlines()}
    assert {"lancefill.txt", ":Lancefill", "lancefill-keys", "lancefill.setup()"} <= tags


def test_columns_as_neovim_itself_counts_them(start: Start) -> None:
    """Every column of lines with one to four bytes per character; Neovim's own is the slow twin."""
    editor = start({})
    lines = ["", "abc", "größe", f"名{PARTY}e\u0301 {PARTY}{PARTY}x", "\t名"]
    told = editor.ask(COUNTED % lua(lines))
    assert told["wrong"] == []
    assert told["compared"] == sum(3 * (len(line) + 1) for line in lines)


@needs_screen
def test_on_a_real_screen(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(f"# {PARTY}\n()\nend\n", "utf-8")
    script = {f"名{PARTY}(": f"size,\n    {PARTY}名", "x": "yz"}
    screen = Screen(Neovim(tmp_path, "work.py", setup(scripted(tmp_path, script))))
    try:
        screen.shows(f"# {PARTY}", "()", "end", "~")
        screen.type("j0", "i", f"名{PARTY}")
        screen.shows(f"# {PARTY}", f"名{PARTY}()", "end", "~")
        screen.type("Right")  # by itself: right behind a letter, it only says where to ask
        screen.leave_insert_mode()
        screen.type("a")
        screen.shows(f"# {PARTY}", f"名{PARTY}(size,", f"    {PARTY}名)", "end", "~")
        screen.type("si")
        screen.shows(f"# {PARTY}", f"名{PARTY}(size,", f"    {PARTY}名)", "end", "~")
        screen.type("Tab")
        screen.type("!")
        screen.leave_insert_mode()
        screen.type(":w", "Enter")
        until(lambda: b"!" in (tmp_path / "work.py").read_bytes())
        written = (tmp_path / "work.py").read_text("utf-8")
        assert written == f"# {PARTY}\n名{PARTY}(size,\n    {PARTY}名!)\nend\n"
    finally:
        screen.close()


OWN = """
vim.lsp.inline_completion = {
  enable = function(enabled) vim.g.own = enabled end,
  is_enabled = function() return vim.g.own end,
}
vim.g.own = true
"""
"""Stands for what 0.12 has: whether it is on is `vim.g.own`."""


def test_it_steps_aside_where_neovim_draws_ghost_text_itself(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text("", "utf-8")
    command = scripted(tmp_path, {"x = ": "first"})["cmd"]
    options = setup({"cmd": command, "ghost": {"keys": True}})
    editor = Neovim(tmp_path, "work.py", OWN + options)
    process = editor.start()
    try:
        editor.type("ix = ")
        until(lambda: editor.text == "x = ")
        time.sleep(QUIET_S)
        assert not editor.heard(INLINE)
        assert "Lancefill" not in editor.ask("vim.fn.execute('imap <Tab>')")
        for word, own in (("pause", False), ("pause", False), ("resume", True)):
            editor.type(f"<Esc>:Lancefill {word}<CR>")
            until(lambda own=own: editor.ask("vim.g.own") is own)
            paused = "Lancefill: paused" if word == "pause" else "Lancefill: ready"
            until(lambda paused=paused: editor.ask("require('lancefill').status()") == paused)
        editor.type("<Esc>:let g:own = v:false<CR>:Lancefill pause<CR>:Lancefill resume<CR>")
        editor.type(":let g:done = 1<CR>")
        until(lambda: editor.ask("vim.g.done") == 1)
        assert editor.ask("vim.g.own") is False  # was off, and stays off
        editor.type(":checkhealth lancefill<CR>")
        until(lambda: "vim.lsp.inline_completion is there" in editor.text, lambda: editor.text)
    finally:
        process.terminate()
        process.communicate(timeout=10)


@needs_recent_neovim
def test_enabled_by_name(tmp_path: Path) -> None:
    """``lsp/lancefill.lua``, over which the person's own configuration is laid."""
    (tmp_path / "work.py").write_text("", "utf-8")
    command = scripted(tmp_path, {})["cmd"]
    config = lua({"cmd": command, "settings": {"lancefill": {"popup": False}}})
    init = f"vim.lsp.config('lancefill', {config})\nvim.lsp.enable('lancefill')\n"
    editor = Neovim(tmp_path, "work.py", init)
    process = editor.start()
    try:
        until(lambda: editor.ask("require('lancefill').status()") == "Lancefill: ready")
        (greeting,) = editor.heard("initialize")
        assert greeting["params"]["capabilities"]["textDocument"]["inlineCompletion"]
        settings = "require('lancefill.client').of(0).config.settings"
        assert editor.ask(settings) == {"lancefill": {"popup": False}}
        editor.type(":Lancefill restart<CR>")
        until(lambda: len(editor.heard("initialize")) == 2)
        until(lambda: editor.ask("require('lancefill').status()") == "Lancefill: ready")
        assert editor.ask(settings) == {"lancefill": {"popup": False}}
        assert editor.ask("vim.fn.exists(':Lancefill')") == 2
    finally:
        process.terminate()
        process.communicate(timeout=10)


def test_the_real_model_writes_into_the_buffer_what_was_shown(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text("items = [1, 2, 3]\n", "utf-8")
    patient = {"maxLatencyMs": 10000, "minConfidence": 0}
    options = {
        "settings": {"lancefill": patient},
        "ghost": {"enabled": True, "debounce_ms": 75, "keys": True},
    }
    editor = Neovim(tmp_path, "work.py", setup(options))
    process = editor.start()
    try:
        until(lambda: editor.ask(MODEL) == "ready", seconds=LOADING_S)
        editor.type("ofor index in ran")
        until(lambda: editor.ghost, lambda: str(editor.ask("require('lancefill').reason()")))
        shown = "\n".join(editor.ghost)
        assert editor.text == "items = [1, 2, 3]\nfor index in ran"
        editor.type("<Tab>")
        until(lambda: editor.text == "items = [1, 2, 3]\nfor index in ran" + shown)
    finally:
        process.terminate()
        process.communicate(timeout=10)
