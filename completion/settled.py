"""Whether what a receiver is holds at the cursor: not where it is assigned different things.

Inference takes the last assignment that it understands; to forbid names, all must agree.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from completion.annotations import Scope
from completion.context import Context
from completion.dataflow import of_binding
from completion.rebinding import open_to_for, rebound
from completion.request import Request
from completion.scope import Binding, How

MOST_BINDINGS = 8
"""A name that is bound more often above the cursor is not known."""

_CHAIN = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_TOP_LEVEL = re.compile(rb"^(?=[^\s#)\]}])", re.MULTILINE)
_OWN = ("self", "cls")


def reached(receiver: str) -> Iterator[str]:
    """The names that ``receiver`` is reached through: ``a``, ``a.b`` of ``a.b.c()``."""
    chain = _CHAIN.match(receiver)
    parts = chain[0].split(".") if chain else []
    return (".".join(parts[: end + 1]) for end in range(len(parts)))


def is_settled(receiver: str, scope: Scope) -> bool:
    """Whether all bindings above the cursor give the receiver's names one type."""
    return all(_agree(scope.bindings.get(name, ()), scope) for name in reached(receiver))


def _agree(found: tuple[Binding, ...], scope: Scope) -> bool:
    if len(found) < 2 or found[-1].how is How.NARROWED:
        return True
    asked = [each for each in found if each.expression != "None" or each.annotation]
    if len(asked) > MOST_BINDINGS:
        return False
    types = [of_binding(each, scope) for each in asked]
    return None not in types and all(
        (one and (one.role, one.target)) == (two and (two.role, two.target))
        for one, two in pairwise(types)
    )


def fixed_names(context: Context, scope: Scope) -> frozenset[str]:
    """Names that nobody uses as the variable of a comprehension: ``self``, imported ones."""
    names = {context.self_name} if context.self_name in _OWN else set()
    symbols = scope.snapshot.symbols(scope.path)
    names |= {each.alias for each in symbols.imports if not each.scope} if symbols else set()
    names |= {name for name, each in scope.bindings.items() if each[-1].how is How.IMPORTED}
    shadowed = {name for name, each in scope.bindings.items() if each[-1].how is not How.IMPORTED}
    return frozenset(names - (shadowed - {context.self_name}) - {"*", ""})


def holds_here(receiver: str, request: Request, context: Context, fixed: frozenset[str]) -> bool:
    """Whether the receiver at the cursor is what it is above: nothing behind binds it anew."""
    if not holds_later(receiver, request, context):
        return False
    root = next(reached(receiver), "")
    statement = request.text[context.statement : context.start].removesuffix(b".")
    statement = statement[: max(0, len(statement) - len(receiver.encode()))]
    return not root or root in fixed or not any(open_to_for(statement))


def holds_later(receiver: str, request: Request, context: Context) -> bool:
    """Whether no loop around the cursor assigns the receiver below."""
    if not context.looped:
        return True
    text = request.text
    end = _TOP_LEVEL.search(text, context.start)
    below = text[context.end : end.start() if end else len(text)]
    return not rebound(receiver.encode(), below)
