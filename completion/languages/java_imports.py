"""The edit that imports a class into a Java file."""

from __future__ import annotations

import re
from codecs import BOM_UTF8

from completion.request import TextEdit
from indexing.index import Snapshot
from indexing.symbols import FileSymbols

_IMPORT = re.compile(
    rb"^[ \t]*import[ \t]+(?P<static>static[ \t]+)?(?P<name>[\w.$\x80-\xff]+)(?:\.\*)?[ \t]*;"
    rb"[^\r\n]*(?:\r\n|\n|\r|\Z)",
    re.MULTILINE,
)
_PACKAGE = re.compile(rb"^[ \t]*package[ \t]+[\w.$\x80-\xff]+[ \t]*;[^\r\n]*(\r\n|\n|\r|\Z)", re.M)
_HEADER = re.compile(rb"(?:\s*(?:/\*.*?\*/|//[^\r\n]*)(?:\r\n|\n|\r)?)*", re.DOTALL)
_LINE_END = re.compile(rb"\r\n|\n|\r")


def import_edit(
    text: bytes, _symbols: FileSymbols, _path: str, _snapshot: Snapshot, module: str, name: str
) -> TextEdit:
    """``import module.name;`` among the imports, in their order; else below the package."""
    newline = _LINE_END.search(text)
    eol = newline[0].decode() if newline else "\n"
    full = f"{module}.{name}"
    line = f"import {full};{eol}"
    imports = [each for each in _IMPORT.finditer(text) if not each["static"]]
    smaller = [each for each in imports if each["name"] < full.encode()]
    if smaller:
        return _at_line(text, smaller[-1].end(), line, eol)
    if imports:
        return TextEdit(imports[0].start(), imports[0].start(), line)
    return _first_import(text, line, eol)


def _first_import(text: bytes, line: str, eol: str) -> TextEdit:
    package = _PACKAGE.search(text)
    if package:
        blank = _LINE_END.match(text, package.end()) is not None
        return _at_line(text, package.end(), f"{eol}{line}" + ("" if blank else eol), eol)
    begin = len(BOM_UTF8) if text.startswith(BOM_UTF8) else 0
    header = _HEADER.match(text, begin)
    documented = header is not None and b"/**" in header[0]
    at = begin if header is None or documented else header.end()
    return _at_line(text, at, f"{line}{eol}", eol)


def _at_line(text: bytes, at: int, line: str, eol: str) -> TextEdit:
    """The line at an offset that may be the end of a last line without a line end."""
    fresh = at == 0 or text[at - 1 : at] in (b"\n", b"\r") or text[:at] == BOM_UTF8
    return TextEdit(at, at, line if fresh else eol + line)
