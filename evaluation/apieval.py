"""``lancefill eval apieval``: are the repository's own APIs ranked first where they are called?

The main path of the evaluation. Each item (``items.py``) is a call of an API that another file of
the repository defines (``labels.py``). The rest of its line is cut away, on disk and in the editor,
before anything is indexed (``workspaces.py``), and every arm (``arms.py``) is asked for its popup
after the dot and while the name is typed. An empty popup, a popup without the name among its first
50, and a popup that came late are misses. Ranks and milliseconds come from the same requests.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation import compiled, peers
from evaluation.arms import Answer, Arm
from evaluation.items import ApiItem, Shape, Variant, read, write
from evaluation.labels import Fits, any_site, api_items, under_comment
from evaluation.resolvers import Jedi, resolving
from evaluation.workspaces import Workspace, cut_copy, read_sources, rounds
from indexing.cache import cache_root
from indexing.files import discover

PYTHON = "python"
LABELLER = "basedpyright"
"""The language server whose opinion must agree with jedi's."""

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Source:
    """A repository to draw items from: what it is called, its folder, and the items' language.

    ``pinned``: the title says exactly which files the folder holds.
    """

    title: str
    root: Path
    language: str = PYTHON
    pinned: bool = True

    def key(self) -> str:
        """A word for this repository as it is now."""
        name = self.title.replace(" ", "-")
        if self.pinned:
            return name
        status = ((each.path, each.mtime_ns, each.size) for each in discover(self.root))
        return f"{name}-{hashlib.sha256(repr(list(status)).encode()).hexdigest()[:12]}"


@dataclass(frozen=True, slots=True)
class Asked:
    """One popup of one arm: the true name's 1-based ``rank`` (None: a miss), how many names were
    ``offered``, the ``first`` of them, and the milliseconds."""

    item: ApiItem
    arm: str
    variant: Variant
    typed: int
    rank: int | None
    offered: int
    first: str
    ms: float


def labelled(
    source: Source,
    counts: dict[Shape, int],
    seed: int,
    told: Told = lambda _: None,
    *,
    commented: bool = False,
) -> list[ApiItem]:
    """The repository's items, remembered in the user's cache folder by all that decides them.

    ``commented``: only calls directly under a comment, in Python.
    Raises peers.PeersError where who labels cannot be had: a language server beside jedi for
    Python, for the other languages their compiler.
    """
    sizes = "-".join(f"{shape}{number}" for shape, number in sorted(counts.items()))
    python = source.language == PYTHON
    versions = LABELLER + peers.pinned()[LABELLER] if python else compiled.version(source.language)
    kind = "commented-" if commented else ""
    name = f"{source.key()}-{kind}{sizes}-seed{seed}-{versions}.jsonl"
    file = cache_root() / "items" / name
    if not file.exists():
        if python:
            folder = peers.environment(told)
            fits = under_comment if commented else any_site
            found = asyncio.run(_label(source, counts, seed, folder, told, fits))
        else:
            told(f"{source.title}: the compiler reads it")
            found = compiled.items(source.title, source.language, source.root, counts, seed)
        write(file, found)
    return read(file)


async def _label(
    source: Source, counts: dict[Shape, int], seed: int, folder: Path, told: Told, fits: Fits
) -> list[ApiItem]:
    files = read_sources(source.root)
    command = peers.PEERS[LABELLER].command(folder)
    found: list[ApiItem] = []
    async with resolving(LABELLER, command, source.root, files) as server:
        resolvers = (server, Jedi(source.root, files))
        async for item in api_items(source.title, files, resolvers, counts, seed, fits):
            found.append(item)
            told(f"{source.title}: {len(found)} calls labelled")
    return found


def ask(
    root: Path,
    items: Sequence[ApiItem],
    arms: Sequence[Arm],
    variants: Sequence[Variant],
    told: Told = lambda _: None,
) -> Iterator[Asked]:
    """Every arm's answers to the items of one repository at ``root``."""
    for variant in variants:
        dealt = rounds(items, lambda item: item.cut)
        for number, one_round in enumerate(dealt, 1):
            cuts = [item.cut for item in one_round]
            for arm in arms:
                told(f"{root.name}: {arm.name}, {variant}, round {number} of {len(dealt)}")
                with cut_copy(root, cuts, variant) as workspace:
                    yield from asyncio.run(_ask_round(workspace, one_round, arm, variant))


async def _ask_round(
    workspace: Workspace, items: Sequence[ApiItem], arm: Arm, variant: Variant
) -> list[Asked]:
    asked: list[Asked] = []
    async with arm.opened(workspace) as opened:
        for item in items:
            data = (workspace.root / item.path).read_bytes()
            answers = await opened.ask(item, data)
            asked += [judged(item, arm, variant, answer) for answer in answers]
    return asked


def judged(item: ApiItem, arm: Arm, variant: Variant, answer: Answer) -> Asked:
    """What an answer is worth: a late one nothing, whatever it holds."""
    names = answer.names
    found = answer.ms <= arm.late_ms and item.name in names
    return Asked(
        item=item,
        arm=arm.name,
        variant=variant,
        typed=answer.typed,
        rank=names.index(item.name) + 1 if found else None,
        offered=len(names),
        first=names[0] if names else "",
        ms=answer.ms,
    )
