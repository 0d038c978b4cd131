"""The network's configuration in the form that transformers stores: ``config.json``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Self

from transformers import PreTrainedConfig

from completion.model import checkpoint
from completion.model.codefill import Config
from completion.model.reading import Sentinels
from completion.model.tokenizer import Tokenizer

_OF_TRANSFORMERS = frozenset(
    (
        *(field.name for field in fields(PreTrainedConfig)),
        *("model_type", "torch_dtype", "name_or_path", "_name_or_path", "auto_map"),
        *("attn_implementation", "output_attentions", "num_labels"),
        *("quantization_config", "use_cache", "tie_word_embeddings"),
    )
)
"""Fields of ``config.json`` that are none of ours."""


class CodeFillConfig(PreTrainedConfig):
    """``codefill.Config`` field by field, and what the wrapper needs.

    ``longest_token`` is in bytes; ``type_names`` are the AST types that the type head predicts.
    Raises ValueError for a field that nobody knows, and where the shape is impossible.
    """

    model_type = "codefill"
    attribute_map = {  # noqa: RUF012 - transformers reads a dict
        "vocab_size": "values",
        "hidden_size": "width",
        "intermediate_size": "hidden",
        "num_hidden_layers": "layers",
        "num_attention_heads": "heads",
        "num_key_value_heads": "kv_heads",
        "max_position_embeddings": "max_positions",
    }
    keys_to_ignore_at_inference = ("cache", "type_logits")

    def __init__(
        self,
        *,
        longest_token: int = 32,
        type_names: Sequence[str] = (),
        pad_token_id: int = 0,
        eos_token_id: int = 1,
        bos_token_id: None = None,  # a prompt begins with a sentinel or with its text
        context_token_id: int = 2,
        suffix_token_id: int = 3,
        prefix_token_id: int = 4,
        states_sha256: str | None = None,
        **others: Any,  # noqa: ANN401 - the network's fields, and transformers'
    ) -> None:
        shape = {
            field.name: others.pop(field.name) for field in fields(Config) if field.name in others
        }
        unknown = sorted(set(others) - _OF_TRANSFORMERS)
        if unknown:
            raise ValueError(f"CodeFill's configuration has no field {', '.join(unknown)}")
        for name, value in checkpoint.config_of(shape).to_json().items():
            setattr(self, name, value)
        self.longest_token = longest_token
        self.type_names = list(type_names)
        self.pad_token_id, self.eos_token_id = pad_token_id, eos_token_id
        self.bos_token_id = bos_token_id
        self.context_token_id, self.suffix_token_id = context_token_id, suffix_token_id
        self.prefix_token_id = prefix_token_id
        self.states_sha256 = states_sha256 or checkpoint.states_digest()
        self.tie_word_embeddings = True
        super().__init__(**others)

    @classmethod
    def of(cls, network: Config, tokenizer: Tokenizer, types: Sequence[str] = ()) -> Self:
        """The configuration of a network that goes with a tokenizer."""
        shape: dict[str, Any] = network.to_json()
        return cls(
            **shape,
            longest_token=max(map(len, tokenizer.token_bytes)),
            type_names=types,
            pad_token_id=tokenizer.pad,
            eos_token_id=tokenizer.end,
            context_token_id=tokenizer.context,
            suffix_token_id=tokenizer.suffix,
            prefix_token_id=tokenizer.prefix,
        )

    @property
    def network(self) -> Config:
        """The network's own configuration."""
        return Config(**{field.name: getattr(self, field.name) for field in fields(Config)})

    @property
    def sentinels(self) -> Sentinels:
        """The ids of the special tokens."""
        return Sentinels(
            pad=self.pad_token_id,
            end=self.eos_token_id,
            context=self.context_token_id,
            suffix=self.suffix_token_id,
            prefix=self.prefix_token_id,
        )
