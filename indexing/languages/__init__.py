"""The languages Lancefill reads: one :class:`Language` value each.

A language is what the rest of `indexing` needs to know about it and nothing more: which files it
owns, its grammar, how a file divides into parts, and a pure function from a part to a
:class:`Piece`. Adding one means a module beside this file, a query under ``queries/``, and an entry
in :func:`languages`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import tree_sitter

DefinitionRow = tuple[
    str,  # name
    str,  # kind
    str,  # container
    int,  # start
    int,  # end
    int,  # start of the name
    int,  # end of the name
    tuple[tuple[str, str | None, str | None, str], ...],  # parameters, fields in order
    str | None,  # returns
    str | None,  # annotation
    str | None,  # value
    tuple[str, ...],  # bases
    tuple[str, ...],  # decorators
    str,  # doc
]
"""A :class:`indexing.symbols.Definition` as a plain tuple; offsets count from the part."""

ImportRow = tuple[str, str | None, str, int, int, int, str, bool]
"""module, name, alias, level, start, end, scope, guarded; offsets count from the part."""

UseRow = tuple[str, str, int, int, int]
"""receiver, name, arguments, start, end; offsets count from the part."""


class Part(NamedTuple):
    """A stretch of a file that is read on its own: a statement, or a piece of a large one.

    ``container`` is the dotted path of the definitions around it. Only the bytes of ``node`` before
    ``end`` belong to the part; what follows (a class body) is divided further. ``start`` is the
    first byte: that of ``node``, or of the documentation before it.
    """

    node: tree_sitter.Node
    container: str
    end: int
    start: int


class Piece(NamedTuple):
    """What one part contributes.

    Offsets count from the part's start, so a piece stays valid when text before it changes.
    ``exports`` holds what the part adds to ``__all__`` (``None`` when it does not mention it);
    ``exports_unknown`` says that it changes ``__all__`` in a way that cannot be read off.
    """

    definitions: tuple[DefinitionRow, ...] = ()
    imports: tuple[ImportRow, ...] = ()
    uses: tuple[UseRow, ...] = ()
    exports: tuple[str, ...] | None = None
    exports_unknown: bool = False


def _as_it_is(data: bytes) -> bytes:
    return data


@dataclass(frozen=True, slots=True)
class Language:
    """One programming language.

    Files of one ``family`` can import each other; names of another family mean nothing in them.
    ``parts`` divides the children of the root node, ``piece`` reads one part of the file's bytes,
    ``doc`` maps those children to the first paragraph of the file's own documentation. A piece may
    depend on nothing but the bytes of its part and the container's name. ``mend`` replaces what is
    half written and would damage the tree far from it, byte for byte.
    """

    name: str
    family: str
    suffixes: tuple[str, ...]
    grammar: tree_sitter.Language
    parts: Callable[[Sequence[tree_sitter.Node]], Iterator[Part]]
    piece: Callable[[Part, bytes], Piece]
    doc: Callable[[Sequence[tree_sitter.Node]], str]
    mend: Callable[[bytes], bytes] = _as_it_is


def query(grammar: tree_sitter.Language, name: str) -> tree_sitter.Query:
    """Load ``queries/<name>.scm``; several, separated by ``+``, one after the other."""
    folder = Path(__file__).with_name("queries")
    sources = [(folder / f"{each}.scm").read_text("utf-8") for each in name.split("+")]
    return tree_sitter.Query(grammar, "\n".join(sources))


@cache
def languages() -> dict[str, Language]:
    """Every language by file suffix."""
    from indexing.languages.java import JAVA
    from indexing.languages.javascript import JAVASCRIPT, TSX, TYPESCRIPT
    from indexing.languages.python import PYTHON

    known = (PYTHON, JAVA, JAVASCRIPT, TYPESCRIPT, TSX)
    return {suffix: language for language in known for suffix in language.suffixes}


def language_of(path: str) -> Language | None:
    """The language that owns ``path``, by its suffix, or ``None``."""
    _, dot, suffix = path.rpartition(".")
    return languages().get(dot + suffix)


def family_of(path: str) -> str:
    """The family of the language that owns ``path``; empty where there is none."""
    language = language_of(path)
    return language.family if language else ""
