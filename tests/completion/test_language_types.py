"""Written types and the tables of built-in types of Java and TypeScript."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from completion.annotations import Scope, Type
from completion.languages import Language, java_library, javascript_library, language_for
from completion.languages.natives import Natives, find, members
from completion.languages.written import Form, Written, written
from completion.scope import Binding, How
from tests.completion.workspace import snapshot_of


def plain(type_: Written) -> str:
    """A reading of a type that can be compared: heads with their parts."""
    inner = ", ".join(map(plain, type_.parts))
    head = type_.name or type_.form
    return f"{head}({inner})" if inner else str(head)


@pytest.mark.parametrize(
    ("source", "reading"),
    [
        ("Map<String, List<? extends User>>", "Map(String, List(User))"),
        ("User[] | null", "union(array(User), null)"),
        ("(x: User, i?: number) => Promise<void>", "function(User, number, Promise(void))"),
        ("readonly a.b.Foo[]", "array(a.b.Foo)"),
        ("[A, B[]]", "tuple(A, array(B))"),
        ("(A | B)[]", "array(union(A, B))"),
        ("@NonNull String...", "array(String)"),
        ("typeof api", "api"),
        ("'a' | 1", "union(string, number)"),
        ("Foo['bar']", "other"),
        ("{ a: B }", "other"),
        ("", "other"),
    ],
)
def test_written_types(source: str, reading: str) -> None:
    assert plain(written(source)) == reading


@given(st.text(alphabet="AB<>[]()|&,.=>?:{}'\" typeof", max_size=40))
def test_anything_can_be_read(source: str) -> None:
    assert isinstance(written(source).form, Form)


@pytest.mark.parametrize("types", [java_library.NATIVES, javascript_library.NATIVES])
def test_tables_are_whole(types: Natives) -> None:
    for name, type_ in types.items():
        assert type_.base is None or type_.base.name in types
        for member in members(types, name):
            assert find(types, name, member.name) is not None


def inferred(language: Language, path: str, source: str, **bound: str) -> Type | None:
    from pathlib import Path
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        bindings = {
            name: (Binding(name, How.PARAMETER, 0, annotation=type_),)
            for name, type_ in bound.items()
        }
        snapshot = snapshot_of({}, Path(folder))
        return language.infer(source, Scope(snapshot, path, bindings=bindings))


def shown(type_: Type | None) -> str:
    if type_ is None:
        return "?"
    inner = ", ".join(map(shown, type_.arguments))
    return f"{type_.name}<{inner}>" if inner else type_.name


@pytest.mark.parametrize(
    ("path", "declared", "source", "name"),
    [
        ("a.ts", "string[]", "x.map((y) => y.split(','))", "Array<Array<String>>"),
        ("a.ts", "string[]", "x.filter(Boolean)[0].trim()", "String"),
        ("a.ts", "Map<string, Date>", "x.get('a')", "Date"),
        ("a.ts", "Map<string, Date>", "[...x.keys()]", "Array<?>"),
        ("a.ts", "Promise<Set<string>>", "await x", "Set<String>"),
        ("a.ts", "Promise<string>", "x.then((y) => { return y.length })", "Promise<Number>"),
        ("a.ts", "Readonly<Partial<Date>>", "x!", "Date"),
        ("a.ts", "any", "x ? 'a' : null", "String"),
        ("a.ts", "any", "`a` + x", "String"),
        ("a.ts", "any", "new Map<string, number[]>()", "Map<String, Array<Number>>"),
        ("a.ts", "any", "x as string[]", "Array<String>"),
        ("A.java", "List<String>", "x.stream().map(y -> y.trim()).toList()", "List<String>"),
        ("A.java", "List<String>", "x.stream().map(String::strip).findFirst().get()", "String"),
        ("A.java", "Map<String, List<Path>>", "x.values().iterator().next()", "List<Path>"),
        ("A.java", "Map<String, Path>", "x.entrySet().iterator().next().getValue()", "Path"),
        ("A.java", "Optional<String>", "x.map(y -> y.length()).orElse(1)", "?"),
        ("A.java", "ArrayList<String>", "x.get(0)", "String"),
        ("A.java", "String[]", "x[0].trim()", "String"),
        ("A.java", "Object", "((Path) x).getParent()", "Path"),
        ("A.java", "Object", "new ArrayList<String>()", "ArrayList<String>"),
        ("A.java", "Object", 'x == null ? "a" : null', "String"),
    ],
)
def test_built_in_types_flow(path: str, declared: str, source: str, name: str) -> None:
    assert shown(inferred(language_for(path), path, source, x=declared)) == name


@pytest.mark.parametrize("path", ["a.ts", "A.java"])
@pytest.mark.parametrize("source", ["", "(", "x.", ")", "a b c", "x" * 5000, "(" * 500, "😀"])
def test_what_is_no_expression_is_nothing(path: str, source: str) -> None:
    assert inferred(language_for(path), path, source) is None
