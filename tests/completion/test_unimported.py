"""Which imports accepted text brings, and where it had better bring none."""

from __future__ import annotations

import ast
import re
import symtable
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from completion.unimported import import_edits
from tests.completion.workspace import snapshot_of

FILES = {
    "depot/__init__.py": "",
    "depot/models.py": "class Parcel: ...\nclass Address: ...\ndef weigh(parcel): ...\nLIMIT = 3\n",
    "depot/client.py": "class Client: ...\ndef twice(): ...\nnot_constant = 1\n",
    "depot/other.py": "def twice(): ...\nclass Größe: ...\n",
    "tools.py": "import os\n\ndef run(): ...\n",
    "space/inner/deep.py": "def dig(): ...\n",
    "kit/__init__.py": "from depot.models import weigh\nfrom depot import client as tap\n",
    "kit/parts.py": "nut = 1\n",
}


CLIENT = "from depot.client import Client\n\n"


def brought(before: str, accepted: str, after: str, folder: Path, path: str = "m.py") -> str:
    """The document once ``accepted`` stands in it, with its imports."""
    text = before + accepted + after
    snapshot = snapshot_of({**FILES, path: text}, folder)
    start = len(before.encode())
    end = start + len(accepted.encode())
    data, shown, done = text.encode(), b"", 0
    edits = import_edits(data, start, end, path, snapshot)
    for edit in sorted(edits, key=lambda each: each.start):  # those at one place in their order
        assert edit.start == edit.end
        shown, done = shown + data[done : edit.start] + edit.text.encode(), edit.start
    return (shown + data[done:]).decode()


@pytest.mark.parametrize(
    ("before", "accepted", "after", "imported"),
    [
        ("x = ", "Parcel(1)", "\n", "from depot.models import Parcel\n\n"),
        ("x = Par", "cel(1)", "\n", "from depot.models import Parcel\n\n"),
        (
            "x = [",
            "\n    Parcel(1),\n    Address(),\n",
            "]\n",
            "from depot.models import Parcel, Address\n\n",
        ),
        ("x = ", "weigh(p, limit=LIMIT)", "\n", "from depot.models import weigh, LIMIT\n\n"),
        ("x = ", "Größe('🐍')", "\r\n", "from depot.other import Größe\r\n\r\n"),
        ("x = ", "tools.run()", "\n", "import tools\n\n"),
        ("x = ", "json.dumps(1)", "\n", "import json\n\n"),
        ("x = ", "urllib.parse.quote(s)", "\n", "import urllib.parse\n\n"),
        (
            "with ",
            "concurrent.futures.ThreadPoolExecutor():",
            "\n    pass\n",
            "import concurrent.futures\n\n",
        ),
        ("x = ", "xml.etree.ElementTree.parse(f)", "\n", "import xml.etree.ElementTree\n\n"),
        ("x = ", "unittest.mock", "\n", "import unittest.mock\n\n"),
        ("x = ", "os.path.join(a, b)", "\n", "import os\n\n"),
        ("", "unittest.main()", "\n", "import unittest\n\n"),  # a class and a module
        ("x = ", "select.select(a)", "\n", "import select\n\n"),  # differs between systems
        ("x = ", "depot.models.Parcel()", "\n", "import depot.models\n\n"),
        ("x = ", "depot.client.Client()", "\n", "import depot.client\n\n"),
        ("x = ", "space.inner.deep.dig()", "\n", "import space.inner.deep\n\n"),
        ("x = ", "kit.weigh(1), kit.tap.twice()", "\n", "import kit\n\n"),
        ("x = ", "kit.parts.nut", "\n", "import kit.parts\n\n"),
        ("x = ", "tools.os.sep, tools.run()", "\n", "import tools\n\n"),
        ("if ", "json.loads(x):\n    return", "\n", "import json\n\n"),
        ("while ", "Client():  # of: all\n\n    y = z; break", "\n", CLIENT),
        ("def f():", "\n    return Client()", "\n", "from depot.client import Client\n\n"),
        ("x = '🐍', ", "Client(), Client()", "\n", "from depot.client import Client\n\n"),
    ],
)
def test_brought(before: str, accepted: str, after: str, imported: str, tmp_path: Path) -> None:
    assert brought(before, accepted, after, tmp_path) == imported + before + accepted + after


MANY = "from depot.models import (\n    Address,\n)\n"


@pytest.mark.parametrize(
    ("top", "accepted", "shown"),
    [
        (
            "from depot.models import Address\n",
            "Parcel()",
            "from depot.models import Address, Parcel\n",
        ),
        ("import os\n", "Parcel()", "import os\nfrom depot.models import Parcel\n"),
        ("import os\n", "re.compile(x)", "import os\nimport re\n"),
        (
            "import os\r\n",
            "re.sub(Client)",
            "import os\r\nimport re\r\nfrom depot.client import Client\r\n",
        ),
        (
            "import os\n",
            "depot.models.LIMIT, urllib.parse.quote(urllib.error.URLError, urllib.parse.quote)",
            "import os\nimport depot.models\nimport urllib.parse\nimport urllib.error\n",
        ),
        (MANY, "Parcel()", MANY.replace(")", "    Parcel,\n)")),
    ],
)
def test_beside_the_imports_that_are_there(
    top: str, accepted: str, shown: str, tmp_path: Path
) -> None:
    rest = f"\n\ny = {accepted}\n"
    assert brought(f"{top}\n\ny = ", accepted, "\n", tmp_path) == shown + rest


@pytest.mark.parametrize(
    ("before", "accepted"),
    [
        ("from depot.models import Parcel\n\n\nx = ", "Parcel()"),  # known already
        ("from depot.models import *\n\n\nx = ", "Parcel()"),
        ("from unknown import *\n\n\nx = ", "Parcel()"),  # who knows
        ("class Parcel: ...\n\n\nx = ", "Parcel()"),
        ("def f(Parcel):\n    return ", "Parcel()"),
        ("def f():\n    Parcel = g()\n    return ", "Parcel()"),
        ("x = [", "Parcel for Parcel in y]"),
        ("x = y.", "Parcel()"),  # an attribute
        ("x = f(", "Parcel=1)"),  # the name of an argument
        ("", "Parcel = 1"),
        ("", "def Parcel():"),
        ("", "import Parcel"),
        ("x = '", "Parcel'"),
        ("x = 1  # ", "Parcel"),
        ("x = ", "twice()"),  # defined in two modules
        ("x = ", "not_constant"),
        ("x = ", "unknown_name()"),
        ("x = ", "print(1)"),
        ("x = ", "json"),  # not used as a module
        ("x = ", "json."),
        ("for i in y:\n    ", "code.append(i)"),  # a module, but not with this
        ("x = ", "token.value"),
        ("x = ", "select.append(1)"),
        ("x = ", "test.support"),  # nobody means them
        ("x = ", "this.s"),
        ("x = ", "antigravity.fly()"),
        ("x = ", "urllib.nothing()"),
        ("x = ", "depot.nothing()"),
        ("x = ", "depot.models.nothing.more"),
        ("x = ", "tools.nothing()"),
        ("json = f()\nx = ", "json.dumps()"),
        ("", "def f(weigh, json=json.x):"),
        ("", "for weigh in y:\n    pass"),
        ("", "with y as weigh:\n    pass"),
        ("", "try:\n    pass\nexcept E as weigh:\n    pass"),
        ("match x:\n    ", "case weigh:\n        pass"),
        ("x = ", "lambda weigh: 1"),
        ("", "import tools; tools.run()"),
        ("import json\n\nx = ", "json.dumps()"),
        ("x = (", ""),
    ],
)
def test_nothing_is_brought(before: str, accepted: str, tmp_path: Path) -> None:
    assert brought(before, accepted, "\n", tmp_path) == before + accepted + "\n"


def test_a_file_imports_nothing_from_itself(tmp_path: Path) -> None:
    text = "x = weigh(1)\n"
    assert brought("x = ", "weigh(1)", "\n", tmp_path, "depot/models.py") == text


@pytest.mark.parametrize("accepted", ["f(Parcel, [LIMIT, weigh])", "tools.run(json.loads(Client))"])
def test_afterwards_python_knows_every_name(accepted: str, tmp_path: Path) -> None:
    text = brought("def f(a): ...\n\n\nx = ", accepted, "\n", tmp_path)
    ast.parse(text)
    used = [each for each in table(text) if each.is_referenced()]
    assert len(used) >= 3
    for each in used:
        assert each.is_imported() or each.is_assigned(), each.get_name()


TOPS = ("", "import os\n", "from depot.models import Address\n", "# é 🐍\n", '"""Doc."""\n\n')
BINDING = ("Parcel = 1\n", "def weigh(): ...\n", "import json\n", "class Client: ...\n", "x = 2\n")
NAMES = ("Parcel", "weigh(1)", "json.dumps(2)", "Client()", "tools.run()", "unknown", "twice()")


@settings(max_examples=40)
@given(
    st.sampled_from(TOPS),
    st.lists(st.sampled_from(BINDING), max_size=2),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=4),
    st.sampled_from(["\n", "\r\n"]),
)
def test_what_the_file_binds_is_never_imported_and_the_rest_stays(
    top: str, binding: list[str], names: list[str], end: str
) -> None:
    before = (top + "".join(binding) + "\n\ny = [").replace("\n", end)
    with TemporaryDirectory() as folder:
        text = brought(before, ", ".join(names) + "]", end, Path(folder))
    assert text.endswith(end + "y = [" + ", ".join(names) + "]" + end)
    bound = {each.get_name() for each in table(before + "]") if not each.is_referenced()}
    added = [line for line in text.splitlines() if line not in before.splitlines()][:-1]
    imported = {each.get_name() for each in table(text) if each.is_imported()}
    imported -= {each.get_name() for each in table(before + "]") if each.is_imported()}
    assert not bound & imported
    assert all("import" in line for line in added)
    assert imported <= {"Parcel", "weigh", "json", "Client", "tools"}
    used = {re.split(r"\W", name)[0] for name in names} - {"unknown", "twice"}
    assert imported == used - bound


def table(text: str) -> Sequence[symtable.Symbol]:
    """The names at the top of a file."""
    return symtable.symtable(text, "m.py", "exec").get_symbols()
