"""Reading syntax nodes, for any language: small helpers over tree-sitter's `Node`."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter

from tree_sitter import Node

Captures = Mapping[str, list[Node]]

LONGEST_EXPRESSION = 120
"""Characters kept of an expression: enough to show and to resolve, bounded for generated code."""


# Sort keys: the node's first byte, and one past its last.
start = attrgetter("start_byte")
end = attrgetter("end_byte")


def text(node: Node) -> str:
    """The node's source."""
    return (node.text or b"").decode("utf-8", "replace")


def brief(node: Node | None, limit: int = LONGEST_EXPRESSION) -> str | None:
    """The node's source on one line, cut at ``limit`` characters."""
    if node is None:
        return None
    found = (node.text or b"")[: 8 * limit].decode("utf-8", "replace")
    if "\n" in found or "  " in found:
        found = " ".join(found.split())
    return found[:limit]
