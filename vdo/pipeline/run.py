"""Running one job: claim it, go on from where it stands, end it in a state that says what happened."""

from __future__ import annotations

import dataclasses

from vdo.errors import Cancelled, RefConflict, Stopped, VdoError
from vdo.job import Job, JobId, State
from vdo.outcome import Outcome, Result
from vdo.pipeline.desk import Desk, TimeOver
from vdo.pipeline.stages import remaining
from vdo.pipeline.surroundings import Surroundings
from vdo.progress import Phase
from vdo.secrets import known
from vdo.store import checkout, claims
from vdo.store.identity import iso, now
from vdo.store.repository import Repository
from vdo.texts import GOING_ON, TRYING_AGAIN, addressed

RUNNABLE = frozenset(
    {
        State.QUEUED,
        State.WAITING,
        State.PLANNED,
        State.PLANNING,
        State.BUILDING,
        State.VERIFYING,
        State.PUBLISHING,
    }
)


def run_job(repository: Repository, number: JobId, around: Surroundings, *, approved: bool = True) -> Job:
    """Do what is left of a job; the job as it is then: completed, failed, planned or cancelled.

    Raises JobBusy when another process has it, Stopped on Ctrl-C (its journal stays where it is: the next run goes on),
    and any other VdoError that ended it, after the journal has it. One that was planned meanwhile is built only when
    its plan is `approved`.
    """
    claim = claims.take(repository.location.own, number)
    try:
        entry = repository.job(number)
        if entry.state not in RUNNABLE or (entry.state is State.PLANNED and not approved):
            return entry
        desk = Desk(repository, dataclasses.replace(entry, claim=claim.nonce, error=None), claim, around)
        _take_over(desk, entry)
        return _go(desk)
    finally:
        claim.release()


def _take_over(desk: Desk, entry: Job) -> None:
    """Say in the journal who has the job now: what a dead claim still tries to append fails from here on."""
    if entry.state in (State.QUEUED, State.WAITING, State.PLANNED):
        return
    keep_leftovers(desk, entry)
    note = GOING_ON if entry.claim else TRYING_AGAIN
    desk.append(entry.state, note)
    desk.emit(Phase(desk.job, entry.state, note))


def keep_leftovers(desk: Desk, entry: Job) -> None:
    """The work half done of a claim whose holder died goes into the journal with the next entry."""
    for folder in checkout.leftovers(entry.claim) if entry.claim else ():
        desk.keep_folder(folder / "project")
        checkout.remove(folder)


def end_cancelled(desk: Desk) -> None:
    desk.finish(State.CANCELLED, "Cancelled", {"finished_at": iso(*now())}, in_turn=True)


def _go(desk: Desk) -> Job:
    try:
        for stage in remaining(desk):
            # A branch that may be there already cannot be taken back: all that is left to do is to say so.
            if desk.entry.state is not State.PUBLISHING:
                desk.check_asked()
            result = stage(desk)
            if not result.ok:
                return _end(desk, result)
        return desk.entry
    except Cancelled:
        end_cancelled(desk)
        return desk.entry
    except TimeOver as over:
        _fail(desk, str(over), over.hint, in_turn=True)
        return desk.entry
    except Stopped:
        desk.pause()
        raise
    except RefConflict:
        raise
    except VdoError as problem:
        if desk.around.stop.is_set():  # what failed may have been ended by the same Ctrl-C: the next run tells
            desk.pause()
            raise Stopped(f"job #{desk.job} was interrupted") from problem
        if desk.entry.state is State.PUBLISHING:
            _hold(desk, problem)
        else:
            _fail(desk, str(problem), problem.hint, in_turn=True)
        raise


def _end(desk: Desk, result: Result) -> Job:
    if desk.entry.state is State.CONFLICTED:
        return desk.entry
    if desk.entry.state is State.PLANNED:
        desk.finish(State.PLANNED, "Waiting for `vdo run`", {})
        return desk.entry
    hint = result.hint
    if result.outcome is Outcome.BLOCKED and not hint:
        hint = f"`vdo retry {desk.job} --budget USD` goes on from here"
    _fail(desk, result.summary, hint)
    return desk.entry


def _fail(desk: Desk, summary: str, hint: str, *, in_turn: bool = False) -> None:
    text = _told(desk, summary, hint)
    changes = {"error": text, "finished_at": iso(*now())}
    desk.finish(State.FAILED, f"Failed: {text}", changes, in_turn=in_turn)


def _hold(desk: Desk, problem: VdoError) -> None:
    """The job is done, only its branch is not there yet: the next run publishes it."""
    text = _told(desk, str(problem), problem.hint)
    desk.finish(State.PUBLISHING, f"Not published yet: {text}", {"error": text})


def _told(desk: Desk, summary: str, hint: str) -> str:
    """For the journal. Whoever made the message may have put a key into it, and journals are pushed."""
    return known(desk.around.environ).redact(addressed(f"{summary} ({hint})" if hint else summary, desk.job))
