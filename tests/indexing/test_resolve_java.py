"""What names mean in Java: packages, nested classes, static imports, inheritance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from indexing.index import Index, Snapshot
from indexing.resolve import Target

Opened = Callable[[Mapping[str, str]], Snapshot]

MODEL = "app/src/main/java/org/bank/model/"
SOURCES = {
    f"{MODEL}Account.java": (
        "package org.bank.model;\n"
        "public class Account extends Entity<Long> implements Named {\n"
        "  public static final int LIMIT = 1; public static Account of() { return null; }\n"
        "  public static class Builder { Account build() { return null; } }\n"
        "  long id; Account(long id) { this.id = id; }\n}\n"
        "class Hidden {}\n"
    ),
    f"{MODEL}Entity.java": "package org.bank.model;\nabstract class Entity<K> { K key() {} }\n",
    f"{MODEL}Named.java": "package org.bank.model;\ninterface Named { String name(); }\n",
    "app/src/test/java/org/bank/model/AccountTest.java": (
        "package org.bank.model;\nclass AccountTest {}\n"
    ),
    "odd/place/Loose.java": "package org.loose;\nclass Loose {}\nclass Friend {}\n",
    "other/java/org/bank/model/Wrong.java": "package com.elsewhere;\nclass Wrong {}\n",
}


@pytest.mark.parametrize(
    ("statement", "name", "expected"),
    [
        ("import org.bank.model.Account;", "Account", (f"{MODEL}Account.java", "Account")),
        ("import org.bank.model.*;", "Account", (f"{MODEL}Account.java", "Account")),
        ("import org.bank.model.*;", "Hidden", (f"{MODEL}Account.java", "Hidden")),
        ("import org.bank.model.Account.Builder;", "Builder",
         (f"{MODEL}Account.java", "Account.Builder")),
        ("import static org.bank.model.Account.LIMIT;", "LIMIT",
         (f"{MODEL}Account.java", "Account.LIMIT")),
        ("import static org.bank.model.Account.*;", "of", (f"{MODEL}Account.java", "Account.of")),
        ("import org.bank.model.Wrong;", "Wrong", (None, "Wrong")),
        ("import java.util.List;", "List", (None, "List")),
    ],
)  # fmt: skip
def test_imports(
    opened: Opened, statement: str, name: str, expected: tuple[str | None, str]
) -> None:
    path = "app/src/main/java/org/bank/Main.java"
    snapshot = opened({**SOURCES, path: f"package org.bank;\n{statement}\nclass Main {{}}\n"})
    target = snapshot.bindings(path)[name]
    assert (target.path, target.qualname) == expected
    assert snapshot.expression(path, "Main", name) == target


def test_the_package_is_visible_without_import(opened: Opened) -> None:
    snapshot = opened(SOURCES)
    found = snapshot.bindings("app/src/test/java/org/bank/model/AccountTest.java")
    assert set(found) == {"Account", "Hidden", "Entity", "Named", "AccountTest"}
    assert found["Entity"] == Target(f"{MODEL}Entity.java", "Entity", "org.bank.model")
    assert set(snapshot.bindings("odd/place/Loose.java")) == {"Loose", "Friend"}
    assert snapshot.expression(f"{MODEL}Account.java", "Account", "String") is None


def test_the_module_of_a_file_is_the_package_it_declares(opened: Opened) -> None:
    snapshot = opened({**SOURCES, "Script.java": "class Script {}"})
    assert snapshot.module_name(f"{MODEL}Account.java") == "org.bank.model"
    assert snapshot.module_name("other/java/org/bank/model/Wrong.java") == "com.elsewhere"
    assert snapshot.module_name("Script.java") == ""


def test_members_are_inherited_from_classes_and_interfaces(opened: Opened) -> None:
    snapshot = opened(SOURCES)
    account = Target(f"{MODEL}Account.java", "Account", "org.bank.model")
    assert [t.qualname for t in snapshot.mro(account)] == ["Account", "Entity", "Named"]
    members = {m.name: m.depth for m in snapshot.members(account)}
    assert (members["id"], members["key"], members["name"]) == (0, 1, 2)
    assert "Account" not in members
    constructor = snapshot.lookup(account, "__init__")
    assert constructor is not None
    definition = snapshot.definition(constructor)
    assert definition is not None
    assert [p.annotation for p in definition.parameters] == ["long"]


def test_a_package_that_changes_its_name_is_found_by_the_new_one(tmp_path: Path) -> None:
    index = Index.open(tmp_path, tmp_path / "cache")
    for path, text in SOURCES.items():
        index.update(path, text.encode())
    account, named = f"{MODEL}Account.java", f"{MODEL}Named.java"
    assert index.snapshot().bindings(account)["Named"].path == named
    index.update(named, b"package org.other;\ninterface Named { String name(); }\n")
    assert "Named" not in index.snapshot().bindings(account)
    assert index.snapshot().module_name(named) == "org.other"
