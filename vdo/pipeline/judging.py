"""A job's checks on a tree that did not come from its own work: what a merge with somebody's commits came to."""

from __future__ import annotations

from vdo.job import Job, Oid
from vdo.pipeline.desk import Desk
from vdo.pipeline.surroundings import Surroundings
from vdo.store import claims, trees
from vdo.store.repository import Repository


def is_green(repository: Repository, job: Job, tree: Oid, around: Surroundings) -> bool:
    """Whether the job's checks pass on `tree`; nothing is journalled. Raises JobBusy while somebody works on it."""
    claim = claims.take(repository.location.own, job.id)
    try:
        desk = Desk(repository, repository.job(job.id), claim, around)
        return desk.checker.run(trees.load(repository.repo, tree)).passed
    finally:
        claim.release()
