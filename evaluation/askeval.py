"""``lancefill eval ask``: does a request in plain words find the API that it means?

Three kinds of requests, each about one API whose name and file are known:

- the first sentence of its docstring, with that docstring hidden: the file is cut on disk before
  anything is indexed;
- the same sentence without the words that the API's own name is made of;
- the comment above a call (two resolvers say of what), with the whole statement cut away on disk.

An answer is right when it is defined in the same file under the same qualified name (a comment's
call: under the same name). Arms: ours; BM25 over names and documentation alone; and names alone,
by the cosine of their letter trigrams, which stands in for LANCE's embeddings of API names.
"""

from __future__ import annotations

import ast
import random
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from rich.console import Console

from completion import retrieval
from evaluation import apieval, cuts, report
from evaluation.apieval import Source
from evaluation.cuts import Cut, Place
from evaluation.items import ApiItem, Shape
from evaluation.statistics import ranking, spread
from evaluation.syntax import parsed
from evaluation.workspaces import read_sources, rewritten, rounds
from indexing.apis import FOUND, comment_above, match_query, opened, split
from indexing.build import build
from indexing.index import Index, Snapshot

LIMIT = 20
"""Answers further down do not count."""

PER_FILE = 3
LEAST_WORDS = 4


class Kind(StrEnum):
    """Where the request comes from."""

    DOCSTRING = "docstring hidden"
    MASKED = "its own words masked too"
    COMMENT = "comment above the call"


@dataclass(frozen=True, slots=True)
class Question:
    """A request and the API it means; bytes ``hidden`` of ``path`` are cut before indexing.

    ``defined`` are the files that may hold the API, ``name`` its qualified name, or for a call its
    last name.
    """

    repository: str
    kind: Kind
    request: str
    path: str
    hidden: tuple[int, int]
    defined: tuple[str, ...]
    name: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One answer: the 1-based rank of what was meant, None where it is missing."""

    question: Question
    arm: str
    rank: int | None
    first: str
    ms: float


Answers = list[tuple[str, str]]
"""(path, qualified name), best first."""
Arm = Callable[[Snapshot, str, str], Answers]


def run(sources: Sequence[Source], count: int, seed: int, console: Console) -> list[Asked]:
    """Ask ``count`` questions of each kind of every repository; print tables."""
    asked: list[Asked] = []
    with console.status("starting") as status:
        for source in sources:
            questions = list(_questions(source, count, seed, status.update))
            dealt = rounds(questions, lambda one: Cut(one.path, 0, Place.NAME, "", "", ""))
            for number, one_round in enumerate(dealt, 1):
                status.update(f"{source.title}: round {number} of {len(dealt)}")
                asked += _ask(source, one_round)
    for table in _tables(asked):
        console.print(table)
    console.print(report.machine_line(report.machine()), style="dim", highlight=False)
    return asked


def result(asked: Sequence[Asked], seed: int) -> dict[str, Any]:
    """The figures as plain values."""
    rows = [
        {"kind": kind, "arm": arm, **_figures(chosen)}
        for kind in Kind
        for arm in ARMS
        if (chosen := [one for one in asked if one.question.kind is kind and one.arm == arm])
    ]
    return {"eval": "ask", "seed": seed, "rows": rows}


def _figures(asked: Sequence[Asked]) -> dict[str, Any]:
    ranks = [one.rank for one in asked]
    return {"ranking": asdict(ranking(ranks)), "ms": asdict(spread([one.ms for one in asked]))}


def _tables(asked: Sequence[Asked]) -> Iterator[Any]:
    header = ("", "n", "top 1", "top 5", "MRR", "p50/p95 ms")
    repositories = sorted({one.question.repository for one in asked})
    for kind in Kind:
        mine = [one for one in asked if one.question.kind is kind]
        rows = [_row(arm, [one for one in mine if one.arm == arm]) for arm in ARMS]
        own = [one for one in mine if one.arm == OURS]
        rows += [
            _row(f"  {name}", [one for one in own if one.question.repository == name])
            for name in repositories
        ]
        yield report.table(kind, header, [row for row in rows if row[1] != "0"])


def _row(name: str, asked: Sequence[Asked]) -> list[str]:
    ranks, ms = ranking([one.rank for one in asked]), spread([one.ms for one in asked])
    figures = (str(ranks.top1), str(ranks.top5), str(ranks.mrr))
    return [name, str(len(asked)), *figures, f"{ms.p50:.0f}/{ms.p95:.0f}"]


def _ask(source: Source, questions: Sequence[Question]) -> Iterator[Asked]:
    hidden = {one.path: one.hidden for one in questions}
    with rewritten(source.root, lambda path, data: _without(data, hidden.get(path))) as workspace:
        build(workspace.root, workspace.cache)
        snapshot = Index.open(workspace.root, workspace.cache).snapshot()
        for question in questions:
            for name, arm in ARMS.items():
                start = time.perf_counter()
                near = question.path if question.kind is Kind.COMMENT else ""
                answers = arm(snapshot, question.request, near)
                ms = 1000 * (time.perf_counter() - start)
                yield Asked(question, name, _rank(question, answers), _first(answers), ms)


def _without(data: bytes, span: tuple[int, int] | None) -> bytes:
    return data if span is None else data[: span[0]] + data[span[1] :]


def _rank(question: Question, answers: Answers) -> int | None:
    for place, (path, name) in enumerate(answers[:LIMIT], 1):
        last = name.rpartition(".")[2]
        same = question.name in (name, last if question.kind is Kind.COMMENT else name)
        if path in question.defined and same:
            return place
    return None


def _first(answers: Answers) -> str:
    return answers[0][1] if answers else ""


# Questions


def _questions(source: Source, count: int, seed: int, told: apieval.Told) -> Iterator[Question]:
    yield from _documented(source, count, seed)
    counts = {Shape.MEMBER: count, Shape.BARE: count}
    items = apieval.labelled(source, counts, seed, told, commented=True)
    files = read_sources(source.root)
    yield from (_commented(item, files[item.path]) for item in items[:count])


def _documented(source: Source, count: int, seed: int) -> Iterator[Question]:
    """Docstring sentences of public APIs outside of tests, plain and masked."""
    files = read_sources(source.root)
    paths = sorted(path for path in files if "test" not in path)
    drawn = random.Random(seed)
    drawn.shuffle(paths)
    left = count
    for path in paths:
        found = list(documented(source.title, path, files[path]))
        drawn.shuffle(found)
        for question in found[: min(left, PER_FILE)]:
            yield question
            left -= 1
            masked = mask(question.request, question.name)
            if len(masked.split()) >= LEAST_WORDS - 1:
                yield Question(
                    question.repository, Kind.MASKED, masked, path, question.hidden,
                    question.defined, question.name,
                )  # fmt: skip


def documented(repository: str, path: str, data: bytes) -> Iterator[Question]:
    """The questions that a file's docstrings make."""
    source = parsed(data)
    if source is None:
        return
    for name, node in _public(source.tree, ""):
        text = ast.get_docstring(node)
        sentence = _sentence(text or "")
        if len(sentence.split()) < LEAST_WORDS or len(node.body) < 2:
            continue
        hidden = source.span(node.body[0])
        yield Question(repository, Kind.DOCSTRING, sentence, path, hidden, (path,), name)


Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _public(node: ast.AST, container: str) -> Iterator[tuple[str, Documented]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Documented) and not child.name.startswith("_"):
            name = f"{container}.{child.name}".lstrip(".")
            yield name, child
            if isinstance(child, ast.ClassDef):
                yield from _public(child, name)


def _sentence(doc: str) -> str:
    paragraph = doc.strip().partition("\n\n")[0]
    text = " ".join(paragraph.split())
    end = re.search(r"[.!?](?:\s|$)", text)
    return text[: end.start()] if end else text


def mask(sentence: str, name: str) -> str:
    """The sentence without the words that share a stem with those of the name."""
    own = {word[:4] for word in split(name).split()}
    kept = (word for word in sentence.split() if not {w[:4] for w in split(word).split()} & own)
    return " ".join(kept)


def _commented(item: ApiItem, data: bytes) -> Question:
    """The comment above a call, with the lines of its statement gone."""
    site = next(each for each in cuts.sites(data) if each.name[0] == item.offset)
    assert site.statement is not None, "only calls in simple statements are labelled"
    line = cuts.line_start(data, site.statement)
    end = cuts.line_end(data, cuts.statement_end(data, site.statement))
    return Question(
        item.repository, Kind.COMMENT, comment_above(data, line), item.path, (line, end),
        item.defined, item.name,
    )  # fmt: skip


# Arms


def _ours(snapshot: Snapshot, request: str, near: str) -> Answers:
    with closing(retrieval.Retriever(snapshot)) as retriever:
        hits = retriever.search(request, LIMIT, near)
    return [(hit.path, hit.definition.qualname) for hit in hits]


def _bm25(snapshot: Snapshot, request: str, _near: str) -> Answers:
    """FTS5 as it comes, over all columns alike."""
    with closing(opened(snapshot.apis_file)) as tables:
        tables.refresh(snapshot.files_by_id, snapshot.read_by_id)
        found = tables.search(match_query(split(request).split()), LIMIT, (1.0, 1.0, 1.0, 1.0))
    names = []
    for each in found:
        path = snapshot.files_by_id[each.file]
        symbols = snapshot.symbols(path)
        assert symbols is not None
        names.append((path, symbols.definitions[each.ordinal].qualname))
    return names


def _names(snapshot: Snapshot, request: str, _near: str) -> Answers:
    """Names alone: the cosine of the request's and the name's letter trigrams."""
    wanted = retrieval.letters(request)
    scored = []
    for path in sorted(snapshot.paths):
        symbols = snapshot.symbols(path)
        for definition in symbols.definitions if symbols else ():
            if definition.kind in FOUND:
                score = retrieval.cosine(wanted, retrieval.letters(definition.name))
                scored.append((-score, path, definition.qualname))
    return [(path, name) for _, path, name in sorted(scored)[:LIMIT]]


OURS = "lancefill"
ARMS: Mapping[str, Arm] = {OURS: _ours, "BM25": _bm25, "names alone": _names}
