"""Merging three versions of a unit: additions that commute are united, everything else is left alone or declined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from vdo.merge.likeness import belongs, doubt, is_one_file, paired_keys, rank, sortable
from vdo.merge.sequence import Change, Chunk, align, matches
from vdo.merge.textmerge import includes, merge_lines, merge_words
from vdo.merge.units import Unit, assemble, brief
from vdo.merge.values import Declined

Units = Sequence[Unit]
_MAX_DEPTH = 60


@dataclass
class Merger:
    """One file's merge; `labels` tells what was united, in the order of the file."""

    labels: list[str] = field(default_factory=list)
    depth: int = 0

    def merge(self, base: Unit | None, ours: Unit, theirs: Unit) -> str | Declined:
        """The merged text of one unit."""
        if ours.text == theirs.text:
            return ours.text
        if base is not None and base.text in (ours.text, theirs.text):
            return theirs.text if base.text == ours.text else ours.text
        if base is not None:
            merged = merge_lines(base.text, ours.text, theirs.text)
            if merged is not None:
                return merged
        known = len(self.labels)
        self.depth += 1
        merged_parts = self._apart(base, ours, theirs)
        self.depth -= 1
        if isinstance(merged_parts, Declined) and base is not None:
            small, big = sorted((ours, theirs), key=lambda unit: (len(unit.text), unit.text))
            for larger, other in ((big, small), (small, big)):
                if includes(base.text, larger.text, other.text):
                    self.labels[known:] = ["same change"]
                    return larger.text
        return merged_parts

    def _apart(self, base: Unit | None, ours: Unit, theirs: Unit) -> str | Declined:
        kinds = {unit.kind for unit in (base, ours, theirs) if unit is not None}
        if len(kinds) > 1 or not (ours.parts and theirs.parts) or self.depth > _MAX_DEPTH:
            merged = merge_words(base.text, ours.text, theirs.text) if base is not None and len(kinds) == 1 else None
            if merged is not None:
                self.labels.append("words")
                return merged
            return Declined(f"both sides change {brief(base or ours)}")
        return self._parts(base, ours, theirs)

    def _parts(self, base: Unit | None, ours: Unit, theirs: Unit) -> str | Declined:
        o, t = ours.parts, theirs.parts
        b = base.parts if base is not None else _common(o, t)
        if base is None and self.depth == 1 and is_one_file(ours.text, theirs.text):
            return Declined("both sides add it: without a base, what one side lacks may be removed or not yet there")
        placed: list[Unit] = []
        united = False
        for chunk in align(_keys(b), paired_keys(b, o), paired_keys(b, t), strict=False):
            united = united or (chunk.change is Change.BOTH)
            mine, others = o[chunk.ours], t[chunk.theirs]
            if chunk.change is Change.BOTH and placed and belongs(placed[-1], others, mine):
                mine, others = others, mine
            units = self._chunk(chunk, b[chunk.base], mine, others, has_base=base is not None)
            if isinstance(units, list) and chunk.change is Change.BOTH and sortable(units, o, t):
                units.sort(key=rank)
            if isinstance(units, Declined):
                return units
            placed += units
        known = {unit.name for unit in b}
        reason = united and doubt(b, *([unit for unit in side if unit.name not in known] for side in (o, t)))
        if reason:
            return Declined(reason)
        once = _once(placed, b, o, t)
        if isinstance(once, Declined):
            return once
        return assemble(once, ours.separator, trailing=_trailing(base, ours, theirs))

    def _chunk(self, chunk: Chunk, b: Units, o: Units, t: Units, *, has_base: bool) -> list[Unit] | Declined:
        if chunk.change is Change.NONE:
            return self._pairwise(b if has_base else [None] * len(b), o, t)
        if b and not has_base:
            return Declined(f"both sides have {brief(b[0])}, at different places")
        if chunk.change is Change.BOTH:
            return self._both(b, o, t)
        mine, others = (o, t) if chunk.change is Change.OURS else (t, o)
        for before, after in zip(b, others, strict=True):
            if before.whole != after.whole:
                return Declined(f"one side removes or moves {brief(before)}, the other changes it")
        if chunk.touching and len(b) != len(mine) and not all(unit.commutes for unit in (*b, *mine)):
            return Declined(f"both sides change what is around {brief(next(iter((*mine, *b))))}")
        if chunk.touching:
            self.labels += dict.fromkeys(unit.label or "adjacent lines" for unit in mine or b)
        return list(mine)

    def _pairwise(self, b: Sequence[Unit | None], o: Units, t: Units) -> list[Unit] | Declined:
        placed = []
        for base, ours, theirs in zip(b, o, t, strict=True):
            unit = self._one(base, ours, theirs)
            if isinstance(unit, Declined):
                return unit
            placed.append(unit)
        return placed

    def _one(self, base: Unit | None, ours: Unit, theirs: Unit) -> Unit | Declined:
        text = self.merge(base, ours, theirs)
        if isinstance(text, Declined):
            return text
        tail = _pick(base.tail if base else None, ours.tail, theirs.tail)
        if tail is None:
            return Declined(f"both sides change the comment after {brief(ours)}")
        return replace(ours, text=text, tail=tail, lead=_lead(base, ours, theirs), first=ours.first and theirs.first)

    def _both(self, b: Units, o: Units, t: Units) -> list[Unit] | Declined:
        if _texts(o) == _texts(t):
            return list(o)
        if b and len(b) == len(o) == len(t) and _kinds(b) == _kinds(o) == _kinds(t):
            known = len(self.labels)
            units = self._pairwise(b, o, t)
            if len(self.labels) == known:
                self.labels.append("tokens")
            return units
        small, big = sorted((o, t), key=lambda units: (len(units), _texts(units)))
        if _contains(big, small, b):
            self.labels.append("same change")
            return list(big)
        return self._union(b, o, t)

    def _union(self, b: Units, o: Units, t: Units) -> list[Unit] | Declined:
        """Ours and then theirs; what both have once, what either removed not at all."""
        twins = {unit.name for unit in o if unit.named} & {unit.name for unit in t}
        for unit in (*b, *o, *t):
            if not unit.commutes and unit.kind != "comment" and unit.name not in twins:
                return Declined(f"both sides change the place of {brief(unit)}, whose order matters")
        for side in (o, t):
            if repeated := _repeated(side, twins):
                return Declined(f"one side adds {brief(repeated)} twice at one place")
        old = {unit.name: unit for unit in b}
        mine, others = ({unit.name: unit for unit in side} for side in (o, t))
        placed: list[Unit] = []
        for unit in (*o, *_only(o, t, mine, old)):
            twin = others.get(unit.name) if unit.name in mine else None
            if twin is not None and unit.kind != "comment":
                merged = self._one(old.get(unit.name), unit, twin)
                if isinstance(merged, Declined):
                    return merged
                placed.append(merged)
            elif twin is not None or unit.name not in old:
                placed.append(unit)
            elif old[unit.name].whole != unit.whole:
                return Declined(f"one side removes {brief(unit)}, the other changes it")
        self.labels += [unit.label for unit in (*o, *t) if unit.label and unit.name not in old]
        alike = len({unit.label for unit in placed}) == 1
        return sorted(placed, key=lambda unit: (unit.reaches, alike and unit.late))


def _only(o: Units, t: Units, mine: Mapping[str, Unit], old: Mapping[str, Unit]) -> list[Unit]:
    """What stands in theirs alone. A comment of theirs is repeated, unless both sides' additions begin with it.

    What is right before a definition belongs to that.
    """
    first = t[0] if t and o and t[0].text == o[0].text and not _is_of_definition(t) else None
    return [
        unit
        for unit in t
        if unit.name not in mine or (unit.kind == "comment" and unit.name not in old and unit is not first)
    ]


def _is_of_definition(units: Units) -> bool:
    return len(units) > 1 and units[1].label in ("functions", "classes", "types") and units[1].lead.count("\n") < 2


def _once(placed: list[Unit], b: Units, o: Units, t: Units) -> list[Unit] | Declined:
    """What both sides added at different places stands there once."""
    old = {unit.name for unit in b}
    sides = [{id(unit): unit.name for unit in side if unit.commutes and unit.name not in old} for side in (o, t)]
    counts = [Counter(side.values()) for side in sides]
    both = {name for name in counts[0] if counts[0][name] == counts[1][name] == 1}
    kept: list[Unit] = []
    for unit in placed:
        twin = next((other for other in kept if other.name == unit.name), None) if unit.name in both else None
        if twin is None or not _from_each(id(twin), id(unit), sides):
            kept.append(unit)
        elif twin.text != unit.text:
            return Declined(f"both sides add {brief(unit)}, each in another way")
    return kept


def _from_each(one: int, two: int, sides: Sequence[Mapping[int, str]]) -> bool:
    return (one in sides[0] and two in sides[1]) or (one in sides[1] and two in sides[0])


def _common(o: Units, t: Units) -> tuple[Unit, ...]:
    """What two units without a base have in common takes the place of the base."""
    runs = matches(_keys(o), _keys(t))
    return tuple(unit for start, _, size in runs for unit in o[start : start + size])


def _contains(big: Units, small: Units, b: Units) -> bool:
    """One side made the other's change and more."""
    texts = _texts(big)
    position = 0
    for text in _texts(small):
        try:
            position = texts.index(text, position) + 1
        except ValueError:
            return False
    return bool(small) and all(text in _texts(small) for text in _texts(b) if text in texts)


def _keys(units: Units) -> list[str]:
    return [unit.key for unit in units]


def _texts(units: Units) -> list[str]:
    return [unit.whole for unit in units]


def _kinds(units: Units) -> list[str]:
    return [unit.kind for unit in units]


def _repeated(units: Units, twins: Collection[str]) -> Unit | None:
    seen = set()
    for unit in units:
        if (unit.commutes or unit.name in twins) and unit.name in seen:
            return unit
        seen.add(unit.name)
    return None


def _trailing(base: Unit | None, ours: Unit, theirs: Unit) -> bool:
    """Whether a separator stands after the last element: as the side has it that changed this."""
    had, mine, others = (_trails(unit.parts) if unit is not None else None for unit in (base, ours, theirs))
    if mine is None or others is None:
        return bool(others if mine is None else mine)
    return mine or others if had is None else (others if mine == had else mine)


def _trails(units: Units) -> bool | None:
    """None where there is no element to tell it by."""
    elements = [unit for unit in units if unit.element]
    return elements[-1].separated if elements else None


def _pick(base: str | None, ours: str, theirs: str) -> str | None:
    """The side that changed; None where both did, in different ways."""
    if ours == theirs or theirs == base:
        return ours
    return theirs if ours == base else None


def _lead(base: Unit | None, ours: Unit, theirs: Unit) -> str:
    """The white space before a unit; where it is the first one, that says nothing of the distance to others."""
    if ours.first != theirs.first:
        return theirs.lead if ours.first else ours.lead
    lead = _pick(base.lead if base and base.first == ours.first else None, ours.lead, theirs.lead)
    return max(ours.lead, theirs.lead, key=lambda lead: (len(lead), lead)) if lead is None else lead
