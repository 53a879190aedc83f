"""Running jobs for a command: progress, an orderly end on Ctrl-C, and what is said when the jobs have ended."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import termios
import threading
from collections.abc import Callable, Iterator, Sequence

import click

from vdo.cli import boundary, formats, output, terminal
from vdo.cli.session import Session
from vdo.cli.watching import Watcher, is_live, watched
from vdo.errors import JobFailed, JobWaits, Stopped, VdoError
from vdo.job import Job, JobId, State
from vdo.store.index import Query
from vdo.texts import addressed

_GOOD = frozenset({State.COMPLETED, State.PLANNED})
_POLL_SECONDS = 0.1
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def work(session: Session, names: Sequence[str], *, workers: int = 1, allow_setup: bool = False) -> list[Job]:
    """Run these jobs (none: all that wait); those that ended. Raises Stopped, saying how to go on, on Ctrl-C."""
    titles = {
        int(job.id): job.title for job in session.readings.reader.jobs(Query(limit=1000)) if not job.state.is_final
    }
    at_the_end = session.json or is_live(session)  # a line between those that update themselves would tear them
    with watched(session, titles) as observe, stoppable(session) as stop:
        try:
            return session.service.run(
                names,
                workers=workers,
                observe=observe,
                on_end=lambda job: None if at_the_end else output.say(_line(session, job)),
                stop=stop,
                allow_setup=allow_setup,
                approve=_asking(observe, stop) if sys.stdin.isatty() and sys.stderr.isatty() else None,
            )
        except JobWaits:  # nothing could be done: said with what is waited for, as where something could
            return []
        except Stopped as problem:
            if problem.exit_code != boundary.INTERRUPTED:
                raise
            again = " ".join(["vdo run", *names])
            raise Stopped("interrupted", hint=f"`{again}` goes on from the last checkpoint") from None


def _asking(watcher: Watcher, stop: threading.Event) -> Callable[[JobId, str, tuple[str, ...]], bool]:
    """The question whether a project's setup may run."""

    def ask(job: JobId, run: str, files: tuple[str, ...]) -> bool:
        seen = ", ".join(map(terminal.safe_line, files)) or "no file of the project"
        with watcher.paused():
            output.complain(f"The checks of job #{job} need something installed. This would run, with a network:")
            output.complain(f"    {terminal.safe_line(run)}")
            output.complain(f"It sees {seen}, none of your files and no secrets.")
            output.complain(f"`vdo diff {job}` in another terminal shows what the job has changed so far.")
            return _says_yes("Allow it, until what it runs or sees changes? [y/N]", stop)

    return ask


def _says_yes(question: str, stop: threading.Event) -> bool:
    """Asks and reads the answer; what was typed before is none. Ctrl-C, which only sets `stop`, ends the wait."""
    termios.tcflush(sys.stdin, termios.TCIFLUSH)  # before the question shows: behind it, an answer would be lost
    output.ask(question)
    while not stop.is_set():
        if select.select([sys.stdin], [], [], _POLL_SECONDS)[0]:
            return sys.stdin.readline().strip().lower() in ("y", "yes")
    return False


@contextlib.contextmanager
def stoppable(session: Session) -> Iterator[threading.Event]:
    """The first Ctrl-C asks the work to rest, the second ends the process: the journal stands either way."""
    stop = threading.Event()

    def ask(_number: int, _frame: object) -> None:
        # Written past Python's streams: a handler may have interrupted a write to them.
        if stop.is_set():
            os.write(2, b"\x1b[?25h\n" if os.isatty(2) else b"\n")  # the cursor, which the progress lines hide
            os._exit(boundary.INTERRUPTED)
        stop.set()
        if not session.quiet:
            os.write(2, b"\nstopping; what is done so far is kept (once more: at once)\n")

    # Only the main thread may; a test or a server that runs commands elsewhere has its own way to stop them.
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    # What is ignored already stays so: `nohup vdo run` outlives its terminal.
    heard = [number for number in _ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    before = [(number, signal.signal(number, ask)) for number in heard]
    try:
        yield stop
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def show_ended(session: Session, names: Sequence[str], jobs: Sequence[Job]) -> int:
    """What became of the jobs, as far as it was not said when they ended; the exit code.

    A line for each job, what to do about those that failed, what waits for whom.
    """
    if is_live(session):
        for job in jobs:
            output.say(_line(session, job))
    failed = [job for job in jobs if job.state not in _GOOD]
    for job in failed:
        output.problem_of(why(session, job), as_json=False)
    waits = session.service.waiting(names)
    for each in waits:
        output.say(f"{formats.number(each.job.id)} {formats.title(each.job)}  {each.reason}")
    for hint in dict.fromkeys(each.hint for each in waits):
        output.tell(session, f"{click.style('hint:', fg='cyan')} {terminal.safe_line(hint)}")
    if jobs and not failed and not waits:
        output.tell(session, f"next: {_next(jobs[-1])}")
    return exit_code(session) if failed or (names and waits) else 0


def exit_code(session: Session) -> int:
    """Of a run that not all jobs ended well in: the highest of what ended them, 1 for those that just failed."""
    return max([1, *(problem.exit_code for problem in session.service.problems.values())])


def _line(session: Session, job: Job) -> str:
    facts = ", ".join(filter(None, (formats.counts(job.files), formats.cost(job.cost_usd), _took(session, job))))
    return f"{formats.number(job.id)} {formats.title(job)}  {formats.state(job.state)}" + (
        f"  {facts}" if facts else ""
    )


def _took(session: Session, job: Job) -> str:
    """The time that was worked on it: it may have waited for days before."""
    seconds = session.readings.worked(job) if job.finished_at else None
    return formats.duration(seconds) if seconds and seconds >= 1 else ""


def _next(job: Job) -> str:
    if job.state is State.PLANNED:
        return f"`vdo plan {job.id}` shows the plan, with -e you change it; `vdo run {job.id}` goes on from it"
    return f"`vdo diff {job.id}` shows what it changed, `vdo deploy {job.id} DIR` writes its code into a folder"


def why(session: Session, job: Job) -> VdoError:
    """What is said of a job that did not end well; what its journal could not take (a full disk) is known here only."""
    problem = session.service.problems.get(job.id)
    if problem is None or job.error:
        return failure(job)
    hint = problem.hint or f"`vdo run {job.id}` goes on from its last checkpoint"
    return VdoError(f"job #{job.id} is still {job.state.value}: {problem}", hint=hint)


def failure(job: Job) -> JobFailed:
    """What is said of a job that did not end well."""
    if job.state is State.CANCELLED:
        return JobFailed(f"job #{job.id} was cancelled", hint=f"`vdo retry {job.id}` goes on with it")
    if job.state in (State.QUEUED, State.WAITING):
        return JobFailed(
            f"job #{job.id} is still {job.state.value}", hint=f"`vdo show {job.id}` says what it builds on"
        )
    reason = f": {addressed(job.error, job.id)}" if job.error else ""
    hint = (
        ""
        if "`vdo " in reason
        else f"`vdo log {job.id} -p` tells what happened, `vdo retry {job.id}` goes on from there"
    )
    return JobFailed(f"job #{job.id} {job.state.value}{reason}", hint=hint)


def finish_one(session: Session, job: JobId, *, allow_setup: bool = False) -> int:
    """Run one job (with those it waits for) and show what became of it; the exit code."""
    try:
        ended = work(session, [str(job)], allow_setup=allow_setup)
    finally:
        # Also when the work could not be done: the job is recorded, and that is what was asked for.
        if session.json:
            output.document(session.readings.show(str(job)).to_json())
    if session.json:
        own = session.readings.reader.job(job)
        if own.state in _GOOD:
            return 0
        problem = unfinished(session, own)
        problem.exit_code = exit_code(session)
        raise problem
    return show_ended(session, [str(job)], ended)


def unfinished(session: Session, job: Job) -> VdoError:
    """Why a job that was asked for has no result."""
    waits = session.service.waiting([str(job.id)]) if job.state in (State.QUEUED, State.WAITING) else []
    return next((each.error() for each in waits if each.job.id == job.id), why(session, job))


def show_recorded(session: Session, job: JobId) -> None:
    """A job that was recorded and not run."""
    if session.json:
        output.document(session.readings.show(str(job)).to_json())
        return
    found = session.readings.reader.job(job)
    output.say(f"{formats.number(job)} {formats.title(found)}  {formats.state(found.state)}")
    output.tell(session, f"next: `vdo run {terminal.safe_line(str(job))}` runs it, `vdo run` everything that waits")
