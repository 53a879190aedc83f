"""What people do to a job from outside: cancel it, try it again, take it away."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable

from vdo.errors import JobBusy, JobStateError, UsageError
from vdo.job import Job, State
from vdo.pipeline import record
from vdo.pipeline.desk import EXITED, Desk
from vdo.pipeline.record import RecordFiles
from vdo.pipeline.run import RUNNABLE, end_cancelled, keep_leftovers
from vdo.pipeline.surroundings import Surroundings
from vdo.spec import Budget
from vdo.store import checkout, claims, trash
from vdo.store.repository import Repository

_PATIENCE_SECONDS = 15.0


def cancel(repository: Repository, job: Job, around: Callable[[], Surroundings]) -> Job:
    """End a job: whoever works on it stops it within moments; nobody's is ended here, leftovers included.

    `around` is asked only for one that nobody works on: what its last call is known to have used is charged.
    Raises JobStateError when there is nothing to cancel, JobBusy when its holder does not react.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while True:
        job = repository.job(job.id)
        if job.state is State.CANCELLED:
            return job
        if job.state not in RUNNABLE and job.state is not State.CONFLICTED:
            raise JobStateError(f"job #{job.id} is {job.state.value}: there is nothing to cancel")
        if not claims.ask_cancel(repository.location.own, job.id):
            cancelled = _cancel_here(repository, job, around)
            if cancelled is not None:
                return cancelled
        if time.monotonic() > deadline:
            raise JobBusy(f"the process that works on job #{job.id} does not react", hint="end that process itself")
        time.sleep(0.05)


def _cancel_here(repository: Repository, job: Job, around: Callable[[], Surroundings]) -> Job | None:
    """Take the claim that nobody holds and end the job; None when somebody was quicker."""
    try:
        claim = claims.take(repository.location.own, job.id)
    except JobBusy:
        return None
    try:
        job = repository.job(job.id)
        if job.state not in RUNNABLE and job.state is not State.CONFLICTED:
            return None
        tip = repository.branch_tip(job.id)
        if job.state is State.PUBLISHING and job.commit and tip and repository.contains(job.commit, tip):
            raise JobStateError(f"job #{job.id} is published already", hint=f"`vdo run {job.id}` completes it")
        desk = Desk(repository, job, claim, around())
        keep_leftovers(desk, job)
        end_cancelled(desk)
        return desk.entry
    finally:
        claim.release()


def retry(repository: Repository, job: Job, feedback: str, budget: Budget | None) -> Job:
    """Put a failed or cancelled job back into the state that it ended in, with what was changed; ready to be run.

    Raises JobBusy while somebody works on it, JobStateError when there is nothing to go on with.
    """
    claim = claims.take(repository.location.own, job.id)
    try:
        # Judged under the claim: until then somebody else may have run it to its end, or taken it away.
        job = repository.job(job.id)
        _refuse_retry(repository, job, feedback)
        state = _last_state(repository, job)
        done = RecordFiles(repository.journals.record(job.journal)).get("rounds.json")
        files = {"rounds.json": record.Rounds.load(done).anew().dump()}
        if feedback.strip():
            files["feedback"] = feedback.encode()
            files[EXITED] = b""
            state = _before_publishing(job, state)
        if budget is not None:
            files["budget.json"] = record.dump_budget(budget)
        # The claim of one that died stays: the next run finds by it what was left half done.
        again = dataclasses.replace(job, state=state, error=None, finished_at=None)
        note = "To be tried again" + (f"\n\n{feedback.strip()}" if feedback.strip() else "")
        return repository.journals.append(again, note, record=files)
    finally:
        claim.release()


def _refuse_retry(repository: Repository, job: Job, feedback: str) -> None:
    if job.state in RUNNABLE and not job.state.is_active:
        raise JobStateError(f"job #{job.id} is {job.state.value}", hint=f"`vdo run {job.id}` runs it")
    if job.state not in RUNNABLE and job.state not in (State.FAILED, State.CANCELLED, State.CONFLICTED):
        raise JobStateError(f"job #{job.id} is {job.state.value}: there is nothing to go on with")
    if feedback.strip() and is_rollback(repository, job):
        raise UsageError(f"job #{job.id} is a rollback: there is no agent that would hear what you say")


def is_rollback(repository: Repository, job: Job) -> bool:
    spec = repository.record_json(job, "spec.json")
    return bool(spec and spec["rollback_to"])


def _before_publishing(job: Job, state: State) -> State:
    """Where the agent hears what the user said."""
    if state is State.PUBLISHING:
        raise JobStateError(
            f"job #{job.id} is done and only has to be published",
            hint=f"`vdo run {job.id}` does that; `vdo retry {job.id} -m FEEDBACK` goes on from its result then",
        )
    return State.BUILDING if state is State.VERIFYING else state


def _last_state(repository: Repository, job: Job) -> State:
    """The state that the job was in before it ended."""
    for entry in repository.journals.entries(job.journal):
        if entry.job.state in RUNNABLE:
            return entry.job.state
    return State.QUEUED


def delete(repository: Repository, job: Job, *, force: bool) -> Job:
    """Move a job into the trash. Raises JobStateError with the reason while it may not go."""
    claim = claims.take(repository.location.own, job.id)
    try:
        job = repository.job(job.id)
        _refuse_delete(repository, job, force=force)
        _remove_leftovers(job)
        return trash.delete(repository, job)
    finally:
        claim.release()


def _refuse_delete(repository: Repository, job: Job, *, force: bool) -> None:
    if job.state is State.DELETED:
        raise JobStateError(f"job #{job.id} is deleted already")
    children = repository.children(job)
    if children and not force:
        names = ", ".join(f"#{child.id}" for child in children)
        raise JobStateError(
            f"{names} {'builds' if len(children) == 1 else 'build'} on job #{job.id}",
            hint="--force deletes it all the same: its children keep their complete code",
        )
    place = repository.checked_out(job.branch)
    if place is not None:
        raise JobStateError(
            f"the branch {job.branch} is checked out in {place}", hint="switch to another branch there first"
        )


def _remove_leftovers(job: Job) -> None:
    """The private folders of a claim whose holder died: nobody would look for them any more."""
    for folder in checkout.leftovers(job.claim) if job.claim else ():
        checkout.remove(folder)
