"""Decoding: what is written, where it stops, and that caching changes nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from completion import decoding
from completion.decoding import Session, score_names, write
from completion.fim import Layout, lay_out
from completion.request import Prompt, RawGhost
from completion.tree import CanonicalModel
from tests.completion.toys import (
    Scripted,
    covers,
    next_log_probs,
    rooted_tree,
    toy_model,
    toy_tokenizer,
)

MERGES = [
    *[(b"r", b"e"), (b"t", b"u"), (b"re", b"tu"), (b"r", b"n"), (b"retu", b"rn")],
    *[(b"a", b"b"), (b" ", b"a"), (b"\n", b" "), (b"\n ", b" ")],
]
TOKENIZER = toy_tokenizer(MERGES)
TOY = toy_model(TOKENIZER)


def never() -> bool:
    return False


def layout_of(model: CanonicalModel, prefix: str, suffix: str = "\n") -> Layout:
    return lay_out(model, Prompt("", suffix, prefix), None)[0]


def scripted(prefix: str, middle: str, suffix: str = "\n") -> tuple[CanonicalModel, Layout]:
    """A model that writes ``middle`` behind ``prefix``, and that prompt."""
    layout = layout_of(TOY, prefix, suffix)
    count = len(layout.values) - len(
        TOKENIZER.encode(prefix[: len(prefix.encode()) - len(layout.tail)])
    )
    script = [*layout.values[:count], *TOKENIZER.encode(prefix + middle)]
    return TOY.over(Scripted(TOKENIZER, script)), layout


def written(prefix: str, middle: str, max_tokens: int = 40) -> RawGhost:
    model, layout = scripted(prefix, middle)
    return write(model, Session(model.cache()), layout, max_tokens, never)


@pytest.mark.parametrize(
    ("prefix", "middle", "text", "stop"),
    [
        ("x = ", "ab + 1", "ab + 1", "end"),
        ("ret", "urn ab", "urn ab", "end"),  # the token spans the cursor
        ("a", "b(1, a)", "b(1, a)", "end"),
        ("x", "", "", "end"),
        ("", "ab", "ab", "end"),
        ("x = ", "ab\nreturn", "ab", "line"),
        ("f(", "a,\n  b)\nreturn", "a,\n  b)", "line"),  # not inside brackets
        ("f(a", ")\nab", ")", "line"),
        ("x = a + \\", "\n  ab\n", "\n  ab", "line"),  # not behind a backslash
        ('"""a', "b\nab", "b", "line"),
        ("x = lambda", " a\nab", " a", "line"),
        ("x = 'a", "b\nab", "b", "line"),
        ("x = ", "é中🙂é", "é中🙂é", "end"),
    ],
)
def test_where_it_stops(prefix: str, middle: str, text: str, stop: str) -> None:
    ghost = written(prefix, middle)
    assert (ghost.text, ghost.stop) == (text, stop)


def test_at_most_so_many_tokens() -> None:
    ghost = written("x = ", "ab.ab.ab.ab.ab.ab", max_tokens=6)
    assert "ab.ab.ab.ab.ab.ab".startswith(ghost.text)
    assert (ghost.tokens, ghost.stop) == (6, "length")


def test_a_character_that_is_cut_off_is_not_shown() -> None:
    assert written("x = ", "ab中", max_tokens=3).text in ("ab", "ab中"[:2])


@pytest.mark.parametrize(
    ("middle", "unsure", "text"),
    [
        ("ab + 1", " +", "ab"),
        ("ab.ab(1)", ".", "ab"),
        ("ab.ab(1)", "(", "ab.ab"),
        ("ab(1).a", ".", "ab(1)"),
        ("ab.abab(1)", "ab", "ab"),  # half a name is no end
        ("ab[1].aé", "é", "ab[1]"),
    ],
)
def test_it_ends_before_the_first_guess(middle: str, unsure: str, text: str) -> None:
    model, layout = scripted("x = ", middle)
    assert isinstance(model.network, Scripted)
    at = (
        len(model.network.script)
        - 1
        - len(TOKENIZER.encode(middle.rpartition(unsure)[1] + middle.rpartition(unsure)[2]))
    )
    model.network.weak = {at}
    ghost = write(model, Session(model.cache()), layout, 40, never)
    assert (ghost.text, ghost.stop) == (text, "unsure")


def test_confidence_is_the_geometric_mean_per_token() -> None:
    model, layout = scripted("x = ", "ab + 1")
    ghost = write(model, Session(model.cache()), layout, 40, never)
    ids = [*TOKENIZER.encode("ab + 1"), TOKENIZER.end]
    assert ghost.tokens == len(ids)
    # One wanted logit of 12 among zeros: the more may follow, the less likely it is.
    assert 1 - 300 * math.exp(-12) < ghost.confidence < 1


@settings(max_examples=15, deadline=None)
@given(st.text(st.sampled_from("ab_ 1.(\n"), max_size=8), st.integers(1, 8))
def test_every_token_says_its_probability(text: str, max_tokens: int) -> None:
    ghost = write(TOY, Session(TOY.cache()), layout_of(TOY, text), max_tokens, never)
    assert len(ghost.log_probs) == ghost.tokens
    assert max(ghost.log_probs) <= 0
    mean = sum(ghost.log_probs) / len(ghost.log_probs)
    assert math.exp(mean) == pytest.approx(ghost.confidence, abs=1e-4)


def test_what_is_taken_back_before_a_guess_is_not_counted() -> None:
    model, layout = scripted("x = ", "ab + 1")
    assert isinstance(model.network, Scripted)
    model.network.weak = {len(model.network.script) - 1 - len(TOKENIZER.encode(" + 1"))}
    ghost = write(model, Session(model.cache()), layout, 40, never)
    assert (ghost.text, ghost.stop) == ("ab", "unsure")
    assert len(ghost.log_probs) == ghost.tokens


def test_typing_along_reads_only_what_is_new() -> None:
    model, layout = scripted("x = ab", "(ab)")
    assert isinstance(model.network, Scripted)
    session = Session(model.cache())
    write(model, session, layout, 40, never)
    model.network.passes.clear()
    again = write(model, session, layout_of(model, "x = ab(a"), 40, never)
    assert again.text == "b)"
    assert again.reused >= len(layout.values)
    assert model.network.passes[0] <= 4


prefixes = st.text(st.sampled_from("ab_ 1.(\n"), max_size=8)


@settings(max_examples=15, deadline=None)
@given(st.lists(prefixes, min_size=2, max_size=4), st.integers(1, 6))
def test_a_used_session_writes_what_a_fresh_one_does(texts: list[str], max_tokens: int) -> None:
    session = Session(TOY.cache())
    for text in texts:
        layout = layout_of(TOY, text)
        cached = write(TOY, session, layout, max_tokens, never)
        fresh = write(TOY, Session(TOY.cache()), layout, max_tokens, never)
        assert cached.text == fresh.text
        assert cached.confidence == pytest.approx(fresh.confidence, abs=1e-9)
        names = ["a", "ab", "b1"]
        scores = score_names(TOY, session, layout, names, never)
        assert scores == pytest.approx(
            score_names(TOY, Session(TOY.cache()), layout, names, never), abs=1e-9
        )
        assert session.cache.length == len(session.values) == len(session.states)


@settings(max_examples=30, deadline=None)
@given(prefixes)
def test_the_best_branch_is_the_best_of_the_enumeration(text: str) -> None:
    """The first pre-token, found again without cache, tree or batch."""
    layout = layout_of(TOY, text)
    cut = layout.values.index(TOKENIZER.prefix) + 1
    header, trunk = layout.values[:cut], list(layout.values[cut:])
    ghost = write(TOY, Session(TOY.cache()), layout, 1, never)
    best = max(_drafts(header, trunk, layout.tail), key=lambda draft: draft[1])[0]
    assert best.startswith(ghost.text.encode()) or ghost.text.encode().startswith(best)


def _drafts(header: Sequence[int], trunk: list[int], tail: bytes) -> list[tuple[bytes, float]]:
    leaves = []
    for ids, log_prob in covers(TOY, header, trunk, tail) if tail else [([], 0.0)]:
        if TOKENIZER.decode_bytes(ids) == tail:
            row = next_log_probs(TOY, header, [*trunk, *ids])
            nexts = [(float(one), token) for token, one in enumerate(row) if math.isfinite(one)]
            leaves += [([*ids, token], log_prob + one) for one, token in nexts]
        else:
            leaves.append((ids, log_prob))
    leaves.sort(key=lambda leaf: -leaf[1])
    return [_finished(header, trunk, tail, *leaf) for leaf in leaves[: decoding.BRANCHES]]


def _finished(
    header: Sequence[int], trunk: list[int], tail: bytes, ids: list[int], log_prob: float
) -> tuple[bytes, float]:
    for left in reversed(range(decoding.BRANCH_STEPS)):
        text = TOKENIZER.decode_bytes(ids)[len(tail) :]
        if ids[-1] == TOKENIZER.end:
            return text, log_prob
        place = rooted_tree(TOY, header, [*trunk, *ids])[0].places[-1]
        before = rooted_tree(TOY, header, trunk)[0].places[-1]
        for token in TOKENIZER.encode(tail.decode()):
            before = TOY.follow(before, token)[0]
        end = decoding._line_end(before.syntax, text)
        if end is not None:
            return text[:end], log_prob
        row = next_log_probs(TOY, header, [*trunk, *ids])
        ends = torch.from_numpy(TOY.rules.begins(place.pretoken))
        ends[TOKENIZER.end] = True
        token = int(row.argmax())
        if ends[token] or not left:
            return text, log_prob + float(row[ends].logsumexp(dim=0))
        ids, log_prob = [*ids, token], log_prob + float(row[token])
    raise AssertionError


def test_a_deadline_ends_with_what_there_is_and_keeps_the_session_whole() -> None:
    model, layout = scripted("x = ", "ab.ab.ab.ab")
    for passes in range(8):
        left = iter([False] * passes)
        session = Session(model.cache())
        ghost = write(model, session, layout, 40, lambda left=left: next(left, True))
        assert ghost.stop == "deadline"
        assert "ab.ab.ab.ab".startswith(ghost.text)
        assert write(model, session, layout, 40, never).text == "ab.ab.ab.ab"


def test_giving_up_leaves_a_session_that_goes_on() -> None:
    layout = layout_of(TOY, "ab = 1\n" * 60 + "a")
    expected = write(TOY, Session(TOY.cache()), layout, 6, never)
    for passes in range(4):
        session = Session(TOY.cache())
        left = iter([False] * passes)

        def stop(left: object = left) -> bool:
            if next(left, None) is None:
                raise KeyError
            return False

        with pytest.raises(KeyError):
            write(TOY, session, layout, 6, stop)
        assert write(TOY, session, layout, 6, never).text == expected.text


def test_a_deadline_while_reading_is_an_error() -> None:
    layout = layout_of(TOY, "ab = 1\n" * 60)
    with pytest.raises(TimeoutError):
        write(TOY, Session(TOY.cache()), layout, 6, lambda: True)
