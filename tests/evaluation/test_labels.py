"""Labels of a small repository in which every answer is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from evaluation.items import ApiItem, ItemsError, Shape, Stratum, Variant, cut_text, read, write
from evaluation.labels import api_items, definitions, read_source, stratum
from evaluation.resolvers import Jedi, Resolver
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
from shapes import Shape, build
class Circle(Shape):
    def local(self): ...
    def work(self, unknown, given: Shape):
        self.measure()
        self.local()
        os.path.join("a")
        unknown.measure()
        other = build()
        other.measure()
        given.measure()
        shapes.build(
        ).join()
        Shape.join(self)
        "".join([])
""",
}
MANY = {Shape.MEMBER: 99, Shape.BARE: 99}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


class Knows:
    """A resolver that follows every name to the same files."""

    name = "knows"

    def __init__(self, *files: str) -> None:
        self._files = frozenset(files)

    async def files(self, path: str, offset: int) -> frozenset[str]:
        return self._files


async def drawn(
    root: Path, resolvers: Sequence[Resolver], counts: dict[Shape, int], seed: int = 0
) -> list[ApiItem]:
    files = read_sources(root)
    return [item async for item in api_items("r", files, resolvers, counts, seed)]


async def test_only_calls_into_other_files_are_items(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("evaluation.labels.PER_FILE", 99)
    items = await drawn(root, [Jedi(root, read_sources(root))], MANY)
    found = sorted((item.receiver, item.name, item.stratum) for item in items)
    members = [each for each in found if each[0]]
    assert members == [
        ("Shape", "join", Stratum.IMPORTED),
        ("given", "measure", Stratum.PARAMETER),
        ("other", "measure", Stratum.VARIABLE),
        ("self", "measure", Stratum.SELF),
        ("shapes", "build", Stratum.IMPORTED),
        ("shapes.build(\n        )", "join", Stratum.CALL),
    ]
    assert ("", "build", Stratum.IMPORTED) in found
    assert {item.path for item in items} == {"app.py"}
    assert {item.defined for item in items} == {("shapes.py",)}


async def test_resolvers_must_agree(root: Path) -> None:
    assert await drawn(root, [Knows("shapes.py"), Knows("elsewhere.py")], MANY) == []
    assert await drawn(root, [Knows("shapes.py"), Knows("shapes.py")], MANY)
    assert await drawn(root, [Knows()], MANY) == []


async def test_the_seed_decides_and_the_counts_hold(root: Path) -> None:
    counts = {Shape.MEMBER: 2, Shape.BARE: 0}
    first = await drawn(root, [Knows("shapes.py")], counts, seed=3)
    assert [item.shape for item in first] == [Shape.MEMBER] * 2
    assert first == await drawn(root, [Knows("shapes.py")], counts, seed=3)


async def test_items_survive_the_disk(root: Path, tmp_path: Path) -> None:
    items = await drawn(root, [Knows("shapes.py")], MANY)
    write(tmp_path / "items.jsonl", items)
    assert read(tmp_path / "items.jsonl") == items


def test_files_of_no_items(tmp_path: Path) -> None:
    (tmp_path / "broken.jsonl").write_text('{"path": 1}\n')
    for name in ("broken.jsonl", "missing.jsonl"):
        with pytest.raises(ItemsError, match=name):
            read(tmp_path / name)


def test_definitions_by_name() -> None:
    sources = {path: text.encode() for path, text in FILES.items()} | {"broken.py": b"def ("}
    assert definitions(sources)["measure"] == {"shapes.py"}
    assert definitions(sources)["Circle"] == {"app.py"}


def test_names_that_a_file_binds() -> None:
    data = b"import a.b, c as d\nfrom e import f as g\nfrom h import *\ndef i(j, *k, l=1): pass\nm"
    source = read_source("m.py", data)
    assert source.imported == {"a", "d", "g", "*"}
    assert source.parameters(data.index(b"pass")) == {"j", "k", "l"}
    assert source.parameters(len(data)) == frozenset()


@pytest.mark.parametrize(
    ("receiver", "form"),
    [
        ("self", Stratum.SELF),
        ("super()", Stratum.SELF),
        ("np", Stratum.IMPORTED),
        ("p", Stratum.PARAMETER),
        ("x", Stratum.VARIABLE),
        ("self.client", Stratum.ATTRIBUTE),
        ("self.a.b", Stratum.ATTRIBUTE),
        ("f(x)", Stratum.CALL),
        ("x[0]", Stratum.OTHER),
    ],
)
def test_receivers_by_form(receiver: str, form: Stratum) -> None:
    assert stratum(receiver, {"np"}, {"p"}) is form


def test_what_is_left_of_a_cut_file() -> None:
    data = b"a\nb.send(1)\nc\n"
    assert cut_text(data, 4, Variant.BELOW) == b"a\nb.\nc\n"
    assert cut_text(data, 4, Variant.ABOVE) == b"a\nb."
