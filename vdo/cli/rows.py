"""Jobs as lines of a table, with their graph on the left and a title that takes what room is left."""

from __future__ import annotations

from collections.abc import Sequence

from vdo.cli import formats, terminal
from vdo.cli.graph import draw
from vdo.job import JobRef
from vdo.service.views import Row

_LEAST_TITLE = 20
_WIDE_TITLE = 72


def table(rows: Sequence[Row], room: int | None, *, upwards: bool = False) -> list[str]:
    """The lines for `room` columns (None: as wide as it gets); newest first, oldest first with `upwards`."""
    shown = {int(row.job.id) for row in rows}
    lines = draw([(row.job.id, _parents(row)) for row in rows], upwards=upwards)
    heads = [_head(text, None if node is None else rows[node]) for text, node in lines]
    left = max((terminal.width(head) for head in heads), default=0)
    tails = _tails(rows)
    titles = [_title(row, shown) for row in rows]
    right = terminal.width(tails[0]) if tails else 0
    widest = max((terminal.width(title) for title in titles), default=0)
    title_room = _room(widest, None if room is None else room - left - right - 4)
    found = []
    for head, (_, node) in zip(heads, lines, strict=True):
        if node is not None:
            title = _fit(titles[node], title_room, cut=room is not None)
            head = f"{terminal.pad(head, left)}  {title}  {tails[node]}".rstrip()
        found.append(head)
    return found


def _parents(row: Row) -> list[int]:
    return [parent.id for parent in (row.job.extends, *row.job.merges) if isinstance(parent, JobRef)]


def _head(drawing: str, row: Row | None) -> str:
    return formats.faint(drawing) if row is None else f"{drawing} {formats.number(row.job.id)}"


def _title(row: Row, shown: set[int]) -> str:
    other = formats.builds_on(row.job, shown)
    return formats.title(row.job) + (f"  ({other})" if other else "")


def _room(widest: int, left: int | None) -> int:
    """Nothing is cut for a program, yet one long title does not push the columns of all others away."""
    return min(widest, _WIDE_TITLE) if left is None else max(_LEAST_TITLE, min(widest, left))


def _fit(title: str, room: int, *, cut: bool) -> str:
    return terminal.pad(terminal.cut(title, room) if cut else title, room)


def _tails(rows: Sequence[Row]) -> list[str]:
    """State, date, files and cost of each row, as columns of one width; an empty column is left out."""
    columns = [
        ([formats.state(row.state) for row in rows], False),
        ([formats.when(row.job.created_at) for row in rows], False),
        ([formats.counts(row.job.files) for row in rows], False),
        ([formats.cost(row.job.cost_usd) for row in rows], True),
    ]
    padded = []
    for cells, right in columns:
        widest = max(map(terminal.width, cells), default=0)
        if widest:
            padded.append([terminal.pad(cell, widest, right=right) for cell in cells])
    return ["  ".join(cells) for cells in zip(*padded, strict=True)]
