"""Text of languages with braces before the cursor: which brackets are open, and the tokens.

A forgiving scan from the beginning of the file: a string ends with its line, a closing brace closes
what was forgotten inside it. So nothing that stands above the cursor in broken code can hide where
the cursor is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from completion.tokens import Lexeme, Token

HOLE = b"${"
_CLOSED_BY = {b")": b"(", b"]": b"[", b"}": b"{"}
CLOSER = {b"(": b")", b"[": b"]", b"{": b"}", HOLE: b"}`"}

_STRING = rb"\"(?:\\.|[^\"\\\n])*\"?|'(?:\\.|[^'\\\n])*'?"
_SCRIPT_STRING = rb"\"(?:\\.|[^\"\\\n])*\"?|(?<![A-Za-z])'(?:\\.|[^'\\\n])*'?"
"""An apostrophe behind a letter is one in JSX text."""

_COMMENT = rb"//[^\n]*|/\*.*?(?:\*/|\Z)"
_TEXT_BLOCK = rb"\"\"\"(?:\\.|[^\\])*?(?:\"\"\"|\Z)"
_REGEX = rb"/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/[a-z]*"
_REGEX_LITERAL = re.compile(_REGEX)
_TEMPLATE_TEXT = re.compile(rb"(?:\\.|\$(?!\{)|[^\\`$])*", re.DOTALL)

_GOES_ON = re.compile(
    rb"\s*(?:[.,)\]?:&|=+*%]|(?:as|satisfies|from|instanceof|in|of|else|catch|finally)\b)"
)
"""What follows a closing brace that does not end a statement."""

_BEFORE_REGEX = re.compile(
    rb"(?:[(,=:\[!&|?{;+\-*%~^]|\A|\b(?:return|typeof|case|in|of|yield|await))\s*\Z"
)
_OBJECT = re.compile(
    rb"(?:[(,:\[?&|]|(?<![=!<>])=|[=!]==?|\b(?:return|in|of|default|yield|import|export|type))\s*\Z"
)
"""What stands before a brace that opens a value, not a block."""


@dataclass(frozen=True, slots=True)
class Syntax:
    """How a language with braces writes its literals.

    ``skeleton`` finds what the scan for brackets must look at, ``token`` matches one token;
    ``regexes``: a slash may begin a regular expression.
    """

    skeleton: re.Pattern[bytes]
    token: re.Pattern[bytes]
    regexes: bool


def syntax(*, script: bool) -> Syntax:
    """JavaScript's literals (templates, regular expressions) or Java's (text blocks)."""
    literals = _SCRIPT_STRING if script else _TEXT_BLOCK + rb"|" + _STRING
    skeleton = rb"(?P<comment>" + _COMMENT + rb")|(?P<string>" + literals + rb")"
    skeleton += rb"|(?P<template>`)|(?P<regex>/)" if script else b""
    whole = (rb"`(?:\\.|[^`\\])*`?|" if script else b"") + literals
    token = (
        rb"(?P<comment>\s+|" + _COMMENT + rb")|(?P<string>" + whole + rb")"
        rb"|(?P<number>\d[\w.]*|\.\d\w*)|(?P<name>#?[A-Za-z_$\x80-\xff][\w$\x80-\xff]*)"
        rb"|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<dot>\?\.(?!\d)|::|\.(?!\.))"
        rb"|(?P<operator>\.\.\.|=>|->|[=!]==?|&&|\|\||\?\?|[<>]=|.)"
    )
    flags = re.DOTALL
    brackets = rb"|[{}()\[\];]"
    return Syntax(re.compile(skeleton + brackets, flags), re.compile(token, flags), script)


@dataclass(slots=True)
class Level:
    """An open bracket: its bytes and offset, and where what stands before it begins.

    ``boundary`` is the end of the last finished statement inside it.
    """

    bracket: bytes
    at: int
    start: int
    boundary: int


@dataclass(slots=True)
class Skeleton:
    """The brackets that are open at the end of a scan, the outermost first.

    ``string`` is the offset of the string that the end is in, -1 outside; ``tops`` the ends of the
    finished statements outside all brackets, and ``boundary`` the last of them.
    """

    levels: list[Level]
    tops: list[int]
    string: int = -1
    comment: bool = False

    @property
    def boundary(self) -> int:
        return self.levels[-1].boundary if self.levels else self.tops[-1]


def skeleton(text: bytes, end: int, rules: Syntax) -> Skeleton:
    """Scan ``text`` up to ``end``."""
    found = Skeleton([], [0])
    position = 0
    while match := rules.skeleton.search(text, position, end):
        position = match.end()
        kind = match.lastgroup
        if kind == "comment":
            found.comment = position == end and not match[0].endswith(b"*/")
        elif kind == "template":
            position = _template(text, position, end, match.start(), found)
        elif kind == "string":
            if position == end and not _finished(match[0]):
                found.string = match.start()
        elif kind == "regex":
            position = _after_slash(text, match.start(), end)
        else:
            position = _bracket(text, match, end, found)
    return found


def _finished(string: bytes) -> bool:
    quote = b'"""' if string.startswith(b'"""') else string[:1]
    return len(string) > len(quote) and string.endswith(quote)


def _template(text: bytes, position: int, end: int, start: int, found: Skeleton) -> int:
    """Go over a template's text to its end or its next hole."""
    match = _TEMPLATE_TEXT.match(text, position, end)
    position = match.end() if match else position
    if position >= end:
        found.string = start
    elif text.startswith(HOLE, position):
        position += 2
        found.levels.append(Level(HOLE, position - 2, start, position))
    else:
        position += 1
    return min(position, end)


def _after_slash(text: bytes, at: int, end: int) -> int:
    """Behind a regular expression, or behind the division sign that ``/`` is."""
    if not _BEFORE_REGEX.search(text, max(0, at - 16), at):
        return at + 1
    match = _REGEX_LITERAL.match(text, at, end)
    return match.end() if match else at + 1


def _bracket(text: bytes, match: re.Match[bytes], end: int, found: Skeleton) -> int:
    bracket, after = match[0], match.end()
    levels = found.levels
    if bracket == b";":
        _end_statement(found, after)
    elif bracket not in _CLOSED_BY:
        levels.append(Level(bracket, match.start(), found.boundary, after))
    elif bracket == b"}":
        while levels and levels[-1].bracket not in (b"{", HOLE):
            levels.pop()
        closed = levels.pop() if levels else None
        if closed is not None and closed.bracket == HOLE:
            return _template(text, after, end, closed.start, found)
        if not _GOES_ON.match(text, after, end):
            _end_statement(found, after)
    elif levels and levels[-1].bracket == _CLOSED_BY[bracket]:
        levels.pop()
    return after


def _end_statement(found: Skeleton, after: int) -> None:
    if found.levels:
        found.levels[-1].boundary = after
    else:
        found.tops.append(after)


def is_block(text: bytes, level: Level) -> bool:
    """Whether an open brace holds statements or members, not the parts of a value."""
    if level.bracket != b"{":
        return False
    before = text[max(0, level.at - 16) : level.at]
    return before.rstrip().endswith((b"=>", b"->")) or not _OBJECT.search(before)


_KINDS = {
    "string": Lexeme.STRING,
    "number": Lexeme.NUMBER,
    "name": Lexeme.NAME,
    "open": Lexeme.OPEN,
    "close": Lexeme.CLOSE,
    "dot": Lexeme.DOT,
}


def tokens(text: bytes, start: int, end: int, rules: Syntax) -> list[Token]:
    """The tokens of ``text`` between two offsets, comments left out."""
    found: list[Token] = []
    position = start
    while match := rules.token.match(text, position, end):
        kind = match.lastgroup or ""
        if rules.regexes and match[0] == b"/" and not (found and ends_operand(found[-1])):
            literal = _REGEX_LITERAL.match(text, position, end)
            match, kind = (literal, "string") if literal else (match, kind)
        position = match.end()
        if kind != "comment":
            lexeme = _KINDS.get(kind, Lexeme.OPERATOR)
            found.append(Token(lexeme, match[0], match.start(), position))
    return found


NOT_OPERANDS = frozenset(
    b"return if while for case typeof await throw in of instanceof else do yield delete void"
    b" export default extends implements switch catch assert const let var new import throws"
    b" function class interface enum synchronized".split()
)
"""Keywords that can stand before an operand, and so are none themselves."""


def ends_operand(token: Token) -> bool:
    """Whether the token can be the last one of a value."""
    if token.kind is Lexeme.NAME:
        return token.text not in NOT_OPERANDS
    return token.kind in (Lexeme.CLOSE, Lexeme.STRING, Lexeme.NUMBER)


def opening(found: Sequence[Token], closing: int) -> int:
    """The index of the bracket that the one at ``closing`` closes, -1 without one."""
    depth = 0
    for index in range(closing, -1, -1):
        depth += (found[index].kind is Lexeme.CLOSE) - (found[index].kind is Lexeme.OPEN)
        if depth == 0:
            return index
    return -1


_IN_ANGLES = frozenset((b",", b"?", b"&", b"|", b"<", b">", b".", b"[", b"]", b"@"))


def angle(found: Sequence[Token], closing: int) -> int:
    """The index of the ``<`` whose type arguments end at ``closing``, -1 where they are none."""
    depth = 0
    for index in range(closing, -1, -1):
        token = found[index]
        if token.kind is not Lexeme.NAME and token.text not in _IN_ANGLES:
            return -1
        depth += (token.text == b">") - (token.text == b"<")
        if depth == 0:
            return index
    return -1


def primary_start(found: Sequence[Token], last: int) -> int | None:
    """The index at which the value that ends at ``last`` begins: ``new A().b[0]``; None: none."""
    index = last
    called = False
    while index >= 0:
        if found[index].text == b"!":
            index -= 1
            continue
        if not ends_operand(found[index]):
            return None
        if found[index].kind is Lexeme.CLOSE:
            called = called or found[index].text == b")"
            index = opening(found, index)
            before = _callee_end(found, index)
            if before is not None:
                index = before
                continue
        if index < 0 or found[index].text == b"{":
            return None
        if not index or found[index - 1].kind is not Lexeme.DOT:
            break
        index -= 2
    if index < 0:
        return None
    made = called and index and found[index - 1].text == b"new"
    return index - 1 if made else index


def _callee_end(found: Sequence[Token], bracket: int) -> int | None:
    """The index of the last token of what is called or indexed by the bracket, if anything is."""
    before = bracket - 1
    if before < 0:
        return None
    if found[before].text == b">":
        begin = angle(found, before)
        return begin - 1 if begin > 0 else None
    if found[before].kind is Lexeme.DOT or found[before].text == b"!":
        return before - 1 if before else None
    return before if ends_operand(found[before]) else None
