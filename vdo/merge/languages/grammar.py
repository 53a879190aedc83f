"""What a language is to merging: a table of its grammar's node types, and the units made of a parsed file."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vdo.merge.units import Unit, closed, squeezed, wrap
from vdo.merge.values import Declined

if TYPE_CHECKING:
    from tree_sitter import Node


@dataclass(frozen=True)
class Rule:
    """How nodes of one type are found again, and whether their order matters."""

    label: str | Callable[[Node, str], str] = ""
    """What such a node is called in records; an empty one says that its place among others matters."""
    key: str | Callable[[Node, str], str] = ""
    """A field (`name`, `definition.name`) that identifies it, or made of node and text; empty: its whole text."""
    weak: Callable[[Node, str], bool] | None = None
    """The key finds it again, but two new ones with equal keys are different things."""
    late: Callable[[Node, str], bool] | None = None
    """Among additions of its label it comes after those that are not."""


@dataclass(frozen=True)
class Grammar:
    """One language. Everything that merging knows of it is in here."""

    name: str
    suffixes: tuple[str, ...]
    module: str
    """The Python module of the tree-sitter wheel, and in it the function that gives the language."""
    function: str = "language"
    files: tuple[str, ...] = ()
    """Whole file names without a telling suffix."""
    rules: Mapping[str, Rule] = field(default_factory=dict)
    bodies: frozenset[str] = frozenset()
    """Types whose children are statements: those without a rule are known by their text, not by their type."""
    lists: Mapping[str, str] = field(default_factory=dict)
    """Types whose children are elements, with what separates these."""
    ended: frozenset[str] = frozenset()
    """Types in which a semicolon may follow a child without being part of it."""
    reaching: frozenset[str] = frozenset()
    """Types that reach to the next of their kind: whatever stands behind them is part of them."""
    heads: Mapping[str, str] = field(default_factory=dict)
    """The field of a list that is none of its elements, as the module in `from module import a, b`."""
    elements: Mapping[str, str] = field(default_factory=dict)
    """The label of elements that have no rule, by the type of the list."""
    wrapped: Mapping[str, str] = field(default_factory=dict)
    """Types that may stand inside another one (a function, in what decorates it): taken as if they always did."""
    atoms: frozenset[str] = frozenset()
    """Types that are never looked into."""
    comments: frozenset[str] = frozenset({"comment"})
    mask: Callable[[str], str] | None = None
    """Hides what the grammar does not know, keeping every byte's place."""
    group: Callable[[list[Unit]], list[Unit]] | None = None
    """Joins the statements of a body that belong together."""
    remark: re.Pattern[str] | None = None
    """Finds comments between nodes where the grammar hides them inside the node before."""
    broken: frozenset[str] = frozenset()
    """Types that stand for a syntax error although the grammar does not call it one."""

    def parse(self, text: str) -> Unit | Declined:
        """The file as one unit."""
        root = self.tree(text)
        if root.has_error or (self.broken and any(node.type in self.broken for node in walk(root))):
            return Declined(f"it does not parse as {self.name}")
        return _Reader(self, text.encode()).root(root)

    def tree(self, text: str) -> Node:
        """What the grammar makes of a file, whether it is sound or not."""
        import tree_sitter  # 10 ms with a grammar: only merges that git leaves open need it

        language = tree_sitter.Language(getattr(importlib.import_module(self.module), self.function)())
        return tree_sitter.Parser(language).parse((self.mask(text) if self.mask else text).encode()).root_node


@dataclass(frozen=True)
class _Reader:
    grammar: Grammar
    data: bytes

    def root(self, node: Node) -> Unit:
        # A grammar's root may begin after the first white space of the file: the unit is always all of it.
        return Unit(node.type, "", self.data.decode(), opens=lambda: self.parts(node, 0, len(self.data)), first=True)

    def parts(self, node: Node, start: int, end: int) -> Sequence[Unit]:
        """The children with what lies between them; none when there is text that belongs to no child."""
        separator = self.grammar.lists.get(node.type, "")
        units: list[Unit] = []
        position, row = start, -1
        for child in node.children:
            text = self._trimmed(child)
            if not text or child.start_byte >= end:
                continue
            lead = self._remarks(self.text(position, child.start_byte), units)
            if lead.strip().strip("\\"):
                return ()
            position = child.start_byte + len(text.encode())
            if units and separator and text == separator and units[-1].element:
                units[-1].separated = True
            elif units and self._trails(node, child, text, on_row=child.start_point.row == row):
                units[-1].tail += lead + text
            else:
                units.append(self.unit(node, child, text, lead, separator))
            row = child.end_point.row
        rest = self._remarks(self.text(position, end), units)
        if rest.strip():
            return ()
        if self.grammar.group and node.type in self.grammar.bodies:
            units = self.grammar.group(units)
        return closed(units, rest, self._indent(node, start))

    def _indent(self, node: Node, start: int) -> str:
        """How far the first child of a body is from the beginning of its line, in white space."""
        if node.type not in self.grammar.bodies:
            return ""
        return re.sub(r"\S", " ", self.text(self.data.rfind(b"\n", 0, start) + 1, start))

    def _trails(self, parent: Node, node: Node, text: str, *, on_row: bool) -> bool:
        """It belongs to the unit before: a semicolon, or a comment on the same line."""
        if text == ";":
            return parent.type in self.grammar.ended
        return on_row and node.type in self.grammar.comments and "\n" not in text

    def _trimmed(self, node: Node) -> str:
        """A node's text without the white space and the comments that follow what it really is."""
        text = self.text(node.start_byte, node.end_byte).rstrip()
        while self.grammar.remark and "\n" in text:
            rest, _, last = text.rpartition("\n")
            if not self.grammar.remark.match(last.lstrip()):
                break
            text = rest.rstrip()
        return text

    def _remarks(self, gap: str, units: list[Unit]) -> str:
        """Moves the comments of a gap into units (or behind the unit on their line); the white space that is left."""
        if not self.grammar.remark or not gap.strip():
            return gap
        position = 0
        for found in self.grammar.remark.finditer(gap):
            lead, text = gap[position : found.start()], found[0]
            if lead.strip():
                break
            if units and "\n" not in lead and not units[-1].tail:
                units[-1].tail = lead + text
            else:
                units.append(Unit("comment", text, text, lead))
            position = found.end()
        return gap[position:]

    def unit(self, parent: Node, node: Node, text: str, lead: str, separator: str) -> Unit:
        grammar = self.grammar
        comment = node.type in grammar.comments
        element = bool(separator) and node.is_named and not comment and not self._is_head(parent, node)
        key, label = self._identity(parent, node, text, element)
        end = node.start_byte + len(text.encode())
        opens = None
        if node.child_count and node.type not in grammar.atoms:
            opens = lambda: self.parts(node, node.start_byte, end)  # noqa: E731
        unit = Unit(
            node.type, key, text, lead, label="" if comment else label, opens=opens, element=element,
            separator=grammar.lists.get(node.type, ""), reaches=node.type in grammar.reaching,
        )  # fmt: skip
        rule = grammar.rules.get(node.type)
        if rule:
            unit.weak = bool(rule.weak and rule.weak(node, text))
            unit.named = bool(rule.key) and not unit.weak and not key.endswith(f" {squeezed(text)}")
            unit.late = bool(rule.late and rule.late(node, text))
        outer = grammar.wrapped.get(node.type)
        return wrap(unit, outer) if outer and outer != parent.type else unit

    def _identity(self, parent: Node, node: Node, text: str, element: bool) -> tuple[str, str]:
        rule = self.grammar.rules.get(node.type)
        if rule:
            key = rule.key(node, text) if callable(rule.key) else _field(node, rule.key) if rule.key else squeezed(text)
            label = rule.label(node, text) if callable(rule.label) else rule.label
            return f"{self.grammar.wrapped.get(node.type, node.type)} {key}", label
        text = squeezed(text)
        if element:
            return text, self.grammar.elements.get(parent.type, "")
        if parent.type in self.grammar.bodies or not node.is_named or node.type in self.grammar.comments:
            return text, ""
        return node.type, ""

    def _is_head(self, parent: Node, node: Node) -> bool:
        name = self.grammar.heads.get(parent.type)
        return name is not None and node == parent.child_by_field_name(name)

    def text(self, start: int, end: int) -> str:
        return self.data[start:end].decode()


def _field(node: Node, path: str) -> str:
    """The text of a (nested) field; of the node itself where it has no such field."""
    found: Node | None = node
    for name in path.split("."):
        found = found.child_by_field_name(name) if found is not None else None
    return text_of(found if found is not None else node)


def text_of(node: Node | None) -> str:
    """A node's text with its white space evened out, as keys are compared."""
    return " ".join(node.text.decode().split()) if node is not None and node.text is not None else ""


def named(node: Node) -> Iterator[Node]:
    return (child for child in node.children if child.is_named)


def walk(node: Node) -> Iterator[Node]:
    waiting = [node]
    while waiting:
        yield waiting[-1]
        waiting.extend(waiting.pop().children)
