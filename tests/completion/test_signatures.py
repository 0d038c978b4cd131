"""Definitions written as one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from completion.signatures import declaration, required, signature
from indexing.symbols import Definition
from tests.completion.workspace import snapshot_of

SOURCE = """
class A(B):
    size: int = 3
    plain = 4

    def method(self, a: int, /, b=2, *rest: str, key: float = 1.0, **more) -> "A": ...

    @staticmethod
    def static(a, b): ...

    @classmethod
    def make(cls, *, only): ...

    @property
    def value(self) -> int: ...


class Bare: ...


def function(): ...
"""


@pytest.fixture
def definitions(tmp_path: Path) -> dict[str, Definition]:
    symbols = snapshot_of({"m.py": SOURCE}, tmp_path).symbols("m.py")
    assert symbols is not None
    return {each.name: each for each in symbols.definitions}


@pytest.mark.parametrize(
    ("name", "shown", "declared"),
    [
        (
            "method",
            '(a: int, /, b=2, *rest: str, key: float = 1.0, **more) -> "A"',
            'def method(self, a: int, /, b=2, *rest: str, key: float = 1.0, **more) -> "A"',
        ),
        ("static", "(a, b)", "def static(a, b)"),
        ("make", "(*, only)", "def make(cls, *, only)"),
        ("value", ": int", "def value(self) -> int"),
        ("size", ": int", "size: int"),
        ("plain", " = 4", "plain = 4"),
        ("A", "(B)", "class A(B)"),
        ("Bare", "", "class Bare"),
        ("function", "()", "def function()"),
    ],
)
def test_lines(name: str, shown: str, declared: str, definitions: dict[str, Definition]) -> None:
    assert signature(definitions[name]) == shown
    assert declaration(definitions[name]) == declared


@pytest.mark.parametrize(
    ("name", "names"), [("method", ["a"]), ("static", ["a", "b"]), ("make", []), ("function", [])]
)
def test_required(name: str, names: list[str], definitions: dict[str, Definition]) -> None:
    assert required(definitions[name]) == names
