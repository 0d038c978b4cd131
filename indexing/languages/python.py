"""Python: from a top-level statement to the definitions, imports and uses in it."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import tree_sitter
import tree_sitter_python
from tree_sitter import Node, QueryCursor

from indexing.languages import DefinitionRow, ImportRow, Language, Piece, UseRow, query
from indexing.symbols import Kind

GRAMMAR = tree_sitter.Language(tree_sitter_python.language())
QUERY = query(GRAMMAR, "python")

Captures = Mapping[str, list[Node]]
Decorated = tuple[dict[int, tuple[str, ...]], dict[int, int]]
ParameterRow = tuple[str, str | None, str | None, str]

# Longest texts kept, in characters: enough to show and to resolve, bounded for generated code.
LONGEST_EXPRESSION = 120
LONGEST_DEFAULT = 60
LONGEST_RECEIVER = 80
LONGEST_DOC = 400

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
    """The scopes of one statement, for finding the innermost one around an offset."""

    def __init__(self, captures: Captures, decorators: Mapping[int, tuple[str, ...]]) -> None:
        nodes = [*captures.get("function", ()), *captures.get("class", ())]
        self.nodes = sorted(nodes, key=_start)
        self.scopes: list[Scope] = []
        self.starts: list[int] = []
        for node in self.nodes:
            parent = self._index(node.start_byte)
            outer = self.scopes[parent] if parent >= 0 else None
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
        return self.scopes[index] if index >= 0 else None

    def container(self, offset: int) -> str:
        """Dotted path of the innermost scope around ``offset``."""
        scope = self.at(offset)
        return scope.qualname if scope else ""


def _start(node: Node) -> int:
    return node.start_byte


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "replace")


def _brief(node: Node | None, limit: int = LONGEST_EXPRESSION) -> str | None:
    """The node's source on one line, cut at ``limit`` characters."""
    if node is None:
        return None
    text = (node.text or b"")[: 8 * limit].decode("utf-8", "replace")
    if "\n" in text or "  " in text:
        text = " ".join(text.split())
    return text[:limit]


def _scope(node: Node, index: int, outer: Scope | None, decorators: tuple[str, ...]) -> Scope:
    start, end = node.byte_range
    name_node = node.child_by_field_name("name")
    name = _text(name_node) if name_node else ""
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
        texts[key] = tuple(_brief(child) or "" for child in found if child is not None)
        starts[key] = node.start_byte
    return texts, starts


def _docstring(statements: Sequence[Node]) -> str:
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
    return _docstring(body.named_children) if body is not None else ""


def _parameter(node: Node) -> ParameterRow | None:
    kind = node.type
    if kind == "identifier":
        return (_text(node), None, None, "")
    if kind in ("default_parameter", "typed_default_parameter"):
        name = node.child_by_field_name("name")
        annotation = _brief(node.child_by_field_name("type"))
        default = _brief(node.child_by_field_name("value"), LONGEST_DEFAULT)
        return (_text(name) if name else "", annotation, default, "")
    if kind == "typed_parameter":
        inner = _parameter(node.named_child(0)) if node.named_child_count else None
        annotation = _brief(node.child_by_field_name("type"))
        return (inner[0], annotation, None, inner[3]) if inner else None
    if kind in ("list_splat_pattern", "dictionary_splat_pattern"):
        stars = "*" if kind == "list_splat_pattern" else "**"
        return (_text(node)[len(stars) :].strip(), None, None, stars)
    if kind in ("keyword_separator", "positional_separator"):
        return (_text(node), None, None, "")
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
    found = (_brief(child) for child in arguments.named_children if child.type not in skipped)
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


def _definitions(scopes: Scopes, decorated: Decorated) -> list[DefinitionRow]:
    rows: list[DefinitionRow] = []
    texts, starts = decorated
    for node, scope in zip(scopes.nodes, scopes.scopes, strict=True):
        name = node.child_by_field_name("name")
        if name is None or name.is_missing:
            continue
        decorators = texts.get(scope.start, ())
        parent = scopes.scopes[scope.parent] if scope.parent >= 0 else None
        kind = Kind.CLASS if scope.is_class else _function_kind(decorators, parent)
        if kind is None:
            continue
        rows.append(
            (
                _text(name),
                kind.value,
                parent.qualname if parent else "",
                starts.get(scope.start, scope.start),
                scope.end,
                name.start_byte,
                name.end_byte,
                () if scope.is_class else _parameters(node),
                None if scope.is_class else _brief(node.child_by_field_name("return_type")),
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


def _bindings(captures: Captures, scopes: Scopes, data: bytes) -> Iterator[DefinitionRow]:
    """Module variables, class attributes and attributes on ``self``; locals are left out."""
    seen: set[tuple[str, str]] = set()
    for node in sorted(captures.get("assignment", ()), key=_start):
        scope = scopes.at(node.start_byte)
        in_function = scope is not None and not scope.is_class
        if in_function and not _on_receiver(scope, node, data):
            continue
        left = node.child_by_field_name("left")
        targets = list(_targets(left)) if left is not None else []
        for target in targets:
            row = _binding(node, target, scope, len(targets) == 1)
            if row is None:
                continue
            if in_function:  # every method may set it: the first one stands for all
                key = (row[2], row[0])
                if key in seen:
                    continue
                seen.add(key)
            yield row


def _on_receiver(scope: Scope | None, node: Node, data: bytes) -> bool:
    """Whether an assignment inside a method can set an attribute of the instance."""
    if scope is None or not scope.receiver:
        return False
    return data.startswith((scope.receiver, b"("), node.start_byte) or (
        b"," in data[node.start_byte : node.start_byte + 40]
        and scope.receiver in data[node.start_byte : node.end_byte]
    )


def _binding(node: Node, target: Node, scope: Scope | None, alone: bool) -> DefinitionRow | None:
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
    text = _text(name)
    return (
        text,
        _variable_kind(text, scope),
        (scope.owner if in_function else scope.qualname) if scope else "",
        node.start_byte,
        node.end_byte,
        name.start_byte,
        name.end_byte,
        (),
        None,
        _brief(node.child_by_field_name("type")) if alone else None,
        _brief(node.child_by_field_name("right")) if alone else None,
        (),
        (),
        "",
    )


def _variable_kind(name: str, scope: Scope | None) -> str:
    if scope is not None:
        return Kind.ATTRIBUTE.value
    return (Kind.CONSTANT if name.isupper() else Kind.VARIABLE).value


def _type_aliases(captures: Captures, scopes: Scopes) -> Iterator[DefinitionRow]:
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
        yield (
            _text(name), _variable_kind(_text(name), scope), scope.qualname if scope else "",
            node.start_byte, node.end_byte, start, end,
            (), None, "TypeAlias", _brief(right), (), (), "",
        )  # fmt: skip


def _guards(captures: Captures) -> list[tuple[int, int]]:
    """Spans of ``try`` statements and of ``if TYPE_CHECKING``."""
    spans = [node.byte_range for node in captures.get("try", ())]
    for node in captures.get("if", ()):
        condition = node.child_by_field_name("condition")
        if condition is not None and (condition.text or b"").endswith(b"TYPE_CHECKING"):
            spans.append(node.byte_range)
    return spans


def _imports(captures: Captures, scopes: Scopes) -> Iterator[ImportRow]:
    nodes = captures.get("import", ())
    guards = _guards(captures) if nodes else []
    for node in sorted(nodes, key=_start):
        start, end = node.byte_range
        guarded = any(left <= start < right for left, right in guards)
        where = (start, end, scopes.container(start), guarded)
        if node.type == "import_statement":
            yield from _plain_import(node, where)
        else:
            yield from _from_import(node, where)


Where = tuple[int, int, str, bool]


def _dotted(node: Node) -> str:
    """A dotted name as written, without the blanks that Python allows around the dots."""
    return "".join(_text(node).split())


def _imported(node: Node) -> Iterator[tuple[str, str | None]]:
    """``(name, alias)`` for every name that an import statement lists."""
    for child in node.children_by_field_name("name"):
        if child.is_missing:
            continue
        if child.type != "aliased_import":
            yield _dotted(child), None
            continue
        name, alias = child.child_by_field_name("name"), child.child_by_field_name("alias")
        if name is not None and alias is not None:
            yield _dotted(name), _text(alias)


def _plain_import(node: Node, where: Where) -> Iterator[ImportRow]:
    for name, alias in _imported(node):
        yield (name, None, alias or name.partition(".")[0], 0, *where)


def _from_import(node: Node, where: Where) -> Iterator[ImportRow]:
    module, level = "__future__", 0
    if node.type == "import_from_statement":
        source = node.child_by_field_name("module_name")
        if source is None:
            return
        written = _dotted(source)
        module = written.lstrip(".")
        level = len(written) - len(module)
    if any(child.type == "wildcard_import" for child in node.children):
        yield (module, "*", "*", level, *where)
    for name, alias in _imported(node):
        yield (module, name, alias or name, level, *where)


def _argument_count(arguments: Node, data: bytes) -> int:
    if arguments.type != "argument_list":
        return 1  # a bare generator expression
    count = arguments.named_child_count
    if count and b"#" in data[arguments.start_byte : arguments.end_byte]:
        count -= sum(child.type == "comment" for child in arguments.named_children)
    return count


def _uses(captures: Captures, data: bytes, base: int) -> list[UseRow]:
    """Attribute uses and calls by name, in the order of their last byte."""
    arguments = sorted(captures.get("arguments", ()), key=_start)
    callees = sorted(captures.get("callee", ()), key=_end)
    counts = {
        callee.end_byte: _argument_count(node, data)
        for callee, node in zip(callees, arguments, strict=True)
    }
    rows: list[UseRow] = []
    for node in captures.get("attribute", ()):
        start, end = node.byte_range
        receiver, dot, name = data[start:end].rpartition(b".")
        if not dot or not (name.isalnum() or _is_name(name)):
            receiver, name = _spelled_out(node)
        rows.append(
            (
                _cut(receiver.rstrip().decode("utf-8", "replace")),
                name.decode("utf-8", "replace"),
                counts.get(end, -1),
                start - base,
                end - base,
            )
        )
    for node in callees:
        if node.type == "identifier":
            start, end = node.byte_range
            callee = data[start:end].decode("utf-8", "replace")
            rows.append(("", callee, counts[end], start - base, end - base))
    rows.sort(key=_last_byte)
    return rows


def _end(node: Node) -> int:
    return node.end_byte


def _last_byte(row: UseRow) -> int:
    return row[4]


def _is_name(name: bytes) -> bool:
    return name.decode("utf-8", "replace").isidentifier()


def _spelled_out(node: Node) -> tuple[bytes, bytes]:
    """Receiver and name where blanks or comments surround the dot."""
    receiver = node.child_by_field_name("object")
    name = node.child_by_field_name("attribute")
    return (receiver.text or b"" if receiver else b""), (name.text or b"" if name else b"")


def _cut(receiver: str) -> str:
    """The end of a long receiver: its last part is what says what it is."""
    return receiver if len(receiver) <= LONGEST_RECEIVER else receiver[-LONGEST_RECEIVER:]


def _strings(node: Node | None) -> tuple[str, ...] | None:
    """The strings of a literal list or tuple; ``None`` when it holds anything else."""
    if node is None or node.type not in ("list", "tuple"):
        return None
    found: list[str] = []
    for child in node.named_children:
        if child.type == "comment":
            continue
        text = _text(child)
        if child.type != "string" or text[:1] not in "'\"":
            return None
        found.append(text.strip("'\""))
    return tuple(found)


def _exports(
    captures: Captures, scopes: Scopes, data: bytes
) -> tuple[tuple[str, ...] | None, bool]:
    """What the statement adds to ``__all__``, and whether it changes it unreadably."""
    found: tuple[str, ...] | None = None
    unknown = False
    for node in (*captures.get("assignment", ()), *captures.get("augmented", ())):
        if not data.startswith(b"__all__", node.start_byte) or scopes.at(node.start_byte):
            continue
        left = node.child_by_field_name("left")
        if left is None or left.type != "identifier":
            continue
        names = _strings(node.child_by_field_name("right"))
        unknown = unknown or names is None
        found = (found or ()) + (names or ())
    for node in captures.get("callee", ()):
        if data.startswith(b"__all__.", node.start_byte):
            unknown = True
    return found, unknown


def statement(node: Node, data: bytes) -> Piece:
    """Everything that the top-level statement ``node`` of the file ``data`` says."""
    captures = QueryCursor(QUERY).captures(node)
    decorated = _decorators(captures)
    scopes = Scopes(captures, decorated[0])
    definitions = _definitions(scopes, decorated)
    definitions += _bindings(captures, scopes, data)
    definitions += _type_aliases(captures, scopes)
    base = node.start_byte
    exports, unknown = _exports(captures, scopes, data)
    return Piece(
        tuple(_relative(row, base) for row in sorted(definitions, key=_position)),
        tuple(
            (*row[:4], row[4] - base, row[5] - base, *row[6:]) for row in _imports(captures, scopes)
        ),
        tuple(_uses(captures, data, base)),
        exports,
        unknown,
    )


def _position(row: DefinitionRow) -> tuple[int, int]:
    return row[3], row[5]


def _relative(row: DefinitionRow, base: int) -> DefinitionRow:
    return (*row[:3], row[3] - base, row[4] - base, row[5] - base, row[6] - base, *row[7:])


PYTHON = Language(
    name="python",
    suffixes=(".py", ".pyi"),
    grammar=GRAMMAR,
    statement=statement,
    doc=_docstring,
)
