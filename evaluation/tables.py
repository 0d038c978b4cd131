"""APIEval's answers summed up: by arm, by repository, by stratum; goals; differences of arms."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from evaluation import report
from evaluation.apieval import Asked
from evaluation.arms import LANCEFILL
from evaluation.items import Shape, Variant
from evaluation.statistics import Mean, Ranking, Spread, mean, ranking, spread


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a popup is asked for: after a dot or not, and behind how many letters."""

    shape: Shape
    typed: int

    def __str__(self) -> str:
        place = "after the dot" if self.shape is Shape.MEMBER else "bare name"
        letters = {0: "", 1: ", 1 letter"}.get(self.typed, f", {self.typed} letters")
        return place + letters

    @property
    def short(self) -> str:
        """For tables that say something else in the same column."""
        place = "dot" if self.shape is Shape.MEMBER else "bare"
        return f"{place} + {self.typed}" if self.typed else place


SITUATIONS = (
    Situation(Shape.MEMBER, 0),
    Situation(Shape.MEMBER, 1),
    Situation(Shape.MEMBER, 3),
    Situation(Shape.BARE, 1),
    Situation(Shape.BARE, 3),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """How well, and how fast: from the same requests."""

    ranking: Ranking
    ms: Spread


def figures(asked: Sequence[Asked]) -> Figures:
    """Sum up answers."""
    return Figures(ranking([one.rank for one in asked]), spread([one.ms for one in asked]))


def select(
    asked: Iterable[Asked],
    situation: Situation,
    arm: str = LANCEFILL.name,
    variant: Variant = Variant.BELOW,
) -> list[Asked]:
    """The answers of one arm in one situation."""
    return [
        one
        for one in asked
        if one.arm == arm
        and one.variant is variant
        and one.typed == situation.typed
        and one.item.shape is situation.shape
    ]


def arms(asked: Iterable[Asked]) -> list[str]:
    """The arms that answered, in their order."""
    return list(dict.fromkeys(one.arm for one in asked))


def common(asked: Sequence[Asked]) -> list[Asked]:
    """The answers to the items that every arm was asked about: what arms are compared on."""
    by_arm: dict[str, set[tuple[str, str, int]]] = {}
    for one in asked:
        by_arm.setdefault(one.arm, set()).add(_key(one))
    shared = set.intersection(*by_arm.values()) if by_arm else set()
    return [one for one in asked if _key(one) in shared]


def _key(one: Asked) -> tuple[str, str, int]:
    return one.item.repository, one.item.path, one.item.offset


HEADER = ("n", "top 1", "top 5", "MRR", "found", "p50/p95 ms")


def row(name: str, chosen: Sequence[Asked]) -> list[str]:
    """One row of a table: shares with their 95 % intervals."""
    summed = figures(chosen)
    ranks = summed.ranking
    shares = (str(ranks.top1), str(ranks.top5), str(ranks.mrr), f"{ranks.found.value:.1%}")
    return [name, str(len(chosen)), *shares, f"{summed.ms.p50:.1f}/{summed.ms.p95:.1f}"]


def by_arm(asked: Sequence[Asked]) -> list[Table]:
    """A table for each situation: the arms side by side on the same items."""
    shared = common(asked)
    return [
        report.table(
            str(situation),
            ("arm", *HEADER),
            [row(arm, select(shared, situation, arm)) for arm in arms(shared)],
        )
        for situation in SITUATIONS
        if select(shared, situation, arms(shared)[0])
    ]


def _split(
    title: str, asked: Sequence[Asked], part: Callable[[Asked], str], arm: str = LANCEFILL.name
) -> Table:
    """Our arm after the dot and at bare names with one letter, by some part of the item."""
    rows: list[list[str]] = []
    for situation in (SITUATIONS[0], SITUATIONS[3]):
        chosen = select(asked, situation, arm)
        rows += [
            row(f"{situation.short}: {name}", [one for one in chosen if part(one) == name])
            for name in sorted({part(one) for one in chosen})
        ]
    return report.table(title, ("", *HEADER), rows)


def splits(asked: Sequence[Asked]) -> list[Table]:
    """Where our arm is good and where it is not."""
    found = [
        _split("by repository", asked, lambda one: one.item.repository),
        _split("by what stands before it", asked, lambda one: str(one.item.stratum)),
        _split("by import", asked, lambda one: "imported" if one.item.imported else "not imported"),
        _split("by file", asked, lambda one: "tests" if _is_test(one) else "code"),
    ]
    variants = [
        row(f"{situation}, {variant}", chosen)
        for situation in SITUATIONS
        for variant in Variant
        if (chosen := select(asked, situation, variant=variant))
    ]
    return [*found, report.table("code below the cut line kept or not", ("", *HEADER), variants)]


def _is_test(one: Asked) -> bool:
    return "test" in one.item.path


# Goals


@dataclass(frozen=True, slots=True)
class Goal:
    """What one figure of one situation is to reach, as a share."""

    situation: Situation
    figure: str
    least: float


def _goals(situation: Situation, **least: float) -> list[Goal]:
    return [Goal(situation, figure, value) for figure, value in least.items()]


GOALS = (
    *_goals(SITUATIONS[0], top1=0.50, top5=0.82, mrr=0.64, found=0.93),
    *_goals(SITUATIONS[1], top1=0.75),
    *_goals(SITUATIONS[2], top1=0.86),
    *_goals(SITUATIONS[3], top1=0.50, top5=0.88),
    *_goals(SITUATIONS[4], top1=0.84),
)
"""What the popup is to reach on repositories that nothing was tuned on."""


def goals(asked: Sequence[Asked]) -> Table:
    """Each goal with what was measured."""
    rows = []
    for goal in GOALS:
        chosen = select(asked, goal.situation)
        if chosen:
            value = getattr(figures(chosen).ranking, goal.figure).value
            verdict = "reached" if value >= goal.least else "missed"
            name = f"{goal.situation}: {goal.figure}"
            rows.append([name, f"{goal.least:.2f}", f"{value:.3f}", verdict])
    return report.table("goals", ("", "goal", "measured", ""), rows)


# Differences


def difference(
    asked: Sequence[Asked], situation: Situation, one: str, other: str, resamples: int = 2000
) -> Mean:
    """How much more often ``one`` is first than ``other`` on the same items, by bootstrap."""
    first = {_key(each): each.rank == 1 for each in select(asked, situation, one)}
    second = {_key(each): each.rank == 1 for each in select(asked, situation, other)}
    pairs = [float(first[key]) - float(second[key]) for key in first.keys() & second.keys()]
    return mean(sorted(pairs), resamples=resamples)


def differences(asked: Sequence[Asked]) -> Table:
    """Our arm against each other one."""
    shared = common(asked)
    rows = [
        [
            f"{situation}: {LANCEFILL.name} - {arm}",
            str(difference(shared, situation, LANCEFILL.name, arm)),
        ]
        for situation in SITUATIONS
        for arm in arms(shared)
        if arm != LANCEFILL.name and select(shared, situation, arm)
    ]
    return report.table("top 1, paired", ("", "difference [95 %]"), rows)


# As plain values


def result(asked: Sequence[Asked]) -> dict[str, Any]:
    """Everything that the tables say, for programs."""
    shared = common(asked)
    return {
        "goals": [
            {
                "situation": str(goal.situation),
                "figure": goal.figure,
                "least": goal.least,
                "value": getattr(figures(select(asked, goal.situation)).ranking, goal.figure).value,
            }
            for goal in GOALS
            if select(asked, goal.situation)
        ],
        "all": _summary(asked, [LANCEFILL.name]),
        "compared": _summary(shared, arms(shared)),
    }


def _summary(asked: Sequence[Asked], names: Sequence[str]) -> list[Mapping[str, Any]]:
    return [
        {"situation": str(situation), "arm": arm, "variant": variant, **asdict(figures(chosen))}
        for situation in SITUATIONS
        for arm in names
        for variant in Variant
        if (chosen := select(asked, situation, arm, variant))
    ]


def failures(asked: Sequence[Asked], count: int) -> Iterable[str]:
    """Items that our arm did not put first after the dot, a few of each kind, in words."""
    missed = [one for one in select(asked, SITUATIONS[0]) if one.rank != 1]
    kinds: dict[str, list[Asked]] = {}
    for one in missed:
        kinds.setdefault(_kind(one), []).append(one)
    for kind, ones in sorted(kinds.items(), key=lambda pair: -len(pair[1])):
        yield f"{kind}: {len(ones)} of {len(missed)}"
        for one in ones[:: max(1, len(ones) // count)][:count]:
            item = one.item
            place = f"{item.repository} {item.path} byte {item.offset}"
            yield f"    {place}: {item.receiver}.{item.name} (rank {one.rank}), first: {one.first}"


def _kind(one: Asked) -> str:
    if one.rank is None:
        return "nothing was offered" if not one.offered else "not among the names sent"
    return "among the first five" if one.rank <= 5 else "further down"
