"""What imports, attributes and base classes mean, on repositories small enough to read."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexing.index import Snapshot
from indexing.modules import Modules
from indexing.resolve import Target

Opened = Callable[[Mapping[str, str]], Snapshot]

PACKAGE = {
    "pkg/__init__.py": "from .core import Client as Public, helper\nfrom .deep import *\n",
    "pkg/core.py": "class Client: ...\ndef helper(): ...\n_hidden = 1\n",
    "pkg/deep/__init__.py": (
        "from .inner import *\nfrom . import inner as module\n__all__ = ['thing']\n"
    ),
    "pkg/deep/inner.py": "thing = 1\nother = 2\n",
}


def bound(snapshot: Snapshot, path: str, name: str) -> tuple[str | None, str]:
    target = snapshot.bindings(path)[name]
    return target.path, target.qualname


@pytest.mark.parametrize(
    ("statement", "name", "expected"),
    [
        ("import pkg", "pkg", ("pkg/__init__.py", "")),
        ("import pkg.deep", "pkg", ("pkg/__init__.py", "")),
        ("import pkg.deep.inner as i", "i", ("pkg/deep/inner.py", "")),
        ("from pkg import core", "core", ("pkg/core.py", "")),
        ("from pkg import Public", "Public", ("pkg/core.py", "Client")),
        ("from pkg.core import Client as C", "C", ("pkg/core.py", "Client")),
        ("from pkg import *", "Public", ("pkg/core.py", "Client")),
        ("from pkg import *", "thing", ("pkg/deep/inner.py", "thing")),
        ("from pkg import thing", "thing", ("pkg/deep/inner.py", "thing")),
        ("from pkg.deep import module", "module", ("pkg/deep/inner.py", "")),
        ("from pkg.core import missing", "missing", ("pkg/core.py", "missing")),
        ("import os.path", "os", (None, "")),
        ("from os import path", "path", (None, "path")),
        ("try:\n  from pkg.core import helper\nexcept ImportError:\n  helper = None", "helper",
         ("pkg/core.py", "helper")),
        ("try:\n  import fast as m\nexcept ImportError:\n  import pkg.core as m", "m",
         ("pkg/core.py", "")),
        ("if TYPE_CHECKING:\n  from pkg import Public", "Public", ("pkg/core.py", "Client")),
    ],
)  # fmt: skip
def test_absolute_imports(
    opened: Opened, statement: str, name: str, expected: tuple[str | None, str]
) -> None:
    snapshot = opened({**PACKAGE, "main.py": statement + "\n"})
    assert bound(snapshot, "main.py", name) == expected


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("from .inner import thing as x", ("pkg/deep/inner.py", "thing")),
        ("from . import inner as x", ("pkg/deep/inner.py", "")),
        ("from .. import core as x", ("pkg/core.py", "")),
        ("from ..core import Client as x", ("pkg/core.py", "Client")),
        ("from .... import above as x", (None, "above")),
    ],
)
def test_relative_imports(opened: Opened, statement: str, expected: tuple[str | None, str]) -> None:
    snapshot = opened({**PACKAGE, "pkg/deep/user.py": statement + "\n"})
    assert bound(snapshot, "pkg/deep/user.py", "x") == expected


def test_star_imports_obey_all_and_underscores(opened: Opened) -> None:
    snapshot = opened(
        {**PACKAGE, "a.py": "from pkg.core import *\n", "b.py": "from pkg.deep import *\n"}
    )
    assert set(snapshot.bindings("a.py")) == {"Client", "helper"}
    assert set(snapshot.bindings("b.py")) == {"thing"}


def test_cycles_of_imports_end(opened: Opened) -> None:
    snapshot = opened(
        {
            "a/__init__.py": "from .b import *\nfrom .b import x\ndef own(): ...\n",
            "a/b.py": "from . import *\nfrom . import x, own\n",
        }
    )
    assert bound(snapshot, "a/b.py", "own") == ("a/__init__.py", "own")
    assert snapshot.lookup(Target("a/__init__.py", "", "a"), "nothing") is None


LAYOUTS = {
    "src/lib/__init__.py": "",
    "src/lib/mod.py": "x = 1\n",
    "google/cloud/storage/__init__.py": "",
    "google/cloud/storage/client.py": "class Client: ...\n",
    "backend/app/__init__.py": "",
    "backend/app/models.py": "class User: ...\n",
    "tests/conftest.py": "",
    "tests/helpers.py": "def make(): ...\n",
    "tests/test_it.py": "",
    "tests/logging.py": "",
    "backend/json/__init__.py": "",
}


@pytest.mark.parametrize(
    ("module", "importer", "expected"),
    [
        ("lib.mod", "tests/test_it.py", "src/lib/mod.py"),
        ("google.cloud", "tests/test_it.py", "google/cloud/"),
        ("google.cloud.storage.client", "x.py", "google/cloud/storage/client.py"),
        ("app.models", "tests/test_it.py", "backend/app/models.py"),
        ("helpers", "tests/test_it.py", "tests/helpers.py"),
        ("helpers", "src/lib/mod.py", None),
        ("tests.helpers", "src/lib/mod.py", "tests/helpers.py"),
        ("logging", "tests/test_it.py", "tests/logging.py"),
        ("json", "tests/test_it.py", None),
        ("numpy", "tests/test_it.py", None),
    ],
)
def test_layouts(module: str, importer: str, expected: str | None) -> None:
    assert Modules(frozenset(LAYOUTS)).find(module, importer) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("src/lib/mod.py", "lib.mod"),
        ("src/lib/__init__.py", "lib"),
        ("google/cloud/storage/client.py", "google.cloud.storage.client"),
        ("backend/app/models.py", "app.models"),
        ("tests/test_it.py", "tests.test_it"),
        ("tests/helpers.py", "helpers"),
        ("setup.py", "setup"),
    ],
)
def test_module_names(path: str, expected: str) -> None:
    modules = Modules(
        frozenset({*LAYOUTS, "setup.py"}), "", lambda: frozenset({"google", "helpers"})
    )
    assert modules.module_name(path) == expected


def test_a_package_opened_as_workspace_knows_its_own_name() -> None:
    modules = Modules(frozenset({"__init__.py", "console.py", "sub/__init__.py"}), "rich")
    assert modules.find("rich.console", "sub/__init__.py") == "console.py"
    assert modules.find("rich", "console.py") == "__init__.py"
    assert modules.find("console", "sub/__init__.py") is None
    assert modules.module_name("sub/__init__.py") == "rich.sub"


def test_every_module_name_leads_back_to_its_file() -> None:
    modules = Modules(frozenset(LAYOUTS) - {"backend/json/__init__.py"})
    for path in modules.paths:
        assert modules.find(modules.module_name(path), path) == path


CLASSES = """
import abc
class Root:
    kind = "root"
    def shared(self): ...
class Left(Root):
    def __init__(self): self.left = 1
    def shared(self): ...
class Right(Root):
    def shared(self): ...
    right: int
class Both(Left, Right): ...
class Outer:
    class Inner(Root): ...
    class Deeper(Inner): ...
Alias = Both
class ViaAlias(Alias, abc.ABC): ...
class Loop(Loop): ...
class Broken(Root, Left): ...
class Generic(Left[int]): ...
"""


def members(snapshot: Snapshot, qualname: str) -> dict[str, tuple[str, int]]:
    found = snapshot.members(Target("m.py", qualname, "m"))
    return {m.name: (m.definition.qualname, m.depth) for m in found}


def test_members_follow_the_method_resolution_order(opened: Opened) -> None:
    snapshot = opened({"m.py": CLASSES})
    assert members(snapshot, "Both") == {
        "__init__": ("Left.__init__", 1),
        "left": ("Left.left", 1),
        "shared": ("Left.shared", 1),
        "right": ("Right.right", 2),
        "kind": ("Root.kind", 3),
    }
    assert members(snapshot, "Outer.Deeper").keys() == {"kind", "shared"}
    assert members(snapshot, "Alias") == members(snapshot, "Both")
    assert members(snapshot, "Generic")["left"] == ("Left.left", 1)
    assert members(snapshot, "Loop") == {}


def test_orders_agree_with_python(opened: Opened) -> None:
    snapshot = opened({"m.py": CLASSES})
    namespace: dict[str, type] = {}
    runnable = CLASSES.partition("class Loop")[0].replace("class Deeper(Inner): ...", "")
    exec(runnable, namespace)
    for name in ("Root", "Left", "Both", "ViaAlias", "Outer.Inner"):
        cls = namespace[name.split(".")[0]]
        for part in name.split(".")[1:]:
            cls = getattr(cls, part)
        ours = [target.qualname for target in snapshot.mro(Target("m.py", name, "m"))]
        assert ours == [base.__qualname__ for base in cls.__mro__ if base is not object]


def test_bases_without_an_order_are_read_depth_first(opened: Opened) -> None:
    snapshot = opened({"m.py": CLASSES})
    order = snapshot.mro(Target("m.py", "Broken", "m"))
    assert [target.qualname for target in order] == ["Broken", "Root", "Left"]


def test_inheritance_across_files_and_outside(opened: Opened) -> None:
    snapshot = opened(
        {
            **PACKAGE,
            "main.py": "import pkg\nfrom abc import ABC\nclass Mine(pkg.Public, ABC):\n  x = 1\n",
            "pkg/core.py": "class Client:\n  def send(self): ...\n",
        }
    )
    mine = Target("main.py", "Mine", "main")
    assert [target.path for target in snapshot.mro(mine)] == ["main.py", "pkg/core.py", None]
    assert snapshot.lookup(mine, "send") == Target("pkg/core.py", "Client.send", "pkg.core")
    assert snapshot.lookup(mine, "nothing") is None


def test_members_of_modules(opened: Opened) -> None:
    snapshot = opened({**PACKAGE, "main.py": "from pkg.core import Client\nx = 1\n"})
    package = snapshot.members(Target("pkg/__init__.py", "", "pkg"))
    assert {m.name: m.depth for m in package} == {
        "Public": 0, "helper": 0, "thing": 0, "core": 0, "deep": 0,
    }  # fmt: skip
    main = snapshot.members(Target("main.py", "", "main"))
    assert {m.name: m.depth for m in main} == {"Client": 1, "x": 0}


def test_namespace_packages_have_their_modules_as_members(opened: Opened) -> None:
    files = {path: text for path, text in LAYOUTS.items() if path.startswith("google")}
    snapshot = opened({**files, "main.py": "import google.cloud.storage\n"})
    cloud = Target("google/cloud/", "", "google.cloud")
    assert [m.name for m in snapshot.members(cloud)] == ["storage"]
    assert snapshot.lookup(cloud, "storage") == Target(
        "google/cloud/storage/__init__.py", "", "google.cloud.storage"
    )


def test_expressions_are_read_in_their_scope(opened: Opened) -> None:
    snapshot = opened(
        {**PACKAGE, "m.py": "import os\nclass A:\n  def f(self):\n    from pkg import Public\n"}
    )
    assert snapshot.expression("m.py", "A.f", "Public") == Target(
        "pkg/core.py", "Client", "pkg.core"
    )
    assert snapshot.expression("m.py", "", "Public") is None
    assert snapshot.expression("m.py", "", "os.path.join") == Target(None, "path.join", "os")
    assert snapshot.expression("m.py", "", "f()") is None


def test_definitions_in_terms_of_themselves_end(opened: Opened) -> None:
    snapshot = opened(
        {
            "m.py": "app = app.inner\na = b.x\nb = a.x\nclass C(C.D): ...\nclass E(F.X): ...\n"
            "class F(E.Y): ...\n"
        }
    )
    for name in ("app", "a", "C", "E", "F"):
        target = Target("m.py", name, "m")
        assert snapshot.lookup(target, "inner") is None
        assert snapshot.members(target) == ()


NAMES = st.sampled_from(["a", "b", "c"])
DOTTED = st.lists(NAMES, min_size=1, max_size=3).map(".".join)
LINES = st.one_of(
    st.builds("from {} import {}".format, st.sampled_from([".", ".a", "..", "a", "a.b"]), NAMES),
    st.builds("from {} import *".format, st.sampled_from([".", "..a", "b", "a.c"])),
    st.builds("import {}".format, DOTTED),
    st.builds("import {} as {}".format, DOTTED, NAMES),
    st.builds("{} = {}".format, NAMES, DOTTED),
    st.builds("class {}({}):\n  {} = {}".format, NAMES, DOTTED, NAMES, DOTTED),
    st.builds("class {}({}, {}): c = 1".format, NAMES, DOTTED, DOTTED),
    st.builds("class {}:\n  class {}({}): c = 1".format, NAMES, NAMES, DOTTED),
)
FILES = st.dictionaries(
    st.sampled_from(["a.py", "b.py", "a/__init__.py", "a/b.py", "a/c/__init__.py", "b/c.py"]),
    st.lists(LINES, max_size=5).map("\n".join),
    min_size=1,
    max_size=4,
)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(FILES, DOTTED)
def test_any_repository_can_be_resolved(opened: Opened, files: dict[str, str], text: str) -> None:
    snapshot = opened(files)
    for path in files:
        for name, target in snapshot.bindings(path).items():
            assert target.path is None or target.path in files or target.path.endswith("/")
            assert snapshot.expression(path, "", name) == target
            order = snapshot.mro(target)
            assert len(set(order)) == len(order)
            for member in snapshot.members(target):
                assert snapshot.lookup(target, member.name) is not None
        snapshot.expression(path, "a", text)
