"""What a merge of two commits would bring, before anybody pays for it."""

from __future__ import annotations

from dataclasses import dataclass

from vdo.merge.rungs import climb, rungs_for
from vdo.merge.threeway import Relation, Side, merge, relation
from vdo.merge.values import Conflict, Declined
from vdo.merge.workbench import Workbench


@dataclass(frozen=True)
class ForecastFile:
    """A file that git alone would not merge."""

    path: str
    kind: str
    how: str
    """What would resolve it: `syntax: imports`, `agent` or `person`."""

    @property
    def rung(self) -> str:
        return self.how.split(":")[0]


@dataclass(frozen=True)
class Forecast:
    """It depends on nothing but the trees of the two commits and of their merge bases: by those it can be kept."""

    relation: Relation
    files: tuple[ForecastFile, ...] = ()
    merged: tuple[str, ...] = ()
    """Files that both sides changed, and that git merges."""

    @property
    def clean(self) -> bool:
        return not self.files


def forecast(bench: Workbench, ours: Side, theirs: Side) -> Forecast:
    """No model is asked and nothing is written: the rungs that cost nothing are tried, the others are named."""
    found = relation(bench, ours.commit, theirs.commit)
    if found in (Relation.CONTAINS, Relation.CONTAINED):
        return Forecast(found)
    git = merge(bench, ours, theirs, unrelated=True)
    rungs = rungs_for(bench.paths(git.tree)) if git.conflicts else ()
    files = []
    for conflict in git.conflicts:
        result = climb(conflict, rungs)
        left = "agent" if _is_readable(conflict) else "person"
        how = left if isinstance(result, Declined) else result.how
        files.append(ForecastFile(conflict.path, conflict.kind.value, how))
    return Forecast(found, tuple(files), git.merged)


_LARGEST = 1_000_000
"""Bytes of a version that an agent is asked to read; what the pipeline asks for is bounded by the same number."""


def _is_readable(conflict: Conflict) -> bool:
    """An agent can fill it: text in UTF-8 that is not too long."""
    if not conflict.kind.is_text:
        return False
    versions = [stage.data for stage in (conflict.base, conflict.ours, conflict.theirs) if stage is not None]
    try:
        return all(len(data) <= _LARGEST and data.decode() is not None for data in versions)
    except UnicodeDecodeError:
        return False
