"""Conversational completion: from a request in plain words to the repository's APIs that fit it.

Two retrievers are fused: what an API says of itself (names in sub-words, signature, documentation;
BM25), and the comments that people wrote above calls of a name. Then come priors: how often it is
used, whether it is private, a test's, or deprecated. The answer is ready to use: signature, first
sentence, where it is used, a call and the import that it needs.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from completion.features import is_deprecated, is_test
from completion.languages import Language, language_for
from completion.request import ApiAnswer, Evidence
from indexing.apis import Found, Read, comment_above, match_query, opened
from indexing.apis import split as split_words
from indexing.index import Snapshot
from indexing.modules import PACKAGE_FILES
from indexing.resolve import Located, Target
from indexing.symbols import Definition, FileSymbols, Kind

CANDIDATES = 200
"""How many hits of each retriever are looked at."""

CLAUSE = re.compile(r"\s*(?:[,;.]\s+|\band then\b|\bthen\b|\band\b)\s*", re.IGNORECASE)
QUOTED = re.compile(r"`([^`]+)`|\b([^\W\d]\w*[_.][\w.]+|[a-z]+[A-Z]\w*)\b")
"""What a request names exactly: in backticks, or spelled as an identifier."""

WEIGHTS: Mapping[str, float] = {
    "words": 0.06,
    "calls": 0.11,
    "cover": 2.3,
    "told": 2.0,
    "letters": 3.5,
    "named": 8.0,
    "uses": -0.2,
    "here": 1.7,
    "imported": 3.3,
    "private": -2.0,
    "test": -3.0,
    "deprecated": -2.0,
    "class": 0.6,
}
"""What each piece of evidence counts: fitted on development repositories by softmax regression to
requests with the meant API's documentation hidden, with it there, and to comments above calls; but
for ``named``, of which such samples say nothing (docs/lab-log.md).
"""

SHOWN_USES = 3
LEAST_WORDS = 2
"""A comment of fewer words that say something is no request."""

STOP_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "to",
        "in",
        "on",
        "for",
        "and",
        "or",
        "is",
        "are",
        "be",
        "it",
        "its",
        "this",
        "that",
        "with",
        "as",
        "by",
        "from",
        "at",
        "into",
        "if",
    ]
)
"""Words that say nothing in English; BM25 alone leaves them some weight in small repositories."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A definition with its file and what speaks for it, by the names of `WEIGHTS`."""

    path: str
    definition: Definition
    parts: Mapping[str, float]

    @property
    def score(self) -> float:
        """The weighted sum."""
        return sum(WEIGHTS[name] * value for name, value in self.parts.items())


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request taken apart, and what the file that asks uses and imports."""

    words: Sequence[str]
    letters: Mapping[str, int]
    named: set[str]
    near: str
    here: Mapping[str, int]
    imported: set[str]


class Retriever:
    """Finds APIs of one workspace; keeps the word index of its files up to date."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Open the word index beside the snapshot's index and read the files that are new."""
        self._snapshot = snapshot
        self._disk = opened(snapshot.apis_file)
        files = snapshot.files_by_id
        self._disk.refresh(files, snapshot.read_by_id)
        self._open = opened(None)
        self._open_paths = dict(enumerate(sorted(snapshot.open_paths), 1))
        self._open.refresh(self._open_paths, self._read_open)

    def close(self) -> None:
        """Close the files."""
        self._disk.close()
        self._open.close()

    def _read_open(self, file: int) -> Read | None:
        path = self._open_paths[file]
        symbols = self._snapshot.symbols(path)
        text = self._snapshot.text(path)
        if symbols is None:
            return None
        return Read(file, symbols, self._snapshot.module_name(path), text)

    def search(self, request: str, limit: int, near: str = "") -> list[Hit]:
        """The APIs that fit the request best; ``near`` is the file that asks.

        A request of several clauses ("open X and run Y") keeps the best of each clause in the list.
        """
        best = self._ranked(request, near)
        clauses = [clause for clause in CLAUSE.split(request) if len(_words(clause)) > 1]
        firsts = [found[0] for each in clauses[:4] if (found := self._ranked(each, near))]
        if len(clauses) < 2:
            return best[:limit]
        head = best[: max(1, limit - len(firsts))]
        merged = [*head, *(hit for hit in firsts if not _among(hit, head))]
        return merged[:limit]

    def _ranked(self, request: str, near: str) -> list[Hit]:
        asked = self._asked(request, near)
        query = match_query(asked.words)
        if not query:
            return []
        under = self._disk.called_under(query, CANDIDATES)
        hits: dict[tuple[str, tuple[int, int]], Hit] = {}
        for path, definition, score in self._found(query, {*under, *asked.named}):
            key = path, definition.span
            if key not in hits or hits[key].parts["words"] < score:
                parts = self._parts(path, definition, score, under, asked)
                hits[key] = Hit(path, definition, parts)
        return sorted(hits.values(), key=lambda hit: (-hit.score, hit.path, hit.definition.span))

    def _asked(self, request: str, near: str) -> _Asked:
        snapshot = self._snapshot
        imported = (target.path for target in snapshot.bindings(near).values()) if near else ()
        return _Asked(
            words=_words(request),
            letters=letters(request),
            named={
                name.rpartition(".")[2] for pair in QUOTED.findall(request) for name in pair if name
            },
            near=near,
            here=snapshot.used_in(near) if near else {},
            imported={path for path in imported if path is not None and path != near},
        )

    def _found(self, query: str, names: set[str]) -> Iterator[tuple[str, Definition, float]]:
        """What either retriever found, with the BM25 of its own words."""
        snapshot = self._snapshot
        paths = snapshot.files_by_id
        for tables, known in ((self._disk, paths), (self._open, self._open_paths)):
            for found in tables.search(query, CANDIDATES):
                located = self._located(found, known, hidden=tables is self._disk)
                if located is not None:
                    yield *located, found.score
        for name in sorted(names):
            for each in snapshot.named(name, limit=4):
                if each.definition.kind in (Kind.FUNCTION, Kind.METHOD, Kind.CLASS):
                    yield each.path, each.definition, 0.0

    def _located(
        self, found: Found, paths: Mapping[int, str], *, hidden: bool
    ) -> tuple[str, Definition] | None:
        path = paths.get(found.file)
        if path is None or (hidden and path in self._snapshot.open_paths):
            return None
        symbols = self._snapshot.symbols(path)
        if symbols is None or found.ordinal >= len(symbols.definitions):
            return None
        return path, symbols.definitions[found.ordinal]

    def _parts(
        self,
        path: str,
        definition: Definition,
        score: float,
        under: Mapping[str, float],
        asked: _Asked,
    ) -> dict[str, float]:
        name = definition.name
        own = split_words(f"{definition.container}.{name}").split()
        covered = sum(any(_alike(word, each) for word in asked.words) for each in set(own))
        uses = self._snapshot.use_count(name)
        return {
            "words": score,
            "calls": under.get(name, 0.0),
            "cover": covered / len(set(own)) if own else 0.0,
            "told": _told_share(asked.words, definition.doc) ** 2,
            "letters": max(
                cosine(asked.letters, letters(name)),
                cosine(asked.letters, letters(definition.qualname)),
            ),
            "named": float(name in asked.named),
            "uses": math.log1p(uses),
            "here": math.log1p(asked.here.get(name, 0)),
            "imported": float(path in asked.imported),
            "private": float(name.startswith("_") or "._" in f".{definition.container}"),
            "test": float(is_test(path) and not is_test(asked.near)),
            "deprecated": float(is_deprecated(definition)),
            "class": float(definition.kind is Kind.CLASS),
        }


@lru_cache(maxsize=1 << 15)
def letters(text: str) -> Mapping[str, int]:
    """How often each three letters follow each other in the sub-words of a text."""
    padded = f" {split_words(text)} "
    return Counter(padded[at : at + 3] for at in range(len(padded) - 2))


def cosine(one: Mapping[str, int], other: Mapping[str, int]) -> float:
    """The cosine of two counts."""
    shared = sum(number * one.get(key, 0) for key, number in other.items())
    if not shared:
        return 0.0
    sizes = (sum(number * number for number in each.values()) for each in (one, other))
    return shared / math.sqrt(math.prod(sizes))


def _told_share(words: Sequence[str], doc: str) -> float:
    """The share of the request's words that the documentation uses too."""
    own = set(split_words(doc).split())
    return sum(any(_alike(word, each) for each in own) for word in words) / max(1, len(words))


def _among(hit: Hit, hits: Sequence[Hit]) -> bool:
    return any(hit.path == each.path and hit.definition == each.definition for each in hits)


def _words(request: str) -> list[str]:
    """The words of a request that say something, sub-words apart."""
    found = split_words(request).split()
    return [word for word in found if word not in STOP_WORDS] or found


def _alike(one: str, other: str) -> bool:
    """Whether two words have the same stem, roughly: all but the ending of the longer."""
    least = min(len(one), len(other))
    common = next((at for at in range(least) if one[at] != other[at]), least)
    return common >= max(3, max(len(one), len(other)) - 3) or one == other


# The answer


def asked_above(text: bytes, offset: int) -> str:
    """The request that a comment makes directly above the empty line of byte ``offset``, or ""."""
    start = text.rfind(b"\n", 0, offset) + 1
    end = text.find(b"\n", offset)
    if text[start : end if end >= 0 else len(text)].strip():
        return ""
    comment = comment_above(text, start)
    return comment if len(_words(comment)) >= LEAST_WORDS else ""


def ask(snapshot: Snapshot, request: str, limit: int, near: str = "") -> list[ApiAnswer]:
    """The APIs of the repository that fit a request in plain words, best first.

    ``near`` is the path of the file that asks (its imports need not be repeated), or empty.
    """
    retriever = Retriever(snapshot)
    try:
        return [_answer(snapshot, hit, near) for hit in retriever.search(request, limit, near)]
    finally:
        retriever.close()


def _answer(snapshot: Snapshot, hit: Hit, near: str) -> ApiAnswer:
    definition = hit.definition
    home, module = snapshot.module_name(hit.path), _module(snapshot, hit, near)
    top = definition.qualname.partition(".")[0]
    return ApiAnswer(
        name=f"{home}.{definition.qualname}".lstrip("."),
        kind=str(definition.kind),
        signature=f"{definition.name}{language_for(hit.path).signature(definition)}",
        documentation=_sentence(definition.doc),
        path=hit.path,
        offset=definition.name_span[0],
        call=_call(snapshot, hit),
        imported=_import(snapshot, hit, near, module) if module else "",
        module=module,
        top=top,
        used=tuple(snapshot.used_at(definition.name, hit.path, SHOWN_USES)),
        score=hit.score,
        evidence=tuple(_evidence(hit)),
    )


def _sentence(doc: str) -> str:
    end = re.search(r"[.!?](?:\s|$)", doc)
    return doc[: end.end()].strip() if end else doc


def _call(snapshot: Snapshot, hit: Hit) -> str:
    """A call with the parameters' names as placeholders, a method's on a variable of its class."""
    language, definition = language_for(hit.path), hit.definition
    arguments = ", ".join(language.required(definition))
    if definition.kind is Kind.CLASS:
        arguments = ", ".join(_constructor(snapshot, hit))
        return f"{language.construction}{definition.qualname}({arguments})"
    if definition.kind not in (Kind.METHOD, Kind.PROPERTY):
        return f"{definition.qualname}({arguments})"
    owner = definition.container
    receiver = owner if _is_static(definition) else _variable(owner, snake=language.snake_case)
    shown = f"{receiver}.{definition.name}"
    return shown if definition.kind is Kind.PROPERTY else f"{shown}({arguments})"


def _module(snapshot: Snapshot, hit: Hit, near: str) -> str:
    """What the file ``near`` must import the API's outermost name from; empty: nothing."""
    language = language_for(hit.path)
    top = hit.definition.qualname.partition(".")[0]
    if hit.path == near or (near and top in snapshot.bindings(near)):
        return ""
    definition = snapshot.definition(Target(hit.path, top, snapshot.module_name(hit.path)))
    if definition is None:
        return ""
    module = language.importable(Located(hit.path, definition), _asker(language, near), snapshot)
    return _public(snapshot, hit.path, module, top) if module else ""


def _import(snapshot: Snapshot, hit: Hit, near: str, module: str) -> str:
    """The import statement that the call needs in the file ``near``, as its language writes it."""
    language = language_for(hit.path)
    top, asker = hit.definition.qualname.partition(".")[0], _asker(language, near)
    edit = language.import_edit(b"", FileSymbols(), asker, snapshot, module, top)
    return edit.text.strip()


def _asker(language: Language, near: str) -> str:
    """The file that imports: ``near`` if it is of the API's language, else a new one."""
    return near if near and language_for(near).family == language.family else _new_file(language)


def _new_file(language: Language) -> str:
    """A file that does not exist yet at the root of the repository: it imports nothing."""
    return f"_{language.suffixes[0]}"


def _public(snapshot: Snapshot, path: str, module: str, name: str) -> str:
    """The outermost package that exports the name, else the module that defines it."""
    defined = snapshot.bindings(path).get(name)
    folders = path.split("/")[:-1]
    for depth in range(1, len(folders) + 1):
        package = "/".join((*folders[:depth], PACKAGE_FILES[0]))
        if defined is not None and snapshot.bindings(package).get(name) == defined:
            return snapshot.module_name(package)
    return module


def _is_static(definition: Definition) -> bool:
    static = ("classmethod", "staticmethod", "static")
    return any(each.rpartition(".")[2] in static for each in definition.decorators)


def _variable(container: str, *, snake: bool) -> str:
    """How a variable of the class would be called: ``http_client``, ``httpClient``."""
    first, *rest = split_words(container.rpartition(".")[2]).split() or [container]
    return "_".join((first, *rest)) if snake else first + "".join(map(str.capitalize, rest))


def _constructor(snapshot: Snapshot, hit: Hit) -> list[str]:
    symbols = snapshot.symbols(hit.path)
    for each in symbols.definitions if symbols else ():
        if each.name == "__init__" and each.container == hit.definition.qualname:
            return language_for(hit.path).required(each)
    return []


_TOLD = {
    "words": "its name, signature or documentation says so",
    "calls": "called under comments like this",
    "cover": "its name is made of these words",
    "told": "its documentation uses these words",
    "letters": "its name looks like these words",
    "named": "named in the request",
    "here": "used in this file",
    "imported": "its module is imported here",
    "private": "private",
    "test": "defined in a test",
    "deprecated": "deprecated",
}


def _evidence(hit: Hit) -> Iterator[Evidence]:
    """What speaks for and against the hit, the heaviest first."""
    weighed = {name: WEIGHTS[name] * value for name, value in hit.parts.items() if value}
    for name in sorted(weighed, key=lambda name: -abs(weighed[name])):
        yield Evidence(name, hit.parts[name], weighed[name], _TOLD.get(name, ""))
