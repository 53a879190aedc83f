"""Taking a job away and bringing it back: a tombstone keeps its number and title, the trash keeps everything else."""

from __future__ import annotations

import dataclasses

from vdo.errors import JobNotFound, JobStateError
from vdo.job import Job, JobId, Oid, State
from vdo.store import messages, objects, reffiles
from vdo.store.identity import iso, now
from vdo.store.repository import Repository


def delete(repository: Repository, job: Job) -> Job:
    """Move branch and journal of a job into the trash; its tombstone. Everything or nothing is changed."""
    branch = f"{reffiles.HEADS}{job.branch}"
    with repository.refs.lock():
        tip = repository.refs.read(branch)
        kept = [job.journal, *([tip] if tip else [])]
        bundle = _commit(repository, job, f"Deleted job #{job.id}", kept)
        gone = dataclasses.replace(
            job, state=State.DELETED, claim=None, seq=job.seq + 1, updated_at=iso(*now()), error=None
        )
        tombstone = _commit(repository, gone, f"Deleted: {job.title}", [])
        repository.refs.transact(
            create={f"{reffiles.TRASH}{job.id}": bundle},
            update={f"{reffiles.JOBS}{job.id}": (tombstone, job.journal)},
            delete={branch: tip} if tip else {},
        )
    return dataclasses.replace(gone, journal=tombstone)


def undelete(repository: Repository, job: Job) -> Job:
    """Bring a deleted job back as it was, with an entry in its journal that says so."""
    trash = f"{reffiles.TRASH}{job.id}"
    with repository.refs.lock():
        bundle = repository.refs.read(trash)
        if bundle is None:
            raise JobNotFound(
                f"job #{job.id} is not in the trash any more", hint="a clone that fetched its branch may still have it"
            )
        parents = objects.parents_of(repository.repo, bundle)
        branch = f"{reffiles.HEADS}{job.branch}"
        taken = repository.refs.read(branch)
        if taken is not None and taken not in parents[1:]:
            raise JobStateError(
                f"a branch {job.branch} exists already", hint=f"rename it first: git branch -m {job.branch} OTHER"
            )
        before = repository.journals.entry(parents[0])[0].job
        restored = dataclasses.replace(before, claim=None, seq=job.seq + 1, updated_at=iso(*now()))
        message = messages.journal_message(restored, "Restored from the trash")
        tree = objects.tree_of(repository.repo, parents[0])
        oid = objects.commit(repository.repo, repository.identity, message, tree, [parents[0]], now())
        repository.refs.transact(
            create={branch: parents[1]} if parents[1:] and taken is None else {},
            update={f"{reffiles.JOBS}{job.id}": (oid, job.journal)},
            delete={trash: bundle},
        )
    return dataclasses.replace(restored, journal=oid)


def contents(repository: Repository) -> list[Job]:
    """The deleted jobs that can still be brought back, newest first."""
    names = reffiles.below(repository.location.common_dir, reffiles.TRASH)
    numbers = sorted((int(name.rsplit("/", 1)[1]) for name in names), reverse=True)
    return [repository.job(number) for number in numbers]


def empty(repository: Repository) -> list[JobId]:
    """Drop everything in the trash for good; the numbers of the jobs that were in it."""
    names = reffiles.below(repository.location.common_dir, reffiles.TRASH)
    if names:
        repository.refs.transact(delete=names)
    return sorted(JobId(int(name.rsplit("/", 1)[1])) for name in names)


def _commit(repository: Repository, job: Job, note: str, parents: list[Oid]) -> Oid:
    message = messages.journal_message(job, note)
    repo = repository.repo
    tree = objects.tree_of(repo, parents[0]) if parents else objects.ensure_empty_tree(repo)
    return objects.commit(repo, repository.identity, message, tree, parents, now())
