"""Statements by beam search: where they end, how they are scored, and greedy by hand."""

from __future__ import annotations

import math

import pytest

from completion.decoding import Session
from completion.fim import lay_out
from completion.request import Prompt
from completion.statements import Statement, likeliest_statements
from completion.tree import CanonicalModel
from tests.completion.toys import Scripted, next_log_probs, toy_model, toy_tokenizer

TOKENIZER = toy_tokenizer(
    [(b"a", b"b"), (b"ab", b"a"), (b" ", b"a"), (b"\n", b" "), (b"b", b"a"), (b",", b" ")]
)


def statements(model: CanonicalModel, prefix: str, **options: int) -> list[Statement]:
    layout, _ = lay_out(model, Prompt("", "", prefix), None)
    return likeliest_statements(model, Session(model.cache()), layout, lambda: False, **options)


def scripted(prefix: str, middle: str) -> CanonicalModel:
    ids = TOKENIZER.encode(prefix + middle)
    header = [TOKENIZER.suffix, TOKENIZER.prefix]
    return CanonicalModel(Scripted(TOKENIZER, [*header, *ids]).double(), TOKENIZER)


@pytest.mark.parametrize(
    ("middle", "written"),
    [
        ("f(a)\nb", "f(a)"),
        ("f(a,\n  b)\nc", "f(a,\n  b)"),
        ("f(a)  # why\nb", "f(a)"),
        ("f('# no', a)\nb", "f('# no', a)"),
        ("a \\\n + b\nc", "a \\\n + b"),
        ("a", "a"),
    ],
)
@pytest.mark.parametrize("beams", [1, 3])
def test_it_ends_where_the_statement_does(middle: str, written: str, beams: int) -> None:
    best = statements(scripted("a = ", middle), "a = ", beams=beams)[0]
    assert (best.text.decode().strip(), best.ended) == (written, True)


def test_greedy_is_the_likeliest_token_again_and_again() -> None:
    model = toy_model(TOKENIZER)
    header, ids = [TOKENIZER.suffix, TOKENIZER.prefix], TOKENIZER.encode("b(")
    text, log_prob = b"", 0.0
    for _ in range(6):  # inside a bracket only the end of the middle ends
        row = next_log_probs(model, header, ids)
        token = int(row.argmax())
        log_prob += float(row[token])
        if token == TOKENIZER.end:
            break
        ids.append(token)
        text += TOKENIZER.token_bytes[token]
    (found,) = statements(model, "b(", beams=1, max_tokens=6)
    assert found.text == text.rstrip()
    assert found.log_prob == pytest.approx(log_prob, abs=1e-9)


def test_log_probs_are_those_of_the_tokens_and_of_the_end() -> None:
    model = toy_model(TOKENIZER)
    model.network.value_embedding.weight[TOKENIZER.end] *= 4  # so that it ends at all
    header, begin = [TOKENIZER.suffix, TOKENIZER.prefix], TOKENIZER.encode("b(")
    found = [one for one in statements(model, "b(", beams=20, max_tokens=3) if one.text.isascii()]
    assert any(one.ended and one.text for one in found)
    for one in found:
        ids = TOKENIZER.encode("b(" + one.text.decode())
        ids += [TOKENIZER.end] if one.ended else []
        total = sum(
            float(next_log_probs(model, header, ids[:at])[ids[at]])
            for at in range(len(begin), len(ids))
        )
        assert one.log_prob == pytest.approx(total, abs=1e-9)
        assert one.score == pytest.approx(total / (len(ids) - len(begin)))


def test_no_end_gives_beginnings() -> None:
    found = statements(scripted("a = ", "f" * 50), "a = ", beams=1, max_tokens=5)
    assert found
    assert not any(one.ended for one in found)
    assert all(math.isfinite(one.score) for one in found)
