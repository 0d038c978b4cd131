"""Bytes to syntax trees: clean input, fresh parses, and parses that reuse the previous tree.

tree-sitter-python ends lines at ``\\n`` only, while Lancefill also ends them at a lone ``\\r``;
:func:`normalise` maps one to the other without moving a byte, and every tree is a tree of
normalised text.
"""

from __future__ import annotations

import codecs
import io
import re
import tokenize
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import tree_sitter

from indexing.languages import Language

LONE_CR = re.compile(rb"\r(?!\n)")


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes ``[start, old_end)`` of the old text became bytes ``[start, new_end)`` of the new."""

    start: int
    old_end: int
    new_end: int


def normalise(data: bytes) -> bytes:
    """The same bytes with every lone carriage return as a newline; offsets stay valid."""
    return LONE_CR.sub(b"\n", data) if b"\r" in data else data


def decoded(data: bytes) -> bytes:
    """A file's bytes as normalised UTF-8 without a byte order mark.

    UTF-8 is taken as it is, anything else by its byte order mark or coding cookie (PEP 263).
    Raises UnicodeDecodeError when the file says it is UTF-8 and is not, ValueError when it names an
    unknown encoding.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return normalise(data.decode("utf-16").encode("utf-8"))
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        data = data.decode(declared_encoding(data)).encode("utf-8")
    return normalise(data)


def declared_encoding(data: bytes) -> str:
    """The encoding that a Python source declares in its first two lines; Latin-1 without one.

    Latin-1 reads anything, so undeclared legacy files are indexed with their ASCII names intact.
    """
    try:
        name, lines = tokenize.detect_encoding(io.BytesIO(data).readline)
    except SyntaxError as error:
        cookie = tokenize.cookie_re.match(data[:200].decode("latin-1"))
        if cookie is not None:
            raise ValueError(str(error)) from error
        return "latin-1"
    undeclared = name == "utf-8" and b"coding" not in b"".join(lines)
    return "latin-1" if undeclared else name


@cache
def _parser(language: Language) -> tree_sitter.Parser:
    return tree_sitter.Parser(language.grammar)


def parse(
    language: Language,
    data: bytes,
    old: tree_sitter.Tree | None = None,
    edit: Edit | None = None,
    old_data: bytes = b"",
) -> tree_sitter.Tree:
    """Parse normalised ``data``, reusing ``old`` (the tree of ``old_data``) where ``edit`` allows.

    ``old`` is left as it was: readers may still hold it.
    """
    if old is None or edit is None:
        return _parser(language).parse(data)
    edited = old.copy()
    edited.edit(
        edit.start,
        edit.old_end,
        edit.new_end,
        point(old_data, edit.start),
        point(old_data, edit.old_end),
        point(data, edit.new_end),
    )
    return _parser(language).parse(data, edited)


def point(data: bytes, offset: int) -> tuple[int, int]:
    """``(line, byte column)`` of an offset, both from zero."""
    return data.count(b"\n", 0, offset), offset - (data.rfind(b"\n", 0, offset) + 1)


def difference(old: bytes, new: bytes) -> Edit | None:
    """The one edit that turns ``old`` into ``new``, as short as can be; ``None`` when equal."""
    if old == new:
        return None
    shorter = min(len(old), len(new))
    start = _common(lambda length: old[:length] == new[:length], shorter)
    rest = shorter - start
    tail = _common(lambda length: old[len(old) - length :] == new[len(new) - length :], rest)
    return Edit(start, len(old) - tail, len(new) - tail)


def _common(agree: Callable[[int], bool], most: int) -> int:
    """The largest length in ``[0, most]`` at which two texts agree, by bisection."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if agree(middle):
            low = middle
        else:
            high = middle - 1
    return low
