"""JavaScript and TypeScript: what a file defines, part by part; one `Language` value per grammar.

The three grammars share their node types, so one reader serves them all. What stands at the top
level is read by walking down from the statement, what may stand anywhere is found by the query.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import NamedTuple

import tree_sitter
import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Node, Query, QueryCursor

from indexing.languages import DefinitionRow, Language, Part, Piece, c_like, nodes, query
from indexing.languages import javascript_references as references
from indexing.languages.c_like import Around, ParameterRow, Said, Scope, Scopes
from indexing.languages.nodes import Captures
from indexing.symbols import Kind

DECLARED_CLASSES = frozenset(
    {"class_declaration", "abstract_class_declaration", "interface_declaration", "enum_declaration"}
)
NAMESPACES = frozenset({"internal_module", "module"})
VARIABLES = frozenset({"lexical_declaration", "variable_declaration"})
WRAPPERS = frozenset({"export_statement", "ambient_declaration", "expression_statement"})
FUNCTION_VALUES = frozenset({"arrow_function", "function_expression", "generator_function"})
METHODS = frozenset({"method_definition", "method_signature", "abstract_method_signature"})
FIELDS = frozenset({"field_definition", "public_field_definition", "property_signature"})
MEMBERS = METHODS | FIELDS | {"class_static_block", "index_signature"}
MODIFIERS = frozenset(
    {"export", "default", "declare", "abstract", "async", "static", "readonly", "override"}
    | {"accessor", "get", "set"}
)
NAMES = frozenset(
    {"identifier", "property_identifier", "private_property_identifier", "type_identifier"}
    | {"shorthand_property_identifier", "default"}
)


class Member(NamedTuple):
    """A member of a class, an interface or a listed object, and the documentation before it."""

    node: Node
    name: Node
    comment: bytes


class Named(NamedTuple):
    """The name of a function or class and what its definition spans."""

    name: Node
    whole: Node


class Reading:
    """What one part says, gathered before anything is placed.

    ``named`` holds functions and classes that are assigned to something, by their first byte;
    ``members`` those of each class or object by its first byte.
    """

    def __init__(self, part: Part, data: bytes, captures: Captures) -> None:
        self.part = part
        self.data = data
        self.captures = captures
        self.base = part.start
        self.comment = data[part.start : part.node.start_byte].rstrip()
        self.statement, self.outermost, self.words = _unwrapped(part.node)
        self.named: dict[int, Named] = {}
        self.members: dict[int, list[Member]] = {}
        self.objects: list[tuple[Node, str]] = []  # those that are listed, and their names
        self._gather()
        self.scopes = Scopes(self._around(), part.container, in_class=part.node.type in MEMBERS)

    def _gather(self) -> None:
        for node in self.captures.get("named", ()):
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            if name is not None and value is not None and name.type == "identifier":
                self.named[value.start_byte] = Named(name, node)
        default = references.default_name(self.part)
        if default is not None and self.statement.type in (*FUNCTION_VALUES, "class"):
            self.named[self.statement.start_byte] = Named(default, self.statement)
        self.objects = [
            (node, name) for name, node in references.objects(self.part, self.statement)
        ]
        for node, _ in self.objects:
            self._gather_members(node, node.children)
        for node in self.captures.get("class", ()):
            body = class_body(node)
            if body is not None and body.start_byte < self.part.end:
                self._gather_members(node, body.children)
        if self.part.node.type in MEMBERS:
            name = _member_name(self.part.node)
            if name is not None:
                self._add_member(-1, Member(self.part.node, name, self.comment))

    def _gather_members(self, owner: Node, children: Sequence[Node]) -> None:
        comment = b""
        for child in children:
            if child.child_count == 0 and child.type.endswith("comment"):
                comment = child.text or b""
                continue
            name = _member_name(child)
            if name is not None:
                self._add_member(owner.start_byte, Member(child, name, comment))
            if child.is_named and child.type != "decorator":
                comment = b""

    def _add_member(self, owner: int, member: Member) -> None:
        self.members.setdefault(owner, []).append(member)
        node = member.node
        value = node if node.type in METHODS else node.child_by_field_name("value")
        if value is not None and (value is node or value.type in FUNCTION_VALUES):
            self.named[value.start_byte] = Named(member.name, node)

    def _around(self) -> Iterator[Around]:
        """Every scope of the part; an object that is listed is like a class."""
        for node, known in self.objects:
            yield Around(node, known, is_class=True)
        for node in self.captures.get("class", ()):
            name = self._name(node)
            yield Around(node, _identifier(name), is_class=True)
        for node in self.captures.get("function", ()):
            name = self._name(node)
            arrow = node.type == "arrow_function"
            yield Around(node, _function_name(node, name), keeps_this=arrow)

    def _name(self, node: Node) -> Node | None:
        found = self.name(node)
        return found.name if found else None

    def name(self, node: Node) -> Named | None:
        """The name of a class or function; ``None`` where nobody else can use it."""
        if node.start_byte in self.named:
            return self.named[node.start_byte]
        if node.type in FUNCTION_VALUES or node.type in METHODS or node.type == "class":
            return None
        name = node.child_by_field_name("name")
        return Named(name, node) if name is not None else None


def _unwrapped(node: Node) -> tuple[Node, Node, tuple[str, ...]]:
    """The declaration inside ``export`` or ``declare``, the statement, and the words before it."""
    words: list[str] = []
    inner = node
    while inner.type in WRAPPERS:
        words += _words(inner)
        found = inner.child_by_field_name("declaration") or inner.child_by_field_name("value")
        if found is None and inner.named_child_count:
            found = inner.named_child(inner.named_child_count - 1)
        if found is None:
            break
        inner = found
    return inner, node, tuple(words)


def _decorator(node: Node) -> str:
    return (nodes.brief(node) or "").removeprefix("@")


def class_body(node: Node) -> Node | None:
    """The members of a class, an interface, an enum or an object type."""
    return node.child_by_field_name("value" if node.type == "type_alias_declaration" else "body")


def _identifier(name: Node | None) -> str:
    """A name as it follows the dot: strings without quotes, nothing where it is computed."""
    if name is None or name.is_missing:
        return ""
    if name.type == "string":
        text = nodes.text(name).strip("'\"`")
        return text if text.isidentifier() else ""
    return nodes.text(name) if name.type in NAMES else ""


def _function_name(node: Node, name: Node | None) -> str:
    text = _identifier(name)
    return "__init__" if text == "constructor" and node.type in METHODS else text


def _member_name(node: Node) -> Node | None:
    """The name of a member with one; of an enum's plain constant the node itself."""
    if node.type in METHODS or node.type in FIELDS or node.type == "enum_assignment":
        name = node.child_by_field_name("name") or node.child_by_field_name("property")
    elif node.type == "pair":
        name = node.child_by_field_name("key")
    elif node.type in ("property_identifier", "shorthand_property_identifier"):
        return node
    else:
        return None
    return name if _identifier(name) else None


# Definitions --------------------------------------------------------------------------------------


def _type(node: Node | None) -> str | None:
    """A type annotation without its colon."""
    text = nodes.brief(node)
    return text.removeprefix(":").strip() if text is not None else None


def _parameter(node: Node) -> ParameterRow | None:
    """One parameter; a pattern has no name and keeps its place."""
    pattern = node.child_by_field_name("pattern")
    if node.type in ("required_parameter", "optional_parameter"):
        inner = _parameter(pattern) if pattern is not None else None
        if inner is None:
            return None
        default = nodes.brief(node.child_by_field_name("value"), c_like.LONGEST_DEFAULT)
        if default is None and node.type == "optional_parameter":
            default = "undefined"
        annotation = _type(node.child_by_field_name("type"))
        return (inner[0], annotation, default or inner[2], inner[3])
    if node.type == "assignment_pattern":
        left = node.child_by_field_name("left")
        right = nodes.brief(node.child_by_field_name("right"), c_like.LONGEST_DEFAULT)
        return (nodes.text(left) if left and left.type == "identifier" else "", None, right, "")
    if node.type == "rest_pattern":
        return (nodes.text(node).removeprefix("...").strip(), None, None, "*")
    if node.type in ("identifier", "this"):
        return (nodes.text(node), None, None, "")
    return ("", None, None, "") if node.type in ("object_pattern", "array_pattern") else None


def _parameters(function: Node) -> tuple[ParameterRow, ...]:
    single = function.child_by_field_name("parameter")  # x => ...
    if single is not None:
        return ((nodes.text(single), None, None, ""),)
    node = function.child_by_field_name("parameters")
    found = (_parameter(child) for child in node.named_children) if node is not None else ()
    # `this: Window` types the function and takes no argument
    return tuple(row for row in found if row is not None and row[0] != "this")


def _bases(node: Node) -> tuple[str, ...]:
    """What follows ``extends`` and ``implements``, in order."""
    found: list[str] = []
    clauses = [child for child in node.children if child.type.endswith(("heritage", "_clause"))]
    while clauses:
        clause = clauses.pop(0)
        inner = [child for child in clause.named_children if child.type.endswith("_clause")]
        if inner:
            clauses = inner + clauses
            continue
        for child in clause.named_children:
            if child.type == "type_arguments" and found:
                found[-1] += nodes.brief(child) or ""
            elif "comment" not in child.type:
                found.append(nodes.brief(child) or "")
    return tuple(found)


def _words(node: Node) -> tuple[str, ...]:
    """Modifiers and decorators of a declaration as written."""
    found: list[str] = []
    for child in node.children:
        if child.type == "decorator":
            found.append(_decorator(child))
        elif child.type in MODIFIERS:
            found.append(child.type)
        elif child.type in ("accessibility_modifier", "override_modifier"):
            found.append(nodes.text(child))
        elif child.type in NAMES or child.type in ("formal_parameters", "class_body"):
            break
    return tuple(found)


def _callable(node: Node) -> tuple[tuple[ParameterRow, ...], str | None]:
    return _parameters(node), _type(node.child_by_field_name("return_type"))


def _definitions(reading: Reading) -> Iterator[DefinitionRow]:
    yield from _listed_scopes(reading)
    for member in reading.members.get(-1, ()):
        yield from _member(reading, member, reading.part.container)
    yield from _variables(reading)
    yield from _assigned(reading)
    yield from _aliases(reading)
    yield from _default(reading)


def _listed_scopes(reading: Reading) -> Iterator[DefinitionRow]:
    """Classes with their members, and functions that are no members."""
    members = {m.name.start_byte for found in reading.members.values() for m in found}
    for each, scope in reading.scopes.listed():
        named = reading.name(each.node)
        if each.is_class:
            if named is not None and each.node.type != "object":
                said = Said(bases=_bases(each.node))
                yield _declared(reading, each.node, named, Kind.CLASS, scope, said)
            for member in reading.members.get(each.node.start_byte, ()):
                yield from _member(reading, member, scope.qualname)
        elif named is not None and named.name.start_byte not in members:
            said = Said(*_callable(each.node))
            yield _declared(reading, each.node, named, Kind.FUNCTION, scope, said)


def _declared(
    reading: Reading, node: Node, named: Named, kind: Kind, scope: Scope, said: Said
) -> DefinitionRow:
    """A class or function; what stands before the statement belongs to it where it is all of it."""
    whole, comment = named.whole, b""
    words: tuple[str, ...] = ()
    if reading.statement == node or _is_bound(reading, node):
        whole, words, comment = reading.outermost, reading.words, reading.comment
    said = said._replace(words=(*words, *_words(node)), comment=comment)
    container = reading.scopes.outer(scope).qualname
    name = nodes.text(named.name)
    return c_like.row(name, kind, container, whole, named.name, reading.base, said)


def _is_bound(reading: Reading, node: Node) -> bool:
    """Whether a function or class is what a top-level ``const`` is bound to."""
    return reading.statement.type in VARIABLES and any(
        node == declarator.child_by_field_name("value")
        for declarator in reading.statement.named_children
    )


def _member(reading: Reading, member: Member, container: str) -> Iterator[DefinitionRow]:
    """A member's row, and for a constructor those of its parameter properties."""
    node, name = member.node, _identifier(member.name)
    value = node.child_by_field_name("value")
    words = _words(node)
    if node.type in METHODS or (value is not None and value.type in FUNCTION_VALUES):
        function = node if node.type in METHODS or value is None else value
        accessor = "get" in words or "set" in words
        if "set" in words and _has_getter(reading, member):
            return
        parameters, returns = _callable(function)
        kind = Kind.PROPERTY if accessor else Kind.METHOD
        if name == "constructor" and node.type in METHODS:
            name = "__init__"
            yield from _parameter_properties(reading, node, container)
        words = tuple(word for word in words if word not in ("get", "set"))
        annotation = returns if accessor else None
        said = Said(
            () if accessor else parameters, returns, annotation, None, (), words, member.comment
        )
    else:
        kind, annotation = Kind.ATTRIBUTE, _type(node.child_by_field_name("type"))
        said = Said(annotation=annotation, value=nodes.brief(value), words=words,
                    comment=member.comment)  # fmt: skip
    yield c_like.row(name, kind, container, node, member.name, reading.base, said)


def _has_getter(reading: Reading, member: Member) -> bool:
    name = _identifier(member.name)
    return any(
        _identifier(other.name) == name and "get" in _words(other.node)
        for found in reading.members.values()
        if member in found
        for other in found
    )


def _parameter_properties(
    reading: Reading, constructor: Node, container: str
) -> Iterator[DefinitionRow]:
    """``constructor(private name: string)`` declares a field."""
    parameters = constructor.child_by_field_name("parameters")
    for node in parameters.named_children if parameters is not None else ():
        name = node.child_by_field_name("pattern")
        words = _words(node)
        declares = {"public", "private", "protected", "readonly"} & set(words)
        if name is not None and name.type == "identifier" and declares:
            said = Said(annotation=_type(node.child_by_field_name("type")), words=words)
            yield c_like.row(
                nodes.text(name), Kind.ATTRIBUTE, container, node, name, reading.base, said
            )


def _variables(reading: Reading) -> Iterator[DefinitionRow]:
    """Variables at the top level of a file or namespace; locals are left out."""
    if reading.statement.type not in VARIABLES:
        return
    for declarator in reading.statement.named_children:
        target, value = (declarator.child_by_field_name(field) for field in ("name", "value"))
        if target is None or references.required_by(value) is not None:
            continue
        if value is not None and value.start_byte in reading.named:
            continue  # a function or class: listed as such
        names = [target] if target.type == "identifier" else list(references.bound_names(target))
        alone = target.type == "identifier"
        said = Said(
            annotation=_type(declarator.child_by_field_name("type")) if alone else None,
            value=nodes.brief(value) if alone else None,
            words=(*reading.words, *_words(reading.statement)),
            comment=reading.comment,
        )
        for name in names:
            yield _variable(reading, name, reading.outermost, said)


def _variable(reading: Reading, name: Node, whole: Node, said: Said) -> DefinitionRow:
    text = nodes.text(name)
    kind = Kind.CONSTANT if text.isupper() else Kind.VARIABLE
    return c_like.row(text, kind, reading.part.container, whole, name, reading.base, said)


def _assigned(reading: Reading) -> Iterator[DefinitionRow]:
    """``this.x = ...`` inside a method; ``exports.x = ...`` and ``name.x = ...`` at top level."""
    for node in reading.captures.get("assignment", ()):
        owner = reading.scopes.at(node.start_byte).owner
        left = node.child_by_field_name("left")
        name = left.child_by_field_name("property") if left is not None else None
        if owner and name is not None and name.type in NAMES:
            said = Said(value=nodes.brief(node.child_by_field_name("right")))
            yield c_like.row(
                nodes.text(name), Kind.ATTRIBUTE, owner, node, name, reading.base, said
            )
    if reading.part.node.type == "expression_statement" and not reading.part.container:
        for container, name, value in references.assigned(reading.statement):
            yield _attached(reading, container, name, value)


def _attached(reading: Reading, container: str, name: Node, value: Node) -> DefinitionRow:
    """What ``exports.x = value`` (no container) or ``name.x = value`` defines."""
    if value.type in FUNCTION_VALUES or value.type in METHODS:
        kind = Kind.METHOD if container else Kind.FUNCTION
        said = Said(*_callable(value), comment=reading.comment)
    else:
        kind = Kind.ATTRIBUTE if container else Kind.VARIABLE
        said = Said(value=nodes.brief(value), comment=reading.comment)
    text = nodes.text(name)
    return c_like.row(text, kind, container, reading.outermost, name, reading.base, said)


def _default(reading: Reading) -> Iterator[DefinitionRow]:
    """``export default <an expression>``: what it exports has no other name."""
    name = references.default_name(reading.part)
    statement = reading.statement
    named = statement.type == "identifier" or statement.type.endswith(("declaration", "signature"))
    if name is None or named or statement.start_byte in reading.named:
        return
    said = Said(value=nodes.brief(statement), words=reading.words, comment=reading.comment)
    yield _variable(reading, name, reading.outermost, said)


def _aliases(reading: Reading) -> Iterator[DefinitionRow]:
    """``type X = ...`` other than of an object type, which is listed as a class."""
    for node in reading.captures.get("alias", ()):
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        scope = reading.scopes.at(node.start_byte)
        if name is None or value is None or value.type == "object_type":
            continue
        if scope.parent != -1 or scope in reading.scopes.scopes:
            continue  # local to a function
        said = Said(annotation="TypeAlias", value=nodes.brief(value), words=reading.words,
                    comment=reading.comment)  # fmt: skip
        row = _variable(reading, name, reading.outermost, said)
        yield (row[0], Kind.VARIABLE.value, *row[2:])


# Parts --------------------------------------------------------------------------------------------


def parts(statements: Sequence[Node], container: str = "") -> Iterator[Part]:
    """The statements one by one; namespaces and large classes as header and parts of the body."""
    start = -1
    for node in statements:
        if node.child_count == 0:
            start = node.start_byte if c_like.documents(node) else -1
            continue
        first = node.start_byte if start < 0 else start
        start = -1
        inner = _divided(node)
        if inner is None:
            yield Part(node, container, node.end_byte, first)
            continue
        name, body = inner
        yield Part(node, container, body.start_byte, first)
        yield from parts(body.children, f"{container}.{name}".strip("."))


def _divided(node: Node) -> tuple[str, Node] | None:
    """Name and body of a namespace, or of a class so large that its members are read alone.

    What ``declare module "m"`` and ``declare global`` hold belongs to the file as it stands.
    """
    large = node.end_byte - node.start_byte >= c_like.LARGE_CLASS
    if node.type not in WRAPPERS and not large:
        return None
    declared, _, _ = _unwrapped(node)
    if declared.type == "statement_block" and node.type == "ambient_declaration":
        return "", declared
    if declared.type in NAMESPACES:
        body, name = declared.child_by_field_name("body"), declared.child_by_field_name("name")
        if body is None or name is None:
            return None
        return ("" if name.type == "string" else nodes.text(name)), body
    dividable = DECLARED_CLASSES - {"enum_declaration"}
    if not large or declared.type not in dividable:
        return None
    body, name = declared.child_by_field_name("body"), declared.child_by_field_name("name")
    return None if body is None or name is None else (nodes.text(name), body)


def _namespace(reading: Reading) -> Iterator[DefinitionRow]:
    """The namespace that the part is the header of; ``A.B`` is read as one name."""
    name = reading.statement.child_by_field_name("name")
    if name is None or name.type == "string":
        return
    said = Said(words=reading.words, comment=reading.comment)
    yield c_like.row(
        nodes.text(name), Kind.MODULE, reading.part.container, reading.outermost, name,
        reading.base, said,
    )  # fmt: skip


def piece(part: Part, data: bytes, read: Callable[[], Query]) -> Piece:
    """Everything that one part of the file ``data`` says; ``read`` is what looks for it."""
    node = part.node
    if node.type == "import_statement":
        return Piece(imports=tuple(references.import_statement(node, part.start)), exports=())
    cursor = QueryCursor(read())
    if part.end != node.end_byte:
        cursor.set_byte_range(node.start_byte, part.end)
    reading = Reading(part, data, cursor.captures(node))
    if reading.statement.type in NAMESPACES:
        found = list(_namespace(reading))
    else:
        found = list(_definitions(reading))
    found.sort(key=c_like.position)
    return Piece(
        tuple(found),
        tuple(references.imports(part, reading.statement, reading.captures, reading.scopes)),
        tuple(references.uses(reading.captures, data, part.start)),
        references.exports(part, reading.statement),
    )


OPENING = frozenset({"import_statement", "expression_statement", "comment", *VARIABLES})


def _doc(statements: Sequence[Node]) -> str:
    return c_like.file_doc(statements, OPENING)


def _language(
    name: str, suffixes: tuple[str, ...], grammar: tree_sitter.Language, queries: str
) -> Language:
    # Three grammars take 35 ms, which nobody who writes Python should wait for at every start.
    reader = partial(piece, read=cache(partial(query, grammar, queries)))
    return Language(name, "javascript", suffixes, grammar, parts, reader, _doc, c_like.mended)


JAVASCRIPT = _language(
    "javascript",
    (".js", ".mjs", ".cjs", ".jsx"),
    tree_sitter.Language(tree_sitter_javascript.language()),
    "javascript",
)
TYPESCRIPT = _language(
    "typescript",
    (".ts", ".mts", ".cts"),
    tree_sitter.Language(tree_sitter_typescript.language_typescript()),
    "javascript+typescript",
)
TSX = _language(
    "tsx",
    (".tsx",),
    tree_sitter.Language(tree_sitter_typescript.language_tsx()),
    "javascript+typescript",
)
