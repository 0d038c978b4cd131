"""The paper's re-ranker: names that the file has declared already are worth more.

Each of the ten best is multiplied by a weight that depends on what it is (after a dot an attribute,
else a function if the file defines it as one, else a variable) and on the nearest scope that
declares it: the function around the cursor, the class, or the file. The scopes are read from the
lexemes before the cursor, which is all that an editor has of a file in the making.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from completion.lexeme import Kind
from evaluation.codefill.lexing import (
    CLOSING,
    KEYWORDS,
    OPENING,
    Lexeme,
    lexemes,
    statements,
    width,
)
from evaluation.codefill.normalise import Word

LIMIT = 10

WEIGHTS = {
    "attribute": {"function": 1.625, "class": 1.250, "file": 1.125},
    "variable": {"function": 1.625, "class": 1.125, "file": 1.500},
    "function": {"function": 1.125, "class": 1.625, "file": 1.500},
}
"""The paper's weights, by what a name is and where it is declared."""


@dataclass(slots=True)
class _Block:
    """A file, class or function that is open at the cursor, and what it declares."""

    scope: str
    indent: int
    names: set[bytes] = field(default_factory=set)
    functions: set[bytes] = field(default_factory=set)
    attributes: set[bytes] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Declared:
    """What is declared before a cursor, by the scopes that are open there, innermost first."""

    blocks: tuple[_Block, ...]

    def weight(self, name: bytes, *, attribute: bool) -> float:
        """What the probability of a name is multiplied by."""
        for block in self.blocks:
            if attribute and name in block.attributes | block.functions:
                return WEIGHTS["attribute"][block.scope]
            if not attribute and name in block.functions:
                return WEIGHTS["function"][block.scope]
            if not attribute and name in block.names:
                return WEIGHTS["variable"][block.scope]
        return 1.0


def declared(text: bytes) -> Declared:
    """Read the declarations of a file up to the cursor at its end."""
    found = lexemes(text)
    blocks = [_Block("file", -1)]
    indent = 0
    for first, end in statements(found):
        statement = found[first:end]
        if not statement:
            continue
        indent = _indent(found, first)
        while blocks[-1].indent >= indent:
            blocks.pop()
        _declare(statement, blocks, indent)
    if found and found[-1].kind is Kind.BREAK:
        indent = width(found[-1].text[1:])
        while blocks[-1].indent >= indent:
            blocks.pop()
    return Declared(tuple(reversed(blocks)))


def reranked(
    found: Sequence[tuple[Word, float]], before: bytes, names: Declared
) -> list[tuple[Word, float]]:
    """The ten best anew, the others behind them; ``before`` is the lexeme before the cursor."""
    weighted = []
    for (text, kind), probability in found[:LIMIT]:
        weight = 1.0
        if kind is Kind.WORD and text not in KEYWORDS:
            weight = names.weight(text, attribute=before == b".")
        weighted.append(((text, kind), weight * probability))
    weighted.sort(key=lambda one: -one[1])
    return [*weighted, *found[LIMIT:]]


def _indent(found: Sequence[Lexeme], first: int) -> int:
    return width(found[first - 1].text[1:]) if first else 0


def _declare(statement: Sequence[Lexeme], blocks: list[_Block], indent: int) -> None:
    words = [one.text for one in statement]
    if words[:1] == [b"async"]:
        words = words[1:]
    here = blocks[-1]
    if words[:1] == [b"def"] and len(words) > 1:
        here.functions.add(words[1])
        blocks.append(_Block("function", indent, names=set(_parameters(words[2:]))))
    elif words[:1] == [b"class"] and len(words) > 1:
        here.functions.add(words[1])
        blocks.append(_Block("class", indent))
    elif words[:1] in ([b"import"], [b"from"]):
        here.names.update(_imported(words))
    else:
        here.names.update(_bound(words))
        owner = next((one for one in reversed(blocks) if one.scope == "class"), here)
        for block in (here, owner):
            block.attributes.update(_attributes(words))


def _parameters(words: Sequence[bytes]) -> Iterator[bytes]:
    """Names right behind the opening bracket, a comma or a star of a head's own brackets."""
    depth = 0
    for before, word in pairwise(words):
        depth += (before in OPENING) - (before in CLOSING)
        if depth == 1 and before in (b"(", b",", b"*", b"**") and _is_name(word):
            yield word


def _imported(words: Sequence[bytes]) -> Iterator[bytes]:
    at = words.index(b"import") if b"import" in words else len(words)
    for word, behind in pairwise([*words[at + 1 :], b""]):
        if _is_name(word) and behind != b"as":
            yield word


def _bound(words: Sequence[bytes]) -> Iterator[bytes]:
    """Targets of an assignment or annotation, of ``for`` and ``as``."""
    targets = _targets(words)
    for before, word, behind in zip([b"", *targets], targets, words[1:], strict=False):
        if _is_name(word) and b"." not in (before, behind):
            yield word
    binding = False
    for word in words:
        if binding and _is_name(word):
            yield word
        binding = word in (b"for", b"as") or (binding and word not in (b"in", b":"))


def _targets(words: Sequence[bytes]) -> Sequence[bytes]:
    """What stands before the last equals sign of an assignment, or before the colon of an
    annotation, where no bracket comes first."""
    if words[0] in KEYWORDS:
        return ()
    opening = next((at for at, word in enumerate(words) if word in OPENING), len(words))
    plain = words[:opening]
    if b":" in plain:
        return plain[: plain.index(b":")]
    return plain[: max((at for at, word in enumerate(plain) if word == b"="), default=0)]


def _attributes(words: Sequence[bytes]) -> Iterator[bytes]:
    """What is assigned to an attribute."""
    for dot, word, behind in zip(words, words[1:], words[2:], strict=False):
        if dot == b"." and behind in (b"=", b":") and _is_name(word):
            yield word


def _is_name(word: bytes) -> bool:
    return word not in KEYWORDS and word.decode(errors="replace").isidentifier()
