"""Who is offered where in Java, JavaScript and TypeScript: the cases are data, as for Python."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from completion.candidates import gather
from completion.languages import language_for
from tests.completion.workspace import CURSOR, asked

DATA = Path(__file__).parent.parent / "data" / "completion"
EXPECTATION = re.compile(r"^ *//\? (?P<names>.*)\n(?P<line>.*)\n", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    folder: str
    path: str
    text: str
    offered: frozenset[str]
    absent: frozenset[str]


def files_of(folder: str) -> dict[str, str]:
    root = DATA / folder
    found = (path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in found}


FOLDERS = {folder: files_of(folder) for folder in ("shop", "bank")}


def cases() -> list[object]:
    return [
        pytest.param(
            case_of(folder, path, text, match),
            id=f"{path.rpartition('/')[2]}:{text.count(chr(10), 0, match.start()) + 2}",
        )
        for folder, files in FOLDERS.items()
        for path, text in sorted(files.items())
        for match in EXPECTATION.finditer(text)
    ]


def case_of(folder: str, path: str, text: str, match: re.Match[str]) -> Case:
    """The file with this one case in it; the other cases' unfinished lines are taken out."""
    line = match["line"] if CURSOR in match["line"] else match["line"] + CURSOR
    above = EXPECTATION.sub("", text[: match.start()])
    below = EXPECTATION.sub("", text[match.end() :]).replace(CURSOR, "")
    names = match["names"].split()
    absent = frozenset(name[1:] for name in names if name.startswith("!"))
    offered = frozenset(name for name in names if not name.startswith("!"))
    return Case(folder, path, f"{above}{line}\n{below}", offered, absent)


@pytest.mark.parametrize("case", cases())
def test_offered(case: Case, tmp_path: Path) -> None:
    files = {path: cleaned(text) for path, text in FOLDERS[case.folder].items()}
    request, snapshot = asked({**files, case.path: case.text}, case.path, tmp_path)
    language = language_for(case.path)
    context = language.read(request.text, request.offset, snapshot.tree(case.path))
    names = [each.name for each in gather(context, case.path, snapshot).items]
    if case.offered == {"anything"}:
        assert names == []
        return
    assert case.offered - set(names) == set()
    assert not case.absent & set(names)
    assert len(names) == len(set(names))


def cleaned(text: str) -> str:
    """A file as it is without the cases in it."""
    return EXPECTATION.sub("", text).replace(CURSOR, "")
