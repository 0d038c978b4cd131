"""JavaScript and TypeScript: what a part refers to and gives away: imports, exports, uses.

Two systems of modules live side by side. What a file re-exports under another name, or from another
file, is an import whose scope is `EXPORT`; its module is ``""`` where it names the file itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

from tree_sitter import Node

from indexing.languages import ImportRow, Part, UseRow, c_like, nodes
from indexing.languages.c_like import Scopes
from indexing.languages.nodes import Captures

EXPORT = "export"
"""The scope of imports that bind nothing here; no definition can have it, it is a keyword."""

DEFAULT = "default"

Where = tuple[int, int, str, bool]


def string(node: Node | None) -> str:
    """The text of a string literal; empty when it is none."""
    if node is None or node.type != "string":
        return ""
    fragments = (child for child in node.named_children if child.type == "string_fragment")
    return "".join(nodes.text(child) for child in fragments)


# Imports ------------------------------------------------------------------------------------------


def import_statement(node: Node, base: int) -> Iterator[ImportRow]:
    """The names that an import statement binds, with offsets from ``base``."""
    where = (node.start_byte - base, node.end_byte - base, "", False)
    module = string(node.child_by_field_name("source"))
    for child in node.named_children:
        if child.type == "import_require_clause" and child.named_child_count:
            module = string(child.child_by_field_name("source"))
            yield (module, None, nodes.text(child.named_children[0]), 0, *where)
        elif child.type == "import_clause" and module:
            yield from _clause(child, module, where)


def _clause(clause: Node, module: str, where: Where) -> Iterator[ImportRow]:
    for child in clause.named_children:
        if child.type == "identifier":
            yield (module, DEFAULT, nodes.text(child), 0, *where)
        elif child.type == "namespace_import" and child.named_child_count:
            yield (module, None, nodes.text(child.named_children[0]), 0, *where)
        elif child.type == "named_imports":
            for name, alias in _specifiers(child):
                yield (module, name, alias, 0, *where)


def _specifiers(node: Node) -> Iterator[tuple[str, str]]:
    """``(name, alias)`` of every ``name as alias``."""
    for child in node.named_children:
        name = child.child_by_field_name("name")
        if name is not None and not name.is_missing:
            alias = child.child_by_field_name("alias") or name
            yield _plain(name), _plain(alias)


def _plain(name: Node) -> str:
    return string(name) if name.type == "string" else nodes.text(name)


def imports(part: Part, statement: Node, captures: Captures, scopes: Scopes) -> Iterator[ImportRow]:
    """What ``require`` binds anywhere in the part, and what its statement re-exports."""
    for node in sorted(captures.get("require", ()), key=nodes.start):
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        required = required_by(value)
        if name is None or required is None:
            continue
        scope = scopes.at(node.start_byte).qualname if not part.container else part.container
        where = (node.start_byte - part.start, node.end_byte - part.start, scope, False)
        yield from _required(name, *required, where)
    if part.container:
        return
    where = (part.node.start_byte - part.start, part.node.end_byte - part.start, EXPORT, False)
    if part.node.type == "export_statement":
        yield from _re_exported(part.node, statement, where)
    elif part.node.type == "expression_statement":
        yield from _given_away(statement, where)
    elif _declares_variables(statement):
        yield from _given_on_the_way(statement, where)


def required_by(value: Node | None) -> tuple[str, str | None] | None:
    """Module and attribute of ``require("m")`` and ``require("m").attribute``."""
    if value is None:
        return None
    attribute: str | None = None
    call = value
    if value.type == "member_expression":
        attribute = nodes.text(prop) if (prop := value.child_by_field_name("property")) else None
        call = value.child_by_field_name("object") or value
    function, arguments = (call.child_by_field_name(f) for f in ("function", "arguments"))
    if call.type != "call_expression" or function is None or arguments is None:
        return None
    if function.text != b"require" or not arguments.named_child_count:
        return None
    module = string(arguments.named_children[0])
    return (module, attribute) if module else None


def _required(
    target: Node, module: str, attribute: str | None, where: Where
) -> Iterator[ImportRow]:
    if target.type == "identifier":
        yield (module, attribute, nodes.text(target), 0, *where)
    elif target.type == "object_pattern" and attribute is None:
        for child in target.named_children:
            if child.type == "pair_pattern":
                key, value = child.child_by_field_name("key"), child.child_by_field_name("value")
                if key is not None and value is not None and value.type == "identifier":
                    yield (module, nodes.text(key), nodes.text(value), 0, *where)
            elif child.type == "shorthand_property_identifier_pattern":
                yield (module, nodes.text(child), nodes.text(child), 0, *where)


def _re_exported(node: Node, statement: Node, where: Where) -> Iterator[ImportRow]:
    module = string(node.child_by_field_name("source"))
    for child in node.children:
        if child.type == "*" and module:
            yield (module, "*", "*", 0, *where)
        elif child.type == "namespace_export" and module and child.named_child_count:
            yield (module, None, _plain(child.named_children[0]), 0, *where)
        elif child.type == "export_clause":
            for name, alias in _specifiers(child):
                if module or name != alias:
                    yield (module, name, alias, 0, *where)
    if _is_default(node):
        name_node = statement if statement.type == "identifier" else _declared_name(statement)
        if name_node is not None:
            yield ("", nodes.text(name_node), DEFAULT, 0, *where)


def _is_default(node: Node) -> bool:
    """``export default ...`` and ``export = ...``."""
    return any(child.type in ("default", "=") for child in node.children)


def _declared_name(statement: Node) -> Node | None:
    declares = statement.type.endswith(("declaration", "signature"))
    return statement.child_by_field_name("name") if declares else None


def _given_away(statement: Node, where: Where) -> Iterator[ImportRow]:
    """CommonJS: ``module.exports = ...``, ``exports.name = ...`` where they name something."""
    left, right = (statement.child_by_field_name(side) for side in ("left", "right"))
    if statement.type != "assignment_expression" or left is None or right is None:
        return
    left, right = _innermost(left, right)
    if _is_exports(left):
        yield from _given(DEFAULT, right, where)
        if right.type == "object":
            for name, value in pairs(right):
                yield from _given(nodes.text(name), value, where)
        elif (required := required_by(right)) is not None and required[1] is None:
            yield (required[0], "*", "*", 0, *where)
    elif (own := exported_name(left)) is not None:
        yield from _given(nodes.text(own), right, where)


def _given_on_the_way(statement: Node, where: Where) -> Iterator[ImportRow]:
    """``const app = module.exports = ...``."""
    for declarator in statement.named_children:
        name, value = (declarator.child_by_field_name(field) for field in ("name", "value"))
        while name is not None and value is not None and value.type == "assignment_expression":
            left = value.child_by_field_name("left")
            if left is not None and left.text == b"module.exports":
                yield ("", nodes.text(name), DEFAULT, 0, *where)
            value = value.child_by_field_name("right")


def _innermost(left: Node, right: Node) -> tuple[Node, Node]:
    """``exports = module.exports = value``: the value, and a target that gives it away."""
    while right.type == "assignment_expression":
        inner, value = (right.child_by_field_name(side) for side in ("left", "right"))
        if inner is None or value is None:
            break
        if not _is_exports(left) and exported_name(left) is None:
            left = inner
        right = value
    return left, right


def _given(alias: str, value: Node, where: Where) -> Iterator[ImportRow]:
    if value.type == "identifier" and nodes.text(value) != alias:
        yield ("", nodes.text(value), alias, 0, *where)
    elif (required := required_by(value)) is not None:
        yield (*required, alias, 0, *where)


def _is_exports(node: Node) -> bool:
    return node.text in (b"module.exports", b"exports")


def exported_name(left: Node) -> Node | None:
    """``name`` in ``exports.name`` and ``module.exports.name``."""
    owner = left.child_by_field_name("object")
    if left.type != "member_expression" or owner is None or not _is_exports(owner):
        return None
    name = left.child_by_field_name("property")
    return None if left.text == b"module.exports" else name


def pairs(node: Node) -> Iterator[tuple[Node, Node]]:
    """Name and value of what an object literal lists by name."""
    for child in node.named_children:
        key, value = child.child_by_field_name("key"), child.child_by_field_name("value")
        if child.type == "pair" and key is not None and value is not None:
            if key.type == "property_identifier":
                yield key, value
        elif child.type == "method_definition":
            name = child.child_by_field_name("name")
            if name is not None and name.type == "property_identifier":
                yield name, child


# Exports ------------------------------------------------------------------------------------------


def exports(part: Part, statement: Node) -> tuple[str, ...] | None:
    """The names that an ``export`` statement adds; ``None`` for every other statement."""
    node = part.node
    if node.type != "export_statement" or part.container:
        return None
    names: list[str] = []
    for child in node.children:
        if child.type == "export_clause":
            names += [alias for _, alias in _specifiers(child)]
        elif child.type == "namespace_export" and child.named_child_count:
            names.append(_plain(child.named_children[0]))
    if _is_default(node):
        names.append(DEFAULT)
    elif node.child_by_field_name("declaration") is not None:
        names += _declared(statement)
    return tuple(names)


def _declared(statement: Node) -> Iterator[str]:
    name = statement.child_by_field_name("name")
    if name is not None:
        yield nodes.text(name)
    for declarator in statement.named_children:
        if declarator.type == "variable_declarator":
            target = declarator.child_by_field_name("name")
            for bound in bound_names(target) if target is not None else ():
                yield nodes.text(bound)


def bound_names(target: Node) -> Iterator[Node]:
    """The identifiers that a pattern binds."""
    if target.type in ("identifier", "shorthand_property_identifier_pattern"):
        yield target
    elif target.type == "pair_pattern":
        value = target.child_by_field_name("value")
        yield from bound_names(value) if value is not None else ()
    elif target.type in ("assignment_pattern", "object_assignment_pattern"):
        left = target.child_by_field_name("left")
        yield from bound_names(left) if left is not None else ()
    elif target.type in ("object_pattern", "array_pattern", "rest_pattern"):
        for child in target.named_children:
            yield from bound_names(child)


# What a statement binds without declaring it ------------------------------------------------------


def objects(part: Part, statement: Node) -> Iterator[tuple[str, Node]]:
    """Object literals whose members can be named from elsewhere, and the name they have."""
    for declarator in statement.named_children if _declares_variables(statement) else ():
        name, value = (declarator.child_by_field_name(field) for field in ("name", "value"))
        value = _bare(value)
        if name is not None and name.type == "identifier" and _is_object(value):
            yield nodes.text(name), value
    value = _bare(statement)
    if part.node.type == "export_statement" and _is_object(value):
        yield DEFAULT, value


def _is_object(value: Node | None) -> TypeGuard[Node]:
    return value is not None and value.type == "object"


def _declares_variables(statement: Node) -> bool:
    return statement.type in ("lexical_declaration", "variable_declaration")


def _bare(value: Node | None) -> Node | None:
    """An expression without ``as const``, ``satisfies X`` and ``module.exports =``."""
    while value is not None and value.type in ("as_expression", "satisfies_expression"):
        value = value.named_children[0] if value.named_child_count else None
    while value is not None and value.type == "assignment_expression":
        value = value.child_by_field_name("right")
    return value


def default_name(part: Part) -> Node | None:
    """The word that stands for the name of ``export default <something without a name>``."""
    if part.node.type != "export_statement":
        return None
    return next((child for child in part.node.children if child.type == DEFAULT), None)


def assigned(statement: Node) -> Iterator[tuple[str, Node, Node]]:
    """``(container, name, value)`` of ``exports.name = value`` and of ``name.member = value``."""
    left, right = (statement.child_by_field_name(side) for side in ("left", "right"))
    if statement.type != "assignment_expression" or left is None or right is None:
        return
    left, right = _innermost(left, right)
    if _is_exports(left):
        for name, value in pairs(right) if right.type == "object" else ():
            if not _refers(value):
                yield "", name, value
        return
    name_node = left.child_by_field_name("property")
    owner = left.child_by_field_name("object")
    if left.type != "member_expression" or name_node is None or owner is None:
        return
    if exported_name(left) is not None:
        if not _refers(right):
            yield "", name_node, right
    elif name_node.text != b"prototype" and (holder := _holder(owner)):
        yield holder, name_node, right


def _refers(value: Node) -> bool:
    """Whether a value is listed as an import of something else."""
    return value.type == "identifier" or required_by(value) is not None


def _holder(owner: Node) -> str:
    """``A`` of ``A.b = ...`` and of ``A.prototype.b = ...``."""
    text = nodes.text(owner).removesuffix(".prototype")
    return text if text.replace("$", "_").isidentifier() and text != "window" else ""


# Uses ---------------------------------------------------------------------------------------------


def uses(captures: Captures, data: bytes, base: int) -> list[UseRow]:
    """Attribute uses and calls by name, in the order of their last byte, counted from ``base``."""
    arguments = sorted(captures.get("arguments", ()), key=nodes.start)
    callees = sorted(captures.get("callee", ()), key=nodes.end)
    counts = {
        callee.end_byte: c_like.argument_count(node, data)
        for callee, node in zip(callees, arguments, strict=True)
    }
    rows: list[UseRow] = []
    for node in captures.get("attribute", ()):
        start, end = node.byte_range
        written = data[max(start, end - c_like.LONGEST_ATTRIBUTE) : end].decode("utf-8", "replace")
        receiver, _, name = written.rpartition(".")
        if not name.replace("$", "_").removeprefix("#").isidentifier():
            receiver, name = _spelled_out(node)
        count = counts.get(end, -1)
        rows.append((c_like.receiver(receiver), name, count, start - base, end - base))
    for node in callees:
        if node.type == "identifier":
            start, end = node.byte_range
            callee = data[start:end].decode("utf-8", "replace")
            rows.append(("", callee, counts[end], start - base, end - base))
    rows.sort(key=c_like.last_byte)
    return rows


def _spelled_out(node: Node) -> tuple[str, str]:
    """Receiver and name where blanks or comments surround the dot."""
    owner = node.child_by_field_name("object")
    name = node.child_by_field_name("property")
    return nodes.text(owner) if owner else "", nodes.text(name) if name else ""
