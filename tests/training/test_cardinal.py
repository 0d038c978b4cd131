"""Cardinal points inferred from bigrams: a corpus small enough to know the answer."""

from __future__ import annotations

import io
import json
import tarfile
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from indexing.languages import languages
from training import cardinal
from training.bigrams import FRESH, NAME, NEWLINE, NUMBER, STRING, count, lexeme_types
from training.cardinal import Archive, Type, infer, load_archives, main, make, popup_characters
from training.corpus import CorpusError, Package

PYTHON = languages()[".py"]


def types_of(suffix: str, source: str) -> list[str]:
    return lexeme_types(languages()[suffix], source.encode())


def made_up(suffix: str, source: str) -> set[str]:
    """The names whose lexemes are said to be made up: names are unique in ``source``."""
    words = [each for each in source.replace("\n", " \n ").split(" ") if each]
    types = types_of(suffix, source)
    names = [word for word in words if word.startswith("n_") or word.startswith("o_")]
    kinds = [each for each in types if each in (NAME, FRESH)]
    assert len(names) == len(kinds), (names, types)
    return {name for name, kind in zip(names, kinds, strict=True) if kind == FRESH}


# Lexemes


def test_lexemes_have_types() -> None:
    source = "if a not in 'b':  # c\n    d = f'{e}' + 1.5\n\n\n\ndel g\n"
    assert types_of(".py", source) == [
        *("if", NAME, "not", "in", STRING, ":", NEWLINE),
        *(NAME, "=", STRING, "+", NUMBER, NEWLINE, "del", NAME),
    ]


def test_a_file_that_does_not_parse_is_left_out() -> None:
    assert types_of(".py", "def (:\n") == []


def test_no_bigram_reaches_into_the_next_file() -> None:
    bigrams = count([(PYTHON, b"a.b"), (PYTHON, b"c.d")])
    assert bigrams == {NAME: Counter({".": 2}), ".": Counter({NAME: 2})}


@pytest.mark.parametrize(
    ("suffix", "source"),
    [
        (".py", "def n_f ( n_a , n_b = o_c , * n_d ) : return o_e"),
        (".py", "class n_C ( o_B ) : pass"),
        (".py", "import o_a as n_b"),
        (".py", "with o_f ( ) as n_g : pass"),
        (".py", "for o_a in o_b : o_c . o_d ( o_e = o_f )"),
        (".py", "o_a = lambda o_b : o_c"),
        (".java", "class n_C extends o_B { o_T n_f ( o_U n_a ) { o_V n_x = o_y ; return o_z ; } }"),
        (".java", "enum n_E { n_A , n_B }"),
        (".js", "const n_a = o_b ; function n_f ( n_c , ... n_d ) { return o_e . o_f ; }"),
        (".js", "import n_a , { o_b , o_c as n_d } from 'x' ; import * as n_e from 'y'"),
        (".js", "class n_C extends o_B { n_f ( n_a ) { } }"),
        (".ts", "interface n_I < n_T > extends o_J { n_a : o_K ; }"),
        (".ts", "type n_A = o_B < o_C > ; function n_f ( n_a : o_D ) : o_E { return o_g ; }"),
        (".tsx", "const n_a : o_B = o_c ;"),
    ],
)
def test_names_that_are_made_up(suffix: str, source: str) -> None:
    words = source.split(" ")
    assert made_up(suffix, source) == {word for word in words if word.startswith("n_")}


# Inference

CORPUS = b"""
async def f(a): return a.b
async def g(c): return c.d
class H: pass
class I: pass
x = a.b if True else c
y = a.b
"""


def test_a_small_corpus_has_a_known_answer() -> None:
    types = infer(count([(PYTHON, CORPUS)]), rare=1)
    found = {first for first, judged in types.items() if judged.trigger}
    # `(` only opens parameters, `:` is followed by keywords, `else`, `=`, `return` by values.
    assert found == {".", "return", "=", "else", ":", NEWLINE}
    assert types["async"].deterministic == types["if"].deterministic == 1  # step 3a
    assert types["class"].made_up == types["("].made_up == 1  # 3b
    assert (types["."].count, types["."].followed_by) == (4, {NAME: 1.0})


def test_marks_and_line_ends_are_impractical() -> None:
    """Step 3c: ``True :`` in the paper."""
    assert infer({"True": Counter({":": 50, NEWLINE: 40, "if": 10})}, rare=1)["True"] == Type(
        count=100,
        trigger=False,
        kept=0.1,
        deterministic=0.0,
        made_up=0.0,
        impractical=0.9,
        followed_by={":": 0.5, NEWLINE: 0.4, "if": 0.1},
    )


def test_the_bound_is_more_than_95_in_a_hundred() -> None:
    exactly = infer({"a": Counter({"b": 95, "c": 5})}, rare=1)["a"]
    more = infer({"a": Counter({"b": 96, "c": 4})}, rare=1)["a"]
    assert (exactly.deterministic, exactly.kept) == (0, 1)
    assert (more.deterministic, more.trigger) == (0.96, False)


def test_an_open_type_is_never_deterministic() -> None:
    assert infer({".": Counter({NAME: 100})}, rare=1)["."].trigger


def test_what_is_rare_or_closes_or_is_a_name_is_not_judged() -> None:
    bigrams = {each: Counter({NAME: 10}) for each in (")", NAME, STRING, "in")}
    assert set(infer(bigrams, rare=10)) == {"in"}
    assert not infer(bigrams, rare=11)


def test_a_character_opens_the_list_by_all_that_it_is_part_of() -> None:
    bigrams = {
        ".": Counter({NAME: 100}),
        "!": Counter({NAME: 100}),
        "!=": Counter({NAME: 10, STRING: 40}),
        "@": Counter({NAME: 89, "(": 11}),
        "in": Counter({NAME: 100}),
    }
    assert popup_characters(bigrams, infer(bigrams, rare=1)) == ["."]
    del bigrams["!="]
    assert popup_characters(bigrams, infer(bigrams, rare=1)) == ["!", "."]


def test_a_rare_character_opens_no_list() -> None:
    bigrams = {".": Counter({NAME: 100_000}), "~": Counter({NAME: 99})}
    assert popup_characters(bigrams, infer(bigrams, rare=1)) == ["."]


# Packages


def archive(name: str = "lib", *, file: str = "lib-1.tgz") -> Archive:
    return Archive(Package(name, "1", "MIT", "npm", "train", 0), file, ("src/",))


def written(folder: Path, files: dict[str, str]) -> None:
    with tarfile.open(folder / "lib-1.tgz", "w:gz") as opened:
        for name, text in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            opened.addfile(member, io.BytesIO(text.encode()))


CODE = "export function area(shape) {\n  return shape.width * shape.height;\n}\n" * 4


def test_the_archives_are_permissive_and_named_once() -> None:
    archives = load_archives()
    assert max(Counter(each.package.name for each in archives).values()) == 1
    assert max(Counter(each.file for each in archives).values()) == 1
    assert {each.package.source for each in archives} == {"npm", "debian"}


def test_data_is_made_from_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cardinal, "load_archives", lambda: [archive()])
    files = {
        "package/src/a.js": CODE,
        "package/src/copy.js": CODE,
        "package/dist/a.js": CODE + "x.y = 1;",
        "package/src/a.d.ts": CODE,
        "package/src/a.py": CODE,
    }
    written(tmp_path, files)
    values = json.loads(make("javascript", tmp_path, tmp_path / "out").read_text())
    assert values["packages"] == [
        {"name": "lib", "version": "1", "licence": "MIT", "files": 1, "bytes": len(CODE)}
    ]
    assert values["bigrams"] == len(types_of(".js", CODE)) - 1
    with pytest.raises(CorpusError, match="no java files"):
        make("java", tmp_path, tmp_path / "out")


@pytest.mark.parametrize("content", [None, b"", b"no archive"])
def test_a_missing_or_broken_archive_is_one_line(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cardinal, "load_archives", lambda: [archive()])
    if content is not None:
        (tmp_path / "lib-1.tgz").write_bytes(content)
    target = ("--target", str(tmp_path / "out"))
    result = CliRunner().invoke(main, ["--packages", str(tmp_path), *target, "javascript"])
    assert result.exit_code == 1
    assert "`npm pack lib@1`" in result.output
    assert len(result.output.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_missing_corpus_is_one_line(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["--packages", str(tmp_path), "python"])
    assert result.exit_code == 1
    assert "no corpus at" in result.output
    assert len(result.output.splitlines()) == 1


def test_other_licences_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    row = {"name": "lib", "version": "1", "licence": "GPL-3.0-only", "source": "npm"}
    listed = json.dumps([{**row, "file": "lib-1.tgz", "folders": []}])
    (tmp_path / "cardinal_packages.json").write_text(listed)
    monkeypatch.setattr(cardinal.resources, "files", lambda _room: tmp_path)
    with pytest.raises(CorpusError, match="licence"):
        load_archives()
