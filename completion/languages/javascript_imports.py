"""The edit that imports a name into a JavaScript or TypeScript file, in the file's own style."""

from __future__ import annotations

import posixpath
import re
from codecs import BOM_UTF8

from completion.request import TextEdit
from indexing.index import Snapshot
from indexing.resolve import Located
from indexing.symbols import FileSymbols, Import

SUFFIXES = (".d.ts", ".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")
_WRITTEN = (".js", ".mjs", ".cjs", ".ts", ".tsx", ".jsx", ".mts", ".cts")
_STATEMENT = re.compile(
    rb"^import\b(?P<clause>[^;'\"()]*?)(?P<quote>['\"])(?P<module>[^'\"\r\n]+)(?P=quote)"
    rb"(?P<end>;?)[ \t]*(?://[^\r\n]*)?(?:\r\n|\n|\r|\Z)",
    re.MULTILINE,
)
_REQUIRE = re.compile(
    rb"^(?:const|let|var)\b[^=\r\n;]*=\s*require\((?P<quote>['\"])[^'\"\r\n]+(?P=quote)\)"
    rb"(?P<end>;?)[^\r\n]*(?:\r\n|\n|\r|\Z)",
    re.MULTILINE,
)
_HEADER = re.compile(
    rb"(?:#![^\r\n]*(?:\r\n|\n|\r))?(?:\s*/\*(?!\*).*?\*/[ \t]*(?:\r\n|\n|\r)?)?"
    rb"(?:\s*(?P<q>['\"])use \w+(?P=q);?[ \t]*(?:\r\n|\n|\r|\Z))*",
    re.DOTALL,
)
_LINE_END = re.compile(rb"\r\n|\n|\r")


def importable(located: Located, path: str, snapshot: Snapshot) -> str:
    """The specifier by which the file ``path`` imports an exported definition; else empty."""
    symbols = snapshot.symbols(located.path)
    exported = symbols.exports if symbols else None
    names = {"export", "default"} & set(located.definition.decorators)
    if not names and located.definition.name not in (exported or ()):
        return ""
    return specifier(located.path, path, snapshot)


def specifier(module: str, path: str, snapshot: Snapshot) -> str:
    """The file ``module`` as ``path`` writes it: relative, with a suffix where others have one."""
    symbols = snapshot.symbols(path)
    written = [each.module for each in symbols.imports if each.module[:1] == "."] if symbols else []
    suffix = next((end for each in written for end in _WRITTEN if each.endswith(end)), "")
    stem = module
    for end in SUFFIXES:
        if module.endswith(end):
            stem = module.removesuffix(end)
            break
    if not suffix and posixpath.basename(stem) == "index":
        stem = posixpath.dirname(stem) or "."
    relative = posixpath.relpath(stem, posixpath.dirname(path) or ".")
    return (relative if relative.startswith(".") else f"./{relative}") + suffix


def import_edit(
    text: bytes, _symbols: FileSymbols, path: str, snapshot: Snapshot, module: str, name: str
) -> TextEdit:
    """``import { name } from "module"``, merged into an import of the same module."""
    by_default = _is_default(path, snapshot, module, name)
    statements = list(_STATEMENT.finditer(text))
    for statement in statements:
        if statement["module"].decode("utf-8", "replace") == module and not by_default:
            extended = _extended(statement, name)
            if extended is not None:
                return extended
    required = [] if statements else list(_REQUIRE.finditer(text))
    return _new_line(text, statements or required, module, name, by_default, bool(required))


def _is_default(path: str, snapshot: Snapshot, module: str, name: str) -> bool:
    """Whether the module exports the name only as its default."""
    statement = Import(module, "default", name, 0, (0, 0))
    target = snapshot.resolve(path, statement)
    definition = snapshot.definition(target) if target.path else None
    symbols = snapshot.symbols(target.path or "")
    named = name in ((symbols.exports or ()) if symbols else ())
    return definition is not None and definition.name == name and not named


def _extended(statement: re.Match[bytes], name: str) -> TextEdit | None:
    """One more name between the braces of an import; None where it has none or only types."""
    clause = statement["clause"]
    closing = clause.rfind(b"}")
    if closing < 0 or clause.split()[:1] == [b"type"]:
        return None
    inside = clause[clause.find(b"{") + 1 : closing]
    listed = inside.rstrip()
    at = statement.start("clause") + clause.find(b"{") + 1 + len(listed)
    comma = "" if not listed or listed.endswith(b",") else ","
    newline = _LINE_END.search(inside)
    if newline is None:
        space = " " if inside.startswith(b" ") or not listed else ""
        between = " " if listed else ""
        return TextEdit(at, at, f"{comma}{between or space}{name}" + ("" if listed else space))
    last_line = re.split(rb"[\r\n]", listed)[-1]
    indent = last_line[: len(last_line) - len(last_line.lstrip())].decode()
    trailing = "," if listed.endswith(b",") else ""
    return TextEdit(at, at, f"{comma}{newline[0].decode()}{indent}{name}{trailing}")


def _new_line(
    text: bytes,
    statements: list[re.Match[bytes]],
    module: str,
    name: str,
    by_default: bool,
    required: bool,
) -> TextEdit:
    found = _LINE_END.search(text)
    eol = found[0].decode() if found else "\n"
    last = statements[-1] if statements else None
    quote = last["quote"].decode() if last else _quote(text)
    end = last["end"].decode() if last else (";" if b";" in text or not text.strip() else "")
    bound = name if by_default else f"{{ {name} }}"
    source = f"{quote}{module}{quote}"
    value = f"const {bound} = require({source})" if required else f"import {bound} from {source}"
    line = f"{value}{end}{eol}"
    if last is None:
        begin = len(BOM_UTF8) if text.startswith(BOM_UTF8) else 0
        header = _HEADER.match(text, begin)
        at = header.end() if header else begin
        blank = at < len(text) and not _LINE_END.match(text, at)
        line += eol if blank else ""
        fresh = at == begin or text[at - 1 : at] in (b"\n", b"\r")
    else:
        at = last.end()
        fresh = text[at - 1 : at] in (b"\n", b"\r")
    return TextEdit(at, at, line if fresh else eol + line)


def _quote(text: bytes) -> str:
    return "'" if text.count(b"'") > text.count(b'"') else '"'
