"""Infer cardinal points as CodeFill does (section 3.5 of the paper), for any language.

    python -m training.cardinal --packages FOLDER [LANGUAGE ...]

1. Keywords, punctuation and the start of a line are what can stand before a completion; a closing
   bracket is not: what follows it is typed on, not completed.
2. Bigrams of lexeme types are counted over a corpus (``bigrams.py``).
3. Pairs are dropped (a) whose second element is one spelling and follows in more than 95 % of all
   cases (``async def``), (b) that lead to a name being made up (``class NAME``), and (c) that are
   impractical: what follows is the end of the line or a mark, which is typed faster than chosen.
4. The first elements of which enough is left are the triggers. The paper keeps a first element as
   long as any pair is left; on a large corpus some pair always is, so a share is asked for.

A character opens a list of names by itself only where a name follows almost surely
(`POPUP_SHARE`): a list that nobody asked for takes the next Enter or Tab away. It must be a common
one too (`POPUP_FREQUENCY`): editors know one list of such characters for all languages.
"""

from __future__ import annotations

import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import click

from indexing.languages import Language, languages
from training.bigrams import FRESH, NAME, NEWLINE, OPEN, Bigrams, count
from training.corpus import CorpusError, Package, read, reason_to_skip

DETERMINISTIC = 0.95
"""The paper's bound: what follows more often than this needs no completion."""
KEPT_SHARE = 0.15
"""A trigger is followed by what can be completed at least this often. In no language does a type
lie near it: the nearest are at 0.13 (``>`` in Java) and 0.16 (``--`` in TypeScript)."""
POPUP_SHARE = 0.9
"""A character opens the list where a name follows it at least this often."""
POPUP_FREQUENCY = 0.001
"""... and is at least this share of all lexemes."""
RARE = 50
"""What was seen less often is not judged."""
SHOWN_SHARE = 0.01
"""Successors that are rarer are not written down."""

_CLOSING = frozenset(")]}")

TARGET = Path(str(resources.files("completion.languages"))) / "cardinal"
COUNTED = {"python": (), "java": ("java",), "javascript": ("javascript",)}
COUNTED["typescript"] = ("typescript", "tsx")
"""The data's language -> the languages whose files are counted for it."""


@dataclass(frozen=True, slots=True)
class Type:
    """What became of a first element's pairs, as shares of its ``count``.

    ``followed_by`` are its most frequent successors with their probabilities.
    """

    count: int
    trigger: bool
    kept: float
    deterministic: float
    made_up: float
    impractical: float
    followed_by: dict[str, float]


@dataclass(frozen=True, slots=True)
class Archive:
    """A source archive named in ``cardinal_packages.json``; ``folders`` are what is read of it."""

    package: Package
    file: str
    folders: tuple[str, ...]


def infer(bigrams: Bigrams, rare: int = RARE) -> dict[str, Type]:
    """Judge every keyword, mark and line start that is not rare; the most frequent first."""
    found = {
        first: _judged(seconds)
        for first, seconds in bigrams.items()
        if first not in OPEN and first not in _CLOSING and seconds.total() >= rare
    }
    return dict(sorted(found.items(), key=lambda pair: (-pair[1].count, pair[0])))


def popup_characters(bigrams: Bigrams, types: dict[str, Type]) -> list[str]:
    """The characters behind which a name follows almost surely, whatever mark they are part of.

    While ``!=`` is typed, what follows ``!`` is no name: every occurrence of the character counts.
    """
    least = POPUP_FREQUENCY * sum(seconds.total() for seconds in bigrams.values())
    typed: Counter[str] = Counter()
    named: Counter[str] = Counter()
    for first, seconds in bigrams.items():
        if first in OPEN or first == NEWLINE or re.search(r"\w", first):
            continue
        for character in first:
            typed[character] += seconds.total()
        named[first[-1]] += seconds[NAME]
    ends = {first[-1] for first, judged in types.items() if judged.trigger and first != NEWLINE}
    return sorted(
        each
        for each, times in typed.items()
        if each in ends and times >= least and named[each] >= POPUP_SHARE * times
    )


def _judged(seconds: Counter[str]) -> Type:
    total = seconds.total()
    fates: Counter[str] = Counter()
    for second, times in seconds.items():
        fates[_fate(second, times / total)] += times
    share = {fate: round(times / total, 4) for fate, times in fates.items()}
    kept = share.get("kept", 0.0)
    return Type(
        count=total,
        trigger=kept >= KEPT_SHARE,
        kept=kept,
        deterministic=share.get("deterministic", 0.0),
        made_up=share.get("made up", 0.0),
        impractical=share.get("impractical", 0.0),
        followed_by={
            second: round(times / total, 4)
            for second, times in seconds.most_common()
            if times >= SHOWN_SHARE * total
        },
    )


def _fate(second: str, probability: float) -> str:
    if second not in OPEN and probability > DETERMINISTIC:
        return "deterministic"
    if second == FRESH:
        return "made up"
    if second == NEWLINE or (second not in OPEN and not re.search(r"\w", second)):
        return "impractical"
    return "kept"


def load_archives() -> list[Archive]:
    """The archives named in ``cardinal_packages.json``. Raises CorpusError for other licences."""
    rows = json.loads(resources.files("training").joinpath("cardinal_packages.json").read_text())
    return [
        Archive(
            Package(row["name"], row["version"], row["licence"], row["source"], "train", cap_mb=0),
            row["file"],
            tuple(row["folders"]),
        )
        for row in rows
    ]


def sources_of(archive: Archive, folder: Path) -> Iterator[tuple[Language, bytes]]:
    """The kept files of an archive in ``folder``. Raises CorpusError where it cannot be read."""
    path = folder / archive.file
    try:
        with tarfile.open(path) as opened:
            for member in opened:
                language = languages().get(Path(member.name).suffix)
                if language is None or not member.isfile() or not _wanted(member.name, archive):
                    continue
                file = opened.extractfile(member)
                data = file.read() if file else b""
                if reason_to_skip(member.name.partition("/")[2], data) is None:
                    yield language, data
    except (OSError, tarfile.TarError, EOFError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no whole tar archive"
        raise CorpusError(f"{path} cannot be read ({why}); {_how(archive.package)}") from error


def _wanted(name: str, archive: Archive) -> bool:
    inside = name.partition("/")[2]
    return not name.endswith(".d.ts") and inside.startswith(archive.folders)


def _how(package: Package) -> str:
    pinned = {"npm": f"npm pack {package.name}@{package.version}"}
    pinned["debian"] = f"apt-get source --download-only {package.name}={package.version}"
    return f"fetch it there with `{pinned[package.source]}`"


def python_sources(corpus: Path) -> tuple[list[tuple[Language, bytes]], list[dict[str, Any]]]:
    """The training split of a corpus that ``training.corpus`` built, and its packages."""
    files = read(corpus / "train.jsonl")
    manifest = json.loads((corpus / "manifest.json").read_text("utf-8"))
    python = languages()[".py"]
    rows = [
        {name: row[name] for name in ("name", "version", "licence", "files", "bytes")}
        for row in manifest["packages"]
        if row["split"] == "train"
    ]
    return [(python, file.text.encode()) for file in files], rows


def archive_sources(
    counted: Iterable[str], folder: Path
) -> tuple[list[tuple[Language, bytes]], list[dict[str, Any]]]:
    """The files in the languages ``counted``, each text once, and the packages they are of."""
    files: dict[bytes, Language] = {}
    rows = []
    for archive in load_archives():
        own = {
            data: language
            for language, data in sources_of(archive, folder)
            if language.name in counted and data not in files
        }
        if own:
            package = archive.package
            facts = {"name": package.name, "version": package.version, "licence": package.licence}
            rows.append({**facts, "files": len(own), "bytes": sum(map(len, own))})
        files |= own
    return [(language, data) for data, language in files.items()], rows


def make(language: str, packages: Path, target: Path = TARGET) -> Path:
    """Infer a language's cardinal points and write them; return the file. Raises CorpusError."""
    if language == "python":
        sources, rows = python_sources(packages)
    else:
        sources, rows = archive_sources(COUNTED[language], packages)
    if not sources:
        raise CorpusError(f"no {language} files in the packages for it")
    bigrams = count(sources)
    types = infer(bigrams)
    values = {
        "language": language,
        "made_by": "python -m training.cardinal",
        "bounds": {
            "deterministic": DETERMINISTIC,
            "kept": KEPT_SHARE,
            "popup": POPUP_SHARE,
            "popup_frequency": POPUP_FREQUENCY,
            "rare": RARE,
        },
        "packages": rows,
        "bigrams": sum(seconds.total() for seconds in bigrams.values()),
        "popup": popup_characters(bigrams, types),
        "types": {first: asdict(judged) for first, judged in types.items()},
    }
    target.mkdir(parents=True, exist_ok=True)
    file = target / f"{language}.json"
    file.write_text(_written(values), "utf-8")
    return file


def _written(values: dict[str, Any]) -> str:
    """JSON with one line for each package and type, so that changes can be read."""
    parts = []
    for name, value in values.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            rows = ",\n".join(f"  {json.dumps(row)}" for row in value)
            parts.append(f' "{name}": [\n{rows}\n ]')
        elif name == "types":
            rows = ",\n".join(
                f"  {json.dumps(each)}: {json.dumps(row)}" for each, row in value.items()
            )
            parts.append(f' "{name}": {{\n{rows}\n }}')
        else:
            parts.append(f' "{name}": {json.dumps(value)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


@click.command()
@click.argument("chosen", metavar="[LANGUAGE]...", nargs=-1, type=click.Choice(tuple(COUNTED)))
@click.option(
    "--packages",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    required=True,
    help="Python: a corpus that `lancefill train` built. Others: where the archives named in "
    "training/cardinal_packages.json lie.",
)
@click.option("--target", type=click.Path(file_okay=False, path_type=Path), default=TARGET)
def main(chosen: tuple[str, ...], packages: Path, target: Path) -> None:
    """Infer the cardinal points of each LANGUAGE from source packages and write them down."""
    for language in chosen:
        try:
            file = make(language, packages, target)
        except (CorpusError, OSError) as error:
            raise click.ClickException(str(error)) from error
        types = json.loads(file.read_text("utf-8"))["types"]
        click.echo(f"{file}: {' '.join(each for each, row in types.items() if row['trigger'])}")


if __name__ == "__main__":
    main()
