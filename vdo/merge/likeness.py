"""What is alike: a thing that was changed, additions that say the same, and the neighbours that things belong to."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from vdo.merge.clashes import clash
from vdo.merge.sequence import edits
from vdo.merge.units import END, Unit, brief

Units = Sequence[Unit]

_MAX_PAIRS = 100
_MAX_COMPARED = 4000  # characters: a comparison takes some milliseconds there
_CHANGED, _RENAMED = 0.6, 0.65
_FEW = 3
_NEARER = 0.1
_DEFINITIONS = frozenset({"functions", "classes"})
_PROSE = frozenset({"bullets", "sections", "lines"})
_WORD = re.compile(r"\w+")
_LITERAL_VERSION = re.compile(r"""["']?(?:[a-z]+-?)?\d+(?:\.\d+)+[\w.-]*["']?""")
_VERSION = re.compile(r"\d+\.\d+|\d{4}-\d\d")


def paired_keys(b: Units, side: Units) -> list[str]:
    """The side's keys; what has no name of its own is known by the key of what it was changed from."""
    keys = [unit.key for unit in side]
    for edit in edits([unit.key for unit in b], keys):
        before = [unit for unit in b[edit.start : edit.end] if not unit.named or unit.label in _DEFINITIONS]
        if len(before) * (edit.side_end - edit.side_start) > _MAX_PAIRS:
            continue
        for number in range(edit.side_start, edit.side_end):
            unit = side[number]
            if unit.named and unit.label not in _DEFINITIONS:
                continue
            twin = next((old for old in before if old.kind == unit.kind and _resembles(old, unit)), None)
            if twin is not None:
                keys[number] = twin.key
                before = before[before.index(twin) + 1 :]
    return keys


def _resembles(one: Unit, two: Unit) -> bool:
    """Changed rather than replaced: most of the words are still there, in their order."""
    if one.kind in ("comment", END) or len(one.text) > _MAX_COMPARED or len(two.text) > _MAX_COMPARED:
        return False
    words = _WORD.findall(one.text), _WORD.findall(two.text)
    matcher = difflib.SequenceMatcher(None, *words, autojunk=False)
    alike = _RENAMED if one.named else _CHANGED
    if matcher.quick_ratio() >= alike and matcher.ratio() >= alike:
        return True
    shorter = min(len(side) for side in words)
    common = sum(block.size for block in matcher.get_matching_blocks())
    return not one.named and shorter >= _FEW and common == shorter  # something was added, and nothing changed


def doubt(b: Units, o: Units, t: Units) -> str:
    """Why two additions may be one thing said twice, or clash; empty where they can stand side by side."""
    for mine in o:
        for other in t:
            if mine.label == other.label == "entries" and _LITERAL_VERSION.fullmatch(mine.text):
                return f"both sides change versions: {brief(mine)}"
            if mine.label in _PROSE and mine.label == other.label and mine.text != other.text:
                if _alike(mine.text, other.text):
                    return f"both sides may say the same: {brief(mine)}"
                if mine.label == "sections" and _VERSION.search(mine.key) and _VERSION.search(other.key):
                    return f"both sides add a version: {brief(mine)}"
    return clash(b, o, t)


def _alike(one: str, two: str) -> bool:
    """All words of one are in the other, or both are about the same numbered issue."""
    words = [set(_WORD.findall(text.lower())) for text in (one, two)]
    shared, least = words[0] & words[1], min(len(found) for found in words)
    numbered = any(word.strip("abcdefghijklmnopqrstuvwxyz").isdigit() and len(word) > 2 for word in shared)
    return len(shared) >= (0.5 if numbered else 1.0) * max(least, 4)


def is_one_file(ours: str, theirs: str) -> bool:
    """Two new files that have most of their lines in common are two states of one, not two additions."""
    one, two = ({line.strip() for line in text.split("\n") if line.strip()} for text in (ours, theirs))
    return 2 * len(one & two) > min(len(one), len(two))


def belongs(before: Unit, ours: Units, theirs: Units) -> bool:
    """Definitions stand with those they are like: ours have clearly more in common with the one before than theirs."""
    if not all(unit.label in _DEFINITIONS for unit in (before, *ours, *theirs)):
        return False
    likeness = [_likeness(before.text, "".join(unit.text for unit in units)) for units in (ours, theirs) if units]
    return len(likeness) == 2 and likeness[0] > likeness[1] + _NEARER


def _likeness(one: str, two: str) -> float:
    words = [set(_WORD.findall(text)) for text in (one, two)]
    return len(words[0] & words[1]) / max(1, len(words[0] | words[1]))


def sortable(placed: Units, o: Units, t: Units) -> bool:
    return all(unit.commutes for unit in placed) and _in_order(o) and _in_order(t)


def _in_order(units: Units) -> bool:
    """The entries of this list are kept sorted, one on a line."""
    ranks = [rank(unit) for unit in units if unit.commutes]
    return len(ranks) > 2 and ranks == sorted(ranks) and all("\n" not in unit.text for unit in units if unit.commutes)


def rank(unit: Unit) -> str:
    return unit.key.casefold()
