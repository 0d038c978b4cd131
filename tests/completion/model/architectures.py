"""Tiny models with random weights, each of a real architecture; shared by the tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, PreTrainedModel

WINDOW = 128
_SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": WINDOW,
    "pad_token_id": 0,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
_OLD: dict[str, Any] = {
    "n_positions": WINDOW,
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
CONFIGS: dict[str, Callable[..., Any]] = {
    "qwen2": lambda **more: transformers.Qwen2Config(**_SHAPE | more),
    "starcoder2": lambda **more: transformers.Starcoder2Config(
        **_SHAPE | {"sliding_window": WINDOW} | more
    ),
    "llama": lambda **more: transformers.LlamaConfig(**_SHAPE | more),
    "gemma": lambda **more: transformers.GemmaConfig(**_SHAPE | more),
    "gemma2": lambda **more: transformers.Gemma2Config(
        **_SHAPE | {"query_pre_attn_scalar": 8, "sliding_window": WINDOW} | more
    ),
    "mistral": lambda **more: transformers.MistralConfig(
        **_SHAPE | {"sliding_window": WINDOW} | more
    ),
    "granite": lambda **more: transformers.GraniteConfig(**_SHAPE | {"logits_scaling": 3.0} | more),
    "gpt_bigcode": lambda **more: transformers.GPTBigCodeConfig(**_OLD | more),
    "stablelm": lambda **more: transformers.StableLmConfig(**_SHAPE | more),
    "gpt2": lambda **more: transformers.GPT2Config(**_OLD | more),
}
"""What the families of ``families.py`` are made of, by transformers' ``model_type``."""


def tiny(
    name: str, vocabulary: int, dtype: torch.dtype = torch.float32, **more: int
) -> PreTrainedModel:
    """A model of the architecture ``name`` whose weights are far from uniform."""
    torch.manual_seed(7)
    config = CONFIGS[name](vocab_size=vocabulary, **more)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config).to(dtype).eval()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.data.normal_(std=0.3)
    model.tie_weights()
    return model.requires_grad_(requires_grad=False)
