"""``lancefill eval samples``: popups with the features of their candidates, to fit the ranker to.

The popups are those of APIEval's items, of calls of what the same file defines, and of names and
attributes that are read, which people complete as often as calls; the index is built from the cut
text as there. Written as one ``.npz``: ``matrix``
(candidates of all lists, features), ``features`` (their names), and by list ``sizes``, ``right``
(place of the true name, -1: missing), ``repository``, ``place``, ``kind``, ``typed``, ``scored``.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from completion.candidates import gather, with_library
from completion.context import Place
from completion.engine import SCORED_NAMES, needs_library, predicted, view_of
from completion.features import Facts, facts, matrix, over_unseen, shortlist
from completion.languages import language_for
from completion.prompting import prompt
from completion.ranking import NAMES, rank
from completion.request import Reason, Request
from evaluation import apieval, cuts, headless
from evaluation.apieval import Source
from evaluation.arms import letters, typed_text
from evaluation.items import ApiItem, Shape, Stratum
from evaluation.labels import definitions
from evaluation.workspaces import Workspace, cut_copy, read_sources, rounds
from lsp_server.settings import Settings

READ, OWN = "read", "own"
"""Items that are not APIEval's, marked so in place of a receiver; see `training.ranker.List`."""
PER_FILE = 3
"""At most this many reads, and this many calls of a file's own APIs, come from one file."""

PATIENT_MS = 5_000.0


@dataclass(frozen=True, slots=True)
class List:
    """One popup with its features; see `training.ranker.List`."""

    repository: str
    place: str
    kind: str
    typed: int
    scored: bool
    matrix: NDArray[np.float32]
    right: int


def run(
    sources: Sequence[Source],
    counts: Mapping[Shape, int],
    seed: int,
    reads: int,
    own: int,
    out: Path,
    console: Console,
    *,
    model: bool,
) -> None:
    """Collect the lists of all repositories and write them."""
    found: list[List] = []
    with console.status("starting") as status:
        for source in sources:
            items = [
                *apieval.labelled(source, dict(counts), seed, status.update),
                *read_items(source, seed, reads),
                *own_items(source, seed, own),
            ]
            for number, one_round in enumerate(rounds(items, lambda item: item.cut), 1):
                status.update(f"{source.title}: round {number}")
                with cut_copy(source.root, [item.cut for item in one_round]) as workspace:
                    found += asyncio.run(_round(workspace, one_round, model=model))
    write(out, found)
    right = sum(each.right >= 0 for each in found)
    console.print(f"{len(found):,} lists, {right:,} of them with the right name, are in {out}")


def write(out: Path, lists: Sequence[List]) -> None:
    """Write lists as one file."""
    np.savez_compressed(
        out,
        features=np.array(NAMES),
        matrix=np.concatenate([each.matrix for each in lists]),
        sizes=np.array([len(each.matrix) for each in lists]),
        right=np.array([each.right for each in lists]),
        repository=np.array([each.repository for each in lists]),
        place=np.array([each.place for each in lists]),
        kind=np.array([each.kind for each in lists]),
        typed=np.array([each.typed for each in lists]),
        scored=np.array([each.scored for each in lists]),
    )


def read_items(source: Source, seed: int, count: int) -> Iterator[ApiItem]:
    """Up to ``count`` attributes and as many names that are read, in an order drawn by ``seed``."""
    yield from _drawn(source, seed, count, cuts.reads, Shape.MEMBER, READ)
    yield from _drawn(source, seed, count, cuts.names, Shape.BARE, READ)


def own_items(source: Source, seed: int, count: int) -> Iterator[ApiItem]:
    """Calls of what only their own file defines: up to ``count`` after dots and at bare names."""
    files = read_sources(source.root)
    defined = definitions(files)
    own = {name: next(iter(paths)) for name, paths in defined.items() if len(paths) == 1}
    path_of = {id(data): path for path, data in files.items()}

    def called(data: bytes, shape: Shape) -> Iterator[cuts.Span]:
        for site in cuts.sites(data):
            bare = site.receiver is None
            name = data[slice(*site.name)].decode()
            if bare == (shape is Shape.BARE) and own.get(name) == path_of[id(data)]:
                yield site.name

    for shape in Shape:
        yield from _drawn(source, seed, count, partial(called, shape=shape), shape, OWN, files)


def _drawn(
    source: Source,
    seed: int,
    count: int,
    spans: Callable[[bytes], Iterable[cuts.Span]],
    shape: Shape,
    mark: str,
    files: Mapping[str, bytes] | None = None,
) -> Iterator[ApiItem]:
    files = read_sources(source.root) if files is None else files
    drawn = random.Random(seed)
    paths = sorted(files)
    drawn.shuffle(paths)
    for path in paths:
        data = files[path]
        found = [span for span in spans(data) if data[slice(*span)].isascii()]
        drawn.shuffle(found)
        for span in found[: min(count, PER_FILE)]:
            yield _as_item(source, path, data, span, shape, mark)
            count -= 1


def _as_item(
    source: Source, path: str, data: bytes, span: cuts.Span, shape: Shape, mark: str
) -> ApiItem:
    rest = data[span[0] : cuts.line_end(data, span[0])].decode("utf-8", "replace")
    return ApiItem(
        repository=source.title, language="python", path=path, offset=span[0],
        name=data[slice(*span)].decode("ascii"), shape=shape, receiver=mark,
        stratum=Stratum.OTHER, imported=False, defined=(), resolvers=(), rest=rest,
    )  # fmt: skip


async def _round(workspace: Workspace, items: Sequence[ApiItem], *, model: bool) -> list[List]:
    found: list[List] = []
    settings = Settings(ghost_text=model)
    async with headless.opened(workspace.root, cache=workspace.cache, settings=settings) as running:
        for item in items:
            data = (workspace.root / item.path).read_bytes()
            for typed in letters(item):
                found += [each async for each in _lists(running, item, data, typed, model=model)]
            running.index.forget(item.path)
    return found


async def _lists(
    running: headless.Headless, item: ApiItem, data: bytes, typed: int, *, model: bool
) -> AsyncIterator[List]:
    """The popup as a list, and where the model is asked the same with its scores."""
    text, offset = typed_text(item, data, typed)
    running.index.update(item.path, text)
    request, snapshot = Request(item.path, text, offset), running.index.snapshot()
    context = language_for(item.path).read(text, offset, snapshot.tree(item.path))
    view = view_of(request, context, snapshot)
    found = gather(context, item.path, snapshot, partial(predicted, view, context))
    if needs_library(request, context, found):
        answer = await running.helpers.library(request, context, PATIENT_MS)
        found = with_library(found, answer.items, context)
    known = facts(request, context, found, snapshot, view)
    found = shortlist(found, known)
    names = [each.name for each in found.items]

    def listed(known: Facts, *, scored: bool) -> List:
        kind = "bare" if item.shape is Shape.BARE else "call"
        return List(
            repository=item.repository,
            place="member" if context.place is Place.MEMBER else "name",
            kind=item.receiver if item.receiver in (READ, OWN) else kind,
            typed=typed,
            scored=scored,
            matrix=matrix(found, known).astype(np.float32),
            right=names.index(item.name) if item.name in names else -1,
        )

    yield listed(known, scored=False)
    if model and names:
        best = [each.candidate.name for each in rank(found, known, SCORED_NAMES)]
        asked = prompt(request, context, snapshot, typed="")
        scores = await running.helpers.scores(request, asked, best, PATIENT_MS)
        if not isinstance(scores, Reason):
            pairs = zip(best, scores, strict=True)
            opinion = {name: over_unseen(score) for name, score in pairs}
            yield listed(replace(known, model=opinion), scored=True)
