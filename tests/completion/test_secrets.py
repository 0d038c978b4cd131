"""What looks like a key or a token, and what of real code does not."""

from __future__ import annotations

import base64
import json
import random
import sysconfig
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from completion.secrets import MASK, holds_secret, is_random, masked, spans

SECRETS = [
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_" + "a1B2" * 9,
    "github_pat_11ABCDEFG0123456789_abc",
    "glpat-abcDEF123456_7890xyz",
    "xoxb-123456789012-abcdefABCDEF",
    "AIza" + "SyD-3" * 7,
    "sk_" + "live_4eC39HqLyjWDarjtT1zdp7dc",
    "sk-ant-api-abcdefghijklmnopqrstuv",
    "npm_" + "aB3d" * 9,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "q7Zr4XbVt9Jm2KpLw8Nc/3HdYsGf6TuEaR+5QxW1",
    "9f86d081884c7d659a2feaa0c55ad015",
    "2FD4E1C67A2D28FCED849EE1BB76E7391B93EB12",
]
HARMLESS = [
    "",
    "application/vnd.openxmlformats-officedocument",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    "0123456789abcdef0123456789abcdef",
    "00000000000000000000000000000000",
    "31415926535897932384626433832795028841971",
    "test_a_rather_long_name_of_a_function_2",
    "getElementById3WithALongCamelCaseName",
    "src/main/java/Com/Example/Project2/Application",
    "sk-learn",
    "deadbeef",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize(
    "code", ['key = "{}"', "f('{}', 1)", 'x = {{"Authorization": "Bearer {}"}}']
)
def test_secrets_are_masked(secret: str, code: str) -> None:
    assert masked(code.format(secret)) == code.format(MASK)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_written_or_counted_up_stays(text: str) -> None:
    assert masked(f'x = "{text}"') == f'x = "{text}"'


def test_names_are_no_literals() -> None:
    assert not holds_secret("aQ3rT9zXc7Vb2Nm5Lk8Jh4Gf = 1")
    assert holds_secret("x = 'aQ3rT9zXc7Vb2Nm5Lk8Jh4Gf'")
    assert holds_secret("x = 'aQ3rT9zXc7Vb2Nm5Lk8Jh4Gf")


def test_only_what_ends_behind_the_offset_counts() -> None:
    code = "x = 'AKIAIOSFODNN7EXAMPLE' + y"
    assert holds_secret(code, 10)
    assert not holds_secret(code, code.index("' +"))


def test_a_private_key_is_one_from_its_first_line() -> None:
    assert holds_secret('"""-----BEGIN RSA PRIVATE KEY-----')
    assert not holds_secret('"""-----BEGIN CERTIFICATE-----')


def test_random_keys_are_found() -> None:
    drawn = random.Random(0)
    keys = [drawn.randbytes(length) for length in (24, 32, 48) for _ in range(200)]
    assert all(is_random(key.hex()) for key in keys)
    found = [is_random(base64.b64encode(key).decode()) for key in keys]
    assert sum(found) >= 0.97 * len(found)


codes = st.lists(
    st.sampled_from([*SECRETS, *HARMLESS, "'", '"', "\\", " ", "=", "\n", "a", "."]), max_size=9
)


@given(codes.map("".join))
def test_what_is_masked_holds_none(code: str) -> None:
    once = masked(code)
    assert not holds_secret(once)
    assert holds_secret(code) is (once != code)


@given(codes.map("".join))
def test_spans_lie_apart(code: str) -> None:
    found = sorted(spans(code))
    ends = [end for _, end in found]
    assert all(end <= begin for end, (begin, _) in zip(ends, found[1:], strict=False))


def test_the_standard_library_holds_none_but_digests() -> None:
    """Its modules at the top level: some 50,000 literals, of which two are examples of digests."""
    folder = Path(sysconfig.get_path("stdlib"))
    hits = {}
    for file in sorted(folder.glob("*.py")):
        code = file.read_text("utf-8", errors="replace")
        if found := [code[begin:end] for begin, end in spans(code)]:
            hits[file.name] = found
    assert set(hits) <= {"hashlib.py", "secrets.py", "uuid.py"}, json.dumps(hits)
    assert sum(map(len, hits.values())) <= 4
