"""Where ghost text begins a new line: behind the header of a block that has no body yet.

Elsewhere it ends with the logical line, so that it goes over several lines only inside brackets,
and not even there where code stands behind the cursor (`filters.one_line_before_code`). What the
text is like, or how long, is never asked: the syntax at the cursor decides.
"""

from __future__ import annotations

import re

from completion.indentation import indent_of, style_of
from completion.model.types import LOGICAL_ENDS, START, advance

USUAL_UNIT = "    "
"""One level in a file in which nothing is indented yet."""

_LINE_END = re.compile(r"\r\n|\r|\n")
_HEADERS = frozenset(b"class def if elif else for while try except finally with match case".split())
_SOFT = re.compile(r"[ \t\f]*(?:match|case)\b")
_SUBJECT = re.compile(r"(?:[ \t\f]|\\(?:\r\n|\r|\n))*(?:[\w\"'(\[{*~+-]|\.\.\.|\.\d)")
"""What may begin behind the keywords that are names as well, such as of an annotated attribute."""


def body_lead(prefix: str, suffix: str) -> str:
    """The line end and indentation that begin the body at the cursor, ``""`` where none is missing.

    The cursor stands between ``prefix``, which begins at the start of a logical line, and
    ``suffix``. A body is missing behind the colon that ends a header, at the end of its line, where
    the next line of code is not indented more than the header.
    """
    if not prefix.endswith(":") or suffix[:1] not in ("", "\r", "\n"):
        return ""
    data = prefix.encode()
    state, pieces = advance(START, data)
    if state.statement not in _HEADERS or state.brackets or state.literal:
        return ""
    begin = max((at for at, piece in pieces if piece in LOGICAL_ENDS), default=0)
    line = data[begin:].decode().lstrip("\r\n")
    soft = _SOFT.match(line)
    if soft and not _SUBJECT.match(line, soft.end()):
        return ""
    indent = indent_of(line)
    following = next((line for line in _LINE_END.split(suffix) if line.strip()), "")
    if len(indent_of(following)) > len(indent):
        return ""
    style = style_of(prefix + suffix)
    return (style.line_end or "\n") + indent + (style.unit or USUAL_UNIT)
