"""Why a job cannot start yet: the job at the bottom of what it waits for, with what a person can do about that one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vdo.errors import JobWaits
from vdo.job import Job, JobRef, State
from vdo.pipeline.briefing import has_result
from vdo.store.reader import Reader

_UNSTARTED = frozenset({State.QUEUED, State.WAITING})
_IS = {
    State.FAILED: "failed",
    State.CONFLICTED: "is in conflict",
    State.PLANNED: "is planned and not yet built",
    State.CANCELLED: "was cancelled",
    State.DELETED: "was deleted",
    State.INTERRUPTED: "was interrupted",
}


@dataclass(frozen=True)
class Waiting:
    """A job and what it waits for: `cause` is None where this repository does not have that job."""

    job: Job
    parent: JobRef
    cause: Job | None
    reason: str
    """`waits for #1, which failed`"""
    hint: str

    def error(self) -> JobWaits:
        return JobWaits(f"job #{self.job.id} {self.reason}", hint=self.hint)


def waiting(reader: Reader, job: Job) -> Waiting | None:
    """What an unstarted job waits for; None when it can start."""
    if job.state not in _UNSTARTED:
        return None
    for ref in (job.extends, *job.merges):
        if not isinstance(ref, JobRef):
            continue
        parent = reader.by_ref(ref)
        if parent is None:
            return Waiting(job, ref, None, f"waits for {ref}, which this repository does not have", _FETCH)
        if not has_result(parent):
            below = waiting(reader, parent)
            return _because(reader, job, parent) if below is None else _below(reader, job, below)
    return None


_FETCH = "fetch it: `vdo sync` brings the jobs of a remote"


def _below(reader: Reader, job: Job, below: Waiting) -> Waiting:
    if below.cause is None:
        return Waiting(job, below.parent, None, below.reason, below.hint)
    return _because(reader, job, below.cause)


def _because(reader: Reader, job: Job, cause: Job) -> Waiting:
    state = reader.state(cause)
    reason = f"waits for #{cause.id}, which {_IS.get(state, f'is {state.value}')}"
    return Waiting(job, cause.ref, cause, reason, _hint(reader, job, cause, state))


def _hint(reader: Reader, job: Job, cause: Job, state: State) -> str:
    match state:
        case State.FAILED | State.CANCELLED:
            return f"`vdo retry {cause.id}` goes on with it, `vdo run {job.id}` with this one then"
        case State.DELETED:
            return f"{reader.way_back(cause)}; `vdo delete {job.id}` takes away what waits for it"
        case State.CONFLICTED:
            return f"`vdo show {cause.id}` says what is open, `vdo resolve {cause.id}` finishes it"
        case State.PLANNED:
            return f"`vdo plan {cause.id}` shows the plan, `vdo run {cause.id}` goes on from it"
        case _ if state.is_active:
            return f"`vdo log -f {cause.id}` follows it"
    return f"`vdo run {job.id}` runs both"


def all_waiting(reader: Reader, jobs: Iterable[Job]) -> list[Waiting]:
    """Those of `jobs` that cannot start, the oldest first."""
    found = (waiting(reader, reader.job(job.id)) for job in sorted(jobs, key=lambda job: job.id))
    return [each for each in found if each is not None]
