"""``lancefill eval members --why``: how often a receiver's members are known, and why not.

No model is asked. At each dot (drawn as for ``eval members``) the open buffer holds the file with
the rest of the line cut away, over an index of the whole repository; the members are asked for
three times: a request leaves to a thread what it has no time to read, so the last one says what is
known in a file that is worked in, and what a warm request costs.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from completion import engine, standard_library, stores
from completion.annotations import Role, Scope, Type
from completion.candidates import scope_at
from completion.context import Context, Place
from completion.dataflow import infer
from completion.languages import language_for
from completion.membership import known_members
from completion.request import Request
from evaluation import report
from evaluation.apieval import Source
from evaluation.cuts import Cut
from evaluation.dependencies import READING_S, Packages, nothing_installed
from evaluation.items import Variant, cut_text
from evaluation.members import sample
from evaluation.statistics import rate, spread
from evaluation.workspaces import read_sources
from indexing.build import build
from indexing.index import Index, Snapshot

KNOWN = "known"


@dataclass(frozen=True, slots=True)
class Receiver:
    """What stands before one dot. ``cause`` says why its members are not known, or `KNOWN`.

    ``source`` is its text, ``first_ms`` and ``ms`` what working out its members took at first and
    when asked again.
    """

    repository: str
    cut: Cut
    source: str
    known: bool
    ruled_out: bool
    cause: str
    first_ms: float
    ms: float


def run(
    sources: Sequence[Source],
    console: Console,
    count: int,
    seed: int,
    packages: Packages = nothing_installed,
) -> tuple[dict[str, Any], list[Receiver]]:
    """Look at ``count`` dots of each repository; print, and return figures and items.

    ``packages`` gives the folders of a repository's installed packages.
    """
    found: list[Receiver] = []
    with report.progress(console) as progress:
        task = progress.add_task("looking", total=len(sources))
        for source in sources:
            found += look(source, count, seed, packages(source.root))
            progress.advance(task)
    console.print(_shares(found))
    console.print(_causes(found))
    return result(found, seed) | {"machine": report.machine()}, found


def look(source: Source, count: int, seed: int, packages: tuple[Path, ...] = ()) -> list[Receiver]:
    """Look at ``count`` dots of one repository."""
    files = read_sources(source.root)
    with tempfile.TemporaryDirectory(prefix="lancefill-") as cache:
        build(source.root, Path(cache))
        index = Index.open(source.root, Path(cache))
        index.use_packages(packages)
        return [_look(index, source.title, cut, files) for cut in sample(files, count, seed)]


def _look(index: Index, title: str, cut: Cut, files: Mapping[str, bytes]) -> Receiver:
    data = cut_text(files[cut.path], cut.offset, Variant.BELOW)
    index.update(cut.path, data)
    snapshot = index.snapshot()
    engine.prepare(cut.path, data, snapshot)
    stores.wait(snapshot, READING_S)
    if snapshot.packages is not None:
        snapshot.packages.wait(READING_S)
    request = Request(cut.path, data, cut.offset, automatic=True)
    context = language_for(cut.path).read(data, cut.offset, snapshot.tree(cut.path))
    took, here = [], None
    for _ in range(3):
        started = time.perf_counter()
        here = known_members(request, context, snapshot).here
        took.append(1000 * (time.perf_counter() - started))
        standard_library.wait(READING_S)
        stores.wait(snapshot, READING_S)
        if snapshot.packages is not None:
            snapshot.packages.wait(READING_S)
    cause = KNOWN if here is not None else why(request, context, snapshot)
    index.forget(cut.path)
    return Receiver(
        title,
        cut,
        context.receiver,
        here is not None,
        here is not None and cut.name not in here,
        cause,
        took[0],
        took[-1],
    )


def why(request: Request, context: Context, snapshot: Snapshot) -> str:
    """What is in the way of knowing all members of the receiver at the cursor."""
    if context.place is not Place.MEMBER:
        return f"no dot behind a value: {context.place}"
    if not context.receiver:
        return "no receiver was read"
    scope = scope_at(context, request.path, snapshot.wide)
    type_ = infer(context.receiver, scope)
    return _not_inferred(context.receiver, scope) if type_ is None else _not_listed(type_)


def _not_inferred(source: str, scope: Scope) -> str:
    """Why nobody knows what the expression is: its first part that is not known."""
    for end in (match.start() for match in re.finditer(r"[.(\[]|\Z", source)):
        if end and infer(source[:end], scope) is None and source[:end].count("(") == 0:
            return _unknown_name(source[:end], scope)
    return "what a call gives is not known"


def _unknown_name(source: str, scope: Scope) -> str:
    if "." in source:
        owner = infer(source.rpartition(".")[0], scope)
        place = "nothing" if owner is None else "the repository's" if owner.local else "a library's"
        return f"an attribute of {place} {'' if owner is None else owner.role}"
    bound = scope.bindings.get(source)
    if not bound:
        return "a name that is bound nowhere"
    last = bound[-1]
    return f"a name {last.how}{', annotated' if last.annotation else ''}"


def _not_listed(type_: Type) -> str:
    if type_.among:
        return "one of several"
    place = "the repository" if type_.local else type_.target.module.partition(".")[0]
    if type_.role is Role.FUNCTION:
        return f"a function of {place}"
    return f"{type_.role} of {place}"


def result(found: Sequence[Receiver], seed: int) -> dict[str, Any]:
    """Return the figures of a run as plain values, of each repository and of all."""
    titles = sorted({one.repository for one in found})
    each = {title: _figures([one for one in found if one.repository == title]) for title in titles}
    return {"eval": "members", "seed": seed, "all": _figures(found), "repositories": each}


def _figures(found: Sequence[Receiver]) -> dict[str, Any]:
    known = [one for one in found if one.known]
    return {
        "known": asdict(rate(len(known), len(found))),
        "true_name_ruled_out": asdict(rate(sum(one.ruled_out for one in known), len(known))),
        "first_ms": asdict(spread([one.first_ms for one in found])),
        "known_ms": asdict(spread([one.ms for one in found])),
        "causes": dict(Counter(one.cause for one in found).most_common()),
    }


def _shares(found: Sequence[Receiver]) -> Table:
    header = ("", "n", "known", "ruled out", "first p50/p95 ms", "warm p50/p95 ms")
    rows = []
    for title in (*sorted({one.repository for one in found}), ""):
        some = [one for one in found if title in ("", one.repository)]
        known = [one for one in some if one.known]
        times = [spread([one.first_ms for one in some]), spread([one.ms for one in some])]
        rows.append(
            [
                title or "all",
                str(len(some)),
                str(rate(len(known), len(some))),
                str(rate(sum(one.ruled_out for one in known), len(known))),
                *(f"{ms.p50:.1f}/{ms.p95:.1f}" for ms in times),
            ]
        )
    return report.table("Receivers whose members are known", header, rows)


def _causes(found: Sequence[Receiver]) -> Table:
    counted = Counter(one.cause for one in found if not one.known).most_common()
    rows = [[cause, str(number), f"{number / len(found):.1%}"] for cause, number in counted]
    return report.table("Why the others are not", ("cause", "n", "of dots"), rows)
