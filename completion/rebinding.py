"""Whether a name may mean another thing where it is used than where its statement began."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from completion.tokens import Lexeme, Token, scan

BINDERS = re.compile(rb"\b(?:for|as|import|lambda|global|nonlocal|def|class|del|case)\b")
"""Words behind which names may be bound."""


@lru_cache(maxsize=512)
def _binding(name: bytes) -> re.Pattern[bytes]:
    """Text that binds ``name``, a dotted one too; sometimes text that does not."""
    word = rb"(?<![\w.])%s(?!\w)" % re.escape(name)
    return re.compile(
        rb"%s\s*(?::[^=\n]+|,[^=\n]*)?=(?!=)|,\s*%s[^=\n(]*=(?!=)|%s\s*:=" % (word, word, word)
        + b"|"
        + BINDERS.pattern
        + rb"[^:\n]*?%s" % word
        + rb"|%s\s*(?:[-+*/%%@&|^]|\*\*|//|>>|<<)=" % word
    )


def rebound(receiver: bytes, text: bytes) -> bool:
    """Whether ``text`` may bind ``receiver``, or something that it is reached through."""
    parts = re.match(rb"[\w\x80-\xff.]*", receiver)
    names = parts[0].rstrip(b".").split(b".") if parts else []
    reached = (b".".join(names[: end + 1]) for end in range(len(names)))
    return any(_binding(name).search(text) for name in reached if name in text)


def open_to_for(statement: bytes) -> tuple[bool, ...]:
    """Of each bracket open at the end of ``statement``: whether a ``for`` in it could bind names.

    That is where it can still become a comprehension: with no comma, keyword or ``for`` of its own
    in it, and no subscript.
    """
    found = scan(statement, 0, len(statement))
    return tuple(_is_open_to_for(found.tokens, at) for at in found.open)


def _is_open_to_for(tokens: Sequence[Token], opening: int) -> bool:
    before = tokens[opening - 1] if opening else None
    if tokens[opening].text == b"[" and before is not None and _ends_value(before):
        return False
    own = list(_own_tokens(tokens, opening))
    return not any(token.text in (b",", b"=", b"for") for token in own)


def _own_tokens(tokens: Sequence[Token], opening: int) -> list[Token]:
    """What stands in the bracket, without what stands in brackets inside it."""
    depth, found = 0, []
    for token in tokens[opening + 1 :]:
        if token.kind is Lexeme.CLOSE:
            depth -= 1
        if depth == 0:
            found.append(token)
        if token.kind is Lexeme.OPEN:
            depth += 1
    return found


_KEYWORDS = frozenset(b"and as assert await del elif else for if in is lambda not or".split())
_KEYWORDS |= frozenset(b"return raise while with yield import from case".split())


def _ends_value(token: Token) -> bool:
    if token.kind is Lexeme.NAME:
        return token.text not in _KEYWORDS
    return token.kind in (Lexeme.CLOSE, Lexeme.STRING)
