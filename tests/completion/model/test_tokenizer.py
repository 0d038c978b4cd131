"""The tokenizer: round trips, stable pre-tokens, specials that nobody can type."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from completion.model.tokenizer import PRETOKEN_PATTERN, SPECIALS, Tokenizer
from completion.spelling.vocabulary import TokenizerError
from training import bpe
from training.corpus import SourceFile

SOURCE = Path(bpe.__file__).read_text() * 3
LETTERS = "aZ_x1²é中\u0301\u2028\u00a0🙂.+(\"'# \n\r\t\x0c\x1c<|>"
CODE = st.text(st.sampled_from(LETTERS), max_size=30)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = tmp_path_factory.mktemp("bpe") / "tokenizer.json"
    bpe.train([SourceFile("p", "p/a.py", SOURCE)], path, size=400)
    return Tokenizer.load(path)


@given(text=st.one_of(CODE, st.text(max_size=30)))
def test_decoding_gives_the_bytes_back(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode_bytes(tokenizer.encode(text)) == text.encode()


@given(text=st.one_of(CODE, st.text(max_size=30)), data=st.data())
def test_all_pretokens_but_the_last_are_decided(
    tokenizer: Tokenizer, text: str, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(text)))
    assert set(tokenizer.pretokens(text[:cut])[:-1]) <= set(tokenizer.pretokens(text))


@given(text=st.one_of(CODE, st.text(max_size=30)))
def test_pretokens_cover_the_text_and_bound_the_tokens(tokenizer: Tokenizer, text: str) -> None:
    spans = tokenizer.pretokens(text)
    assert [span[0] for span in spans] == [0, *(span[1] for span in spans)][: len(spans)]
    assert (spans[-1][1] if spans else 0) == len(text.encode())
    data = text.encode()
    apart = [tokenizer.encode(data[begin:end].decode()) for begin, end in spans]
    assert tokenizer.encode(text) == [token for tokens in apart for token in tokens]


@given(text=CODE)
def test_pretokens_are_those_of_another_regex_engine(tokenizer: Tokenizer, text: str) -> None:
    pieces = [piece.encode() for piece in regex.findall(PRETOKEN_PATTERN, text)]
    data = text.encode()
    assert [data[begin:end] for begin, end in tokenizer.pretokens(text)] == pieces


def test_specials_come_first_and_cannot_be_typed(tokenizer: Tokenizer) -> None:
    assert [tokenizer.pad, tokenizer.end, tokenizer.context, tokenizer.suffix] == [0, 1, 2, 3]
    for special in SPECIALS:
        ids = tokenizer.encode(f"x {special} y")
        assert min(ids) >= len(SPECIALS)
        assert tokenizer.decode_bytes(ids) == f"x {special} y".encode()
    assert tokenizer.decode_bytes([tokenizer.end]) == b""


@settings(max_examples=40)
@given(word=st.text(st.sampled_from("abcdefgilmnoprstuz_"), min_size=1, max_size=12))
def test_merging_by_rank_is_encoding(tokenizer: Tokenizer, word: str) -> None:
    of_byte = {data: index for index, data in enumerate(tokenizer.token_bytes) if len(data) == 1}
    ids = [of_byte[bytes([byte])] for byte in word.encode()]
    while True:
        ranked = [
            (*tokenizer.merges[pair], index)
            for index, pair in enumerate(pairwise(ids))
            if pair in tokenizer.merges
        ]
        if not ranked:
            break
        lowest = min(rank for rank, _, _ in ranked)
        _, merged, index = next(entry for entry in ranked if entry[0] == lowest)
        ids[index : index + 2] = [merged]
    assert ids == tokenizer.encode(word)


def test_a_lone_surrogate_is_refused(tokenizer: Tokenizer) -> None:
    for refuse in (tokenizer.encode, tokenizer.pretokens):
        with pytest.raises(ValueError, match="surrogates"):
            refuse("a\ud800")


@pytest.mark.parametrize("content", ["", "{}", '{"model": {"type": "BPE"'])
def test_a_damaged_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(TokenizerError, match=r"tokenizer\.json"):
        Tokenizer.load(path)


def test_a_tokenizer_without_our_specials_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    bpe.train([SourceFile("p", "p/a.py", SOURCE)], path, size=300)
    path.write_text(path.read_text().replace("<|end|>", "<|fin|>"))
    with pytest.raises(TokenizerError, match="lacks"):
        Tokenizer.load(path)
