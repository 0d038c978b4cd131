"""The mapped, merged, array-searching model against counting n-grams in dictionaries."""

from __future__ import annotations

import math
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from unittest import mock

import click
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexing import lexemes, ngram_file, ngrams
from indexing.lexemes import BOUNDARY, NUMBER, PYTHON, STRING
from indexing.ngram_file import FILE_NAME, REACH, BrokenNgramsError, build
from indexing.ngrams import Evidence, NgramModel

Files = Mapping[str, bytes]
CLICK = Path(click.__file__).parent
REAL = {path.name: path.read_bytes() for path in sorted(CLICK.glob("*.py"))}

LINES = st.sampled_from(
    [b"a.b(c)", b"a.b = a", b"self.a.b", b"a = 12345", b"b('x y', c)", b"", b"c.a.b(a, b)", b"a."]
)
SOURCES = st.lists(LINES, max_size=8).map(b"\n".join)
PATHS = ["top.py", "pkg/one.py", "pkg/two.py", "pkg/sub/three.py", "other/four.py"]
REPOSITORIES = st.dictionaries(st.sampled_from(PATHS), SOURCES, max_size=5)
CONTEXTS = st.lists(
    st.sampled_from([b"a", b"b", b"c", b".", b"(", b"self", b"nowhere", b"\n"]), max_size=7
)
per_example = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


# --------------------------------------------------------------------- the slow and obvious twin


def twin_counts(texts: Sequence[bytes]) -> list[dict[tuple[bytes, ...], Counter[bytes]]]:
    """For each length of context: context -> what follows it."""
    tables: list[dict[tuple[bytes, ...], Counter[bytes]]] = [{} for _ in range(REACH + 1)]
    for text in texts:
        words = [BOUNDARY] * REACH + lexemes.lex(text, PYTHON)
        for at in range(REACH, len(words)):
            for length, table in enumerate(tables):
                before = tuple(words[at - length : at])
                table.setdefault(before, Counter())[words[at]] += 1
    return tables


class Twin:
    def __init__(self, files: Files, path: str) -> None:
        folder = path.rpartition("/")[0]
        near = [data for name, data in files.items() if name.rpartition("/")[0] == folder]
        own = [data for name, data in files.items() if name == path]
        self.levels = [twin_counts(texts) for texts in (list(files.values()), near, own)]

    def columns(self, context: Sequence[bytes]) -> list[list[Counter[bytes]]]:
        words = tuple([BOUNDARY] * REACH + list(context))
        return [
            [table.get(words[len(words) - k :], Counter()) for k, table in enumerate(tables)]
            for tables in self.levels
        ]

    def vocabulary(self) -> set[bytes]:
        return set(self.levels[0][0].get((), ()))

    def probability(self, context: Sequence[bytes], word: bytes) -> float:
        columns = self.columns(context)
        trusts = [max((2**k for k, c in enumerate(column) if c), default=0) for column in columns]
        uniform = 1 / (len(self.vocabulary()) + 1)
        if not any(trusts):
            return uniform
        total = 0.0
        for column, trust in zip(columns, trusts, strict=True):
            p = uniform
            for counts in column:
                n = counts.total()
                if n:
                    weight = n / (n + 2 * len(counts))
                    p = weight * counts[word] / n + (1 - weight) * p
            total += trust / sum(trusts) * p
        return total


def names_for(twin: Twin) -> list[bytes]:
    return [*sorted(twin.vocabulary()), b"nowhere else"]


def assert_agrees(model: ngrams.View, files: Files, path: str, context: list[bytes]) -> None:
    twin = Twin(files, path)
    names = names_for(twin)
    expected = [twin.probability(context, name) for name in names]
    assert model.score(context, names) == pytest.approx(expected, rel=1e-9)
    assert math.fsum(model.score(context, names)) == pytest.approx(1.0)
    known = zip(expected, names, strict=True)
    text = [(p, name) for p, name in known if name in twin.vocabulary() - {NUMBER, STRING}]
    predicted = model.predict(context, limit=len(names))
    assert sorted(word for word, _ in predicted) == sorted(name for _, name in text)
    assert [p for _, p in predicted] == pytest.approx(sorted((p for p, _ in text), reverse=True))
    repository = twin.columns(context)[0]
    order = max(k for k, counts in enumerate(repository) if counts or k == 0)
    counts = repository[order]
    assert model.evidence(context) == Evidence(order, counts.total(), len(counts))


@given(REPOSITORIES, st.sampled_from(PATHS), CONTEXTS)
@per_example
def test_mapped_model_equals_counting(
    tmp_path: Path, files: Files, path: str, context: list[bytes]
) -> None:
    build(files.items(), tmp_path)
    view = NgramModel.open(tmp_path, check_all=True).with_buffer(path)
    assert_agrees(view, files, path, context)


@given(
    REPOSITORIES,
    st.sampled_from([*PATHS, "pkg/new.py"]),
    st.lists(SOURCES, min_size=1, max_size=3),
    CONTEXTS,
    st.sampled_from([1, 3, ngram_file.HEAVY]),
)
@per_example
def test_open_buffer_equals_a_fresh_build(
    tmp_path: Path, files: Files, path: str, texts: list[bytes], context: list[bytes], heavy: int
) -> None:
    """Whether contexts are counted from their places or from the tables of frequent ones."""
    with mock.patch.object(ngram_file, "HEAVY", heavy), mock.patch.object(ngrams, "HEAVY", heavy):
        assert_buffer_equals_fresh_build(tmp_path, files, path, texts, context)


def assert_buffer_equals_fresh_build(
    tmp_path: Path, files: Files, path: str, texts: list[bytes], context: list[bytes]
) -> None:
    build(files.items(), tmp_path)
    model = NgramModel.open(tmp_path)
    for text in texts:
        view = model.with_buffer(path, text.replace(b"self", b"fresh"))
    edited = {**files, path: texts[-1].replace(b"self", b"fresh")}
    assert_agrees(view, edited, path, context)
    build(edited.items(), tmp_path)
    fresh = NgramModel.open(tmp_path).with_buffer(path)
    names = names_for(Twin(edited, path))
    assert view.score(context, names) == pytest.approx(fresh.score(context, names), rel=1e-12)


def test_heavy_contexts_and_blocks_equal_counting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real files, with limits so low that every shortcut is taken."""
    files = {name: REAL[name] for name in ("globals.py", "types.py", "_utils.py")}
    for module in (ngram_file, ngrams):
        monkeypatch.setattr(module, "HEAVY", 3)
    monkeypatch.setattr(ngram_file, "BLOCK", 500)
    build(files.items(), tmp_path)
    view = NgramModel.open(tmp_path).with_buffer("types.py", files["types.py"] + b"\nx = 1\n")
    edited = {**files, "types.py": files["types.py"] + b"\nx = 1\n"}
    words = lexemes.lex(files["types.py"], PYTHON)
    for at in range(10, len(words), len(words) // 5):
        assert_agrees(view, edited, "types.py", words[at - 6 : at])


def test_a_block_is_sorted_by_the_words_before(tmp_path: Path) -> None:
    build(REAL.items(), tmp_path)
    mapped = ngram_file.open_mapped(tmp_path)
    before = [
        tuple(mapped.corpus[at - REACH : at][::-1].tolist()) for at in mapped.order[::7].tolist()
    ]
    assert before == sorted(before)
    assert sorted(mapped.order.tolist()) == np.flatnonzero(mapped.corpus).tolist()


# ------------------------------------------------------------------------------- what callers see


@pytest.fixture
def model(tmp_path: Path) -> NgramModel:
    build(REAL.items(), tmp_path)
    return NgramModel.open(tmp_path)


def test_stats(tmp_path: Path) -> None:
    stats = build({"a.py": b"x = x\n", "b.py": b""}.items(), tmp_path)
    assert (stats.files, stats.lexemes, stats.words) == (2, 6, 3)
    assert stats.size == (tmp_path / FILE_NAME).stat().st_size


def test_prediction_is_restricted_to_what_is_typed(model: NgramModel) -> None:
    view = model.with_buffer("new.py", b"import click\nfreshly_made = 1\n")
    everything = dict(view.predict([b"self", b"."], limit=100_000))
    typed = view.predict([b"self", b"."], b"f", limit=100_000)
    assert dict(typed) == {word: p for word, p in everything.items() if word.startswith(b"f")}
    assert b"freshly_made" in dict(typed)
    assert [p for _, p in typed] == sorted((p for _, p in typed), reverse=True)
    assert view.predict([b"self", b"."], b"f", limit=3) == typed[:3]
    assert not {BOUNDARY, NUMBER, STRING} & everything.keys()


def test_words_with_the_same_hash_are_told_apart(tmp_path: Path) -> None:
    assert zlib.crc32(b"plumless") == zlib.crc32(b"buckeroo")
    build({"a.py": b"x.plumless()\n" * 3 + b"x.buckeroo()\n"}.items(), tmp_path)
    view = NgramModel.open(tmp_path).with_buffer("a.py")
    names = [b"plumless", b"buckeroo"]
    assert view.score([b"x", b"."], names) == [dict(view.predict([b"x", b"."]))[n] for n in names]
    assert view.score([b"plumless"], [b"("])[0] > view.score([b"nothing"], [b"("])[0]


def test_nearer_files_count_more(tmp_path: Path) -> None:
    files = {
        "far/a.py": b"client.fetch()\n" * 5,
        "near/b.py": b"client.send()\n" * 2,
        "near/c.py": b"",
    }
    build(files.items(), tmp_path)
    model = NgramModel.open(tmp_path)
    context = [b"\n", b"client", b"."]
    fetch, send = model.with_buffer("elsewhere/d.py").score(context, [b"fetch", b"send"])
    assert fetch > send
    fetch, send = model.with_buffer("near/c.py").score(context, [b"fetch", b"send"])
    assert send > fetch
    fetch, send, post = model.with_buffer("near/c.py", b"client.post()\n").score(
        context, [b"fetch", b"send", b"post"]
    )
    assert post > send > fetch


@pytest.mark.parametrize("typed", [b"", b"xyzz", b"xyzzy"])
def test_what_is_being_typed_is_not_its_own_evidence(model: NgramModel, typed: bytes) -> None:
    text = b"client = 1\nclient." + typed + b"\nother = client\n"
    cursor = text.index(b"client.") + len(b"client.") + len(typed)
    view = model.with_buffer("core.py", text, cursor)
    context, found = view.context(cursor)
    assert (context[-2:], found) == ([b"client", b"."], typed)
    if typed:
        assert typed not in dict(view.predict(context, limit=100_000))
        assert typed in dict(model.with_buffer("core.py", text).predict(context, limit=100_000))


def test_context_in_the_open_text_ends_like_the_context_of_all_before(model: NgramModel) -> None:
    source = REAL["types.py"]
    view = model.with_buffer("types.py", source)
    for cut in range(0, len(source), 397):
        words, typed = lexemes.context(source[:cut])
        found, half_typed = view.context(cut)
        assert (found[-REACH:], half_typed) == (words[-REACH:], typed)


def test_old_views_stay_what_they_were(model: NgramModel) -> None:
    old = model.with_buffer("core.py", b"a.first()\n")
    before = old.predict([b"a", b"."], limit=5)
    model.with_buffer("core.py", b"a.second()\na.second_brand_new()\n").predict([b"a", b"."])
    assert old.predict([b"a", b"."], limit=5) == before
    assert old.score([b"a", b"."], [b"second_brand_new"])[0] < before[0][1]


def test_many_new_words_start_a_buffer_afresh(
    model: NgramModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ngrams, "_NEW_WORDS_KEPT", 3)
    for step in range(8):
        view = model.with_buffer("core.py", b"a.name_%d()\n" % step)
        assert view.predict([b"\n", b"a", b"."], limit=1)[0][0] == b"name_%d" % step


def test_a_huge_folder_has_no_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build({"a.py": b"a.b()\n" * 9, "b.py": b"a.c()\n"}.items(), tmp_path)
    monkeypatch.setattr(ngrams, "FOLDER_LIMIT", 5)
    [score] = NgramModel.open(tmp_path).with_buffer("b.py").score([b"a", b"."], [b"b"])
    assert 0 < score < 1


# ------------------------------------------------------------------------------------- broken files


def damage(path: Path, how: str) -> None:
    data = path.read_bytes()
    contents = {
        "empty": b"",
        "garbage": b"\xff" * len(data),
        "short header": data[:20],
        "truncated": data[:-64],
        "longer": data + b"x",
        "header": data[:40] + b"?" + data[41:],
    }
    path.write_bytes(contents[how])


@pytest.mark.parametrize(
    "how", ["empty", "garbage", "short header", "truncated", "longer", "header"]
)
def test_a_broken_file_is_refused(tmp_path: Path, how: str) -> None:
    build(REAL.items(), tmp_path)
    damage(tmp_path / FILE_NAME, how)
    with pytest.raises(BrokenNgramsError, match=FILE_NAME):
        NgramModel.open(tmp_path)


def test_damaged_content_is_found_when_all_is_checked(tmp_path: Path) -> None:
    build(REAL.items(), tmp_path)
    path = tmp_path / FILE_NAME
    data = bytearray(path.read_bytes())
    data[-1000] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(BrokenNgramsError, match="content"):
        NgramModel.open(tmp_path, check_all=True)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenNgramsError):
        NgramModel.open(tmp_path / "nothing")


def test_a_failed_build_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build({"a.py": b"x = 1\n"}.items(), tmp_path)
    before = (tmp_path / FILE_NAME).read_bytes()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        build({"a.py": b"y = 2\n"}.items(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]
    assert (tmp_path / FILE_NAME).read_bytes() == before


def test_what_a_killed_build_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / f"{FILE_NAME}abc.tmp").write_bytes(b"half")
    build({"a.py": b"x = 1\n"}.items(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_a_mapped_model_outlives_its_file(tmp_path: Path) -> None:
    build({"a.py": b"x.old()\n"}.items(), tmp_path)
    old = NgramModel.open(tmp_path)
    build({"a.py": b"x.new()\n" * 500}.items(), tmp_path)
    assert old.with_buffer("b.py").predict([b"x", b"."], limit=1)[0][0] == b"old"
    assert (
        NgramModel.open(tmp_path).with_buffer("b.py").predict([b"x", b"."], limit=1)[0][0] == b"new"
    )
