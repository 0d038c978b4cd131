"""The edit that brings a name of this repository, or a module, into the file."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Sequence

from completion.request import TextEdit
from indexing.symbols import FileSymbols, Import, Kind

_PREAMBLE = re.compile(rb"(?:[ \t\f]*(?:#[^\r\n]*)?(?:\r\n|\n|\r))*")
_DOCSTRING = re.compile(
    rb"[rRuU]?(?:\"\"\"(?:[^\"\\]|\\[\s\S]|\"(?!\"\"))*\"\"\"|'''(?:[^'\\]|\\[\s\S]|'(?!''))*'''"
    rb"|\"[^\"\r\n]*\"|'[^'\r\n]*')"
)
_REST = re.compile(rb"[ \t\f]*(?:#[^\r\n]*)?(?:\r\n|\n|\r|\Z)")
_STATEMENT_END = re.compile(rb"[ \t\f]*(?:[;#\r\n]|\Z)")
_LINE_END = re.compile(rb"\r\n|\n|\r")


def import_edit(
    text: bytes, symbols: FileSymbols, importer: str, module: str, name: str, *, package: bool
) -> TextEdit:
    """Bring ``name`` of ``module`` into the file ``importer`` (both dotted module names).

    ``name`` may be several with commas between them, which the file imports none of.
    ``package`` says that the importer is a package's ``__init__``. A ``from`` import of the same
    module is extended; otherwise a statement is added below the imports at the top of the file,
    relative where the file already imports relatively from the same package.
    """
    imports = _top_imports(symbols)
    for statement in imports:
        if statement.name not in (None, "*") and _absolute(statement, importer, package) == module:
            extended = _extended(text, statement, name)
            if extended is not None:
                return extended
    source = _spelled(imports, importer, module, package)
    return _inserted(text, imports, f"from {source} import {name}")


def has_imports(symbols: FileSymbols) -> bool:
    """Whether a text imports anything at its top."""
    return bool(_top_imports(symbols))


def module_edit(text: bytes, symbols: FileSymbols, module: str) -> TextEdit:
    """Bring a whole module into the file: a statement of its own below those at its top."""
    return statement_edit(text, symbols, f"import {module}")


def statement_edit(text: bytes, symbols: FileSymbols, statement: str) -> TextEdit:
    """Put an import statement below the imports at the top of a text, or else at its top."""
    return _inserted(text, _top_imports(symbols), statement)


def _top_imports(symbols: FileSymbols) -> list[Import]:
    """The plain imports of the module's own level above its first class or function."""
    blocks = (each.span[0] for each in symbols.definitions if _is_block(each.kind))
    limit = next(blocks, None)  # definitions are ordered by position
    plain = (each for each in symbols.imports if not each.scope and not each.guarded)
    return [each for each in plain if limit is None or each.span[0] < limit]


def _is_block(kind: Kind) -> bool:
    return kind in (Kind.CLASS, Kind.FUNCTION, Kind.METHOD)


def _absolute(statement: Import, importer: str, package: bool) -> str:
    if not statement.level:
        return statement.module
    parts = importer.split(".")
    base = parts[: len(parts) - statement.level + package]
    return ".".join([*base, statement.module] if statement.module else base)


def _spelled(imports: Sequence[Import], importer: str, module: str, package: bool) -> str:
    """The module as this file would write it."""
    if not any(each.level for each in imports):
        return module
    own = importer.split(".") if package else importer.split(".")[:-1]
    wanted = module.split(".")
    common = 0
    while common < min(len(own), len(wanted)) and own[common] == wanted[common]:
        common += 1
    if not common:
        return module
    return "." * (len(own) - common + 1) + ".".join(wanted[common:])


def _extended(text: bytes, statement: Import, name: str) -> TextEdit | None:
    """One more name in an existing ``from`` import; None where its end cannot be told."""
    start, end = statement.span
    source = text[start:end]
    if not source.endswith(b")"):
        plain = b"\\" not in source and b"(" not in source and b"#" not in source
        return TextEdit(end, end, f", {name}") if plain else None
    inside = source[:-1].rstrip()
    if b"#" in inside.rpartition(b"\n")[2]:
        return None  # a comment after the last name: where its comma belongs is a matter of taste
    at = start + len(inside)
    newline = _LINE_END.search(source[len(inside) :])
    if newline is None:
        separator = " " if inside.endswith(b",") else ", "
        return TextEdit(at, at, f"{separator}{name}")
    last_line = inside[max(inside.rfind(b"\n"), inside.rfind(b"\r")) + 1 :]
    indent = last_line[: len(last_line) - len(last_line.lstrip())].decode()
    comma = "" if inside.endswith(b",") else ","
    eol = newline[0].decode()
    return TextEdit(at, at, f"{comma}{eol}{indent or '    '}{name},")


def _inserted(text: bytes, imports: Sequence[Import], line: str) -> TextEdit:
    first = _LINE_END.search(text)
    eol = first[0].decode() if first else "\n"
    if imports:
        last = max(imports, key=lambda each: each.span)
        gap = eol if last.module == "__future__" else ""
        return _below(text, last.span[1], f"{gap}{line}", line, eol)
    begin = len(BOM_UTF8) if text.startswith(BOM_UTF8) else 0
    preamble = _PREAMBLE.match(text, begin)
    at = preamble.end() if preamble else begin
    docstring = _DOCSTRING.match(text, at)
    if docstring and _STATEMENT_END.match(text, docstring.end()):
        rest = _REST.match(text, docstring.end())
        after = "" if rest is None or _blank_at(text, rest.end()) else eol
        return _below(text, docstring.end(), f"{eol}{line}", line, eol, after)
    after = "" if _blank_at(text, at) else eol
    before = eol if at == len(text) > begin and text[-1:] not in (b"\n", b"\r") else ""
    return TextEdit(at, at, f"{before}{line}{eol}{after}")


def _blank_at(text: bytes, at: int) -> bool:
    return at == len(text) or _LINE_END.match(text, at) is not None


def _below(text: bytes, end: int, below: str, beside: str, eol: str, after: str = "") -> TextEdit:
    """``below`` on lines of its own below the statement that ends at ``end``.

    Where another statement follows on the line, which may go on over many lines, ``beside`` is put
    between the two.
    """
    rest = _REST.match(text, end)
    if rest is None:
        return TextEdit(end, end, f"; {beside}")
    at = rest.end()
    before = eol if at == len(text) and text[-1:] not in (b"\n", b"\r") else ""
    return TextEdit(at, at, f"{before}{below}{eol}{after}")
