"""APIEval: judging, tables, arms on a small repository, and that no answer can be looked up."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from evaluation import apieval, arms, plots, tables
from evaluation.apieval import Asked, judged
from evaluation.apirun import ChoiceError, sample, sources
from evaluation.arms import ALPHABETICAL, LANCE, Answer, letters, server
from evaluation.items import ApiItem, Shape, Stratum, Variant
from evaluation.tables import SITUATIONS, common, difference, failures, figures, goals, select
from evaluation.workspaces import cut_copy
from indexing.build import build
from indexing.index import Index
from indexing.ngrams import numbers_of

FILES = {
    "store.py": """\
class Store:
    def close(self): ...
    def _hidden(self): ...
    def append_row(self, row): ...

def connect(path): return Store()
""",
    "app.py": """\
from store import Store, connect

def work(given: Store):
    given.append_row(1)
    opened = connect("x")
    return opened

def later(): pass
""",
}


def item(name: str = "append_row", shape: Shape = Shape.MEMBER) -> ApiItem:
    text = FILES["app.py"]
    offset = text.index(f"{name}(")
    return ApiItem(
        repository="r 1",
        language="python",
        path="app.py",
        offset=offset,
        name=name,
        shape=shape,
        receiver="given" if shape is Shape.MEMBER else "",
        stratum=Stratum.PARAMETER,
        imported=False,
        defined=("store.py",),
        resolvers=("jedi",),
        rest=text[offset : text.index("\n", offset)],
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "r"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


def asked(
    ranks: Sequence[int | None], arm: str = "lancefill", *, typed: int = 0, ms: float = 5.0
) -> list[Asked]:
    return [
        Asked(replace(item(), offset=place), arm, Variant.BELOW, typed, rank, 9, "close", ms)
        for place, rank in enumerate(ranks)
    ]


def test_late_absent_and_empty_answers_are_misses() -> None:
    def ranked(names: tuple[str, ...], ms: float) -> int | None:
        return judged(item(), arms.LANCEFILL, Variant.BELOW, Answer(0, names, ms)).rank

    assert ranked(("close", "append_row"), 5.0) == 2
    assert ranked(("append_row",), arms.OWN_LATE_MS + 1) is None
    assert ranked(("close",), 5.0) is None
    assert ranked((), 5.0) is None


def test_letters_that_are_typed() -> None:
    assert letters(item()) == [0, 1, 3]
    assert letters(item("connect", Shape.BARE)) == [1, 3]
    assert letters(replace(item(), name="go")) == [0, 1]
    assert letters(replace(item(), name="f")) == [0]


def test_figures_of_answers() -> None:
    summed = figures(asked([1, 3, None, 7]))
    assert summed.ranking.top1.value == 0.25
    assert summed.ranking.top5.value == 0.5
    assert summed.ranking.found.value == 0.75
    assert summed.ranking.mrr.value == pytest.approx((1 + 1 / 3 + 1 / 7) / 4)


def test_arms_are_compared_on_what_all_were_asked() -> None:
    both = asked([1, 2, 1]) + asked([2, 2], "other")
    shared = common(both)
    assert [len(select(shared, SITUATIONS[0], arm)) for arm in ("lancefill", "other")] == [2, 2]
    assert difference(both, SITUATIONS[0], "lancefill", "other").value == 0.5
    assert tables.by_arm(both)[0].row_count == 2


def test_goals_say_what_was_reached() -> None:
    reached = goals(asked([1] * 10))
    verdicts = list(reached.columns[3].cells)
    assert set(verdicts) == {"reached"}
    assert set(goals(asked([None] * 10)).columns[3].cells) == {"missed"}


def test_failures_are_told_by_kind() -> None:
    told = list(failures(asked([1, 2, 9, None]), 1))
    assert [line for line in told if not line.startswith(" ")] == [
        "among the first five: 1 of 3",
        "further down: 1 of 3",
        "not among the names sent: 1 of 3",
    ]


def test_the_result_is_plain() -> None:
    found = tables.result(asked([1, None]))
    assert found["all"][0]["ranking"]["top1"]["hits"] == 1
    assert {goal["figure"] for goal in found["goals"]} == {"top1", "top5", "mrr", "found"}


def test_pictures_are_drawn(tmp_path: Path) -> None:
    both = asked([1, 2, None]) + asked([2, 1, 1], "other", ms=50.0)
    for file in plots.draw(both, tmp_path / "plots"):
        assert file.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("variant", list(Variant))
def test_the_index_knows_nothing_of_what_was_cut(root: Path, variant: Variant) -> None:
    with cut_copy(root, [item().cut], variant) as workspace:
        build(workspace.root, workspace.cache)
        snapshot = Index.open(workspace.root, workspace.cache).snapshot()
        assert snapshot.use_count("append_row") == 0
        assert "append_row" not in snapshot.used_after("given")
        assert snapshot.ngrams is not None
        number = numbers_of(snapshot.ngrams.mapped, [b"append_row"])[0]
        assert snapshot.ngrams.mapped.unigrams[number] == 1  # its definition
        assert (snapshot.use_count("connect") == 0) is (variant is Variant.ABOVE)


@pytest.mark.parametrize("arm", [LANCE, ALPHABETICAL], ids=lambda arm: arm.name)
def test_arms_without_a_server(root: Path, arm: arms.Arm) -> None:
    found = list(apieval.ask(root, [item()], [arm], [Variant.BELOW]))
    assert [one.typed for one in found] == [0, 1, 3]
    assert found[0].rank is not None
    assert found[0].rank > 1
    assert found[1].rank == 1


def test_lance_ties_variables_to_imports(root: Path) -> None:
    found = list(apieval.ask(root, [item("connect", Shape.BARE)], [LANCE], [Variant.BELOW]))
    assert [one.rank for one in found] == [1, 1]


def test_any_server_is_an_arm(root: Path) -> None:
    script = Path(__file__).with_name("completing_server.py")
    arm = server("peer", (sys.executable, str(script)))
    found = list(apieval.ask(root, [item()], [arm], [Variant.BELOW]))
    assert [(one.typed, one.rank, one.first) for one in found] == [
        (0, 2, "alpha"),
        (1, 2, "alpha"),
        (3, 1, "append_row"),
    ]


def test_a_server_that_dies_is_told(root: Path) -> None:
    from evaluation.client import ServerEndedError

    arm = server("peer", (sys.executable, "-c", "raise SystemExit(3)"))
    with pytest.raises(ServerEndedError):
        list(apieval.ask(root, [item()], [arm], [Variant.BELOW]))


def test_a_sample_keeps_shapes_and_order() -> None:
    many = [replace(item(), offset=n) for n in range(9)]
    many += [replace(item("connect", Shape.BARE), offset=n) for n in range(9)]
    drawn = sample(many, 3, seed=1)
    assert [each.shape for each in drawn] == [Shape.MEMBER] * 3 + [Shape.BARE] * 3
    assert drawn == sample(many, 3, seed=1)
    assert sample(many, 99, seed=1) == many


def test_sources_by_name_and_by_path(root: Path) -> None:
    assert sources([str(root)], "report")[0].title == "r"
    with pytest.raises(ChoiceError, match="nowhere"):
        sources(["nowhere/at/all"], "report")


async def test_an_arm_answers_item_by_item(root: Path) -> None:
    with cut_copy(root, [item().cut]) as workspace:
        async with ALPHABETICAL.opened(workspace) as opened:
            data = await asyncio.to_thread((workspace.root / "app.py").read_bytes)
            answers = await opened.ask(item(), data)
    assert answers[0].names[0] < answers[0].names[1]
