"""What a merged script must pass: no name is declared twice in one scope, which its grammar has nothing against."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vdo.merge.languages import language_of
from vdo.merge.languages.grammar import Grammar, named, text_of, walk

if TYPE_CHECKING:
    from tree_sitter import Node

_SCOPES = frozenset({"program", "statement_block", "switch_body"})
_LEXICAL = frozenset({"lexical_declaration", "import_statement", "class_declaration"})
_NAMES = frozenset({"identifier", "type_identifier", "shorthand_property_identifier_pattern"})


def names(path: str, versions: tuple[str | None, str, str], merged: str) -> str | None:
    """The reason to refuse the merged text, None where there is none."""
    grammar = language_of(path)
    assert isinstance(grammar, Grammar)
    twice = _twice(grammar.tree(merged))
    for side in versions[1:] if twice else ():
        twice -= _twice(grammar.tree(side))
    return f"the result declares {min(twice)} twice" if twice else None


def _twice(root: Node) -> set[str]:
    found = set()
    for node in walk(root):
        if node.type in _SCOPES:
            declared = list(_declared(node))
            counts = Counter(name for name, _ in declared)
            found |= {name for name, lexical in declared if lexical and counts[name] > 1}
    return found


def _declared(scope: Node) -> Iterator[tuple[str, bool]]:
    """The names of one scope, and whether each may be declared only once."""
    for statement in _statements(scope):
        inner = statement.child_by_field_name("declaration") if statement.type == "export_statement" else statement
        if inner is None:
            continue
        if inner.type in ("function_declaration", "generator_function_declaration", "class_declaration"):
            yield text_of(inner.child_by_field_name("name")), inner.type in _LEXICAL
        elif inner.type in ("lexical_declaration", "variable_declaration"):
            for declarator in named(inner):
                for name in _bound(declarator.child_by_field_name("name")):
                    yield name, inner.type in _LEXICAL
        elif inner.type == "import_statement":
            yield from ((name, True) for name in _imported(inner))


def _statements(scope: Node) -> Iterator[Node]:
    """Those of a switch stand in its cases, which are one scope all together."""
    for child in named(scope):
        if child.type in ("switch_case", "switch_default"):
            yield from child.children_by_field_name("body")
        else:
            yield child


def _bound(pattern: Node | None) -> Iterator[str]:
    """The names that a pattern binds: `{ a, b: c, d = 1 }` binds a, c and d."""
    if pattern is None:
        return
    if pattern.type in _NAMES:
        yield text_of(pattern)
    elif pattern.type in ("assignment_pattern", "object_assignment_pattern"):
        yield from _bound(pattern.child_by_field_name("left"))
    elif pattern.type == "pair_pattern":
        yield from _bound(pattern.child_by_field_name("value"))
    elif pattern.type in ("object_pattern", "array_pattern", "rest_pattern"):
        for child in named(pattern):
            yield from _bound(child)


def _imported(statement: Node) -> Iterator[str]:
    for node in walk(statement):
        if node.type == "import_specifier":
            yield text_of(node.child_by_field_name("alias") or node.child_by_field_name("name"))
        elif node.type in ("import_clause", "namespace_import"):
            yield from (text_of(child) for child in named(node) if child.type == "identifier")
