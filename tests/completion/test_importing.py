"""The edit that brings a name in: where it goes, how it is written, and that it works."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from completion.importing import import_edit
from indexing.symbols import FileSymbols
from tests.completion.workspace import snapshot_of


def symbols_of(text: str, folder: Path) -> FileSymbols:
    symbols = snapshot_of({"m.py": text}, folder).symbols("m.py")
    assert symbols is not None
    return symbols


def edited(
    text: str,
    folder: Path,
    importer: str = "pkg.sub.mod",
    module: str = "pkg.things",
    *,
    package: bool = False,
) -> str:
    edit = import_edit(
        text.encode(), symbols_of(text, folder), importer, module, "Thing", package=package
    )
    assert edit.start == edit.end
    data = text.encode()
    return (data[: edit.start] + edit.text.encode() + data[edit.end :]).decode()


NEW = "from pkg.things import Thing\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", NEW),
        ("x = 1\n", NEW + "\nx = 1\n"),
        ("import os\n\nx = 1\n", "import os\n" + NEW + "\nx = 1\n"),
        ("import os", "import os\n" + NEW),
        ("import os  # why\nx = 1\n", "import os  # why\n" + NEW + "x = 1\n"),
        ('"""Doc."""\n\nx = 1\n', '"""Doc."""\n\n' + NEW + "\nx = 1\n"),
        ("'Doc.'\nx = 1\n", "'Doc.'\n\n" + NEW + "\nx = 1\n"),
        ('"""Doc\n\nlong."""\n', '"""Doc\n\nlong."""\n\n' + NEW),
        ("#!/bin/python\n# licence\n\nx = 1\n", "#!/bin/python\n# licence\n\n" + NEW + "\nx = 1\n"),
        (
            "from __future__ import annotations\n\nx = 1\n",
            "from __future__ import annotations\n\n" + NEW + "\nx = 1\n",
        ),
        (
            "import os\n\ntry:\n    import a\nexcept ImportError:\n    a = None\n",
            "import os\n" + NEW + "\ntry:\n    import a\nexcept ImportError:\n    a = None\n",
        ),
        (
            "import os\n\ndef f():\n    import re\n\nimport late\n",
            "import os\n" + NEW + "\ndef f():\n    import re\n\nimport late\n",
        ),
        ("from pkg.things import A\n", "from pkg.things import A, Thing\n"),
        ("from pkg.things import A as B\n", "from pkg.things import A as B, Thing\n"),
        ("from pkg.things import (A, B)\n", "from pkg.things import (A, B, Thing)\n"),
        ("from pkg.things import (A,)\n", "from pkg.things import (A, Thing)\n"),
        (
            "from pkg.things import (\n    A,\n    B,\n)\n",
            "from pkg.things import (\n    A,\n    B,\n    Thing,\n)\n",
        ),
        (
            "from pkg.things import (\n    A,\n    B\n)\n",
            "from pkg.things import (\n    A,\n    B,\n    Thing,\n)\n",
        ),
        (
            "from pkg.things import (\n    A, B\n)\n",
            "from pkg.things import (\n    A, B,\n    Thing,\n)\n",
        ),
        ("from pkg.things import *\n", "from pkg.things import *\n" + NEW),
        ("import pkg.things\n", "import pkg.things\n" + NEW),
        ("from ..things import A\n", "from ..things import A, Thing\n"),
        ("from . import a\n", "from . import a\nfrom ..things import Thing\n"),
        ("import os\r\nx = 1\r\n", "import os\r\nfrom pkg.things import Thing\r\nx = 1\r\n"),
        ("import os\rx = 1\r", "import os\rfrom pkg.things import Thing\rx = 1\r"),
        ("é = 1\n", NEW + "\né = 1\n"),
        ('import os; y = """\nfoo"""\n', "import os; " + NEW[:-1] + '; y = """\nfoo"""\n'),
        ("import os;\nx = 1\n", "import os; " + NEW[:-1] + ";\nx = 1\n"),
        ('"""Doc."""; y = """\nfoo"""\n', '"""Doc."""; ' + NEW[:-1] + '; y = """\nfoo"""\n'),
        ("'a'.join(\n'b')\n", NEW + "\n'a'.join(\n'b')\n"),
        ("\ufeffx = 1\n", "\ufeff" + NEW + "\nx = 1\n"),
        ("\ufeff", "\ufeff" + NEW),
    ],
)
def test_placement(before: str, after: str, tmp_path: Path) -> None:
    assert edited(before, tmp_path) == after


@pytest.mark.parametrize(
    ("importer", "package", "module", "spelled"),
    [
        ("pkg.sub.mod", False, "pkg.sub.near", ".near"),
        ("pkg.sub.mod", False, "pkg", ".."),
        ("pkg.sub.mod", False, "pkg.other.far", "..other.far"),
        ("pkg.sub", True, "pkg.sub.near", ".near"),
        ("pkg.sub", True, "pkg.other", "..other"),
        ("pkg.sub.mod", False, "elsewhere.mod", "elsewhere.mod"),
    ],
)
def test_relative_style(
    importer: str, package: bool, module: str, spelled: str, tmp_path: Path
) -> None:
    text = edited("from . import a\n", tmp_path, importer, module, package=package)
    assert text == f"from . import a\nfrom {spelled} import Thing\n"


def test_a_comment_after_the_last_name_is_left_alone(tmp_path: Path) -> None:
    text = "from pkg.things import (\n    A,\n    B  # why\n)\n"
    assert edited(text, tmp_path) == text + NEW


PARTS = st.lists(
    st.sampled_from(
        [
            "import os\n",
            "import a.b as c, d\n",
            "from pkg.things import (\n    A,\n    B,\n)\n",
            "from pkg.things import A\n",
            "from pkg.things import (A as X,\n  B)\n",
            "from .. import things\n",
            "\n",
            "# comment\n",
            "try:\n    import z\nexcept ImportError:\n    pass\n",
            "x = 1\n",
            "def f():\n    import q\n    return q\n",
        ]
    ),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["", '"""Doc."""\n', "#!/x\n'''Doc\n'''\n"]),
    st.sampled_from(["", "from __future__ import annotations\n"]),
    PARTS,
)
def test_the_result_is_valid_and_binds_the_name(
    tmp_path_factory: pytest.TempPathFactory, doc: str, future: str, parts: list[str]
) -> None:
    text = doc + future + "".join(parts)
    tree = ast.parse(edited(text, tmp_path_factory.mktemp("imports")))
    compile(tree, "m.py", "exec")  # a misplaced __future__ import is a syntax error
    bound = [
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    assert bound.count("Thing") == 1
    assert ast.get_docstring(tree) == ast.get_docstring(ast.parse(text))
