"""Merging three versions of a plain text by its lines or by its words."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Collection, Sequence

from vdo.merge.sequence import Change, Chunk, align, edits
from vdo.merge.texts import lines_of

_PIECE = re.compile(r"\s+|\w+|[^\w\s]")
_WORD = re.compile(r"\w")
_NAME = re.compile(r"\W*[\w.-]+\W*[:=]")  # what a line gives a value to
_ALIKE = 0.6
_FEW_WORDS = 2  # a text with fewer gaps is a name or a value: two changes of it are a contradiction


def merge_lines(base: str, ours: str, theirs: str) -> str | None:
    """The line merge that git would make, None where it would leave a conflict.

    Also None where only blank lines or brackets lie between two changes: which of them a diff takes for the common
    ones is chance, and two additions would end up in each other.
    """
    b, o, t = (lines_of(text) for text in (base, ours, theirs))
    if min(len(b), len(o), len(t)) < 2 or _meets(align(b, o, t, strict=True), b):
        return None
    return _merged(b, o, t)


def _meets(chunks: Sequence[Chunk], base: Sequence[str]) -> bool:
    changed = Change.NONE
    for chunk in chunks:
        if chunk.change is not Change.NONE:
            if changed is not Change.NONE and chunk.change is not changed:
                return True
            changed = chunk.change
        elif any(_WORD.search(line) for line in base[chunk.base]):
            changed = Change.NONE
    return False


def merge_words(base: str, ours: str, theirs: str) -> str | None:
    """The same for the words of a text that both sides changed in different places."""
    b, o, t = (_PIECE.findall(text) for text in (base, ours, theirs))
    return _merged(b, o, t) if sum(piece.isspace() for piece in b) >= _FEW_WORDS else None


def _merged(b: Sequence[str], o: Sequence[str], t: Sequence[str]) -> str | None:
    pieces: list[str] = []
    for chunk in align(b, o, t, strict=True):
        if chunk.change is Change.BOTH and o[chunk.ours] != t[chunk.theirs]:
            return None
        pieces += t[chunk.theirs] if chunk.change is Change.THEIRS else o[chunk.ours]
    return "".join(pieces)


def includes(base: str, big: str, small: str) -> bool:
    """One text has every line that the other one added, in order, and none that it removed, nor a new form of one."""
    b, lines, others = lines_of(base), lines_of(big), lines_of(small)
    changes = edits(b, others)
    if not changes or len(b) < 2:
        return False
    added = [line for edit in changes for line in others[edit.side_start : edit.side_end]]
    removed = Counter(line for edit in changes for line in b[edit.start : edit.end])
    counts, known = Counter(lines), Counter(b)
    rest = iter(lines)
    return (
        all(any(line == other for other in rest) for line in added)
        and all(counts[line] <= known[line] - number for line, number in removed.items() if line.strip())
        and not _rewritten(b, lines, removed.keys(), set(added))
    )


def _rewritten(base: Sequence[str], side: Sequence[str], removed: Collection[str], added: Collection[str]) -> bool:
    """The side changed a line that the other one removed: that is a contradiction, not the same change and more."""
    for edit in edits(base, side):
        gone = [line for line in base[edit.start : edit.end] if line in removed and line.strip()]
        instead = [line for line in side[edit.side_start : edit.side_end] if line not in added]
        if any(_alike(one, two) for one in gone for two in instead):
            return True
    return False


def _alike(one: str, two: str) -> bool:
    words = _NAME.match(one), _NAME.match(two)
    if words[0] and words[1] and words[0][0].strip() == words[1][0].strip():
        return True
    matcher = difflib.SequenceMatcher(None, one.strip(), two.strip(), autojunk=False)
    return matcher.real_quick_ratio() >= _ALIKE and matcher.quick_ratio() >= _ALIKE and matcher.ratio() >= _ALIKE
