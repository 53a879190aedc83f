"""Bringing a job's lineage onto an ordinary branch, without touching a work tree."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from vdo.errors import BranchMoved, JobStateError, UsageError, VdoError
from vdo.job import Job, Oid, State
from vdo.store import reffiles
from vdo.store.repository import Repository

_SHOWN = 10


class LandingConflict(VdoError):
    """The branch and the job changed the same places; nothing was moved."""

    exit_code, http_status = 1, 409


class How(enum.Enum):
    """What landing came to."""

    CREATED = "created"
    FAST_FORWARD = "fast-forward"
    MERGED = "merged"
    UP_TO_DATE = "up to date"


@dataclass(frozen=True)
class Landing:
    """Where the branch was and is."""

    branch: str
    before: Oid | None
    after: Oid
    how: How


def land(repository: Repository, job: Job, onto: str | None = None) -> Landing:
    """Make `onto` contain the job's branch, people's commits on it included; durable when this returns.

    A fast-forward where that is possible, else a merge commit if git merges cleanly. Without `onto`: the branch that
    HEAD names, `main` where that is a job's. Raises LandingConflict, JobStateError, BranchMoved or UsageError with
    nothing moved, RefConflict when the branch moved meanwhile.
    """
    tip = _tip(repository, job)
    branch = _branch(repository, onto)
    _refuse_checked_out(repository, branch, job)
    name = f"{reffiles.HEADS}{branch}"
    landing = _landing(repository, job, branch, repository.refs.read(name), tip)
    if landing.how is How.UP_TO_DATE:
        return landing
    # Not from the beginning: a merge may be signed, and every job would wait until somebody has given the passphrase.
    with repository.refs.lock():
        _refuse_checked_out(repository, branch, job)
        repository.refs.move(name, landing.after, landing.before)
    _point_head(repository, name)
    return landing


def _landing(repository: Repository, job: Job, branch: str, before: Oid | None, tip: Oid) -> Landing:
    if before is None:
        return Landing(branch, None, tip, How.CREATED)
    if repository.contains(tip, before):
        return Landing(branch, before, before, How.UP_TO_DATE)
    if repository.contains(before, tip):
        return Landing(branch, before, tip, How.FAST_FORWARD)
    return Landing(branch, before, _merge(repository, job, branch, before, tip), How.MERGED)


def _tip(repository: Repository, job: Job) -> Oid:
    tip = repository.tip(job)
    if job.commit is None or tip is None or job.state is not State.COMPLETED:
        raise JobStateError(
            f"job #{job.id} is {job.state.value}: only a completed job can land",
            hint=repository.way_on(job),
        )
    if not repository.contains(job.commit, tip):
        raise BranchMoved(
            f"{job.branch} was rewritten: it does not contain commit {job.commit[:12]} of job #{job.id}",
            hint=f"merge what you mean by name: git merge {job.branch} (as it is now), or git merge {job.commit[:12]}",
        )
    return tip


def _branch(repository: Repository, onto: str | None) -> str:
    """The branch's short name; raises UsageError for what is none, or is not ours to move."""
    if onto is None:
        head = repository.git.try_run("symbolic-ref", "--quiet", "HEAD").stdout.decode().strip()
        branch = head.removeprefix(reffiles.HEADS)
        return branch if head.startswith(reffiles.HEADS) and not _is_of_a_job(branch) else "main"
    branch = onto.removeprefix(reffiles.HEADS)
    valid = repository.git.try_run("check-ref-format", "--branch", branch).stdout.decode().strip() == branch
    if not branch or not valid or branch.startswith("refs/") or branch == "HEAD":
        raise UsageError(f"{onto!r} is not the name of a branch", hint="name an ordinary branch: --onto main")
    if _is_of_a_job(branch):
        raise UsageError(
            f"{branch} belongs to vdo's jobs, and nothing lands there", hint="name an ordinary branch: --onto main"
        )
    return branch


def _is_of_a_job(branch: str) -> bool:
    return branch == "job" or branch.startswith("job/")


def _refuse_checked_out(repository: Repository, branch: str, job: Job) -> None:
    place = repository.checked_out(branch)
    if place is not None:
        raise JobStateError(
            f"{branch} is checked out in {place}, and vdo never changes a work tree",
            hint=f"merge it there: git -C {place} merge {job.branch}",
        )


def _merge(repository: Repository, job: Job, branch: str, before: Oid, tip: Oid) -> Oid:
    done = repository.git.try_run("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", before, tip)
    fields = done.stdout.decode("utf-8", "surrogateescape").split("\0")
    if done.returncode == 1:
        paths = [path for path in fields[1:] if path]
        more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
        raise LandingConflict(
            f"job #{job.id} and {branch} changed the same places: {', '.join(paths[:_SHOWN])}{more}",
            hint=f"`vdo merge {branch} {job.id}` makes a job of both; what comes out of it lands as a fast-forward",
        )
    if done.returncode:
        raise LandingConflict(
            f"git cannot merge job #{job.id} into {branch}: {done.stderr.decode('utf-8', 'replace').strip()}",
            hint=f"`vdo merge {branch} {job.id}` joins them, or land it on a new branch: --onto NAME",
        )
    # Without a #: git hosts take `#51` for one of their own issues.
    return repository.write_commit(f"Land job {job.id}: {job.title}\n", Oid(fields[0].strip()), [before, tip])


def _point_head(repository: Repository, name: str) -> None:
    """In a bare repository that vdo made, HEAD names an ordinary branch as soon as there is one: a clone gets that."""
    git = repository.git
    head = git.try_run("symbolic-ref", "--quiet", "HEAD").stdout.decode().strip().removeprefix(reffiles.HEADS)
    if repository.location.bare and _is_of_a_job(head) and git.try_run("config", "vdo.created").returncode == 0:
        git.run("symbolic-ref", "HEAD", name)
