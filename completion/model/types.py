"""The syntactic states that CodeFill reads: a causal automaton over lexemes.

Two vocabularies of syntax live in this project, and they differ on purpose:

*Syntactic states* (here) are model INPUT. The state of a token is a function of the bytes before
the lexeme that it starts in, plus the class of that lexeme's first byte. So it never changes when
more text arrives: cached keys and values stay valid while somebody types, every position of a
training window is as honest as its last one, and generated tokens get exact states.

*AST types* (``training/labels.py``) are LABELS, what the type head learns to predict for the next
token. They may come from a parse of the whole file: nobody reads them at inference. As inputs
they would lie, since the parse of a text cut at the cursor gives other types in 9 of 10 cuts.

Text is fed in chunks of any size; chunked feeding equals feeding at once. A lexeme that the next
chunk could still extend is kept as ``State.pending``. Text should begin at a line start outside
of brackets and strings. Broken code is no error: an unterminated string ends with its line, and a
statement keyword at the start of a line closes brackets that were left open.

This file is the table for Python; another language brings another module with ``START``,
``advance`` and names for at most 128 states.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

_BRACKETS = (
    "none",
    "call",
    "subscript",
    "group",
    "list",
    "dict",
    "params",
    "bases",
    "import",
    "format",  # the braces of an f-string
    "lambda",  # opened by the keyword, closed by its colon
)
_WORD_ROLES = (
    *("start same", "start in", "start out"),  # by indentation against the line before
    *("block", "member", "def", "class", "module", "imported"),
    *("annotation", "decorator", "bind"),
)
_VALUE_BRACKETS = ("none", "call", "params", "dict")

STATE_NAMES: tuple[str, ...] = (
    *("pad", "context", "suffix", "prefix"),
    *("comment", "string", "fstring", "triple", "docstring"),
    *(f"word {role}" for role in _WORD_ROLES),
    *(f"word operand {bracket}" for bracket in _BRACKETS),
    *(f"word value {bracket}" for bracket in _VALUE_BRACKETS),
    *(f"word after {bracket}" for bracket in _BRACKETS),
    "number",
    "quote start",
    *(f"{mark} {bracket}" for mark in ("quote", ",", ":", "=", "close") for bracket in _BRACKETS),
    *("( call", "( def", "( class", "( imported", "( operand"),
    *("[ after", "[ operand", "{", "@ start", "@ operator", "operator after", "operator operand"),
    *(".", ";", "backslash", "blank"),
    *("newline block", "newline plain", "newline bracket", "newline start"),
)
STATE_IDS: dict[str, int] = {name: index for index, name in enumerate(STATE_NAMES)}
assert len(STATE_IDS) == len(STATE_NAMES) <= 128

PAD_STATE = STATE_IDS["pad"]
CONTEXT_STATE = STATE_IDS["context"]  # of <|context|> and every token of the signatures
SUFFIX_STATE = STATE_IDS["suffix"]  # of <|suffix|> and every token behind the cursor
PREFIX_STATE = STATE_IDS["prefix"]  # of <|prefix|> alone
LOGICAL_ENDS = frozenset(
    STATE_IDS[name] for name in ("newline block", "newline plain", "newline start")
)
"""States of the line breaks that end a logical line."""


class State(NamedTuple):
    """Everything the automaton remembers between chunks; immutable and hashable."""

    brackets: tuple[str, ...] = ()  # kinds of the open ones, innermost last
    literal: bytes = b""  # what is open: a kind letter and the quotes, b"#" in a comment
    outer: tuple[bytes, ...] = ()  # f-strings interrupted by the open format brackets
    role: str = "start"  # what the lexemes so far ask of the next one
    statement: bytes = b""  # the keyword that opened the statement
    fresh: bool = True  # no lexeme yet on this line
    indent: int = 0  # bytes of indentation of this line
    indent_before: int = 0  # and of the last line that had a lexeme
    pending: bytes = b""  # a lexeme that more bytes could extend

    @property
    def bracket(self) -> str:
        """The innermost open bracket."""
        return self.brackets[-1] if self.brackets else "none"


START = State()
Pieces = list[tuple[int, int]]

_CODE = re.compile(
    rb"""(?P<string>[rRbBuUfFtT]{0,2}(?:\"\"\"|'''|["']))
    |(?P<word>[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)
    |(?P<number>[0-9][A-Za-z0-9_.]*)
    |(?P<newline>\r\n|\r|\n)
    |(?P<blank>[ \t\f\v]+|\\(?:\r\n|\r|\n))
    |(?P<comment>\#)
    |(?P<bracket>[()\[\]{}])
    |(?P<operator>\*\*=?|//=?|<<=?|>>=?|->|[:=!<>+\-*/%&|^@]=|[^\s])
    |(?P<other>[\x00-\xff])""",
    re.VERBOSE,
)
_OPEN_ENDED = re.compile(
    rb"[rRbBuUfFtT]{0,2}(?:\"{1,2}|'{1,2})|[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*"
    rb"|[0-9][A-Za-z0-9_.]*|\r|\\\r?|[-:*/<>=!+%&|^@]|\*\*|//|<<|>>"
)
LINE_END = re.compile(rb"\r\n|\r|\n")
_COMMENT_TEXT = re.compile(rb"[^\r\n]+")
_ESCAPE = re.compile(rb"\\(?:\r\n|[\x00-\xff])")
_ESCAPE_OPEN = re.compile(rb"\\\r?")
_STRING_TEXT = {
    kind + quotes: re.compile(b"[^\\\\" + quotes[:1] + line + braces + b"]+")
    for quotes, line in ((b'"', b"\r\n"), (b"'", b"\r\n"), (b'"""', b""), (b"'''", b""))
    for kind, braces in ((b"s", b""), (b"d", b""), (b"f", b"{"))
}


def advance(state: State, data: bytes) -> tuple[State, Pieces]:
    """Feed ``data``; return the new state and the pieces of lexemes in it.

    A piece is (offset into ``data``, state id), in order; it holds up to the next piece. The
    first offset is negative where ``data`` goes on with the pending lexeme. The last piece may
    be unfinished: its id stands, its effect on the state comes with the bytes that end it.
    """
    text = state.pending + data
    shift = len(text) - len(data)
    state = state._replace(pending=b"") if state.pending else state
    pieces: Pieces = []
    position = 0
    while position < len(text):
        pieces.append((position - shift, _identify(state, text[position])))
        end, following = _step(state, text, position)
        if following is None:
            return state._replace(pending=text[position:]), pieces
        if end == position:  # a literal that ended before this byte
            pieces.pop()
        state, position = following, end
    return state, pieces


@lru_cache(maxsize=8)
def logical_lines(text: bytes) -> tuple[int, ...]:
    """Byte offsets where the logical lines of a text begin that itself begins with one.

    The first is 0. The last answers are kept: the lines above the cursor's do not change while
    somebody types.
    """
    _, pieces = advance(START, text)
    breaks = (LINE_END.match(text, at) for at, state in pieces if state in LOGICAL_ENDS)
    return (0, *(found.end() for found in breaks if found))


def states_for(text: bytes, spans: Sequence[tuple[int, int]], start: State = START) -> list[int]:
    """The state id of each token, given as (begin, end) byte offsets into ``text``."""
    _, pieces = advance(start, text)
    offsets = [offset for offset, _ in pieces]
    return [
        pieces[bisect_right(offsets, _anchor(text[begin:end]) + begin) - 1][1]
        for begin, end in spans
    ]


def advance_token(state: State, token: bytes) -> tuple[State, int]:
    """Feed one token's bytes; return the new state and the token's state id."""
    following, pieces = advance(state, token)
    anchor = _anchor(token)
    return following, next(index for offset, index in reversed(pieces) if offset <= anchor)


def advance_tokens(state: State, tokens: Iterable[bytes]) -> tuple[State, list[int]]:
    """``advance_token`` along a sequence."""
    ids = []
    for token in tokens:
        state, index = advance_token(state, token)
        ids.append(index)
    return state, ids


def _anchor(token: bytes) -> int:
    """A token is what its first byte behind leading blanks is; a blank token is its first byte."""
    first = len(token) - len(token.lstrip(b" \t\f\v"))
    return first if first < len(token) else 0


# --- which id -------------------------------------------------------------------------------


def _class_of(byte: int) -> str:
    letter = chr(byte)
    if byte >= 0x80 or letter.isalpha() or letter == "_":
        return "word"
    if letter.isdigit():
        return "number"
    named = {"\\": "backslash", '"': "quote", "'": "quote", "#": "comment"}
    named |= dict.fromkeys(")]}", "close") | dict.fromkeys("\r\n", "newline")
    named |= dict.fromkeys(" \t\f\v", "blank") | {mark: mark for mark in ".,:=;@([{"}
    return named.get(letter, "operator")


_CLASSES = tuple(_class_of(byte) for byte in range(256))
_LITERALS = {b"s": "string", b"f": "fstring", b"d": "docstring"}


def _identify(state: State, byte: int) -> int:
    if state.literal:
        return _literal_id(state.literal)
    indent = (state.indent > state.indent_before) - (state.indent < state.indent_before)
    return _code_id(_CLASSES[byte], state.role, state.bracket, indent if state.fresh else 0)


@lru_cache(maxsize=64)
def _literal_id(literal: bytes) -> int:
    if literal == b"#":
        return STATE_IDS["comment"]
    name = _LITERALS[literal[:1]]
    return STATE_IDS["triple" if name == "string" and len(literal) == 4 else name]


@lru_cache(maxsize=4096)
def _code_id(kind: str, role: str, bracket: str, indent: int) -> int:
    if kind == "word":
        return STATE_IDS[f"word {_word_name(role, bracket, indent)}"]
    if kind == "newline":
        ends = {"block": "block", "start": "start"}.get(role, "plain")
        return STATE_IDS[f"newline {ends if bracket in ('none', 'lambda') else 'bracket'}"]
    if kind in (",", ":", "=", "close"):
        return STATE_IDS[f"{kind} {bracket}"]
    if kind == "quote":
        return STATE_IDS[f"quote {'start' if role in ('start', 'block') else bracket}"]
    return STATE_IDS[_mark_name(kind, role)]


def _word_name(role: str, bracket: str, indent: int) -> str:
    if role == "start":
        return ("start same", "start in", "start out")[indent]
    if role == "value":
        return f"value {bracket if bracket in _VALUE_BRACKETS else 'call'}"
    if role in _WORD_ROLES:
        return role
    return f"{'operand' if role == 'operand' else 'after'} {bracket}"


def _mark_name(kind: str, role: str) -> str:
    after = role in ("after", "after def", "after class")
    if kind == "(":
        opened = {"after": "call", "after def": "def", "after class": "class"}
        return f"( {'imported' if role == 'imported' else opened.get(role, 'operand')}"
    if kind in ("[", "operator"):
        return f"{kind} {'after' if after else 'operand'}"
    if kind == "@":
        return "@ start" if role == "start" else "@ operator"
    return kind


# --- what a lexeme does ---------------------------------------------------------------------


def _step(state: State, text: bytes, position: int) -> tuple[int, State | None]:
    """Read one lexeme at ``position``: (its end, the state behind it, None if it may go on)."""
    if state.literal == b"#":
        match = _COMMENT_TEXT.match(text, position)
        return (match.end(), state) if match else (position, state._replace(literal=b""))
    if state.literal:
        return _step_string(state, text, position)
    if _OPEN_ENDED.fullmatch(text, position):
        return len(text), None
    match = _CODE.match(text, position)
    assert match is not None
    kind = match.lastgroup
    assert kind is not None
    return match.end(), _EFFECTS[kind](state, match.group())


def _step_string(state: State, text: bytes, position: int) -> tuple[int, State | None]:
    kind, quotes = state.literal[:1], state.literal[1:]
    if match := _STRING_TEXT[state.literal].match(text, position):
        return match.end(), state
    byte = text[position : position + 1]
    if byte == b"\\":
        match = None if _ESCAPE_OPEN.fullmatch(text, position) else _ESCAPE.match(text, position)
        return (match.end(), state) if match else (len(text), None)
    if byte in b"\r\n":  # only in a string of one line: it ends here, with what it is part of
        return position, state._replace(literal=b"", outer=(), brackets=())
    if byte == b"{" and kind == b"f":
        return _open_format(state, text, position)
    found = text[position : position + len(quotes)]
    if found == quotes:
        return position + len(quotes), state._replace(literal=b"", role="after")
    if quotes.startswith(found) and position + len(found) == len(text):
        return len(text), None
    return position + 1, state


def _open_format(state: State, text: bytes, position: int) -> tuple[int, State | None]:
    following = text[position + 1 : position + 2]
    if not following:
        return len(text), None
    if following == b"{":
        return position + 2, state
    return position + 1, state._replace(
        literal=b"",
        outer=(*state.outer, state.literal),
        brackets=(*state.brackets, "format"),
        role="operand",
    )


_ROLE_AFTER_WORD: dict[bytes, str] = {
    **dict.fromkeys(b"return yield await assert del raise if elif while with".split(), "operand"),
    **dict.fromkeys(b"in is not and or except else".split(), "operand"),
    **dict.fromkeys(b"for as global nonlocal".split(), "bind"),
    **dict.fromkeys(b"pass break continue try finally True False None".split(), "after"),
    b"def": "def",
    b"class": "class",
    b"async": "start",
}
_ROLE_AFTER_NAME = {"def": "after def", "class": "after class"}
_ROLE_AFTER_NAME |= {"module": "module", "imported": "imported"}
_BLOCK_WORDS = frozenset(
    b"def class if elif else for while with try except finally match case".split()
)
_STATEMENT_WORDS = frozenset(
    b"def class return import while try raise with assert del pass break continue global "
    b"nonlocal elif except finally".split()
)


def _seen(state: State, role: str) -> State:
    """``state`` behind a lexeme that stands on its line and leaves ``role``."""
    if not state.fresh:
        return state._replace(role=role)
    return state._replace(role=role, fresh=False, indent_before=state.indent)


def _on_word(state: State, word: bytes) -> State:
    if state.role in ("member", "def", "class"):
        return _seen(state, _ROLE_AFTER_NAME.get(state.role, "after"))
    if state.fresh and state.brackets and word in _STATEMENT_WORDS:
        state = state._replace(brackets=(), outer=(), role="start")
    if state.role in ("start", "block"):
        state = state._replace(statement=word)
    if word in (b"import", b"from"):
        return _on_import(state, word)
    if word == b"lambda":
        return _seen(state, "operand")._replace(brackets=(*state.brackets, "lambda"))
    kept = _ROLE_AFTER_NAME.get(state.role, "after")
    return _seen(state, _ROLE_AFTER_WORD.get(word, kept))


def _on_import(state: State, word: bytes) -> State:
    if word == b"import" and state.statement == b"from":
        return _seen(state, "imported")._replace(statement=b"imported")
    return _seen(state, "module" if state.statement == word else "operand")


def _on_string(state: State, opening: bytes) -> State:
    quotes = opening.lstrip(b"rRbBuUfFtT")
    prefix = opening[: len(opening) - len(quotes)].lower()
    kind = b"f" if set(prefix) & set(b"ft") else b"s"
    if len(quotes) == 3 and kind == b"s" and state.role == "start":
        kind = b"d"
    return _seen(state, state.role)._replace(literal=kind + quotes)


def _on_newline(state: State, _: bytes) -> State:
    state = state._replace(fresh=True, indent=0)
    if any(len(literal) == 2 for literal in state.outer):  # an f-string of one line was left open
        state = state._replace(brackets=(), outer=())
    if any(bracket != "lambda" for bracket in state.brackets):
        return state
    return state._replace(brackets=(), role="start", statement=b"")


def _on_blank(state: State, blank: bytes) -> State:
    return state._replace(indent=state.indent + len(blank)) if state.fresh else state


def _on_bracket(state: State, mark: bytes) -> State:
    if mark in b")]}":
        return _on_close(state)
    kind, role = _opened(state, mark)
    return _seen(state, role)._replace(brackets=(*state.brackets, kind))


def _opened(state: State, mark: bytes) -> tuple[str, str]:
    """The kind of the bracket that ``mark`` opens, and the role inside of it."""
    if mark == b"[":
        return "subscript" if state.role == "after" else "list", "operand"
    if mark == b"{":
        return "dict", "operand"
    if state.role == "imported":
        return "import", "imported"
    kinds = {"after": "call", "after def": "params", "after class": "bases"}
    return kinds.get(state.role, "group"), "operand"


def _on_close(state: State) -> State:
    brackets = state.brackets
    while brackets and brackets[-1] == "lambda":
        brackets = brackets[:-1]
    closed = _seen(state, "after")._replace(brackets=brackets[:-1])
    if brackets and brackets[-1] == "format":
        return closed._replace(literal=state.outer[-1], outer=state.outer[:-1])
    return closed


def _on_operator(state: State, mark: bytes) -> State:
    if mark == b":":
        return _on_colon(state)
    if mark == b".":
        return _seen(state, "module" if state.role == "module" else "member")
    if mark == b",":
        return _seen(state, _role_after_comma(state))
    if mark == b";":
        return _seen(state, "start")._replace(statement=b"")
    if mark == b"@" and state.role == "start":
        return _seen(state, "decorator")
    if mark == b"->":
        return _seen(state, "annotation")
    return _seen(state, "value" if mark == b"=" else "operand")


def _on_colon(state: State) -> State:
    bracket = state.bracket
    if bracket == "lambda":
        return _seen(state, "operand")._replace(brackets=state.brackets[:-1])
    if bracket == "none":
        return _seen(state, "block" if state.statement in _BLOCK_WORDS else "annotation")
    return _seen(state, {"params": "annotation", "dict": "value"}.get(bracket, "operand"))


def _role_after_comma(state: State) -> str:
    if state.bracket == "import":
        return "imported"
    listed = {b"import": "module", b"imported": "imported"}
    return listed.get(state.statement, "operand") if state.bracket == "none" else "operand"


_EFFECTS: dict[str, Callable[[State, bytes], State]] = {
    "string": _on_string,
    "word": _on_word,
    "number": lambda state, _: _seen(state, "after"),
    "newline": _on_newline,
    "blank": _on_blank,
    "comment": lambda state, _: state._replace(literal=b"#"),
    "bracket": _on_bracket,
    "operator": _on_operator,
    "other": lambda state, _: state,
}
