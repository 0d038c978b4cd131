"""The rows of the speed and memory table: one function each, from a bench to its figures."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import psutil

from evaluation import cuts
from evaluation.cuts import Cut, Place
from evaluation.editor import SHARING, Editor, editing
from evaluation.repositories import fetch
from evaluation.statistics import spread
from evaluation.workspaces import read_sources
from indexing import parsing
from indexing.build import Progress, build
from indexing.index import Index
from indexing.languages import language_of
from lsp_server.helpers import LIBRARY_REST_S
from lsp_server.rhythm import PAUSE_S

REPEATS = 3
"""How often what takes seconds is repeated."""
CONTEXT_TOKENS, DECODED_TOKENS = 600, 200
EDITED_LINES = 2000
REPLAYED_CHARACTERS = 12
MODEL_WORKED = frozenset(("", "low-confidence", "deadline", "empty", "unbalanced-brackets"))
"""Reason codes of ghost text for which the model has worked; others are answered at once, and would
only make the figures look better."""
FIRST_GHOST_S = 20.0
FIRST = "httpx"
"""What the first editor has open where the memory of a second one is measured."""
SETTLE_S = 10.0


Opened = Callable[..., AbstractAsyncContextManager[Editor]]
"""``editing``, or the same with other defaults."""


class MeasureError(Exception):
    """A row could not be measured; the message says why."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number, its ``goal`` (a maximum, None where there is none) and its spread.

    ``note`` says what must be known to compare it.
    """

    row: str
    what: str
    value: float
    unit: str
    goal: float | None = None
    n: int = 1
    minimum: float = 0.0
    maximum: float = 0.0
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        return None if self.goal is None else self.value <= self.goal


@dataclass(frozen=True)
class Bench:
    """What the rows share: the repository at scale, a private cache folder, how much to measure."""

    root: Path
    cache: Path
    samples: int
    seed: int

    @cached_property
    def files(self) -> dict[str, bytes]:
        """The sources of the repository, by path."""
        return read_sources(self.root)

    @cached_property
    def warm(self) -> Path:
        """The cache folder, with the index of the repository in it."""
        build(self.root, self.cache)
        return self.cache

    def cuts(self, places: Sequence[Place], count: int) -> list[Cut]:
        """Return ``count`` cuts, spread evenly over ``places``."""
        counts = {place: -(-count // len(places)) for place in places}
        return cuts.sample(self.files, counts, self.seed)[:count]


def index(bench: Bench) -> list[Figure]:
    """Cold index against parsing alone, in turns, in one run.

    Parsing alone: every file's bytes, already in memory, to a tree, on one core. The index: from an
    empty cache folder to the store written, in as many processes as there are cores; the n-gram,
    which is built after the store can be read, is a figure of its own.
    """
    alone, stored, whole, ratios = [], [], [], []
    for _ in range(REPEATS):
        alone.append(_parse_alone(bench.files))
        with tempfile.TemporaryDirectory(dir=bench.cache) as cache:
            seconds = _build_cold(bench.root, Path(cache))
        stored.append(seconds["store"])
        whole.append(seconds["whole"])
        ratios.append(stored[-1] / alone[-1])
    return [
        _median("index", "parse sympy alone, one core", alone, "s"),
        _median("index", "cold index of sympy, store written", stored, "s"),
        _median(
            "index", "  as a multiple of parsing alone", ratios, "\N{MULTIPLICATION SIGN}", 1.3
        ),
        _median("index", "  with the n-gram", whole, "s"),
    ]


def _parse_alone(files: Mapping[str, bytes]) -> float:
    languages = {path: language_of(path) for path in files}
    start = time.perf_counter()
    for path, data in files.items():
        language = languages[path]
        assert language is not None
        parsing.parse(language, data)
    return time.perf_counter() - start


def _build_cold(root: Path, cache: Path) -> dict[str, float]:
    """Return seconds until the store was written and until all was."""
    start = time.perf_counter()
    seen: dict[str, float] = {}

    def note(progress: Progress) -> None:
        seen.setdefault(progress.phase, time.perf_counter() - start)

    build(root, cache, note)
    return {"store": seen["ngrams"], "whole": seen["ready"]}


def warm(bench: Bench) -> list[Figure]:
    """From starting the server's process, index unchanged, to the first popup with items."""
    cut = bench.cuts([Place.SELF], 1)[0]

    async def once() -> float:
        start = time.perf_counter()
        async with editing(bench.root, cache=bench.warm) as editor:
            editor.open(cut.path, cuts.without_rest(bench.files[cut.path], cut.offset))
            answer = await editor.popup(cut.path, cut.offset)
            spent = time.perf_counter() - start
        if not answer.items:
            raise MeasureError("the first popup was empty")
        return spent

    bench.warm  # noqa: B018 - built before the clock starts
    spent = [asyncio.run(once()) for _ in range(REPEATS)]
    return [_median("warm", "start to first popup, warm index", spent, "s", 1.0)]


def edit(bench: Bench) -> list[Figure]:
    """From an edit of a 2,000-line file to a snapshot that has it, in the server's own process.

    The file is sympy's nearest to 2,000 lines. A name is typed into a new line at places drawn at
    random; every keystroke counts, with the popup's first question after it: what the file defines.
    """
    path = min(bench.files, key=lambda path: abs(_lines(bench.files[path]) - EDITED_LINES))
    data = bench.files[path]
    live = Index.open(bench.root, bench.warm)
    live.update(path, data)
    live.snapshot().symbols(path)
    drawn = random.Random(bench.seed)
    spent: list[float] = []
    while len(spent) < bench.samples:
        offset = cuts.line_end(data, drawn.randrange(len(data)))
        for letter in b"\nvalue":
            data = data[:offset] + bytes((letter,)) + data[offset:]
            offset += 1
            start = time.perf_counter()
            live.update(path, data)
            live.snapshot().symbols(path)
            spent.append(1000 * (time.perf_counter() - start))
        data = bench.files[path]
        live.update(path, data)
    what = f"edit, {_lines(data):,}-line file"
    return _p50_p95("edit", what, spent, None, 4.0)


def _lines(data: bytes) -> int:
    return data.count(b"\n")


def popup(bench: Bench) -> list[Figure]:
    """From sending the last typed character to the popup, through LSP, without the model.

    The file is open already, as it is when somebody types.
    """
    spent = _typed_popups(bench, {"ghostText": False})
    return _p50_p95("popup", "popup, LSP, no model", spent, 8.0, 30.0)


def popup100k(bench: Bench) -> list[Figure]:
    """As ``popup``, on 100k lines; then with the model's process beside the server.

    Both columns ask the same positions. The popup uses the model's scores where the settings let it
    wait for them; without, the second figure says what a loaded model costs the popup.
    """
    alone = _typed_popups(bench, {"ghostText": False})
    beside = _typed_popups(bench, {})
    return [
        *_p50_p95("popup100k", "popup, LSP, 100k lines, no model", alone, 8.0, 25.0),
        *_p50_p95("popup100k", "popup, LSP, 100k lines, model loaded", beside, None, 35.0),
    ]


def _typed_popups(bench: Bench, settings: Mapping[str, Any]) -> list[float]:
    """Milliseconds of each popup at the bench's positions."""
    sampled = bench.cuts(list(Place), bench.samples)

    async def ask(editor: Editor) -> list[float]:
        return [await _typed_popup(editor, cut, bench.files[cut.path]) for cut in sampled]

    spent: list[float] = _with_editor(bench, settings, ask)
    return spent


async def _typed_popup(editor: Editor, cut: Cut, data: bytes) -> float:
    """Open the file without the character before the cursor, type it, ask, close."""
    start = cut.offset - len(data[: cut.offset].decode()[-1].encode())
    text = cuts.without_rest(data, cut.offset)
    editor.open(cut.path, text[:start] + text[cut.offset :])
    await editor.caught_up()
    began = time.perf_counter()
    editor.replace(cut.path, start, start, text[start : cut.offset].decode())
    await editor.popup(cut.path, cut.offset)
    spent = 1000 * (time.perf_counter() - began)
    editor.close(cut.path)
    return spent


def ghost(bench: Bench) -> list[Figure]:
    """Ghost text through LSP while a line is typed: one request per keystroke.

    The first request on a line, which must read the prompt anew, is a figure of its own; the
    others find it in the model's cache. A letter of the text that is shown is answered by the
    server without the model, a figure of its own too. What else never reached the model does not
    count.
    """
    sampled = bench.cuts([Place.DOT, Place.STATEMENT, Place.SELF], max(1, bench.samples // 10))
    first: list[float] = []
    warm: list[float] = []
    shown: list[float] = []
    through: list[float] = []

    async def ask(editor: Editor) -> None:
        for cut in sampled:
            await _replay(editor, cut, bench.files[cut.path], first, warm, shown, through)

    _with_editor(bench, {}, ask)
    return [
        *_p50_p95("ghost", "ghost text, LSP, warm prefix", warm, 120.0, 350.0),
        *_p50_p95("ghost", "  where text was shown", shown, None, None),
        *_p50_p95("ghost", "  cold prefix, first on a line", first, None, None),
        *(_p50_p95("ghost", "  a letter of it typed", through, None, None) if through else ()),
    ]


async def _replay(
    editor: Editor,
    cut: Cut,
    data: bytes,
    first: list[float],
    warm: list[float],
    shown: list[float],
    through: list[float],
) -> None:
    """Type the true rest of the line, asking after every character and a pause.

    Within a burst the server lets people type on before it asks the model.
    """
    editor.open(cut.path, cuts.without_rest(data, cut.offset))
    offset, text = cut.offset, ""
    for number, letter in enumerate(["", *cut.rest[:REPLAYED_CHARACTERS]]):
        remembered = number > 0 and text.startswith(letter) and text != letter
        if not remembered:
            await asyncio.sleep(PAUSE_S)
        editor.replace(cut.path, offset, offset, letter)
        offset += len(letter.encode())
        answer = await editor.ghost(cut.path, offset)
        text = answer.text
        if remembered:
            through.append(answer.ms)
        elif answer.code in MODEL_WORKED:
            (first if number == 0 else warm).append(answer.ms)
            if number and answer.text:
                shown.append(answer.ms)
    editor.close(cut.path)


def decode(bench: Bench) -> list[Figure]:
    """One token at a time after 600 tokens of context, model process alone.

    Then with AVX2 only, and once more without the eight-bit weights.
    """
    del bench
    avx2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    figures = []
    ways: tuple[tuple[str, Mapping[str, str], list[str], float | None], ...] = (
        ("decoding, per token", {}, [], 3.0),
        ("decoding, AVX2 only", avx2, [], None),
        ("decoding, float32 weights", {}, ["float"], None),
    )
    for what, environment, arguments, goal in ways:
        told = _decode_process(environment, arguments)
        model = f"{told['parameters'] / 1e6:.1f}M parameters, {told['dtype']}"
        note = f"{what}: {model}, {told['threads']} threads, {told['capability']}"
        middle, tail = _p50_p95("decode", what, told["ms"], goal, None)
        figures += [dataclasses.replace(middle, note=note), tail]
    return figures


def _decode_process(environment: Mapping[str, str], arguments: list[str]) -> dict[str, Any]:
    command = [sys.executable, "-I", "-X", "utf8", "-m", "evaluation.decode"]
    done = subprocess.run(
        [*command, str(CONTEXT_TOKENS), str(DECODED_TOKENS), *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MeasureError(f"decoding failed: {done.stderr.strip()[-200:]}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def start(bench: Bench) -> list[Figure]:
    """From starting the server's process, with it a cold model process, to the first ghost text.

    Then for a second editor, which finds the model's process there. Several positions are asked in
    turn until one is answered with text, as an editor asks again after every keystroke; without a
    confidence threshold, since this is about time.
    """
    sampled = bench.cuts([Place.DOT, Place.SELF], 10)
    bench.warm  # noqa: B018 - built before the clock starts
    cold = [asyncio.run(_first_ghost(bench, sampled, editing)) for _ in range(REPEATS)]
    met = asyncio.run(_first_ghosts_beside(bench, sampled))
    return [
        _median("start", "start to first ghost text, cold model", cold, "s", 4.0),
        _median("start", "  in a second editor", met, "s"),
    ]


async def _first_ghosts_beside(bench: Bench, sampled: Sequence[Cut]) -> list[float]:
    async with _sharing() as shared, shared(fetch(FIRST), cache=bench.cache) as first:
        await first.settled()
        return [await _first_ghost(bench, sampled, shared) for _ in range(REPEATS)]


async def _first_ghost(bench: Bench, sampled: Sequence[Cut], opened: Opened) -> float:
    began = time.perf_counter()
    async with opened(bench.root, cache=bench.warm, settings={"minConfidence": 0.0}) as editor:
        for cut in sampled:
            editor.open(cut.path, cuts.without_rest(bench.files[cut.path], cut.offset))
        while time.perf_counter() - began < FIRST_GHOST_S:
            for cut in sampled:
                if (await editor.ghost(cut.path, cut.offset)).text:
                    return time.perf_counter() - began
                await asyncio.sleep(0.02)
    raise MeasureError(f"no ghost text within {FIRST_GHOST_S:.0f} s of the start")


@asynccontextmanager
async def _sharing() -> AsyncIterator[Opened]:
    """Editors that share a model process with each other, and with none of the person's own."""
    with tempfile.TemporaryDirectory(prefix="lf") as meeting:
        yield partial(editing, command=SHARING, environment={"XDG_RUNTIME_DIR": meeting})


def memory(bench: Bench) -> list[Figure]:
    """Resident memory of the server's and the model's process after a while of work.

    RSS counts pages shared with other processes in full, PSS (Linux) by share.
    """
    sampled = bench.cuts(list(Place), max(5, bench.samples // 4))

    async def work(editor: Editor) -> dict[str, tuple[float, float]]:
        await _work(editor, bench, sampled)
        return _megabytes(editor.client.process.pid)

    used = _with_editor(bench, {}, work)
    goals = {"server": 250.0, "model": 600.0}
    figures = []
    for name, (rss, pss) in used.items():
        figures.append(Figure("memory", f"{name} process, RSS", rss, "MB", goals.get(name)))
        figures.append(Figure("memory", "  PSS", pss, "MB"))
    return figures


async def _work(editor: Editor, bench: Bench, sampled: Sequence[Cut]) -> None:
    for cut in sampled:
        editor.open(cut.path, cuts.without_rest(bench.files[cut.path], cut.offset))
        await editor.popup(cut.path, cut.offset)
        await editor.ghost(cut.path, cut.offset)
        editor.close(cut.path)


def second(bench: Bench) -> list[Figure]:
    """Memory of one more editor on a repository of its own, all its processes together (PSS).

    The model's process is there already and counts for nobody; jedi's ends when nobody has worked
    on Python for a while. A private folder for sockets keeps the person's own editors out of it.
    """
    spent = asyncio.run(_second(bench))
    what = "a second editor, 100k lines, PSS"
    return [
        Figure("second", f"{what}, at rest", spent["rest"], "MB", 120.0),
        Figure("second", "  while it is used", spent["use"], "MB"),
        Figure("second", "the shared model process, PSS", spent["model"], "MB"),
    ]


async def _second(bench: Bench) -> dict[str, float]:
    sampled = bench.cuts(list(Place), max(5, bench.samples // 4))
    async with (
        _sharing() as shared,
        shared(fetch(FIRST), cache=bench.cache) as first,
        shared(bench.root, cache=bench.warm) as editor,
    ):
        await first.settled()
        await editor.settled()
        await _work(editor, bench, sampled)
        server = psutil.Process(editor.client.process.pid)
        used = _of_all(server)
        await asyncio.sleep(LIBRARY_REST_S + SETTLE_S)
        state = await editor.client.request("lancefill/status", {})
        return {"use": used, "rest": _of_all(server), "model": _shared_pss(state)}


def _shared_pss(state: Mapping[str, Any]) -> float:
    """Of the process that the status of an editor names as shared. Raises MeasureError."""
    for line in state["helpers"]:
        if found := re.fullmatch(r"model: running \(pid (\d+), shared\)", line):
            return _rss_pss(psutil.Process(int(found[1])))[1]
    raise MeasureError(f"the model's process is not shared: {state['helpers']}")


def _of_all(server: psutil.Process) -> float:
    return sum(_rss_pss(one)[1] for one in (server, *server.children(recursive=True)))


def _megabytes(server: int) -> dict[str, tuple[float, float]]:
    """Return RSS and PSS of the server and its children, by what they are."""
    process = psutil.Process(server)
    used = {"server": _rss_pss(process)}
    for child in process.children(recursive=True):
        words = " ".join(child.cmdline())
        for name, module in (("model", "model.worker"), ("jedi", "jedi_worker")):
            if module in words:
                used[name] = _rss_pss(child)
    return used


def _rss_pss(process: psutil.Process) -> tuple[float, float]:
    full = process.memory_full_info()
    return full.rss / 2**20, getattr(full, "pss", full.rss) / 2**20


def _with_editor(
    bench: Bench,
    settings: Mapping[str, Any],
    work: Callable[[Editor], Coroutine[Any, Any, Any]],
) -> Any:  # noqa: ANN401 - whatever ``work`` returns
    """Run ``work`` in an editor on the warm repository, everything loaded."""

    async def session() -> object:
        async with editing(bench.root, cache=bench.warm, settings=settings) as editor:
            await editor.settled()
            return await work(editor)

    return asyncio.run(session())


def _median(
    row: str, what: str, values: Sequence[float], unit: str, goal: float | None = None
) -> Figure:
    middle = statistics.median(values)
    return Figure(row, what, middle, unit, goal, len(values), min(values), max(values))


def _p50_p95(
    row: str, what: str, values: Sequence[float], p50: float | None, p95: float | None
) -> list[Figure]:
    """Return the median and the 95th percentile of milliseconds, each with its goal."""
    told = spread(values)
    sizes = (told.n, told.minimum, told.maximum)
    return [
        Figure(row, f"{what}, p50", told.p50, "ms", p50, *sizes),
        Figure(row, "  p95", told.p95, "ms", p95, *sizes),
    ]


ROWS: Mapping[str, Callable[[Bench], list[Figure]]] = {
    row.__name__: row
    for row in (index, warm, edit, popup, popup100k, ghost, decode, start, memory, second)
}
