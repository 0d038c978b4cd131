"""What stands at the cursor: the half-typed name, its receiver, the call around it, the scope.

Everything is read from the text before the cursor (and the rest of its line), so neither a missing
rest of the statement nor broken code below changes the answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from tree_sitter import Tree

from completion.scope import PARSER, Binding, How, bindings
from completion.tokens import Lexeme, Scan, Token, primary_start, scan
from indexing.parsing import normalise


class Place(StrEnum):
    """What kind of thing could be typed at the cursor."""

    MEMBER = "member"  # after a dot
    NAME = "name"  # a name in an expression, or the start of a statement
    MODULE = "module"  # the module path of an import statement
    IMPORTED = "imported"  # a name after ``from m import``
    IMPORT_KEYWORD = "import keyword"  # after ``from m``
    DEFINITION = "definition"  # a new name is being made up
    STRING = "string"
    COMMENT = "comment"
    NUMBER = "number"


@dataclass(frozen=True, slots=True)
class Call:
    """The innermost call whose arguments hold the cursor.

    ``callee`` is the source of what is called, ``position`` the index of the argument at the
    cursor, ``keywords`` the names already passed by keyword; ``naming`` is true where a keyword's
    name could begin; ``keyword`` is the keyword whose value is being written.
    """

    callee: str
    position: int
    keywords: tuple[str, ...]
    naming: bool
    keyword: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What :func:`read` found. All offsets are bytes into the request's text.

    ``start`` and ``end`` bound the identifier around the cursor, ``prefix`` is its part before the
    cursor. ``receiver`` is the source before the dot. ``module`` is what an import statement says
    before the cursor: ``"..pkg.mod"``. ``qualname`` is the dotted path of the enclosing
    definitions; ``owner`` that of the class whose method the cursor is in, ``self_name`` the
    method's first parameter. ``bindings`` are the names bound by the enclosing functions
    (:func:`completion.scope.bindings`). ``target`` is what the statement assigns to, ``before`` the
    token before the identifier or its receiver. ``called``: a ``(`` follows already;
    ``reference``: the dot is Java's ``::``, which takes instance methods from the class.
    ``keys`` is the call that an object literal is passed to, where one of its keys may begin; its
    ``keywords`` are the keys above. ``looped``: the statement stands in a loop, so that what is
    written below it may run before it.
    """

    place: Place
    offset: int
    start: int
    end: int
    prefix: str
    statement: int
    receiver: str = ""
    module: str = ""
    call: Call | None = None
    qualname: str = ""
    owner: str = ""
    self_name: str = ""
    bindings: Mapping[str, tuple[Binding, ...]] = field(default_factory=dict)
    target: str = ""
    before: str = ""
    starts_statement: bool = False
    called: bool = False
    reference: bool = False
    keys: Call | None = None
    looped: bool = False


@dataclass(frozen=True, slots=True)
class _Header:
    """A line that the cursor's line is nested in."""

    start: int
    indent: bytes
    text: bytes

    @property
    def function(self) -> re.Match[bytes] | None:
        return _DEF.match(self.text)

    @property
    def class_(self) -> re.Match[bytes] | None:
        return _CLASS.match(self.text)


_IDENTIFIER = re.compile(rb"[\w\x80-\xff]*")
_WORD = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") | frozenset(
    range(0x80, 0x100)
)
_DEF = re.compile(rb"(?:async[ \t]+)?def[ \t]+([^\W\d][\w\x80-\xff]*)")
_LOOP = re.compile(rb"(?:async[ \t]+)?for\b|while\b")
_CLASS = re.compile(rb"class[ \t]+([^\W\d][\w\x80-\xff]*)")
_FIRST_PARAMETER = re.compile(rb"[^(]*\(\s*([A-Za-z_]\w*)\s*[,)]")
_STATEMENT_ONLY = re.compile(rb"(?:async[ \t]+)?(?:def|class|with|while|try)\b")
_COMPOUND = frozenset(
    (
        *("module", "block", "ERROR", "decorated_definition", "function_definition"),
        *("class_definition", "if_statement", "elif_clause", "else_clause", "for_statement"),
        *("while_statement", "try_statement", "except_clause", "except_group_clause"),
        *("finally_clause", "with_statement", "match_statement", "case_clause"),
    )
)
"""Nodes in which a new line may begin a new statement."""

_PLACEHOLDER = b"_"
LONGEST_SCAN = 32_768
"""The most bytes before the cursor that are read closely: a long function, part of a table."""

_BLOCK = 16_384
"""Bytes searched upward at a time for the headers around the cursor."""


def read(text: bytes, offset: int, tree: Tree | None = None) -> Context:
    """What stands at byte ``offset`` of ``text``; never raises for any text.

    ``tree`` is the parse of the text, where there is one already; it is only asked which lines
    begin a statement and which go on inside a string or bracket.
    """
    text = normalise(text)
    tree = PARSER.parse(text) if tree is None else tree
    offset = max(0, min(offset, len(text)))
    start = _word_start(text, offset)
    end = _IDENTIFIER.match(text, offset).end()  # type: ignore[union-attr]
    statement = _line_start(text, _statement_start(tree, _line_start(text, start)))
    headers = _headers(text, statement, tree)
    begin = _chunk_start(statement, headers)
    if start - begin > LONGEST_SCAN:
        begin = max(statement, _leaf_end(tree, start - LONGEST_SCAN))
    scanned = scan(text, begin, start)
    prefix = text[start:offset].decode("utf-8", "replace")
    place, receiver, module = _place(scanned, text[start:offset], start)
    return Context(
        place=place,
        offset=offset,
        start=start,
        end=end,
        prefix=prefix,
        statement=scanned.statement if scanned.tokens else start,
        receiver=receiver,
        module=module,
        call=_call(scanned),
        bindings=_bindings(text, begin, start, end, scanned, headers),
        target=_target(scanned.tokens),
        before=_before(scanned.tokens),
        starts_statement=not scanned.tokens,
        called=text[end:].lstrip(b" \t")[:1] == b"(",
        reference=False,
        looped=any(_LOOP.match(header.text) for header in headers),
        keys=None,
        **_nesting(text, headers),
    )


def _word_start(text: bytes, offset: int) -> int:
    start = offset
    while start and text[start - 1] in _WORD:
        start -= 1
    return start


def _headers(text: bytes, start: int, tree: Tree) -> list[_Header]:
    """The lines that the statement at ``start`` is nested in by indentation, innermost first."""
    end = text.rfind(b"\n", 0, start) + 1
    indent = start - end
    headers: list[_Header] = []
    while indent and (header := _outer_line(text, end, indent)) is not None:
        end = header.start - len(header.indent)
        if _begins_statement(tree, header):
            indent = len(header.indent)
            headers.append(header)
    return headers


def _begins_statement(tree: Tree, header: _Header) -> bool:
    """Whether the line does not go on inside a string or bracket from above.

    Around broken code the tree may see brackets that are none; some keywords know better.
    """
    start = _statement_start(tree, header.start)
    if start == header.start or not _STATEMENT_ONLY.match(header.text):
        return start == header.start
    node = tree.root_node.descendant_for_byte_range(header.start, header.start)
    while node is not None and node.type != "string":
        node = node.parent
    return node is None


def _line_start(text: bytes, offset: int) -> int:
    """Where the line of ``offset`` begins, its indentation left out."""
    start = text.rfind(b"\n", 0, offset) + 1
    line = text[start:offset]
    return start + len(line) - len(line.lstrip(b" \t\f"))


def _outer_line(text: bytes, end: int, indent: int) -> _Header | None:
    """The last line before ``end`` that is indented less than ``indent`` bytes.

    Blank lines do not count, nor such as begin with a comment, a string or a closing bracket.
    """
    line = rb"([ \t\f]{0,%d})([^\s#)\]}\"'][^\n]*)" % (indent - 1)
    pattern = re.compile(rb"\n" + line)  # one literal byte first: the search skips to line ends
    while end > 0:
        begin = max(0, text.rfind(b"\n", 0, max(0, end - _BLOCK)))
        last = None
        for last in pattern.finditer(text, begin, end):  # noqa: B007
            pass
        if last is None and begin == 0:
            last = re.compile(line).match(text, 0, end)
        if last is not None:
            return _Header(last.start(2), last[1], last[2])
        end = begin
    return None


def _statement_start(tree: Tree, offset: int) -> int:
    """``offset``, or where the statement begins whose string or bracket holds it."""
    node = tree.root_node.descendant_for_byte_range(offset, offset)
    while node is not None and node.type not in _COMPOUND:
        offset = min(offset, node.start_byte)
        node = node.parent
    return offset


def _leaf_end(tree: Tree, offset: int) -> int:
    """The end of the token at ``offset``, a string counting as one."""
    node = tree.root_node.descendant_for_byte_range(offset, offset)
    while node is not None and node.parent is not None and node.parent.type == "string":
        node = node.parent
    if node is None or (node.child_count and node.type != "string"):
        return offset
    return node.end_byte


def _chunk_start(statement: int, headers: Sequence[_Header]) -> int:
    """Where the text to look at begins: the outermost function around, else the outermost block."""
    functions = [header for header in headers if header.function]
    blocks = [header for header in headers if not header.class_]
    for candidates in (functions, blocks):
        if candidates:
            return candidates[-1].start
    return statement


def _nesting(text: bytes, headers: Sequence[_Header]) -> dict[str, str]:
    """The ``qualname``, ``owner`` and ``self_name`` fields."""
    path: list[str] = []
    owner = self_name = ""
    inside_class = False
    for header in reversed(headers):
        match = header.class_ or header.function
        if match is None:
            continue
        if header.function and inside_class:
            owner = ".".join(path)
            first = _FIRST_PARAMETER.match(text, header.start, header.start + 400)
            self_name = first[1].decode() if first else ""
        inside_class = header.class_ is not None
        path.append(match[1].decode("utf-8", "replace"))
    if inside_class:
        owner, self_name = ".".join(path), ""
    return {"qualname": ".".join(path), "owner": owner, "self_name": self_name}


def _place(scanned: Scan, typed: bytes, start: int) -> tuple[Place, str, str]:
    """The place, the receiver's source, and an import's module path."""
    tokens = scanned.tokens
    if scanned.comment or scanned.string is not None:
        return (Place.COMMENT if scanned.comment else Place.STRING), "", ""
    in_number = tokens and tokens[-1].kind is Lexeme.NUMBER and tokens[-1].end == start
    if typed[:1].isdigit() or in_number:
        return Place.NUMBER, "", ""
    if not tokens:
        return Place.NAME, "", ""
    if tokens[0].text in (b"import", b"from"):
        return _import_place(tokens)
    if tokens[-1].text == b".":
        first = primary_start(tokens, len(tokens) - 2)
        if first is None:
            return Place.MEMBER, "", ""
        return Place.MEMBER, source_of(tokens[first : len(tokens) - 1]), ""
    return (Place.DEFINITION if _defines(scanned) else Place.NAME), "", ""


def _before(tokens: Sequence[Token]) -> str:
    """The token before the identifier at the cursor or, after a dot, before the receiver."""
    last = len(tokens) - 1
    if tokens and tokens[last].text == b".":
        first = primary_start(tokens, last - 1)
        last = last - 1 if first is None else first - 1
    return tokens[last].text.decode("utf-8", "replace") if last >= 0 else ""


def source_of(tokens: Sequence[Token]) -> str:
    """The tokens' source on one line, comments dropped."""
    parts = [tokens[0].text]
    for left, right in pairwise(tokens):
        apart = left.end < right.start and Lexeme.DOT not in (left.kind, right.kind)
        parts.append(b" " + right.text if apart else right.text)
    return b"".join(parts).decode("utf-8", "replace")


def _import_place(tokens: Sequence[Token]) -> tuple[Place, str, str]:
    """Inside ``import …`` or ``from … import …``."""
    last = tokens[-1].text
    if last == b"as":
        return Place.DEFINITION, "", ""
    words = [token.text for token in tokens]
    if words[0] == b"from" and b"import" in words:
        module = b"".join(words[1 : words.index(b"import")]).decode("utf-8", "replace")
        return Place.IMPORTED, "", module
    begin = max((i for i, word in enumerate(words) if word == b","), default=0) + 1
    module = b"".join(words[begin:]).decode("utf-8", "replace")
    if len(words) > begin and tokens[-1].kind is Lexeme.NAME:
        return Place.IMPORT_KEYWORD, "", module
    return Place.MODULE, "", module


def _defines(scanned: Scan) -> bool:
    """Whether the identifier at the cursor makes up a new name."""
    tokens = scanned.tokens
    last = tokens[-1].text
    if last in (b"def", b"class", b"as", b"for") and not _imports(tokens):
        return True
    if _in_lambda_parameters(scanned):
        return True
    return _in_parameters(scanned) and last in (b"(", b",", b"*", b"**")


def _in_parameters(scanned: Scan) -> bool:
    """Whether the innermost open bracket is that of a function's parameters."""
    if len(scanned.open) != 1:
        return False
    before = [token.text for token in scanned.tokens[: scanned.open[0]]]
    return scanned.tokens[scanned.open[0]].text == b"(" and b"def" in before and b"->" not in before


def _imports(tokens: Sequence[Token]) -> bool:
    return tokens[0].text in (b"import", b"from")


def _in_lambda_parameters(scanned: Scan) -> bool:
    for token in reversed(scanned.tokens):
        if token.text == b"lambda":
            return True
        if token.text not in (b",", b"*", b"**") and token.kind is not Lexeme.NAME:
            return False
    return False


def _call(scanned: Scan) -> Call | None:
    """The call whose arguments hold the end of the scan, if the innermost open bracket is one."""
    tokens = scanned.tokens
    if not scanned.open or tokens[scanned.open[-1]].text != b"(" or not scanned.open[-1]:
        return None
    opening = scanned.open[-1]
    first = primary_start(tokens, opening - 1)
    if first is None or (first and tokens[first - 1].text in (b"def", b"class")):
        return None
    arguments = _arguments(tokens[opening + 1 :])
    keywords = [
        part[0].text.decode("utf-8", "replace")
        for part in arguments
        if len(part) > 1 and part[1].text == b"=" and part[0].kind is Lexeme.NAME
    ]
    current = arguments[-1]
    keyword = keywords[-1] if len(current) > 1 and current[1].text == b"=" and keywords else ""
    callee = source_of(tokens[first:opening])
    return Call(callee, len(arguments) - 1, tuple(keywords), not current, keyword)


def _arguments(tokens: Sequence[Token]) -> list[list[Token]]:
    """The tokens after an opening bracket, split at the commas of its own depth."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.kind is Lexeme.OPEN) - (token.kind is Lexeme.CLOSE)
        if depth == 0 and token.text == b",":
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _target(tokens: Sequence[Token]) -> str:
    """What the statement assigns to: ``x`` in ``x = …`` and ``self.x: T = …``."""
    depth = 0
    for index, token in enumerate(tokens):
        depth += (token.kind is Lexeme.OPEN) - (token.kind is Lexeme.CLOSE)
        if depth == 0 and token.text in (b"=", b":"):
            if not index or primary_start(tokens, index - 1) != 0:
                return ""
            return b"".join(part.text for part in tokens[:index]).decode("utf-8", "replace")
    return ""


_CLOSERS = {b"(": b")", b"[": b"]", b"{": b"}"}


def _bindings(
    text: bytes, begin: int, start: int, end: int, scanned: Scan, headers: Sequence[_Header]
) -> Mapping[str, tuple[Binding, ...]]:
    """The names in scope, from the text before the cursor made whole again."""
    rest = _rest_of_line(text, end, scanned)
    code = b"".join((text[begin:start], _PLACEHOLDER, rest, _open_ends(headers, begin)))
    return {
        name: kept
        for name, found in bindings(code, start - begin, begin).items()
        if (kept := tuple(each for each in found if not _unfinished(each, scanned, start)))
    }


def _unfinished(binding: Binding, scanned: Scan, start: int) -> bool:
    """Whether it is being written at the cursor: the last ``x`` in ``x = x.|`` is still the old."""
    assigned = binding.how is How.ASSIGNED and binding.offset >= scanned.statement
    return binding.offset == start or (assigned and bool(scanned.tokens))


def _rest_of_line(text: bytes, end: int, scanned: Scan) -> bytes:
    """What the line says after the cursor if it closes the open brackets, else the closers."""
    if scanned.string is not None or scanned.comment:
        return b""
    closers = b"".join(_CLOSERS[scanned.tokens[i].text] for i in reversed(scanned.open))
    newline = text.find(b"\n", end)
    rest = text[end : newline if newline >= 0 else len(text)]
    brackets = bytes(byte for byte in rest if byte in b"()[]{}")
    if rest.strip() and _balances(brackets, closers):
        return rest
    header = scanned.tokens[:1]
    colon = b": pass" if header and header[0].text in _BLOCK_WORDS else b""
    return closers + colon


_BLOCK_WORDS = frozenset(b"if elif else for while with try except finally".split())


def _balances(brackets: bytes, closers: bytes) -> bool:
    """Whether ``brackets`` closes exactly ``closers`` and whatever it opens itself."""
    pending = list(reversed(closers))
    for byte in brackets:
        bracket = bytes((byte,))
        if bracket in _CLOSERS:
            pending.append(_CLOSERS[bracket][0])
        elif not pending or pending.pop() != byte:
            return False
    return not pending


def _open_ends(headers: Sequence[_Header], begin: int) -> bytes:
    """What completes the ``try`` blocks that the cut text leaves open."""
    lines = (
        header.indent + b"finally: pass\n"
        for header in headers
        if header.start > begin and re.match(rb"try\s*:", header.text)
    )
    return b"\n" + b"".join(lines)
