"""How each family is asked, piece by piece, and holes made to fit windows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from completion.model.families import (
    CODE_GEMMA,
    CODE_LLAMA,
    CODE_LLAMA_PSM,
    CODESTRAL,
    DEEPSEEK,
    FAMILIES,
    GRANITE,
    GRANITE4,
    MELLUM,
    PREFIX_ONLY,
    QWEN,
    STARCODER,
    STARCODER2,
    Backoff,
    Composed,
    Family,
    File,
    Hole,
    backed_off,
    compose,
    detect,
    named,
)
from completion.model.infilling import (
    PROMPT_TOKENS,
    beginning,
    ending,
    files_of,
    fitted,
    room_in,
)
from completion.model.prompt import format_context
from tests.completion.model.guests import sentinels


class Bytes:
    """A vocabulary of all bytes, and of sentinels behind them."""

    def __init__(self, *added: str) -> None:
        self.added = {text: 256 + index for index, text in enumerate(added)}
        self.token_bytes = [*(bytes((byte,)) for byte in range(256)), *[b""] * len(added)]

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def shown(self, prompt: Composed) -> str:
        """The ids as one reads them, then ``^`` and the text that is gone on with."""
        names = {token: text for text, token in self.added.items()}
        parts = [
            names[token].encode() if token in names else self.token_bytes[token]
            for token in prompt.ids
        ]
        return b"".join(parts).decode() + "^" + prompt.text


ALONE = Hole("a = 1\nb = fo", "(x)\n", "m.py")
BESIDE = Hole("a = 1\nb = fo", "(x)\n", "m.py", (File("k.py", "K = 2\n"), File("l.py", "L")), "re")
W = "\uff5c"


@pytest.mark.parametrize(
    ("family", "alone", "beside"),
    [
        (
            QWEN,
            "<|fim_prefix|>a = 1\n<|fim_suffix|>(x)\n<|fim_middle|>^b = fo",
            "<|repo_name|>re\n<|file_sep|>k.py\nK = 2\n<|file_sep|>l.py\nL\n<|file_sep|>m.py\n"
            "<|fim_prefix|>a = 1\n<|fim_suffix|>(x)\n<|fim_middle|>^b = fo",
        ),
        (
            STARCODER2,
            "<fim_prefix>a = 1\n<fim_suffix>(x)\n<fim_middle>^b = fo",
            "<repo_name>re<file_sep>k.py\nK = 2<file_sep>l.py\nL"
            "<fim_prefix>m.py\na = 1\n<fim_suffix>(x)\n<fim_middle>^b = fo",
        ),
        (
            STARCODER,
            "<fim_prefix>a = 1\n<fim_suffix>(x)\n<fim_middle>^b = fo",
            "<fim_prefix>a = 1\n<fim_suffix>(x)\n<fim_middle>^b = fo",
        ),
        (
            GRANITE,
            "<fim_prefix>a = 1\n<fim_suffix>(x)\n<fim_middle>^b = fo",
            "<fim_prefix>a = 1\n<fim_suffix>(x)\n<fim_middle>^b = fo",
        ),
        (
            MELLUM,
            "<filename>m.py\n<fim_suffix>(x)\n<fim_prefix>a = 1\n<fim_middle>^b = fo",
            "<filename>k.py\nK = 2<filename>l.py\nL<filename>m.py\n"
            "<fim_suffix>(x)\n<fim_prefix>a = 1\n<fim_middle>^b = fo",
        ),
        (
            CODE_LLAMA,
            "<s>▁<PRE>▁<SUF>(x)\n▁<MID>^ a = 1\nb = fo",
            "<s>▁<PRE>▁<SUF>(x)\n▁<MID>^ # k.py\nK = 2\n# l.py\nL\n# m.py\na = 1\nb = fo",
        ),
        (
            CODE_LLAMA_PSM,
            "<s>▁<PRE> a = 1\n▁<SUF>(x)\n▁<MID>^b = fo",
            "<s>▁<PRE> # k.py\nK = 2\n# l.py\nL\n# m.py\na = 1\n▁<SUF>(x)\n▁<MID>^b = fo",
        ),
        (
            DEEPSEEK,
            f"<{W}begin▁of▁sentence{W}><{W}fim▁begin{W}>a = 1\n<{W}fim▁hole{W}>(x)\n"
            f"<{W}fim▁end{W}>^b = fo",
            f"<{W}begin▁of▁sentence{W}><{W}fim▁begin{W}>#k.py\nK = 2\n#l.py\nL\n#m.py\na = 1\n"
            f"<{W}fim▁hole{W}>(x)\n<{W}fim▁end{W}>^b = fo",
        ),
        (
            CODESTRAL,
            "<s>[SUFFIX](x)\n[PREFIX]^ a = 1\nb = fo",
            "<s>[SUFFIX](x)\n[PREFIX]^ +++++ k.py\nK = 2\n+++++ l.py\nL\n+++++ m.py\na = 1\nb = fo",
        ),
        (
            CODE_GEMMA,
            "<bos><|fim_prefix|>a = 1\n<|fim_suffix|>(x)\n<|fim_middle|>^b = fo",
            "<bos>k.py\nK = 2<|file_separator|>l.py\nL<|file_separator|>m.py\n"
            "<|fim_prefix|>a = 1\n<|fim_suffix|>(x)\n<|fim_middle|>^b = fo",
        ),
        (
            GRANITE4,
            "<|fim_prefix|>a = 1\n<|fim_suffix|>(x)\n<|fim_middle|>^b = fo",
            "<|fim_prefix|>a = 1\n<|fim_suffix|>(x)\n<|fim_middle|>^b = fo",
        ),
        (PREFIX_ONLY, "^a = 1\nb = fo", "^# k.py\nK = 2\n# l.py\nL\n# m.py\na = 1\nb = fo"),
    ],
    ids=lambda value: value.name if isinstance(value, Family) else "",
)
def test_every_family_is_asked_as_it_was_trained(family: Family, alone: str, beside: str) -> None:
    encoder = Bytes(*sentinels(family))
    for hole, wanted in ((ALONE, alone), (BESIDE, beside)):
        found = compose(family, encoder, hole, blank=True)
        assert encoder.shown(found) == wanted
        assert found.above + found.text[found.lead :] == hole.prefix


def test_no_blank_where_the_tokenizer_puts_none() -> None:
    encoder = Bytes(*sentinels(CODESTRAL))
    assert (
        encoder.shown(compose(CODESTRAL, encoder, ALONE))
        == "<s>[SUFFIX](x)\n[PREFIX]^a = 1\nb = fo"
    )


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_text_cannot_forge_a_sentinel(family: Family, data: st.DataObject) -> None:
    encoder = Bytes(*sentinels(family))
    texts = st.lists(st.sampled_from([*encoder.added, "a", "\n", "é"]), max_size=5).map("".join)
    prefix, suffix, code = data.draw(texts), data.draw(texts), data.draw(texts)
    backoff = data.draw(st.sampled_from(Backoff))
    plain = compose(family, encoder, Hole("", "", "m.py", (File("k.py", "x"),)), backoff=backoff)
    found = compose(
        family, encoder, Hole(prefix, suffix, "m.py", (File("k.py", code),)), backoff=backoff
    )
    assert [one for one in found.ids if one > 255] == [one for one in plain.ids if one > 255]
    assert found.above + found.text[found.lead :] == prefix


@pytest.mark.parametrize(
    ("prefix", "line", "identifier"),
    [
        ("", "", ""),
        ("a = b.fo", "a = b.fo", "fo"),
        ("x\n    ab", "    ab", "ab"),
        ("x\rab.", "ab.", ""),
        ("x\n", "", ""),
        ("f(1a", "f(1a", "a"),
        ("größe", "größe", "größe"),
    ],
)
def test_back_off(prefix: str, line: str, identifier: str) -> None:
    assert prefix[backed_off(prefix, Backoff.LINE) :] == line
    assert prefix[backed_off(prefix, Backoff.IDENTIFIER) :] == identifier
    assert prefix[backed_off(prefix, Backoff.NONE) :] == ""


@pytest.mark.parametrize(
    ("family", "hint"),
    [
        (GRANITE, "ibm-granite/granite-3b-code-base"),
        (MELLUM, "JetBrains/Mellum-4b-base"),
        *((family, "") for family in FAMILIES if not family.hint and family is not CODE_LLAMA_PSM),
    ],
    ids=lambda value: value.name if isinstance(value, Family) else "",
)
def test_a_family_is_known_by_its_sentinels(family: Family, hint: str) -> None:
    assert detect(Bytes(*sentinels(family)).added, hint) is family


def test_code_llama_spells_its_sentinels_in_two_ways() -> None:
    encoder = Bytes("<s>", "</s>", "<PRE>", "<SUF>", "<MID>", "<EOT>")
    assert detect(encoder.added) is CODE_LLAMA
    assert encoder.shown(compose(CODE_LLAMA, encoder, ALONE)).startswith("<s><PRE><SUF>(x)\n<MID>^")
    assert encoder.added["<EOT>"] in CODE_LLAMA.ends(encoder.added)


def test_sentinels_end_the_middle() -> None:
    encoder = Bytes(*sentinels(QWEN))
    ends = QWEN.ends(encoder.added, [7])
    for name in ("<|endoftext|>", "<|file_sep|>", "<|fim_prefix|>", "<|im_end|>"):
        assert encoder.added[name] in ends
    assert (ends[0], ends[-1]) == (encoder.added["<|endoftext|>"], 7)


def test_a_family_that_the_vocabulary_does_not_fit() -> None:
    with pytest.raises(ValueError, match=r"no <\|fim_prefix\|>, which qwen2.5-coder needs"):
        compose(QWEN, Bytes(), ALONE)
    with pytest.raises(ValueError, match=r"there is no family x; there are: code-llama, "):
        named("x")
    assert named("mellum") is MELLUM


texts = st.text(st.sampled_from("ab é\n"), max_size=60)


@settings(deadline=None)
@given(texts, texts, st.lists(st.tuples(st.just("k.py"), texts), max_size=3), st.integers(24, 90))
def test_a_fitted_hole_fits_and_keeps_the_cursor(
    prefix: str, suffix: str, files: list[tuple[str, str]], room: int
) -> None:
    encoder = Bytes()
    hole = Hole(prefix, suffix, "m.py", tuple(File(*file) for file in files))
    found = fitted(encoder, hole, room)
    used = len((found.prefix + found.suffix).encode())
    used += sum(len((file.path + file.code).encode()) for file in found.files)
    assert used <= room
    assert prefix.endswith(found.prefix)
    assert suffix.startswith(found.suffix)
    assert [file.path for file in found.files] == [file.path for file in hole.files][
        : len(found.files)
    ]
    if len(prefix.encode()) <= room // 2:
        assert found.prefix == prefix
    if prefix:
        assert found.prefix or len(prefix[-1].encode()) > room // 4


def test_cut_texts_are_whole_lines_where_they_can_be() -> None:
    encoder = Bytes()
    assert beginning(encoder, "ab\ncd\nef", 7) == "ab\ncd\n"
    assert beginning(encoder, "abcdef", 4) == "abcd"
    assert beginning(encoder, "aé", 2) == "a"
    assert ending(encoder, "ab\ncd\nef", 4) == "ef"
    assert ending(encoder, "ab\ncd\nef", 7) == "cd\nef"
    assert ending(encoder, "abcdef\n", 3) == "ef\n"
    assert ending(encoder, "éa", 2) == "a"


def test_a_window_stays_while_lines_are_typed() -> None:
    encoder, room = Bytes(), 400
    code = "".join(f"line_{number} = {number}\n" for number in range(100))
    begins, last = [], ""
    for end in range(1000, 1100):
        before = code[:end]
        shown = before[-300:]
        shown = shown[shown.find("\n") + 1 :]  # the caller's own window, of whole lines
        last = fitted(encoder, Hole(shown, ""), room, last).prefix
        assert before.endswith(last)
        assert len(last) <= room
        begins.append(end - len(last))
    assert len(set(begins)) <= 3
    assert begins == sorted(begins)


def test_a_window_of_another_text_is_not_joined() -> None:
    hole = Hole("b = 2\nc = 3\nd", "")
    assert fitted(Bytes(), hole, 400, "a = 1\nb = 2\nc = 4\nd").prefix == hole.prefix
    assert fitted(Bytes(), hole, 400, "a = 1\nb = 2\nc = 3").prefix == "a = 1\n" + hole.prefix


@pytest.mark.parametrize(("window", "room"), [(128, 64), (1000, 808), (100_000, PROMPT_TOKENS)])
def test_room(window: int, room: int) -> None:
    assert room_in(window) == room


def test_files_of_a_header() -> None:
    header = format_context([("a.py", "def f()"), ("a.py", "class C"), ("b/c.py", "def g(x)")])
    assert files_of(header) == (File("a.py", "def f()\nclass C\n"), File("b/c.py", "def g(x)\n"))
    assert files_of("") == ()
