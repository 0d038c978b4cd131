"""CodeFill, compact: one decoder trunk over tokens and syntactic states, two heads.

After Izadi et al. (ICSE 2022): the network reads code as names and as syntax and learns to
predict both. The original runs one decoder per stream and joins them; at a few million
parameters the joint trunk is fed the sum of a value embedding and a syntactic-state embedding
(``types.py`` says why states are causal), a *type head* predicts the AST type of the next token
(TTP) and the *value head* predicts the next token itself given the soft predicted type (TVP).
A network without states and types (``Config.states`` and ``Config.types`` 0) is a plain language
model, the arm to compare with.

What stands directly before a token says most about the next one, and a small network spends its
first layer on learning that. *Gram embeddings* are looked up instead: every pair and every triple
of tokens has a row of a table, found by hashing (after Huang et al., Over-Tokenized Transformer,
2025), which costs memory and next to no time.

This module knows nothing of text, tokenizers or files. Shapes: B rows, T new tokens, S tokens
visible (cached and new), V values, K types, H heads, D width of a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import NamedTuple, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

NORM_EPS = 1e-5


@dataclass(frozen=True, slots=True)
class Config:
    """The shape of one network; stored with its weights.

    ``states`` or ``types`` 0: none are read, none are predicted.
    """

    values: int = 8192
    states: int = 128
    types: int = 128
    width: int = 256
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    hidden: int = 704
    grams: int = 32_768  # rows of the table of each order; 0 for none
    gram_width: int = 128
    max_positions: int = 1024
    rope_theta: float = 10_000.0

    def __post_init__(self) -> None:
        if self.width % self.heads or self.heads % self.kv_heads or self.head_width % 2:
            raise ValueError(f"width, heads and kv_heads do not divide: {self}")

    @classmethod
    def of_depth(cls, layers: int) -> Self:
        """The shape that goes with a number of layers: 64 units of width for each."""
        return cls(
            width=64 * layers,
            layers=layers,
            heads=layers,
            kv_heads=layers // 2 if layers % 2 == 0 else 1,
            hidden=176 * layers,
        )

    @property
    def head_width(self) -> int:
        """D, the width of one attention head."""
        return self.width // self.heads

    def to_json(self) -> dict[str, int | float]:
        """Plain values for a manifest."""
        return asdict(self)


class Output(NamedTuple):
    """Logits in float32: values (B, T, V) and types (B, T, K); T is 1 with ``last_only``."""

    value_logits: Tensor
    type_logits: Tensor


class KVCache:
    """Keys, values and ids of the tokens so far; all rows hold the same ``length``."""

    def __init__(self, keys: Tensor, values: Tensor, ids: Tensor, length: int = 0) -> None:
        self.keys = keys  # (layers, B, Hkv, capacity, D)
        self.values = values
        self.ids = ids  # (B, capacity) int64
        self.length = length

    @classmethod
    def empty(
        cls,
        config: Config,
        *,
        rows: int = 1,
        capacity: int | None = None,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Self:
        """A cache with room for ``capacity`` tokens (``max_positions`` unless told)."""
        room = config.max_positions if capacity is None else capacity
        shape = (config.layers, rows, config.kv_heads, room, config.head_width)
        keys = torch.zeros(shape, dtype=dtype, device=device)
        ids = torch.zeros((rows, room), dtype=torch.int64, device=device)
        return cls(keys, torch.zeros_like(keys), ids)

    @property
    def rows(self) -> int:
        """B, the number of rows."""
        return self.keys.shape[1]

    @property
    def capacity(self) -> int:
        """How many tokens fit."""
        return self.keys.shape[3]

    def truncate(self, length: int) -> None:
        """Forget everything from position ``length`` on."""
        if not 0 <= length <= self.length:
            raise ValueError(f"cannot truncate a cache of {self.length} tokens to {length}")
        self.length = length

    def gather(self, begin: int, positions: Sequence[int]) -> None:
        """Keep, after ``begin`` tokens, only the tokens at ``positions``: a tree's chosen path."""
        end = begin + len(positions)
        index = torch.as_tensor(list(positions), device=self.keys.device)
        self.keys[:, :, :, begin:end] = self.keys[:, :, :, index]
        self.values[:, :, :, begin:end] = self.values[:, :, :, index]
        self.ids[:, begin:end] = self.ids[:, index]
        self.length = end

    def last(self, count: int) -> Tensor:
        """(B, count) ids of the last tokens; 0 where there are fewer."""
        found = self.ids[:, max(self.length - count, 0) : self.length]
        return functional.pad(found, (count - found.shape[1], 0))

    def note(self, ids: Tensor) -> None:
        """Write the (B, T) ids behind ``length``. Raises ValueError where they do not fit."""
        end = self.length + ids.shape[1]
        if end > self.capacity:
            raise ValueError(f"{end} tokens do not fit a cache of {self.capacity}")
        self.ids[:, self.length : end] = ids

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write (B, Hkv, T, D) behind ``length``; return views of all S. Does not move length."""
        end = self.length + keys.shape[2]
        self.keys[layer, :, :, self.length : end] = keys
        self.values[layer, :, :, self.length : end] = values
        return self.keys[layer, :, :, :end], self.values[layer, :, :, :end]


class Block(nn.Module):
    """Attention with grouped key/value heads, then SwiGLU; both pre-normed and residual."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.heads, self.kv_heads = config.heads, config.kv_heads
        joint = (config.heads + 2 * config.kv_heads) * config.head_width
        self.attention_norm = nn.Parameter(torch.ones(config.width))
        self.qkv = nn.Linear(config.width, joint, bias=False)
        self.attention_out = nn.Linear(config.width, config.width, bias=False)
        self.feed_norm = nn.Parameter(torch.ones(config.width))
        self.gate_up = nn.Linear(config.width, 2 * config.hidden, bias=False)
        self.down = nn.Linear(config.hidden, config.width, bias=False)

    def forward(
        self,
        x: Tensor,
        rotation: tuple[Tensor, Tensor],
        mask: Tensor | None,
        cache: KVCache | None,
        layer: int,
    ) -> Tensor:
        """(B, T, width) to (B, T, width)."""
        batch, length, width = x.shape
        joint = self.qkv(_norm(x, self.attention_norm)).view(batch, length, -1, width // self.heads)
        joint = joint.transpose(1, 2)
        turned = self.heads + self.kv_heads
        queries_keys = _rotate(joint[:, :turned], rotation)
        queries, keys = queries_keys[:, : self.heads], queries_keys[:, self.heads :]
        values = joint[:, turned:]
        if cache is not None:
            keys, values = cache.append(layer, keys, values)
        mixed = functional.scaled_dot_product_attention(
            queries,
            keys,
            values,
            attn_mask=mask,
            is_causal=mask is None and length > 1,
            enable_gqa=self.heads != self.kv_heads,
        )
        x = x + self.attention_out(mixed.transpose(1, 2).reshape(batch, length, width))
        gate, up = self.gate_up(_norm(x, self.feed_norm)).chunk(2, dim=-1)
        fed: Tensor = self.down(functional.silu(gate) * up)
        return x + fed


GRAM_ORDERS = 2  # pairs and triples
_GRAM_FACTORS = (998_244_353, 1_000_003, 15_485_863)  # of the token and the ones before it


class Grams(nn.Module):
    """What the pairs and triples of tokens that end at each token say; zero at first."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.rows = config.grams
        self.table = nn.Embedding(GRAM_ORDERS * config.grams, config.gram_width)
        self.out = nn.Linear(GRAM_ORDERS * config.gram_width, config.width, bias=False)

    def forward(self, values: Tensor, before: Tensor) -> Tensor:
        """(B, T) ids, and (B, T, 2) ids before them, nearest first, to (B, T, width)."""
        hashed = values * _GRAM_FACTORS[0]
        rows = []
        for order in range(GRAM_ORDERS):
            hashed = hashed + before[..., order] * _GRAM_FACTORS[order + 1]
            rows.append((hashed ^ (hashed >> 17)) % self.rows + order * self.rows)
        found: Tensor = self.out(self.table(torch.stack(rows, dim=-1)).flatten(-2))
        return found


class TiedEmbedding(nn.Embedding):
    """Rows to look up, and to compare with what the network thinks comes next."""

    def compare(self, features: Tensor) -> Tensor:
        """(..., width) to (..., V) products with every row."""
        return functional.linear(features, self.weight)


class CodeFill(nn.Module):
    """The network; weights in any float type, logits always float32."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.value_embedding = TiedEmbedding(config.values, config.width)
        self.state_embedding = nn.Embedding(config.states, config.width) if config.states else None
        self.grams = Grams(config) if config.grams else None
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.norm = nn.Parameter(torch.ones(config.width))
        self.type_head = nn.Linear(config.width, config.types, bias=False) if config.types else None
        self.type_embedding = (
            nn.Linear(config.types, config.width, bias=False) if config.types else None
        )
        cos, sin = _rotary_table(config)
        self.cos: Tensor
        self.sin: Tensor
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self._initialise()

    @property
    def vocabulary(self) -> int:
        """V, the number of tokens that it predicts."""
        return self.config.values

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.norm.device

    def empty_cache(self) -> KVCache:
        """A cache of one row, in the weights' type, with room for ``max_positions``."""
        return KVCache.empty(self.config, dtype=self.norm.dtype, device=self.norm.device)

    def forward(
        self,
        values: Tensor,
        states: Tensor,
        *,
        positions: Tensor | None = None,
        before: Tensor | None = None,
        cache: KVCache | None = None,
        mask: Tensor | None = None,
        last_only: bool = False,
    ) -> Output:
        """Predict what follows each token.

        values, states: (B, T) int64. positions: (B, T) int64, or None to go on from the cache's
        length. before: (B, T, 2) int64, the two tokens before each token, the nearest first and 0
        for none; None where they are those before it in ``values`` and the cache, as without a
        branching mask. cache: appended to in place. mask: (B or 1, 1, T, S) bool, True where a
        token may attend, None for causal. last_only: logits of the last token alone.
        Raises ValueError where the tokens do not fit ``max_positions`` or the cache, and where
        ``mask`` comes without ``before``.
        """
        x = self.trunk(values, states, positions=positions, before=before, cache=cache, mask=mask)
        return self.heads(x[:, -1:] if last_only else x)

    def trunk(
        self,
        values: Tensor,
        states: Tensor,
        *,
        positions: Tensor | None = None,
        before: Tensor | None = None,
        cache: KVCache | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """The hidden states (B, T, width) before the final norm; training picks rows of them."""
        length, past = values.shape[1], 0 if cache is None else cache.length
        if past + length > self.config.max_positions:
            raise ValueError(f"{past + length} tokens exceed {self.config.max_positions} positions")
        if mask is not None and before is None and self.grams is not None:
            raise ValueError("with a mask of its own, what stands before a token must be told")
        if cache is not None:
            cache.note(values)
        x = self._embedded(values, states, before, cache)
        if mask is None and past and length > 1:
            mask = _causal_after(past, length, x.device)
        rotation = self._rotation(positions, past, length)
        for layer, block in enumerate(self.blocks):
            x = block(x, rotation, mask, cache, layer)
        if cache is not None:
            cache.length += length
        return x

    def heads(self, x: Tensor) -> Output:
        """(..., width) to logits; the value head sees the soft predicted type."""
        features, type_logits = self.features(x)
        value_logits = self.value_embedding.compare(features)
        return Output(value_logits.float(), type_logits)

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(..., width) to what the value embeddings are compared with, and float32 type logits."""
        x = _norm(x, self.norm)
        if self.type_head is None or self.type_embedding is None:
            return x, x.new_zeros((*x.shape[:-1], 0), dtype=torch.float32)
        type_logits = self.type_head(x).float()
        soft_type = type_logits.softmax(dim=-1).to(x.dtype)
        return x + self.type_embedding(soft_type), type_logits

    def _embedded(
        self, values: Tensor, states: Tensor, before: Tensor | None, cache: KVCache | None
    ) -> Tensor:
        x: Tensor = self.value_embedding(values)
        if self.state_embedding is not None:
            x = x + self.state_embedding(states)
        if self.grams is not None:
            if before is None:
                before = _before(values, cache)
            x = x + self.grams(values, before)
        return x

    def _rotation(self, positions: Tensor | None, past: int, length: int) -> tuple[Tensor, Tensor]:
        if positions is None:
            return self.cos[past : past + length], self.sin[past : past + length]
        return self.cos[positions].unsqueeze(1), self.sin[positions].unsqueeze(1)

    def _initialise(self) -> None:
        """Embeddings small since they are tied; residual outputs start as nothing."""
        nn.init.normal_(self.value_embedding.weight, std=0.02)
        if self.state_embedding is not None:
            nn.init.normal_(self.state_embedding.weight, std=0.02)
        if self.type_head is not None and self.type_embedding is not None:
            nn.init.normal_(self.type_head.weight, std=0.02)
            nn.init.zeros_(self.type_embedding.weight)
        if self.grams is not None:
            nn.init.zeros_(self.grams.table.weight)
            nn.init.normal_(self.grams.out.weight, std=self.config.width**-0.5)
        for block in self.blocks:
            assert isinstance(block, Block)
            nn.init.normal_(block.qkv.weight, std=self.config.width**-0.5)
            nn.init.normal_(block.gate_up.weight, std=self.config.width**-0.5)
            nn.init.zeros_(block.attention_out.weight)
            nn.init.zeros_(block.down.weight)


def _before(values: Tensor, cache: KVCache | None) -> Tensor:
    """(B, T, 2): the two tokens before each of the (B, T) new ones, which stand in a chain."""
    if cache is None:
        chain = functional.pad(values, (GRAM_ORDERS, 0))
    else:
        chain = torch.cat((cache.last(GRAM_ORDERS), values), dim=1)
    return torch.stack((chain[:, 1:-1], chain[:, :-2]), dim=-1)


def _norm(x: Tensor, weight: Tensor) -> Tensor:
    normed: Tensor = functional.rms_norm(x, weight.shape, weight, NORM_EPS)
    return normed


def _rotary_table(config: Config) -> tuple[Tensor, Tensor]:
    """cos and sin (max_positions, D); sin carries the sign so that rotation is one multiply-add."""
    half = config.head_width // 2
    frequency = config.rope_theta ** (-torch.arange(half, dtype=torch.float64) / half)
    angle = torch.arange(config.max_positions, dtype=torch.float64)[:, None] * frequency
    cos, sin = angle.cos().float(), angle.sin().float()
    return torch.cat((cos, cos), dim=-1), torch.cat((-sin, sin), dim=-1)


def _rotate(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary positions on (B, H, T, D); the pair of dimension i is i + D/2."""
    cos, sin = rotation
    swapped = x.roll(x.shape[-1] // 2, dims=-1)
    turned: Tensor = (x * cos + swapped * sin).to(x.dtype)
    return turned


def _causal_after(past: int, length: int, device: torch.device) -> Tensor:
    """(1, 1, T, S): new token i sees the past and the new tokens up to itself."""
    whole = torch.ones(length, past + length, dtype=torch.bool, device=device)
    return whole.tril(past)[None, None]
