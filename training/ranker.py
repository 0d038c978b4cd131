"""Fit the ranker of popups to samples, measure it on repositories it has not seen, write it down.

A sample is one popup at a position whose true name is known (``lancefill eval samples`` makes
them): the features of all candidates, and which of them was right. LightGBM fits gradient-boosted
trees to the order of each list (LambdaMART; Burges, "From RankNet to LambdaRank to LambdaMART",
2010). What is reported is cross-validated: every repository is ranked by trees that were fitted
without it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from completion.features import FEATURES
from completion.ranker import FILE_NAME, NODE_FIELDS, Floats, Forest, forest

PLACES = ("member", "name")
NAMES = tuple(feature.name for feature in FEATURES)

PARAMETERS: Mapping[str, Any] = {
    "objective": "lambdarank",
    "lambdarank_truncation_level": 8,
    "learning_rate": 0.1,
    "num_leaves": 8,
    "max_depth": 4,
    "min_data_in_leaf": 60,
    "lambda_l2": 5.0,
    "feature_fraction": 0.6,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "seed": 1,
    "num_threads": 1,  # more of them wait for each other on a busy machine
    "deterministic": True,
    "verbosity": -1,
    "monotone_constraints": [feature.grows for feature in FEATURES],
}
TREES = 150
"""Trees of each forest."""

FOLDS = 5
"""Groups of repositories that take turns at being left out."""

READ_WEIGHT: Mapping[str, float] = {"member": 0.4, "name": 1.0}
"""What a read counts against a call: names that are read stand for locals, built-ins and all else
that is typed at bare names."""

TYPED_WEIGHT = 0.5
"""What a popup after letters counts against one before."""

NOT_COUNTED = ("ngram", "together")
"""Groups of features that are missing until the repository's n-gram is built."""

NOT_COUNTED_EVERY, NOT_COUNTED_WEIGHT = 2, 0.4
"""Every so many lists are shown to the fit once more without those groups, with this weight."""

Tree = dict[str, list[Any]]


@dataclass(frozen=True, slots=True)
class List:
    """One popup: ``matrix`` ``(candidates, features)`` and which row was right (-1: none).

    ``kind`` is ``call`` or ``bare`` (a call of another file's API, after a dot or without one),
    ``own`` (a call of what only its own file defines) or ``read`` (a name or an attribute);
    ``typed`` how many letters were typed; ``scored``
    whether the model's scores are among the features.
    """

    repository: str
    place: str
    kind: str
    typed: int
    scored: bool
    matrix: Floats
    right: int
    share: float = 1.0

    @property
    def weight(self) -> float:
        """What the list counts in fitting."""
        read = READ_WEIGHT[self.place] if self.kind == "read" else 1.0
        return self.share * read * (TYPED_WEIGHT if self.typed else 1.0)


class SamplesError(Exception):
    """The samples cannot be used; the message says why."""


def load(path: Path) -> list[List]:
    """Read what ``lancefill eval samples`` wrote. Raises SamplesError."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            columns = {name: stored[name] for name in stored.files}
    except (OSError, ValueError) as error:
        raise SamplesError(f"{path} cannot be read: {error}") from error
    if tuple(columns.get("features", ())) != NAMES:
        raise SamplesError(f"{path} has other features than this version: make the samples again")
    ends = np.cumsum(columns["sizes"])
    matrices = np.split(columns["matrix"].astype(np.float64), ends[:-1])
    rows = zip(
        *(columns[name].tolist() for name in ("repository", "place", "kind", "typed", "scored")),
        matrices,
        columns["right"].tolist(),
        strict=True,
    )
    return [List(*row) for row in rows]


def fit(lists: Sequence[List], without: Collection[str] = ()) -> list[Tree]:
    """Trees fitted to the lists that hold the right name; features ``without`` are blanked."""
    import lightgbm

    told = [each for each in lists if each.right >= 0 and len(each.matrix) > 1]
    if not told:
        raise SamplesError("no list holds its right name: nothing can be fitted")
    used = [*told, *map(_not_counted, told[::NOT_COUNTED_EVERY])]
    sizes = [len(each.matrix) for each in used]
    relevance = np.zeros(sum(sizes))
    relevance[np.cumsum([0, *sizes[:-1]]) + [each.right for each in used]] = 1.0
    data = lightgbm.Dataset(
        blanked(np.concatenate([each.matrix for each in used]), without),
        relevance,
        group=sizes,
        weight=np.repeat([each.weight for each in used], sizes),
        feature_name=list(NAMES),
    )
    booster = lightgbm.train(dict(PARAMETERS), data, TREES)
    dumped = booster.dump_model()["tree_info"]
    return [_flattened(tree["tree_structure"]) for tree in dumped]


def _not_counted(each: List) -> List:
    """The list as it is while the n-gram is being built."""
    names = [name for group in NOT_COUNTED for name in groups()[group]]
    return replace(each, matrix=blanked(each.matrix, names), share=NOT_COUNTED_WEIGHT)


def blanked(matrix: Floats, names: Collection[str]) -> Floats:
    """The matrix with the columns of these features all zero."""
    if not names:
        return matrix
    copy = matrix.copy()
    copy[:, [NAMES.index(name) for name in names]] = 0.0
    return copy


def _flattened(root: Mapping[str, Any]) -> Tree:
    """A tree of LightGBM as lists by node, the root first."""
    tree: Tree = {field: [] for field in NODE_FIELDS}

    def add(node: Mapping[str, Any]) -> int:
        index = len(tree["value"])
        leaf = "leaf_value" in node
        tree["feature"].append("" if leaf else NAMES[node["split_feature"]])
        tree["threshold"].append(0.0 if leaf else node["threshold"])
        tree["value"].append(node["leaf_value"] if leaf else node["internal_value"])
        tree["at_most"].append(index)
        tree["more"].append(index)
        if not leaf:
            tree["at_most"][index] = add(node["left_child"])
            tree["more"][index] = add(node["right_child"])
        return index

    add(root)
    return tree


def ranks(trees: Forest, lists: Sequence[List], without: Collection[str] = ()) -> list[int]:
    """The 1-based place of each right name, ties counted against it; 0 where it is missing."""
    found: list[int] = []
    for each in lists:
        if each.right < 0:
            found.append(0)
            continue
        scores = trees.scores(blanked(each.matrix, without))
        found.append(int((scores >= scores[each.right]).sum()))
    return found


def cross_validated(
    lists: Sequence[List], without: Collection[str] = ()
) -> Iterator[tuple[List, int]]:
    """Each list with the rank that trees fitted without its repository give the right name.

    Repositories are left out in `FOLDS` groups: one fit each.
    """
    repositories = sorted({each.repository for each in lists})
    for fold in range(FOLDS):
        out = set(repositories[fold::FOLDS])
        held = [each for each in lists if each.repository in out]
        others = [each for each in lists if each.repository not in out]
        if not held or not others:
            continue
        trees = forest(fit(others, without), NAMES)
        yield from zip(held, ranks(trees, held, without), strict=True)


def groups() -> dict[str, tuple[str, ...]]:
    """The features that are left out together in the ablation, by the name of the group."""
    found: dict[str, list[str]] = {}
    for feature in FEATURES:
        found.setdefault(feature.group, []).append(feature.name)
    return {group: tuple(names) for group, names in found.items()}


SITUATIONS = (
    *(("member", kind, typed) for kind in ("call", "own", "read") for typed in (0, 1, 3)),
    *(("name", kind, typed) for kind in ("bare", "own", "read") for typed in (1, 3)),
)
"""What is reported on: place and kind of list, letters typed."""


def run(
    samples: Sequence[Path], target: Path | None, told: Callable[[str], None], *, ablate: bool
) -> Path:
    """Cross-validate, fit to everything, write; return the file. Raises SamplesError."""
    lists = [each for path in samples for each in load(path)]
    figures = _figures(lists, ())
    for situation, line in figures.items():
        told(f"{situation:13}  {line}")
    for group, names in groups().items() if ablate else ():
        for situation, line in _figures(lists, names).items():
            told(f"without {group}: {situation:13}  {line}")
    file = target or Path(str(resources.files("completion"))) / "weights" / FILE_NAME
    repositories = sorted({each.repository for each in lists})
    about = {"fitted_to": repositories, "lists": len(lists), "cross_validated": figures}
    write(file, lists, about)
    return file


def _figures(lists: Sequence[List], without: Collection[str]) -> dict[str, str]:
    """Cross-validated shares of right names at the first place and the first five."""
    found: dict[tuple[str, str, int], list[int]] = {}
    for place in PLACES:
        mine = [one for one in lists if one.place == place]
        for each, rank in cross_validated(mine, without):
            if not each.scored:
                found.setdefault((place, each.kind, each.typed), []).append(rank)
    return {
        " ".join(map(str, situation)): _line_of(found[situation])
        for situation in SITUATIONS
        if situation in found
    }


def _line_of(ranks: Sequence[int]) -> str:
    places = np.array(ranks)
    some = places > 0
    first, five = (some & (places <= 1)).mean(), (some & (places <= 5)).mean()
    reciprocal = np.where(some, 1 / np.maximum(places, 1), 0.0).mean()
    return f"n={len(ranks)} top1={first:.3f} top5={five:.3f} mrr={reciprocal:.3f}"


def write(path: Path, lists: Sequence[List], about: Mapping[str, Any]) -> None:
    """Fit one forest per place to all lists and write them, with what they were fitted to."""
    forests = {place: fit([each for each in lists if each.place == place]) for place in PLACES}
    trees = {
        place: "[\n" + ",\n".join(map(_line, fitted)) + "\n]" for place, fitted in forests.items()
    }
    body = ",\n".join(f'"{place}": {text}' for place, text in trees.items())
    path.write_text(f'{{"about": {json.dumps(about)},\n"forests": {{\n{body}\n}}}}\n', "utf-8")


def _line(tree: Tree) -> str:
    """One tree on one line, numbers cut to what decides nothing less than the samples do."""
    short = {**tree, "value": [float(f"{value:.6g}") for value in tree["value"]]}
    return json.dumps(short, separators=(",", ":"))
