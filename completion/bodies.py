"""What a function without a return annotation gives back, read from its source.

The index keeps no bodies, so the few functions that are asked about are parsed here, and remembered
by their bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tree_sitter import Node

from completion.scope import PARSER, Binding, visible
from indexing.index import Snapshot
from indexing.parsing import decoded
from indexing.symbols import Definition

LONGEST_BODY = 12_288
"""Bytes of source up to which a function is read; about a millisecond of parsing."""

MAX_RESULTS = 4
"""At most so many of a function's return statements are looked at, the last ones first."""

_NESTED = frozenset(("function_definition", "class_definition", "lambda"))


@dataclass(frozen=True, slots=True)
class Result:
    """A ``return`` or ``yield`` of a value: its source, what is bound there, whether it yields."""

    expression: str
    bindings: Mapping[str, tuple[Binding, ...]]
    yields: bool


def results(snapshot: Snapshot, path: str, function: Definition) -> tuple[Result, ...]:
    """What the function of the file ``path`` returns, or yields if it yields anything.

    Nothing where the source is too long or cannot be read. A file that changed since it was indexed
    gives what stands at the old offsets, which is seldom a function.
    """
    start, end = function.span
    if end - start > LONGEST_BODY:
        return ()
    text = source(snapshot, path)
    begin = text.rfind(b"def", start, function.name_span[0])
    return () if begin < 0 else _results(text[begin:end])


def unpacked(snapshot: Snapshot, path: str, attribute: Definition) -> Binding | None:
    """The binding of one of several targets: ``self.a, self.b = pair``."""
    start, end = attribute.span
    if end - start > LONGEST_BODY:
        return None
    for name, found in _assigned(source(snapshot, path)[start:end]).items():
        if name.rpartition(".")[2] == attribute.name:
            return found[-1]
    return None


@lru_cache(maxsize=1024)
def _assigned(code: bytes) -> Mapping[str, tuple[Binding, ...]]:
    return visible(PARSER.parse(code).root_node, len(code), 0)


def source(snapshot: Snapshot, path: str) -> bytes:
    """The text of a file, of an open one what its buffer holds; empty where it cannot be read."""
    tree = snapshot.tree(path)
    if tree is not None:
        return tree.root_node.text or b""
    try:
        file = snapshot.root / path
        return _read(file, file.stat().st_mtime_ns)
    except OSError:
        return b""


@lru_cache(maxsize=64)
def _read(file: Path, _mtime_ns: int) -> bytes:
    try:
        return decoded(file.read_bytes())
    except ValueError:
        return b""


@lru_cache(maxsize=1024)
def _results(code: bytes) -> tuple[Result, ...]:
    root = PARSER.parse(code).root_node
    function = root.named_child(0)
    body = function.child_by_field_name("body") if function is not None else None
    if body is None:
        return ()
    found = [_result(node, root) for node in _valued(body)]
    yielded = [each for each in found if each.yields]
    return tuple(reversed((yielded or found)[-MAX_RESULTS:]))


def _valued(node: Node) -> Iterator[Node]:
    """The ``return`` and ``yield`` nodes with a value that belong to this function itself."""
    for child in node.named_children:
        if child.type in ("return_statement", "yield") and child.named_child_count:
            yield child
        elif child.type not in _NESTED:
            yield from _valued(child)


def _result(node: Node, root: Node) -> Result:
    value = node.named_child(0)
    source = value.text.decode("utf-8", "replace") if value is not None and value.text else ""
    before = {
        name: earlier
        for name, each in visible(root, node.start_byte, 0).items()
        if (earlier := tuple(one for one in each if one.offset < node.start_byte))
    }
    return Result(source, before, node.type == "yield")
