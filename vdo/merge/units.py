"""Units: the parts of a file as its grammar sees them, each with the name by which it is found again."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

END = "(end)"
_OPENING = frozenset("([{")


@dataclass(eq=False)
class Unit:
    """A statement, an entry, a token ... of one version of a file."""

    kind: str
    key: str
    """Equal keys among siblings of two versions are the same thing, whatever became of it."""
    text: str
    lead: str = ""
    """White space since the sibling before; comments are units of their own."""
    tail: str = ""
    """A comment on the same line, after the separator."""
    label: str = ""
    """What it is (imports, entries ...) when its place among others such does not matter."""
    opens: Callable[[], Sequence[Unit]] | None = field(default=None, repr=False)
    separator: str = ""
    """What stands between its own elements."""
    element: bool = False
    """It is followed by its parent's separator, unless it is the last."""
    separated: bool = False
    """The separator is there."""
    first: bool = False
    """Nothing but an opening bracket is before it."""
    beside: str = ""
    """The lead of the sibling after it."""

    named: bool = False
    """Its key is a name, not its text: another key is another thing, however alike the texts are."""
    weak: bool = False
    """Its key finds it again, but is no name: two new ones with one key are two."""

    reaches: bool = False
    """What follows it becomes part of it, as of a table or a section."""

    late: bool = False
    """Among additions of its label it comes after those that are not."""

    @property
    def name(self) -> str:
        """By what a new one is known among the other new ones."""
        return self.text if self.weak else self.key

    @property
    def commutes(self) -> bool:
        return bool(self.label)

    @property
    def whole(self) -> str:
        return self.text + self.tail

    @cached_property
    def parts(self) -> tuple[Unit, ...]:
        """Its own units in order, with an empty one at the end that carries the last white space."""
        return tuple(self.opens()) if self.opens else ()


_TOKEN = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|\w+|[^\w\s]")
_TRAILING = re.compile(r",(?=[)\]}])")


def squeezed(text: str) -> str:
    """The text as a formatter leaves it alone: without line breaks, kinds of quotes and trailing commas."""
    tokens = (
        f'"{token[1:-1]}"' if token[0] == "'" and token[-1] == "'" and '"' not in token and "\\" not in token else token
        for token in _TOKEN.findall(text)
    )
    return _TRAILING.sub("", "\0".join(tokens).replace(",\0", ","))


def closed(units: list[Unit], rest: str, indent: str = "") -> list[Unit]:
    """The units of one parent, complete: with `rest`, the white space after the last one.

    `indent` is what stands before the first one on its line, which belongs to the parent.
    """
    units.append(Unit(END, END, "", rest))
    for number, unit in enumerate(units):
        unit.first = number == 0 or (number == 1 and units[0].text in _OPENING)
        if number + 1 < len(units) and units[number + 1].kind != END:
            unit.beside = units[number + 1].lead
        elif indent:
            unit.beside = f"\n{indent}"
    return units


def joined(kind: str, units: list[Unit]) -> Unit:
    """Several siblings as one unit, known by the first of them."""
    if len(units) == 1:
        return units[0]
    head, last = units[0], units[-1]
    text = "".join(unit.lead + unit.whole for unit in units)[len(head.lead) : -len(last.tail) or None]
    lead, head.lead, last.tail, tail = head.lead, "", "", last.tail
    parts = closed(units, "")
    return Unit(kind, head.key, text, lead, tail, label=head.label, opens=lambda: parts)


def wrap(unit: Unit, kind: str) -> Unit:
    """The unit as the only part of another one that says the same of it."""
    inner = replace(unit, lead="")
    return replace(unit, kind=kind, opens=lambda: closed([inner], ""), separator="")


def assemble(units: Sequence[Unit], separator: str, *, trailing: bool) -> str:
    """The text of a parent from its units, with separators between the elements and white space where it lacks."""
    last = max((n for n, unit in enumerate(units) if unit.element), default=-1)
    pieces = []
    before: Unit | None = None
    for number, unit in enumerate(units):
        pieces.append(_lead(unit, before))
        pieces.append(unit.text)
        if unit.element and (number < last or trailing):
            pieces.append(separator)
        pieces.append(unit.tail)
        before = unit
    return "".join(pieces)


def _lead(unit: Unit, before: Unit | None) -> str:
    """A unit that was the first one and is not any more needs the distance that its neighbours have."""
    if before is None:
        return unit.lead if unit.first else ""
    if before.text in _OPENING:
        return "" if unit.element and not unit.first and "\n" not in unit.lead else unit.lead
    if unit.lead or not unit.first or unit.kind == END:
        return unit.lead
    return unit.beside or (" " if unit.element else "\n")


def brief(unit: Unit | None) -> str:
    """The first line, for messages."""
    if unit is None or unit.kind == END:
        return "the end"
    first = unit.text.strip().splitlines()[0] if unit.text.strip() else unit.kind
    return f"`{first[:60]}`"
