"""Attributes that code stores on things from outside their class, and who inherits from whom.

Read from the text of every Python file of the repository, since the index lists what a class's own
methods assign to ``self`` and nothing else. What is read errs on one side: a name too many is
harmless, since all that is known here is used to *not* forbid a name.

Files are read once, while there is time; until all were, nothing is known (None).
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from weakref import WeakKeyDictionary

from completion.bodies import source
from indexing import quiet
from indexing.index import Snapshot
from indexing.languages import family_of
from indexing.parsing import decoded

PYTHON = "python"

MOST_SUBCLASSES = 6
"""A class with more subclasses in the repository is not known: nobody reads all of them."""

KEPT_FILES = 8192
"""Of so many versions of files it is remembered what they store."""

KEPT_TEXTS = 64
"""Of so many whole texts, which are kept with it."""

KEPT_PIECES = 4096
"""Of so many functions of open files."""

_ATTRIBUTE = re.compile(rb"\.\s*([^\W\d][\w\x80-\xff]*)")
_ASSIGNED = re.compile(
    rb"\.[ \t]*([^\W\d][\w\x80-\xff]*)[ \t]*(?::[^=\n]+)?(?:[-+*/%@&|^]|\*\*|//|>>|<<)?=(?!=)"
)
_OWN = re.compile(rb"(?<![\w.)\]])(?:self|cls)\Z")
_SEVERAL = re.compile(
    rb"^[ \t]*((?:[(\[*\w][\w.*,()\[\]\"' \t]*|[(\[][\w.*,()\[\]\"'\s]{1,400}?)"
    rb"[,)\]*][\w.*,()\[\] \t]*)=(?!=)",
    re.MULTILINE,
)
_OTHER_TARGETS = (
    re.compile(rb"for\s+([\w.*,()\[\]\"'\s]{1,200}?)\sin\b"),
    re.compile(rb" as\s+([\w.]+|[(\[][\w.*,()\[\]\s]{1,200})"),
    re.compile(rb"global\s+([\w,\s\\]+?)$", re.MULTILINE),
    re.compile(rb"case\b([^:\n]*):"),
    re.compile(rb"type\s+(\w+)\s*(?:\[[^\]\n]*\])?\s*="),
)
_WALRUS = re.compile(rb"(\w+)\s*:=")
_BY_NAME = re.compile(
    rb"\b(?:setattr|hasattr|getattr|delattr|__setattr__|patch\.object)"
    rb"\((?:[^\"']{0,200}?,)?\s*[\"'](\w+)[\"']"
    rb"|(?:\b__dict__|\bvars\([^()\n]*\)|\blocals\(\)|\bglobals\(\))\s*"
    rb"(?:\[\s*|\.setdefault\(\s*)[\"'](\w+)[\"']"
)
"""Attributes that are set by name, or that code asks for: who asks thinks that there may be one."""

_LITERAL = rb"\s*[rb]?[\"']\w+[\"']"
_ARGUMENT = rb"(?P<object>[\w.\[\]]*(?:\([^()\n]*\))?)"
_READING = rb"(?:items|keys|values|get|copy|pop|__contains__)\("
_SPELLED = rb"\[\s*[\"']\w+[\"']\s*\]|\.setdefault\(\s*[\"']"
_HANDED = (
    rb"(?!\s*(?:\.\s*" + _READING + rb"|" + _SPELLED + rb"|\[[^\]\n]*\](?!\s*=(?!=))|\s*=(?!=)))"
)
DYNAMIC = re.compile(
    rb"(?<![\w.])setattr\(\s*" + _ARGUMENT + rb"\s*,(?!" + _LITERAL + rb"|\s*f[\"']_)"
    rb"\s*(?P<name>[\w.]*)"
    rb"|(?:\bobject|\btype|\))\.__setattr__\((?!(?:[^,()\n]*,)?" + _LITERAL + rb")"
    rb"|(?<!\.)(?<!in )\b(?P<vars>vars)\(\s*(?P<viewed>[\w.]+)\s*\)" + _HANDED
    + rb"|(?<![\w\"'])(?P<owner>[\w.]*(?:\)|\])?)\.__dict__\b" + _HANDED
    + rb"|\.__dict__\s*=(?!=)"
    rb"|\bglobals\(\)" + _HANDED
    + rb"|\blocals\(\)\s*(?:\.update\b|\[(?!\s*[\"'])[^\]\n]*\]\s*=(?!=))|=\s*locals\(\)"
    rb"|\bsys\.modules\s*(?:\[[^\]\n]*\]\s*=(?!=)|\.update\b|\.setdefault\b)"
    rb"|(?<![\w.])exec\("
    rb"|\.__class__\s*=(?!=)"
    rb"|\bf_(?:locals|globals)\b" + _HANDED
)  # fmt: skip
"""How attributes get names that no text shows."""

_SIGNS: tuple[bytes, ...] = (
    b"setattr",
    b"__dict__",
    b"vars(",
    b"globals()",
    b"locals()",
    b"sys.modules",
    b"exec(",
)
_SIGNS += (b"__class__", b"f_locals", b"f_globals")
"""What `DYNAMIC` cannot match without."""

_FORWARDING = re.compile(
    rb"^([ \t]+)def __(?:setattr|setstate)__\b.*(?:\n(?:\1[ \t]+.*|[ \t]*$))*", re.MULTILINE
)
"""``__setattr__`` hands on what somebody stores, ``__setstate__`` what the original had."""

_DEF = re.compile(rb"^[ \t]*(?:async[ \t]+)?def[ \t]+(\w+)", re.MULTILINE)
_LOOSE_SELF = re.compile(rb"^(?:async[ \t]+)?def[ \t]+\w+\(\s*(?:self|cls)\b", re.MULTILINE)
_CLASS = re.compile(
    rb"^[ \t]*class[ \t]+(\w+)\s*(?:\[[^\]\n]*\])?\(([^:]{1,600}?)\)\s*:", re.MULTILINE
)
_AS = re.compile(rb" as[ \t]+(\w+)")
_SAME = re.compile(rb"^(\w+)[ \t]*=[ \t]*(?:[\w.]+\.)?(\w+)[ \t]*$", re.MULTILINE)
_PIECES = re.compile(rb"^(?=(?: {4}|\t)?(?:@|def\b|class\b|async\b))", re.MULTILINE)
"""Where a text is cut: what was read of a function holds while others are edited."""

_CALLED = re.compile(rb"(?<![\w.])(?:def[ \t]+)?(\w+)\(")
_WORD = re.compile(rb"[^\W\d]\w*")
_LAST_WORD = re.compile(rb"\w+\Z")


@dataclass(frozen=True, slots=True)
class Stores:
    """What a file stores, or all files of a repository.

    ``names`` are attributes stored on anything but ``self``; ``bound`` the names that statements
    bind in ways that the index does not list. ``dynamic``: names that no text shows are stored;
    ``objects`` is what they are stored on, as far as it has a name, ``setters`` the functions that
    do so. ``subclasses`` are (path, class name) by the last part of their base's name.
    """

    names: frozenset[str] = frozenset()
    bound: frozenset[str] = frozenset()
    dynamic: bool = False
    objects: frozenset[str] = frozenset()
    setters: frozenset[str] = frozenset()
    bases: tuple[tuple[str, str], ...] = ()
    subclasses: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)


@lru_cache(maxsize=KEPT_TEXTS)
def stores(text: bytes) -> Stores:
    """What the text of one Python file stores; ``subclasses`` is left empty."""
    loose = _LOOSE_SELF.search(text) is not None
    pieces = [_piece(each, loose) for each in _PIECES.split(text)]
    aliases: dict[bytes, list[bytes]] = {}
    for meant, alias in (pair for each in pieces for pair in each.aliases):
        aliases.setdefault(alias, []).append(meant)
    dynamic = [found for each in pieces for found in each.dynamic]
    return Stores(
        names=_words(name for each in pieces for name in each.stored),
        bound=_words(name for each in pieces for name in each.bound),
        dynamic=bool(dynamic),
        objects=_words(stored_on for _, stored_on in dynamic if stored_on),
        setters=_words(each for each, _ in dynamic if each and not each.startswith(b"__")),
        bases=tuple(_named(base for each in pieces for base in _under_all_names(each, aliases))),
    )


@dataclass(frozen=True, slots=True)
class _Piece:
    """The same of one function; ``aliases`` are (name, other name), ``bases`` (base, class)."""

    stored: frozenset[bytes]
    bound: frozenset[bytes]
    dynamic: tuple[tuple[bytes, bytes], ...]
    bases: tuple[tuple[bytes, bytes], ...]
    aliases: tuple[tuple[bytes, bytes], ...]


@lru_cache(maxsize=KEPT_PIECES)
def _piece(text: bytes, loose: bool) -> _Piece:
    targets = list(_targets(text))
    by_name = [match[1] or match[2] for match in _BY_NAME.finditer(text)]
    attributes = [name for each in targets for name in _ATTRIBUTE.findall(each)]
    bound = [name for each in targets for name in _WORD.findall(each)]
    return _Piece(
        frozenset((*_stored(text, loose), *attributes, *by_name)),
        frozenset((*bound, *by_name)),
        tuple(_dynamic(text)),
        tuple(_bases(text)),
        tuple(_aliases(text)),
    )


def _named(pairs: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[str, str]]:
    for base, name in pairs:
        yield base.decode("utf-8", "replace"), name.decode("utf-8", "replace")


def _under_all_names(
    piece: _Piece, aliases: Mapping[bytes, list[bytes]]
) -> Iterator[tuple[bytes, bytes]]:
    """The piece's bases, one that has another name in the file under both."""
    for base, name in piece.bases:
        for each in (base, *aliases.get(base, ())):
            yield each, name


@lru_cache(maxsize=KEPT_TEXTS)
def is_dynamic(text: bytes) -> bool:
    """Whether the text stores names that it does not show."""
    return next(_dynamic(text), None) is not None


def calls_setter(text: bytes, setters: frozenset[str]) -> bool:
    """Whether the text calls one of ``setters``, or is decorated with one."""
    return not setters.isdisjoint(_called(text))


@lru_cache(maxsize=KEPT_PIECES)
def _called(text: bytes) -> frozenset[str]:
    called = {match[1].decode() for match in _CALLED.finditer(text) if b"def" not in match[0]}
    decorated = {each.decode() for each in re.findall(rb"^[ \t]*@(\w+)\b(?!\.)", text, re.M)}
    return frozenset(called | decorated)


def _words(found: Iterable[bytes]) -> frozenset[str]:
    return frozenset(each.decode("utf-8", "replace") for each in found)


def _stored(text: bytes, loose: bool) -> Iterator[bytes]:
    for match in _ASSIGNED.finditer(text):
        at = match.start()
        if loose or not _OWN.search(text[max(0, at - 6) : at]):
            yield match[1]


def _targets(text: bytes) -> Iterator[bytes]:
    """The sources of what is bound, but for plain assignments."""
    yield from _SEVERAL.findall(text)
    for pattern in _OTHER_TARGETS:
        yield from pattern.findall(text)
    if b":=" in text:
        yield from _WALRUS.findall(text)


def _dynamic(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(function, object) of every store of a name that is not shown; empty where it has none."""
    if not any(each in text for each in _SIGNS):
        return
    text = _FORWARDING.sub(lambda match: re.sub(rb"[^\n]", b" ", match[0]), text)
    for match in DYNAMIC.finditer(text):
        if match["name"] and _exists(match["name"], text):
            continue
        headers = list(_DEF.finditer(text, max(0, match.start() - 20_000), match.start()))
        stored_on = match["object"] or match["viewed"] or match["owner"] or b""
        last = stored_on.rpartition(b".")[2]
        yield headers[-1][1] if headers else b"", last if _WORD.fullmatch(last) else b""


def _exists(name: bytes, text: bytes) -> bool:
    """Whether the attribute that is set was read before: it is put back, or changed."""
    read = rb"\bgetattr\(\s*[\w.]+\s*,\s*%s\s*\)|\b%s\s*=\s*f[\"']_" % ((re.escape(name),) * 2)
    return re.search(read, text) is not None


def _bases(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(the last part of a base's name, the class's name)."""
    for match in _CLASS.finditer(text) if b"class" in text else ():
        inside = re.sub(rb"\[[^\[\]]*\]", b"", re.sub(rb"\[[^\[\]]*\]", b"", match[2]))
        for base in inside.split(b","):
            last = base.strip().rpartition(b".")[2]
            if _WORD.fullmatch(last):
                yield last, match[1]


def _aliases(text: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(name, its other name) of imports with ``as``, and of names that stand for others."""
    for match in _AS.finditer(text):
        before = _LAST_WORD.search(text, max(0, match.start() - 80), match.start())
        if before:
            yield before[0], match[1]
    for match in _SAME.finditer(text):
        yield match[2], match[1]


def merged(parts: Iterable[tuple[str, Stores]]) -> Stores:
    """What several files store; ``subclasses`` by their paths."""
    every = list(parts)
    found: dict[str, list[tuple[str, str]]] = {}
    for path, each in every:
        for base, name in each.bases:
            found.setdefault(base, []).append((path, name))
    return Stores(
        names=frozenset().union(*(each.names for _, each in every)),
        dynamic=any(each.dynamic for _, each in every),
        objects=frozenset().union(*(each.objects for _, each in every)),
        setters=frozenset().union(*(each.setters for _, each in every)),
        subclasses={base: tuple(dict.fromkeys(each)) for base, each in found.items()},
    )


# The repository --------------------------------------------------------------------------------


class _Reading:
    """The files of one state of the disk, read one after the other by whoever has time."""

    def __init__(self, root: Path, paths: Iterable[str]) -> None:
        self._root = root
        self._left = sorted(paths, reverse=True)
        self._read: list[tuple[str, Stores]] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._whole: Stores | None = None

    def within(self, milliseconds: float) -> Stores | None:
        """All of it; None where that takes longer: a thread goes on, and nobody waits again."""
        deadline = time.perf_counter() + milliseconds / 1000
        while self._whole is None and self._thread is None and time.perf_counter() < deadline:
            self._step()
        if self._whole is None and self._thread is None:
            self._thread = threading.Thread(target=self._rest, name="stores", daemon=True)
            self._thread.start()
        return self._whole

    def wait(self, seconds: float) -> None:
        """Until the thread has read everything, if there is one."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _rest(self) -> None:
        while self._whole is None:
            quiet.wait()
            self._step()

    def _step(self) -> None:
        with self._lock:
            if self._left:
                path = self._left.pop()
                self._read.append((path, _of_file(self._root / path)))
            elif self._whole is None:
                self._whole = merged(self._read)
                self._read = []


_readings: WeakKeyDictionary[object, _Reading] = WeakKeyDictionary()
_files: dict[Path, tuple[tuple[int, int], Stores]] = {}


def _of_file(file: Path) -> Stores:
    """What a file stores; one that cannot be read stores nothing."""
    try:
        status = file.stat()
        stamp = status.st_mtime_ns, status.st_size
        known = _files.get(file)
        if known is None or known[0] != stamp:
            if len(_files) >= KEPT_FILES:
                _files.clear()
            known = _files[file] = stamp, stores(decoded(file.read_bytes()))
    except (OSError, ValueError):
        return Stores()
    return known[1]


def everywhere(snapshot: Snapshot, milliseconds: float) -> Stores | None:
    """What all files of the repository store, as they are on disk and as they are open.

    Takes about ``milliseconds`` at most; None where not all files were read yet.
    """
    reading = _readings.get(snapshot.disk)
    if reading is None:
        paths = (path for path in snapshot.paths if family_of(path) == PYTHON)
        reading = _readings.setdefault(snapshot.disk, _Reading(snapshot.root, paths))
    on_disk = reading.within(milliseconds)
    if on_disk is None:
        return None
    return _with_open(on_disk, snapshot)


def wait(snapshot: Snapshot, seconds: float) -> None:
    """Until what `everywhere` left to a thread is read; a request never does."""
    reading = _readings.get(snapshot.disk)
    if reading is not None:
        reading.wait(seconds)


_latest: tuple[object, Stores, Stores] | None = None


def _with_open(on_disk: Stores, snapshot: Snapshot) -> Stores:
    """``on_disk`` and what the open files store; the last answer is kept."""
    global _latest  # noqa: PLW0603  one workspace asks, again and again
    key = (snapshot.root, snapshot.generation)
    if _latest is not None and _latest[0] == key and _latest[1] is on_disk:
        return _latest[2]
    opened = [
        (path, stores(source(snapshot, path)))
        for path in snapshot.open_paths
        if family_of(path) == PYTHON
    ]
    both = merged(opened)
    subclasses = dict(on_disk.subclasses)
    for base, each in both.subclasses.items():
        subclasses[base] = tuple(dict.fromkeys((*subclasses.get(base, ()), *each)))
    found = Stores(
        names=on_disk.names | both.names,
        dynamic=on_disk.dynamic or both.dynamic,
        objects=on_disk.objects | both.objects,
        setters=on_disk.setters | both.setters,
        subclasses=subclasses,
    )
    _latest = (key, on_disk, found)
    return found


def subclasses(name: str, every: Stores) -> frozenset[tuple[str, str]] | None:
    """(path, class name) of all that inherit from a class called ``name``; None: too many.

    By name, so that there may be strangers among them.
    """
    found: set[tuple[str, str]] = set()
    waiting = [name]
    while waiting:
        for each in every.subclasses.get(waiting.pop(), ()):
            if each not in found:
                found.add(each)
                waiting.append(each[1])
        if len(found) > MOST_SUBCLASSES:
            return None
    return frozenset(found)
