"""The words of APIs: found by BM25 as by a slow twin, kept file by file, rebuilt when broken."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing import parsing
from indexing.apis import Apis, Read, comment_above, match_query, opened, split
from indexing.extract import extract
from indexing.languages import language_of


def read(file: int, text: str) -> Read:
    data = text.encode()
    language = language_of("m.py")
    assert language is not None
    symbols = extract(language, parsing.parse(language, data), data)
    return Read(file, symbols, f"m{file}", data)


def filled(texts: dict[int, str], tables: Apis) -> Apis:
    tables.refresh(texts, lambda file: read(file, texts[file]))
    return tables


def rows(tables: Apis) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for table in ("apis", "calls"):
        found += tables._connection.execute(f"SELECT * FROM {table}").fetchall()
    return sorted(found, key=repr)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("HTTPClient.send_all", "http client send all"),
        ("parseURL2", "parse url 2"),
        ("__init__", "init"),
        ("", ""),
        ("über_größe", "über größe"),
    ],
)
def test_identifiers_as_words(text: str, words: str) -> None:
    assert split(text) == words


WORDS = ("alpha", "beta", "gamma", "delta")


def slow_bm25(documents: list[list[str]], query: Iterable[str]) -> list[float]:
    """BM25 as SQLite documents it: k1 = 1.2, b = 0.75, one column."""
    mean = sum(map(len, documents)) / len(documents)
    scores = []
    for words in documents:
        total = 0.0
        for term in query:
            holders = sum(term in each for each in documents)
            idf = math.log((len(documents) - holders + 0.5) / (holders + 0.5))
            often = words.count(term)
            length = 1 - 0.75 + 0.75 * len(words) / mean
            total += max(idf, 1e-6) * often * 2.2 / (often + 1.2 * length)
        scores.append(total)
    return scores


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6), min_size=3, max_size=8),
    st.sets(st.sampled_from(WORDS), min_size=1, max_size=3),
)
def test_the_order_is_that_of_plain_bm25(documents: list[list[str]], query: set[str]) -> None:
    with closing(opened(None)) as tables:
        texts = {
            number: "# " + " ".join(words) + "\ncall()\n"
            for number, words in enumerate(documents, 1)
        }
        filled(texts, tables)
        found = tables._connection.execute(
            "SELECT file, -bm25(calls) FROM calls WHERE calls MATCH ?",
            (" OR ".join(sorted(query)),),
        ).fetchall()
        expected = slow_bm25(documents, sorted(query))
        assert {file for file, _ in found} == {
            number for number, words in enumerate(documents, 1) if query & set(words)
        }
        for file, score in found:
            assert score == pytest.approx(expected[file - 1], rel=1e-3, abs=1e-5)


def test_what_an_api_is_found_by() -> None:
    text = '''
class Pool(Base):
    """Keeps connections open."""
    def acquire(self, timeout_ms: Deadline): ...
limit = 3
'''
    with closing(filled({1: text}, opened(None))) as tables:

        def found(*words: str) -> list[int]:
            return [each.ordinal for each in tables.search(match_query(words), 9)]

        assert found("connection") == [0]
        assert found("acquiring")[0] == 1
        assert found("deadline") == [1]
        assert 1 in found("pool")
        assert found("limit") == []
        assert match_query(["", "--"]) == ""


def test_names_called_under_comments() -> None:
    text = "# Open the door first\ndoor.open()\n\n# nothing\nx = 1\n"
    text += "# Close it\n# with care\nshut(door)"
    with closing(filled({1: text}, opened(None))) as tables:
        assert set(tables.called_under(match_query(["opening"]), 9)) == {"open"}
        assert set(tables.called_under(match_query(["care", "close"]), 9)) == {"shut"}
        assert tables.called_under(match_query(["nothing"]), 9) == {}


def test_comments_above() -> None:
    text = b"a\n  # one\n  # two\n  b\n"
    assert comment_above(text, text.index(b"  b")) == "one two"
    assert comment_above(text, 0) == ""
    assert comment_above(b"// js\nf()", 6) == "js"


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.dictionaries(st.integers(1, 4), st.sampled_from(["def f(): ...", "# c d\ng()", ""])),
        max_size=5,
    )
)
def test_refreshed_is_as_fresh(states: list[dict[int, str]]) -> None:
    with closing(opened(None)) as kept:
        number = 0
        current: dict[int, str] = {}
        for state in states:  # a changed file has a new id, as in the store
            current = {number + place: text for place, text in enumerate(state.values(), 1)}
            number += len(state)
            filled(current, kept)
        with closing(filled(current, opened(None))) as fresh:
            assert rows(kept) == rows(fresh)
            assert kept.known() == fresh.known()


@pytest.mark.parametrize("damage", ["garbage", "truncated", "other"])
def test_a_broken_file_is_built_again(damage: str, tmp_path: Path) -> None:
    file = tmp_path / "apis.sqlite3"
    filled({1: "def f(): ..."}, opened(file)).close()
    if damage == "garbage":
        file.write_bytes(b"not a database at all" * 100)
    elif damage == "truncated":
        file.write_bytes(file.read_bytes()[:5000])
    else:
        file.unlink()
        with closing(sqlite3.connect(file)) as other:
            other.execute("CREATE TABLE apis (x)")
            other.commit()
    with closing(filled({1: "def f(): ..."}, opened(file))) as tables:
        assert len(tables.search(match_query(["f"]), 9)) == 1


def test_where_nothing_can_be_written_it_lies_in_memory(tmp_path: Path) -> None:
    with closing(opened(tmp_path / "no" / "such" / "folder" / "apis.sqlite3")) as tables:
        assert filled({1: "def f(): ..."}, tables).known() == {1}
