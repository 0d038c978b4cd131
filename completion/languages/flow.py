"""What an expression is in a language with braces, by light dataflow over the index.

The same idea as :mod:`completion.dataflow`, on tree-sitter's nodes: every step looks up one name,
and what is not known is None. Java and JavaScript differ in the names of nodes and in the table of
built-in types; a :class:`Dialect` says how.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import tree_sitter
from tree_sitter import Node

from completion.annotations import (
    Role,
    Scope,
    Type,
    builtin,
    definitions_of,
    first_known,
    foreign,
    instance_of,
    own_instance,
)
from completion.languages.braces import first_of, text_of
from completion.languages.natives import NativeMember, Natives, find
from completion.languages.written import Form, Written, written
from completion.scope import Binding, How
from indexing.resolve import Target
from indexing.symbols import Definition, Import, Kind, Parameter

Environment = Mapping[str, Type | None]
TUPLE = "Tuple"
TYPE_ALIAS = "TypeAlias"

_NOTHING = frozenset(("null", "undefined", "void", "never", "any", "unknown", "object", "Object"))
"""Types that say nothing about a value's members."""

_POSITION = {"V": 1, "U": 1, "R": 1, "ID": 1, "B": 1}
"""Where a type variable of this name stands among several, by convention."""

_SEEN = 4
"""How many bindings of one name are tried, the latest first."""


@dataclass(frozen=True)
class Dialect:
    """What tells one language from another here.

    ``names`` are global names that may be classes of the table; ``same_as`` other names for types
    of the table, ``wrappers`` types that stand for their first argument. ``functions`` are
    interfaces whose first type arguments are a function's parameters. ``bare_members``: a class's
    members are visible in it without ``this``.
    """

    grammar: tree_sitter.Language
    types: Natives
    array: str
    names: Collection[str]
    same_as: Mapping[str, str] = field(default_factory=dict)
    wrappers: Collection[str] = ()
    functions: Collection[str] = ()
    bare_members: bool = False


class Flow:
    """The dataflow of one dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._parser = tree_sitter.Parser(dialect.grammar)
        self.parse = lru_cache(maxsize=2048)(self._parse)

    def _parse(self, source: str) -> Node | None:
        """The expression that ``source`` is."""
        root = self._parser.parse(b"(" + source.strip().encode() + b");").root_node
        return first_of(first_of(first_of(root)))

    def infer(self, source: str, scope: Scope) -> Type | None:
        """What the expression ``source`` is; None where that is not known."""
        if source.strip() == "super":
            return self._super(scope)
        node = self.parse(source)
        return None if node is None else self.expression(node, scope)

    def expression(self, node: Node | None, scope: Scope) -> Type | None:
        """What the expression at ``node`` is."""
        fuel = scope.fuel
        handler = _EXPRESSIONS.get(node.type) if node is not None else None
        if node is None or handler is None or fuel.steps <= 0 or fuel.depth <= 0:
            return None
        fuel.steps -= 1
        fuel.depth -= 1
        try:
            return handler(self, node, scope)
        finally:
            fuel.depth += 1

    # Names

    def named(self, name: str, scope: Scope) -> Type | None:
        """What a bare name stands for: a local binding, a member around, the file, a built-in."""
        found = scope.bindings.get(name)
        if found is not None:
            known = first_known(self.of_binding(each, scope) for each in reversed(found[-_SEEN:]))
            if known is not None or found[-1].how is not How.DEFINED:
                return known
        if self.dialect.bare_members and (member := self._bare_member(name, scope)) is not None:
            return member
        target = scope.snapshot.bindings(scope.path).get(name)
        if target is not None:
            return self.of_target(target, scope)
        if name in self.dialect.names or name in self.dialect.types:
            return Type(Role.CLASS, Target(None, name, "builtins"))
        return None

    def _bare_member(self, name: str, scope: Scope) -> Type | None:
        """A member of the classes around, the innermost first."""
        owner = scope.owner
        module = scope.snapshot.module_name(scope.path)
        while owner:
            around = Type(Role.INSTANCE, Target(scope.path, owner, module))
            found = scope.snapshot.lookup(around.target, name)
            if found is not None:
                return self.of_target(found, scope, around)
            owner = owner.rpartition(".")[0]
        return None

    def of_binding(self, binding: Binding, scope: Scope) -> Type | None:
        """What the name bound by ``binding`` is."""
        if binding.how is How.PASSED:
            return self._passed(binding, scope)
        if binding.annotation:
            return self.declared(binding.annotation, scope)
        value = self.infer(binding.expression, scope) if binding.expression else None
        if value is None or binding.how is How.DEFINED:
            return None
        if binding.how is How.ELEMENT:
            value = self.element(value)
        if binding.index is not None and value is not None:
            return self.part(value, binding.index)
        return value

    def of_target(self, target: Target, scope: Scope, receiver: Type | None = None) -> Type | None:
        """What a definition found by name resolution is when it is used in an expression."""
        if target.path is None:
            return self._foreign(target)
        if not target.qualname:
            return Type(Role.MODULE, target)
        definitions = definitions_of(scope.snapshot, target)
        if not definitions:
            return None
        kind = definitions[0].kind
        if kind is Kind.CLASS:
            return Type(Role.CLASS, target)
        if kind is Kind.MODULE:
            return Type(Role.MODULE, target)
        if kind in (Kind.FUNCTION, Kind.METHOD):
            return Type(Role.FUNCTION, target, receiver=receiver)
        inner = scope.at(target, receiver)
        return first_known(self._value(each, target, inner) for each in definitions)

    def _foreign(self, target: Target) -> Type:
        last = target.qualname.rpartition(".")[2]
        if last in self.dialect.types:
            return Type(Role.CLASS, Target(None, last, "builtins"))
        return foreign(target)

    def _value(self, definition: Definition, target: Target, inner: Scope) -> Type | None:
        """What an attribute, property or variable holds."""
        declared = definition.annotation or definition.returns
        if declared and declared != TYPE_ALIAS:
            return self.declared(declared, inner)
        value = (definition.value or "").strip()
        if value.startswith("{") and _has_members(target, inner):
            return Type(Role.INSTANCE, target)
        if not value:  # a constant of a Java enumeration is an instance of it
            return own_instance(inner) if inner.owner and self.dialect.bare_members else None
        return self.infer(value, replace(inner, bindings=_parameters_around(definition, inner)))

    # Declared types

    def declared(self, source: str, scope: Scope) -> Type | None:
        """What a value declared as ``source`` is; of a union, the first that is known best."""
        return self.type_of(written(source), scope, {})

    def type_of(self, type_: Written, scope: Scope, names: Environment) -> Type | None:
        """What a value of the written type is; ``names`` are type variables."""
        scope.fuel.steps -= 1
        if scope.fuel.steps <= 0:
            return None
        if type_.form is Form.UNION:
            known = [self.type_of(part, scope, names) for part in type_.parts]
            local = first_known(each for each in known if each is not None and each.local)
            return local or first_known(known)
        if type_.form is Form.ARRAY:
            return builtin(self.dialect.array, self.type_of(type_.parts[0], scope, names))
        if type_.form is Form.TUPLE:
            return builtin(TUPLE, *(self.type_of(part, scope, names) for part in type_.parts))
        if type_.form is Form.QUERY:
            return self.infer(type_.name, scope)
        return self._plain(type_, scope, names) if type_.form is Form.NAME else None

    def _plain(self, type_: Written, scope: Scope, names: Environment) -> Type | None:
        name = type_.name
        if name in names:
            return names[name]
        if name in _NOTHING:
            return None
        if name == "this":
            return own_instance(scope) if scope.owner else None
        if name in self.dialect.wrappers and type_.parts:
            return self.type_of(type_.parts[0], scope, names)
        target = scope.snapshot.expression(scope.path, scope.owner, name)
        if target is not None and target.path is not None:
            return self._local_type(type_, target, scope, names)
        last = name.rpartition(".")[2]
        last = self.dialect.same_as.get(last, last)
        if last in self.dialect.types:
            return builtin(last, *(self.type_of(part, scope, names) for part in type_.parts))
        if target is None:
            return self._variable(name, scope)
        return instance_of(foreign(target))

    def _local_type(
        self, type_: Written, target: Target, scope: Scope, names: Environment
    ) -> Type | None:
        definition = scope.snapshot.definition(target)
        if definition is None:
            return None
        if definition.kind is Kind.CLASS:
            arguments = tuple(self.type_of(part, scope, names) for part in type_.parts)
            return Type(Role.INSTANCE, target, arguments)
        if definition.annotation == TYPE_ALIAS and definition.value:
            return self.type_of(written(definition.value), scope.at(target, scope.receiver), {})
        return None

    def _variable(self, name: str, scope: Scope) -> Type | None:
        """A type variable of the class that the member was found in."""
        if scope.receiver is None or not re.fullmatch(r"[A-Z]\w?|T[A-Z]\w*", name):
            return None
        arguments = scope.receiver.arguments or self._inherited_arguments(scope)
        if not arguments:
            return None
        position = 0 if len(arguments) == 1 else _POSITION.get(name, 0)
        return arguments[position] if position < len(arguments) else None

    def _inherited_arguments(self, scope: Scope) -> tuple[Type | None, ...]:
        """``class UserRepo extends Repo<User>``: what ``Repo`` is given where it is extended."""
        assert scope.receiver is not None
        snapshot = scope.snapshot
        wanted = scope.owner.rpartition(".")[2]
        for owner in snapshot.mro(scope.receiver.target):
            definition = snapshot.definition(owner)
            for base in definition.bases if definition else ():
                type_ = written(base)
                if type_.parts and type_.name.rpartition(".")[2] == wanted:
                    inner = scope.at(owner, None)
                    return tuple(self.type_of(part, inner, {}) for part in type_.parts)
        return ()

    # Attributes and calls

    def attribute(self, base: Type, name: str, scope: Scope) -> Type | None:
        """What ``base.name`` is."""
        if base.role is Role.FUNCTION:
            return None
        if base.local:
            found = scope.snapshot.lookup(base.target, name)
            if found is not None:
                receiver = None if base.role is Role.MODULE else base
                return self.of_target(found, scope, receiver)
            return self._of_enumeration(base, name)
        if base.role is Role.MODULE:
            return self._foreign(Target(None, name, base.target.module))
        native = find(self.dialect.types, base.target.qualname, name)
        if native is None:
            return None
        if native[0].native.kind == "method":
            qualname = f"{base.target.qualname}.{name}"
            return Type(Role.FUNCTION, Target(None, qualname, "builtins"), receiver=base)
        return self.type_of(native[0].returns, scope, _environment(native, base))

    def _of_enumeration(self, base: Type, name: str) -> Type | None:
        """What every Java enumeration has: ``values()`` and ``valueOf(text)``."""
        if base.role is not Role.CLASS or name not in ("values", "valueOf"):
            return None
        instance = replace(base, role=Role.INSTANCE)
        return builtin(self.dialect.array, instance) if name == "values" else instance

    def call(self, callee: Type | None, node: Node, scope: Scope) -> Type | None:
        """What calling ``callee`` with the arguments of the call at ``node`` gives."""
        if callee is None or callee.role is Role.MODULE:
            return None
        if callee.role is not Role.FUNCTION:
            return instance_of(callee)
        if not callee.local:
            return self._native_result(callee, node, scope)
        definitions = definitions_of(scope.snapshot, callee.target)
        if not definitions or not definitions[0].returns:
            return None
        inner = scope.at(callee.target, callee.receiver)
        names = self._passed_variables(definitions[0], node, scope)
        return self.type_of(written(definitions[0].returns), inner, names)

    def _passed_variables(self, definition: Definition, node: Node, scope: Scope) -> Environment:
        """The type variables of a function that its arguments or type arguments decide."""
        returned = written(definition.returns or "")
        variables = [each for each in (returned, *returned.parts) if _is_variable(each)]
        given = node.child_by_field_name("type_arguments")
        if variables and given is not None and given.named_child_count:
            passed = written(text_of(first_of(given)))
            return {variables[0].name: self.type_of(passed, scope, {})}
        arguments = _arguments(node)
        names: dict[str, Type | None] = {}
        for variable in variables:
            for parameter, argument in zip(definition.parameters, arguments, strict=False):
                found = self._by_parameter(parameter, argument, variable.name, scope)
                if found is not None:
                    names.setdefault(variable.name, found)
        return names

    def _by_parameter(
        self, parameter: Parameter, argument: Node, name: str, scope: Scope
    ) -> Type | None:
        """What the type variable is, where the parameter is declared as it or as its class."""
        type_ = written(parameter.annotation or "")
        if type_.form is Form.NAME and type_.name == name:
            return self.expression(argument, scope)
        inside = type_.parts[-1:] if type_.form in (Form.NAME, Form.FUNCTION, Form.ARRAY) else ()
        if not inside or inside[0].name != name:
            return None
        value = self.expression(argument, scope)
        if value is None or value.role is Role.CLASS:
            return instance_of(value)
        return first_known(value.arguments)

    def _native_result(self, callee: Type, node: Node, scope: Scope) -> Type | None:
        receiver = callee.receiver
        name = callee.target.qualname.rpartition(".")[2]
        native = find(self.dialect.types, receiver.target.qualname, name) if receiver else None
        if native is None or receiver is None:
            return None
        names = dict(_environment(native, receiver))
        for part in (native[0].returns, *native[0].returns.parts):
            if _is_variable(part) and names.get(part.name) is None:
                names[part.name] = self._given(native[0], part.name, node, scope)
        return self.type_of(native[0].returns, scope, names)

    def _given(self, member: NativeMember, name: str, node: Node, scope: Scope) -> Type | None:
        """A type variable of a built-in method: a function's result, or an argument's type."""
        for index, argument in enumerate(_arguments(node)):
            if argument.type in _FUNCTION_NODES:
                return self._result_of(argument, node, index, scope)
            wanted = member.parameters[index] if index < len(member.parameters) else None
            if wanted is not None and name in (wanted.name, *(p.name for p in wanted.parts)):
                value = self.expression(argument, scope)
                plain = wanted.name == name or value is None or not value.arguments
                return value if plain or value is None else value.arguments[0]
        return None

    def _result_of(self, function: Node, call: Node, index: int, scope: Scope) -> Type | None:
        """What a function that is passed to a call returns."""
        if function.type == "method_reference":
            return self.call(self.expression(function, scope), function, scope)
        body = function.child_by_field_name("body")
        if body is not None and body.type in ("statement_block", "block"):
            returned = next((e for e in body.named_children if e.type == "return_statement"), None)
            body = first_of(returned)
        callee = _callee_text(call)
        bound = dict(scope.bindings)
        for position, name in enumerate(_parameter_names(function)):
            bound[name] = (Binding(name, How.PASSED, 0, callee, str(index), position),)
        return self.expression(body, replace(scope, bindings=bound))

    def _passed(self, binding: Binding, scope: Scope) -> Type | None:
        """What a function's parameter is, by the call that the function is passed to."""
        callee = self.infer(binding.expression, scope) if binding.expression else None
        if callee is None or binding.index is None or callee.role is Role.INSTANCE:
            return None
        argument = int(binding.annotation)
        if callee.role is Role.FUNCTION and not callee.local:
            return self._passed_natively(callee, argument, binding.index, scope)
        target = callee.target
        if callee.role is Role.CLASS:
            target = scope.snapshot.lookup(target, "__init__") or target
        definitions = definitions_of(scope.snapshot, target)
        parameters = definitions[0].parameters if definitions else ()
        if argument >= len(parameters) or not parameters[argument].annotation:
            return None
        inner = scope.at(target, callee.receiver)
        return self._parameter_of(
            written(parameters[argument].annotation or ""), binding.index, inner, {}
        )

    def _passed_natively(
        self, callee: Type, argument: int, index: int, scope: Scope
    ) -> Type | None:
        receiver = callee.receiver
        name = callee.target.qualname.rpartition(".")[2]
        native = find(self.dialect.types, receiver.target.qualname, name) if receiver else None
        if native is None or receiver is None or argument >= len(native[0].parameters):
            return None
        names = _environment(native, receiver)
        return self._parameter_of(native[0].parameters[argument], index, scope, names)

    def _parameter_of(
        self, function: Written, index: int, scope: Scope, names: Environment
    ) -> Type | None:
        """The type of a parameter of a written function type."""
        if function.form is Form.FUNCTION:
            declared = function.parts[:-1]
            return self.type_of(declared[index], scope, names) if index < len(declared) else None
        if function.form is not Form.NAME:
            return None
        if function.name.rpartition(".")[2] in self.dialect.functions:
            # one written argument says what both are: UnaryOperator<T>, Comparator<T>
            part = function.parts[min(index, len(function.parts) - 1)] if function.parts else None
            return None if part is None else self.type_of(part, scope, names)
        return self._parameter_of_local(function, index, scope)

    def _parameter_of_local(self, function: Written, index: int, scope: Scope) -> Type | None:
        """The same for an alias of a function type, or an interface with one method."""
        target = scope.snapshot.expression(scope.path, scope.owner, function.name)
        definition = scope.snapshot.definition(target) if target else None
        if target is None or definition is None or target.path is None:
            return None
        if definition.annotation == TYPE_ALIAS and definition.value:
            return self._parameter_of(written(definition.value), index, scope.at(target, None), {})
        methods = [
            each
            for each in scope.snapshot.members(target)
            if each.definition.kind is Kind.METHOD and each.name != "__init__"
        ]
        if len(methods) != 1 or index >= len(methods[0].definition.parameters):
            return None
        instance = Type(
            Role.INSTANCE,
            target,
            tuple(self.type_of(part, scope, {}) for part in function.parts),
        )
        annotation = methods[0].definition.parameters[index].annotation
        inner = scope.at(Target(target.path, f"{target.qualname}.x", target.module), instance)
        return self.declared(annotation, inner) if annotation else None

    # Containers

    def element(self, type_: Type) -> Type | None:
        """What iterating gives."""
        if type_.is_builtin("String"):
            return type_
        if type_.is_builtin("Map"):
            return builtin(TUPLE, *type_.arguments)
        return first_known(type_.arguments[:1])

    def part(self, type_: Type, index: int) -> Type | None:
        """The part at ``index`` of an array, tuple or map entry."""
        if type_.is_builtin(TUPLE):
            return type_.arguments[index] if index < len(type_.arguments) else None
        return self.element(type_)

    def _super(self, scope: Scope) -> Type | None:
        if not scope.owner:
            return None
        bases = scope.snapshot.mro(own_instance(scope).target)[1:]
        return Type(Role.INSTANCE, bases[0]) if bases else None


_FUNCTION_NODES = frozenset(
    ("arrow_function", "function_expression", "lambda_expression", "method_reference")
)


def _is_variable(type_: Written) -> bool:
    return type_.form is Form.NAME and bool(re.fullmatch(r"[A-Z]\w?|T[A-Z]\w*", type_.name))


def _environment(native: tuple[NativeMember, tuple[str, ...]], receiver: Type) -> Environment:
    """The type variables of a built-in member by the receiver's arguments."""
    arguments = (*receiver.arguments, *(None,) * len(native[1]))
    return dict(zip(native[1], arguments, strict=False))


def _arguments(node: Node) -> Sequence[Node]:
    arguments = node.child_by_field_name("arguments")
    return arguments.named_children if arguments is not None else ()


def _callee_text(node: Node) -> str:
    function = node.child_by_field_name("function")
    if function is not None:
        return text_of(function)
    receiver = text_of(node.child_by_field_name("object"))
    name = text_of(node.child_by_field_name("name"))
    return f"{receiver}.{name}" if receiver else name


def _parameter_names(function: Node) -> list[str]:
    single = function.child_by_field_name("parameter")
    listed = function.child_by_field_name("parameters")
    if single is not None or listed is None or listed.type == "identifier":
        return [text_of(single or listed)]
    parts = (each.child_by_field_name("pattern") or each for each in listed.named_children)
    return [text_of(part) for part in parts]


def _has_members(target: Target, scope: Scope) -> bool:
    """Whether the index lists the parts of the object that a variable is bound to."""
    symbols = scope.snapshot.symbols(target.path or "")
    definitions = symbols.definitions if symbols else ()
    return any(each.container == target.qualname for each in definitions)


def _parameters_around(definition: Definition, inner: Scope) -> Mapping[str, tuple[Binding, ...]]:
    """The parameters of the method that assigns the attribute ``definition``."""
    symbols = inner.snapshot.symbols(inner.path)
    for each in symbols.definitions if symbols and inner.owner else ():
        start, end = each.span
        inside = start <= definition.span[0] < end
        if each.container == inner.owner and each.kind is Kind.METHOD and inside:
            return {
                parameter.name: (
                    Binding(
                        parameter.name,
                        How.PARAMETER,
                        start,
                        parameter.default or "",
                        parameter.annotation or "",
                    ),
                )
                for parameter in each.parameters
            }
    return {}


# Expressions


def _identifier(flow: Flow, node: Node, scope: Scope) -> Type | None:
    return flow.named(text_of(node), scope)


def _this(_flow: Flow, _node: Node, scope: Scope) -> Type | None:
    return own_instance(scope) if scope.owner else None


def _member(flow: Flow, node: Node, scope: Scope) -> Type | None:
    """``a.b`` in either language; narrowed or assigned here, or looked up."""
    found = scope.bindings.get(text_of(node))
    if found is not None:
        known = first_known(flow.of_binding(each, scope) for each in reversed(found[-_SEEN:]))
        if known is not None:
            return known
    name = node.child_by_field_name("property") or node.child_by_field_name("field")
    base = _receiver(flow, node, scope)
    return None if base is None else flow.attribute(base, text_of(name), scope)


def _receiver(flow: Flow, node: Node, scope: Scope) -> Type | None:
    object_ = node.child_by_field_name("object")
    if object_ is not None and object_.type == "super":
        return flow._super(scope)
    return flow.expression(object_, scope)


def _call(flow: Flow, node: Node, scope: Scope) -> Type | None:
    function = node.child_by_field_name("function")
    if text_of(function) in ("require", "import"):
        return _required(flow, node, scope)
    return flow.call(flow.expression(function, scope), node, scope)


def _required(flow: Flow, node: Node, scope: Scope) -> Type | None:
    """``require("./m")``."""
    arguments = _arguments(node)
    if not arguments or arguments[0].type != "string":
        return None
    module = text_of(arguments[0]).strip("\"'")
    target = scope.snapshot.resolve(scope.path, Import(module, None, module, 0, (0, 0)))
    return flow.of_target(target, scope)


def _invocation(flow: Flow, node: Node, scope: Scope) -> Type | None:
    """Java's ``a.m(x)`` and ``m(x)``."""
    name = text_of(node.child_by_field_name("name"))
    if node.child_by_field_name("object") is None:
        bare = replace(scope, bindings={})  # a local variable is no method
        return flow.call(flow.named(name, bare), node, scope)
    base = _receiver(flow, node, scope)
    if base is None:
        return None
    if base.local and name == "getClass":
        return builtin("Class", base)
    return flow.call(flow.attribute(base, name, scope), node, scope)


def _new(flow: Flow, node: Node, scope: Scope) -> Type | None:
    """JavaScript's ``new C(x)``."""
    made = instance_of(flow.expression(node.child_by_field_name("constructor"), scope))
    given = node.child_by_field_name("type_arguments")
    if made is None or given is None:
        return made
    parts = (flow.declared(text_of(part), scope) for part in given.named_children)
    return replace(made, arguments=tuple(parts))


def _creation(flow: Flow, node: Node, scope: Scope) -> Type | None:
    """Java's ``new C<>(x)``."""
    return flow.declared(text_of(node.child_by_field_name("type")), scope)


def _array_creation(flow: Flow, node: Node, scope: Scope) -> Type | None:
    element = flow.declared(text_of(node.child_by_field_name("type")), scope)
    return builtin(flow.dialect.array, element)


def _inner(flow: Flow, node: Node, scope: Scope) -> Type | None:
    return flow.expression(first_of(node), scope)


def _awaited(flow: Flow, node: Node, scope: Scope) -> Type | None:
    value = _inner(flow, node, scope)
    if value is not None and value.is_builtin("Promise"):
        return first_known(value.arguments[:1])
    return value


def _either(flow: Flow, node: Node, scope: Scope) -> Type | None:
    names = ("consequence", "alternative")
    parts = [flow.expression(node.child_by_field_name(name), scope) for name in names]
    return first_known(parts)


def _binary(flow: Flow, node: Node, scope: Scope) -> Type | None:
    operator = text_of(node.child_by_field_name("operator"))
    sides = [flow.expression(node.child_by_field_name(name), scope) for name in ("left", "right")]
    if operator in ("||", "??"):
        return first_known(sides)
    if operator == "&&":
        return sides[1]
    if operator == "+":
        strings = (side for side in sides if side is not None and side.is_builtin("String"))
        return first_known(strings)
    return None


def _cast(flow: Flow, node: Node, scope: Scope) -> Type | None:
    """``(T) x`` in Java; ``x as T`` and ``x satisfies T`` in TypeScript."""
    type_ = node.child_by_field_name("type")
    if type_ is not None:
        return flow.declared(text_of(type_), scope)
    declared = node.named_children[1:]
    if not declared:
        return flow.expression(first_of(node), scope)
    return flow.declared(text_of(declared[0]), scope)


def _subscript(flow: Flow, node: Node, scope: Scope) -> Type | None:
    object_ = node.child_by_field_name("object") or node.child_by_field_name("array")
    base = flow.expression(object_, scope)
    index = text_of(node.child_by_field_name("index"))
    if base is None or base.local:
        return None
    return flow.part(base, int(index)) if index.isdecimal() else flow.element(base)


def _array(flow: Flow, node: Node, scope: Scope) -> Type | None:
    items: Iterable[Type | None] = (
        flow.expression(each, scope) for each in node.named_children[:3]
    )
    return builtin(flow.dialect.array, first_known(items))


def _text(_flow: Flow, _node: Node, _scope: Scope) -> Type | None:
    return builtin("String")


def _number(flow: Flow, _node: Node, _scope: Scope) -> Type | None:
    return builtin("Number") if "Number" in flow.dialect.types else None


def _class_literal(flow: Flow, node: Node, scope: Scope) -> Type | None:
    """``C.class``."""
    return builtin("Class", flow.declared(text_of(first_of(node)), scope))


def _reference(flow: Flow, node: Node, scope: Scope) -> Type | None:
    """``C::m`` and ``C::new``."""
    base = flow.expression(first_of(node), scope)
    name = text_of(node.children[-1])
    return base if base is None or name == "new" else flow.attribute(base, name, scope)


def _assigned(flow: Flow, node: Node, scope: Scope) -> Type | None:
    return flow.expression(node.child_by_field_name("right"), scope)


def _type_name(flow: Flow, node: Node, scope: Scope) -> Type | None:
    found = flow.declared(text_of(node), scope)
    return None if found is None else replace(found, role=Role.CLASS)


_EXPRESSIONS: dict[str, Callable[[Flow, Node, Scope], Type | None]] = {
    "identifier": _identifier,
    "this": _this,
    "member_expression": _member,
    "field_access": _member,
    "call_expression": _call,
    "method_invocation": _invocation,
    "new_expression": _new,
    "object_creation_expression": _creation,
    "array_creation_expression": _array_creation,
    "parenthesized_expression": _inner,
    "non_null_expression": _inner,
    "await_expression": _awaited,
    "ternary_expression": _either,
    "binary_expression": _binary,
    "cast_expression": _cast,
    "as_expression": _cast,
    "satisfies_expression": _cast,
    "type_assertion": _cast,
    "subscript_expression": _subscript,
    "array_access": _subscript,
    "array": _array,
    "string": _text,
    "template_string": _text,
    "string_literal": _text,
    "number": _number,
    "class_literal": _class_literal,
    "method_reference": _reference,
    "assignment_expression": _assigned,
    "generic_type": _type_name,
    "type_identifier": _type_name,
    "scoped_type_identifier": _type_name,
}
