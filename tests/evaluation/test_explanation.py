"""What is said to have reached the model process, held against what is sent to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import cast

import pytest

from completion.engine import Explanation
from completion.request import Ghost, GhostOptions, Known, Popup, Prompt, Reason, Request
from evaluation.explanation import prompt_text
from lsp_server import environment
from lsp_server.helpers import FolderHelpers, Library, Model

PROMPT = Prompt("# depot.py\nheader_line\n", "suffix_line\n", "prefix_line\n", ("depot.py",))
REQUEST = Request("m.py", b"x = 1\n" * 20, 97)
KNOWN = Known(("here_name",), {"receiver.name": ("member_name",)}, ("made_name",), ("fixed_name",))
OPTIONS = GhostOptions(73, "ngram_folder", "adapter_folder", {"likely_name": 0.125}, KNOWN)


def leaves(value: object) -> Iterator[str]:
    """Every name, text line and number in a JSON value."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield key
            yield from leaves(inner)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            yield from leaves(inner)
    else:
        yield from str(value).splitlines()


async def test_all_that_is_sent_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: dict[str, object] = {}

    async def overheard(
        _: FolderHelpers, method: str, request: Request, params: Mapping[str, object], left: float
    ) -> Reason:
        sent.update(params)
        raise TimeoutError

    monkeypatch.setattr(FolderHelpers, "_ask_model", overheard)
    nobody = cast("Library", None), cast("Model", None)
    found = environment.find(tmp_path, "", trusted=False)
    helpers = FolderHelpers(tmp_path, found, nobody[1], nobody[0])
    with pytest.raises(TimeoutError):
        await helpers.ghost(REQUEST, PROMPT, OPTIONS, 100)
    ghost = Ghost(None, prompt=PROMPT, asked=OPTIONS)
    told = prompt_text(Explanation(REQUEST, None, Popup(()), ghost))
    assert sent.pop("text") == REQUEST.text.decode()
    assert "the whole text of m.py" in told
    known = sent["known"]
    assert isinstance(known, dict)
    assert set(known) == {each.name for each in fields(Known)}
    for value in sent.values():
        for leaf in leaves(value):
            if leaf not in known:
                assert leaf in told
