"""What Java, JavaScript and TypeScript share: documentation comments, scopes, and uses."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import NamedTuple

from tree_sitter import Node

from indexing.languages import DefinitionRow
from indexing.symbols import Kind

DANGLING = re.compile(
    rb"\??\.(?=[ \t]*\r?\n\s*(?:\}|(?:return|if|for|while|try|throw|switch|const|let|var"
    rb"|public|private|protected|static|final|@)\b))"
)
"""A dot that nothing follows before the next statement: its name is being written."""

ParameterRow = tuple[str, str | None, str | None, str]

LARGE_CLASS = 8192
"""Bytes from which on the members of a class are read one by one, so that an edit costs one."""

LONGEST_DEFAULT = 60
LONGEST_DOC = 400
LONGEST_RECEIVER = 80
"""Characters kept of a receiver, from its end: its last part is what says what it is."""

LONGEST_ATTRIBUTE = 400
"""Bytes of an attribute use in which its name and what is kept of its receiver are found."""

UNNAMED = "()"
"""Container of what stands in a function without a name at the top level: nobody can refer to it,
and it must not pass for a definition of the file's."""

# Documentation ------------------------------------------------------------------------------------

_LINK = re.compile(r"\{@\w+\s+([^{}]*)\}")
_STARS = re.compile(r"^[ \t]*\*+[ \t]?", re.MULTILINE)
_END = re.compile(r"\n[ \t]*(?:\n|<p>|@\w)")


def documents(node: Node) -> bool:
    """Whether a node is a documentation comment."""
    return node.type.endswith("comment") and (node.text or b"").startswith(b"/**")


def doc_of(comment: bytes) -> tuple[str, bool]:
    """The first paragraph of a comment on one line, and whether it says ``@deprecated``."""
    if not comment.startswith(b"/**"):
        return "", False
    raw = comment[3 : 8 * LONGEST_DOC].decode("utf-8", "replace").rstrip().removesuffix("*/")
    body = "\n" + _STARS.sub("", raw).strip()
    paragraph = _END.split(body[:1] + body[1:], maxsplit=1)[0]
    plain = _LINK.sub(_linked, paragraph)
    return " ".join(plain.split())[:LONGEST_DOC], "@deprecated" in body


def _linked(link: re.Match[str]) -> str:
    words = link[1].split()
    return words[-1].lstrip("#") if words else ""


def file_doc(statements: Sequence[Node], opening: frozenset[str]) -> str:
    """The comment that describes the file: the first one, where no definition follows it.

    ``opening`` are the types of the statements that a file begins with. A licence says nothing.
    """
    for comment, following in pairwise(statements):
        if "comment" not in comment.type:
            break
        if documents(comment) and following.type in opening:
            text, _ = doc_of(comment.text or b"")
            return "" if re.search(r"(?i)copyright|licen[sc]e", text) else text
    return ""


# Scopes -------------------------------------------------------------------------------------------


class Scope(NamedTuple):
    """A class or function of the part; ``parent`` is the index of the enclosing one or -1.

    ``owner`` is the class whose instance ``this`` is inside it, or empty. ``named`` is false for
    what only stands around others without being listed itself.
    """

    start: int
    end: int
    parent: int
    qualname: str
    owner: str
    is_class: bool
    named: bool


class Around(NamedTuple):
    """What is known of a scope before its place is: its node, its name ("": none), its kind.

    ``keeps_this`` says that ``this`` inside it is that of the code around it.
    """

    node: Node
    name: str
    is_class: bool = False
    keeps_this: bool = False


class Scopes:
    """The scopes of one part, for finding the innermost one around an offset.

    ``container`` is that of the part; ``in_class`` whether it is a class.
    """

    def __init__(self, found: Iterable[Around], container: str, *, in_class: bool) -> None:
        owner = container if in_class else ""
        self._outside = Scope(0, 0, -1, container, owner, in_class, named=True)
        self.around = sorted(found, key=lambda each: (each.node.start_byte, -each.node.end_byte))
        self.scopes: list[Scope] = []
        self.starts: list[int] = []
        for each in self.around:
            parent = self._index(each.node.start_byte)
            self.scopes.append(_scope(each, parent, self._get(parent)))
            self.starts.append(each.node.start_byte)

    def _get(self, index: int) -> Scope:
        return self.scopes[index] if index >= 0 else self._outside

    def _index(self, offset: int) -> int:
        index = bisect_right(self.starts, offset) - 1
        while index >= 0 and offset >= self.scopes[index].end:
            index = self.scopes[index].parent
        return index

    def at(self, offset: int) -> Scope:
        """The innermost scope around ``offset``."""
        return self._get(self._index(offset))

    def outer(self, scope: Scope) -> Scope:
        """The scope that ``scope`` stands in."""
        return self._get(scope.parent)

    def listed(self) -> Iterator[tuple[Around, Scope]]:
        """The scopes that are definitions, in order of position."""
        for each, scope in zip(self.around, self.scopes, strict=True):
            if scope.named:
                yield each, scope


def _scope(each: Around, parent: int, outer: Scope) -> Scope:
    start, end = each.node.byte_range
    if each.name:
        qualname = f"{outer.qualname}.{each.name}" if outer.qualname else each.name
    else:
        qualname = outer.qualname or UNNAMED
    if each.is_class:
        owner = qualname if each.name else ""
    else:
        member = outer.is_class and bool(each.name)
        owner = outer.owner if member or each.keeps_this else ""
    return Scope(start, end, parent, qualname, owner, each.is_class, named=bool(each.name))


# Rows ---------------------------------------------------------------------------------------------


class Said(NamedTuple):
    """What a declaration says besides name, kind and place, as in `indexing.symbols.Definition`."""

    parameters: tuple[ParameterRow, ...] = ()
    returns: str | None = None
    annotation: str | None = None
    value: str | None = None
    bases: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    comment: bytes = b""


def row(
    name: str, kind: Kind, container: str, node: Node, name_node: Node, base: int, said: Said
) -> DefinitionRow:
    """A definition that goes from ``node``'s first byte to its last, counted from ``base``."""
    doc, deprecated = doc_of(said.comment)
    words = said.words
    if (deprecated or "Deprecated" in words) and "deprecated" not in words:
        words = (*words, "deprecated")
    return (
        name,
        kind.value,
        container,
        node.start_byte - base,
        node.end_byte - base,
        name_node.start_byte - base,
        name_node.end_byte - base,
        said.parameters,
        said.returns,
        said.annotation,
        said.value,
        said.bases,
        words,
        doc,
    )


position = itemgetter(3, 5)


# Uses ---------------------------------------------------------------------------------------------


def argument_count(arguments: Node, data: bytes) -> int:
    """How many arguments stand between the brackets."""
    count = arguments.named_child_count
    if count and b"/" in data[arguments.start_byte : arguments.end_byte]:
        count -= sum(child.type.endswith("comment") for child in arguments.named_children)
    return count


def receiver(written: str) -> str:
    """The end of a receiver with every ``?.`` and ``!.`` as a plain dot."""
    text = written[-LONGEST_RECEIVER:]
    if "?" in text or "!" in text:
        text = text.rstrip().rstrip("?!").replace("?.", ".").replace("!.", ".")
    return text.rstrip()


last_byte = itemgetter(4)


def mended(data: bytes) -> bytes:
    """The text with dangling dots as semicolons: to tree-sitter, a brace would be what follows one,
    and all members behind it would belong to the wrong class.
    """
    return DANGLING.sub(lambda found: b" " * (len(found[0]) - 1) + b";", data)
