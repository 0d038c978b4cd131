"""What is read from Java, JavaScript and TypeScript files."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexing import extract, parsing
from indexing.extract import Outline, outline, symbols
from indexing.languages import Language, language_of
from indexing.symbols import Definition, FileSymbols, Kind, Parameter


def language(path: str) -> Language:
    found = language_of(path)
    assert found is not None
    return found


def read(path: str, source: str) -> FileSymbols:
    data = parsing.normalise(source.encode())
    return extract.extract(language(path), parsing.parse(language(path), data), data)


def defined(path: str, source: str) -> dict[str, Kind]:
    return {d.qualname: d.kind for d in read(path, source).definitions}


def one(path: str, source: str, qualname: str) -> Definition:
    (found,) = [d for d in read(path, source).definitions if d.qualname == qualname]
    return found


TYPESCRIPT = """
/**
 * Talks to {@link Server}
 * all day.
 *
 * More.
 * @deprecated use another
 */
@Injectable({ root: true })
export abstract class Client<T> extends http.Base<T> implements Closable, Named<T> {
  /** Seconds. */
  @Input() private readonly timeout?: number = 30;
  static count = 0;
  #secret = 1;
  constructor(private name: string, readonly id?: number, { a, b }: Options = {}) {
    super();
    this.#secret = 2;
    this.late = [];
    const helper = (x) => { this.later = x; };
    helper.call(this);
  }
  get size(): number { return 1; }
  set size(value) {}
  abstract send(body?: T, ...rest: string[]): Promise<void>;
  handler = async (event: Event): Promise<void> => {};
}
export interface Closable extends A, B<string> { open: boolean; close(force: boolean): void }
export enum Level { Low = 1, High }
type Options = { a: string; run(): void };
export type Either = A | B;
export namespace outer { export const inner = 1; export class Deep { m() {} } }
declare module "other" { export function declared(a: string): void; }
/** The api. */
export const api = { get: async (url: string): Promise<T> => call(), post(url) {}, base: "/" };
export const LIMIT: number = 3, { left, right: [first] } = pair;
export function* walk(root = document): Iterable<Node> { function visit() {} const local = 1; }
[1].map(() => { function hidden() {} });
"""


def test_definitions_of_typescript() -> None:
    assert defined("a.ts", TYPESCRIPT) == {
        "Client": Kind.CLASS,
        "Client.timeout": Kind.ATTRIBUTE,
        "Client.count": Kind.ATTRIBUTE,
        "Client.#secret": Kind.ATTRIBUTE,
        "Client.__init__": Kind.METHOD,
        "Client.name": Kind.ATTRIBUTE,
        "Client.id": Kind.ATTRIBUTE,
        "Client.late": Kind.ATTRIBUTE,
        "Client.later": Kind.ATTRIBUTE,
        "Client.__init__.helper": Kind.FUNCTION,
        "Client.size": Kind.PROPERTY,
        "Client.send": Kind.METHOD,
        "Client.handler": Kind.METHOD,
        "Closable": Kind.CLASS,
        "Closable.open": Kind.ATTRIBUTE,
        "Closable.close": Kind.METHOD,
        "Level": Kind.CLASS,
        "Level.Low": Kind.ATTRIBUTE,
        "Level.High": Kind.ATTRIBUTE,
        "Options": Kind.CLASS,
        "Options.a": Kind.ATTRIBUTE,
        "Options.run": Kind.METHOD,
        "Either": Kind.VARIABLE,
        "outer": Kind.MODULE,
        "outer.inner": Kind.VARIABLE,
        "outer.Deep": Kind.CLASS,
        "outer.Deep.m": Kind.METHOD,
        "declared": Kind.FUNCTION,
        "api": Kind.VARIABLE,
        "api.get": Kind.METHOD,
        "api.post": Kind.METHOD,
        "api.base": Kind.ATTRIBUTE,
        "LIMIT": Kind.CONSTANT,
        "left": Kind.VARIABLE,
        "first": Kind.VARIABLE,
        "walk": Kind.FUNCTION,
        "walk.visit": Kind.FUNCTION,
        "().hidden": Kind.FUNCTION,
    }


def test_details_of_typescript() -> None:
    found = {d.qualname: d for d in read("a.ts", TYPESCRIPT).definitions}
    client = found["Client"]
    assert client.bases == ("http.Base<T>", "Closable", "Named<T>")
    assert client.doc == "Talks to Server all day."
    assert client.decorators == ("Injectable({ root: true })", "export", "abstract", "deprecated")
    assert TYPESCRIPT.encode()[slice(*client.span)].startswith(b"@Injectable")
    assert found["Client.__init__"].parameters == (
        Parameter("name", "string"),
        Parameter("id", "number", "undefined"),
        Parameter("", "Options", "{}"),
    )
    assert found["Client.id"].decorators == ("readonly",)
    timeout = found["Client.timeout"]
    assert (timeout.annotation, timeout.value, timeout.doc) == ("number", "30", "Seconds.")
    assert timeout.decorators == ("Input()", "private", "readonly")
    send = found["Client.send"]
    assert send.parameters == (
        Parameter("body", "T", "undefined"),
        Parameter("rest", "string[]", None, "*"),
    )
    assert (send.returns, found["Client.size"].annotation) == ("Promise<void>", "number")
    assert found["Client.handler"].parameters == (Parameter("event", "Event"),)
    assert found["Closable"].bases == ("A", "B<string>")
    assert (found["Either"].annotation, found["Either"].value) == ("TypeAlias", "A | B")
    assert (found["api"].doc, found["api.get"].returns) == ("The api.", "Promise<T>")
    assert found["walk"].parameters == (Parameter("root", None, "document"),)
    assert found["Level.Low"].value == "1"


def test_definitions_of_commonjs() -> None:
    source = """
var app = module.exports = { own: 1 };
app.use = function use(path, fn) {};
exports.first = () => 1;
module.exports.second = class {};
module.exports = { third() {}, fourth: function (a) {}, known, other: known };
Old.prototype.method = function (a) {};
const Named = class extends Base { m() {} };
let { x } = require('x');
"""
    found = defined("a.js", source)
    assert found == {
        "app": Kind.VARIABLE,
        "app.own": Kind.ATTRIBUTE,
        "app.use": Kind.METHOD,
        "first": Kind.FUNCTION,
        "second": Kind.VARIABLE,
        "third": Kind.FUNCTION,
        "fourth": Kind.FUNCTION,
        "Old.method": Kind.METHOD,
        "Named": Kind.CLASS,
        "Named.m": Kind.METHOD,
    }


@pytest.mark.parametrize(
    ("source", "kind", "rest"),
    [
        ("export default function () {}", Kind.FUNCTION, set()),
        ("export default class { m() {} }", Kind.CLASS, {"default.m"}),
        ("export default { data() {}, name: 1 }", Kind.VARIABLE, {"default.data", "default.name"}),
        ("export default defineComponent({})", Kind.VARIABLE, set()),
        ("export default () => 1", Kind.FUNCTION, set()),
    ],
)
def test_a_default_export_without_a_name(source: str, kind: Kind, rest: set[str]) -> None:
    found = defined("a.js", source)
    assert found.pop("default") is kind
    assert found.keys() == rest
    assert read("a.js", source).exports == ("default",)


JAVA = """
/** What the file is for. */
package org.bank;

import java.util.List;

/**
 * An account. It has a {@code balance}.
 *
 * @author somebody
 */
@Entity(name = "a")
public class Account<K> extends Base<K> implements Named, Comparable<Account<K>> {
  public static final int LIMIT = 1, rows[] = {};
  /** Who. */ @Inject private List<String> owners;
  public Account(String... names) { this.owners = List.of(names); this.undeclared = 1; }
  @Override @Deprecated public <R> R run(final Map<K, R> map, int[] ids) throws E { return a; }
  enum State { OPEN, CLOSED(1) { void hidden() {} }; int code; State(int code) {} void go() {} }
  record Point(int x, double y) { Point { } public int x() { return x; } }
  interface Named extends A, B<C> { String PREFIX = ""; String name(); default void d() {} }
  @interface Mark { int value() default 1; }
  void local() { class Inner { void m() {} } new Thread() { public void run() {} }; }
}
"""


def test_definitions_of_java() -> None:
    assert defined("A.java", JAVA) == {
        "Account": Kind.CLASS,
        "Account.LIMIT": Kind.ATTRIBUTE,
        "Account.rows": Kind.ATTRIBUTE,
        "Account.owners": Kind.ATTRIBUTE,
        "Account.__init__": Kind.METHOD,
        "Account.undeclared": Kind.ATTRIBUTE,
        "Account.run": Kind.METHOD,
        "Account.State": Kind.CLASS,
        "Account.State.OPEN": Kind.ATTRIBUTE,
        "Account.State.CLOSED": Kind.ATTRIBUTE,
        "Account.State.code": Kind.ATTRIBUTE,
        "Account.State.__init__": Kind.METHOD,
        "Account.State.go": Kind.METHOD,
        "Account.Point": Kind.CLASS,
        "Account.Point.__init__": Kind.METHOD,
        "Account.Point.x": Kind.METHOD,
        "Account.Point.y": Kind.METHOD,
        "Account.Named": Kind.CLASS,
        "Account.Named.PREFIX": Kind.ATTRIBUTE,
        "Account.Named.name": Kind.METHOD,
        "Account.Named.d": Kind.METHOD,
        "Account.Mark": Kind.CLASS,
        "Account.Mark.value": Kind.METHOD,
        "Account.local": Kind.METHOD,
        "Account.local.Inner": Kind.CLASS,
        "Account.local.Inner.m": Kind.METHOD,
    }


def test_details_of_java() -> None:
    found = {d.qualname: d for d in read("A.java", JAVA).definitions}
    account = found["Account"]
    assert account.bases == ("Base<K>", "Named", "Comparable<Account<K>>")
    assert account.doc == "An account. It has a balance."
    assert account.decorators == ('Entity(name = "a")', "public")
    assert found["Account.rows"].annotation == "int[]"
    owners = found["Account.owners"]
    assert (owners.annotation, owners.doc) == ("List<String>", "Who.")
    assert found["Account.__init__"].parameters == (Parameter("names", "String", None, "*"),)
    run = found["Account.run"]
    assert run.parameters == (Parameter("map", "Map<K, R>"), Parameter("ids", "int[]"))
    assert run.returns == "R"
    assert run.decorators == ("Override", "Deprecated", "public", "deprecated")
    assert found["Account.State.OPEN"].annotation == "State"
    assert found["Account.Point.__init__"].parameters == (
        Parameter("x", "int"),
        Parameter("y", "double"),
    )
    assert found["Account.Named.PREFIX"].decorators == ("public", "static", "final")
    assert read("A.java", JAVA).doc == "What the file is for."


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("import a from 'm'", [("m", "default", "a", "")]),
        ("import a, * as b from 'm'", [("m", "default", "a", ""), ("m", None, "b", "")]),
        ("import { a, b as c, type d } from './m'",
         [("./m", "a", "a", ""), ("./m", "b", "c", ""), ("./m", "d", "d", "")]),
        ("import type { a } from 'm'", [("m", "a", "a", "")]),
        ("import 'm'", []),
        ("import { a } from", []),
        ("import a = require('m')", [("m", None, "a", "")]),
        ("const a = require('m')", [("m", None, "a", "")]),
        ("const { a: b, c } = require('m')", [("m", "a", "b", ""), ("m", "c", "c", "")]),
        ("function f() { const a = require('m').b }", [("m", "b", "a", "f")]),
        ("export { a as b } from 'm'", [("m", "a", "b", "export")]),
        ("export * from 'm'", [("m", "*", "*", "export")]),
        ("export * as n from 'm'", [("m", None, "n", "export")]),
        ("export { a, b as c }", [("", "b", "c", "export")]),
        ("export default a", [("", "a", "default", "export")]),
        ("module.exports = a", [("", "a", "default", "export")]),
        ("exports.a = require('m')", [("m", None, "a", "export")]),
        ("const a = exports = module.exports = {}", [("", "a", "default", "export")]),
    ],
)  # fmt: skip
def test_every_form_of_import_in_javascript(
    statement: str, expected: list[tuple[str, str | None, str, str]]
) -> None:
    found = read("a.ts", statement + ";\n").imports
    assert [(i.module, i.name, i.alias, i.scope) for i in found] == expected


def test_every_form_of_import_in_java() -> None:
    source = (
        "package a.b;\nimport a.b.C;\nimport a.b.*;\n"
        "import static a.b.C.m;\nimport static a.b.C.*;\nimport broken"
    )
    assert [(i.module, i.name, i.alias, i.scope) for i in read("A.java", source).imports] == [
        ("a.b", "*", "*", "package"),
        ("a.b", "C", "C", ""),
        ("a.b", "*", "*", ""),
        ("a.b.C", "m", "m", ""),
        ("a.b.C", "*", "*", ""),
        ("", "broken", "broken", ""),
    ]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("const a = 1;", None),
        ("import a from 'm';", ()),
        ("export const a = 1, { b, c: [d] } = x;", ("a", "b", "d")),
        ("export { a, b as c }; export * as n from 'm'; export * from 'k';", ("a", "c", "n")),
        ("export default class A {}\nexport interface B {}", ("default", "B")),
        ("namespace n { export const a = 1; }", None),
    ],
)
def test_exports(source: str, expected: tuple[str, ...] | None) -> None:
    assert read("a.ts", source).exports == expected


def test_uses_of_javascript() -> None:
    source = (
        "a?.b!.c(1, /* x */ ...y); new Foo<X>(1); new n.Bar; this.#p.q(); $x.y\n  .z(`${f()}`);"
    )
    assert [(u.receiver, u.name, u.arguments) for u in read("a.ts", source).uses] == [
        ("a", "b", -1),
        ("a.b", "c", 2),
        ("", "Foo", 1),
        ("n", "Bar", -1),
        ("this", "#p", -1),
        ("this.#p", "q", 0),
        ("$x", "y", -1),
        ("$x.y", "z", 1),
        ("", "f", 0),
    ]


def test_uses_of_java() -> None:
    source = (
        "class A { void f() { this.x = 1; a.b().c(2, /* */ g()); h(String::valueOf);"
        " new Foo<>(1); new n.Bar(); super.f(); } }"
    )
    assert [(u.receiver, u.name, u.arguments) for u in read("A.java", source).uses] == [
        ("this", "x", -1),
        ("a", "b", 0),
        ("a.b()", "c", 2),
        ("", "g", 0),
        ("", "h", 1),
        ("String", "valueOf", -1),
        ("", "Foo", 1),
        ("n", "Bar", 0),
        ("super", "f", 0),
    ]


def test_members_of_a_large_class_are_parts_and_read_the_same() -> None:
    body = "  /** Doc {n}. */\n  public int m{n}(String a) {{ this.f{n} = a.b(); return {n}; }}\n"
    members = "".join(body.format(n=n) for n in range(200))
    small = read("A.java", "class A {\n" + body.format(n=7) + "}\n").definitions
    large = read("A.java", "/** Top. */ class A {\n" + members + "}\n").definitions
    assert len(large) == 401
    assert large[0].doc == "Top."
    seventh = [d for d in large if d.name in ("m7", "f7")]
    wanted = [d for d in small if d.name != "A"]
    assert [(d.qualname, d.kind, d.parameters, d.doc) for d in seventh] == [
        (d.qualname, d.kind, d.parameters, d.doc) for d in wanted
    ]


LARGE_TYPESCRIPT = (
    TYPESCRIPT + "class Large {\n" + "  /** m */ m(a) { this.x = a.b(1); }\n" * 300 + "}"
)
LARGE_JAVA = JAVA + "class Large {\n" + "  /** m */ int m(A a) { return a.b(1); }\n" * 300 + "}"
SNIPPETS = (
    *(b"{", b"}", b"(", b")", b"'", b"`", b"/*", b"*/", b"/** doc */", b"//", b".", b";", b"\n"),
    *(
        b"class Z {\n",
        b"this.q = 1;\n",
        b"import a from 'a';\n",
        b"export ",
        b"@A ",
        b"\xf0\x9f\x98\x80",
    ),
)
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 60), st.sampled_from(SNIPPETS)),
    min_size=1,
    max_size=5,
)


def reread(path: str, data: bytes, before: Outline, new: bytes) -> Outline:
    edit = parsing.difference(data, new)
    tree = parsing.parse(language(path), new, before.tree, edit, data) if edit else before.tree
    return outline(language(path), tree, new, before.pieces)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([("a.ts", LARGE_TYPESCRIPT), ("a.js", TYPESCRIPT), ("A.java", LARGE_JAVA)]),
    EDITS,
)
def test_reading_after_edits_equals_reading_every_part(
    file: tuple[str, str], edits: list[tuple[float, int, bytes]]
) -> None:
    """Of the same tree: what tree-sitter makes of an error may depend on the tree before."""
    path, data = file[0], file[1].encode()
    current = outline(language(path), parsing.parse(language(path), data), data)
    for where, removed, inserted in edits:
        start = round(where * len(data))
        new = parsing.normalise(data[:start] + inserted + data[start + removed :])
        current, data = reread(path, data, current, new), new
        again = outline(language(path), current.tree, data)
        assert symbols(current) == symbols(again)
        for each in symbols(current).definitions:
            assert (
                each.span[0] <= each.name_span[0] <= each.name_span[1] <= each.span[1] <= len(data)
            )


@pytest.mark.parametrize(("path", "source"), [("a.ts", TYPESCRIPT), ("A.java", JAVA)])
def test_a_file_cut_anywhere_can_be_read(path: str, source: str) -> None:
    for end in range(0, len(source), 7):
        read(path, source[:end])


@pytest.mark.parametrize("path", ["a.ts", "A.java"])
def test_a_dangling_dot_does_not_swallow_the_members_behind_it(path: str) -> None:
    mend = language(path).mend
    text = b"class A {\n  first() { this.\n  }\n  second() { }\n}\nclass B { third() { } }\n"
    if path.endswith(".java"):
        text = text.replace(b"  first", b"  void first").replace(b"  second", b"  void second")
        text = text.replace(b"{ third", b"{ void third")
    data = mend(text)
    assert len(data) == len(text)
    found = read(path, data.decode()).definitions
    assert [(each.container, each.name) for each in found] == [
        ("", "A"), ("A", "first"), ("A", "second"), ("", "B"), ("B", "third"),
    ]  # fmt: skip
    assert mend(b"a.\n  .then(b)\n") == b"a.\n  .then(b)\n"
