"""Lineage as a drawing: a rail beside the rows of a list, as git clients draw it, and the graph of a project."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vdo.job import Job, JobRef, State, Uid

ROW = 64
"""Height of a row of the list, in the units of the drawing."""
LANE = 16
_MAX_LANES = 10
"""Further lanes are drawn on the last one: a list is no place for more."""


@dataclass(frozen=True)
class Rail:
    """The drawing beside one row."""

    width: int
    x: int
    lane: int
    edges: tuple[tuple[str, int, bool], ...]
    """SVG path, the lane that colours it, whether it leads to a job that is not in the list."""


def rails(jobs: Sequence[Job], *, whole: bool = True) -> list[Rail]:
    """A rail for each job of a list, newest first.

    With `whole` a parent that is not in the list stands further down, on another page; else (the list was filtered) it
    may be anywhere, and its edge ends in a stub.
    """
    lanes = _Lanes({job.uid for job in jobs}, whole)
    drawn = [lanes.row(job) for job in jobs]
    width = (max((row[0] for row in drawn), default=0) + 1) * LANE + LANE // 2
    return [Rail(width, _x(lane), lane, tuple(edges)) for _, lane, edges in drawn]


def _x(lane: int) -> int:
    return lane * LANE + LANE


class _Lanes:
    """Each lane waits for the job whose id it holds; an empty one is free."""

    def __init__(self, listed: set[Uid], whole: bool) -> None:
        self._listed = listed
        self._whole = whole
        self._lanes: list[Uid | None] = []

    def row(self, job: Job) -> tuple[int, int, list[tuple[str, int, bool]]]:
        """(highest lane in use, the job's lane, its edges)."""
        waiting = [number for number, uid in enumerate(self._lanes) if uid == job.uid]
        lane = waiting[0] if waiting else self._free()
        passing = [number for number, uid in enumerate(self._lanes) if uid is not None and uid != job.uid]
        edges = [(f"M{_x(one)} 0V{ROW}", one, False) for one in passing]
        edges += [(_curve(one, 0, lane, ROW // 2), one, False) for one in waiting]
        for number in waiting:
            self._lanes[number] = None
        highest = max([lane, *passing, *waiting])
        for number, uid in enumerate(_parents(job)):
            target = self._towards(uid, lane, extended=number == 0)
            highest = max(highest, lane if target is None else target)
            stub = target is None
            path = f"M{_x(lane)} {ROW // 2}V{ROW}" if target is None else _curve(lane, ROW // 2, target, ROW)
            edges.append((path, lane if target is None else target, stub))
        while self._lanes and self._lanes[-1] is None:
            self._lanes.pop()
        return highest, lane, edges

    def _towards(self, uid: Uid, lane: int, *, extended: bool) -> int | None:
        """The lane in which an edge to a parent goes on; None for a parent that is not drawn."""
        # A branch keeps its own lane down to where it began; a merged job is joined where it is.
        if uid in self._lanes and not (extended and lane < len(self._lanes) and self._lanes[lane] is None):
            return self._lanes.index(uid)
        if uid not in self._listed and not self._whole:
            return None
        target = lane if lane >= len(self._lanes) or self._lanes[lane] is None else self._free()
        while len(self._lanes) <= target:
            self._lanes.append(None)
        self._lanes[target] = uid
        return target

    def _free(self) -> int:
        if None in self._lanes:
            return self._lanes.index(None)
        if len(self._lanes) >= _MAX_LANES:
            return _MAX_LANES - 1
        self._lanes.append(None)
        return len(self._lanes) - 1


def _curve(start: int, top: int, end: int, bottom: int) -> str:
    if start == end:
        return f"M{_x(start)} {top}V{bottom}"
    middle = (top + bottom) // 2
    return f"M{_x(start)} {top}C{_x(start)} {middle} {_x(end)} {middle} {_x(end)} {bottom}"


def _parents(job: Job) -> Iterator[Uid]:
    for parent in dict.fromkeys((job.extends, *job.merges)):
        if isinstance(parent, JobRef):
            yield parent.uid


NODE_WIDTH, NODE_HEIGHT, GAP_X, GAP_Y, MARGIN = 208, 60, 56, 26, 12
_TITLE = 26
"""Characters of a title that fit into a node."""


@dataclass(frozen=True)
class Node:
    """A job in the graph of its project."""

    job: Job
    state: State
    x: int
    y: int
    lane: int
    label: str


@dataclass(frozen=True)
class Graph:
    """The drawing of a project, from left to right."""

    width: int
    height: int
    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, int, bool], ...]
    """SVG path, the lane that colours it, whether it is a merge."""


def project_graph(jobs: Sequence[tuple[Job, State]]) -> Graph:
    """Columns are the length of the way from the root, rows are branches; the jobs come oldest first."""
    columns: dict[Uid, int] = {}
    lanes = _Branches()
    nodes: dict[Uid, Node] = {}
    for job, state in jobs:
        known = [uid for uid in _parents(job) if uid in nodes]
        columns[job.uid] = max((columns[uid] + 1 for uid in known), default=0)
        lane = lanes.of(job, columns[job.uid], nodes.get(known[0]) if known else None)
        x = MARGIN + columns[job.uid] * (NODE_WIDTH + GAP_X)
        y = MARGIN + lane * (NODE_HEIGHT + GAP_Y)
        nodes[job.uid] = Node(job, state, x, y, lane, _short(job.title))
    edges = [edge for node in nodes.values() for edge in _edges(node, nodes)]
    width = max((node.x for node in nodes.values()), default=0) + NODE_WIDTH + MARGIN
    height = max((node.y for node in nodes.values()), default=0) + NODE_HEIGHT + MARGIN
    return Graph(width, height, tuple(nodes.values()), tuple(edges))


class _Branches:
    """Which row a job stands in: its parent's, if no sibling was there first, else the next that is free there."""

    def __init__(self) -> None:
        self._ends: list[int] = []
        self._continued: set[Uid] = set()

    def of(self, job: Job, column: int, parent: Node | None) -> int:
        if parent is not None and parent.job.uid not in self._continued and self._ends[parent.lane] < column:
            self._continued.add(parent.job.uid)
            lane = parent.lane
        else:
            start = 0 if parent is None else parent.lane + 1
            lane = next((n for n in range(start, len(self._ends)) if self._ends[n] < column - 1), len(self._ends))
        while len(self._ends) <= lane:
            self._ends.append(-1)
        self._ends[lane] = column
        return lane


def _edges(node: Node, nodes: dict[Uid, Node]) -> Iterator[tuple[str, int, bool]]:
    for number, uid in enumerate(_parents(node.job)):
        parent = nodes.get(uid)
        if parent is None:
            continue
        x1, y1 = parent.x + NODE_WIDTH, parent.y + NODE_HEIGHT // 2
        x2, y2 = node.x, node.y + NODE_HEIGHT // 2
        bend = min(GAP_X, max(24, (x2 - x1) // 2))
        # A long edge goes along its parent's row and turns just before its end, between the columns.
        straight = f"H{x2 - GAP_X}" if x2 - x1 > GAP_X and not _in_the_way(parent, node, nodes) else ""
        start = x2 - GAP_X if straight else x1
        path = f"M{x1} {y1}{straight}C{start + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
        yield path, max(parent.lane, node.lane), number > 0


def _in_the_way(parent: Node, node: Node, nodes: dict[Uid, Node]) -> bool:
    return any(one.lane == parent.lane and parent.x < one.x < node.x for one in nodes.values())


def _short(title: str) -> str:
    return title if len(title) <= _TITLE else title[: _TITLE - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"
