"""LANCE as published, as an arm: only imports and inline variables, no counts and no learning.

Nashid et al. 2024 (arXiv 2405.04600): the file's imports are resolved into the repository, the
signatures behind them collected, and variables near the cursor tied to the imported class or module
that their initialiser, annotation or parameter names. What is tied to the receiver comes first.
The formula of the tie is not public; here it is all or nothing, and inside a tie names stand in the
order in which they are defined. In the paper a large remote model chooses from the result.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from completion.context import Context, Place
from completion.request import Request
from indexing.index import Snapshot
from indexing.resolve import Target
from indexing.symbols import Definition, Kind

FIRST_NAME = re.compile(r"[\"' ]*((?:[^\W\d]\w*)(?:\.[^\W\d]\w*)*)")
MEMBERS = (Kind.METHOD, Kind.FUNCTION, Kind.CLASS, Kind.PROPERTY)


def apis(request: Request, context: Context, snapshot: Snapshot) -> list[tuple[str, Definition]]:
    """The APIs that LANCE knows of at the cursor, best first, as (path, definition)."""
    bound = snapshot.bindings(request.path)
    local = {name: target for name, target in bound.items() if _foreign(target, request.path)}
    tied = _tied(request, context, snapshot) if context.place is Place.MEMBER else None
    found: dict[str, tuple[str, Definition]] = {}
    order = [*_behind(tied, snapshot)] if tied is not None else []
    for name, target in local.items():
        definition = snapshot.definition(target)
        if definition is not None and definition.kind is not Kind.MODULE:
            if context.place is Place.NAME:
                found.setdefault(name, (target.path or "", definition))
            order.append((target.path or "", definition))
        order += _behind(target, snapshot)
    for path, definition in order:
        found.setdefault(definition.name, (path, definition))
    return [found[name] for name in found if name.startswith(context.prefix)]


def _foreign(target: Target, path: str) -> bool:
    return target.path is not None and target.path != path


def _tied(request: Request, context: Context, snapshot: Snapshot) -> Target | None:
    """The imported class or module that the receiver, a variable or an import, names."""
    names = [context.receiver]
    for binding in reversed(context.bindings.get(context.receiver, ())):
        names += [binding.annotation, binding.expression]
    for text in names:
        first = FIRST_NAME.match(text)
        target = snapshot.expression(request.path, "", first[1]) if first else None
        if target is not None and _foreign(target, request.path):
            return target
    return None


def _behind(target: Target, snapshot: Snapshot) -> Iterator[tuple[str, Definition]]:
    """The APIs of an imported class or module, in the order of their definition."""
    members = snapshot.members(target)
    for member in sorted(members, key=lambda each: (each.depth, each.definition.span)):
        if member.definition.kind in MEMBERS and not member.name.startswith("_"):
            yield member.path, member.definition
