"""The direction of imports that ARCHITECTURE.md draws, and what a server process may load."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

ALLOWED: dict[str, set[str]] = {
    "indexing": set(),
    "completion": {"indexing"},
    "lsp_server": {"indexing", "completion"},
    "evaluation": {"indexing", "completion", "lsp_server"},
    "training": {"indexing", "completion"},
}
OURS = {*ALLOWED, "lancefill", "tests"}


def imported_packages(tree: ast.AST) -> Iterator[str]:
    """The first part of every absolute import, at whatever depth of the code it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module.partition(".")[0]


def violations(room: str, source: str) -> set[str]:
    return set(imported_packages(ast.parse(source))) & OURS - {room} - ALLOWED[room]


def modules(room: str) -> list[Path]:
    return sorted((ROOT / room).rglob("*.py"))


@pytest.mark.parametrize("room", ALLOWED)
def test_imports_point_one_way(room: str) -> None:
    assert modules(room)
    wrong = {str(path): violations(room, path.read_text("utf-8")) for path in modules(room)}
    assert {path: names for path, names in wrong.items() if names} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import lsp_server",
        "from completion.request import Request",
        "def f():\n    import tests.e2e",
    ],
)
def test_a_wrong_import_is_seen(source: str) -> None:
    assert violations("indexing", source)


@pytest.mark.parametrize("room", ALLOWED)
def test_no_relative_imports(room: str) -> None:
    """One spelling for an import; the direction above is read from absolute names only."""
    for path in modules(room):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}:{node.lineno}"


def test_the_command_line_imports_rooms_only_inside_its_commands() -> None:
    top = ast.parse((ROOT / "lancefill.py").read_text("utf-8")).body
    names = set(imported_packages(ast.Module([n for n in top if _is_import(n)], [])))
    assert names & OURS == set()


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("lancefill, lsp_server.server", {"torch", "transformers", "jedi", "parso"}),
        ("completion.model.worker", {"transformers", "jedi", "parso"}),
    ],
)
def test_processes_load_only_what_they_need(modules: str, heavy: set[str]) -> None:
    """The server no model and no jedi, the model process nothing of transformers."""
    program = f"import sys, {modules}; print(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True, cwd="/"
    )
    assert heavy & set(answer.stdout.split()) == set()
