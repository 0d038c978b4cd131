"""Python files as Python itself parses them, with byte offsets."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file's syntax tree and the byte offset of each of its lines."""

    tree: ast.Module
    starts: Sequence[int]

    def span(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        """Where a node starts and ends, in bytes."""
        end_line, end_column = node.end_lineno, node.end_col_offset
        assert end_line is not None, "a parsed file's nodes have ends"
        assert end_column is not None, "a parsed file's nodes have ends"
        first = self.starts[node.lineno - 1] + node.col_offset
        return first, self.starts[end_line - 1] + end_column


def parsed(data: bytes) -> Parsed | None:
    """Parse a file; None where its syntax is broken. Warnings about it are nobody's here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(data)
        except (SyntaxError, ValueError):
            return None
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return Parsed(tree, starts)
