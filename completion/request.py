"""The values that go into and come out of completion. They know no protocol and no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Request:
    """Where completion is asked for.

    ``text`` is the whole document as UTF-8; ``offset`` a byte offset into it, on a character
    boundary; ``path`` the file's path relative to the workspace root with ``/`` separators (it may
    not exist on disk). ``selected`` is the popup item the editor currently previews (ghost text
    must extend it). ``automatic``: the editor asks by itself, nobody pressed a key for it.
    """

    path: str
    text: bytes
    offset: int
    selected: str | None = None
    automatic: bool = False


class Origin(StrEnum):
    """Where a candidate was found."""

    MEMBER = "member"  # of the receiver's class or module, in this repository
    SCOPE = "scope"  # a name bound in this file and visible here
    IMPORTABLE = "importable"  # defined elsewhere in this repository, offered with its import
    LIBRARY = "library"  # standard library or installed package, found by jedi
    USED = "used"  # seen used on receivers like this one, definition unknown
    KEYWORD = "keyword"
    ASKED = "asked"  # fits the comment above an empty line


@dataclass(frozen=True, slots=True)
class TextEdit:
    """Replace bytes ``[start, end)`` of the document by ``text``."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reason for an item's rank: a feature, its value, weight times value, and words."""

    feature: str
    value: float
    contribution: float
    text: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One popup item: ``edit`` replaces the typed prefix by the name (plus ``()`` when asked for).

    ``kind`` is a :class:`indexing.symbols.Kind` value, ``"keyword"`` or ``"parameter"``.
    ``snippet`` says that ``edit.text`` uses LSP snippet syntax. ``extra_edits`` bring in an import;
    they and ``evidence`` are worked out when they are looked at.
    ``location`` is ``(path, byte offset)`` of the definition when it is in this repository.
    """

    label: str
    kind: str
    origin: Origin
    edit: TextEdit
    score: float
    detail: str = ""
    documentation: str = ""
    snippet: bool = False
    extra_edits: Sequence[TextEdit] = ()
    evidence: Sequence[Evidence] = ()
    deprecated: bool = False
    location: tuple[str, int] | None = None


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """One API that fits a request in plain words.

    ``name`` is dotted from the module on, ``path`` and ``offset`` (a byte) where it is defined,
    ``call`` a call with parameter names as placeholders, ``imported`` the import statement that it
    needs (empty: none), which imports ``top`` from ``module``, ``used`` up to three
    ``(path, line)`` of its name's uses, lines from 1.
    """

    name: str
    kind: str
    signature: str
    documentation: str
    path: str
    offset: int
    call: str
    imported: str
    module: str
    top: str
    used: tuple[tuple[str, int], ...]
    score: float
    evidence: tuple[Evidence, ...] = ()


class Code(StrEnum):
    """Why a request ended with nothing, or with less than it could have."""

    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"
    DISABLED = "disabled"
    GATED = "gated"
    LANGUAGE = "language"
    MODEL_LOADING = "model-loading"
    MODEL_MISSING = "model-missing"
    MODEL_FAILED = "model-failed"
    LIBRARY_FAILED = "library-failed"
    DEADLINE = "deadline"
    LOW_CONFIDENCE = "low-confidence"
    EMPTY = "empty"
    REPEATS_SUFFIX = "repeats-suffix"
    REPEATS_ABOVE = "repeats-above"
    UNBALANCED = "unbalanced-brackets"
    SECRET = "secret"  # noqa: S105  a reason's name
    NO_CANDIDATES = "no-candidates"
    INDEXING = "indexing"
    UNKNOWN_NAME = "unknown-name"
    NOTHING_FITS = "nothing-fits"
    FAILED = "failed"
    FILE_TOO_LARGE = "file-too-large"
    NOT_INDEXED = "not-indexed"


@dataclass(frozen=True, slots=True)
class Reason:
    """A code that programs can match and a sentence that a person can read."""

    code: Code
    message: str


@dataclass(frozen=True, slots=True)
class Timing:
    """One step of a request's timeline; both in milliseconds since the request arrived."""

    step: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Popup:
    """A ranked list, best first; ``reasons`` say what was left out (late jedi, no model scores)."""

    items: tuple[Suggestion, ...]
    reasons: tuple[Reason, ...] = ()
    timeline: tuple[Timing, ...] = ()


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a ghost-text model is given, as text, before any tokenizer sees it.

    ``header`` is repository context (signatures), ``suffix`` what follows the cursor, ``prefix``
    what precedes it: a window that starts at a line start. ``sources`` names the files that the
    header came from, in its order. The order on the wire is SPM: header, suffix, prefix.
    """

    header: str
    suffix: str
    prefix: str
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ghost:
    """One inline suggestion, or the reason for none.

    ``edit`` inserts (or replaces from the start of the half-typed word); ``confidence`` is the
    probability, in [0, 1], that the shown text is what stands next on the line
    (``confidence.py``), worked out from ``signs``, and 0 where no text was left to show;
    ``tokens`` how many were generated, ``stop`` why no more were, ``reused`` how many of the
    prompt's were still in the cache. ``prompt`` and ``asked`` are what the model process was told.
    """

    edit: TextEdit | None
    reason: Reason | None = None
    confidence: float = 0.0
    tokens: int = 0
    stop: str = ""
    reused: int = 0
    prompt: Prompt | None = None
    asked: GhostOptions | None = None
    timeline: tuple[Timing, ...] = field(default=())
    signs: Mapping[str, float] = field(default_factory=dict)


class InsertCall(StrEnum):
    """What accepting a callable inserts after its name."""

    NONE = "none"
    PARENTHESES = "parentheses"
    PARAMETERS = "parameters"


@dataclass(frozen=True, slots=True)
class LibraryItem:
    """One name that jedi knows; ``kind`` as in :class:`Suggestion`; ``module`` is its origin."""

    name: str
    kind: str
    detail: str = ""
    documentation: str = ""
    module: str = ""


@dataclass(frozen=True, slots=True)
class LibraryAnswer:
    """What the library helper found in time; ``reason`` says why it is less than everything."""

    items: tuple[LibraryItem, ...] = ()
    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """Members that are completely known, so that no other may be written.

    ``here`` are those that can stand at the cursor, None where they are not known; ``receivers``
    those behind later dots, by the source before the dot; ``made`` names the receivers that a
    statement may begin with in order to make them a new attribute. ``fixed`` are names that no
    comprehension or ``lambda`` binds anew: ``self``, ``cls``, imported ones.
    """

    here: Sequence[str] | None = None
    receivers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    made: Sequence[str] = ()
    fixed: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class GhostOptions:
    """What one ghost-text request asks of the model process.

    ``ngrams`` is the folder of the repository's n-gram arrays, or None where there is none yet;
    ``adapter`` that of the model's adapter to the repository, or None where none was trained.
    ``names`` are names that may stand at the cursor, with what is typed of them, and P(name) if it
    is one of them; empty where nothing is known. ``known`` are names beside which no others exist.
    """

    max_tokens: int
    ngrams: str | None = None
    adapter: str | None = None
    names: Mapping[str, float] = field(default_factory=dict)
    known: Known = field(default_factory=Known)


NOTHING_FITS = "nothing fits"
"""The stop of a text behind which nothing may be written (`GhostOptions.known`)."""


@dataclass(frozen=True, slots=True)
class RawGhost:
    """What the model wrote: ``text`` continues the prompt's prefix from its last byte.

    ``confidence`` is the geometric mean probability per token, ``reused`` the number of prompt
    tokens whose keys and values were still cached, ``timeline`` the model process's own steps in
    milliseconds, ``stop`` why it ended, ``log_probs`` the natural-log probability of each token (a
    helper that does not say them leaves them empty).
    """

    text: str
    confidence: float
    tokens: int
    stop: str = ""
    reused: int = 0
    timeline: Mapping[str, float] = field(default_factory=dict)
    log_probs: Sequence[float] = ()
