"""What one source file says about itself: the plain values that extraction produces.

Every value is immutable and every position is a half-open span of BYTE offsets into the file's
UTF-8 text. Nothing here knows how a file was parsed, where it is stored, or who asks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

Span = tuple[int, int]
"""Half-open ``(start, end)`` byte offsets into UTF-8 text."""


class Kind(StrEnum):
    """What a definition defines."""

    MODULE = "module"
    CLASS = "class"
    FUNCTION = "function"
    METHOD = "method"
    PROPERTY = "property"
    ATTRIBUTE = "attribute"
    CONSTANT = "constant"
    VARIABLE = "variable"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter as written; ``prefix`` is ``""``, ``"*"`` or ``"**"``.

    The separators ``*`` and ``/`` are parameters too, named ``"*"`` and ``"/"``, so that a
    signature can be written back as it was.
    """

    name: str
    annotation: str | None = None
    default: str | None = None
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    """A named thing that other code can refer to.

    ``container`` is the dotted path of the enclosing definitions inside the file (``""`` at the top
    level, ``"Client"`` for a method of ``Client``), so ``qualname`` is unique up to redefinition.
    ``value`` is the source of the initialiser of an attribute, constant or variable, ``annotation``
    its declared type; ``returns`` the return annotation of a callable; ``doc`` the first paragraph
    of the docstring on one line. Long texts are cut by the extractor. ``span`` starts at the first
    decorator. Functions and classes inside functions are listed; local variables are not.
    """

    name: str
    kind: Kind
    container: str
    span: Span
    name_span: Span
    parameters: tuple[Parameter, ...] = ()
    returns: str | None = None
    annotation: str | None = None
    value: str | None = None
    bases: tuple[str, ...] = ()
    decorators: tuple[str, ...] = ()
    doc: str = ""

    @property
    def qualname(self) -> str:
        """Dotted path inside the file, e.g. ``Client.send``."""
        return f"{self.container}.{self.name}" if self.container else self.name


@dataclass(frozen=True, slots=True)
class Import:
    """One bound name of an import statement.

    ``import a.b as c`` is ``Import("a.b", None, "c", 0)``; ``from ..x import y`` is
    ``Import("x", "y", "y", 2)``; ``from m import *`` has ``name == "*"`` and binds nothing itself.
    ``alias`` is the local name it binds (``"a"`` for ``import a.b``). ``scope`` is the container of
    the statement (``""`` at module level). ``guarded`` is true inside ``try`` or
    ``if TYPE_CHECKING``.
    """

    module: str
    name: str | None
    alias: str
    level: int
    span: Span
    scope: str = ""
    guarded: bool = False


@dataclass(frozen=True, slots=True)
class Use:
    """An attribute use or a call: ``receiver.name`` or ``name(...)``.

    ``receiver`` is the source text before the dot (``""`` for a bare call; of a long one its end).
    ``arguments`` is the number of arguments, or -1 when it is not a call. ``span`` goes from the
    receiver's first byte to the name's last; the arguments are outside.
    """

    receiver: str
    name: str
    arguments: int
    span: Span


@dataclass(frozen=True, slots=True)
class FileSymbols:
    """Everything that one file contributes to the index; a pure function of its bytes.

    ``uses`` are built when first looked at (:class:`indexing.lazy.Lazy`): a file has ten times more
    of them than definitions, and most readers want only the definitions. ``exports`` is
    ``__all__`` where it is a literal, else ``None``. Definitions are ordered by position, uses by
    the last byte of their name.
    """

    definitions: tuple[Definition, ...] = ()
    imports: tuple[Import, ...] = ()
    uses: Sequence[Use] = ()
    exports: tuple[str, ...] | None = None
    doc: str = ""


@lru_cache(maxsize=1 << 14)
def last_part(receiver: str) -> str:
    """How a receiver ends: ``self.session`` -> ``session``, ``open(p)`` -> ``open()``.

    Receivers with the same last part tend to be the same kind of thing, so uses are counted by it.
    A trailing call is kept as ``()`` and a trailing subscript as ``[]``; ``""`` stays ``""``.
    """
    text, marks = receiver.strip(), ""
    while text.endswith((")", "]")):
        opening = _opening(text)
        marks = ("()" if text.endswith(")") else "[]") + marks
        text = text[:opening].rstrip()
    name = text.rpartition(".")[2].strip()
    plain = name.removeprefix("#").replace("$", "_")  # names in JavaScript
    return (name if plain.isidentifier() else "") + marks


def _opening(text: str) -> int:
    """Index of the bracket that the last character closes, by counting; 0 when there is none."""
    depth = 0
    for index in range(len(text) - 1, -1, -1):
        depth += (text[index] in ")]}") - (text[index] in "([{")
        if depth == 0:
            return index
    return 0
