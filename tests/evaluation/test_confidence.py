"""``eval confidence``: cuts, fits that leave repositories out, what is written and read again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from completion import confidence as shipped
from evaluation import calibrated, confidence, cuts, ghost, report
from evaluation.answers import Written
from evaluation.apieval import Source
from evaluation.confidence import ALL_SIGNS, FITS, MAPPED, RAW, SamplesError
from evaluation.contamination import ModelError
from evaluation.cuts import Cut, Place
from lsp_server.settings import Settings

CUT = Cut("a.py", 4, Place.DOT, "name", "", "name()")
REPOSITORIES = ("one 1.0", "two 2.0", "three 3.0")


def written(helps: bool, mean: float, repository: str = "one 1.0", text: str = "name") -> Written:
    signs = dict.fromkeys(ALL_SIGNS, 0.0) | {"mean": mean}
    return Written(
        arm=ghost.SHIPPED,
        cut=CUT,
        text=text,
        reason="",
        confidence=0.5,
        name_right=False,
        line_right=False,
        ms=1.0,
        repository=repository,
        helps=helps,
        word=helps,
        signs=signs if text else {},
    )


@pytest.fixture(scope="module")
def texts() -> list[Written]:
    """900 texts whose outcomes a logistic curve over the mean log-probability made."""
    drawn = np.random.default_rng(2)
    found = []
    for number in range(900):
        mean = -3 * drawn.random()
        right = drawn.random() < 1 / (1 + np.exp(-(2 + 2 * mean)))
        found.append(written(bool(right), float(mean), REPOSITORIES[number % 3]))
    return found


def test_the_fit_finds_the_sign_that_matters(texts: list[Written]) -> None:
    signs, monotone = FITS[MAPPED]
    model = confidence.fit(texts, signs, monotone=monotone)
    assert model.weights["mean"] == pytest.approx(2, abs=0.4)
    assert all(weight == 0 for sign, weight in model.weights.items() if sign != "mean")
    assert model.probability(dict.fromkeys(ALL_SIGNS, 0.0) | {"mean": -1.0}) == pytest.approx(
        0.5, abs=0.12
    )


def test_each_repository_is_judged_by_the_others(texts: list[Written]) -> None:
    """The outcomes of one repository turned round change what is said of the others alone."""
    turned = [
        replace(one, helps=not one.helps) if "one" in one.repository else one for one in texts
    ]
    plain, other = (
        confidence.cross_validated(each, ("mean",), monotone=True) for each in (texts, turned)
    )
    same = [a == b for a, b in zip(plain, other, strict=True)]
    of_one = ["one" in one.repository for one in texts]
    assert all(kept for kept, mine in zip(same, of_one, strict=True) if mine)
    assert not any(kept for kept, mine in zip(same, of_one, strict=True) if not mine)


def test_fits_are_compared_on_the_same_texts(texts: list[Written]) -> None:
    silent = written(helps=False, mean=0.0, text="")
    qualities, judged = confidence.compare([*texts, silent])
    assert set(qualities) == {RAW, *FITS}
    assert {each.texts for each in qualities.values()} == {len(texts)}
    assert qualities[MAPPED].error < 0.05 < qualities[RAW].error
    assert judged[-1] == replace(silent, confidence=0.0)
    assert len({one.confidence for one in judged}) > 100


def test_what_cannot_be_fitted(texts: list[Written]) -> None:
    with pytest.raises(SamplesError, match="all right or all wrong"):
        confidence.fit([replace(one, helps=True) for one in texts], ("mean",), monotone=False)
    with pytest.raises(SamplesError, match="two repositories"):
        confidence.compare([one for one in texts if "one" in one.repository])


@pytest.mark.parametrize("title", ["posting 2.11.1", "openai-agents 0.24.0", "fastmcp 4.2.3"])
def test_nothing_is_fitted_to_what_figures_come_from(
    texts: list[Written], title: str, tmp_path: Path
) -> None:
    mixed = [*texts, replace(texts[0], repository=title)]
    with pytest.raises(SamplesError, match=f"fitted to {title.split()[0]}"):
        confidence.run(mixed, Console(quiet=True), out=tmp_path / "x.json", seed=1)
    assert not (tmp_path / "x.json").exists()


def test_what_is_written_is_what_the_product_reads(texts: list[Written], tmp_path: Path) -> None:
    file = tmp_path / "confidence.json"
    result = confidence.run(texts, Console(quiet=True), out=file, seed=1)
    values = json.loads(file.read_text("utf-8"))
    assert values["about"]["fitted_to"] == sorted(REPOSITORIES)
    signs, monotone = FITS[MAPPED]
    fitted = confidence.fit(texts, signs, monotone=monotone)
    assert shipped.read(values) == fitted
    assert result["quality"][MAPPED]["texts"] == len(texts)


def test_the_shipped_model_is_judged_as_it_is(texts: list[Written], tmp_path: Path) -> None:
    plots = tmp_path / "plots"
    console = Console(quiet=True)
    result = confidence.run(texts, console, out=None, seed=1, plots=plots)
    assert set(result["quality"]) == {"as shipped"}
    assert sorted(file.name for file in plots.iterdir()) == ["reliability.png", "shown.png"]
    assert json.loads(report.json_text(result))["requests"] == len(texts)


def test_the_curve_by_hand() -> None:
    items = [
        replace(written(helps=True, mean=0.0), confidence=0.9, whole=True),
        replace(written(helps=True, mean=0.0), confidence=0.6),
        replace(written(helps=False, mean=0.0), confidence=0.3),
        written(helps=False, mean=0.0, text=""),
    ]
    everything, half = calibrated.points(items, (0.0, 0.5))
    assert (everything.shown, everything.accepted, everything.rejected) == (0.75, 0.5, 0.25)
    assert (half.shown, half.helps, half.whole) == (0.5, 1.0, 0.5)
    assert calibrated.quality(items).base == pytest.approx(2 / 3)
    assert calibrated.points([], (0.5,))[0].shown == 0.0
    assert calibrated.advised(items) == 0.0  # two of three
    assert calibrated.advised(items[1:]) == pytest.approx(0.35)
    assert calibrated.advised(items[2:]) is None


FILE = """\
import os


def walk(folder):
    for name in os.listdir(folder):
        print(os.path.join(folder, name))
    return sorted(os.listdir(folder))
"""


@pytest.fixture
def source(tmp_path: Path) -> Source:
    for number in range(6):
        (tmp_path / f"file{number}.py").write_text(FILE)
    return Source("small 1.0", tmp_path)


def test_cuts_of_both_kinds_and_no_two_in_a_line(source: Source) -> None:
    found = confidence.sample(source, 16, 1)
    lines = [(cut.path, cuts.line_start(FILE.encode(), cut.offset)) for cut in found]
    assert len(set(lines)) == len(lines)
    assert {cut.place is Place.EDGE for cut in found} == {True, False}
    assert found == confidence.sample(source, 16, 1) != confidence.sample(source, 16, 2)


def test_items_are_read_again(source: Source, tmp_path: Path) -> None:
    settings = Settings(max_latency_ms=10_000)
    asked = confidence.collect([source], 4, 1, settings, Console(quiet=True))
    assert asked
    assert {one.arm for one in asked} == {ghost.SHIPPED}
    assert all(set(one.signs) >= set(ALL_SIGNS) for one in asked if one.text)
    assert all(one.text or one.reason for one in asked)
    items = tmp_path / "items.jsonl"
    report.write_jsonl(items, asked)
    again = confidence.read(items)
    assert [(one.cut, one.text, one.helps) for one in again] == [
        (one.cut, one.text, one.helps) for one in asked
    ]
    assert again[0].signs == pytest.approx(asked[0].signs, rel=1e-3)


@pytest.mark.parametrize("text", ["x\n", "[]\n", '{"cut": {}}\n', "{}\n"])
def test_what_are_no_items(tmp_path: Path, text: str) -> None:
    (tmp_path / "items.jsonl").write_text(text)
    with pytest.raises(SamplesError, match=r"items\.jsonl holds no items"):
        confidence.read(tmp_path / "items.jsonl")
    with pytest.raises(SamplesError, match=r"cannot read .*none\.jsonl"):
        confidence.read(tmp_path / "none.jsonl")


def test_signs_of_another_version(tmp_path: Path) -> None:
    one = replace(written(helps=True, mean=0.0), signs={"mean": 0.0})
    report.write_jsonl(tmp_path / "items.jsonl", [one])
    with pytest.raises(SamplesError, match="another version"):
        confidence.read(tmp_path / "items.jsonl")


def test_repositories_that_the_model_was_trained_on_are_left_out(tmp_path: Path) -> None:
    packages = [{"name": "one", "split": "train"}, {"name": "two", "split": "valid"}]
    text = json.dumps({"corpus": {"packages": packages}})
    (tmp_path / "manifest.json").write_text(text)
    sources = [Source(name, tmp_path) for name in REPOSITORIES]
    assert [each.title for each in confidence.unread(sources, tmp_path)] == ["two 2.0", "three 3.0"]
    with pytest.raises(ModelError, match="trained on every"):
        confidence.unread(sources[:1], tmp_path)


def test_the_model_was_asked_of_what_ships() -> None:
    assert len(confidence.fingerprint(None)) == 64
