"""Types as Java and TypeScript write them: a small reader of annotations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Form(StrEnum):
    """What kind of type is written."""

    NAME = "name"
    ARRAY = "array"
    UNION = "union"
    FUNCTION = "function"
    QUERY = "query"  # ``typeof x``
    TUPLE = "tuple"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Written:
    """A type expression.

    ``name`` is the dotted name, or the expression behind ``typeof``; ``parts`` are the type
    arguments, the members of a union or tuple, an array's element, or a function's parameters and,
    last, its result.
    """

    form: Form
    name: str = ""
    parts: tuple[Written, ...] = ()


UNKNOWN = Written(Form.OTHER)
_TOKEN = re.compile(
    r"\s+|(?P<name>[^\W\d][\w$]*(?:\s*\.\s*[^\W\d][\w$]*)*)|(?P<string>\"[^\"]*\"|'[^']*'|`[^`]*`)"
    r"|(?P<number>-?\d[\w.]*)|(?P<sign>=>|\.\.\.|.)",
    re.DOTALL,
)
_PREFIXES = frozenset(("readonly", "unique", "abstract", "new", "final", "asserts", "infer"))
_DEPTH = 12


@lru_cache(maxsize=8192)
def written(source: str) -> Written:
    """The type that ``source`` is; :data:`UNKNOWN` where it cannot be read."""
    parts: list[tuple[str | None, str]] = [
        (match.lastgroup, re.sub(r"\s", "", match[0]))
        for match in _TOKEN.finditer(source[:2000])
        if match.lastgroup
    ]
    return _Reader(parts).union(_DEPTH)


class _Reader:
    """A recursive-descent reader; on surprise it goes on with what it has."""

    def __init__(self, parts: list[tuple[str | None, str]]) -> None:
        self.parts = parts
        self.at = 0

    def peek(self) -> str:
        return self.parts[self.at][1] if self.at < len(self.parts) else ""

    def take(self, text: str) -> bool:
        taken = self.peek() == text
        self.at += taken
        return taken

    def union(self, depth: int) -> Written:
        """``A | B & C``; an intersection is read like a union."""
        if depth <= 0:
            return UNKNOWN
        self.take("|")
        found = [self.suffixed(depth)]
        while self.peek() in ("|", "&"):
            self.at += 1
            found.append(self.suffixed(depth))
        return found[0] if len(found) == 1 else Written(Form.UNION, parts=tuple(found))

    def suffixed(self, depth: int) -> Written:
        found = self.primary(depth)
        while self.peek() in ("[", "...", "!"):
            if self.take("...") or (self.take("[") and self.take("]")):
                found = Written(Form.ARRAY, parts=(found,))
            else:  # an indexed access: what it gives is not known
                self.skip_to("]")
                found = UNKNOWN
        return found

    def skip_to(self, closer: str) -> None:
        """Go behind the next ``closer`` at this depth."""
        depth = 0
        while self.at < len(self.parts):
            sign = self.peek()
            self.at += 1
            if sign == closer and depth == 0:
                return
            depth += (sign in "([{<" and bool(sign)) - (sign in ")]}>" and bool(sign))

    def primary(self, depth: int) -> Written:
        kind, text = self.parts[self.at] if self.at < len(self.parts) else (None, "")
        if kind == "name":
            return self.named(depth)
        if text == "?":  # Java: ``? extends T``
            self.at += 1
            bounded = self.take("extends") or self.take("super")
            return self.union(depth - 1) if bounded else UNKNOWN
        if text == "@":
            self.at += 2
            return self.primary(depth - 1) if depth > 1 else UNKNOWN
        if kind in ("string", "number"):
            self.at += 1
            return Written(Form.NAME, "string" if kind == "string" else "number")
        return self.bracketed(depth, text)

    def bracketed(self, depth: int, text: str) -> Written:
        if text == "(":
            return self.parenthesized(depth)
        if text == "[":
            self.at += 1
            return Written(Form.TUPLE, parts=self.listed("]", depth))
        if text == "{":
            self.at += 1
            self.skip_to("}")
        return UNKNOWN

    def named(self, depth: int) -> Written:
        name = self.peek()
        self.at += 1
        if name in _PREFIXES and self.at < len(self.parts):
            return self.suffixed(depth - 1) if depth > 1 else UNKNOWN
        if name in ("typeof", "keyof"):
            operand = self.peek()
            self.at += 1
            return Written(Form.QUERY, operand) if name == "typeof" else UNKNOWN
        parts = self.listed(">", depth) if self.take("<") else ()
        return Written(Form.NAME, name, parts)

    def listed(self, closer: str, depth: int) -> tuple[Written, ...]:
        found: list[Written] = []
        while self.at < len(self.parts) and not self.take(closer):
            before = self.at
            found.append(self.union(depth - 1))
            if not self.take(",") and self.at == before:
                self.at += 1
        return tuple(found)

    def parenthesized(self, depth: int) -> Written:
        """A function type, or a type in parentheses."""
        opened = self.at
        self.at += 1
        self.skip_to(")")
        after = self.at
        self.at = opened + 1
        if not (after < len(self.parts) and self.parts[after][1] == "=>"):
            inner = self.union(depth - 1)
            self.take(")")
            return inner
        parameters = self.parameters(after - 1, depth)
        self.at = after + 1
        return Written(Form.FUNCTION, parts=(*parameters, self.union(depth - 1)))

    def parameters(self, end: int, depth: int) -> list[Written]:
        found: list[Written] = []
        while self.at < end:
            self.take("...")
            self.at += 1  # the name
            self.take("?")
            found.append(self.union(depth - 1) if self.take(":") else UNKNOWN)
            while self.at < end and not self.take(","):
                self.at += 1
        return found
