"""The graph of jobs beside a list: lanes that run from a job to those it builds on, in characters as git draws them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence

Node = tuple[Hashable, Sequence[Hashable]]
"""A key, and the keys of what it builds on: the one it extends first."""
Line = tuple[str, int | None]
"""The drawing, and which node stands on this line."""


def draw(nodes: Sequence[Node], *, upwards: bool = False) -> list[Line]:
    """One line for each node, children before parents, and lines for the edges between.

    With `upwards` the nodes come parents first. Parents that are not among the nodes are not drawn; a node without
    any that is drawn is an `o`: what stands below it in the same lane is nothing that it builds on.
    """
    if not upwards:
        return list(_Lanes(nodes).lines())
    last = len(nodes) - 1
    mirrored = [(text.translate(_MIRROR), node) for text, node in _Lanes(nodes[::-1]).lines()]
    return [(text, None if node is None else last - node) for text, node in reversed(mirrored)]


_MIRROR = str.maketrans("/\\", "\\/")


class _Lanes:
    """Each lane waits for the node whose key it holds; an empty one is free for the next."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self._lanes: list[Hashable | None] = []

    def lines(self) -> Iterator[Line]:
        ahead = {key for key, _ in self._nodes}
        for index, (key, parents) in enumerate(self._nodes):
            ahead.discard(key)
            lane = self._lanes.index(key) if key in self._lanes else self._free()
            self._lanes[lane] = key
            shown = [parent for parent in dict.fromkeys(parents) if parent in ahead]
            yield self._row(lane, "*" if shown else "o"), index
            for parent in shown[1:]:
                yield self._join(lane, parent), None
            if not shown:
                self._end(lane)
            elif shown[0] in self._lanes:
                yield self._collapse(lane, self._lanes.index(shown[0])), None
            else:
                self._lanes[lane] = shown[0]

    def _free(self) -> int:
        if None in self._lanes:
            return self._lanes.index(None)
        self._lanes.append(None)
        return len(self._lanes) - 1

    def _end(self, lane: int) -> None:
        self._lanes[lane] = None
        while self._lanes and self._lanes[-1] is None:
            self._lanes.pop()

    def _row(self, lane: int, glyph: str) -> str:
        marks = ["|" if each is not None else " " for each in self._lanes]
        marks[lane] = glyph
        return " ".join(marks).rstrip()

    def _join(self, lane: int, parent: Hashable) -> str:
        """A further parent: an edge to its lane, or to a new one."""
        if parent in self._lanes:
            return self._edge(lane, self._lanes.index(parent))
        target = self._free()
        line = self._edge(lane, target)
        self._lanes[target] = parent
        return line

    def _collapse(self, lane: int, other: int) -> str:
        """Two lanes wait for the same parent: the right one ends in the left one."""
        left, right = sorted((lane, other))
        self._lanes[left], self._lanes[right] = self._lanes[other], None
        line = self._edge(right, left)
        self._end(right)
        return line

    def _edge(self, start: int, end: int) -> str:
        """From the lane `start` above to the lane `end` below."""
        marks = [" "] * (2 * max(len(self._lanes), start + 1, end + 1) - 1)
        step = 1 if end > start else -1
        for at in range(2 * start + step, 2 * end, step):
            marks[at] = "-"
        marks[2 * start + step] = "\\" if step > 0 else "/"
        for lane, each in enumerate(self._lanes):
            if each is not None:
                marks[2 * lane] = "|"
        return "".join(marks).rstrip()
