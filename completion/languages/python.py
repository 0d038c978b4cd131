"""Python, as completion sees it: the readers of :mod:`completion`, bound together."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from keyword import iskeyword

from completion import builtin_types
from completion.annotations import Scope
from completion.context import Context, read
from completion.dataflow import infer, of_binding
from completion.importing import import_edit
from completion.languages import Language, Native
from completion.request import TextEdit
from completion.signatures import required, signature
from indexing.index import Snapshot
from indexing.languages.python import PYTHON as INDEXED
from indexing.modules import is_package
from indexing.resolve import Located, Target
from indexing.symbols import Definition, FileSymbols, Import, Kind


def _members(type_name: str) -> Iterator[Native]:
    for member in builtin_types.members(type_name):
        yield Native(
            member,
            builtin_types.kind(type_name, member),
            builtin_types.signature(type_name, member),
            builtin_types.documentation(type_name, member),
        )


_IN_EXPRESSIONS = frozenset(("if", "else", "for", "async"))


def _words(context: Context) -> Iterator[Native]:
    for name in builtin_types.KEYWORDS:
        statement = name in builtin_types.STATEMENT_KEYWORDS - _IN_EXPRESSIONS
        if context.starts_statement or not statement:
            yield Native(name, "keyword")
    for name in builtin_types.NAMES:
        yield Native(name, builtin_types.name_kind(name))


@lru_cache(maxsize=16_384)
def _is_name(dotted: str) -> bool:
    """Whether code can name it: files may be called ``foo-bar.py`` or ``2024/class.py``."""
    return all(part.isidentifier() and not iskeyword(part) for part in dotted.split("."))


def _arguments(definition: Definition) -> list[str]:
    """Those that can be passed by keyword, the first one of a method too."""
    return [
        each.name for each in definition.parameters if not each.prefix and each.name.isidentifier()
    ]


def _importable(located: Located, _path: str, snapshot: Snapshot) -> str:
    module = snapshot.module_name(located.path)
    return module if _is_name(module) else ""


def _import_edit(
    text: bytes, symbols: FileSymbols, path: str, snapshot: Snapshot, module: str, name: str
) -> TextEdit:
    importer = snapshot.module_name(path)
    return import_edit(text, symbols, importer, module, name, package=is_package(path))


def _module_at(written: str, offset: int, scope: Scope) -> Target:
    """The module that ``written`` (``"..pkg.mod"``) names in an import statement of the file."""
    module = written.lstrip(".")
    statement = Import(module, "*", "*", len(written) - len(module), (offset, offset))
    return scope.snapshot.resolve(scope.path, statement)


def _modules(context: Context, scope: Scope) -> Iterator[Native]:
    snapshot = scope.snapshot
    if context.module:
        relative = context.module.rstrip(".") == ""
        written = context.module if relative else context.module.removesuffix(".")
        target = _module_at(written, context.offset, scope)
        for member in snapshot.members(target) if target.path is not None else ():
            if member.definition.kind is Kind.MODULE and _is_name(member.name):
                yield Native(member.name, str(Kind.MODULE))
        return
    tops = {
        snapshot.module_name(path).partition(".")[0]
        for path in snapshot.paths
        if path.endswith(INDEXED.suffixes)
    }
    for name in sorted(filter(_is_name, tops)):
        yield Native(name, str(Kind.MODULE))


PYTHON = Language(
    name="python",
    family="python",
    suffixes=INDEXED.suffixes,
    read=read,
    infer=infer,
    of_binding=of_binding,
    members=_members,
    roots=lambda _role: ("object",),
    plain_bases=frozenset(("ABC", "Protocol", "Generic")),
    words=_words,
    is_name=_is_name,
    visible=lambda _member, _role, _inside: True,
    arguments=_arguments,
    required=required,
    signature=signature,
    importable=_importable,
    import_edit=_import_edit,
    module_at=_module_at,
    modules=_modules,
    construction="",
    snake_case=True,
    self_parameter=True,
    jedi=True,
    model=True,
)
