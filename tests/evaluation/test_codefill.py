"""CodeFill's tables: what is drawn, that nothing leaks, what it is worth, and one whole run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from completion.lexeme import Kind
from completion.model.checkpoint import MODEL, SHIPPED
from evaluation.codefill.arms import Asked, Next, Ngram, Rest, ask, indexed
from evaluation.codefill.items import LENGTHS, Item, draw
from evaluation.codefill.lexing import Class
from evaluation.codefill.reranker import declared, reranked
from evaluation.codefill.scores import Answers, ranked, scored, written
from evaluation.codefill.tables import GROUPS, result, token_figures
from evaluation.codefill.textscores import likeness
from indexing.index import Index
from lancefill import main

SHELF = """class Shelf:
    def __init__(self, width):
        self.width = width

    def lift(self, by, times=1):
        return self.width * by + times
"""
WORK = """from shelf import Shelf


def carry(shelf, load):
    total = shelf.lift(load, times=2)
    if total > shelf.width:
        raise ValueError("too much", load)
    return total


def only_below(shelf):
    zebra = shelf.lift(shelf.width)
    zebra_of_the_day = carry(shelf, zebra)
    return zebra, zebra_of_the_day, shelf.only_used_here(zebra)
"""
FILES = {"shelf.py": SHELF.encode(), "pkg/work.py": WORK.encode(), "broken.py": b"def (:\n"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return laid_out(tmp_path_factory.mktemp("repository"), FILES)


def laid_out(root: Path, files: dict[str, bytes]) -> Path:
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return root


def items(tokens: int = 1000, per_length: int = 3, seed: int = 1) -> list[Item]:
    return draw({"shelves": FILES}, tokens, per_length, seed)["shelves"]


# --- drawing ---------------------------------------------------------------------------------


def test_every_lexeme_is_drawn_once_where_all_are_wanted() -> None:
    tokens = [one for one in items() if one.token]
    assert len({(one.path, one.cut) for one in tokens}) == len(tokens)
    assert {one.path for one in tokens} == {"shelf.py", "pkg/work.py"}
    texts = Counter(one.rest[0][0] for one in tokens if one.path == "shelf.py")
    assert texts[b"self"] == 4
    assert texts[b"class"] == 0  # nothing stands before it
    assert (texts[b"\n    "], texts[b"\n        "]) == (2, 2)
    assert texts[b"\n"] == 0  # the last line break is left out
    assert all(
        FILES[one.path][one.cut :].strip().startswith(one.rest[0][0].strip()) for one in tokens
    )


def test_the_seed_decides_and_statements_have_just_n_lexemes_left() -> None:
    one, same, other = items(20, 2, 1), items(20, 2, 1), items(20, 2, 2)
    assert one == same != other
    statements = [each for each in items() if each.token is None]
    assert {len(each.rest) for each in statements} == set(LENGTHS)
    for each in statements:
        rest = FILES[each.path][each.cut : each.statement_end]
        assert b"".join(rest.split()) == b"".join(b"".join(t.split()) for t, _ in each.rest)
        assert each.before


def test_groups_of_a_lexeme() -> None:
    (lift,) = (one for one in items() if one.token and one.rest[0][0] == b"lift"
               and one.before[:1] == (b"total",))  # fmt: skip
    assert lift.token is not None
    assert lift.token.token_class is Class.IDENTIFIER
    assert (str(lift.token.leaf), lift.token.cardinal) == ("function name", True)
    assert lift.token.role == "attribute.attribute"


# --- nothing leaks ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def index(root: Path) -> Iterator[Index]:
    with indexed(root) as opened:
        yield opened


def cut_before(index: Index, text: str, *, suffix: bool = False) -> Asked:
    cut = WORK.index(text)
    (item,) = (one for one in items() if one.token and one.path == "pkg/work.py"
               and one.cut <= cut < one.cut + 8 and one.rest[0][0] == text.encode())  # fmt: skip
    return ask(index, item, FILES[item.path], suffix=suffix)


def test_no_text_behind_the_cursor_is_known(index: Index) -> None:
    asked = cut_before(index, "only_below")
    assert asked.text == WORK[: asked.item.cut].encode()
    assert b"zebra" in WORK.encode()[asked.item.cut :]
    words = [word for word, _ in asked.view.predict([b"shelf", b"."], limit=100)]
    assert b"lift" in words
    assert not [word for word in words if b"zebra" in word or b"only_used_here" in word]
    assert "zebra" not in asked.prompt.prefix + asked.prompt.suffix + asked.prompt.header
    index.update("pkg/work.py", asked.text)
    assert "only_used_here" not in index.snapshot().used_after("shelf")


def test_all_is_as_if_the_file_on_disk_were_cut(index: Index, tmp_path: Path) -> None:
    """The slow way: a repository that never held the rest, indexed by itself."""
    asked = cut_before(index, "only_below")
    cut = laid_out(tmp_path, FILES | {"pkg/work.py": asked.text})
    with indexed(cut) as other:
        twin = ask(other, asked.item, FILES[asked.item.path], suffix=False)
    assert asked.prompt == twin.prompt
    for context in ([b"shelf", b"."], [b"self", b"."], [b"return"], [b"(", b"shelf", b","], []):
        assert dict(asked.view.predict(context)) == pytest.approx(dict(twin.view.predict(context)))


def test_the_suffix_is_what_follows_the_statement(index: Index) -> None:
    asked = cut_before(index, "zebra_of_the_day", suffix=True)
    assert asked.prompt.suffix.startswith("\n    return zebra, zebra_of_the_day")
    assert "carry(shelf, zebra)" not in asked.prompt.suffix
    assert "zebra_of_the_day" not in asked.prompt.prefix


# --- worth -----------------------------------------------------------------------------------


def item_at(text: str) -> Item:
    return next(one for one in items() if one.token and one.rest[0][0] == text.encode())


def test_equal_candidates_are_added_up_and_ranked_anew() -> None:
    item = item_at('"too much"')
    found = [((b"x", Kind.WORD), 0.3), ((b"'a'", Kind.STRING), 0.2), ((b"", Kind.STRING), 0.15),
             ((b"", Kind.COMMENT), 0.3), ((b"1", Kind.NUMBER), 0.05)]  # fmt: skip
    assert ranked(item, found) == ["<STRING>", "x", "<NUMBER>"]
    judged = scored("arm", item, Next(found, found, ["other", item.token.role], 1.0))
    assert (judged.rank, judged.raw_rank, judged.type_rank) == (1, None, 2)


def test_a_miss_and_nothing_at_all() -> None:
    item = item_at("lift")
    many = [((b"n%d" % number, Kind.WORD), 1 / (number + 2)) for number in range(10)]
    late = scored("arm", item, Next([*many, ((b"lift", Kind.WORD), 0.01)], [], [], 1.0))
    assert (late.answered, late.rank) == (True, None)
    assert not scored("arm", item, Next([], [], [], 1.0)).answered
    figures = token_figures([late, scored("arm", item, Next([], [], [], 1.0))])
    assert (figures.answered.hits, figures.mrr.value) == (1, 0.0)


def test_statements_are_compared_normalised_and_raw() -> None:
    item = next(one for one in items() if one.token is None and one.rest[0][0] == b'"too much"')
    words = [(b"'other'", Kind.STRING), *item.rest[1:]]
    judged = written("arm", item, Rest(words, 1.0))
    assert (judged.normal.exact, judged.raw.exact) == (True, False)
    assert judged.normal.rouge == 1.0 > judged.raw.rouge > 0.5


def test_likeness() -> None:
    same = likeness(["a", ".", "b"], ["a", ".", "b"])
    assert (same.rouge, same.exact, same.edits) == (1.0, True, 1.0)
    assert same.meteor == pytest.approx(1 - 0.5 / 27)  # one chunk of three
    half = likeness(["a", ".", "b", "("], ["a", ".", "c", "("])
    assert half.rouge == pytest.approx(0.75)
    assert half.meteor == pytest.approx(0.75 * (1 - 0.5 * (2 / 3) ** 3))
    assert likeness(["a"], ["A"]).meteor == 0.0
    assert likeness(["items"], ["item"]).meteor == 0.0
    assert likeness(["a"], []) == likeness(["a"], ["b"])


def test_the_n_gram_writes_what_the_repository_says_next(index: Index) -> None:
    asked = cut_before(index, "lift")
    found = Ngram().next(asked)
    assert found.words[0][0] == (b"width", Kind.WORD) or found.words[0][0] == (b"lift", Kind.WORD)
    assert (b"", Kind.STRING) in [word for word, _ in found.words]
    assert all(text for (text, _), _ in found.raw)
    assert Ngram().rest(asked).words


SCOPES = b"""from a import far
near = 1
class C:
    size: int = 0
    def m(self, by, *rest):
        self.width = local = by
        with open(far) as file:
            """


def test_the_re_ranker_favours_what_is_declared() -> None:
    names = declared(SCOPES)
    assert (
        names.weight(b"local", attribute=False) == names.weight(b"rest", attribute=False) == 1.625
    )
    assert names.weight(b"file", attribute=False) == 1.625
    assert names.weight(b"size", attribute=False) == 1.125
    assert names.weight(b"near", attribute=False) == names.weight(b"far", attribute=False) == 1.5
    assert names.weight(b"C", attribute=False) == 1.5
    assert names.weight(b"width", attribute=True) == 1.625
    assert names.weight(b"m", attribute=True) == 1.25
    assert names.weight(b"int", attribute=False) == names.weight(b"local", attribute=True) == 1.0
    found = [((b"x", Kind.WORD), 0.3), ((b"by", Kind.WORD), 0.2), ((b"in", Kind.WORD), 0.25)]
    texts = [text for (text, _), _ in reranked(found, b"=", names)]
    assert texts == [b"by", b"x", b"in"]


def test_figures_of_no_answers_are_plain_values() -> None:
    assert result(Answers())["arms"] == {}
    assert next(iter(GROUPS)) == "any token"


# --- the command -----------------------------------------------------------------------------


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["eval", "codefill", *arguments])
    return done.exit_code, done.output


def test_what_is_not_a_model_is_said_in_one_line(root: Path, tmp_path: Path) -> None:
    for weights, says in (
        ("folder", "is not NAME=FOLDER"),
        (f"a={tmp_path / 'nowhere'}", "is not NAME=FOLDER"),
        (f"a={tmp_path}", "no model in"),
    ):
        code, output = run("--repo", str(root), "--weights", weights)
        assert (code, len(output.strip().splitlines())) == (2, 1), output
        assert says in output


@pytest.mark.skipif(not (SHIPPED / MODEL).is_file(), reason="the weights are not here")
def test_a_whole_run(root: Path, tmp_path: Path) -> None:
    figures, lines, plots = tmp_path / "figures.json", tmp_path / "items.jsonl", tmp_path / "plots"
    code, output = run(
        *("--repo", str(root), "--count", "6", "--reranker", "--json", str(figures)),
        *("--items", str(lines), "--plots", str(plots)),
    )
    assert code == 0, output
    summary = json.loads(output.splitlines()[-1])["summary"]
    arms = ["repository n-gram", "shipped (file only)", "shipped + repository"]
    assert [arm for arm in summary if "re-ranked" not in arm] == arms
    assert len(summary) == 5
    told = json.loads(figures.read_text("utf-8"))
    for arm in arms:
        whole = told["arms"][arm]["tokens"]["any token"]
        assert whole["n"] == 6
        assert 0 <= whole["accuracy"]["value"] <= whole["mrr"]["value"] <= 1
        assert told["arms"][arm]["statements"]["all"]["n"] == len(LENGTHS)
    assert told["paper"]["tokens"]["any token"]["accuracy"] == 80.6
    assert len(lines.read_text("utf-8").splitlines()) == 5 * 6 + 3 * len(LENGTHS)
    assert {file.name for file in plots.iterdir()} == {"statements.png", "classes.png"}
    assert "80.6/81.7" in output
    assert "other items" in output
