"""A forgiving left-to-right scan of the Python text before the cursor.

A parser sees broken code as a tree with holes; what stands directly before the cursor is decided
here by lexemes alone, so that nothing after it, and nothing broken far before it, can change it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class Lexeme(IntEnum):
    """What a token is, as far as the text to the left needs to know."""

    NAME = 1
    NUMBER = 2
    STRING = 3
    OPEN = 4
    CLOSE = 5
    DOT = 6
    OPERATOR = 7


@dataclass(frozen=True, slots=True)
class Token:
    """One lexeme of the statement at the cursor; ``start`` and ``end`` are byte offsets."""

    kind: Lexeme
    text: bytes
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Scan:
    """The unfinished statement at the end of the scanned text.

    ``tokens`` are its tokens, ``open`` the indices of the brackets still open, outermost first.
    ``statement`` is where it starts. ``string`` is where the string literal that contains the end
    starts (None outside strings); an f-string's replacement field counts as outside.
    """

    tokens: tuple[Token, ...]
    open: tuple[int, ...]
    statement: int
    string: int | None = None
    comment: bool = False


_TOKEN = re.compile(
    rb"""(?P<name>[A-Za-z_\x80-\xff][\w\x80-\xff]*)(?P<quote>\"{3}|'{3}|["'])?
    |(?P<bare>\"{3}|'{3}|["'])
    |(?P<number>\.?\d[\w.]*)
    |(?P<newline>\n)
    |(?P<comment>\#[^\n]*)
    |(?P<open>[(\[{])
    |(?P<close>[)\]}])
    |(?P<skip>\\\r?\n)
    |(?P<dot>\.(?!\.\.)|\.{3})
    |(?P<operator>->|:=|\*\*|//|[<>!=]=|[^\s\w\x80-\xff])""",
    re.VERBOSE,
)
_STRING_PREFIX = re.compile(rb"(?i:[rbuft]|br|rb|fr|rf|tr|rt)\Z")
_ENDS = {
    b'"': re.compile(rb'(?:[^"\\\n]|\\[\s\S])*"'),
    b"'": re.compile(rb"(?:[^'\\\n]|\\[\s\S])*'"),
    b'"""': re.compile(rb'(?:[^"\\]|\\[\s\S]|"(?!""))*"""'),
    b"'''": re.compile(rb"(?:[^'\\]|\\[\s\S]|'(?!''))*'''"),
}
_STATEMENT_ONLY = frozenset(
    b"def class return raise assert while try del pass break continue import global nonlocal with"
    b"".split()
)
_COMPOUND = frozenset(
    b"if elif else for while with try except finally def class async match case".split()
)
_KINDS = {
    "number": Lexeme.NUMBER,
    "open": Lexeme.OPEN,
    "close": Lexeme.CLOSE,
    "dot": Lexeme.DOT,
    "operator": Lexeme.OPERATOR,
}


class _Scanner:
    """The state of one scan: the current statement's tokens and its open brackets."""

    def __init__(self, data: bytes, start: int) -> None:
        self.data = data
        self.tokens: list[Token] = []
        self.open: list[int] = []
        self.statement = start
        self.line_start = True

    def begin(self, offset: int) -> None:
        """A new statement starts after ``offset``."""
        self.tokens, self.open, self.statement = [], [], offset

    def add(self, kind: Lexeme, start: int, end: int) -> None:
        text = self.data[start:end]
        if self.line_start and self.open and text in _STATEMENT_ONLY:
            self.begin(start)  # the bracket of the statement above was never closed
        if not self.tokens:
            self.statement = start
        self.line_start = False
        if kind is Lexeme.OPEN:
            self.open.append(len(self.tokens))
        elif kind is Lexeme.CLOSE and self.open:
            self.open.pop()
        self.tokens.append(Token(kind, text, start, end))
        self._end_header(text, end)

    def _end_header(self, text: bytes, end: int) -> None:
        """A ``;``, or the ``:`` that ends a compound statement's header, starts a new statement."""
        if self.open or text not in (b";", b":"):
            return
        inside_lambda = any(token.text == b"lambda" for token in self.tokens)
        if text == b";" or (self.tokens[0].text in _COMPOUND and not inside_lambda):
            self.begin(end)

    def newline(self, end: int) -> None:
        self.line_start = True
        if not self.open:
            self.begin(end)

    def result(self, string: int | None = None, comment: bool = False) -> Scan:
        return Scan(tuple(self.tokens), tuple(self.open), self.statement, string, comment)


def scan(data: bytes, start: int, end: int) -> Scan:
    """Scan ``data[start:end]``, which must begin outside strings and brackets.

    Line ends are ``\\n`` (``\\r\\n`` passes as one). Never raises.
    """
    scanner = _Scanner(data, start)
    position = start
    while match := _TOKEN.search(data, position, end):
        group, position = match.lastgroup, match.end()
        if group in ("name", "quote", "bare"):
            quoted = _string_start(match)
            if quoted is None:
                position = match.end("name")
                scanner.add(Lexeme.NAME, match.start(), position)
                continue
            closing = _ENDS[data[quoted:position]].match(data, position, end)
            if closing is None and (inside := _unclosed(data, match.start(), position, end)):
                return _in_string(scanner, match.start(), position, inside)
            position = closing.end() if closing else _line_end(data, position, end)
            scanner.add(Lexeme.STRING, match.start(), position)
        elif group == "newline":
            scanner.newline(position)
        elif group == "comment":
            if position == end:
                return scanner.result(comment=True)
        elif group in _KINDS:
            scanner.add(_KINDS[group], match.start(), position)
    return scanner.result()


def _string_start(match: re.Match[bytes]) -> int | None:
    """Where the opening quote of the string literal at ``match`` is, or None for a plain name."""
    if match["bare"]:
        return match.start("bare")
    if match["quote"] and _STRING_PREFIX.match(match["name"]):
        return match.start("quote")
    return None


def _line_end(data: bytes, start: int, end: int) -> int:
    newline = data.find(b"\n", start, end)
    return end if newline < 0 else newline


def _unclosed(data: bytes, start: int, body: int, end: int) -> int | None:
    """The end of the scan if the literal at ``start`` reaches it, None if its line ends first."""
    triple = data[body - 3 : body] in _ENDS and body - start >= 3
    return end if triple or _line_end(data, body, end) == end else None


def _in_string(scanner: _Scanner, start: int, body: int, end: int) -> Scan:
    """The scan that ends inside the literal at ``start``: text, or an f-string's expression."""
    prefix = scanner.data[start:body].rstrip(b"\"'").lower()
    field = _open_field(scanner.data, body, end) if prefix.strip(b"r") in (b"f", b"t") else None
    if field is None:
        return scanner.result(string=start)
    inner = scan(scanner.data, field, end)
    statement = scanner.statement if scanner.tokens else start
    return Scan(inner.tokens, inner.open, statement, inner.string, inner.comment)


def _open_field(data: bytes, body: int, end: int) -> int | None:
    """Where the expression of the replacement field open at ``end`` starts."""
    opened: list[int] = []
    position = body
    while position < end:
        two = data[position : position + 2]
        if two in (b"{{", b"}}") and not opened:
            position += 2
            continue
        if two[:1] == b"{":
            opened.append(position + 1)
        elif two[:1] == b"}" and opened:
            opened.pop()
        position += 1
    return opened[-1] if opened else None


def matching_open(tokens: Sequence[Token], index: int) -> int | None:
    """The index of the bracket that the closing bracket ``tokens[index]`` closes."""
    depth = 0
    for i in range(index, -1, -1):
        if tokens[i].kind is Lexeme.CLOSE:
            depth += 1
        elif tokens[i].kind is Lexeme.OPEN:
            depth -= 1
            if depth == 0:
                return i
    return None


_NOT_A_PRIMARY = frozenset(
    b"and as assert async await case del elif else except finally for from global if import in is"
    b" lambda not or raise return while with yield".split()
)


def primary_start(tokens: Sequence[Token], last: int) -> int | None:
    """The index of the first token of the primary expression that ends at ``tokens[last]``.

    A primary is a name, literal or bracketed group followed by any number of ``.name``, calls and
    subscripts. None where no primary ends there.
    """
    index = last
    while index >= 0:
        token = tokens[index]
        before = tokens[index - 1] if index else None
        if token.kind is Lexeme.CLOSE:
            opening = matching_open(tokens, index)
            if opening is None:
                return None
            before = tokens[opening - 1] if opening else None
            if before is None or not _ends_primary(before):
                return opening
            index = opening - 1
        elif token.kind in (Lexeme.NAME, Lexeme.STRING, Lexeme.NUMBER):
            if token.text in _NOT_A_PRIMARY:
                return None
            if before is None or before.kind is not Lexeme.DOT or before.text != b".":
                return index
            index -= 2
        else:
            return None
    return None


def _ends_primary(token: Token) -> bool:
    if token.kind is Lexeme.NAME:
        return token.text not in _NOT_A_PRIMARY
    return token.kind in (Lexeme.CLOSE, Lexeme.STRING)
