"""Cut copies hold the cut text, and rounds hold no file twice."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from evaluation.cuts import Cut, Place
from evaluation.workspaces import cut_copy, read_sources, rounds


def cut(path: str, offset: int = 0) -> Cut:
    return Cut(path, offset, Place.DOT, "name", "", "name()")


@given(st.lists(st.sampled_from("abcde"), max_size=30))
def test_rounds_hold_every_item_once_and_no_file_twice(paths: list[str]) -> None:
    items = [cut(path, number) for number, path in enumerate(paths)]
    dealt = rounds(items, lambda item: item)
    assert sorted((item for one in dealt for item in one), key=lambda c: c.offset) == items
    for one in dealt:
        assert len({item.path for item in one}) == len(one)
    assert len(dealt) == max(Counter(paths).values(), default=0)


def test_a_copy_is_cut_and_the_source_is_not(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "a.py").write_bytes(b"x = y.z()\r\nrest\r\n")
    (source / "b.py").write_bytes(b"whole\n")
    with cut_copy(source, [cut("a.py", 6)]) as workspace:
        assert (workspace.root / "a.py").read_bytes() == b"x = y.\r\nrest\r\n"
        assert (workspace.root / "b.py").read_bytes() == b"whole\n"
        assert workspace.root.name == "source"
        assert not workspace.cache.is_relative_to(workspace.root)
    assert (source / "a.py").read_bytes() == b"x = y.z()\r\nrest\r\n"
    assert not workspace.root.exists()


def test_only_readable_python_is_sampled(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "a.py").write_text("é = 1\n", "utf-8")
    (tmp_path / "latin.py").write_bytes(b"\xe9 = 1\n")
    (tmp_path / "notes.txt").write_text("no")
    (tmp_path / "huge.py").write_bytes(b"#" * 1_000_001)
    assert list(read_sources(tmp_path)) == ["package/a.py"]
    assert list(read_sources(tmp_path, ["latin.py", "package/a.py"])) == ["package/a.py"]
