"""Cuts are where they say they are, and the same seed gives the same cuts."""

from __future__ import annotations

import ast
from pathlib import Path

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation import cuts
from evaluation.cuts import Place

CLICK = Path(click.__file__).parent
FILES = {path.name: path.read_bytes() for path in sorted(CLICK.glob("*.py"))}
EVERYWHERE = dict.fromkeys(Place, 5)

SOURCE = b"""\
import os

class Client:
    @decorate()
    def send(self, request):
        value = self.prepare(request, "caf\xc3\xa9")
        if check(value):
            return os.path.join("a", value)
        for part in self.parts(): consume(part)
        text = f"{self.hidden()}"
        return transport().handle(value)
"""


def test_sites_are_the_calls_outside_strings() -> None:
    names = [SOURCE[slice(*site.name)].decode() for site in cuts.sites(SOURCE)]
    expected = [
        *("decorate", "prepare", "check", "join", "parts", "consume", "handle", "transport"),
    ]
    assert names == expected


def test_sites_agree_with_the_standard_parser() -> None:
    for name, data in FILES.items():
        ours = {site.name for site in cuts.sites(data)}
        calls = [node for node in ast.walk(ast.parse(data)) if isinstance(node, ast.Call)]
        named = [node.func for node in calls if isinstance(node.func, ast.Name | ast.Attribute)]
        ends = {_byte_offset(data, node.end_lineno, node.end_col_offset) for node in named}
        assert {end for _, end in ours} <= ends, name
        assert len(ours) > 0.9 * len(ends), name  # the rest are calls inside f-strings


def _byte_offset(data: bytes, line: int | None, column: int | None) -> int:
    assert line is not None
    assert column is not None
    return sum(len(row) for row in data.splitlines(keepends=True)[: line - 1]) + column


def test_places_of_a_site() -> None:
    found = {SOURCE[slice(*site.name)]: cuts.fitting(site, SOURCE) for site in cuts.sites(SOURCE)}
    assert found[b"prepare"] == [Place.SELF, Place.TOKEN, Place.STATEMENT]
    assert found[b"join"] == [Place.DOT, Place.TOKEN, Place.STATEMENT]
    assert found[b"check"] == [Place.NAME]  # a condition: no statement starts there
    assert found[b"decorate"] == [Place.NAME]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_cut_splits_its_line_where_it_says(seed: int) -> None:
    for cut in cuts.sample(FILES, EVERYWHERE, seed):
        data = FILES[cut.path]
        line = data[cuts.line_start(data, cut.offset) : cuts.line_end(data, cut.offset)]
        before = data[cuts.line_start(data, cut.offset) : cut.offset]
        assert before + cut.rest.encode() == line
        assert cut.name.startswith(cut.typed)
        assert cut.rest.startswith(cut.name[len(cut.typed) :])
        assert before.endswith(_before(cut.place, cut.typed))
        assert bool(cut.typed) == (cut.place in (Place.NAME, Place.TOKEN))
        assert cut.place is not Place.STATEMENT or not before.strip()


def _before(place: Place, typed: str) -> bytes:
    before = {Place.DOT: b".", Place.TOKEN: b"." + typed.encode(), Place.NAME: typed.encode()}
    return before.get(place, b"self." if place is Place.SELF else b"")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(0, 12), per_file=st.integers(1, 4))
def test_counts_are_kept_and_no_line_is_used_twice(seed: int, count: int, per_file: int) -> None:
    found = cuts.sample(FILES, dict.fromkeys(Place, count), seed, per_file)
    assert all(sum(cut.place is place for cut in found) <= count for place in Place)
    assert all(sum(cut.path == path for cut in found) <= per_file for path in FILES)
    lines = [(cut.path, cuts.line_start(FILES[cut.path], cut.offset)) for cut in found]
    assert len(lines) == len(set(lines))


def test_the_seed_decides() -> None:
    backwards = dict(reversed(list(FILES.items())))
    first = cuts.sample(FILES, EVERYWHERE, seed=1)
    assert first == cuts.sample(backwards, EVERYWHERE, seed=1)
    assert first != cuts.sample(FILES, EVERYWHERE, seed=2)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_only_the_rest_of_the_line_is_cut_away(end: bytes) -> None:
    data = end.join([b"a = b.c()", b"d = e"])
    assert cuts.without_rest(data, 6) == end.join([b"a = b.", b"d = e"])
    assert cuts.without_rest(data, len(data) - 1) == data[:-1]
    assert cuts.line_start(data, len(data)) == len(b"a = b.c()" + end)


@settings(max_examples=50, deadline=None)
@given(data=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_bytes_can_be_sampled(data: bytes) -> None:
    for cut in cuts.sample({"a.py": data}, EVERYWHERE, seed=0):
        assert 0 <= cut.offset <= len(data)


def test_names_and_attributes_that_are_read() -> None:
    data = b"""\
import os
def f(one, two=three):
    four = five
    for six in seven:
        eight(nine, ten=eleven, twelve=thirteen.fourteen)
    if fifteen and not sixteen.seventeen:
        return eighteen + [nineteen]
    twenty.one = "nothing"
    broken = = two
"""
    names = {data[slice(*span)].decode() for span in cuts.names(data)}
    assert names == {
        *("five", "seven", "nine", "eleven", "fifteen", "eighteen", "nineteen"),
    }
    attributes = {data[slice(*span)].decode() for span in cuts.reads(data)}
    assert attributes == {"fourteen", "seventeen"}


def test_tokens_of_code_begin_where_code_is() -> None:
    data = b"""\
# words of prose
def f(a):
    return a + "some words"  # more
"""
    found = [data[start:].split()[0].decode() for start in cuts.edges(data)]
    assert found == ["def", "f(a):", "(a):", "a):", "):", ":", "return", "a", "+"]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(0, 12), per_file=st.integers(1, 4))
def test_cuts_before_tokens(seed: int, count: int, per_file: int) -> None:
    found = cuts.sample_edges(FILES, count, seed, per_file)
    assert len(found) <= count
    assert all(sum(cut.path == path for cut in found) <= per_file for path in FILES)
    lines = [(cut.path, cuts.line_start(FILES[cut.path], cut.offset)) for cut in found]
    assert len(lines) == len(set(lines))
    for cut in found:
        assert cut.place is Place.EDGE
        assert FILES[cut.path][cut.offset :].startswith(cut.rest.encode())
        assert cut.rest.startswith(cut.name)
        assert cut.rest.strip()
