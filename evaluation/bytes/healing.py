"""transformers' ``token_healing`` on CodeFill as ``lancefill model export`` writes it.

``generate(token_healing=True)`` decodes the prompt without special tokens, strips it, encodes it
again, prunes the last token, and writes one in its place, with 10 added to the logits of all
tokens of the vocabulary that begin with the pruned one's text and 11 to that of the token itself.
Of a FIM prompt that leaves neither sentinel, so that suffix and prefix become one text, nor the
blanks at the cursor; and without a BOS token, which CodeFill does not have, it stops with a
TypeError. So it is given its best chance: ``heal_tokens`` gets the text before the cursor alone,
and a BOS token by name; what it stripped in front is put back, what it healed stands behind the
same header as everybody's prompt, and generation goes on there greedily. Text that then does not
begin with what is typed is no answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch

from completion.model.checkpoint import Loaded
from completion.model.codefill import CodeFill
from completion.model.tokenizer import PREFIX, Tokenizer
from evaluation.bytes.bench import Cursor

if TYPE_CHECKING:
    from evaluation.bytes.arms import Stop

TOKEN_HEALING = "token_healing"  # noqa: S105 - a name of transformers


class TransformersHealing:
    """The arm. It has no probabilities of its own."""

    name = TOKEN_HEALING

    def __init__(self, network: CodeFill, tokenizer: Tokenizer) -> None:
        from completion.model.hub import CodeFillForCausalLM
        from completion.model.hub_export import fast_tokenizer

        self._tokenizer = tokenizer
        self._model: Any = CodeFillForCausalLM.of(network, tokenizer)
        self._fast: Any = fast_tokenizer(tokenizer)
        self._fast.bos_token = PREFIX

    @classmethod
    def loaded(cls, model: Loaded) -> TransformersHealing:
        """The arm for a checkpoint."""
        return cls(model.model, model.tokenizer)

    def write(self, at: Cursor, stop: Stop, most_tokens: int) -> bytes | None:
        """The text behind the cursor; None where the healed prompt contradicts what is typed."""
        text = at.layout.before
        lead = text[: len(text) - len(text.lstrip())]
        healed = self.heal(text)
        begin = at.layout.values.index(self._tokenizer.prefix) + 1
        ids = [*at.layout.values[:begin], *self._tokenizer.encode(lead), *healed]
        typed = text.encode()
        before = lead.encode() + self._tokenizer.decode_bytes(healed)
        written = before + self._generate(
            ids, lambda more: stop((before + more)[len(typed) :]), most_tokens
        )
        return written[len(typed) :] if written.startswith(typed) else None

    def heal(self, text: str) -> list[int]:
        """What transformers makes of the text's tokens."""
        ids = torch.tensor([self._tokenizer.encode(text)])
        with torch.inference_mode():
            healed: list[int] = self._model.heal_tokens(ids, self._fast)[0].tolist()
        return healed

    def log_prob(self, at: Cursor, rest: bytes) -> None:  # noqa: ARG002 - it has none
        """None."""
        return

    def _generate(self, ids: list[int], stop: Callable[[bytes], bool], most: int) -> bytes:
        def enough(so_far: torch.Tensor, _: object, **__: object) -> torch.Tensor:
            more = self._tokenizer.decode_bytes(so_far[0, len(ids) :].tolist())
            return torch.tensor([stop(more)])

        with torch.inference_mode():
            prompt = torch.tensor([ids])
            found = self._model.generate(
                prompt, attention_mask=torch.ones_like(prompt), do_sample=False,
                max_new_tokens=most, stopping_criteria=[enough],
            )  # fmt: skip
        return self._tokenizer.decode_bytes(found[0, len(ids) :].tolist())
