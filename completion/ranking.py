"""LANCE: the order of the candidates, as a weighted sum of features, each with its evidence.

The idea is LANCE's (Nashid et al. 2024): names that the receiver, the imports and the inline
variables at the cursor are tied to come first. What LANCE leaves to a large language model is done
here by counting how the repository uses its own names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from completion.annotations import Role
from completion.candidates import Candidate, Candidates
from completion.context import Context, Place
from completion.matching import EXACT, match_quality
from completion.request import Evidence, Origin, Request
from completion.signatures import is_callable
from indexing.index import Snapshot
from indexing.symbols import last_part

NEARBY = 8192
"""How many bytes before the cursor count as near."""

UNSEEN = 1e-7
"""The least probability that the n-gram is believed to tell apart."""

WORTH_SAYING = 0.01
"""The least probability that is put into words."""


def over_unseen(log_probability: float) -> float:
    """How far a log-probability lies above that of a name that was never seen, at least 0.

    So a name without a probability, and a model that was not asked, change no score.
    """
    return max(0.0, log_probability - math.log(UNSEEN))


@dataclass(frozen=True, slots=True)
class Facts:
    """What the features read: computed once per request.

    ``after`` counts names used after receivers of this name in the repository, ``here`` after this
    very receiver in the file, and ``distance`` says how many names ago a name stood last. ``ngram``
    and ``model`` are log-probabilities by :func:`over_unseen`; empty where there is no such model
    or it was late. ``words`` are the parts of the names that the statement and its function are
    about; ``wanted`` is the name of what the expression is for: the parameter it fills, else the
    target it is assigned to. ``role`` is the receiver's.
    """

    context: Context
    path: str
    snapshot: Snapshot
    after: Mapping[str, int]
    here: Mapping[str, int]
    distance: Mapping[str, int]
    words: frozenset[str]
    wanted: str = ""
    role: str = ""
    ngram: Mapping[str, float] = field(default_factory=dict)
    model: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Feature:
    """One column: its value for a candidate, and that value in words (empty: not worth saying)."""

    name: str
    value: Callable[[Candidate, Facts], float]
    words: Callable[[Candidate, Facts], str] = lambda _candidate, _facts: ""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with its score and what made it."""

    candidate: Candidate
    score: float
    evidence: tuple[Evidence, ...]


def facts(request: Request, context: Context, found: Candidates, snapshot: Snapshot) -> Facts:
    """Count what the features need from the text and the index."""
    near = request.text[max(0, context.start - NEARBY) : context.start]
    words = [word.decode("utf-8", "replace") for word in _WORD.findall(near)]
    distance: dict[str, int] = {}
    for back, word in enumerate(reversed(words)):
        distance.setdefault(word, back)
    after = snapshot.used_after(context.receiver) if last_part(context.receiver) else {}
    here = _used_here(request.text, context)
    function = context.qualname.rpartition(".")[2]
    wanted = found.wanted or context.target.rpartition(".")[2]
    about = (wanted, function, *_statement_words(request, context))
    parts = frozenset(part for name in about for part in sub_words(name))
    role = found.receiver.role if found.receiver else ""
    return Facts(context, request.path, snapshot, after, here, distance, parts, wanted, role)


def _statement_words(request: Request, context: Context) -> list[str]:
    """The names in the unfinished statement, but for the receiver's."""
    text = request.text[context.statement : context.start].decode("utf-8", "replace")
    return re.findall(r"[^\W\d]\w*", text.removesuffix(f"{context.receiver}."))


@lru_cache(maxsize=16_384)
def sub_words(name: str) -> frozenset[str]:
    """``get_HTTPClient`` -> ``get``, ``http``, ``client``; parts of one letter are left out."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return frozenset(part.lower() for part in parts if len(part) > 1)


_WORD = re.compile(rb"[A-Za-z_\x80-\xff][\w\x80-\xff]*")


def _used_here(text: bytes, context: Context) -> dict[str, int]:
    """The names that follow this very receiver elsewhere in the file."""
    if context.place is not Place.MEMBER or not context.receiver:
        return {}
    dotted = context.receiver.encode() + b"."
    counts: dict[str, int] = {}
    at = text.find(dotted)
    while at >= 0:
        begin = at + len(dotted)
        name = _WORD.match(text, begin)
        if name and begin != context.start and not _continues(text, at):
            word = name[0].decode("utf-8", "replace")
            counts[word] = counts.get(word, 0) + 1
        at = text.find(dotted, begin)
    return counts


def _continues(text: bytes, at: int) -> bool:
    """Whether what begins at ``at`` is the end of a longer name or chain."""
    return at > 0 and (text[at - 1 : at].isalnum() or text[at - 1] in b"_.")


def rank(found: Candidates, known: Facts, limit: int) -> list[Ranked]:
    """The best ``limit`` candidates, best first; ties by name."""
    weights = WEIGHTS[known.context.place is Place.MEMBER]
    columns = [
        (feature, weights[feature.name], [feature.value(each, known) for each in found.items])
        for feature in FEATURES
        if feature.name in weights
    ]
    scores = [0.0] * len(found.items)
    for _, weight, values in columns:
        for index, value in enumerate(values):
            scores[index] += weight * value
    order = sorted(range(len(scores)), key=lambda i: (-scores[i], found.items[i].name))[:limit]
    return [
        Ranked(found.items[i], scores[i], _evidence(found.items[i], known, columns, i))
        for i in order
    ]


def _evidence(
    candidate: Candidate,
    known: Facts,
    columns: Sequence[tuple[Feature, float, list[float]]],
    index: int,
) -> tuple[Evidence, ...]:
    """What counts for or against the candidate, the heaviest first."""
    found = [
        Evidence(
            feature.name, values[index], weight * values[index], feature.words(candidate, known)
        )
        for feature, weight, values in columns
        if values[index]
    ]
    return tuple(sorted(found, key=lambda each: -abs(each.contribution)))


def telling(evidence: Sequence[Evidence]) -> list[Evidence]:
    """The evidence that people are shown: what ties the item to this place, then the heaviest."""
    told = [each for each in evidence if each.text and each.contribution]
    return sorted(told, key=lambda each: (each.feature not in _TIES, -abs(each.contribution)))


_TIES = frozenset((*Origin, "argument"))
"""The features whose words are the candidate's tie: the receiver, the scope, the import."""


# Features


def _origin(origin: Origin) -> Callable[[Candidate, Facts], float]:
    return lambda candidate, _facts: float(candidate.origin is origin)


def _tie_words(candidate: Candidate, _facts: Facts) -> str:
    return candidate.tie


def _private(candidate: Candidate, facts: Facts) -> float:
    name = candidate.name
    hidden = name.startswith("_") and not _is_dunder(name)
    own = facts.context.receiver in (facts.context.self_name, "super()")
    return float(hidden and not (own and candidate.depth == 0))


def _is_dunder(name: str) -> bool:
    return len(name) > 4 and name.startswith("__") and name.endswith("__")


def _is_test(path: str) -> bool:
    parts = path.split("/")
    return parts[-1].startswith(("test_", "conftest")) or "tests" in parts or "test" in parts


def _starts(context: Context) -> bool:
    """Whether the receiver begins the statement: an attribute alone would do nothing."""
    return context.start - context.statement == len(context.receiver) + 1


def _overlap(candidate: Candidate, facts: Facts) -> float:
    """The share of the name's parts that the statement or its function already mentions."""
    parts = sub_words(candidate.name)
    return len(parts & facts.words) / len(parts) if parts else 0.0


def _same(candidate: Candidate, facts: Facts) -> float:
    """``timeout=self.timeout``: a value is often called like what it is for."""
    return float(bool(facts.wanted) and candidate.name.strip("_") == facts.wanted.strip("_"))


_CALL_AFTER = frozenset(("await", "with", "@", "raise", "from"))


def _call_expected(candidate: Candidate, facts: Facts) -> float:
    """A value alone makes no sense after ``await`` or ``with``."""
    return float(is_callable(candidate.kind) and facts.context.before in _CALL_AFTER)


_VALUE_AFTER = frozenset(
    (
        *("if", "elif", "while", "not", "and", "or", "in", "is", "["),
        *("==", "!=", "<", ">", "<=", ">=", "+", "-", "*", "/", "%"),
    )
)


def _value_expected(candidate: Candidate, facts: Facts) -> float:
    """Conditions and operators read values more often than they call."""
    return float(not is_callable(candidate.kind) and facts.context.before in _VALUE_AFTER)


def _same_function(candidate: Candidate, facts: Facts) -> float:
    """``super().setup()`` in ``setup``: an override that extends calls what it overrides."""
    function = facts.context.qualname.rpartition(".")[2]
    return float(facts.context.receiver.startswith("super(") and candidate.name == function)


def _bound_method(candidate: Candidate, facts: Facts) -> float:
    """A plain method taken from the class, where it lacks its instance."""
    if facts.role != Role.CLASS or candidate.definition is None:
        return 0.0
    decorators = candidate.definition.decorators
    plain = not any("classmethod" in each or "staticmethod" in each for each in decorators)
    return float(candidate.kind == "method" and plain)


def _plural(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _after_words(candidate: Candidate, facts: Facts) -> str:
    number = facts.after.get(candidate.name, 0)
    return f"used {_plural(number)} after `{last_part(facts.context.receiver)}` in this repository"


def _here_words(candidate: Candidate, facts: Facts) -> str:
    number = facts.here.get(candidate.name, 0)
    return f"used {_plural(number)} after `{facts.context.receiver}` in this file"


def _uses_words(candidate: Candidate, facts: Facts) -> str:
    return f"used {_plural(facts.snapshot.use_count(candidate.name))} in this repository"


def _percent_words(
    column: Callable[[Facts], Mapping[str, float]], whose: str
) -> Callable[[Candidate, Facts], str]:
    def words(candidate: Candidate, facts: Facts) -> str:
        probability = UNSEEN * math.exp(column(facts).get(candidate.name, 0.0))
        return f"{whose} {100 * probability:.0f} %" if probability >= WORTH_SAYING else ""

    return words


def _recent(candidate: Candidate, facts: Facts) -> float:
    """1 for the name that stands last before the cursor, 1/2 for one 16 names earlier."""
    back = facts.distance.get(candidate.name)
    return 0.0 if back is None else 1 / (1 + back / 16)


def _bound_near(candidate: Candidate, facts: Facts) -> float:
    """1 for a name bound on the spot, falling to 0 with the logarithm of the distance in bytes."""
    if candidate.bound < 0:
        return 0.0
    distance = max(1, facts.context.start - candidate.bound)
    return max(0.0, 1.0 - math.log10(distance) / 5)


FEATURES = (
    Feature("member", _origin(Origin.MEMBER), _tie_words),
    Feature("scope", _origin(Origin.SCOPE), _tie_words),
    Feature("importable", _origin(Origin.IMPORTABLE), _tie_words),
    Feature("library", _origin(Origin.LIBRARY), _tie_words),
    Feature("used", _origin(Origin.USED), _tie_words),
    Feature("keyword", _origin(Origin.KEYWORD), _tie_words),
    Feature("argument", lambda c, _: float(c.name.endswith("=")), _tie_words),
    Feature(
        "ngram",
        lambda c, f: f.ngram.get(c.name, 0.0),
        _percent_words(lambda facts: facts.ngram, "n-gram"),
    ),
    Feature(
        "model",
        lambda c, f: f.model.get(c.name, 0.0),
        _percent_words(lambda f: f.model, "model"),
    ),
    Feature("after", lambda c, f: math.log1p(f.after.get(c.name, 0)), _after_words),
    Feature("here", lambda c, f: math.log1p(f.here.get(c.name, 0)), _here_words),
    Feature("uses", lambda c, f: math.log1p(f.snapshot.use_count(c.name)), _uses_words),
    Feature("recent", _recent, lambda _c, _f: "stands just above"),
    Feature("bound", _bound_near),
    Feature(
        "inherited", lambda c, _: float(min(c.depth, 3)), lambda c, _: f"inherited, {c.depth} up"
    ),
    Feature("private", _private, lambda _c, _f: "private"),
    Feature("dunder", lambda c, _: float(_is_dunder(c.name)), lambda _c, _f: "a special method"),
    Feature("callable", lambda c, _: float(is_callable(c.kind))),
    Feature("statement", lambda c, f: float(is_callable(c.kind) and _starts(f.context))),
    Feature("call", _call_expected),
    Feature("operand", _value_expected),
    Feature("same", _same, lambda _c, f: f"named like `{f.wanted}`, which it is for"),
    Feature("extends", _same_function, lambda c, _f: f"`{c.name}` is being extended"),
    Feature("unbound", _bound_method, lambda _c, _f: "a method of instances"),
    Feature("words", _overlap, lambda _c, _f: "shares words with this statement"),
    Feature("class", lambda c, _: float(c.kind == "class")),
    Feature("module", lambda c, _: float(c.kind == "module")),
    Feature("value", lambda c, _: float(c.kind in ("attribute", "constant", "variable"))),
    Feature(
        "test",
        lambda c, f: float(_is_test(c.path) and not _is_test(f.path)),
        lambda _c, _f: "defined in a test",
    ),
    Feature("exact", lambda c, f: float((match_quality(c.name, f.context.prefix) or 0) - EXACT)),
)

WEIGHTS: Mapping[bool, Mapping[str, float]] = {
    True: {
        "member": 1.2, "library": -0.5, "used": -0.7, "ngram": 0.4, "model": 0.1, "after": 0.4,
        "here": 0.4, "uses": -0.25, "recent": 0.7, "inherited": 0.2, "private": -0.5,
        "dunder": -1.5, "callable": 1.1, "statement": 0.9, "call": 0.3, "operand": 0.75,
        "same": 0.7, "extends": 2.0, "unbound": -0.6, "words": 2.0, "class": -0.3, "module": -0.2,
        "value": 0.25, "test": -0.5, "exact": 3.0,
    },
    False: {
        "scope": 2.1, "importable": -1.9, "library": 0.3, "keyword": 1.0, "argument": 1.0,
        "ngram": 0.4, "model": 0.1, "uses": 0.2, "recent": 0.7, "bound": 0.9, "dunder": -0.5,
        "callable": 0.8, "same": 0.4, "words": 0.6, "class": 0.2, "module": -0.6, "value": 0.4,
        "test": -0.5, "exact": 2.5,
    },
}  # fmt: skip
"""The weight of each feature after a dot (True) and elsewhere (False).

Fitted by softmax regression over the candidates of sampled call and attribute sites of twelve
development repositories, then rounded; ``docs/lab-log.md`` has the figures. The weights of
``model``, ``test``, ``keyword``, ``argument`` and, after a dot, ``exact`` are set by hand: the
sample says nothing about them. The first shipped model knows less than the repository's own counts:
any weight above 0.1 makes the order worse, so nobody waits for it unless told to.
"""
