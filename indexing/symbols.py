"""What one source file says about itself: the plain values that extraction produces.

Every value is immutable and every position is a half-open span of BYTE offsets into the file's UTF-8
text. Nothing here knows how a file was parsed, where it is stored, or who asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

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
    """One parameter as written; ``prefix`` is ``""``, ``"*"`` or ``"**"``."""

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
    of the docstring. Long texts are cut by the extractor.
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

    ``receiver`` is the source text before the dot (``""`` for a bare call; cut when long).
    ``arguments`` is the number of arguments, or -1 when it is not a call.
    """

    receiver: str
    name: str
    arguments: int
    span: Span


@dataclass(frozen=True, slots=True)
class FileSymbols:
    """Everything that one file contributes to the index; a pure function of its bytes.

    ``exports`` is ``__all__`` where it is a literal, else ``None``.
    """

    definitions: tuple[Definition, ...] = ()
    imports: tuple[Import, ...] = ()
    uses: tuple[Use, ...] = ()
    exports: tuple[str, ...] | None = None
    doc: str = ""
