"""The jedi process, as a real child process."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from completion import jedi_worker


class Child:
    """A running worker that is asked one question at a time."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.number = 0
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-X", "utf8", "-m", "completion.jedi_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def complete(self, text: str, **params: object) -> dict[str, Any]:
        self.number += 1
        defaults = {
            "path": str(self.root / "m.py"),
            "text": text,
            "offset": len(text.encode()),
            "root": str(self.root),
            "extra_paths": [],
            "interpreter": None,
            "deadline_ms": 60_000,
        }
        request = {"id": self.number, "method": "complete", "params": defaults | params}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        assert answer["id"] == self.number
        return answer

    def names(self, text: str, **params: object) -> dict[str, str]:
        return {
            item["name"]: item["kind"] for item in self.complete(text, **params)["result"]["items"]
        }


@contextmanager
def running(root: Path) -> Iterator[Child]:
    child = Child(root)
    assert child.process.stdin is not None
    assert child.process.stdout is not None
    try:
        yield child
    finally:
        child.process.stdin.close()
        child.process.stdout.close()
        assert child.process.wait(30) == 0


@pytest.fixture(scope="module")
def child(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Child]:
    with running(tmp_path_factory.mktemp("jedi")) as child:
        yield child


def test_the_standard_library(child: Child) -> None:
    assert child.names("import json\njson.du") == {"dump": "function", "dumps": "function"}


def test_the_cursor_in_bytes(child: Child) -> None:
    text = "a = 'é😀'; import json; json.loa\nx = 1"
    names = child.names(text, offset=len("a = 'é😀'; import json; json.loa".encode()))
    assert names == {"load": "function", "loads": "function"}


def test_installed_packages_and_added_paths(child: Child) -> None:
    (child.root / "lib").mkdir()
    (child.root / "lib" / "only_here.py").write_text("class Found: ...\n", "utf-8")
    text = "import only_here\nonly_here.F"
    assert child.names(text) == {}
    assert child.names(text, extra_paths=[str(child.root / "lib")]) == {"Found": "class"}


def test_the_users_interpreter(child: Child) -> None:
    assert "dumps" in child.names("import json\njson.du", interpreter=sys.executable)


def test_a_bad_question_is_answered_and_the_next_one_too(child: Child) -> None:
    assert "dumps" in child.names("import json\njson.du", interpreter="/no/such/python")
    assert "error" in child.complete("x", offset="three")
    assert "the deadline passed" in child.complete("import json\njson.", deadline_ms=-1)["error"]
    assert child.names("x.\n)(") is not None
    assert "dumps" in child.names("import json\njson.du")


@pytest.mark.parametrize("linked", [False, True])
def test_a_damaged_cache_on_disk_is_built_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linked: bool
) -> None:
    monkeypatch.setenv("LANCEFILL_CACHE", str(tmp_path / "cache"))
    if linked:
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache" / "jedi").symlink_to(tmp_path / "elsewhere")
    damaged = 0
    for _ in range(2):
        with running(tmp_path) as child:
            assert "dumps" in child.names("import json\njson.du")
        for file in (tmp_path / "cache" / "jedi").resolve().rglob("*.pkl"):
            damaged += 1
            file.write_bytes(file.read_bytes()[:100])
    assert damaged


def test_names_that_are_imported_are_judged_by_their_looks(child: Child) -> None:
    (child.root / "inner.py").write_text("class Thing: ...\ndef make(): ...\nLIMIT = 3\n")
    (child.root / "outer.py").write_text("import os\nfrom inner import Thing, make, LIMIT\n")
    names = child.names("import outer\nouter.", extra_paths=[str(child.root)])
    kinds = {name: names[name] for name in ("Thing", "make", "LIMIT", "os")}
    assert kinds == {"Thing": "class", "make": "function", "LIMIT": "constant", "os": "module"}


def test_memory_is_limited() -> None:
    script = (
        "from completion.jedi_worker import limit_memory\n"
        "limit_memory(1 << 30)\n"
        "try:\n    bytearray(2 << 30)\nexcept MemoryError:\n    print('limited')"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert run.stdout.strip() == b"limited"


@given(st.text(alphabet="ab\r\né\x0c\u2028", max_size=30))
def test_positions_end_lines_where_python_does(before: str) -> None:
    lines = io.StringIO(before + "|", newline=None).read().split("\n")
    assert jedi_worker.position(before) == (len(lines), len(lines[-1]) - 1)
