"""A model beside the shipped one, ready to be asked: vocabulary, family and network joined.

``decoding`` asks it as it asks the shipped model, through a ``CanonicalModel`` and a ``Layout``;
what differs is how a prompt becomes tokens (``families.py``, ``infilling.py``). The network reads
no syntactic states; the places of its tokens know them all the same, since the end of a statement
is seen by them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn

import torch

from completion.fim import Layout
from completion.model import families, loading
from completion.model.adapter import AdapterError
from completion.model.causal import CausalNetwork, NetworkError
from completion.model.checkpoint import TOKENIZER
from completion.model.families import Backoff, Family, Hole, Mark
from completion.model.infilling import files_of, fitted, room_in
from completion.model.registry import Entry
from completion.model.types import START, State, advance
from completion.request import Prompt
from completion.spelling.vocabulary import Spelling, Vocabulary
from completion.tree import CanonicalModel, Place

BLIND = "no family is known for its vocabulary: it does not see what follows the cursor"
NO_STATE = 0
"""The state id of every token: the network reads none."""


class Content:
    """A vocabulary as the rest of the completion asks a tokenizer; ``end`` is one of the ends."""

    def __init__(self, vocabulary: Vocabulary, ends: Sequence[int]) -> None:
        self.size = vocabulary.size
        self.token_bytes = vocabulary.token_bytes
        self.spelling: Spelling = vocabulary.spelling
        self.encode = vocabulary.encode
        self.decode_bytes = vocabulary.decode_bytes
        self.end = ends[0]

    def pretokens(self, text: str) -> list[tuple[int, int]]:
        """All of the text: where a pre-token ends may depend on what follows it."""
        return [(0, len(text.encode()))] if text else []


@dataclass(frozen=True, slots=True)
class Manner:
    """How a model is asked. ``blank``: its tokenizer puts a blank in front of texts.

    ``ends`` are the ids that end the middle; ``warnings`` what a person should know of it.
    """

    vocabulary: Vocabulary
    family: Family
    ends: tuple[int, ...]
    blank: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Guest:
    """A loaded model and how it is asked."""

    model: CanonicalModel
    manner: Manner
    loaded: loading.LoadedCausal
    name: str = ""
    revision: str = ""
    backoff: Backoff = Backoff.LINE

    def lay_out(self, prompt: Prompt, path: str, last: str | None) -> tuple[Layout, str]:
        """The prompt's tokens, and what to hand in as ``last`` with the session's next prompt.

        Raises TokenizerError for text that the vocabulary would change.
        """
        vocabulary, family = self.manner.vocabulary, self.manner.family
        hole = Hole(prompt.prefix, prompt.suffix, path, files_of(prompt.header))
        hole = fitted(vocabulary, hole, room_in(self.loaded.network.window), last or "")
        composed = families.compose(
            family, vocabulary, hole, blank=self.manner.blank, backoff=self.backoff
        )
        text = composed.text.encode()
        ids = vocabulary.encode(composed.text)
        count, covered = self.model.rules.settled(text, 0, ids)
        trunk = (*composed.ids, *ids[:count])
        tail = text[covered:]
        if not trunk:  # nothing stands before the text: the model begins with what it ends with
            trunk = (self.manner.ends[0],)
        written = hole.prefix.encode()
        layout = Layout(
            values=trunk,
            states=(NO_STATE,) * len(trunk),
            place=Place(
                trunk[-1],
                self.model.rules.follow_all(ids[:count]),
                _syntax(written[: max(len(written) - len(tail), 0)]),
            ),
            tail=tail,
            before=hole.prefix,
            suffix=hole.suffix,
        )
        return layout, hole.prefix

    def adapted(self, folder: Path) -> NoReturn:  # noqa: ARG002
        """Raises AdapterError: what adapters change are the shipped model's matrices."""
        raise AdapterError("adapters belong to the shipped model, and another is in use")

    def facts(self) -> dict[str, Any]:
        """For ``info``: which model it is, how it is asked, and what is not as wished."""
        network = self.loaded.network
        return {
            "device": str(network.device),
            "dtype": str(network.dtype).removeprefix("torch."),
            "parameters": self.loaded.parameters,
            "model": self.name,
            "family": self.manner.family.name,
            "revision": self.revision,
            "notes": [*self.manner.warnings, *self.loaded.notes],
        }

    def on_processor(self) -> Guest:
        """The same model off the GPU."""
        cpu = torch.device("cpu")
        model: Any = self.loaded.network.model
        network = CausalNetwork(
            model.to(cpu, loading.best_dtype(cpu)), self.loaded.network.vocabulary
        )
        loaded = replace(self.loaded, network=network)
        return replace(self, model=self.model.over(network), loaded=loaded)


def _syntax(text: bytes) -> State:
    """The syntactic state behind a text that begins with a line."""
    line = text.rfind(b"\n") + 1
    return advance(_above(text[:line]), text[line:])[0]


@lru_cache(maxsize=8)
def _above(lines: bytes) -> State:
    return advance(START, lines)[0]


def manner(folder: Path, name: str = "", family: str = "") -> Manner:
    """How the model in ``folder`` is asked; ``name`` is the one it has on the hub.

    ``family`` is one to take in place of the one that is found. Raises TokenizerError where its
    tokenizer cannot be exact, NetworkError where a file is damaged, ValueError for a family that
    nobody knows or that the vocabulary does not fit.
    """
    vocabulary = Vocabulary.load(folder)
    config = _json(folder / loading.CONFIG)
    hint = f"{name} {folder.name} {config.get('_name_or_path', '')} {config.get('model_type', '')}"
    found = families.named(family) if family else families.detect(vocabulary.added, hint)
    if family and not found.fits(vocabulary.added, found.hint):
        raise ValueError(f"the vocabulary in {folder} has not all the sentinels of {family}")
    generation = _json(folder / "generation_config.json", missing=True)
    named = [*_ids(config.get("eos_token_id")), *_ids(generation.get("eos_token_id"))]
    ends = found.ends(vocabulary.added, (one for one in named if one < vocabulary.size))
    if not ends:
        raise NetworkError(f"{folder} does not say which token ends a text")
    warnings: tuple[str, ...] = ()
    if not found.infills:
        found = replace(found, begin=_begin(folder))
        warnings = (BLIND,)
    return Manner(vocabulary, found, ends, _puts_blank(folder), warnings)


def open_guest(
    folder: Path,
    asked: Manner,
    *,
    device: str = "auto",
    remote_code: bool = False,
    eight_bits: bool = False,
) -> Guest:
    """Load the model in ``folder``. Raises NetworkError, and TokenizerError for some patterns."""
    size = asked.vocabulary.size
    loaded = loading.load(
        folder, size, device=device, trust_remote_code=remote_code, eight_bits=eight_bits
    )
    content: Any = Content(asked.vocabulary, asked.ends)  # all of a Tokenizer but its sentinels
    return Guest(CanonicalModel(loaded.network, content, asked.ends), asked, loaded)


def installed(entry: Entry, device: str) -> Guest:
    """The model of the registry's entry. Raises as ``manner`` and ``open_guest`` do."""
    asked = manner(entry.path, entry.name, entry.family)
    found = open_guest(
        entry.path,
        asked,
        device=device,
        remote_code=entry.remote_code,
        eight_bits=entry.eight_bits,
    )
    return replace(found, name=entry.name, revision=entry.revision)


def _ids(given: object) -> list[int]:
    several = given if isinstance(given, list) else [given]
    return [one for one in several if type(one) is int and one >= 0]


def _begin(folder: Path) -> Mark | None:
    """What the tokenizer puts in front of every text."""
    processor = _json(folder / TOKENIZER).get("post_processor") or {}
    for one in (processor, *processor.get("processors", ())):
        for piece in one.get("single", ())[:1]:
            if "SpecialToken" in piece:
                return Mark(str(piece["SpecialToken"]["id"]))
    return None


def _puts_blank(folder: Path) -> bool:
    """Whether the tokenizer puts a blank in front of texts, as SentencePiece does.

    Of a byte-level one ``add_prefix_space`` says so.
    """
    raw = _json(folder / TOKENIZER)
    parts = [raw.get("normalizer") or {}, raw.get("pre_tokenizer") or {}]
    parts += [one for part in parts for one in part.get("normalizers", ())]
    parts += [one for part in parts[:2] for one in part.get("pretokenizers", ())]
    return any(
        part.get("type") == "Prepend"
        or (part.get("type") == "ByteLevel" and part.get("add_prefix_space", False))
        or (part.get("type") == "Metaspace" and part.get("prepend_scheme", "always") != "never")
        for part in parts
    )


def _json(path: Path, *, missing: bool = False) -> dict[str, Any]:
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if missing:
            return {}
        raise NetworkError(f"there is no {path.name} in {path.parent}") from error
    except (OSError, ValueError) as error:
        raise NetworkError(f"{path} is damaged: {error}") from error
    if not isinstance(raw, dict):
        raise NetworkError(f"{path} is damaged: it holds no object")
    return raw
