"""LANCE's order: what wins against what, and that the evidence says why."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from completion.candidates import Candidates, gather
from completion.context import read
from completion.features import (
    FEATURES,
    UNSEEN,
    Facts,
    facts,
    matrix,
    over_unseen,
    sub_words,
)
from completion.matching import EXACT, FOLDED, HUMPS, SUBSEQUENCE, humps, match_quality
from completion.ranking import Ranked, forest_for, rank, telling
from completion.request import Origin
from tests.completion.test_candidates import FILES
from tests.completion.workspace import CURSOR, asked


def known_at(files: dict[str, str], path: str, folder: Path) -> tuple[Candidates, Facts]:
    request, snapshot = asked(files, path, folder)
    context = read(request.text, request.offset, snapshot.tree(path))
    found = gather(context, path, snapshot)
    return found, facts(request, context, found, snapshot, None)


def ranked(files: dict[str, str], path: str, folder: Path) -> list[Ranked]:
    return rank(*known_at(files, path, folder), limit=50)


def order(text: str, folder: Path, **others: str) -> list[str]:
    files = {**FILES, **others, "m.py": text}
    return [each.candidate.name for each in ranked(files, "m.py", folder)]


MEMBERS = f"""
class A(Base):
    def open_file(self): ...
    def close_file(self): ...
    def _hidden(self): ...
    size = 3

def f(a: A):
    {{above}}
    {{line}}{CURSOR}
"""


def members(folder: Path, line: str, above: str = "pass", base: str = "object") -> list[str]:
    text = MEMBERS.format(line=line, above=above).replace("Base", base)
    return order(text, folder)


def test_what_the_receiver_is_used_for_comes_first(tmp_path: Path) -> None:
    for name, other in (("close_file", "open_file"), ("open_file", "close_file")):
        used = f"\ndef g(a: A):\n    x = a.{name}()\n    y = a.{name}()\n    return x, y\n"
        names = order(MEMBERS.format(line="a.", above="pass") + used, tmp_path)
        assert names.index(name) < names.index(other)


def test_private_and_special_names_come_last(tmp_path: Path) -> None:
    names = members(tmp_path, "a.")
    assert names.index("_hidden") > max(map(names.index, ["open_file", "close_file"]))
    assert names.index("__init__") > names.index("_hidden")


def test_a_statement_calls(tmp_path: Path) -> None:
    names = members(tmp_path, "a.")
    assert names.index("size") > max(map(names.index, ["open_file", "close_file"]))


def test_a_value_is_named_like_what_it_is_for(tmp_path: Path) -> None:
    def score(line: str, name: str) -> float:
        text = MEMBERS.format(line=line, above="pass").replace("Base", "object")
        found = ranked({**FILES, "m.py": text}, "m.py", tmp_path)
        return next(each.score for each in found if each.candidate.name == name)

    assert score("size = a.", "size") > score("other = a.", "size")
    assert score("open(size=a.", "size") > score("open(file=a.", "size")
    assert members(tmp_path, "close_it = a.")[0] == "close_file"


def test_an_override_calls_what_it_extends(tmp_path: Path) -> None:
    text = f"""
class A:
    def setup(self): ...
    def start(self): ...
    def stop(self): ...

class B(A):
    def stop(self):
        super().{CURSOR}
"""
    assert order(text, tmp_path)[0] == "stop"


def test_classes_offer_their_own_methods_before_those_of_instances(tmp_path: Path) -> None:
    text = f"""
class A:
    def plain(self): ...
    @classmethod
    def make(cls): ...

A.{CURSOR}
"""
    assert order(text, tmp_path)[0] == "make"


def test_names_in_scope_come_before_what_must_be_imported(tmp_path: Path) -> None:
    assert order(f"def parcels_here(): ...\n\nparc{CURSOR}", tmp_path)[0] == "parcels_here"
    assert "Parcel" in order(f"x = Parc{CURSOR}", tmp_path)


def test_near_names_come_first(tmp_path: Path) -> None:
    text = f"def f(alpha, alder):\n    print(alder, alpha)\n    print(alder)\n    al{CURSOR}"
    assert order(text, tmp_path)[:2] == ["alder", "alpha"]


def test_better_matches_come_first(tmp_path: Path) -> None:
    text = f"gather_all = get_all = Getter = 1\n\ng{CURSOR}"
    assert order(text, tmp_path)[-1] != "get_all"
    exact = order(text.replace(f"g{CURSOR}", f"Ge{CURSOR}"), tmp_path)
    assert exact.index("Getter") < exact.index("get_all")


def test_the_models_opinion_is_a_feature(tmp_path: Path) -> None:
    found, known = known_at({"m.py": f"def f(ab, ac):\n    a{CURSOR}"}, "m.py", tmp_path)
    names = [each.name for each in found.items]
    column = [feature.name for feature in FEATURES].index("model")
    opinion = replace(known, model={"ac": over_unseen(math.log(0.9))})
    values = dict(zip(names, matrix(found, opinion)[:, column], strict=True))
    assert values["ac"] == pytest.approx(math.log(0.9) - math.log(UNSEEN))
    assert values["ab"] == 0
    assert not matrix(found, known)[:, column].any()


def test_scores_are_the_sum_of_their_evidence(tmp_path: Path) -> None:
    found, known = known_at({**FILES, "m.py": f"import depot\ndepot.{CURSOR}"}, "m.py", tmp_path)
    known = replace(known, ngram={each.name: 3.0 for each in found.items})
    start = forest_for(known.context.place).start
    result = rank(found, known, limit=50)
    assert result
    for each in result:
        assert each.score == pytest.approx(start + sum(e.contribution for e in each.evidence))
        heaviness = [abs(e.contribution) for e in each.evidence]
        assert heaviness == sorted(heaviness, reverse=True)


def test_the_order_is_that_of_a_plain_sort(tmp_path: Path) -> None:
    found, known = known_at({**FILES, "m.py": f"p{CURSOR}"}, "m.py", tmp_path)
    scores = forest_for(known.context.place).scores(matrix(found, known))
    plain = sorted(zip(-scores, found.items, strict=True), key=lambda pair: (pair[0], pair[1].name))
    result = rank(found, known, limit=20)
    assert [each.candidate for each in result] == [each for _, each in plain[:20]]


def test_nothing_to_rank(tmp_path: Path) -> None:
    found, known = known_at({"m.py": f"zzzz_nothing{CURSOR}"}, "m.py", tmp_path)
    assert rank(replace(found, items=()), known, limit=50) == []


def test_evidence_reads_like_a_reason(tmp_path: Path) -> None:
    text = f"from depot import Client\nc = Client('')\nc.fetch(1)\nc.{CURSOR}"
    best = ranked({**FILES, "m.py": text}, "m.py", tmp_path)[0]
    words = [each.text for each in telling(best.evidence)]
    assert best.candidate.name == "fetch"
    assert "`c` is a `Client`" in words
    assert "used once after `c` in this file" in words


def test_what_ends_like_the_receiver_is_not_the_receiver(tmp_path: Path) -> None:
    text = f"abc.one()\nx.bc.two()\nbc.three()\nbc.{CURSOR}"
    _, known = known_at({"m.py": text}, "m.py", tmp_path)
    assert known.here == {"three": 1}


def test_features_have_names_of_their_own() -> None:
    names = [feature.name for feature in FEATURES]
    assert len(names) == len(set(names))


def test_probabilities_that_say_nothing() -> None:
    assert over_unseen(math.log(UNSEEN)) == 0
    assert over_unseen(-1e9) == 0
    assert over_unseen(0.0) > over_unseen(math.log(0.5)) > 0


@pytest.mark.parametrize(
    ("name", "typed", "quality"),
    [
        ("get_client", "", EXACT),
        ("get_client", "get_c", EXACT),
        ("get_client", "Get", FOLDED),
        ("get_client", "gc", HUMPS),
        ("getClient", "gC", HUMPS),
        ("getHTTPClient", "ghc", HUMPS),
        ("_get_client", "gc", HUMPS),
        ("get_client", "gtcl", SUBSEQUENCE),
        ("get_client", "client", None),
        ("get_client", "gx", None),
        ("get", "getter", None),
        ("get", "e", None),
    ],
)
def test_match_quality(name: str, typed: str, quality: int | None) -> None:
    assert match_quality(name, typed) == quality


@given(st.text("aB_c1é", max_size=12), st.text("aB_c1é", max_size=5))
def test_a_prefix_always_matches(name: str, more: str) -> None:
    assert match_quality(name + more, name) == EXACT
    assert set(humps(name)) <= set(name.lower())


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("get_HTTPClient", {"get", "http", "client"}),
        ("__init__", {"init"}),
        ("x", set()),
        ("parseURL2", {"parse", "url"}),
    ],
)
def test_sub_words(name: str, parts: set[str]) -> None:
    assert sub_words(name) == parts


def test_origins_that_features_tell_apart() -> None:
    names = {feature.name for feature in FEATURES}
    ranked = {str(origin) for origin in Origin} - {Origin.ASKED}  # those are not ranked with names
    assert ranked <= names
