"""Emacs with eglot, attached to the real server as docs/editors.md configures it."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.editors import LOADING_S
from tests.e2e.record import RECORDER, USE, workspace

ROOT = Path(__file__).parents[2]
DRIVER = Path(__file__).with_name("emacs.el")
PARTY = "\N{PARTY POPPER}"


def eglot_is_installed() -> bool:
    """Whether there is an Emacs that has eglot, in itself (29) or as a package."""
    if shutil.which("emacs") is None:
        return False
    command = ["emacs", "--batch", "--eval", "(progn (package-initialize) (require 'eglot))"]
    return subprocess.run(command, capture_output=True).returncode == 0


pytestmark = [
    pytest.mark.e2e,
    pytest.mark.usefixtures("runtime"),
    pytest.mark.skipif(
        not eglot_is_installed(),
        reason="Emacs with eglot is not installed (Debian: apt install emacs-nox elpa-eglot)",
    ),
]


def configuration() -> str:
    """The Lisp of the page."""
    page = (ROOT / "docs" / "editors.md").read_text("utf-8")
    (block,) = re.findall(r"```elisp\n(.*?)```", page, re.DOTALL)
    return str(block)


def edited(text: str, change: Mapping[str, Any]) -> str:
    """The slow twin of the server's text store: columns are UTF-16 units, lines end at ``\\n``."""
    lines = text.split("\n")

    def offset(position: Mapping[str, int]) -> int:
        line = lines[position["line"]].encode("utf-16-le")
        column = len(line[: 2 * position["character"]].decode("utf-16-le"))
        return sum(len(each) + 1 for each in lines[: position["line"]]) + column

    start, end = (offset(change["range"][side]) for side in ("start", "end"))
    return text[:start] + str(change["text"]) + text[end:]


def test_names_in_our_order_and_edits_in_step(tmp_path: Path) -> None:
    root = workspace(tmp_path)
    (root / "use.py").write_bytes(USE.replace("\n", "\r\n").encode())
    (root / ".git").mkdir()  # a project, to Emacs
    programs, traffic = tmp_path / "bin", tmp_path / "traffic.jsonl"
    programs.mkdir()
    server = Path(sys.executable).with_name("lancefill")
    program = (
        f'#!/bin/sh\nexec "{sys.executable}" "{RECORDER}" "{traffic}" "{root}" "{server}" "$@"\n'
    )
    (programs / "lancefill").write_text(program)
    (programs / "lancefill").chmod(0o755)
    (tmp_path / "config.el").write_text(configuration(), "utf-8")
    environment = os.environ | {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "LANCEFILL_CACHE": str(tmp_path / "cache"),
        "LANCEFILL_CONFIG": str(tmp_path / "config.el"),
        "LANCEFILL_ANSWERS": str(tmp_path / "answers.json"),
        "LC_ALL": "C.UTF-8",
    }
    emacs = ["emacs", "--batch", "-l", str(DRIVER)]
    done = subprocess.run(
        emacs, cwd=root, env=environment, capture_output=True, text=True, timeout=2 * LOADING_S
    )
    answers = json.loads((tmp_path / "answers.json").read_text("utf-8"))
    assert "failed" not in answers, f"{answers['failed']}\n{done.stderr}"
    assert answers["managed"] is True

    assert {"send", "close"} == set(answers["members"][:2])
    assert answers["typed"][0] == "send"
    assert answers["imported"][0] == "connect"
    assert answers["text"] == (
        f"# {PARTY} größe\n"
        + USE.replace("import Client", "import Client, connect")
        + f'value = "{PARTY}é"; c.send()\ny = connect()\n'
    )
    assert answers["coding"].endswith("-dos")

    events = [json.loads(line) for line in traffic.read_text("utf-8").splitlines()]
    sent = [event["sent"] for event in events if "sent" in event]
    (opened,) = [each for each in sent if each["method"] == "textDocument/didOpen"]
    text = opened["params"]["textDocument"]["text"]
    changes = [
        change
        for each in sent
        if each["method"] == "textDocument/didChange"
        for change in each["params"]["contentChanges"]
    ]
    assert len(changes) > 3
    for change in changes:
        text = edited(text, change)
    assert text == answers["text"]

    assert answers["running"] is False
    # What follows, `exit`, may not be seen: Emacs ends the recording process right behind it.
    (shutdown,) = [each["id"] for each in sent if each["method"] == "shutdown"]
    assert {"answered": shutdown} in events
