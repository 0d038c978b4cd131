"""Who is offered where: the cases are data, in the files under tests/data/completion/depot."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from completion import builtin_types
from completion.annotations import Tie
from completion.candidates import Candidates, gather, with_library
from completion.context import read
from completion.request import LibraryItem, Origin
from indexing.build import build
from indexing.index import Index
from tests.completion.workspace import CURSOR, asked, snapshot_of

DEPOT = Path(__file__).parent.parent / "data" / "completion" / "depot"
FILES = {
    path.relative_to(DEPOT).as_posix(): path.read_text("utf-8") for path in DEPOT.rglob("*.py")
}
EXPECTATION = re.compile(r"^ *#\? (?P<names>.*)\n(?P<line>.*)\n", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    path: str
    text: str
    offered: tuple[str, ...]
    absent: tuple[str, ...]


def cases() -> list[object]:
    return [
        pytest.param(case, id=f"{path}:{text.count(chr(10), 0, match.start()) + 2}")
        for path, text in sorted(FILES.items())
        for match in EXPECTATION.finditer(text)
        for case in [case_of(path, text, match)]
    ]


def case_of(path: str, text: str, match: re.Match[str]) -> Case:
    line = match["line"] if CURSOR in match["line"] else match["line"] + CURSOR
    above = EXPECTATION.sub("", text[: match.start()])
    below = EXPECTATION.sub("", text[match.end() :])
    names = match["names"].split()
    absent = tuple(name[1:] for name in names if name.startswith("!"))
    offered = tuple(name for name in names if not name.startswith("!"))
    return Case(path, f"{above}{line}\n{below}", offered, absent)


def found_in(files: dict[str, str], path: str, folder: Path) -> Candidates:
    request, snapshot = asked(files, path, folder)
    context = read(request.text, request.offset, snapshot.tree(path))
    return gather(context, path, snapshot)


@pytest.mark.parametrize("case", cases())
def test_offered(case: Case, tmp_path: Path) -> None:
    found = found_in({**FILES, case.path: case.text}, case.path, tmp_path)
    names = [each.name for each in found.items]
    assert set(case.offered) <= set(names)
    if case.absent == ("anything",):
        assert names == []
    assert not set(case.absent) & set(names)
    assert len(names) == len(set(names))


def test_receivers_tell_what_they_are(tmp_path: Path) -> None:
    files = {**FILES, "m.py": f"from depot import Client\nc = Client('')\nc.{CURSOR}"}
    found = found_in(files, "m.py", tmp_path)
    assert found.receiver is not None
    assert found.receiver.name == "Client"
    assert {each.tie for each in found.items if each.origin is Origin.MEMBER} == {
        "`c` is a `Client`"
    }


def test_a_class_with_only_local_bases_is_complete(tmp_path: Path) -> None:
    files = {"m.py": f"class A: pass\nclass B(A, Exception):\n  x = 1\nB().{CURSOR}"}
    assert found_in(files, "m.py", tmp_path).complete


@pytest.mark.parametrize("base", ["Unknown", "unittest.TestCase"])
def test_a_class_with_a_foreign_base_is_not(base: str, tmp_path: Path) -> None:
    files = {"m.py": f"import unittest\nclass B({base}):\n  x = 1\nB().{CURSOR}"}
    found = found_in(files, "m.py", tmp_path)
    assert "x" in {each.name for each in found.items}
    assert not found.complete


def test_a_class_with_getattr_is_not_complete(tmp_path: Path) -> None:
    files = {"m.py": f"class B:\n  def __getattr__(self, name): ...\nB().{CURSOR}"}
    assert not found_in(files, "m.py", tmp_path).complete


def test_unknown_receivers_get_what_is_used_after_their_name(tmp_path: Path) -> None:
    files = {
        "a.py": "def f(gadget):\n    gadget.spin()\n    gadget.spin()\n    gadget.halt()\n",
        "b.py": f"def g(gadget):\n    gadget.{CURSOR}\n",
    }
    found = found_in(files, "b.py", tmp_path)
    assert {"spin", "halt"} <= {each.name for each in found.items if each.origin is Origin.USED}


def test_cyclic_code_ends(tmp_path: Path) -> None:
    text = f"""
        class A(B): pass
        class B(A):
            def __init__(self): self.next = self.next.next
        def f(): return f()
        x = y
        y = x
        def g(a=g(), b=x):
            a = b; b = a
            a.next.{CURSOR}
    """
    found_in({"m.py": text.replace("\n        ", "\n")}, "m.py", tmp_path)


def test_importable_names_need_a_letter_and_can_be_left_out(tmp_path: Path) -> None:
    files = {**FILES, "m.py": f"x = Parc{CURSOR}"}
    request, snapshot = asked(files, "m.py", tmp_path)
    context = read(request.text, request.offset)
    offered = {each.name: each for each in gather(context, "m.py", snapshot).items}
    assert offered["Parcel"].origin is Origin.IMPORTABLE
    assert offered["Parcel"].module == "depot.models"
    assert "Parcel" not in {
        each.name for each in gather(context, "m.py", snapshot, imports=False).items
    }
    empty = found_in({**FILES, "m.py": f"x = {CURSOR}"}, "m.py", tmp_path)
    assert Origin.IMPORTABLE not in {each.origin for each in empty.items}


def test_files_that_no_import_can_name_are_not_offered(tmp_path: Path) -> None:
    files = {
        "examples/foo-bar/app.py": "class ParcelApp: ...\n",
        "examples/class.py": "class ParcelClass: ...\n",
        "examples/fine.py": "class ParcelFine: ...\n",
        "run-it.py": "class ParcelRun: ...\n",
    }
    for text, offered in (
        ("x = Parcel", {"ParcelFine"}),
        ("import ", {"examples"}),
        ("from examples import ", {"fine"}),
        ("import examples\nexamples.", {"fine"}),
    ):
        found = found_in({**files, "m.py": text + CURSOR}, "m.py", tmp_path / str(len(text)))
        names = {each.name for each in found.items}
        assert offered <= names
        assert not names & {"ParcelApp", "ParcelClass", "ParcelRun", "foo-bar", "class", "run-it"}


def test_the_library_adds_only_what_is_new_and_fits(tmp_path: Path) -> None:
    request, snapshot = asked(
        {"m.py": f"class A:\n  def up(self): ...\nA().u{CURSOR}"}, "m.py", tmp_path
    )
    context = read(request.text, request.offset)
    found = gather(context, "m.py", snapshot)
    items = [LibraryItem("up", "function"), LibraryItem("use", "function", module="lib")]
    merged = with_library(found, [*items, LibraryItem("other", "function")], context)
    assert [(each.name, each.origin) for each in merged.items][:2] == [
        ("up", Origin.MEMBER),
        ("use", Origin.LIBRARY),
    ]
    assert "other" not in {each.name for each in merged.items}


def test_predicted_names_are_asked_for_only_where_something_is_open(tmp_path: Path) -> None:
    def unwanted() -> list[str]:
        raise AssertionError("the receiver is known")

    request, snapshot = asked({"m.py": f"class A:\n  x = 1\nA().{CURSOR}"}, "m.py", tmp_path)
    gather(read(request.text, request.offset), "m.py", snapshot, unwanted)


@pytest.mark.parametrize("name", ["str", "dict", "list", "Exception"])
def test_built_in_members_are_the_interpreters(name: str) -> None:
    value = {"str": "", "dict": {}, "list": [], "Exception": Exception()}[name]
    assert set(builtin_types.members(name)) == set(dir(type(value)))
    for member in builtin_types.members(name):
        is_method = builtin_types.kind(name, member) == "method"
        assert is_method == callable(getattr(type(value), member))


def test_the_notation_of_builtin_returns_can_be_read() -> None:
    for (class_name, method), notation in builtin_types.RETURNS.items():
        assert method in (builtin_types.members(class_name) or builtin_types.NAMES)
        ast.parse(notation, mode="eval")


def test_a_file_outside_the_index(tmp_path: Path) -> None:
    snapshot = snapshot_of({}, tmp_path)
    text = b"class Big:\n    a = 1\nself.x = Big()\nBig().a"
    assert gather(read(text, len(text)), "nowhere.py", snapshot).receiver is None


def test_ten_thousand_members(tmp_path: Path) -> None:
    body = "".join(f"    a{i} = {i}\n" for i in range(10_000))
    files = {"big.py": f"class Big:\n{body}", "m.py": f"from big import Big\nBig().a999{CURSOR}"}
    names = [each.name for each in found_in(files, "m.py", tmp_path).items]
    assert [name for name in names if name.startswith("a999")] == [
        "a999", *(f"a999{i}" for i in range(10))
    ]  # fmt: skip


GUESSED = {
    "shapes.py": """
class HTTPSocket:
    def dial(self): ...
    def hang_up(self): ...
class Connection:
    def commit_all(self): ...
class Category:
    def rename_to(self): ...
""",
}


@pytest.mark.parametrize(
    ("code", "name", "how"),
    [
        ("x.dial()\n    x.", "hang_up", Tie.STRUCTURAL),
        ("http_socket.", "dial", Tie.NAMED_LIKE),
        ("self._http_socket.", "dial", Tie.NAMED_LIKE),
        ("conn.", "commit_all", Tie.SHORTENED),
        ("old_conn.", "commit_all", Tie.SHORTENED),
        ("categories[0].", "rename_to", Tie.NAMED_LIKE),
        ("get_connection().", "commit_all", Tie.SHORTENED),
    ],
)
def test_guesses_say_what_they_rest_on(code: str, name: str, how: Tie, tmp_path: Path) -> None:
    files = {**GUESSED, "m.py": f"def f(x):\n    {code}{CURSOR}\n"}
    found = found_in(files, "m.py", tmp_path)
    assert found.receiver is None
    assert not found.complete
    guessed = next(each for each in found.items if each.name == name)
    assert guessed.how is how
    assert not guessed.how.certain


def test_a_class_without_all_that_is_used_is_no_guess(tmp_path: Path) -> None:
    files = {**GUESSED, "m.py": f"def f(x):\n    x.dial()\n    x.rename_to()\n    x.{CURSOR}\n"}
    hows = {each.how for each in found_in(files, "m.py", tmp_path).items}
    assert Tie.STRUCTURAL not in hows


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("def f(x: Connection):\n    x.", Tie.DECLARED),
        ("def f():\n    Connection().", Tie.CONSTRUCTED),
        ("def g() -> Connection: ...\ndef f():\n    g().", Tie.RETURNED),
        ("def g(): return Connection()\ndef f():\n    g().", Tie.READ),
        ("def f(x):\n    assert isinstance(x, Connection)\n    x.", Tie.NARROWED),
    ],
)
def test_known_receivers_say_how(code: str, how: Tie, tmp_path: Path) -> None:
    files = {**GUESSED, "m.py": f"from shapes import Connection\n{code}{CURSOR}\n"}
    found = found_in(files, "m.py", tmp_path)
    member = next(each for each in found.items if each.name == "commit_all")
    assert member.how is how
    assert member.how.certain


def test_bodies_are_read_from_disk_too(tmp_path: Path) -> None:
    (tmp_path / "lib.py").write_bytes(
        b"\xef\xbb\xbfclass Kite:\r\n    def soar(self): ...\r\n"
        b"\r\ndef kite():\r\n    return Kite()\r\n"
    )
    build(tmp_path, tmp_path / "cache")
    index = Index.open(tmp_path, tmp_path / "cache")
    text = b"import lib\nlib.kite()."
    index.update("m.py", text)
    found = gather(read(text, len(text)), "m.py", index.snapshot())
    assert "soar" in {each.name for each in found.items}
    (tmp_path / "lib.py").unlink()
    index.update("m.py", text + b" ")
    assert gather(read(text, len(text)), "m.py", index.snapshot()).receiver is None


def test_importable_names_tell_who_imports_them(tmp_path: Path) -> None:
    (tmp_path / "near").mkdir()
    files = {
        "lib.py": "class Pipe: ...\nclass Pipette: ...\n",
        "near/a.py": "from lib import Pipe\n",
        "near/b.py": "def late():\n    from lib import Pipe as P\n",
        "far.py": "from lib import Pipe\n",
    }
    for path, text in files.items():
        (tmp_path / path).write_text(text, "utf-8")
    build(tmp_path, tmp_path / "cache")
    index = Index.open(tmp_path, tmp_path / "cache")
    text = b"x = p"
    index.update("near/new.py", text)
    found = gather(read(text, len(text)), "near/new.py", index.snapshot())
    offered = {each.name: (each.importers, each.siblings) for each in found.items if each.module}
    assert offered == {"Pipe": (3, 2), "Pipette": (0, 0)}


def test_other_languages_of_the_repository_are_not_offered(tmp_path: Path) -> None:
    files = {
        "src/org/Meter.java": "package org;\npublic class Meter { public void spin() {} }\n",
        "web/meter.ts": "export class Meter { turn(): void {} }\n",
        "web/user.ts": "export function use(meter) { meter.turn(); meter.spin(); }\n",
        "m.py": f"def f(meter):\n    meter.{CURSOR}\n",
    }
    for each in found_in(files, "m.py", tmp_path).items:
        assert each.path in ("", "m.py"), f"{each.name} is defined in {each.path}"
    files["m.py"] = f"def f():\n    Met{CURSOR}\n"
    assert "Meter" not in [each.name for each in found_in(files, "m.py", tmp_path).items]


@pytest.mark.parametrize(
    "alias",
    [
        'Tree = Union["Tree", list["Tree"], Leaf]',
        'Tree = dict[str, "Tree"] | Leaf',
        'Tree = Optional["Branch"] | Leaf\nBranch = list[Tree]',
    ],
)
def test_aliases_that_mean_themselves(alias: str, tmp_path: Path) -> None:
    header = "from typing import Optional, Union\nclass Leaf:\n    def fall(self): ...\n"
    text = f"{header}{alias}\ndef f(tree: Tree):\n    tree.{CURSOR}\n"
    found = found_in({"m.py": text}, "m.py", tmp_path)
    assert "fall" in [each.name for each in found.items]
