"""The rules on two real vocabularies, against full re-encoding."""

from __future__ import annotations

from pathlib import Path

import pytest

from completion.spelling.vocabulary import TokenizerError
from evaluation.bytes import gguf
from evaluation.bytes.vocabularies import files_in, measure, opened

FOLDER = Path(__file__).resolve().parents[1] / "data" / "tokenizers"
CODE = b'def f(self, x):\n    """It\'s naive."""\n    return self.path[0] + 12345  # why\n\n'


@pytest.mark.parametrize("path", files_in(FOLDER), ids=lambda path: path.stem)
def test_no_split_is_judged_wrongly(path: Path) -> None:
    done: list[None] = []
    row = measure(path, {("here", "a.py"): CODE * 20}, 400, 30, 5, lambda: done.append(None))
    assert (row.splits, row.disagree, len(done)) == (400, 0, 400)
    assert 100 < row.canonical < 390  # both answers are asked for
    assert 0 <= row.stable < 1
    assert row.nodes_mean >= 0


def test_two_are_there() -> None:
    assert [path.stem for path in files_in(FOLDER)] == ["gpt-2", "llama-spm"]


def test_they_are_what_they_are_called() -> None:
    gpt2 = opened(FOLDER / "gpt-2.gguf")
    assert [gpt2.token_bytes[one] for one in gpt2.encode("print('hello world')")] == [
        b"print", b"('", b"hello", b" world", b"')",
    ]  # fmt: skip
    llama = opened(FOLDER / "llama-spm.gguf")
    assert [llama.token_bytes[one] for one in llama.encode(" hello\n")] == [b" hello", b"\n"]


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.gguf"
    path.write_bytes(b"GGML" + bytes(64))
    with pytest.raises(TokenizerError, match="is no GGUF file"):
        gguf.tokenizer(path)
