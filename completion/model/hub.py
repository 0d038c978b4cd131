"""CodeFill as a model of transformers: Auto classes, ``save_pretrained``, ``generate``.

The network and the product know nothing of transformers; this module wraps them for everybody
else, and importing it registers the two classes, so that

    import completion.model.hub
    model = AutoModelForCausalLM.from_pretrained(folder)

works on a folder that ``export`` (``lancefill model export``) or ``save_pretrained`` wrote. The
bytes of the tokens are part of the weights (``vocabulary``), so the model works out its syntactic
states by itself. Caches are ``DynamicCache``: behind the layers' keys and values stands one layer
more that holds the token ids, so that whatever reorders, repeats or crops the cache does the same
to the ids, of which all other inputs are functions. Padding is never seen, on whichever side.

Shapes: B rows, T new tokens, S tokens cached and new, V values, K types.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Self

import safetensors
import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    DynamicCache,
    GenerationConfig,
    GenerationMixin,
    PreTrainedModel,
    initialization,
)
from transformers.cache_utils import DynamicLayer
from transformers.modeling_outputs import CausalLMOutputWithPast

from completion.model import checkpoint
from completion.model.checkpoint import CheckpointError
from completion.model.codefill import CodeFill, KVCache
from completion.model.hub_config import CodeFillConfig
from completion.model.reading import Reader
from completion.model.tokenizer import Tokenizer
from completion.spelling.vocabulary import TokenizerError

MAX_NEW_TOKENS = 64
"""What ``generate`` writes at most unless told; ``worker.MAX_TOKENS`` is the product's."""


@dataclass
class CodeFillOutput(CausalLMOutputWithPast):
    """``logits`` (B, T, V) of the next value, ``type_logits`` (B, T, K) of the next AST type."""

    type_logits: Tensor | None = None


class _NetworkCache(KVCache):
    """The cache of transformers as the network sees it: it appends, and knows its length."""

    def __init__(self, cache: DynamicCache) -> None:
        nothing = torch.empty(0)
        super().__init__(nothing, nothing, nothing, cache.get_seq_length())
        self._cache = cache

    def note(self, ids: Tensor) -> None:
        """Nothing: the model keeps ids in a layer of their own and always tells what is before."""

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Hand a layer's new keys and values on; all of them come back."""
        joined: tuple[Tensor, Tensor] = self._cache.update(keys, values, layer)
        return joined


class CodeFillForCausalLM(PreTrainedModel, GenerationMixin):
    """The network under the names of transformers."""

    config_class = CodeFillConfig
    config: CodeFillConfig
    main_input_name = "input_ids"
    _supports_sdpa = True
    _no_split_modules = ["Block"]  # noqa: RUF012 - as transformers declares it

    def __init__(self, config: CodeFillConfig) -> None:
        if config.states_sha256 != checkpoint.states_digest():
            raise CheckpointError("the model was trained with other syntactic states")
        super().__init__(config)
        self.network = CodeFill(config.network)
        # One row per token: its length, its bytes, zeros. A buffer, so that it is saved and loaded.
        self.vocabulary: Tensor
        shape = (config.values, 1 + config.longest_token)
        self.register_buffer("vocabulary", torch.zeros(shape, dtype=torch.uint8))
        self._reader: Reader | None = None
        self.register_load_state_dict_post_hook(_forget_reader)  # type: ignore[no-untyped-call]
        self.post_init()  # type: ignore[no-untyped-call]
        self.generation_config = GenerationConfig(
            max_new_tokens=MAX_NEW_TOKENS,
            pad_token_id=config.pad_token_id,
            eos_token_id=config.eos_token_id,
        )

    @classmethod
    def of(cls, network: CodeFill, tokenizer: Tokenizer, types: Sequence[str] = ()) -> Self:
        """Wrap a network; its weights are taken as they are, not copied.

        Raises ValueError where the tokenizer is another network's.
        """
        if tokenizer.size != network.config.values:
            raise ValueError(
                f"{tokenizer.size} tokens for a network of {network.config.values}: "
                "the tokenizer belongs to another model"
            )
        with torch.device("meta"):
            model = cls(CodeFillConfig.of(network.config, tokenizer, types))
        model.network = network
        device = network.norm.device
        model.vocabulary = _packed(tokenizer.token_bytes, model.config.longest_token).to(device)
        model.config.dtype = network.norm.dtype
        model.eval()  # type: ignore[no-untyped-call]
        return model

    @classmethod
    def from_checkpoint(
        cls,
        folder: Path | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> Self:
        """The model of a folder as ``checkpoint.load`` reads and verifies it; the shipped one.

        Raises CheckpointError.
        """
        loaded = checkpoint.load(folder, device, dtype)
        model = cls.of(loaded.model, loaded.tokenizer, loaded.types)
        model.requires_grad_(requires_grad=True)
        return model

    @classmethod
    def from_pretrained(  # type: ignore[override]  # lists no options: they pass through
        cls,
        pretrained_model_name_or_path: str | Path,
        *arguments: Any,  # noqa: ANN401
        output_loading_info: bool = False,
        **options: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401 - with ``output_loading_info`` a pair
        """As in transformers, but nothing is loaded that does not fit.

        Raises CheckpointError where weights are damaged, missing or of another shape, and where
        the folder's tokenizer is not the one that the weights were trained with; OSError where
        there is no model; ValueError for a bad configuration.
        """
        place = pretrained_model_name_or_path
        load: Any = super().from_pretrained
        try:
            model, info = load(place, *arguments, output_loading_info=True, **options)
        except CheckpointError:
            raise
        except safetensors.SafetensorError as error:
            raise CheckpointError(f"the weights in {place} are damaged: {error}") from error
        except (MemoryError, RuntimeError) as error:
            if checkpoint.out_of_memory(error):
                raise CheckpointError(f"not enough memory to load {place}") from error
            raise _unfit(place, str(error)) from error
        wrong = sorted({*info["missing_keys"], *info["unexpected_keys"]})
        if wrong:
            raise _unfit(place, ", ".join(wrong))
        model.check_tokenizer(Path(place))
        return (model, info) if output_loading_info else model

    def check_tokenizer(self, folder: Path) -> None:
        """Raise CheckpointError where the folder has a tokenizer, and not this model's."""
        path = folder / checkpoint.TOKENIZER
        if not path.is_file():
            return
        try:
            tokenizer = Tokenizer.load(path)
        except TokenizerError as error:
            raise CheckpointError(str(error)) from error
        if tokenizer.size != self.config.values:
            raise CheckpointError(
                f"{path}: {tokenizer.size} tokens for a network of {self.config.values}"
            )
        if tokenizer.token_bytes != _unpacked(self.vocabulary):
            raise CheckpointError(f"{path} is the tokenizer of another model")

    def inputs_of(self, ids: Tensor, first: int = 0) -> dict[str, Tensor]:
        """(B, S) token ids to the network's inputs (B, S - first) by name, from ``first`` on.

        Padding gets zeros; ``Reader.inputs`` makes the rest.
        """
        pad = self.config.pad_token_id
        rows = []
        for row in ids.tolist():
            tokens = [token for token in row if token != pad]
            known = first - row[:first].count(pad)
            rows.append(self.reader.inputs(tokens, known))
        real = ids[:, first:] != pad
        found: dict[str, Tensor] = {}
        for name in rows[0]:
            flat = [number for row in rows for number in row[name]]
            numbers = torch.tensor(flat, dtype=torch.int64, device=ids.device)
            found[name] = numbers.new_zeros((*real.shape, *numbers.shape[1:]))
            found[name][real] = numbers
        return found

    @property
    def reader(self) -> Reader:
        """What turns ids into inputs. Raises ValueError where the model knows no tokens."""
        if self._reader is None:
            token_bytes = _unpacked(self.vocabulary)
            if not any(token_bytes):
                raise ValueError(
                    "the model does not know the bytes of its tokens: "
                    "load it with from_pretrained or from_checkpoint"
                )
            self._reader = Reader(token_bytes, self.config.sentinels)
        return self._reader

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        cache: DynamicCache | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        return_dict: bool | None = None,
        **options: Any,  # noqa: ANN401 - what the loss takes
    ) -> CodeFillOutput | tuple[Tensor, ...]:
        """Predict what follows each token.

        input_ids: (B, T), the tokens that are not in ``cache``. attention_mask: (B, T) or (B, S),
        0 for padding; the pad token is padding in any case. labels: (B, T) token ids, -100 where
        nothing is learnt; they are shifted here. logits_to_keep: only of so many last tokens, 0
        for all. Raises ValueError where the tokens do not fit, and for a cache of another kind.
        """
        if cache is None and (use_cache or (use_cache is None and not self.training)):
            cache = DynamicCache()
        before = self._cached_ids(cache, input_ids)
        first = before.shape[1]
        ids = torch.cat((before, self._masked(input_ids, attention_mask)), dim=1)
        positions, mask = self._places(ids, first)
        hidden = self.network.trunk(
            **self.inputs_of(ids, first),
            positions=positions,
            mask=mask,
            cache=None if cache is None else _NetworkCache(cache),
        )
        if cache is not None:
            self._keep_ids(cache, ids[:, first:])
        found = self.network.heads(hidden[:, -logits_to_keep:])
        loss = None
        if labels is not None:
            loss = self.loss_function(
                found.value_logits, labels, vocab_size=self.config.values, **options
            )
        output = CodeFillOutput(
            loss=loss, logits=found.value_logits, cache=cache, type_logits=found.type_logits
        )
        as_tuple: tuple[Tensor, ...] = output.to_tuple()
        return as_tuple if return_dict is False else output

    def _cached_ids(self, cache: DynamicCache | None, like: Tensor) -> Tensor:
        """(B, S - T) the ids whose keys and values the cache holds."""
        if cache is None:
            return like[:, :0]
        if not isinstance(cache, DynamicCache):
            raise ValueError(f"CodeFill works with a DynamicCache, not a {type(cache).__name__}")
        if not cache.get_seq_length():
            return like[:, :0]
        if len(cache.layers) != self.config.layers + 1:
            raise ValueError("the cache was filled by another model: it holds no token ids")
        held = cache.layers[-1]
        assert isinstance(held, DynamicLayer)
        assert held.keys is not None
        return held.keys[:, 0, :, 0]

    def _keep_ids(self, cache: DynamicCache, ids: Tensor) -> None:
        """Append (B, T) ids to the layer behind the network's own."""
        while len(cache.layers) <= self.config.layers:
            cache.layers.append(DynamicLayer())
        column = ids[:, None, :, None]
        cache.layers[self.config.layers].update(column, column)

    def _masked(self, ids: Tensor, attention_mask: Tensor | None) -> Tensor:
        """``ids`` with the pad token wherever the mask says that there is nothing."""
        if attention_mask is None:
            return ids
        if attention_mask.dim() != 2 or attention_mask.shape[1] < ids.shape[1]:
            raise ValueError("attention_mask must be (rows, tokens), as long as input_ids")
        hidden = attention_mask[:, -ids.shape[1] :] == 0
        return ids.masked_fill(hidden, self.config.pad_token_id)

    def _places(self, ids: Tensor, first: int) -> tuple[Tensor | None, Tensor | None]:
        """(B, T) positions and (B, 1, T, S) what may be attended to; None without padding.

        Padding attends to itself alone: something must be, or the softmax has nothing to sum.
        """
        real = ids != self.config.pad_token_id
        if bool(real.all()):
            return None, None
        length = ids.shape[1]
        causal = torch.ones(length, length, dtype=torch.bool, device=ids.device).tril()
        itself = torch.eye(length, dtype=torch.bool, device=ids.device)
        mask = (causal & real[:, None, :]) | itself
        positions = (real.cumsum(dim=1) - 1).clamp(min=0)
        return positions[:, first:], mask[:, None, first:]

    def get_input_embeddings(self) -> nn.Module:
        """The value embedding, which is the output embedding too."""
        return self.network.value_embedding

    def resize_token_embeddings(self, *_: object, **__: object) -> NoReturn:
        """Refused: every token is known by its bytes."""
        raise ValueError("CodeFill's vocabulary is its tokenizer's and cannot be resized")

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """What was not loaded becomes what a new network has; tables that are not saved, too."""
        if isinstance(module, CodeFill):
            fresh = CodeFill(module.config)
            for name, value in (*fresh.named_parameters(), *fresh.named_buffers()):
                owner, _, last = name.rpartition(".")
                initialization.copy_(getattr(module.get_submodule(owner), last), value)
        elif module is self:
            initialization.zeros_(self.vocabulary)


def _unfit(place: str | Path, what: str) -> CheckpointError:
    why = " ".join(what.split())  # torch writes several lines
    return CheckpointError(f"the weights in {place} do not fit its configuration: {why}")


def _packed(token_bytes: Sequence[bytes], longest: int) -> Tensor:
    """(V, 1 + longest) uint8: the length of each token, then its bytes."""
    rows = [bytes((len(data),)) + data.ljust(longest, b"\0") for data in token_bytes]
    return torch.frombuffer(bytearray(b"".join(rows)), dtype=torch.uint8).view(len(rows), -1)


def _unpacked(vocabulary: Tensor) -> list[bytes]:
    rows = vocabulary.cpu().numpy()
    return [row[1 : 1 + row[0]].tobytes() for row in rows]


def _forget_reader(model: nn.Module, _: object) -> None:
    """Other weights may bring another vocabulary."""
    assert isinstance(model, CodeFillForCausalLM)
    model._reader = None


def register() -> None:
    """Make the Auto classes know CodeFill; importing this module does it."""
    AutoConfig.register(CodeFillConfig.model_type, CodeFillConfig, exist_ok=True)
    AutoModelForCausalLM.register(CodeFillConfig, CodeFillForCausalLM, exist_ok=True)


register()
