"""AST types as labels: what the type head learns to predict for the next token.

The type of a token is the role of the tree-sitter leaf it starts in: for a named leaf its
parent's type and its field or own type (``call.function``, ``attribute.attribute``), for
punctuation and keywords the leaf itself. Labels come from a parse of the whole file, since nobody
reads them at inference; ``completion/model/types.py`` says why inputs may not.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import tree_sitter_python
from tree_sitter import Language, Node, Parser, Tree

OTHER, END_OF_MIDDLE = "other", "end"
NEWLINES = ("newline same", "newline in", "newline out")
FIXED = (OTHER, END_OF_MIDDLE, *NEWLINES)
MAX_TYPES = 128

PYTHON = Language(tree_sitter_python.language())
_LINE_BREAK = re.compile(rb"[\r\n]\s*")


@dataclass(frozen=True, slots=True)
class Leaves:
    """The leaves of one file in order: where each starts (bytes), and its role."""

    source: bytes
    begins: list[int]
    roles: list[str]

    def role_at(self, offset: int) -> str:
        """The role of the leaf that ``offset`` lies in; between leaves, the one before."""
        if self.source[offset : offset + 1] in (b"\r", b"\n"):
            index = bisect_right(self.begins, offset) - 1
            if index < 0 or self.roles[index] != "string_content":
                return _newline_role(self.source, offset)
        return self.roles[max(bisect_right(self.begins, offset) - 1, 0)] if self.roles else OTHER


def parse(source: bytes) -> Tree:
    """The tree-sitter tree of a Python file."""
    return Parser(PYTHON).parse(source)


def leaves(source: bytes, tree: Tree) -> Leaves:
    """Walk the tree once, left to right."""
    begins, roles = [], []
    cursor = tree.walk()
    while True:
        if cursor.goto_first_child():
            continue
        node = cursor.node
        assert node is not None
        begins.append(node.start_byte)
        roles.append(_role(node, cursor.field_name))
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return Leaves(source, begins, roles)


def choose_types(files: Iterable[Leaves]) -> tuple[str, ...]:
    """The names of the types, most frequent first behind the fixed ones."""
    counts = Counter(role for file in files for role in file.roles)
    common = (role for role, _ in counts.most_common() if role not in FIXED)
    return (*FIXED, *(role for role, _ in zip(common, range(MAX_TYPES - len(FIXED)), strict=False)))


def label_ids(types: Sequence[str]) -> dict[str, int]:
    """Role to label; look unknown roles up as ``OTHER``."""
    return {name: index for index, name in enumerate(types)}


def _role(node: Node, field: str | None) -> str:
    if not node.is_named or node.type in ("comment", "string_content", "escape_sequence"):
        return node.type
    parent = node.parent
    if parent is None:
        return node.type
    return f"{parent.type}.{field or node.type}"


def _newline_role(source: bytes, offset: int) -> str:
    """Whether the next line is indented as this one, more or less."""
    line = source[max(source.rfind(b"\n", 0, offset), source.rfind(b"\r", 0, offset)) + 1 : offset]
    match = _LINE_BREAK.match(source, offset)
    assert match is not None
    blank = match.group()
    following = len(blank) - max(blank.rfind(b"\n"), blank.rfind(b"\r")) - 1
    indent = len(line) - len(line.lstrip())
    return NEWLINES[(following > indent) - (following < indent)]
