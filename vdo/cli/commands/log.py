"""`vdo log`: the journal of a job."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import click

from vdo.cli import formats, output, terminal
from vdo.cli.command import command, job_argument, pass_session
from vdo.cli.pager import paged
from vdo.cli.session import Session
from vdo.job import EMPTY_TREE, Job, State
from vdo.service.views import LogEntry

EXAMPLES = """
vdo log 51
vdo log -f 51                     follow a running job until it ends
vdo log -p 51                     with what each step changed
"""
_POLL_SECONDS = 0.3
_NOBODY_WORKS = {
    State.INTERRUPTED: "`vdo run {id}` goes on from its last checkpoint",
    State.PLANNED: "`vdo plan {id}` shows the plan, `vdo run {id}` goes on from it",
    State.CONFLICTED: "a person is asked: `vdo show {id}` says what for",
}


@command("log", examples=EXAMPLES)
@job_argument()
@click.option("-f", "--follow", is_flag=True, help="Wait for new entries until the job ends.")
@click.option("-p", "--patch", is_flag=True, help="Show what each step changed.")
@pass_session
def log_command(session: Session, job: str, follow: bool, patch: bool) -> None:
    """Show the journal of JOB, oldest entry first: each state change, checkpoint, call and check.

    With --json and --follow the document comes when the job has ended.
    """
    found = session.readings.reader.find(job)
    entries = _entries(session, found, follow=follow)
    if session.json:
        output.document({"id": found.id, "entries": [entry.to_json() for entry in entries]})
    elif follow:
        _print(session, found, entries, output.say, patch=patch)
    else:
        with paged(session.readings.reader.git) as write:
            _print(session, found, entries, write, patch=patch)


def _entries(session: Session, job: Job, *, follow: bool) -> Iterator[LogEntry]:
    """What is there; with `follow` also what comes, until nothing can come any more."""
    seen = -1
    if follow and job.state in (State.QUEUED, State.WAITING):
        output.tell(session, f"job #{job.id} is {job.state.value}; `vdo run` in another terminal starts it")
    while True:
        # The state first: what is written between the two questions is then read by the second.
        state = session.readings.reader.state(session.readings.reader.job(job.id))
        for entry in session.readings.log(str(job.id), after=seen):
            seen = entry.seq
            yield entry
        if not follow or state.is_final:
            return
        if state in _NOBODY_WORKS:
            output.tell(session, f"nobody works on job #{job.id}: {_NOBODY_WORKS[state].format(id=job.id)}")
            return
        time.sleep(_POLL_SECONDS)


def _print(
    session: Session, job: Job, entries: Iterator[LogEntry], write: Callable[[str], None], *, patch: bool
) -> None:
    before = None
    for entry in entries:
        for line in _lines(entry):
            write(line)
        if patch and entry.seq > 0:
            before = before or _base(session, job)
            work = _tree(session, f"{entry.oid}:work")
            if work != before:
                write(_patch(session, before, work))
            before = work


def _lines(entry: LogEntry) -> Sequence[str]:
    first, *rest = terminal.safe(entry.note).strip("\n").split("\n")
    head = f"{formats.faint(formats.clock(entry.when))}  {terminal.pad(formats.state(entry.state), 10)}  {first}"
    return [head, *(f"{'':31}  {line}".rstrip() for line in rest if line.strip())]


def _base(session: Session, job: Job) -> str:
    """The tree that a job starts from; asked again, since a job that waited for its parent has none at first."""
    base = session.readings.reader.job(job.id).base
    return _tree(session, f"{base}^{{tree}}") if base else EMPTY_TREE


def _tree(session: Session, name: str) -> str:
    found = next(session.readings.reader.git.objects([name]))
    return found[0] if found else EMPTY_TREE


def _patch(session: Session, old: str, new: str) -> str:
    # Coloured always: whoever prints it takes the colours out where none are wanted.
    text = session.readings.reader.git.run("diff", "--color=always", "--no-ext-diff", old, new)
    return "\n" + terminal.safe_styled(text.decode("utf-8", "replace"))
