"""The prompt of ghost text: the signatures that matter here, and the text around the cursor.

The signatures are LANCE's: what this file imports from the repository, the members of the classes
that its inline variables are tied to, and what the enclosing class inherits.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Tree

from completion.annotations import Role, Scope, Type, own_instance
from completion.candidates import Candidate, members_of, scope_at
from completion.context import Context
from completion.dataflow import of_binding, of_target
from completion.model.prompt import CONTEXT_LINES, format_context
from completion.request import Prompt, Request
from completion.secrets import masked
from completion.signatures import declaration
from indexing.index import Snapshot
from indexing.symbols import Definition, Kind

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
HEADER_BYTES = 1200
PREFIX_BYTES = 3000
SUFFIX_BYTES = 1000
MENTIONED_BYTES = 800
"""How far above the cursor a name counts as mentioned."""

_SHOWN = frozenset((Kind.CLASS, Kind.FUNCTION, Kind.METHOD, Kind.PROPERTY))

MAX_TIED = 6
"""How many inline variables contribute the members of their classes, the latest first."""


def prompt(
    request: Request, context: Context, snapshot: Snapshot, typed: str | None = None
) -> Prompt:
    """The prompt at the cursor; ``typed`` stands in for the identifier that is being typed."""
    text = request.text
    before = text[: context.offset]
    if typed is not None:
        before = text[: context.start] + typed.encode()
    header, sources = _header(request, context, snapshot)
    prefix, suffix = window(before, text[request.offset :], snapshot.tree(request.path))
    return Prompt(header, suffix, prefix, sources)


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a prompt with its line end: its ``part`` and the ``file`` that it came from."""

    part: str
    file: str
    text: str


def lines_of(prompt: Prompt, path: str) -> Iterator[Line]:
    """All of a prompt for the file ``path``, in the order on the wire; their texts make it up."""
    sources = [*reversed(prompt.sources)]
    file = ""
    for text in _LINE.findall(prompt.header):
        if sources and text == f"# {sources[-1]}\n":
            file = sources.pop()
        yield Line("header", file, text)
    for part, whole in (("suffix", prompt.suffix), ("prefix", prompt.prefix)):
        yield from (Line(part, path, text) for text in _LINE.findall(whole))


def window(before: bytes, after: bytes, tree: Tree | None) -> tuple[str, str]:
    """What of the text before and behind the cursor is looked at; ``tree`` is the text's parse."""
    prefix = _last_lines(before, tree).decode("utf-8", "replace")
    return prefix, after[:SUFFIX_BYTES].decode("utf-8", "ignore")


def _last_lines(before: bytes, tree: Tree | None) -> bytes:
    """The last lines of the text before the cursor: whole ones, the first not inside a string.

    Whoever reads the window takes its beginning for code; inside a docstring all its quotes would
    mean the opposite.
    """
    if len(before) <= PREFIX_BYTES:
        return before
    begin = _next_line(before, len(before) - PREFIX_BYTES)
    outside = _string_end(tree, begin)
    if begin < outside <= len(before):
        begin = _next_line(before, outside)
    return before[begin:]


def _next_line(text: bytes, offset: int) -> int:
    """The start of the first line behind ``offset``; the next character where there is none."""
    newline = re.compile(rb"\r\n|\n|\r").search(text, offset)
    if newline:
        return newline.end()
    return len(text) - len(text[offset:].decode("utf-8", "ignore").encode())


def _string_end(tree: Tree | None, offset: int) -> int:
    """Where the string around ``offset`` ends; ``offset`` itself where there is none."""
    node = tree.root_node.descendant_for_byte_range(offset, offset) if tree else None
    end = offset
    while node is not None:
        if node.type == "string" and node.start_byte < offset < node.end_byte:
            end = node.end_byte
        node = node.parent
    return end


def _header(request: Request, context: Context, snapshot: Snapshot) -> tuple[str, tuple[str, ...]]:
    """The most relevant signatures of other files, in file order, and those files."""
    near = request.text[max(0, context.statement - MENTIONED_BYTES) : context.statement]
    mentioned = {word.decode("utf-8", "replace") for word in re.findall(rb"\w+", near)}
    scored: dict[tuple[str, int], tuple[float, Definition]] = {}
    for weight, path, definition in _relevant(request, context, snapshot):
        if path == request.path or definition.kind not in _SHOWN:
            continue
        score = weight + (definition.name in mentioned)
        key = (path, definition.span[0])
        if key not in scored or scored[key][0] < score:
            scored[key] = (score, definition)
    best = sorted(scored, key=lambda key: (-scored[key][0], key))[:CONTEXT_LINES]
    lines = [(path, masked(declaration(scored[path, start][1]))) for path, start in sorted(best)]
    header = format_context(lines)
    while len(header.encode()) > HEADER_BYTES:
        lines.pop()
        header = format_context(lines)
    return header, tuple(dict.fromkeys(path for path, _ in lines))


def _relevant(
    request: Request, context: Context, snapshot: Snapshot
) -> Iterator[tuple[float, str, Definition]]:
    """Weight, path and definition of what could matter at the cursor's statement."""
    scope = scope_at(context, request.path, snapshot)
    for name, tied in _tied(context, scope):
        yield from _class_and_members(name, tied, scope)
    for name, target in snapshot.bindings(request.path).items():
        if target.path in (None, request.path):
            continue
        definition = snapshot.definition(target)
        type_ = of_target(target, scope)
        if definition is not None and definition.kind is not Kind.MODULE:
            yield 0.6, target.path or "", definition
        elif type_ is not None and type_.role is Role.MODULE:
            yield from _used_members(name, type_, scope, 0.3)


def _tied(context: Context, scope: Scope) -> Iterator[tuple[str, Type]]:
    """Inline variables with the repository's class that each is tied to, the latest first."""
    if context.owner and context.self_name:
        yield context.self_name, own_instance(scope)
    earlier = [
        found[-1] for found in context.bindings.values() if found[-1].offset < context.statement
    ]
    earlier.sort(key=lambda binding: -binding.offset)
    for binding in earlier[:MAX_TIED]:
        type_ = of_binding(binding, scope)
        if type_ is not None and type_.local and type_.role is not Role.FUNCTION:
            yield binding.name, type_


def _class_and_members(
    name: str, type_: Type, scope: Scope
) -> Iterator[tuple[float, str, Definition]]:
    definition = scope.snapshot.definition(type_.target)
    if definition is not None and definition.kind is Kind.CLASS:
        yield 1.0, type_.target.path or "", definition
    yield from _used_members(name, type_, scope, 0.5)


def _used_members(
    name: str, type_: Type, scope: Scope, weight: float
) -> Iterator[tuple[float, str, Definition]]:
    """Public members, weighted by how often they follow receivers of this name."""
    after = scope.snapshot.used_after(name)
    for member in members_of(type_, scope):
        if member.definition is not None and _is_shown(member):
            uses = after.get(member.name, 0)
            yield weight * math.log1p(uses) / (1 + member.depth), member.path, member.definition


def _is_shown(member: Candidate) -> bool:
    return member.name == "__init__" or not member.name.startswith("_")
