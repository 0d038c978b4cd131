"""Nodes scored side by side in one cache row equal each path computed by itself."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from completion.tree import MAX_NODES, Place, TokenTree
from tests.completion.toys import next_log_probs, rooted_tree, toy_model, toy_tokenizer

TOKENIZER = toy_tokenizer([(b"a", b"b"), (b" ", b"a"), (b"1", b"1")])
MODEL = toy_model(TOKENIZER)
TOKENS = [TOKENIZER.token_bytes.index(data) for data in (b"a", b"ab", b" ", b"(", b"\n", b"1")]
branches = st.lists(st.tuples(st.integers(0, 20), st.sampled_from(TOKENS)), max_size=10)


@settings(max_examples=40, deadline=None)
@given(st.lists(branches, min_size=1, max_size=3), st.booleans())
def test_any_tree_grown_in_any_steps(passes: list[list[tuple[int, int]]], keep: bool) -> None:
    header = [TOKENIZER.suffix, TOKENIZER.prefix]
    tree, root = rooted_tree(MODEL, header, TOKENIZER.encode("x = "))
    known = [root]
    scored = 0
    for grown in passes:
        known += [tree.add(known[parent % len(known)], token) for parent, token in grown]
        new = list(range(scored, len(tree)))
        scored = len(tree)
        for node, row in zip(new, tree.score(new) if new else [], strict=True):
            ids = [tree.places[one].token for one in tree.path(node)]
            assert torch.allclose(row.exp(), next_log_probs(MODEL, header, ids[1:]).exp())
    if keep:
        node = scored - 1
        path = tree.path(node)
        ids = [tree.places[one].token for one in path]
        place = tree.places[node]
        tree.keep(node)
        assert tree.cache.length == tree.begin + len(path)
        after = TokenTree(MODEL, tree.cache)
        token = TOKENS[0]
        following, state = MODEL.follow(place, token)
        (row,) = after.score([after.add_placed(-1, following, state)])
        expected = next_log_probs(MODEL, header, [*ids[1:], token])
        assert torch.allclose(row.exp(), expected.exp())


def test_a_node_is_made_once_and_only_so_many() -> None:
    tree, root = rooted_tree(MODEL, [TOKENIZER.prefix], [])
    assert tree.add(root, TOKENS[0]) == tree.add(root, TOKENS[0])
    while len(tree) < MAX_NODES:
        tree.add_placed(-1, Place(TOKENS[0]), 0)
    with pytest.raises(ValueError, match=str(MAX_NODES)):
        tree.add(root, TOKENS[1])
