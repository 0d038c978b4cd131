"""Literals that look like secrets: tokens by the shapes that services give them, keys by entropy.

They are neither suggested nor shown to the model as context of other files. Entropy is that of a
text's own characters, in bits per character: random hexadecimal digits come near 4, random base64
near 5 for the lengths that keys have, words and paths stay below 4.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

MASK = "..."

HEX_BITS, HEX_LENGTH = 3.0, 32
BASE64_BITS, BASE64_LENGTH = 4.2, 24
"""From these bits per character and characters on, a literal counts as random."""

_TOKEN = re.compile(
    "|".join(
        (
            r"(?<![A-Za-z0-9])A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])",  # AWS
            r"gh[oprsu]_[A-Za-z0-9]{36,}",
            r"github_pat_[A-Za-z0-9_]{22,}",
            r"glpat-[\w-]{20,}",  # GitLab
            r"xox[abeoprs]-[A-Za-z0-9-]{10,}",  # Slack
            r"AIza[\w-]{35}",  # Google
            r"[rs]k_live_[A-Za-z0-9]{16,}",  # Stripe
            r"sk-(?:[a-z]+-)*[A-Za-z0-9_]{20,}",  # OpenAI, Anthropic
            r"npm_[A-Za-z0-9]{36}",
            r"hf_[A-Za-z0-9]{30,}",  # Hugging Face
            r"pypi-AgE[\w-]{50,}",
            r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{8,}",  # JSON web token
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----",
        )
    )
)
_LITERAL = re.compile(r"""(['"`])((?:\\.|(?!\1)[^\\\r\n])*)""")
_RUN = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")


def masked(code: str) -> str:
    """``code`` with `MASK` in the place of what looks like a secret."""
    while found := sorted(spans(code), reverse=True):  # what is left beside a mask may be one too
        for begin, end in found:
            code = code[:begin] + MASK + code[end:]
    return code


def holds_secret(code: str, offset: int = 0) -> bool:
    """Whether something that looks like a secret ends behind ``offset`` (in characters)."""
    return any(end > offset for _, end in spans(code))


def spans(code: str) -> Iterator[tuple[int, int]]:
    """Where something looks like a secret: ``[begin, end)`` in characters, none within another."""
    tokens = [match.span() for match in _TOKEN.finditer(code)]
    yield from tokens
    for literal in _LITERAL.finditer(code):
        for run in _RUN.finditer(code, *literal.span(2)):
            overlaps = any(begin < run.end() and run.start() < end for begin, end in tokens)
            if not overlaps and is_random(run.group()):
                yield run.span()


def is_random(text: str) -> bool:
    """Whether a run of letters, digits and ``+/_-`` was drawn, not written or counted up."""
    text = text.rstrip("=")
    if _HEX.fullmatch(text):
        mixed = not text.isdigit() and not text.isalpha()
        return mixed and len(text) >= HEX_LENGTH and _bits(text) >= HEX_BITS and not _counts(text)
    kinds = (str.isupper, str.islower, str.isdigit)
    if len(text) < BASE64_LENGTH or not all(any(map(kind, text)) for kind in kinds):
        return False
    return _bits(text) >= BASE64_BITS and not _counts(text) and not _words(text)


def _bits(text: str) -> float:
    shares = [count / len(text) for count in Counter(text).values()]
    return -sum(share * math.log2(share) for share in shares)


def _counts(text: str) -> bool:
    """Whether most characters follow the one before them: an alphabet, a row of digits."""
    steps = [ord(right) - ord(left) for left, right in pairwise(text)]
    return 2 * sum(step == 1 for step in steps) > len(steps)


def _words(text: str) -> bool:
    """Whether most of it is words, as names and paths have them."""
    words = re.findall(r"[A-Z]?[a-z]{3,}|[A-Z]{5,}", text)
    return 2 * sum(map(len, words)) > len(text)
