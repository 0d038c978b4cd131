"""What stands at the cursor: a table, and invariants over real files cut anywhere."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import click
import pytest
import rich.console
import rich.text
from hypothesis import given, settings
from hypothesis import strategies as st

from completion.context import Context, Place, read
from completion.scope import How
from completion.tokens import scan
from indexing.languages import language_of
from indexing.parsing import parse

CURSOR = "‸"
SOURCES = [
    Path(inspect.getfile(module)).read_bytes() for module in (click.core, rich.console, rich.text)
]


def at(source: str) -> Context:
    before, _, after = source.partition(CURSOR)
    return read((before + after).encode(), len(before.encode()))


@pytest.mark.parametrize(
    ("source", "place", "prefix"),
    [
        ("x.‸", Place.MEMBER, ""),
        ("x.fo‸", Place.MEMBER, "fo"),
        ("x.é‸", Place.MEMBER, "é"),
        ("fo‸", Place.NAME, "fo"),
        ("‸", Place.NAME, ""),
        ("x = fo‸", Place.NAME, "fo"),
        ("if x: fo‸", Place.NAME, "fo"),
        ("x = {**fo‸", Place.NAME, "fo"),
        ("f(a, b=fo‸", Place.NAME, "fo"),
        ("def f(a: fo‸", Place.NAME, "fo"),
        ("def f(a) -> dict[str, fo‸", Place.NAME, "fo"),
        ("def f(a=fo‸", Place.NAME, "fo"),
        ("class A(fo‸", Place.NAME, "fo"),
        ("@fo‸", Place.NAME, "fo"),
        ("global fo‸", Place.NAME, "fo"),
        ("[1, 2][0].‸", Place.MEMBER, ""),
        ("import fo‸", Place.MODULE, "fo"),
        ("import a, fo‸", Place.MODULE, "fo"),
        ("import a.b.fo‸", Place.MODULE, "fo"),
        ("from fo‸", Place.MODULE, "fo"),
        ("from .‸", Place.MODULE, ""),
        ("from ..a.fo‸", Place.MODULE, "fo"),
        ("from a import fo‸", Place.IMPORTED, "fo"),
        ("from a import (\n    b,\n    fo‸", Place.IMPORTED, "fo"),
        ("from a im‸", Place.IMPORT_KEYWORD, "im"),
        ("from a import b as fo‸", Place.DEFINITION, "fo"),
        ("import a as fo‸", Place.DEFINITION, "fo"),
        ("with x as fo‸", Place.DEFINITION, "fo"),
        ("def fo‸", Place.DEFINITION, "fo"),
        ("async def fo‸", Place.DEFINITION, "fo"),
        ("class Fo‸", Place.DEFINITION, "Fo"),
        ("def f(a, fo‸", Place.DEFINITION, "fo"),
        ("def f(a, *fo‸", Place.DEFINITION, "fo"),
        ("lambda fo‸", Place.DEFINITION, "fo"),
        ("for fo‸", Place.DEFINITION, "fo"),
        ("x = 12‸", Place.NUMBER, "12"),
        ("x = 1.‸", Place.NUMBER, ""),
        ("x = 0xfe‸", Place.NUMBER, "0xfe"),
        ("x = 'fo‸", Place.STRING, "fo"),
        ("x = 'fo‸'", Place.STRING, "fo"),
        ("x = rb'fo‸", Place.STRING, "fo"),
        ("x = '''a\nfo‸'''", Place.STRING, "fo"),
        ("def f():\n    '''a\n\nfo‸\n    '''", Place.STRING, "fo"),
        ("def f():\n    '''a\n    fo‸", Place.STRING, "fo"),
        ("x = f'{fo‸", Place.NAME, "fo"),
        ("x = f'{a.fo‸}'", Place.MEMBER, "fo"),
        ("x = f'{{fo‸", Place.STRING, "fo"),
        ("x = f'{a} fo‸", Place.STRING, "fo"),
        ("# fo‸", Place.COMMENT, "fo"),
        ("x = 1 # a.fo‸", Place.COMMENT, "fo"),
        ("x = '# ' + fo‸", Place.NAME, "fo"),
    ],
)
def test_place(source: str, place: Place, prefix: str) -> None:
    context = at(source)
    assert (context.place, context.prefix) == (place, prefix)


@pytest.mark.parametrize(
    ("source", "receiver"),
    [
        ("self.a.‸", "self.a"),
        ("await self.a.‸", "self.a"),
        ("x = not y.z().w[1:2].‸", "y.z().w[1:2]"),
        ("f(a, g(b).‸", "g(b)"),
        ("f(a,\n  g(\n    b, # why\n  ).‸", "g( b, )"),
        ("(a or b).‸", "(a or b)"),
        ("return (a).b.‸", "(a).b"),
        ("'a'.‸", "'a'"),
        ('f"{x}".‸', 'f"{x}"'),
        ("[1].‸", "[1]"),
        ("{1: 2}.‸", "{1: 2}"),
        ("-x.‸", "x"),
        ("x[y.‸", "y"),
        ("x if y.‸", "y"),
        ("lambda t: t.‸", "t"),
        (").‸", ""),
        ("= .‸", ""),
    ],
)
def test_receiver(source: str, receiver: str) -> None:
    context = at(source)
    assert context.place is Place.MEMBER
    assert context.receiver == receiver


@pytest.mark.parametrize(
    ("source", "callee", "position", "keywords", "naming", "keyword"),
    [
        ("f(‸", "f", 0, (), True, ""),
        ("a.f(1, ‸", "a.f", 1, (), True, ""),
        ("a.f(1, x=2, ‸", "a.f", 2, ("x",), True, ""),
        ("f(x=‸", "f", 0, ("x",), False, "x"),
        ("f(g(1, 2), (3, 4), ‸", "f", 2, (), True, ""),
        ("f(g(‸", "g", 0, (), True, ""),
        ("f(1 + ‸", "f", 0, (), False, ""),
        ("f(x == ‸", "f", 0, (), False, ""),
        ("f(1)(2, ‸", "f(1)", 1, (), True, ""),
    ],
)
def test_call(
    source: str, callee: str, position: int, keywords: tuple[str, ...], naming: bool, keyword: str
) -> None:
    call = at(source).call
    assert call is not None
    assert (call.callee, call.position, call.keywords, call.naming, call.keyword) == (
        callee, position, keywords, naming, keyword,
    )  # fmt: skip


@pytest.mark.parametrize("source", ["(‸", "x = (a, ‸", "f([‸", "def f(‸", "class A(‸", "if (‸"])
def test_no_call(source: str) -> None:
    assert at(source).call is None


NESTED = """
import os


class Outer(Base):
    limit = 3

    @decorated
    async def work(self, items: list[Item], *rest, key=None, **more: str):
        text = '''
not code: def f(self):
'''
        first, (second, third) = items[0], pair()
        total: int = 0
        self.items = items
        with open(items) as handle, lock:
            for index, item in enumerate(items):
                try:
                    value = (
    item.price)
                    if isinstance(value, (A, b.C)) and value:
                        from .x import y as z
                        found = [each for each in value if each.‸

    def after(self): ...
"""


def test_bindings() -> None:
    context = at(NESTED)
    assert (context.qualname, context.owner, context.self_name) == ("Outer.work", "Outer", "self")
    bound = {
        name: [(each.how, each.expression, each.annotation, each.index) for each in found]
        for name, found in context.bindings.items()
    }
    assert bound == {
        "work": [(How.DEFINED, "function", "", None)],
        "self": [(How.PARAMETER, "", "", None)],
        "items": [(How.PARAMETER, "", "list[Item]", None)],
        "rest": [(How.PARAMETER, "", "*", None)],
        "key": [(How.PARAMETER, "None", "", None)],
        "more": [(How.PARAMETER, "", "**str", None)],
        "text": [(How.ASSIGNED, "'''\nnot code: def f(self):\n'''", "", None)],
        "first": [(How.ASSIGNED, "items[0]", "", None)],
        "second": [(How.ASSIGNED, "pair()", "", 0)],
        "third": [(How.ASSIGNED, "pair()", "", 1)],
        "total": [(How.ASSIGNED, "0", "int", None)],
        "self.items": [(How.ASSIGNED, "items", "", None)],
        "handle": [(How.ENTERED, "open(items)", "", None)],
        "index": [(How.ELEMENT, "enumerate(items)", "", 0)],
        "item": [(How.ELEMENT, "enumerate(items)", "", 1)],
        "value": [
            (How.ASSIGNED, "(\n    item.price)", "", None),
            (How.NARROWED, "", "A | b.C", None),
        ],
        "z": [(How.IMPORTED, ".x:y", "", None)],
        "each": [(How.ELEMENT, "value", "", None)],
    }


def test_offsets_of_bindings_point_at_their_names() -> None:
    text = NESTED.replace(CURSOR, "").encode()
    for name, found in at(NESTED).bindings.items():
        for binding in found:
            assert text[binding.offset :].startswith(name.encode())


def test_a_statement_in_progress_binds_nothing_yet() -> None:
    context = at("def f(x):\n    x = x.‸")
    assert [each.how for each in context.bindings["x"]] == [How.PARAMETER]


@pytest.mark.parametrize(
    ("source", "target", "before", "starts", "called"),
    [
        ("x = a.‸", "x", "=", False, False),
        ("self.x: T = ‸", "self.x", "=", False, False),
        ("a.‸", "", "", False, False),
        ("‸", "", "", True, False),
        ("await a.b.‸", "", "await", False, False),
        ("fo‸(1)", "", "", True, True),
        ("x.fo‸ (1)", "", "", False, True),
        ("f(x = ‸", "", "=", False, False),
    ],
)
def test_surroundings(source: str, target: str, before: str, starts: bool, called: bool) -> None:
    context = at(source)
    assert (context.target, context.before, context.starts_statement, context.called) == (
        target, before, starts, called,
    )  # fmt: skip


def test_a_lone_carriage_return_ends_a_line() -> None:
    assert at(NESTED.replace("\n", "\r")) == at(NESTED)


@pytest.mark.parametrize("line", ["    'key': [1, 2, value],\n", "    'key': [1, 2, value], "])
def test_a_table_of_a_megabyte(line: str) -> None:
    context = at("TABLE = {\n" + line * 40_000 + "    'x': self.nam‸\n}\n")
    assert (context.place, context.receiver, context.prefix) == (Place.MEMBER, "self", "nam")


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SOURCES), st.data())
def test_any_cut_of_a_real_file(source: bytes, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(source)))
    cut = source[:offset]
    rest = data.draw(
        st.sampled_from([b"", b"\n", source[offset:], b"\n'''\n)]}", b"\r\n  def f(:\n"])
    )
    language = language_of("x.py")
    assert language is not None
    context = read(cut + rest, offset, parse(language, cut + rest))
    assert 0 <= context.statement <= context.start <= offset <= context.end <= len(cut + rest)
    assert cut[context.start :].decode("utf-8", "replace") == context.prefix
    assert re.fullmatch(r"\w*", context.prefix)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(SOURCES), st.data())
def test_what_follows_the_line_changes_nothing(source: bytes, data: st.DataObject) -> None:
    offset = outside_strings(source, data.draw(st.integers(0, len(source))))
    below = data.draw(st.sampled_from([b"\n", b"\nx = 1\n", b"\n@", b"\nclass A(\n    def"]))
    assert read(source[:offset] + below, offset) == read(source[:offset], offset)


def outside_strings(source: bytes, offset: int) -> int:
    """The offset, or the end of the string it is in: an unclosed one may hold anything."""
    language = language_of("x.py")
    assert language is not None
    node = parse(language, source).root_node.descendant_for_byte_range(offset, offset)
    while node is not None:
        offset = node.end_byte if node.type == "string" else offset
        node = node.parent
    return offset


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab.(),[]{}:='\"#\\\n\t frd*@é\r0", max_size=60), st.data())
def test_any_text(text: str, data: st.DataObject) -> None:
    offset = len(text[: data.draw(st.integers(0, len(text)))].encode())
    context = read(text.encode(), offset)
    assert 0 <= context.statement <= context.start <= offset <= context.end


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab.()[]{}:='\"#\\\n frd*é0", max_size=60))
def test_tokens_are_in_order_and_as_written(text: str) -> None:
    data = text.encode()
    found = scan(data, 0, len(data))
    end = 0
    for token in found.tokens:
        assert end <= token.start < token.end <= len(data)
        assert data[token.start : token.end] == token.text
        end = token.end
    assert all(found.tokens[index].text in (b"(", b"[", b"{") for index in found.open)
