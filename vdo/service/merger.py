"""The ladder of the package `merge` as the pipeline asks for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vdo.job import Oid
from vdo.merge import filling, fold
from vdo.merge.threeway import Side
from vdo.merge.values import Conflict, Kind, Stage
from vdo.pipeline.conflicts import Merged, OpenFile, Version


class Ladder:
    """git, then the rungs for single files; agent and person come from the pipeline."""

    def step(
        self,
        repository: Path,
        tree: Oid,
        merged: Sequence[tuple[str, Oid]],
        theirs: tuple[str, Oid],
        *,
        prefer: str,
        unrelated: bool,
    ) -> Merged:
        sides = [Side(name, commit) for name, commit in merged]
        found = fold.step(repository, tree, sides, Side(*theirs), prefer=prefer, unrelated=unrelated)
        return Merged(
            found.tree,
            (*((path, "git") for path in found.merged), *((one.path, one.how) for one in found.resolved)),
            tuple(_open_file(one) for one in found.open),
            found.contained,
        )

    def judge(self, file: OpenFile, filled: bytes | None) -> str | None:
        if filled is None:
            return "the file is gone: both sides have it"
        if self.has_markers(file, filled):
            return "a conflict marker is left"
        if file.marked is None or filling.fills(file.marked, filled, file.marker_size) is None:
            return "lines outside of the open places were changed: bring them back as they were"
        return fold.judge(_conflict(file), filled)

    def has_markers(self, file: OpenFile, data: bytes) -> bool:
        return file.marker_size > 0 and filling.has_markers(data, file.marker_size)


def _open_file(one: fold.Open) -> OpenFile:
    versions = {side: Version(mode, data) for side, (mode, data) in fold.stages(one.conflict).items()}
    return OpenFile(one.conflict.path, one.conflict.kind.value, one.reason, one.marked, one.marker_size, versions)


def _conflict(file: OpenFile) -> Conflict:
    def stage(side: str) -> Stage | None:
        version = file.versions.get(side)
        return None if version is None else Stage(version.mode, Oid(""), version.data)

    return Conflict(file.path, Kind(file.kind), stage("base"), stage("ours"), stage("theirs"), file.message)
