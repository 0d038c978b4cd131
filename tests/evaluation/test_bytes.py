"""``eval bytes``: the arms on toy vocabularies, what is drawn, what is counted, one whole run."""

from __future__ import annotations

import asyncio
import json
import math
import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from completion.behind import Behind
from completion.model.checkpoint import MODEL, SHIPPED
from completion.request import Prompt
from evaluation.blanks import Blank
from evaluation.bytes import cost, covers, exactness, genlm, plots, quality, spans
from evaluation.bytes.arms import (
    END_OF_TEXT,
    Branches,
    NoRepair,
    OneToken,
    Ours,
    Stop,
    spelled,
)
from evaluation.bytes.bench import Bench, Cursor
from evaluation.bytes.figures import by_group
from evaluation.bytes.healing import TransformersHealing
from evaluation.bytes.places import OFFSETS, Position, cursors, identifiers, place
from evaluation.bytes.toys import random_merges, random_text, toy_network, toy_tokenizer
from lancefill import main

torch.set_num_threads(1)  # the models are so small that a second thread only costs

RETURN = [(b"r", b"e"), (b"t", b"u"), (b"re", b"tu"), (b"r", b"n"), (b"retu", b"rn")]
CODE = b"""import os


def carry_over(shelf_width, load):
    total = shelf_width * load + 17  # heavy
    return "as text", os.path, total
"""
FILES = {("toy", "a.py"): CODE, ("toy", "b.py"): b"value_of_it = wanted_later\n"}


def bench_of(merges: list[tuple[bytes, bytes]], seed: int = 1) -> Bench:
    tokenizer = toy_tokenizer(merges)
    return Bench.of(toy_network(tokenizer, seed), tokenizer)


@pytest.fixture(scope="module")
def bench() -> Bench:
    return bench_of(RETURN)


def test_ours_is_what_enumeration_says_and_the_others_are_not() -> None:
    errors, tests = exactness.on_toys(24, 5, lambda: None, peers=False)
    found = {one.arm: one for one in exactness.rows(errors)}
    assert exactness.goals(list(found.values()), tests) == {
        "error in log P <= 1e-06": True,
        "no less exact than genlm-bytes": None,
        "samples pass a chi-squared test": True,
    }
    assert found["none"].variation > 0.01
    assert found["none"].text_max is None
    assert len(tests) == 2


def test_enumeration_adds_up(bench: Bench) -> None:
    known = exactness.enumeration(bench)
    assert math.fsum(map(math.exp, known.next_log_probs(()))) == pytest.approx(1)
    leaves = known.leaves(b"ret")
    assert math.fsum(leaves.values()) == pytest.approx(1)
    token = {data: one for one, data in enumerate(bench.tokenizer.token_bytes)}
    assert (3, token[b"return"]) in leaves
    assert (1, token[b"tu"]) not in leaves  # "re" and "tu" would have been merged


def test_the_chi_squared_test_sees_another_distribution(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = exactness.enumeration(bench)
    assert exactness.chi_squared(bench, known, "ret", 1) > exactness.DOUBT
    truth = known.leaves(b"ret")
    places, flat = list(truth), 1 / len(truth)
    monkeypatch.setattr(known, "leaves", lambda _: dict.fromkeys(places, flat))
    assert exactness.chi_squared(bench, known, "ret", 1) < exactness.DOUBT


@pytest.mark.parametrize("arm", [NoRepair, OneToken, Ours])
def test_leaves_are_a_distribution(bench: Bench, arm: type[Ours]) -> None:
    at = bench.cursor(Prompt("", "", "a ret"))
    following = arm(bench).next_byte(at)
    assert np.exp(following).sum() == pytest.approx(1)
    assert following[END_OF_TEXT] > -math.inf


def test_what_is_taken_back_comes_again_longer(bench: Bench) -> None:
    at = bench.cursor(Prompt("", "", "a\nretu"))
    leaves = OneToken(bench).begin(at).leaves
    longer = leaves.nodes != leaves.end
    table = bench.tokenizer.token_bytes
    assert [table[int(one)] for one in leaves.tokens[longer]] == [b"return"]
    assert set(leaves.overlap.values()) == {0, 4}


@pytest.mark.parametrize("arm", [NoRepair, OneToken, Ours, Branches])
def test_every_arm_writes_behind_the_cursor_until_it_is_enough(
    bench: Bench, arm: type[Ours]
) -> None:
    at = bench.cursor(Prompt("", "", "a ret"))
    written = arm(bench).write(at, lambda text: len(text) >= 3, 6)
    assert written is not None
    assert len(written) <= 3 + 5  # the token that was one too many


def test_a_rest_is_as_likely_as_enumeration_says() -> None:
    drawn = random.Random(3)
    for number in range(6):
        bench = bench_of(random_merges(drawn, "ab "), number)
        text = "a" + random_text(drawn, 4, "ab")
        at = bench.cursor(Prompt("", "", text))
        known = exactness.enumeration(bench)
        ends = [byte for byte in range(0x80) if not (chr(byte).isalnum() or byte == ord("_"))]
        after = [known.log_prob(f"{text}ab".encode() + bytes((byte,))) for byte in ends]
        leaves = known.leaves(f"{text}ab".encode())
        ended = leaves.get((0, bench.tokenizer.end), 0.0)
        whole = known.log_prob(f"{text}ab".encode())
        total = math.fsum(map(math.exp, after)) + ended * math.exp(whole)
        expected = math.log(total) - known.log_prob(text.encode())
        assert Ours(bench).log_prob(at, b"ab") == pytest.approx(expected, abs=1e-9)


def test_spelling_never_says_more_than_there_is() -> None:
    """Over our own leaves it is a part of the exact sum."""
    drawn = random.Random(4)
    for number in range(6):
        bench = bench_of(random_merges(drawn, "ab "), number)
        at = bench.cursor(Prompt("", "", "a" + random_text(drawn, 4, "ab")))
        arm = Ours(bench)
        with torch.inference_mode():
            found = spelled(arm.begin(at), b"ab")
        exact = arm.log_prob(at, b"ab")
        assert exact is not None
        assert found <= exact + 1e-9


def test_healing_writes_on_or_says_that_it_broke_the_prompt(bench: Bench) -> None:
    arm = TransformersHealing(bench.exact.network, bench.tokenizer)
    at = bench.cursor(Prompt("", "\nb", "  a ret"))
    healed = bench.tokenizer.decode_bytes(arm.heal("a ret"))
    written = arm.write(at, lambda text: len(text) >= 2, 4)
    assert (written is None) <= (not healed.startswith(b"a ret") or len(healed) > 5)
    assert arm.log_prob(at, b"urn") is None


def test_healing_fails_on_a_model_without_a_beginning(bench: Bench) -> None:
    """What the docstring says of the exported model as it is."""
    arm = TransformersHealing(bench.exact.network, bench.tokenizer)
    arm._fast.bos_token = None
    with pytest.raises(TypeError):
        arm.heal("a ret")


def test_cursors_are_drawn_once_and_say_what_stands_before_them() -> None:
    found = cursors(FILES, 60, 2)
    assert found == cursors(FILES, 60, 2)
    assert found != cursors(FILES, 60, 3)
    assert len({(one.file, one.prompt.prefix) for one in found}) == 60
    for one in found:
        data = FILES[one.file]
        assert data.startswith(one.prompt.prefix.encode() + one.rest)
        assert b"\n" not in one.rest
        last = one.prompt.prefix[-1]
        if one.position is Position.NUMBER:
            assert last.isdigit()
        if one.position is Position.BLANK:
            assert last.isspace()
        if one.position is Position.IDENTIFIER:
            assert last.isidentifier()
    positions = {one.position for one in found}
    assert positions == set(Position)


def test_the_rest_of_the_line_is_hidden() -> None:
    found = place(("toy", "a.py"), CODE, CODE.index(b"total"), Position.BLANK)
    assert "total" not in found.prompt.prefix
    assert found.prompt.suffix.startswith('\n    return "as text"')


def test_identifiers_by_length() -> None:
    longer = identifiers(FILES, 10, 1, longer=True)
    names = [FILES[one.file][one.begin : one.end] for one in longer]
    # b.py begins with a long one, before which nothing is typed.
    assert names == [b"carry_over", b"shelf_width", b"shelf_width", b"wanted_later"]
    shorter = identifiers(FILES, 10, 1, longer=False)
    texts = {FILES[one.file][one.begin : one.end] for one in shorter}
    assert texts <= {b"os", b"load", b"total", b"path"}
    assert texts


def test_the_same_identifiers_at_every_offset(bench: Bench) -> None:
    chosen = identifiers(FILES, 2, 1, longer=True)
    steps: list[int] = []
    arms = [NoRepair(bench), Ours(bench)]
    answers = quality.ask(bench, FILES, chosen, arms, lambda: steps.append(1))
    assert len(steps) == len(chosen) * len(OFFSETS)
    assert len(answers) == len(steps) * len(arms)
    rows = quality.rows(answers)
    assert [one.n for one in rows if one.offset is not None] == [2] * len(OFFSETS) * len(arms)
    gain = quality.gains(answers)["ours over none"]
    paired = [
        (a.log_prob or 0) - (b.log_prob or 0)
        for a, b in zip(answers[1::2], answers[::2], strict=True)
    ]
    assert gain["log P"].value == pytest.approx(sum(paired) / len(paired))
    assert all(quality.table_rows(rows))


def test_a_fall_is_seen() -> None:
    one = by_group([("a", 1.0), ("b", 0.0)])
    other = by_group([("a", 0.0), ("b", 0.0)])
    rows = [
        quality.Row("ours", None, 4, one, None, None, 0.0),
        quality.Row("ours", 0, 2, one, None, None, 0.0),
        quality.Row("ours", 1, 2, other, None, None, 0.0),
    ]
    assert quality.largest_fall(rows, "ours") == 0.5
    assert quality.goals(rows) == {"token, ours: non-decreasing in k": False}
    assert quality.largest_fall([rows[0], rows[2], rows[1]], "ours") == 0.0


def test_passes_and_nodes_are_counted(bench: Bench) -> None:
    places = [
        place(("toy", "c.py"), data, len(data), Position.IDENTIFIER) for data in (b"a ret", b"a 1")
    ]
    costs = cost.measure(bench, places, [], lambda: None)
    found = {(one.arm, one.place.prompt.prefix): one for one in costs}
    assert found["none", "a ret"].nodes == found["none", "a ret"].passes == 0
    assert found["ours", "a ret"].passes == 0
    assert not found["ours", "a ret"].stable
    assert found["ours", "a 1"].stable
    assert found["ours", "a 1"].nodes == 0
    assert found["ours, branches", "a ret"].passes > 0
    rows = cost.rows(costs)
    assert {one.position for one in rows} == {"all", cost.STABLE, "identifier"}
    assert cost.goals(rows)["no extra pass, no extra node at stable boundaries"] is True
    assert cost.goals(rows)["faster than genlm-bytes"] is None
    assert all(cost.table_rows(rows))


@pytest.mark.parametrize(
    ("before", "truth", "after", "inside"),
    [
        ("x = na", "me + 1", "\n", True),
        ("x = ", "name", "d\n", True),
        ("x = ", "name", "\n", False),
        ("x", " = 1", "\n", False),
        ("", "a", "", False),
    ],
)
def test_holes_inside_identifiers(before: str, truth: str, after: str, inside: bool) -> None:
    assert spans.is_inside(Blank("s/1/1", "python", before, after, truth, "")) is inside


class Dictated:
    """Writes what it is told to."""

    name = "dictated"

    def __init__(self, text: bytes) -> None:
        self.text = text

    def write(self, _at: Cursor, _stop: Stop, _most_tokens: int) -> bytes:
        return self.text

    def log_prob(self, _at: Cursor, _rest: bytes) -> float:
        return 0.0


@pytest.mark.parametrize(
    ("text", "whole", "line", "word", "passed"),
    [
        (b"me = 1\nx = nam", True, True, True, True),
        (b"me = 1\n\nx = nam", False, True, True, True),
        (b"me = 2\nx = nam", False, False, True, False),
        (b"mes = 1\nx = nam", False, False, False, False),
    ],
)
def test_what_a_hole_is_worth(
    bench: Bench, text: bytes, whole: bool, line: bool, word: bool, passed: bool
) -> None:
    blank = Blank("set/0/1", "python", "na", "e\n", "me = 1\nx = nam", "assert x == 1")
    (one,) = spans.fill(bench, [blank], [Dictated(text)], lambda: None, run_tests=True)
    assert (one.whole, one.line, one.word, one.passed) == (whole, line, word, passed)
    (row, apart) = spans.rows([one])
    assert (row.part, apart.part) == ("all", spans.INSIDE)
    assert row.runnable == 1
    assert all(spans.table_rows([row]))


def test_a_model_fills_a_hole_and_runs_nothing_unasked(bench: Bench) -> None:
    blank = Blank("set/0/1", "python", "x = ", "\n", "1", "assert x == 1")
    (one,) = spans.fill(bench, [blank], [NoRepair(bench)], lambda: None, run_tests=False)
    assert one.passed is None
    assert one.word is None
    (row, _) = spans.rows([one])
    assert row.passed is None
    assert row.runnable == 0


def test_a_mean_over_groups() -> None:
    found = by_group([("a", 1.0), ("a", 0.0), ("b", 1.0)])
    assert found.value == pytest.approx(2 / 3)
    assert found.total == 2
    assert found.low == 0.5
    assert found.high == 1.0


def test_a_peer_that_is_absent_is_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(genlm, "folder", lambda: tmp_path / "none")
    monkeypatch.setitem(sys.modules, "genlm.bytes", None)
    with pytest.raises(genlm.PeerError, match="not installed"):
        genlm.imported()


def test_the_peers_beam_sums_up_the_same() -> None:
    try:
        genlm.imported()
    except genlm.PeerError:
        pytest.skip("genlm-bytes is not installed (lancefill eval bytes --install-peers)")
    bench = bench_of(RETURN)
    at = bench.cursor(Prompt("", "", "a\nretu"))
    with torch.inference_mode():
        ours = Ours(bench).begin(at).leaves
    with asyncio.Runner() as runner:
        narrow, wide = genlm.arms(bench, runner)
        log_prob, following = wide.begin(at)
        assert log_prob == pytest.approx(ours.log_prob, abs=1e-4)
        assert np.exp(following) == pytest.approx(np.exp(Ours(bench).next_byte(at)), abs=1e-4)
        expected = Ours(bench).log_prob(at, b"rn")
        assert wide.log_prob(at, b"rn") == pytest.approx(expected, abs=1e-3)
        written = narrow.write(at, lambda text: len(text) == 3, 9)
        assert written is not None
        assert len(written) <= 3


def test_a_cover_tree_is_what_enumeration_says(bench: Bench) -> None:
    tree = covers.of_place(Behind.of(bench.exact, "ret"))
    assert tree.chance == pytest.approx(1)
    assert [(one.begin, one.data) for one in tree.children] == [(0, b"re")]
    (behind,) = tree.children
    assert [(one.begin, one.data) for one in behind.children] == [(2, b"t")]
    found = {(0, one.data): one for one in tree.leaves}
    found |= {(2, one.data): one for one in behind.leaves}
    truth = exactness.enumeration(bench).leaves(b"ret")
    token = {data: one for one, data in enumerate(bench.tokenizer.token_bytes)}
    assert found.keys() == {(0, b"retu"), (0, b"return")}  # "re" and "tu" would be one token
    for (begin, data), leaf in found.items():
        assert leaf.chance == pytest.approx(truth[3 - begin, token[data]])
    whole = behind.children[0]
    assert len(whole.leaves) == covers.SHOWN
    assert whole.more > 100
    assert whole.leaves[0].chance >= whole.leaves[-1].chance  # type: ignore[operator]


def test_a_cover_tree_without_a_model(bench: Bench) -> None:
    rules = bench.exact.rules
    tree = covers.knot(bench.exact, rules.cover(0, 0, b"ret"), bench.tokenizer.prefix)
    assert (tree.chance, tree.data) == (None, b"")
    assert [one.data for one in tree.leaves] == [b"retu", b"return"]
    assert tree.children[0].children[0].leaves == ()


@pytest.mark.parametrize("prefix", ["a\nret", "a\n\t\u20ac ", "", "x" * 40])
def test_a_cover_tree_is_drawn(bench: Bench, prefix: str, tmp_path: Path) -> None:
    here = Behind.of(bench.exact, prefix)
    plots.ready(tmp_path)
    file = plots.cover_tree(covers.of_place(here), here.layout.tail, tmp_path)
    assert file.read_bytes().startswith(b"\x89PNG")
    file.unlink()
    cover = bench.exact.rules.cover(0, 0, here.layout.tail)
    bare = covers.knot(bench.exact, cover, bench.tokenizer.prefix)
    assert plots.cover_tree(bare, here.layout.tail, tmp_path).exists()


@pytest.mark.skipif(not (SHIPPED / MODEL).exists(), reason="no model is shipped in this checkout")
def test_the_command_draws_a_cover_tree(tmp_path: Path) -> None:
    arguments = ["eval", "bytes", "--tree", "import os\n\nos.pa"]
    done = CliRunner().invoke(main, [*arguments, "--plots", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert done.output.strip() == str(tmp_path / "cover-tree.png")
    assert (tmp_path / "cover-tree.png").exists()
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code != 0
    assert "--plots FOLDER" in refused.output


@pytest.mark.skipif(not (SHIPPED / MODEL).exists(), reason="no model is shipped in this checkout")
def test_a_whole_run(tmp_path: Path) -> None:
    root = tmp_path / "repository"
    root.mkdir()
    for (_, name), data in FILES.items():
        (root / name).write_bytes(data)
    out = tmp_path / "figures.json"
    arguments = ["eval", "bytes", "--repo", str(root), "--no-peers", "--cases", "3", "--count", "1"]
    done = CliRunner().invoke(
        main, [*arguments, "--data", str(tmp_path / "absent"), "--json", str(out)]
    )
    assert done.exit_code == 0, done.output
    said = json.loads(done.output.strip().splitlines()[-1])
    assert said["goals"]["exactness"]["error in log P <= 1e-06"] is True
    figures = json.loads(out.read_text())
    assert "no folder" in figures["infilling"]["skipped"]
    arms = {one["arm"] for one in figures["quality"]["identifiers"]}
    assert arms == {"none", "one-token", "ours", "ours, branches", "token_healing"}
    assert "left out" in done.output
