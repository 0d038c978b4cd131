"""Uses packed for the disk, and counted by receiver: there are ten times more than definitions."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence

from indexing.extract import use
from indexing.languages import UseRow
from indexing.symbols import Use, last_part

Counts = dict[str, Counter[str]]
"""Names used after receivers, by the receivers' last part; ``""`` holds bare calls."""


def pack_uses(placed: Iterable[tuple[int, Sequence[UseRow]]]) -> bytes:
    """Use rows, each group with the offset it starts at, in about a third of what JSON takes.

    Layout: length of the string table (uint32), the table as JSON, then five columns of uint32 one
    after the other: receiver number, name number, arguments + 1, start, end. Numbers are in the
    machine's own byte order: the file never leaves the machine.
    """
    numbers: dict[str, int] = {}
    receivers, names, arguments, starts, ends = (array("I") for _ in range(5))
    for base, rows in placed:
        if not rows:
            continue
        columns = zip(*rows, strict=True)
        receivers.extend([numbers.setdefault(text, len(numbers)) for text in next(columns)])
        names.extend([numbers.setdefault(text, len(numbers)) for text in next(columns)])
        arguments.extend([count + 1 for count in next(columns)])
        starts.extend([offset + base for offset in next(columns)])
        ends.extend([offset + base for offset in next(columns)])
    table = json.dumps(list(numbers), separators=(",", ":")).encode()
    head = array("I", [len(table)])
    body = (receivers, names, arguments, starts, ends)
    return b"".join((head.tobytes(), table, *(column.tobytes() for column in body)))


def _columns(blob: bytes) -> tuple[list[str], list[array[int]]]:
    width = array("I").itemsize
    length = array("I", blob[:width])[0]
    strings: list[str] = json.loads(blob[width : width + length])
    body = memoryview(blob)[width + length :]
    size = len(body) // 5
    return strings, [array("I", bytes(body[n * size : (n + 1) * size])) for n in range(5)]


def unpack_uses(blob: bytes) -> tuple[Use, ...]:
    """The inverse of :func:`pack_uses`, as values."""
    strings, (receivers, names, arguments, starts, ends) = _columns(blob)
    rows = zip(receivers, names, arguments, starts, ends, strict=True)
    return tuple(use((strings[r], strings[n], a - 1, s, e)) for r, n, a, s, e in rows)


def count_packed(blob: bytes, counts: Counts) -> None:
    """Add the uses of a packed file to ``counts``."""
    strings, (receivers, names, *_) = _columns(blob)
    parts: dict[int, str] = {}
    for (receiver, name), number in Counter(zip(receivers, names, strict=True)).items():
        part = parts.get(receiver)
        if part is None:
            part = parts[receiver] = last_part(strings[receiver])
        counts.setdefault(part, Counter())[strings[name]] += number


def count_uses(uses: Iterable[UseRow], counts: Counts) -> None:
    """Add uses given as rows to ``counts``."""
    for (receiver, name), number in Counter((row[0], row[1]) for row in uses).items():
        counts.setdefault(last_part(receiver), Counter())[name] += number
