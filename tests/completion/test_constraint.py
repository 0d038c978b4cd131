"""What may be written: the rule byte by byte, the same for whole vocabularies, and in decoding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from unittest import mock

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from completion import decoding
from completion.boundary import boundary
from completion.constraint import Constraint, Vocabulary, closed, constraint, vocabulary_of
from completion.decoding import Session, write
from completion.fim import lay_out
from completion.model.types import START, advance
from completion.request import NOTHING_FITS, Known, Prompt
from completion.rules import Rules
from completion.tree import CanonicalModel
from tests.completion.toys import Scripted, rooted_tree, toy_model, toy_tokenizer

NAMES = ("ab", "abc", "b_1", "größe", "_own", "__private")
RECEIVERS = {"self": ("a", "ab"), "self.a": ("b",), "mod": ("größe",)}

MERGES = [
    *[(b"a", b"b"), (b"ab", b"c"), (b" ", b"a"), (b" a", b"b"), (b"(", b")"), (b"b", b"_")],
    *[(b"s", b"e"), (b"l", b"f"), (b"se", b"lf"), (b"'", b")")],
]
TOKENIZER = toy_tokenizer(MERGES)
TOY = toy_model(TOKENIZER)


def held(before: str, here: Sequence[str] | None = NAMES, made: Sequence[str] = ()) -> Constraint:
    found = constraint(before, Known(here, RECEIVERS, made, ("self", "mod")))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("before", "written", "data", "allowed"),
    [
        ("x.", "", "a", True),
        ("x.", "", "ab", True),
        ("x.", "", "abcd", False),  # beyond every name
        ("x.", "", "ab(", True),  # leaves a whole name
        ("x.", "", "a(", False),  # leaves the beginning of one
        ("x.", "", "", False),  # nothing ends here
        ("x.ab", "", "", True),
        ("x.ab", "", "c", True),  # of two names, one the beginning of the other
        ("x.ab", "", "x", False),
        ("x.ab", "", ".anything", True),  # what follows is not known
        ("x.a", "b", ".c", True),
        ("x.b", "_", "1", True),
        ("x.gr", "", "ö", True),
        ("x.gr", "", "ü", False),
        ("x.", "", "_o", True),
        ("x.", "", "__p", True),
        ("x.", "", " ab", False),
        ("f(y).", "", "ab", True),  # whatever the receiver is
    ],
)
def test_at_the_cursor(before: str, written: str, data: str, allowed: bool) -> None:
    assert held(before).permits(written.encode(), data.encode()) is allowed


def test_inside_a_character() -> None:
    first, second = "ö".encode()[:1], "ö".encode()[1:]
    assert held("x.gr").permits(b"", first)
    assert held("x.gr").permits(first, second)
    assert not held("x.gr").permits(first, "ü".encode()[1:])


@pytest.mark.parametrize(
    ("before", "written", "data", "allowed"),
    [
        ("y = ", "self.", "ab", True),
        ("y = ", "self.", "x", False),
        ("y = ", "self.", "a.x", False),  # two dots in one token
        ("y = ", "self.", "a.b", True),
        ("y = ", "self", ".x", False),
        ("y = ", "", "self.x", False),
        ("y = ", "", "self.ab()", True),
        ("y = self", ".", "x", False),  # half of it typed
        ("y = f(", "mod.gr", "ad", False),
        ("y = ", "other.", "x", True),  # a receiver that nobody knows
        ("y = ", "other.self.", "x", True),  # another self
        ("y = ", "f().self.", "x", True),
        ("y = ", "[0].a.", "x", True),
        ("y = ", "myself.", "x", True),
        ("y = ", "1.", "x", True),
        ("y = ", "self..", "x", True),  # no code at all
        ("import ", "mod.", "x", True),  # modules that were not imported yet
        ("", "from mod.", "x", True),
        ("y = ", "", "'self.x", True),  # in a string that it opens
        ("y = ", "", "# self.x", True),
    ],
)
def test_behind_later_dots(before: str, written: str, data: str, allowed: bool) -> None:
    assert held(before, None).permits(written.encode(), data.encode()) is allowed


@pytest.mark.parametrize(
    ("before", "written", "kept"),
    [
        ("x.", "ab", "ab"),
        ("x.", "a", ""),
        ("x.", "grö", ""),
        ("x.", "", ""),
        ("x.", "ab(self.a", "ab(self.a"),
        ("y = ", "f(mod.g", "f(mod."),
    ],
)
def test_a_name_that_was_only_begun_is_taken_back(before: str, written: str, kept: str) -> None:
    assert held(before).whole(written.encode()) == kept.encode()


def test_where_attributes_are_made() -> None:
    making = held("    ", None, made=["self"])
    assert making.permits(b"self.", b"new")
    assert not making.permits(b"self.new = self.", b"new")
    assert not held("    ", None).permits(b"self.", b"new")


@pytest.mark.parametrize(
    ("before", "written", "allowed"),
    [
        ("q = [", "p.", True),  # ``for p in ps]`` may follow
        ("q = f(", "p.", True),
        ("q = f(a, ", "p.", False),  # no comprehension any more
        ("q = f(k=", "p.", False),
        ("q = a[", "p.", False),
        ("q = [f(a, ", "p.", True),
        ("q = map(", "lambda p: p.", True),
        ("q = map(lambda p: ", "p.", True),
        ("q = [a for p in ps if ", "p.", True),
        ("q = ", "1\np = Q()\np.", True),
        ("with f() as p: ", "p.", True),
        ("(p := f()) and ", "p.", True),
        ("q = ", "p.", False),
        ("q = [", "fixed.", False),
        ("q = [a for fixed in b if ", "fixed.", True),
        ("print('", "p.", True),
        ("q = 1  # ", "p.", True),
        ("", "print('p.", True),
        ("", "'p' + p.", False),
    ],
)
def test_a_receiver_that_may_be_another(before: str, written: str, allowed: bool) -> None:
    names = {"p": ("x",), "fixed": ("x",)}
    found = constraint(f"p = P()\n{before}", Known(None, names, (), ("fixed",)))
    assert found is not None
    assert found.permits(written.encode(), b"name") is allowed
    assert found.permits(written.encode(), b"x")


def test_in_strings_all_is_allowed_but_at_the_cursor() -> None:
    vocabulary = vocabulary_of(TOKENIZER)
    assert held("'", None).row(vocabulary, b"self.", code=False) is None
    assert held("f'{x.").row(vocabulary, b"", code=False) is not None


def test_nothing_known_is_no_constraint() -> None:
    assert constraint("x.", Known()) is None
    assert constraint("x.", Known(())) is not None


PIECES = st.sampled_from(["a", "b", "ab", ".", "self", "mod", "(", " ", "'", "ö", "\n", "=", "1"])
TOKENS = st.lists(st.lists(PIECES, max_size=4).map("".join), max_size=30)
TEXTS = st.lists(PIECES, max_size=6).map("".join)
SOME = st.sets(st.sampled_from([*NAMES, "a", "b"]))


@settings(deadline=None, max_examples=300)
@given(TOKENS, TEXTS, TEXTS, st.none() | SOME, st.dictionaries(st.sampled_from(
    ["self", "a", "self.a", "mod", "ab"]), SOME), st.sets(st.just("self")))  # fmt: skip
def test_a_row_is_the_rule_for_every_token(
    tokens: list[str],
    before: str,
    written: str,
    here: set[str] | None,
    receivers: dict[str, set[str]],
    made: set[str],
) -> None:
    """Twice: the second row may be a remembered one."""
    data = [token.encode() for token in tokens]
    known = Known(
        None if here is None else tuple(here),
        {receiver: tuple(names) for receiver, names in receivers.items()},
        tuple(made),
    )
    found = constraint(before, known)
    if found is None:
        return
    vocabulary = Vocabulary(data)
    for text in (written.encode(), b"", written.encode()):
        row = found.row(vocabulary, text)
        expected = [found.permits(text, one) for one in data]
        assert (np.ones(len(data), bool) if row is None else row).tolist() == expected


@settings(deadline=None, max_examples=300)
@given(TOKENS, TEXTS, st.integers(1, 4), st.none() | SOME)
def test_leaves_are_the_rule_for_what_stands_behind_the_cursor(
    tokens: list[str], before: str, overlap: int, here: set[str] | None
) -> None:
    data = [token.encode() for token in tokens]
    across = np.array([at for at, one in enumerate(data) if len(one) > overlap], dtype=np.int64)
    found = held(before, None if here is None else tuple(here))
    leaves = found.leaves(Vocabulary(data), across, overlap)
    expected = [found.permits(b"", data[at][overlap:]) for at in across.tolist()]
    assert (np.ones(len(across), bool) if leaves is None else leaves).tolist() == expected


# In decoding


@pytest.mark.parametrize("tail", [b"", b"a", b"ab", b"b"])
def test_the_boundary_is_renormalised_over_what_may_be_written(tail: bytes) -> None:
    """P(leaf | it may be written), leaves that began before the cursor too."""
    header = [TOKENIZER.prefix, *TOKENIZER.encode("x.")]
    tree, root = rooted_tree(TOY, header[:1], header[1:])
    every = boundary(tree, root, tail)
    syntax = advance(START, b"x." + tail)[0]
    rule = held("x." + tail.decode())
    kept = Rules(rule).leaves(every, TOKENIZER, syntax)
    assert kept is not None
    allowed = torch.tensor(
        [
            rule.permits(b"", TOKENIZER.token_bytes[token][every.overlap[node] :])
            for node, token in zip(every.nodes.tolist(), every.tokens.tolist(), strict=True)
        ]
    )
    possible = allowed & (every.log_probs > -math.inf)
    expected = every.log_probs.masked_fill(~allowed, -math.inf)
    expected = expected - expected.logsumexp(dim=0)
    assert possible.any()
    assert torch.equal(kept.log_probs > -math.inf, possible)
    assert torch.allclose(kept.log_probs[possible], expected[possible], atol=1e-12)
    assert float(kept.log_probs.exp().sum()) == pytest.approx(1)


TEXT_BEFORE = ["x.", "x.a", "x.ab", "y = ", "f(self.", "self.a."]


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(TEXT_BEFORE), st.booleans(), st.sets(st.sampled_from(NAMES)))
def test_no_byte_is_written_that_may_not_be(prefix: str, known: bool, names: set[str]) -> None:
    """A random network wants anything."""
    layout, _ = lay_out(TOY, Prompt("", "\n", prefix), None)
    rule = held(prefix, tuple(names) if known else None)
    raw = write(TOY, Session(TOY.cache()), layout, 12, lambda: False, rules=Rules(rule))
    text = raw.text.encode()
    strings = min((at for at in (text.find(quote) for quote in (b"'", b'"', b"#")) if at >= 0),
                  default=len(text))  # fmt: skip
    for at in range(strings):
        assert rule.permits(text[:at], text[at : at + 1])
    assert len(raw.log_probs) == raw.tokens


def scripted(prefix: str, middle: str, suffix: str, known: Known | None = None) -> tuple[str, str]:
    """What is written, and why it ends, by a model that wants to write ``middle``."""
    layout, _ = lay_out(TOY, Prompt("", suffix, prefix), None)
    behind = len(prefix.encode()) - len(layout.tail)
    count = len(layout.values) - len(TOKENIZER.encode(prefix[:behind]))
    script = [*layout.values[:count], *TOKENIZER.encode(prefix + middle)]
    model = CanonicalModel(Scripted(TOKENIZER, script), TOKENIZER)
    rules = Rules(constraint(prefix, known or Known()), closed(prefix, suffix))
    raw = write(model, Session(model.cache()), layout, 40, lambda: False, rules=rules)
    return raw.text, raw.stop


def test_a_member_that_exists_is_written() -> None:
    known = Known(("ab", "abc"), {"self": ("b",)})
    assert scripted("x.", "abc(self.b)", "\n", known) == ("abc(self.b)", "end")


def test_the_next_leaves_are_tried_behind_a_dead_end() -> None:
    """It wants "ac"; of "ab", the one member, it takes "a", which has no canonical way to go on."""
    dead = TOKENIZER.encode("a")
    assert dead[0] not in TOKENIZER.encode("ab")
    with mock.patch.object(decoding, "BRANCHES", 1):
        text, _ = scripted("x.", "ac", "\n", Known(("ab",)))
    assert text == "ab"


def test_where_no_member_fits_the_text_ends() -> None:
    assert scripted("x.zz", "z()", "\n", Known(("ab",))) == ("", NOTHING_FITS)
    assert scripted("x.", "ab()", "\n", Known(())) == ("", NOTHING_FITS)


def test_a_later_dot_behind_which_nothing_exists() -> None:
    known = Known(None, {"self": ("ü",), "mod": ()}, (), ("self", "mod"))
    text, stop = scripted("x = ", "ab(self.x)", "\n", known)
    assert not text.startswith("ab(self.x")
    assert stop in (NOTHING_FITS, "unsure", "length", "end", "line")


@pytest.mark.parametrize(
    ("prefix", "middle", "suffix", "text", "stop"),
    [
        ("f(", "ab)", ")\n", "ab", "closed"),
        ("f(", "ab) + f(a)", ")\n", "ab", "closed"),
        ("f(", "ab)", "\n", "ab)", "end"),  # nobody closes it
        ("f(", "ab()", ")\n", "ab()", "end"),  # a bracket of its own
        ("f([", "ab], a)", ")\n", "ab], a", "closed"),
        ("f(\n    ", "ab)", "\n)\n", "ab", "closed"),  # closed on a later line
        ("x = '", "ab')", "'\n", "ab", "closed"),
        ("f('", "ab')", "')\n", "ab", "closed"),
        ("f('", "ab')", "\n", "ab')", "end"),
        ("f('", "ab')", ", 'c')\n", "ab')", "end"),  # that quote opens another string
        ("x = \"", "it's", "\"\n", "it's", "end"),
        ("x = ", "ab", "'\n", "ab", "end"),
    ],
)  # fmt: skip
def test_what_the_suffix_closes_is_not_closed_twice(
    prefix: str, middle: str, suffix: str, text: str, stop: str
) -> None:
    assert scripted(prefix, middle, suffix) == (text, stop)
