"""``lancefill eval crosscodeeval``: the rest of the statement after a dot, on an outside set.

CrossCodeEval (Ding et al., NeurIPS 2023), its Python file with cross-file context: statements of
real repositories that need something from another file, cut at a dot. Each item is a workspace:
its file with the true rest of the line gone, and, in the second arm, the chunks of other files
that the set's authors retrieved for the prompt, as files of those names. Chunks of one file are
joined in the order of the set. They begin and end anywhere, so they may be broken syntax; they are
what the repository is for us, which is less than a real checkout.

The popup of the real server is asked for right after the dot, and the ghost text as ``eval ghost``
asks for it, but patiently and without the confidence threshold, since published figures know
neither. The decoder still ends the text before a guess, as it does in an editor; asked for *whole*
statements the model goes on through guesses to the end of the statement, unfiltered, as the
published figures were made.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
import re
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from rich.console import Console
from rich.table import Table

from completion import engine
from completion.languages import language_for
from completion.prompting import prompt
from completion.request import Request
from evaluation import freely, headless, report
from evaluation.answers import after_cursor, name_right
from evaluation.apieval import Asked, judged
from evaluation.arms import LANCEFILL, Arm
from evaluation.items import ApiItem, ItemsError, Shape, Stratum, Variant
from evaluation.statements import NAME, identifiers, identifiers_f1, lines, similarity
from evaluation.statistics import Mean, Rate, mean, rate
from evaluation.tables import HEADER, figures, row
from evaluation.workspaces import Workspace
from lsp_server.settings import Settings

ALONE, CHUNKS = "file alone", "with the chunks"
STANDS = "  name stands there"
GHOST_HEADER = ("", "n", "line", "identifiers", "F1", "similarity", "next name", "written", "shown")

PUBLISHED = {
    "CodeGen-350M": ((2.81, 8.22), (9.19, 16.89), (13.02, 20.53)),
    "SantaCoder-1.1B": ((3.79, 10.43), (12.35, 22.10), (20.64, 29.83)),
    "StarCoder-15.5B": ((8.71, 16.02), (26.27, 37.00), (34.67, 45.63)),
}
"""Line and identifiers right in percent: the file alone, similar code retrieved, DraCo."""
PUBLISHED_TITLE = (
    "published for the whole set (DraCo, Cheng et al., ACL 2024): line / identifiers, %"
)
PUBLISHED_HEADER = ("", "file alone", "similar code", "DraCo")


@dataclass(frozen=True, slots=True)
class Prompted:
    """An item, the text of its file without the answer, and the chunks of other files by path."""

    item: ApiItem
    text: bytes
    chunks: Mapping[str, str]


def read(path: Path) -> list[Prompted]:
    """Read the set's JSONL. Raises ItemsError."""
    try:
        rows = path.read_text("utf-8").split("\n")  # other line ends may stand inside strings
        return [_prompted(json.loads(each)) for each in rows if each.strip()]
    except OSError as error:
        raise ItemsError(f"cannot read {path}: {error.strerror}") from error
    except KeyError as error:
        raise ItemsError(f"{path} is not CrossCodeEval: an item has no {error}") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise ItemsError(f"{path} is not CrossCodeEval: {error}") from error


def _prompted(values: Mapping[str, Any]) -> Prompted:
    metadata, below = values["metadata"], values["right_context"]
    prompt, rest = values["prompt"].encode(), values["groundtruth"]
    path, name = _inside(metadata["file"]), NAME.match(rest)
    if not prompt.endswith(b".") or name is None or not path.endswith(".py"):
        raise ValueError(f"{path} is not Python cut between a dot and a name")
    item = ApiItem(
        repository=metadata["repository"],
        language="python",
        path=path,
        offset=len(prompt),
        name=name[0],
        shape=Shape.MEMBER,
        receiver="",
        stratum=Stratum.OTHER,
        imported=False,
        defined=(),
        resolvers=(),
        rest=rest,
    )
    line_end = "" if below.startswith(("\n", "\r")) else "\n"
    return Prompted(item, prompt + (line_end + below).encode(), _chunks(values, path))


def _chunks(values: Mapping[str, Any], own: str) -> dict[str, str]:
    """The retrieved text of each other file."""
    chunks: dict[str, str] = {}
    for each in values["crossfile_context"]["list"]:
        path = _inside(each["filename"])
        if path != own:
            chunks[path] = chunks.get(path, "") + each["retrieved_chunk"] + "\n"
    return chunks


def _inside(path: str) -> str:
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or not parts.name:
        raise ValueError(f"{path!r} is no path in a repository")
    return parts.as_posix()


# Asking


@dataclass(frozen=True, slots=True)
class Text:
    """What was written after the cursor (nothing: the ``reason`` says why)."""

    text: str
    confidence: float
    reason: str = ""


class Writer(Protocol):
    """Whoever writes ghost text."""

    async def write(self, workspace: Workspace, prompted: Prompted) -> Text:
        """What stands after the item's dot."""
        ...


Writing = Callable[[], AbstractAsyncContextManager[Writer]]


@dataclass(frozen=True, slots=True)
class _Shipped:
    """The engine in this process, and the model process, which stays for all workspaces."""

    running: headless.Running

    async def write(self, workspace: Workspace, prompted: Prompted) -> Text:
        here = await self.running.within(workspace.root, workspace.cache)
        path, data, offset = prompted.item.path, prompted.text, prompted.item.offset
        here.index.update(path, data)
        options = dataclasses.replace(
            here.options, min_confidence=0.0, ghost_deadline_ms=headless.PATIENT_GHOST_MS
        )
        request, snapshot = Request(path, data, offset), here.index.snapshot()
        ghost = await engine.ghost(request, snapshot, here.helpers, options)
        reason = str(ghost.reason.code) if ghost.reason else ""
        return Text(after_cursor(ghost, data, offset), ghost.confidence, reason)


@asynccontextmanager
async def shipped(weights: Path | None = None) -> AsyncIterator[Writer]:
    """The model that ships, or that of a folder. Raises AbsentModelError."""
    async with freely.model_running(weights) as running:
        yield _Shipped(running)


@dataclass(frozen=True, slots=True)
class _Whole:
    """The same prompt, written on to the end of the statement."""

    running: headless.Running

    async def write(self, workspace: Workspace, prompted: Prompted) -> Text:
        here = await self.running.within(workspace.root, workspace.cache)
        path, data, offset = prompted.item.path, prompted.text, prompted.item.offset
        here.index.update(path, data)
        request, snapshot = Request(path, data, offset), here.index.snapshot()
        context = language_for(path).read(data, offset, snapshot.tree(path))
        folder = snapshot.ngram_folder
        text = await freely.Free(here.helpers, str(folder) if folder else None).go_on(
            request, prompt(request, context, snapshot), one_line=True
        )
        return Text(text, 1.0)


@asynccontextmanager
async def whole(weights: Path | None = None) -> AsyncIterator[Writer]:
    """The model that ships, or that of a folder, through all guesses. Raises AbsentModelError."""
    async with freely.model_running(weights) as running:
        yield _Whole(running)


@dataclass(frozen=True, slots=True)
class Answered:
    """One item in one arm: its popup and its ghost text, with what is true of that.

    ``stands``: the true name stands in the workspace, so that nobody has to invent it.
    """

    arm: str
    stands: bool
    popup: Asked
    ghost: Text
    line_right: bool
    identifiers_right: bool
    identifiers_f1: float
    similarity: float
    name_right: bool


def run(
    prompted: Sequence[Prompted],
    console: Console,
    popups: Arm = LANCEFILL,
    writing: Writing = shipped,
) -> tuple[dict[str, Any], list[Answered]]:
    """Ask, print the tables, return the figures and the answers."""
    facts = report.machine()
    with report.progress(console) as progress:
        task = progress.add_task("completing", total=2 * len(prompted))
        asking = _ask_all(prompted, popups, writing, lambda: progress.advance(task))
        answered = asyncio.run(asking)
    for table in tables(answered):
        console.print(table)
    console.print(report.machine_line(facts), style="dim", highlight=False)
    return result(answered) | {"machine": facts}, answered


def sample(prompted: Sequence[Prompted], count: int | None, seed: int) -> list[Prompted]:
    """``count`` of the items, drawn by ``seed``, in the order of the set; all without a count."""
    if count is None or count >= len(prompted):
        return list(prompted)
    drawn = random.Random(seed).sample(range(len(prompted)), count)
    return [prompted[number] for number in sorted(drawn)]


async def _ask_all(
    prompted: Sequence[Prompted], popups: Arm, writing: Writing, done: Callable[[], None]
) -> list[Answered]:
    answered: list[Answered] = []
    async with writing() as writer:
        for each in prompted:
            for arm in (ALONE, CHUNKS):
                with laid_out(each, arm) as workspace:
                    popup = await _popup(workspace, each, popups)
                    ghost = await writer.write(workspace, each)
                answered.append(judge(each, arm, popup, ghost))
                done()
    return answered


def _files(prompted: Prompted, arm: str) -> dict[str, bytes]:
    chunks = prompted.chunks if arm == CHUNKS else {}
    others = {path: chunk.encode() for path, chunk in chunks.items()}
    return others | {prompted.item.path: prompted.text}


@contextmanager
def laid_out(prompted: Prompted, arm: str) -> Iterator[Workspace]:
    """A workspace that holds the item's cut file and what the arm knows of other files."""
    with tempfile.TemporaryDirectory(prefix="lancefill-") as folder:
        workspace = Workspace(Path(folder, "repository"), Path(folder, ".cache"))
        for path, data in _files(prompted, arm).items():
            file = workspace.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        yield workspace


async def _popup(workspace: Workspace, prompted: Prompted, arm: Arm) -> Asked:
    async with arm.opened(workspace) as opened:
        answers = await opened.ask(prompted.item, prompted.text)
    return judged(prompted.item, arm, Variant.BELOW, answers[0])


def judge(prompted: Prompted, arm: str, popup: Asked, ghost: Text) -> Answered:
    """What a ghost text is worth beside the true rest of the statement."""
    text, rest = ghost.text, prompted.item.rest
    name = re.compile(rf"\b{prompted.item.name}\b")
    return Answered(
        arm=arm,
        stands=any(name.search(data.decode()) for data in _files(prompted, arm).values()),
        popup=popup,
        ghost=ghost,
        line_right=lines(text) == lines(rest),
        identifiers_right=identifiers(text) == identifiers(rest),
        identifiers_f1=identifiers_f1(text, rest),
        similarity=similarity(text, rest),
        name_right=name_right(prompted.item.cut, text),
    )


# Figures


@dataclass(frozen=True, slots=True)
class Quality:
    """How good ghost texts are, of all that were asked for.

    ``shown``: those that the confidence threshold of the default settings lets through.
    """

    line: Rate
    identifiers: Rate
    f1: Mean
    similarity: Mean
    name: Rate
    written: Rate
    shown: Rate


def quality(answered: Sequence[Answered]) -> Quality:
    """Sum up ghost texts."""

    def share(true: Callable[[Answered], bool]) -> Rate:
        return rate(sum(true(one) for one in answered), len(answered))

    least = Settings().min_confidence
    return Quality(
        line=share(lambda one: one.line_right),
        identifiers=share(lambda one: one.identifiers_right),
        f1=mean([one.identifiers_f1 for one in answered]),
        similarity=mean([one.similarity for one in answered]),
        name=share(lambda one: one.name_right),
        written=share(lambda one: bool(one.ghost.text)),
        shown=share(lambda one: bool(one.ghost.text) and one.ghost.confidence >= least),
    )


def tables(answered: Sequence[Answered]) -> list[Table]:
    """The popup, the ghost text, and what others published."""
    rows: list[tuple[str, list[Answered]]] = []
    for arm in (ALONE, CHUNKS):
        of_arm = [one for one in answered if one.arm == arm]
        rows += [(arm, of_arm), (STANDS, [one for one in of_arm if one.stands])]
    popups = [row(name, [one.popup for one in chosen]) for name, chosen in rows]
    ghosts = [_ghost_row(name, chosen) for name, chosen in rows]
    published = [
        [name, *(f"{line:.2f} / {names:.2f}" for line, names in pairs)]
        for name, pairs in PUBLISHED.items()
    ]
    return [
        report.table("CrossCodeEval, Python: popup after the dot", ("", *HEADER), popups),
        report.table("ghost text, no threshold", GHOST_HEADER, ghosts),
        report.table(PUBLISHED_TITLE, PUBLISHED_HEADER, published),
    ]


def _ghost_row(arm: str, answered: Sequence[Answered]) -> list[str]:
    summed = quality(answered)
    near = summed.similarity
    return [
        arm,
        str(len(answered)),
        str(summed.line),
        str(summed.identifiers),
        f"{summed.f1.value:.2f}",
        f"{near.value:.1f} [{near.low:.0f}, {near.high:.0f}]",
        str(summed.name),
        f"{summed.written.value:.0%}",
        f"{summed.shown.value:.0%}",
    ]


def result(answered: Sequence[Answered]) -> dict[str, Any]:
    """The figures as plain values."""
    arms = {}
    for arm in (ALONE, CHUNKS):
        chosen = [one for one in answered if one.arm == arm]
        known = [one for one in chosen if one.stands]
        arms[arm] = _figures(chosen) | {"stands": _figures(known)}
    return {"eval": "crosscodeeval", "arms": arms, "published": PUBLISHED}


def _figures(answered: Sequence[Answered]) -> dict[str, Any]:
    popups = asdict(figures([one.popup for one in answered]))
    return {"items": len(answered), "popup": popups, "ghost": asdict(quality(answered))}
