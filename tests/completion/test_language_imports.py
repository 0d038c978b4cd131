"""The edits that import a name, and what a popup shows, in Java and TypeScript."""

from __future__ import annotations

from pathlib import Path

import pytest

from completion.languages import language_for
from completion.languages.javascript_imports import specifier
from completion.request import TextEdit
from indexing.symbols import Definition, FileSymbols, Kind, Parameter
from tests.completion.workspace import snapshot_of

JAVA = "import org.bank.Account;\n"
SCRIPT = 'import { Thing } from "./things";\n'


def edited(before: str, path: str, module: str, name: str, folder: Path) -> str:
    """The text with the import, after checking that it only inserts."""
    text = before.encode()
    snapshot = snapshot_of({}, folder)
    edit = language_for(path).import_edit(text, FileSymbols(), path, snapshot, module, name)
    assert isinstance(edit, TextEdit)
    assert edit.start == edit.end <= len(text)
    return (text[: edit.start] + edit.text.encode() + text[edit.end :]).decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", JAVA + "\n"),
        ("class A {}\n", JAVA + "\nclass A {}\n"),
        ("package a;\n\nclass A {}\n", "package a;\n\n" + JAVA + "\nclass A {}\n"),
        ("package a;\nclass A {}\n", "package a;\n\n" + JAVA + "\nclass A {}\n"),
        ("package a;", "package a;\n\n" + JAVA + "\n"),
        ("/* licence */\nclass A {}\n", "/* licence */\n" + JAVA + "\nclass A {}\n"),
        ("/** About A. */\nclass A {}\n", JAVA + "\n/** About A. */\nclass A {}\n"),
        ("import java.util.List;\n", "import java.util.List;\n" + JAVA),
        ("import org.zoo.Cow;\n", JAVA + "import org.zoo.Cow;\n"),
        (
            "import java.util.List;\nimport org.zoo.Cow;\n",
            "import java.util.List;\n" + JAVA + "import org.zoo.Cow;\n",
        ),
        (
            "import static a.B.c;\n\nimport java.util.List;",
            "import static a.B.c;\n\nimport java.util.List;\n" + JAVA,
        ),
        (
            "import a.B;\r\nclass A {}\r\n",
            "import a.B;\r\nimport org.bank.Account;\r\nclass A {}\r\n",
        ),
    ],
)
def test_java_placement(before: str, after: str, tmp_path: Path) -> None:
    assert edited(before, "A.java", "org.bank", "Account", tmp_path) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", SCRIPT),
        ("const x = 1;\n", SCRIPT + "\nconst x = 1;\n"),
        ("#!/usr/bin/env node\nf();\n", "#!/usr/bin/env node\n" + SCRIPT + "\nf();\n"),
        ('"use strict";\nf();\n', '"use strict";\n' + SCRIPT + "\nf();\n"),
        ('import a from "b";\nf();\n', 'import a from "b";\n' + SCRIPT + "f();\n"),
        ("import a from 'b'\nf()\n", "import a from 'b'\nimport { Thing } from './things'\nf()\n"),
        ('import a from "b";', 'import a from "b";\n' + SCRIPT),
        ('import { A } from "./things";\n', 'import { A, Thing } from "./things";\n'),
        ('import {A} from "./things";\n', 'import {A, Thing} from "./things";\n'),
        ('import D, { A } from "./things";\n', 'import D, { A, Thing } from "./things";\n'),
        ('import {} from "./things";\n', 'import { Thing } from "./things";\n'),
        (
            'import {\n  A,\n  B,\n} from "./things";\n',
            'import {\n  A,\n  B,\n  Thing,\n} from "./things";\n',
        ),
        (
            'import {\n  A,\n  B\n} from "./things";\n',
            'import {\n  A,\n  B,\n  Thing\n} from "./things";\n',
        ),
        ('import D from "./things";\n', 'import D from "./things";\n' + SCRIPT),
        ('import type { A } from "./things";\n', 'import type { A } from "./things";\n' + SCRIPT),
        (
            "const a = require('b')\nf()\n",
            "const a = require('b')\nconst { Thing } = require('./things')\nf()\n",
        ),
    ],
)
def test_script_placement(before: str, after: str, tmp_path: Path) -> None:
    assert edited(before, "a.ts", "./things", "Thing", tmp_path) == after


@pytest.mark.parametrize(
    ("module", "path", "spelled"),
    [
        ("src/a/b.ts", "src/a/c.ts", "./b"),
        ("src/b.tsx", "src/a/c.ts", "../b"),
        ("src/a/index.ts", "src/c.ts", "./a"),
        ("src/index.js", "src/c.ts", "."),
        ("src/a.d.ts", "src/c.ts", "./a"),
    ],
)
def test_specifiers(module: str, path: str, spelled: str, tmp_path: Path) -> None:
    assert specifier(module, path, snapshot_of({}, tmp_path)) == spelled


def definition(kind: Kind, **rest: object) -> Definition:
    return Definition("send", kind, "", (0, 0), (0, 0), **rest)  # type: ignore[arg-type]


MESSAGE = (Parameter("message", "Message"), Parameter("rest", "string", prefix="*"))


@pytest.mark.parametrize(
    ("path", "parameters", "text", "required"),
    [
        ("a.ts", MESSAGE, "(message: Message, ...rest: string): void", ["message"]),
        ("a.ts", (Parameter("a", "T", "undefined"),), "(a?: T): void", []),
        (
            "a.ts",
            (Parameter("a", None, "1"), Parameter("", "P")),
            "(a = 1, {}: P): void",
            ["options"],
        ),
        ("A.java", MESSAGE, "(Message message, string... rest): void", ["message"]),
    ],
)
def test_signatures(
    path: str, parameters: tuple[Parameter, ...], text: str, required: list[str]
) -> None:
    method = definition(Kind.METHOD, parameters=parameters, returns="void")
    assert language_for(path).signature(method) == text
    assert language_for(path).required(method) == required


@pytest.mark.parametrize("path", ["a.ts", "A.java"])
def test_signatures_of_the_rest(path: str) -> None:
    show = language_for(path).signature
    assert show(definition(Kind.ATTRIBUTE, annotation="User")) == ": User"
    assert show(definition(Kind.CLASS, bases=("A", "B<C>"))) == " extends A, B<C>"
    assert show(definition(Kind.CLASS)) == ""
