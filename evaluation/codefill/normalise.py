"""The paper's normalisation, applied to predictions and truth alike when they are compared.

CodeFill reads and writes code in which strings are STRING, numbers NUMBER, what is imported is
LIBRARY, MODULE or ALIAS, and statements end in EOS with INDENT or DEDENT where the next line is
indented otherwise (paper, section on pre-processing). Our models write plain code. So that both can
be compared, `normalise` says what a lexeme would have been in the paper's stream: of a candidate it
depends on the candidate and on what stands before it, never on the truth.

What the paper leaves open is decided thus: the parts of ``a.b`` in ``import a.b`` and ``from a.b
import c`` are LIBRARY, ``c`` is MODULE, and what follows ``as`` is ALIAS; elsewhere in the file the
names that these statements bind or mention are replaced, but for attributes. In an import statement
any name at such a place is the placeholder: the paper's model never sees another.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from completion.lexeme import Kind
from evaluation.codefill.lexing import KEYWORDS, width

LIBRARY, MODULE, ALIAS = "<LIBRARY>", "<MODULE>", "<ALIAS>"
STRING, NUMBER = "<STRING>", "<NUMBER>"
EOS, INDENT, DEDENT = "<EOS>", "<INDENT>", "<DEDENT>"

Word = tuple[bytes, Kind]


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a lexeme stands: the names that the file imports, and how far the blocks around the
    statement are indented, the outermost first.
    """

    names: Mapping[bytes, str]
    blocks: tuple[int, ...] = (0,)


def imported_names(tree: ast.AST) -> dict[bytes, str]:
    """What the paper replaces: imported names, the names of their modules, and aliases."""
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {part: LIBRARY for each in node.names for part in each.name.split(".")}
        elif isinstance(node, ast.ImportFrom):
            names |= dict.fromkeys((node.module or "").split("."), LIBRARY)
            names |= {each.name: MODULE for each in node.names}
        if isinstance(node, ast.Import | ast.ImportFrom):
            names |= {each.asname: ALIAS for each in node.names if each.asname}
    return {name.encode(): kind for name, kind in names.items() if name not in ("", "*")}


def normalise(word: Word, before: Sequence[bytes], scope: Scope) -> str | None:
    """A lexeme in the paper's stream; ``before`` is the statement so far. None: not in the stream.

    Lexemes of which only the kind is known, strings and numbers, may have an empty text.
    """
    text, kind = word
    if kind is Kind.COMMENT:
        return None
    if kind is Kind.BREAK:
        return _line_break(text, scope.blocks)
    if kind is Kind.STRING:
        return STRING
    if kind is Kind.NUMBER:
        return NUMBER
    if kind is Kind.WORD and text not in KEYWORDS:
        return _name(text, before, scope.names)
    return text.decode(errors="replace")


def normalised(words: Iterable[Word], before: Sequence[bytes], scope: Scope) -> list[str]:
    """The lexemes of a statement, one after the other; ``before`` is what stood there already."""
    known, found = list(before), []
    for word in words:
        name = normalise(word, known, scope)
        if name is not None:
            found.append(name)
        known.append(word[0])
    return found


def _name(text: bytes, before: Sequence[bytes], names: Mapping[bytes, str]) -> str:
    if (place := _import_place(before)) is not None:
        return place
    attribute = bool(before) and before[-1] == b"."
    known = None if attribute else names.get(text)
    return known or text.decode(errors="replace")


def _import_place(before: Sequence[bytes]) -> str | None:
    """What a name would be at the end of ``before``, if that is an import statement."""
    if not before or before[0] not in (b"import", b"from"):
        return None
    if before[-1] == b"as":
        return ALIAS
    return MODULE if b"import" in before[1:] else LIBRARY


def _line_break(text: bytes, blocks: Sequence[int]) -> str:
    """The end of a statement, and how the next one is indented against it."""
    indented = width(text[1:])
    if indented > blocks[-1]:
        return EOS + INDENT
    return EOS + DEDENT * sum(indented < block for block in blocks)
