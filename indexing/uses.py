"""Uses packed for the disk, and counted by receiver: there are ten times more than definitions."""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from indexing.extract import use
from indexing.languages import UseRow
from indexing.symbols import Use, last_part


@dataclass(frozen=True, slots=True)
class Counts:
    """How often names are used: ``names`` in all, ``after`` by the last part of the receiver.

    Bare calls are counted after the receiver ``""``. Counters may be shared: never change one.
    """

    names: Mapping[str, int]
    after: Mapping[str, Mapping[str, int]]


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


Pairs = Mapping[tuple[str, str], int]
"""How often each name is used after receivers with each last part."""


def packed_pairs(blob: bytes) -> Pairs:
    """Count the uses of a packed file by last part and name."""
    strings, (receivers, names, *_) = _columns(blob)
    found: dict[tuple[str, str], int] = {}
    for (receiver, name), number in Counter(zip(receivers, names, strict=True)).items():
        pair = (last_part(strings[receiver]), strings[name])
        found[pair] = found.get(pair, 0) + number
    return found


def count_packed(blob: bytes) -> Counts:
    """Count the uses of a packed file."""
    return _counted(packed_pairs(blob).items())


def count_rows(groups: Iterable[Sequence[UseRow]]) -> Counts:
    """Count uses given as rows."""
    pairs = Counter((row[0], row[1]) for rows in groups for row in rows)
    return _counted(((last_part(text), name), number) for (text, name), number in pairs.items())


def _counted(pairs: Iterable[tuple[tuple[str, str], int]]) -> Counts:
    names: Counter[str] = Counter()
    after: dict[str, Counter[str]] = {}
    for (part, name), number in pairs:
        names[name] += number
        after.setdefault(part, Counter())[name] += number
    return Counts(names, after)


def changed(before: Counts, removed: Counts, added: Counts) -> Counts:
    """``before`` without what was removed and with what was added; costs what these hold."""
    after = dict(before.after)
    for part in removed.after.keys() | added.after.keys():
        after[part] = _sum(before.after.get(part), removed.after.get(part), added.after.get(part))
    return Counts(_sum(before.names, removed.names, added.names), after)


def _sum(
    before: Mapping[str, int] | None,
    removed: Mapping[str, int] | None,
    added: Mapping[str, int] | None,
) -> Counter[str]:
    total = Counter(before)
    total.subtract(removed or {})
    total.update(added or {})
    return +total
