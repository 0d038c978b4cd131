"""Python: what a file defines, part by part, and the `Language` value that puts it together."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from typing import NamedTuple

import tree_sitter
import tree_sitter_python
from tree_sitter import Node, QueryCursor

from indexing.languages import DefinitionRow, Language, Part, Piece, nodes, query
from indexing.languages import python_references as references
from indexing.languages.nodes import Captures
from indexing.symbols import Kind

GRAMMAR = tree_sitter.Language(tree_sitter_python.language())
QUERY = query(GRAMMAR, "python")

Decorated = tuple[dict[int, tuple[str, ...]], dict[int, int]]
ParameterRow = tuple[str, str | None, str | None, str]

LONGEST_DEFAULT = 60
LONGEST_DOC = 400

LARGE_CLASS = 8192
"""Bytes from which on the members of a class are read one by one, so that an edit costs one."""

PROPERTY_DECORATORS = frozenset(
    {"property", "cached_property", "abstractproperty", "hybrid_property", "getter"}
)
ACCESSOR_DECORATORS = (".setter", ".deleter")


class Scope(NamedTuple):
    """A class or function of the statement; ``parent`` is the index of the enclosing one or -1.

    ``receiver`` is what an instance attribute starts with inside it (``b"self."``, or ``b""``),
    ``owner`` the class that such an attribute belongs to.
    """

    start: int
    end: int
    parent: int
    qualname: str
    receiver: bytes
    owner: str
    is_class: bool = False


class Scopes:
    """The scopes of one part, for finding the innermost one around an offset."""

    def __init__(
        self, captures: Captures, decorators: Mapping[int, tuple[str, ...]], container: str
    ) -> None:
        found = [*captures.get("function", ()), *captures.get("class", ())]
        self.nodes = sorted(found, key=nodes.start)
        self.scopes: list[Scope] = []
        self.starts: list[int] = []
        # Only classes are read in parts, so what is around a part is a class.
        around = Scope(0, 0, -1, container, b"", container, is_class=True)
        self.around = around if container else None
        for node in self.nodes:
            parent = self._index(node.start_byte)
            outer = self.scopes[parent] if parent >= 0 else self.around
            scope = _scope(node, parent, outer, decorators.get(node.start_byte, ()))
            self.scopes.append(scope)
            self.starts.append(scope.start)

    def _index(self, offset: int) -> int:
        index = bisect_right(self.starts, offset) - 1
        while index >= 0 and offset >= self.scopes[index].end:
            index = self.scopes[index].parent
        return index

    def at(self, offset: int) -> Scope | None:
        """The innermost scope around ``offset``."""
        index = self._index(offset)
        return self.scopes[index] if index >= 0 else self.around

    def outer(self, scope: Scope) -> Scope | None:
        """The scope that ``scope`` is defined in."""
        return self.scopes[scope.parent] if scope.parent >= 0 else self.around

    def container(self, offset: int) -> str:
        """Dotted path of the innermost scope around ``offset``."""
        scope = self.at(offset)
        return scope.qualname if scope else ""


def _scope(node: Node, index: int, outer: Scope | None, decorators: tuple[str, ...]) -> Scope:
    start, end = node.byte_range
    name_node = node.child_by_field_name("name")
    name = nodes.text(name_node) if name_node else ""
    qualname = f"{outer.qualname}.{name}" if outer else name
    if node.type == "class_definition":
        return Scope(start, end, index, qualname, b"", qualname, is_class=True)
    receiver, owner = b"", ""
    if outer is not None and outer.is_class:
        receiver, owner = _receiver(node, name, decorators), outer.qualname
    elif outer is not None:  # a function inside a method still sees its self
        receiver, owner = outer.receiver, outer.owner
    return Scope(start, end, index, qualname, receiver, owner)


def _receiver(function: Node, name: str, decorators: tuple[str, ...]) -> bytes:
    """``b"self."`` by whatever name the method gives its first parameter."""
    if name == "__new__":
        return b"self."
    if "staticmethod" in decorators:
        return b""
    parameters = function.child_by_field_name("parameters")
    if parameters is None or not parameters.named_child_count:
        return b""
    first = parameters.named_child(0)
    if first.type == "typed_parameter" and first.named_child_count:
        first = first.named_child(0)
    if first.type != "identifier":
        return b""
    return (first.text or b"") + b"."


def _decorators(captures: Captures) -> Decorated:
    """Decorator texts, and where the first decorator starts, by the definition's start."""
    texts: dict[int, tuple[str, ...]] = {}
    starts: dict[int, int] = {}
    for node in captures.get("decorated", ()):
        definition = node.child_by_field_name("definition")
        if definition is None:
            continue
        found = (child.named_child(0) for child in node.children if child.type == "decorator")
        key = definition.start_byte
        texts[key] = tuple(nodes.brief(child) or "" for child in found if child is not None)
        starts[key] = node.start_byte
    return texts, starts


def _docstring(statements: Iterable[Node]) -> str:
    """First paragraph of the string that opens a body, on one line."""
    first = next((node for node in statements if node.type != "comment"), None)
    if first is None or first.type != "expression_statement" or not first.child_count:
        return ""
    node = first.child(0)
    if node.type != "string":
        return ""
    content = b"".join(
        child.text or b"" for child in node.named_children if child.type == "string_content"
    )
    lines: list[str] = []
    for line in content[: 8 * LONGEST_DOC].decode("utf-8", "replace").strip().splitlines():
        if not line.strip():
            break
        lines.append(line)
    return " ".join(" ".join(lines).split())[:LONGEST_DOC]


def _body_docstring(node: Node) -> str:
    body = node.child_by_field_name("body")
    if body is None:
        return ""
    # One by one: a class may have hundreds of members, of which only the first matters.
    return _docstring(body.named_child(index) for index in range(body.named_child_count))


def _parameter(node: Node) -> ParameterRow | None:
    kind = node.type
    if kind == "identifier":
        return (nodes.text(node), None, None, "")
    if kind in ("default_parameter", "typed_default_parameter"):
        name = node.child_by_field_name("name")
        annotation = nodes.brief(node.child_by_field_name("type"))
        default = nodes.brief(node.child_by_field_name("value"), LONGEST_DEFAULT)
        return (nodes.text(name) if name else "", annotation, default, "")
    if kind == "typed_parameter":
        inner = _parameter(node.named_child(0)) if node.named_child_count else None
        annotation = nodes.brief(node.child_by_field_name("type"))
        return (inner[0], annotation, None, inner[3]) if inner else None
    if kind in ("list_splat_pattern", "dictionary_splat_pattern"):
        stars = "*" if kind == "list_splat_pattern" else "**"
        return (nodes.text(node)[len(stars) :].strip(), None, None, stars)
    if kind in ("keyword_separator", "positional_separator"):
        return (nodes.text(node), None, None, "")
    return None


def _parameters(function: Node) -> tuple[ParameterRow, ...]:
    node = function.child_by_field_name("parameters")
    if node is None:
        return ()
    found = (_parameter(child) for child in node.named_children)
    return tuple(row for row in found if row is not None)


def _bases(node: Node) -> tuple[str, ...]:
    arguments = node.child_by_field_name("superclasses")
    if arguments is None:
        return ()
    skipped = ("keyword_argument", "comment", "list_splat", "dictionary_splat")
    found = (nodes.brief(child) for child in arguments.named_children if child.type not in skipped)
    return tuple(text for text in found if text)


def _function_kind(decorators: tuple[str, ...], parent: Scope | None) -> Kind | None:
    """What a function defines; ``None`` for a setter or deleter of a property defined above."""
    if any(text.endswith(ACCESSOR_DECORATORS) for text in decorators):
        return None
    if parent is None or not parent.is_class:
        return Kind.FUNCTION
    if any(text.rpartition(".")[2] in PROPERTY_DECORATORS for text in decorators):
        return Kind.PROPERTY
    return Kind.METHOD


def _definitions(scopes: Scopes, decorated: Decorated, base: int) -> list[DefinitionRow]:
    rows: list[DefinitionRow] = []
    texts, starts = decorated
    for node, scope in zip(scopes.nodes, scopes.scopes, strict=True):
        name = node.child_by_field_name("name")
        if name is None or name.is_missing:
            continue
        decorators = texts.get(scope.start, ())
        parent = scopes.outer(scope)
        kind = Kind.CLASS if scope.is_class else _function_kind(decorators, parent)
        if kind is None:
            continue
        rows.append(
            (
                nodes.text(name),
                kind.value,
                parent.qualname if parent else "",
                starts.get(scope.start, scope.start) - base,
                scope.end - base,
                name.start_byte - base,
                name.end_byte - base,
                () if scope.is_class else _parameters(node),
                None if scope.is_class else nodes.brief(node.child_by_field_name("return_type")),
                None,
                None,
                _bases(node) if scope.is_class else (),
                decorators,
                _body_docstring(node),
            )
        )
    return rows


def _targets(node: Node) -> Iterator[Node]:
    """The names and attributes that an assignment's left side binds."""
    if node.type in ("identifier", "attribute"):
        yield node
    elif node.type in ("pattern_list", "tuple_pattern", "list_pattern", "list_splat_pattern"):
        for child in node.named_children:
            yield from _targets(child)


def _bindings(
    captures: Captures, scopes: Scopes, data: bytes, base: int
) -> Iterator[DefinitionRow]:
    """Module variables, class attributes and attributes on ``self``; locals are left out."""
    for node in captures.get("assignment", ()):
        scope = scopes.at(node.start_byte)
        if scope is not None and not scope.is_class and not _on_receiver(scope, node, data):
            continue
        left = node.child_by_field_name("left")
        targets = list(_targets(left)) if left is not None else []
        for target in targets:
            row = _binding(node, target, scope, base, alone=len(targets) == 1)
            if row is not None:
                yield row


def _on_receiver(scope: Scope, node: Node, data: bytes) -> bool:
    """Whether an assignment inside a function can set an attribute of an instance."""
    if not scope.receiver:
        return False
    return data.startswith((scope.receiver, b"("), node.start_byte) or (
        b"," in data[node.start_byte : node.start_byte + 40]
        and scope.receiver in data[node.start_byte : node.end_byte]
    )


def _binding(
    node: Node, target: Node, scope: Scope | None, base: int, *, alone: bool
) -> DefinitionRow | None:
    in_function = scope is not None and not scope.is_class
    name = target
    if target.type == "attribute":
        attribute = target.child_by_field_name("attribute")
        instance = target.child_by_field_name("object")
        if not in_function or scope is None or attribute is None or instance is None:
            return None
        if (instance.text or b"") + b"." != scope.receiver:
            return None
        name = attribute
    elif in_function:
        return None
    text = nodes.text(name)
    return (
        text,
        _variable_kind(text, scope),
        (scope.owner if in_function else scope.qualname) if scope else "",
        node.start_byte - base,
        node.end_byte - base,
        name.start_byte - base,
        name.end_byte - base,
        (),
        None,
        nodes.brief(node.child_by_field_name("type")) if alone else None,
        nodes.brief(_value(node)) if alone else None,
        (),
        (),
        "",
    )


def _value(assignment: Node) -> Node | None:
    """What is assigned, of ``a = b = value`` too."""
    value = assignment.child_by_field_name("right")
    while value is not None and value.type == "assignment":
        value = value.child_by_field_name("right")
    return value


def _variable_kind(name: str, scope: Scope | None) -> str:
    if scope is not None:
        return Kind.ATTRIBUTE.value
    return (Kind.CONSTANT if name.isupper() else Kind.VARIABLE).value


def _type_aliases(captures: Captures, scopes: Scopes, base: int) -> Iterator[DefinitionRow]:
    """``type X = ...`` at module or class level."""
    for node in captures.get("alias", ()):
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        scope = scopes.at(node.start_byte)
        if left is None or (scope is not None and not scope.is_class):
            continue
        name = left
        while name.type != "identifier" and name.named_child_count:
            name = name.named_child(0)  # `type X[T] = ...`
        start, end = name.byte_range
        found = nodes.text(name)
        yield (
            found, _variable_kind(found, scope), scope.qualname if scope else "",
            node.start_byte - base, node.end_byte - base, start - base, end - base,
            (), None, "TypeAlias", nodes.brief(right), (), (), "",
        )  # fmt: skip


def parts(statements: Iterable[Node], container: str = "") -> Iterator[Part]:
    """The statements one by one, large classes as their header and the parts of their body."""
    for node in statements:
        if node.child_count == 0:
            continue  # a comment or a stray token says nothing
        definition = _large_class(node)
        body = definition.child_by_field_name("body") if definition else None
        name = definition.child_by_field_name("name") if definition else None
        if body is None or name is None:
            yield Part(node, container, node.end_byte, node.start_byte)
            continue
        yield Part(node, container, body.start_byte, node.start_byte)
        yield from parts(body.children, f"{container}.{nodes.text(name)}".lstrip("."))


def _large_class(node: Node) -> Node | None:
    if node.end_byte - node.start_byte < LARGE_CLASS:
        return None
    decorated = node.type == "decorated_definition"
    definition = node.child_by_field_name("definition") if decorated else node
    return definition if definition and definition.type == "class_definition" else None


def piece(part: Part, data: bytes) -> Piece:
    """Everything that one part of the file ``data`` says."""
    base = part.node.start_byte
    if part.node.type in references.IMPORTS:  # a third of all parts; needs no query
        return Piece(imports=tuple(references.import_statement(part.node, part.container, base)))
    cursor = QueryCursor(QUERY)
    if part.end != part.node.end_byte:
        cursor.set_byte_range(base, part.end)
    captures = cursor.captures(part.node)
    decorated = _decorators(captures)
    scopes = Scopes(captures, decorated[0], part.container)
    definitions = _definitions(scopes, decorated, base)
    definitions += _bindings(captures, scopes, data, base)
    definitions += _type_aliases(captures, scopes, base)
    definitions.sort(key=_position)
    exports, unknown = None, False
    if data.find(b"__all__", base, part.end) >= 0:
        exports, unknown = references.exports(captures, scopes.container, data)
    return Piece(
        tuple(definitions),
        tuple(references.imports(captures, scopes.container, base)),
        tuple(references.uses(captures, data, base)),
        exports,
        unknown,
    )


_position = itemgetter(3, 5)


PYTHON = Language(
    name="python",
    family="python",
    suffixes=(".py", ".pyi"),
    grammar=GRAMMAR,
    parts=parts,
    piece=piece,
    doc=_docstring,
)
