"""A syntax tree to the symbols of one file. Pure, and made of pieces so that typing is cheap.

A file divides into parts (statements, and the members of large classes); each contributes a
:class:`Piece` that depends on nothing but its own subtree. So when a file was read before in an
earlier version, only parts that are new are read: the others are recognised by their bytes and the
size of their subtree. (Not by `Node.id`: tree-sitter rebuilds most statements even far from an
edit, and shares only what is below them.) A part with a syntax error is read every time, because
how tree-sitter recovers depends on the text around it. Tests hold this against a fresh extraction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import tree_sitter

from indexing.languages import DefinitionRow, ImportRow, Language, Part, Piece, UseRow
from indexing.lazy import Lazy
from indexing.symbols import Definition, FileSymbols, Import, Kind, Parameter, Use

KINDS = {kind.value: kind for kind in Kind}


class Placed(NamedTuple):
    """A piece and where its part starts."""

    start: int
    piece: Piece


Origin = tuple[str, str, int, int, bytes]
"""What a piece was read from: node type, container, length and descendants of the node, bytes."""


class Outline(NamedTuple):
    """One version of a file: its tree, its pieces in order, and by what they were read from."""

    tree: tree_sitter.Tree
    placed: tuple[Placed, ...]
    pieces: Mapping[Origin, Piece]
    doc: str


def outline(
    language: Language,
    tree: tree_sitter.Tree,
    data: bytes,
    known: Mapping[Origin, Piece] = MappingProxyType({}),
) -> Outline:
    """Read every part of ``tree``, taking over the pieces that are ``known`` already."""
    statements = tree.root_node.children
    placed: list[Placed] = []
    pieces: dict[Origin, Piece] = {}
    for part in language.parts(statements):
        start, origin = part.start, _origin(part, data)
        if origin is None:
            piece = language.piece(part, data)
        else:
            piece = pieces.get(origin) or known.get(origin) or language.piece(part, data)
            pieces[origin] = piece
        placed.append(Placed(start, piece))
    return Outline(tree, tuple(placed), pieces, language.doc(statements))


def _origin(part: Part, data: bytes) -> Origin | None:
    """What the part is recognised by; ``None`` when its reading depends on the text around it."""
    node = part.node
    if node.has_error:
        return None
    start, end = node.byte_range
    return (
        node.type,
        part.container,
        end - start,
        node.descendant_count,
        data[part.start : part.end],
    )


def definition_rows(placed: Iterable[Placed]) -> Iterator[DefinitionRow]:
    """The definitions of a file with offsets from its start.

    Of an attribute that several places declare or assign, one stands for all: the first with a
    type, else the first that says what it holds (``self.client = None`` says nothing).
    """
    rows = [(place.start, row) for place in placed for row in place.piece.definitions]
    # By number, not by row: two places with the same bytes share one piece.
    chosen: dict[tuple[str, str], int] = {}
    for number, (_, row) in enumerate(rows):
        if row[1] == Kind.ATTRIBUTE:
            before = chosen.setdefault((row[2], row[0]), number)
            if _tells(rows[before][1]) < _tells(row):
                chosen[row[2], row[0]] = number
    for number, (start, row) in enumerate(rows):
        if row[1] != Kind.ATTRIBUTE or chosen[row[2], row[0]] == number:
            yield shifted_definition(row, start)


def _tells(row: DefinitionRow) -> int:
    """How much a place says of an attribute: its type, a value, or nothing."""
    if row[9] is not None:
        return 2
    return int(row[10] not in (None, "None", "null", "undefined"))


def import_rows(placed: Iterable[Placed]) -> Iterator[ImportRow]:
    """The imports of a file with offsets from its start."""
    for place in placed:
        for row in place.piece.imports:
            yield shifted_import(row, place.start)


def extract(language: Language, tree: tree_sitter.Tree, data: bytes) -> FileSymbols:
    """The symbols of one file, from its tree and its normalised UTF-8 bytes."""
    return symbols(outline(language, tree, data))


def symbols(source: Outline) -> FileSymbols:
    """The pieces of an outline as one value, with offsets from the start of the file."""
    placed = source.placed
    return FileSymbols(
        definitions=tuple(definition(row) for row in definition_rows(placed)),
        imports=tuple(imported(row) for row in import_rows(placed)),
        uses=Lazy(lambda: _uses(placed)),
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


def definition(row: DefinitionRow) -> Definition:
    """The definition that a row (also one read back from JSON) describes."""
    return Definition(
        row[0],
        KINDS[row[1]],
        row[2],
        (row[3], row[4]),
        (row[5], row[6]),
        tuple(Parameter(*parameter) for parameter in row[7]),
        row[8],
        row[9],
        row[10],
        tuple(row[11]),
        tuple(row[12]),
        row[13],
    )


def imported(row: ImportRow) -> Import:
    """The import that a row describes."""
    module, name, alias, level, start, end, scope, guarded = row
    return Import(module, name, alias, level, (start, end), scope, guarded)


def use(row: UseRow, base: int = 0) -> Use:
    """The use that a row describes, ``base`` bytes further on."""
    receiver, name, arguments, start, end = row
    return Use(receiver, name, arguments, (start + base, end + base))
