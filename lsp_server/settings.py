"""Every setting: its type, its one default, its help text, and what happens to a wrong value.

The settings reference is written from :func:`table`, the VS Code extension's schema checked against
it. A setting that is unknown or has a wrong type costs a warning and keeps the value it had: never
an error.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any, TypeVar

from completion.engine import Options
from completion.request import InsertCall

SECTION = "lancefill"
TRUST = "workspaceTrusted"
"""In the initialization options: false where the person does not trust the workspace (yet)."""
CLIENT_ONLY = frozenset({"path", "trace", TRUST})
"""Keys that the editor's side reads; the server passes over them without a warning."""


class PopupMode(StrEnum):
    """How much of a popup is sent: beside another server, only what is to stand on top of it."""

    FULL = "full"
    PROMOTE = "promote"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value must be: one of ``choices``, within the bounds, of the default's type."""

    help: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None


T = TypeVar("T")


def _setting(*, default: T, rule: Rule) -> T:
    value: T = field(default=default, metadata={"rule": rule})
    return value


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings in force. In JSON their names are camelCase, in the section ``lancefill``."""

    popup: str = _setting(
        default=str(PopupMode.FULL),
        rule=Rule(
            "Offer ranked names in the popup; promote: the best five, on top of another server's.",
            choices=tuple(str(choice) for choice in PopupMode),
        ),
    )
    ghost_text: bool = _setting(
        default=True,
        rule=Rule("Offer ghost text (inline suggestions); off: no model process is started."),
    )
    popup_deadline_ms: int = _setting(
        default=30,
        rule=Rule(
            "The popup is sent after this time with whatever is known.", minimum=5, maximum=2000
        ),
    )
    max_latency_ms: int = _setting(
        default=350,
        rule=Rule(
            "Ghost text that would come later than this is not shown.", minimum=20, maximum=10000
        ),
    )
    # The least step of 0.05 from which on two of three shown texts help, cross-validated on
    # development repositories (`lancefill eval confidence --role dev --fit` says it).
    min_confidence: float = _setting(
        default=0.3,
        rule=Rule(
            "Ghost text that is less probably right than this is not shown.",
            minimum=0.0,
            maximum=1.0,
        ),
    )
    insert_call: str = _setting(
        default=str(InsertCall.NONE),
        rule=Rule(
            "What accepting a function inserts after its name.",
            choices=tuple(str(choice) for choice in InsertCall),
        ),
    )
    auto_import: bool = _setting(
        default=True,
        rule=Rule("Offer names of the repository that are not imported yet, with their import."),
    )
    in_comments_and_strings: bool = _setting(
        default=False,
        rule=Rule("Offer ghost text inside comments and strings too."),
    )
    interpreter: str = _setting(
        default="",
        rule=Rule(
            "The project's Python, for its installed packages; empty: .venv, then VIRTUAL_ENV."
        ),
    )
    device: str = _setting(
        default="auto",
        rule=Rule("Where the model runs.", choices=("auto", "cpu", "cuda")),
    )
    exclude: tuple[str, ...] = _setting(
        default=(),
        rule=Rule("Files to leave out of the index, as .gitignore patterns."),
    )


MAX_TOKENS = 48
"""The longest ghost text; the model's prompt leaves room for this many tokens."""


def options(settings: Settings, snippets: bool) -> Options:
    """What the engine is to do; ``snippets`` is whether the editor understands snippet syntax."""
    return Options(
        popup_deadline_ms=settings.popup_deadline_ms,
        ghost_deadline_ms=settings.max_latency_ms,
        insert_call=InsertCall(settings.insert_call),
        snippets=snippets,
        auto_import=settings.auto_import,
        model_scores=False,  # it costs the whole deadline and gains nothing yet: docs/lab-log.md
        in_comments=settings.in_comments_and_strings,
        in_strings=settings.in_comments_and_strings,
        min_confidence=settings.min_confidence,
        max_tokens=MAX_TOKENS,
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the settings table; ``default`` as JSON has it."""

    name: str
    type: str
    default: object
    rule: Rule


_JSON_TYPES = {bool: "boolean", int: "integer", float: "number", str: "string", tuple: "array"}


def table() -> tuple[Entry, ...]:
    """Every setting, for documentation and for the editors' schemas."""
    return tuple(
        Entry(
            name=_camel(item.name),
            type=_JSON_TYPES[_type_of(item.default)],
            default=list(item.default) if isinstance(item.default, tuple) else item.default,
            rule=item.metadata["rule"],
        )
        for item in fields(Settings)
    )


def updated(settings: Settings, raw: object) -> tuple[Settings, tuple[str, ...]]:
    """The settings with those in ``raw`` taken up, and a warning for each that could not be.

    ``raw`` is the JSON value of the section; None (nothing configured) changes nothing.
    """
    if raw is None:
        return settings, ()
    if not isinstance(raw, Mapping):
        return settings, (f"settings must be an object, got {_shown(raw)}: ignored",)
    known = {_camel(item.name): item for item in fields(Settings)}
    values: dict[str, Any] = {}
    warnings: list[str] = []
    for name, value in raw.items():
        if name in CLIENT_ONLY or value is None:
            continue
        if name not in known:
            warnings.append(_unknown(str(name), known))
            continue
        item = known[name]
        problem = _problem(value, item.default, item.metadata["rule"])
        if problem:
            kept = getattr(settings, item.name)
            warnings.append(f"{SECTION}.{name}: {problem}; using {_shown(kept)}")
        else:
            values[item.name] = _type_of(item.default)(value)
    return replace(settings, **values), tuple(warnings)


def _problem(value: object, default: object, rule: Rule) -> str | None:
    """What is wrong with a value, or None."""
    expected = _type_of(default)
    if not _has_type(value, expected):
        return f"expected {_JSON_TYPES[expected]}, got {_shown(value)}"
    if rule.choices and value not in rule.choices:
        return f"expected one of {', '.join(rule.choices)}, got {_shown(value)}"
    low, high = rule.minimum, rule.maximum
    if low is not None and high is not None and not low <= float(str(value)) <= high:
        return f"expected {low} to {high}, got {_shown(value)}"
    return None


def _has_type(value: object, expected: type) -> bool:
    if isinstance(value, bool):
        return expected is bool
    if expected is tuple:
        return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    if expected is float:
        return isinstance(value, int | float)
    return isinstance(value, expected)


def _unknown(name: str, known: Mapping[str, object]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f", did you mean {SECTION}.{close[0]}?" if close else ""
    return f"{SECTION}.{name} is not a setting{hint}"


def _type_of(default: object) -> type:
    return next(kind for kind in _JSON_TYPES if isinstance(default, kind))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _shown(value: object) -> str:
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 60 else text[:57] + "..."
