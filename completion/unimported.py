"""The imports that accepted ghost text brings: of names that it uses and the file does not know.

Nobody is asked before such an edit is made, so it is made only where there is no doubt: the name is
not bound anywhere in the file, exactly one module can be meant, and it has what is used of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from completion import standard_library
from completion.candidates import gather
from completion.context import Place
from completion.importing import module_edit
from completion.languages import language_for
from completion.rebinding import rebound
from completion.request import TextEdit
from completion.tokens import Lexeme, Token, scan
from indexing.index import Snapshot
from indexing.languages import family_of
from indexing.symbols import FileSymbols, Import, Kind

MOST_PLACES = 8
"""So many definitions of one name are looked at; one with more is not imported unasked."""

_TAKEN = frozenset((Kind.CLASS, Kind.FUNCTION, Kind.CONSTANT))
_AFTER_NO_NAME = frozenset((b".", b"def", b"class", b"import", b"from"))


def import_edits(
    text: bytes, start: int, end: int, path: str, snapshot: Snapshot
) -> tuple[TextEdit, ...]:
    """The edits of ``text`` for the names used in its bytes ``[start, end)``; none is in there.

    ``text`` is Python, and the buffer of ``path`` in ``snapshot``. Several may stand at the same
    place; they are to be inserted there in their order.
    """
    symbols = snapshot.symbols(path) or FileSymbols()
    if any(each.name == "*" and _is_outside(each, path, snapshot) for each in symbols.imports):
        return ()  # whatever the text uses may come from there
    names: dict[str, dict[str, None]] = {}
    modules: dict[str, None] = {}
    for parts, at in _used(text, start, end, path, snapshot):
        source = _defined_in(parts[0], path, snapshot)
        module = "" if source else _module_of(parts, path, snapshot)
        if not (source or module) or _is_known(parts[0], at, text, path, snapshot):
            continue
        if source:
            names.setdefault(source, {})[parts[0]] = None
        else:
            modules[module] = None
    edit = language_for(path).import_edit
    whole = (module_edit(text, symbols, module) for module in modules)
    brought = (
        edit(text, symbols, path, snapshot, module, ", ".join(found))
        for module, found in names.items()
    )
    return (*whole, *brought)


def _used(
    text: bytes, start: int, end: int, path: str, snapshot: Snapshot
) -> Iterator[tuple[tuple[str, ...], int]]:
    """The names in use with what dots add to them, each once, and a place where the name ends."""
    begin = language_for(path).read(text, start, snapshot.tree(path)).statement
    seen: set[tuple[str, ...]] = set()
    names = (_names(tokens) for tokens in reversed(list(_statements(text, begin, end))))
    for before, dotted, after in chain.from_iterable(names):
        parts = tuple(token.text.decode("utf-8", "replace") for token in dotted)
        if (
            dotted[0].end > start
            and parts not in seen
            and before not in _AFTER_NO_NAME
            and after != b"="
        ):
            seen.add(parts)
            yield parts, dotted[0].end


def _is_known(name: str, at: int, text: bytes, path: str, snapshot: Snapshot) -> bool:
    """Whether the name that ends at ``at`` is bound there, may be bound somewhere, or is none."""
    if rebound(name.encode(), text):
        return True
    context = language_for(path).read(text, at, snapshot.tree(path))
    here = gather(replace(context, call=None), path, snapshot, imports=False)
    return context.place is not Place.NAME or any(each.name == name for each in here.items)


def _statements(text: bytes, begin: int, end: int) -> Iterator[tuple[Token, ...]]:
    """The tokens of the statements in ``[begin, end)``, the last one first."""
    while end > begin:
        found = scan(text, begin, end)
        yield found.tokens
        end = found.statement if found.tokens else end - 1


def _names(tokens: tuple[Token, ...]) -> Iterator[tuple[bytes, tuple[Token, ...], bytes]]:
    """Every name with those that dots add to it and the text of the tokens on both sides of it.

    None of an import statement.
    """
    if tokens and tokens[0].text in (b"import", b"from"):
        return
    texts = [b"", *(token.text for token in tokens), b""]
    for at, token in enumerate(tokens):
        if token.kind is Lexeme.NAME:
            yield texts[at], tuple(_dotted(tokens[at:])), texts[at + 2]


def _dotted(tokens: tuple[Token, ...]) -> Iterator[Token]:
    """The names that ``tokens`` begin with, each but the first behind a dot."""
    yield tokens[0]
    for dot, token in zip(tokens[1::2], tokens[2::2], strict=False):
        if dot.text != b"." or token.kind is not Lexeme.NAME:
            return
        yield token


def _defined_in(name: str, path: str, snapshot: Snapshot) -> str:
    """The one module of the repository that defines ``name``, empty where there is no such one."""
    importable = language_for(path).importable
    located = snapshot.named(name, MOST_PLACES, family_of(path))
    top = [each for each in located if not each.definition.container and each.path != path]
    modules = {importable(each, path, snapshot) for each in top}
    sure = len(located) < MOST_PLACES and all(each.definition.kind in _TAKEN for each in top)
    return modules.pop() if sure and len(modules) == 1 else ""


def _module_of(parts: tuple[str, ...], path: str, snapshot: Snapshot) -> str:
    """The module to import so that there is what the dotted name ``parts`` says.

    Empty where no module of the repository or of the standard library is known to have it.
    """
    name, *attributes = parts
    module = snapshot.resolve(path, Import(name, None, name, 0, (0, 0)))
    if module.path is None:
        return standard_library.module_of(parts) if attributes else ""
    for attribute in attributes:
        found = snapshot.lookup(module, attribute)
        if found is None:
            return ""
        if found.qualname or found.module != f"{module.module}.{attribute}":
            break
        name, module = f"{name}.{attribute}", found
    return name if attributes else ""


def _is_outside(imported: Import, path: str, snapshot: Snapshot) -> bool:
    return snapshot.resolve(path, imported).path is None
