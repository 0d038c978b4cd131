"""Labels of a small repository in which every answer is known."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.labels import Receiver, api_items, definitions, imported_names, receiver_kind
from evaluation.workspaces import read_sources

FILES = {
    "shapes.py": """\
class Shape:
    def measure(self): ...
    def join(self): ...
def build() -> Shape: ...
""",
    "app.py": """\
import os
import shapes
from shapes import Shape
class Circle(Shape):
    def local(self): ...
    def work(self, unknown):
        self.measure()
        self.local()
        os.path.join("a")
        unknown.measure()
        other = shapes.build()
        other.measure()
        Shape.join(self)
        "".join([])
""",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_only_calls_into_other_files_are_items(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evaluation.labels.PER_FILE", 99)
    items = list(api_items(root, read_sources(root), seed=0, count=99))
    found = sorted((item.receiver, item.cut.name, item.kind) for item in items)
    assert found == [
        ("Shape", "join", Receiver.IMPORTED),
        ("other", "measure", Receiver.VARIABLE),
        ("self", "measure", Receiver.SELF),
        ("shapes", "build", Receiver.IMPORTED),
    ]
    assert {item.cut.path for item in items} == {"app.py"}
    assert {item.defined for item in items} == {("shapes.py",)}


def test_the_seed_decides_and_the_count_holds(root: Path) -> None:
    sources = read_sources(root)
    first = list(api_items(root, sources, seed=3, count=2))
    assert len(first) == 2
    assert first == list(api_items(root, sources, seed=3, count=2))


def test_definitions_by_name() -> None:
    sources = {path: text.encode() for path, text in FILES.items()} | {"broken.py": b"def ("}
    assert definitions(sources)["measure"] == {"shapes.py"}
    assert definitions(sources)["Circle"] == {"app.py"}


def test_names_that_imports_bind() -> None:
    data = b"import a.b, c as d\nfrom e import f as g\nfrom h import *\n"
    assert imported_names(data) == {"a", "d", "g", "*"}


@pytest.mark.parametrize(
    ("receiver", "kind"),
    [
        ("self", Receiver.SELF),
        ("super()", Receiver.SELF),
        ("np", Receiver.IMPORTED),
        ("x", Receiver.VARIABLE),
        ("self.client", Receiver.ATTRIBUTE),
        ("self.a.b", Receiver.EXPRESSION),
        ("f(x)", Receiver.EXPRESSION),
    ],
)
def test_receivers_by_form(receiver: str, kind: Receiver) -> None:
    assert receiver_kind(receiver, {"np"}) is kind
