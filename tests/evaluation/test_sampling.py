"""Which positions the ranker's samples are drawn from, beside APIEval's items."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation import samples
from evaluation.apieval import Source
from evaluation.items import Shape

FILES = {
    "one.py": """\
class One:
    def start(self):
        self.helper()
        return self.state
    def helper(self): ...
def make():
    return One()
def shared(): ...
value = make()
shared()
print(value)
""",
    "two.py": "from one import make\ndef shared(): ...\nmake()\nshared()\n",
}


@pytest.fixture
def source(tmp_path: Path) -> Source:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return Source("small", tmp_path)


def test_calls_of_what_only_their_own_file_defines(source: Source) -> None:
    found = list(samples.own_items(source, seed=1, count=9))
    assert {(each.shape, each.name, each.path) for each in found} == {
        (Shape.MEMBER, "helper", "one.py"),
        (Shape.BARE, "One", "one.py"),
        (Shape.BARE, "make", "one.py"),
    }
    assert all(
        FILES[each.path].encode()[each.offset :].startswith(each.name.encode()) for each in found
    )
    assert len(list(samples.own_items(source, seed=1, count=1))) == 2


def test_attributes_and_names_that_are_read(source: Source) -> None:
    found = list(samples.read_items(source, seed=1, count=9))
    assert {(each.shape, each.name) for each in found} == {
        (Shape.MEMBER, "state"),
        (Shape.BARE, "value"),
    }
    assert {each.receiver for each in found} == {samples.READ}
