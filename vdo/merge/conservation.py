"""Both sides' additions survive: whatever line or binding either side added is in the merged text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from vdo.merge.texts import lines_of, readable
from vdo.merge.values import Conflict, Declined

_WORD = re.compile(r"\w+")


def lost(base: str | None, ours: str, theirs: str, merged: str) -> list[str]:
    """The lines of either side that the merged text lacks, in the order of the sides.

    White space and a separator at the end of a line do not count. A line that was rewritten, because both sides
    changed it (`from x import a, b` and `from x import a, c`), is there when all of its words are.
    """
    b, o, t, m = (_lines(text) for text in (base or "", ours, theirs, merged))
    missing = _missing(Counter(b), Counter(o), Counter(t), Counter(m))
    if not missing:
        return []
    gone = _missing(_words(b), _words(o), _words(t), _words(m))
    return [line for line in dict.fromkeys([*o, *t]) if line in missing and gone & set(_WORD.findall(line))]


def check(conflict: Conflict, merged: bytes) -> Declined | None:
    """What the next rung must be asked for, when a merged text dropped something."""
    if conflict.ours is None or conflict.theirs is None:
        return None
    base = readable(conflict.base.data) if conflict.base else None
    missing = lost(base, readable(conflict.ours.data), readable(conflict.theirs.data), readable(merged))
    if not missing:
        return None
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return Declined(f"it loses {missing[0][:80]!r}{more}")


def _missing(base: Counter[str], ours: Counter[str], theirs: Counter[str], merged: Counter[str]) -> set[str]:
    """What occurs less often than it must: an addition of either side counts, a removal takes one away."""
    short = set()
    for item in ours.keys() | theirs.keys():
        b, o, t = base[item], ours[item], theirs[item]
        needed = max(o, t) if min(o, t) >= b else max(0, o + t - b)
        if merged[item] < needed:
            short.add(item)
    return short


def _lines(text: str) -> list[str]:
    """Without white space, separators at the end and the kinds of quotes, none of which carries a meaning alone."""
    even = text.replace("'", '"')
    return [line for line in (" ".join(line.split()).rstrip(",;") for line in lines_of(even)) if line]


def _words(lines: Iterable[str]) -> Counter[str]:
    return Counter(word for line in lines for word in _WORD.findall(line))
