"""Fill-in-the-middle prompts as token ids, frozen so that typing only appends.

The layout is ``completion/model/prompt.py``'s: context, suffix, prefix (SPM). Everything before
the prefix would have to be computed again if one of its tokens changed, so an ``Anchor`` keeps
the header and the start of the prefix's window for as long as the cursor stays on its line. The
suffix is not frozen but compared: typing in front of it leaves it as it is, and where it does
change (a bracket that the editor closed, an edit below) the model has to see that.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import lru_cache

from completion.model.prompt import header
from completion.model.tokenizer import Tokenizer
from completion.model.types import LINE_END, START, State, advance, advance_tokens, logical_lines
from completion.request import Prompt
from completion.tree import CanonicalModel, Place

PROMPT_TOKENS = 480
"""Header, suffix and prefix together: with what is written, the window the model was trained on.

Every request on a new line pays for all of them, and longer prompts were no better.
"""

FRESH_SHARE = 0.75
"""How much of the prefix's room a new window fills, so that it can stay while lines are added."""

MOST_LETTERS = 8
"""Text beyond this many characters per token of room is not even looked at."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """What stays frozen while the cursor stays on its line.

    ``above`` is all that the caller knew of the lines above the cursor's, of which the model sees
    the last ``kept`` characters; ``inside`` counts the characters of the cursor's own line that
    are left out because the line alone is too long. ``syntax`` is where the window begins.
    """

    header: str
    suffix: str
    above: str
    kept: int
    inside: int = 0
    syntax: State = START


@dataclass(frozen=True, slots=True)
class Layout:
    """A prompt in tokens. ``values`` and ``states`` end at the last decided pre-token, the trunk.

    ``place`` is where the trunk leads; ``tail`` the bytes of the pre-token that is still open.
    ``before`` is the text of the window, which trunk and tail spell.
    """

    values: tuple[int, ...]
    states: tuple[int, ...]
    place: Place
    tail: bytes
    before: str
    suffix: str


def lay_out(model: CanonicalModel, prompt: Prompt, last: Anchor | None) -> tuple[Layout, Anchor]:
    """The prompt's tokens, and the anchor to hand in with the session's next prompt.

    ``last`` is the anchor of the session's request before this one. Raises ValueError on lone
    surrogates.
    """
    above, line = _split_line(prompt.prefix)
    if last is not None and _holds(last, prompt.suffix, above, line):
        layout = _tokens(model, last, above, line)
        if _length(layout) <= PROMPT_TOKENS:
            return layout, last
    anchor = _anchored(model, prompt, last)
    return _tokens(model, anchor, above, line), anchor


def _split_line(prefix: str) -> tuple[str, str]:
    """The lines above the cursor's, and the cursor's line up to it."""
    begin = max(prefix.rfind("\n"), prefix.rfind("\r")) + 1
    return prefix[:begin], prefix[begin:]


def _holds(anchor: Anchor, suffix: str, above: str, line: str) -> bool:
    """Whether the cursor is still on the anchor's line with the same text behind it."""
    return (
        anchor.suffix == suffix
        and _same_lines(anchor.above, above)
        and anchor.kept <= len(above)
        and anchor.inside <= len(line)
    )


def _same_lines(one: str, other: str) -> bool:
    """Equal but for a beginning that the caller's window has moved past meanwhile."""
    short, long = sorted((one, other), key=len)
    return long.endswith(short) and 2 * len(short) >= len(long)


def _length(layout: Layout) -> int:
    """At least the number of the prompt's tokens: a token has at least one byte."""
    return len(layout.values) + len(layout.tail)


def _tokens(model: CanonicalModel, anchor: Anchor, above: str, line: str) -> Layout:
    """The window that the anchor keeps, in tokens."""
    tokenizer = model.tokenizer
    values, states = header(tokenizer, anchor.header, anchor.suffix)
    text = above[len(above) - anchor.kept :] + line[anchor.inside :]
    settled = _settled(text, anchor.kept)
    first, first_states, syntax = _encoded(tokenizer, text[:settled], anchor.syntax)
    rest = text[settled:]
    spans = tokenizer.pretokens(rest)
    open_at = spans[-1][0] if spans else 0
    data = rest.encode()
    ids = tokenizer.encode(data[:open_at].decode())
    syntax, rest_states = advance_tokens(syntax, (tokenizer.token_bytes[one] for one in ids))
    ids = [*first, *ids]
    pretoken = model.rules.follow_all(ids)
    return Layout(
        values=(*values, *ids),
        states=(*states, *first_states, *rest_states),
        place=Place(ids[-1] if ids else tokenizer.prefix, pretoken, syntax),
        tail=data[open_at:],
        before=text,
        suffix=anchor.suffix,
    )


def _settled(text: str, line_begin: int) -> int:
    """Where the line break in front of the cursor's line begins: a pre-token always begins there.

    What stands before it is encoded once for all that is typed on the line.
    """
    end = len(text[:line_begin].rstrip())
    breaks = [at for at in (text.find("\n", end), text.find("\r", end)) if 0 <= at < line_begin]
    return min(breaks) if breaks and end else 0


@lru_cache(maxsize=8)
def _encoded(tokenizer: Tokenizer, text: str, syntax: State) -> tuple[list[int], list[int], State]:
    """(token ids, state ids, the state behind them) of a text that begins at ``syntax``."""
    ids = tokenizer.encode(text)
    syntax, states = advance_tokens(syntax, (tokenizer.token_bytes[one] for one in ids))
    return ids, states, syntax


def _anchored(model: CanonicalModel, prompt: Prompt, last: Anchor | None) -> Anchor:
    """A new anchor; its window begins where the last one's did if that still fits."""
    tokenizer = model.tokenizer
    above, line = _split_line(prompt.prefix)
    values, _ = header(tokenizer, prompt.header, prompt.suffix)
    room = PROMPT_TOKENS - len(values)
    inside = len(line) - len(_ending(tokenizer, line, room))
    kept = 0 if inside else _window(tokenizer, above, line, int(FRESH_SHARE * room))
    syntax = _syntax_at(above + line[:inside], len(above) - kept + inside)
    # Where nothing was kept, the window did not begin with a line.
    if last is not None and (last.kept or not last.above) and above.startswith(last.above):
        longer = last.kept + len(above) - len(last.above)
        if not inside and len(tokenizer.encode(above[len(above) - longer :] + line)) <= room:
            kept, syntax = longer, last.syntax
    return Anchor(prompt.header, prompt.suffix, above, kept, inside, syntax)


def _ending(tokenizer: Tokenizer, line: str, room: int) -> str:
    """The line, or where it does not fit the end of it that fills ``FRESH_SHARE`` of the room."""
    ids = tokenizer.encode(line[-MOST_LETTERS * room :])
    if len(ids) <= room:
        return line[-MOST_LETTERS * room :]
    return tokenizer.decode_bytes(ids[-int(FRESH_SHARE * room) :]).decode(errors="ignore")


def _window(tokenizer: Tokenizer, above: str, line: str, room: int) -> int:
    """How many of the last characters of ``above`` to keep: as many lines as the room holds.

    They begin with a logical line where one begins that late. ``above`` is read from its beginning,
    which is code: further on, a docstring would be taken for code and what follows it for a
    docstring.
    """
    near = above[-MOST_LETTERS * room :]
    lengths = [len(tokenizer.token_bytes[one]) for one in tokenizer.encode(near + line)]
    known = above.encode()
    earliest = len(known) + len(line.encode()) - sum(lengths[max(len(lengths) - room, 0) :])
    begins = logical_lines(known)
    fitting = begins[bisect_left(begins, earliest) :] or _lines(known, earliest)
    return len(known[fitting[0] :].decode()) if fitting else 0


def _lines(text: bytes, earliest: int) -> list[int]:
    """Where lines begin, from ``earliest`` on."""
    return [found.end() for found in LINE_END.finditer(text, earliest) if found.end() < len(text)]


def _syntax_at(text: str, offset: int) -> State:
    """The syntactic state at a character offset: logical lines begin as they do in training."""
    before = text[:offset].encode()
    begins = logical_lines(text.encode())
    return advance(START, before[begins[bisect_right(begins, len(before)) - 1] :])[0]
