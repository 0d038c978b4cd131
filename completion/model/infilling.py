"""A hole in code made to fit a model's window, the cursor kept.

The suffix and other files have at most a share of the window each, the prefix has what they leave.
What is left out of the prefix are lines at its beginning; a window that is full begins anew further
down, and stays while the cursor moves through the room that this makes, so that what a cache holds
of it stays valid.
"""

from __future__ import annotations

from dataclasses import replace

from completion.model.families import Encoder, File, Hole

PROMPT_TOKENS = 2048
"""The most that a prompt has, whatever the model's window: every new line pays for some of it."""

ANSWER_TOKENS = 192
"""Kept free of the window: what is written, the tokens of the boundary's tree, sentinels."""

SUFFIX_SHARE, FILES_SHARE = 0.25, 0.25
FRESH_SHARE = 0.75
"""How much of its room a prefix fills whose window begins anew."""

LETTERS = 8
"""Text beyond this many characters per token of room is not even looked at."""


def room_in(window: int) -> int:
    """How many tokens of a window a prompt may have: half of it, if it is a small one."""
    return min(PROMPT_TOKENS, max(window - ANSWER_TOKENS, window // 2))


def fitted(encoder: Encoder, hole: Hole, room: int, last: str = "") -> Hole:
    """The hole with texts that have ``room`` tokens together at most.

    ``last`` is the prefix that this gave for the same file before. Where the caller's text has
    moved on since, its window begins where it began then, as long as that fits.
    """
    suffix = beginning(encoder, hole.suffix, int(SUFFIX_SHARE * room))
    files, used = _files(encoder, hole.files, int(FILES_SHARE * room))
    left = room - used - len(encoder.encode(suffix))
    prefix = _joined(last, hole.prefix)
    if len(prefix) > LETTERS * left or len(encoder.encode(prefix)) > left:
        prefix = ending(encoder, hole.prefix, max(int(FRESH_SHARE * left), 1))
    return replace(hole, prefix=prefix, suffix=suffix, files=files)


def beginning(encoder: Encoder, text: str, most: int) -> str:
    """As much of the beginning of ``text`` as ``most`` tokens hold, in whole lines if possible."""
    if len(text) <= LETTERS * most and len(encoder.encode(text)) <= most:
        return text
    kept = _decoded(encoder, encoder.encode(text[: LETTERS * most])[:most])
    end = kept.rfind("\n") + 1
    return kept[:end] if end else kept


def ending(encoder: Encoder, text: str, most: int) -> str:
    """As much of the end of ``text`` as ``most`` tokens hold, in whole lines if possible."""
    near = text[-LETTERS * most :]
    ids = encoder.encode(near)
    if len(ids) <= most and near == text:
        return text
    kept = _decoded(encoder, ids[-most:])
    begin = kept.find("\n") + 1
    return kept[begin:] if begin and (begin < len(kept) or kept == text) else kept


def _decoded(encoder: Encoder, ids: list[int]) -> str:
    """The text of ids; what is cut of a character at either end is left out."""
    return b"".join(encoder.token_bytes[one] for one in ids).decode(errors="ignore")


def _files(encoder: Encoder, files: tuple[File, ...], room: int) -> tuple[tuple[File, ...], int]:
    """The first files that ``room`` tokens hold, the last of them cut; how many they need."""
    kept, used = [], 0
    for file in files:
        named = len(encoder.encode(file.path)) + 2  # a sentinel and a line break, or so
        code = beginning(encoder, file.code, max(room - used - named, 0))
        if not code:
            break
        kept.append(File(file.path, code))
        used += named + len(encoder.encode(code))
        if code != file.code:
            break
    return tuple(kept), used


def _joined(last: str, prefix: str) -> str:
    """The prefix, with what stood before it in ``last`` if it goes on from there.

    That is so where the lines of ``last`` above its cursor's, from the prefix's beginning on, are
    the beginning of the prefix.
    """
    above = last[: last.rfind("\n") + 1]
    first = prefix[: prefix.find("\n") + 1]
    begin = above.find(first) if first else -1
    while begin > 0:
        if prefix.startswith(above[begin:]):
            return above[:begin] + prefix
        begin = above.find(first, begin + 1)
    return prefix


def files_of(header: str) -> tuple[File, ...]:
    """The files of a ``prompt.format_context``: a ``# path`` line, and what it says of them."""
    files: list[File] = []
    for line in header.splitlines(keepends=True):
        if line.startswith("# "):
            files.append(File(line[2:].rstrip("\n"), ""))
        elif files:
            files[-1] = File(files[-1].path, files[-1].code + line)
    return tuple(file for file in files if file.code)
