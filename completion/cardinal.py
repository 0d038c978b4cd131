"""Cardinal points: the places where completion pays, as CodeFill infers them from a corpus.

``languages/cardinal/<language>.json`` says behind which keywords and punctuation something follows
that can be completed; ``training/cardinal.py`` counted it and explains the steps. Here that data is
asked about one place in a text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from indexing.languages import languages
from indexing.lexemes import Syntax, syntax_of

NEWLINE = "<newline>"
"""Stands in the data for the end of a line."""

_FORMAT = re.compile(rb"[A-Za-z]*[fFtT][A-Za-z]*[\"']")
_NESTED = 8
"""How many templates within each other are read."""
LONGEST_LINE = 4096
"""Lines with more bytes are not read, which takes milliseconds then: nobody wrote them."""


@dataclass(frozen=True, slots=True)
class CardinalPoints:
    """One language's data.

    ``triggers`` are the keywords and marks behind which a place is a cardinal point, ``popup`` the
    characters behind which a list of names may open by itself. ``lexeme`` matches one lexeme.
    """

    triggers: frozenset[str]
    popup: tuple[str, ...]
    lexeme: re.Pattern[bytes]


@cache
def points_of(language: str) -> CardinalPoints | None:
    """The data of a language by its name in :mod:`indexing`; None where none was made yet."""
    suffixes = {each.name: each.suffixes[0] for each in languages().values()}
    name = "typescript" if language == "tsx" else language
    file = resources.files("completion.languages").joinpath(f"cardinal/{name}.json")
    if language not in suffixes or not file.is_file():
        return None
    stored = json.loads(file.read_text("utf-8"))
    marks = [each for each in stored["types"] if not re.search(r"\w|<newline>", each)]
    return CardinalPoints(
        triggers=frozenset(each for each, row in stored["types"].items() if row["trigger"]),
        popup=tuple(stored["popup"]),
        lexeme=_lexeme_pattern(syntax_of(suffixes[language]), marks),
    )


def trigger_characters() -> list[str]:
    """The characters behind which some language opens its list of names, for the editor."""
    known = (points_of(each.name) for each in languages().values())
    return sorted({character for points in known if points for character in points.popup})


def is_cardinal(language: str, before: bytes) -> bool:
    """Whether the place behind ``before`` is a cardinal point.

    ``before`` is any bytes, the text in front of the cursor; its last line is looked at, in time
    linear in that line. Inside a comment, a string or a word it is none; inside the hole of a
    template or an f-string it may be one. A string or comment that began on a line above is not
    seen: that is what ``Context.place`` tells. Where nothing is known it is True: in a language
    without data, on a line longer than `LONGEST_LINE`.
    """
    known = points_of(language)
    if known is None:
        return True
    line = before[max(before.rfind(b"\n"), before.rfind(b"\r")) + 1 :]
    return len(line) > LONGEST_LINE or last_type(line, known) in known.triggers


def last_type(text: bytes, known: CardinalPoints) -> str | None:
    """The type of the last lexeme of ``text``, as the data spells it; None inside a literal.

    `NEWLINE` where there is none; the empty string for names, strings and numbers.
    """
    for _ in range(_NESTED):
        literal, found = _scan(text, known.lexeme)
        if literal is None:
            return found
        hole = _hole(literal)
        if hole is None:
            return None
        text = hole
    return None


def _scan(text: bytes, lexeme: re.Pattern[bytes]) -> tuple[bytes | None, str]:
    """The literal that the end of ``text`` is in, or None and the type of the last lexeme.

    A blank put behind the text tells: what is still open swallows it.
    """
    found, after_dot = NEWLINE, False
    for match in lexeme.finditer(text + b" "):
        kind = match.lastgroup
        if kind == "newline":
            found, after_dot = NEWLINE, False
        elif kind == "blank" or (kind == "comment" and match.end() <= len(text)):
            continue
        elif match.end() > len(text):
            return text[match.start() :], ""
        else:
            is_name = kind in ("string", "number") or (kind == "word" and after_dot)
            if kind == "word" and match.end() == len(text):
                is_name = True  # it may go on
            found = "" if is_name else match[0].decode("utf-8", "replace")
            after_dot = found.endswith(".") and found != "..."
    return None, found


def _hole(literal: bytes) -> bytes | None:
    """The code in the hole that the end of an unfinished template or f-string is in."""
    template = literal.startswith(b"`")
    if not template and not _FORMAT.match(literal):
        return None
    opening = b"${" if template else b"{"
    opened: list[int] = []
    position = 0
    while position < len(literal):
        if not opened and not template and literal[position : position + 2] in (b"{{", b"}}"):
            position += 2
        elif literal.startswith(b"{" if opened else opening, position):
            position += 1 if opened else len(opening)
            opened.append(position)
        else:
            if opened and literal.startswith(b"}", position):
                opened.pop()
            position += 1
    return literal[opened[0] :] if opened else None


def _lexeme_pattern(syntax: Syntax, marks: list[str]) -> re.Pattern[bytes]:
    """One lexeme, or what stands between two; marks by the longest match.

    The apostrophe behind a letter, which is one in the text of JSX, opens no string.
    """
    longest = sorted((re.escape(mark.encode()) for mark in marks), key=len, reverse=True)
    apostrophe = rb"(?P<apostrophe>(?<=[a-z])')|" if b"`" in syntax.string else b""
    pattern = (
        rb"(?P<newline>[\r\n])|(?P<blank>(?:[ \t\f\v]|\xef\xbb\xbf)+)|(?P<comment>%b)|%b"
        rb"(?P<string>%b)|(?P<word>[A-Za-z_$\x80-\xff][\w$\x80-\xff]*)"
        rb"|(?P<number>\.?[0-9](?:[eE][+-]|[\w.])*)|(?P<mark>%b)"
    )
    every = b"|".join((*longest, rb"[^\w\x80-\xff]"))
    return re.compile(pattern % (syntax.comment, apostrophe, syntax.string, every), re.DOTALL)
