"""``lancefill eval dotprompts``: what comes after the dot, in Java, on an outside set.

DotPrompts (Agrawal et al., "Monitor-guided decoding", NeurIPS 2023): dereferences in methods of
real repositories; the rest of the method is cut away on disk before anything is indexed, and the
popup of the real server is asked for. With the repositories at hand (a folder each, at the item's
commit) they are the workspace; without, the file alone is. A model's "next identifier match" is
our top 1.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from evaluation import report
from evaluation.apieval import Asked, judged
from evaluation.arms import LANCEFILL, Arm
from evaluation.items import ApiItem, ItemsError, Shape, Stratum, Variant
from evaluation.tables import HEADER, row
from evaluation.workspaces import Workspace, rewritten, rounds

LETTERS = {0: "after the dot", 1: "after one letter", 3: "after three letters"}


@dataclass(frozen=True, slots=True)
class Prompted:
    """An item, and the text of its file: the prompt up to the dot and what follows the method."""

    item: ApiItem
    text: bytes


def read(path: Path) -> list[Prompted]:
    """Read the set's JSONL. Raises ItemsError."""
    try:
        lines = path.read_text("utf-8").splitlines()
        return [_prompted(json.loads(line)) for line in lines if line.strip()]
    except OSError as error:
        raise ItemsError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ItemsError(f"{path} is not DotPrompts: {error}") from error


def _prompted(values: Mapping[str, str]) -> Prompted:
    prompt = values["prompt"].encode()
    item = ApiItem(
        repository=values["repo"],
        language="java",
        path=values["file"],
        offset=len(prompt),
        name=values["next_identifier"],
        shape=Shape.MEMBER,
        receiver="",
        stratum=Stratum.OTHER,
        imported=False,
        defined=(),
        resolvers=(),
        rest=values["rest_of_method"],
    )
    return Prompted(item, prompt + b"\n" + values["suffix"].encode())


def run(
    prompted: Sequence[Prompted], repos: Path | None, console: Console, arm: Arm = LANCEFILL
) -> dict[str, object]:
    """Ask, print a table, return the figures. Raises ItemsError where a repository differs."""
    asked: list[Asked] = []
    with console.status("starting") as status:
        for name in sorted({each.item.repository for each in prompted}):
            own = [each for each in prompted if each.item.repository == name]
            root = None if repos is None else _root(repos, own)
            dealt = rounds(own, lambda each: each.item.cut)
            for number, one_round in enumerate(dealt, 1):
                status.update(f"{name}: round {number} of {len(dealt)}")
                asked += _ask(root, one_round, arm)
    rows = [
        row(f"{words}, {repository}", chosen)
        for typed, words in LETTERS.items()
        for repository in ("all", *sorted({each.item.repository for each in prompted}))
        if (chosen := _chosen(asked, typed, repository))
    ]
    title = "DotPrompts, " + ("each file alone" if repos is None else "in its repository")
    console.print(report.table(title, ("", *HEADER), rows))
    console.print(report.machine_line(report.machine()), style="dim", highlight=False)
    first = [one.rank == 1 for one in asked if one.typed == 0]
    return {"eval": "dotprompts", "items": len(first), "top1": sum(first) / max(1, len(first))}


def _chosen(asked: Sequence[Asked], typed: int, repository: str) -> list[Asked]:
    return [
        one for one in asked if one.typed == typed and repository in ("all", one.item.repository)
    ]


def _root(repos: Path, prompted: Sequence[Prompted]) -> Path:
    """The folder of a repository, which must hold every prompt's file as it was."""
    root = repos / prompted[0].item.repository.rpartition("/")[2]
    for each in prompted:
        file = root / each.item.path
        start = each.text[: each.item.offset]
        if not file.is_file() or not file.read_bytes().startswith(start):
            raise ItemsError(f"{file} is not what the item was made of: check out its commit")
    return root


def _ask(root: Path | None, prompted: Sequence[Prompted], arm: Arm) -> Iterator[Asked]:
    texts = {each.item.path: each.text for each in prompted}
    if root is not None:
        with rewritten(root, texts.get) as workspace:
            yield from asyncio.run(_ask_all(workspace, prompted, arm))
        return
    for each in prompted:
        with tempfile.TemporaryDirectory(prefix="lancefill-") as folder:
            workspace = Workspace(Path(folder, "alone"), Path(folder, ".cache"))
            file = workspace.root / each.item.path
            file.parent.mkdir(parents=True)
            file.write_bytes(each.text)
            yield from asyncio.run(_ask_all(workspace, [each], arm))


async def _ask_all(workspace: Workspace, prompted: Sequence[Prompted], arm: Arm) -> list[Asked]:
    asked: list[Asked] = []
    async with arm.opened(workspace) as opened:
        for each in prompted:
            answers = await opened.ask(each.item, each.text)
            asked += [judged(each.item, arm, Variant.ABOVE, answer) for answer in answers]
    return asked
