"""``lancefill eval confidence``: is ghost text right as often as its confidence says?

Ghost texts are asked for in repositories that the model was not trained on: half of the cuts at
call sites as in ``eval ghost``, half before any token of code. With ``--fit`` the signs that come
with them (``completion/confidence.py``) are fitted to what was right, and the fitted model is
written down; what is then reported is cross-validated: every repository is judged by a model that
was fitted without it. Without it, the shipped model is judged as it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from completion.confidence import FILE_NAME, Calibrated
from evaluation import calibrated, cuts, ghost, report
from evaluation.answers import Written
from evaluation.apieval import Source
from evaluation.calibrated import Quality
from evaluation.calibration import Floats, fit_logistic, fit_monotone, folds
from evaluation.contamination import ModelError, Seen, splits
from evaluation.cuts import Cut, Place
from evaluation.repositories import repositories
from evaluation.workspaces import read_sources
from lsp_server.settings import Settings

ALL_SIGNS = (
    *("mean", "sum", "least", "first", "tokens", "length", "lines", "ended", "unsure"),
    *("cut short", "filtered", "statement", "member", "inside", "argument"),
    *("n-gram asked", "n-gram", "popup asked", "popup"),
)
LOGISTIC, MAPPED = "logistic", "logistic, monotone map"
FITS: Mapping[str, tuple[tuple[str, ...], bool]] = {
    "Platt on the mean": (("mean",), False),
    "mean, monotone map": (("mean",), True),
    "without the n-gram": (tuple(sign for sign in ALL_SIGNS if "n-gram" not in sign), True),
    "without the popup": (tuple(sign for sign in ALL_SIGNS if "popup" not in sign), True),
    LOGISTIC: (ALL_SIGNS, False),
    MAPPED: (ALL_SIGNS, True),
}
"""Signs that are fitted to, and whether the monotone map follows; the last one ships."""

RAW = "mean probability per token"
DIGITS = 6


class SamplesError(Exception):
    """Nothing can be fitted; the message says why."""


def unread(sources: Sequence[Source], weights: Path | None = None) -> list[Source]:
    """The repositories that the model was not trained on. Raises ModelError."""
    seen = splits(weights)
    kept = [source for source in sources if seen.get(source.title.split()[0]) is not Seen.TRAINED]
    if not kept:
        raise ModelError("the model was trained on every repository that was asked for")
    return kept


def sample(source: Source, count: int, seed: int) -> list[Cut]:
    """``count`` cuts of a repository, half at call sites, half before any token, one in a line."""
    files = read_sources(source.root)
    counts = {place: round(share * count / 2) for place, share in ghost.SHARES.items()}
    at_calls = cuts.sample(files, counts, seed)
    taken = {(cut.path, cuts.line_start(files[cut.path], cut.offset)) for cut in at_calls}
    anywhere = cuts.sample_edges(files, count - len(at_calls), seed)
    apart = [
        cut
        for cut in anywhere
        if (cut.path, cuts.line_start(files[cut.path], cut.offset)) not in taken
    ]
    return sorted([*at_calls, *apart], key=lambda cut: (cut.path, cut.offset))


def collect(
    sources: Sequence[Source],
    count: int,
    seed: int,
    settings: Settings,
    console: Console,
    weights: Path | None = None,
) -> list[Written]:
    """Ask at up to ``count`` cuts of every repository."""
    drawn = [(source, sample(source, count, seed)) for source in sources]
    written: list[Written] = []
    with report.progress(console) as progress:
        task = progress.add_task("writing", total=sum(len(found) for _, found in drawn))
        for source, found in drawn:
            progress.update(task, description=source.title)
            written += ghost.write_all(
                source,
                found,
                settings,
                lambda: progress.advance(task),
                arms=(ghost.SHIPPED,),
                weights=weights,
            )
    return written


# Fitting


def fit(written: Sequence[Written], signs: Sequence[str], *, monotone: bool) -> Calibrated:
    """The model fitted to texts. Raises SamplesError where they cannot say anything.

    The monotone map is fitted to outputs for repositories that the weights were fitted without.
    """
    matrix, right = _table_of(written, signs)
    if len(set(right.tolist())) < 2:
        raise SamplesError(f"{len(right)} texts, all right or all wrong: nothing can be fitted")
    bias, weights = fit_logistic(matrix, right)
    knots: list[tuple[float, float]] = []
    parts = folds([one.repository for one in written])
    if monotone and len(parts) > 1:
        outputs = np.zeros(len(right))
        for kept, out in parts:
            fold_bias, fold_weights = fit_logistic(matrix[kept], right[kept])
            outputs[out] = 1 / (1 + np.exp(-fold_bias - matrix[out] @ fold_weights))
        knots = fit_monotone(outputs, right)
    by_sign = {sign: round(float(w), DIGITS) for sign, w in zip(signs, weights, strict=True)}
    rounded = tuple((round(x, DIGITS), round(y, DIGITS)) for x, y in knots)
    return Calibrated(round(bias, DIGITS), by_sign, rounded)


def _table_of(written: Sequence[Written], signs: Sequence[str]) -> tuple[Floats, Floats]:
    matrix = np.array([[one.signs[sign] for sign in signs] for one in written], np.float64)
    return matrix, np.array([one.helps for one in written], np.float64)


def cross_validated(
    written: Sequence[Written], signs: Sequence[str], *, monotone: bool
) -> list[float]:
    """The probability of each text by a model that was fitted without its repository."""
    found = [0.0] * len(written)
    for kept, out in folds([one.repository for one in written]):
        model = fit([written[at] for at in kept], signs, monotone=monotone)
        for at in out:
            found[at] = model.probability(written[at].signs)
    return found


def compare(written: Sequence[Written]) -> tuple[dict[str, Quality], list[Written]]:
    """How good each way to fit is, cross-validated; the texts with what the last one says."""
    texts = [one for one in written if one.text]
    if len({one.repository for one in texts}) < 2:
        raise SamplesError("cross-validation needs texts of two repositories or more")
    right = np.array([one.helps for one in texts], np.float64)
    plain = np.exp([one.signs["mean"] for one in texts])
    found = {RAW: calibrated.judged(plain, right)}
    said: list[float] = []
    for name, (signs, monotone) in FITS.items():
        said = cross_validated(texts, signs, monotone=monotone)
        found[name] = calibrated.judged(np.array(said), right)
    judged = dict(zip(map(id, texts), said, strict=True))
    return found, [replace(one, confidence=judged.get(id(one), 0.0)) for one in written]


def write(file: Path, written: Sequence[Written], about: Mapping[str, Any]) -> Calibrated:
    """Fit the model that ships to all texts and write it with what it was fitted to."""
    texts = [one for one in written if one.text]
    signs, monotone = FITS[MAPPED]
    model = fit(texts, signs, monotone=monotone)
    body = {
        "about": about,
        "bias": model.bias,
        "weights": model.weights,
        "knots": [list(knot) for knot in model.knots],
    }
    lines = ",\n".join(f'"{name}": {json.dumps(value)}' for name, value in body.items())
    file.write_text(f"{{{lines}}}\n", "utf-8")
    return model


# Running


def run(
    written: Sequence[Written],
    console: Console,
    *,
    out: Path | None,
    seed: int,
    weights: Path | None = None,
    plots: Path | None = None,
) -> dict[str, Any]:
    """Judge, and with ``out`` fit and write; print. Raises SamplesError and PlotsError."""
    result: dict[str, Any] = {"eval": "confidence", "seed": seed, "requests": len(written)}
    title = "ghost text by confidence, per 100 requests"
    if out is not None:
        _refuse_reported(written)
    if out is None:
        judged = list(written)
        qualities = {"as shipped": calibrated.quality(judged)}
    else:
        title += " (cross-validated)"
        qualities, judged = compare(written)
    result["quality"] = {name: asdict(each) for name, each in qualities.items()}
    result["points"] = [asdict(each) for each in calibrated.points(judged)]
    console.print(_qualities(qualities))
    console.print(calibrated.curve(title, judged))
    result["advised"] = calibrated.advised(judged)
    console.print(f"two of three shown texts help from confidence {result['advised']} on")
    if plots is not None:
        result["plots"] = [str(file) for file in calibrated.draw(judged, plots)]
    if out is not None:
        about = {
            "fitted_to": sorted({one.repository for one in written}),
            "texts": qualities[MAPPED].texts,
            "manifest_sha256": fingerprint(weights),
            "cross_validated": {
                name: report.as_json(asdict(qualities[name])) for name in (RAW, MAPPED)
            },
        }
        write(out, written, about)
        console.print(f"the fitted model is in {out}", highlight=False)
    return result


def _refuse_reported(written: Sequence[Written]) -> None:
    """Raise SamplesError where a repository is pinned for something else than development."""
    names = {one.repository.partition(" ")[0] for one in written}
    reported = [name for name, each in repositories().items() if each.role != "dev"]
    if wrong := sorted(names & set(reported)):
        raise SamplesError(f"nothing may be fitted to {', '.join(wrong)}: figures come from there")


def packaged() -> Path:
    """Where the product reads its model."""
    return Path(str(resources.files("completion"))) / FILE_NAME


def fingerprint(weights: Path | None) -> str:
    """Which model wrote the texts: the SHA-256 of its manifest."""
    folder = weights or resources.files("completion") / "weights"
    return hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()


def _qualities(found: Mapping[str, Quality]) -> Table:
    header = ("", "texts", "helps", "calibration error", "by chance", "Brier", "AUC")
    rows = [
        [
            name,
            str(each.texts),
            f"{each.base:.1%}",
            f"{each.error:.3f}",
            f"{each.least:.3f}",
            f"{each.brier:.3f}",
            f"{each.discrimination:.3f}",
        ]
        for name, each in found.items()
    ]
    return report.table("confidence", header, rows)


# Items


def read(path: Path) -> list[Written]:
    """Read what ``--items`` wrote. Raises SamplesError."""
    try:
        rows = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line.strip()]
        return [_written(row) for row in rows]
    except OSError as error:
        raise SamplesError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise SamplesError(f"{path} holds no items of this command: {error}") from error


def _written(row: Mapping[str, Any]) -> Written:
    cut = Cut(**{**row["cut"], "place": Place(row["cut"]["place"])})
    one = Written(**{**row, "cut": cut})
    if one.text and not set(ALL_SIGNS) <= set(one.signs):
        raise ValueError("the signs are another version's")
    return one
