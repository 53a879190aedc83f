"""Python: imports, definitions, registrations and entries commute; statements do not."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from vdo.merge.languages.grammar import Grammar, Rule, named, text_of
from vdo.merge.units import Unit, joined, squeezed

if TYPE_CHECKING:
    from tree_sitter import Node

# Calls that only add something to a registry, so that two of them can change places.
_REGISTERS = re.compile(
    r"(?:add|register|include|set|mount|connect|subscribe|install|schedule|expose|declare)_\w+$"
    r"|(?:register|include|mount|connect|subscribe|install|use|route|autodiscover|init_app)$"
)
# These do so in the body of a module or class; inside a function they may as well be steps of it.
_COLLECTS = re.compile(r"(?:add|append|update|setdefault)$")
_KEPT_APART = re.compile(r"\b(setter|getter|deleter|overload|register)\b")
_LITERALS = frozenset({"string", "integer", "float", "true", "false", "none", "concatenated_string"})
_LEAVING = frozenset({"return_statement", "raise_statement", "continue_statement", "break_statement"})
_SCOPES = frozenset({"function_definition", "lambda"})


def _definition(node: Node, _text: str) -> str:
    inner = node.child_by_field_name("definition") or node
    decorators = [text_of(child) for child in named(node) if child.type == "decorator"]
    # A property's setter and an overload share their name with another definition.
    marks = [text for text in decorators if _KEPT_APART.search(text)]
    return " ".join([*marks, text_of(inner.child_by_field_name("name"))])


def _defines(node: Node, _text: str) -> str:
    inner = node.child_by_field_name("definition") or node
    return "classes" if inner.type == "class_definition" else "functions"


def _header(node: Node, _text: str) -> str:
    """A compound statement is known by what stands before its body."""
    body = node.child_by_field_name("body") or node.child_by_field_name("consequence")
    if body is None or node.text is None:
        return text_of(node)
    return " ".join(node.text[: body.start_byte - node.start_byte].decode().split())


def _expression(node: Node) -> Node | None:
    return node.named_children[0] if node.named_child_count == 1 else None


def _statement(node: Node, text: str) -> str:
    inner = _expression(node)
    if inner is not None and inner.type == "assignment":
        call = _registering(inner.child_by_field_name("right"))
        if call:
            return call
        return f"= {text_of(inner.child_by_field_name('left'))}"
    if inner is not None and inner.type == "augmented_assignment":
        return f"+= {text_of(inner.child_by_field_name('left'))}"
    return squeezed(text)


def _commutes(node: Node, _text: str) -> str:
    inner = _expression(node)
    if inner is None:
        return ""
    if inner.type == "assignment":
        return _assigns(node, inner)
    return "registrations" if _registering(inner) else ""


def _assigns(node: Node, assignment: Node) -> str:
    left, right = assignment.child_by_field_name("left"), assignment.child_by_field_name("right")
    if left is not None and left.type == "subscript":
        subscripts = left.children_by_field_name("subscript")
        return "entries" if all(child.type in _LITERALS for child in subscripts) else ""
    if _registering(right):
        return "registrations"
    return "" if _in_function(node) else "names"


def _has_default(node: Node, _text: str) -> bool:
    """A field with a default may not stand before one without, in a dataclass."""
    inner = _expression(node)
    return inner is not None and inner.type == "assignment" and inner.child_by_field_name("right") is not None


def _in_function(node: Node) -> bool:
    above = node.parent
    while above is not None and above.type != "class_definition":
        if above.type in _SCOPES:
            return True
        above = above.parent
    return False


def _registering(node: Node | None) -> str:
    """The call up to its first argument, when it is one that registers something."""
    if node is None or node.type != "call":
        return ""
    function, arguments = node.child_by_field_name("function"), node.child_by_field_name("arguments")
    if function is None or function.type != "attribute" or arguments is None:
        return ""
    verb = text_of(function.child_by_field_name("attribute"))
    if not _REGISTERS.match(verb) and not (_COLLECTS.match(verb) and not _in_function(node)):
        return ""
    given = arguments.named_children
    first = text_of(given[0]) if given else ""
    return f"{text_of(function)}({first}"


def _branch(node: Node, _text: str) -> str:
    """`elif name == "literal"`: the branches of such a chain exclude each other."""
    condition = node.child_by_field_name("condition")
    if condition is None or condition.type != "comparison_operator" or condition.child_count != 3:
        return ""
    literal = condition.children[1].type == "==" and condition.children[2].type in _LITERALS
    return "branches" if literal else ""


def _exclusive(node: Node, text: str) -> str:
    """`if name == "literal": return ...`: of several such statements at most one applies."""
    body = node.child_by_field_name("consequence")
    leaves = body is not None and body.named_children and body.named_children[-1].type in _LEAVING
    return _branch(node, text) if leaves and node.child_by_field_name("alternative") is None else ""


def _case(node: Node, _text: str) -> str:
    patterns = [child for child in named(node) if child.type == "case_pattern"]
    literal = all(child.named_children and child.named_children[0].type in _LITERALS for child in patterns)
    return "branches" if patterns and literal else ""


def group(units: list[Unit]) -> list[Unit]:
    """`x = parent.add_parser("x")` with the calls on `x` that follow is one registration.

    The name is often used again for the next one, so that its lines are only told apart by the block they are in.
    """
    grouped: list[Unit] = []
    position = 0
    while position < len(units):
        end = _end_of_block(units, position)
        grouped.append(joined("registration", units[position:end]))
        position = end
    return grouped


def _end_of_block(units: list[Unit], start: int) -> int:
    name = re.match(r"(\w+) *= *[\w.]+\(", units[start].text)
    end = start + 1
    if name and units[start].label == "registrations":
        for number in range(start + 1, len(units)):
            if units[number].text.startswith((f"{name[1]}.", f"{name[1]}[")):
                end = number + 1
            elif units[number].kind != "comment":
                break
    return end


_IMPORTED = re.compile(r"from\s+[\w.]+\s+import\s+(?:\w+\s+as\s+)?(\w+)")


def _group_with_imports(units: list[Unit]) -> list[Unit]:
    """`from x import bp` with the calls on `bp` right behind it is one registration, too.

    The name may be used again for the next one, as in an application factory.
    """
    grouped: list[Unit] = []
    units = group(units)
    position = 0
    while position < len(units):
        end = _end_of_calls(units, position)
        block = joined("registration", units[position:end])
        if end > position + 1:
            block.key, block.named = f"{block.key} {units[position + 1].key}", True
            block.label = "registrations"
        grouped.append(block)
        position = end
    return grouped


def _end_of_calls(units: list[Unit], start: int) -> int:
    """Behind the calls that register what the import at the start brings."""
    name = _IMPORTED.fullmatch(units[start].text)
    end = start + 1
    while name and end < len(units) and units[end].label == "registrations":
        if not re.match(rf"[\w.]+\(\s*{name[1]}\b", units[end].text):
            break
        end += 1
    return end


PYTHON = Grammar(
    name="Python",
    suffixes=(".py", ".pyi"),
    module="tree_sitter_python",
    rules={
        "import_statement": Rule("imports"),
        "import_from_statement": Rule("imports", "module_name"),
        "future_import_statement": Rule("imports"),
        "function_definition": Rule("functions", _definition),
        "class_definition": Rule("classes", _definition),
        "decorated_definition": Rule(_defines, _definition),
        "expression_statement": Rule(_commutes, _statement, late=_has_default),
        "if_statement": Rule(_exclusive, _header),
        "elif_clause": Rule(_branch, _header),
        "case_clause": Rule(_case, _header),
        "for_statement": Rule(key=_header),
        "while_statement": Rule(key=_header),
        "with_statement": Rule(key=_header),
        "try_statement": Rule(key=_header),
        "except_clause": Rule(key=_header),
        "pair": Rule("entries", "key"),
        "keyword_argument": Rule("arguments", "name"),
        "default_parameter": Rule("parameters", "name"),
        "typed_default_parameter": Rule("parameters", "name"),
    },
    bodies=frozenset({"module", "block"}),
    lists={
        "import_from_statement": ",",
        "future_import_statement": ",",
        "list": ",",
        "set": ",",
        "tuple": ",",
        "dictionary": ",",
        "argument_list": ",",
        "parameters": ",",
        "expression_list": ",",
    },
    heads={"import_from_statement": "module_name"},
    elements={"import_from_statement": "imports", "list": "entries", "set": "entries", "tuple": "entries"},
    wrapped={"function_definition": "decorated_definition", "class_definition": "decorated_definition"},
    atoms=frozenset({"string", "concatenated_string"}),
    group=group,
)

PYTHON_IN_BLOCKS = replace(PYTHON, group=_group_with_imports)
"""The same language read with imports as a part of what they are for."""
