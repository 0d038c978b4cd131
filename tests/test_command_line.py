"""The command line: help that teaches, one-line errors, and each command on a small repository."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from evaluation import headless
from evaluation.client import started
from lancefill import Position, Problem, main
from lsp_server.helpers import model_program
from lsp_server.processes import Program

MODELS = '''\
"""Shapes and their sizes."""


class Shape:
    """Something that has an area."""

    def area_of_shape(self) -> float:
        """The size."""
        return 0.0


class Square(Shape):
    def __init__(self, side: float) -> None:
        self.side_length = side
'''
APP = """\
from models import Square


def total(squares: list[Square]) -> float:
    square = Square(2.0)
    return square.area_of_shape()
"""
DOT = APP.splitlines()[5].index(".") + 2  # the column behind the dot, counted from 1


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LANCEFILL_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "repository"
    root.mkdir()
    (root / "pyproject.toml").write_text("[project]\nname = 'shapes'\n")
    (root / "models.py").write_text(MODELS)
    (root / "app.py").write_text(APP)
    return root


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def test_help_teaches_by_example() -> None:
    shown = run("--help").output
    assert "lancefill demo" in shown
    assert "lancefill complete src/app.py:12:9" in shown
    for name, command in main.commands.items():
        assert name in shown
        assert command.help
        assert run(name, "--help").exit_code == 0


def test_the_version_in_a_real_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from lancefill import main; main()", "--version"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert done.stdout.startswith("lancefill ")


def test_help_imports_no_room() -> None:
    code = (
        "import sys, lancefill\n"
        "lancefill.main(['--help'], standalone_mode=False)\n"
        "rooms = {'indexing', 'completion', 'lsp_server', 'evaluation', 'training', 'torch'}\n"
        "sys.exit(len(rooms & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


async def test_serve_is_the_language_server_whatever_the_folder_holds(repository: Path) -> None:
    (repository / "lsp_server.py").write_text("raise SystemExit('the workspace was imported')\n")
    command = (sys.executable, "-P", "-c", "from lancefill import main; main()", "serve", "--stdio")
    variables = {"PYTHONPATH": str(repository)}
    async with started(command, repository, environment=variables) as client:
        answer = await client.request("initialize", {"capabilities": {}, "processId": None})
        assert answer["serverInfo"]["name"] == "lancefill"
        assert await client.stop() == 0


def test_index_says_what_it_found(repository: Path) -> None:
    first, again = run("index", repository), run("index", repository)
    assert "2 files" in first.output
    assert "2 new or changed" in first.output
    assert "0 new or changed" in again.output


def test_complete_offers_the_repositorys_own_method(repository: Path) -> None:
    position = f"{repository / 'app.py'}:6:{DOT}"
    shown = run("complete", position, "--cut", "--no-ghost")
    assert shown.exit_code == 0, shown.output
    assert "return square.▏\n" in shown.output
    assert "area_of_shape" in shown.output
    assert "disabled" in shown.output  # the reason for no ghost text


def test_complete_as_json(repository: Path) -> None:
    shown = run("complete", f"{repository / 'app.py'}:6:{DOT}", "--cut", "--no-ghost", "--json")
    answer = json.loads(shown.stdout)
    assert "area_of_shape" in [item["label"] for item in answer["popup"]["items"]][:5]
    assert answer["ghost"]["reason"]["code"] == "disabled"


def test_explain_shows_context_features_and_timeline(repository: Path) -> None:
    shown = run("explain", f"{repository / 'app.py'}:6:{DOT}", "--no-ghost", "--cut").output
    assert "'receiver': 'square'" in shown
    assert "candidates and their features" in shown
    assert "timeline of the popup" in shown
    assert (repository / "app.py").read_text() == APP


def test_the_printed_prompt_is_what_the_model_process_was_sent(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = tmp_path / "heard"

    def overheard(device: str, weights: Path | None, *, in_use: bool) -> Program:
        program = model_program(device, weights, in_use=in_use)
        command = ("sh", "-c", 'tee "$0" | "$@"', str(heard), *program.command)
        return replace(program, command=command)

    monkeypatch.setattr(headless, "model_program", overheard)
    text = APP.replace("total(", "total_é(") + "\n'\x0c\u2028\t漢 :smile:'\r\nlast = 1"
    (repository / "app.py").write_bytes(text.encode())
    shown = run("explain", f"{repository / 'app.py'}:6:{DOT}", "--cut", "--prompt").stdout
    calls = [json.loads(line) for line in heard.read_text("utf-8").splitlines()]
    (sent,) = [call["params"] for call in calls if call["method"] == "ghost"]
    printed = {"header": "", "suffix": "", "prefix": ""}
    files: dict[str, list[str]] = {part: [] for part in printed}
    for line in shown.split("\n"):
        if line.startswith(tuple(printed)):
            part, file, quoted = line.split(maxsplit=2)
            printed[part] += ast.literal_eval(quoted)
            files[part].append(file)
    assert printed == {part: sent[part] for part in printed}
    assert set(files["header"]) == {"models.py"}
    assert set(files["suffix"] + files["prefix"]) == {"app.py"}
    assert "漢 :smile:" in printed["suffix"]
    assert f"n-gram: {sent['ngrams']}" in shown
    assert "adapter: none" in shown
    for name in sent["names"]:
        assert name in shown
    for name in sent["known"]["here"]:
        assert name in shown


def test_no_prompt_is_printed_where_none_was_sent(repository: Path) -> None:
    shown = run("explain", f"{repository / 'app.py'}:1:1", "--prompt", "--no-ghost").stdout
    assert shown == "nothing reached the model: ghost text was not asked for\n"


def test_clean_lists_and_deletes(repository: Path) -> None:
    run("index", repository)
    assert str(repository) in run("clean").output
    assert "deleted" in run("clean", repository).output
    assert str(repository) not in run("clean").output


def test_clean_keeps_a_cap(repository: Path) -> None:
    run("index", repository)
    assert "deleted" not in run("clean", "--cap", "1000").output
    assert "deleted" in run("clean", "--cap", "0").output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["complete", "app.py"], "'app.py' is not FILE:LINE:COL"),
        (["complete", "app.py:0:1"], "counted from 1"),
        (["complete", "app.py:x:1"], "is not FILE:LINE:COL"),
        (["complete", "nowhere.py:1:1"], "there is no file nowhere.py"),
        (["complete", "app.py:99:1"], "app.py has 7 lines: there is no line 99"),
        (["complete", "app.py:1:99"], "its last column is 26, not 99"),
        (["explain", "latin.py:1:1"], "latin.py is not UTF-8 at byte 5"),
        (["complete", "app.py:1:1", "--root", "cache"], "is not in"),
        (["clean", "nowhere"], "there is no index of"),
        (["eval", "latency", "--row", "nonsense"], "no row nonsense; there are: index"),
        (["eval", "ghost", "--repo", "nonsense"], "no repository named 'nonsense'"),
        (["eval", "contamination", "--repo", "nonsense"], "nonsense is neither a pinned"),
        (["eval", "crosscodeeval", "--data", "app.py"], "app.py is not CrossCodeEval"),
        (["train", "--remove"], "--remove needs --adapt"),
        (["train", "--adapt", ".", "--depth", "4"], "--depth cannot be used with --adapt"),
        (["train", "--adapt", ".", "--run", "r", "--arm", "plain"], "--arm, --run cannot be used"),
        (["train", "--adapt", ".", "--remove", "--tokens", "9"], "--tokens cannot be used with"),
        (["train", "--adapt", "."], "left out: 1 nearly empty, 1 not UTF-8"),
    ],
)
def test_bad_input_gets_one_line_and_status_2(
    repository: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    (repository / "latin.py").write_bytes(b"x = '\xe9'\n")
    (repository / "cache").mkdir()
    monkeypatch.chdir(repository)
    done = run(*arguments)
    assert done.exit_code == 2
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert isinstance(done.exception, SystemExit)


def test_columns_count_characters() -> None:
    data = "é😀 = 1\r\nb\r".encode()
    assert Position(Path("a.py"), 1, 3).offset(data) == len("é😀".encode())
    assert Position(Path("a.py"), 1, 7).offset(data) == len("é😀 = 1".encode())
    assert Position(Path("a.py"), 3, 1).offset(data) == len(data)
    assert Position(Path("a.py"), 1, 1).offset(b"") == 0
    with pytest.raises(Problem):
        Position(Path("a.py"), 1, 8).offset(data)


def test_ask_in_plain_words(repository: Path) -> None:
    shown = run("ask", "--root", repository, "something that has an area")
    assert shown.exit_code == 0, shown.output
    assert "models.Shape" in shown.output
    assert "from models import Shape" in shown.output
    answers = json.loads(run("ask", "--root", repository, "--json", "its size").output)
    assert answers[0]["name"] == "models.Shape.area_of_shape"
    nothing = run("ask", "--root", repository, "qqqq zzzz")
    assert "Nothing in this repository" in nothing.output


def test_ask_near_a_file_elsewhere(repository: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.py"
    other.touch()
    refused = run("ask", "--root", repository, "--near", other, "a size")
    assert refused.exit_code == 2
    assert "is not in" in refused.output


def test_an_adapter_that_is_not_there_is_not_removed(repository: Path) -> None:
    done = run("train", "--adapt", repository, "--remove")
    assert done.exit_code == 0
    assert done.output == f"there is no adapter to {repository}\n"


def test_samples_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "s.npz"
    file.write_text("no")
    refused = run("train-ranker", file)
    assert refused.exit_code == 2
    assert "cannot be read" in refused.output
