"""Additions that could stand side by side by their syntax, but answer to one name, or whose order matters."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from vdo.merge import addresses
from vdo.merge.units import Unit

Units = Sequence[Unit]

_STRING = r"""(?:"[^"\\\n]*"|'[^'\\\n]*'|`[^`\\\n$]*`)"""
_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
# What an entry is, and what tells it from the others of its list.
_REQUIREMENT = re.compile(r"""["']([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?:[=<>!~;@][^"']*)?["']""")
_KEYED = (
    re.compile(rf"([\w.]+)\(\s*r?({_STRING})\s*,(?!.*\binclude\()", re.DOTALL),
    re.compile(rf"()[(\[]\s*({_STRING}|\d+)\s*,\s*(?:\w*\()?{_STRING}\)?\s*,?\s*[)\]]"),
    re.compile(rf"""\{{\s*["']?(id|path|href|url|key|slug|to|name)["']?\s*:\s*({_STRING}|\d+)\s*[,}}]"""),
)
_OPTION = re.compile(r"""["'](-{1,2}\w[\w-]*)["']""")
_NAMED = re.compile(
    r"([\w.]+\.(?:register\w*|include\w*|mount|install|add_typer|add_middleware))\(\s*([A-Za-z_][\w.]*)\s*,?"
)
_PLACED = re.compile(r"""[\w.]+\.add_argument\(\s*["'](?!-)""")
# `app.use(f)` without a path, and what may be hidden by it, or unprotected without it.
_PASSED = re.compile(r"[\w$.]+\.use\((?!\s*[\"'`])(?![^)]*(?:rout|plugin|module))", re.IGNORECASE)
_ANSWERS = re.compile(
    r"[\w$.]+\.(?:(?:get|post|put|patch|delete|all|route|use)\(\s*[\"'`]|use\([^)]*rout)", re.IGNORECASE
)
_PIECE = re.compile(r"([^{};]*)([{};])")
_REMARK = re.compile(r"/\*.*?\*/", re.DOTALL)
# What the property of the same beginning does not set.
_APART = re.compile(
    r"border-[\w-]*(?:radius|collapse|spacing)|flex-(?:direction|wrap|flow)|overflow-(?:wrap|anchor)|color-scheme"
)


def clash(b: Units, o: Units, t: Units) -> str:
    """Why what ours and theirs add to the base cannot be put together in any order; empty where it can."""
    both = {(unit.name, unit.label) for unit in o} & {(unit.name, unit.label) for unit in t}  # merged as one thing
    mine, others = ([unit for unit in side if unit.commutes and (unit.name, unit.label) not in both] for side in (o, t))
    for label, ask in _BY_LABEL.items():
        reason = ask(*([unit for unit in side if unit.label == label] for side in (b, mine, others)))
        if reason:
            return reason
    address = addresses.shared([unit.text for unit in mine], [unit.text for unit in others])
    return f"both sides answer to {address}" if address else ""


def _entries(b: Units, o: Units, t: Units) -> str:
    numbers = [next((unit.text for unit in side if _NUMBER.fullmatch(unit.text)), None) for side in (o, t)]
    if None not in numbers:
        return f"both sides add a number whose place matters: {numbers[0]}"
    # What stands in the list several times tells nothing from anything: ("GET", "/a"), ("GET", "/b").
    shared = (_keys(o) & _keys(t)).keys() - {
        key for side in (b, o, t) for key, count in _keys(side).items() if count > 1
    }
    return f"both sides add the entry {min(shared)[1]}, each in another way" if shared else ""


def _keys(units: Units) -> Counter[tuple[str, str]]:
    return Counter(key for unit in units for key in _keys_of(unit))


def _keys_of(unit: Unit) -> Iterator[tuple[str, str]]:
    if unit.kind == "enum_assignment":
        yield "=", unit.text.partition("=")[2].strip()
    requirement = _REQUIREMENT.fullmatch(unit.text)
    if requirement:
        yield "", re.sub(r"[-_.]+", "-", requirement[1]).lower()
    for pattern in _KEYED:
        found = pattern.match(unit.text)
        if found:
            yield found[1], found[2].strip("\"'`")


def _registrations(_b: Units, o: Units, t: Units) -> str:
    # A block of several calls has a parser of its own.
    mine, others = ([unit.text for unit in side if unit.kind != "registration"] for side in (o, t))
    if any(map(_PLACED.match, mine)) and any(map(_PLACED.match, others)):
        return "both sides add an argument that is known by its place"
    names = _registered(mine) & _registered(others)
    if names:
        return f"both sides register {min(names)[1]}, each in another way"
    options = _options(mine) & _options(others)
    if options:
        return f"both sides add the option {min(options)[1]}"
    for one, two in ((mine, others), (others, mine)):
        for text in filter(_PASSED.match, one):
            if any(map(_ANSWERS.match, two)) or (two and ("=>" in text or "function" in text)):
                return f"one side adds what every request passes, the other may need it at another place: `{text[:60]}`"
    return ""


def _registered(texts: Sequence[str]) -> set[tuple[str, str]]:
    return {(found[1], found[2]) for found in map(_NAMED.match, texts) if found}


def _options(texts: Sequence[str]) -> set[tuple[str, str]]:
    """With what each of them is added to: `p.add_argument`, `program.command("a").option`."""
    return {(text[: found.start()].rpartition("(")[0], found[1]) for text in texts for found in _OPTION.finditer(text)}


def _rules(_b: Units, o: Units, t: Units) -> str:
    """Of two rules for one selector that set one property the later one wins."""
    mine, others = _declared(o), _declared(t)
    for selector in sorted(mine.keys() & others.keys()):
        for one in sorted(mine[selector]):
            if any(_meet(one, two) for two in others[selector]):
                return f"both sides set {one} of {selector}"
    return ""


def _declared(units: Units) -> Mapping[str, set[str]]:
    """The properties that rules, or the rules within them, set for each selector."""
    found: dict[str, set[str]] = {}
    for unit in units:
        above: list[str] = []
        for head, mark in _PIECE.findall(_REMARK.sub("", unit.text)):
            for selector in _selectors(above) if mark != "{" and ":" in head else ():
                found.setdefault(selector, set()).add(head.split(":")[0].strip())
            if mark == "{":
                above.append(" ".join(head.split()))
            elif mark == "}" and above:
                above.pop()
    return found


def _selectors(above: Sequence[str]) -> Iterator[str]:
    """What a declaration is for: `&:hover` within a rule is that rule's; a query around it makes no difference."""
    if any("keyframes" in head for head in above):
        return
    rules = [head.split(",") for head in above if not head.startswith("@") or head.startswith("@page")]
    for way in itertools.product(*rules) if rules else ():
        yield " ".join(part.strip() for part in way)


def _declarations(_b: Units, o: Units, t: Units) -> str:
    mine, others = ({unit.text.split(":")[0].strip() for unit in side} for side in (o, t))
    meeting = [one for one in mine if any(_meet(one, two) for two in others)]
    return f"both sides set {min(meeting)}" if meeting else ""


def _meet(one: str, two: str) -> bool:
    """They set the same thing, as `margin` and `margin-top` do; a custom property is only itself."""
    if one.startswith("--") or two.startswith("--"):
        return one == two
    short, long = sorted((one, two), key=len)
    return one == two or (long.startswith(f"{short}-") and not _APART.fullmatch(long))


_BY_LABEL: Mapping[str, Callable[[Units, Units, Units], str]] = {
    "entries": _entries,
    "registrations": _registrations,
    "rules": _rules,
    "declarations": _declarations,
}
