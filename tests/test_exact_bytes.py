"""The examples of docs/exact-bytes.md run, and give what the page says."""

from __future__ import annotations

import contextlib
import io
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from completion.behind import Behind
from tests.completion.model.guests import save_guest

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/exact-bytes.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is defined, and printed, after all examples have run in their order."""
    defined: dict[str, Any] = {"folder": save_guest(tmp_path_factory.mktemp("guest"))}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        for example in EXAMPLES:
            exec(compile(example, "docs/exact-bytes.md", "exec"), defined)
    return {**defined, "printed": printed.getvalue()}


def log_prob(here: Behind, prefix: str) -> float:
    """log P(the open end of a prompt | its trunk), by the cover tree."""
    there = Behind.of(here.model, prefix)
    assert there.layout.values == here.layout.values
    return there.boundary()[1].log_prob


def test_the_first_example_is_about_ten_lines() -> None:
    assert len(EXAMPLES) == 2
    assert len([line for line in EXAMPLES[0].splitlines() if line]) <= 11


def test_the_next_byte(names: dict[str, Any]) -> None:
    printed, said = names["printed"].splitlines()[0], names["following"]
    assert f"print(chr(following.argmax()))  # {printed}\n" in EXAMPLES[0]
    assert math.fsum(np.exp(said)) == pytest.approx(1, abs=1e-5)
    here = names["here"]
    expected = log_prob(here, "import os\nos.pat") - log_prob(here, "import os\nos.pa")
    assert said[ord("t")] == pytest.approx(expected, abs=1e-4)


def test_the_score_of_a_text(names: dict[str, Any]) -> None:
    here = names["here"]
    stream = here.stream()
    before = stream.log_prob
    for byte in b"th.join(":
        stream.push(byte)
    total = float(names["printed"].splitlines()[1])
    assert total == pytest.approx(stream.log_prob - before, abs=1e-4)
    assert -3 < total < 0  # the likeliest call there is


def test_what_was_drawn(names: dict[str, Any]) -> None:
    assert len(names["printed"].splitlines()) == 3
    assert names["printed"].splitlines()[2].startswith("b")


def test_the_likeliest_texts(names: dict[str, Any]) -> None:
    texts = [one.text for one in names["texts"]]
    assert texts[0] == b"th.join("
    assert len(set(texts)) == 5
    whole = float(names["printed"].splitlines()[1])
    assert names["texts"][0].log_prob <= whole + 1e-4  # a lower bound


def test_members_only(names: dict[str, Any]) -> None:
    found = [one.text for one in names["members"]]
    assert found
    word = re.compile(rb"\w*")
    assert {word.match(text).group() for text in found} <= {b"thsep", b"rdir"}  # type: ignore[union-attr]


def test_models_together(names: dict[str, Any]) -> None:
    assert math.fsum(np.exp(names["both"].next())) == pytest.approx(1, abs=1e-5)


def test_the_page_tells_no_figures() -> None:
    """They are in one place, where they are kept up to date."""
    assert not re.search(r"\d\s?(?:%|ms\b|milliseconds|percent)", PAGE)
