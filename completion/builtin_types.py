"""What Python's built-in types offer, read from the running interpreter, and what calls give.

A receiver that is a string or a dictionary needs no helper process: ``dir(str)`` is exact.
"""

from __future__ import annotations

import builtins
import inspect
import keyword
from functools import cache

NAMES = (
    *sorted(name for name in dir(builtins) if not name.startswith("_")),
    *("__name__", "__file__", "__doc__", "__package__"),
)
"""What a module sees without importing anything."""

KEYWORDS = tuple(keyword.kwlist)
STATEMENT_KEYWORDS = frozenset(
    (
        *("assert", "async", "break", "class", "continue", "def", "del", "elif", "else", "except"),
        *("finally", "for", "from", "global", "if", "import", "nonlocal", "pass", "raise"),
        *("return", "try", "while", "with"),
    )
)

SELF, ELEMENT, KEY, VALUE = "self", "element", "key", "value"
"""In :data:`RETURNS`: the receiver's own type, its element, a dictionary's key or value type."""

RETURNS = {
    ("dict", "get"): VALUE,
    ("dict", "pop"): VALUE,
    ("dict", "setdefault"): VALUE,
    ("dict", "copy"): SELF,
    ("dict", "keys"): "list[key]",
    ("dict", "values"): "list[value]",
    ("dict", "items"): "list[tuple[key, value]]",
    ("list", "pop"): ELEMENT,
    ("list", "copy"): SELF,
    ("set", "pop"): ELEMENT,
    ("set", "copy"): SELF,
    ("set", "union"): SELF,
    ("set", "difference"): SELF,
    ("set", "intersection"): SELF,
    ("str", "split"): "list[str]",
    ("str", "rsplit"): "list[str]",
    ("str", "splitlines"): "list[str]",
    ("str", "encode"): "bytes",
    ("str", "partition"): "tuple[str, str, str]",
    ("str", "rpartition"): "tuple[str, str, str]",
    ("bytes", "decode"): "str",
    ("bytes", "split"): "list[bytes]",
    ("bytes", "hex"): "str",
    **{("", name): "int" for name in ("len", "ord", "hash", "id")},
    **{("", name): "str" for name in ("repr", "ascii", "chr", "input", "format", "hex", "bin")},
    **{("", name): "bool" for name in ("isinstance", "issubclass", "callable", "any", "all")},
    ("", "hasattr"): "bool",
}
"""What a built-in method returns, where it is not the receiver's own type; ``""``: functions."""

_SAME = ("str", "bytes")
_NOT_SAME = {
    *("index", "find", "rindex", "rfind", "count", "startswith", "endswith"),
    *("isdigit", "isalpha", "isalnum", "isspace", "isupper", "islower", "isidentifier"),
}


def returns(class_name: str, method: str) -> str | None:
    """What calling ``method`` of the built-in class gives, in the notation of :data:`RETURNS`."""
    found = RETURNS.get((class_name, method))
    if found is None and class_name in _SAME and method in members(class_name):
        return None if method in _NOT_SAME or method.startswith("__") else SELF
    return found


@cache
def members(class_name: str) -> tuple[str, ...]:
    """The attribute names of the built-in class, dunders last; empty for an unknown class."""
    cls = getattr(builtins, class_name, None)
    if not isinstance(cls, type):
        return ()
    return tuple(sorted(dir(cls), key=lambda name: (name.startswith("_"), name)))


@cache
def kind(class_name: str, name: str) -> str:
    """``"method"`` or ``"attribute"``."""
    value = getattr(getattr(builtins, class_name, None), name, None)
    return "method" if callable(value) else "attribute"


@cache
def name_kind(name: str) -> str:
    """The kind of a built-in name: ``"class"``, ``"function"`` or ``"constant"``."""
    value = getattr(builtins, name, None)
    if isinstance(value, type):
        return "class"
    return "function" if callable(value) else "constant"


@cache
def signature(class_name: str, name: str) -> str:
    """``"(sep=None, maxsplit=-1)"`` for a built-in method or function, ``""`` where unknown."""
    owner = getattr(builtins, class_name, None) if class_name else builtins
    try:
        text = str(inspect.signature(getattr(owner, name)))
    except (AttributeError, TypeError, ValueError):
        return ""
    return text.replace("($self, /, ", "(").replace("(self, /, ", "(").replace("(self, /)", "()")


@cache
def documentation(class_name: str, name: str) -> str:
    """The first paragraph of a built-in's docstring."""
    owner = getattr(builtins, class_name, None) if class_name else builtins
    text = inspect.getdoc(getattr(owner, name, None)) or ""
    return text.partition("\n\n")[0]
