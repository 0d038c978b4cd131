"""Java, as completion sees it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import tree_sitter
import tree_sitter_java
from tree_sitter import Tree

from completion.annotations import Role, Scope
from completion.context import Context, Place
from completion.languages import Language, Native, braces
from completion.languages.braces import Around, Block, Reader, walk
from completion.languages.flow import Dialect, Flow
from completion.languages.java_imports import import_edit
from completion.languages.java_library import (
    ARRAY,
    FUNCTIONS,
    IN_EXPRESSIONS,
    KEYWORDS,
    NAMES,
    NATIVES,
)
from completion.languages.java_scope import HANDLERS
from completion.languages.lexing import NOT_OPERANDS, angle, syntax
from completion.languages.natives import members
from completion.scope import Binding
from completion.tokens import Lexeme, Token
from indexing.index import Snapshot
from indexing.resolve import Located, Target
from indexing.symbols import Definition, Import, Kind, Parameter

GRAMMAR = tree_sitter.Language(tree_sitter_java.language())
SUFFIX = ".java"
_PARSER = tree_sitter.Parser(GRAMMAR)
_NAME = re.compile(r"[^\W\d][\w$]*(?:\.[^\W\d][\w$]*)*")
_BEFORE_TYPES = NOT_OPERANDS | frozenset(
    b"public private protected static final abstract native transient volatile sealed strictfp"
    b" default permits record package".split()
)
_TYPE_HEADERS = frozenset((b"class", b"interface", b"enum", b"record"))


def _bindings(code: bytes, cursor: int) -> Iterator[Binding]:
    return walk(_PARSER.parse(code).root_node, Around(cursor), HANDLERS)


def _imports(found: Sequence[Token], _text: bytes, _end: int) -> tuple[Place, str] | None:
    if found[0].text == b"package":
        return Place.DEFINITION, ""
    if found[0].text != b"import":
        return None
    path = b"".join(token.text for token in found[1:] if token.text != b"static")
    return Place.MODULE, path.decode("utf-8", "replace")


def _defines(found: Sequence[Token], _block: Block | None) -> bool:
    """A name behind a type is a new one: ``User |``, ``List<User> |``, ``int[] |``."""
    words = [token.text for token in found]
    if words[-1] in _TYPE_HEADERS:
        return True
    if _TYPE_HEADERS.intersection(words) and b"(" not in words:
        return False
    last = len(found) - 1
    if words[-2:] == [b"[", b"]"]:
        last -= 2
    elif words[-1] == b">":
        last = angle(found, last) - 1
    if last < 0 or found[last].kind is not Lexeme.NAME or words[last] in _BEFORE_TYPES:
        return False
    return last == 0 or words[last - 1] != b"@"


READER = Reader(
    syntax=syntax(script=False),
    bindings=_bindings,
    imports=_imports,
    in_string=lambda _text, _string, _offset: -1,
    defines=_defines,
    newline_ends=False,
)

FLOW = Flow(
    Dialect(
        grammar=GRAMMAR,
        types=NATIVES,
        array=ARRAY,
        names=frozenset(NAMES),
        same_as={"Iterable": "Iterable", "Map.Entry": "Entry"},
        wrappers=("NonNull", "Nullable"),
        functions=FUNCTIONS,
        bare_members=True,
    )
)


def _read(text: bytes, offset: int, _tree: Tree | None) -> Context:
    return braces.read(READER, text, offset)


def _words(context: Context) -> Iterator[Native]:
    for name in KEYWORDS:
        if context.starts_statement or name in IN_EXPRESSIONS:
            yield Native(name, "keyword")
    for name in NAMES:
        yield Native(name, "class")


def _is_name(dotted: str) -> bool:
    return dotted != "__init__" and _NAME.fullmatch(dotted) is not None


def _visible(definition: Definition, role: Role, inside: bool) -> bool:
    """Static members after a class, the others after an instance; private ones at home."""
    if "private" in definition.decorators and not inside:
        return False
    static = "static" in definition.decorators or definition.kind is Kind.CLASS
    constant = definition.kind is Kind.ATTRIBUTE and not definition.annotation
    if role is Role.CLASS:
        return static or constant
    return role is not Role.INSTANCE or not (static or constant)


def _parameter(each: Parameter) -> str:
    dots = "..." if each.prefix else ""
    return f"{each.annotation or ''}{dots} {each.name}".strip()


def _signature(definition: Definition) -> str:
    """``(Message message): void``."""
    if definition.kind in (Kind.FUNCTION, Kind.METHOD):
        parameters = ", ".join(map(_parameter, definition.parameters))
        returns = f": {definition.returns}" if definition.returns else ""
        return f"({parameters}){returns}"
    if definition.kind is Kind.CLASS:
        return f" extends {', '.join(definition.bases)}" if definition.bases else ""
    type_ = definition.annotation or definition.returns
    return f": {type_}" if type_ else ""


def _arguments(definition: Definition) -> list[str]:
    return [each.name for each in definition.parameters]


def _required(definition: Definition) -> list[str]:
    return [each.name for each in definition.parameters if not each.prefix]


def _importable(located: Located, path: str, snapshot: Snapshot) -> str:
    """The package of a public class of another one."""
    package = snapshot.module_name(located.path)
    public = "public" in located.definition.decorators
    if located.definition.kind is not Kind.CLASS or not public:
        return ""
    return "" if package == snapshot.module_name(path) else package


def _module_at(written: str, offset: int, scope: Scope) -> Target:
    package, _, name = written.rstrip(".").rpartition(".")
    span = (offset, offset)
    return scope.snapshot.resolve(scope.path, Import(package, name, name, 0, span))


def _modules(context: Context, scope: Scope) -> Iterator[Native]:
    """The packages and classes below a package, or the members of a class."""
    snapshot = scope.snapshot
    names: dict[str, str] = {}
    for path in snapshot.paths:
        package = f"{snapshot.module_name(path)}." if path.endswith(SUFFIX) else ""
        if not package.startswith(context.module) or not package:
            continue
        below = package[len(context.module) :]
        if below:
            names.setdefault(below.partition(".")[0], str(Kind.MODULE))
        else:
            names[path.rpartition("/")[2].removesuffix(SUFFIX)] = str(Kind.CLASS)
    for name in sorted(names):
        yield Native(name, names[name])
    if not names and context.module:
        target = _module_at(context.module, context.offset, scope)
        for member in snapshot.members(target):
            yield Native(member.name, str(member.definition.kind))


JAVA = Language(
    name="Java",
    family="java",
    suffixes=(SUFFIX,),
    read=_read,
    infer=FLOW.infer,
    of_binding=FLOW.of_binding,
    members=lambda name: members(NATIVES, name),
    roots=lambda role: ("Object",) if role is Role.INSTANCE else (),
    plain_bases=frozenset(
        ("Serializable", "Cloneable", "AutoCloseable", "Closeable", "Comparable", "Runnable")
    ),
    words=_words,
    is_name=_is_name,
    visible=_visible,
    arguments=_arguments,
    required=_required,
    signature=_signature,
    importable=_importable,
    import_edit=import_edit,
    module_at=_module_at,
    modules=_modules,
    bare_members=True,
)
