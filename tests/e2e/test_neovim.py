"""Neovim 0.7, headless, attached to the real server as the README configures it."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest

from tests.e2e.editors import LOADING_S, needs_neovim

ROOT = Path(__file__).parents[2]
DRIVER = Path(__file__).with_name("neovim.lua")
COMPLETION = "textDocument/completion"
INLINE = "textDocument/inlineCompletion"

pytestmark = [pytest.mark.e2e, needs_neovim, pytest.mark.usefixtures("runtime")]


@dataclass(frozen=True, slots=True)
class Session:
    """What came of a session: the answers of its requests in order, and the text it left."""

    answers: list[dict[str, Any]]
    text: str


def readme_configuration() -> str:
    """The Lua block for old Neovims."""
    blocks = re.findall(r"```lua\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    return next(block for block in blocks if "start_client" in block)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A copy of click's source."""
    folder = tmp_path / "repository"
    shutil.copytree(
        Path(click.__file__).parent, folder / "click", ignore=shutil.ignore_patterns("__pycache__")
    )
    return folder


def drive(repository: Path, steps: list[dict[str, Any]]) -> Session:
    """Open ``click/core.py`` in Neovim and take the steps; raises on anything that went wrong."""
    scratch = repository.parent
    (scratch / "init.lua").write_text(readme_configuration())
    (scratch / "script.json").write_text(
        json.dumps(
            {
                "file": "click/core.py",
                # Slow machines too must show what they have.
                "settings": {"maxLatencyMs": 10000, "popupDeadlineMs": 2000, "minConfidence": 0},
                "steps": steps,
            }
        )
    )
    env = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "XDG_CACHE_HOME": str(scratch / "cache"),
        "XDG_STATE_HOME": str(scratch / "state"),
        "LANCEFILL_SCRIPT": str(scratch / "script.json"),
        "LANCEFILL_ANSWERS": str(scratch / "answers.json"),
    }
    command = ["nvim", "--headless", "--clean", "-n", "-u", str(scratch / "init.lua")]
    done = subprocess.run(
        [*command, "-S", str(DRIVER)],
        cwd=repository,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=2 * LOADING_S,
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads((scratch / "answers.json").read_text("utf-8"))
    assert "failed" not in outcome, f"{outcome['failed']}\n{log_of(scratch)}"
    return Session(outcome["answers"], outcome["text"])


def log_of(scratch: Path) -> str:
    """What Neovim logged, the server's stderr included."""
    return "\n".join(path.read_text("utf-8") for path in scratch.rglob("lsp.log"))


def labels(answer: dict[str, Any]) -> list[str]:
    """The popup's labels in the order in which Neovim shows them."""
    return [item["label"] for item in sorted(answer["items"], key=lambda item: item["sortText"])]


def test_popups_follow_the_typing(repository: Path) -> None:
    """Incremental sync: edits elsewhere, undone edits, and astral characters before the cursor."""
    probe = 'Goprobe = Context(Command("\N{PARTY POPPER}e\u0301")); probe.'
    session = drive(
        repository,
        [
            {"keys": "ggO# \N{PARTY POPPER} first line<Esc>jdd5jyyPu"},
            {"keys": probe, "method": COMPLETION},
            {"keys": "Ainv", "method": COMPLETION, "accept": True},
        ],
    )
    after_dot, typed = session.answers
    assert {"invoke", "forward", "params"} <= set(labels(after_dot))
    assert labels(typed)[0] == "invoke"
    assert typed["isIncomplete"] is True
    assert session.text.startswith("# \N{PARTY POPPER} first line\n")
    assert session.text.endswith('= Context(Command("\N{PARTY POPPER}e\u0301")); probe.invoke\n')


def test_ghost_text_continues_the_line(repository: Path) -> None:
    """An explicit range that holds the cursor, so that accepting continues what is typed."""
    session = drive(repository, [{"keys": "Gofor index in ran", "method": INLINE, "accept": True}])
    (answer,) = session.answers
    assert 1 <= len(answer["items"]) <= 3  # it is asked for by hand
    last = session.text.splitlines()[-1]
    assert last.startswith("for index in ran")
    assert len(last) > len("for index in ran")
