"""The jedi process: what the standard library and installed packages offer at the cursor.

Started as ``python -I -X utf8 -m completion.jedi_worker``; messages as in `indexing/messages.py`.
It knows nothing of the index: the engine asks it only for what the repository does not define. jedi
can hang and can fill the memory, so whoever starts this process kills it when an answer is overdue,
and the process limits its own memory.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import pickle
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import jedi
import jedi.cache
import parso.cache
from jedi.api.classes import Completion
from jedi.api.environment import (
    Environment,
    InterpreterEnvironment,
    InvalidPythonEnvironment,
    create_environment,
)

from indexing.cache import cache_root
from indexing.messages import Call, Desk, Message, end_with_parent, leave, serve, take_stdio

MEMORY_LIMIT = 2 * 1024**3
"""Bytes of address space; jedi on a large project needs a few hundred megabytes."""

MAX_ITEMS = 2000
"""The most names of one answer; modules of constants have tens of thousands."""

KINDS = {
    "instance": "variable",
    "statement": "variable",
    "param": "parameter",
    "path": "module",
    "namespace": "module",
}
"""jedi's types by our names for them; the others are called alike."""

log = logging.getLogger(__name__)
_LINE_END = re.compile(r"\r\n|\n|\r")


class LateError(TimeoutError):
    """The answer was found after its deadline."""


def main() -> None:
    """Answer ``complete`` until standard input ends."""
    end_with_parent()
    incoming, outgoing = take_stdio()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    limit_memory(MEMORY_LIMIT)
    jedi.settings.cache_directory = str(cache_folder())
    _warm_up()
    serve(Desk({"complete": complete}, ("complete",)), incoming, outgoing)
    leave()


def _warm_up() -> None:
    """Read the built-ins' stubs, which every question needs, with the Python that runs this.

    Left alone, jedi would look for a project where it was started, which may be a workspace that
    nobody trusts yet, and run the Python of ``VIRTUAL_ENV``, which may be that workspace's.
    """
    project = _project(jedi.settings.cache_directory, ())
    _completions(jedi.Script("''.", project=project, environment=_environment(None)), 1, 3)


def cache_folder() -> Path:
    """Where jedi keeps syntax trees: a folder of our own, for being killed can leave it damaged."""
    folder = cache_root() / "jedi"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        log.warning("the cache folder cannot be used: %s", error.strerror)
        return Path(tempfile.mkdtemp(prefix="lancefill-jedi-"))
    return folder


def limit_memory(limit: int) -> None:
    """Let allocations fail beyond ``limit`` bytes of address space; Windows has no such limit."""
    if sys.platform == "win32":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def complete(call: Call) -> Message:
    """The names that jedi offers at byte ``offset`` of ``text``.

    Raises :class:`LateError` when that took longer than ``deadline_ms``, MemoryError when the
    process is at its limit (its caches are then empty again), and whatever jedi raises.
    """
    params = call.params
    deadline = time.monotonic() + params["deadline_ms"] / 1000
    before = params["text"].encode("utf-8", "surrogatepass")[: params["offset"]]
    line, column = position(before.decode("utf-8", "ignore"))
    script = jedi.Script(
        params["text"],
        path=params["path"],
        environment=_environment(params["interpreter"]),
        project=_project(params["root"], tuple(params["extra_paths"])),
    )
    try:
        found = _completions(script, line, column)
    except MemoryError:
        _forget()
        raise
    items = [
        {"name": name.name, "kind": kind(name), "module": name.module_name or ""} for name in found
    ]
    if time.monotonic() > deadline:
        raise LateError(f"jedi took more than {params['deadline_ms']:.0f} ms")
    return {"items": items}


def _completions(script: jedi.Script, line: int, column: int) -> Sequence[Completion]:
    """What jedi finds; asked once more when its cache on disk turns out to be damaged."""
    try:
        found = script.complete(line, column)
    except (EOFError, pickle.UnpicklingError):
        log.warning("jedi's cache on disk is damaged and is built again")
        _empty(Path(jedi.settings.cache_directory))
        found = script.complete(line, column)
    return list(found[:MAX_ITEMS])


def _empty(folder: Path) -> None:
    """Delete what is in a folder; the folder itself may be a link, which ``rmtree`` refuses."""
    with contextlib.suppress(OSError):  # another process may be at it
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)


def kind(found: Completion) -> str:
    """What a name is, without following imports.

    jedi's own ``type`` reads the module that each re-exported name comes from: 15 s for numpy's 542
    names, where finding them takes one. Those names are judged by their looks.
    """
    name = found._name
    definition = name.tree_name and name.tree_name.get_definition()
    if definition is None or definition.type != "import_from":
        return str(KINDS.get(name.api_type, name.api_type))
    if found.name.isupper():
        return "constant"
    return "class" if found.name[:1].isupper() else "function"


def position(before: str) -> tuple[int, int]:
    """jedi's position of the end of ``before``: line from 1, column in characters from 0."""
    ends = list(_LINE_END.finditer(before))
    return len(ends) + 1, len(before) - (ends[-1].end() if ends else 0)


@lru_cache(maxsize=4)
def _project(root: str, extra_paths: tuple[str, ...]) -> jedi.Project:
    return jedi.Project(root, added_sys_path=extra_paths, smart_sys_path=False)


@lru_cache(maxsize=4)
def _environment(interpreter: str | None) -> Environment | InterpreterEnvironment:
    """The Python whose installed packages count; without one that runs, our own."""
    if interpreter is not None:
        try:
            return create_environment(interpreter, safe=False)
        except InvalidPythonEnvironment:
            log.warning("the project's Python does not run; its packages are not known")
    return InterpreterEnvironment()


def _forget() -> None:
    """Drop everything that jedi and parso keep."""
    log.warning("out of memory: all caches are dropped")
    _project.cache_clear()
    _environment.cache_clear()
    jedi.cache.clear_time_caches(delete_all=True)
    parso.cache.parser_cache.clear()
    gc.collect()


if __name__ == "__main__":
    main()
