"""Bringing a job's branch onto a target that took its parent in as another commit."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from vdo.job import Job, JobRef, Oid
from vdo.publish.landed import How, landed, three_way
from vdo.store import reffiles
from vdo.store.repository import Repository

Judge = Callable[[Job, Oid], bool]
"""Whether a job's checks are green on a tree."""


class Replayed(enum.Enum):
    """What became of a branch that needed it."""

    DONE = "replayed"
    CONFLICT = "conflict"
    RED = "red"
    CHECKED_OUT = "checked out"


@dataclass(frozen=True)
class Replay:
    """A branch that needs the target: `commit` is its new tip once that is done."""

    job: Job
    parent: Job
    outcome: Replayed
    commit: Oid | None = None
    place: str = ""
    """The work tree that has the branch checked out."""


def replay(
    repository: Repository, job: Job, target: Oid, target_name: str, judge: Judge, *, landed_as: Oid | None = None
) -> Replay | None:
    """Merge the target into the job's branch where its parent is in the target by another commit; None: no need.

    The job's commit stays where it is, with the merge on top of it, as a person would commit: nothing is rewritten and
    nothing has to be forced. The three-way merge starts from what the job was built on, which the histories no longer
    have in common. The branch moves by compare-and-swap, only to a tree that `judge` found green. `landed_as` is the
    commit that the parent is known to have become.
    """
    parent = repository.by_ref(job.extends) if isinstance(job.extends, JobRef) else None
    tip, here = repository.tip(job), repository.branch_tip(job.id)
    before = repository.tip(parent) if parent is not None else None
    if parent is None or tip is None or before is None or not _needs(repository, parent, tip, target, landed_as):
        return None
    built_on = _merge_base(repository, tip, before)
    tree = three_way(repository, built_on, target, tip) if built_on is not None else None
    if tree is None:
        return Replay(job, parent, Replayed.CONFLICT)
    if place := repository.checked_out(job.branch):
        return Replay(job, parent, Replayed.CHECKED_OUT, place=place)
    if not judge(job, tree):
        return Replay(job, parent, Replayed.RED)
    message = f"Bring {job.branch} onto {target_name}\n\nJob {parent.id} is in {target_name} as another commit.\n"
    commit = repository.write_commit(message, tree, [tip, target])
    repository.refs.move(f"{reffiles.HEADS}{job.branch}", commit, here)
    return Replay(job, parent, Replayed.DONE, commit)


def _needs(repository: Repository, parent: Job, tip: Oid, target: Oid, landed_as: Oid | None) -> bool:
    """The target has the parent's work, but not from where the two branches have their histories in common."""
    if repository.contains(target, tip) or landed(repository, parent, target) is How.MERGED:
        return False
    if landed_as is not None and repository.git.resolve(landed_as) and repository.contains(landed_as, target):
        return not repository.contains(landed_as, tip)
    common = _merge_base(repository, tip, target)
    return (
        common is not None
        and landed(repository, parent, target) is not None
        and landed(repository, parent, common) is None
    )


def _merge_base(repository: Repository, one: Oid, other: Oid) -> Oid | None:
    done = repository.git.try_run("merge-base", one, other)
    return Oid(done.stdout.decode().strip()) if done.returncode == 0 else None
