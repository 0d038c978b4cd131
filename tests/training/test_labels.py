"""AST types of leaves."""

from __future__ import annotations

from tree_sitter import Node

from training.labels import (
    END_OF_MIDDLE,
    FIXED,
    MAX_TYPES,
    OTHER,
    Leaves,
    choose_types,
    label_ids,
    leaves,
    parse,
)

SOURCE = b"""\
class K(Base):
    def m(self, x=1) -> int:  # note
        return self.attr.call(x, key="text")

y = 2
"""


def of(source: bytes) -> Leaves:
    return leaves(source, parse(source))


def role(word: bytes) -> str:
    return of(SOURCE).role_at(SOURCE.index(word))


def test_roles() -> None:
    assert role(b"class") == "class"
    assert role(b"K") == "class_definition.name"
    assert role(b"Base") == "argument_list.identifier"
    assert role(b"m(") == "function_definition.name"
    assert role(b"self,") == "parameters.identifier"
    assert role(b"x=") == "default_parameter.name"
    assert role(b"int") == "type.identifier"
    assert role(b"# note") == "comment"
    assert role(b"attr") == "attribute.attribute"
    assert role(b"call") == "attribute.attribute"
    assert role(b"key") == "keyword_argument.name"
    assert role(b"text") == "string_content"


def test_line_breaks_say_how_the_indentation_goes_on() -> None:
    found = of(SOURCE)
    breaks = [at for at, byte in enumerate(SOURCE) if byte == 10 and SOURCE[at - 1] != 10]
    assert [found.role_at(at) for at in breaks] == [
        "newline in",
        "newline in",
        "newline out",
        "newline same",
    ]


def test_a_line_break_inside_a_string_is_the_string() -> None:
    source = b'x = """a\nb"""\n'
    assert of(source).role_at(source.index(b"\n")) == "string_content"


def test_leaves_are_every_leaf_of_the_tree() -> None:
    found = []

    def walk(node: Node) -> None:
        if not node.children:
            found.append(node.start_byte)
        for child in node.children:
            walk(child)

    walk(parse(SOURCE).root_node)
    assert of(SOURCE).begins == found


def test_broken_and_empty_code_has_roles() -> None:
    for source in (b"", b"def (", b"x = = \n  ]"):
        assert isinstance(of(source).role_at(0), str)


def test_types_are_the_fixed_ones_and_the_most_frequent() -> None:
    many = [Leaves(b"", [], [f"kind {index}"] * (300 - index)) for index in range(200)]
    types = choose_types(many)
    assert types == (*FIXED, *(f"kind {index}" for index in range(MAX_TYPES - len(FIXED))))
    assert label_ids(types)[OTHER] == 0
    assert END_OF_MIDDLE in types
