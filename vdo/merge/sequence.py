"""Aligning three versions of a sequence: which parts both sides kept, and which of them changed the others."""

from __future__ import annotations

import bisect
import difflib
import enum
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

_SMALL = 100_000  # cells of a difflib comparison: some 20 ms; beyond it a region counts as replaced


class Change(enum.Enum):
    """Who changed a chunk."""

    NONE = "none"
    OURS = "ours"
    THEIRS = "theirs"
    BOTH = "both"


@dataclass(frozen=True)
class Chunk:
    """One stretch of the three versions, as slices of each."""

    change: Change
    base: slice
    ours: slice
    theirs: slice
    touching: bool = False
    """The chunk before is changed too: git would call the two one conflict."""


@dataclass(frozen=True)
class Edit:
    """`base[start:end]` became `side[side_start:side_end]`."""

    start: int
    end: int
    side_start: int
    side_end: int


def align(
    base: Sequence[Hashable], ours: Sequence[Hashable], theirs: Sequence[Hashable], *, strict: bool
) -> list[Chunk]:
    """Chunks in order, covering all three versions.

    With `strict`, changes that touch are one conflict, as in git; without, only such that overlap or that insert at
    the very same place.
    """
    chunks: list[Chunk] = []
    position = [0, 0, 0]  # in base, ours, theirs

    def advance(change: Change, ends: tuple[int, int, int], touching: bool = False) -> None:
        if tuple(position) != ends:
            b, o, t = (slice(begin, end) for begin, end in zip(position, ends, strict=True))
            chunks.append(Chunk(change, b, o, t, touching))
        position[:] = ends

    for left, right in _groups(edits(base, ours), edits(base, theirs), strict):
        start = min(edit.start for edit in (*left, *right))
        end = max(edit.end for edit in (*left, *right))
        stable = start - position[0]
        advance(Change.NONE, (start, position[1] + stable, position[2] + stable))
        ends = (end, position[1] + _size(left, start, end), position[2] + _size(right, start, end))
        change = Change.BOTH if left and right else Change.OURS if left else Change.THEIRS
        advance(change, ends, touching=bool(chunks) and stable == 0)
    advance(Change.NONE, (len(base), len(ours), len(theirs)))
    return chunks


def _size(changes: list[Edit], start: int, end: int) -> int:
    """How long base[start:end] is in the side with these changes."""
    return end - start + sum((e.side_end - e.side_start) - (e.end - e.start) for e in changes)


def _groups(ours: list[Edit], theirs: list[Edit], strict: bool) -> Iterator[tuple[list[Edit], list[Edit]]]:
    """The edits of both sides in the order of the base, those that belong to one conflict together."""
    left, right = list(ours), list(theirs)
    while left or right:
        group: tuple[list[Edit], list[Edit]] = ([], [])
        queues = (left, right)
        first = min((0, 1), key=lambda n: (queues[n][0].start, queues[n][0].end) if queues[n] else (1 << 60, 0))
        group[first].append(queues[first].pop(0))
        grown = True
        while grown:
            grown = False
            for queue, mine, others in ((left, group[0], group[1]), (right, group[1], group[0])):
                if queue and any(_meets(edit, queue[0], strict) for edit in others):
                    mine.append(queue.pop(0))
                    grown = True
        yield group


def _meets(one: Edit, two: Edit, strict: bool) -> bool:
    if strict:
        return one.start <= two.end and two.start <= one.end
    if one.start == one.end and two.start == two.end:
        return one.start == two.start
    return one.start < two.end and two.start < one.end


def edits(base: Sequence[Hashable], side: Sequence[Hashable]) -> list[Edit]:
    found = []
    before = side_before = 0
    for start, side_start, size in [*matches(base, side), (len(base), len(side), 0)]:
        if start > before or side_start > side_before:
            found.append(Edit(before, start, side_before, side_start))
        before, side_before = start + size, side_start + size
    return _slid(found, base, side)


def _slid(found: list[Edit], base: Sequence[Hashable], side: Sequence[Hashable]) -> list[Edit]:
    """Additions and removals as far down as they can be, as git has them: so that two at one place are seen as such."""
    slid: list[Edit] = []
    limit = len(base)
    for edit in reversed(found):
        shift = 0
        rows, start, end = (
            (side, edit.side_start, edit.side_end) if edit.start == edit.end else (base, edit.start, edit.end)
        )
        if edit.start == edit.end or edit.side_start == edit.side_end:
            while edit.end + shift < limit and rows[start + shift] == rows[end + shift]:
                shift += 1
        slid.append(Edit(*(n + shift for n in (edit.start, edit.end, edit.side_start, edit.side_end))))
        limit = slid[-1].start
    return slid[::-1]


def matches(one: Sequence[Hashable], two: Sequence[Hashable]) -> list[tuple[int, int, int]]:
    """Common runs in order: (start in one, start in two, length), none touching the next in both."""
    pairs = list(_pairs(one, two, 0, len(one), 0, len(two)))
    runs: list[tuple[int, int, int]] = []
    for i, j, size in pairs:
        if runs and runs[-1][0] + runs[-1][2] == i and runs[-1][1] + runs[-1][2] == j:
            runs[-1] = (runs[-1][0], runs[-1][1], runs[-1][2] + size)
        else:
            runs.append((i, j, size))
    return runs


def _pairs(
    one: Sequence[Hashable], two: Sequence[Hashable], i: int, i_end: int, j: int, j_end: int
) -> Iterator[tuple[int, int, int]]:
    """Equal head and tail first, then what is unique in both (patience), then difflib on what is left."""
    head = 0
    while i + head < i_end and j + head < j_end and one[i + head] == two[j + head]:
        head += 1
    if head:
        yield i, j, head
    i, j = i + head, j + head
    tail = 0
    while i < i_end - tail and j < j_end - tail and one[i_end - tail - 1] == two[j_end - tail - 1]:
        tail += 1
    i_end, j_end = i_end - tail, j_end - tail
    if i < i_end and j < j_end:
        anchors = _unique(one[i:i_end], two[j:j_end])
        if anchors:
            yield from _between(one, two, [(i + a, j + b) for a, b in anchors], (i, i_end, j, j_end))
        elif (i_end - i) * (j_end - j) <= _SMALL:
            found = difflib.SequenceMatcher(None, one[i:i_end], two[j:j_end], autojunk=False).get_matching_blocks()
            yield from ((i + block.a, j + block.b, block.size) for block in found if block.size)
    if tail:
        yield i_end, j_end, tail


def _between(
    one: Sequence[Hashable], two: Sequence[Hashable], anchors: list[tuple[int, int]], ends: tuple[int, int, int, int]
) -> Iterator[tuple[int, int, int]]:
    i, i_end, j, j_end = ends
    for a, b in anchors:
        yield from _pairs(one, two, i, a, j, b)
        yield a, b, 1
        i, j = a + 1, b + 1
    yield from _pairs(one, two, i, i_end, j, j_end)


def _unique(one: Sequence[Hashable], two: Sequence[Hashable]) -> list[tuple[int, int]]:
    """The longest rising run of elements that occur once in each."""
    counts, others = Counter(one), Counter(two)
    place = {value: n for n, value in enumerate(two) if others[value] == 1}
    pairs = [(n, place[value]) for n, value in enumerate(one) if counts[value] == 1 and value in place]
    tops: list[int] = []
    piles: list[int] = []
    previous = [-1] * len(pairs)
    for index, (_, b) in enumerate(pairs):
        pile = bisect.bisect_left(tops, b)
        previous[index] = piles[pile - 1] if pile else -1
        if pile == len(tops):
            tops.append(b)
            piles.append(index)
        else:
            tops[pile], piles[pile] = b, index
    chain = []
    index = piles[-1] if piles else -1
    while index >= 0:
        chain.append(pairs[index])
        index = previous[index]
    return chain[::-1]
