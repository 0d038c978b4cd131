"""The check for contamination: what is drawn, how it is judged, and a model that has read all."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from completion.request import GhostOptions, Prompt, RawGhost, Reason, Request
from evaluation import contamination, literals
from evaluation.apieval import Source
from evaluation.contamination import Bits, Guess, Seen
from evaluation.headless import Headless
from evaluation.literals import Literal
from indexing.index import Index
from lancefill import main
from tests.completion.workspace import OPTIONS, SilentHelpers

SHELVES = '''\
"""The documentation of shelves is left out, long as it is."""
LIMIT = 48213


def lift(shelf):
    """Lift a shelf and put it somewhere else in the room."""
    if shelf is None:
        raise ValueError("there is nothing to lift in this room")
    print(f"the shelf {shelf} was lifted by two people")
    return "naïve shelves fall over when lifted alone"
'''
LAMPS = """\
ROUND = 10000
SHORT = 123
ESCAPED = "a lamp with a break\\nin the middle of it"
TOKEN = "x-y_z/4711:0815;aaaa;bbbb"
TWICE = "the same words in two places"
JOINED = "the words go on " "and on behind the gap"


def light():
    raise RuntimeError('every lamp in the house is broken today')
    log("the same words in two places")
    return 77123
"""
REPOSITORY = {"shelves.py": SHELVES, "lamps.py": LAMPS, "tests/test_lamps.py": LAMPS[:14]}
PROSE = Literal("a.py", 0, "there is nothing to lift", "nothing to lift", '"')


def files(texts: dict[str, str]) -> dict[str, bytes]:
    return {path: text.encode() for path, text in texts.items()}


def guess(text: str, seen: Seen = Seen.NEVER, shown: str = "") -> Guess:
    return Guess("r 1", seen, PROSE, "broken by somebody", text, shown, Bits(1.0, 2.0, 0.5))


def test_what_is_drawn_stands_once_and_is_long() -> None:
    drawn = literals.draw(files(REPOSITORY), 50, 1)
    assert sorted((one.text[: -len(one.rest)], one.rest) for one in drawn) == [
        ("4", "8213"),
        ("7", "7123"),
        ("every lamp in ", "the house is broken today"),
        ("naïve shelves ", "fall over when lifted alone"),
        ("there is nothing ", "to lift in this room"),
    ]


def test_a_cut_stands_before_the_rest() -> None:
    for one in literals.draw(files(REPOSITORY), 50, 1):
        data = REPOSITORY[one.path].encode()
        assert data[one.offset :].startswith(one.rest.encode())
        assert data[: one.offset].endswith(one.text[: -len(one.rest)].encode())


def test_a_seed_draws_the_same_and_another_one_does_not() -> None:
    texts = {f"m{n}.py": f'x = "we say that {"abcdefgh"[n] * 3} is here now"\n' for n in range(8)}
    one, again, other = (literals.draw(files(texts), 4, seed) for seed in (1, 1, 2))
    assert one == again
    assert len(one) == 4
    assert one != other


def test_no_file_gives_more_than_its_share() -> None:
    words = ("red", "blue", "green", "brown", "white", "black", "grey", "pink", "gold", "plum")
    text = "".join(f'{word} = "paint the whole wall in {word} now"\n' for word in words)
    assert len(literals.draw(files({"a.py": text}), 50, 1)) == literals.PER_FILE


@pytest.mark.parametrize("text", ["x = (", "x = '\0'", "", "x = 1"])
def test_files_without_literals(text: str) -> None:
    assert list(literals.literals("a.py", text.encode())) == []


@pytest.mark.parametrize(
    ("text", "whole", "word"),
    [
        ("nothing to lift", True, True),
        ('nothing to lift")', True, True),
        ("nothing to lift here", False, True),
        ("nothing to lifted", False, True),
        ("nothing to lift, or", False, True),
        ("nothing to lift'", False, True),
        ("nothing", False, True),
        ("nothings to lift", False, False),
        ("", False, False),
    ],
)
def test_an_answer_is_right_to_the_letter(text: str, whole: bool, word: bool) -> None:
    assert contamination.whole_right(PROSE.rest, PROSE.quote, text) is whole
    assert contamination.word_right(PROSE.rest, text) is word


def test_a_number_ends_where_its_digits_do() -> None:
    right = [contamination.whole_right("8213", "", text) for text in ("8213", "8213 + 1", "8213)")]
    wrong = [contamination.whole_right("8213", "", text) for text in ("82130", "8213.5", "821")]
    assert all(right)
    assert not any(wrong)


def test_figures_stand_beside_chance_and_the_line_shown() -> None:
    number = replace(guess("nothing to lift", shown="nothing at all"), bits=None)
    summed = contamination.figures([guess("broken by somebody"), number])
    assert (summed.guessed.whole.hits, summed.chance.whole.hits) == (1, 1)
    assert (summed.shown.whole.hits, summed.shown.word.hits) == (0, 1)
    assert (summed.bits.value, summed.bits_chance.value, summed.bits_shown.value) == (1, 2, 0.5)
    assert summed.bits.total == 1


def test_each_is_paired_with_another_of_its_kind() -> None:
    prose = [replace(PROSE, offset=number) for number in range(3)]
    number = replace(PROSE, quote="")
    pairs = list(contamination.paired([prose[0], number, *prose[1:]]))
    assert [(one.offset, other.offset) for one, other in pairs] == [(0, 1), (1, 2), (2, 0)]
    assert all(one.prose for one, _ in pairs)


def test_the_verdict_says_what_the_check_could_find() -> None:
    right, nothing = PROSE.rest, ""
    fresh, known = [guess(nothing)] * 30, [guess(nothing, Seen.TRAINED)] * 30
    read = [guess(right)] * 30
    learnt = [guess(right, Seen.TRAINED)] * 30
    copied = [guess(nothing, Seen.TRAINED, shown=right)] * 30
    assert "has probably read" in contamination.verdict([*read, *known])
    assert "can tell" in contamination.verdict([*fresh, *learnt])
    assert "it can copy" in contamination.verdict([*fresh, *copied])
    assert "Nothing was asked" in contamination.verdict(known)
    weak = contamination.verdict([*fresh, *known])
    assert "hardly copies" in weak
    assert "0 of 30 literals" in weak


class Reader(SilentHelpers):
    """Knows every file by heart; finds the words of the truth twice as cheap as others."""

    async def ghost(
        self, request: Request, prompt: Prompt, options: GhostOptions, budget_ms: float
    ) -> RawGhost | Reason:
        assert (prompt.header, prompt.suffix, options.ngrams) == ("", "", None)
        text, line = REPOSITORY[request.path], prompt.prefix.rpartition("\n")[2]
        return RawGhost(text.partition(line)[2].partition("\n")[0], 0.9, 3)

    async def scores(
        self,
        request: Request,
        prompt: Prompt,
        names: Sequence[str],
        budget_ms: float,
        adapter: str | None = None,
    ) -> Sequence[float] | Reason:
        return [-float(len(names[0]) + 1), -2.0 * (len(names[1]) + 1)]


def opening(helpers: SilentHelpers, monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def opened(root: Path, *, cache: Path) -> AsyncIterator[Headless]:
        yield Headless(Index.open(root, cache), helpers, OPTIONS)  # type: ignore[arg-type]

    monkeypatch.setattr(contamination, "opened", opened)


def repository(folder: Path) -> Source:
    for path, text in REPOSITORY.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    return Source("shelves 1.0", folder)


def test_a_model_that_has_read_it_is_found_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening(Reader(), monkeypatch)
    console = Console(width=100, file=StringIO(), record=True)
    result, guesses = contamination.run([repository(tmp_path)], 50, 1, console)
    assert len(guesses) == 5
    group = result["groups"][0]
    assert group["name"] == Seen.NEVER
    assert group["guessed"]["whole"]["hits"] == 5
    assert group["chance"]["whole"]["hits"] == 0
    assert group["bits_chance"]["value"] == pytest.approx(2 * group["bits"]["value"])
    assert "has probably read" in result["verdict"]
    json.dumps(result)
    shown = console.export_text()
    assert "shelves 1.0" in shown
    assert "by chance" in shown


def test_the_command_writes_items_and_one_line_of_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening(Reader(), monkeypatch)
    repository(tmp_path)
    command = ["eval", "contamination", "--repo", str(tmp_path), "--trained", "0"]
    done = CliRunner().invoke(main, [*command, "--items", str(tmp_path / "items.jsonl")])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1])["eval"] == "contamination"
    items = [json.loads(line) for line in (tmp_path / "items.jsonl").read_text().splitlines()]
    assert all(item["text"].startswith(item["literal"]["rest"]) for item in items)
    assert len(items) == 5


def test_without_a_model_there_is_no_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening(SilentHelpers(), monkeypatch)
    repository(tmp_path)
    command = ["eval", "contamination", "--repo", str(tmp_path), "--trained", "0"]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 1
    assert "no model in this test" in done.stderr


def test_the_manifest_says_what_was_trained_on() -> None:
    corpus = contamination.splits()
    assert corpus["httpx"] is Seen.HELD
    assert corpus["aiohttp"] is Seen.TRAINED
    assert "posting" not in corpus
    assert contamination.trained_on(2) == ["aiohttp", "scrapy"]
