"""What Java binds around the cursor: inline variables."""

from __future__ import annotations

from collections.abc import Iterator

from tree_sitter import Node

from completion.languages.braces import Around, Handler, text_of
from completion.scope import Binding, How

_UNTYPED = ("", "var")


def _type(node: Node, name: str = "type") -> str:
    """The declared type with the brackets behind the name; empty for ``var``."""
    written = text_of(node.child_by_field_name(name))
    return "" if written in _UNTYPED else written + text_of(node.child_by_field_name("dimensions"))


def _named(node: Node, annotation: str, how: How, value: str = "") -> Iterator[Binding]:
    name = node.child_by_field_name("name")
    if name is not None:
        yield Binding(text_of(name), how, name.start_byte, value, annotation)


def _local(node: Node, _around: Around) -> Iterator[Binding]:
    written = _type(node)
    for declarator in node.children_by_field_name("declarator"):
        value = text_of(declarator.child_by_field_name("value"))
        suffix = text_of(declarator.child_by_field_name("dimensions"))
        annotation = written + suffix if written else ""
        yield from _named(declarator, annotation, How.ASSIGNED, value)


def _parameter(node: Node, _around: Around) -> Iterator[Binding]:
    yield from _named(node, _type(node), How.PARAMETER)


def _spread(node: Node, _around: Around) -> Iterator[Binding]:
    written = next((each for each in node.named_children if each.type != "modifiers"), None)
    for declarator in node.named_children:
        if declarator.type == "variable_declarator":
            yield from _named(declarator, f"{text_of(written)}[]", How.PARAMETER)


def _caught(node: Node, _around: Around) -> Iterator[Binding]:
    types = next((each for each in node.named_children if each.type == "catch_type"), None)
    yield from _named(node, text_of(types), How.CAUGHT)


def _resource(node: Node, _around: Around) -> Iterator[Binding]:
    value = text_of(node.child_by_field_name("value"))
    yield from _named(node, _type(node), How.ASSIGNED, value)


def _for(node: Node, around: Around) -> Iterator[Binding]:
    if around.holds(node):
        yield from _named(
            node, _type(node), How.ELEMENT, text_of(node.child_by_field_name("value"))
        )


def _lambda(node: Node, around: Around) -> Iterator[Binding]:
    parameters = node.child_by_field_name("parameters")
    if parameters is None or not around.holds(node) or parameters.type == "formal_parameters":
        return
    names = [parameters] if parameters.type == "identifier" else parameters.named_children
    callee, argument = _passed_to(node)
    for index, name in enumerate(names):
        yield Binding(text_of(name), How.PASSED, name.start_byte, callee, argument, index)


def _passed_to(function: Node) -> tuple[str, str]:
    """The method whose argument the lambda is, and the argument's number."""
    arguments = function.parent
    call = arguments.parent if arguments is not None else None
    if arguments is None or call is None or call.type != "method_invocation":
        return "", ""
    index = next((i for i, each in enumerate(arguments.named_children) if each == function), 0)
    receiver = text_of(call.child_by_field_name("object"))
    name = text_of(call.child_by_field_name("name"))
    return (f"{receiver}.{name}" if receiver else name), str(index)


def _assignment(node: Node, _around: Around) -> Iterator[Binding]:
    left = node.child_by_field_name("left")
    if left is not None:
        value = text_of(node.child_by_field_name("right"))
        yield Binding(text_of(left), How.ASSIGNED, left.start_byte, value)


def _pattern(node: Node, _around: Around) -> Iterator[Binding]:
    """``case Circle c ->``."""
    parts = node.named_children
    if len(parts) > 1 and parts[-1].type == "identifier":
        name = parts[-1]
        yield Binding(text_of(name), How.NARROWED, name.start_byte, annotation=text_of(parts[-2]))


def _if(node: Node, around: Around) -> Iterator[Binding]:
    body = node.child_by_field_name("consequence")
    if body is not None and around.holds(body):
        yield from _narrowed(node.child_by_field_name("condition"))


def _logical(node: Node, around: Around) -> Iterator[Binding]:
    right = node.child_by_field_name("right")
    if right is not None and around.holds(right) and _is_conjunction(node):
        yield from _narrowed(node.child_by_field_name("left"))


def _narrowed(test: Node | None) -> Iterator[Binding]:
    """``x instanceof C c`` in a condition that holds binds ``c``, and says what ``x`` is."""
    if test is None:
        return
    if test.type == "instanceof_expression":
        left, right = test.child_by_field_name("left"), text_of(test.child_by_field_name("right"))
        pattern = test.child_by_field_name("pattern")
        yield from _named(test, right, How.NARROWED)
        if left is not None and pattern is None:
            yield Binding(text_of(left), How.NARROWED, left.start_byte, annotation=right)
    elif test.type == "parenthesized_expression" or _is_conjunction(test):
        for part in test.named_children:
            yield from _narrowed(part)


def _is_conjunction(node: Node) -> bool:
    operator = node.child_by_field_name("operator")
    return node.type == "binary_expression" and text_of(operator) == "&&"


def _class(node: Node, around: Around) -> Iterator[Binding]:
    if not around.holds(node):
        yield from _named(node, "", How.DEFINED, "class")


HANDLERS: dict[str, Handler] = {
    "local_variable_declaration": _local,
    "formal_parameter": _parameter,
    "spread_parameter": _spread,
    "catch_formal_parameter": _caught,
    "resource": _resource,
    "enhanced_for_statement": _for,
    "lambda_expression": _lambda,
    "assignment_expression": _assignment,
    "type_pattern": _pattern,
    "if_statement": _if,
    "ternary_expression": _if,
    "binary_expression": _logical,
}
