"""JavaScript and TypeScript, with JSX: imports, declarations, routes, members and entries commute."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from vdo.merge.languages.grammar import Grammar, Rule, named, text_of
from vdo.merge.languages.html import identity, is_weak
from vdo.merge.units import Unit, joined, squeezed

if TYPE_CHECKING:
    from tree_sitter import Node

# A call that adds something under a name: a route, a middleware, a command, a test. Its first argument tells it apart.
_REGISTERS = re.compile(
    r"(?:await )?(?P<call>(?:[\w$]+\.)*(?P<verb>use|get|post|put|patch|delete|all|route|on|once|add\w*|register\w*"
    r"|command|option|component|directive|plugin|provide|set|push|mount|subscribe|connect|handle|task"
    r"|describe|it|test|suite|define))\((?P<first>\s*(?:\"[^\"]*\"|'[^']*'|`[^`]*`|[^,()]*))"
)
# Without a name in quotes these may be steps of something: map.get(key), list.push(item).
_NAMING = frozenset({"get", "post", "put", "patch", "delete", "all", "on", "once", "set", "push", "add", "test", "it"})
_LITERALS = frozenset({"string", "number", "true", "false", "null"})
_FUNCTIONS = frozenset(
    {"function_declaration", "function_expression", "arrow_function", "method_definition", "generator_function"}
)


def _call(text: str) -> str:
    """The call up to its first argument, when it registers something."""
    found = _REGISTERS.match(text)
    if not found or (found["verb"] in _NAMING and found["first"].strip()[:1] not in ('"', "'", "`")):
        return ""
    return f"{found['call']}({found['first'].strip()}"


def _statement(node: Node, text: str) -> str:
    inner = node.named_children[0] if node.named_child_count else None
    if inner is not None and inner.type == "assignment_expression":
        return f"= {text_of(inner.child_by_field_name('left'))}"
    return _call(text) or squeezed(text)


def _commutes(node: Node, _text: str) -> str:
    inner = node.named_children[0] if node.named_child_count else None
    if inner is None or inner.text is None:
        return ""
    if inner.type == "assignment_expression":
        left = inner.child_by_field_name("left")
        return "names" if left is not None and left.type != "identifier" and not _in_function(node) else ""
    return "registrations" if _call(inner.text.decode()) else ""


def _names(node: Node, text: str) -> str:
    declared = [child for child in named(node) if child.type == "variable_declarator"]
    value = declared[0].child_by_field_name("value") if len(declared) == 1 else None
    if value is not None and value.text is not None and _call(value.text.decode()):
        return _call(value.text.decode())
    if _is_require(value):
        return text_of(value)
    return " ".join(text_of(child.child_by_field_name("name")) for child in declared) or text


def _declares(node: Node, _text: str) -> str:
    declared = [child for child in named(node) if child.type == "variable_declarator"]
    value = declared[0].child_by_field_name("value") if len(declared) == 1 else None
    if _is_require(value):
        return "imports"
    if value is not None and value.text is not None and _call(value.text.decode()):
        return "registrations"
    if value is not None and value.type in _FUNCTIONS:
        return "functions"
    return "" if _in_function(node) else "names"


def _is_require(value: Node | None) -> bool:
    return value is not None and text_of(value).startswith("require(")


def _in_function(node: Node) -> bool:
    above = node.parent
    while above is not None:
        if above.type in _FUNCTIONS:
            return True
        above = above.parent
    return False


def _exported(node: Node, text: str) -> str:
    declaration = node.child_by_field_name("declaration")
    if declaration is not None:
        name = declaration.child_by_field_name("name")
        return text_of(name) if name is not None else _names(declaration, text)
    source = node.child_by_field_name("source")
    if text.startswith("export default"):
        return "default"
    return f"from {text_of(source)}" if source is not None else "{}"


def _exports(node: Node, text: str) -> str:
    declaration = node.child_by_field_name("declaration")
    if declaration is None:
        return "imports" if node.child_by_field_name("source") is not None else ""
    return _declares(declaration, text) if declaration.type == "lexical_declaration" else "names"


def _case(node: Node, _text: str) -> str:
    """Cases commute when none falls through into the next."""
    value = node.child_by_field_name("value")
    body = node.named_children[-1] if node.named_child_count > 1 else None
    if body is not None and body.type == "statement_block":
        body = body.named_children[-1] if body.named_child_count else None
    leaves = body is not None and body.type in ("break_statement", "return_statement", "throw_statement")
    return "branches" if leaves and value is not None and value.type in _LITERALS | {"member_expression"} else ""


def group(units: list[Unit]) -> list[Unit]:
    """`const x = program.command("x")` with the calls on `x` that follow is one registration."""
    grouped: list[Unit] = []
    position = 0
    while position < len(units):
        name = re.match(r"(?:const|let|var) ([\w$]+)", units[position].text)
        end = position + 1
        if name and units[position].label == "registrations":
            while end < len(units) and units[end].text.startswith(f"{name[1]}."):
                end += 1
        grouped.append(joined("registration", units[position:end]))
        position = end
    return grouped


_RULES = {
    "import_statement": Rule("imports", "source"),
    "export_statement": Rule(_exports, _exported),
    "lexical_declaration": Rule(_declares, _names),
    "variable_declaration": Rule(_declares, _names),
    "function_declaration": Rule("functions", "name"),
    "generator_function_declaration": Rule("functions", "name"),
    "class_declaration": Rule("classes", "name"),
    "abstract_class_declaration": Rule("classes", "name"),
    "interface_declaration": Rule("types", "name"),
    "type_alias_declaration": Rule("types", "name"),
    "enum_declaration": Rule("types", "name"),
    "method_definition": Rule("functions", lambda _node, text: text.split("(")[0]),
    "method_signature": Rule("members", lambda _node, text: text.split("(")[0]),
    "property_signature": Rule("members", "name"),
    "field_definition": Rule("members", "property"),
    "public_field_definition": Rule("members", "name"),
    "enum_assignment": Rule("entries", "name"),
    "expression_statement": Rule(_commutes, _statement),
    "switch_case": Rule(_case, "value"),
    "pair": Rule("entries", "key"),
    "import_specifier": Rule("imports"),
    "export_specifier": Rule("entries"),
    "shorthand_property_identifier": Rule("entries"),
    "shorthand_property_identifier_pattern": Rule("entries"),
    "jsx_element": Rule("elements", identity, is_weak),
    "jsx_self_closing_element": Rule("elements", identity, is_weak),
}
_LISTS = dict.fromkeys(
    ("object", "array", "named_imports", "export_clause", "arguments", "formal_parameters", "enum_body"), ","
) | {"object_pattern": ",", "import_clause": ",", "interface_body": ";", "object_type": ";"}

JAVASCRIPT = Grammar(
    name="JavaScript",
    suffixes=(".js", ".mjs", ".cjs", ".jsx"),
    module="tree_sitter_javascript",
    rules=_RULES,
    bodies=frozenset({"program", "statement_block", "class_body", "switch_body", "jsx_element", "jsx_fragment"}),
    lists=_LISTS,
    elements={"array": "entries", "enum_body": "entries"},
    atoms=frozenset({"string", "template_string", "regex"}),
    ended=frozenset({"class_body"}),
    group=group,
)
TYPESCRIPT = replace(
    JAVASCRIPT,
    name="TypeScript",
    suffixes=(".ts", ".mts", ".cts"),
    module="tree_sitter_typescript",
    function="language_typescript",
)
TSX = replace(TYPESCRIPT, name="TypeScript with JSX", suffixes=(".tsx",), function="language_tsx")
