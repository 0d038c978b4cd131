"""Literals that nobody can guess: prose and long numbers that a repository holds exactly once.

What a message says and which number somebody chose follow from nothing around them; who writes
them down to the last letter has read them. Left out are docstrings (documentation repeats them),
tests, documentation and examples (wheels, from which models are trained, rarely hold them), and
strings that are interpolated, escaped, joined or longer than a line.
"""

from __future__ import annotations

import ast
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from evaluation.syntax import parsed

LEAST_CHARACTERS, LEAST_WORDS, LEAST_DIGITS = 16, 4, 4
LEAST_BEHIND = 3
"""Words behind the cut; one or two may well be guessed."""
MOST_CHARACTERS = 100
"""What the longest ghost text can hold the rest of."""
PROSE = 0.85
"""Share of a string's characters that are letters or spaces."""
PER_FILE = 8

NAME = re.compile(r"\b[^\W\d]\w*")
"""A word that the model can score: one that could be an identifier."""
_STRING = re.compile(r"[rRuU]?(?P<quote>[\"'])(?P<text>[^\"'\\\r\n]+)(?P=quote)")
_NUMBER = re.compile(r"[1-9][\d_]*(\.\d[\d_]*)?")
_BESIDE_THE_CODE = re.compile(
    r"tests?|testing|docs?|examples?|benchmarks?|test_.*|.*_test\.py|conftest\.py"
)


@dataclass(frozen=True, slots=True)
class Literal:
    """One literal: ``rest`` is what stands between the cut at byte ``offset`` and its end.

    ``quote`` is the mark that ends it, empty for a number.
    """

    path: str
    offset: int
    text: str
    rest: str
    quote: str

    @property
    def prose(self) -> bool:
        """Whether it is a string."""
        return bool(self.quote)

    @property
    def once(self) -> str:
        """What must stand in the repository only once: of prose even the rest alone."""
        return self.rest if self.prose else self.text


def draw(files: Mapping[str, bytes], count: int, seed: int) -> list[Literal]:
    """Up to ``count`` literals whose text occurs once in all ``files``, at most PER_FILE of each.

    They are drawn by ``seed`` from all files outside of tests, documentation and examples.
    """
    everything = b"\n".join(files.values())
    paths = sorted(path for path in files if not _beside_the_code(path))
    candidates = [one for path in paths for one in literals(path, files[path])]
    random.Random(seed).shuffle(candidates)
    found: list[Literal] = []
    taken: Counter[str] = Counter()
    for one in candidates:
        if len(found) == count:
            break
        if taken[one.path] < PER_FILE and everything.count(one.once.encode()) == 1:
            taken[one.path] += 1
            found.append(one)
    return found


def literals(path: str, data: bytes) -> Iterator[Literal]:
    """The literals of a file that are long enough, in no particular order."""
    source = parsed(data)
    if source is None:
        return
    for node in _constants(source.tree):
        begin, end = source.span(node)
        literal = _literal(path, begin, data[begin:end].decode("utf-8", "replace"))
        if literal is not None:
            yield literal


def _beside_the_code(path: str) -> bool:
    return any(_BESIDE_THE_CODE.fullmatch(part) for part in PurePosixPath(path).parts)


def _constants(tree: ast.AST) -> Iterator[ast.Constant]:
    """All constants but docstrings and the pieces of f-strings."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.JoinedStr):
            continue
        if isinstance(node, ast.Constant):
            if not isinstance(tree, ast.Expr):
                yield node
        else:
            yield from _constants(node)


def _literal(path: str, begin: int, source: str) -> Literal | None:
    """The literal that ``source`` at byte ``begin`` is, or None where it is easily guessed."""
    if string := _STRING.fullmatch(source):
        text = string["text"]
        cut = _prose_cut(text)
        at, quote = string.start("text"), string["quote"]
    elif _NUMBER.fullmatch(source):
        text = source
        cut = _number_cut(text)
        at, quote = 0, ""
    else:
        return None
    if cut is None:
        return None
    offset = begin + len((source[:at] + text[:cut]).encode())
    return Literal(path, offset, text, text[cut:], quote)


def _prose_cut(text: str) -> int | None:
    """The start of the first word behind the first third; None where ``text`` is no prose."""
    words = [match.start() for match in NAME.finditer(text)]
    spoken = sum(letter.isalpha() or letter == " " for letter in text)
    long_enough = len(text) >= LEAST_CHARACTERS or len(words) >= LEAST_WORDS
    if not long_enough or len(text) > MOST_CHARACTERS or spoken < PROSE * len(text):
        return None
    behind = [at for at in words if at >= len(text) / 3 and text[at - 1] == " "]
    return behind[0] if len(behind) >= LEAST_BEHIND else None


def _number_cut(text: str) -> int | None:
    """The end of the first third; None where too few digits, or only zeros, follow."""
    cut = len(text) // 3
    enough = sum(letter.isdigit() for letter in text) >= LEAST_DIGITS
    return cut if enough and set(text[cut:]) - set("0_.") else None
