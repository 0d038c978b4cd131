"""Requests in plain words: what is found, in which order, and how it is answered."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from completion.request import ApiAnswer
from completion.retrieval import Retriever, ask
from indexing.build import build
from indexing.index import Index, Snapshot

FILES = {
    "bank/__init__.py": "from bank._accounts import Account\n",
    "bank/_accounts.py": '''
class Account:
    """Money that belongs to somebody."""

    def __init__(self, owner, limit=0): ...

    def deposit(self, amount):
        """Put money in. Never fails."""

    @classmethod
    def load(cls, path): ...

    @property
    def balance(self): ...

def _audit(account):
    """Check that nothing is missing."""

def close_old(accounts, *, before):
    """Deprecated: close what nobody uses."""
''',
    "bank/rates.py": '''
def compound(rate, years):
    """How much one coin becomes."""
''',
    "app.py": """
from bank import Account
from bank.rates import compound

def work():
    # Find out what the savings grow to
    grown = compound(0.03, 10)
    return grown
""",
    "tests/test_bank.py": "def test_deposit_money(): ...\n",
}


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    for name, text in FILES.items():
        file = tmp_path / "r" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    build(tmp_path / "r", tmp_path / "cache")
    return Index.open(tmp_path / "r", tmp_path / "cache").snapshot()


def names(snapshot: Snapshot, request: str, near: str = "") -> list[str]:
    return [answer.name for answer in ask(snapshot, request, 8, near)]


def first(snapshot: Snapshot, request: str, near: str = "") -> ApiAnswer:
    return ask(snapshot, request, 1, near)[0]


def test_by_documentation_by_name_and_by_comments_above_calls(snapshot: Snapshot) -> None:
    assert names(snapshot, "put money in")[0] == "bank._accounts.Account.deposit"
    assert names(snapshot, "deposits")[0] == "bank._accounts.Account.deposit"
    assert "bank.rates.compound" in names(snapshot, "what do savings grow to")
    assert names(snapshot, "zzz qqq") == []
    assert names(snapshot, "") == []


def test_what_is_named_comes_first(snapshot: Snapshot) -> None:
    assert names(snapshot, "use `compound` for the money of somebody")[0] == "bank.rates.compound"


def test_tests_private_and_deprecated_come_later(snapshot: Snapshot) -> None:
    found = names(snapshot, "deposit money")
    assert found.index("bank._accounts.Account.deposit") < found.index(
        "tests.test_bank.test_deposit_money"
    )


def test_every_clause_is_answered(snapshot: Snapshot) -> None:
    found = names(snapshot, "put money in and then check that nothing is missing")
    assert {"bank._accounts.Account.deposit", "bank._accounts._audit"} <= set(found)


def test_an_answer_is_ready_to_use(snapshot: Snapshot) -> None:
    answer = first(snapshot, "how much does one coin become")
    assert answer.signature == "compound(rate, years)"
    assert answer.documentation == "How much one coin becomes."
    assert answer.call == "compound(rate, years)"
    assert answer.imported == "from bank.rates import compound"
    assert answer.used == (("app.py", 7),)
    assert answer.path == "bank/rates.py"
    assert [each.text for each in answer.evidence if each.text]
    assert first(snapshot, "how much does one coin become", "app.py").imported == ""


def test_calls_of_methods_classes_and_properties(snapshot: Snapshot) -> None:
    assert first(snapshot, "put money in").call == "account.deposit(amount)"
    assert first(snapshot, "put money in").imported == "from bank import Account"
    assert first(snapshot, "money that belongs to somebody").call == "Account(owner)"
    assert first(snapshot, "`Account.load`").call == "Account.load(path)"
    assert first(snapshot, "`balance` of the account").call == "account.balance"


def test_open_buffers_count_and_hide_the_disk(tmp_path: Path, snapshot: Snapshot) -> None:
    index = Index.open(snapshot.root, tmp_path / "cache")
    index.update("bank/rates.py", b'def shrink(rate):\n    """How much one coin becomes."""\n')
    found = names(index.snapshot(), "how much does one coin become")
    assert "bank.rates.shrink" in found
    assert "bank.rates.compound" not in found


def test_a_second_question_reads_nothing_again(
    snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    Retriever(snapshot).close()
    read: list[int] = []
    monkeypatch.setattr(Snapshot, "read_by_id", lambda _self, file: read.append(file))
    with closing(Retriever(snapshot)) as again:
        assert again.search("put money in", 3)
    assert read == []


def test_answers_speak_their_own_language(tmp_path: Path) -> None:
    index = Index.open(tmp_path, tmp_path / "cache")
    index.update(
        "src/org/bank/Teller.java",
        b"package org.bank;\n/** Counts the coins. */\npublic class Teller {\n"
        b"  public Teller(String name) {}\n  public int countCoins(int limit) { return 0; }\n"
        b"  public static Teller open() { return null; }\n}\n",
    )
    index.update(
        "web/drawer.ts",
        b"export class CashDrawer {\n  /** Slides it out. */\n  slide(speed: number): void {}\n}\n",
    )
    found = index.snapshot()
    teller = first(found, "`Teller`")
    assert (teller.call, teller.imported) == ("new Teller(name)", "import org.bank.Teller;")
    assert first(found, "count the coins of `countCoins`").call == "teller.countCoins(limit)"
    assert first(found, "`Teller.open`").call == "Teller.open()"
    drawer = first(found, "slide it out")
    assert drawer.call == "cashDrawer.slide(speed)"
    assert drawer.imported == 'import { CashDrawer } from "./web/drawer";'
    assert drawer.signature == "slide(speed: number): void"
