"""Which calls are calls of the repository's own APIs: the ground truth of APIEval.

A call counts when jedi, reading the UNCUT files, follows its callee to a ``def`` or ``class`` in
another file of the repository: an opinion independent of our own index and resolver, which are what
is being measured. Calls whose receiver jedi cannot type are therefore missing: the figures say
nothing about those.
"""

from __future__ import annotations

import ast
import itertools
import random
import warnings
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import jedi

from evaluation import cuts
from evaluation.cuts import Cut, Place, Site

PER_FILE = 4
"""At most this many items come from one file; there are as many rounds of indexing."""


class Receiver(StrEnum):
    """What stands before the dot, by its form."""

    SELF = "self, cls, super()"
    IMPORTED = "imported name"
    VARIABLE = "other name"
    ATTRIBUTE = "attribute of self"
    EXPRESSION = "expression"


@dataclass(frozen=True, slots=True)
class ApiItem:
    """A call of one of the repository's APIs, cut after the dot.

    ``receiver`` is the source before the dot, ``defined`` the files that its callee may be in.
    """

    cut: Cut
    receiver: str
    kind: Receiver
    defined: tuple[str, ...]


def api_items(root: Path, files: Mapping[str, bytes], seed: int, count: int) -> Iterator[ApiItem]:
    """Yield up to ``count`` items of the repository at ``root``, in an order drawn by ``seed``."""
    drawn = random.Random(seed)
    paths = sorted(files)
    drawn.shuffle(paths)
    defined = definitions(files)
    project = jedi.Project(root, sys_path=[str(root)], smart_sys_path=False)
    items = (
        item for path in paths for item in _from_file(project, path, files[path], defined, drawn)
    )
    yield from itertools.islice(items, count)


def definitions(files: Mapping[str, bytes]) -> dict[str, frozenset[str]]:
    """Return for every function, method and class name the files that define it."""
    found: dict[str, set[str]] = defaultdict(set)
    for path, data in files.items():
        for node in _nodes(data):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found[node.name].add(path)
    return {name: frozenset(paths) for name, paths in found.items()}


def receiver_kind(receiver: str, imported: Container[str]) -> Receiver:
    """Return the form of a receiver's source, given the names that the file's imports bind."""
    if receiver in ("self", "cls", "super()"):
        return Receiver.SELF
    if receiver.isidentifier():
        return Receiver.IMPORTED if receiver in imported else Receiver.VARIABLE
    first, _, rest = receiver.partition(".")
    return Receiver.ATTRIBUTE if first == "self" and rest.isidentifier() else Receiver.EXPRESSION


def imported_names(data: bytes) -> frozenset[str]:
    """Return the names that import statements anywhere in the file bind."""
    return frozenset(
        (alias.asname or alias.name).partition(".")[0]
        for node in _nodes(data)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    )


def _nodes(data: bytes) -> list[ast.AST]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return list(ast.walk(ast.parse(data)))
        except (SyntaxError, ValueError):
            return []


def _from_file(
    project: jedi.Project,
    path: str,
    data: bytes,
    defined: Mapping[str, frozenset[str]],
    drawn: random.Random,
) -> Iterator[ApiItem]:
    """Yield one file's items; jedi is asked only about names that another file defines."""
    found = [site for site in cuts.sites(data) if site.receiver is not None]
    drawn.shuffle(found)
    script = jedi.Script(data.decode(), path=Path(project.path, path), project=project)
    imported = imported_names(data)
    lines: set[int] = set()
    for site in found:
        elsewhere = defined.get(data[slice(*site.name)].decode(), frozenset()) - {path}
        line = cuts.line_start(data, site.name[0])
        if not elsewhere or line in lines:
            continue
        targets = _goto(script, Path(project.path), data, site.name[0])
        if targets and targets <= elsewhere:
            lines.add(line)
            yield _item(path, data, site, targets, imported)
        if len(lines) == PER_FILE:
            return


def _item(
    path: str, data: bytes, site: Site, targets: set[str], imported: Container[str]
) -> ApiItem:
    assert site.receiver is not None
    receiver = data[slice(*site.receiver)].decode("utf-8", "replace")
    place = Place.SELF if receiver in ("self", "cls") else Place.DOT
    cut = cuts.cut_at(path, data, site.name[0], place, site.name)
    return ApiItem(cut, receiver, receiver_kind(receiver, imported), tuple(sorted(targets)))


def _goto(script: jedi.Script, root: Path, data: bytes, offset: int) -> set[str]:
    """Return the files that jedi follows the name at ``offset`` to, relative to ``root``."""
    row = data.count(b"\n", 0, offset) + 1
    column = len(data[cuts.line_start(data, offset) : offset].decode())
    try:
        found = script.goto(row, column, follow_imports=True)
    except Exception:  # noqa: BLE001 - jedi fails in many ways; each means that it does not know
        return set()
    return {_relative(name.module_path, root) for name in found}


def _relative(path: Path | None, root: Path) -> str:
    if path is not None and path.is_relative_to(root):
        return path.relative_to(root).as_posix()
    return str(path)
