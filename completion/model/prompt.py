"""What stands before the prefix in the model's input; training and serving share this layout.

``<|context|> signatures <|suffix|> S <|prefix|> P M <|end|>``: suffix first (SPM), so that while
somebody types only the end of the sequence changes. The middle follows the prefix directly:
prefix and middle are one text, tokenised as one, and a token may span the cursor.
P should begin at the start of a logical line. Without context its sentinel is left out; without a
suffix its sentinel stays.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING

from completion.model.types import CONTEXT_STATE, PREFIX_STATE, SUFFIX_STATE

if TYPE_CHECKING:  # the server formats contexts and needs no tokenizer for it
    from completion.model.tokenizer import Tokenizer

CONTEXT_TOKENS = 160
CONTEXT_LINES = 12
SIGNATURE_LENGTH = 160  # characters
SUFFIX_TOKENS = 128
WINDOW = 512  # most training rows; some have LONG_WINDOW
LONG_WINDOW = 1024


def header(
    tokenizer: Tokenizer, context: str, suffix: str, *, suffix_tokens: int = SUFFIX_TOKENS
) -> tuple[list[int], list[int]]:
    """(token ids, state ids) up to and with ``<|prefix|>``; context and suffix cut to fit."""
    values: list[int] = []
    if context:
        values += [tokenizer.context, *tokenizer.encode(context)[:CONTEXT_TOKENS]]
    states = [CONTEXT_STATE] * len(values)
    # Few tokens are longer than 16 letters; the text behind that is not worth encoding.
    behind = tokenizer.encode(suffix[: 16 * suffix_tokens])[:suffix_tokens]
    values += [tokenizer.suffix, *behind, tokenizer.prefix]
    return values, [*states, *[SUFFIX_STATE] * (1 + len(behind)), PREFIX_STATE]


def format_context(signatures: Iterable[tuple[str, str]]) -> str:
    """(path, signature) pairs as lines, under a ``# path`` line wherever the path changes."""
    lines = []
    for path, group in groupby(signatures, key=lambda pair: pair[0]):
        lines.append(f"# {path}")
        lines += [" ".join(signature.split())[:SIGNATURE_LENGTH] for _, signature in group]
    return "".join(f"{line}\n" for line in lines)
