"""All members of a receiver, or None: what may be ruled out because it certainly does not exist.

Completion offers what it knows; to *forbid* a name, everything must be known. Whatever could make
members that no text shows stands against it: a base class that is not resolved, ``__getattr__``, a
metaclass or decorator that may add attributes, ``setattr``, a star import from outside.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache, partial

from completion import builtin_types, standard_library
from completion.annotations import Fuel, Role, Scope, Tie, Type
from completion.bodies import source
from completion.candidates import scope_at
from completion.context import Context, Place
from completion.dataflow import infer
from completion.request import Known, Request
from completion.settled import fixed_names, holds_here, holds_later, is_settled, reached
from completion.stores import Stores, calls_setter, everywhere, is_dynamic, stores, subclasses
from indexing.index import Snapshot
from indexing.installed import NotReadError
from indexing.languages import family_of
from indexing.resolve import TYPE_ARGUMENTS, Target
from indexing.symbols import Definition, Kind
from indexing.wide import read_ahead as read_packages

PYTHON = "python"

READING_MS = 4.0
"""Milliseconds that a request spends on reading installed packages which nobody has read yet."""

STORES_MS = 4.0
"""Milliseconds of reading what the repository's files store, where nobody has yet."""

MAX_RECEIVERS = 12
"""So many receivers that may be written later on the line are looked at, the nearest first."""

NEAR = 3000
"""Bytes before the cursor in which they were written before."""

_RECEIVER = re.compile(rb"(?<![\w\x80-\xff.)\]}\"'])((?:[A-Za-z_\x80-\xff][\w\x80-\xff]*\.)+)")
_MAKING_ATTRIBUTES = frozenset(("__init__", "__new__", "__post_init__", "__attrs_post_init__"))
_MAKING_ATTRIBUTES |= frozenset(("__setstate__", "setUp", "setup_method", "setup", "__enter__"))
"""Methods in which a statement that begins with ``self.`` mostly makes a new attribute."""

_UNKNOWN_PLACES = frozenset((Place.STRING, Place.COMMENT, Place.MODULE, Place.IMPORTED))

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
_ABSTRACT = frozenset(("typing", "enum", "types", "collections.abc"))
"""Modules whose classes, named outright, stand for values that may have more."""

_MAKING = ("__getattr__", "__getattribute__")
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


def known_members(request: Request, context: Context, snapshot: Snapshot) -> Known:
    """The members that can stand at the cursor, and behind dots that are still to be written."""
    if family_of(request.path) != PYTHON or context.place in _UNKNOWN_PLACES:
        return Known()
    scope = scope_at(context, request.path, snapshot)
    with _reading_little(snapshot):
        return _known(request, context, scope)


def _known(request: Request, context: Context, scope: Scope) -> Known:
    made = (context.self_name,) if _makes_attributes(context) else ()
    here, fixed = None, fixed_names(context, scope)
    making = not context.before and context.receiver in made
    asking = context.place is Place.MEMBER and bool(context.receiver) and not making
    if asking and holds_here(context.receiver, request, context, fixed):
        here = members_of_source(context.receiver, scope)
    receivers = {}
    for receiver in _receivers(request.text, context):
        asked = here is not None and receiver == context.receiver
        if not asked and not holds_later(receiver, request, context):
            continue
        if (names := here if asked else members_of_source(receiver, scope)) is not None:
            receivers[receiver] = tuple(sorted(names))
    told = None if here is None else tuple(sorted(here))
    return Known(
        told, receivers, made, tuple(sorted(fixed & {r.partition(".")[0] for r in receivers}))
    )


def read_ahead(path: str, snapshot: Snapshot) -> None:
    """Read the modules of the standard library that the file ``path`` imports, and packages."""
    if family_of(path) != PYTHON:
        return
    imported = [target for target in snapshot.bindings(path).values() if target.path is None]
    everywhere(snapshot, STORES_MS)
    for target in imported:
        standard_library.read_ahead(target.module)
    if snapshot.packages is not None:
        read_packages(snapshot.packages, imported)


def _makes_attributes(context: Context) -> bool:
    return bool(context.self_name) and context.qualname.rpartition(".")[2] in _MAKING_ATTRIBUTES


def members_of_source(receiver: str, scope: Scope) -> frozenset[str] | None:
    """The names of all that can follow a dot behind ``receiver``; None where more may exist."""
    # one may not take what others need
    wide = replace(scope, snapshot=scope.snapshot.wide, fuel=Fuel())
    try:
        with _reading_little(scope.snapshot):
            type_ = infer(receiver, wide) if _may_be_told(receiver, wide) else None
            return None if type_ is None else all_members(type_, wide)
    except NotReadError:
        return None


@contextmanager
def _reading_little(snapshot: Snapshot) -> Iterator[None]:
    """Read so much of installed packages as a request may wait for; it may be nested."""
    if snapshot.packages is None:
        yield
    else:
        with snapshot.packages.within(READING_MS):
            yield


def _receivers(text: bytes, context: Context) -> Iterator[str]:
    """Sources that a dot followed not far before the cursor, the nearest first."""
    near = text[max(0, context.start - NEAR) : context.start]
    found = dict.fromkeys((context.self_name,) if context.self_name else ())
    for match in reversed(list(_RECEIVER.finditer(near))):
        found.setdefault(match[1][:-1].decode("utf-8", "replace"))
        if len(found) >= MAX_RECEIVERS:
            break
    yield from found


def _may_be_told(receiver: str, scope: Scope) -> bool:
    """Whether the receiver is one thing, which no code stores names on that nobody sees."""
    every = everywhere(scope.snapshot, STORES_MS)
    if every is None or not is_settled(receiver, scope):
        return False
    parts = {name.rpartition(".")[2] for name in reached(receiver)} - {scope.self_name}
    return every.objects.isdisjoint(parts)


def all_members(type_: Type, scope: Scope) -> frozenset[str] | None:
    """The names of all that can follow a dot behind ``type_``; None where more may exist."""
    if type_.among or family_of(scope.path) != PYTHON:
        return None
    every = everywhere(scope.snapshot, STORES_MS)
    own = None if every is None else _own_members(type_, scope, every)
    if own is None or every is None:
        return None
    below = _of_subclasses(type_, scope, every)
    return None if below is None else own.union(below, every.names)


def _of_subclasses(type_: Type, scope: Scope, every: Stores) -> frozenset[str] | None:
    """What classes of the repository add that inherit from the class; None: not known.

    A value said to be of a class may be of one of them, ``self`` too; one just made is not.
    """
    if type_.role not in (Role.INSTANCE, Role.CLASS) or type_.how is Tie.CONSTRUCTED:
        return frozenset()
    found = subclasses(type_.name, every)
    if found is None:
        return None
    names: set[str] = set()
    for path, name in found:
        symbols = scope.snapshot.symbols(path)
        same = [d for d in symbols.definitions if d.name == name] if symbols else []
        for each in same:
            if each.kind is Kind.CLASS:
                target = Target(path, each.qualname, scope.snapshot.module_name(path))
                own = _own_members(Type(type_.role, target), scope, every)
                if own is None:
                    return None
                names |= own
    return frozenset(names)


def _is_shown(target: Target, snapshot: Snapshot, every: Stores) -> bool:
    """Whether text shows the names of all that is stored on the module, or class and its bases."""
    owners = snapshot.mro(target) if target.qualname else (target,)
    local = [owner for owner in owners if snapshot.outside(owner).path is not None]
    return all(_was_read(owner) or _shows(owner, snapshot, every) for owner in local)


def _shows(owner: Target, snapshot: Snapshot, every: Stores) -> bool:
    path = owner.path or ""
    text = source(snapshot, path)
    if path not in snapshot.paths:  # a package's classes are judged one by one
        return bool(owner.qualname) or not is_dynamic(text)
    if stores(text).dynamic or (owner.qualname or owner.module).rpartition(".")[2] in every.objects:
        return False
    definition = snapshot.definition(owner)
    if definition is None or definition.kind is not Kind.CLASS:
        return True
    return not calls_setter(text[slice(*definition.span)], every.setters)


def _own_members(type_: Type, scope: Scope, every: Stores) -> frozenset[str] | None:
    """The same without what is stored elsewhere, and without subclasses."""
    if type_.role is Role.FUNCTION and type_.local:
        return None
    outside = scope.snapshot.outside(type_.target)
    if outside.path is None:
        return _of_library(replace(type_, target=outside), type_.target, scope)
    snapshot = scope.snapshot
    if not _is_shown(type_.target, snapshot, every):
        return None
    if type_.role is Role.MODULE:
        module = type_.target
        return _once("module", module, snapshot, lambda: _of_module(module, snapshot))
    key = ("class", type_.role)
    own = _once(key, type_.target, snapshot, lambda: _class_names(type_, snapshot))
    if own is None:
        return None
    return frozenset(name for name in own if not _hidden(name, type_, scope))


def _once(
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


def _class_names(type_: Type, snapshot: Snapshot) -> frozenset[str] | None:
    own = _of_class(type_.target, type_.role, snapshot)
    if own is None:
        return None
    return own.union((m.name for m in snapshot.members(type_.target)), _astray(type_, snapshot))


def _astray(type_: Type, snapshot: Snapshot) -> Iterator[str]:
    """Methods behind a line that is being written, which for the parser end up in no class."""
    tree, symbols = snapshot.tree(type_.target.path or ""), None
    if tree is not None and tree.root_node.has_error:
        symbols = snapshot.symbols(type_.target.path or "")
    for each in symbols.definitions if symbols is not None else ():
        first = each.parameters[0].name if each.parameters else ""
        if each.kind is Kind.FUNCTION and first in ("self", "cls"):
            yield each.name


def _of_library(type_: Type, stub: Target, scope: Scope) -> frozenset[str] | None:
    """Of what the standard library defines; ``stub`` is where its stub says more, if anywhere."""
    snapshot = scope.snapshot
    if type_.role is not Role.MODULE:
        # what a stub calls open is open, even if the running interpreter does not show it
        is_open = any(snapshot.lookup(stub, name) is not None for name in _MAKING)
        return None if is_open else _named_outright(type_, scope)
    if stub.path is None or type_.target.module not in standard_library.DIFFERENT:
        return _named_outright(type_, scope)
    names = {each.name for each in snapshot.members(stub)}  # of all systems
    names |= standard_library.names(type_.target.module) | standard_library.module_attributes()
    return frozenset(names.union(snapshot.used_after(type_.name)))


def _hidden(name: str, type_: Type, scope: Scope) -> bool:
    """Whether the name is private to a class that the cursor is not in."""
    if not name.startswith("__") or name.endswith("__"):
        return False
    return scope.path != type_.target.path or not scope.owner


def _named_outright(type_: Type, scope: Scope) -> frozenset[str] | None:
    """Of what the repository does not define; what it uses of a module is there, whoever has it."""
    if type_.role is Role.INSTANCE or type_.target.module == "builtins":
        abstract = type_.target.module in _ABSTRACT or type_.is_builtin("BaseException")
        return None if abstract else _outside(type_.target, type_.role)
    if type_.receiver is not None:
        return None
    names = _outside(type_.target, type_.role)  # what passes for a function may be ``os.path``
    return None if names is None else names.union(scope.snapshot.used_after(type_.name))


def _outside(target: Target, role: Role) -> frozenset[str] | None:
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


def _of_module(target: Target, snapshot: Snapshot) -> frozenset[str] | None:
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


def _of_class(target: Target, role: Role, snapshot: Snapshot) -> frozenset[str] | None:
    """What its classes have beyond what the index lists; None where that is not known."""
    if any(_answers(target, name, snapshot) for name in _MAKING):
        return None
    names = set(_GENERATED).union(dir(object), dir(type) if role is Role.CLASS else ())
    for owner in snapshot.mro(target):
        definition = snapshot.definition(owner)
        if snapshot.outside(owner).path is None:
            continue  # judged by the class that inherits from it
        if definition is None or definition.kind is not Kind.CLASS:
            return None
        brought = _once(
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
    if not _was_read(found):
        return True
    own = (each for each in snapshot.mro(target) if each.path and not _was_read(each))
    classes = ((each, snapshot.definition(each)) for each in own)
    texts = (
        source(snapshot, each.path or "")[slice(*definition.span)]
        for each, definition in classes
        if definition is not None
    )
    return any(_EXTRAS.search(text) for text in texts)


def _was_read(target: Target) -> bool:
    return (target.module.partition(".")[0], target.qualname) in _READ


def _hand_made(definition: Definition, owner: Target, snapshot: Snapshot) -> frozenset[str] | None:
    """The attributes that the class's own text sets, on whatever; None where it sets any."""
    added = [_added_by(each, owner, snapshot) for each in definition.decorators]
    start, end = definition.span
    text = source(snapshot, owner.path or "")[start:end]
    metaclass, by_name = _read(_SET.sub(b"", text) if _was_read(owner) else text)
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
    if _was_read(found):
        return frozenset()
    if any(snapshot.lookup(found, each) is not None for each in _MAKING):
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
        return _outside(Target(None, dotted, "builtins"), role)
    return _outside(found, role)


def _last(dotted: str) -> str:
    return dotted.partition("(")[0].rpartition(".")[2]
