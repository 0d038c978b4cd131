"""The mixture with the n-gram: a distribution, and the right token gets the share."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from completion import mixture
from completion.boundary import boundary
from completion.mixture import PRIOR, PROPOSALS, WEIGHT, Partner
from completion.model.tokenizer import Tokenizer
from completion.model.types import START, State, advance
from completion.tree import CanonicalModel
from indexing.lexemes import context
from indexing.ngram_file import build
from indexing.ngrams import NgramModel, View
from tests.completion.toys import rooted_tree, toy_model, toy_tokenizer

TOKENIZER = toy_tokenizer([(b"a", b"l"), (b"al", b"p"), (b" ", b"b"), (b"s", b"e"), (b"se", b"t")])
WITH_CALLS = toy_tokenizer([(b"(", b")")])
CODE = b"x.alpha()\nx.alpha()\nx.alpha = beta\nreturn beta\nx.set(1)\nreturn x2y\n" * 3


@pytest.fixture(scope="module")
def view(tmp_path_factory: pytest.TempPathFactory) -> View:
    folder = tmp_path_factory.mktemp("ngrams")
    build([("a.py", CODE)], folder)
    return NgramModel.open(folder).with_buffer("b.py")


@pytest.fixture(scope="module")
def model() -> CanonicalModel:
    return toy_model(TOKENIZER)


def even(*tokens: bytes, tokenizer: Tokenizer = TOKENIZER) -> Tensor:
    """Equal probabilities of some tokens."""
    row = torch.full((tokenizer.size,), -math.inf, dtype=torch.float64)
    row[[tokenizer.token_bytes.index(token) for token in tokens]] = -math.log(len(tokens))
    return row


def share(row: Tensor, token: bytes, tokenizer: Tokenizer = TOKENIZER) -> float:
    return float(row[tokenizer.token_bytes.index(token)].exp())


def syntax_behind(text: str) -> State:
    return advance(START, text.encode())[0]


def blended(view: View, before: str, row: Tensor) -> Tensor:
    mixed = Partner(view, TOKENIZER, before).blend(row, b"", syntax_behind(before), PRIOR)
    return mixed.log_probs


def test_a_word_counts_for_its_first_token(view: View) -> None:
    before = "y = 1\nx."
    mixed = blended(view, before, even(b"alp", b"set", b"("))
    words, _ = context(before.encode())
    predicted = dict(view.predict(words))
    named = sum(predicted[word] for word in (b"alpha", b"set", b"("))
    for token, word in ((b"alp", b"alpha"), (b"set", b"set")):
        expected = WEIGHT * predicted[word] + (1 - WEIGHT * named) / 3
        assert share(mixed, token) == pytest.approx(expected)
    expected = WEIGHT * predicted[b"("] + (1 - WEIGHT * named) / 3
    assert share(mixed, b"(") == pytest.approx(expected)


def test_an_operator_counts_for_all_tokens_that_begin_with_it(view: View) -> None:
    """``alpha`` may be whole, and then a bracket follows: alone, or merged with the next one."""
    row = even(b"h", b"(", b"()", tokenizer=WITH_CALLS)
    row[WITH_CALLS.token_bytes.index(b"()")] += math.log(3)
    row = row.log_softmax(dim=0)
    text = "x.alpha"
    mixed = Partner(view, WITH_CALLS, text).blend(row, b"", syntax_behind(text), PRIOR).log_probs
    words, typed = context(text.encode())
    among = dict(view.predict(words, typed, PROPOSALS))
    complete = among[b"alpha"] / sum(among.values())
    behind = dict(view.predict([*words, typed], limit=PROPOSALS))
    given = WEIGHT * complete * behind[b"("]
    for token, own in ((b"()", 0.6), (b"(", 0.2)):
        expected = (1 - given) * own + given * own / 0.8
        assert share(mixed, token, WITH_CALLS) == pytest.approx(expected, rel=1e-6)


@settings(deadline=None)
@given(st.integers(0, 2**31))
def test_a_name_of_many_tokens_is_mixed_as_one(view: View, seed: int) -> None:
    """P(name) = w · P_ngram(name) + (1 - w) · P_model(name), however many tokens it has."""
    generator = torch.Generator().manual_seed(seed)
    partner, text = Partner(view, TOKENIZER, "x."), "x."
    mixed = ngram = model = 0.0
    odds = PRIOR
    for token in (b"alp", b"h", b"a"):
        own = torch.randn(TOKENIZER.size, generator=generator, dtype=torch.float64).log_softmax(0)
        at, written = TOKENIZER.token_bytes.index(token), text[2:].encode()
        row = partner.blend(own, written, syntax_behind(text), odds)
        alone = partner.blend(own, written, syntax_behind(text), 40.0)  # the n-gram, nearly
        if not written:  # a lexeme begins, where the odds are what they are
            alone = replace(alone, log_probs=((row.log_probs.exp() - own.exp() / 2) * 2).log())
        mixed += float(row.log_probs[at])
        ngram += float(alone.log_probs[at])
        model += float(own[at])
        with mock.patch.object(mixture, "CERTAIN", 60.0):
            odds, text = row.odds_behind(at), text + token.decode()
    expected = WEIGHT * math.exp(ngram) + (1 - WEIGHT) * math.exp(model)
    assert math.exp(mixed) == pytest.approx(expected, rel=1e-6)


def test_what_is_typed_speaks_for_who_expected_it(view: View, model: CanonicalModel) -> None:
    """``al`` begins what the repository says behind ``x.``; the untrained model had no idea."""
    tree, root = rooted_tree(model, [TOKENIZER.prefix], TOKENIZER.encode("x."))
    found = boundary(tree, root, b"al")
    row = Partner(view, TOKENIZER, "x.al").begin(found, syntax_behind("x.al"))
    assert row.odds > PRIOR + 1
    assert row.weight > 0.8


def test_a_context_does_not_begin_inside_a_docstring(view: View) -> None:
    text = '"""' + "of this, and that\n" * 40 + '"""\nx.'
    row = even(b"alp", b"set", b"s")
    assert share(blended(view, text, row), b"alp") > share(row, b"alp")
    partner = Partner(view, TOKENIZER, text)
    assert context(partner._near)[0] == context(text.encode())[0]


def test_what_is_typed_restricts_the_words(view: View) -> None:
    mixed = blended(view, "x.alp", even(b"h", b"(", b"s"))
    assert share(mixed, b"h") == pytest.approx(WEIGHT + (1 - WEIGHT) / 3)


def test_the_model_says_whether_a_blank_comes_first(view: View) -> None:
    row = even(b"b", b" b", b"(")
    row[TOKENIZER.token_bytes.index(b" b")] += math.log(2)
    row = row.log_softmax(dim=0)
    mixed = blended(view, "x.alpha =", row)
    assert share(mixed, b" b") == pytest.approx(2 * share(mixed, b"b"))
    assert share(mixed, b" b") > share(row, b" b")


def test_a_digit_ends_a_token_but_not_the_word(view: View) -> None:
    mixed = blended(view, "return x2", even(b"y", b"(", b"1"))
    assert share(mixed, b"y") > 0.4


@pytest.mark.parametrize("before", ['x = "x.', "x = 'x.", '"""x.', "# x.", 'x = "', 'y = f"{x.'])
def test_strings_and_comments_are_the_models(view: View, before: str) -> None:
    row = even(b"alp", b"set", b"x")
    assert blended(view, before, row) is row


def test_a_sure_model_is_not_contradicted(view: View) -> None:
    row = even(b"(")
    assert blended(view, "x.", row) is row


def test_nothing_known_changes_nothing(tmp_path: Path) -> None:
    build([], tmp_path)
    empty = NgramModel.open(tmp_path).with_buffer("b.py")
    row = even(b"alp", b"set")
    assert torch.equal(blended(empty, "x.", row), row)


texts = st.lists(
    st.sampled_from(
        ["x", ".", "al", "alpha", " ", "=", "(", "\n", "    ", "return", "é", "2", "'"]
    ),
    max_size=8,
).map("".join)


@settings(deadline=None)
@given(texts, st.integers(0, 3))
def test_what_comes_out_is_a_distribution(
    view: View, model: CanonicalModel, text: str, cut: int
) -> None:
    spans = TOKENIZER.pretokens(text)
    begin = spans[-1][0] if spans else 0
    data = text.encode()
    trunk = TOKENIZER.encode(data[:begin].decode())
    tree, root = rooted_tree(model, [TOKENIZER.prefix], trunk)
    found = boundary(tree, root, data[begin:])
    partner = Partner(view, TOKENIZER, text)
    mixed = partner.begin(found, syntax_behind(text)).log_probs
    assert float(mixed.exp().sum()) == pytest.approx(1)
    assert torch.equal(mixed == -math.inf, found.log_probs == -math.inf)


def test_a_word_across_the_cursor_counts_for_the_leaf(view: View, model: CanonicalModel) -> None:
    trunk = TOKENIZER.encode("x.")
    tree, root = rooted_tree(model, [TOKENIZER.prefix], trunk)
    found = boundary(tree, root, b"a")
    mixed = Partner(view, TOKENIZER, "x.a").begin(found, syntax_behind("x.a")).log_probs
    gained = (mixed.exp() - found.log_probs.exp()).argmax()
    assert TOKENIZER.token_bytes[int(found.tokens[gained])] == b"alp"
    assert int(found.nodes[gained]) == root


def test_no_more_is_asked_than_is_used() -> None:
    assert mixture.plain_index(0, 7) == 7
    assert mixture.plain_index(1, 7) is None
