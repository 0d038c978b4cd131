"""All names that one class or module defines, from its text, or None where more may exist.

Those of built-in types and of the standard library too. What is stored elsewhere, and what
subclasses add, is :mod:`completion.membership`'s to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from functools import lru_cache, partial

from completion import builtin_types, standard_library
from completion.annotations import Role
from completion.bodies import source
from completion.stores import stores
from indexing.index import Snapshot
from indexing.resolve import TYPE_ARGUMENTS, Target
from indexing.symbols import Definition, Kind

_PLAIN_BASES = frozenset(("ABC", "Protocol", "Generic"))
_PLAIN_MODULES = frozenset(("abc", "typing", "typing_extensions"))
"""Base classes that add no attribute beyond those of every object, and where they are from."""

_PLAIN_METACLASSES = frozenset(("ABCMeta", "EnumMeta", "EnumType", "type"))

_READ = frozenset(
    (
        *(("pydantic", "ModelMetaclass"), ("pydantic", "BaseModel"), ("pydantic", "FieldInfo")),
        *(
            ("pydantic", "BaseModel.__getattr__"),
            ("_pytest", "MonkeyPatch"),
            ("textual", "DOMNode"),
        ),
    )
)
"""What people have read, by package: it sets nothing but private names and declared ones, and
answers to declared names alone, but where models allow extras (`_EXTRAS`)."""

_EXTRAS = re.compile(rb"\bextra[\"']?\s*[:=]\s*(?:[\w.]+\.)?[\"']?allow\b")

_PLAIN_DECORATORS = frozenset(
    (
        *("dataclass", "final", "total_ordering", "runtime_checkable", "unique", "deprecated"),
        *("define", "frozen", "mutable", "attrs", "s", "dataclass_transform", "verify"),
    )
)
"""Decorators of classes that add no public attribute."""

_GENERATED = frozenset(
    (
        *("__dataclass_fields__", "__dataclass_params__", "__match_args__", "__attrs_attrs__"),
        *("__slots__", "__weakref__", "__orig_bases__", "__parameters__", "__post_init__"),
        *("__annotations__", "__module__", "__qualname__", "__name__", "__dict__", "__wrapped__"),
    )
)
"""What decorators and ``type`` itself put into classes."""

_TUPLE_EXTRAS = ("_asdict", "_replace", "_make", "_fields", "_field_defaults")

_DICT_EXTRAS = ("move_to_end", "default_factory", "isdisjoint", "mapping")
"""An ``OrderedDict``, a ``defaultdict`` and views of dictionaries pass for a ``dict`` or ``list``
in :mod:`completion.dataflow`."""

_SAYS_NOTHING = frozenset(
    ("object", "type", "super", "Generator", "module", "function", "property")
)

MAKING = ("__getattr__", "__getattribute__")

_METACLASS = re.compile(rb"\bmetaclass\s*=\s*([\w.]+)")

_SET = re.compile(
    rb"(?<!def )(?<!\.)\bsetattr\(\s*(?P<object>\w+)\s*,\s*"
    rb"(?:(?P<quote>[\"'])(?P<name>\w+)(?P=quote)|(?P<private>f[\"']_\w)|(?P<variable>\w+)\s*,)?"
    rb"|\b(?:self|cls)\.__dict__(?:\.update\b|\[|\s*=)|\bvars\((?:self|cls)\)|\blocals\(\)\s*\["
)

_RESTORING = re.compile(
    rb"^([ \t]+)def __setstate__\b.*(?:\n(?:\1[ \t]+.*|[ \t]*$))*", re.MULTILINE
)
"""``__setstate__`` gives a copy what the original had."""

_HANDED_ON = rb"\b__(?:new|init|prepare)__\([^()]*\b%s\b[^()]*\)"

_NAMES_READ = (
    rb"\b%s(?:\[[\"']\w+[\"']\]|\.(?:get|items|keys|values)\()|\bin %s\b|\b%s\[\w+\](?!\s*=[^=])"
)
"""What a metaclass does with the names of a class: handing them on, reading, writing some."""

_STORED = re.compile(rb"\.([\w\x80-\xff]+)(?:\s*:[^=\n]+)?\s*=(?!=)")

_WRAPPING = re.compile(rb"\bsetattr\b|\bclass\s+\w|\btype\(|\bupdate_wrapper\b|\bmake_dataclass\b")

_CHECKED = rb"\bgetattr\(\s*\w+\s*,\s*%s\s*\)|\b%s\s*=\s*f[\"']_"

_HELD = re.compile(rb"\w+(?:\.\w+)+[ \t]*")

_MADE = re.compile(rb"((?:\w+\.)*[A-Z]\w*)\(")

_CLASS = re.compile(rb"\bclass\s+(\w+)")

_COMPARED = r"\b{0}\s*(?:==\s*[\"']\w+[\"']|in\s*[(\[{{](?:\s*[\"']\w+[\"']\s*,?)+\s*[)\]}}])"

_RAISED = r"AttributeError\([^)\n]*(?:\)|$)|\{{{0}(?:!r)?\}}"


def once(
    what: Hashable, target: Target, snapshot: Snapshot, read: Callable[[], frozenset[str] | None]
) -> frozenset[str] | None:
    """What ``read`` gives; of what a package defines it is remembered as long as the package is."""
    packages = snapshot.packages
    if packages is None or not packages.owns(target.path or ""):
        return read()
    key = (what, target)
    if key not in packages.remembered:
        packages.remembered[key] = read()
    return packages.remembered[key]


def built_in(target: Target, role: Role) -> frozenset[str] | None:
    """Of a built-in type or of the standard library."""
    if target.module != "builtins":
        instance, qualname = role is Role.INSTANCE, "" if role is Role.MODULE else target.qualname
        return standard_library.members(target.module, qualname, instance=instance)
    if target.qualname in _SAYS_NOTHING:
        return None
    names = frozenset(builtin_types.members(target.qualname))
    if not names:
        return None
    extras = _DICT_EXTRAS if target.qualname in ("dict", "list") else ()
    return names.union(extras, dir(type) if role is Role.CLASS else ())


def of_module(target: Target, snapshot: Snapshot) -> frozenset[str] | None:
    """What a module has; None where that is not known."""
    path = target.path or ""
    symbols = snapshot.symbols(path)
    if symbols is None or path.endswith("/"):  # a namespace package may go on elsewhere
        return None
    made = _made_by_name(target, snapshot)
    if made is None:
        return None
    for imported in symbols.imports:
        if imported.name == "*" and snapshot.resolve(path, imported).path is None:
            return None
    names = {member.name for member in snapshot.members(target)}
    names |= stores(source(snapshot, path)).bound
    return standard_library.module_attributes().union(names, made, snapshot.bindings(path))


def _made_by_name(module: Target, snapshot: Snapshot) -> frozenset[str] | None:
    """What the module's ``__getattr__`` (PEP 562) answers to; None where that is not told by name.

    That is one which compares its argument with literals, and raises AttributeError for the rest.
    """
    found = snapshot.lookup(module, "__getattr__")
    definition = None if found is None else snapshot.definition(found)
    if found is None:
        return frozenset()
    if definition is None or not definition.parameters or found.path is None:
        return None
    start, end = definition.span
    text = source(snapshot, found.path)[definition.name_span[1] : end].decode("utf-8", "replace")
    name = re.escape(definition.parameters[0].name)
    body = text.partition("\n")[2]
    rest = re.sub(_RAISED.format(name), "", re.sub(_COMPARED.format(name), "", body))
    if start >= end or "AttributeError" not in body or re.search(rf"\b{name}\b", rest):
        return None
    compared = re.findall(_COMPARED.format(name), body)
    return frozenset(word for each in compared for word in re.findall(r"[\"'](\w+)[\"']", each))


def of_class(target: Target, role: Role, snapshot: Snapshot) -> frozenset[str] | None:
    """What its classes have beyond what the index lists; None where that is not known."""
    if any(_answers(target, name, snapshot) for name in MAKING):
        return None
    names = set(_GENERATED).union(dir(object), dir(type) if role is Role.CLASS else ())
    for owner in snapshot.mro(target):
        definition = snapshot.definition(owner)
        if snapshot.outside(owner).path is None:
            continue  # judged by the class that inherits from it
        if definition is None or definition.kind is not Kind.CLASS:
            return None
        brought = once(
            ("own", role), owner, snapshot, partial(_brought, definition, owner, role, snapshot)
        )
        if brought is None:
            return None
        names |= brought
    return frozenset(names)


def _brought(
    definition: Definition, owner: Target, role: Role, snapshot: Snapshot
) -> frozenset[str] | None:
    """What one class sets by hand, and what its bases outside the repository bring."""
    found = _hand_made(definition, owner, snapshot)
    inherited = None if found is None else _inherited(definition, owner, role, snapshot)
    return None if found is None or inherited is None else found | inherited


def _answers(target: Target, name: str, snapshot: Snapshot) -> bool:
    """Whether the class's method ``name`` may answer to names that nobody defines."""
    found = snapshot.lookup(target, name)
    if found is None:
        return False
    if not was_read(found):
        return True
    own = (each for each in snapshot.mro(target) if each.path and not was_read(each))
    classes = ((each, snapshot.definition(each)) for each in own)
    texts = (
        source(snapshot, each.path or "")[slice(*definition.span)]
        for each, definition in classes
        if definition is not None
    )
    return any(_EXTRAS.search(text) for text in texts)


def was_read(target: Target) -> bool:
    """Whether people have read the class: see `_READ`."""
    return (target.module.partition(".")[0], target.qualname) in _READ


def _hand_made(definition: Definition, owner: Target, snapshot: Snapshot) -> frozenset[str] | None:
    """The attributes that the class's own text sets, on whatever; None where it sets any."""
    added = [_added_by(each, owner, snapshot) for each in definition.decorators]
    start, end = definition.span
    text = source(snapshot, owner.path or "")[start:end]
    metaclass, by_name = _read(_SET.sub(b"", text) if was_read(owner) else text)
    found = [*added, by_name, _made_by_metaclass(metaclass, owner, snapshot)]
    known = [each for each in found if each is not None]
    return frozenset().union(*known) if len(known) == len(found) else None


def _added_by(decorator: str, owner: Target, snapshot: Snapshot) -> frozenset[str] | None:
    """The attributes that a decorator gives to a class; None where that is not known."""
    dotted = decorator.partition("(")[0]
    if _last(dotted) in _PLAIN_DECORATORS:
        return frozenset()
    found = snapshot.expression(owner.path or "", owner.qualname.rpartition(".")[0], dotted)
    definition = None if found is None or found.path is None else snapshot.definition(found)
    if definition is None or found is None or found.path is None:
        return None
    if definition.kind is not Kind.FUNCTION:
        return None
    start, end = definition.span
    text = source(snapshot, found.path)[start:end]
    if _WRAPPING.search(text):
        return None
    return frozenset(match[1].decode() for match in _STORED.finditer(text))


@lru_cache(maxsize=1024)
def _read(text: bytes) -> tuple[str, frozenset[str] | None]:
    """A class's metaclass, and the attributes it sets on anything; None where it sets any."""
    head = text.find(b":\n")
    metaclass = _METACLASS.search(text, 0, head if head >= 0 else len(text))
    found = list(_SET.finditer(_RESTORING.sub(b"", text)))
    whole = all(match["name"] or _sets_known(match, text) for match in found)
    by_name = [match["name"] for match in found if match["name"]]
    by_name += [match[1] for match in _STORED.finditer(text)]
    names = frozenset(name.decode("utf-8", "replace") for name in by_name) if whole else None
    return metaclass[1].decode() if metaclass else "", names


def _is_another(name: bytes | None, text: bytes) -> bool:
    """Whether ``name`` stands for another object: a parameter, one that an attribute holds, or one
    that another class makes."""
    if not name or name in (b"self", b"cls"):
        return False
    if re.search(rb"\bas\s+%s\b|\bfor\s+[^:\n]*?\b%s\b[^:\n]*?\bin\b" % (name, name), text):
        return False
    own = _CLASS.search(text)
    bound = re.findall(rb"\b%s\s*(?::[^=\n]+)?=(?!=)[ \t]*([^\n]*)" % name, text)
    if bound:
        return all(_is_held(value, own[1] if own else b"") for value in bound)
    return re.search(rb"\bdef\s+\w+\([^()]*,\s*%s\b" % name, text) is not None


def _is_held(value: bytes, own: bytes) -> bool:
    """Whether ``value`` is an attribute, or the beginning of a call of a class that is not own."""
    made = _MADE.match(value)
    return _HELD.fullmatch(value) is not None or (made is not None and made[1] != own)


def _sets_known(match: re.Match[bytes], text: bytes) -> bool:
    """Whether ``setattr`` sets what exists already, or what has a private name that is made up.

    That exists which is read first.
    """
    if match["private"] or _is_another(match["object"], text):
        return True
    name = match["variable"]
    return bool(name) and re.search(_CHECKED % ((re.escape(name),) * 2), text) is not None


def _made_by_metaclass(name: str, owner: Target, snapshot: Snapshot) -> frozenset[str] | None:
    """What the metaclass puts into the classes that it makes; None where that is not known."""
    if not name or _last(name) in _PLAIN_METACLASSES:
        return frozenset()
    found = snapshot.expression(owner.path or "", owner.qualname.rpartition(".")[0], name)
    if found is None or found.path is None:
        return None
    if was_read(found):
        return frozenset()
    if any(snapshot.lookup(found, each) is not None for each in MAKING):
        return None
    names: set[str] = set()
    for method in ("__new__", "__init__", "__prepare__"):
        made = snapshot.lookup(found, method)
        definition = None if made is None else snapshot.definition(made)
        if made is None:
            continue
        put = None if definition is None else _put_in(definition, made, snapshot)
        if put is None:
            return None
        names |= put
    return frozenset(names)


def _put_in(method: Definition, owner: Target, snapshot: Snapshot) -> frozenset[str] | None:
    """The names that a metaclass's method writes; None where it hands the class's names on.

    Of the names it is given it may read any, and write those that it spells out.
    """
    start, end = method.span
    text = source(snapshot, owner.path or "")[method.name_span[1] : end]
    parameters = [each.name for each in method.parameters if not each.prefix]
    body = text.partition(b":\n")[2]
    if start >= end or not body or len(parameters) < 4 or _SET.search(body):
        return None
    given = re.escape(parameters[3].encode())
    rest = re.sub(_HANDED_ON % given, b"", body)
    rest = re.sub(_NAMES_READ % (given, given, given), b"", rest)
    if re.search(rb"\b%s\b" % given, rest):
        return None
    spelled = re.findall(rb"\b%s\[[\"'](\w+)[\"']\]" % given, body)
    spelled += [match[1] for match in _STORED.finditer(body)]
    return frozenset(name.decode("utf-8", "replace") for name in spelled)


def _inherited(
    definition: Definition, owner: Target, role: Role, snapshot: Snapshot
) -> frozenset[str] | None:
    """What the bases outside the repository bring; None where one of them is not known."""
    names: set[str] = set()
    for text in definition.bases:
        dotted = TYPE_ARGUMENTS.sub("", text).strip()
        found = snapshot.expression(owner.path or "", definition.container, dotted)
        found = None if found is None else snapshot.outside(found)
        if found is not None and found.path is not None:
            base = snapshot.definition(found)
            if base is None or base.kind is not Kind.CLASS:  # made by a call, or another name
                return None
            continue
        brought = _of_base(dotted, found, role)
        if brought is None:
            return None
        names |= brought
    return frozenset(names)


def _of_base(dotted: str, found: Target | None, role: Role) -> frozenset[str] | None:
    last = _last(dotted)
    if dotted == "object":
        return frozenset()
    if last in _PLAIN_BASES and found is not None and found.module in _PLAIN_MODULES:
        return frozenset()
    if last == "NamedTuple":
        return frozenset((*dir(tuple), *_TUPLE_EXTRAS))
    if last == "TypedDict":
        return frozenset(dir(dict))
    if found is None or found.module == "builtins":
        return built_in(Target(None, dotted, "builtins"), role)
    return built_in(found, role)


def _last(dotted: str) -> str:
    return dotted.partition("(")[0].rpartition(".")[2]
