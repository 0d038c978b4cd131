"""What an annotation declares, and the values that dataflow speaks in: types and scopes."""

from __future__ import annotations

import ast
import builtins
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import lru_cache

from completion import builtin_types
from completion.scope import Binding, How
from indexing.index import Snapshot
from indexing.resolve import Target
from indexing.symbols import Definition, Import, Kind


class Role(StrEnum):
    """How a type's target is meant."""

    INSTANCE = "instance"
    CLASS = "class"
    MODULE = "module"
    FUNCTION = "function"


class Tie(StrEnum):
    """What ties a candidate to the place it is offered at; the last five are statistics."""

    NONE = ""
    DECLARED = "declared"  # an annotation, or a class or module named outright
    OWN = "own"  # self, cls, super()
    CONSTRUCTED = "constructed"  # the class was called
    RETURNED = "returned"  # a function says what it returns
    READ = "read"  # a function's return statements were read
    NARROWED = "narrowed"  # isinstance, a class pattern
    FIXTURE = "fixture"  # a test's parameter is what the fixture of its name gives
    STRUCTURAL = "structural"  # a class has what is used on the same variable nearby
    NAMED_LIKE = "named like"  # the receiver is named after a class
    SHORTENED = "shortened"  # the receiver's name abbreviates that of a class, or is its end
    USED_AFTER = "used after"  # follows receivers of the same name elsewhere
    PREDICTED = "predicted"  # follows similar code elsewhere

    @property
    def certain(self) -> bool:
        """Whether code says so; False for what statistics suggest."""
        return self not in _STATISTICS


_STATISTICS = frozenset(
    (
        *(Tie.NONE, Tie.STRUCTURAL, Tie.NAMED_LIKE, Tie.SHORTENED),
        *(Tie.USED_AFTER, Tie.PREDICTED),
    )
)


@dataclass(frozen=True, slots=True)
class Type:
    """What an expression is: an instance of a class, the class itself, a module, or a function.

    ``arguments`` are the type arguments of a container (elements; key and value), ``receiver`` what
    a bound method was taken from. ``target.path`` is None for what this repository does not define.
    ``how`` says how it is known, ``among`` that it is one of several that it may be (of a union);
    two types that differ only in those are equal.
    """

    role: Role
    target: Target
    arguments: tuple[Type | None, ...] = ()
    receiver: Type | None = None
    how: Tie = field(default=Tie.DECLARED, compare=False)
    among: bool = field(default=False, compare=False)

    @property
    def local(self) -> bool:
        """Whether the repository defines it."""
        return self.target.path is not None

    @property
    def name(self) -> str:
        """A short name for people: the last part of the qualified or module name."""
        return (self.target.qualname or self.target.module).rpartition(".")[2]

    def is_builtin(self, *names: str) -> bool:
        """Whether it is one of these built-in classes (or what is treated as one)."""
        target = self.target
        return target.path is None and target.module == "builtins" and target.qualname in names


class Fuel:
    """How many more steps one inference may take; it keeps cycles and explosions short."""

    def __init__(self, steps: int = 600, depth: int = 24) -> None:
        self.steps = steps
        self.depth = depth


@dataclass(frozen=True, slots=True)
class Scope:
    """Where an expression is evaluated.

    ``owner`` is the qualified name of the class around, ``self_name`` the first parameter of the
    method around; ``receiver`` what ``Self`` stands for in a signature. ``bindings`` are the names
    of the enclosing functions.
    """

    snapshot: Snapshot
    path: str
    owner: str = ""
    self_name: str = ""
    bindings: Mapping[str, tuple[Binding, ...]] = field(default_factory=dict)
    receiver: Type | None = None
    fuel: Fuel = field(default_factory=Fuel)

    def at(self, target: Target, receiver: Type | None) -> Scope:
        """The scope in which the definition at ``target`` was written."""
        owner = target.qualname.rpartition(".")[0]
        self_name = "self" if owner else ""
        path = target.path or self.path
        return Scope(self.snapshot, path, owner, self_name, {}, receiver, self.fuel)


@lru_cache(maxsize=4096)
def parse(source: str) -> ast.expr | None:
    """The expression that ``source`` is; None when it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def first_known(types: Iterable[Type | None]) -> Type | None:
    """The first type that is not None."""
    return next((each for each in types if each is not None), None)


def one_of(chosen: Type | None, every: Iterable[Type | None]) -> Type | None:
    """``chosen``, marked where some of ``every`` is of another class, or not known."""
    kinds = {None if each is None else (each.role, each.target) for each in every}
    return replace(chosen, among=True) if chosen is not None and len(kinds) > 1 else chosen


def builtin(name: str, *arguments: Type | None) -> Type:
    """An instance of a built-in class."""
    return Type(Role.INSTANCE, Target(None, name, "builtins"), arguments)


def foreign(target: Target) -> Type:
    """A library's name; whether it is a class shows in its spelling."""
    if not target.qualname:
        return Type(Role.MODULE, target)
    last = target.qualname.rpartition(".")[2]
    is_class = last[:1].isupper() or builtin_types.name_kind(last) == "class"
    return Type(Role.CLASS if is_class else Role.FUNCTION, target)


def known_by(type_: Type | None, how: Tie) -> Type | None:
    """The same type, known in another way."""
    return None if type_ is None else replace(type_, how=how)


def instance_of(type_: Type | None) -> Type | None:
    """An instance of a class; anything else as it is."""
    return replace(type_, role=Role.INSTANCE) if type_ and type_.role is Role.CLASS else type_


def own_instance(scope: Scope, role: Role = Role.INSTANCE) -> Type:
    """What ``self`` (or with ``Role.CLASS`` ``cls``) is in the scope."""
    if scope.receiver is not None:
        return replace(scope.receiver, role=role)
    module = scope.snapshot.module_name(scope.path)
    return Type(role, Target(scope.path, scope.owner, module), how=Tie.OWN)


def definitions_of(snapshot: Snapshot, target: Target) -> tuple[Definition, ...]:
    """The definitions behind a target, those that say more first.

    There are several for a variable that is assigned in many places and for an overloaded function.
    """
    found = snapshot.definition(target)
    if found is None or found.returns or found.kind in (Kind.CLASS, Kind.MODULE):
        return () if found is None else (found,)
    symbols = snapshot.symbols(target.path or "")
    same = [
        each
        for each in (symbols.definitions if symbols else ())
        if each.name == found.name and each.container == found.container
    ]
    return tuple(sorted(same, key=lambda each: not (each.returns or each.annotation)))


def imported_target(binding: Binding, scope: Scope) -> Target:
    """What an import statement inside a function binds."""
    dotted, _, name = binding.expression.partition(":")
    module = dotted.lstrip(".")
    span = (binding.offset, binding.offset)
    statement = Import(module, name or None, binding.name, len(dotted) - len(module), span)
    return scope.snapshot.resolve(scope.path, statement)


_WRAPPERS = frozenset(
    (
        *("Optional", "Final", "ClassVar", "Annotated", "Required", "NotRequired"),
        *("Awaitable", "InitVar", "Mapped"),
    )
)
_CONTAINERS = {
    **dict.fromkeys(("List", "list", "Sequence", "MutableSequence", "Collection"), "list"),
    **dict.fromkeys(("Set", "set", "AbstractSet", "MutableSet"), "set"),
    **dict.fromkeys(("FrozenSet", "frozenset"), "frozenset"),
    **dict.fromkeys(("Tuple", "tuple"), "tuple"),
    **dict.fromkeys(("Dict", "dict", "Mapping", "MutableMapping", "OrderedDict"), "dict"),
    **dict.fromkeys(("DefaultDict", "defaultdict"), "dict"),
    **{
        name: name
        for name in ("Iterable", "Iterator", "Generator", "AsyncIterable", "AsyncIterator")
    },
    **{name: name for name in ("AsyncGenerator", "Deque", "deque")},
}
"""Annotations of containers, and the built-in class whose members they offer."""

_UNKNOWN = frozenset(("Any", "object", "Callable"))
"""Annotations that say nothing about a value's members."""


def annotated(source: str, scope: Scope) -> Type | None:
    """What a value annotated with ``source`` is; of a union, the first member that is known."""
    node = parse(source)
    return None if node is None else annotation(node, scope)


def annotation(node: ast.expr, scope: Scope) -> Type | None:
    """What a value annotated with the expression ``node`` is; an alias may mean itself."""
    fuel = scope.fuel
    if fuel.steps <= 0 or fuel.depth <= 0:
        return None
    fuel.steps -= 1
    fuel.depth -= 1
    try:
        return _annotation(node, scope)
    finally:
        fuel.depth += 1


def _annotation(node: ast.expr, scope: Scope) -> Type | None:
    if isinstance(node, ast.Constant):
        return annotated(node.value, scope) if isinstance(node.value, str) else None
    if isinstance(node, ast.BinOp):
        return _union((node.left, node.right), scope)
    if isinstance(node, ast.Subscript):
        return _generic(node, scope)
    if isinstance(node, ast.Name | ast.Attribute):
        return _plain(node, scope)
    return None


def _union(parts: Iterable[ast.expr], scope: Scope) -> Type | None:
    """The first member that this repository defines, else the first that is known."""
    asked = [part for part in parts if not (isinstance(part, ast.Constant) and part.value is None)]
    known = [type_ for part in asked if (type_ := annotation(part, scope)) is not None]
    found = next((type_ for type_ in known if type_.local), known[0] if known else None)
    return replace(found, among=True) if found is not None and len(asked) > 1 else found


def last_name(node: ast.expr) -> str:
    """The last part of a dotted name."""
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _generic(node: ast.Subscript, scope: Scope) -> Type | None:
    head = last_name(node.value)
    inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    if not inner:
        return _plain(node.value, scope)
    if head == "Union":
        return _union(inner, scope)
    if head in _WRAPPERS:
        return annotation(inner[0], scope)
    if head == "Coroutine":
        return annotation(inner[-1], scope)
    if head in ("Type", "type"):
        found = annotation(inner[0], scope)
        return None if found is None else replace(found, role=Role.CLASS)
    arguments = tuple(annotation(each, scope) for each in inner)
    if head in _CONTAINERS:
        return builtin(_CONTAINERS[head], *arguments)
    found = _plain(node.value, scope)
    return None if found is None else replace(found, arguments=arguments)


def _plain(node: ast.expr, scope: Scope) -> Type | None:
    """A dotted name: ``Self``, a class, an alias, or a bare container."""
    name = last_name(node)
    if name == "Self":
        return own_instance(scope) if scope.owner or scope.receiver else None
    target = _meant(node, scope)
    if target is None or target.path is None:
        if name in _CONTAINERS:
            return builtin(_CONTAINERS[name])
        return None if target is None or name in _UNKNOWN else instance_of(foreign(target))
    definition = scope.snapshot.definition(target)
    if definition is None:
        return None
    if definition.kind is Kind.CLASS:
        return Type(Role.INSTANCE, target)
    return _alias(definition, target, scope) if definition.value else None


def _meant(node: ast.expr, scope: Scope) -> Target | None:
    """What a dotted name in an annotation refers to."""
    dotted = ast.unparse(node)
    first, _, rest = dotted.partition(".")
    local = scope.bindings.get(first)
    if local and local[-1].how is How.IMPORTED:
        target = imported_target(local[-1], scope)
        for part in rest.split(".") if rest else ():
            target = scope.snapshot.lookup(target, part) or Target(None, part, target.module)
        return target
    found = scope.snapshot.expression(scope.path, scope.owner, dotted)
    if found is None and not rest and hasattr(builtins, first):
        return Target(None, first, "builtins")
    return found


def _alias(definition: Definition, target: Target, scope: Scope) -> Type | None:
    """``Alias = Union[A, B]``, ``T = TypeVar("T", bound=A)``, ``Name = NewType("Name", A)``."""
    value = parse(definition.value or "")
    inner = scope.at(target, scope.receiver)
    if not isinstance(value, ast.Call):
        return None if value is None else annotation(value, inner)
    maker = last_name(value.func)
    if maker == "NewType" and len(value.args) > 1:
        return annotation(value.args[1], inner)
    if maker != "TypeVar":
        return None
    if scope.receiver is not None:
        return _one_of_several(instance_of(scope.receiver))
    bound = next((each.value for each in value.keywords if each.arg == "bound"), None)
    return None if bound is None else _one_of_several(annotation(bound, inner))


def _one_of_several(type_: Type | None) -> Type | None:
    return None if type_ is None else replace(type_, among=True)
