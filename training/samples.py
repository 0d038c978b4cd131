"""Cuts fill-in-the-middle samples out of files, at the level of characters.

The cursor of a sample stands before a uniformly random character of a line of code, so most
samples begin inside a token, as completion does. Prefix and middle are tokenised as one text:
where a token spans the cursor it is the canonical token of the joined text, which is what makes
the exact boundary treatment at inference right. The suffix is tokenised by itself.
"""

from __future__ import annotations

import random
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from tree_sitter import Node, Tree

from completion.model.prompt import (
    CONTEXT_LINES,
    LONG_WINDOW,
    WINDOW,
    format_context,
    header,
)
from completion.model.tokenizer import Tokenizer
from completion.model.types import LOGICAL_ENDS, START, STATE_IDS, advance, states_for
from training.corpus import SourceFile
from training.labels import END_OF_MIDDLE, OTHER, Leaves, leaves, parse

WEIGHT_PREFIX, WEIGHT_MIDDLE = 1, 3  # the middle is a small share of a row and the task itself
CONTEXT_SHARE = 0.5
LONG_SHARE = 0.15
KEEP_IN_TEXT = 0.15  # share of cuts inside comments and docstrings that is kept
MIDDLE_BYTES = 400
MATCHED_SHARE = 0.7  # of context samples, those that may see the middle's own names

_TEXT = frozenset(STATE_IDS[name] for name in ("comment", "docstring", "triple"))
_NAME = re.compile(rb"[A-Za-z_][A-Za-z0-9_]{2,}")
_DEFINITIONS = ("function_definition", "class_definition")


@dataclass(frozen=True, slots=True)
class Row:
    """One training row. ``labels`` and ``weights`` belong to the token itself, as a target."""

    values: list[int]
    states: list[int]
    labels: list[int]
    weights: list[int]


@dataclass(frozen=True, slots=True)
class Middle:
    """Byte offsets: the cursor, where the middle ends, and whether the rest may be seen."""

    cut: int
    end: int
    suffix: bool


@dataclass(frozen=True, slots=True)
class Source:
    """One file, analysed once for all its samples."""

    path: str
    text: bytes
    leaves: Leaves
    piece_begins: list[int]
    piece_states: list[int]
    logical_ends: list[int]  # offsets of the line breaks that end a logical line
    signatures: list[tuple[str, str]]  # (name, signature)

    def state_at(self, offset: int) -> int:
        """The syntactic state of the lexeme at ``offset``."""
        return self.piece_states[max(bisect_right(self.piece_begins, offset) - 1, 0)]

    def logical_end(self, offset: int) -> int:
        """Where the logical line that ``offset`` lies in ends, before its line break."""
        index = bisect_left(self.logical_ends, offset)
        return self.logical_ends[index] if index < len(self.logical_ends) else len(self.text)


@dataclass(frozen=True, slots=True)
class Signature:
    """A definition that other files of its package may be shown."""

    name: bytes
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Package:
    """The signatures of one package, also by name."""

    signatures: list[Signature]
    by_name: dict[bytes, list[Signature]]


def package_of(sources: Sequence[Source]) -> Package:
    """Collect the signatures of one package's files."""
    collected = [
        Signature(name.encode(), source.path, text)
        for source in sources
        for name, text in source.signatures
    ]
    by_name: dict[bytes, list[Signature]] = defaultdict(list)
    for one in collected:
        by_name[one.name].append(one)
    return Package(collected, dict(by_name))


def analyse(file: SourceFile) -> Source:
    """Parse and lex one file."""
    text = file.text.encode()
    tree = parse(text)
    _, pieces = advance(START, text)
    return Source(
        path=file.path,
        text=text,
        leaves=leaves(text, tree),
        piece_begins=[offset for offset, _ in pieces],
        piece_states=[state for _, state in pieces],
        logical_ends=[offset for offset, state in pieces if state in LOGICAL_ENDS],
        signatures=signatures(text, tree),
    )


def signatures(text: bytes, tree: Tree) -> list[tuple[str, str]]:
    """(name, header of the definition up to its colon) of every function and class."""
    found: list[tuple[str, str]] = []
    open_nodes: list[Node] = [tree.root_node]
    while open_nodes:
        node = open_nodes.pop()
        open_nodes += reversed(node.named_children)
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if node.type in _DEFINITIONS and name is not None and body is not None:
            line = text[node.start_byte : body.start_byte].split(b"#")[0].decode(errors="ignore")
            found.append((name.text.decode() if name.text else "", line.strip().rstrip(":")))
    return found


def choose_middle(source: Source, rng: random.Random) -> Middle | None:
    """A cursor and a middle, or None where this draw found no good one."""
    cut = _choose_cut(source, rng)
    if cut is None:
        return None
    draw = rng.random()
    statement = source.logical_end(cut)
    if draw < 0.6:
        middle = Middle(cut, statement, suffix=True)
    elif draw < 0.8:
        line_end = _line_end(source.text, cut)
        middle = Middle(cut, _boundary(source.text, rng.randint(cut, line_end)), suffix=True)
    elif draw < 0.9:
        index = bisect_left(source.logical_ends, cut) + rng.randint(1, 5)
        end = source.logical_ends[min(index, len(source.logical_ends) - 1)]
        middle = Middle(cut, end, suffix=True)
    else:
        middle = Middle(cut, statement, suffix=False)
    return middle if cut <= middle.end <= cut + MIDDLE_BYTES else None


def _choose_cut(source: Source, rng: random.Random) -> int | None:
    text = source.text
    cut = _boundary(text, rng.randrange(len(text)))
    begin = max(text.rfind(b"\n", 0, cut), text.rfind(b"\r", 0, cut)) + 1
    if not text[begin : _line_end(text, cut)].strip() or not source.logical_ends:
        return None
    if source.state_at(cut) in _TEXT and rng.random() > KEEP_IN_TEXT:
        return None
    return cut


def make_row(
    source: Source,
    middle: Middle,
    context: str,
    tokenizer: Tokenizer,
    label_ids: dict[str, int],
    rng: random.Random,
) -> Row:
    """Lay one sample out in ``<|suffix|> <|prefix|>`` order, cut to its window."""
    window = LONG_WINDOW if rng.random() < LONG_SHARE else WINDOW
    suffix = source.text[middle.end : middle.end + 3000].decode(errors="ignore")
    values, states = header(
        tokenizer,
        context,
        suffix if middle.suffix else "",
        suffix_tokens=rng.choice((32, 64, 128)),
    )
    room = window - len(values) - 1
    begin, tokens, spans = _joined_text(source, middle, room, tokenizer)
    text = source.text[begin : middle.end]
    labels = [
        label_ids.get(source.leaves.role_at(begin + _anchor(text, first, last)), label_ids[OTHER])
        for first, last in spans
    ]
    weights = [WEIGHT_PREFIX if begin + last <= middle.cut else WEIGHT_MIDDLE for _, last in spans]
    before = [0] * len(values)
    return Row(
        values=[*values, *tokens, tokenizer.end],
        states=[*states, *states_for(text, spans), 0],
        labels=[*before, *labels, label_ids[END_OF_MIDDLE]],
        weights=[*before, *weights, WEIGHT_MIDDLE],
    )


def _joined_text(
    source: Source, middle: Middle, room: int, tokenizer: Tokenizer
) -> tuple[int, list[int], list[tuple[int, int]]]:
    """Where the prefix begins so that prefix and middle fit, with their tokens and byte spans."""
    begin = _line_start_from(source, middle, middle.cut - 5 * room)
    while True:
        tokens = tokenizer.encode(source.text[begin : middle.end].decode())
        if len(tokens) <= room:
            break
        surplus = len(tokens) - room
        moved = _line_start_from(source, middle, begin + max(3 * surplus, 1))
        if moved <= begin:  # one logical line longer than the window: keep its end
            tokens = tokens[surplus:]
            break
        begin = moved
    ends = list(accumulate(len(tokenizer.token_bytes[token]) for token in tokens))
    first = middle.end - begin - (ends[-1] if ends else 0)
    starts = [first, *(first + end for end in ends[:-1])] if ends else []
    return begin, tokens, [(start, first + end) for start, end in zip(starts, ends, strict=True)]


def _line_start_from(source: Source, middle: Middle, offset: int) -> int:
    """The first start of a logical line at or behind ``offset``, at the latest the cursor's own."""
    if offset <= 0:
        return 0
    ends = source.logical_ends
    index = min(bisect_left(ends, offset - 1), bisect_left(ends, middle.cut) - 1)
    if index < 0:
        return 0
    end = ends[index]
    return end + (2 if source.text[end : end + 2] == b"\r\n" else 1)


def choose_context(source: Source, middle: Middle, package: Package, rng: random.Random) -> str:
    """Signatures from other files: those whose names stand near the cursor, then random ones."""
    if rng.random() > CONTEXT_SHARE or not package.signatures:
        return ""
    end = middle.end if rng.random() < MATCHED_SHARE else middle.cut
    near = sorted(set(_NAME.findall(source.text[max(middle.cut - 800, 0) : end])))
    matched = [one for name in near for one in package.by_name.get(name, ())]
    chosen = rng.sample(matched, min(len(matched), CONTEXT_LINES - 3))
    chosen += rng.choices(package.signatures, k=rng.randint(0, CONTEXT_LINES - len(chosen)))
    lines = {(one.path, one.text) for one in chosen if one.path != source.path}
    return format_context(sorted(lines))


def _anchor(text: bytes, begin: int, end: int) -> int:
    token = text[begin:end]
    blank = len(token) - len(token.lstrip(b" \t\f\v"))
    return begin + (blank if blank < len(token) else 0)


def _boundary(text: bytes, offset: int) -> int:
    """The nearest character boundary at or before ``offset``."""
    while 0 < offset < len(text) and text[offset] & 0xC0 == 0x80:
        offset -= 1
    return offset


def _line_end(text: bytes, offset: int) -> int:
    end = text.find(b"\n", offset)
    end = len(text) if end < 0 else end
    return end - 1 if end > offset and text[end - 1 : end] == b"\r" else end
