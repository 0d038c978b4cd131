"""What beam searches have in common: continuations of one tree, scored side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from completion.mixture import PRIOR, Mixed, Partner, behind
from completion.model.types import State
from completion.tree import MAX_NODES, TokenTree

NO_TOKEN = -1


class Open(NamedTuple):
    """A continuation in the making: ``token`` behind ``node`` is not scored yet.

    ``text`` are the bytes behind the cursor, those of ``token`` included. Behind `NO_TOKEN`
    it is the cursor itself. ``odds`` are for the n-gram (`Mixed.odds_behind`).
    """

    node: int
    token: int
    text: bytes
    log_prob: float
    odds: float = PRIOR


def score(tree: TokenTree, ones: Sequence[Open], partner: Partner | None) -> list[Mixed]:
    """What comes behind each, over the vocabulary, mixed with the n-gram's."""
    nodes = [tree.add(one.node, one.token) for one in ones]
    rows = tree.score(nodes)
    syntaxes = [tree.places[node].syntax for node in nodes]
    mixed = zip(rows, ones, syntaxes, strict=True)
    return [behind(row, one.text, syntax, one.odds, partner) for row, one, syntax in mixed]


def followed(tree: TokenTree, one: Open, tokens: Sequence[int], row: Mixed) -> list[Open]:
    """``one``, which is scored, with each of ``tokens`` behind it."""
    token_bytes = tree.model.tokenizer.token_bytes
    node = one.node if one.token == NO_TOKEN else tree.add(one.node, one.token)
    log_probs = row.log_probs[list(tokens)].tolist()
    return [
        Open(
            node,
            token,
            one.text + token_bytes[token],
            one.log_prob + log_prob,
            row.odds_behind(token),
        )
        for token, log_prob in zip(tokens, log_probs, strict=True)
    ]


def has_room(tree: TokenTree, count: int) -> bool:
    """Whether ``count`` more tokens can be scored."""
    return len(tree) + count <= min(MAX_NODES, tree.cache.capacity - tree.begin)


def bracketed(syntax: State) -> bool:
    """Whether a line break would not end the statement."""
    return any(bracket != "lambda" for bracket in syntax.brackets)
