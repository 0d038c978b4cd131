"""Which pytest fixture a test's parameter is filled by: the one of its name that is nearest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from completion.annotations import Scope
from indexing.languages import family_of
from indexing.resolve import NO_SPAN, Target
from indexing.symbols import Definition, Import, Kind

_TEST_FILE = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test|conftest)\.py\Z")
_NAMED = re.compile(r"\bname\s*=\s*['\"](\w+)['\"]")

_PYTEST = {
    **dict.fromkeys(("tmp_path", "tmp_path_factory"), "_pytest.tmpdir"),
    **dict.fromkeys(("capsys", "capfd", "capsysbinary", "capfdbinary"), "_pytest.capture"),
    **{"monkeypatch": "_pytest.monkeypatch", "caplog": "_pytest.logging"},
    **{"recwarn": "_pytest.recwarn", "pytester": "_pytest.pytester"},
}
"""The fixtures of pytest itself that most tests use, and the modules that define them."""

MAX_ELSEWHERE = 8
"""So many definitions of the name are looked at beyond the folders above: plugins of the tests."""


def fixture(name: str, scope: Scope) -> Target | None:
    """The fixture called ``name`` that a test in the scope's file gets.

    Looked for in the class, the file, the ``conftest.py`` of each folder upward, and then in the
    whole repository; None outside of test files.
    """
    if not _TEST_FILE.search(scope.path):
        return None
    nearest = (target for target in _near(name, scope) if _gives(target, name, scope))
    return next(nearest, None) or _elsewhere(name, scope) or _of_pytest(name, scope)


def _of_pytest(name: str, scope: Scope) -> Target | None:
    """A fixture that pytest itself brings, where its source is at hand."""
    if name not in _PYTEST:
        return None
    found = scope.snapshot.resolve(scope.path, Import(_PYTEST[name], name, name, 0, NO_SPAN))
    return found if found.path is not None and _gives(found, name, scope) else None


def _near(name: str, scope: Scope) -> Iterator[Target]:
    snapshot = scope.snapshot
    if scope.owner:
        own = Target(scope.path, scope.owner, snapshot.module_name(scope.path))
        if (found := snapshot.lookup(own, name)) is not None:
            yield found
    folders = PurePosixPath(scope.path).parents
    conftests = [path for folder in folders if (path := str(folder / "conftest.py"))]
    for path in dict.fromkeys((scope.path, *conftests)):
        if path in snapshot.paths:
            module = Target(path, "", snapshot.module_name(path))
            if (found := snapshot.lookup(module, name)) is not None:
                yield found
            yield from _renamed(path, name, scope)


def _renamed(path: str, name: str, scope: Scope) -> Iterator[Target]:
    """``@pytest.fixture(name="client") def client_fixture(): …``."""
    symbols = scope.snapshot.symbols(path)
    for definition in symbols.definitions if symbols else ():
        if definition.decorators and _called(definition) == name:
            yield Target(path, definition.qualname, scope.snapshot.module_name(path))


def _called(definition: Definition) -> str | None:
    """The name that a fixture is asked for by; None for what is no fixture."""
    for decorator in definition.decorators:
        if "fixture" in decorator.partition("(")[0]:
            renamed = _NAMED.search(decorator)
            return renamed[1] if renamed else definition.name
    return None


def _gives(target: Target, name: str, scope: Scope) -> bool:
    definition = scope.snapshot.definition(target)
    return definition is not None and _called(definition) == name


def _elsewhere(name: str, scope: Scope) -> Target | None:
    for located in scope.snapshot.named(name, MAX_ELSEWHERE, family_of(scope.path)):
        definition = located.definition
        if definition.kind is Kind.FUNCTION and _called(definition) == name:
            module = scope.snapshot.module_name(located.path)
            return Target(located.path, definition.qualname, module)
    return None
