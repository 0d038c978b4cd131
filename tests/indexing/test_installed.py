"""Installed packages: which file a module is, what is read when, and when it is forgotten."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from indexing.index import Index
from indexing.installed import Installed, NotReadError
from indexing.resolve import Target

LARGE = "x = 1\n# " + 900_000 * "-" + "\n"


def put(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


@pytest.mark.parametrize(
    ("module", "file"),
    [
        ("pkg", "pkg/__init__.py"),
        ("pkg.inner", "pkg/inner.py"),
        ("pkg.typed", "pkg/typed.pyi"),
        ("spaced.part", "spaced/part.py"),
        ("spaced", "spaced/"),
        ("single", "single.py"),
        ("pkg.fast", None),
        ("nowhere", None),
        ("json", None),  # the standard library is not shadowed
    ],
)
def test_a_module_is_a_file(module: str, file: str | None, tmp_path: Path) -> None:
    names = ("pkg/__init__.py", "pkg/inner.py", "pkg/typed.pyi", "pkg/fast.so", "spaced/part.py")
    folder = put(tmp_path, dict.fromkeys((*names, "single.py", "json.py"), ""))
    packages = Installed((folder,))
    found = packages.find(module)
    assert found == (None if file is None else f"{folder.as_posix()}/{file}")
    assert found is None or packages.module_name(found) == module


def test_a_request_waits_for_no_large_file(tmp_path: Path) -> None:
    put(tmp_path, {"small.py": "a = 1\n", "large.py": LARGE})
    packages = Installed((tmp_path,))
    small, large = (packages.find(name) or "" for name in ("small", "large"))
    with packages.within(500.0):
        assert packages.symbols(small) is not None
        with pytest.raises(NotReadError):
            packages.symbols(large)
    packages.wait(60.0)
    with packages.within(500.0):
        found = packages.symbols(large)
    assert found is not None
    assert found.definitions[0].name == "x"


def test_what_was_exchanged_is_forgotten(tmp_path: Path) -> None:
    put(tmp_path, {"one.py": "a = 1\n"})
    packages = Installed((tmp_path,))
    path = packages.find("one") or ""
    packages.symbols(path)
    put(tmp_path, {"one.py": "b = 1\n", "two.py": ""})
    os.utime(tmp_path, ns=(1, 1))
    assert packages.find("two") is None
    packages.refresh()
    symbols = packages.symbols(path)
    assert packages.find("two") is not None
    assert symbols is not None
    assert [each.name for each in symbols.definitions] == ["b"]


def test_a_file_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_bytes(b"# coding: utf-8\n\xff\xfe\xff")
    packages = Installed((tmp_path,))
    assert packages.symbols(packages.find("odd") or "") is None


def test_what_was_left_off_leaves_nothing_behind(tmp_path: Path) -> None:
    """A look-up that ended early may not be remembered as an answer."""
    packages = put(
        tmp_path / "packages",
        {
            "lib/__init__.py": "from .base import Base\n\nclass Made(Base):\n    own = 1\n",
            "lib/base.py": "class Base:\n    inherited = 1\n\n\n" + LARGE,
        },
    )
    index = Index.open(put(tmp_path / "root", {"m.py": ""}), tmp_path / "cache")
    index.use_packages((packages,))
    index.update("m.py", b"import lib\n")
    wide = index.snapshot().wide
    seen = index.snapshot().packages
    assert seen is not None
    target = Target(seen.find("lib"), "Made", "lib")
    with seen.within(500.0), pytest.raises(NotReadError):
        wide.members(target)
    seen.wait(60.0)
    assert {each.name for each in wide.members(target)} == {"own", "inherited"}


def test_the_repository_does_not_see_them_where_it_is_not_asked_to(tmp_path: Path) -> None:
    packages = put(tmp_path / "packages", {"lib.py": "def f(): ...\n"})
    index = Index.open(put(tmp_path / "root", {"m.py": ""}), tmp_path / "cache")
    index.update("m.py", b"from lib import f\n")
    assert index.snapshot().wide is index.snapshot()
    index.use_packages((packages,))
    snapshot = index.snapshot()
    assert snapshot.bindings("m.py")["f"] == Target(None, "f", "lib")
    assert snapshot.wide.bindings("m.py")["f"].path == f"{packages.as_posix()}/lib.py"


def test_edits_keep_what_depends_on_packages_alone(tmp_path: Path) -> None:
    packages = put(tmp_path / "packages", {"lib.py": "class A:\n    x = 1\n"})
    index = Index.open(put(tmp_path / "root", {"m.py": ""}), tmp_path / "cache")
    index.use_packages((packages,))
    index.update("m.py", b"from lib import A\n")
    assert index.snapshot().wide.bindings("m.py")["A"].qualname == "A"
    index.update("m.py", b"from lib import A as B\n")
    found = index.snapshot().wide.bindings("m.py")
    assert set(found) == {"B"}
    assert [each.name for each in index.snapshot().wide.members(found["B"])] == ["x"]
