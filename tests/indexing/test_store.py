"""The store against slow counting, damage, and readers that keep their view."""

from __future__ import annotations

import errno
import json
import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexing import cache, extract, parsing, store
from indexing.index import Index
from indexing.languages import language_of
from indexing.symbols import last_part

PYTHON = language_of("any.py")
assert PYTHON is not None
STAT = store.Stat(1, 2)
SOURCES = (
    "def f(): a.b(1)\nclass C:\n  def f(self): self.x = 1\n",
    "import os\nfrom . import *\na.b\nself.a.c()\nf(1, 2)\n__all__ = ['f']\n",
    "'Doc.'\nx = f()\nX = x.f.f\n\nclass C(D): ...\n",
    "",
)


def record(path: str, source: str) -> store.Record:
    data = source.encode()
    outline = extract.outline(PYTHON, parsing.parse(PYTHON, data), data)
    return store.record(path, STAT, b"digest", outline)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[store.Writer]:
    with closing(store.open_writer(tmp_path)) as writer:
        yield writer


def put(writer: store.Writer, files: Mapping[str, str]) -> None:
    writer.begin()
    for path, source in files.items():
        writer.put(record(path, source))
    writer.commit()


@pytest.mark.parametrize("source", SOURCES)
def test_what_is_read_back_is_what_was_extracted(
    writer: store.Writer, tmp_path: Path, source: str
) -> None:
    put(writer, {"a.py": source})
    view = store.open_view(tmp_path)
    data = source.encode()
    expected = extract.extract(PYTHON, parsing.parse(PYTHON, data), data)
    assert view.symbols(view.files["a.py"]) == expected


CHANGES = st.lists(
    st.tuples(st.sampled_from(["a.py", "b.py", "c.py"]), st.sampled_from([*SOURCES, None])),
    max_size=6,
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(CHANGES)
def test_sums_equal_counting_all_files(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[str, str | None]]
) -> None:
    folder = tmp_path_factory.mktemp("store")
    files: dict[str, str] = {}
    with closing(store.open_writer(folder)) as writer:
        for path, source in changes:
            writer.begin()
            if source is None:
                writer.drop(path)
                files.pop(path, None)
            else:
                writer.put(record(path, source))
                files[path] = source
            writer.commit()
    view = store.open_view(folder)
    assert set(view.files) == set(files)
    receivers, names = counted(files)
    for part in {"a", "self", "", "x", "a.b"} | receivers.keys():
        assert view.used_after(part) == receivers.get(part, {})
    assert view.use_counts([*names, "nowhere"]) == names


def counted(files: Mapping[str, str]) -> tuple[dict[str, Counter[str]], Counter[str]]:
    receivers: dict[str, Counter[str]] = {}
    names: Counter[str] = Counter()
    for source in files.values():
        data = source.encode()
        for use in extract.extract(PYTHON, parsing.parse(PYTHON, data), data).uses:
            receivers.setdefault(last_part(use.receiver), Counter())[use.name] += 1
            names[use.name] += 1
    return receivers, names


def test_names_are_found_exactly_and_by_prefix(writer: store.Writer, tmp_path: Path) -> None:
    put(
        writer,
        {
            "a.py": "def Fetch(): ...\nfetch_all = 1\n",
            "b.py": "fetch_all()\nclass A:\n  fetch = 1\n",
        },
    )
    view = store.open_view(tmp_path)
    assert [d.name for _, d in view.named("fetch_all", ())] == ["fetch_all"]
    assert view.named("Fetch", {view.files["a.py"]}) == []

    def names(limit: int, *, top: bool) -> list[str]:
        return [d.name for _, d in view.prefixed("fet", limit, 4, (), top=top)]

    assert names(9, top=False) == ["fetch_all", "Fetch", "fetch"]
    assert names(9, top=True) == ["fetch_all", "Fetch"]
    assert names(1, top=False) == ["fetch_all"]


def test_a_view_does_not_change_while_the_writer_works(
    writer: store.Writer, tmp_path: Path
) -> None:
    put(writer, {"a.py": SOURCES[0], "b.py": SOURCES[1]})
    view = store.open_view(tmp_path)
    before = (dict(view.files), view.symbols(view.files["a.py"]), view.use_counts(["f"]))
    put(writer, {"a.py": "y = 1\n", "c.py": SOURCES[2]})
    writer.begin()
    writer.drop("b.py")
    assert (dict(view.files), view.symbols(view.files["a.py"]), view.use_counts(["f"])) == before
    writer.commit()
    assert (dict(view.files), view.symbols(view.files["a.py"]), view.use_counts(["f"])) == before
    assert set(store.open_view(tmp_path).files) == {"a.py", "c.py"}


def test_what_was_not_committed_is_not_there(writer: store.Writer, tmp_path: Path) -> None:
    put(writer, {"a.py": SOURCES[0]})
    writer.begin()
    writer.put(record("b.py", SOURCES[1]))
    writer.close()
    assert set(store.open_view(tmp_path).files) == {"a.py"}


def overwrite(path: Path) -> None:
    path.write_bytes(os.urandom(path.stat().st_size))


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def other_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {store.VERSION + 1}")


@pytest.mark.parametrize("damage", [overwrite, truncate, other_version])
def test_a_damaged_store_is_refused_by_readers_and_built_anew_by_the_writer(
    tmp_path: Path, damage: object
) -> None:
    with closing(store.open_writer(tmp_path)) as writer:
        put(writer, {f"{n}.py": SOURCES[n % 3] * 50 for n in range(9)})
    assert callable(damage)
    damage(tmp_path / store.FILE_NAME)
    with closing(store.open_writer(tmp_path)) as writer:
        assert writer.known() == {}
        put(writer, {"a.py": SOURCES[0]})
    assert set(store.open_view(tmp_path).files) == {"a.py"}


@pytest.mark.parametrize("damage", [overwrite, other_version, empty, Path.unlink])
def test_readers_refuse_what_is_not_a_store(tmp_path: Path, damage: object) -> None:
    store.open_writer(tmp_path).close()
    assert callable(damage)
    damage(tmp_path / store.FILE_NAME)
    with pytest.raises(store.StoreError):
        store.open_view(tmp_path)


def test_damage_under_an_open_view_is_noticed_and_answers_with_nothing(tmp_path: Path) -> None:
    with closing(store.open_writer(tmp_path)) as writer:
        put(writer, {f"{n}.py": "def name(): ...\n" * 200 for n in range(50)})
    view = store.open_view(tmp_path)
    path = tmp_path / store.FILE_NAME
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (path.stat().st_size - 4096))
    assert [view.symbols(file) for file in view.files.values()].count(None) > 0
    assert view.broken


def test_skipped_files_are_on_record_until_they_change(
    writer: store.Writer, tmp_path: Path
) -> None:
    writer.begin()
    writer.skip("a.py", STAT, "binary")
    writer.commit()
    assert writer.known() == {"a.py": (STAT, None)}
    assert store.open_view(tmp_path).skipped() == [("a.py", "binary")]
    put(writer, {"a.py": "x = 1\n"})
    assert writer.known() == {"a.py": (STAT, b"digest")}
    assert store.open_view(tmp_path).skipped() == []


def test_rows_are_json_without_blanks() -> None:
    rows = record("a.py", SOURCES[0]).definitions
    assert [(name, top) for name, top, _ in rows] == [
        ("f", True),
        ("C", True),
        ("f", False),
        ("x", False),
    ]
    assert all(json.dumps(json.loads(text), separators=(",", ":")) == text for _, _, text in rows)


# The cache's folders


def test_workspaces_have_their_own_folders(tmp_path: Path) -> None:
    one = cache.prepare(tmp_path / "a" / "same", tmp_path / "cache")
    other = cache.prepare(tmp_path / "b" / "same", tmp_path / "cache")
    assert one.folder != other.folder
    assert one.folder.stat().st_mode & 0o077 == 0
    found = {entry.workspace for entry in cache.entries(tmp_path / "cache")}
    assert found == {str(tmp_path / "a" / "same"), str(tmp_path / "b" / "same")}


def test_the_environment_moves_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "elsewhere"))
    assert cache.prepare(tmp_path).folder.parent == tmp_path / "elsewhere"


def test_an_unwritable_cache_gives_a_temporary_folder_and_a_warning(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    place = cache.prepare(tmp_path, tmp_path / "file")
    assert "cannot write" in place.warning
    assert "move away the file of that name or set LANCEFILL_CACHE" in place.warning
    assert place.folder.is_dir()
    cache.delete(place.folder)


def test_where_nothing_can_be_written_at_all_the_folder_stays_the_one_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile, "mkdtemp", full)
    (tmp_path / "file").write_text("")
    place = cache.prepare(tmp_path, tmp_path / "file")
    assert place.folder == cache.workspace_folder(tmp_path, tmp_path / "file")
    index = Index.open(tmp_path, tmp_path / "file")
    index.update("a.py", b"class Heron: ...")
    assert index.snapshot().named("Heron")


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "make room on the disk"),
        (errno.EDQUOT, "make room on the disk"),
        (errno.EACCES, "make the folder yours to write"),
        (errno.EROFS, "make the folder yours to write"),
        (errno.EIO, ""),
    ],
)
def test_what_to_do_is_told(number: int, remedy: str) -> None:
    said = cache.told(OSError(number, os.strerror(number)))
    assert said.startswith(os.strerror(number))
    assert (f"; {remedy} or set LANCEFILL_CACHE to another folder" in said) is bool(remedy)


def test_a_full_disk_is_told_by_the_database_too(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "small.sqlite3")
    connection.execute("PRAGMA max_page_count = 2")
    connection.execute("CREATE TABLE t (x)")
    with pytest.raises(sqlite3.OperationalError) as caught:
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    connection.close()
    assert "make room on the disk" in cache.told(caught.value)
    wrapped = store.StoreError("cannot be opened")
    wrapped.__cause__ = caught.value
    assert "cannot be opened; make room" in cache.told(wrapped)


def test_the_least_recently_used_workspaces_go_first(tmp_path: Path) -> None:
    folders = []
    for age, name in enumerate(("old", "kept", "new")):
        folder = cache.prepare(tmp_path / name, tmp_path / "cache").folder
        (folder / "index").write_bytes(b"x" * 1000)
        os.utime(folder / "workspace", (age, age))
        folders.append(folder)
    deleted = cache.trim(tmp_path / "cache", cap=1200, keep=folders[1])
    assert [entry.folder for entry in deleted] == [folders[0], folders[2]]
    assert [entry.folder for entry in cache.entries(tmp_path / "cache")] == [folders[1]]
