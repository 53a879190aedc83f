"""How far a merge is and what is open in it, as values, and as files of the journal's record.

merge.json               parents that are in, what was resolved and how, what is open, how the agent fares
conflicts/N/SIDE         a version of the Nth open file: `base`, `ours`, `theirs`, and `marked` with diff3 markers
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from vdo.job import Job, Oid
from vdo.pipeline.record import Files
from vdo.store.trailers import encode
from vdo.tree import Mode

FILE = "merge.json"
_MARKED = "marked"
_SHOWN = 200
"""Lines of `Vdo-Resolved` in a message; merge.json has all of them."""
_LARGEST_FILLED = 1_000_000
"""Bytes of a file that an agent is asked to resolve: what is longer is more than it can read."""


@dataclass(frozen=True)
class Version:
    """One side's version of an open file. A submodule's data is the id of its commit."""

    mode: Mode
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class OpenFile:
    """A file that needs a decision. `marked` is its text with diff3 markers; None where it has none to offer."""

    path: str
    kind: str
    message: str
    marked: bytes | None = field(repr=False)
    marker_size: int
    versions: Mapping[str, Version] = field(repr=False)
    """By `base`, `ours`, `theirs`; a side that does not have the file is missing."""

    @property
    def is_fillable(self) -> bool:
        """An agent can read and write it."""
        if self.marked is None or len(self.marked) > _LARGEST_FILLED:
            return False
        try:
            self.marked.decode()
        except UnicodeDecodeError:
            return False
        return True


@dataclass(frozen=True)
class Merged:
    """What merging in one more commit came to."""

    tree: Oid
    resolved: tuple[tuple[str, str], ...]
    """(path, how) of each file that both sides changed."""
    open: tuple[OpenFile, ...]
    contained: bool = False
    """There was nothing to do: the commit is part of the others."""


class Merger(Protocol):
    """The ladder without agent and person; the package `merge` implements it."""

    def step(
        self,
        repository: Path,
        tree: Oid,
        merged: Sequence[tuple[str, Oid]],
        theirs: tuple[str, Oid],
        *,
        prefer: str,
        unrelated: bool,
    ) -> Merged: ...

    def judge(self, file: OpenFile, filled: bytes | None) -> str | None:
        """What is wrong with an agent's resolution; None when nothing is."""
        ...

    def has_markers(self, file: OpenFile, data: bytes) -> bool: ...


Faults = tuple[tuple[str, str], ...]
"""(path, what is wrong with it)"""


@dataclass(frozen=True)
class Progress:
    """How far a merge is: `done` further parents are in; what was resolved and how; what is open."""

    done: int = 0
    resolved: tuple[tuple[str, str], ...] = ()
    open: tuple[OpenFile, ...] = ()
    contained: tuple[str, ...] = ()
    """Parents that were part of the others already."""
    attempts: int = 0
    """How often the agent has tried to fill the open places."""
    tree: Oid | None = None
    """The tree with the markers, once an agent is at work on it."""
    faults: Faults = ()
    """What was wrong with its last attempt."""
    told: int = 0
    """How many messages its conversation had then: it has answered when there are more."""

    @property
    def by_hand(self) -> Progress:
        """The same for a person, or for an agent that begins anew."""
        return replace(self, attempts=0, tree=None, faults=(), told=0)

    def settled(self, paths: Sequence[str], how: str) -> Progress:
        """These open files were resolved."""
        done = (*self.resolved, *((path, how) for path in paths))
        left = tuple(file for file in self.open if file.path not in paths)
        return replace(self, resolved=done, open=left).by_hand

    def dump(self) -> bytes:
        value = {
            "done": self.done,
            "contained": self.contained,
            "resolved": self.resolved,
            "attempts": self.attempts,
            "tree": self.tree,
            "faults": self.faults,
            "told": self.told,
            "open": [
                {
                    "path": file.path,
                    "kind": file.kind,
                    "message": file.message,
                    "marker_size": file.marker_size,
                    "versions": {side: f"{version.mode:o}" for side, version in file.versions.items()},
                    "marked": file.marked is not None,
                }
                for file in self.open
            ],
        }
        return json.dumps(value, indent=1).encode() + b"\n"

    def dump_open(self) -> dict[str, bytes]:
        """Every version of the open files: written when they are found, git stores each only once."""
        found = {}
        for number, file in enumerate(self.open, 1):
            found.update({_name(number, side): version.data for side, version in file.versions.items()})
            if file.marked is not None:
                found[_name(number, _MARKED)] = file.marked
        return found

    @classmethod
    def load(cls, files: Files) -> Progress:
        data = files.get(FILE)
        if data is None:
            return cls()
        value = json.loads(data)
        return cls(
            value["done"],
            tuple((path, how) for path, how in value["resolved"]),
            tuple(_open_file(files, number, item) for number, item in enumerate(value["open"], 1)),
            tuple(value["contained"]),
            value["attempts"],
            value["tree"],
            tuple((path, text) for path, text in value["faults"]),
            value["told"],
        )


def _name(number: int, side: str) -> str:
    return f"conflicts/{number}/{side}"


def _open_file(files: Files, number: int, item: dict[str, Any]) -> OpenFile:
    def data(side: str) -> bytes:
        found = files.get(_name(number, side))
        assert found is not None, f"a record without {_name(number, side)}"
        return found

    return OpenFile(
        path=item["path"],
        kind=item["kind"],
        message=item["message"],
        marked=data(_MARKED) if item["marked"] else None,
        marker_size=item["marker_size"],
        versions={side: Version(Mode(int(mode, 8)), data(side)) for side, mode in item["versions"].items()},
    )


def with_trailers(job: Job, progress: Progress) -> Job:
    """The job with a `Vdo-Resolved: path=how` for each file that git alone could not merge."""
    resolved = dict.fromkeys((path, how) for path, how in progress.resolved if how != "git")  # by each step
    lines = tuple(("Vdo-Resolved", encode(f"{path}={how}")) for path, how in list(resolved)[:_SHOWN])
    others = tuple(pair for pair in job.extra if pair[0] != "Vdo-Resolved")
    return replace(job, extra=(*others, *lines))
