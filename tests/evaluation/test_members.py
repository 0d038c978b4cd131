"""Names behind dots: what is drawn, what counts as not there, and the figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

from evaluation import cuts, members
from evaluation.cuts import Place
from evaluation.members import FREE, HELD, Dotted

CODE = (
    b"import os\n\n\ndef f(a):\n    a.read.later(os.path)\n    a.write = 1\n    return 'a.b', a.c\n"
)


def test_dots_are_drawn_one_in_a_line() -> None:
    files = {f"{name}.py": CODE for name in "abc"}
    found = members.sample(files, 4, seed=3)
    assert found == members.sample(files, 4, seed=3)
    assert len(found) == 4
    lines = {(cut.path, cuts.line_start(CODE, cut.offset)) for cut in found}
    assert len(lines) == 4
    for cut in found:
        assert CODE[cut.offset - 1 : cut.offset] == b"."
        assert cut.name in ("read", "later", "path", "c")  # none that is written, none in a string
        assert cut.rest.startswith(cut.name)


CUT = cuts.Cut("a.py", 3, Place.DOT, "read", "", "read()")
ITEM = Dotted(
    arm=HELD,
    repository="r 1",
    cut=CUT,
    text="read()",
    reason="",
    stop="end",
    known=True,
    ruled_out=False,
    missing=False,
    shown_missing=False,
    right=True,
    known_ms=1.0,
    ms=9.0,
)


@pytest.mark.parametrize(
    ("text", "here", "missing"),
    [
        ("read()", ("read", "write"), False),
        ("reads()", ("read", "write"), True),
        ("reads()", None, False),  # nobody knows
        ("", ("read",), False),
        ("(x)", ("read",), False),
    ],
)
def test_a_name_that_is_not_there(
    text: str, here: tuple[str, ...] | None, *, missing: bool
) -> None:
    assert members._is_missing(text, here) is missing


def test_the_figures() -> None:
    wrong = replace(ITEM, arm=FREE, text="reads()", missing=True, shown_missing=True, right=False)
    other = cuts.Cut("b.py", 9, Place.DOT, "x", "", "x")
    unknown = [replace(ITEM, arm=arm, cut=other, known=False) for arm in (HELD, FREE)]
    told = members.result([ITEM, wrong, *unknown], seed=5)
    everything = told["all"]
    assert everything == told["repositories"]["r 1"]
    assert (everything["known"]["hits"], everything["known"]["total"]) == (1, 2)
    assert everything["gain_in_right_names"]["value"] == pytest.approx(0.5)
    held, free = (everything["arms"][arm] for arm in (HELD, FREE))
    assert held["known"]["written_that_do_not_exist"]["hits"] == 0
    assert free["known"]["written_that_do_not_exist"]["hits"] == 1
    assert free["not known"]["name_right"]["hits"] == 1
    assert free["all"]["name_right"]["value"] == pytest.approx(0.5)
