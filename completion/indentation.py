"""Ghost text indented and broken into lines as the file around it is.

A model that writes a second line does not always keep the file's style: blanks come into files of
tabs, four blanks into files of two, a plain line feed into files that end their lines with two
characters. Here every new line is put where the same line in the file's own style would begin.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from completion.model.types import START, State, advance

TAB_COLUMNS = 4
"""How many blanks a model means by one tab, where the file has tabs."""

_LINE_END = re.compile(r"\r\n|\r|\n")
_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
_COMMENT = re.compile(r"\s+#.*\Z")
_OPENERS = ("(", "[", "{", ":")


@dataclass(frozen=True, slots=True)
class Style:
    """How a file is laid out.

    ``unit`` is one level of indentation, a tab or some blanks, ``""`` where no line is indented;
    ``line_end`` what most lines end with, ``""`` where there is but one line.
    """

    unit: str
    line_end: str


class _Level(NamedTuple):
    """The indentation of a line around the text: as it was ``written``, and as it is shown."""

    written: str
    shown: str


def style_of(text: str) -> Style:
    """The style that ``text`` is written in."""
    ends = Counter(_LINE_END.findall(text))
    lines = [line for line in _LINE_END.split(text) if line.strip()]
    return Style(_unit(lines), ends.most_common(1)[0][0] if ends else "")


def _unit(lines: Sequence[str]) -> str:
    """The step by which most lines below a block's header are indented."""
    indents = [indent for line in lines if (indent := indent_of(line))]
    if not indents:
        return ""
    if sum(indent[0] == "\t" for indent in indents) * 2 > len(indents):
        return "\t"
    blocks = [
        (indent_of(before), indent_of(line))
        for before, line in pairwise(lines)
        if before.rstrip().endswith(":") and "\t" not in indent_of(line)
    ]
    steps = Counter(len(inner) - len(outer) for outer, inner in blocks if len(inner) > len(outer))
    if steps:
        return " " * min(steps, key=lambda step: (-steps[step], step))
    common = math.gcd(*(len(indent) for indent in indents if "\t" not in indent))
    return " " * (common if common > 1 else TAB_COLUMNS)


def indent_of(line: str) -> str:
    """The blanks and tabs that a line begins with."""
    return line[: len(line) - len(line.lstrip(" \t"))]


def restyled(text: str, prefix: str, suffix: str) -> str:
    """``text``, written between ``prefix`` and ``suffix``, in the style of these two.

    Lines inside a string keep their indentation. What stands behind a line's indentation is never
    touched, and neither is the rest of the cursor's line where it has code.
    """
    *above, current = _LINE_END.split(prefix)
    if current.strip() and not _LINE_END.search(text):
        return text  # most are one line, and need no reading of the file
    style = style_of(prefix + suffix)
    state, _ = advance(START, prefix.encode())
    writer = _Writer(style, state, _levels([*above, current]), _last_code([*above, current]))
    pieces = []
    for match in _LINE.finditer(text):
        content, end = match.groups()
        before = "" if match.start() else current
        if not before.strip():
            content = writer.line(before, content, last=not end)
        else:
            writer.take(content)
        pieces.append(content + (style.line_end or end if end else ""))
        if match.end() == len(text):
            break
    return "".join(pieces)


def _levels(lines: Sequence[str]) -> list[_Level]:
    """The indentation of the last line and of those that it stands inside of, outermost first."""
    levels: list[_Level] = []
    for line in reversed(lines):
        indent = indent_of(line)
        if line.strip() and (not levels or len(indent) < len(levels[-1].written)):
            levels.append(_Level(indent, indent))
    return levels[::-1] or [_Level("", "")]


def _last_code(lines: Sequence[str]) -> str:
    return next((line for line in reversed(lines) if line.strip()), "")


@dataclass(slots=True)
class _Writer:
    """Puts one new line after the other; ``state`` is the syntax at the last line's end.

    ``levels`` are the lines that the next one may align with, innermost last, ``before`` is the
    last line of code.
    """

    style: Style
    state: State
    levels: list[_Level] = field(default_factory=list)
    before: str = ""

    def line(self, typed: str, content: str, *, last: bool) -> str:
        """The new line ``typed + content`` without ``typed``, the blanks that stand there."""
        inside = bool(self.state.literal or self.state.outer)
        if not content.strip() and not inside:
            self.take("")
            return content if last else ""
        if inside or not self.style.unit:
            self.take(content)
            return content
        written = indent_of(typed + content)
        shown = self._shown(written)
        if not shown.startswith(typed):
            shown = written
        self.levels = [each for each in self.levels if _width(each.written) < _width(written)]
        self.levels.append(_Level(written, shown))
        self.take(content)
        return shown[len(typed) :] + content.lstrip(" \t")

    def take(self, content: str) -> None:
        """Read a line as it is."""
        if content.strip():
            self.before = content
        self.state, _ = advance(self.state, content.encode() + b"\n")

    def _shown(self, written: str) -> str:
        """The indentation that the file would use for the one that was ``written``."""
        width = _width(written)
        outer = [each for each in self.levels if _width(each.written) <= width]
        level = outer[-1] if outer else _Level("", "")
        if level.written == written or _width(level.written) == width:
            return level.shown
        unit = self.style.unit
        more = written[len(level.written) :] if written.startswith(level.written) else ""
        opened = level is self.levels[-1] and _COMMENT.sub("", self.before).endswith(_OPENERS)
        block = opened and not self.state.brackets
        if more and not block and set(more) == {unit[0]} and not len(more) % len(unit):
            return level.shown + more
        if opened:
            return level.shown + unit
        return level.shown + " " * (width - _width(level.written))


def _width(indent: str) -> int:
    return len(indent.replace("\t", " " * TAB_COLUMNS))
