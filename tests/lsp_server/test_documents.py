"""The document store against a naive buffer, in every position encoding."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol import types
from lsprotocol.types import PositionEncodingKind as Encoding

from lsp_server import documents
from lsp_server.documents import changed, offset_at, opened, position_at

BREAKS = ("\n", "\r", "\r\n", "\x0c", "\u2028", "\x85")
WIDE = ("é", "e\u0301", "漢", "👩\u200d💻", "𝒳", "\ufeff")
PIECES = ("a", "name", " ", "", *BREAKS, *WIDE)
TEXTS = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)
ENCODINGS = st.sampled_from([Encoding.Utf8, Encoding.Utf16, Encoding.Utf32])
CODECS = {
    Encoding.Utf8: ("utf-8", 1),
    Encoding.Utf16: ("utf-16-le", 2),
    Encoding.Utf32: ("utf-32-le", 4),
}
UNSIGNED = st.integers(min_value=0, max_value=2**31 - 1)


class Naive:
    """The slow, obvious buffer: a list of characters, every line found anew each time."""

    def __init__(self, text: str) -> None:
        self.text = text

    def lines(self) -> list[str]:
        """Lines with their ends."""
        lines, current = [], ""
        for character, following in itertools.zip_longest(self.text, self.text[1:]):
            current += character
            if character == "\n" or (character == "\r" and following != "\n"):
                lines.append(current)
                current = ""
        return [*lines, current]

    def index(self, position: types.Position, encoding: Encoding) -> int:
        lines = self.lines()
        if position.line >= len(lines):
            return len(self.text)
        before = sum(len(line) for line in lines[: position.line])
        codec, size = CODECS[encoding]
        units = 0
        for character in lines[position.line].rstrip("\r\n"):
            units += len(character.encode(codec)) // size
            if units > position.character:
                break
            before += 1
        return before

    def edit(self, change: types.TextDocumentContentChangePartial, encoding: Encoding) -> None:
        start = self.index(change.range.start, encoding)
        end = max(start, self.index(change.range.end, encoding))
        self.text = self.text[:start] + change.text + self.text[end:]


@st.composite
def partial_changes(draw: st.DrawFn) -> types.TextDocumentContentChangePartial:
    small = st.integers(0, 12) | UNSIGNED
    start, end = (types.Position(draw(small), draw(small)) for _ in range(2))
    return types.TextDocumentContentChangePartial(types.Range(start, end), draw(TEXTS))


WHOLE = TEXTS.map(types.TextDocumentContentChangeWholeDocument)


@given(TEXTS, st.lists(st.lists(partial_changes(), max_size=4), max_size=5), ENCODINGS)
def test_any_edits_leave_what_a_naive_buffer_has(
    text: str, rounds: list[list[types.TextDocumentContentChangePartial]], encoding: Encoding
) -> None:
    naive = Naive(text)
    document = opened("file:///a.py", "python", 1, text)
    for version, changes in enumerate(rounds, 2):
        for change in changes:
            naive.edit(change, encoding)
        document = changed(document, version, changes, encoding)
        assert document.text == naive.text.encode()
        fresh = opened(document.uri, document.language, version, naive.text)
        assert document == fresh


@given(TEXTS, UNSIGNED | st.integers(0, 12), UNSIGNED | st.integers(0, 20), ENCODINGS)
def test_any_position_is_clamped_as_in_a_naive_buffer(
    text: str, line: int, character: int, encoding: Encoding
) -> None:
    naive, position = Naive(text), types.Position(line, character)
    expected = len(naive.text[: naive.index(position, encoding)].encode())
    assert offset_at(opened("u", "python", 1, text), position, encoding) == expected


@given(TEXTS, ENCODINGS)
def test_every_character_boundary_survives_the_way_there_and_back(
    text: str, encoding: Encoding
) -> None:
    document = opened("u", "python", 1, text)
    inside_crlf = {i + 1 for i in range(len(document.text)) if document.text[i : i + 2] == b"\r\n"}
    for index in range(len(text) + 1):
        offset = len(text[:index].encode())
        back = offset_at(document, position_at(document, offset, encoding), encoding)
        assert back == (offset - 1 if offset in inside_crlf else offset)


@given(TEXTS, WHOLE, partial_changes(), ENCODINGS)
def test_a_whole_text_replaces_everything(
    text: str,
    whole: types.TextDocumentContentChangeWholeDocument,
    part: types.TextDocumentContentChangePartial,
    encoding: Encoding,
) -> None:
    document = changed(opened("u", "python", 1, text), 2, [part, whole, part], encoding)
    assert document == changed(opened("u", "python", 1, whole.text), 2, [part], encoding)


@pytest.mark.parametrize("encoding", CODECS)
def test_an_edit_that_splits_and_joins_a_crlf(encoding: Encoding) -> None:
    document = opened("u", "python", 1, "a\r\nb")
    point = types.Range(types.Position(0, 1), types.Position(1, 0))
    split = [types.TextDocumentContentChangePartial(point, "\r")]
    document = changed(document, 2, split, encoding)
    assert (document.text, document.line_starts) == (b"a\rb", (0, 2))
    at_b = types.Range(types.Position(1, 0), types.Position(1, 0))
    join = [types.TextDocumentContentChangePartial(at_b, "\n")]
    document = changed(document, 3, join, encoding)
    assert (document.text, document.line_starts) == (b"a\r\nb", (0, 3))


def test_a_lone_surrogate_keeps_every_position_after_it() -> None:
    document = opened("u", "python", 1, "x = '\ud800' # é")
    assert document.text == "x = '?' # é".encode()


def test_the_exported_encoding_is_the_protocols() -> None:
    assert documents.Encoding is Encoding


@pytest.mark.parametrize(
    ("edits", "deleted_at"),
    [
        ([(2, 3, "")], 2),
        ([(4, 5, ""), (1, 3, "")], 1),
        ([(2, 3, ""), (2, 2, "x")], None),
        ([(2, 3, "x")], None),
        ([(2, 2, "x")], None),
        ([(2, 2, "")], None),
        ([], None),
    ],
)
def test_where_a_change_only_deleted_is_known(
    edits: list[tuple[int, int, str]], deleted_at: int | None
) -> None:
    document = opened("u", "python", 1, "abcdef")
    changes = [
        types.TextDocumentContentChangePartial(
            types.Range(types.Position(0, start), types.Position(0, end)), text
        )
        for start, end, text in edits
    ]
    after = changed(document, 2, changes, Encoding.Utf8)
    assert after.deleted_at == deleted_at
    whole = types.TextDocumentContentChangeWholeDocument("abc")
    assert changed(document, 2, [*changes, whole], Encoding.Utf8).deleted_at is None
    typed = types.TextDocumentContentChangePartial(
        types.Range(types.Position(0, 0), types.Position(0, 0)), "x"
    )
    assert changed(after, 3, [typed], Encoding.Utf8).deleted_at is None
