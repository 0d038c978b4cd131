"""The ground truth of APIEval for Java and TypeScript: what the language's own compiler resolves.

A compiler reads the UNCUT files and prints every call whose callee one of them defines
(``compilers/``). The libraries that a repository builds with are not installed: calls that depend
on them are missing, and the figures say nothing about those.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evaluation import cuts, peers
from evaluation.items import ApiItem, Shape, Stratum
from evaluation.labels import PER_FILE
from indexing.files import Found, discover
from indexing.languages import family_of

PROGRAMS = Path(__file__).with_name("compilers")
COMPILE_S = 600


@dataclass(frozen=True, slots=True)
class Call:
    """A call and the file that defines its callee; spans are byte offsets."""

    path: str
    name: tuple[int, int]
    receiver: tuple[int, int] | None
    form: str
    imported: bool
    defined: str


def sources(root: Path, language: str) -> dict[str, bytes]:
    """The files of a language that the index would read, by their path under ``root``."""
    found = (each for each in discover(root) if isinstance(each, Found))
    paths = (each.path for each in found if family_of(each.path) == family_of(_EXAMPLE[language]))
    texts = {path: (root / path).read_bytes() for path in sorted(paths) if _is_source(path)}
    return {path: data for path, data in texts.items() if _plain(data)}


def items(
    repository: str,
    language: str,
    root: Path,
    counts: Mapping[Shape, int],
    seed: int,
) -> list[ApiItem]:
    """Up to ``counts[shape]`` items of each shape, in an order drawn by ``seed``.

    Raises peers.PeersError where the compiler cannot be had or fails.
    """
    files = sources(root, language)
    by_file: dict[str, list[Call]] = defaultdict(list)
    for call in calls(language, root, files):
        if call.defined != call.path:
            by_file[call.path].append(call)
    drawn = random.Random(seed)
    paths = sorted(by_file)
    drawn.shuffle(paths)
    missing = Counter(counts)
    found: list[ApiItem] = []
    for path in paths:
        drawn.shuffle(by_file[path])
        data = files[path]
        chosen = _some(by_file[path], data, missing)
        found.extend(_item(repository, language, call, data) for call in chosen)
    return found


def calls(language: str, root: Path, files: Mapping[str, bytes]) -> Iterator[Call]:
    """Every call of the repository's own APIs in ``files``. Raises peers.PeersError."""
    printed = _run(_command(language, root), files)
    for line in printed.splitlines():
        call = read_call(line, files)
        if call is not None:
            yield call


def read_call(line: str, files: Mapping[str, bytes]) -> Call | None:
    """One line of a compiler's output; None where its name is not a plain word in the file."""
    path, start, end, from_, to, form, imported, defined = line.split("\t")
    data = files[path]
    offsets = [byte_offset(data, int(each)) for each in (start, end, from_, to)]
    name = (offsets[0], offsets[1])
    if cuts.NAME.fullmatch(data[slice(*name)]) is None:
        return None
    receiver = None if int(from_) < 0 else (offsets[2], offsets[3])
    return Call(path, name, receiver, form, imported == "true", defined)


def byte_offset(data: bytes, units: int) -> int:
    """The byte offset of an offset in UTF-16 units."""
    if data.isascii():
        return units
    return len(data.decode().encode("utf-16-le")[: 2 * max(0, units)].decode("utf-16-le").encode())


def version(language: str) -> str:
    """The compiler and its version, in one word. Raises peers.PeersError."""
    if language == "typescript":
        return f"typescript{peers.TYPESCRIPT}"
    java = _program("java", "labelling Java needs a JDK, version 17 or later")
    said = subprocess.run((java, "--version"), capture_output=True, check=False).stdout.split()
    return "javac" + (said[1].decode() if len(said) > 1 else "")


_EXAMPLE = {"java": "A.java", "typescript": "a.ts"}


def _is_source(path: str) -> bool:
    return not path.endswith((".d.ts", "module-info.java"))


def _plain(data: bytes) -> bool:
    """UTF-8 without a byte order mark, which compilers count differently."""
    try:
        return not data.decode("utf-8").startswith("\ufeff")
    except UnicodeDecodeError:
        return False


def _command(language: str, root: Path) -> Sequence[str]:
    if language == "java":
        java = _program("java", "labelling Java needs a JDK, version 17 or later")
        return (java, str(PROGRAMS / "Calls.java"), str(root))
    node = _program("node", "labelling TypeScript needs Node, version 20 or later")
    return (node, str(PROGRAMS / "calls.mjs"), str(peers.typescript()), str(root))


def _program(name: str, otherwise: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise peers.PeersError(otherwise)
    return found


def _run(command: Sequence[str], files: Mapping[str, bytes]) -> str:
    with tempfile.TemporaryFile() as errors:
        try:
            done = subprocess.run(
                command,
                input="".join(f"{path}\n" for path in files).encode(),
                stdout=subprocess.PIPE,
                stderr=errors,
                timeout=COMPILE_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise peers.PeersError("the compiler took too long") from error
        errors.seek(0)
        said = errors.read().decode("utf-8", "replace").strip().splitlines()
    if done.returncode:
        raise peers.PeersError(f"the compiler failed: {said[-1] if said else 'it said nothing'}")
    return done.stdout.decode()


def _some(found: Sequence[Call], data: bytes, missing: Counter[Shape]) -> Iterator[Call]:
    """One file's share: `PER_FILE` calls of each shape at most, no two of one line."""
    lines: set[int] = set()
    left = {shape: min(PER_FILE, missing[shape]) for shape in Shape}
    for call in found:
        shape, line = _shape(call), cuts.line_start(data, call.name[0])
        if left[shape] > 0 and line not in lines:
            lines.add(line)
            left[shape] -= 1
            missing[shape] -= 1
            yield call


def _shape(call: Call) -> Shape:
    return Shape.BARE if call.receiver is None else Shape.MEMBER


def _item(repository: str, language: str, call: Call, data: bytes) -> ApiItem:
    bare = Stratum.IMPORTED if call.imported else Stratum.NOT_IMPORTED
    offset = call.name[0]
    return ApiItem(
        repository=repository,
        language=language,
        path=call.path,
        offset=offset,
        name=data[slice(*call.name)].decode(),
        shape=_shape(call),
        receiver="" if call.receiver is None else data[slice(*call.receiver)].decode(),
        stratum=bare if call.receiver is None else Stratum(call.form),
        imported=call.imported,
        defined=(call.defined,),
        resolvers=("javac" if language == "java" else "typescript",),
        rest=data[offset : cuts.line_end(data, offset)].decode(),
    )
