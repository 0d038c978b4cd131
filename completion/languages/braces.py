"""What stands at the cursor in a language with braces; :func:`completion.context.read` for them.

The text before the cursor is cut out, made whole again with the brackets that it left open, and
parsed: so the tree is that of nearly correct code, however broken the file is. Members above the
cursor's own are blanked out, which keeps offsets and costs no parsing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from tree_sitter import Node

from completion.context import Call, Context, Place, source_of
from completion.languages.lexing import (
    CLOSER,
    HOLE,
    Level,
    Skeleton,
    Syntax,
    angle,
    ends_operand,
    is_block,
    primary_start,
    skeleton,
    tokens,
)
from completion.scope import Binding, How
from completion.tokens import Lexeme, Token
from indexing.parsing import normalise

PLACEHOLDER = b"_"
WINDOW = 8192
"""How many bytes of finished top-level statements above the cursor's are read with it."""

_WORD = re.compile(rb"[\w$\x80-\xff]*")
_WORD_BEFORE = re.compile(rb"#?[\w$\x80-\xff]*\Z")
_CLASS = re.compile(
    rb"\b(?:class|interface|enum|record|namespace|module|@interface)\s+([\w$.\x80-\xff]+)"
)
LONGEST_HEADER = 1024
"""How many bytes before an open brace are searched for what it belongs to."""

LONGEST_STATEMENT = 4096
"""How many bytes of an unfinished statement are read."""

_CONTROL = frozenset(b"if for while switch catch with synchronized try else do return".split())
_TRY = re.compile(rb"\btry\s*(?:\([^{]*\))?\s*\Z")


@dataclass(frozen=True, slots=True)
class Block:
    """An open brace with what it belongs to: a named class or function, or neither."""

    level: Level
    name: str
    is_class: bool


@dataclass(frozen=True, slots=True)
class Reader:
    """What tells one language with braces from another when its text is read.

    ``bindings(code, cursor)`` are those of :func:`completion.scope.bindings`. ``imports(tokens,
    text, end)`` is the place inside an import statement with the module written so far;
    ``in_string(text, string, offset)`` the offset where a module path's part begins in a string,
    -1 in other strings. ``defines(tokens, block)``: a new name is made up behind the tokens;
    ``newline_ends``: a line end may end a statement.
    """

    syntax: Syntax
    bindings: Callable[[bytes, int], Iterator[Binding]]
    imports: Callable[[Sequence[Token], bytes, int], tuple[Place, str] | None]
    in_string: Callable[[bytes, int, int], int]
    defines: Callable[[Sequence[Token], Block | None], bool]
    newline_ends: bool


def read(reader: Reader, text: bytes, offset: int) -> Context:
    """What stands at byte ``offset`` of ``text``; never raises for any text."""
    text = normalise(text)
    offset = max(0, min(offset, len(text)))
    word = _WORD_BEFORE.search(text, max(0, offset - 256), offset)
    start = word.start() if word else offset
    end = max(offset, _WORD.match(text, offset).end())  # type: ignore[union-attr]
    found = skeleton(text, start, reader.syntax)
    if found.string >= 0 or found.comment:
        return _in_literal(reader, text, offset, found)
    blocks = _blocks(text, found, reader)
    statement = _statement(text, start, found, reader)
    place, receiver, module = _place(reader, text, start, end, statement, blocks)
    path, owner = _nesting(blocks)
    return Context(
        place=place,
        offset=offset,
        start=start,
        end=end,
        prefix=text[start:offset].decode("utf-8", "replace"),
        statement=statement[0].start if statement else start,
        receiver=receiver,
        module=module,
        call=_call(statement),
        keys=_keys(statement),
        qualname=path,
        owner=owner,
        self_name="this" if owner else "",
        bindings=_bindings(reader, text, start, found, blocks, statement),
        target=_target(statement),
        before=_before(statement),
        starts_statement=not statement,
        reference=bool(statement) and statement[-1].text == b"::",
        called=text[end : end + 16].lstrip(b" \t")[:1] == b"(",
    )


def _in_literal(reader: Reader, text: bytes, offset: int, found: Skeleton) -> Context:
    """In a comment or string; the module path of an import is one too."""
    place, begin, module = Place.COMMENT, offset, ""
    if found.string >= 0:
        place, begin = Place.STRING, reader.in_string(text, found.string, offset)
        if begin >= 0:
            place, module = Place.MODULE, text[found.string + 1 : begin].decode("utf-8", "replace")
    begin = begin if begin >= 0 else offset
    prefix = text[begin:offset].decode("utf-8", "replace")
    return Context(place, offset, begin, offset, prefix, begin, module=module)


# Nesting


def _blocks(text: bytes, found: Skeleton, reader: Reader) -> list[Block]:
    """The open braces with what they belong to, the outermost first."""
    blocks: list[Block] = []
    for level in found.levels:
        if level.bracket == b"{":
            in_class = bool(blocks) and blocks[-1].is_class
            blocks.append(_block(text, level, reader, in_class=in_class))
    return blocks


def _block(text: bytes, level: Level, reader: Reader, *, in_class: bool) -> Block:
    begin = max(level.start, level.at - LONGEST_HEADER)
    header = tokens(text, begin, level.at, reader.syntax)
    for index, token in enumerate(header[:-1]):
        if token.text in _CLASS_WORDS and header[index + 1].kind is Lexeme.NAME:
            if index and header[index - 1].kind is Lexeme.DOT:
                continue
            return Block(level, header[index + 1].text.decode("utf-8", "replace"), is_class=True)
    if len(header) > 1 and header[-2].text == b"=" and is_block(text, level) is False:
        return Block(level, "", is_class=False)
    name = _function_name(header, in_class=in_class)
    return Block(level, name, is_class=False)


_CLASS_WORDS = frozenset((b"class", b"interface", b"enum", b"record", b"namespace", b"module"))


def _function_name(header: Sequence[Token], *, in_class: bool) -> str:
    """The name of the function whose body the brace after ``header`` opens."""
    depth = 0
    for index, token in enumerate(header):
        if depth == 0 and token.text == b"=" and index:
            return _assigned_function(header, index)
        if token.text == b"(" and depth == 0 and index:
            name = header[index - 1]
            if name.text == b">":
                name = header[max(0, angle(header, index - 1) - 1)]
            is_name = name.kind is Lexeme.NAME and name.text not in _CONTROL | {b"function"}
            annotated = header.index(name) and header[header.index(name) - 1].text == b"@"
            declared = in_class or b"function" in [each.text for each in header[:index]]
            if is_name and declared and not annotated:
                return name.text.decode("utf-8", "replace")
        depth += (token.kind is Lexeme.OPEN) - (token.kind is Lexeme.CLOSE)
    return ""


def _assigned_function(header: Sequence[Token], equals: int) -> str:
    """``const name = (…) =>`` and ``name = async x =>``."""
    if header[-1].text != b"=>" and b"function" not in [each.text for each in header]:
        return ""
    names = [each for each in header[:equals] if each.kind is Lexeme.NAME]
    plain = [each for each in names if each.text not in _MODIFIERS]
    return plain[0].text.decode("utf-8", "replace") if plain else ""


_MODIFIERS = frozenset(
    b"const let var export default static async public private protected readonly".split()
)


def _nesting(blocks: Sequence[Block]) -> tuple[str, str]:
    """The dotted path of the enclosing definitions, and that of the innermost class."""
    path: list[str] = []
    owner = ""
    for block in blocks:
        if not block.name:
            continue
        constructs = owner and path[-1:] == [block.name] and not block.is_class
        path.append("__init__" if constructs or block.name == "constructor" else block.name)
        if block.is_class:
            owner = ".".join(path)
    return ".".join(path), owner


# The statement


def _statement(text: bytes, start: int, found: Skeleton, reader: Reader) -> list[Token]:
    """The tokens of the unfinished statement, from its beginning to the identifier."""
    boundary = found.tops[-1]
    for level in reversed(found.levels):
        if level.bracket == HOLE or is_block(text, level):
            boundary = level.boundary
            break
    begin = max(boundary, start - LONGEST_STATEMENT)
    whole = tokens(text, begin, start, reader.syntax)
    return whole[_line_end(text, whole, start) :] if reader.newline_ends else whole


def _line_end(text: bytes, whole: Sequence[Token], start: int) -> int:
    """The index of the token that begins the last statement, where line ends may end one."""
    begin = depth = 0
    for index, token in enumerate(whole):
        depth += (token.kind is Lexeme.OPEN) - (token.kind is Lexeme.CLOSE)
        following = whole[index + 1] if index + 1 < len(whole) else None
        after = following.start if following else start
        fresh = following is None or following.kind in (Lexeme.NAME, Lexeme.STRING)
        if depth <= 0 and fresh and ends_operand(token) and b"\n" in text[token.end : after]:
            begin = index + 1
    return begin


def _place(
    reader: Reader,
    text: bytes,
    start: int,
    end: int,
    found: Sequence[Token],
    blocks: Sequence[Block],
) -> tuple[Place, str, str]:
    """The place, the receiver's source, and an import's module path."""
    if text[start : start + 1].isdigit() or _touches_number(found, start):
        return Place.NUMBER, "", ""
    if not found:
        return Place.NAME, "", ""
    imported = reader.imports(found, text, end)
    if imported is not None:
        return imported[0], "", imported[1]
    if found[-1].kind is Lexeme.DOT:
        first = primary_start(found, len(found) - 2)
        receiver = "" if first is None else source_of(found[first : len(found) - 1]).rstrip("!")
        return Place.MEMBER, receiver, ""
    defines = reader.defines(found, blocks[-1] if blocks else None)
    return (Place.DEFINITION if defines else Place.NAME), "", ""


def _touches_number(found: Sequence[Token], start: int) -> bool:
    return bool(found) and found[-1].kind is Lexeme.NUMBER and found[-1].end == start


def _before(found: Sequence[Token]) -> str:
    last = len(found) - 1
    if found and found[last].kind is Lexeme.DOT:
        first = primary_start(found, last - 1)
        last = last - 1 if first is None else first - 1
    return found[last].text.decode("utf-8", "replace") if last >= 0 else ""


def _call(found: Sequence[Token]) -> Call | None:
    """The call whose arguments hold the end of the tokens."""
    opened = open_brackets(found)
    if not opened or found[opened[-1]].text != b"(" or not opened[-1]:
        return None
    last = opened[-1] - 1
    if found[last].text == b">":
        last = angle(found, last) - 1
    first = primary_start(found, last) if last >= 0 else None
    if first is None or found[first].text in _CONTROL:
        return None
    if first and found[first - 1].text == b"function":
        return None
    position = _commas(found[opened[-1] + 1 :])
    return Call(source_of(found[first : last + 1]), position, (), naming=False)


def open_brackets(found: Sequence[Token]) -> list[int]:
    """The indices of the brackets that nothing closes, the outermost first."""
    opened: list[int] = []
    for index, token in enumerate(found):
        if token.kind is Lexeme.OPEN:
            opened.append(index)
        elif token.kind is Lexeme.CLOSE and opened:
            opened.pop()
    return opened


def _keys(found: Sequence[Token]) -> Call | None:
    """The call whose argument is the object literal in which a key may begin."""
    opened = open_brackets(found)
    if not opened or found[opened[-1]].text != b"{" or found[-1].text not in (b"{", b","):
        return None
    call = _call(found[: opened[-1]])
    if call is None:
        return None
    keys: list[str] = []
    depth = 0
    for before, token in pairwise(found[opened[-1] :]):
        if depth == 0 and token.kind is Lexeme.NAME and before.text in (b"{", b","):
            keys.append(token.text.decode("utf-8", "replace"))
        depth += (token.kind is Lexeme.OPEN) - (token.kind is Lexeme.CLOSE)
    return replace(call, keywords=tuple(keys))


def _commas(found: Sequence[Token]) -> int:
    depth = count = 0
    for token in found:
        depth += (token.kind is Lexeme.OPEN) - (token.kind is Lexeme.CLOSE)
        count += depth == 0 and token.text == b","
    return count


def _target(found: Sequence[Token]) -> str:
    """What the statement assigns to: ``x`` in ``const x: T = …``, ``this.x`` in ``this.x = …``."""
    depth = 0
    for index, token in enumerate(found):
        depth += (token.kind is Lexeme.OPEN) - (token.kind is Lexeme.CLOSE)
        if depth == 0 and token.text == b"=" and index:
            return _assigned(found[:index])
    return ""


def _assigned(found: Sequence[Token]) -> str:
    colon = next((i for i, token in enumerate(found) if token.text == b":"), len(found))
    first = primary_start(found, colon - 1) if colon else None
    return "" if first is None else source_of(found[first:colon])


# The scope


def _bindings(
    reader: Reader,
    text: bytes,
    start: int,
    found: Skeleton,
    blocks: Sequence[Block],
    statement: Sequence[Token],
) -> Mapping[str, tuple[Binding, ...]]:
    """The names in scope, from the text before the cursor made whole again."""
    code = _kept(text, start, found, blocks) + PLACEHOLDER + _closers(text, found)
    names: dict[str, list[Binding]] = {}
    for binding in reader.bindings(code, start):
        if not _unfinished(binding, statement, start):
            names.setdefault(binding.name, []).append(binding)
    return {name: tuple(each) for name, each in names.items()}


def _unfinished(binding: Binding, statement: Sequence[Token], start: int) -> bool:
    """Whether it is being written at the cursor: the last ``x`` in ``x = x.|`` is still the old."""
    assigned = binding.how is How.ASSIGNED and bool(statement)
    return binding.offset == start or (assigned and binding.offset >= statement[0].start)


def _kept(text: bytes, start: int, found: Skeleton, blocks: Sequence[Block]) -> bytes:
    """The text up to ``start`` with everything blanked out that is closed and not in scope."""
    parts: list[bytes] = []
    position = 0

    def keep(begin: int, end: int) -> None:
        nonlocal position
        parts.extend((b" " * (begin - position), text[begin:end]))
        position = max(position, end)

    classes = {id(block.level): block for block in blocks if block.is_class}
    begin = next((top for top in found.tops if top >= start - WINDOW), found.tops[-1])
    for level in found.levels:
        if id(level) not in classes:
            begin = min(begin, level.start) if not parts else level.start
            break
        keep(max(level.start, position), level.at + 1)
        begin = level.boundary
    keep(max(begin, position), start)
    return b"".join(parts)


def _closers(text: bytes, found: Skeleton) -> bytes:
    """What closes the open brackets, statements ended on the way."""
    closers: list[bytes] = []
    for level in reversed(found.levels):
        if is_block(text, level):
            closers.append(b";")
        closers.append(CLOSER[level.bracket])
        if level.bracket == b"{" and _TRY.search(text, max(0, level.at - 512), level.at):
            closers.append(b"finally{}")
    return b"".join(closers) + b";"


# For the languages' own readers


@dataclass(frozen=True, slots=True)
class Around:
    """Which nodes hold the cursor."""

    cursor: int

    def holds(self, node: Node) -> bool:
        """Whether the node is around the cursor."""
        return node.start_byte <= self.cursor <= node.end_byte


Handler = Callable[[Node, Around], Iterator[Binding]]


def walk(node: Node, around: Around, handlers: Mapping[str, Handler]) -> Iterator[Binding]:
    """The bindings of statements in the blocks around the cursor, in order."""
    for child in node.named_children:
        handler = handlers.get(child.type)
        if handler is not None:
            yield from handler(child, around)
        if around.holds(child) or child.type in _TRANSPARENT:
            yield from walk(child, around, handlers)


_TRANSPARENT = frozenset(
    (
        *("expression_statement", "lexical_declaration", "variable_declaration", "ERROR"),
        *("export_statement", "formal_parameters", "resource_specification"),
    )
)
"""Nodes whose names are bound in the scope that they stand in."""


def first_of(node: Node | None) -> Node | None:
    """The node's first named child."""
    return node.named_child(0) if node is not None and node.named_child_count else None


def text_of(node: Node | None) -> str:
    """The node's source; empty for None."""
    return "" if node is None or node.text is None else node.text.decode("utf-8", "replace")
