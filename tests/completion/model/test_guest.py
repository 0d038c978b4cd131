"""A model beside the shipped one, asked through the same decoding."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from completion.decoding import Session, score_names, write
from completion.fim import Layout
from completion.model import guest, loading
from completion.model.adapter import AdapterError
from completion.model.causal import NetworkError
from completion.model.families import CODESTRAL, MELLUM, QWEN, Family
from completion.model.guest import BLIND, Guest, installed, manner, open_guest
from completion.model.infilling import room_in
from completion.model.registry import Entry
from completion.request import Prompt
from completion.spelling.vocabulary import TokenizerError
from completion.tree import Place
from tests.completion.model.guests import WINDOW, byte_level, save_guest

torch.set_num_threads(1)

HERE = loading.best_dtype(torch.device("cpu"))
"""What models are loaded in on the machine that runs this."""

PROMPT = Prompt("# b.py\ndef f(x)\n", ")\n", "import os\nself.fo")


def never() -> bool:
    return False


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_guest(tmp_path_factory.mktemp("qwen"))


@pytest.fixture(scope="module")
def opened(qwen: Path) -> Guest:
    return open_guest(qwen, manner(qwen), device="cpu")


@pytest.fixture(scope="module")
def codestral(tmp_path_factory: pytest.TempPathFactory) -> Guest:
    folder = save_guest(tmp_path_factory.mktemp("codestral"), CODESTRAL, "mistral")
    return open_guest(folder, manner(folder), device="cpu")


def spelled(model: Guest, layout: Layout) -> str:
    """The prompt as one reads it, sentinels by name, then ``^`` and the open tail."""
    names = {token: text for text, token in model.manner.vocabulary.added.items()}
    table = model.model.tokenizer.token_bytes
    parts = [names[one].encode() if one in names else table[one] for one in layout.values]
    return b"".join(parts).decode() + "^" + layout.tail.decode()


def test_the_prompt_is_the_familys(opened: Guest, codestral: Guest) -> None:
    layout, _ = opened.lay_out(PROMPT, "a.py", None)
    assert spelled(opened, layout).replace("^", "") == (
        "<|repo_name|>repository\n<|file_sep|>b.py\ndef f(x)\n<|file_sep|>a.py\n"
        "<|fim_prefix|>import os\n<|fim_suffix|>)\n<|fim_middle|>self.fo"
    )
    assert layout.tail == b"fo"
    layout, _ = codestral.lay_out(PROMPT, "a.py", None)
    assert spelled(codestral, layout).replace("^", "") == (
        "<s>[SUFFIX])\n[PREFIX]+++++ b.py\ndef f(x)\n+++++ a.py\nimport os\nself.fo"
    )


@pytest.mark.parametrize(
    "prefix", ["", "\n", "é", "a = (", "    ", "x\n  se", "a" * 40, "<|fim_middle|>"]
)
def test_any_prefix_can_be_gone_on_with(opened: Guest, codestral: Guest, prefix: str) -> None:
    for one in (opened, codestral):
        session = Session(one.model.cache())
        layout, session.anchor = one.lay_out(Prompt("", "", prefix), "", None)
        assert spelled(one, layout).replace("^", "").endswith(prefix.rpartition("\n")[2])
        raw = write(one.model, session, layout, 6, never)
        assert 1 <= raw.tokens <= 6
        again, _ = one.lay_out(Prompt("", "", prefix), "", session.anchor)
        repeated = write(one.model, session, again, 6, never)
        assert repeated.text == raw.text
        assert repeated.reused >= len(layout.values) - 1


def uncached(model: Guest, ids: list[int], place: Place) -> Tensor:
    """(V,) log-probabilities behind ``ids``, computed afresh by the model itself."""
    logits = model.loaded.network.model(input_ids=torch.tensor([ids]), use_cache=False).logits
    row = logits[0, -1, : model.manner.vocabulary.size].float()
    row[model.model._barred_at(place)] = -torch.inf
    return row.log_softmax(dim=-1)


def test_names_are_scored_as_their_covers_are_one_by_one(opened: Guest) -> None:
    """P(name and then no identifier byte) by every canonical spelling, without tree or cache."""
    layout, _ = opened.lay_out(PROMPT, "a.py", None)
    names = ["foo", "fob"]
    with torch.inference_mode():
        found = score_names(
            opened.model, Session(opened.model.cache()), layout, [n[2:] for n in names], never
        )
        whole = _mass(opened, list(layout.values), layout.place, b"fo", None)
        for name, score in zip(names, found, strict=True):
            mass = _mass(opened, list(layout.values), layout.place, name.encode(), b"")
            assert score == pytest.approx(math.log(mass / whole), abs=1e-3)


def _mass(model: Guest, ids: list[int], place: Place, text: bytes, ended: bytes | None) -> float:
    """The probability that ``text`` comes, with ``ended`` behind it a byte that ends a name."""
    row = uncached(model, ids, place).exp()
    total = 0.0
    for token, data in enumerate(model.model.tokenizer.token_bytes):
        share = float(row[token])
        if not share:
            continue
        if not text:
            behind = data[:1]
            name_goes_on = behind.isalnum() or behind == b"_" or behind >= b"\x80"
            total += share * (not name_goes_on if data else token in model.model.ends)
        elif data.startswith(text) and (len(data) > len(text) or ended is None):
            behind = data[len(text) : len(text) + 1]
            goes_on = behind.isalnum() or behind == b"_" or behind >= b"\x80"
            total += share * (ended is None or not goes_on)
        elif data and text.startswith(data):
            following, _ = model.model.follow(place, token)
            total += share * _mass(model, [*ids, token], following, text[len(data) :], ended)
    return total


def test_typing_keeps_the_cache(opened: Guest) -> None:
    session = Session(opened.model.cache())
    reused = []
    for typed in range(6):
        prompt = Prompt(PROMPT.header, PROMPT.suffix, "import os\nx = " + "self.foo"[:typed])
        layout, session.anchor = opened.lay_out(prompt, "a.py", session.anchor)
        reused.append((write(opened.model, session, layout, 3, never).reused, len(layout.values)))
    assert all(again >= count - 3 for again, count in reused[1:])


def test_long_texts_are_cut_and_the_cursor_stays(opened: Guest) -> None:
    prompt = Prompt("# b.py\n" + "def f(x)\n" * 500, "y = 1\n" * 500, "x = 1\n" * 900 + "self.fo")
    layout, kept = opened.lay_out(prompt, "a.py", None)
    assert len(layout.values) + len(layout.tail) <= room_in(WINDOW) + 40  # sentinels and names
    assert spelled(opened, layout).endswith("self.^fo")
    assert kept.endswith("x = 1\nself.fo")
    raw = write(opened.model, Session(opened.model.cache()), layout, 8, never)
    assert raw.tokens


def test_several_tokens_end_the_middle(opened: Guest) -> None:
    added = opened.manner.vocabulary.added
    assert {added["<|endoftext|>"], added["<|file_sep|>"], added["<|im_end|>"]} <= set(
        opened.model.ends
    )
    barred = opened.model._barred_at(Place(0))
    assert not barred[list(opened.model.ends)].any()
    logits = torch.full((1, 32), 0.1, dtype=HERE)
    row = opened.model.log_probs(logits, [Place(opened.model.ends[0])])
    assert torch.isfinite(row[0, list(opened.model.ends)]).all()


def test_facts_and_adapters(qwen: Path) -> None:
    found = installed(Entry("mine", str(qwen), "", "abc"), "cpu")
    facts = found.facts()
    assert (facts["model"], facts["family"], facts["revision"]) == ("mine", "qwen2.5-coder", "abc")
    assert (facts["device"], facts["dtype"], facts["notes"]) == (
        "cpu",
        str(HERE).removeprefix("torch."),
        [],
    )
    with pytest.raises(AdapterError, match="belong to the shipped model"):
        found.adapted(qwen)


def test_off_the_gpu_it_says_the_same(opened: Guest) -> None:
    moved = opened.on_processor()
    layout, _ = opened.lay_out(PROMPT, "a.py", None)
    texts = [
        write(one.model, Session(one.model.cache()), layout, 5, never).text
        for one in (opened, moved)
    ]
    assert texts[0] == texts[1]


def test_a_vocabulary_that_nobody_knows(tmp_path: Path) -> None:
    tokenizer = byte_level(["<|endoftext|>"])
    folder = save_guest(tmp_path, QWEN, "gpt2", tokenizer)
    found = manner(folder)
    assert (found.family.name, found.warnings) == ("prefix-only", (BLIND,))
    layout, _ = open_guest(folder, found, device="cpu").lay_out(Prompt("", "x", ""), "", None)
    assert layout.values == (found.ends[0],)


def test_a_family_that_is_asked_for(qwen: Path, tmp_path: Path) -> None:
    folder = save_guest(tmp_path, MELLUM, "llama")
    assert manner(folder).family.name == "starcoder"
    assert manner(folder, "JetBrains/Mellum-4b-base").family is MELLUM
    assert manner(folder, "", "mellum").family is MELLUM
    with pytest.raises(ValueError, match="has not all the sentinels of mellum"):
        manner(qwen, "", "mellum")
    with pytest.raises(ValueError, match="there is no family nonsense"):
        manner(qwen, "", "nonsense")


@pytest.mark.parametrize(
    ("family", "described", "blank"),
    [
        (CODESTRAL, {"normalizer": {"type": "Prepend", "prepend": "▁"}}, True),
        (CODESTRAL, {"pre_tokenizer": {"type": "Metaspace", "prepend_scheme": "never"}}, False),
        (
            CODESTRAL,
            {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Metaspace"}]}},
            True,
        ),
        (QWEN, {}, False),
    ],
)
def test_whether_a_tokenizer_puts_a_blank_first(
    family: Family, described: dict[str, object], blank: bool, tmp_path: Path
) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps(described), encoding="utf-8")
    assert guest._puts_blank(tmp_path) is blank


def test_what_is_wrong_is_one_line(qwen: Path, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(TokenizerError, match=r"there is no tokenizer.json"):
        manner(tmp_path)
    byte_level([]).save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(NetworkError, match="does not say which token ends a text"):
        manner(tmp_path)
    for text in ("{", "[]"):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(NetworkError, match=r"config.json is damaged"):
            manner(tmp_path)
    other = json.loads((qwen / "tokenizer.json").read_text(encoding="utf-8"))
    other["model"] = {"type": "Unigram", "vocab": [], "unk_id": None}
    (tmp_path / "tokenizer.json").write_text(json.dumps(other), encoding="utf-8")
    with pytest.raises(TokenizerError, match="Unigram"):
        manner(tmp_path)
