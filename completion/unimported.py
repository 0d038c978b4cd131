"""The imports that accepted ghost text brings: of names that it uses and the file does not know.

Nobody is asked before such an edit is made, so it is made only where there is no doubt: the name is
not bound anywhere in the file, and exactly one module can be meant.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace

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
    names: dict[str, list[str]] = {}
    modules = []
    for name, at, dotted in _used(text, start, end, path, snapshot):
        module = _defined_in(name, path, snapshot)
        if not module and not (dotted and _is_module(name, path, snapshot)):
            continue
        if _is_known(name, at, text, path, snapshot):
            continue
        if module:
            names.setdefault(module, []).append(name)
        else:
            modules.append(module_edit(text, symbols, name))
    edit = language_for(path).import_edit
    brought = (
        edit(text, symbols, path, snapshot, module, ", ".join(found))
        for module, found in names.items()
    )
    return (*modules, *brought)


def _used(
    text: bytes, start: int, end: int, path: str, snapshot: Snapshot
) -> Iterator[tuple[str, int, bool]]:
    """The names in use, each once, with a place where it ends and whether a dot follows."""
    begin = language_for(path).read(text, start, snapshot.tree(path)).statement
    seen: set[str] = set()
    for before, token, after in _names(scan(text, begin, end).tokens):
        name = token.text.decode("utf-8", "replace")
        if (
            token.end > start
            and name not in seen
            and before not in _AFTER_NO_NAME
            and after != b"="
        ):
            seen.add(name)
            yield name, token.end, after == b"."


def _is_known(name: str, at: int, text: bytes, path: str, snapshot: Snapshot) -> bool:
    """Whether the name that ends at ``at`` is bound there, may be bound somewhere, or is none."""
    if rebound(name.encode(), text):
        return True
    context = language_for(path).read(text, at, snapshot.tree(path))
    here = gather(replace(context, call=None), path, snapshot, imports=False)
    return context.place is not Place.NAME or any(each.name == name for each in here.items)


def _names(tokens: tuple[Token, ...]) -> Iterator[tuple[bytes, Token, bytes]]:
    """Every name with the text of the tokens on both sides of it; none of an import statement."""
    if tokens and tokens[0].text in (b"import", b"from"):
        return
    texts = [b"", *(token.text for token in tokens), b""]
    for at, token in enumerate(tokens):
        if token.kind is Lexeme.NAME:
            yield texts[at], token, texts[at + 2]


def _defined_in(name: str, path: str, snapshot: Snapshot) -> str:
    """The one module of the repository that defines ``name``, empty where there is no such one."""
    importable = language_for(path).importable
    located = snapshot.named(name, MOST_PLACES, family_of(path))
    top = [each for each in located if not each.definition.container and each.path != path]
    modules = {importable(each, path, snapshot) for each in top}
    sure = len(located) < MOST_PLACES and all(each.definition.kind in _TAKEN for each in top)
    return modules.pop() if sure and len(modules) == 1 else ""


def _is_module(name: str, path: str, snapshot: Snapshot) -> bool:
    """Whether ``import name`` finds a module of the repository or of the standard library."""
    found = snapshot.resolve(path, Import(name, None, name, 0, (0, 0)))
    return found.path is not None or name in sys.stdlib_module_names


def _is_outside(imported: Import, path: str, snapshot: Snapshot) -> bool:
    return snapshot.resolve(path, imported).path is None
