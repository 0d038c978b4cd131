"""Plain text, docstrings for the most part, as Markdown that looks the same.

Lines and indentation stay as they are, and characters that would mean something are escaped. Only
code between backquotes is left to be shown as code.
"""

from __future__ import annotations

import re

_SPECIAL = re.compile(
    r"(?P<code>(?<!`)(?P<ticks>`+)[^`\n]+(?P=ticks)(?!`))"
    r"|[\\`*\[\]<&~|]|(?<!\w)_|_(?!\w)|^[#>+=-]|(?<=\d)[.)](?=\s|\Z)",
    re.MULTILINE,
)
_INDENT = re.compile(r"^ +", re.MULTILINE)
_NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


def from_plain(text: str) -> str:
    """Markdown for ``text``."""
    escaped = _SPECIAL.sub(_escaped, text.expandtabs())
    indented = _INDENT.sub(lambda match: _NO_BREAK_SPACE * len(match[0]), escaped)
    return re.sub(r"(?<!\n)\n(?!\n)", "  \n", indented)


def _escaped(match: re.Match[str]) -> str:
    return match[0] if match["code"] else f"\\{match[0]}"
