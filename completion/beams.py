"""What beam searches have in common: continuations of one tree, scored side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from completion.mixture import Partner
from completion.model.types import State
from completion.tree import MAX_NODES, TokenTree

NO_TOKEN = -1


class Open(NamedTuple):
    """A continuation in the making: ``token`` behind ``node`` is not scored yet.

    ``text`` are the bytes behind the cursor, those of ``token`` included. Behind `NO_TOKEN`
    it is the cursor itself.
    """

    node: int
    token: int
    text: bytes
    log_prob: float


def score(tree: TokenTree, ones: Sequence[Open], partner: Partner | None) -> list[Tensor]:
    """The (V,) log-probabilities behind each, mixed with the n-gram's."""
    nodes = [tree.add(one.node, one.token) for one in ones]
    rows: list[Tensor] = list(tree.score(nodes))
    if partner is None:
        return rows
    syntaxes = [tree.places[node].syntax for node in nodes]
    mixed = zip(rows, ones, syntaxes, strict=True)
    return [partner.blend(row, one.text, syntax) for row, one, syntax in mixed]


def followed(
    tree: TokenTree, one: Open, tokens: Sequence[int], log_probs: Sequence[float]
) -> list[Open]:
    """``one``, which is scored, with each of ``tokens`` behind it."""
    token_bytes = tree.model.tokenizer.token_bytes
    node = one.node if one.token == NO_TOKEN else tree.add(one.node, one.token)
    return [
        Open(node, token, one.text + token_bytes[token], one.log_prob + log_prob)
        for token, log_prob in zip(tokens, log_probs, strict=True)
    ]


def has_room(tree: TokenTree, count: int) -> bool:
    """Whether ``count`` more tokens can be scored."""
    return len(tree) + count <= min(MAX_NODES, tree.cache.capacity - tree.begin)


def bracketed(syntax: State) -> bool:
    """Whether a line break would not end the statement."""
    return any(bracket != "lambda" for bracket in syntax.brackets)
