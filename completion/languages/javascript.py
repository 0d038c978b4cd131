"""JavaScript and TypeScript, with JSX, as completion sees them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence

import tree_sitter
import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Tree

from completion.annotations import Role, Scope
from completion.context import Context, Place
from completion.languages import Language, Native, braces
from completion.languages.braces import Around, Block, Reader, open_brackets, walk
from completion.languages.flow import Dialect, Flow
from completion.languages.javascript_imports import SUFFIXES, import_edit, importable
from completion.languages.javascript_library import (
    ARRAY,
    IN_EXPRESSIONS,
    KEYWORDS,
    NAMES,
    NATIVES,
    SAME_AS,
    TYPE_KEYWORDS,
    WRAPPERS,
)
from completion.languages.javascript_scope import HANDLERS
from completion.languages.lexing import syntax
from completion.languages.natives import members
from completion.scope import Binding
from completion.tokens import Token
from indexing.resolve import Target
from indexing.symbols import Definition, Import, Kind, Parameter

_NAME = re.compile(r"#?(?!\d)[\w$]+(?:\.(?!\d)[\w$]+)*")
_MODULE_STRING = re.compile(rb"(?:\bfrom|\bimport|\b(?:require|import)\s*\()\s*\Z")
_FROM = re.compile(rb"[^{};]*\}\s*from\s*(?P<quote>['\"])(?P<module>[^'\"\r\n]+)(?P=quote)")
_MAKES_NAMES = frozenset(b"const let var function class interface enum namespace".split())
_PARAMETER_WORDS = frozenset((b"public", b"private", b"protected", b"readonly"))


def _imports(found: Sequence[Token], text: bytes, end: int) -> tuple[Place, str] | None:
    """Inside ``import … from`` or ``export { … }``."""
    words = [token.text for token in found]
    if words[0] not in (b"import", b"export") or words[1:2] in ([b"("], [b"."]):
        return None
    listing = b"{" in words and b"}" not in words
    if words[0] == b"export" and (not listing or words[1] != b"{"):
        return None
    if words[-1] == b"as" or not listing:
        return Place.DEFINITION, ""
    source = _FROM.match(text, end)
    if source is None:
        return (Place.NAME if words[0] == b"export" else Place.IMPORTED), ""
    return Place.IMPORTED, source["module"].decode("utf-8", "replace")


def _in_string(text: bytes, string: int, offset: int) -> int:
    """Where the part of a module path that the cursor is in begins."""
    if not _MODULE_STRING.search(text, max(0, string - 64), string):
        return -1
    return max(string, text.rfind(b"/", string, offset)) + 1


def _defines(found: Sequence[Token], block: Block | None) -> bool:
    """Whether a new name is made up behind the tokens."""
    words = [token.text for token in found]
    if words[-1] in _MAKES_NAMES:
        return True
    if words in ([b"type"], [b"export", b"type"]):
        return True
    if words[0] in (b"const", b"let", b"var") and b"=" not in words and b"of" not in words:
        return words[-1] in (b"{", b"[", b",")
    return words[-1] in (b"(", b",", b"{", *_PARAMETER_WORDS) and _in_parameters(found, block)


def _in_parameters(found: Sequence[Token], block: Block | None) -> bool:
    """Whether the innermost open bracket is that of a function's parameters."""
    opened = open_brackets(found)
    parens = [index for index in opened if found[index].text == b"("]
    if len(parens) != 1 or not parens[0]:
        return False
    before = [token.text for token in found[: parens[0]]]
    if before[-1] == b"catch" or b"function" in before[-2:]:
        return True
    in_class = block is not None and block.is_class
    return in_class and b"=" not in before and b"@" not in before


def _reader(grammar: tree_sitter.Language) -> Reader:
    parser = tree_sitter.Parser(grammar)

    def bindings(code: bytes, cursor: int) -> Iterator[Binding]:
        return walk(parser.parse(code).root_node, Around(cursor), HANDLERS)

    return Reader(syntax(script=True), bindings, _imports, _in_string, _defines, newline_ends=True)


def _is_name(dotted: str) -> bool:
    return dotted != "__init__" and _NAME.fullmatch(dotted) is not None


def _visible(definition: Definition, role: Role, inside: bool) -> bool:
    """Static members after a class, the others after an instance; private ones at home."""
    words = definition.decorators
    if ("private" in words or definition.name.startswith("#")) and not inside:
        return False
    static = "static" in words
    if role is Role.CLASS:
        constant = definition.kind is Kind.ATTRIBUTE and not definition.annotation
        return static or constant or definition.kind is Kind.CLASS
    return role is not Role.INSTANCE or not static


def _parameter(each: Parameter) -> str:
    dots = "..." if each.prefix else ""
    optional = "?" if each.default == "undefined" else ""
    type_ = f": {each.annotation}" if each.annotation else ""
    default = f" = {each.default}" if each.default and not optional else ""
    return f"{dots}{each.name or '{}'}{optional}{type_}{default}"


def _signature(definition: Definition) -> str:
    """``(message: Message): Promise<void>``."""
    if definition.kind in (Kind.FUNCTION, Kind.METHOD):
        parameters = ", ".join(map(_parameter, definition.parameters))
        returns = f": {definition.returns}" if definition.returns else ""
        return f"({parameters}){returns}"
    if definition.kind is Kind.CLASS:
        return f" extends {', '.join(definition.bases)}" if definition.bases else ""
    if definition.annotation == "TypeAlias":
        return f" = {definition.value}" if definition.value else ""
    type_ = definition.annotation or definition.returns
    return f": {type_}" if type_ else (f" = {definition.value}" if definition.value else "")


def _arguments(definition: Definition) -> list[str]:
    return [each.name for each in definition.parameters]


def _required(definition: Definition) -> list[str]:
    return [
        each.name or "options"
        for each in definition.parameters
        if not each.prefix and each.default is None
    ]


def _module_at(written: str, offset: int, scope: Scope) -> Target:
    statement = Import(written, None, written, 0, (offset, offset))
    return scope.snapshot.resolve(scope.path, statement)


def _modules(context: Context, scope: Scope) -> Iterator[Native]:
    """The folders and files that a relative path goes on with."""
    if not context.module.startswith("."):
        return
    here = posixpath.dirname(scope.path)
    folder = posixpath.normpath(posixpath.join(here, context.module))
    below = "" if folder == "." else f"{folder}/"
    names: set[str] = set()
    for path in scope.snapshot.paths:
        if path.startswith(below) and path.endswith(SUFFIXES) and path != scope.path:
            first, deeper, _ = path[len(below) :].partition("/")
            suffix = next((end for end in SUFFIXES if first.endswith(end)), "")
            names.add(first if deeper else first.removesuffix(suffix))
    for name in sorted(names):
        yield Native(name, str(Kind.MODULE))


def _language(
    name: str, suffixes: tuple[str, ...], grammar: tree_sitter.Language, keywords: tuple[str, ...]
) -> Language:
    reader = _reader(grammar)
    flow = Flow(
        Dialect(grammar, NATIVES, ARRAY, frozenset(NAMES), same_as=SAME_AS, wrappers=WRAPPERS)
    )

    def read(text: bytes, offset: int, _tree: Tree | None) -> Context:
        return braces.read(reader, text, offset)

    def words(context: Context) -> Iterator[Native]:
        for keyword in keywords:
            if context.starts_statement or keyword in IN_EXPRESSIONS:
                yield Native(keyword, "keyword")
        for word, kind in NAMES.items():
            yield Native(word, kind)

    return Language(
        name=name,
        family="javascript",
        suffixes=suffixes,
        read=read,
        infer=flow.infer,
        of_binding=flow.of_binding,
        members=lambda type_name: members(NATIVES, SAME_AS.get(type_name, type_name)),
        roots=lambda role: ("Object",) if role is Role.INSTANCE else ("Function",),
        plain_bases=frozenset(),
        words=words,
        is_name=_is_name,
        visible=_visible,
        arguments=_arguments,
        required=_required,
        signature=_signature,
        importable=importable,
        import_edit=import_edit,
        module_at=_module_at,
        modules=_modules,
    )


JAVASCRIPT = _language(
    "JavaScript",
    (".js", ".mjs", ".cjs", ".jsx"),
    tree_sitter.Language(tree_sitter_javascript.language()),
    KEYWORDS,
)
TYPESCRIPT = _language(
    "TypeScript",
    (".ts", ".mts", ".cts"),
    tree_sitter.Language(tree_sitter_typescript.language_typescript()),
    KEYWORDS + TYPE_KEYWORDS,
)
TSX = _language(
    "TypeScript",
    (".tsx",),
    tree_sitter.Language(tree_sitter_typescript.language_tsx()),
    KEYWORDS + TYPE_KEYWORDS,
)
