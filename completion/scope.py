"""Names that a function binds before the cursor, and what each is tied to: inline variables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tree_sitter import Node, Parser

from indexing.languages.python import GRAMMAR


class How(StrEnum):
    """How a name came to stand for something."""

    PARAMETER = "parameter"
    ASSIGNED = "assigned"
    ELEMENT = "element"  # a loop or comprehension variable: an element of the expression
    ENTERED = "entered"  # with … as
    CAUGHT = "caught"  # except … as
    NARROWED = "narrowed"  # isinstance
    PASSED = "passed"  # a parameter of a function that is an argument of a call
    DEFINED = "defined"  # a nested function or class
    IMPORTED = "imported"


@dataclass(frozen=True, slots=True)
class Binding:
    """One binding of ``name`` (or of a dotted target such as ``self.client``).

    ``expression`` is the source of the value, iterable, context manager, exception class or
    imported name (``"pkg.mod:name"``); ``annotation`` the declared or narrowed type; ``offset`` the
    byte offset of the bound name; ``index`` its place when a tuple is unpacked. For a parameter of
    a function that is passed on, ``expression`` is the called one, ``annotation`` the number of the
    argument and ``index`` that of the parameter.
    """

    name: str
    how: How
    offset: int
    expression: str = ""
    annotation: str = ""
    index: int | None = None


@dataclass(frozen=True, slots=True)
class _Source:
    """The parsed text, the cursor in it, and what to add to get offsets into the document."""

    cursor: int
    shift: int

    def around(self, node: Node) -> bool:
        return node.start_byte <= self.cursor <= node.end_byte


PARSER = Parser(GRAMMAR)


def bindings(code: bytes, cursor: int, shift: int) -> dict[str, tuple[Binding, ...]]:
    """What ``code`` binds where ``cursor`` can see it; per name, the latest binding last.

    ``code`` begins at a statement and holds a placeholder at ``cursor``; ``shift`` is added to its
    offsets. Broken code binds what can be recognised.
    """
    return visible(PARSER.parse(code).root_node, cursor, shift)


def visible(root: Node, cursor: int, shift: int) -> dict[str, tuple[Binding, ...]]:
    """The same for code that is parsed already."""
    found: dict[str, list[Binding]] = {}
    for binding in _walk(root, _Source(cursor, shift)):
        found.setdefault(binding.name, []).append(binding)
    return {name: tuple(each) for name, each in found.items()}


def _walk(node: Node, source: _Source) -> Iterator[Binding]:
    """The bindings of ``node``'s statements, in order, into the scopes that hold the cursor."""
    for child in node.named_children:
        handler = _HANDLERS.get(child.type)
        if handler is not None:
            yield from handler(child, source)
        if child.type in _BLOCKS or source.around(child):
            yield from _walk(child, source)


def _text(node: Node | None) -> str:
    return "" if node is None or node.text is None else node.text.decode("utf-8", "replace")


def _targets(
    node: Node | None, how: How, value: Node | None, source: _Source, annotation: str = ""
) -> Iterator[Binding]:
    """Bindings of an assignment target: a name, an attribute, or a pattern of them."""
    if node is None:
        return
    if node.type in ("identifier", "attribute"):
        offset = node.start_byte + source.shift
        yield Binding(_text(node), how, offset, _text(value), annotation)
        return
    if node.type == "as_pattern_target":
        yield from _targets(node.named_child(0), how, value, source, annotation)
        return
    if node.type not in ("pattern_list", "tuple_pattern", "list_pattern", "tuple"):
        return
    parallel = _parallel(node, value) if how is How.ASSIGNED else []
    for index, part in enumerate(node.named_children):
        if parallel:
            yield from _targets(part, how, parallel[index], source)
        elif part.type in ("identifier", "attribute"):
            offset = part.start_byte + source.shift
            yield Binding(_text(part), how, offset, _text(value), index=index)


def _parallel(pattern: Node, value: Node | None) -> list[Node]:
    """The parts of ``value`` where ``a, b = x, y`` pairs them one to one."""
    if value is None or value.type not in ("expression_list", "tuple", "list"):
        return []
    parts = value.named_children
    splat = any(part.type == "list_splat" for part in parts)
    return [] if splat or len(parts) != pattern.named_child_count else parts


def _assignment(node: Node, source: _Source) -> Iterator[Binding]:
    value = node.child_by_field_name("right")
    while value is not None and value.type == "assignment":
        value = value.child_by_field_name("right")
    annotation = _text(node.child_by_field_name("type"))
    left = node.child_by_field_name("left")
    yield from _targets(left, How.ASSIGNED, value, source, annotation)
    chained = node.child_by_field_name("right")
    if chained is not None and chained.type == "assignment":
        yield from _assignment(chained, source)


def _for(node: Node, source: _Source) -> Iterator[Binding]:
    right = node.child_by_field_name("right")
    yield from _targets(node.child_by_field_name("left"), How.ELEMENT, right, source)


def _as_pattern(node: Node, source: _Source) -> Iterator[Binding]:
    caught = node.parent is not None and node.parent.type in (
        "except_clause",
        "except_group_clause",
    )
    how = How.CAUGHT if caught else How.ENTERED
    alias = node.child_by_field_name("alias")
    yield from _targets(alias, how, node.named_child(0), source)


def _walrus(node: Node, source: _Source) -> Iterator[Binding]:
    value = node.child_by_field_name("value")
    yield from _targets(node.child_by_field_name("name"), How.ASSIGNED, value, source)


_SPLATS = {"list_splat_pattern": "*", "dictionary_splat_pattern": "**"}


def _parameters(node: Node, source: _Source) -> Iterator[Binding]:
    for part in node.named_children:
        name = part.child_by_field_name("name")
        if name is None and part.type in ("typed_parameter", "typed_default_parameter"):
            name = part.named_child(0)
        name = name or part
        prefix = _SPLATS.get(name.type, "")
        if prefix:
            name = name.named_child(0)
        if name is None or name.type != "identifier":
            continue
        annotation = prefix + _text(part.child_by_field_name("type"))
        value = _text(part.child_by_field_name("value"))
        offset = name.start_byte + source.shift
        yield Binding(_text(name), How.PARAMETER, offset, value, annotation)


def _definition(node: Node, source: _Source) -> Iterator[Binding]:
    name = node.child_by_field_name("name")
    if name is not None:
        returns = _text(node.child_by_field_name("return_type"))
        offset = name.start_byte + source.shift
        expression = node.type.removesuffix("_definition")
        yield Binding(_text(name), How.DEFINED, offset, expression, returns)


def _import(node: Node, source: _Source) -> Iterator[Binding]:
    module = _text(node.child_by_field_name("module_name"))
    for name in node.children_by_field_name("name"):
        dotted, alias = name, None
        if name.type == "aliased_import":
            alias = name.child_by_field_name("alias")
            dotted = name.child_by_field_name("name") or name
        imported = _text(dotted)
        bound = _text(alias) or (imported if module else imported.partition(".")[0])
        target = f"{module}:{imported}" if module else (imported if alias else bound) + ":"
        yield Binding(bound, How.IMPORTED, (alias or dotted).start_byte + source.shift, target)


def _isinstance(node: Node, source: _Source) -> Iterator[Binding]:
    """``if isinstance(x, C):`` around the cursor, or an ``assert`` of it before.

    After ``if not isinstance(x, C): return`` it holds too.
    """
    body = node.child_by_field_name("consequence")
    asserted = node.type == "assert_statement"
    test = node.named_child(0) if asserted else node.child_by_field_name("condition")
    if not asserted and (body is None or not source.around(body)):
        if body is None or not _leaves(body) or test is None or test.type != "not_operator":
            return
        test = test.child_by_field_name("argument")
    for call in _conjuncts(test):
        arguments = call.child_by_field_name("arguments")
        if _text(call.child_by_field_name("function")) == "isinstance" and arguments is not None:
            parts = arguments.named_children
            if len(parts) == 2:
                offset = parts[0].start_byte + source.shift
                classes = " | ".join(_text(parts[1]).strip("()").replace(" ", "").split(","))
                yield Binding(_text(parts[0]), How.NARROWED, offset, annotation=classes)


def _leaves(body: Node) -> bool:
    """Whether what stands after the block is not reached through it."""
    last = body.named_child(body.named_child_count - 1) if body.named_child_count else None
    return last is not None and last.type in _EXITS


def _first(node: Node) -> Node | None:
    return node.named_child(0) if node.named_child_count else None


def _case(node: Node, source: _Source) -> Iterator[Binding]:
    """``match x: case C(...):`` around the cursor."""
    match = node.parent
    while match is not None and match.type != "match_statement":
        match = match.parent
    pattern = _first(node)
    while pattern is not None and pattern.type in ("case_pattern", "as_pattern"):
        pattern = _first(pattern)
    subject = match.child_by_field_name("subject") if match is not None else None
    if subject is None or pattern is None or pattern.type != "class_pattern":
        return
    if source.around(node):
        classes = _text(_first(pattern))
        offset = subject.start_byte + source.shift
        yield Binding(_text(subject), How.NARROWED, offset, annotation=classes)


def _conjuncts(node: Node | None) -> Iterator[Node]:
    if node is None:
        return
    if node.type == "call":
        yield node
    elif node.type == "parenthesized_expression":
        yield from _conjuncts(node.named_child(0))
    elif node.type == "boolean_operator" and _text(node.child_by_field_name("operator")) == "and":
        yield from _conjuncts(node.child_by_field_name("left"))
        yield from _conjuncts(node.child_by_field_name("right"))


_HANDLERS = {
    "assignment": _assignment,
    "for_statement": _for,
    "for_in_clause": _for,
    "as_pattern": _as_pattern,
    "named_expression": _walrus,
    "parameters": _parameters,
    "lambda_parameters": _parameters,
    "function_definition": _definition,
    "class_definition": _definition,
    "import_statement": _import,
    "import_from_statement": _import,
    "if_statement": _isinstance,
    "elif_clause": _isinstance,
    "assert_statement": _isinstance,
    "case_clause": _case,
}
_EXITS = frozenset(("return_statement", "raise_statement", "continue_statement", "break_statement"))
# What runs in the scope that it stands in; other nodes are entered only around the cursor.
_BLOCKS = frozenset(
    (
        *("module", "block", "ERROR", "decorated_definition", "expression_statement"),
        *("if_statement", "elif_clause", "else_clause", "for_statement", "while_statement"),
        *("try_statement", "except_clause", "except_group_clause", "finally_clause"),
        *("with_statement", "with_clause", "with_item", "match_statement", "case_clause"),
        *("parenthesized_expression", "named_expression", "as_pattern", "not_operator"),
        *("comparison_operator", "boolean_operator"),
    )
)
