"""A syntax tree to the symbols of one file. Pure, and made of pieces so that typing is cheap.

A file is a list of top-level statements; each contributes a :class:`Piece` that depends on nothing
but its own subtree. After an edit tree-sitter shares the subtrees that did not change between the
old tree and the new one (the same `Node.id`), so their pieces are taken over as they are and only
the touched statements are read again. Tests hold this against a fresh extraction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import tree_sitter

from indexing.languages import DefinitionRow, ImportRow, Language, Piece, UseRow
from indexing.symbols import Definition, FileSymbols, Import, Kind, Parameter, Use, Uses

KINDS = {kind.value: kind for kind in Kind}


class Placed(NamedTuple):
    """A piece, where its statement starts, and which subtree it was read from."""

    start: int
    node: int
    piece: Piece


class Outline(NamedTuple):
    """The pieces of one file in order. ``tree`` keeps the node ids of ``placed`` alive."""

    tree: tree_sitter.Tree
    placed: tuple[Placed, ...]
    doc: str


def outline(
    language: Language, tree: tree_sitter.Tree, data: bytes, previous: Outline | None = None
) -> Outline:
    """Read every statement of ``tree``, taking over the pieces that ``previous`` already has."""
    known = {place.node: place.piece for place in previous.placed} if previous else {}
    statements = tree.root_node.children
    placed: list[Placed] = []
    for node in statements:
        if node.child_count == 0:
            continue  # a comment or a stray token says nothing
        identity = node.id
        piece = known.get(identity)
        if piece is None:
            piece = language.statement(node, data)
        placed.append(Placed(node.start_byte, identity, piece))
    return Outline(tree, tuple(placed), language.doc(statements))


def extract(language: Language, tree: tree_sitter.Tree, data: bytes) -> FileSymbols:
    """The symbols of one file, from its tree and its normalised UTF-8 bytes."""
    return symbols(outline(language, tree, data))


def symbols(source: Outline) -> FileSymbols:
    """The pieces of an outline as one value, with offsets from the start of the file."""
    placed = source.placed
    return FileSymbols(
        definitions=tuple(
            definition(row, place.start) for place in placed for row in place.piece.definitions
        ),
        imports=tuple(
            imported(row, place.start) for place in placed for row in place.piece.imports
        ),
        uses=Uses(lambda: _uses(placed)),
        exports=exports(placed),
        doc=source.doc,
    )


def _uses(placed: Sequence[Placed]) -> tuple[Use, ...]:
    return tuple(use(row, place.start) for place in placed for row in place.piece.uses)


def exports(placed: Iterable[Placed]) -> tuple[str, ...] | None:
    """``__all__`` from the statements that add to it; ``None`` if any of them is unreadable."""
    found: tuple[str, ...] | None = None
    for place in placed:
        if place.piece.exports_unknown:
            return None
        if place.piece.exports is not None:
            found = (found or ()) + place.piece.exports
    return found


def shifted_definition(row: DefinitionRow, base: int) -> DefinitionRow:
    """The same row with offsets ``base`` bytes further on."""
    return (*row[:3], row[3] + base, row[4] + base, row[5] + base, row[6] + base, *row[7:])


def shifted_import(row: ImportRow, base: int) -> ImportRow:
    """The same row with offsets ``base`` bytes further on."""
    return (*row[:4], row[4] + base, row[5] + base, *row[6:])


def definition(row: DefinitionRow, base: int = 0) -> Definition:
    """The definition that a row describes, ``base`` bytes further on."""
    return Definition(
        row[0],
        KINDS[row[1]],
        row[2],
        (row[3] + base, row[4] + base),
        (row[5] + base, row[6] + base),
        tuple(Parameter(*parameter) for parameter in row[7]),
        row[8],
        row[9],
        row[10],
        tuple(row[11]),
        tuple(row[12]),
        row[13],
    )


def imported(row: ImportRow, base: int = 0) -> Import:
    """The import that a row describes, ``base`` bytes further on."""
    module, name, alias, level, start, end, scope, guarded = row
    return Import(module, name, alias, level, (start + base, end + base), scope, guarded)


def use(row: UseRow, base: int = 0) -> Use:
    """The use that a row describes, ``base`` bytes further on."""
    receiver, name, arguments, start, end = row
    return Use(receiver, name, arguments, (start + base, end + base))
