"""The live index: open buffers over the store, snapshots that stay as they were."""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import rich
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexing import cache, parsing, store
from indexing.build import build
from indexing.index import Index, Snapshot
from indexing.resolve import Target

Repository = Callable[[Mapping[str, str]], Path]
FILES = {
    "pkg/__init__.py": "from .core import Client\n",
    "pkg/core.py": "class Client:\n    def send(self): self.session.get()\n",
    "main.py": "import pkg\npkg.Client().send()\n",
}


@pytest.fixture
def index(repository: Repository, tmp_path: Path) -> Index:
    root = repository(FILES)
    build(root, tmp_path / "cache")
    return Index.open(root, tmp_path / "cache")


def test_what_was_built_is_there(index: Index) -> None:
    snapshot = index.snapshot()
    assert snapshot.paths == set(FILES)
    assert [located.path for located in snapshot.named("Client")] == ["pkg/core.py"]
    assert [located.definition.name for located in snapshot.prefixed("se", 5)] == ["send"]
    assert snapshot.used_after("self.session") == {"get": 1}
    assert snapshot.use_count("send") == 1
    assert snapshot.resolve("main.py", snapshot.symbols("main.py").imports[0]).module == "pkg"
    assert snapshot.ngrams is not None
    assert snapshot.tree("main.py") is None
    assert snapshot.symbols("nowhere.py") is None


def test_an_open_buffer_hides_the_file(index: Index) -> None:
    index.update("pkg/core.py", b"class Client:\n    def fetch(self): self.session.put()\n")
    snapshot = index.snapshot()
    assert snapshot.named("send") == ()
    assert [located.path for located in snapshot.named("fetch")] == ["pkg/core.py"]
    assert snapshot.prefixed("send", 5) == ()
    assert snapshot.used_after("session") == {"put": 1}
    assert snapshot.use_count("get") == 0
    members = snapshot.members(Target("pkg/__init__.py", "", "pkg"))
    assert {member.name for member in members} == {"Client", "core"}
    client = snapshot.bindings("pkg/__init__.py")["Client"]
    assert [member.name for member in snapshot.members(client)] == ["fetch"]
    tree = snapshot.tree("pkg/core.py")
    assert tree is not None
    assert tree.root_node.child_count == 1


def test_closing_a_buffer_brings_the_file_back(index: Index) -> None:
    before = everything(index.snapshot())
    index.update("pkg/core.py", b"x = 1\n")
    index.update("new.py", b"y = 1\n")
    assert index.snapshot().paths == {*FILES, "new.py"}
    index.forget("pkg/core.py")
    index.forget("new.py")
    assert everything(index.snapshot()) == before


def test_snapshots_stay_as_they_were(index: Index, tmp_path: Path) -> None:
    old = index.snapshot()
    before = everything(old)
    tree = old.tree("main.py")
    index.update("main.py", b"import pkg\nclass New(pkg.Client): ...\n")
    opened = index.snapshot()
    opened_before = (everything(opened), str(opened.tree("main.py").root_node))
    index.update("main.py", b"changed = 1\n")
    (index.root / "pkg/core.py").write_text("class Other: ...\n")
    (index.root / "more.py").write_text("")
    build(index.root, tmp_path / "cache")
    assert index.refresh()
    assert not index.refresh()
    assert everything(old) == before
    assert old.tree("main.py") is tree
    assert (everything(opened), str(opened.tree("main.py").root_node)) == opened_before
    assert index.snapshot().generation > opened.generation > old.generation
    assert "more.py" in index.snapshot().paths
    assert index.snapshot().named("Other") != ()


def everything(snapshot: Snapshot) -> object:
    """What a reader can see that depends on the files."""
    return (
        sorted(snapshot.paths),
        [snapshot.symbols(path) for path in sorted(snapshot.paths)],
        [dict(snapshot.bindings(path)) for path in sorted(snapshot.paths)],
        sorted(located.path for located in snapshot.named("Client")),
        dict(snapshot.used_after("session")),
        snapshot.prefixed("", 50),
    )


def test_before_a_build_open_buffers_count(repository: Repository, tmp_path: Path) -> None:
    index = Index.open(repository(FILES), tmp_path / "cache")
    assert index.snapshot().paths == frozenset()
    assert index.snapshot().ngrams is None
    index.update("main.py", b"def here(): ...\n")
    assert [located.path for located in index.snapshot().named("here")] == ["main.py"]
    assert not index.refresh()
    build(index.root, tmp_path / "cache")
    assert index.refresh()
    assert index.snapshot().paths == set(FILES)
    assert index.snapshot().ngrams is not None


def test_files_of_other_languages_are_ignored(index: Index) -> None:
    index.update("notes.txt", b"x = 1\n")
    assert "notes.txt" not in index.snapshot().paths


def test_a_damaged_store_costs_its_contents_and_nothing_else(index: Index, tmp_path: Path) -> None:
    path = index.folder / store.FILE_NAME
    path.write_bytes(b"\xff" * path.stat().st_size)
    index.update("main.py", b"def here(): ...\n")
    assert index.snapshot().symbols("pkg/core.py") is None
    assert index.snapshot().symbols("main.py") is not None
    index.refresh()
    assert index.snapshot().paths == {"main.py"}
    build(index.root, tmp_path / "cache")
    assert index.refresh()
    assert index.snapshot().symbols("pkg/core.py") is not None


def test_states_of_the_store_that_nobody_keeps_are_closed(
    index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    views: list[weakref.ref[store.View]] = []

    def open_view(folder: Path) -> store.View:
        view = real(folder)
        views.append(weakref.ref(view))
        return view

    real = store.open_view
    monkeypatch.setattr(store, "open_view", open_view)
    uses = [index.snapshot().symbols("main.py").uses]
    for number in range(6):
        (index.root / "main.py").write_text(f"import pkg\npkg.Client().send({number})\n")
        build(index.root, tmp_path / "cache")
        assert index.refresh()
        snapshot = index.snapshot()
        uses.append(snapshot.symbols("main.py").uses)
        assert {name for path in FILES for name in snapshot.bindings(path)} == {"pkg", "Client"}
        assert snapshot.module_name("pkg/core.py") == "pkg.core"
    assert len(views) == 6
    assert sum(view() is not None for view in views) <= 2
    assert [[use.name for use in found] for found in uses] == [["Client", "send"]] * 7


def test_damaged_ngrams_are_none_until_they_are_built_again(index: Index, tmp_path: Path) -> None:
    (file,) = index.folder.glob("ngrams*.bin")
    file.write_bytes(b"garbage")
    index.refresh()
    assert index.snapshot().ngrams is None
    build(index.root, tmp_path / "cache")
    assert index.refresh()
    assert index.snapshot().ngrams is not None


def test_an_unwritable_cache_is_said_and_worked_around(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    index = Index.open(tmp_path, tmp_path / "file")
    assert "cannot write" in index.warning
    index.update("a.py", b"def here(): ...\n")
    assert index.snapshot().named("here") != ()
    cache.delete(index.folder)


REAL = Path(rich.__file__).with_name("table.py").read_bytes()
EDITS = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 60),
        st.sampled_from([b"", b"self.x = 1\n", b"(", b"'", b"\n", b"class A:\n", b"import a\n"]),
    ),
    min_size=1,
    max_size=4,
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(EDITS)
def test_after_any_edits_the_index_equals_a_fresh_one(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[float, int, bytes]]
) -> None:
    folder = tmp_path_factory.mktemp("edited")
    root = folder / "root"
    root.mkdir()
    (root / "table.py").write_bytes(REAL)
    (root / "user.py").write_text("from table import Table, Column\nTable().add_row(1)\n")
    build(root, folder / "cache")
    index = Index.open(root, folder / "cache")
    data = REAL
    for where, removed, inserted in edits:
        start = round(where * len(data))
        data = data[:start] + inserted + data[start + removed :]
        index.update("table.py", data)
        index.snapshot().bindings("user.py")  # so that something is remembered across edits
    (root / "table.py").write_bytes(data)
    build(root, folder / "fresh")
    fresh = Index.open(root, folder / "fresh").snapshot()
    assert view(index.snapshot()) == view(fresh)


USED = "from table import A, B\nfrom table import *\n"
VERSIONS = [
    "class A: x = 1\nclass B(A): ...\n",
    "# moved\n\nclass A: x = 1\nclass B(A): ...\n",
    "class A: x = 1\nclass B: ...\n",
    "from other import A\nclass B(A): ...\n",
    "class A: ...\nfrom other import A\nclass B(A): ...\n",
    "from other import A\nclass A: ...\nclass B(A): ...\n",
    "__all__ = ['B']\nclass A: x = 1\nclass B(A): ...\n",
    "class A:\n",
]
OTHER = "class A:\n    def elsewhere(self): ...\n"


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(VERSIONS),
    st.lists(st.sampled_from([*VERSIONS, None]), min_size=1, max_size=5),
)
def test_opening_and_closing_equals_a_fresh_index(
    tmp_path_factory: pytest.TempPathFactory, on_disk: str, steps: list[str | None]
) -> None:
    """``None`` closes the file: what was resolved before counts only while it is still right."""
    folder = tmp_path_factory.mktemp("opened")
    root = folder / "root"
    root.mkdir()
    for path, text in {"table.py": on_disk, "user.py": USED, "other.py": OTHER}.items():
        (root / path).write_text(text)
    build(root, folder / "cache")
    index = Index.open(root, folder / "cache")
    for text in steps:
        index.forget("table.py") if text is None else index.update("table.py", text.encode())
        fresh = Index.open(root, folder / "cache")
        if text is not None:
            fresh.update("table.py", text.encode())
        assert resolved(index.snapshot()) == resolved(fresh.snapshot())


def resolved(snapshot: Snapshot) -> object:
    bindings = {path: dict(snapshot.bindings(path)) for path in sorted(snapshot.paths)}
    targets = [target for bound in bindings.values() for target in bound.values()]
    return bindings, [(snapshot.mro(each), snapshot.members(each)) for each in targets]


def test_what_was_resolved_outlives_opening_and_closing(index: Index) -> None:
    before = index.snapshot().bindings("main.py")
    index.update("pkg/core.py", b"# x\n" + FILES["pkg/core.py"].encode())
    assert index.snapshot().bindings("main.py") is before
    index.forget("pkg/core.py")
    assert index.snapshot().bindings("main.py") is before
    index.update("pkg/core.py", b"class Customer: ...\n")
    assert index.snapshot().bindings("main.py") is not before


def view(snapshot: Snapshot) -> object:
    names = sorted({d.name for p in snapshot.paths for d in snapshot.symbols(p).definitions})
    uses = Counter(use.name for p in snapshot.paths for use in snapshot.symbols(p).uses)
    assert all(snapshot.use_count(name) == number for name, number in uses.items())
    assert snapshot.use_counts([*uses, "nowhere"]) == {**uses, "nowhere": 0}
    table = Target("table.py", "Table", "table")
    return (
        [(path, snapshot.symbols(path)) for path in sorted(snapshot.paths)],
        [set(snapshot.named(name)) for name in names],
        [dict(snapshot.used_after(part)) for part in ("self", "", "console", "table", "x")],
        [dict(snapshot.bindings(path)) for path in sorted(snapshot.paths)],
        (snapshot.members(table), snapshot.mro(table)),
        snapshot.prefixed("a", 30),
    )


def test_positions_are_those_of_the_text_as_it_is(tmp_path: Path) -> None:
    index = Index.open(tmp_path, tmp_path / "cache")
    text = "# é\u2028\U0001f600\rdef f():\r\n  return 1\r\f\ndef g(): ...\r".encode()
    index.update("a.py", text)
    found = index.snapshot().symbols("a.py").definitions
    assert [text[slice(*d.name_span)] for d in found] == [b"f", b"g"]
    assert parsing.normalise(text).count(b"\n") == 5


def test_names_of_one_family_in_a_mixed_repository(repository: Repository, tmp_path: Path) -> None:
    files = {
        "a.py": "class Client: ...\nimport app\n",
        "b/App.java": "package app.b;\nclass Client {}\nclass ClientFactory {}\n",
        "c.ts": "export class Client {}\n",
    }
    root = repository(files)
    build(root, tmp_path / "cache")
    index = Index.open(root, tmp_path / "cache")
    index.update("d.tsx", b"export class Client {}\n")
    snapshot = index.snapshot()
    named = {
        family: sorted(located.path for located in snapshot.named("Client", 2, family))
        for family in ("python", "java", "javascript")
    }
    assert named == {"python": ["a.py"], "java": ["b/App.java"], "javascript": ["c.ts", "d.tsx"]}
    prefixed = snapshot.prefixed("cl", 5, top=True, family="java")
    assert [located.definition.name for located in prefixed] == ["Client", "ClientFactory"]
    assert len(snapshot.named("Client")) == 4
