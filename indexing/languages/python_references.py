"""Python: what a statement refers to: imports, uses, and what it adds to ``__all__``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import itemgetter

from tree_sitter import Node

from indexing.languages import ImportRow, UseRow, nodes
from indexing.languages.nodes import Captures

IMPORTS = ("import_statement", "import_from_statement", "future_import_statement")

LONGEST_RECEIVER = 80
"""Characters kept of a receiver, from its end: its last part is what says what it is."""

LONGEST_ATTRIBUTE = 400
"""Bytes of an attribute use in which its name and what is kept of its receiver are found."""

Where = tuple[int, int, str, bool]


def _guards(captures: Captures) -> list[tuple[int, int]]:
    """Spans of ``try`` statements and of ``if TYPE_CHECKING``."""
    spans = [node.byte_range for node in captures.get("try", ())]
    for node in captures.get("if", ()):
        condition = node.child_by_field_name("condition")
        if condition is not None and (condition.text or b"").endswith(b"TYPE_CHECKING"):
            spans.append(node.byte_range)
    return spans


def imports(captures: Captures, container: Callable[[int], str], base: int) -> Iterator[ImportRow]:
    """Every name bound by an import; ``container`` maps an offset to the scope around it."""
    statements = captures.get("import", ())
    guards = _guards(captures) if statements else []
    for node in sorted(statements, key=nodes.start):
        start = node.start_byte
        guarded = any(left <= start < right for left, right in guards)
        yield from import_statement(node, container(start), base, guarded=guarded)


def import_statement(
    node: Node, scope: str, base: int, *, guarded: bool = False
) -> Iterator[ImportRow]:
    """The names that one import statement binds, with offsets from ``base``."""
    where = (node.start_byte - base, node.end_byte - base, scope, guarded)
    if node.type == "import_statement":
        yield from _plain_import(node, where)
    else:
        yield from _from_import(node, where)


def _dotted(node: Node) -> str:
    """A dotted name as written, without the blanks that Python allows around the dots."""
    return "".join(nodes.text(node).split())


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
            yield _dotted(name), nodes.text(alias)


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


def uses(captures: Captures, data: bytes, base: int) -> list[UseRow]:
    """Attribute uses and calls by name, in the order of their last byte, counted from ``base``."""
    arguments = sorted(captures.get("arguments", ()), key=nodes.start)
    callees = sorted(captures.get("callee", ()), key=nodes.end)
    counts = {
        callee.end_byte: _argument_count(node, data)
        for callee, node in zip(callees, arguments, strict=True)
    }
    rows: list[UseRow] = []
    for node in captures.get("attribute", ()):
        start, end = node.byte_range
        # Only the end of a long chain is looked at: every link of it comes by here.
        written = data[max(start, end - LONGEST_ATTRIBUTE) : end].decode("utf-8", "replace")
        receiver, _, name = written.rpartition(".")
        if not name.isidentifier():
            receiver, name = _spelled_out(node)
        rows.append(
            (
                receiver[-LONGEST_RECEIVER:].rstrip(),
                name,
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


_last_byte = itemgetter(4)


def _spelled_out(node: Node) -> tuple[str, str]:
    """Receiver and name where blanks or comments surround the dot."""
    receiver = node.child_by_field_name("object")
    name = node.child_by_field_name("attribute")
    return nodes.text(receiver) if receiver else "", nodes.text(name) if name else ""


def _strings(node: Node | None) -> tuple[str, ...] | None:
    """The strings of a literal list or tuple; ``None`` when it holds anything else."""
    if node is None or node.type not in ("list", "tuple"):
        return None
    found: list[str] = []
    for child in node.named_children:
        if child.type == "comment":
            continue
        text = nodes.text(child)
        if child.type != "string" or text[:1] not in "'\"":
            return None
        found.append(text.strip("'\""))
    return tuple(found)


def exports(
    captures: Captures, container: Callable[[int], str], data: bytes
) -> tuple[tuple[str, ...] | None, bool]:
    """What the statement adds to ``__all__``, and whether it changes it unreadably."""
    found: tuple[str, ...] | None = None
    unknown = False
    for node in (*captures.get("assignment", ()), *captures.get("augmented", ())):
        if not data.startswith(b"__all__", node.start_byte) or container(node.start_byte):
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
