"""The pinned repositories: what may be measured on them, and how they are fetched."""

from __future__ import annotations

import json
import tarfile
import zipfile
from pathlib import Path

import pytest

from evaluation import demo, latency, repositories
from evaluation.repositories import FetchError, Repository, copy_source, fetch

PACKAGES = Path(__file__).parents[2] / "training" / "packages.json"


def test_every_repository_is_pinned_by_version_and_hash() -> None:
    for name, repository in repositories.repositories().items():
        assert repository.name == name
        assert repository.role in ("report", "seen", "dev", "scale")
        assert repository.kind in ("wheel", "sdist")
        assert len(bytes.fromhex(repository.sha256)) == 32
        assert repository.licence


def test_what_is_reported_on_was_not_trained_on() -> None:
    trained = json.dumps(json.loads(PACKAGES.read_text("utf-8"))).lower().replace("_", "-")
    for repository in repositories.repositories().values():
        if repository.role in ("report", "seen"):
            assert f'"{repository.name}"' not in trained


def test_the_commands_use_repositories_of_the_right_role() -> None:
    known = repositories.repositories()
    assert known[demo.DEFAULT].role == "seen"
    assert known[demo.DEFAULT].lines >= 10_000
    assert known[latency.SCALE].role == "scale"
    assert known[latency.SCALE].lines >= 750_000
    assert known[latency.TYPICAL].role == "dev"
    assert 100_000 <= known[latency.TYPICAL].lines < 110_000


def test_a_repository_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def download(repository: Repository, folder: Path) -> Path:
        calls.append(repository.name)
        wheel = folder / "rich.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            archive.writestr("rich/console.py", "x = 1\n")
        return wheel

    monkeypatch.setattr(repositories, "_download_package", download)
    first = fetch("rich", tmp_path)
    assert (first / "rich" / "console.py").read_text() == "x = 1\n"
    assert fetch("rich", tmp_path) == first
    assert calls == ["rich"]
    assert list(tmp_path.iterdir()) == [first]  # nothing temporary is left


def test_a_source_distribution_is_its_inner_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(repository: Repository, folder: Path) -> Path:
        source = folder / "click-1"
        (source / "tests").mkdir(parents=True)
        (source / "tests" / "test_a.py").write_text("x = 1\n")
        package = folder / "click-1.tar.gz"
        with tarfile.open(package, "w:gz") as archive:
            archive.add(source, "click-1")
        return package

    monkeypatch.setattr(repositories, "_download_package", download)
    assert (fetch("click", tmp_path) / "tests" / "test_a.py").read_text() == "x = 1\n"


def test_a_failed_download_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(repository: Repository, folder: Path) -> Path:
        raise FetchError("no index")

    monkeypatch.setattr(repositories, "_download_package", download)
    with pytest.raises(FetchError, match="no index"):
        fetch("rich", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_pip_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    with pytest.raises(FetchError, match=r"cannot download click \S+: .*click"):
        fetch("click", tmp_path / "cache")


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(FetchError, match="there are: aiohttp, anyio"):
        fetch("nonsense")


def test_a_copy_leaves_compiled_files_behind(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "__pycache__").mkdir(parents=True)
    (source / "__pycache__" / "a.pyc").touch()
    (source / "a.py").write_text("x = 1\n")
    copy_source(source, tmp_path / "copy")
    copied = [path.name for path in (tmp_path / "copy").rglob("*")]
    assert copied == ["a.py"]
