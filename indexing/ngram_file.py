"""The repository's lexemes on disk, sorted by what stands before them: written once, mapped by
readers.

One file, ``ngrams-1.bin``; a new one replaces it atomically, and whoever has the old one mapped
keeps it. Layout, little-endian, each section aligned to 64 bytes::

    magic     8 bytes   b"LANCENG\\n"
    length    uint32    of the header
    crc32     uint32    of the header
    header    JSON      {"size": of the sections in bytes, "crc32": of the sections,
                         "sections": {name: [offset from the first section, dtype, count]}}
    sections

``V`` words, ``L`` lexemes with the boundaries, ``P`` positions (lexemes without them), ``F`` files:

    words           uint8          the words, sorted, joined; word 0 is the boundary b""
    word_ends       int64  (V,)    where each word ends in ``words``
    hashes          uint32 (V,)    crc32 of the words, sorted; ``hashed`` (int32) has their numbers
    paths           uint8          b"folder\\0name" of the files, sorted and joined, so that
    path_ends       int64  (F,)    a folder's own files are neighbours
    file_starts     int64  (F + 1,) where each file's first boundary stands in ``corpus``
    corpus          int32  (L,)    word numbers; `REACH` boundaries before each file
    unigrams        int32  (V,)    how often each word occurs; 0 for the boundary
    order           uint32 (P,)    positions sorted by the words before them, the nearest first
    heads           int64  (V + 1,) ``order[heads[w]:heads[w + 1]]``: the positions after word w
    heavy           int64  (H,)    contexts that occur more than `HEAVY` times, as
                                   ``start in order * 8 + length``, sorted
    heavy_starts    int64  (H + 1,) and what follows them, counted:
    heavy_words     int32          ``heavy_words[heavy_starts[h]:heavy_starts[h + 1]]``, sorted,
    heavy_counts    int32          and how often

So the positions after a context of up to `REACH` words are one slice of ``order``, its extensions
are slices of that slice, and the number of occurrences of every n-gram is exact: nothing is hashed
or cut off. A change of the layout or of what `lexemes` yields changes `FILE_NAME`. A file that is
not whole raises `BrokenNgramsError`, and the remedy is to build it again.

Memory while building: 4 bytes per lexeme twice, the words, and about 40 bytes per position of the
largest block of `BLOCK` positions or of the most frequent word, whichever is larger.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import tempfile
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexing.counts import Counts
from indexing.lexemes import BOUNDARY, Ids, Interner, Offsets, raw_lexemes, syntax_of

FILE_NAME = "ngrams-1.bin"
REACH = 5
"""The longest context, in lexemes: the n-gram's order less one."""
HEAVY = 4096
BLOCK = 1 << 19

_MAGIC = b"LANCENG\n"
_ALIGNMENT = 64
_PREAMBLE = len(_MAGIC) + 8

Array = NDArray[Any]
Positions = NDArray[np.uint32]


class BrokenNgramsError(Exception):
    """The file is missing, not ours, of another version, cut short or damaged: build it again."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What `build` wrote; ``size`` in bytes on disk."""

    files: int
    lexemes: int
    words: int
    size: int


class Strings:
    """Sorted byte strings in two mapped arrays."""

    def __init__(self, data: NDArray[np.uint8], ends: Offsets) -> None:
        self._data = data.data
        self._ends = ends.data  # plain integers come out, and faster than from the array

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, index: int) -> bytes:
        if not 0 <= index < len(self):
            raise IndexError(index)
        start = self._ends[index - 1] if index else 0
        return bytes(self._data[start : self._ends[index]])


@dataclass(frozen=True, slots=True)
class Mapped:
    """The sections of an open file; see the module's docstring.

    ``numbers`` and ``near`` are what readers remember of it: `ngrams.numbers_of`, `together`.
    """

    words: Strings
    hashes: NDArray[np.uint32]
    hashed: Ids
    paths: Strings
    file_starts: Offsets
    corpus: Ids
    unigrams: Ids
    order: Positions
    heads: Offsets
    heavy: Offsets
    heavy_starts: Offsets
    heavy_words: Ids
    heavy_counts: Ids
    numbers: dict[bytes, int]
    near: dict[int, tuple[int, Counts]]


def path_key(path: str) -> bytes:
    """A path as it stands in ``paths``: its folder, a zero byte, its name."""
    folder, _, name = path.encode("utf-8", "surrogateescape").rpartition(b"/")
    return folder + b"\0" + name


def heavy_key(start: int, length: int) -> int:
    """How ``heavy`` names the context whose positions begin at ``order[start]``."""
    return start * 8 + length


# ---------------------------------------------------------------------------------------- building


def build(files: Iterable[tuple[str, bytes]], folder: Path) -> Stats:
    """Count the lexemes of ``(path, bytes)`` files and put the result into ``folder``.

    Paths are relative, with ``/``; each occurs once. One build at a time per folder. Raises
    `OSError` where the folder cannot be written; then what was there stays.
    """
    words: dict[bytes, int] = {BOUNDARY: 0}
    interner = Interner(lambda word: words.setdefault(word, len(words)))
    read = sorted(_read_all(files, interner), key=lambda pair: pair[0])
    ranks = _ranks(words)
    corpus = _joined([ids for _, ids in read], ranks)
    vocabulary = sorted(words)
    sections = {
        **_strings("word", vocabulary),
        **_hash_table(vocabulary),
        **_strings("path", [path for path, _ in read]),
        "file_starts": np.cumsum([0, *(REACH + len(ids) for _, ids in read)], dtype=np.int64),
        "corpus": corpus,
        **_sorted_positions(corpus, len(vocabulary)),
    }
    size = _write(sections, folder)
    return Stats(len(read), len(sections["order"]), len(vocabulary) - 1, size)


def _read_all(
    files: Iterable[tuple[str, bytes]], interner: Interner
) -> Iterator[tuple[bytes, array[int]]]:
    for path, data in files:
        raws = raw_lexemes(data, syntax_of(path))
        yield path_key(path), array("i", map(interner.__getitem__, raws))


def _ranks(words: dict[bytes, int]) -> Ids:
    """The number each word has in the sorted vocabulary, by the number it was given when met."""
    ranks = np.empty(len(words), np.int32)
    for rank, word in enumerate(sorted(words)):
        ranks[words[word]] = rank
    return ranks


def _joined(files: Sequence[array[int]], ranks: Ids) -> Ids:
    corpus = np.zeros(sum(map(len, files)) + REACH * len(files), np.int32)
    end = 0
    for ids in files:
        start, end = end + REACH, end + REACH + len(ids)
        corpus[start:end] = ranks[np.frombuffer(ids, np.int32)] if ids else ()
    return corpus


def _strings(name: str, strings: Sequence[bytes]) -> dict[str, Array]:
    return {
        f"{name}s": np.frombuffer(b"".join(strings), np.uint8),
        f"{name}_ends": np.cumsum([len(string) for string in strings], dtype=np.int64),
    }


def _hash_table(vocabulary: Sequence[bytes]) -> dict[str, Array]:
    hashes = np.fromiter(map(zlib.crc32, vocabulary), np.uint32, len(vocabulary))
    hashed = np.argsort(hashes, kind="stable").astype(np.int32)
    return {"hashes": hashes[hashed], "hashed": hashed}


def _sorted_positions(corpus: Ids, word_count: int) -> dict[str, Array]:
    """``order`` and what is counted along it, one block of last words after the other."""
    before = np.concatenate((corpus[:1], corpus[:-1]))
    before[corpus == 0] = -1  # a boundary is context, never a continuation
    counted = before[before >= 0]
    heads = np.concatenate(([0], np.cumsum(np.bincount(counted, minlength=word_count))))
    order = np.empty(len(counted), np.uint32)
    heavy: list[tuple[int, Array, Array]] = []
    for first, last in _blocks(heads):
        positions = np.flatnonzero((before >= first) & (before < last)).astype(np.uint32)
        start, end = int(heads[first]), int(heads[last])
        order[start:end], starts = _sort_block(corpus, positions)
        heavy += _heavy_contexts(corpus, order[start:end], start, starts)
    return {
        "unigrams": np.bincount(corpus[corpus > 0], minlength=word_count).astype(np.int32),
        "order": order,
        "heads": heads.astype(np.int64),
        **_heavy_table(heavy),
    }


def _blocks(heads: Offsets) -> Iterator[tuple[int, int]]:
    """Ranges of last words whose positions fill about a block; at least one word each."""
    first, word_count = 0, len(heads) - 1
    while first < word_count:
        last = int(np.searchsorted(heads, heads[first] + BLOCK, side="right")) - 1
        last = max(first + 1, min(last, word_count))
        yield first, last
        first = last


def _sort_block(corpus: Ids, positions: Positions) -> tuple[Positions, list[Array]]:
    """Sort positions by the words before them; for each length, where its contexts start."""
    rank = np.zeros(len(positions), np.int64)
    starts: list[Array] = []
    for back in range(1, REACH + 1):
        key = rank << 32 | corpus[positions - np.uint32(back)]
        by_key = np.argsort(key)
        positions, key = positions[by_key], key[by_key]
        changes = np.concatenate(([False], key[1:] != key[:-1]))
        rank = np.cumsum(changes, dtype=np.int64)
        starts.append(np.flatnonzero(np.concatenate(([True], changes[1:]))))
    return positions, starts


def _heavy_contexts(
    corpus: Ids, order: Positions, start: int, starts: Sequence[Array]
) -> Iterator[tuple[int, Array, Array]]:
    """Key, words and counts of each context in a block that occurs more than `HEAVY` times.

    The block's positions are ``order`` itself; ``start`` is where it stands in the whole order.
    """
    for length, firsts in enumerate(starts, 1):
        lasts = np.append(firsts[1:], len(order))
        for index in np.flatnonzero(lasts - firsts > HEAVY):
            first, last = int(firsts[index]), int(lasts[index])
            words, counts = np.unique(corpus[order[first:last]], return_counts=True)
            yield heavy_key(start + first, length), words, counts


def _heavy_table(heavy: Sequence[tuple[int, Array, Array]]) -> dict[str, Array]:
    heavy = sorted(heavy, key=lambda context: context[0])
    empty = np.empty(0, np.int32)
    return {
        "heavy": np.array([key for key, _, _ in heavy], np.int64),
        "heavy_starts": np.cumsum([0, *(len(words) for _, words, _ in heavy)], dtype=np.int64),
        "heavy_words": np.concatenate([empty, *(words for _, words, _ in heavy)]),
        "heavy_counts": np.concatenate(
            [empty, *(counts for _, _, counts in heavy)], dtype=np.int32
        ),
    }


# ------------------------------------------------------------------------------ writing and mapping


def _write(sections: dict[str, Array], folder: Path) -> int:
    """Put the file into place in one step; its size in bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    for left_over in folder.glob(f"{FILE_NAME}*.tmp"):  # of a build that was killed
        left_over.unlink(missing_ok=True)
    places: dict[str, tuple[int, str, int]] = {}
    offset, checksum = 0, 0
    for name, section in sections.items():
        places[name] = (offset, section.dtype.str, len(section))
        offset += section.nbytes + _padding(section.nbytes)
        checksum = zlib.crc32(_padded(section), checksum)
    header = _header(places, offset, checksum)
    handle, temporary = tempfile.mkstemp(prefix=FILE_NAME, suffix=".tmp", dir=folder)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(header)
            for section in sections.values():
                file.write(_padded(section))
        Path(temporary).replace(folder / FILE_NAME)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return len(header) + offset


def _padding(size: int) -> int:
    return -size % _ALIGNMENT


def _padded(section: Array) -> bytes:
    return section.tobytes() + bytes(_padding(section.nbytes))


def _header(places: dict[str, tuple[int, str, int]], size: int, checksum: int) -> bytes:
    """Magic, length, checksum and JSON, padded with blanks so that sections are aligned."""
    fields = {"size": size, "crc32": checksum, "sections": places}
    text = json.dumps(fields).encode()
    text += b" " * _padding(_PREAMBLE + len(text))
    return _MAGIC + struct.pack("<II", len(text), zlib.crc32(text)) + text


def open_mapped(folder: Path, *, check_all: bool = False) -> Mapped:
    """Map the file in ``folder``; reads the header only, unless ``check_all`` (60 MB: 30 ms).

    Raises `BrokenNgramsError`.
    """
    path = folder / FILE_NAME
    try:
        with path.open("rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError) as error:
        raise BrokenNgramsError(f"{path} cannot be mapped: {error}") from error
    try:
        return _sections(data, check_all)
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise BrokenNgramsError(f"{path} is damaged: {error}") from error


def _sections(data: mmap.mmap, check_all: bool) -> Mapped:
    if data[: len(_MAGIC)] != _MAGIC:
        raise ValueError("not an n-gram file")
    length, checksum = struct.unpack_from("<II", data, len(_MAGIC))
    text = data[_PREAMBLE : _PREAMBLE + length]
    if len(text) != length or zlib.crc32(text) != checksum:
        raise ValueError("the header does not match its checksum")
    header, start = json.loads(text), _PREAMBLE + length
    if len(data) != start + header["size"]:
        raise ValueError(f"{start + header['size']} bytes expected, {len(data)} found")
    if check_all and zlib.crc32(memoryview(data)[start:]) != header["crc32"]:
        raise ValueError("the content does not match its checksum")
    arrays = {
        name: np.frombuffer(data, dtype, count, start + offset)
        for name, (offset, dtype, count) in header["sections"].items()
    }
    words = Strings(arrays.pop("words"), arrays.pop("word_ends"))
    paths = Strings(arrays.pop("paths"), arrays.pop("path_ends"))
    return Mapped(words=words, paths=paths, numbers={}, near={}, **arrays)
