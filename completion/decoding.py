"""From a prompt in tokens to the text that ghost text shows, or to scores of names.

Greedy over texts, not over tokens: the likeliest leaves of the boundary go on side by side until
each has finished its pre-token, and the likeliest finished one wins; from there on the likeliest
token wins. Every distribution is over canonical continuations only, held to what may be written
(``rules.py``), and mixed with the repository's n-gram where there is one (``mixture.py``). The
deadline and a cancellation are seen between any two passes of the network; the cache stays valid
whatever happens.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from completion.boundary import Boundary, boundary, in_identifier, name_log_probs
from completion.fim import Layout
from completion.mixture import PRIOR, Mixed, Partner, at_cursor, behind
from completion.model.types import State, advance
from completion.request import NOTHING_FITS, RawGhost
from completion.rules import FREE, Rules
from completion.tree import Cache, CanonicalModel, Place, TokenTree

CHUNK = 128
"""Tokens per pass while a prompt is read: the longest stretch in which nothing interrupts."""

BRANCHES = 4
"""Leaves that go on side by side."""

ROUNDS = 4
"""How often the next so many are looked at where the rules leave nothing behind the last ones."""

BRANCH_STEPS = 3
"""The most tokens of a branch, its leaf included, until its pre-token counts as finished."""

UNSURE = 0.3
"""Where the likeliest token has less than this, the text ends at the last place where it may."""

Interrupted = Callable[[], bool]
"""Whether the deadline has passed; may raise to give the whole request up."""


@dataclass(slots=True)
class Session:
    """What is kept between the requests of one editor window.

    The first ``len(values)`` tokens of the cache are those of ``values`` and ``states``; what it
    holds beyond them is void.
    """

    cache: Cache
    values: list[int] = field(default_factory=list)
    states: list[int] = field(default_factory=list)
    anchor: Any = None  # what laying out the last prompt left for the next one

    def common(self, layout: Layout) -> int:
        """How many tokens of the layout's trunk, but its last, are cached."""
        count = min(len(self.values), len(layout.values) - 1)
        pairs = zip(self.values, self.states, layout.values, layout.states, strict=False)
        for index, (value, state, wanted, wanted_state) in enumerate(pairs):
            if index == count or (value, state) != (wanted, wanted_state):
                return index
        return count

    def extend(self, values: Sequence[int], states: Sequence[int]) -> None:
        """Record tokens that the cache holds now."""
        self.values.extend(values)
        self.states.extend(states)


@dataclass(slots=True)
class _Draft:
    """A continuation in the making: ``node`` is its last scored token or what it stands behind."""

    node: int
    data: bytes = b""
    log_prob: float = 0.0
    count: int = 0
    row: Mixed | None = None
    odds: float = PRIOR  # for the n-gram, of the lexeme that the last token left open
    stop: str = ""
    log_probs: list[float] = field(default_factory=list)  # of each token, ``count`` of them
    rank: float = -math.inf  # log P(data, and that its last pre-token ends there), or a bound

    @property
    def finished(self) -> bool:
        """Whether ``rank`` is exact."""
        return self.row is not None or bool(self.stop)


_Step = tuple[_Draft, int]
"""A draft and its newest token, which is not scored yet."""


@dataclass(frozen=True, slots=True)
class _Writing:
    """What is the same for every token of one request."""

    model: CanonicalModel
    interrupted: Interrupted
    partner: Partner | None
    rules: Rules

    def behind(self, own: Tensor, draft: _Draft, syntax: State) -> Mixed | None:
        """The row behind a draft that stands at ``syntax``; None where nothing may follow."""
        held = self.rules.row(own, self.model.tokenizer, draft.data, syntax)
        if held is None:
            return None
        return behind(held, draft.data, syntax, draft.odds, self.partner)


def write(
    model: CanonicalModel,
    session: Session,
    layout: Layout,
    max_tokens: int,
    interrupted: Interrupted,
    partner: Partner | None = None,
    rules: Rules = FREE,
) -> RawGhost:
    """What the model would write at the cursor: up to the end of the logical line.

    ``partner`` is the repository's n-gram, to be mixed in; ``rules`` say what may be written. A
    text behind which nothing may be written ends there, and may be empty. Raises TimeoutError where
    the deadline passes before anything is written, and whatever ``interrupted`` raises.
    """
    watch = _Watch()
    with torch.inference_mode():
        tree, root, reused = read(model, session, layout, interrupted)
        watch.lap("prefill")
        found = boundary(tree, root, layout.tail)
        watch.lap("boundary")
        writing = _Writing(model, interrupted, partner, rules)
        draft = _best_branch(tree, found, writing)
        watch.lap("branches")
        place = _keep(tree, draft, session)
        _finish(session, draft, place, max_tokens, writing)
        if draft.stop == NOTHING_FITS and rules.constraint is not None:
            draft.data = rules.constraint.whole(draft.data)
        watch.lap("decode")
    return RawGhost(
        text=draft.data.decode(errors="ignore"),
        confidence=math.exp(draft.log_prob / draft.count) if draft.count else 0.0,
        tokens=draft.count,
        stop=draft.stop,
        reused=reused,
        timeline=watch.laps,
        log_probs=tuple(round(each, 4) for each in draft.log_probs),
    )


def score_names(
    model: CanonicalModel,
    session: Session,
    layout: Layout,
    names: Sequence[str],
    interrupted: Interrupted,
) -> list[float]:
    """log P(name and then no identifier byte | prompt), natural, in the order of ``names``.

    Raises TimeoutError where the deadline passes before the one pass that scores them, and whatever
    ``interrupted`` raises.
    """
    with torch.inference_mode():
        tree, root, _ = read(model, session, layout, interrupted)
        if interrupted():
            raise TimeoutError("the deadline passed before the names were scored")
        may_end = not layout.suffix[:1].isidentifier() and not layout.suffix[:1].isdecimal()
        scores = name_log_probs(tree, root, layout.tail, names, may_end=may_end)
        keep_path(tree, root, session)
    return scores


def read(
    model: CanonicalModel, session: Session, layout: Layout, interrupted: Interrupted
) -> tuple[TokenTree, int, int]:
    """Bring the cache up to the trunk's last tokens, which become the tree's first nodes.

    Returns the tree, the node of the trunk's last token, and how many tokens were cached already.
    Raises TimeoutError where the deadline passes first.
    """
    reused = position = session.common(layout)
    session.cache.truncate(reused)
    del session.values[reused:], session.states[reused:]
    while len(layout.values) - position > CHUNK:
        if interrupted():
            raise TimeoutError("the deadline passed while the prompt was read")
        part = slice(position, position + CHUNK)
        values, states = layout.values[part], layout.states[part]
        append(model, session.cache, values, states)
        session.extend(values, states)
        position += CHUNK
    tree = TokenTree(model, session.cache)
    root = -1
    for value, state in zip(layout.values[position:], layout.states[position:], strict=True):
        place = layout.place if len(tree) == len(layout.values) - position - 1 else Place(value)
        root = tree.add_placed(root, place, state)
    return tree, root, reused


def append(
    model: CanonicalModel, cache: Cache, values: Sequence[int], states: Sequence[int]
) -> None:
    """Read tokens behind those in the cache, in one pass."""
    model.network.trunk(
        torch.tensor([values], device=model.device),
        torch.tensor([states], device=model.device),
        cache=cache,
    )


def _best_branch(tree: TokenTree, every: Boundary, writing: _Writing) -> _Draft:
    """The likeliest of the likeliest leaves, once each has finished its pre-token.

    Where the rules leave nothing behind any of them, the next ones are looked at: the beginning of
    a name may have no canonical way to go on.
    """
    here = tree.places[every.end].syntax
    found = writing.rules.leaves(every, tree.model.tokenizer, here)
    if found is None:
        return _Draft(every.end, stop=NOTHING_FITS)
    row = at_cursor(found, here, writing.partner)
    best = row.log_probs.topk(min(BRANCHES * ROUNDS, len(row.log_probs))).indices.tolist()
    draft = _Draft(every.end, stop=NOTHING_FITS)
    for begin in range(0, len(best), BRANCHES):
        likeliest = [at for at in best[begin : begin + BRANCHES] if row.log_probs[at] > -math.inf]
        if not likeliest or (begin and writing.interrupted()):
            break
        draft = _best_of(tree, found, row, likeliest, writing)
        if draft.stop != NOTHING_FITS:
            break
    return draft


def _best_of(
    tree: TokenTree, found: Boundary, row: Mixed, likeliest: Sequence[int], writing: _Writing
) -> _Draft:
    """The best draft that begins with one of some leaves, ``likeliest`` of ``row``."""
    here = tree.places[found.end].syntax
    drafts: list[_Draft] = []
    steps: list[_Step] = []
    for index in likeliest:
        draft, token = _Draft(int(found.nodes[index])), int(found.tokens[index])
        if _take(writing, draft, here, token, (row, index), found.overlap[draft.node]):
            steps.append((draft, token))
        drafts.append(draft)
    while steps and not writing.interrupted():
        now, later = _worth_scoring(drafts, steps)
        steps = _grow(tree, now, writing) + later if now else []
    return max(drafts, key=lambda draft: (draft.rank, draft.finished))


def _worth_scoring(
    drafts: Sequence[_Draft], steps: Sequence[_Step]
) -> tuple[list[_Step], list[_Step]]:
    """The steps that could still lead to the best draft: those to score now, and those later.

    A draft that is likelier than all others together is scored alone: often nothing is left to do.
    """
    finished = max((one.rank for one in drafts if one.finished), default=-math.inf)
    left = [(draft, token) for draft, token in steps if draft.log_prob > finished]
    left.sort(key=lambda step: -step[0].log_prob)
    alone = 1 if left and left[0][0].log_prob > math.log(0.5) else len(left)
    return left[:alone], left[alone:]


def _grow(tree: TokenTree, steps: Sequence[_Step], writing: _Writing) -> list[_Step]:
    """Score drafts behind their newest tokens; take another token where the pre-token goes on.

    Returns the drafts whose newest token is not scored yet.
    """
    nodes = [tree.add(draft.node, token) for draft, token in steps]
    going_on = []
    for (draft, _), node, own in zip(steps, nodes, tree.score(nodes), strict=True):
        place = tree.places[node]
        row = writing.behind(own, draft, place.syntax)
        draft.node, draft.row = node, row
        if row is None:
            draft.stop, draft.rank = NOTHING_FITS, -math.inf
            continue
        ends = torch.from_numpy(tree.model.rules.begins(place.pretoken)).to(own.device)
        ends[list(tree.model.ends)] = True
        token = int(row.log_probs.argmax())
        draft.rank = draft.log_prob + float(row.log_probs[ends].logsumexp(dim=0))
        if ends[token] or draft.count >= BRANCH_STEPS:
            continue
        if _take(writing, draft, place.syntax, token, (row, token)):
            going_on.append((draft, token))
    return going_on


def _take(
    writing: _Writing,
    draft: _Draft,
    syntax: State,
    token: int,
    at: tuple[Mixed, int],
    overlap: int = 0,
) -> bool:
    """Append ``token`` to a draft that stands at ``syntax``; False where that ends the draft.

    ``at`` is the row that the token was taken from, and where it stands there. ``overlap`` counts
    the token's bytes that stand before the cursor.
    """
    row, index = at
    log_prob = float(row.log_probs[index])
    draft.odds = row.odds_behind(index)
    data = writing.model.tokenizer.token_bytes[token][overlap:]
    ended, stop = (0, "end") if token in writing.model.ends else (_line_end(syntax, data), "line")
    before = writing.rules.end(draft.data, data, syntax)
    if before is not None and (ended is None or before < ended):
        ended, stop = before, "closed"
    draft.log_prob += log_prob
    draft.log_probs.append(log_prob)
    draft.count += 1
    draft.rank = draft.log_prob
    draft.row = None
    if ended is None:
        draft.data += data
        return True
    draft.data += data[:ended]
    draft.stop = stop
    return False


def _line_end(syntax: State, data: bytes) -> int | None:
    """Where in ``data``, written at ``syntax``, the logical line ends; None where it goes on.

    A line break inside brackets goes on, and one behind a backslash; one inside a string of many
    lines ends what a person wants to see.
    """
    for at, byte in enumerate(data):
        if byte in b"\r\n":
            behind, _ = advance(syntax, data[:at] + b"\n")
            inside = any(bracket != "lambda" for bracket in behind.brackets)
            if not inside and (behind.fresh or behind.literal):
                return at
    return None


def _keep(tree: TokenTree, draft: _Draft, session: Session) -> Place:
    """Cut the cache to the draft's path; where that leads."""
    keep_path(tree, draft.node, session)
    return tree.places[draft.node]


def keep_path(tree: TokenTree, node: int, session: Session) -> None:
    """Keep in the cache what leads to ``node`` and nothing else of the tree, and record it."""
    tree.keep(node)
    session.extend(*tree.tokens(tree.path(node)))


def _finish(
    session: Session, draft: _Draft, place: Place, max_tokens: int, writing: _Writing
) -> None:
    """Go on with the likeliest token until the draft ends.

    A whole line in which one place was a guess is of no use; what comes before the guess may be.
    """
    model = writing.model
    border = draft.data, draft.log_prob, draft.count
    while not draft.stop:
        if draft.row is None or writing.interrupted():
            draft.stop = "deadline"
            break
        token = int(draft.row.log_probs.argmax())
        log_prob = float(draft.row.log_probs[token])
        if _may_end(draft.data, model.tokenizer.token_bytes[token]):
            border = draft.data, draft.log_prob, draft.count
        if log_prob < math.log(UNSURE):
            _cut(draft, border, "unsure")
        elif draft.count >= max_tokens:
            draft.stop = "length"
        elif _take(writing, draft, place.syntax, token, (draft.row, token)):
            place, state = model.follow(place, token)
            own = _advance(model, session, place, state)
            draft.row = writing.behind(own, draft, place.syntax)
            if draft.row is None:
                _cut(draft, border, NOTHING_FITS)


def _cut(draft: _Draft, border: tuple[bytes, float, int], stop: str) -> None:
    """End a draft where it last could."""
    draft.data, draft.log_prob, draft.count = border
    del draft.log_probs[draft.count :]
    draft.stop = stop


def _may_end(written: bytes, following: bytes) -> bool:
    """Whether text may end between the two: behind a name, a literal or a closing bracket."""
    if not written or not in_identifier(written[-1]):
        return written[-1:] in (b")", b"]", b"}", b"'", b'"')
    return not following or not in_identifier(following[0])


def _advance(model: CanonicalModel, session: Session, place: Place, state: int) -> Tensor:
    """Append one token to the cache: (V,) log-probabilities of the next."""
    hidden = model.network.trunk(
        torch.tensor([[place.token]], device=model.device),
        torch.tensor([[state]], device=model.device),
        cache=session.cache,
    )
    session.extend([place.token], [state])
    return model.log_probs(hidden[0], [place])[0]


class _Watch:
    """Milliseconds per step."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, step: str) -> None:
        """Book the time since the last lap on ``step``."""
        now = time.perf_counter()
        self.laps[step] = round(1000 * (now - self._last), 2)
        self._last = now
