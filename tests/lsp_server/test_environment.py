"""Which Python a workspace's imports belong to."""

import os
from pathlib import Path

import pytest

from lsp_server.environment import find


def venv(folder: Path) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch()
    return folder / "bin" / "python"


def test_the_setting_wins_over_the_folder_and_the_folder_over_the_variable(tmp_path: Path) -> None:
    root = tmp_path / "work"
    root.mkdir()
    active, own, chosen = venv(tmp_path / "active"), venv(root / ".venv"), venv(root / "other")
    variables = {"VIRTUAL_ENV": str(tmp_path / "active")}
    for setting in ("other", "other/bin/python", str(chosen)):
        found = find(root, setting, trusted=True, variables=variables)
        assert (found.interpreter, found.found_by) == (chosen, "the setting")
    assert find(root, "", trusted=True, variables=variables).interpreter == own
    own.unlink()
    assert find(root, "", trusted=True, variables=variables).interpreter == active
    assert find(root, "", trusted=True, variables={}).interpreter is None


def test_a_workspace_that_is_not_trusted_names_no_program(tmp_path: Path) -> None:
    chosen = venv(tmp_path / ".venv")
    found = find(tmp_path, str(chosen), trusted=False, variables={"VIRTUAL_ENV": str(tmp_path)})
    assert found.interpreter is None
    assert "not trusted" in found.found_by


def test_a_setting_that_names_nothing_is_said_and_not_replaced(tmp_path: Path) -> None:
    venv(tmp_path / ".venv")
    found = find(tmp_path, "/no/such/python", trusted=True, variables={})
    assert found.interpreter is None
    assert "/no/such/python" in found.found_by


def test_import_roots_know_the_src_layout(tmp_path: Path) -> None:
    assert find(tmp_path, "", trusted=True, variables={}).import_roots == (tmp_path,)
    (tmp_path / "src").mkdir()
    roots = find(tmp_path, "", trusted=True, variables={}).import_roots
    assert roots == (tmp_path, tmp_path / "src")


def test_a_virtual_environment_that_is_shut_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, active = venv(tmp_path / ".venv"), venv(tmp_path / "active")
    ask = os.stat

    def stat(path: Path, **options: bool) -> os.stat_result:
        if own.parent in Path(path).parents:
            raise PermissionError(str(path))
        return ask(path, **options)

    monkeypatch.setattr(os, "stat", stat)
    variables = {"VIRTUAL_ENV": str(tmp_path / "active")}
    assert find(tmp_path, "", trusted=True, variables=variables).interpreter == active
    assert "names no Python" in find(tmp_path, str(own), trusted=True, variables={}).found_by


def test_packages_lie_beside_the_interpreter(tmp_path: Path) -> None:
    venv(tmp_path / ".venv")
    assert find(tmp_path, "", trusted=True, variables={}).packages == ()
    for version in ("python3.9", "python3.12", "python3-config"):
        (tmp_path / ".venv" / "lib" / version / "site-packages").mkdir(parents=True)
    newest = tmp_path / ".venv" / "lib" / "python3.12" / "site-packages"
    assert find(tmp_path, "", trusted=True, variables={}).packages == (newest,)
    assert find(tmp_path, "", trusted=False, variables={}).packages == ()
