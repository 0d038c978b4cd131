"""All members of a receiver, or None: what may be ruled out because it certainly does not exist.

Completion offers what it knows; to *forbid* a name, everything must be known. Whatever could make
members that no text shows stands against it: a base class that is not resolved, ``__getattr__``, a
metaclass or decorator that may add attributes, ``setattr``, a star import from outside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from completion import standard_library
from completion.annotations import Fuel, Role, Scope, Tie, Type
from completion.bodies import source
from completion.candidates import scope_at
from completion.context import Context, Place
from completion.dataflow import infer
from completion.defined import MAKING, built_in, of_class, of_module, once, was_read
from completion.request import Known, Request
from completion.settled import fixed_names, holds_here, holds_later, is_settled, reached
from completion.stores import Stores, calls_setter, everywhere, is_dynamic, stores, subclasses
from indexing.index import Snapshot
from indexing.installed import NotReadError
from indexing.languages import family_of
from indexing.resolve import Target
from indexing.symbols import Kind
from indexing.wide import read_ahead as read_packages

PYTHON = "python"

READING_MS = 4.0
"""Milliseconds that a request spends on reading installed packages which nobody has read yet."""

STORES_MS = 4.0
"""Milliseconds of reading what the repository's files store, where nobody has yet."""

MAX_RECEIVERS = 12
"""So many receivers that may be written later on the line are looked at, the nearest first."""

NEAR = 3000
"""Bytes before the cursor in which they were written before."""

_RECEIVER = re.compile(rb"(?<![\w\x80-\xff.)\]}\"'])((?:[A-Za-z_\x80-\xff][\w\x80-\xff]*\.)+)")

_MAKING_ATTRIBUTES = frozenset(("__init__", "__new__", "__post_init__", "__attrs_post_init__"))
_MAKING_ATTRIBUTES |= frozenset(("__setstate__", "setUp", "setup_method", "setup", "__enter__"))
"""Methods in which a statement that begins with ``self.`` mostly makes a new attribute."""

_UNKNOWN_PLACES = frozenset((Place.STRING, Place.COMMENT, Place.MODULE, Place.IMPORTED))

_ABSTRACT = frozenset(("typing", "enum", "types", "collections.abc"))
"""Modules whose classes, named outright, stand for values that may have more."""


def known_members(request: Request, context: Context, snapshot: Snapshot) -> Known:
    """The members that can stand at the cursor, and behind dots that are still to be written."""
    if family_of(request.path) != PYTHON or context.place in _UNKNOWN_PLACES:
        return Known()
    scope = scope_at(context, request.path, snapshot)
    with _reading_little(snapshot):
        return _known(request, context, scope)


def _known(request: Request, context: Context, scope: Scope) -> Known:
    made = (context.self_name,) if _makes_attributes(context) else ()
    here, fixed = None, fixed_names(context, scope)
    making = not context.before and context.receiver in made
    asking = context.place is Place.MEMBER and bool(context.receiver) and not making
    if asking and holds_here(context.receiver, request, context, fixed):
        here = members_of_source(context.receiver, scope)
    receivers = {}
    for receiver in _receivers(request.text, context):
        asked = here is not None and receiver == context.receiver
        if not asked and not holds_later(receiver, request, context):
            continue
        if (names := here if asked else members_of_source(receiver, scope)) is not None:
            receivers[receiver] = tuple(sorted(names))
    told = None if here is None else tuple(sorted(here))
    return Known(
        told, receivers, made, tuple(sorted(fixed & {r.partition(".")[0] for r in receivers}))
    )


def read_ahead(path: str, snapshot: Snapshot) -> None:
    """Read the modules of the standard library that the file ``path`` imports, and packages."""
    if family_of(path) != PYTHON:
        return
    imported = [target for target in snapshot.bindings(path).values() if target.path is None]
    everywhere(snapshot, STORES_MS)
    for target in imported:
        standard_library.read_ahead(target.module)
    if snapshot.packages is not None:
        read_packages(snapshot.packages, imported)


def _makes_attributes(context: Context) -> bool:
    return bool(context.self_name) and context.qualname.rpartition(".")[2] in _MAKING_ATTRIBUTES


def members_of_source(receiver: str, scope: Scope) -> frozenset[str] | None:
    """The names of all that can follow a dot behind ``receiver``; None where more may exist."""
    # one may not take what others need
    wide = replace(scope, snapshot=scope.snapshot.wide, fuel=Fuel())
    try:
        with _reading_little(scope.snapshot):
            type_ = infer(receiver, wide) if _may_be_told(receiver, wide) else None
            return None if type_ is None else all_members(type_, wide)
    except NotReadError:
        return None


@contextmanager
def _reading_little(snapshot: Snapshot) -> Iterator[None]:
    """Read so much of installed packages as a request may wait for; it may be nested."""
    if snapshot.packages is None:
        yield
    else:
        with snapshot.packages.within(READING_MS):
            yield


def _receivers(text: bytes, context: Context) -> Iterator[str]:
    """Sources that a dot followed not far before the cursor, the nearest first."""
    near = text[max(0, context.start - NEAR) : context.start]
    found = dict.fromkeys((context.self_name,) if context.self_name else ())
    for match in reversed(list(_RECEIVER.finditer(near))):
        found.setdefault(match[1][:-1].decode("utf-8", "replace"))
        if len(found) >= MAX_RECEIVERS:
            break
    yield from found


def _may_be_told(receiver: str, scope: Scope) -> bool:
    """Whether the receiver is one thing, which no code stores names on that nobody sees."""
    every = everywhere(scope.snapshot, STORES_MS)
    if every is None or not is_settled(receiver, scope):
        return False
    parts = {name.rpartition(".")[2] for name in reached(receiver)} - {scope.self_name}
    return every.objects.isdisjoint(parts)


def all_members(type_: Type, scope: Scope) -> frozenset[str] | None:
    """The names of all that can follow a dot behind ``type_``; None where more may exist."""
    if type_.among or family_of(scope.path) != PYTHON:
        return None
    every = everywhere(scope.snapshot, STORES_MS)
    own = None if every is None else _own_members(type_, scope, every)
    if own is None or every is None:
        return None
    below = _of_subclasses(type_, scope, every)
    return None if below is None else own.union(below, every.names)


def _of_subclasses(type_: Type, scope: Scope, every: Stores) -> frozenset[str] | None:
    """What classes of the repository add that inherit from the class; None: not known.

    A value said to be of a class may be of one of them, ``self`` too; one just made is not.
    """
    if type_.role not in (Role.INSTANCE, Role.CLASS) or type_.how is Tie.CONSTRUCTED:
        return frozenset()
    found = subclasses(type_.name, every)
    if found is None:
        return None
    names: set[str] = set()
    for path, name in found:
        symbols = scope.snapshot.symbols(path)
        same = [d for d in symbols.definitions if d.name == name] if symbols else []
        for each in same:
            if each.kind is Kind.CLASS:
                target = Target(path, each.qualname, scope.snapshot.module_name(path))
                own = _own_members(Type(type_.role, target), scope, every)
                if own is None:
                    return None
                names |= own
    return frozenset(names)


def _is_shown(target: Target, snapshot: Snapshot, every: Stores) -> bool:
    """Whether text shows the names of all that is stored on the module, or class and its bases."""
    owners = snapshot.mro(target) if target.qualname else (target,)
    local = [owner for owner in owners if snapshot.outside(owner).path is not None]
    return all(was_read(owner) or _shows(owner, snapshot, every) for owner in local)


def _shows(owner: Target, snapshot: Snapshot, every: Stores) -> bool:
    path = owner.path or ""
    text = source(snapshot, path)
    if path not in snapshot.paths:  # a package's classes are judged one by one
        return bool(owner.qualname) or not is_dynamic(text)
    if stores(text).dynamic or (owner.qualname or owner.module).rpartition(".")[2] in every.objects:
        return False
    definition = snapshot.definition(owner)
    if definition is None or definition.kind is not Kind.CLASS:
        return True
    return not calls_setter(text[slice(*definition.span)], every.setters)


def _own_members(type_: Type, scope: Scope, every: Stores) -> frozenset[str] | None:
    """The same without what is stored elsewhere, and without subclasses."""
    if type_.role is Role.FUNCTION and type_.local:
        return None
    outside = scope.snapshot.outside(type_.target)
    if outside.path is None:
        return _of_library(replace(type_, target=outside), type_.target, scope)
    snapshot = scope.snapshot
    if not _is_shown(type_.target, snapshot, every):
        return None
    if type_.role is Role.MODULE:
        module = type_.target
        return once("module", module, snapshot, lambda: of_module(module, snapshot))
    key = ("class", type_.role)
    own = once(key, type_.target, snapshot, lambda: _class_names(type_, snapshot))
    if own is None:
        return None
    return frozenset(name for name in own if not _hidden(name, type_, scope))


def _class_names(type_: Type, snapshot: Snapshot) -> frozenset[str] | None:
    own = of_class(type_.target, type_.role, snapshot)
    if own is None:
        return None
    return own.union((m.name for m in snapshot.members(type_.target)), _astray(type_, snapshot))


def _astray(type_: Type, snapshot: Snapshot) -> Iterator[str]:
    """Methods behind a line that is being written, which for the parser end up in no class."""
    tree, symbols = snapshot.tree(type_.target.path or ""), None
    if tree is not None and tree.root_node.has_error:
        symbols = snapshot.symbols(type_.target.path or "")
    for each in symbols.definitions if symbols is not None else ():
        first = each.parameters[0].name if each.parameters else ""
        if each.kind is Kind.FUNCTION and first in ("self", "cls"):
            yield each.name


def _of_library(type_: Type, stub: Target, scope: Scope) -> frozenset[str] | None:
    """Of what the standard library defines; ``stub`` is where its stub says more, if anywhere."""
    snapshot = scope.snapshot
    if type_.role is not Role.MODULE:
        # what a stub calls open is open, even if the running interpreter does not show it
        is_open = any(snapshot.lookup(stub, name) is not None for name in MAKING)
        return None if is_open else _named_outright(type_, scope)
    if stub.path is None or type_.target.module not in standard_library.DIFFERENT:
        return _named_outright(type_, scope)
    names = {each.name for each in snapshot.members(stub)}  # of all systems
    names |= standard_library.names(type_.target.module) | standard_library.module_attributes()
    return frozenset(names.union(snapshot.used_after(type_.name)))


def _hidden(name: str, type_: Type, scope: Scope) -> bool:
    """Whether the name is private to a class that the cursor is not in."""
    if not name.startswith("__") or name.endswith("__"):
        return False
    return scope.path != type_.target.path or not scope.owner


def _named_outright(type_: Type, scope: Scope) -> frozenset[str] | None:
    """Of what the repository does not define; what it uses of a module is there, whoever has it."""
    if type_.role is Role.INSTANCE or type_.target.module == "builtins":
        abstract = type_.target.module in _ABSTRACT or type_.is_builtin("BaseException")
        return None if abstract else built_in(type_.target, type_.role)
    if type_.receiver is not None:
        return None
    names = built_in(type_.target, type_.role)  # what passes for a function may be ``os.path``
    return None if names is None else names.union(scope.snapshot.used_after(type_.name))
