"""Who completes CodeFill's items: the repository's n-gram, and networks with and without it.

Everybody sees the file up to the cursor (``--suffix``: and what follows the cursor's statement) as
an open buffer, which takes the place of the file on disk in all that is known of the repository:
symbols, uses and n-gram (``indexing/index.py``, ``indexing/ngrams.py``). So the repository is
indexed once, and still nobody has read on in the item's own file.
"""

from __future__ import annotations

import dataclasses
import math
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor

from completion.decoding import Session
from completion.engine import likely_names
from completion.fim import Layout, lay_out
from completion.languages import language_for
from completion.lexeme import Kind, scan
from completion.mixture import Partner
from completion.model.checkpoint import Loaded
from completion.model.quantised import quantised
from completion.prompting import prompt
from completion.request import Prompt, Request
from completion.search import Candidate, likeliest_lexemes
from completion.statements import BEAMS, likeliest_statements
from completion.tree import CanonicalModel, Place
from evaluation.codefill.items import Item
from evaluation.codefill.lexing import CLOSING, OPENING, split
from evaluation.codefill.normalise import Word
from indexing import lexemes as words_of
from indexing.build import build
from indexing.index import Index
from indexing.ngrams import View

PROPOSALS = 32
"""Words that the n-gram is asked for; more than the tables look at."""

RAW_SHARE = 0.1
"""Where strings and numbers together are likelier than this they are followed to their ends."""

STATEMENT_LEXEMES = 20
STATEMENT_TOKENS = 40
"""The longest statements that are written; the paper's longest one has 13 lexemes."""

INDENT = b"    "


@dataclass(frozen=True, slots=True)
class Asked:
    """An item as everybody is asked about it; ``prompt`` has the header of the repository.

    ``names`` are what the popup would offer.
    """

    item: Item
    text: bytes
    prompt: Prompt
    view: View
    names: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Next:
    """The likeliest next lexemes, best first, with their probabilities.

    ``raw`` are whole, in ``words`` strings and numbers may have been left at their beginnings.
    ``types`` are AST types by the type head, best first; empty where there is none.
    """

    words: list[tuple[Word, float]]
    raw: list[tuple[Word, float]]
    types: list[str]
    ms: float


@dataclass(frozen=True, slots=True)
class Rest:
    """What somebody takes for the rest of the statement."""

    words: list[Word]
    ms: float


class Arm(Protocol):
    """Whoever completes."""

    @property
    def name(self) -> str:
        """As the tables call it."""
        ...

    def next(self, asked: Asked) -> Next:
        """What stands next."""
        ...

    def rest(self, asked: Asked) -> Rest:
        """What ends the statement."""
        ...


@contextmanager
def indexed(root: Path) -> Iterator[Index]:
    """An index of ``root``, built in a folder that is thrown away."""
    with tempfile.TemporaryDirectory(prefix="lancefill-") as folder:
        build(root, Path(folder))
        yield Index.open(root, Path(folder))


def ask(index: Index, item: Item, data: bytes, *, suffix: bool) -> Asked:
    """Open the item's file up to the cursor; ``data`` is all of it."""
    text = data[: item.cut] + (data[item.statement_end :] if suffix else b"")
    index.update(item.path, text)
    snapshot = index.snapshot()
    ngrams = snapshot.ngrams
    assert ngrams is not None, "the index was just built"
    request = Request(item.path, text, item.cut)
    context = language_for(item.path).read(text, item.cut, snapshot.tree(item.path))
    return Asked(
        item=item,
        text=text,
        prompt=prompt(request, context, snapshot),
        view=ngrams.with_buffer(item.path, text),
        names=likely_names(request, context, snapshot),
    )


# --- the n-gram ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ngram:
    """The repository's n-gram alone: of line breaks it knows that blocks follow colons."""

    name: str = "repository n-gram"

    def next(self, asked: Asked) -> Next:
        """Its words, and its placeholders for strings and numbers."""
        start = time.perf_counter()
        words, depth = _context(asked), _depth(asked.item.before)
        raw = []
        for word, probability in asked.view.predict(words, limit=PROPOSALS):
            if word != words_of.NEWLINE:
                raw.append(((word, _kind(word)), probability))
            elif depth <= 0:
                raw.append(((_line_break(asked.item), Kind.BREAK), probability))
        strings, numbers = asked.view.score(words, (words_of.STRING, words_of.NUMBER))
        found = [*raw, ((b"", Kind.STRING), strings), ((b"", Kind.NUMBER), numbers)]
        found.sort(key=lambda one: -one[1])
        return Next(found, raw, [], _ms(start))

    def rest(self, asked: Asked) -> Rest:
        """Greedily, up to a line break outside of brackets."""
        start = time.perf_counter()
        context, depth = _context(asked), _depth(asked.item.before)
        found: list[Word] = []
        while len(found) < STATEMENT_LEXEMES:
            likeliest = self._likeliest(asked.view, context, ends=depth <= 0)
            if likeliest is None or likeliest == words_of.NEWLINE:
                break
            context.append(likeliest)
            found.append(_PLACEHOLDERS.get(likeliest, (likeliest, _kind(likeliest))))
            depth += (likeliest in OPENING) - (likeliest in CLOSING)
        return Rest(found, _ms(start))

    def _likeliest(self, view: View, context: Sequence[bytes], *, ends: bool) -> bytes | None:
        found = view.predict(context, limit=2)
        found += zip(_PLACEHOLDERS, view.score(context, list(_PLACEHOLDERS)), strict=True)
        allowed = [one for one in found if ends or one[0] != words_of.NEWLINE]
        return max(allowed, key=lambda one: one[1])[0] if allowed else None


_PLACEHOLDERS = {
    words_of.STRING: (b'""', Kind.STRING),
    words_of.NUMBER: (b"0", Kind.NUMBER),
}


def _context(asked: Asked) -> list[bytes]:
    """The words before the cursor, the one that touches it included: it is whole."""
    words, touching = asked.view.context(asked.item.cut)
    return [*words, touching] if touching else words


def _depth(before: Sequence[bytes]) -> int:
    return sum((one in OPENING) - (one in CLOSING) for one in before)


def _kind(word: bytes) -> Kind:
    return scan(word, inside=True).kind


def _line_break(item: Item) -> bytes:
    indent = b" " * item.scope.blocks[-1]
    return b"\n" + indent + (INDENT if item.before[-1:] == (b":",) else b"")


# --- networks --------------------------------------------------------------------------------


class Network:
    """A model in this process, whose type head is listened to."""

    def __init__(self, name: str, loaded: Loaded) -> None:
        self.name = name
        self.model = _Listening(loaded)


class _Listening(CanonicalModel):
    """Remembers what the type head says at the place that is scored next."""

    def __init__(self, loaded: Loaded) -> None:
        super().__init__(quantised(loaded.model), loaded.tokenizer)  # as the editor's model
        self._names: list[str] = list(loaded.manifest.get("types", ()))
        self._asked = False
        self.types: list[str] = []

    def listen(self) -> None:
        """Rank the types at the last of the places that are scored next."""
        self._asked, self.types = True, []

    def log_probs(self, hidden: Tensor, places: Sequence[Place]) -> Tensor:
        """As ever."""
        if self._asked and self._names:
            self._asked = False
            logits = getattr(self.network.heads(hidden[-1:]), "type_logits", None)
            if logits is not None:
                order = logits[0, : len(self._names)].argsort(descending=True).tolist()
                self.types = [self._names[index] for index in order]
        return super().log_probs(hidden, places)


class Model:
    """A network that sees the file alone, or with the repository: its signatures, n-gram, names."""

    def __init__(self, network: Network, *, repository: bool) -> None:
        self.name = f"{network.name} {'+ repository' if repository else '(file only)'}"
        self._model = network.model
        self._repository = repository
        self._session = Session(self._model.cache())

    def next(self, asked: Asked) -> Next:
        """By beam search over lexemes; the time is that of one search."""
        start = time.perf_counter()
        layout, partner = self._prepare(asked)
        self._model.listen()
        found = self._search(layout, partner, normalised=True)
        ms = _ms(start)
        words = _words(found)
        literals = sum(p for (_, kind), p in words if kind in (Kind.STRING, Kind.NUMBER))
        raw = words
        if literals > RAW_SHARE:
            raw = _words(self._search(layout, partner, normalised=False))
        return Next(words, raw, self._model.types, ms)

    def rest(self, asked: Asked) -> Rest:
        """The statement with the best score of a beam."""
        start = time.perf_counter()
        layout, partner = self._prepare(asked)
        found = likeliest_statements(
            self._model, self._session, layout, _never, beams=BEAMS,
            max_tokens=STATEMENT_TOKENS, partner=partner,
        )  # fmt: skip
        return Rest(split(found[0].text) if found else [], _ms(start))

    def _prepare(self, asked: Asked) -> tuple[Layout, Partner | None]:
        given = asked.prompt
        if not self._repository:
            given = dataclasses.replace(given, header="")
        layout, self._session.anchor = lay_out(self._model, given, self._session.anchor)
        if not self._repository:
            return layout, None
        return layout, Partner(asked.view, self._model.tokenizer, layout.before, asked.names)

    def _search(
        self, layout: Layout, partner: Partner | None, *, normalised: bool
    ) -> list[Candidate]:
        return likeliest_lexemes(
            self._model, self._session, layout, _never, normalised=normalised, partner=partner
        )


def _words(found: Sequence[Candidate]) -> list[tuple[Word, float]]:
    return [((one.text, one.kind), math.exp(one.log_prob)) for one in found]


def _never() -> bool:
    return False


def _ms(start: float) -> float:
    return 1000 * (time.perf_counter() - start)
