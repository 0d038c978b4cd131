"""Which class an untyped receiver could be of: by its name, and by what is used on it nearby.

Statistics, not knowledge: every answer carries the evidence and the words that say so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from completion.annotations import Role, Scope, Tie, Type
from completion.context import Context
from indexing.languages import family_of
from indexing.resolve import Located, Target
from indexing.symbols import FileSymbols, Kind, last_part

MAX_GUESSES = 2
"""So many classes are offered for one receiver and kind of evidence."""

MAX_TRAITS = 6
"""So many of the names used on a receiver are looked up."""

MAX_OWNERS = 16
"""A name that more classes define says little about which one is meant."""

MAX_FITTED = 4
"""So many of the classes that have most of the names are asked for the others, too."""

MAX_PREFIXED = 12
"""So many of the names that begin like the receiver are looked at."""

ABBREVIATIONS = {
    "app": "application",
    "args": "arguments",
    "attr": "attribute",
    "cfg": "config",
    "conf": "config",
    "conn": "connection",
    "ctx": "context",
    "cur": "cursor",
    "db": "database",
    "elem": "element",
    "env": "environment",
    "err": "error",
    "evt": "event",
    "exc": "exception",
    "msg": "message",
    "mgr": "manager",
    "opts": "options",
    "params": "parameters",
    "proc": "process",
    "req": "request",
    "resp": "response",
    "res": "result",
    "sess": "session",
    "sig": "signature",
    "srv": "server",
    "tx": "transaction",
}
"""Short names that are not the beginning of the word they stand for, or that code uses often."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A class that the receiver may be an instance of, and why, for the ranker and for people."""

    type: Type
    how: Tie
    words: str


def guesses(context: Context, scope: Scope) -> Iterator[Guess]:
    """The likeliest classes first: structure, then the whole name, then a part of the name."""
    seen: set[Target] = set()
    for guess in (*_structural(context, scope), *_named_like(context.receiver, scope)):
        if guess.type.target not in seen:
            seen.add(guess.type.target)
            yield guess


# By what is used on it


def _structural(context: Context, scope: Scope) -> Iterator[Guess]:
    """Classes that have every name used on the variable: more than one, or one that is rare."""
    names = _traits(context, scope)
    found = Counter(
        owner
        for name in names
        for owner in dict.fromkeys(_owners(name, scope))  # each class counts once for a name
    )
    enough = 2 if len(names) > 1 else 1
    best = (owner for owner, number in found.most_common(MAX_FITTED) if number >= enough)
    fitting = (owner for owner in best if _has_all(owner, names, scope))
    words = ", ".join(f"`.{name}`" for name in names[:3])
    for owner in islice(fitting, MAX_GUESSES):
        type_ = Type(Role.INSTANCE, owner)
        said = f"`{context.receiver}` is used like a `{type_.name}`: {words}"
        yield Guess(type_, Tie.STRUCTURAL, said)


def _has_all(owner: Target, names: Sequence[str], scope: Scope) -> bool:
    definition = scope.snapshot.definition(owner)
    if definition is None or definition.kind is not Kind.CLASS:
        return False
    return all(scope.snapshot.lookup(owner, name) is not None for name in names)


def _traits(context: Context, scope: Scope) -> list[str]:
    """The names used on the receiver in the function or, on ``self.x``, in the class around."""
    symbols = scope.snapshot.symbols(scope.path)
    if symbols is None or not context.receiver:
        return []
    wide = context.receiver.startswith(f"{context.self_name}.") and bool(context.owner)
    start, end = _span(symbols, context.owner if wide else context.qualname)
    names = Counter(
        use.name
        for use in symbols.uses
        if use.receiver == context.receiver
        and start <= use.span[0] < end
        and not context.start <= use.span[1] <= context.end
    )
    rarest = sorted(names, key=scope.snapshot.use_count)
    return [name for name in rarest if not name.startswith("__")][:MAX_TRAITS]


def _span(symbols: FileSymbols, qualname: str) -> tuple[int, int]:
    """Where the definition stands; the whole file without one, nowhere where it is not known."""
    if not qualname:
        return 0, symbols.uses[-1].span[1] + 1 if symbols.uses else 0
    spans = (each.span for each in symbols.definitions if each.qualname == qualname)
    return next(spans, (0, 0))


def _owners(name: str, scope: Scope) -> Iterator[Target]:
    """What defines the name inside itself: classes, and some functions with functions in them."""
    located = scope.snapshot.named(name, MAX_OWNERS + 1, family_of(scope.path))
    for each in located if len(located) <= MAX_OWNERS else ():
        if each.definition.container and each.definition.kind is not Kind.CLASS:
            module = scope.snapshot.module_name(each.path)
            yield Target(each.path, each.definition.container, module)


# By its name


def _named_like(receiver: str, scope: Scope) -> Iterator[Guess]:
    """``http_client``: HttpClient or HTTPClient; ``clients[0]``: Client; ``conn``: Connection."""
    words = _words(receiver)
    if not words:
        return
    whole = "".join(words)
    for name, how in _spellings(words):
        located = _classes(name, scope)[:MAX_GUESSES]
        for each in located:
            module = scope.snapshot.module_name(each.path)
            type_ = Type(Role.INSTANCE, Target(each.path, each.definition.qualname, module))
            said = "named like" if name == whole else "named after"
            yield Guess(type_, how, f"`{receiver}` is {said} the class `{type_.name}`")
        if located:
            return


def _words(receiver: str) -> list[str]:
    """The words of the receiver's last name, in lower case; of an element the singular."""
    part = last_part(receiver)
    name = part.rstrip("()[]").strip("_")
    if not name.isidentifier() or name in ("self", "cls"):
        return []
    words = [word for word in _split(name) if word]
    if part.endswith("[]") and words and words[-1].endswith("s"):
        words[-1] = _singular(words[-1])
    return words


def _split(name: str) -> list[str]:
    spaced = "".join(f"_{char}" if char.isupper() else char for char in name)
    return spaced.lower().split("_") if not name.isupper() else name.lower().split("_")


def _singular(word: str) -> str:
    if word.endswith("ies"):
        return word[:-3] + "y"
    return word[:-2] if word.endswith(("sses", "xes", "ches")) else word[:-1]


def _spellings(words: list[str]) -> Iterator[tuple[str, Tie]]:
    """Folded class names to look for, best first."""
    yield "".join(words), Tie.NAMED_LIKE
    long = [ABBREVIATIONS.get(word, word) for word in words]
    if long != words:
        yield "".join(long), Tie.SHORTENED
    for first in range(1, min(len(words), 4)):
        yield "".join(long[first:]), Tie.SHORTENED


def _classes(folded: str, scope: Scope) -> list[Located]:
    """Classes of that name in any case, those that the file can see first."""
    if len(folded) < 2:
        return []
    snapshot = scope.snapshot
    family = family_of(scope.path)
    begun = snapshot.prefixed(folded, MAX_PREFIXED, top=True, family=family)
    capital = folded[:1].upper() + folded[1:]
    found = [
        each
        for each in (*begun, *snapshot.named(capital, MAX_GUESSES, family))
        if each.definition.kind is Kind.CLASS and _bare(each.definition.name) == folded
    ]
    seen = snapshot.bindings(scope.path)
    unique = {(each.path, each.definition.qualname): each for each in found}
    return sorted(unique.values(), key=lambda each: each.definition.name not in seen)


def _bare(name: str) -> str:
    return name.replace("_", "").lower()
