"""What a repository declares, and why the members of a receiver are not known."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from evaluation import dependencies, receivers
from evaluation.apieval import Source
from evaluation.dependencies import DependenciesError, installed, requirements

METADATA = (
    "Metadata-Version: 2.1\nName: thing\nVersion: 1\nRequires-Dist: one>=1\n"
    "Requires-Dist: two; python_version < '4'\nRequires-Dist: three; extra == 'fast'\n\nText\n"
)
PROJECT = (
    "[project]\ndependencies = ['four']\n[project.optional-dependencies]\ntest = ['five']\n"
    "docs = ['six']\n[dependency-groups]\ndev = ['seven', {include-group = 'test'}]\n"
)


def test_what_is_declared(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT, "utf-8")
    assert requirements(tmp_path) == (("four",), ("seven", "five"))
    (tmp_path / "PKG-INFO").write_text(METADATA, "utf-8")
    assert requirements(tmp_path) == (("one>=1", "two; python_version < '4'"), ("seven", "five"))


def test_a_project_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[project", "utf-8")
    with pytest.raises(DependenciesError, match=r"pyproject\.toml cannot be read"):
        requirements(tmp_path)


def test_what_cannot_be_installed_is_said_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    root = tmp_path / "root"
    root.mkdir()
    (root / "pyproject.toml").write_text("[project]\ndependencies = ['no-such-thing']\n", "utf-8")
    for _ in range(2):
        with pytest.raises(DependenciesError, match=r"root needs cannot be installed: .*no-such"):
            installed(root, tmp_path / "cache")


def test_nothing_declared_installs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no-python"))
    assert list(installed(tmp_path, tmp_path / "cache").iterdir()) != []


CODE = (
    "import lib\nfrom lib import Base\n\n\nclass A(Base):\n    def run(self):\n"
    "        self.set_here.append(1)\n\n\ndef f(x):\n    return x.y\n\n\ndef g():\n    lib.part()\n"
)


def test_shares_and_causes(tmp_path: Path) -> None:
    root, packages = tmp_path / "root", tmp_path / "packages"
    for folder in (root, packages):
        folder.mkdir()
    (root / "m.py").write_text(CODE, "utf-8")
    (packages / "lib.py").write_text("class Base:\n    set_here = [1]\n\n\ndef part(): ...\n")
    source = Source("repository 1", root)
    bare = {each.source: each for each in receivers.look(source, 10, 1)}
    told = {each.source: each for each in receivers.look(source, 10, 1, (packages,))}
    assert {"x", "lib"} <= bare.keys() == told.keys()
    assert not bare["lib"].known
    assert told["lib"].known
    assert told["lib"].cause == receivers.KNOWN
    assert told["x"].cause == "a name parameter"
    figures = receivers.result(list(told.values()), 1)["all"]
    assert sum(figures["causes"].values()) == len(told)
    assert figures["true_name_ruled_out"]["value"] == 0.0
    assert dependencies.nothing_installed(root) == ()
