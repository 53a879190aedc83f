"""Whether jobs and revisions can be merged, as far as it is known before they are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from vdo.errors import UsageError
from vdo.job import JobRef, Oid, Parent, Revision
from vdo.merge.threeway import UnrelatedHistories
from vdo.store.reader import Reader


def check_merge(reader: Reader, parents: Sequence[Parent], *, unrelated: bool) -> None:
    """A parent that still waits is looked at when the merge runs.

    Raises UsageError when one is part of another already, UnrelatedHistories unless `unrelated` allows them.
    """
    for one, other in combinations(parents, 2):
        for inner, outer in ((one, other), (other, one)):
            if _is_part(reader, inner, outer):
                raise UsageError(
                    f"{inner} is part of {outer} already: there is nothing to merge",
                    hint="name jobs or revisions that were built beside each other",
                )
        tips = [_tip(reader, parent) for parent in (one, other)]
        if not unrelated and None not in tips and reader.git.try_run("merge-base", *map(str, tips)).returncode:
            raise UnrelatedHistories(f"{one} and {other} have no common ancestor")


def _is_part(reader: Reader, inner: Parent, outer: Parent) -> bool:
    if isinstance(inner, JobRef) and isinstance(outer, JobRef):
        # Lineage also tells it of jobs that wait.
        above = any(job.uid == inner.uid for job in reader.index.ancestors(outer.uid))
        if above and _tip(reader, inner) in (None, _commit(reader, inner)):
            return True
    tip, known = _tip(reader, inner), _tip(reader, outer)
    return tip is not None and known is not None and reader.contains(tip, known)


def _tip(reader: Reader, parent: Parent) -> Oid | None:
    """Where the parent stands; None for a job that has no result yet."""
    if isinstance(parent, Revision):
        return parent.commit
    job = reader.by_ref(parent)
    return reader.tip(job) if job is not None else None


def _commit(reader: Reader, parent: JobRef) -> Oid | None:
    job = reader.by_ref(parent)
    return job.commit if job is not None else None
