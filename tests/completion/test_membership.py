"""Complete member sets: known where nothing can be missing, else None."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from completion import standard_library, stores
from completion.languages import language_for
from completion.membership import known_members
from completion.request import Known
from tests.completion.workspace import CURSOR, asked

BASE = (
    "class Base:\n    def __init__(self):\n        self.set_here = 1\n\n"
    "    def run(self): ...\n\n\n"
)


def known(text: str, folder: Path, **others: str) -> Known:
    files = {f"{name}.py": other for name, other in others.items()} | {"m.py": text}
    request, snapshot = asked(files, "m.py", folder)
    tree = snapshot.tree("m.py")
    context = language_for("m.py").read(request.text, request.offset, tree)
    for _ in range(4):  # what nobody has read yet is read by a thread
        found = known_members(request, context, snapshot)
        standard_library.wait(30)
        stores.wait(snapshot, 30)
    return found


@pytest.mark.parametrize(
    "text",
    [
        "a = A()\na.extra = 3\na.‸",
        "A.extra = 4\nA().‸",
        "a = A()\nif hasattr(a, 'extra'):\n    a.‸",
        "a = A()\nfor a.extra in (): ...\na.‸",
        "a = A()\nwith open('x') as a.extra: ...\na.‸",
        "a = A()\n[*a.extra, b] = 1, 2\na.‸",
        "a = A()\na.extra: int = 1\na.‸",
        "a = A()\na.extra += 1\na.‸",
        "a = A()\nsetattr(a, 'extra', 1)\na.‸",
    ],
)
def test_what_is_stored_from_elsewhere_counts(text: str, tmp_path: Path) -> None:
    found = here(f"class A:\n    x = 1\n\n\n{text}\n", tmp_path)
    assert found is not None
    assert {"extra", "x"} <= found


def test_setattr_outside_of_the_class_is_not_known(tmp_path: Path) -> None:
    assert here("class A: ...\n\n\nsetattr(A, n, 1)\nA().‸\n", tmp_path) is None


def test_a_value_may_be_of_a_subclass(tmp_path: Path) -> None:
    text = "class A:\n    x = 1\n\n\nclass B(A):\n    y = 2\n\n\nclass C(B):\n    z = 3\n\n\n"
    assert here(f"{text}def f(a: A):\n    a.‸\n", tmp_path / "1") >= {"x", "y", "z"}
    assert "y" not in here(f"{text}A().‸\n", tmp_path / "2")  # one just made is not
    mixin = text.replace("    x = 1\n", "    x = 1\n    def m(self):\n        self.‸\n")
    assert here(mixin, tmp_path / "3") >= {"x", "y", "z"}


def test_a_class_with_very_many_subclasses_is_not_known(tmp_path: Path) -> None:
    many = "".join(f"class B{number}(A): ...\n" for number in range(stores.MOST_SUBCLASSES + 1))
    assert here(f"class A: ...\n{many}\n\ndef f(a: A):\n    a.‸\n", tmp_path) is None


@pytest.mark.parametrize(
    ("loop", "is_known"),
    [
        ("while c:\n        p.‸\n        p = Q()", False),
        ("for c in ():\n        if c:\n            p.‸\n        p = Q()", False),
        ("if c:\n        p.‸\n    p = Q()", True),  # what is below runs later
        ("for c in (): ...\n    p.‸\n    p = Q()", True),
    ],
)
def test_a_loop_may_assign_below(loop: str, is_known: bool, tmp_path: Path) -> None:
    text = f"class P:\n    x = 1\n\n\nclass Q: ...\n\n\ndef f(c):\n    p = P()\n    {loop}\n"
    assert (here(text, tmp_path) is not None) == is_known


@pytest.mark.parametrize(
    "text",
    [
        "globals()['extra'] = 1",
        "globals().update(read())",
        "import sys\nsys.modules[__name__] = make()",
        "exec(read())",
        "def f():\n    global extra\n    extra = 1",
        "if (extra := 3): ...",
        "for extra in (): ...",
        "with open('x') as extra: ...",
    ],
)
def test_what_a_module_binds_otherwise_is_not_ruled_out(text: str, tmp_path: Path) -> None:
    found = here("import other\nother.‸\n", tmp_path, other=f"made = 1\n{text}\n")
    assert found is None or "extra" in found


def test_a_module_of_the_workspace_is_not_run_for_one_of_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "colorsys.py").write_text("raise SystemExit('run')\n")
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    standard_library.read_ahead("colorsys")
    standard_library.wait(30)
    assert "colorsys" not in sys.modules


def here(text: str, folder: Path, **others: str) -> frozenset[str] | None:
    found = known(text, folder, **others).here
    return None if found is None else frozenset(found)


@pytest.mark.parametrize(
    ("head", "own"),
    [
        ("class A(Base):", {"set_here", "run", "x"}),
        ("class A(Base, ABC):", {"run", "x"}),
        ("class A(Base, metaclass=ABCMeta):", {"run", "x"}),
        ("@dataclass\nclass A(Base):", {"run", "x"}),
        ("class A(Enum):", {"name", "value", "x"}),
        ("class A(NamedTuple):", {"_replace", "count", "x"}),
        ("class A(dict):", {"items", "x"}),
        ("class A(Thread):", {"start", "_target", "x"}),
        ("class A(Exception):", {"args", "with_traceback", "x"}),
    ],
)
def test_a_class_whose_bases_are_all_known(head: str, own: set[str], tmp_path: Path) -> None:
    imports = (
        "from abc import ABC, ABCMeta\nfrom dataclasses import dataclass\nfrom enum import Enum\n"
        "from threading import Thread\nfrom typing import NamedTuple\n\n\n"
    )
    found = here(f"{imports}{BASE}{head}\n    x = 1\n\n\nA().{CURSOR}\n", tmp_path)
    assert found is not None
    assert own | {"__class__", "__doc__"} <= found
    assert "no_such" not in found


@pytest.mark.parametrize(
    "text",
    [
        "class A:\n    def __getattr__(self, name): ...",
        "class A:\n    def __getattribute__(self, name): ...",
        "class B:\n    def __getattr__(self, name): ...\n\n\nclass A(B): ...",
        "from somewhere import B\n\n\nclass A(B): ...",
        "class A(make()): ...",
        "B = make()\n\n\nclass A(B): ...",
        "class A(metaclass=Unknown): ...",
        "class M(type):\n    def __new__(cls, *a): ...\n\n\nclass A(metaclass=M): ...",
        "from somewhere import adding\n\n\n@adding\nclass A: ...",
        "def adding(cls):\n    return type('A', (cls,), {})\n\n\n@adding\nclass A: ...",
        "class A:\n    def f(self, name):\n        setattr(self, name, 1)",
        "class A:\n    def f(self, **names):\n        self.__dict__.update(names)",
        "def A() -> Anything: ...",
    ],
)
def test_a_class_that_may_have_more(text: str, tmp_path: Path) -> None:
    assert here(f"{text}\n\n\nA().{CURSOR}\n", tmp_path) is None


def test_what_is_set_by_name_counts(tmp_path: Path) -> None:
    text = (
        "def adding(cls):\n    cls.added = 1\n    return cls\n\n\n"
        "class M(type):\n    def __call__(cls): ...\n\n\n"
        "@adding\nclass A(metaclass=M):\n"
        "    def f(self):\n        setattr(self, 'literal', 1)\n\n"
        "    def __setstate__(self, state):\n        self.__dict__.update(state)\n\n\n"
        f"A().{CURSOR}\n"
    )
    found = here(text, tmp_path)
    assert found is not None
    assert {"added", "literal", "f"} <= found


def test_one_of_several_types_is_not_known(tmp_path: Path) -> None:
    for annotation, is_known in (("str", True), ("str | None", True), ("str | bytes", False)):
        found = here(f"def f(x: {annotation}):\n    x.{CURSOR}\n", tmp_path / annotation[-5:-1])
        assert (found is not None) is is_known


@pytest.mark.parametrize(
    ("text", "is_known"),
    [
        ("def f():\n    return A()", True),
        ("def f():\n    if x:\n        return None\n    return A()", True),
        ("def f():\n    if x:\n        return B()\n    return A()", False),
        ("def f():\n    if x:\n        return unknown()\n    return A()", False),
        ("@wrapped\ndef f() -> A: ...", False),  # who knows what the decorator gives
        ("@cache\ndef f() -> A: ...", True),
        ("T = TypeVar('T', bound=A)\n\n\ndef f(x: int) -> T: ...", False),
        ("f = A if x else B", False),
    ],
)
def test_what_a_function_gives(text: str, is_known: bool, tmp_path: Path) -> None:
    classes = "class A:\n    a = 1\n\n\nclass B:\n    b = 1\n\n\n"
    found = here(f"from typing import TypeVar\n\n\n{classes}{text}\n\n\nf().{CURSOR}\n", tmp_path)
    assert (found is not None) is is_known


def test_a_set_is_no_list(tmp_path: Path) -> None:
    found = here(f"def f(a):\n    x = set(a)\n    x.{CURSOR}\n", tmp_path)
    assert found is not None
    assert "add" in found
    assert "append" not in found


@pytest.mark.parametrize(("second", "is_known"), [("[]", True), ("set()", False)])
def test_a_variable_that_is_assigned_twice(second: str, is_known: bool, tmp_path: Path) -> None:
    other = f"if a:\n    x = [1]\nelse:\n    x = {second}\n"
    found = here(f"import other\n\nother.x.{CURSOR}\n", tmp_path, other=other)
    assert (found is not None) is is_known


def test_private_names_are_for_their_class(tmp_path: Path) -> None:
    text = "class A:\n    __own = 1\n\n    def f(self):\n        "
    inside = here(f"{text}return self.{CURSOR}\n", tmp_path / "in")
    outside = here(f"{text}pass\n\n\nA().{CURSOR}\n", tmp_path / "out")
    assert inside is not None
    assert outside is not None
    assert "__own" in inside
    assert "__own" not in outside


MODULE = "import json\n\nvalue = 1\n\n\ndef größe(): ...\n"


def test_a_module_of_the_repository(tmp_path: Path) -> None:
    found = here(f"import other\n\nother.{CURSOR}\n", tmp_path, other=MODULE)
    assert found is not None
    assert {"value", "größe", "json", "__name__"} <= found
    assert "no_such" not in found


@pytest.mark.parametrize(
    ("module", "known_as"),
    [
        ("def __getattr__(name):\n    return load(name)\n", None),
        ("from somewhere import *\n", None),
        ("from os.path import *\n", None),
        (
            "def __getattr__(name):\n    if name == 'old':\n        return 1\n"
            "    raise AttributeError(f'no {name!r}')\n",
            "old",
        ),
        (
            "def __getattr__(name):\n    if name in OLD:\n        return 1\n"
            "    raise AttributeError(name)\n",
            None,
        ),
    ],
)
def test_modules_that_make_names_up(module: str, known_as: str | None, tmp_path: Path) -> None:
    found = here(f"import other\n\nother.{CURSOR}\n", tmp_path, other=module)
    assert (found is None) is (known_as is None)
    if found is not None:
        assert known_as in found


def test_modules_of_the_standard_library(tmp_path: Path) -> None:
    found = here(f"import os\n\nos.path.{CURSOR}\n", tmp_path / "a")
    assert found is not None
    assert "join" in found
    assert "no_such" not in found
    assert here(f"import somewhere\n\nsomewhere.{CURSOR}\n", tmp_path / "b") is None
    used = here(f"import os\n\nos.path.of_tomorrow()\nos.path.{CURSOR}\n", tmp_path / "c")
    assert used is not None
    assert "of_tomorrow" in used  # a newer Python may have it


@pytest.mark.parametrize("name", ["antigravity", "this", "no_such_module", "__main__", "select"])
def test_modules_that_are_not_asked(name: str) -> None:
    assert standard_library.read_members(name, "", instance=False) is None


def test_classes_of_the_standard_library() -> None:
    found = standard_library.read_members("threading", "Thread", instance=True)
    assert found is not None
    assert {"start", "_target", "name"} <= found  # ``_target`` is set in ``__init__``
    on_class = standard_library.read_members("threading", "Thread", instance=False)
    assert on_class is not None
    assert {"mro", "start"} <= on_class
    assert standard_library.read_members("threading", "no_such", instance=True) is None
    assert (
        standard_library.read_members("unittest.mock", "Mock", instance=True) is None
    )  # __getattr__


def test_later_receivers_are_those_nearby(tmp_path: Path) -> None:
    text = (
        f"import os\n\n\n{BASE}def f(base: Base, other):\n    os.path.join()\n    other.x\n"
        f"    base.run()\n    y = {CURSOR}\n"
    )
    found = known(text, tmp_path)
    assert found.here is None
    assert "run" in found.receivers["base"]
    assert "join" in found.receivers["os.path"]
    assert "other" not in found.receivers


def test_self_in_a_method(tmp_path: Path) -> None:
    text = f"class A:\n    def f(self):\n        self.{CURSOR}\n\n    def g(self): ...\n"
    found = known(text, tmp_path / "a")
    assert found.made == ()
    assert {"f", "g"} <= set(found.here or ())
    assert "f" in found.receivers["self"]
    making = known(text.replace("f(self)", "__init__(self)"), tmp_path / "b")
    assert (making.here, making.made) == (None, ("self",))
    reading = text.replace("f(self)", "__init__(self)").replace("self.‸", "y = self.‸")
    assert "g" in (known(reading, tmp_path / "c").here or ())


@pytest.mark.parametrize("text", ["import os.‸", "from os import ‸", "'self.‸'", "# self.‸"])
def test_places_where_nothing_is_said(text: str, tmp_path: Path) -> None:
    assert known(f"import os\nos.x\n{text}\n", tmp_path) == Known()


def test_methods_behind_a_line_that_is_being_written(tmp_path: Path) -> None:
    """The parser takes them for functions inside the broken statement."""
    text = (
        "class A:\n    def run(self, items):\n        if items:\n            pass\n        else:\n"
        f"            x = self.{CURSOR}\n            for each in [1]:\n"
        "                if not each:\n                    continue\n        return x\n\n"
        "    def later(self):\n        return 1\n"
    )
    found = here(text, tmp_path)
    assert found is not None
    assert {"run", "later"} <= found


def test_a_caught_base_exception_may_be_any(tmp_path: Path) -> None:
    text = f"def f():\n    try:\n        g()\n    except BaseException as e:\n        e.{CURSOR}\n"
    assert here(text, tmp_path) is None
    assert here(text.replace("BaseException", "KeyError"), tmp_path) is not None
