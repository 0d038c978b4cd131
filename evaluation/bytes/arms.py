"""Who says how a text goes on whose end is no end of a token: no repair, one token back, and ours.

Each arm answers with *leaves*: the tokens that hold the first byte behind the
cursor, with their probabilities. Everything behind that is the same for all arms: greedy, token by
token, with the arm's own view of the network. ``none`` and ``one-token`` use the network as it was
trained: that is what those have who use them, and with the mass on canonical sequences alone a cut
word could often not be finished at all.
"""

from __future__ import annotations

import dataclasses
import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from completion import decoding
from completion.boundary import boundary, in_identifier, name_log_probs
from completion.model.tokenizer import Tokenizer
from completion.tree import CanonicalModel, TokenTree
from evaluation.bytes.bench import Bench, Cursor, never

NONE, ONE_TOKEN, OURS, OURS_BRANCHES = "none", "one-token", "ours", "ours, branches"
END_OF_TEXT = 256
"""Where a distribution over the next byte holds the end of the middle."""

LINE_TOKENS = 48
"""Tokens of one line at most."""

Stop = Callable[[bytes], bool]
"""Whether a text is long enough."""


class Arm(Protocol):
    """A way to go on at the cursor."""

    name: str

    def write(self, at: Cursor, stop: Stop, most_tokens: int) -> bytes | None:
        """The likeliest text behind the cursor; None where it does not fit what is typed."""

    def log_prob(self, at: Cursor, rest: bytes) -> float | None:
        """log P(an identifier's ``rest`` and then no byte of an identifier), natural; None where
        the arm has no probabilities."""


@dataclass(frozen=True, slots=True)
class Leaves:
    """The tokens that hold the first byte behind a cursor, with their probabilities.

    As in ``completion.boundary.Boundary``: row j of ``nodes``, ``tokens`` (int64) and ``log_probs``
    is ``tokens[j]`` behind the tree's node ``nodes[j]``; ``end`` is the node of the whole text, and
    tokens behind another begin ``overlap[node]`` bytes before the cursor. ``log_prob`` is that of
    the text behind the tree's root; None where the arm does not say.
    """

    nodes: Tensor
    tokens: Tensor
    log_probs: Tensor
    end: int
    overlap: Mapping[int, int]
    log_prob: float | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """The leaves at a cursor, and the tree that they belong to; ``first`` is the likeliest."""

    tree: TokenTree
    leaves: Leaves
    first: int


class TokenArm:
    """What the arms share that look for leaves. The network is read as ``model`` sees it."""

    name: str
    model: CanonicalModel

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def begin(self, at: Cursor) -> Begun:
        """The leaves behind the cursor."""
        raise NotImplementedError

    def write(self, at: Cursor, stop: Stop, most_tokens: int) -> bytes | None:
        """Greedily on from the first leaf, until ``stop``, the end of the middle or the budget."""
        with torch.inference_mode():
            begun = self.begin(at)
            node, token = (
                int(begun.leaves.nodes[begun.first]),
                int(begun.leaves.tokens[begun.first]),
            )
            written = self.bench.tokenizer.token_bytes[token][begun.leaves.overlap[node] :]
            if token == self.bench.tokenizer.end or stop(written):
                return written
            return self._go_on(begun.tree, node, token, written, stop, most_tokens - 1)

    def _go_on(
        self, tree: TokenTree, node: int, token: int, written: bytes, stop: Stop, most: int
    ) -> bytes:
        """Behind ``token``, in a tree of its own that has no branches, which is faster."""
        place, state = self.model.follow(tree.places[node], token)
        decoding.keep_path(tree, node, self.bench.session)
        chain = TokenTree(self.model, self.bench.session.cache)
        node = chain.add_placed(-1, place, state)
        for _ in range(most):
            token = int(chain.score([node])[0].argmax())
            written += self.bench.tokenizer.token_bytes[token]
            if token == self.bench.tokenizer.end or stop(written):
                break
            node = chain.add(node, token)
        return written

    def log_prob(self, at: Cursor, rest: bytes) -> float | None:
        """Summed over all leaves that fit; what a leaf leaves of ``rest`` in its own encoding."""
        with torch.inference_mode():
            begun = self.begin(at)
            return spelled(begun, rest)

    def next_byte(self, at: Cursor) -> NDArray[np.float64]:
        """(257,) log-probabilities of the byte behind the cursor; the last is `END_OF_TEXT`."""
        with torch.inference_mode():
            return next_byte(self.begin(at).leaves, self.bench.tokenizer)


class NoRepair(TokenArm):
    """The text is encoded as it stands, and decoding goes on behind its last token."""

    name = NONE

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.model = bench.plain

    def begin(self, at: Cursor) -> Begun:
        """Every token behind the last one of the text."""
        tree, node = self.bench.read(self.model, at.layout)
        for token in self.bench.tokenizer.encode(at.layout.tail.decode()):
            node = tree.add(node, token)
        row = tree.score([node])[0]
        nodes = torch.full((len(row),), node)
        leaves = Leaves(nodes, torch.arange(len(row)), row, node, {node: 0})
        return Begun(tree, leaves, int(row.argmax()))


class OneToken(TokenArm):
    """Token healing at its best: the last token is taken back, and what comes in its place begins
    with its bytes.

    The pass that scores its replacements scores what follows the token itself, too, so that
    nothing is lost where it stays. Greedily the likeliest replacement wins, as in guidance.
    """

    name = ONE_TOKEN

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.model = bench.plain

    def begin(self, at: Cursor) -> Begun:
        """The tokens that are longer than the one taken back, and all behind that one."""
        tree, before = self.bench.read(self.model, at.layout)
        tail = self.bench.tokenizer.encode(at.layout.tail.decode())
        if not tail:  # nothing is typed that could be taken back
            return NoRepair(self.bench).begin(at)
        for token in tail[:-1]:
            before = tree.add(before, token)
        last = self.bench.tokenizer.token_bytes[tail[-1]]
        node = tree.add(before, tail[-1])
        above, row = tree.score([before, node])
        longer = _longer(self.bench.tokenizer, last)
        stays = above[tail[-1]]
        total = torch.cat([stays[None], above[longer]]).logsumexp(dim=0)
        leaves = Leaves(
            nodes=torch.cat([torch.full((len(row),), node), torch.full_like(longer, before)]),
            tokens=torch.cat([torch.arange(len(row)), longer]),
            log_probs=torch.cat([row + stays, above[longer]]) - total,
            end=node,
            overlap={node: 0, before: len(last)},
        )
        healed = len(longer) > 0 and bool(above[longer].max() > stays)
        first = len(row) + int(above[longer].argmax()) if healed else int(row.argmax())
        return Begun(tree, leaves, first)


class Ours(TokenArm):
    """The exact boundary; of its leaves the likeliest goes on."""

    name = OURS

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.model = bench.exact

    def begin(self, at: Cursor) -> Begun:
        """The leaves of the cover tree."""
        tree, root = self.bench.read(self.model, at.layout)
        found = boundary(tree, root, at.layout.tail)
        leaves = Leaves(
            nodes=found.nodes,
            tokens=found.tokens,
            log_probs=found.log_probs,
            end=found.end,
            overlap=found.overlap,
            log_prob=found.log_prob,
        )
        return Begun(tree, leaves, int(leaves.log_probs.argmax()))

    def log_prob(self, at: Cursor, rest: bytes) -> float | None:
        """Exact: a name that ends has one canonical encoding."""
        with torch.inference_mode():
            tree, root = self.bench.read(self.model, at.layout)
            return name_log_probs(tree, root, at.layout.tail, [rest.decode()], may_end=True)[0]


class Branches(Ours):
    """The exact boundary as the product decodes: the likeliest leaves side by side to the end of
    their pre-token, and asked again where ghost text would stop before a guess."""

    name = OURS_BRANCHES

    def write(self, at: Cursor, stop: Stop, most_tokens: int) -> bytes | None:
        """Until ``stop``, the end of the middle or the budget."""
        written, left, here = "", most_tokens, at
        while left > 0:
            model, session = self.bench.exact, self.bench.session
            found = decoding.write(model, session, here.layout, left, never)
            left -= max(found.tokens, 1)
            written += found.text + ("\n" if found.stop == "line" else "")
            if found.stop == "end" or stop(written.encode()):
                break
            prefix = at.prompt.prefix + written
            here = self.bench.cursor(dataclasses.replace(at.prompt, prefix=prefix))
        return written.encode()


def spelled(begun: Begun, rest: bytes) -> float:
    """log P(``rest`` and then no identifier byte) over all leaves: a lower bound, for behind each
    leaf the remaining bytes are spelled in one way only, as the tokenizer spells them alone."""
    tree, leaves = begun.tree, begun.leaves
    tokenizer = tree.model.tokenizer
    fits, ends = _fitting(leaves, tokenizer, rest)
    sums = [leaves.log_probs[ends].logsumexp(dim=0)] if len(ends) else []
    paths = []
    for index, left in fits:
        path = [tree.add(int(leaves.nodes[index]), int(leaves.tokens[index]))]
        for token in tokenizer.encode(left.decode()):
            path.append(tree.add(path[-1], token))
        paths.append((index, path))
    nodes = sorted({node for _, path in paths for node in path})
    rows = dict(zip(nodes, tree.score(nodes), strict=True)) if nodes else {}
    outside = ends_name(tokenizer)
    for index, path in paths:
        steps = [rows[a][tree.places[b].token] for a, b in pairwise(path)]
        ended = rows[path[-1]][outside].logsumexp(dim=0)
        sums.append(leaves.log_probs[index] + sum(steps) + ended)
    return float(torch.stack(sums).logsumexp(dim=0)) if sums else -math.inf


def _fitting(
    leaves: Leaves, tokenizer: Tokenizer, rest: bytes
) -> tuple[list[tuple[int, bytes]], Tensor]:
    """The leaves within ``rest`` with what they leave of it, and those that end it."""
    within: list[tuple[int, bytes]] = []
    ending: list[int] = []
    pairs = zip(leaves.nodes.tolist(), leaves.tokens.tolist(), strict=True)
    for index, (node, token) in enumerate(pairs):
        data = tokenizer.token_bytes[token][leaves.overlap[node] :]
        if data and rest.startswith(data):
            within.append((index, rest[len(data) :]))
        elif data.startswith(rest) and not in_identifier(data[len(rest)]):
            ending.append(index)
    return within, torch.tensor(ending, dtype=torch.int64)


@lru_cache(maxsize=4)
def ends_name(tokenizer: Tokenizer) -> Tensor:
    """(V,) the tokens that begin with no byte of an identifier, and the end of the middle."""
    ends = [bool(data) and not in_identifier(data[0]) for data in tokenizer.token_bytes]
    ends[tokenizer.end] = True
    return torch.tensor(ends)


def _longer(tokenizer: Tokenizer, data: bytes) -> Tensor:
    """The tokens that begin with ``data`` and are longer."""
    spellings, ids = _sorted(tokenizer)
    low = bisect_right(spellings, data)
    high = bisect_right(spellings, data, lo=low, key=lambda one: one[: len(data)])
    return ids[low:high]


@lru_cache(maxsize=4)
def _sorted(tokenizer: Tokenizer) -> tuple[list[bytes], Tensor]:
    """The bytes of all tokens that have some, sorted, with the tokens' ids."""
    pairs = sorted((data, token) for token, data in enumerate(tokenizer.token_bytes) if data)
    return [data for data, _ in pairs], torch.tensor([token for _, token in pairs])


def leading_identifier(text: bytes) -> bytes:
    """The bytes of an identifier that a text begins with."""
    end = next((at for at, byte in enumerate(text) if not in_identifier(byte)), len(text))
    return text[:end]


def next_byte(leaves: Leaves, tokenizer: Tokenizer) -> NDArray[np.float64]:
    """(257,) log-probabilities of the first byte behind the cursor."""
    found = np.full(257, -np.inf)
    probabilities = leaves.log_probs.double().cpu().numpy()
    nodes, tokens = leaves.nodes.tolist(), leaves.tokens.tolist()
    bytes_behind = np.array([
        _behind(tokenizer, token, leaves.overlap[node])
        for node, token in zip(nodes, tokens, strict=True)
    ])  # fmt: skip
    possible = np.isfinite(probabilities) & (bytes_behind >= 0)
    np.logaddexp.at(found, bytes_behind[possible], probabilities[possible])
    return found


def _behind(tokenizer: Tokenizer, token: int, overlap: int) -> int:
    """The first byte of a token behind the cursor; -1 for sentinels, which write nothing."""
    if token == tokenizer.end:
        return END_OF_TEXT
    data = tokenizer.token_bytes[token]
    return data[overlap] if len(data) > overlap else -1


def token_arms(bench: Bench) -> Sequence[TokenArm]:
    """None, one token back, ours."""
    return NoRepair(bench), OneToken(bench), Ours(bench)
