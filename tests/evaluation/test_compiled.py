"""Labels by the compilers of small Java and TypeScript repositories with known answers."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation import compiled, peers
from evaluation.apieval import Source
from evaluation.compiled import Call, byte_offset, read_call
from evaluation.items import ApiItem, Shape

JAVA = {
    "src/org/Shape.java": """\
package org;
public class Shape {
    public Shape next() { return this; }
    protected int area() { return 1; }
    public static Shape of(int size) { return new Shape(); }
}
""",
    "src/org/shapes/Circle.java": """\
package org.shapes;
import org.Shape;
import missing.library.Thing;
public class Circle extends Shape {
    private final Shape inner = new Shape();
    int local() { return 1; }
    void work(Shape given, Thing unknown) {
        String text = "grün 𝄞"; given.next();
        given.next()
            .next();
        inner.next(); local();
        this.area();
        Shape own = Shape.of(3);
        own.next();
        unknown.next();
        area(); text.length();
    }
}
""",
}
TYPESCRIPT = {
    "src/shape.ts": """\
export class Shape {
  next(): Shape { return this; }
}
export function make(): Shape { return new Shape(); }
""",
    "src/index.ts": 'export { make } from "./shape";\nexport * as shapes from "./shape";\n',
    "src/app.tsx": """\
import { make, shapes } from "./index";
import { unknown } from "library";
class App {
  inner = new shapes.Shape();
  local() { return make(); }
  work(given: shapes.Shape, { also }: { also: shapes.Shape }) {
    const text = "grün 𝄞"; given.next();
    make()
      .next();
    this.inner.next();
    also.next();
    this.local();
    unknown.next();
    const own = shapes.make();
    own.next();
  }
}
""",
    "src/types.d.ts": "export declare function make(): void;\n",
}
MANY = {Shape.MEMBER: 99, Shape.BARE: 99}


def labelled(root: Path, files: Mapping[str, str], language: str) -> list[ApiItem]:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return compiled.items("repo", language, root, MANY, seed=1)


def summed_up(items: list[ApiItem]) -> set[tuple[str, str, str, bool]]:
    return {(each.receiver, each.name, str(each.stratum), each.imported) for each in items}


@pytest.mark.skipif(shutil.which("java") is None, reason="there is no JDK here")
def test_what_javac_resolves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "PER_FILE", 99)
    items = labelled(tmp_path, JAVA, "java")
    assert summed_up(items) == {
        ("", "Shape", "imported", True),
        ("given", "next", "parameter", False),
        ("this", "area", "self", False),
        ("given.next()", "next", "call", False),
        ("inner", "next", "attribute", False),
        ("Shape", "of", "imported", True),
        ("own", "next", "variable", False),
        ("", "area", "not imported", False),
    }
    for item in items:
        data = JAVA[item.path].encode()
        assert data[item.offset :].startswith(item.name.encode())
        assert item.defined == ("src/org/Shape.java",)
        assert data[item.offset :].decode().startswith(item.rest)


@pytest.fixture(scope="module")
def typescript() -> Path:
    try:
        return peers.typescript()
    except peers.PeersError as error:
        pytest.skip(f"TypeScript cannot be had: {error}")


@pytest.mark.usefixtures("typescript")
def test_what_typescript_resolves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "PER_FILE", 99)
    items = labelled(tmp_path, TYPESCRIPT, "typescript")
    assert summed_up(items) == {
        ("shapes", "Shape", "imported", True),
        ("", "make", "imported", True),
        ("given", "next", "parameter", False),
        ("also", "next", "parameter", False),
        ("make()", "next", "call", True),
        ("this.inner", "next", "attribute", False),
        ("shapes", "make", "imported", True),
        ("own", "next", "variable", False),
    }
    assert {item.defined for item in items} == {("src/shape.ts",)}
    for item in items:
        assert TYPESCRIPT[item.path].encode()[item.offset :].startswith(item.name.encode())


@pytest.mark.skipif(shutil.which("java") is None, reason="there is no JDK here")
def test_a_line_and_a_file_give_few_items(tmp_path: Path) -> None:
    calls = "".join(f"        given.next(); given.next(); // {number}\n" for number in range(9))
    text = "package org;\nclass Many {\n    void work(Shape given) {\n" + calls + "    }\n}\n"
    files = {"src/org/Shape.java": JAVA["src/org/Shape.java"], "src/org/Many.java": text}
    items = labelled(tmp_path, files, "java")
    assert len(items) == compiled.PER_FILE
    assert len({item.rest for item in items}) == len(items)


def test_a_compiler_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(peers.PeersError, match="JDK"):
        labelled(tmp_path, JAVA, "java")
    with pytest.raises(peers.PeersError, match="Node"):
        labelled(tmp_path, TYPESCRIPT, "typescript")


def test_names_that_are_no_plain_words_are_left_out() -> None:
    files = {"a.ts": "é.grün(); ok()".encode()}
    assert read_call("a.ts\t2\t6\t0\t1\tvariable\tfalse\tb.ts", files) is None
    found = read_call("a.ts\t10\t12\t-1\t-1\t\ttrue\tb.ts", files)
    assert found == Call("a.ts", (12, 14), None, form="", imported=True, defined="b.ts")


@given(st.text(max_size=20), st.text(max_size=20))
def test_offsets_in_bytes(before: str, after: str) -> None:
    units = len(before.encode("utf-16-le")) // 2
    assert byte_offset((before + after).encode(), units) == len(before.encode())


def test_a_folder_that_changes_is_labelled_anew(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("a = 1\n")
    source = Source("mine", tmp_path, pinned=False)
    first = source.key()
    assert first == source.key()
    (tmp_path / "a.py").write_text("a = 12\n")
    assert source.key() != first
