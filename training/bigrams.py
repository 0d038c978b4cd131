"""Bigrams of lexeme types, counted over source files: the ground that cardinal points stand on.

A lexeme's type is its spelling for keywords and punctuation; names, strings and numbers are one
type each, and the end of a line is one where the next lexeme stands on a later line: that is what
follows for whoever types. A name that is being made up has a type of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise

from tree_sitter import Node, Parser

from indexing.languages import Language

NAME, FRESH, STRING, NUMBER, NEWLINE = "<name>", "<fresh name>", "<string>", "<number>", "<newline>"
OPEN = frozenset((NAME, FRESH, STRING, NUMBER))
"""Types that have many spellings."""

Bigrams = dict[str, Counter[str]]
"""First type -> second type -> how often one followed the other."""

# What a made-up name looks like in the syntax tree: the parent's type with the leaf's field or,
# where it has none, its own type. As in the paper, the variables of loops and lambdas do not count:
# they are few, short, and repeat.
_PYTHON = """
    function_definition.name class_definition.name as_pattern_target.identifier
    aliased_import.alias parameters.identifier typed_parameter.identifier default_parameter.name
    typed_default_parameter.name list_splat_pattern.identifier dictionary_splat_pattern.identifier
"""
_JAVA = """
    class_declaration.name interface_declaration.name enum_declaration.name record_declaration.name
    annotation_type_declaration.name annotation_type_element_declaration.name
    method_declaration.name variable_declarator.name formal_parameter.name resource.name
    catch_formal_parameter.name enhanced_for_statement.name enum_constant.name
    type_parameter.type_identifier labeled_statement.identifier
"""
_JAVASCRIPT = """
    class_declaration.name class.name function_declaration.name function_expression.name
    generator_function_declaration.name generator_function.name method_definition.name
    variable_declarator.name field_definition.property formal_parameters.identifier
    rest_pattern.identifier assignment_pattern.left array_pattern.identifier catch_clause.parameter
    import_clause.identifier namespace_import.identifier import_specifier.alias
    export_specifier.alias namespace_export.identifier labeled_statement.label
"""
_TYPESCRIPT = """
    abstract_class_declaration.name interface_declaration.name type_alias_declaration.name
    enum_declaration.name enum_body.name enum_assignment.name module.name internal_module.name
    function_signature.name method_signature.name abstract_method_signature.name
    property_signature.name public_field_definition.name required_parameter.pattern
    optional_parameter.pattern type_parameter.name index_signature.name mapped_type_clause.name
    infer_type.type_identifier
"""
MADE_UP = {
    "python": frozenset(_PYTHON.split()),
    "java": frozenset(_JAVA.split()),
    "javascript": frozenset(_JAVASCRIPT.split()),
    "typescript": frozenset((_JAVASCRIPT + _TYPESCRIPT).split()),
}
"""Language -> the roles of names that are being made up."""
MADE_UP["tsx"] = MADE_UP["typescript"]

_STRINGS = frozenset(
    (
        *("string", "string_literal", "character_literal", "regex", "jsx_text"),
        *("template_string", "template_literal_type"),
    )
)
_SKIPPED = frozenset(
    (
        *("comment", "line_comment", "block_comment", "html_comment"),
        *("hash_bang_line", "line_continuation"),
    )
)


def lexeme_types(language: Language, source: bytes) -> list[str]:
    """The types of a file's lexemes in order; none where the file does not parse."""
    root = Parser(language.grammar).parse(source).root_node
    if root.has_error:
        return []
    made_up = MADE_UP[language.name]
    types: list[str] = []
    row = 0
    for node, field in _leaves(root):
        if node.start_point[0] > row and types:
            types.append(NEWLINE)
        types += _types_of(node, field, made_up)
        row = node.end_point[0]
    return types


def count(sources: Iterable[tuple[Language, bytes]]) -> Bigrams:
    """The bigrams of all files; none reaches from one file into the next."""
    bigrams: Bigrams = {}
    for language, source in sources:
        for first, second in pairwise(lexeme_types(language, source)):
            bigrams.setdefault(first, Counter())[second] += 1
    return bigrams


def _leaves(root: Node) -> Iterator[tuple[Node, str]]:
    """The leaves from left to right, each with its field; a string is one, comments are none."""
    cursor = root.walk()
    while True:
        node = cursor.node
        assert node is not None
        whole = node.is_named and node.type in _STRINGS
        if not whole and node.type not in _SKIPPED and cursor.goto_first_child():
            continue
        if node.end_byte > node.start_byte and node.type not in _SKIPPED:
            yield node, cursor.field_name or ""
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


def _types_of(node: Node, field: str, made_up: frozenset[str]) -> list[str]:
    """One type, but for leaves of several words (``not in``)."""
    if not node.is_named:
        return node.type.split()
    if node.type in _STRINGS:
        return [STRING]
    if "identifier" in node.type:
        parent = node.parent
        role = f"{parent.type if parent else ''}.{field or node.type}"
        return [FRESH if role in made_up else NAME]
    text = (node.text or b"").decode("utf-8", "replace")
    return [NUMBER] if text[:1].isdigit() or text[:2].strip(".").isdigit() else text.split()
