"""What the truth is in a parse of the whole file: only to group items, never to complete them."""

from __future__ import annotations

import ast
from enum import StrEnum
from functools import cache

import tree_sitter
import tree_sitter_python

from completion.lexeme import LINE_ENDS
from evaluation.codefill.lexing import Lexeme, width
from evaluation.syntax import Parsed


class Leaf(StrEnum):
    """The paper's leaves: what is called is a function's name, whatever stands before it."""

    ATTRIBUTE = "attribute"
    NAME = "name"
    FUNCTION = "function name"
    NUMBER = "number"


def leaves(parsed: Parsed) -> dict[int, Leaf]:
    """The leaves of a file by the byte that they begin at."""
    found: dict[int, Leaf] = {}
    called: set[int] = set()
    for node in ast.walk(parsed.tree):
        if isinstance(node, ast.Attribute):
            _, end = parsed.span(node)
            found[end - len(node.attr.encode())] = Leaf.ATTRIBUTE
        elif isinstance(node, ast.Name):
            found[parsed.span(node)[0]] = Leaf.NAME
        elif isinstance(node, ast.Constant) and type(node.value) in (int, float, complex):
            found[parsed.span(node)[0]] = Leaf.NUMBER
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
            callee = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            called.add(parsed.span(node.func)[1] - len(callee.encode()))
    return found | dict.fromkeys(called, Leaf.FUNCTION)


class Roles:
    """The AST type of what begins at a byte, by the names that the type head predicts.

    As ``training/labels.py`` labels tokens: a named leaf is its parent's type and its field or own
    type, another is itself; a line break says how the next line is indented.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._root = _parser().parse(data).root_node

    def of(self, lexeme: Lexeme) -> str:
        """The role of a lexeme of the file."""
        if lexeme.text[:1] == b"\n":
            return self._line_break(lexeme)
        node = self._root.descendant_for_byte_range(lexeme.begin, lexeme.begin + 1)
        while node is not None and node.children:
            node = node.children[0]
        if node is None:
            return ""
        named = node.is_named and node.type not in ("comment", "string_content", "escape_sequence")
        if not named or node.parent is None:
            return node.type
        return f"{node.parent.type}.{_field(node, node.parent) or node.type}"

    def _line_break(self, lexeme: Lexeme) -> str:
        begin = max(self._data.rfind(mark, 0, lexeme.begin) for mark in LINE_ENDS) + 1
        line = self._data[begin : lexeme.begin]
        before = width(line[: len(line) - len(line.lstrip())])
        after = width(lexeme.text[1:])
        return f"newline {'in' if after > before else 'out' if after < before else 'same'}"


def _field(node: tree_sitter.Node, parent: tree_sitter.Node) -> str | None:
    for index, child in enumerate(parent.children):
        if child == node:
            return parent.field_name_for_child(index)
    return None


@cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language()))
