"""Where to ask for completion: positions sampled by seed from real call sites.

The sites are the calls that tree-sitter sees, whatever our own extractor thinks of them. At a site
the rest of the line is cut away, as if it had not been typed yet; what follows on later lines
stays, as it does in an editor. Sampling depends on the files, the places asked for and the seed.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import tree_sitter
import tree_sitter_python

LINE_ENDS = b"\r\n"
PER_FILE = 3
"""At most this many cuts come from one file, so that no single file decides a table."""
NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*(?![A-Za-z0-9_\x80-\xff])")
SIMPLE_STATEMENTS = frozenset(
    ("expression_statement", "return_statement", "raise_statement", "assert_statement")
)


Span = tuple[int, int]
"""Byte offsets of a stretch of a file."""


class Place(StrEnum):
    """What stands at the cursor."""

    DOT = "after a dot"
    SELF = "on self"
    NAME = "half-typed name"
    TOKEN = "inside a token"  # noqa: S105 - a place in code, not a password
    STATEMENT = "start of a statement"
    EDGE = "before any token"


@dataclass(frozen=True, slots=True)
class Site:
    """One call in a file: where its statement starts and the span of the callee's last name.

    ``receiver`` is the span of what stands before the dot, None for a bare call; ``statement`` is
    None inside the head of a compound statement (a condition, a decorator). All are byte offsets.
    """

    statement: int | None
    name: tuple[int, int]
    receiver: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Cut:
    """One position to complete at.

    ``offset`` is a byte offset, the same in the whole file and in the cut one. ``name`` is the
    whole identifier that the writer had there, of which ``typed`` stands before the cursor already;
    ``rest`` is what was cut away: the true rest of the line, without its line end.
    """

    path: str
    offset: int
    place: Place
    name: str
    typed: str
    rest: str


def sites(data: bytes) -> Iterator[Site]:
    """Yield every call in ``data`` whose callee ends in an ASCII name, in source order.

    Left out are calls in a broken statement, whose rest of line means nothing, and inside strings.
    """
    stack = [_parser().parse(data).root_node]
    while stack:
        node = stack.pop()
        if node.type == "call" and (site := _site(node, data)) is not None:
            yield site
        if node.type != "string":
            stack.extend(reversed(node.children))


def reads(data: bytes) -> Iterator[Span]:
    """Yield the name span of every attribute that is read and not called, in source order."""
    stack = [_parser().parse(data).root_node]
    while stack:
        node = stack.pop()
        if node.type == "attribute" and node.parent is not None and not node.has_error:
            name = node.child_by_field_name("attribute")
            written = node.parent.child_by_field_name("left") == node
            if node.parent.type != "call" and not written and name is not None:
                yield name.start_byte, name.end_byte
        if node.type != "string":
            stack.extend(reversed(node.children))


def names(data: bytes) -> Iterator[Span]:
    """Yield the span of every name that is read as it is: neither called nor taken from."""
    stack = [_parser().parse(data).root_node]
    while stack:
        node = stack.pop()
        if node.type == "identifier" and _is_read(node):
            yield node.start_byte, node.end_byte
        if node.type != "string":
            stack.extend(reversed(node.children))


def edges(data: bytes) -> Iterator[int]:
    """Yield where every token of code begins, in source order; none in strings or comments."""
    stack = [_parser().parse(data).root_node]
    while stack:
        node = stack.pop()
        if node.type not in ("string", "comment"):
            stack.extend(reversed(node.children))
        if not node.children and node.type != "comment" and node.end_byte > node.start_byte:
            yield node.start_byte


_VALUES = frozenset(
    (
        *("argument_list", "return_statement", "expression_list", "if_statement", "elif_clause"),
        *("for_statement", "while_statement", "binary_operator", "comparison_operator"),
        *("boolean_operator", "not_operator", "conditional_expression", "await"),
        *("subscript", "list", "tuple", "pair"),
    )
)
"""Syntax whose direct names are read, but for what a loop binds."""


def _is_read(node: tree_sitter.Node) -> bool:
    parent = node.parent
    if parent is None or node.has_error or parent.has_error:
        return False
    if parent.type in ("assignment", "keyword_argument"):
        return (
            parent.child_by_field_name("right" if parent.type == "assignment" else "value") == node
        )
    bound = parent.child_by_field_name("left") if parent.type == "for_statement" else None
    return parent.type in _VALUES and node != bound


def sample(
    files: Mapping[str, bytes],
    counts: Mapping[Place, int],
    seed: int,
    per_file: int = PER_FILE,
) -> list[Cut]:
    """Return up to ``counts[place]`` cuts of each place, at most ``per_file`` in one file.

    Files are visited in an order drawn by ``seed``, the sites of a file likewise, until every count
    is reached. No two cuts share a line of a file.
    """
    drawn = random.Random(seed)
    paths = sorted(files)
    drawn.shuffle(paths)
    missing = {place: count for place, count in counts.items() if count > 0}
    found: list[Cut] = []
    for path in paths:
        if not missing:
            break
        for cut in _from_file(path, files[path], missing, drawn, per_file):
            found.append(cut)
            missing[cut.place] -= 1
        missing = {place: count for place, count in missing.items() if count > 0}
    return sorted(found, key=lambda cut: (cut.path, cut.offset))


def sample_edges(
    files: Mapping[str, bytes], count: int, seed: int, per_file: int = PER_FILE
) -> list[Cut]:
    """Return up to ``count`` cuts before tokens, at most ``per_file`` in one file, one in a line.

    Files and tokens are drawn by ``seed``. ``name`` is the word that begins there, if one does.
    """
    drawn = random.Random(seed)
    paths = sorted(files)
    drawn.shuffle(paths)
    found: list[Cut] = []
    for path in paths:
        data = files[path]
        starts = list(edges(data))
        drawn.shuffle(starts)
        by_line = {line_start(data, start): start for start in starts}
        for start in list(by_line.values())[: min(per_file, count - len(found))]:
            match = NAME.match(data, start)
            found.append(
                cut_at(path, data, start, Place.EDGE, (start, match.end() if match else start))
            )
    return sorted(found, key=lambda cut: (cut.path, cut.offset))


def without_rest(data: bytes, offset: int) -> bytes:
    """Return ``data`` with everything from ``offset`` to the end of its line cut away."""
    return data[:offset] + data[line_end(data, offset) :]


def line_end(data: bytes, offset: int) -> int:
    """Return where the line of ``offset`` ends, before its line break."""
    ends = [end for mark in LINE_ENDS if (end := data.find(mark, offset)) >= 0]
    return min(ends, default=len(data))


def line_start(data: bytes, offset: int) -> int:
    """Return where the line of ``offset`` starts."""
    return max(data.rfind(mark, 0, offset) for mark in LINE_ENDS) + 1


def statement_end(data: bytes, start: int) -> int:
    """Return where the simple statement that starts at byte ``start`` ends."""
    node = _parser().parse(data).root_node.descendant_for_byte_range(start, start + 1)
    while node is not None and node.type not in SIMPLE_STATEMENTS:
        node = node.parent
    return start if node is None else node.end_byte


def cut_at(path: str, data: bytes, offset: int, place: Place, name: tuple[int, int]) -> Cut:
    """Return the cut of ``data`` at ``offset``, inside or at the start of the ``name`` span."""
    start, end = name
    return Cut(
        path=path,
        offset=offset,
        place=place,
        name=data[start:end].decode("ascii"),
        typed=data[start:offset].decode("ascii"),
        rest=data[offset : line_end(data, offset)].decode("utf-8", "replace"),
    )


def _from_file(
    path: str, data: bytes, missing: Mapping[Place, int], drawn: random.Random, per_file: int
) -> Iterator[Cut]:
    """Yield one file's share: up to ``per_file`` cuts, no place more often than ``missing``."""
    found = list(sites(data))
    drawn.shuffle(found)
    left = dict(missing)
    lines: set[int] = set()
    for site in found:
        places = [place for place in fitting(site, data) if left.get(place, 0) > 0]
        if not places:
            continue
        cut = at_site(path, data, site, drawn.choice(places), drawn)
        line = line_start(data, cut.offset)
        if line not in lines:
            lines.add(line)
            left[cut.place] -= 1
            yield cut
        if len(lines) == per_file:
            return


def fitting(site: Site, data: bytes) -> list[Place]:
    """Return the places that can be cut at ``site``."""
    long_name = site.name[1] - site.name[0] >= 3
    if site.receiver is None:
        places = [Place.NAME] if long_name else []
    else:
        on_self = data[slice(*site.receiver)] in (b"self", b"cls")
        places = [Place.SELF if on_self else Place.DOT]
        if long_name:
            places.append(Place.TOKEN)
    if site.statement is not None and _first_name(data, site.statement) is not None:
        places.append(Place.STATEMENT)
    return places


def at_site(path: str, data: bytes, site: Site, place: Place, drawn: random.Random) -> Cut:
    """Return the cut of ``place`` at ``site``; half-typed ones draw how much is typed."""
    name = site.name
    if place is Place.STATEMENT:
        assert site.statement is not None
        first = _first_name(data, site.statement)
        assert first is not None, "fitting() offers the place only where a name starts a statement"
        return cut_at(path, data, site.statement, place, first)
    offset = name[0]
    if place in (Place.NAME, Place.TOKEN):
        offset += drawn.randrange(1, name[1] - name[0])
    return cut_at(path, data, offset, place, name)


@cache
def _parser() -> tree_sitter.Parser:
    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_python.language()))


def _site(call: tree_sitter.Node, data: bytes) -> Site | None:
    """Return the site of a call node, or None where a name cannot be cut out of it cleanly."""
    callee = call.child_by_field_name("function")
    if callee is None or call.has_error:
        return None
    receiver = callee.child_by_field_name("object")
    name = callee if receiver is None else callee.child_by_field_name("attribute")
    if name is None or name.type != "identifier" or not data[_span(name)].isascii():
        return None
    statement = _statement(call)
    if statement is not None and statement.has_error:
        return None
    return Site(
        statement=None if statement is None else statement.start_byte,
        name=(name.start_byte, name.end_byte),
        receiver=None if receiver is None else (receiver.start_byte, receiver.end_byte),
    )


def _span(node: tree_sitter.Node) -> slice:
    return slice(node.start_byte, node.end_byte)


def _statement(node: tree_sitter.Node) -> tree_sitter.Node | None:
    """Return the simple statement around ``node``; None in the head of a compound one."""
    around: tree_sitter.Node | None = node
    while around is not None and around.type not in SIMPLE_STATEMENTS:
        if around.type in ("block", "module"):
            return None
        around = around.parent
    return around


def _first_name(data: bytes, start: int) -> tuple[int, int] | None:
    """Return the span of the ASCII identifier that starts at ``start``, if one does."""
    match = NAME.match(data, start)
    return None if match is None else match.span()
