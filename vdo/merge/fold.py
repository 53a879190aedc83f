"""Merging several commits into one tree, pair by pair, up the ladder: git, then rungs for single files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vdo.job import Oid
from vdo.merge import conservation, threeway
from vdo.merge.filling import marker_size
from vdo.merge.gates import Gates
from vdo.merge.rungs import climb, rungs_for
from vdo.merge.texts import readable
from vdo.merge.threeway import Relation, Side
from vdo.merge.values import Conflict, Kind, Resolution, Stage
from vdo.merge.workbench import Workbench
from vdo.tree import Content, Entry, Mode

PREFER = ("ours", "theirs")
Changes = dict[str, Content | Entry | None]


@dataclass(frozen=True)
class Resolved:
    """A file that git left open, and what resolved it (`syntax: imports`)."""

    path: str
    how: str


@dataclass(frozen=True)
class Open:
    """A file that needs an agent or a person. `marked` has diff3 conflict markers where it is text, else None."""

    conflict: Conflict
    marked: bytes | None
    marker_size: int
    reason: str
    """Why the rungs left it."""


@dataclass(frozen=True)
class Step:
    """One more commit merged in: the tree then, with the marked text (or our version) of each open file."""

    tree: Oid
    resolved: tuple[Resolved, ...] = ()
    open: tuple[Open, ...] = ()
    merged: tuple[str, ...] = ()
    """Files that both sides changed, and that git merged."""
    contained: bool = False
    """There was nothing to do: the commit is part of the others."""


def step(
    repository: Path, tree: Oid, merged: Sequence[Side], theirs: Side, *, prefer: str = "", unrelated: bool = False
) -> Step:
    """Merge `theirs` into `tree`, which is what merging the `merged` commits came to. Durable when this returns.

    `prefer` (`ours`, `theirs`) decides what the rungs leave open. Raises UnrelatedHistories, GitTooOld.
    """
    with Workbench(repository) as bench:
        ours = merged[0]
        if len(merged) > 1 or bench.tree_of(ours.commit) != tree:
            names = "+".join(side.name for side in merged)
            ours = Side(names, bench.commit(tree, [side.commit for side in merged]))
        if threeway.relation(bench, ours.commit, theirs.commit) is Relation.CONTAINS:
            return Step(tree, contained=True)
        git = threeway.merge(bench, ours, theirs, unrelated=unrelated)
        changes: Changes = {}
        resolved: list[Resolved] = []
        still_open: list[Open] = []
        rungs = rungs_for(bench.paths(git.tree)) if git.conflicts else ()
        for conflict in git.conflicts:
            result = climb(conflict, rungs)
            if isinstance(result, Resolution):
                changes[conflict.path] = Content(result.mode, result.data)
                resolved.append(Resolved(conflict.path, result.how))
            elif prefer and conflict.kind not in _PLACES:
                changes[conflict.path] = _preferred(bench, conflict, prefer)
                resolved.append(Resolved(conflict.path, prefer))
            else:
                left = open_file(bench, conflict, (ours, theirs), result.reason)
                if left.marked is not None:
                    changes[conflict.path] = Content(conflict.mode, left.marked)
                still_open.append(left)
        done = bench.write_tree(git.tree, changes)
        bench.keep()
        return Step(done, tuple(resolved), tuple(still_open), git.merged)


# These are about where a file belongs. git keeps every version of it: to take one side would delete the other's files.
_PLACES = frozenset({Kind.DIRECTORY_FILE, Kind.DIRECTORY_RENAME})


def _preferred(bench: Workbench, conflict: Conflict, prefer: str) -> Content | Entry | None:
    """One side's version of the open places; of the whole file where it has no text to merge."""
    if conflict.kind.is_text:
        merged = _merge_file(bench, conflict, [f"--{prefer}"])
        if merged is not None:
            return Content(conflict.mode, merged)
    stage = conflict.ours if prefer == "ours" else conflict.theirs
    return None if stage is None else Entry(stage.mode, stage.oid)


def open_file(bench: Workbench, conflict: Conflict, sides: tuple[Side, Side], reason: str) -> Open:
    """The file with diff3 markers around each open place; without text where that means nothing (binary, deleted)."""
    if not conflict.kind.is_text:
        return Open(conflict, None, 0, reason)
    size = marker_size(*(stage.data for stage in (conflict.base, conflict.ours, conflict.theirs) if stage is not None))
    ours, theirs = (_line(side.name) for side in sides)
    options = ["--diff3", f"--marker-size={size}", "-L", ours, "-L", "base", "-L", theirs]
    return Open(conflict, _merge_file(bench, conflict, options), size, reason)


def _line(name: str) -> str:
    return " ".join(name.split())[:100] or "side"


def _merge_file(bench: Workbench, conflict: Conflict, options: Sequence[str]) -> bytes | None:
    """None where git finds it binary after all. The exit code is the number of open places, up to 127."""
    names = []
    for name, stage in (("ours", conflict.ours), ("base", conflict.base), ("theirs", conflict.theirs)):
        path = bench.folder / name
        path.write_bytes(stage.data if stage is not None else b"")
        names.append(str(path))
    code, merged = bench.git("merge-file", "-p", "-q", *options, *names, expect=range(256))
    return merged if code < 128 else None


def judge(conflict: Conflict, filled: bytes) -> str | None:
    """What is wrong with a file that somebody resolved: a side that is not in it, a text that does not parse."""
    text = readable(filled)
    sides = conflict.ours, conflict.theirs
    if sides[0] is not None and sides[1] is not None:
        base = None if conflict.base is None else readable(conflict.base.data)
        refused = Gates().check(conflict.path, (base, readable(sides[0].data), readable(sides[1].data)), text)
        if refused:
            return refused.reason
    lost = conservation.check(conflict, filled)
    return lost.reason if lost else None


def stages(conflict: Conflict) -> Mapping[str, tuple[Mode, bytes]]:
    """The versions of an open file that exist, by side; a submodule's is the id of its commit."""
    sides = (("base", conflict.base), ("ours", conflict.ours), ("theirs", conflict.theirs))
    return {name: (stage.mode, _data(stage)) for name, stage in sides if stage is not None}


def _data(stage: Stage) -> bytes:
    return stage.oid.encode() if stage.mode is Mode.SUBMODULE else stage.data
