"""Notebook cells as Python: what only IPython understands becomes comments, byte for byte as long.

Of ``%magic`` and ``!shell`` lines and of ``name?`` nothing is left but an empty comment; a name
that a magic is assigned to stays bound. So every offset into a cell is one into what is read of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TO_LINE_END = rb"(?:\\(?:\r\n|.)?|[^\\\r\n])*"
_CELL_MAGIC = re.compile(rb"\s*%%[ \t]*(\w*)")
_PYTHON_CELLS = frozenset((b"capture", b"debug", b"prun", b"time", b"timeit"))
"""The cell magics below which Python goes on."""
_LINE_MAGIC = re.compile(
    rb"[ \t\f]*(?P<magic>[%!?]"
    + _TO_LINE_END
    + rb"|[\w.*\x80-\xff]+(?:\[[^\[\]\r\n]*\])?\?\??[ \t]*(?=[\r\n]|\Z))",
    re.DOTALL,
)
_ASSIGNED = re.compile(
    rb"[ \t\f]*[A-Za-z_\x80-\xff][\w., \t\[\]\x80-\xff]*=[ \t]*(?P<magic>[%!]"
    + _TO_LINE_END
    + rb")",
    re.DOTALL,
)
_LINE_END = re.compile(rb"[\r\n]")
_STEP = re.compile(
    rb"#[^\r\n]*|(?P<triple>'''|\"\"\")|'(?:\\(?:\r\n|.)|[^'\\\r\n])*'?"
    rb"|\"(?:\\(?:\r\n|.)|[^\"\\\r\n])*\"?|(?P<open>[(\[{])|(?P<close>[)\]}])"
    rb"|\\(?:\r\n|.)|(?P<end>\r\n|\r|\n)",
    re.DOTALL,
)
_TRIPLE_END = {
    quote: re.compile(rb"(?:\\.|[^\\])*?" + quote, re.DOTALL) for quote in (b"'''", b'"""')
}
_CLOSER = {b"(": b")", b"[": b"]", b"{": b"}"}


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell as Python reads it: ``text`` is as long as the cell, ``closing`` closes what it leaves
    open (brackets, a string), so that another cell can follow."""

    text: bytes
    closing: bytes


def is_python(text: bytes) -> bool:
    """Whether a cell is Python: its first line does not give it to another language."""
    named = _CELL_MAGIC.match(text)
    return named is None or named[1] in _PYTHON_CELLS


def read_cell(text: bytes) -> Cell | None:
    """A cell's UTF-8 text as Python; None where its first line gives it to another language."""
    if not is_python(text):
        return None
    lines = bytearray(text)
    at = 0
    if named := _CELL_MAGIC.match(text):
        line_end = _LINE_END.search(text, named.end())
        at = line_end.start() if line_end else len(text)
        _blank(lines, text.index(b"%"), at, b"#")
    opened: list[bytes] = []
    begins = not at
    while at < len(text):
        if begins and (end := _without_magic(lines, text, at)):
            at, begins = end, False
            continue
        step = _STEP.search(text, at)
        if step is None:
            break
        at = step.end()
        if quote := step["triple"]:
            closed = _TRIPLE_END[quote].match(text, at)
            if closed is None:
                return Cell(bytes(lines), b"\n" + quote + b"".join(reversed(opened)))
            at = closed.end()
        elif step["open"]:
            opened.append(_CLOSER[step["open"]])
        elif step["close"] and opened:
            opened.pop()
        begins = step["end"] is not None and not opened
    closing = b"".join(reversed(opened))
    return Cell(bytes(lines), b"\n" + closing if opened or text.endswith(b"\\") else b"")


def _without_magic(lines: bytearray, text: bytes, at: int) -> int | None:
    """Blank the magic of the line that begins at ``at``; its end, None where it has none."""
    if found := _LINE_MAGIC.match(text, at):
        _blank(lines, *found.span("magic"), b"#")
    elif found := _ASSIGNED.match(text, at):
        _blank(lines, *found.span("magic"), b"_#")
    else:
        return None
    return found.end()


def _blank(lines: bytearray, start: int, end: int, mark: bytes) -> None:
    """Leave ``mark`` and blanks of ``[start, end)``: one line, even where it was several."""
    lines[start:end] = mark.ljust(end - start)[: end - start]
