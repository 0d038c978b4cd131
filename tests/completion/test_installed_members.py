"""Members of installed classes and modules: complete from their source, else not known."""

from __future__ import annotations

from pathlib import Path

import pytest

from completion import membership, standard_library
from completion.languages import language_for
from completion.membership import known_members, read_ahead
from completion.request import Request
from indexing.index import Index
from tests.completion.workspace import CURSOR

WAIT_S = 60.0


@pytest.fixture(autouse=True)
def _time_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a request has time for is not what these tests are about."""
    monkeypatch.setattr(membership, "READING_MS", 60_000.0)


def here(text: str, folder: Path, name: str = "m.py", **packages: str) -> frozenset[str] | None:
    """The members known at the cursor, once the packages (files by stem) have been read."""
    for stem, source in packages.items():
        path = folder / "packages" / stem.replace("__in__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(source, "utf-8")
    index = Index.open(folder / "root", folder / "cache")
    index.use_packages((folder / "packages",))
    before, _, after = text.partition(CURSOR)
    index.update(name, (before + after).encode())
    snapshot = index.snapshot()
    request = Request(name, (before + after).encode(), len(before.encode()))
    context = language_for(name).read(request.text, request.offset, snapshot.tree(name))
    assert snapshot.packages is not None
    for _ in range(4):
        read_ahead(name, snapshot)
        found = known_members(request, context, snapshot).here
        snapshot.packages.wait(WAIT_S)
        standard_library.wait(WAIT_S)
    return None if found is None else frozenset(found)


BASE = "class Base:\n    def __init__(self):\n        self.set_here = 1\n\n    def run(self): ...\n"
OWN = f"from lib import Base\n\n\nclass A(Base):\n    x = 1\n\n\nA().{CURSOR}\n"


@pytest.mark.parametrize(
    ("text", "packages", "members"),
    [
        (OWN, {"lib": BASE}, {"set_here", "run", "x"}),
        (
            OWN,
            {"lib__in____init__": "from lib.inner import Base\n", "lib__in__inner": BASE},
            {"run"},
        ),
        (OWN, {"lib__in____init__": "from .inner import *\n", "lib__in__inner": BASE}, {"run"}),
        (f"import lib\nlib.{CURSOR}\n", {"lib": BASE}, {"Base", "__name__"}),
        (f"import lib\nlib.{CURSOR}\n", {"lib__in____init__": "", "lib__in__part": ""}, {"part"}),
        (
            f"import lib\nlib.make().{CURSOR}\n",
            {"lib": f"{BASE}\ndef make() -> Base: ...\n"},
            {"run"},
        ),
        (
            f"import lib\nlib.make().{CURSOR}\n",
            {"lib": "from pathlib import Path\n\ndef make() -> Path: ...\n"},
            {"read_text", "parent"},
        ),
    ],
)
def test_what_packages_define_is_known(
    text: str, packages: dict[str, str], members: set[str], tmp_path: Path
) -> None:
    found = here(text, tmp_path, **packages)
    assert found is not None
    assert members <= found
    assert "no_such" not in found


@pytest.mark.parametrize(
    "source",
    [
        f"{BASE}\n    def __getattr__(self, name): ...\n",
        f"{BASE}\n    def fill(self, **values):\n        for name in values:\n"
        "            setattr(self, name, values[name])\n",
        "from lib_fast import Hidden\n\nclass Base(Hidden): ...\n",
        "class Base(make_base()): ...\n",
        f"def more(cls):\n    return type('A', (cls,), {{}})\n\n@more\n{BASE}",
        "class Meta(type):\n    def __new__(mcs, name, bases, names):\n"
        "        names.update(more())\n"
        "        return super().__new__(mcs, name, bases, names)\n\n"
        "class Base(metaclass=Meta): ...\n",
        "class Meta(type):\n    def __new__(mcs, name, bases, names):\n        fill(names)\n"
        "        return super().__new__(mcs, name, bases, names)\n\n"
        "class Base(metaclass=Meta): ...\n",
        "class Meta(type):\n    def __new__(mcs, name, bases, names):\n"
        "        for key in found():\n            names[key] = 1\n"
        "        return super().__new__(mcs, name, bases, names)\n\n"
        "class Base(metaclass=Meta): ...\n",
        "class Meta(type):\n    def __init__(cls, name, bases, names):\n"
        "        for key in found():\n            setattr(cls, key, 1)\n\n"
        "class Base(metaclass=Meta): ...\n",
    ],
)
def test_what_may_have_more_is_not_known(source: str, tmp_path: Path) -> None:
    assert here(OWN, tmp_path, lib=source) is None


@pytest.mark.parametrize(
    "source",
    [
        "from somewhere import *\n",
        "for name in names:\n    globals()[name] = 1\n",
        "import sys\nsys.modules[__name__] = Other()\n",
        "def __getattr__(name):\n    return load(name)\n",
    ],
)
def test_a_module_that_may_have_more_is_not_known(source: str, tmp_path: Path) -> None:
    assert here(f"import lib\nlib.{CURSOR}\n", tmp_path, lib=source) is None


def test_a_metaclass_that_spells_out_what_it_adds(tmp_path: Path) -> None:
    source = (
        "class Meta(type):\n"
        "    def __new__(mcs, name, bases, names, **more):\n"
        "        names['_added'] = names.get('start', 0)\n"
        "        for key, value in names.items():\n            check(key, value, key in names)\n"
        "        cls = super().__new__(mcs, name, bases, names, **more)\n"
        "        cls.counted = 1\n        return cls\n\n\n"
        "class Base(metaclass=Meta):\n    y = 1\n"
    )
    found = here(OWN, tmp_path, lib=source)
    assert found is not None
    assert {"_added", "counted", "x", "y"} <= found


def test_a_lazy_module_that_lists_its_names(tmp_path: Path) -> None:
    source = (
        "def __getattr__(name: str) -> object:\n    if name in ('First', 'Second'):\n"
        "        return load()\n    raise AttributeError(f'no {name}')\n"
    )
    found = here(f"import lib\nlib.{CURSOR}\n", tmp_path, lib=source)
    assert found is not None
    assert {"First", "Second"} <= found


@pytest.mark.parametrize(
    ("added", "known"),
    [
        ("def set(self, target, name):\n        setattr(target, name, 1)\n", True),
        ("def flip(self, name):\n        old = getattr(self, name)\n"
         "        setattr(self, name, not old)\n", True),
        ("def keep(self, name):\n        setattr(self, f'_kept_{name}', 1)\n", True),
        ("def fill(self):\n        held = self.part\n        setattr(held, self.key, 1)\n", True),
        ("def fill(self, key):\n        part = Part(self)\n        setattr(part, key, 1)\n", True),
        ("def fill(self, key):\n        part = Base()\n        setattr(part, key, 1)\n", False),
        ("def fill(self, key):\n        setattr(self, key, 1)\n", False),
        ("def fill(self, key):\n        new = type(self)()\n        setattr(new, key, 1)\n", False),
    ],
)  # fmt: skip
def test_setattr_that_makes_nothing_new(added: str, *, known: bool, tmp_path: Path) -> None:
    found = here(OWN, tmp_path, lib=f"{BASE}\n    {added}")
    assert (found is not None) == known


OVERLOADS = (
    "from typing import overload\n\n\nclass A:\n    a = 1\n\n\nclass B:\n    b = 1\n\n\n"
    "@overload\ndef make(x: int) -> A: ...\n@overload\ndef make(x: str) -> {0}: ...\n"
    "def make(x): ...\n"
)


@pytest.mark.parametrize(("other", "known"), [("A", True), ("B", False)])
def test_overloads_have_to_agree(other: str, *, known: bool, tmp_path: Path) -> None:
    found = here(f"import lib\nlib.make(1).{CURSOR}\n", tmp_path, lib=OVERLOADS.format(other))
    assert (found is not None) == known


@pytest.mark.parametrize(
    ("text", "member"),
    [
        (f"import re\nre.compile('a').{CURSOR}\n", "fullmatch"),
        (f"from pathlib import Path\n(Path('a') / 'b').parent.{CURSOR}\n", "read_text"),
        (f"import socket\nsocket.{CURSOR}\n", "AF_INET"),
        (f"import os\nos.path.{CURSOR}\n", "expanduser"),
        (f"def f():\n    class A:\n        x = 1\n\n    A().{CURSOR}\n", "x"),
    ],
)
def test_what_stubs_say_of_the_standard_library(text: str, member: str, tmp_path: Path) -> None:
    found = here(text, tmp_path)
    assert found is not None
    assert member in found


def test_a_namespace_of_arguments_is_open(tmp_path: Path) -> None:
    text = f"import argparse\nargparse.ArgumentParser().parse_args().{CURSOR}\n"
    assert here(text, tmp_path) is None


def test_fixtures_of_pytest(tmp_path: Path) -> None:
    source = (
        "from pathlib import Path\nfrom .fixtures import fixture\n\n"
        "@fixture\ndef tmp_path(request) -> Path: ...\n"
    )
    text = f"def test_it(tmp_path):\n    tmp_path.{CURSOR}\n"
    packages = {"_pytest__in____init__": "", "_pytest__in__tmpdir": source}
    found = here(text, tmp_path, "test_m.py", **packages, _pytest__in__fixtures="")
    assert found is not None
    assert "write_text" in found
