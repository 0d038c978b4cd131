"""Every family with the real vocabulary that is at hand, over its architecture with small weights.

StarCoder, DeepSeek-Coder, Qwen2 and Llama-2 are at hand. Qwen2.5-Coder gives names to ids that
Qwen2 keeps free, Code Llama adds its sentinels behind Llama-2's vocabulary: these are real ones.
Mellum and Granite share StarCoder's design but not its vocabulary, Codestral's is another one of
SentencePiece: for these the vocabulary stands in. CodeGemma's is not at hand.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from tokenizers import Tokenizer

from completion.decoding import Session, score_names, write
from completion.model.families import (
    CODE_LLAMA,
    CODESTRAL,
    DEEPSEEK,
    GRANITE,
    MELLUM,
    QWEN,
    STARCODER2,
    Backoff,
    Family,
    File,
    Hole,
    compose,
)
from completion.model.guest import Guest, manner, open_guest
from completion.request import Prompt
from completion.spelling.vocabulary import TokenizerError
from evaluation.bytes.gguf import tokenizer as real_tokenizer
from tests.completion.model.guests import save_guest

torch.set_num_threads(1)

QWEN_NAMES = {
    151659: "<|fim_prefix|>",
    151660: "<|fim_middle|>",
    151661: "<|fim_suffix|>",
    151662: "<|fim_pad|>",
    151663: "<|repo_name|>",
    151664: "<|file_sep|>",
}
LLAMA_NAMES = {32007: "▁<PRE>", 32008: "▁<SUF>", 32009: "▁<MID>", 32010: "▁<EOT>"}
CODESTRAL_NAMES = {32000: "[SUFFIX]", 32001: "[PREFIX]", 32002: "[MIDDLE]"}
STARCODER_NAMES = {5: "<filename>", 6: "<reponame>"}  # where StarCoder2 has other names


_ROOT = Path(__file__).resolve().parents[3]
FOLDERS = (_ROOT / "tests" / "data" / "tokenizers", _ROOT.parent / "shared" / "data" / "tokenizers")


class Case(NamedTuple):
    family: Family
    architecture: str
    file: str
    renamed: dict[int, str]
    name: str = ""


CASES = (
    Case(QWEN, "qwen2", "qwen2", QWEN_NAMES),
    Case(STARCODER2, "starcoder2", "starcoder", {}),
    Case(DEEPSEEK, "llama", "deepseek-coder", {}),
    Case(CODE_LLAMA, "llama", "llama-spm", LLAMA_NAMES),
    Case(CODESTRAL, "mistral", "llama-spm", CODESTRAL_NAMES),
    Case(MELLUM, "llama", "starcoder", STARCODER_NAMES, "mellum-4b"),
    Case(GRANITE, "gpt_bigcode", "starcoder", STARCODER_NAMES, "granite-20b-code"),
)
PREFIX = "import os\n\n\nclass Größe:\n    def öffnen(self):\n        return self.pa"
SUFFIX = "th + os.sep  # 日本 👍\n"
HEADER = "# b.py\ndef f(x)\n"


class Asked(NamedTuple):
    case: Case
    guest: Guest
    tokenizer: Tokenizer


def vocabulary_file(name: str) -> Path:
    """In the checkout or beside it; skips the test where it is in neither."""
    for folder in FOLDERS:
        if (path := folder / f"{name}.gguf").is_file():
            return path
    pytest.skip(f"{name}.gguf is not beside the checkout, in shared/data/tokenizers")


@pytest.fixture(scope="module", params=CASES, ids=lambda case: case.family.name)
def asked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Asked:
    case: Case = request.param
    tokenizer = real_tokenizer(vocabulary_file(case.file), case.renamed)
    folder = tmp_path_factory.mktemp(case.family.name) / "model"
    save_guest(folder, case.family, case.architecture, tokenizer)
    found = manner(folder, case.name)
    return Asked(case, open_guest(folder, found, device="cpu"), tokenizer)


def test_the_family_is_found_out(asked: Asked) -> None:
    assert asked.guest.manner.family is asked.case.family
    assert asked.guest.manner.warnings == ()
    for number, text in asked.case.renamed.items():
        assert asked.guest.manner.vocabulary.added[text] == number


@pytest.mark.parametrize("backoff", Backoff)
def test_ids_are_those_of_the_whole_prompt_written_with_sentinels(
    asked: Asked, backoff: Backoff
) -> None:
    """What the model's own tokenizer makes of the template as one string, sentinels and all."""
    vocabulary = asked.guest.manner.vocabulary
    hole = Hole(PREFIX, SUFFIX, "a.py", (File("b.py", "def f(x)\n"),), "repo")
    found = compose(
        asked.case.family, vocabulary, hole, blank=asked.guest.manner.blank, backoff=backoff
    )
    ids = [*found.ids, *vocabulary.encode(found.text)]
    assert vocabulary.decode_bytes(vocabulary.encode(found.text)).decode() == found.text
    names = {number: text for text, number in vocabulary.added.items()}
    if asked.case.file == "llama-spm":
        return  # SentencePiece puts blanks behind sentinels, which the models were trained without
    parts: list[str] = []
    run: list[int] = []
    for one in [*found.ids, None]:
        if one is None or one in names:
            parts.append(vocabulary.decode_bytes(run).decode())
            run = []
            parts.append("" if one is None else names[one])
        else:
            run.append(one)
    text = "".join(parts) + found.text
    assert ids == asked.tokenizer.encode(text, add_special_tokens=False).ids


def test_it_writes_and_scores(asked: Asked) -> None:
    guest = asked.guest
    session = Session(guest.model.cache())
    layout, session.anchor = guest.lay_out(Prompt(HEADER, SUFFIX, PREFIX), "a.py", None)
    with torch.inference_mode():
        raw = write(guest.model, session, layout, 5, lambda: False)
        scores = score_names(guest.model, session, layout, ["th", "rent"], lambda: False)
    assert 1 <= raw.tokens <= 5
    assert all(score < 0 for score in scores)
    longer, _ = guest.lay_out(Prompt(HEADER, SUFFIX, PREFIX + "t"), "a.py", session.anchor)
    with torch.inference_mode():
        again = write(guest.model, session, longer, 5, lambda: False)
    assert again.reused >= len(layout.values) - 3  # what is typed on a line costs only itself


def test_users_cannot_write_sentinels(asked: Asked) -> None:
    guest = asked.guest
    plain, _ = guest.lay_out(Prompt("", "x", "y = "), "a.py", None)
    marks = [one for one in plain.values if not guest.model.tokenizer.token_bytes[one]]
    vocabulary = guest.manner.vocabulary
    for text in (
        one for one, number in vocabulary.added.items() if not vocabulary.token_bytes[number]
    ):
        forged = Prompt("", text, f"y = {text}")
        if asked.case.file == "llama-spm" and "▁" in text:
            with pytest.raises(TokenizerError, match=r"reads U\+2581 as a space"):
                guest.lay_out(forged, "a.py", None)
            continue
        layout, _ = guest.lay_out(forged, "a.py", None)
        assert marks == [one for one in layout.values if not guest.model.tokenizer.token_bytes[one]]
