"""Which files count, and the reason for each that does not."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from indexing import files
from indexing.files import Found, Skipped, discover, is_binary, is_secret

Repository = Callable[[Mapping[str, str]], Path]
LISTING = {
    "kept.py": "",
    "notes.txt": "",
    "ignored.py": "",
    "sub/kept.py": "",
    "sub/local.py": "",
    "build/out.py": "",
    "back.py": "",
    ".gitignore": "/ignored.py\nbuild/\n",
    "sub/.gitignore": "local.py\n",
}


def found(root: Path) -> list[str]:
    return [item.path for item in discover(root) if isinstance(item, Found)]


def skipped(root: Path, limit: int = files.MAX_FILE_BYTES) -> dict[str, str]:
    return {i.path: i.reason for i in discover(root, limit) if isinstance(i, Skipped)}


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True)


def test_ignore_rules_without_git(repository: Repository) -> None:
    assert found(repository(LISTING)) == ["back.py", "kept.py", "sub/kept.py"]


def test_git_decides_in_a_checkout(repository: Repository) -> None:
    root = repository(LISTING)
    git(root, "init", "-q")
    git(root, "add", "-f", "ignored.py")
    assert found(root) == ["back.py", "ignored.py", "kept.py", "sub/kept.py"]
    assert found(root / "sub") == ["kept.py"]


def test_a_folder_that_git_ignores_can_be_opened(repository: Repository) -> None:
    root = repository({".gitignore": ".venv/\n", ".venv/lib/site-packages/pkg/mod.py": ""})
    git(root, "init", "-q")
    assert found(root) == []
    assert found(root / ".venv/lib/site-packages/pkg") == ["mod.py"]


def test_negated_rules_bring_files_back(repository: Repository) -> None:
    root = repository(
        {".gitignore": "*.py\n!kept.py\n", "kept.py": "", "a.py": "", "d/.gitignore": "!b.py",
         "d/b.py": ""}
    )  # fmt: skip
    assert found(root) == ["d/b.py", "kept.py"]


def test_folders_without_own_sources_are_not_entered(repository: Repository) -> None:
    root = repository(
        {
            "a.py": "",
            "node_modules/b.py": "",
            "__pycache__/c.py": "",
            "env/pyvenv.cfg": "",
            "env/lib/d.py": "",
            "x/site-packages/e.py": "",
        }
    )
    assert found(root) == ["a.py"]
    assert found(root / "x/site-packages") == ["e.py"]


def test_links_are_followed_to_files_and_not_into_loops(repository: Repository) -> None:
    root = repository({"real/a.py": ""})
    (root / "loop").symlink_to(root, target_is_directory=True)
    (root / "real" / "up").symlink_to("..", target_is_directory=True)
    (root / "link.py").symlink_to("real/a.py")
    (root / "self.py").symlink_to("self.py")
    (root / "gone.py").symlink_to("nowhere.py")
    assert found(root) == ["link.py", "real/a.py"]
    assert set(skipped(root)) == {"gone.py", "self.py"}


def test_reasons(repository: Repository) -> None:
    root = repository({"large.py": "x" * 100, ".env.py": "", ".aws/config.py": "", "fine.py": ""})
    os.mkfifo(root / "pipe.py")
    (root / "folder.py").mkdir()
    assert skipped(root, 50) == {
        "large.py": "larger than 50 bytes",
        ".env.py": "may hold secrets",
        ".aws/config.py": "may hold secrets",
        "pipe.py": "not a regular file",
    }


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".env", True),
        ("a/.env.local", True),
        ("server.PEM", True),
        ("id_rsa", True),
        ("home/.ssh/config.py", True),
        ("credentials.json", True),
        ("environment.py", False),
        ("keys.py", False),
        ("aws/client.py", False),
    ],
)
def test_secrets_are_known_by_name(path: str, expected: bool) -> None:
    assert is_secret(path) is expected


def test_binary_files_have_a_nul() -> None:
    assert is_binary(b"\x7fELF\0\0")
    assert not is_binary("x = 'é'".encode("utf-16"))
    assert not is_binary(b"x = 1\n")


def test_git_that_does_not_answer_is_replaced(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = repository(LISTING)
    git(root, "init", "-q")
    monkeypatch.setenv("PATH", "")
    assert found(root) == ["back.py", "kept.py", "sub/kept.py"]


def test_scripts_that_a_program_wrote_are_left_out(repository: Repository) -> None:
    root = repository(
        {"a.min.js": "", "lib/b.bundle.js": "", "c.js": "", "min.py": "", "D.java": ""}
    )
    assert found(root) == ["D.java", "c.js", "min.py"]
    assert skipped(root) == {"a.min.js": "minified", "lib/b.bundle.js": "minified"}


@pytest.mark.parametrize(
    ("path", "data", "expected"),
    [
        ("a.js", b"f();" * 2000, True),
        ("a.ts", b"let x = 1;\n" * 20 + b"f();" * 2000, True),
        ("a.ts", b"let x = 1;\n" * 2000 + b"f();" * 2000, False),
        ("a.js", b"f();" * 1000, False),
        ("a.py", b"f();" * 2000, False),
    ],
)
def test_minified_by_the_length_of_lines(path: str, data: bytes, *, expected: bool) -> None:
    assert files.is_minified(path, data) is expected
