"""Who could stand at the cursor: members, names in scope, arguments, importable APIs, modules."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from heapq import nlargest
from itertools import chain

from completion.annotations import Role, Scope, Tie, Type, definitions_of
from completion.context import Call, Context, Place
from completion.languages import Language, Native, language_for
from completion.likeness import guesses
from completion.matching import match_quality
from completion.request import LibraryItem, Origin
from completion.scope import Binding, How
from indexing.index import Snapshot
from indexing.languages import family_of
from indexing.resolve import Located, Member, Target
from indexing.symbols import Definition, Kind, last_part

MAX_IMPORTABLE = 64
"""How many not yet imported names are looked at: those used most, a few more than a popup shows."""

MAX_IMPORTED = 24
"""So many of the names that other files import are looked at beside those, sibling files first."""

MAX_USED = 64
"""How many of the names used after receivers of the same name are offered, the most used first."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One name that could be typed.

    ``definition`` and ``path`` say where the repository defines it, ``depth`` how far up the
    inheritance, ``module`` where it must be imported from (empty: it is visible here). ``bound`` is
    the byte offset of its latest binding in the enclosing functions, -1 outside them. ``tie`` says
    in words why it is offered, ``how`` what kind of evidence that is (``Tie.certain``).
    Of what is not imported yet ``importers`` counts the files that import a name spelled so, and
    ``siblings`` those of them in the file's own folder.
    """

    name: str
    kind: str
    origin: Origin
    tie: str = ""
    definition: Definition | None = None
    path: str = ""
    depth: int = 0
    module: str = ""
    bound: int = -1
    detail: str = ""
    documentation: str = ""
    how: Tie = Tie.NONE
    importers: int = 0
    siblings: int = 0


@dataclass(frozen=True, slots=True)
class Candidates:
    """What was found; each name once.

    ``receiver`` is what stands before the dot, where that is known. ``complete``: nothing else can
    stand here, so neither jedi nor statistics need be asked. ``wanted`` is the name of the
    parameter that the expression at the cursor fills, where it fills one.
    """

    items: tuple[Candidate, ...]
    receiver: Type | None = None
    complete: bool = False
    wanted: str = ""


def gather(
    context: Context,
    path: str,
    snapshot: Snapshot,
    predicted: Callable[[], Iterable[str]] = tuple,
    *,
    imports: bool = True,
) -> Candidates:
    """Every candidate that matches what is typed.

    ``predicted`` asks the n-gram for names, best first; ``imports``: offer what is not imported.
    """
    scope = scope_at(context, path, snapshot)
    if context.place is Place.MEMBER:
        found = _members(context, scope, predicted)
    elif context.place is Place.NAME:
        names = _names(context, scope)
        if imports and context.prefix:
            names = chain(names, _importable(context, scope, predicted()))
        found = Candidates(_unique(names, context.prefix))
    elif context.place is Place.IMPORTED:
        found = _imported(context, scope)
    elif context.place is Place.MODULE:
        found = Candidates(_unique(_modules(context, scope), context.prefix))
    elif context.place is Place.IMPORT_KEYWORD:
        items = (Candidate("import", "keyword", Origin.KEYWORD),)
        found = Candidates(_unique(items, context.prefix), complete=True)
    else:
        found = Candidates((), complete=True)
    return replace(found, wanted=_wanted(context, scope))


def _wanted(context: Context, scope: Scope) -> str:
    """The parameter that the expression at the cursor fills."""
    call = context.call
    if call is None or call.keyword:
        return call.keyword if call else ""
    callee = language_for(scope.path).infer(call.callee, scope)
    names = _parameters(callee, scope) if callee else []
    return names[call.position] if call.position < len(names) else ""


def scope_at(context: Context, path: str, snapshot: Snapshot) -> Scope:
    """The scope in which expressions at the cursor are evaluated."""
    return Scope(snapshot, path, context.owner, context.self_name, context.bindings)


def with_library(found: Candidates, items: Sequence[LibraryItem], context: Context) -> Candidates:
    """The candidates and what jedi found beside them."""
    library = (
        Candidate(
            item.name,
            item.kind,
            Origin.LIBRARY,
            f"from `{item.module}`" if item.module else "",
            detail=item.detail,
            documentation=item.documentation,
        )
        for item in items
    )
    return replace(found, items=_unique((*found.items, *library), context.prefix))


def _unique(candidates: Iterable[Candidate], prefix: str) -> tuple[Candidate, ...]:
    """The first candidate of each name that matches the prefix."""
    found: dict[str, Candidate] = {}
    for candidate in candidates:
        if candidate.name not in found and match_quality(candidate.name, prefix) is not None:
            found[candidate.name] = candidate
    return tuple(found.values())


# After a dot


def _members(context: Context, scope: Scope, predicted: Callable[[], Iterable[str]]) -> Candidates:
    infer = language_for(scope.path).infer
    receiver = infer(context.receiver, scope) if context.receiver else None
    known: list[Candidate] = []
    complete = False
    if receiver is not None:
        tie = _receiver_words(context, receiver)
        known = list(members_of(receiver, scope, tie))
        if context.reference:
            known += members_of(replace(receiver, role=Role.INSTANCE), scope, tie)
        complete = bool(known) and (not receiver.local or is_closed(receiver, scope))
    if not complete:
        for guess in guesses(context, scope):
            known += members_of(replace(guess.type, how=guess.how), scope, guess.words)
        known += _used(context, scope, predicted(), {each.name for each in known})
    return Candidates(_unique(known, context.prefix), receiver, complete)


def _receiver_words(context: Context, receiver: Type) -> str:
    article = {Role.INSTANCE: "a ", Role.CLASS: "the class ", Role.MODULE: "the module "}
    return f"`{context.receiver}` is {article.get(receiver.role, '')}`{receiver.name}`"


def members_of(type_: Type, scope: Scope, tie: str = "") -> Iterator[Candidate]:
    """The members of a module, of a class or of an instance of it."""
    if type_.role is Role.FUNCTION:
        return
    language = language_for(scope.path)
    if not type_.local:
        if type_.target.module == "builtins":
            yield from _native_members(language, type_.target.qualname, tie, type_.how)
        return
    for member in scope.snapshot.members(type_.target):
        if not language.is_name(member.name):
            continue
        if not language.visible(member.definition, type_.role, _is_inside(member, scope)):
            continue
        yield Candidate(
            member.name,
            str(member.definition.kind),
            Origin.MEMBER,
            tie,
            member.definition,
            member.path,
            member.depth,
            how=type_.how,
        )
    if type_.role is not Role.MODULE:
        for base in (*_outside_bases(type_.target, scope.snapshot), *language.roots(type_.role)):
            yield from _native_members(language, base, tie, type_.how)


def _is_inside(member: Member, scope: Scope) -> bool:
    """Whether the cursor is in the outermost class that the member belongs to."""
    outermost = member.definition.container.partition(".")[0]
    return member.path == scope.path and scope.owner.partition(".")[0] == outermost


def _native_members(language: Language, type_name: str, tie: str, how: Tie) -> Iterator[Candidate]:
    for member in language.members(type_name):
        yield _native(member, Origin.LIBRARY, tie, how)


def _native(each: Native, origin: Origin, tie: str, how: Tie = Tie.NONE) -> Candidate:
    return Candidate(
        each.name,
        each.kind,
        origin,
        tie,
        how=how,
        detail=each.detail,
        documentation=each.documentation,
    )


def is_closed(type_: Type, scope: Scope) -> bool:
    """Whether all members of the type are known: nothing it inherits comes from a library."""
    snapshot = scope.snapshot
    if snapshot.lookup(type_.target, "__getattr__") is not None:
        return False
    if type_.role is Role.MODULE:
        return True
    language = language_for(scope.path)
    known = {*language.roots(type_.role), *language.plain_bases}
    return all(
        base in known or any(language.members(base))
        for base in _outside_bases(type_.target, snapshot)
    )


_TYPE_ARGUMENTS = re.compile(r"[\[<]")


def _outside_bases(target: Target, snapshot: Snapshot) -> list[str]:
    """The last names of the base classes that the repository does not define."""
    names: list[str] = []
    for owner in snapshot.mro(target):
        definition = snapshot.definition(owner)
        if definition is None:
            continue
        for text in definition.bases:
            dotted = _TYPE_ARGUMENTS.split(text, maxsplit=1)[0].strip()
            found = snapshot.expression(owner.path or "", definition.container, dotted)
            if found is None or found.path is None:
                names.append(dotted.rpartition(".")[2])
    return names


def _bound_name(
    name: str, target: Target, snapshot: Snapshot, origin: Origin, tie: str
) -> Candidate:
    definition = snapshot.definition(target)
    if definition is not None:
        return Candidate(name, str(definition.kind), origin, tie, definition, target.path or "")
    kind = Kind.VARIABLE if target.qualname else Kind.MODULE
    return Candidate(name, str(kind), origin, tie, path=target.path or "")


def _used(
    context: Context, scope: Scope, predicted: Iterable[str], known: Collection[str]
) -> Iterator[Candidate]:
    """Names that follow receivers of this name elsewhere, then what the n-gram expects."""
    part = last_part(context.receiver)
    after = scope.snapshot.used_after(part) if part else {}
    most = sorted(after, key=lambda name: -after[name])[:MAX_USED]
    ties = dict.fromkeys(most, (f"used after `{part}` elsewhere", Tie.USED_AFTER))
    for name in predicted:
        if language_for(scope.path).is_name(name):
            ties.setdefault(name, ("follows similar code elsewhere", Tie.PREDICTED))
    # A half-typed word is in the open buffer, and so counts as a use of itself.
    unfinished = context.prefix if scope.snapshot.use_count(context.prefix) <= 1 else ""
    for name, (tie, how) in ties.items():
        if name in known or name == unfinished:
            continue
        if match_quality(name, context.prefix) is not None:
            yield _somewhere(name, scope, tie, how)


def _somewhere(name: str, scope: Scope, tie: str, how: Tie) -> Candidate:
    """A name whose owner is not known; its definition is told where there is only one."""
    located = scope.snapshot.named(name, 2, family_of(scope.path))
    if len(located) == 1:
        definition = located[0].definition
        kind = str(definition.kind)
        return Candidate(name, kind, Origin.USED, tie, definition, located[0].path, how=how)
    some = located[0].definition.kind if located else Kind.ATTRIBUTE
    return Candidate(name, str(some), Origin.USED, tie, how=how)


# A bare name


def _names(context: Context, scope: Scope) -> Iterator[Candidate]:
    if context.call is not None and context.call.naming:
        yield from _keyword_arguments(context, scope)
    if context.keys is not None:
        yield from _object_keys(context.keys, scope)
    yield from _locals(context, scope)
    yield from _class_names(context, scope)
    for name, target in scope.snapshot.bindings(scope.path).items():
        if match_quality(name, context.prefix) is None:
            continue
        local = target.path == scope.path
        tie = "defined in this file" if local else "imported in this file"
        yield _bound_name(name, target, scope.snapshot, Origin.SCOPE, tie)
    yield from _words(context, scope)


def _object_keys(call: Call, scope: Scope) -> Iterator[Candidate]:
    """The fields of what a call expects where an object literal is passed to it."""
    language = language_for(scope.path)
    callee = language.infer(call.callee, scope)
    target = callee.target if callee is not None else None
    if callee is not None and callee.role is Role.CLASS:
        target = scope.snapshot.lookup(callee.target, "__init__")
    definitions = definitions_of(scope.snapshot, target) if target is not None else ()
    parameters = definitions[0].parameters if definitions else ()
    if callee is None or target is None or call.position >= len(parameters):
        return
    parameter = parameters[call.position]
    declared = Binding(parameter.name, How.PARAMETER, 0, annotation=parameter.annotation or "")
    expected = language.of_binding(declared, scope.at(target, callee.receiver))
    if expected is not None and expected.local:
        for member in members_of(expected, scope, f"a part of `{expected.name}`"):
            if member.name not in call.keywords and member.origin is Origin.MEMBER:
                yield replace(member, origin=Origin.SCOPE)


def _locals(context: Context, scope: Scope) -> Iterator[Candidate]:
    for name, found in context.bindings.items():
        if "." in name or match_quality(name, context.prefix) is None:  # its type takes a while
            continue
        binding = found[-1]
        type_ = language_for(scope.path).of_binding(binding, scope)
        kind = Kind.FUNCTION if binding.how is How.DEFINED else Kind.VARIABLE
        words = f"{binding.how} in this function"
        if type_ is not None:
            words += f": `{type_.name}`"
        yield Candidate(
            name,
            "parameter" if binding.how is How.PARAMETER else str(kind),
            Origin.SCOPE,
            words,
            bound=binding.offset,
            detail=type_.name if type_ else binding.annotation,
        )


def _class_names(context: Context, scope: Scope) -> Iterator[Candidate]:
    """In a class body its own names are visible, in some languages in its methods too."""
    if context.owner and language_for(scope.path).bare_members:
        yield from _bare_members(context.owner, scope)
    if not context.owner or context.qualname != context.owner:
        return
    symbols = scope.snapshot.symbols(scope.path)
    for definition in symbols.definitions if symbols else ():
        if definition.container == context.owner:
            yield Candidate(
                definition.name,
                str(definition.kind),
                Origin.SCOPE,
                "defined in this class",
                definition,
                scope.path,
            )


def _bare_members(owner: str, scope: Scope) -> Iterator[Candidate]:
    """The members of the classes around the cursor, the innermost first."""
    while owner:
        around = Type(Role.INSTANCE, Target(scope.path, owner, ""))
        for member in scope.snapshot.members(around.target):
            if language_for(scope.path).is_name(member.name):
                kind = str(member.definition.kind)
                tie = f"a member of `{around.name}`"
                yield Candidate(
                    member.name, kind, Origin.SCOPE, tie, member.definition, member.path
                )
        owner = owner.rpartition(".")[0]


def _words(context: Context, scope: Scope) -> Iterator[Candidate]:
    for word in language_for(scope.path).words(context):
        if word.kind == "keyword":
            yield _native(word, Origin.KEYWORD, "a keyword")
        else:
            yield _native(word, Origin.LIBRARY, "a built-in")


def _keyword_arguments(context: Context, scope: Scope) -> Iterator[Candidate]:
    assert context.call is not None
    callee = language_for(scope.path).infer(context.call.callee, scope)
    if callee is None:
        return
    for parameter in _parameters(callee, scope)[context.call.position :]:
        if parameter not in context.call.keywords:
            yield Candidate(
                f"{parameter}=", "parameter", Origin.SCOPE, f"argument of `{context.call.callee}`"
            )


def _parameters(callee: Type, scope: Scope) -> list[str]:
    """The names of the callee's parameters in order, those that a call by name can use."""
    target = callee.target
    bound = callee.receiver is not None
    if callee.role is Role.CLASS and callee.local:
        constructor = scope.snapshot.lookup(target, "__init__")
        if constructor is None:
            return [
                member.definition.name
                for member in scope.snapshot.members(target)
                if member.definition.kind is Kind.ATTRIBUTE and member.definition.annotation
            ]
        target, bound = constructor, True
    definitions = definitions_of(scope.snapshot, target)
    if not definitions:
        return []
    static = any("staticmethod" in each for each in definitions[0].decorators)
    language = language_for(scope.path)
    names = language.arguments(definitions[0])
    return names[1:] if bound and not static and language.self_parameter else names


def _importable(context: Context, scope: Scope, predicted: Iterable[str]) -> Iterator[Candidate]:
    """Top-level definitions elsewhere in the repository."""
    snapshot, family = scope.snapshot, family_of(scope.path)
    folder = scope.path.rpartition("/")[0]
    imported = snapshot.importers(context.prefix[:1])
    known = chain(predicted, _imported_most(imported, folder, context.prefix))
    expected = (located for name in known for located in snapshot.named(name, 4, family))
    begun = snapshot.prefixed(context.prefix, MAX_IMPORTABLE, top=True, family=family)
    offered: set[str] = set()
    for located in (*expected, *begun):
        definition = located.definition
        if definition.name in offered or definition.container or located.path == scope.path:
            continue
        module = _imported_from(located, scope)
        if not module:
            continue
        offered.add(definition.name)
        folders = imported.get(definition.name, {})
        yield Candidate(
            definition.name,
            str(definition.kind),
            Origin.IMPORTABLE,
            f"defined in `{module}`, not imported here yet",
            definition,
            located.path,
            module=module,
            importers=sum(folders.values()),
            siblings=folders.get(folder, 0),
        )


def _imported_most(
    imported: Mapping[str, Mapping[str, int]], folder: str, prefix: str
) -> list[str]:
    """The names beginning with ``prefix`` that most files import, those of ``folder`` first."""
    folded = prefix.casefold()
    begun = (name for name in imported if name.casefold().startswith(folded))

    def weight(name: str) -> tuple[int, int]:
        return imported[name].get(folder, 0), sum(imported[name].values())

    return nlargest(MAX_IMPORTED, begun, key=weight)


def _imported_from(located: Located, scope: Scope) -> str:
    """The module that the file imports the definition from; empty where it cannot."""
    return language_for(scope.path).importable(located, scope.path, scope.snapshot)


# Import statements


def _imported(context: Context, scope: Scope) -> Candidates:
    target = language_for(scope.path).module_at(context.module, context.offset, scope)
    if target.path is None:
        return Candidates(())
    items = members_of(Type(Role.MODULE, target), scope, f"in `{context.module}`")
    return Candidates(_unique(items, context.prefix), complete=True)


def _modules(context: Context, scope: Scope) -> Iterator[Candidate]:
    for module in language_for(scope.path).modules(context, scope):
        yield _native(module, Origin.MEMBER, "a module of this repository")
