"""Inputs from ids alone equal those that serving and training work out with the text at hand."""

from __future__ import annotations

from itertools import accumulate, pairwise

from hypothesis import given
from hypothesis import strategies as st

from completion.model.prompt import header
from completion.model.reading import PLACES_KEPT, Reader, Sentinels
from completion.model.tokenizer import Tokenizer
from completion.model.types import PAD_STATE, states_for
from tests.completion.toys import toy_tokenizer

TOKENIZER = toy_tokenizer([(b"d", b"e"), (b"de", b"f"), (b" ", b" "), (b"(", b")"), (b'"', b'"')])
TEXTS = st.text(alphabet="def ab1.\n()[]\"'#:=,{}\\é", max_size=40)


def reader(tokenizer: Tokenizer = TOKENIZER) -> Reader:
    sentinels = Sentinels(
        tokenizer.pad, tokenizer.end, tokenizer.context, tokenizer.suffix, tokenizer.prefix
    )
    return Reader(tokenizer.token_bytes, sentinels)


def known(context: str, suffix: str, text: str) -> tuple[list[int], list[int]]:
    """(ids, states) as training lays them out: by byte spans of the whole text."""
    values, states = header(TOKENIZER, context, suffix)
    ids = TOKENIZER.encode(text)
    ends = list(accumulate(len(TOKENIZER.token_bytes[one]) for one in ids))
    return [*values, *ids], [*states, *states_for(text.encode(), list(pairwise([0, *ends])))]


@given(TEXTS, TEXTS, TEXTS)
def test_states_of_the_whole_layout(context: str, suffix: str, text: str) -> None:
    ids, states = known(context, suffix, text)
    before = [[*reversed(ids[max(at - 2, 0) : at]), 0, 0][:2] for at in range(len(ids))]
    assert reader().inputs(ids) == {"values": ids, "states": states, "before": before}


@given(TEXTS, st.data())
def test_reading_on_equals_reading_anew(text: str, data: st.DataObject) -> None:
    ids, states = known("", "a\n", text)
    going_on = reader()
    cuts = sorted(data.draw(st.sets(st.integers(0, len(ids)), max_size=5)))
    for first, last in pairwise([0, *cuts, len(ids)]):
        assert going_on.inputs(ids[:last], first)["states"] == states[first:last]
        assert reader().inputs(ids[:last], first)["states"] == states[first:last]


def test_rows_that_share_a_beginning_do_not_disturb_each_other() -> None:
    one, other = known("", "", "def a(b")[0], known("", "", "def 'b")[0]
    both = reader()
    for length in range(1, 9):
        for ids in (one, other):
            part = ids[:length]
            assert both.inputs(part, len(part) - 1) == reader().inputs(part, len(part) - 1)


def test_the_end_is_no_text_and_what_follows_begins_anew() -> None:
    text, states = TOKENIZER.encode("a = '"), reader().inputs(TOKENIZER.encode("a = '"))["states"]
    row = [*text, TOKENIZER.end, *text]
    assert reader().inputs(row)["states"] == [*states, PAD_STATE, *states]


def test_only_so_many_rows_are_remembered() -> None:
    ids = known("", "", "a" * (PLACES_KEPT + 9))[0]
    one = reader()
    for length in range(1, len(ids)):
        one.inputs(ids[:length], length - 1)
    assert len(one._kept) == PLACES_KEPT
