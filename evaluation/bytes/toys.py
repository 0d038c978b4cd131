"""Small vocabularies and networks on which a boundary can be checked by enumeration.

``Enumeration`` knows nothing of the rules in ``completion/spelling`` where it can do without: a
token may follow when the tokenizer itself, given the whole text, writes just that sequence. Only
for tokens that are no ASCII, whose text cannot be encoded alone, it asks the rules.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence

import torch
from tokenizers import pre_tokenizers
from torch import Tensor
from torch.nn import functional

from completion.model import tokenizer as tokenizers
from completion.model.codefill import CodeFill, Config, Output
from completion.model.tokenizer import SPECIALS, Tokenizer
from completion.model.types import PREFIX_STATE, SUFFIX_STATE
from completion.tree import CanonicalModel, Place

ALPHABETS = ("ab_ 1.\n", "abc ", "ab")
"""The fewer letters, the longer the words, and the more of a word's tokens may still change."""

MOST_MERGES, LONGEST_TOKEN = 40, 6
Merge = tuple[bytes, bytes]

_LETTERS = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)


def random_merges(drawn: random.Random, alphabet: str) -> list[Merge]:
    """Random merges whose parts exist before them, as in every trained vocabulary."""
    known = [letter.encode() for letter in alphabet]
    merges: list[Merge] = []
    for _ in range(drawn.randint(0, MOST_MERGES)):
        pair = drawn.choice(known), drawn.choice(known)
        if pair not in merges and len(pair[0] + pair[1]) <= LONGEST_TOKEN:
            merges.append(pair)
            known.append(pair[0] + pair[1])
    return merges


def random_text(drawn: random.Random, longest: int, alphabet: str) -> str:
    """A text of one character to ``longest``."""
    return "".join(drawn.choices(alphabet, k=drawn.randint(1, longest)))


def toy_tokenizer(merges: Sequence[Merge]) -> Tokenizer:
    """The shipped pre-tokenizer over all bytes, with ``merges``, of ASCII, in order of rank."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {name: index for index, name in enumerate([*SPECIALS, *letters])}
    named = [(_name(left), _name(right)) for left, right in merges]
    for left, right in named:
        vocabulary.setdefault(left + right, len(vocabulary))
    return Tokenizer(tokenizers.from_vocabulary(vocabulary, named))


def _name(data: bytes) -> str:
    return "".join(piece for piece, _ in _LETTERS.pre_tokenize_str(data.decode()))


class _ExactHeads(CodeFill):
    """Logits in the precision of the weights."""

    def heads(self, x: Tensor) -> Output:
        logits = functional.linear(x, self.value_embedding.weight)
        return Output(logits, super().heads(x).type_logits)


def toy_network(tokenizer: Tokenizer, seed: int) -> CodeFill:
    """A small random network in float64 that is far from uniform."""
    config = Config(
        values=tokenizer.size, width=16, layers=2, heads=2, kv_heads=1, hidden=24,
        max_positions=1024,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = _ExactHeads(config).to(torch.float64).eval()
        network.requires_grad_(requires_grad=False)
        for parameter in network.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.25)
    return network


Sequenced = tuple[int, ...]


class Enumeration:
    """What may be written behind ``header``, every sequence computed afresh from all of it.

    ``header`` ends with the sentinel that opens the text.
    """

    def __init__(self, model: CanonicalModel, header: Sequence[int]) -> None:
        self._model = model
        self._header = list(header)
        self._rows: dict[Sequenced, list[float]] = {}

    def covers(self, text: bytes, ids: Sequenced = ()) -> Iterator[tuple[Sequenced, float]]:
        """Every canonical sequence behind ``ids`` that reaches the end of ``text`` with its last
        token and not before, with its log-probability given ``ids``."""
        row = self.next_log_probs(ids)
        for token, data in enumerate(self._model.tokenizer.token_bytes):
            if not data or row[token] == -math.inf:
                continue
            if data.startswith(text):
                yield (token,), row[token]
            elif text.startswith(data):
                for rest, log_prob in self.covers(text[len(data) :], (*ids, token)):
                    yield (token, *rest), row[token] + log_prob

    def log_prob(self, text: bytes) -> float:
        """log P(the text starts with ``text``)."""
        return math.log(math.fsum(math.exp(one) for _, one in self.covers(text)))

    def leaves(self, text: bytes) -> dict[tuple[int, int], float]:
        """(bytes that it begins before the end of ``text``, token) -> P(it crosses or begins there
        | the text starts with ``text``); the probabilities sum to 1."""
        token_bytes = self._model.tokenizer.token_bytes
        found: dict[tuple[int, int], float] = {}
        for ids, log_prob in self.covers(text):
            beyond = sum(len(token_bytes[one]) for one in ids) - len(text)
            if beyond:
                found[len(token_bytes[ids[-1]]) - beyond, ids[-1]] = math.exp(log_prob)
                continue
            for token, one in enumerate(self.next_log_probs(ids)):
                if one > -math.inf:
                    found[0, token] = math.exp(log_prob + one)
        total = math.fsum(found.values())
        return {key: one / total for key, one in found.items()}

    def next_log_probs(self, ids: Sequenced) -> list[float]:
        """By token, what may follow ``ids``."""
        if ids not in self._rows:
            self._rows[ids] = self._compute(ids)
        return self._rows[ids]

    def _compute(self, ids: Sequenced) -> list[float]:
        place = Place(self._header[-1])
        states = [SUFFIX_STATE] * (len(self._header) - 1) + [PREFIX_STATE]
        for token in ids:
            place, state = self._model.follow(place, token)
            states.append(state)
        values = torch.tensor([[*self._header, *ids]])
        with torch.inference_mode():
            hidden = self._model.network.trunk(values, torch.tensor([states]))[0, -1:]
            logits = self._model.network.heads(hidden).value_logits[0]
            by_rule = self._model.log_probs(hidden, [place])[0].isfinite()
        allowed = self._allowed(ids, by_rule)
        row: list[float] = logits.masked_fill(~allowed, -math.inf).log_softmax(dim=-1).tolist()
        return row

    def _allowed(self, ids: Sequenced, by_rule: Tensor) -> Tensor:
        """(V,) the tokens that the tokenizer would write behind ``ids``."""
        tokenizer = self._model.tokenizer
        before = tokenizer.decode_bytes(ids)
        allowed = by_rule.clone()
        for token, data in enumerate(tokenizer.token_bytes):
            if data and data.isascii() and before.isascii():
                written = tokenizer.encode((before + data).decode())
                allowed[token] = written == [*ids, token]
        return allowed
