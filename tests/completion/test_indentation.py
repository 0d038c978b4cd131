"""Ghost text in the file's own style: against text that was written in that style at once."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from completion.indentation import Style, restyled, style_of

UNITS = ("\t", "  ", "    ")
ENDS = ("\n", "\r\n")
Call = str | list["Call"]

calls: st.SearchStrategy[Call] = st.recursive(
    st.sampled_from(["a", "'b: {'", "naïve", "'🐍'"]),
    lambda inner: st.lists(inner, min_size=1, max_size=3),
    max_leaves=6,
)


def laid_out(call: Call, lead: str, unit: str) -> str:
    """A call whose arguments stand on lines of their own, one unit deeper each."""
    if isinstance(call, str):
        return call
    inner = lead + unit
    return "f(\n" + "".join(f"{inner}{laid_out(x, inner, unit)},\n" for x in call) + f"{lead})"


def above(unit: str, depth: int) -> str:
    """The file up to an assignment that stands ``depth`` blocks deep."""
    headers = "".join(f"{unit * at}if a:\n" for at in range(depth))
    return f"if b:\n{unit}pass\n{headers}{unit * depth}x = "


@given(
    calls,
    st.sampled_from([(u, m) for u in UNITS for m in UNITS if (u, m) != ("  ", "    ")]),
    st.integers(0, 3),
    st.sampled_from(ENDS),
    st.sampled_from(ENDS),
)
def test_what_is_written_in_another_style_is_shown_in_the_files(
    call: Call, units: tuple[str, str], depth: int, end: str, other_end: str
) -> None:
    unit, other = units
    lead = unit * depth
    written = laid_out(call, lead, other).replace("\n", other_end)
    prefix = above(unit, depth).replace("\n", end)
    wanted = laid_out(call, lead, unit).replace("\n", end)
    assert restyled(written, prefix, end) == wanted


@given(calls, st.sampled_from([("\t", "    "), ("    ", "\t")]), st.integers(0, 3))
def test_all_levels_may_be_in_the_other_style(
    call: Call, units: tuple[str, str], depth: int
) -> None:
    unit, other = units
    written = laid_out(call, other * depth, other)
    assert restyled(written, above(unit, depth), "\n") == laid_out(call, unit * depth, unit)


PIECES = ["a", "(", ")", "[", "]", ":", "{", "}", "'", '"""', "#", "é", ",", "\\"]
BLANKS = (" ", "\n", "\t", "    ", "  ", "\r\n", "\r", "if x:\n")
texts = st.lists(st.sampled_from((*PIECES, *BLANKS)), max_size=14).map("".join)


def without_blanks(text: str) -> list[str]:
    return [line.strip(" \t") for line in re.split(r"\r\n|\r|\n", text)]


@given(texts, texts, texts)
def test_nothing_but_indentation_and_line_ends_changes(text: str, prefix: str, suffix: str) -> None:
    assert without_blanks(restyled(text, prefix, suffix)) == without_blanks(text)


@given(texts, texts, texts)
def test_what_stands_there_stays(text: str, prefix: str, suffix: str) -> None:
    """The cursor's line keeps what was typed of it, and a line of code all of what is written."""
    if re.split(r"\r|\n", prefix)[-1].strip():
        first = re.split(r"\r|\n", text)[0]
        assert restyled(text, prefix, suffix).startswith(first)


@given(texts, st.sampled_from(ENDS))
def test_lines_end_as_the_files_do(text: str, end: str) -> None:
    shown = restyled(text, f"a = 1{end}b = ", end)
    assert set(re.findall(r"\r\n|\r|\n", shown)) <= {end}


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("", Style("", "")),
        ("x = 1", Style("", "")),
        ("if a:\n\tb\n", Style("\t", "\n")),
        ("if a:\r\n  b\r\n", Style("  ", "\r\n")),
        ("if a:\r  b\r", Style("  ", "\r")),
        ("if a:\n    b(\n            c)\n", Style("    ", "\n")),
        ("        b\n            c\n", Style("    ", "\n")),
        ("if a:\n    b\nif a:\n\tb\n  # c\n    d\r\n", Style("    ", "\n")),
        ("   a\n    b\n", Style("    ", "\n")),
    ],
)
def test_style(text: str, style: Style) -> None:
    assert style_of(text) == style


@pytest.mark.parametrize(
    ("prefix", "text", "shown"),
    [
        # in strings blanks mean something
        ("if a:\n\tb\nx = '''", "c\n    d\n'''", "c\n    d\n'''"),
        ("if a:\n\tb\nx = f'''{", "c\n    }\n    d'''", "c\n    }\n    d'''"),
        # a line on which nothing stands yet
        ("if a:\n\tb\nif c:\n\t", "d", "d"),
        ("if a:\n\tb\nif c:\n\t", "    d", "d"),
        ("if a:\n\tb\nif c:  # why:\n", "        d", "\td"),
        # lines of blanks are empty
        ("if a:\n    b\nx = ", "f(\n    a,\n    \n    b)", "f(\n    a,\n\n    b)"),
        # a comment after the bracket
        ("if a:\n\tb\nx = ", "f(  # g\n    a)", "f(  # g\n\ta)"),
        # nothing is indented in this file: whatever the model likes
        ("x = ", "f(\n\ta)", "f(\n\ta)"),
    ],
)
def test_one_line_after_the_other(prefix: str, text: str, shown: str) -> None:
    assert restyled(text, prefix, "\n") == shown
