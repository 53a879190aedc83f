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
from vdo.texts import addressed

EXAMPLES = """
vdo log 51
vdo log -f 51                     follow a running job until it ends
vdo log -p 51                     with what each step changed and printed
"""
_POLL_SECONDS = 0.3
_OUTPUTS = ("agent.log", "checks")
"""In the journal's record: what was printed."""
_NOBODY_WORKS = {
    State.INTERRUPTED: "`vdo run {id}` goes on from its last checkpoint",
    State.PLANNED: "`vdo plan {id}` shows the plan, `vdo run {id}` goes on from it",
    State.CONFLICTED: "a person is asked: `vdo show {id}` says what for",
}


@command("log", examples=EXAMPLES)
@job_argument()
@click.option("-f", "--follow", is_flag=True, help="Wait for new entries until the job ends.")
@click.option("-p", "--patch", is_flag=True, help="Show what each step changed and printed.")
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
        for line in _lines(entry, job.id):
            write(line)
        if patch and entry.seq > 0:
            before = before or _base(session, job)
            work = _tree(session, f"{entry.oid}:work")
            if work != before:
                write(_patch(session, before, work))
            before = work
            for line in _printed(session, entry):
                write(line)


def _lines(entry: LogEntry, job: int) -> Sequence[str]:
    first, *rest = addressed(terminal.safe(entry.note), job).strip("\n").split("\n")
    head = f"{formats.faint(formats.clock(entry.when))}  {terminal.pad(formats.state(entry.state), 10)}  {first}"
    return [head, *(f"{'':31}  {line}".rstrip() for line in rest if line.strip())]


def _printed(session: Session, entry: LogEntry) -> Iterator[str]:
    """What an agent's command and the checks printed in this step, as far as it was kept."""
    git = session.readings.reader.git
    old, new = (_tree(session, f"{entry.oid}{which}:record") for which in ("^1", ""))
    listed = git.run("diff", "--name-only", "--no-renames", "--diff-filter=AM", "-z", old, new, "--", *_OUTPUTS)
    names = [name for name in listed.decode("utf-8", "surrogateescape").split("\0") if name]
    for name, found in zip(names, git.objects(f"{new}:{name}" for name in names), strict=True):
        yield f"\n{formats.faint(terminal.safe_line(name))}"
        text = found[2].decode("utf-8", "replace") if found else ""
        yield from (f"  | {terminal.safe(line.rstrip())}" for line in text.rstrip("\n").split("\n"))
        yield ""


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
