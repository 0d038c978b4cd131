"""What stands at the cursor in Java, JavaScript and TypeScript."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from completion.context import Context, Place
from completion.languages import language_for
from completion.languages.lexing import skeleton, syntax
from completion.scope import How
from tests.completion.workspace import CURSOR

DATA = Path(__file__).parent.parent / "data" / "completion"
SOURCES = sorted(path for path in DATA.rglob("*") if path.suffix in (".ts", ".tsx", ".js", ".java"))


def context(path: str, marked: str) -> Context:
    before, _, after = marked.partition(CURSOR)
    text = (before + after).encode()
    return language_for(path).read(text, len(before.encode()), None)


@pytest.mark.parametrize(
    ("path", "text", "receiver"),
    [
        ("a.ts", "const a = foo(1, b.c?.d!.‸)", "b.c?.d"),
        ("a.ts", "(await x.y()).‸", "(await x.y())"),
        ("a.ts", "return new Foo<Bar>(1).‸", "new Foo<Bar>(1)"),
        ("a.ts", "if (!a[0].‸", "a[0]"),
        ("a.ts", "x = y\nfoo(a)\n  .bar()\n  .‸", "foo(a).bar()"),
        ("a.ts", "const s = `a ${user.‸} b`", "user"),
        ("a.ts", 'const r = /[/"]{/\ny.‸', "y"),
        ("a.ts", "make<User>(1).‸", "make<User>(1)"),
        ("a.tsx", "const C = () => <p>Don't {user.‸}</p>", "user"),
        ("A.java", "class A { void f() { foo(a, new B(c).‸ } }", "new B(c)"),
        ("A.java", "class A { void f() { int x = 1; Foo::‸ } }", "Foo"),
        ("A.java", "class A { void f() { return (long) this.a.‸ } }", "this.a"),
        ("A.java", 'class A { void f() { """\n " } \n""".‸ } }', '"""\n " } \n"""'),
    ],
)
def test_receivers(path: str, text: str, receiver: str) -> None:
    found = context(path, text)
    assert found.place is Place.MEMBER
    assert found.receiver == receiver


@pytest.mark.parametrize(
    ("path", "text", "place"),
    [
        ("a.ts", "const s = `a ${b} c‸`", Place.STRING),
        ("a.ts", "// it's ‸", Place.COMMENT),
        ("a.ts", "/* a\n ‸", Place.COMMENT),
        ("a.ts", "const x = 1‸", Place.NUMBER),
        ("a.ts", "const x‸", Place.DEFINITION),
        ("a.ts", "function f(a‸", Place.DEFINITION),
        ("a.ts", "function f(a: Fo‸", Place.NAME),
        ("a.ts", "class A { constructor(private a‸", Place.DEFINITION),
        ("a.ts", "try { } catch (e‸", Place.DEFINITION),
        ("a.ts", "class A extends B‸", Place.NAME),
        ("a.ts", "type T = Fo‸", Place.NAME),
        ("a.ts", "@Comp‸", Place.NAME),
        ("a.ts", "foo({ a: b‸", Place.NAME),
        ("a.ts", 'import { a, b‸ } from "./m"', Place.IMPORTED),
        ("a.ts", 'import { a as b‸ } from "./m"', Place.DEFINITION),
        ("a.ts", 'import x from "./fo‸"', Place.MODULE),
        ("a.ts", 'const x = await import("./fo‸")', Place.MODULE),
        ("a.js", "const x = require('../fo‸')", Place.MODULE),
        ("a.ts", 'call("./fo‸")', Place.STRING),
        ("a.tsx", "const C = () => <Fo‸", Place.NAME),
        ("A.java", "import a.b.C‸", Place.MODULE),
        ("A.java", "package a.‸", Place.DEFINITION),
        ("A.java", "class A { String na‸", Place.DEFINITION),
        ("A.java", "class A { List<String> na‸", Place.DEFINITION),
        ("A.java", "class A { void f(int[] na‸", Place.DEFINITION),
        ("A.java", "class A { void f() { return na‸", Place.NAME),
        ("A.java", "class A { @Over‸", Place.NAME),
        ("A.java", "class A implements B‸", Place.NAME),
        ("A.java", "class A { private Fo‸", Place.NAME),
        ("A.java", "class A { char c = '\"'; Fo‸", Place.NAME),
    ],
)
def test_places(path: str, text: str, place: Place) -> None:
    assert context(path, text).place is place


@pytest.mark.parametrize(
    ("path", "text", "qualname", "owner"),
    [
        ("a.ts", "class A { m() { ‸", "A.m", "A"),
        ("a.ts", "class A { m = async (x) => { ‸", "A.m", "A"),
        ("a.ts", "class A { constructor(a) { if (a) { ‸", "A.__init__", "A"),
        ("a.ts", "export const f = (a: T): void => { ‸", "f", ""),
        ("a.ts", "namespace N { export function f() { ‸", "N.f", "N"),
        ("a.ts", "function f() { g(() => { ‸", "f", ""),
        (
            "A.java",
            "class A { class B { @C(d = 1) public <T> void m(T t) throws E { ‸",
            "A.B.m",
            "A.B",
        ),
        ("A.java", "class A { A(int x) { ‸", "A.__init__", "A"),
        ("A.java", "class A { void broken() { foo( } void m() { ‸", "A.m", "A"),
    ],
)
def test_nesting(path: str, text: str, qualname: str, owner: str) -> None:
    found = context(path, text)
    assert (found.qualname, found.owner) == (qualname, owner)


@pytest.mark.parametrize(
    ("path", "text", "callee", "position"),
    [
        ("a.ts", "foo(a, {b: 1, c}, ‸", "foo", 2),
        ("a.ts", "new Foo<A>(‸", "Foo", 0),
        ("a.ts", "new A().b(1, ‸", "new A().b", 1),
        ("A.java", "class A { void f() { x.y(a(1, 2), ‸", "x.y", 1),
    ],
)
def test_calls(path: str, text: str, callee: str, position: int) -> None:
    call = context(path, text).call
    assert call is not None
    assert (call.callee, call.position) == (callee, position)


@pytest.mark.parametrize("text", ["if (‸", "for (const x of ‸", "function f(a = ‸", "a; ({ b: ‸"])
def test_what_is_no_call(text: str) -> None:
    assert context("a.ts", text).call is None


@pytest.mark.parametrize(
    ("path", "text", "target"),
    [
        ("a.ts", "const user: User = ‸", "user"),
        ("a.ts", "this.user = ‸", "this.user"),
        ("A.java", "class A { void f() { User user = ‸", "user"),
    ],
)
def test_targets(path: str, text: str, target: str) -> None:
    assert context(path, text).target == target


def test_closed_blocks_bind_nothing_and_callbacks_do() -> None:
    text = "function f(a) { if (a) { const b = 1 } for (const c of a) { g.map((d, e) => { ‸"
    found = context("a.ts", text).bindings
    assert set(found) == {"a", "c", "d", "e"}
    assert found["e"][0].how is How.PASSED
    assert (found["e"][0].expression, found["e"][0].annotation) == ("g.map", "0")


def test_the_name_being_assigned_is_not_bound_yet() -> None:
    text = "function f() { let x = a(); x = x.‸"
    assert [each.expression for each in context("a.ts", text).bindings["x"]] == ["a()"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_every_cut_of_real_code_has_an_answer(path: Path) -> None:
    text = path.read_bytes()
    choose = random.Random(path.name)
    for _ in range(40):
        offset = choose.randrange(len(text) + 1)
        for whole in (text, text[:offset], text[:offset].replace(b"\n", b"\r\n")):
            found = language_for(path.name).read(whole, offset, None)
            assert found.start <= found.offset <= found.end <= len(whole)


FRAGMENTS = (
    *("a", ".", "?.", "(", ")", "{", "}", "[", "]", "`", "${", '"', "'", "/", "//", "/*", "*/"),
    *("\n", ";", "=>", "class A ", "<", ">", "import ", "é", "😀", " ", "new ", "::"),
)


@given(
    st.lists(st.sampled_from(FRAGMENTS), max_size=24).map("".join),
    st.integers(0, 60),
    st.sampled_from(("a.ts", "a.tsx", "a.js", "A.java")),
)
def test_nothing_raises(text: str, at: int, path: str) -> None:
    data = text.encode()
    found = language_for(path).read(data, at, None)
    assert 0 <= found.start <= found.offset <= len(data)


@given(st.lists(st.sampled_from(("(", "[", "{", "x", "'a'", "/* { */", ";")), max_size=12))
def test_open_brackets_are_those_that_nothing_closes(parts: list[str]) -> None:
    text = "".join(parts).encode()
    levels = skeleton(text, len(text), syntax(script=True)).levels
    assert [level.bracket.decode() for level in levels] == [p for p in parts if p in "([{"]
