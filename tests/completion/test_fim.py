"""Prompts in tokens: equal to encoding it all afresh, and stable while somebody types."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from completion import fim
from completion.fim import Anchor, Layout, lay_out
from completion.model.types import START, advance, advance_tokens
from completion.request import Prompt
from completion.tree import CanonicalModel
from tests.completion.toys import toy_model, toy_tokenizer

MODEL = toy_model(toy_tokenizer([(b" ", b" "), (b"  ", b"  "), (b"\n", b"    "), (b"a", b"b")]))
HEADER = "# other.py\ndef helper(a, b)\n"
SUFFIX = "\n    return ab\n"

code = st.lists(
    st.sampled_from(
        [
            "a",
            "ab",
            "def ",
            "(",
            ")",
            " ",
            "    ",
            "\n",
            "\r\n",
            "\r",
            "\x1c",
            "\u00a0",
            "é",
            '"',
            "1",
        ]
    ),
    max_size=30,
).map("".join)


def prompt(prefix: str, header: str = HEADER, suffix: str = SUFFIX) -> Prompt:
    return Prompt(header, suffix, prefix)


def spelled(layout: Layout) -> bytes:
    after_sentinel = layout.values[layout.values.index(MODEL.tokenizer.prefix) + 1 :]
    return MODEL.tokenizer.decode_bytes(after_sentinel) + layout.tail


@settings(deadline=None)
@given(code)
@example("a\n\u00a0\n")
@example("a\n\x1c\n b")
@example("  \n  ")
def test_the_layout_is_the_whole_prompt_encoded_at_once(prefix: str) -> None:
    layout, _ = lay_out(MODEL, prompt(prefix), None)
    assert spelled(layout) == prefix.encode()
    spans = MODEL.tokenizer.pretokens(prefix)
    begin = spans[-1][0] if spans else 0
    assert layout.tail == prefix.encode()[begin:]
    trunk = MODEL.tokenizer.encode(prefix.encode()[:begin].decode())
    pieces = [MODEL.tokenizer.token_bytes[one] for one in trunk]
    syntax, states = advance_tokens(START, pieces)
    count = len(layout.values) - len(trunk)
    assert list(layout.values[count:]) == trunk
    assert list(layout.states[count:]) == states
    assert layout.place.syntax == syntax
    assert layout.place.token == (trunk[-1] if trunk else MODEL.tokenizer.prefix)


def typed(session: str, model: CanonicalModel = MODEL) -> tuple[list[Layout], list[Anchor]]:
    """The layouts while ``session`` is typed character by character behind a first line."""
    layouts, anchors = [], []
    anchor = None
    for end in range(len(session) + 1):
        fresh_header = f"# changes with every letter {end}\n"
        layout, anchor = lay_out(model, prompt("x = 1\n" + session[:end], fresh_header), anchor)
        layouts.append(layout)
        anchors.append(anchor)
    return layouts, anchors


def test_typing_on_a_line_only_appends() -> None:
    layouts, anchors = typed("    self.ab(ab, 1")
    assert len(set(map(id, anchors))) == 1
    for before, after in pairwise(layouts):
        assert after.values[: len(before.values)] == before.values
        assert after.states[: len(before.states)] == before.states


def test_leaving_the_line_takes_up_the_new_header() -> None:
    layouts, anchors = typed("a\nb")
    assert anchors[0] is anchors[1]
    assert anchors[2] is not anchors[1]
    assert anchors[2] is anchors[3]
    assert layouts[2].values != layouts[1].values[: len(layouts[2].values)]


def test_another_suffix_or_another_line_is_another_anchor() -> None:
    _, anchor = lay_out(MODEL, prompt("a = 1\nb = 2\nc"), None)
    others = [
        prompt("a = 1\nb = 2\nc", suffix=")" + SUFFIX),
        prompt("a = 1\nb"),
        prompt("a = 1\nb = 3\nc"),
        prompt("a = 1\nb = 2\nc\nc"),
    ]
    for other in others:
        assert lay_out(MODEL, other, anchor)[1] is not anchor
    same, kept = lay_out(MODEL, prompt("a = 1\nb = 2\ncd"), anchor)
    assert kept is anchor
    assert spelled(same) == b"a = 1\nb = 2\ncd"


def test_a_caller_whose_window_moves_keeps_the_anchor() -> None:
    lines = "".join(f"a{index} = {index}\n" for index in range(140))
    first, anchor = lay_out(MODEL, prompt(lines + "b"), None)
    moved = lines[lines.index("\n") + 1 :] + "bc"
    again, kept = lay_out(MODEL, prompt(moved), anchor)
    assert kept is anchor
    assert again.values == first.values


def test_a_long_prompt_starts_at_a_logical_line_and_fits() -> None:
    block = "def ab(\n    a,\n    b,\n):\n    return (\n        a\n    )\n"
    layout, anchor = lay_out(MODEL, prompt(block * 60 + "x"), None)
    begin = len(block * 60) - anchor.kept
    assert (block * 60)[begin:].startswith(("def", "    return"))
    room = fim.PROMPT_TOKENS - layout.values.index(MODEL.tokenizer.prefix) - 1
    length = len(MODEL.tokenizer.encode(layout.before))
    assert 0.5 * room < length <= fim.FRESH_SHARE * room


def test_the_window_stays_while_lines_are_added_until_it_is_full() -> None:
    lines, anchor, starts = "", None, []
    for index in range(0, 120, 2):
        _, anchor = lay_out(MODEL, prompt(lines), anchor)
        starts.append(len(anchor.above) - anchor.kept)
        lines += f"value = {index}\nvalue = {index}\n"
    moves = sum(before != after for before, after in pairwise(starts))
    assert starts == sorted(starts)
    assert 1 <= moves <= 12


def test_a_docstring_that_the_window_cannot_hold_is_not_taken_for_code() -> None:
    docstring = '"""' + "ab (a, b)\n" * 300 + '"""\n'
    layout, _ = lay_out(
        MODEL, prompt("def f():\n    " + docstring + "a = 1\n" * 20 + "b = a"), None
    )
    assert layout.before.startswith("a = 1\n")
    assert not layout.place.syntax.literal
    inside, _ = lay_out(MODEL, prompt("def f():\n    " + docstring[:2000] + "\na"), None)
    assert inside.before.startswith("ab (a, b)\n")
    assert inside.place.syntax.literal
    here = "def f():\n    " + docstring[:-1]
    _, anchor = lay_out(MODEL, prompt(here), None)
    below, _ = lay_out(MODEL, prompt(here + "\na = 1\nb"), anchor)
    fresh, _ = lay_out(MODEL, prompt(here + "\na = 1\nb"), None)
    assert below.before.endswith(fresh.before)
    assert not below.place.syntax.literal


LONG_LINES = {
    "a list": ("f(a, [\n", "    'a b', 1,\n"),
    "a call with comments": ("x = f(\n", "    a=1,  # it's\n"),
    "a docstring": ('def f():\n    """\n', "    (a'\n"),
    "carriage returns": ("x = {\r\n", "    1: '',\r\n"),
}


@pytest.mark.parametrize(("first", "line"), LONG_LINES.values(), ids=list(LONG_LINES))
@pytest.mark.parametrize("typed_there", ["", "    ", "    'a b', 1, x"])
def test_within_a_long_logical_line_the_window_knows_what_is_open(
    first: str, line: str, typed_there: str
) -> None:
    whole = "a = 1\n" + first + line * 300 + typed_there
    layout, anchor = lay_out(MODEL, prompt(whole), None)
    assert layout.before.startswith(line)
    assert layout.before.endswith(line + typed_there)
    assert len(MODEL.tokenizer.encode(layout.before)) > 150
    told = whole.encode().removesuffix(layout.tail)
    assert layout.place.syntax == advance(START, told)[0]
    longer = whole + line + line  # on another line, in the same window
    more, kept = lay_out(MODEL, prompt(longer), anchor)
    assert kept.kept - anchor.kept == len(longer) - len(whole) + len(typed_there)
    assert more.place.syntax == advance(START, longer.encode().removesuffix(more.tail))[0]


def test_the_end_of_a_line_that_is_too_long_knows_what_is_open() -> None:
    whole = "a = 1\nx = [" + "a, " * 3000 + "b"
    layout, _ = lay_out(MODEL, prompt(whole), None)
    assert layout.place.syntax.brackets == advance(START, whole.encode())[0].brackets == ("list",)


def test_a_line_longer_than_the_window_keeps_its_end() -> None:
    layout, anchor = lay_out(MODEL, prompt("a\n" + "é, " * 2000 + "x"), None)
    assert len(layout.values) <= fim.PROMPT_TOKENS
    assert layout.before.endswith("é, é, x")
    assert anchor.kept == 0
    longer, _ = lay_out(MODEL, prompt("a\n" + "é, " * 2000 + "x, é"), anchor)
    assert longer.values[: len(layout.values)] == layout.values


def test_specials_in_text_are_text() -> None:
    layout, _ = lay_out(MODEL, prompt("<|end|><|prefix|>a"), None)
    assert layout.values.count(MODEL.tokenizer.end) == 0
    assert layout.values.count(MODEL.tokenizer.prefix) == 1
