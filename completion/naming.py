"""Ghost text may not name an attribute that the repository knows not to exist."""

from __future__ import annotations

from completion.annotations import Scope
from completion.context import Context, source_of
from completion.membership import members_of_source
from completion.rebinding import rebound
from completion.request import Prompt
from completion.settled import fixed_names
from completion.tokens import Lexeme, Token, primary_start, scan


def known_part(text: str, asked: Prompt, context: Context, scope: Scope) -> tuple[str, str]:
    """The text up to the first attribute that does not exist, and that attribute (``""``: none).

    Only receivers whose members are completely known are judged: monitor-guided decoding's idea
    (papers: Agrawal et al. 2023), applied after the fact. ``asked.prefix`` is what the text
    continues; names of the unfinished statement alone are looked at.
    """
    before = asked.prefix.encode()
    code = before + text.encode()
    begin = max(0, len(before) - (context.offset - context.statement))
    tokens = scan(code, begin, len(code)).tokens
    fixed = fixed_names(context, scope)
    for index, token in enumerate(tokens):
        if token.end <= len(before) or _may_mean_another(code[begin:], tokens, index, fixed):
            continue
        if _is_wrong(tokens, index, scope):
            kept = code[len(before) : max(len(before), tokens[index - 1].start)]
            return kept.decode("utf-8", "ignore"), token.text.decode("utf-8", "replace")
    return text, ""


def _may_mean_another(
    written: bytes, tokens: tuple[Token, ...], index: int, fixed: frozenset[str]
) -> bool:
    """Whether the receiver before the token may be bound to something else in what is ``written``.

    That is in a comprehension, a ``lambda``, or by an assignment.
    """
    first = primary_start(tokens, index - 2) if index >= 2 else None
    if first is None:
        return False
    root = tokens[first].text
    bound = rebound(source_of(tokens[first : index - 1]).encode(), written)
    comprehended = any(token.text == b"for" for token in tokens)
    return bound or (comprehended and root.decode("utf-8", "replace") not in fixed)


def _is_wrong(tokens: tuple[Token, ...], index: int, scope: Scope) -> bool:
    """Whether the token is an attribute that its receiver cannot have."""
    if tokens[index].kind is not Lexeme.NAME or index < 2 or tokens[index - 1].text != b".":
        return False
    if tokens[index + 1 : index + 2] and tokens[index + 1].text == b"=":
        return False  # an assignment may make a new attribute
    first = primary_start(tokens, index - 2)
    if first is None:
        return False
    names = members_of_source(source_of(tokens[first : index - 1]), scope)
    return names is not None and tokens[index].text.decode("utf-8", "replace") not in names
