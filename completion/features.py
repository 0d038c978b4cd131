"""What LANCE knows of each candidate, as numbers: one column per feature, each with its words.

The idea is LANCE's (Nashid et al. 2024): names that the receiver, the imports and the inline
variables at the cursor are tied to come first. What LANCE leaves to a large language model is done
here by counting how the repository uses its own names. How much each number counts is learned
(:mod:`completion.ranking`); this module only says what is the case.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from completion.annotations import Role, Tie
from completion.candidates import Candidate, Candidates
from completion.context import Context, Place
from completion.matching import EXACT, match_quality
from completion.request import Origin, Request
from completion.signatures import is_callable, required
from indexing.index import Snapshot
from indexing.ngrams import View
from indexing.symbols import Definition, last_part
from indexing.together import together

NEARBY = 8192
"""How many bytes before the cursor count as near."""

CLOSE = 240
"""How many bytes before the cursor count as close: the last few lines."""

BEFORE = 4
"""How many names called before are asked what usually follows them."""

UNSEEN = 1e-7
"""The least probability that the n-gram and the model are believed to tell apart."""

WORTH_SAYING = 0.01
"""The least probability that is put into words."""

OFTEN = 1.0
"""From which logarithm on a name is said to follow others often: 2.7 times what chance gives."""

Numbers = Mapping[str, float]
Words = frozenset[str]


def over_unseen(log_probability: float) -> float:
    """How far a log-probability lies above that of a name that was never seen, at least 0.

    So a name without a probability, and a model that was not asked, change no score.
    """
    return max(0.0, log_probability - math.log(UNSEEN))


@dataclass(frozen=True, slots=True)
class Facts:
    """What the features read: computed once per request.

    ``after`` counts names used after receivers of this name in the repository, ``here`` after this
    very receiver in the file, ``in_file`` names used in the file; ``distance`` says how many names
    ago a name stood last, ``called`` what was called before, the nearest first. ``wanted`` is the
    name of what the expression is for: the parameter it fills, else the target it is assigned to.
    ``target``, ``function``, ``statement``, ``comment`` and ``close`` are the sub-words of that
    name, of the function around, of the unfinished statement, of the comment above it and of the
    last lines; ``expected`` those of the type that is returned here. ``role`` is the receiver's.

    ``ngram`` and ``model`` map names to log-probabilities by :func:`over_unseen`; they are empty
    where there is no such opinion or it was late. ``beside`` says how much more often than by
    chance a name follows those in ``called``.
    """

    context: Context
    path: str
    snapshot: Snapshot
    after: Mapping[str, int]
    here: Mapping[str, int]
    in_file: Mapping[str, int]
    distance: Mapping[str, int]
    called: tuple[str, ...]
    target: Words
    function: Words
    statement: Words
    comment: Words
    close: Words
    expected: Words
    wanted: str = ""
    role: str = ""
    ngram: Numbers = field(default_factory=dict)
    beside: Numbers = field(default_factory=dict)
    model: Numbers = field(default_factory=dict)


Items = Sequence[Candidate]
Column = Callable[[Items, Facts], Sequence[float]]


@dataclass(frozen=True, slots=True)
class Feature:
    """One column: its values for the candidates, and the value of one in words.

    ``group`` is what is left out together when the worth of features is measured. ``grows``: more
    of it may only raise (1) or only lower (-1) a candidate, whatever a sample seems to say; 0 where
    it may do both. Features without words are not worth saying.
    """

    name: str
    group: str
    column: Column
    words: Callable[[Candidate, Facts], str] | None = None
    grows: int = 0

    def told(self, candidate: Candidate, known: Facts, value: float) -> str:
        """The value in words; empty where there are none."""
        return self.words(candidate, known) if self.words is not None and value else ""


def facts(
    request: Request, context: Context, found: Candidates, snapshot: Snapshot, view: View | None
) -> Facts:
    """Count what the features need from the text, the index and the n-gram."""
    near = _names_in(request.text[max(0, context.start - NEARBY) : context.start])
    distance: dict[str, int] = {}
    for back, word in enumerate(reversed(near)):
        distance.setdefault(word, back)
    function = context.qualname.rpartition(".")[2]
    wanted = found.wanted or context.target.rpartition(".")[2]
    statement = request.text[context.statement : context.start].decode("utf-8", "replace")
    known = Facts(
        context=context,
        path=request.path,
        snapshot=snapshot,
        after=snapshot.used_after(context.receiver) if last_part(context.receiver) else {},
        here=_used_here(request.text, context),
        in_file=snapshot.used_in(request.path),
        distance=distance,
        called=_called_before(request.text, context),
        target=sub_words(wanted),
        function=sub_words(function),
        statement=_parts(_WORD.findall(statement.removesuffix(f"{context.receiver}."))),
        comment=_parts(_comment_above(request.text, context.statement)),
        close=_parts(_names_in(request.text[max(0, context.start - CLOSE) : context.start])),
        expected=_expected_type(context, request.path, snapshot),
        wanted=wanted,
        role=str(found.receiver.role) if found.receiver else "",
    )
    return with_counts(known, found, view)


def with_counts(known: Facts, found: Candidates, view: View | None) -> Facts:
    """The facts with the n-gram's counts for every candidate."""
    if view is None or not found.items:
        return known
    names = [each.name.rstrip("=").encode() for each in found.items]
    before, _ = view.context(known.context.start)
    logs = (math.log(max(score, UNSEEN)) for score in view.score(before, names))
    lifts = together(view.mapped, [word.encode() for word in known.called], names)
    beside = lifts.max(axis=0, initial=0.0).tolist()
    pairs = list(zip(found.items, logs, beside, strict=True))
    return replace(
        known,
        ngram={each.name: over_unseen(log) for each, log, _ in pairs},
        beside={each.name: lift for each, _, lift in pairs},
    )


# What stands around the cursor

_WORD = re.compile(r"[^\W\d]\w*")
_NAME = re.compile(rb"[A-Za-z_\x80-\xff][\w\x80-\xff]*")
_CALLED = re.compile(rb"([A-Za-z_\x80-\xff][\w\x80-\xff]*)[ \t]*\(")
_COMMENT = re.compile(rb"[ \t]*(?:#|//|\*|/\*)[ \t]*([^\r\n]*)")


def _names_in(text: bytes) -> list[str]:
    return [word.decode("utf-8", "replace") for word in _NAME.findall(text)]


def _called_before(text: bytes, context: Context) -> tuple[str, ...]:
    """The last `BEFORE` different names that are called above, the nearest first."""
    near = text[max(0, context.statement - NEARBY // 4) : context.start]
    names = (name.decode("utf-8", "replace") for name in reversed(_CALLED.findall(near)))
    return tuple(islice(dict.fromkeys(names), BEFORE))


def _comment_above(text: bytes, statement: int) -> list[str]:
    """The words of the comment lines that end directly above the statement."""
    end = text.rfind(b"\n", 0, statement)
    words: list[str] = []
    while end > 0:
        begin = text.rfind(b"\n", 0, end) + 1
        comment = _COMMENT.match(text, begin, end)
        if comment is None:
            break
        words += _WORD.findall(comment[1].decode("utf-8", "replace"))
        end = begin - 1
    return words


def _expected_type(context: Context, path: str, snapshot: Snapshot) -> Words:
    """The sub-words of the enclosing function's return type, where its value is written."""
    if context.before != "return":
        return frozenset()
    symbols = snapshot.symbols(path)
    for definition in symbols.definitions if symbols else ():
        start, end = definition.span
        if start <= context.start <= end and definition.qualname == context.qualname:
            return type_words(definition.returns)
    return frozenset()


@lru_cache(maxsize=16_384)
def sub_words(name: str) -> Words:
    """``get_HTTPClient`` -> ``get``, ``http``, ``client``; parts of one letter are left out."""
    parts = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)
    return frozenset(part.lower() for part in parts if len(part) > 1)


@lru_cache(maxsize=16_384)
def type_words(annotation: str | None) -> Words:
    """The sub-words of a type as it is written, without the wrappers that say nothing."""
    return _parts(_WORD.findall(annotation or "")) - _WRAPPERS


_WRAPPERS = frozenset(("none", "optional", "union", "any", "list", "dict", "tuple", "type"))


def _parts(names: Iterable[str]) -> Words:
    return frozenset(part for name in names for part in sub_words(name))


def _used_here(text: bytes, context: Context) -> dict[str, int]:
    """The names that follow this very receiver elsewhere in the file."""
    if context.place is not Place.MEMBER or not context.receiver:
        return {}
    dotted = context.receiver.encode() + b"."
    counts: dict[str, int] = {}
    at = text.find(dotted)
    while at >= 0:
        begin = at + len(dotted)
        name = _NAME.match(text, begin)
        if name and begin != context.start and not _continues(text, at):
            word = name[0].decode("utf-8", "replace")
            counts[word] = counts.get(word, 0) + 1
        at = text.find(dotted, begin)
    return counts


def _continues(text: bytes, at: int) -> bool:
    """Whether what begins at ``at`` is the end of a longer name or chain."""
    return at > 0 and (text[at - 1 : at].isalnum() or text[at - 1] in b"_.")


# Columns


def _each(value: Callable[[Candidate, Facts], float]) -> Column:
    """A column whose value is worked out for each candidate by itself."""
    return lambda items, facts: [value(each, facts) for each in items]


def _origin(origin: Origin) -> Column:
    return lambda items, _facts: [float(each.origin is origin) for each in items]


def _tied_by(*ties: Tie) -> Column:
    return lambda items, _facts: [float(each.how in ties) for each in items]


def _kind(*kinds: str) -> Column:
    return lambda items, _facts: [float(each.kind in kinds) for each in items]


def _everywhere(value: Callable[[Facts, Items], float]) -> Column:
    """A column that says something of the place: the same for every candidate."""

    def column(items: Items, facts: Facts) -> list[float]:
        return [value(facts, items)] * len(items)

    return column


def _counted(counts: Callable[[Facts], Mapping[str, int]]) -> Column:
    """How often, as the logarithm of one more."""

    def column(items: Items, facts: Facts) -> list[float]:
        known = counts(facts)
        return [math.log1p(known.get(each.name, 0)) for each in items]

    return column


def _opinion(scores: Callable[[Facts], Numbers]) -> Column:
    def column(items: Items, facts: Facts) -> list[float]:
        known = scores(facts)
        return [known.get(each.name, 0.0) for each in items]

    return column


def _behind(scores: Callable[[Facts], Numbers]) -> Column:
    """How far the opinion on a candidate lies behind that on the best one."""

    def column(items: Items, facts: Facts) -> list[float]:
        values = [scores(facts).get(each.name, 0.0) for each in items]
        best = max(values, default=0.0)
        return [value - best for value in values]

    return column


def _place_in(scores: Callable[[Facts], Numbers]) -> Column:
    """The candidate's place when only this opinion counts, from 0; at most 20."""

    def column(items: Items, facts: Facts) -> list[float]:
        values = np.array([scores(facts).get(each.name, 0.0) for each in items])
        better: list[float] = np.minimum(
            (values[None, :] > values[:, None]).sum(axis=1), 20.0
        ).tolist()
        return better

    return column


def _overlap(words: Callable[[Facts], Words]) -> Column:
    """The share of the name's parts that are among ``words``."""

    def column(items: Items, facts: Facts) -> list[float]:
        known = words(facts)
        if not known:
            return [0.0] * len(items)
        return [_share(sub_words(each.name), known) for each in items]

    return column


def _share(parts: Words, known: Words) -> float:
    return len(parts & known) / len(parts) if parts else 0.0


def _returns(words: Callable[[Facts], Words]) -> Column:
    """The share of the return type's parts (a class: of its name's) that are among ``words``."""

    def column(items: Items, facts: Facts) -> list[float]:
        known = words(facts)
        if not known:
            return [0.0] * len(items)
        return [_share(type_words(_result(each)), known) for each in items]

    return column


def _result(candidate: Candidate) -> str | None:
    definition = candidate.definition
    if definition is None:
        return None
    if candidate.kind == "class":
        return definition.name
    return definition.returns or definition.annotation


def _private(candidate: Candidate, facts: Facts) -> float:
    name = candidate.name
    hidden = name.startswith("_") and not _is_dunder(name)
    own = facts.context.receiver in (facts.context.self_name, "super()")
    return float(hidden and not (own and candidate.depth == 0))


def _is_dunder(name: str) -> bool:
    return len(name) > 4 and name.startswith("__") and name.endswith("__")


_TEST_FOLDERS = frozenset(("test", "tests", "__tests__"))
_TEST_FILE = re.compile(r"test_|conftest\.|.*[._](?:test|spec)\.|.*Tests?\.java$")


@lru_cache(maxsize=4096)
def is_test(path: str) -> bool:
    """Whether a file holds tests, by its name or a folder's."""
    *folders, name = path.split("/")
    return not _TEST_FOLDERS.isdisjoint(folders) or _TEST_FILE.match(name) is not None


def _starts(context: Context) -> bool:
    """Whether the receiver begins the statement: an attribute alone would do nothing."""
    return context.start - context.statement == len(context.receiver) + 1


def _same(candidate: Candidate, facts: Facts) -> float:
    """``timeout=self.timeout``: a value is often called like what it is for."""
    return float(bool(facts.wanted) and candidate.name.strip("_") == facts.wanted.strip("_"))


_CALL_AFTER = frozenset(("await", "with", "@", "raise", "from"))


def _call_expected(candidate: Candidate, facts: Facts) -> float:
    """A value alone makes no sense after ``await`` or ``with``."""
    expected = facts.context.called or facts.context.before in _CALL_AFTER
    return float(is_callable(candidate.kind) and expected)


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


def _itself(candidate: Candidate, facts: Facts) -> float:
    """Functions seldom call themselves."""
    return float(candidate.name == facts.context.qualname.rpartition(".")[2])


def _bound_method(candidate: Candidate, facts: Facts) -> float:
    """A plain method taken from the class, where it lacks its instance."""
    if facts.role != Role.CLASS or candidate.definition is None:
        return 0.0
    decorators = candidate.definition.decorators
    plain = not any("classmethod" in each or "staticmethod" in each for each in decorators)
    return float(candidate.kind == "method" and plain)


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


def _distance(candidate: Candidate, facts: Facts) -> float:
    """How many folders lie between the definition's file and this one: -1 for no file, 1 for one
    in the same folder and for this file itself. That a name is defined in this very file must not
    count: the ranker is fitted to calls of other files' definitions alone.
    """
    if not candidate.path:
        return -1.0
    return float(max(1, _steps(candidate.path, facts.path)))


@lru_cache(maxsize=4096)
def _steps(one: str, other: str) -> int:
    if one == other:
        return 0
    left, right = one.split("/"), other.split("/")
    common = 0
    for a, b in zip(left[:-1], right[:-1], strict=False):
        if a != b:
            break
        common += 1
    return min(8, 1 + len(left) + len(right) - 2 - 2 * common)


def _deprecated(candidate: Candidate, _facts: Facts) -> float:
    return float(candidate.definition is not None and is_deprecated(candidate.definition))


def is_deprecated(definition: Definition) -> bool:
    """Whether a decorator, a modifier or the first words of the documentation say so."""
    told = definition.doc[:40].lower()
    return "deprecated" in told or any("deprecated" in each for each in definition.decorators)


def _needed(candidate: Candidate, _facts: Facts) -> float:
    """How many arguments a call must pass; -1 where that is not known."""
    definition = candidate.definition
    if definition is None or not is_callable(candidate.kind):
        return -1.0
    return float(min(5, len(required(definition))))


# Words


def _tie_words(candidate: Candidate, _facts: Facts) -> str:
    return candidate.tie


def _import_words(candidate: Candidate, _facts: Facts) -> str:
    files = (
        "one file imports" if candidate.importers == 1 else f"{candidate.importers} files import"
    )
    return f"{files} it"


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
    column: Callable[[Facts], Numbers], whose: str
) -> Callable[[Candidate, Facts], str]:
    def words(candidate: Candidate, facts: Facts) -> str:
        probability = UNSEEN * math.exp(column(facts).get(candidate.name, 0.0))
        return f"{whose} {100 * probability:.0f} %" if probability >= WORTH_SAYING else ""

    return words


def _beside_words(candidate: Candidate, facts: Facts) -> str:
    if facts.beside.get(candidate.name, 0.0) < OFTEN:
        return ""
    called = " and ".join(f"`{name}`" for name in facts.called[:2])
    return f"often follows {called}"


def _says(text: str) -> Callable[[Candidate, Facts], str]:
    return lambda _candidate, _facts: text


def _uses(items: Items, facts: Facts) -> list[float]:
    counts = facts.snapshot.use_counts([each.name for each in items])
    return [math.log1p(counts[each.name]) for each in items]


def _ngram(facts: Facts) -> Numbers:
    return facts.ngram


def _model(facts: Facts) -> Numbers:
    return facts.model


FEATURES = (
    # what ties the candidate to this place
    Feature("member", "receiver", _origin(Origin.MEMBER), _tie_words),
    Feature("scope", "receiver", _origin(Origin.SCOPE), _tie_words, grows=1),
    Feature("importable", "imports", _origin(Origin.IMPORTABLE), _tie_words, grows=-1),
    Feature("library", "receiver", _origin(Origin.LIBRARY), _tie_words),
    Feature("used", "receiver", _origin(Origin.USED), _tie_words),
    Feature("keyword", "receiver", _origin(Origin.KEYWORD), _tie_words),
    Feature("argument", "shape", _each(lambda c, _: float(c.name.endswith("="))), _tie_words),
    Feature("certain", "receiver", _each(lambda c, _: float(c.how.certain))),
    Feature("structural", "receiver", _tied_by(Tie.STRUCTURAL)),
    Feature("named_like", "receiver", _tied_by(Tie.NAMED_LIKE, Tie.SHORTENED)),
    Feature("importers", "imports", _each(lambda c, _: math.log1p(c.importers)), _import_words),
    Feature("siblings", "imports", _each(lambda c, _: math.log1p(c.siblings))),
    # the repository's n-gram
    Feature("ngram", "ngram", _opinion(_ngram), _percent_words(_ngram, "n-gram"), grows=1),
    Feature("ngram_behind", "ngram", _behind(_ngram), grows=1),
    Feature("ngram_place", "ngram", _place_in(_ngram), grows=-1),
    # the model
    Feature("model", "model", _opinion(_model), _percent_words(_model, "model"), grows=1),
    Feature("model_behind", "model", _behind(_model), grows=1),
    # use counts
    Feature("after", "uses", _counted(lambda f: f.after), _after_words, grows=1),
    Feature("here", "uses", _counted(lambda f: f.here), _here_words, grows=1),
    Feature("in_file", "uses", _counted(lambda f: f.in_file), grows=1),
    Feature("uses", "uses", _uses, _uses_words, grows=1),
    # what was written before
    Feature("recent", "recency", _each(_recent), _says("stands just above"), grows=1),
    Feature("bound", "recency", _each(_bound_near), grows=1),
    Feature("beside", "together", _opinion(lambda f: f.beside), _beside_words, grows=1),
    Feature("beside_behind", "together", _behind(lambda f: f.beside)),
    # inheritance, visibility, where it is defined
    Feature(
        "inherited",
        "inheritance",
        _each(lambda c, _: float(min(c.depth, 3))),
        lambda c, _: f"inherited, {c.depth} up",
    ),
    Feature("private", "visibility", _each(_private), _says("private"), grows=-1),
    Feature(
        "dunder",
        "visibility",
        _each(lambda c, _: float(_is_dunder(c.name))),
        _says("a special method"),
        grows=-1,
    ),
    Feature("distance", "distance", _each(_distance)),
    Feature(
        "test",
        "tests",
        _each(lambda c, f: float(is_test(c.path) and not is_test(f.path))),
        _says("defined in a test"),
        grows=-1,
    ),
    Feature("deprecated", "visibility", _each(_deprecated), _says("deprecated"), grows=-1),
    # what kind of thing fits here
    Feature("callable", "shape", _each(lambda c, _: float(is_callable(c.kind)))),
    Feature(
        "statement",
        "shape",
        _each(lambda c, f: float(is_callable(c.kind) and _starts(f.context))),
        grows=1,
    ),
    Feature("call", "shape", _each(_call_expected), grows=1),
    Feature("operand", "shape", _each(_value_expected), grows=1),
    Feature("needed", "shape", _each(_needed)),
    Feature("unbound", "shape", _each(_bound_method), _says("a method of instances"), grows=-1),
    Feature("class", "shape", _kind("class")),
    Feature("module", "shape", _kind("module")),
    Feature("value", "shape", _kind("attribute", "constant", "variable")),
    Feature("property", "shape", _kind("property")),
    Feature(
        "returns_target",
        "returns",
        _returns(lambda f: f.target),
        _says("gives what is asked for"),
        grows=1,
    ),
    Feature(
        "returns_type",
        "returns",
        _returns(lambda f: f.expected),
        _says("gives what is returned"),
        grows=1,
    ),
    # sub-words in common
    Feature(
        "same",
        "words",
        _each(_same),
        lambda _c, f: f"named like `{f.wanted}`, which it is for",
        grows=1,
    ),
    Feature(
        "extends",
        "words",
        _each(_same_function),
        lambda c, _: f"`{c.name}` is being extended",
        grows=1,
    ),
    Feature("itself", "words", _each(_itself), grows=-1),
    Feature(
        "words",
        "words",
        _overlap(lambda f: f.target | f.function | f.statement),
        _says("shares words with this statement"),
        grows=1,
    ),
    Feature("target_words", "words", _overlap(lambda f: f.target), grows=1),
    Feature("function_words", "words", _overlap(lambda f: f.function)),
    Feature(
        "comment_words",
        "words",
        _overlap(lambda f: f.comment),
        _says("shares words with the comment above"),
        grows=1,
    ),
    Feature("close_words", "words", _overlap(lambda f: f.close)),
    Feature("word_count", "words", _each(lambda c, _: float(len(sub_words(c.name))))),
    # how well it matches what is typed
    Feature(
        "exact",
        "match",
        _each(lambda c, f: float((match_quality(c.name, f.context.prefix) or 0) - EXACT)),
        grows=1,
    ),
    # the place, the same for all: what the others are worth here
    Feature("typed", "place", _everywhere(lambda f, _: float(min(4, len(f.context.prefix))))),
    Feature("many", "place", _everywhere(lambda _, items: math.log1p(len(items)))),
    Feature("known", "place", _everywhere(lambda f, _: float(bool(f.role)))),
    Feature("testing", "place", _everywhere(lambda f, _: float(is_test(f.path)))),
    Feature("starts", "place", _everywhere(lambda f, _: float(_starts(f.context)))),
)


SHORTLIST = 120
"""How many candidates are looked at closely; a popup shows 50."""


def shortlist(found: Candidates, known: Facts) -> Candidates:
    """The candidates that cost the closer look: all, or those that the counts speak for most."""
    if len(found.items) <= SHORTLIST:
        return found

    def promise(candidate: Candidate) -> float:
        counts = known.after.get(candidate.name, 0) + known.in_file.get(candidate.name, 0)
        own = candidate.how.certain or candidate.origin is Origin.SCOPE
        return known.ngram.get(candidate.name, 0.0) + math.log1p(counts) + 3.0 * own

    best = sorted(found.items, key=promise, reverse=True)[:SHORTLIST]
    return replace(found, items=tuple(best))


def matrix(found: Candidates, known: Facts) -> NDArray[np.float64]:
    """The features of every candidate: ``(candidates, len(FEATURES))``."""
    columns = [feature.column(found.items, known) for feature in FEATURES]
    return np.array(columns, np.float64).T.reshape(len(found.items), len(FEATURES))
