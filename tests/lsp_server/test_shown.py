"""What is typed of a ghost text is not asked for again; a wrong letter, and it is."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from lsp_server.shown import KEPT, Memory, Shown

LETTERS = st.text(alphabet="ab\n(é", max_size=5)


def twin(shown: Shown, text: bytes, offset: int) -> bytes | None:
    """The rest by whole documents: the text minus what was typed, if it leads to the same end."""
    end = shown.text[: shown.offset] + shown.insert + shown.text[shown.offset :]
    for typed in range(len(shown.insert) + 1):
        rest = shown.insert[typed:]
        stands = shown.text[: shown.offset] + shown.insert[:typed] + shown.text[shown.offset :]
        if (text, offset) == (stands, shown.offset + typed):
            assert text[:offset] + rest + text[offset:] == end
            return rest
    return None


@given(before=LETTERS, after=LETTERS, insert=LETTERS, text=LETTERS, offset=st.integers(0, 12))
def test_any_document_is_answered_as_by_comparing_whole_documents(
    before: str, after: str, insert: str, text: str, offset: int
) -> None:
    shown = Shown(1, (before + after).encode(), len(before.encode()), insert.encode())
    assert shown.rest(text.encode(), offset) == twin(shown, text.encode(), offset)


@given(data=st.data(), before=LETTERS, after=LETTERS, insert=LETTERS)
def test_what_is_typed_of_it_is_taken_off_and_another_document_is_not_answered(
    data: st.DataObject, before: str, after: str, insert: str
) -> None:
    typed = insert[: data.draw(st.integers(0, len(insert)))]
    shown = Shown(1, (before + after).encode(), len(before.encode()), insert.encode())
    text, offset = (before + typed + after).encode(), len((before + typed).encode())
    assert shown.rest(text, offset) == insert.removeprefix(typed).encode()
    assert shown.rest(text, offset) == twin(shown, text, offset)
    at = data.draw(st.integers(0, len(text)))
    changed = text[:at] + b"#" + text[at + data.draw(st.integers(0, 1)) :]
    assert shown.rest(changed, offset) is None
    assert shown.rest(changed, offset + 1) is None


def test_backspace_gives_the_longer_rest_again_and_a_wrong_letter_misses() -> None:
    memory = Memory()
    shown = memory.remember("a", b"x = y\n", 4, b"foo(")
    assert list(memory.rests("a", b"x = fy\n", 5)) == [(shown, b"oo(")]
    assert list(memory.rests("a", b"x = foy\n", 6)) == [(shown, b"o(")]
    assert list(memory.rests("a", b"x = fy\n", 5)) == [(shown, b"oo(")]
    assert list(memory.rests("a", b"x = fay\n", 6)) == []
    assert list(memory.rests("a", b"x = foo(y\n", 8)) == [(shown, b"")]
    assert list(memory.rests("a", b"x =y\n", 3)) == []
    assert list(memory.rests("b", b"x = fy\n", 5)) == []


def test_the_newest_comes_first_and_the_oldest_goes() -> None:
    memory = Memory()
    given = [memory.remember("a", b"", 0, text) for text in (b"ab", b"ac", b"ad", b"ae", b"af")]
    assert len(given) == KEPT + 1
    assert [shown for shown, _ in memory.rests("a", b"a", 1)] == given[:0:-1]
    assert len({shown.number for shown in given}) == len(given)
    memory.forget("a")
    memory.forget("a")
    assert list(memory.rests("a", b"a", 1)) == []
    memory.remember("a", b"", 0, b"ab")
    memory.clear()
    assert list(memory.rests("a", b"a", 1)) == []


def test_a_long_document_takes_no_time() -> None:
    memory, text = Memory(), b"x = 1\n" * 150_000
    for _ in range(KEPT):
        memory.remember("a", text, 600_000, b"value")
    typed = text[:600_000] + b"val" + text[600_000:]
    begun = time.perf_counter()
    assert len(list(memory.rests("a", typed, 600_003))) == KEPT
    assert time.perf_counter() - begun < 0.05
