"""One Python lexeme after another, from bytes that may be broken or end anywhere.

A lexeme is what Python's tokenizer calls a token: a name or keyword, a number, a whole string, an
operator, or a line break that ends a statement, with the blank lines and the indentation behind
it. Two things are added: comments are lexemes, and a string that nobody closed ends with its line,
or with the text if it has three quotes. Inside brackets line breaks are blanks.

`spelling` makes generation cheap: lexemes that are still open and have the same spelling go on and
end alike, whatever follows, so that tables over a vocabulary can be kept by it.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

from indexing.lexemes import PYTHON

BLANKS = b" \t\f"
LINE_ENDS = b"\r\n"


class Kind(StrEnum):
    """What a lexeme is to the lexer."""

    WORD = "word"
    NUMBER = "number"
    STRING = "string"
    OPERATOR = "operator"
    BREAK = "line break"
    COMMENT = "comment"
    NOTHING = "nothing"


class Scanned(NamedTuple):
    """A lexeme's bytes ``begin`` to ``end``; ``open`` if more bytes could make it longer.

    `Kind.NOTHING`, open, stands for a text that holds only blanks so far.
    """

    begin: int
    end: int
    kind: Kind
    open: bool


_BLANK = rb"[ \t\f]|\\(?:\r\n?|\n)|\xef\xbb\xbf"
_SKIPPED = {
    False: re.compile(rb"(?:%b)*+" % _BLANK),
    True: re.compile(rb"(?:%b|[\r\n])*+" % _BLANK),
}
_LEXEME = re.compile(
    rb"(?P<string>%b)" % PYTHON.string
    + rb"|(?P<word>[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*+)"
    + rb"|(?P<number>0[xX][0-9A-Za-z_]*+|\.?[0-9](?:[eE][+-]|[0-9A-Za-z_.])*+)"
    + rb"|(?P<break>[\r\n][ \t\f\r\n]*+)"
    + rb"|(?P<comment>\#[^\r\n]*+)"
    + rb"|(?P<operator>\*\*=?|//=?|<<=?|>>=?|\.\.\.|->|[-+*/%&|^@=!<>:]=|[\x00-\xff])",
    re.DOTALL,
)
_KINDS = {
    "string": Kind.STRING,
    "word": Kind.WORD,
    "number": Kind.NUMBER,
    "break": Kind.BREAK,
    "comment": Kind.COMMENT,
    "operator": Kind.OPERATOR,
}
_LONGER = frozenset(
    (
        *(b"*", b"/", b"<", b">", b"**", b"//", b"<<", b">>", b"-", b"+", b"%", b"&", b"|", b"^"),
        *(b"@", b"=", b"!", b":", b".", b"\\"),
    )
)
"""Operators that another operator begins with, and the backslash before a line break."""

_STRING_PREFIXES = frozenset(b"r b u f t br rb fr rf tr rt".split())
_OPENING = re.compile(rb"[A-Za-z]*+(\"\"\"|'''|\"|')")


def scan(text: bytes, position: int = 0, *, inside: bool) -> Scanned:
    """The first lexeme at or behind ``position``; ``inside`` says that a bracket is open."""
    skipped = _SKIPPED[inside].match(text, position)
    assert skipped is not None, "the pattern matches nothing too"
    begin = skipped.end()
    if begin == len(text):
        return Scanned(begin, begin, Kind.NOTHING, open=True)
    match = _LEXEME.match(text, begin)
    assert match is not None, "every byte is at least an operator"
    kind = _KINDS[match.lastgroup or ""]
    end = match.end()
    if len(text) - begin == 2 and text.endswith(b".."):  # an ellipsis in the making, or two dots
        end = len(text)
    longer = end == len(text) and _may_grow(match[0], kind)
    return Scanned(begin, end, kind, longer)


def spelling(text: bytes, inside: bool) -> bytes:
    """The shortest text that goes on, and ends, like ``text``: blanks and then one open lexeme."""
    found = scan(text, inside=inside)
    lexeme = text[found.begin :]
    if found.kind is Kind.WORD:
        return lexeme if lexeme.lower() in _STRING_PREFIXES else b"a"
    if found.kind is Kind.NUMBER:
        return _number_spelling(lexeme)
    if found.kind is Kind.STRING:
        return _string_spelling(lexeme)
    return {Kind.BREAK: b"\n", Kind.COMMENT: b"#"}.get(found.kind, lexeme)


def _may_grow(lexeme: bytes, kind: Kind) -> bool:
    if kind is Kind.OPERATOR:
        return lexeme in _LONGER
    return kind is not Kind.STRING or not _closed(lexeme)


def _closed(string: bytes) -> bool:
    """Whether a string that ends with the text can have no further byte."""
    match = _OPENING.match(string)
    assert match is not None, "a string begins with quotes"
    quotes, body = match[1], string[match.end() :]
    if len(quotes) == 1 and not body.endswith(quotes):
        return False
    if len(quotes) == 1:
        # Two quotes and nothing else may become three.
        return len(body) > 1 and not _escaped(body[:-1])
    return body.endswith(quotes) and not _escaped(body[: -len(quotes)])


def _escaped(body: bytes) -> bool:
    """Whether what follows ``body`` in a string is escaped."""
    return (len(body) - len(body.rstrip(b"\\"))) % 2 == 1


def _number_spelling(number: bytes) -> bytes:
    if number[:2].lower() == b"0x" or number == b"0":
        return number[:2].lower()
    return b"1e" if number[-1:].lower() == b"e" else b"1"


def _string_spelling(string: bytes) -> bytes:
    match = _OPENING.match(string)
    assert match is not None, "a string begins with quotes"
    quotes, body = match[1], string[match.end() :]
    if not body or (len(quotes) == 1 and body == quotes):
        return quotes + body
    if _escaped(body):
        return quotes + b"a\\"
    if len(quotes) == 1:
        return quotes + b"a"
    rest = body.rstrip(quotes[:1])
    return quotes + b"a" + body[len(rest) + _escaped(rest) :]
