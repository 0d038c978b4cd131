"""What JavaScript and TypeScript bind around the cursor: inline variables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tree_sitter import Node

from completion.languages.braces import Around, Handler, first_of, text_of
from completion.scope import Binding, How

_FUNCTIONS = frozenset(
    ("arrow_function", "function_expression", "function_declaration", "method_definition")
)
_PARAM = r"@param\s+\{([^}]+)\}\s+\[?%s\b"
_TYPE = re.compile(r"@type\s+\{([^}]+)\}")


def _annotation(node: Node | None) -> str:
    """A type annotation without its colon."""
    return text_of(node).lstrip(":").strip()


def _documentation(node: Node) -> str:
    """The comment before the statement that the node stands in."""
    while node.prev_named_sibling is None or node.prev_named_sibling.type != "comment":
        if node.parent is None or node.parent.type not in _WRAPPERS:
            return ""
        node = node.parent
    return text_of(node.prev_named_sibling)


_WRAPPERS = frozenset(("export_statement", "lexical_declaration", "variable_declaration",
                       "variable_declarator", "pair", "expression_statement"))  # fmt: skip


def _pattern(
    node: Node | None, how: How, value: str, annotation: str = "", index: int | None = None
) -> Iterator[Binding]:
    """Bindings of a name, or of the names in a destructuring pattern."""
    if node is None:
        return
    if node.type in ("identifier", "member_expression", "shorthand_property_identifier_pattern"):
        yield Binding(text_of(node), how, node.start_byte, value, annotation, index)
    elif node.type in ("assignment_pattern", "object_assignment_pattern"):
        left = node.child_by_field_name("left")
        default = text_of(node.child_by_field_name("right"))
        yield from _pattern(left, how, value or default, annotation, index)
    elif node.type in ("object_pattern", "array_pattern"):
        yield from _destructured(node, _whole(how, value, annotation))


def _whole(how: How, value: str, annotation: str) -> str:
    """The value that a pattern takes apart, as an expression."""
    if annotation:
        return f"(null as {annotation})"
    return f"({value})[0]" if how is How.ELEMENT and value else f"({value})" if value else ""


def _destructured(pattern: Node, value: str) -> Iterator[Binding]:
    how = How.ASSIGNED
    for index, part in enumerate(pattern.named_children):
        if pattern.type == "array_pattern":
            yield from _pattern(part, how, value, index=index)
        elif part.type == "pair_pattern":
            key = text_of(part.child_by_field_name("key"))
            yield from _pattern(
                part.child_by_field_name("value"), how, f"{value}.{key}" if value else ""
            )
        else:
            name = text_of(part.child_by_field_name("left") or part)
            yield from _pattern(part, how, f"{value}.{name}" if value else "")


def _declarator(node: Node, _around: Around) -> Iterator[Binding]:
    name = node.child_by_field_name("name")
    if name is not None and name.type == "identifier" and _is_global(node.parent):
        return
    value = text_of(node.child_by_field_name("value"))
    annotation = _annotation(node.child_by_field_name("type"))
    if not annotation and (typed := _TYPE.search(_documentation(node))):
        annotation = typed[1]
    yield from _pattern(name, How.ASSIGNED, value, annotation)


def _is_global(node: Node | None) -> bool:
    """Whether a declaration stands at the top of the file, where the index sees it."""
    parent = node.parent if node is not None else None
    if parent is not None and parent.type == "export_statement":
        parent = parent.parent
    return parent is not None and parent.type == "program"


def _assignment(node: Node, _around: Around) -> Iterator[Binding]:
    value = text_of(node.child_by_field_name("right"))
    yield from _pattern(node.child_by_field_name("left"), How.ASSIGNED, value)


def _loop(node: Node, _around: Around) -> Iterator[Binding]:
    if text_of(node.child_by_field_name("operator")) == "of":
        iterated = text_of(node.child_by_field_name("right"))
        yield from _pattern(node.child_by_field_name("left"), How.ELEMENT, iterated)


def _function(node: Node, around: Around) -> Iterator[Binding]:
    """The parameters of a function around the cursor; its name where it is declared."""
    name = node.child_by_field_name("name")
    if node.type == "function_declaration" and name is not None and not _is_global(node):
        yield Binding(text_of(name), How.DEFINED, name.start_byte, "function")
    if not around.holds(node):
        return
    single = node.child_by_field_name("parameter")
    if single is not None:
        yield from _parameter(single, node, 0)


def _parameters(node: Node, around: Around) -> Iterator[Binding]:
    if not around.holds(node.parent or node):
        return
    for index, part in enumerate(node.named_children):
        if part.type != "comment":
            yield from _parameter(part, node.parent, index)


def _parameter(node: Node, function: Node | None, index: int) -> Iterator[Binding]:
    pattern = node.child_by_field_name("pattern") or node
    annotation = _annotation(node.child_by_field_name("type"))
    default = text_of(node.child_by_field_name("value"))
    if pattern.type == "rest_pattern":
        pattern, annotation = first_of(pattern) or pattern, f"({annotation})" if annotation else ""
    if not annotation and function is not None:
        documented = re.search(_PARAM % re.escape(text_of(pattern)), _documentation(function))
        annotation = documented[1] if documented else ""
    passed = None if annotation or function is None else _passed_to(function)
    if passed is None:
        yield from _pattern(pattern, How.PARAMETER, default, annotation)
    elif pattern.type == "identifier":
        callee, argument = passed
        name, at = text_of(pattern), pattern.start_byte
        yield Binding(name, How.PASSED, at, callee, str(argument), index)


def _passed_to(function: Node) -> tuple[str, int] | None:
    """The call whose argument the function is, and the argument's number."""
    arguments = function.parent
    if arguments is None or arguments.type != "arguments" or arguments.parent is None:
        return None
    callee = arguments.parent.child_by_field_name("function")
    index = next((i for i, each in enumerate(arguments.named_children) if each == function), 0)
    return (text_of(callee), index) if callee is not None else None


def _catch(node: Node, around: Around) -> Iterator[Binding]:
    parameter = node.child_by_field_name("parameter")
    if parameter is not None and around.holds(node):
        yield from _pattern(parameter, How.PARAMETER, "", "Error")


def _class(node: Node, _around: Around) -> Iterator[Binding]:
    name = node.child_by_field_name("name")
    if name is not None and not _is_global(node):
        yield Binding(text_of(name), How.DEFINED, name.start_byte, "class")


def _if(node: Node, around: Around) -> Iterator[Binding]:
    body = node.child_by_field_name("consequence")
    if body is not None and around.holds(body):
        yield from _narrowed(node.child_by_field_name("condition"))


def _logical(node: Node, around: Around) -> Iterator[Binding]:
    right = node.child_by_field_name("right")
    both = text_of(node.child_by_field_name("operator")) == "&&"
    if both and right is not None and around.holds(right):
        yield from _narrowed(node.child_by_field_name("left"))


def _narrowed(test: Node | None) -> Iterator[Binding]:
    """``x instanceof C`` in a condition that holds."""
    if test is None:
        return
    if test.type == "parenthesized_expression":
        yield from _narrowed(first_of(test))
    elif test.type == "binary_expression":
        left, right = test.child_by_field_name("left"), test.child_by_field_name("right")
        operator = text_of(test.child_by_field_name("operator"))
        if operator == "&&":
            yield from _narrowed(left)
            yield from _narrowed(right)
        elif operator == "instanceof" and left is not None:
            name = text_of(left)
            yield Binding(name, How.NARROWED, left.start_byte, annotation=text_of(right))


HANDLERS: dict[str, Handler] = {
    "variable_declarator": _declarator,
    "assignment_expression": _assignment,
    "for_in_statement": _loop,
    **dict.fromkeys(_FUNCTIONS, _function),
    "formal_parameters": _parameters,
    "catch_clause": _catch,
    "class_declaration": _class,
    "abstract_class_declaration": _class,
    "if_statement": _if,
    "ternary_expression": _if,
    "binary_expression": _logical,
}
