"""What imports, exports and base classes mean in JavaScript and TypeScript."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from indexing.index import Snapshot
from indexing.javascript_modules import JavaScriptModules, relaxed_json
from indexing.resolve import Target

Opened = Callable[[Mapping[str, str]], Snapshot]

SOURCES = {
    "src/client.ts": (
        "export class Base { close() {} }\n"
        "export class Client<T> extends Base { send() {} }\n"
        "export default function connect() {}\n"
        "function hidden() {}\n"
        "export { hidden as shown }\n"
    ),
    "src/index.ts": (
        "export * from './client.js';\n"
        "export { default as connect } from './client';\n"
        "export * as client from './client';\n"
        "export const VERSION = '1';\n"
    ),
    "src/view.tsx": "export const View = () => <p/>;\n",
    "lib/old.js": "class Old { run() {} }\nmodule.exports = Old;\n",
    "lib/parts.js": (
        "function one() {}\nmodule.exports = { one, two: one, three() {} };\nexports.four = 4;\n"
    ),
    "lib/again.js": "module.exports = require('./parts');\n",
    "lib/shared/index.js": "exports.util = function () {};\n",
    "types/ambient.d.ts": "export interface Options { deep: boolean }\n",
    "python/client.py": "class Client: ...\n",
}


def bound(snapshot: Snapshot, path: str, name: str) -> tuple[str | None, str]:
    target = snapshot.bindings(path)[name]
    return target.path, target.qualname


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("import { Client as x } from './src/client'", ("src/client.ts", "Client")),
        ("import type { Client as x } from './src/client.js'", ("src/client.ts", "Client")),
        ("import { Client as x } from './src'", ("src/client.ts", "Client")),
        ("import { connect as x } from './src/index'", ("src/client.ts", "connect")),
        ("import x from './src/client'", ("src/client.ts", "connect")),
        ("import { shown as x } from './src/client'", ("src/client.ts", "hidden")),
        ("import * as x from './src/client'", ("src/client.ts", "")),
        ("import { client as x } from './src'", ("src/client.ts", "")),
        ("import { View as x } from './src/view.jsx'", ("src/view.tsx", "View")),
        ("import { Options as x } from './types/ambient'", ("types/ambient.d.ts", "Options")),
        ("import { missing as x } from './src/client'", ("src/client.ts", "missing")),
        ("import { Client as x } from './src/none'", (None, "Client")),
        ("import { Client as x } from './python/client'", (None, "Client")),
        ("import { Client as x } from '../outside'", (None, "Client")),
        ("import x from 'react'", (None, "default")),
        ("import * as x from 'react'", (None, "")),
        ("import x from './lib/old'", ("lib/old.js", "Old")),
        ("import x from './lib/parts'", ("lib/parts.js", "")),
        ("import x = require('./lib/old')", ("lib/old.js", "Old")),
        ("const x = require('./lib/old')", ("lib/old.js", "Old")),
        ("const x = require('./lib/parts')", ("lib/parts.js", "")),
        ("const { two: x } = require('./lib/parts')", ("lib/parts.js", "one")),
        ("const x = require('./lib/parts').three", ("lib/parts.js", "three")),
        ("const { util: x } = require('./lib/shared')", ("lib/shared/index.js", "util")),
        ("const x = require('./lib/again')", ("lib/parts.js", "")),
        ("const { one: x } = require('./lib/again')", ("lib/parts.js", "one")),
    ],
)
def test_imports(opened: Opened, statement: str, expected: tuple[str | None, str]) -> None:
    snapshot = opened({**SOURCES, "main.ts": statement + ";\n"})
    assert bound(snapshot, "main.ts", "x") == expected


def test_a_python_file_finds_no_javascript_and_no_java(opened: Opened) -> None:
    files = {
        "helper.js": "export const a = 1;\n",
        "a/b/Helper.java": "package a.b; class Helper {}",
    }
    source = "import helper\nfrom helper import a as x\nfrom a.b import Helper as y\n"
    snapshot = opened({**files, "main.py": source})
    found = snapshot.bindings("main.py")
    assert {name: target.path for name, target in found.items()} == dict.fromkeys(
        ["helper", "x", "y"]
    )


def test_members_of_a_module_are_its_exports(opened: Opened) -> None:
    snapshot = opened(SOURCES)
    assert [m.name for m in snapshot.members(Target("src/client.ts", "", "src/client"))] == [
        "Base", "Client", "default", "shown",
    ]  # fmt: skip
    found = {m.name: m.path for m in snapshot.members(Target("src/index.ts", "", "src"))}
    assert set(found) == {"Base", "Client", "shown", "connect", "client", "VERSION"}
    assert found["Client"] == "src/client.ts"
    parts = {m.name for m in snapshot.members(Target("lib/parts.js", "", "lib/parts"))}
    assert parts == {"one", "two", "three", "four"}


def test_members_of_classes_and_objects(opened: Opened) -> None:
    source = "import { Client } from './src';\nclass Mine extends Client<string> { own() {} }\n"
    snapshot = opened({**SOURCES, "main.ts": source + "const api = { get() {}, n: 1 };\n"})
    mine = Target("main.ts", "Mine", "main")
    assert [(m.name, m.depth) for m in snapshot.members(mine)] == [
        ("own", 0), ("send", 1), ("close", 2),
    ]  # fmt: skip
    assert [t.qualname for t in snapshot.mro(mine)] == ["Mine", "Client", "Base"]
    assert [m.name for m in snapshot.members(Target("main.ts", "api", "main"))] == ["get", "n"]
    assert snapshot.expression("main.ts", "", "api.get") == Target("main.ts", "api.get", "main")


def test_cycles_of_re_exports_end(opened: Opened) -> None:
    files = {
        "a.ts": "export * from './b';\nexport { x as y } from './b';\n",
        "b.ts": "export * from './a';\nexport { y as x } from './a';\nexport const z = 1;\n",
    }
    snapshot = opened({**files, "main.ts": "import { x, z } from './a';\n"})
    assert bound(snapshot, "main.ts", "z") == ("b.ts", "z")
    assert bound(snapshot, "main.ts", "x")[1] in ("x", "y")
    assert {m.name for m in snapshot.members(Target("a.ts", "", "a"))} >= {"z"}


def find(root: Path, files: Mapping[str, str], specifier: str, importer: str) -> str | None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")
    sources = frozenset(path for path in files if not path.endswith(".json"))
    return JavaScriptModules(root, sources).find(specifier, importer)


@pytest.mark.parametrize(
    ("specifier", "expected"),
    [
        ("@app/user", "web/src/user.ts"),
        ("@app/models", "web/src/models/index.ts"),
        ("config", "web/src/settings.ts"),
        ("src/user", "web/src/user.ts"),
        ("user", None),
        ("@app/none", None),
    ],
)
def test_paths_of_the_nearest_configuration(
    tmp_path: Path, specifier: str, expected: str | None
) -> None:
    config = """{
      // comments, and "//" in a string
      "extends": "./base",
      "compilerOptions": { "paths": { "@app/*": ["./src/*"], "config": ["./src/settings"], }, },
    }"""
    files = {
        "tsconfig.json": '{"compilerOptions": {"baseUrl": "web/src"}}',
        "web/tsconfig.json": config,
        "web/base.json": '{"compilerOptions": {"baseUrl": "."}}',
        "web/src/user.ts": "",
        "web/src/models/index.ts": "",
        "web/src/settings.ts": "",
        "web/src/pages/home.tsx": "",
    }
    assert find(tmp_path, files, specifier, "web/src/pages/home.tsx") == expected


@pytest.mark.parametrize(
    ("specifier", "expected"),
    [
        ("@org/core", "packages/core/src/main.ts"),
        ("@org/core/extra", "packages/core/src/extra.ts"),
        ("plain", "packages/plain/index.js"),
        ("built", "packages/built/src/index.ts"),
        ("built/inner", "packages/built/src/inner.ts"),
        ("other", None),
    ],
)
def test_packages_of_the_workspace(tmp_path: Path, specifier: str, expected: str | None) -> None:
    exported = '{".": {"types": "./x.d.ts", "import": "./src/main.ts"}, "./*": "./src/*.ts"}'
    files = {
        "packages/core/package.json": f'{{"name": "@org/core", "exports": {exported}}}',
        "packages/core/src/main.ts": "",
        "packages/core/src/extra.ts": "",
        "packages/plain/package.json": '{"name": "plain"}',
        "packages/plain/index.js": "",
        "packages/built/package.json": '{"name": "built", "main": "dist/index.js"}',
        "packages/built/src/index.ts": "",
        "packages/built/src/inner.ts": "",
        "packages/broken/package.json": "{ not json",
        "packages/broken/a.ts": "",
    }
    assert find(tmp_path, files, specifier, "app/main.ts") == expected


def test_json_as_it_is_written_by_hand() -> None:
    text = '{"a": "// no", /* yes */ "b": [1, 2,], // end\n "c": ",}",}'
    assert relaxed_json(text) == {"a": "// no", "b": [1, 2], "c": ",}"}
    with pytest.raises(ValueError, match="Expecting"):
        relaxed_json("{a: 1}")
