"""Java: what a file defines and refers to, part by part, and the `Language` value of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import tree_sitter
import tree_sitter_java
from tree_sitter import Node, QueryCursor

from indexing.languages import (
    DefinitionRow,
    ImportRow,
    Language,
    Part,
    Piece,
    UseRow,
    c_like,
    nodes,
    query,
)
from indexing.languages.c_like import Around, ParameterRow, Said, Scope, Scopes
from indexing.languages.nodes import Captures
from indexing.symbols import Kind

GRAMMAR = tree_sitter.Language(tree_sitter_java.language())
QUERY = query(GRAMMAR, "java")

CLASSES = frozenset(
    {"class_declaration", "interface_declaration", "enum_declaration", "record_declaration"}
    | {"annotation_type_declaration"}
)
CONSTRUCTORS = frozenset({"constructor_declaration", "compact_constructor_declaration"})
METHODS = CONSTRUCTORS | {"method_declaration", "annotation_type_element_declaration"}
FIELDS = frozenset({"field_declaration", "constant_declaration"})
MEMBERS = METHODS | FIELDS | {"enum_constant", "static_initializer", "block"}

PACKAGE = "package"
"""The scope of the row that says which package a file is in; no definition can have it."""


class Member(NamedTuple):
    """A declaration in a class body and the documentation before it."""

    node: Node
    comment: bytes


def _members(children: Sequence[Node]) -> Iterator[Member]:
    """The declarations of a class body, those after an enum's constants too."""
    comment = b""
    for child in children:
        if child.type == "enum_body_declarations":
            yield from _members(child.children)
        elif child.type in MEMBERS or child.type in CLASSES:
            yield Member(child, comment)
            comment = b""
        elif c_like.documents(child):
            comment = child.text or b""


class Reading:
    """What one part says, gathered before anything is placed.

    ``members`` are those of each class by the class's first byte, ``comments`` what documents a
    nested class.
    """

    def __init__(self, part: Part, data: bytes, captures: Captures) -> None:
        self.part = part
        self.base = part.start
        self.captures = captures
        own = data[part.start : part.node.start_byte].rstrip()
        self.comments: dict[int, bytes] = {part.node.start_byte: own}
        self.members: dict[int, list[Member]] = {}
        for node in captures.get("class", ()):
            body = node.child_by_field_name("body")
            if body is not None and body.start_byte < part.end:
                self.members[node.start_byte] = list(_members(body.children))
        for found in self.members.values():
            self.comments |= {each.node.start_byte: each.comment for each in found}
        self.scopes = Scopes(self._around(), part.container, in_class=bool(part.container))

    def _around(self) -> Iterator[Around]:
        for node in self.captures.get("class", ()):
            yield Around(node, _name(node), is_class=True)
        for node in self.captures.get("function", ()):
            yield Around(node, _name(node))
        for node in self.captures.get("anonymous", ()):
            yield Around(node, "", is_class=True)


def _name(node: Node) -> str:
    if node.type in CONSTRUCTORS:
        return "__init__"
    name = node.child_by_field_name("name")
    return "" if name is None or name.is_missing else nodes.text(name)


# Definitions --------------------------------------------------------------------------------------


def _words(node: Node) -> tuple[str, ...]:
    """Modifiers and annotations as written, without ``@``."""
    found = next((child for child in node.children if child.type == "modifiers"), None)
    if found is None:
        return ()
    texts = (nodes.brief(child) or "" for child in found.children if "comment" not in child.type)
    return tuple(text.removeprefix("@") for text in texts)


def _bases(node: Node) -> tuple[str, ...]:
    """What follows ``extends`` and ``implements``, in order."""
    found: list[str] = []
    for child in node.children:
        if child.type == "superclass":
            found += [nodes.brief(each) or "" for each in child.named_children]
        elif child.type in ("super_interfaces", "extends_interfaces"):
            lists = [each for each in child.named_children if each.type == "type_list"]
            found += [nodes.brief(each) or "" for each in lists for each in each.named_children]
    return tuple(text for text in found if text and not text.startswith(("//", "/*", "@")))


def _parameters(node: Node) -> tuple[ParameterRow, ...]:
    parameters = node.child_by_field_name("parameters")
    found = (_parameter(child) for child in parameters.named_children) if parameters else ()
    return tuple(row for row in found if row is not None)


def _parameter(node: Node) -> ParameterRow | None:
    if node.type == "formal_parameter":
        name, type_ = node.child_by_field_name("name"), node.child_by_field_name("type")
        return (nodes.text(name) if name else "", nodes.brief(type_), None, "")
    if node.type == "spread_parameter":
        kinds = ("modifiers", "variable_declarator")
        types = [each for each in node.named_children if each.type not in kinds]
        last = node.named_children[-1]
        name = last.child_by_field_name("name") or last
        return (nodes.text(name), nodes.brief(types[0]) if types else None, None, "*")
    return None


def _definitions(reading: Reading) -> Iterator[DefinitionRow]:
    for each, scope in reading.scopes.listed():
        if each.is_class:
            yield from _class(reading, each.node, scope)
    if reading.part.node.type in MEMBERS:
        own = Member(reading.part.node, reading.comments[reading.part.node.start_byte])
        yield from _member(reading, own, reading.part.container)
    for node in reading.captures.get("assignment", ()):
        yield from _assigned(reading, node)


def _class(reading: Reading, node: Node, scope: Scope) -> Iterator[DefinitionRow]:
    name = node.child_by_field_name("name")
    if name is None:
        return
    comment = reading.comments.get(node.start_byte, b"")
    said = Said(bases=_bases(node), words=_words(node), comment=comment)
    container = reading.scopes.outer(scope).qualname
    yield c_like.row(nodes.text(name), Kind.CLASS, container, node, name, reading.base, said)
    members = reading.members.get(node.start_byte, [])
    if node.type == "record_declaration":
        yield from _components(reading, node, scope.qualname, members)
    for member in members:
        yield from _member(reading, member, scope.qualname)


def _components(
    reading: Reading, node: Node, container: str, members: Sequence[Member]
) -> Iterator[DefinitionRow]:
    """The fields, accessors and canonical constructor that a record has without writing them."""
    parameters = node.child_by_field_name("parameters")
    written = {_name(each.node) for each in members if each.node.type == "method_declaration"}
    for child in parameters.named_children if parameters is not None else ():
        name, type_ = (
            child.child_by_field_name("name"),
            nodes.brief(child.child_by_field_name("type")),
        )
        if name is None:
            continue
        text = nodes.text(name)
        said = Said(annotation=type_, words=("private", "final"))
        yield c_like.row(text, Kind.ATTRIBUTE, container, child, name, reading.base, said)
        if text not in written:
            said = Said(returns=type_, words=("public",))
            yield c_like.row(text, Kind.METHOD, container, child, name, reading.base, said)
    if parameters is not None and not any(
        m.node.type == "constructor_declaration" for m in members
    ):
        name = node.child_by_field_name("name") or node
        said = Said(_parameters(node))
        row = c_like.row("__init__", Kind.METHOD, container, parameters, name, reading.base, said)
        yield (*row[:3], name.start_byte - reading.base, *row[4:])


def _member(reading: Reading, member: Member, container: str) -> Iterator[DefinitionRow]:
    node, base = member.node, reading.base
    name = node.child_by_field_name("name")
    if node.type in FIELDS:
        yield from _fields(reading, member, container)
    elif name is None or name.is_missing or node.type == "compact_constructor_declaration":
        return
    elif node.type == "enum_constant":
        value = nodes.brief(node.child_by_field_name("arguments"))
        said = Said(
            annotation=container.rpartition(".")[2], value=value,
            words=("public", "static", "final", *_words(node)), comment=member.comment,
        )  # fmt: skip
        yield c_like.row(nodes.text(name), Kind.ATTRIBUTE, container, node, name, base, said)
    elif node.type in METHODS:
        returns = nodes.brief(node.child_by_field_name("type"))
        said = Said(_parameters(node), returns, words=_words(node), comment=member.comment)
        yield c_like.row(_name(node), Kind.METHOD, container, node, name, base, said)


def _fields(reading: Reading, member: Member, container: str) -> Iterator[DefinitionRow]:
    node = member.node
    type_ = nodes.brief(node.child_by_field_name("type"))
    words = _words(node)
    if node.type == "constant_declaration":
        words = tuple(dict.fromkeys(("public", "static", "final", *words)))
    for declarator in node.children_by_field_name("declarator"):
        name = declarator.child_by_field_name("name")
        if name is None or name.is_missing:
            continue
        dimensions = nodes.brief(declarator.child_by_field_name("dimensions")) or ""
        value = nodes.brief(declarator.child_by_field_name("value"))
        said = Said((), None, f"{type_ or ''}{dimensions}" or None, value, (), words,
                    member.comment)  # fmt: skip
        yield c_like.row(
            nodes.text(name), Kind.ATTRIBUTE, container, node, name, reading.base, said
        )


def _assigned(reading: Reading, node: Node) -> Iterator[DefinitionRow]:
    """``this.x = ...`` inside a method: a field, also where its declaration is still missing."""
    owner = reading.scopes.at(node.start_byte).owner
    left = node.child_by_field_name("left")
    name = left.child_by_field_name("field") if left is not None else None
    if owner and name is not None and name.type == "identifier":
        said = Said(value=nodes.brief(node.child_by_field_name("right")))
        yield c_like.row(nodes.text(name), Kind.ATTRIBUTE, owner, node, name, reading.base, said)


# Imports and uses ---------------------------------------------------------------------------------


def _imports(node: Node, base: int) -> Iterator[ImportRow]:
    """What an import names, and the package that a file says it is in."""
    named = next((n for n in node.named_children if n.type.endswith("identifier")), None)
    if named is None:
        return
    dotted = "".join(nodes.text(named).split())
    span = (node.start_byte - base, node.end_byte - base)
    if node.type == "package_declaration":
        yield (dotted, "*", "*", 0, *span, PACKAGE, False)
    elif any(child.type == "asterisk" for child in node.children):
        yield (dotted, "*", "*", 0, *span, "", False)
    else:
        module, _, name = dotted.rpartition(".")
        yield (module, name, name, 0, *span, "", False)


def _uses(captures: Captures, data: bytes, base: int) -> list[UseRow]:
    """Attribute uses, calls and method references, in the order of their last byte."""
    rows: list[UseRow] = []
    for node in captures.get("attribute", ()):
        children = node.children
        if len(children) >= 3 and children[-1].type == "identifier":
            rows.append(_use(children[0], children[-1], -1, data, base))
    for node in captures.get("call", ()):
        arguments = node.child_by_field_name("arguments")
        count = c_like.argument_count(arguments, data) if arguments is not None else 0
        if node.type == "method_invocation":
            name = node.child_by_field_name("name")
            owner = node.child_by_field_name("object")
        else:
            name, owner = _constructed(node.child_by_field_name("type"))
        if name is not None and not name.is_missing:
            rows.append(_use(owner, name, count, data, base))
    rows.sort(key=c_like.last_byte)
    return rows


def _constructed(type_: Node | None) -> tuple[Node | None, Node | None]:
    """The class's name and what stands before its dot in ``new a.B<C>()``."""
    if type_ is not None and type_.type == "generic_type" and type_.named_child_count:
        type_ = type_.named_children[0]
    if type_ is not None and type_.type == "scoped_type_identifier":
        return type_.named_children[-1], type_.named_children[0]
    return type_, None


def _use(owner: Node | None, name: Node, count: int, data: bytes, base: int) -> UseRow:
    end = name.end_byte
    text = data[name.start_byte : end].decode("utf-8", "replace")
    if owner is None:
        return "", text, count, name.start_byte - base, end - base
    start, stop = owner.byte_range
    first = max(start, stop - c_like.LONGEST_ATTRIBUTE)
    receiver = data[first:stop].decode("utf-8", "replace")[-c_like.LONGEST_RECEIVER :]
    return receiver, text, count, start - base, end - base


# Parts --------------------------------------------------------------------------------------------


def parts(statements: Sequence[Node], container: str = "") -> Iterator[Part]:
    """The declarations one by one, large classes as their header and the parts of their body."""
    start = -1
    for node in statements:
        if node.type == "enum_body_declarations":
            yield from parts(node.children, container)
        if node.child_count == 0 or node.type == "enum_body_declarations":
            start = node.start_byte if c_like.documents(node) else -1
            continue
        first = node.start_byte if start < 0 else start
        start = -1
        large = node.end_byte - node.start_byte >= c_like.LARGE_CLASS and node.type in CLASSES
        body = node.child_by_field_name("body") if large else None
        name = _name(node)
        if body is None or not name:
            yield Part(node, container, node.end_byte, first)
            continue
        yield Part(node, container, body.start_byte, first)
        yield from parts(body.children, f"{container}.{name}".strip("."))


def piece(part: Part, data: bytes) -> Piece:
    """Everything that one part of the file ``data`` says."""
    node = part.node
    if node.type in ("import_declaration", "package_declaration"):
        return Piece(imports=tuple(_imports(node, part.start)))
    cursor = QueryCursor(QUERY)
    if part.end != node.end_byte:
        cursor.set_byte_range(node.start_byte, part.end)
    captures = cursor.captures(node)
    found = sorted(_definitions(Reading(part, data, captures)), key=c_like.position)
    return Piece(tuple(found), uses=tuple(_uses(captures, data, part.start)))


OPENING = frozenset({"package_declaration", "import_declaration", "block_comment", "line_comment"})


def _doc(statements: Sequence[Node]) -> str:
    return c_like.file_doc(statements, OPENING)


JAVA = Language(
    name="java",
    family="java",
    suffixes=(".java",),
    grammar=GRAMMAR,
    parts=parts,
    piece=piece,
    doc=_doc,
    mend=c_like.mended,
)
