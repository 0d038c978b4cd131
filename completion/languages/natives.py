"""The types that a language with braces brings along, from a table in its own notation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from completion.languages import Native
from completion.languages.written import Form, Written, written

_HEADER = re.compile(r"class (?P<name>[\w$]+)(?:<(?P<variables>[^>]*)>)?(?: : (?P<base>.+))?\Z")
_SCRIPT = re.compile(r"(?P<name>[\w$]+)(?P<parameters>\(.*\))?: (?P<returns>.+)\Z")
_JAVA = re.compile(r"(?P<returns>.+?) (?P<name>\w+)(?P<parameters>\(.*\))?\Z")


@dataclass(frozen=True, slots=True)
class NativeMember:
    """A member of a built-in type; ``parameters`` are the types of a method's parameters."""

    native: Native
    returns: Written
    parameters: tuple[Written, ...] = ()


@dataclass(frozen=True, slots=True)
class NativeType:
    """A built-in type with its type variables and what it extends."""

    name: str
    variables: tuple[str, ...]
    base: Written | None
    own: Mapping[str, NativeMember]


Natives = Mapping[str, NativeType]


def natives(table: str, *, script: bool) -> Natives:
    """Read a table: ``class Name<T> : Base<T>``, then a member a line as the language writes it."""
    found: dict[str, NativeType] = {}
    for block in table.strip().split("\n\n"):
        header, *lines = block.strip().splitlines()
        match = _HEADER.match(header)
        if match is None:
            raise ValueError(f"not the beginning of a type: {header}")
        own = {each.native.name: each for each in (_member(line, script) for line in lines)}
        variables = tuple(re.split(r",\s*", match["variables"])) if match["variables"] else ()
        base = written(match["base"]) if match["base"] else None
        found[match["name"]] = NativeType(match["name"], variables, base, own)
    return found


def _member(line: str, script: bool) -> NativeMember:
    match = (_SCRIPT if script else _JAVA).match(line.strip())
    if match is None:
        raise ValueError(f"not a member: {line}")
    parameters = match["parameters"]
    returns = match["returns"]
    kind = "attribute" if parameters is None else "method"
    detail = f"{parameters or ''}: {returns}"
    types = _parameters(parameters or "", script)
    return NativeMember(Native(match["name"], kind, detail), written(returns), types)


def _parameters(source: str, script: bool) -> tuple[Written, ...]:
    """The types of a written parameter list."""
    if script:
        found = written(f"{source} => void") if source else Written(Form.OTHER)
        return found.parts[:-1]
    parts = re.split(r",\s*(?![^<]*>)", source.strip("()")) if source else []
    return tuple(written(part.rpartition(" ")[0]) for part in parts if part)


def line_of(types: Natives, name: str) -> Iterator[tuple[NativeType, tuple[Written, ...] | None]]:
    """The type and what it extends, nearest first, with the base's written type arguments.

    The first has None: its arguments are those of the value.
    """
    arguments: tuple[Written, ...] | None = None
    while (found := types.get(name)) is not None:
        yield found, arguments
        if found.base is None:
            return
        name, arguments = found.base.name, found.base.parts


def find(types: Natives, name: str, member: str) -> tuple[NativeMember, tuple[str, ...]] | None:
    """The member with the type variables of its signature in the order of the value's arguments.

    A variable of a base that the value has no argument for is ``""``.
    """
    variables: tuple[str, ...] | None = None
    renamed: dict[str, str] = {}
    for type_, arguments in line_of(types, name):
        if variables is None:
            variables = type_.variables
            renamed = {each: each for each in variables}
        elif arguments is not None:
            renamed = {
                own: renamed.get(passed.name, "")
                for own, passed in zip(type_.variables, arguments, strict=False)
            }
        if member in type_.own:
            back = {original: own for own, original in renamed.items()}
            return type_.own[member], tuple(back.get(each, "") for each in variables)
    return None


def members(types: Natives, name: str) -> Iterator[Native]:
    """All members of the built-in type, its own first."""
    seen: set[str] = set()
    for type_, _ in line_of(types, name):
        for member in type_.own.values():
            if member.native.name not in seen:
                seen.add(member.native.name)
                yield member.native
