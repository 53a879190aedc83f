"""Taking a job away and bringing it back: a tombstone keeps its number and title, the trash keeps everything else."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from vdo.errors import JobNotFound, JobStateError
from vdo.job import Job, JobId, Oid, State
from vdo.store import commits, messages, objects, reffiles, trees
from vdo.store.identity import iso, now
from vdo.store.repository import Repository


def delete(repository: Repository, job: Job) -> Job:
    """Move branch and journal of a job into the trash; its tombstone. Everything or nothing is changed."""
    branch = f"{reffiles.HEADS}{job.branch}"
    with repository.writing(), repository.refs.lock():
        tip = repository.refs.read(branch)
        kept = [job.journal, *([tip] if tip else [])]
        bundle, _ = _commit(repository, job, f"Deleted job #{job.id}", kept)
        gone = dataclasses.replace(
            job, state=State.DELETED, claim=None, seq=job.seq + 1, updated_at=iso(*now()), error=None
        )
        tombstone, message = _commit(repository, gone, f"Deleted: {job.title}", [])
        return _replace(
            repository,
            job,
            dataclasses.replace(gone, journal=tombstone),
            message,
            create={f"{reffiles.TRASH}{job.id}": bundle},
            delete={branch: tip} if tip else {},
        )


def undelete(repository: Repository, job: Job) -> Job:
    """Bring a deleted job back as it was, with an entry in its journal that says so."""
    trash = f"{reffiles.TRASH}{job.id}"
    with repository.writing(), repository.refs.lock():
        bundle = repository.refs.read(trash)
        if bundle is None:
            raise JobNotFound(
                f"job #{job.id} is not in the trash any more", hint="a clone that fetched its branch may still have it"
            )
        kept = objects.parents_of(repository.repo, bundle)
        branch = f"{reffiles.HEADS}{job.branch}"
        taken = repository.refs.read(branch)
        if taken is not None and taken not in kept[1:]:
            raise JobStateError(
                f"a branch {job.branch} exists already", hint=f"rename it first: git branch -m {job.branch} OTHER"
            )
        before = repository.journals.entry(kept[0])[0].job
        restored = dataclasses.replace(before, claim=None, seq=job.seq + 1, updated_at=iso(*now()))
        tip, message = _commit(repository, restored, "Restored from the trash", kept[:1])
        return _replace(
            repository,
            job,
            dataclasses.replace(restored, journal=tip),
            message,
            create={branch: kept[1]} if kept[1:] and taken is None else {},
            delete={trash: bundle},
        )


def _replace(
    repository: Repository, old: Job, new: Job, message: str, *, create: Mapping[str, Oid], delete: Mapping[str, Oid]
) -> Job:
    """One transaction that moves the journal's ref from `old` to `new` beside the other refs; under the lock."""
    before = reffiles.stamp(repository.location.common_dir, settled=False)
    move = {f"{reffiles.JOBS}{old.id}": (new.journal, old.journal)}
    repository.refs.transact(create=create, update=move, delete=delete)
    repository.index.record(new, message, before)
    repository.settle_head()
    return new


def contents(repository: Repository) -> list[Job]:
    """The deleted jobs that can still be brought back, newest first."""
    numbers = reffiles.numbered(repository.location.common_dir, reffiles.TRASH)
    return [repository.job(number) for number in sorted(numbers, reverse=True)]


def empty(repository: Repository) -> list[JobId]:
    """Drop everything in the trash for good; the numbers of the jobs that were in it."""
    with repository.writing(), repository.refs.lock():
        numbers = reffiles.numbered(repository.location.common_dir, reffiles.TRASH)
        if numbers:
            repository.refs.transact(delete={f"{reffiles.TRASH}{number}": oid for number, oid in numbers.items()})
    for number in numbers:  # an answer that was kept for a retry, and the project in what was asked
        repository.call_log(repository.job(number)).clear()
    return sorted(numbers)


def _commit(repository: Repository, job: Job, note: str, parents: Sequence[Oid]) -> tuple[Oid, str]:
    """A journal's commit with the first parent's tree, which nothing points to yet; its message too."""
    message = messages.journal_message(job, note)
    repo = repository.repo
    tree = objects.tree_of(repo, parents[0]) if parents else trees.ensure_empty_tree(repo)
    return commits.write(repo, repository.identity, message, tree, parents, now()), message
