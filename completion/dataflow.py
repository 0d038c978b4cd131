"""What an expression is, without a type checker: constructions, annotations, attributes, returns.

Light dataflow after DraCo's and LANCE's idea (a variable is tied to the class or module it came
from), over the index: every step looks up one name, and what is not known is None, never a guess
that is presented as a fact. Expressions are parsed with :mod:`ast`, from source text that is a
complete expression; the text may come from the buffer or from the index.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from completion import builtin_types
from completion.annotations import (
    Role,
    Scope,
    Tie,
    Type,
    annotated,
    annotation,
    builtin,
    definitions_of,
    first_known,
    foreign,
    imported_target,
    instance_of,
    known_by,
    last_name,
    one_of,
    own_instance,
    parse,
)
from completion.bodies import results, unpacked
from completion.fixtures import fixture
from completion.scope import Binding, How
from indexing.resolve import Target
from indexing.symbols import Definition, Kind, Parameter

MAX_ASSIGNMENTS = 4
"""So many assignments to one attribute are looked at."""

_TRANSPARENT = frozenset(
    (
        *("classmethod", "staticmethod", "abstractmethod", "property", "cached_property"),
        *("override", "overload", "final", "cache", "lru_cache", "wraps", "fixture"),
        *("contextmanager", "asynccontextmanager", "abstractproperty", "deprecated"),
    )
)
"""Decorators behind which a function gives what it says."""


def infer(source: str, scope: Scope) -> Type | None:
    """What the expression ``source`` is; None where that is not known or it is no expression."""
    node = parse(source)
    return None if node is None else _expression(node, scope)


def attribute(base: Type, name: str, scope: Scope) -> Type | None:
    """What ``base.name`` is."""
    if base.role is Role.FUNCTION:
        return None
    if not base.local:
        return _foreign_attribute(base, name, scope)
    found = scope.snapshot.lookup(base.target, name)
    receiver = None if base.role is Role.MODULE else base
    type_ = None if found is None else of_target(found, scope, receiver)
    return _got(type_, scope) if base.role is Role.INSTANCE and type_ is not None else type_


def _got(type_: Type, scope: Scope) -> Type | None:
    """What an attribute gives: of a descriptor (https://docs.python.org/3/howto/descriptor.html)
    what its ``__get__`` returns, else itself."""
    if not type_.local or type_.role is not Role.INSTANCE:
        return type_
    getter = scope.snapshot.lookup(type_.target, "__get__")
    if getter is None or getter.path is None:
        return type_
    inner = scope.at(getter, type_)
    found = (_returned(each, inner) for each in definitions_of(scope.snapshot, getter))
    return first_known(each for each in found if each is None or each.target != type_.target)


def of_target(target: Target, scope: Scope, receiver: Type | None = None) -> Type | None:
    """What a definition found by name resolution is when it is used in an expression."""
    if target.path is None:
        return foreign(target)
    found = _of_file(target, scope, receiver)
    outside = scope.snapshot.outside(target)
    if found is None and receiver is None and outside.path is None:
        return foreign(outside)  # a stub does not always say
    return found


def _of_file(target: Target, scope: Scope, receiver: Type | None) -> Type | None:
    if not target.qualname:
        return Type(Role.MODULE, target)
    definitions = definitions_of(scope.snapshot, target)
    if not definitions:
        return None
    kind = definitions[0].kind
    if kind is Kind.CLASS:
        return Type(Role.CLASS, target)
    if kind in (Kind.FUNCTION, Kind.METHOD):
        return Type(Role.FUNCTION, target, receiver=receiver)
    inner = scope.at(target, receiver)
    if kind is Kind.PROPERTY:
        return _returned(definitions[0], inner)
    looked_at = definitions[:MAX_ASSIGNMENTS]
    known = [_attribute_value(each, inner) for each in looked_at]
    chosen = one_of(first_known(known), _said(looked_at, known))
    more = len(definitions) > MAX_ASSIGNMENTS and not definitions[0].annotation
    return replace(chosen, among=True) if chosen is not None and more else chosen


def _said(found: Sequence[Definition], types: Sequence[Type | None]) -> list[Type | None]:
    """The types that count: those of annotations if there are any, else all but ``None``'s."""
    pairs = list(zip(found, types, strict=True))
    if any(each.annotation for each in found):
        return [type_ for each, type_ in pairs if each.annotation]
    return [type_ for each, type_ in pairs if each.value != "None"]


# Expressions


def _expression(node: ast.expr, scope: Scope) -> Type | None:
    fuel = scope.fuel
    if fuel.steps <= 0 or fuel.depth <= 0:
        return None
    handler = _EXPRESSIONS.get(type(node))
    if handler is None:
        return None
    fuel.steps -= 1
    fuel.depth -= 1
    try:
        return handler(node, scope)
    finally:
        fuel.depth += 1


def _name(node: ast.Name, scope: Scope) -> Type | None:
    return named(node.id, scope)


def named(name: str, scope: Scope) -> Type | None:
    """What a bare name stands for: a binding of the enclosing functions, the module, a built-in."""
    found = scope.bindings.get(name)
    if found is not None:
        known = first_known(of_binding(binding, scope) for binding in reversed(found[-4:]))
        if known is not None or found[-1].how is not How.DEFINED:
            return known
    if scope.owner and name == scope.self_name:
        return own_instance(scope, _role_of(name))
    target = scope.snapshot.bindings(scope.path).get(name)
    if target is not None:
        return of_target(target, scope)
    if hasattr(builtins, name):
        return foreign(Target(None, name, "builtins"))
    return None


def _role_of(self_name: str) -> Role:
    """By convention: a class method calls its first parameter ``cls``."""
    return Role.CLASS if self_name in ("cls", "klass", "mcs") else Role.INSTANCE


def of_binding(binding: Binding, scope: Scope) -> Type | None:
    """What the name bound by ``binding`` is."""
    if binding.how is How.IMPORTED:
        return of_target(imported_target(binding, scope), scope)
    if binding.how is How.NARROWED:
        return known_by(annotated(binding.annotation, scope), Tie.NARROWED)
    if binding.how is How.PARAMETER:
        return _parameter(binding, scope)
    if binding.how is How.DEFINED:
        return _nested_class(binding, scope)
    if binding.how is How.ASSIGNED and binding.annotation:
        return annotated(binding.annotation, scope)
    value = infer(binding.expression, scope) if binding.expression else None
    return None if value is None else _bound_from(value, binding, scope)


def _bound_from(value: Type, binding: Binding, scope: Scope) -> Type | None:
    """What a name is bound to by what is iterated, entered, caught or assigned."""
    if binding.how is How.CAUGHT:
        return instance_of(_element(value, scope) or value)
    found: Type | None = value
    if binding.how is How.ELEMENT:
        found = _element(value, scope)
    elif binding.how is How.ENTERED:
        found = _entered(value, scope)
    if binding.index is not None and found is not None:
        return _unpacked(found, binding.index, scope)
    return found


def _nested_class(binding: Binding, scope: Scope) -> Type | None:
    """The class that a ``class`` statement inside a function defines."""
    symbols = scope.snapshot.symbols(scope.path)
    for each in symbols.definitions if symbols is not None else ():
        start, end = each.span
        if each.name == binding.name and each.kind is Kind.CLASS and start <= binding.offset < end:
            module = scope.snapshot.module_name(scope.path)
            return Type(Role.CLASS, Target(scope.path, each.qualname, module))
    return None


def _parameter(binding: Binding, scope: Scope) -> Type | None:
    if scope.owner and binding.name == scope.self_name:
        return own_instance(scope, _role_of(binding.name))
    stars, annotation = _stars(binding.annotation)
    declared = annotated(annotation, scope) if annotation else None
    if stars == "**":
        return builtin("dict", builtin("str"), declared)
    if stars:
        return builtin("tuple", declared)
    if declared is None and binding.expression:
        return infer(binding.expression, scope)
    if declared is None and not annotation:
        return _fixture(binding.name, scope)
    return declared


def _fixture(name: str, scope: Scope) -> Type | None:
    """What pytest passes to a test's parameter."""
    target = fixture(name, scope)
    if target is None or target.path is None:
        return None
    result = _result(Type(Role.FUNCTION, target), (), scope)
    if result is not None and result.is_builtin(*_GENERATORS) and result.arguments:
        result = result.arguments[0]
    return known_by(result, Tie.FIXTURE)


_GENERATORS = ("Generator", "Iterator", "Iterable", "AsyncGenerator", "AsyncIterator")


def _stars(annotation: str) -> tuple[str, str]:
    bare = annotation.lstrip("*")
    return annotation[: len(annotation) - len(bare)], bare


def _attribute_node(node: ast.Attribute, scope: Scope) -> Type | None:
    if scope.bindings and (found := scope.bindings.get(ast.unparse(node))):
        known = first_known(of_binding(binding, scope) for binding in reversed(found[-4:]))
        if known is not None:
            return known
    base = _expression(node.value, scope)
    return None if base is None else attribute(base, node.attr, scope)


def _foreign_attribute(base: Type, name: str, scope: Scope) -> Type | None:
    target = base.target
    qualname = f"{target.qualname}.{name}" if target.qualname else name
    found = Target(None, qualname, target.module)
    if base.role is Role.MODULE:
        inner = scope.snapshot.lookup(target, name)
        return of_target(inner, scope) if inner is not None else foreign(found)
    return Type(Role.FUNCTION, found, receiver=base)


def _call(node: ast.Call, scope: Scope) -> Type | None:
    if isinstance(node.func, ast.Name) and node.func.id in _CALLS:
        special = _CALLS[node.func.id](node.args, scope)
        if special is not None:
            return special
    callee = _expression(node.func, scope)
    if callee is None:
        return None
    if callee.role is Role.CLASS:
        return replace(callee, role=Role.INSTANCE, how=Tie.CONSTRUCTED)
    if callee.role is Role.INSTANCE:
        method = attribute(callee, "__call__", scope) if callee.local else None
        return None if method is None else _result(method, node.args, scope)
    return _result(callee, node.args, scope) if callee.role is Role.FUNCTION else None


def _result(function: Type, arguments: Sequence[ast.expr], scope: Scope) -> Type | None:
    """What calling the function gives."""
    if not function.local:
        return _builtin_result(function)
    definitions = definitions_of(scope.snapshot, function.target)
    if not definitions:
        return None
    definition = definitions[0]
    inner = scope.at(function.target, function.receiver)
    passed = _type_variable_argument(definition, arguments, scope)
    if passed is None and "overload" in _last_parts(definition.decorators):
        return _overloaded(definition, inner)
    return passed or _returned(definition, inner)


def _overloaded(definition: Definition, inner: Scope) -> Type | None:
    """What an overloaded function returns, marked where that depends on its arguments."""
    symbols = inner.snapshot.symbols(inner.path)
    every = symbols.definitions if symbols is not None else ()
    same = [o for o in every if (o.name, o.container) == (definition.name, definition.container)]
    given = {each.returns: each for each in same if each.returns}
    types = [_returned(each, inner) for each in list(given.values())[:MAX_ASSIGNMENTS]]
    chosen = _returned(definition, inner)
    return chosen and replace(chosen, among=_differ(types, len(given)))


def _differ(types: Sequence[Type | None], count: int) -> bool:
    """Whether the types are of several classes, or more than were looked at."""
    kinds = {None if each is None else (each.role, each.target) for each in types}
    return len(kinds) > 1 or count > len(types) or any(each.among for each in types if each)


def _last_parts(decorators: Sequence[str]) -> list[str]:
    return [each.partition("(")[0].rpartition(".")[2] for each in decorators]


def _type_variable_argument(
    definition: Definition, arguments: Sequence[ast.expr], scope: Scope
) -> Type | None:
    """``def build(cls: type[T]) -> T`` called with a class gives an instance of it."""
    returns = definition.returns
    if not returns or not returns.isidentifier():
        return None
    parameters = [each for each in definition.parameters if each.name not in ("self", "cls")]
    for parameter, argument in zip(parameters, arguments, strict=False):
        if parameter.annotation == returns and len(returns) <= 2:
            return _expression(argument, scope)
        if parameter.annotation in (f"type[{returns}]", f"Type[{returns}]"):
            return instance_of(_expression(argument, scope))
    return None


def _builtin_result(function: Type) -> Type | None:
    """What a built-in function, or a method of a built-in class, returns."""
    receiver = function.receiver
    owner = function.target if receiver is None else receiver.target
    if owner.module != "builtins":
        return None
    method = function.target.qualname.rpartition(".")[2]
    notation = builtin_types.returns(receiver.target.qualname if receiver else "", method)
    node = None if notation is None else parse(notation)
    return None if node is None else _from_notation(node, receiver)


def _from_notation(node: ast.expr, receiver: Type | None) -> Type | None:
    """A type written in the notation of :data:`builtin_types.RETURNS`."""
    if isinstance(node, ast.Subscript):
        inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        parts = (_from_notation(each, receiver) for each in inner)
        return builtin(last_name(node.value), *parts)
    name = last_name(node)
    arguments = receiver.arguments if receiver else ()
    if name == builtin_types.SELF:
        return receiver
    if name in (builtin_types.ELEMENT, builtin_types.KEY):
        return arguments[0] if arguments else None
    if name == builtin_types.VALUE:
        return arguments[1] if len(arguments) > 1 else None
    return builtin(name)


def _returned(definition: Definition, inner: Scope) -> Type | None:
    found = _said_or_read(definition, inner)
    opaque = any(name not in _TRANSPARENT for name in _last_parts(definition.decorators))
    return replace(found, among=True) if found is not None and opaque else found


def _said_or_read(definition: Definition, inner: Scope) -> Type | None:
    if definition.returns:
        return known_by(annotated(definition.returns, inner), Tie.RETURNED)
    read = _read(definition, inner)
    if read is None and any("classmethod" in decorator for decorator in definition.decorators):
        return own_instance(inner)
    return read


BODY_COST = 40
"""What reading a function's body takes of :class:`Fuel`, in steps."""


def _read(function: Definition, inner: Scope) -> Type | None:
    """What the function's return statements give, the classes of this repository first."""
    inner.fuel.steps -= BODY_COST
    if inner.fuel.steps <= 0:
        return None
    first = next((each.name for each in function.parameters), "")
    static = "staticmethod" in function.decorators
    self_name = first if inner.owner and not static else ""
    found = results(inner.snapshot, inner.path, function)
    given = [each for each in found if each.expression != "None"]
    types = [infer(each.expression, _inside(inner, each.bindings, self_name)) for each in given]
    known = [type_ for type_ in types if type_ is not None]
    result = next((type_ for type_ in known if type_.local), first_known(known))
    result = one_of(result, types)
    if found and found[0].yields:
        return builtin("Generator", result)
    return known_by(result, Tie.READ)


def _inside(inner: Scope, bindings: Mapping[str, tuple[Binding, ...]], self_name: str) -> Scope:
    return replace(inner, bindings=bindings, self_name=self_name)


def _attribute_value(definition: Definition, inner: Scope) -> Type | None:
    """What an attribute or variable holds, by its annotation or its initialiser."""
    if definition.annotation:
        return annotated(definition.annotation, inner)
    if inner.owner and definition.value and _is_enum(inner):
        return own_instance(inner)
    outer = replace(inner, bindings=_method_parameters(definition, inner))
    if definition.value:
        return infer(definition.value, outer)
    inner.fuel.steps -= BODY_COST
    binding = unpacked(inner.snapshot, inner.path, definition) if inner.fuel.steps > 0 else None
    return None if binding is None else of_binding(binding, outer)


def _is_enum(inner: Scope) -> bool:
    owner = Target(inner.path, inner.owner, "")
    definitions = definitions_of(inner.snapshot, owner)
    bases = definitions[0].bases if definitions else ()
    return any(base.rpartition(".")[2] in ("Enum", "StrEnum", "IntEnum", "Flag") for base in bases)


def _method_parameters(definition: Definition, inner: Scope) -> Mapping[str, tuple[Binding, ...]]:
    """The parameters of the method that assigns the attribute ``definition``."""
    symbols = inner.snapshot.symbols(inner.path)
    for each in symbols.definitions if symbols and inner.owner else ():
        start, end = each.span
        if (
            each.container == inner.owner
            and each.kind in (Kind.METHOD, Kind.FUNCTION, Kind.PROPERTY)
            and start <= definition.span[0] < end
        ):
            return {each.name: (_as_binding(each, start),) for each in each.parameters}
    return {}


def _as_binding(parameter: Parameter, offset: int) -> Binding:
    annotation = parameter.prefix + (parameter.annotation or "")
    default = parameter.default or ""
    return Binding(parameter.name, How.PARAMETER, offset, default, annotation)


# Containers


def _element(type_: Type, scope: Scope) -> Type | None:
    """What iterating gives."""
    if type_.local and type_.role is Role.INSTANCE:
        for method in ("__next__", "__anext__", "__iter__", "__aiter__"):
            found = attribute(type_, method, scope)
            if found is not None and found.role is Role.FUNCTION:
                result = _result(found, (), scope)
                done = method.endswith("next__") or result in (None, type_)
                return result if done or result is None else _element(result, scope)
        return first_known(type_.arguments)
    if type_.local and type_.role is Role.CLASS:
        return replace(type_, role=Role.INSTANCE)  # iterating an enumeration
    if type_.is_builtin("str", "bytes"):
        return type_
    return first_known(type_.arguments[:1] if not type_.is_builtin("tuple") else type_.arguments)


def _unpacked(type_: Type, index: int, scope: Scope) -> Type | None:
    """The part at ``index`` of an unpacked value."""
    if type_.is_builtin("tuple") and len(type_.arguments) > 1:
        return type_.arguments[index] if index < len(type_.arguments) else None
    return _element(type_, scope)


def _entered(type_: Type, scope: Scope) -> Type | None:
    """What ``with … as`` binds."""
    if type_.local and type_.role is Role.INSTANCE:
        for method in ("__enter__", "__aenter__"):
            found = attribute(type_, method, scope)
            if found is not None and found.role is Role.FUNCTION:
                return _result(found, (), scope) or type_
        return type_
    return first_known(type_.arguments[:1]) or type_


def _subscript(node: ast.Subscript, scope: Scope) -> Type | None:
    base = _expression(node.value, scope)
    if base is None or base.role is Role.CLASS:
        return base
    if base.local:
        method = attribute(base, "__getitem__", scope)
        return None if method is None else _result(method, (), scope)
    if isinstance(node.slice, ast.Slice):
        return base
    if base.is_builtin("dict"):
        return base.arguments[1] if len(base.arguments) > 1 else None
    if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int):
        return _unpacked(base, node.slice.value, scope)
    return _element(base, scope)


def _constant(node: ast.Constant, _scope: Scope) -> Type | None:
    return None if node.value is None else builtin(type(node.value).__name__)


def _display(node: ast.List | ast.Set | ast.Tuple, scope: Scope) -> Type:
    name = type(node).__name__.lower()
    if name == "tuple":
        return builtin(name, *(_expression(each, scope) for each in node.elts[:8]))
    return builtin(name, first_known(_expression(each, scope) for each in node.elts[:3]))


def _comprehension(node: ast.ListComp | ast.SetComp | ast.GeneratorExp, scope: Scope) -> Type:
    name = {ast.ListComp: "list", ast.SetComp: "set"}.get(type(node), "Generator")
    inner = dict(scope.bindings)
    for generator in node.generators:
        if isinstance(generator.target, ast.Name):
            source = ast.unparse(generator.iter)
            binding = Binding(generator.target.id, How.ELEMENT, 0, source)
            inner[binding.name] = (binding,)
    return builtin(name, _expression(node.elt, replace(scope, bindings=inner)))


def _dictionary(node: ast.Dict, scope: Scope) -> Type:
    return builtin(
        "dict",
        first_known(_expression(key, scope) for key in node.keys[:1] if key is not None),
        first_known(_expression(value, scope) for value in node.values[:3]),
    )


def _either(node: ast.BoolOp | ast.IfExp, scope: Scope) -> Type | None:
    parts = node.values if isinstance(node, ast.BoolOp) else [node.body, node.orelse]
    known = [_expression(part, scope) for part in parts]
    return one_of(first_known(known), known)


def _super(_arguments: Sequence[ast.expr], scope: Scope) -> Type | None:
    if not scope.owner:
        return None
    bases = scope.snapshot.mro(own_instance(scope).target)[1:]
    base = next((each for each in bases if each.path is not None), bases[0] if bases else None)
    return None if base is None else Type(Role.INSTANCE, base, how=Tie.OWN)


def _cast(arguments: Sequence[ast.expr], scope: Scope) -> Type | None:
    return annotation(arguments[0], scope) if arguments else None


def _same(arguments: Sequence[ast.expr], scope: Scope) -> Type | None:
    return _expression(arguments[0], scope) if arguments else None


def _next(arguments: Sequence[ast.expr], scope: Scope) -> Type | None:
    inner = _same(arguments, scope)
    return None if inner is None else _element(inner, scope)


def _listed(arguments: Sequence[ast.expr], scope: Scope) -> Type:
    return builtin("list", _next(arguments, scope))


def _enumerated(arguments: Sequence[ast.expr], scope: Scope) -> Type:
    return builtin("list", builtin("tuple", builtin("int"), _next(arguments, scope)))


def _zipped(arguments: Sequence[ast.expr], scope: Scope) -> Type:
    parts = (_next((argument,), scope) for argument in arguments)
    return builtin("list", builtin("tuple", *parts))


def _type_of(arguments: Sequence[ast.expr], scope: Scope) -> Type | None:
    inner = _same(arguments, scope)
    return replace(inner, role=Role.CLASS) if inner and inner.role is Role.INSTANCE else None


_CALLS: dict[str, Callable[[Sequence[ast.expr], Scope], Type | None]] = {
    "super": _super,
    "cast": _cast,
    "copy": _same,
    "deepcopy": _same,
    "replace": _same,
    "next": _next,
    "anext": _next,
    "iter": _same,
    "list": _listed,
    "set": lambda arguments, scope: builtin("set", _next(arguments, scope)),
    "frozenset": lambda arguments, scope: builtin("frozenset", _next(arguments, scope)),
    "sorted": _listed,
    "reversed": _listed,
    "enumerate": _enumerated,
    "zip": _zipped,
    "type": _type_of,
}


_EXPRESSIONS: dict[type[ast.expr], Callable[[Any, Scope], Type | None]] = {
    ast.Name: _name,
    ast.Attribute: _attribute_node,
    ast.Call: _call,
    ast.Subscript: _subscript,
    ast.Constant: _constant,
    ast.JoinedStr: lambda _node, _scope: builtin("str"),
    ast.List: _display,
    ast.Set: _display,
    ast.Tuple: _display,
    ast.Dict: _dictionary,
    ast.ListComp: _comprehension,
    ast.SetComp: _comprehension,
    ast.GeneratorExp: _comprehension,
    ast.BoolOp: _either,
    ast.IfExp: _either,
    ast.BinOp: lambda node, scope: _expression(node.left, scope),
    ast.Await: lambda node, scope: _expression(node.value, scope),
    ast.NamedExpr: lambda node, scope: _expression(node.value, scope),
}
