"""A checkpoint as a folder that transformers reads: ``lancefill model export``.

The folder holds ``config.json``, ``generation_config.json``, ``model.safetensors``,
``tokenizer.json``, ``tokenizer_config.json`` and the model card as ``README.md``. It is written
beside its place and moved there as a whole, so that there is all of it or nothing.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

import torch
from transformers import PreTrainedTokenizerFast

from completion.model import checkpoint
from completion.model.checkpoint import CheckpointError
from completion.model.hub import CodeFillForCausalLM
from completion.model.tokenizer import CONTEXT, END, PAD, PREFIX, SUFFIX, Tokenizer

CARD = "README.md"

_HEAD = """---
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
tags: [code, python, fill-in-the-middle]
---
"""

_USE = """
## How to use it with transformers
Lancefill must be installed: its module registers the classes.

```python
import completion.model.hub
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder)
before, after = "import os\\n\\nprint(os.pa", "\\n"
prompt = tokenizer(f"<|suffix|>{after}<|prefix|>{before}", return_tensors="pt")
written = model.generate(**prompt)[0, prompt.input_ids.shape[1] :]
print(tokenizer.decode(written, skip_special_tokens=True))
```
Signatures from other files go in front, behind `<|context|>`.
"""


def fast_tokenizer(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """The tokenizer for transformers, which reads ``<|suffix|>`` and the like in a text as such.

    With ``split_special_tokens=True`` they are bytes like any others, as in the product.
    """
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.with_decoder(),
        pad_token=PAD,
        eos_token=END,
        extra_special_tokens=[CONTEXT, SUFFIX, PREFIX],
        model_input_names=["input_ids", "attention_mask"],
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def export(target: Path, folder: Path | None = None) -> Path:
    """Write the checkpoint in ``folder``, the shipped one unless told, to ``target``.

    The weights stay in bfloat16, as they are stored. Raises CheckpointError where the checkpoint
    cannot be read, ``target`` holds something or cannot be written.
    """
    if target.is_dir() and any(target.iterdir()):
        raise CheckpointError(f"{target} is not empty: nothing was written")
    model = CodeFillForCausalLM.from_checkpoint(folder, "cpu", torch.bfloat16)
    place = checkpoint.SHIPPED if folder is None else folder
    part: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        part.chmod(0o755)  # it is to be an ordinary folder
        _write(part, model, place)
        part.replace(target)  # an empty folder gives way
    except OSError as error:
        raise CheckpointError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)
    return target


def _write(folder: Path, model: CodeFillForCausalLM, source: Path) -> None:
    model.save_pretrained(folder)
    tokenizer = Tokenizer.load(source / checkpoint.TOKENIZER)
    fast_tokenizer(tokenizer).save_pretrained(folder)
    card = ""
    with suppress(FileNotFoundError):  # a checkpoint without a card is one all the same
        card = (source / checkpoint.CARD).read_text(encoding="utf-8")
    (folder / CARD).write_text(_HEAD + card + _USE, encoding="utf-8")
