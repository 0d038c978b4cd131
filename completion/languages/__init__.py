"""What completion asks of a programming language: one :class:`Language` value each.

The engine, the candidates and the presentation are the same for all languages; what differs is how
the text before the cursor is read, what an expression is, which names the language itself brings,
and how an import is written. Adding a language means a module beside this file and an entry in
:func:`languages`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cache

from tree_sitter import Tree

from completion.annotations import Role, Scope, Type
from completion.context import Context
from completion.request import TextEdit
from completion.scope import Binding
from indexing.index import Snapshot
from indexing.resolve import Located, Target
from indexing.symbols import Definition, FileSymbols


@dataclass(frozen=True, slots=True)
class Native:
    """A name that the language brings along: a member of a built-in type, a keyword, a function.

    ``kind`` as in :class:`completion.candidates.Candidate`, ``detail`` its signature.
    """

    name: str
    kind: str
    detail: str = ""
    documentation: str = ""


@dataclass(frozen=True, slots=True)
class Language:
    """One programming language, as completion sees it.

    Types that the language itself brings are targets of the module ``builtins`` without a path.

    ``suffixes``: the files it owns. ``family``: files of one family can import each other.
    ``read(text, offset, tree)``: what stands at the cursor. ``infer(source, scope)``: what an
    expression is; ``of_binding`` the same for a name that the enclosing functions bind.
    ``members(type name)`` are those of a built-in type, and ``roots(role)`` the built-in types
    whose members every class or instance has; ``plain_bases`` name bases outside the repository
    that add no member worth offering. ``words(context)``: keywords and built-in names that fit.
    ``is_name``: whether code can write the (dotted) name. ``visible(member, role, inside)``: if
    it can follow a receiver of that role; ``inside``: the cursor is in the class declaring it.
    ``arguments(definition)``: the names of its parameters; ``self_parameter``: the first one of a
    method is the receiver; ``bare_members``: methods see their class's members by bare names.
    ``required(definition)``: the names of those that a caller must pass.
    ``signature(definition)``: what follows the name in the list.
    ``importable(located, path, snapshot)``: the module that the file ``path`` imports the
    definition from, ``""`` where it cannot. ``import_edit(text, symbols, path, snapshot, module,
    name)`` brings it in. ``module_at(written, offset, scope)``: what a module path in an import
    statement means; ``modules(context, scope)``: what can continue one.
    ``construction``: what stands before a class that is instantiated; ``snake_case``: how the words
    of a variable's name are joined, else in camel case.
    ``jedi``: the library helper knows it; ``model``: the shipped model reads it.
    """

    name: str
    family: str
    suffixes: tuple[str, ...]
    read: Callable[[bytes, int, Tree | None], Context]
    infer: Callable[[str, Scope], Type | None]
    of_binding: Callable[[Binding, Scope], Type | None]
    members: Callable[[str], Iterable[Native]]
    roots: Callable[[Role], tuple[str, ...]]
    plain_bases: Collection[str]
    words: Callable[[Context], Iterable[Native]]
    is_name: Callable[[str], bool]
    visible: Callable[[Definition, Role, bool], bool]
    arguments: Callable[[Definition], list[str]]
    required: Callable[[Definition], list[str]]
    signature: Callable[[Definition], str]
    importable: Callable[[Located, str, Snapshot], str]
    import_edit: Callable[[bytes, FileSymbols, str, Snapshot, str, str], TextEdit]
    module_at: Callable[[str, int, Scope], Target]
    modules: Callable[[Context, Scope], Iterable[Native]]
    construction: str = "new "
    snake_case: bool = False
    self_parameter: bool = False
    bare_members: bool = False
    jedi: bool = False
    model: bool = False


@cache
def languages() -> dict[str, Language]:
    """Every language by file suffix."""
    from completion.languages.java import JAVA
    from completion.languages.javascript import JAVASCRIPT, TSX, TYPESCRIPT
    from completion.languages.python import PYTHON

    every = (PYTHON, JAVA, JAVASCRIPT, TYPESCRIPT, TSX)
    return {suffix: language for language in every for suffix in language.suffixes}


def language_for(path: str) -> Language:
    """The language of a file by its suffix; Python where the suffix says nothing."""
    _, dot, suffix = path.rpartition(".")
    return languages().get(dot + suffix) or languages()[".py"]
