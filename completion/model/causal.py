"""Any causal language model of transformers, as the network that a tree of continuations asks.

``CausalNetwork`` is a ``completion.tree.Network``: its cache is one row that branches share, a mask
says which of the cached tokens each new one sees, positions say how far from the beginning it
stands. Architectures with sliding windows attend to everything here, so a context is never longer
than the window. Whether a model can be asked like that is not believed but tried: ``check``
compares a tree with its paths, each read by the model itself from the beginning.

Only this module, ``hub.py`` and what imports them load transformers. Shapes: T new tokens, S tokens
cached and new, V tokens of the vocabulary (a model may have more rows, as padding).
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.cache_utils import Cache as TransformersCache
from transformers.cache_utils import DynamicLayer

from completion.model.checkpoint import out_of_memory
from completion.model.codefill import Output

FIRST_ROOM = 256
"""Tokens that a new cache has room for; it doubles when they are used up."""

BRANCHING_ROOM = 512
"""Tokens that a cache holds beyond the window: branches stand side by side, at the same places."""

UNKNOWN_WINDOW = 2048
"""Tokens that a model may see whose configuration names no limit."""

NEAR = {torch.float64: 1e-6, torch.float32: 1e-2, torch.bfloat16: 0.3, torch.float16: 0.1}
"""How far logits of a tree and of its paths may be apart, in standard deviations of the logits."""


class NetworkError(RuntimeError):
    """The model cannot be loaded or used; the message is one line that says why."""


class CausalCache(TransformersCache):
    """One row of keys, values and ids, of which the first ``length`` tokens count.

    Written in place, so that a tree may leave tokens behind ``length`` that are void.
    """

    def __init__(self, layers: int, capacity: int, device: torch.device) -> None:
        """``capacity``: how many tokens it may ever hold."""
        self.length = 0
        self.capacity = capacity
        self.ids = torch.zeros((1, min(FIRST_ROOM, capacity)), dtype=torch.int64, device=device)
        self._own = [_Layer(self) for _ in range(layers)]
        super().__init__(layers=[*self._own])

    def reserve(self, end: int) -> None:
        """Make room for ``end`` tokens. Raises ValueError where that is more than ever fit."""
        if end > self.capacity:
            raise ValueError(f"{end} tokens do not fit a cache of {self.capacity}")
        room = self.ids.shape[1]
        while room < end:
            room = min(2 * room, self.capacity)
        if room > self.ids.shape[1]:
            self.ids = nn.functional.pad(self.ids, (0, room - self.ids.shape[1]))

    def truncate(self, length: int) -> None:
        """Forget everything from position ``length`` on."""
        if not 0 <= length <= self.length:
            raise ValueError(f"cannot truncate a cache of {self.length} tokens to {length}")
        self.length = length

    def gather(self, begin: int, positions: Sequence[int]) -> None:
        """Keep, after ``begin`` tokens, only the tokens at ``positions``: a tree's chosen path."""
        end = begin + len(positions)
        index = torch.as_tensor(list(positions), device=self.ids.device)
        for layer in self._own:
            if layer.keys is not None and layer.values is not None:
                layer.keys[:, :, begin:end] = layer.keys[:, :, index]
                layer.values[:, :, begin:end] = layer.values[:, :, index]
        self.ids[:, begin:end] = self.ids[:, index]
        self.length = end


class _Layer(DynamicLayer):
    """Keys and values of one layer, (1, heads, room, width); ``length`` is the whole cache's."""

    def __init__(self, owner: CausalCache) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._owner = owner

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Make room; the model's first call says in which shape."""
        room = self._owner.ids.shape[1]
        self.keys, self.values = (
            given.new_zeros((*given.shape[:2], room, given.shape[3]))
            for given in (key_states, value_states)
        )
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *_: object, **__: object
    ) -> tuple[Tensor, Tensor]:
        """Write (1, heads, T, width) behind ``length``; return views of all S."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None
        assert self.values is not None
        begin = self._owner.length
        end = begin + key_states.shape[2]
        if end > self.keys.shape[2]:
            more = (0, 0, 0, self._owner.ids.shape[1] - self.keys.shape[2])
            self.keys = nn.functional.pad(self.keys, more)
            self.values = nn.functional.pad(self.values, more)
        self.keys[:, :, begin:end] = key_states
        self.values[:, :, begin:end] = value_states
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_seq_length(self) -> int:
        """How many tokens are cached."""
        return self._owner.length

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """(S, where the cache begins), of which transformers would make a mask."""
        return self._owner.length + query_length, 0


class CausalNetwork:
    """A model of transformers as a ``completion.tree.Network``.

    ``vocabulary`` is the tokenizer's number of tokens, at most the model's rows; ``window`` is how
    many tokens it may see at once.
    """

    def __init__(self, model: PreTrainedModel, vocabulary: int) -> None:
        """Raises NetworkError where the model has fewer rows, or no trunk and head of its own."""
        head: Any = model.get_output_embeddings()
        trunk = model.base_model
        if head is None or trunk is model:
            raise NetworkError(f"{type(model).__name__} is no causal language model")
        if (rows := head.weight.shape[0]) < vocabulary:
            raise NetworkError(
                f"the model predicts {rows} tokens and the tokenizer has {vocabulary}: "
                "it belongs to another model"
            )
        self.model = model
        self.vocabulary = vocabulary
        self.window = window_of(model.config)
        self._trunk: Any = trunk
        self._head = head
        # Models that come with code of their own may know the cache by its older name.
        named = inspect.signature(trunk.forward).parameters
        self._cache_name = "cache" if "cache" in named else "past_key_values"

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = self._head.weight.device
        return device

    @property
    def dtype(self) -> torch.dtype:
        """What the weights are computed in."""
        dtype: torch.dtype = self._head.weight.dtype
        return dtype

    def empty_cache(self) -> CausalCache:
        """A cache of one row."""
        config = self.model.config.get_text_config(decoder=True)
        return CausalCache(config.num_hidden_layers, self.window + BRANCHING_ROOM, self.device)

    def trunk(
        self,
        values: Tensor,
        states: Tensor | None = None,  # noqa: ARG002 - what CodeFill reads beside the tokens
        *,
        positions: Tensor | None = None,
        before: Tensor | None = None,  # noqa: ARG002 - the same
        cache: CausalCache | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """(1, T) ids to hidden states (1, T, width), normed, ready for ``heads``.

        positions: (1, T), or None to go on from the cache's length. cache: appended to in place.
        mask: (1, 1, T, S) bool, True where a token may attend, None for causal. Raises ValueError
        where the tokens do not fit the window.
        """
        cache = self.empty_cache() if cache is None else cache
        past, length = cache.length, values.shape[1]
        cache.reserve(past + length)
        last = past + length if positions is None else int(positions.max()) + 1
        if last > self.window:
            raise ValueError(f"{last} tokens exceed the model's window: {self.window}")
        if positions is None:
            positions = torch.arange(past, past + length, device=values.device)[None]
        if mask is None:
            whole = torch.ones(length, past + length, dtype=torch.bool, device=values.device)
            mask = whole.tril(past)[None, None]
        found = self._trunk(
            input_ids=values,
            position_ids=positions,
            attention_mask=self._added(mask),
            use_cache=True,
            **{self._cache_name: cache},
        )
        cache.ids[:, past : past + length] = values
        cache.length = past + length
        hidden: Tensor = found.last_hidden_state
        return hidden

    def heads(self, x: Tensor) -> Output:
        """(..., width) to float32 logits (..., V).

        Raises NetworkError where they are no finite numbers.
        """
        logits: Tensor = self._head(x)[..., : self.vocabulary]
        logits = self._scaled(logits if logits.dtype == torch.float64 else logits.float())
        if not bool(torch.isfinite(logits).all()):
            raise NetworkError(
                "the model's logits are no finite numbers: its weights are damaged, "
                f"or {str(self.dtype).removeprefix('torch.')} is too narrow for it"
            )
        return Output(logits, logits.new_zeros((*logits.shape[:-1], 0)))

    def _scaled(self, logits: Tensor) -> Tensor:
        """What some architectures do with logits: Granite, Cohere, Gemma 2."""
        config = self.model.config
        if divisor := getattr(config, "logits_scaling", None):
            logits = logits / divisor
        if factor := getattr(config, "logit_scale", None):
            logits = logits * factor
        if cap := getattr(config, "final_logit_softcapping", None):
            logits = torch.tanh(logits / cap) * cap
        return logits

    def _added(self, mask: Tensor) -> Tensor:
        """The mask as numbers to add to attention scores: every kind of attention takes that."""
        added = torch.zeros(mask.shape, dtype=self.dtype, device=self.device)
        return added.masked_fill_(~mask.to(self.device), torch.finfo(self.dtype).min)


def window_of(config: Any) -> int:  # noqa: ANN401 - every architecture has its own class
    """How many tokens a model of this configuration may see at once with full attention."""
    config = config.get_text_config(decoder=True)
    names = ("max_position_embeddings", "n_positions", "sliding_window")
    limits = [limit for name in names if isinstance(limit := getattr(config, name, None), int)]
    return min((limit for limit in limits if limit > 0), default=UNKNOWN_WINDOW)


def check(network: CausalNetwork) -> None:
    """Raise NetworkError where the model does not answer for a tree as for each of its paths.

    A cached prompt of three tokens and behind it two branches, one of them of two tokens, against
    the model's own logits of the paths; also whether logits are finite.
    """
    spread = [1 + (7919 * step) % max(network.vocabulary - 1, 1) for step in range(6)]
    prompt, (one, deeper, other) = spread[:3], spread[3:]
    with torch.inference_mode():
        try:
            found = _tree_logits(network, prompt, (one, other, deeper))
            wanted = torch.stack(
                [
                    _own_logits(network, [*prompt, *path])
                    for path in ((one,), (other,), (one, deeper))
                ]
            )
        except NetworkError:
            raise
        except Exception as error:
            if out_of_memory(error):
                raise
            why = " ".join(str(error).split())
            raise NetworkError(
                f"{type(network.model).__name__} cannot score branches: {why}"
            ) from error
    off = float((found - wanted).abs().max() / wanted.std().clamp_min(1e-6))
    if not off <= NEAR.get(network.dtype, 1e-2):
        raise NetworkError(
            f"{type(network.model).__name__} does not score branches as it scores their paths "
            f"(off by {off:.2g} standard deviations): this architecture is not supported"
        )


def _tree_logits(network: CausalNetwork, prompt: list[int], nodes: tuple[int, int, int]) -> Tensor:
    """(3, V): the first two behind the prompt, the third behind the first."""
    device = network.device
    cache = network.empty_cache()
    network.trunk(torch.tensor([prompt], device=device), cache=cache)
    sees = torch.tensor([[1, 0, 0], [0, 1, 0], [1, 0, 1]], dtype=torch.bool, device=device)
    mask = torch.cat((torch.ones_like(sees), sees), dim=1)[None, None]
    begin = len(prompt)
    hidden = network.trunk(
        torch.tensor([list(nodes)], device=device),
        positions=torch.tensor([[begin, begin, begin + 1]], device=device),
        cache=cache,
        mask=mask,
    )
    return network.heads(hidden[0]).value_logits


def _own_logits(network: CausalNetwork, ids: list[int]) -> Tensor:
    """(V,) what the model itself says behind ``ids``, uncached."""
    given = torch.tensor([ids], device=network.device)
    logits: Tensor = network.model(input_ids=given, use_cache=False).logits
    return logits[0, -1, : network.vocabulary].to(torch.promote_types(logits.dtype, torch.float32))
