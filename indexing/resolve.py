"""What names mean across files: imports, re-exports, star imports, attributes, inheritance.

Everything here is computed from :class:`FileSymbols` when asked for, and remembered in a
:class:`Memo` that outlives an edit as long as no name, import or base class changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from indexing.languages import family_of
from indexing.languages.javascript_references import DEFAULT, EXPORT
from indexing.layouts import Layout, Layouts
from indexing.symbols import Definition, FileSymbols, Import, Kind

_NAME = r"(?:[^\W\d]|\$)(?:\w|\$)*"
DOTTED = re.compile(rf"{_NAME}(?:\s*\.\s*{_NAME})*\Z")
TYPE_ARGUMENTS = re.compile(r"[\[<].*", re.DOTALL)
NO_SPAN = (0, 0)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Target:
    """What a name refers to.

    ``path`` is the file it is defined in, a folder with a trailing ``/`` for a namespace package,
    or ``None`` when it is not in this repository; ``qualname`` its dotted path inside the file
    (``""`` for the module itself); ``module`` the dotted name of the module. A target whose
    definition the file does not show (a name made at run time) still names its file.
    """

    path: str | None
    qualname: str
    module: str


@dataclass(frozen=True, slots=True)
class Located:
    """A definition and the file it stands in."""

    path: str
    definition: Definition


@dataclass(frozen=True, slots=True)
class Member:
    """Something that can follow the dot.

    ``depth`` is the distance along the method resolution order for a class (0: its own), and for a
    module 0 for what it defines, re-exports or contains, 1 for what it merely imports. ``name`` is
    the name here: a re-export under an alias differs from ``definition.name``.
    """

    definition: Definition
    path: str
    depth: int
    name: str


@dataclass(slots=True)
class Memo:
    """What was resolved before; dropped when a name, an import or a base class changes."""

    tables: dict[str, tuple[FileSymbols, Table]] = field(default_factory=dict)
    names: dict[tuple[str, str], Target | None] = field(default_factory=dict)
    bindings: dict[str, Mapping[str, Target]] = field(default_factory=dict)
    orders: dict[Target, tuple[Target, ...]] = field(default_factory=dict)
    aliases: dict[Target, Target] = field(default_factory=dict)
    packages: dict[str, Mapping[str, str]] = field(default_factory=dict)


Binding = Definition | Import
Visited = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Table:
    """One file's symbols by scope: definitions by container and name, imports by scope and alias.

    ``bound`` are the candidates for each module-level name in order of position, ``stars`` the
    star imports, ``exported`` what the file gives away under another name or from elsewhere.
    """

    scopes: Mapping[str, Mapping[str, Definition]]
    bound: Mapping[str, tuple[Binding, ...]]
    stars: tuple[Import, ...]
    local_imports: Mapping[str, tuple[Import, ...]]

    @property
    def exported(self) -> tuple[Import, ...]:
        return self.local_imports.get(EXPORT, ())


def tabulate(symbols: FileSymbols) -> Table:
    """Arrange one file's symbols for look-ups."""
    scopes: dict[str, dict[str, Definition]] = {}
    bound: dict[str, list[Binding]] = {}
    local: dict[str, list[Import]] = {}
    for definition in symbols.definitions:
        scopes.setdefault(definition.container, {})[definition.name] = definition
    named = [item for item in symbols.imports if item.name != "*" or item.scope]
    for item in named:
        if item.scope:
            local.setdefault(item.scope, []).append(item)
    top: list[Binding] = [d for d in symbols.definitions if not d.container]
    top += [item for item in named if not item.scope]
    for binding in sorted(top, key=lambda binding: binding.span):
        name = binding.alias if isinstance(binding, Import) else binding.name
        bound.setdefault(name, []).append(binding)
    return Table(
        scopes,
        {name: tuple(bindings) for name, bindings in bound.items()},
        tuple(item for item in symbols.imports if item.name == "*" and not item.scope),
        {scope: tuple(items) for scope, items in local.items()},
    )


class Resolver:
    """Resolution over one state of the repository; every answer is a plain value."""

    def __init__(
        self, layouts: Layouts, symbols: Callable[[str], FileSymbols | None], memo: Memo
    ) -> None:
        self.layouts = layouts
        self._symbols = symbols
        self._memo = memo
        self._by_family: dict[str, Layout] = {}

    def layout(self, path: str) -> Layout:
        """What imports in the file ``path`` mean."""
        family = family_of(path)
        if family not in self._by_family:
            packages = self._memo.packages
            self._by_family[family] = self.layouts.layout(family, self._symbols, packages)
        return self._by_family[family]

    def module_name(self, path: str) -> str:
        """The dotted name that other files import ``path`` by."""
        return self.layout(path).module_name(path)

    def table(self, path: str) -> Table | None:
        """The symbols of a file arranged for look-ups."""
        symbols = self._symbols(path)
        if symbols is None:
            return None
        known = self._memo.tables.get(path)
        if known is None or known[0] is not symbols:
            known = self._memo.tables[path] = (symbols, tabulate(symbols))
        return known[1]

    def definition(self, target: Target) -> Definition | None:
        """The definition that a target names; one without a span for a module."""
        if target.path is None:
            return None
        if not target.qualname:
            symbols = self._symbols(target.path)
            name = target.module.rpartition(".")[2]
            return Definition(
                name, Kind.MODULE, "", NO_SPAN, NO_SPAN, doc=symbols.doc if symbols else ""
            )
        table = self.table(target.path)
        container, _, name = target.qualname.rpartition(".")
        return table.scopes.get(container, {}).get(name) if table else None

    # Imports --------------------------------------------------------------------------------------

    def resolve(self, path: str, imported: Import, visited: Visited = frozenset()) -> Target:
        """What an import statement in the file ``path`` binds."""
        base = self.layout(path).base(path, imported)
        name = imported.name
        if base is None:
            module = imported.module if name else self.layout(path).bound(imported)
            return Target(None, "" if name in (None, "*") else name or "", module)
        module_ = Target(*base, self.module_name(base[0]))
        if name is None:
            return self._whole(module_, visited)
        if name == "*":
            return module_
        return self._taken(module_, name, visited)

    def _whole(self, module: Target, visited: Visited) -> Target:
        """A module as a value: what ``module.exports = value`` made of it, if that is known."""
        path = module.path or ""
        table = self.table(path)
        symbols = self._symbols(path)
        if table is None or symbols is None or symbols.exports is not None:
            return module
        if all(item.alias != DEFAULT for item in table.exported):
            return module
        return self.attribute(path, DEFAULT, visited) or module

    def _taken(self, base: Target, name: str, visited: Visited) -> Target:
        """``name`` out of a module or class; one that is not to be seen is named all the same."""
        path = base.path or ""
        if base.qualname:
            return self.lookup(base, name) or replace(base, qualname=f"{base.qualname}.{name}")
        found = self.attribute(path, name, visited)
        if found is None and name == DEFAULT and self.table(path) is not None:
            symbols = self._symbols(path)
            if symbols is not None and symbols.exports is None:
                return base  # CommonJS: what is imported by default is the module
        return found or replace(base, qualname=name)

    def attribute(self, path: str, name: str, visited: Visited = frozenset()) -> Target | None:
        """What the attribute ``name`` of a module means, re-exports followed."""
        key = (path, name)
        if key in self._memo.names:
            return self._memo.names[key]
        if key in visited:
            return None
        found = self._given(path, name, visited | {key}) or self._own(path, name, visited | {key})
        if found is None:
            submodule = self.layout(path).submodule(path, name)
            if submodule is not None:
                found = Target(submodule, "", self.module_name(submodule))
        if not visited:  # inside a cycle the answer may be partial
            self._memo.names[key] = found
        return found

    def _given(self, path: str, name: str, visited: Visited) -> Target | None:
        """``name`` as the file exports it from elsewhere or under another name of its own."""
        table = self.table(path)
        exported = table.exported if table is not None else ()
        for item in reversed(exported):
            if item.alias == name and name != "*":
                return self._exported(path, item, visited)
        if exported and name != DEFAULT and table is not None and name not in table.bound:
            for item in exported:
                base = self._base(path, item) if item.name == "*" else None
                if base is not None and (found := self.attribute(base, name, visited)) is not None:
                    return found
        return None

    def _exported(self, path: str, item: Import, visited: Visited) -> Target | None:
        """An export: ``as`` renames a name of the file itself, else it is like an import."""
        if not item.module and item.name is not None:
            return self._own(path, item.name, visited)
        return self.resolve(path, item, visited)

    def _base(self, path: str, imported: Import) -> str | None:
        """The file that an import takes its name from."""
        base = self.layout(path).base(path, imported)
        return None if base is None else base[0]

    def _own(self, path: str, name: str, visited: Visited) -> Target | None:
        table = self.table(path)
        if table is None:
            return None
        outside: Target | None = None
        fallback: Target | None = None
        for binding in reversed(table.bound.get(name, ())):
            if isinstance(binding, Definition):
                target = Target(path, name, self.module_name(path))
                if binding.value != "None":
                    return target
                fallback = fallback or target  # `x = None` where an import may have failed
                continue
            target = self.resolve(path, binding, visited)
            if target.path is not None:
                return target
            outside = outside or target
        found = outside or fallback or self._starred(path, table, name, visited)
        if found is None and (file := self.layout(path).visible(path).get(name)) is not None:
            found = Target(file, name, self.module_name(file))
        return found

    def _starred(self, path: str, table: Table, name: str, visited: Visited) -> Target | None:
        """``name`` as some ``from module import *`` brings it in; the last one wins."""
        for star in reversed(table.stars):
            base = self.layout(path).base(path, star)
            if base is None or base == (path, ""):
                continue
            if base[1]:
                found = self.lookup(Target(*base, self.module_name(base[0])), name)
            elif self._exports(base[0], name):
                found = self.attribute(base[0], name, visited)
            else:
                continue
            if found is not None:
                return found
        return None

    def _exports(self, path: str, name: str) -> bool:
        """Whether a star import of ``path`` brings in ``name``, if it is defined there."""
        symbols = self._symbols(path)
        if symbols is None or symbols.exports is None:
            return not name.startswith("_")
        return name in symbols.exports

    def bindings(self, path: str) -> Mapping[str, Target]:
        """Every name bound at the top level of a file, star imports and re-exports followed."""
        known = self._memo.bindings.get(path)
        if known is None:
            found = {name: self.attribute(path, name) for name in self._bound_names(path, set())}
            known = {name: target for name, target in found.items() if target is not None}
            self._memo.bindings[path] = known
        return known

    def _bound_names(self, path: str, seen: set[str]) -> dict[str, None]:
        """Names in order; what star imports bring comes last."""
        table = self.table(path)
        if table is None or path in seen:
            return {}
        seen.add(path)
        names = dict.fromkeys((*table.bound, *self.layout(path).visible(path)))
        for star in table.stars:
            base = self.layout(path).base(path, star)
            if base is None:
                continue
            if base[1]:
                members = self._members_of(Target(*base, ""))
                names |= dict.fromkeys(member.name for member in members)
            else:
                brought = self._bound_names(base[0], seen)
                names |= {name: None for name in brought if self._exports(base[0], name)}
        return names

    # Attributes and inheritance -------------------------------------------------------------------

    def lookup(self, target: Target, name: str) -> Target | None:
        """The attribute ``name`` of a module or class; ``None`` when it is not known here."""
        target = self.chase(target)
        if target.path is None:
            return None
        if not target.qualname:
            return self.attribute(target.path, name)
        for owner in self.mro(target):
            table = self.table(owner.path) if owner.path else None
            if table is not None and name in table.scopes.get(owner.qualname, {}):
                return Target(owner.path, f"{owner.qualname}.{name}", owner.module)
        return None

    def chase(self, target: Target) -> Target:
        """Follow aliases: a variable whose value is a dotted name that resolves here."""
        known = self._memo.aliases.get(target)
        if known is None:
            self._memo.aliases[target] = target  # the answer inside a cycle
            with _kept_out(self._memo.aliases, target):
                known = self._memo.aliases[target] = self._chase(target)
        return known

    def _chase(self, target: Target) -> Target:
        definition = self.definition(target) if target.qualname else None
        if definition is None or target.path is None:
            return target
        if definition.kind not in (Kind.VARIABLE, Kind.CONSTANT, Kind.ATTRIBUTE):
            return target
        if definition.value is None or not DOTTED.match(definition.value):
            return target
        found = self.expression(target.path, definition.container, definition.value)
        return target if found is None else self.chase(found)

    def expression(self, path: str, scope: str, text: str) -> Target | None:
        """What a dotted name means inside ``scope`` (a container) of the file ``path``."""
        if not DOTTED.match(text):
            return None
        first, *rest = (part.strip() for part in text.split("."))
        found = self._visible(path, scope, first)
        for part in rest:
            if found is None:
                return None
            if found.path is None:  # elsewhere: keep the dotted path for whoever knows that place
                dotted = f"{found.qualname}.{part}" if found.qualname else part
                found = Target(None, dotted, found.module)
            else:
                found = self.lookup(found, part)
        return found

    def _visible(self, path: str, scope: str, name: str) -> Target | None:
        table = self.table(path)
        while scope and table is not None:
            for item in reversed(table.local_imports.get(scope, ())):
                if item.alias == name:
                    return self.resolve(path, item)
            if name in table.scopes.get(scope, {}):
                return Target(path, f"{scope}.{name}", self.module_name(path))
            scope = scope.rpartition(".")[0]
        return self._own(path, name, frozenset({(path, name)}))

    def bases(self, target: Target) -> tuple[Target, ...]:
        """The direct base classes, those outside the repository too."""
        definition = self.definition(target)
        if definition is None or target.path is None:
            return ()
        texts = (TYPE_ARGUMENTS.sub("", base).strip() for base in definition.bases)
        found = (self.expression(target.path, definition.container, text) for text in texts)
        return tuple(self.chase(base) for base in found if base is not None and base != target)

    def mro(self, target: Target) -> tuple[Target, ...]:
        """The method resolution order (C3), the class itself first.

        Where the bases admit none (or inherit from themselves), depth first without repetition.
        """
        known = self._memo.orders.get(target)
        if known is None:
            self._memo.orders[target] = (target,)  # the answer while its own bases are looked up
            with _kept_out(self._memo.orders, target):
                known = _c3(target, self.bases, frozenset()) or _depth_first(target, self.bases)
            self._memo.orders[target] = known
        return known

    def members(self, target: Target) -> tuple[Member, ...]:
        """What can follow the dot after a module or a class; nearest first."""
        target = self.chase(target)
        if target.path is None:
            return ()
        found = self._members_of(target) if target.qualname else self._of_module(target)
        unique: dict[str, Member] = {}
        for member in found:
            unique.setdefault(member.name, member)
        return tuple(unique.values())

    def _members_of(self, target: Target) -> Iterator[Member]:
        """Of a class, a namespace, or a variable whose value lists its members."""
        definition = self.definition(target)
        if definition is None or definition.kind in (Kind.FUNCTION, Kind.METHOD, Kind.PROPERTY):
            return
        for depth, owner in enumerate(self.mro(target)):
            table = self.table(owner.path) if owner.path else None
            if table is None or owner.path is None:
                continue
            for name, found in table.scopes.get(owner.qualname, {}).items():
                yield Member(found, owner.path, depth, name)

    def _of_module(self, module: Target) -> Iterator[Member]:
        path = module.path or ""
        symbols = self._symbols(path)
        exported = symbols.exports if symbols else None
        exports_are_all = self.layout(path).exports_are_all
        closed = exports_are_all and exported is not None
        bound = self._given_names(path, set()) if exports_are_all else self.bindings(path)
        for name, target in bound.items():
            definition = self.definition(target)
            if definition is None or target.path is None:
                continue
            offered = closed or target.path == path or self.layout(path).offers(path)
            depth = 0 if offered or name in (exported or ()) else 1
            yield Member(definition, target.path, depth, name)
        for name, submodule in self.layout(path).submodules(path).items():
            target = Target(submodule, "", self.module_name(submodule))
            definition = self.definition(target)
            if definition is not None:
                yield Member(definition, submodule, 0, name)

    def _given_names(self, path: str, seen: set[str]) -> dict[str, Target]:
        """What a module exports and passes on; of one that lists no exports, all it binds."""
        symbols, table = self._symbols(path), self.table(path)
        if symbols is None or table is None or path in seen:
            return {}
        seen.add(path)
        aliases = (item.alias for item in table.exported if item.alias not in ("*", DEFAULT))
        names = dict.fromkeys(
            (*table.bound, *aliases) if symbols.exports is None else symbols.exports
        )
        own = {name: self.attribute(path, name) for name in names}
        found = {name: target for name, target in own.items() if target is not None}
        for item in table.exported:
            base = self._base(path, item) if item.name == "*" else None
            passed_on = self._given_names(base, seen) if base is not None else {}
            passed_on.pop(DEFAULT, None)
            found = passed_on | found
        return found


@contextmanager
def _kept_out(memo: dict[Target, T], target: Target) -> Iterator[None]:
    """Take a preliminary answer out of ``memo`` again where the real one is not reached."""
    try:
        yield
    except BaseException:
        memo.pop(target, None)
        raise


Bases = Callable[[Target], tuple[Target, ...]]


def _c3(target: Target, bases: Bases, below: frozenset[Target]) -> tuple[Target, ...] | None:
    """C3 linearisation (https://docs.python.org/3/howto/mro.html); ``None`` when there is none."""
    if target in below:
        return None
    parents = bases(target)
    orders: list[list[Target]] = []
    for parent in parents:
        order = _c3(parent, bases, below | {target})
        if order is None:
            return None
        orders.append(list(order))
    orders.append(list(parents))
    merged = [target]
    while any(orders):
        orders = [order for order in orders if order]
        tails = {item for order in orders for item in order[1:]}
        head = next((order[0] for order in orders if order[0] not in tails), None)
        if head is None:
            return None
        merged.append(head)
        orders = [[item for item in order if item != head] for order in orders]
    return tuple(merged)


def _depth_first(target: Target, bases: Bases) -> tuple[Target, ...]:
    found: dict[Target, None] = {}
    stack = [target]
    while stack:
        item = stack.pop()
        if item not in found:
            found[item] = None
            stack.extend(reversed(bases(item)))
    return tuple(found)
