"""The mixture with the n-gram: a distribution, and the right token gets the share."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import Tensor

from completion import mixture
from completion.boundary import boundary
from completion.mixture import (
    AFTER_DOT,
    CERTAIN,
    LEAST,
    NAMED,
    PRIOR,
    PROPOSALS,
    WEIGHT,
    Partner,
    _groups,
)
from completion.model.tokenizer import Tokenizer
from completion.model.types import PREFIX_STATE, START, State, advance
from completion.tree import CanonicalModel, Place, TokenTree
from indexing.lexemes import NUMBER, STRING, context
from indexing.ngram_file import build
from indexing.ngrams import NgramModel, View
from tests.completion.toys import rooted_tree, toy_model, toy_network, toy_tokenizer
from tests.completion.vocabularies import toy_content

TOKENIZER = toy_tokenizer([(b"a", b"l"), (b"al", b"p"), (b" ", b"b"), (b"s", b"e"), (b"se", b"t")])
WITH_CALLS = toy_tokenizer([(b"(", b")")])
WITH_WORDS = toy_tokenizer([(b" ", b"b"), (b" b", b"e"), (b" be", b"t"), (b" bet", b"a")])
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
        expected = AFTER_DOT * predicted[word] + (1 - AFTER_DOT * named) / 3
        assert share(mixed, token) == pytest.approx(expected)
    expected = AFTER_DOT * predicted[b"("] + (1 - AFTER_DOT * named) / 3
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
    ended = WEIGHT * complete + (1 - WEIGHT) * 0.8
    for token, own in ((b"()", 0.6), (b"(", 0.2)):
        expected = ended * own / 0.8  # nothing else ends the word here
        assert share(mixed, token, WITH_CALLS) == pytest.approx(expected, rel=1e-6)


@settings(deadline=None)
@given(st.integers(0, 2**31), st.floats(-5, 5))
@example(177496700, 0.0)  # a literal that the model all but rules out
def test_a_word_behind_a_whole_word(view: View, seed: int, odds: float) -> None:
    """P(``return`` ends and ``beta`` follows) = P(it ends) · P(beta | it ended), both mixed."""
    generator = torch.Generator().manual_seed(seed)
    own = torch.randn(WITH_WORDS.size, generator=generator, dtype=torch.float64).log_softmax(0)
    text = "return"
    mixed = Partner(view, WITH_WORDS, text).blend(own, b"", syntax_behind(text), odds)
    words, typed = context(text.encode())
    among = dict(view.predict(words, typed, PROPOSALS))
    whole = among[typed] / sum(among.values())
    weight = 1 / (1 + math.exp(-odds))
    ends = torch.tensor(
        [not data[:1].isalnum() and data[:1] != b"_" and data[:1] < b"\x80"
         for data in WITH_WORDS.token_bytes]
    )  # fmt: skip
    models_end = float(own.exp()[ends].sum())
    ended = weight * whole + (1 - weight) * models_end
    behind = dict(view.predict([*words, typed], limit=PROPOSALS))
    literals = view.score([*words, typed], (STRING, NUMBER))
    following = behind | dict(zip((STRING, NUMBER), literals, strict=True))
    groups = _groups(WITH_WORDS)  # what the model all but rules out keeps no share
    given = WEIGHT * sum(
        each
        for lexeme, each in following.items()
        if lexeme not in groups or float(own[groups[lexeme]].exp().sum()) > LEAST
    )
    own_beta = share(own, b" beta", WITH_WORDS) / models_end
    expected = ended * (WEIGHT * behind[b"beta"] + (1 - given) * own_beta)
    assert share(mixed.log_probs, b" beta", WITH_WORDS) == pytest.approx(expected, rel=1e-6)
    at = WITH_WORDS.token_bytes.index(b" beta")
    models = (1 - WEIGHT) * ended * own_beta
    odds_then = math.log((expected - models) / models)
    assert mixed.odds_behind(at) == pytest.approx(max(-CERTAIN, min(CERTAIN, odds_then)))


def test_the_end_and_literals_have_their_share_too(view: View) -> None:
    """Behind ``()`` the repository breaks the line or ends; behind ``set(`` a number stands."""
    end = TOKENIZER.end
    row = even(b"\n", b"1", b"s")
    row = torch.logaddexp(row, torch.full_like(row, -math.inf).index_fill(0, torch.tensor(end), -1))
    row = row.log_softmax(dim=0)
    broken = blended(view, "x.alpha()", row)
    newline = TOKENIZER.token_bytes.index(b"\n")
    assert float(broken[end]) > float(row[end])
    assert float(broken[end] - broken[newline]) == pytest.approx(float(row[end] - row[newline]))
    assert share(blended(view, "x.set(", row), b"1") > share(row, b"1")


def test_a_token_that_begins_a_word_has_earned_no_odds(view: View) -> None:
    """Also where the n-gram was not asked."""
    row = even(b"b", tokenizer=WITH_WORDS)
    mixed = Partner(view, WITH_WORDS, "x.alpha").blend(row, b"", syntax_behind("x.alpha"), 3.0)
    assert mixed.models is None
    assert mixed.odds_behind(WITH_WORDS.token_bytes.index(b" beta")) == PRIOR
    assert mixed.odds_behind(WITH_WORDS.token_bytes.index(b"b")) == 3.0


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
            models = (1 - AFTER_DOT) * own.exp()
            ngrams = (row.log_probs.exp() - models) / AFTER_DOT
            alone = replace(alone, log_probs=ngrams.log())
        mixed += float(row.log_probs[at])
        ngram += float(alone.log_probs[at])
        model += float(own[at])
        with mock.patch.object(mixture, "CERTAIN", 60.0):
            odds, text = row.odds_behind(at), text + token.decode()
    expected = AFTER_DOT * math.exp(ngram) + (1 - AFTER_DOT) * math.exp(model)
    assert math.exp(mixed) == pytest.approx(expected, rel=1e-6)


def test_what_is_typed_speaks_for_who_expected_it(view: View, model: CanonicalModel) -> None:
    """``al`` begins what the repository says behind ``x.``; the untrained model had no idea."""
    tree, root = rooted_tree(model, [TOKENIZER.prefix], TOKENIZER.encode("x."))
    found = boundary(tree, root, b"al")
    row = Partner(view, TOKENIZER, "x.al").begin(found, syntax_behind("x.al"))
    assert row.odds > PRIOR + 1


def test_a_context_does_not_begin_inside_a_docstring(view: View) -> None:
    text = '"""' + "of this, and that\n" * 40 + '"""\nx.'
    row = even(b"alp", b"set", b"s")
    assert share(blended(view, text, row), b"alp") > share(row, b"alp")
    partner = Partner(view, TOKENIZER, text)
    assert context(partner._near)[0] == context(text.encode())[0]


def test_what_is_typed_restricts_the_words(view: View) -> None:
    mixed = blended(view, "x.alp", even(b"h", b"(", b"s"))
    assert share(mixed, b"h") == pytest.approx(WEIGHT + (1 - WEIGHT) / 3)


def test_names_share_with_the_words_at_the_cursor(view: View) -> None:
    """``beta`` is what the popup knows; behind ``x.`` nothing but ``alpha`` and ``set`` stood."""
    text, row = "x.", even(b"b", b"alp", b"(")
    partner = Partner(view, TOKENIZER, text, {"beta": 0.75, "alpha": 0.25})
    mixed = partner.blend(row, b"", syntax_behind(text), PRIOR).log_probs
    predicted = dict(view.predict(context(text.encode())[0], limit=PROPOSALS))
    words = {word: (1 - NAMED) * predicted.get(word, 0.0) for word in (b"beta", b"alpha", b"(")}
    given = {word: AFTER_DOT * each for word, each in words.items()}
    given[b"beta"] += AFTER_DOT * NAMED * 0.75
    given[b"alpha"] += AFTER_DOT * NAMED * 0.25
    for token, word in ((b"b", b"beta"), (b"alp", b"alpha"), (b"(", b"(")):
        expected = given[word] + (1 - sum(given.values())) / 3
        assert share(mixed, token) == pytest.approx(expected)


def test_names_are_for_the_cursor_only(view: View) -> None:
    """Within the name at the cursor they count as far as they fit, behind it no more."""
    partner = Partner(view, TOKENIZER, "x.", {"beta": 0.5, "alpen": 0.5})
    row, plain = even(b"h", b"e", b"("), Partner(view, TOKENIZER, "x.")
    inside = partner.blend(row, b"alp", syntax_behind("x.alp"), PRIOR).log_probs
    assert share(inside, b"e") == pytest.approx(WEIGHT * NAMED + (1 - WEIGHT) / 3)
    behind = (even(b"b", b"alp"), b"al.", syntax_behind("x.al."), PRIOR)
    assert torch.equal(partner.blend(*behind).log_probs, plain.blend(*behind).log_probs)


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


def test_a_text_that_may_be_split_in_two_ways(view: View) -> None:
    content = toy_content([(b" ", b" "), (b" ", b"b")], "gpt2")
    model = CanonicalModel(toy_network(content.size), content, [content.end])  # type: ignore[arg-type]
    tree = TokenTree(model, model.cache())
    root = tree.add_placed(-1, Place(content.end), PREFIX_STATE)
    found = boundary(tree, root, b"x =  ")
    assert sum(overlap == 0 for overlap in found.overlap.values()) == 2
    mixed = Partner(view, content, "x =  ").begin(found, syntax_behind("x =  "))  # type: ignore[arg-type]
    assert float(mixed.log_probs.exp().sum()) == pytest.approx(1)
    assert mixed.begins is not None
    assert bool(mixed.begins.all())  # behind a blank everything begins another lexeme
