"""`vdo show`: everything about one job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import click

from vdo.cli import formats, output, terminal
from vdo.cli.command import command, job_argument, pass_session
from vdo.cli.session import Session
from vdo.job import Job, JobId, Oid, Revision, State
from vdo.service.views import CheckView, FileView, JobTitle, JobView, ResolvedView, TestsView
from vdo.texts import addressed

EXAMPLES = """
vdo show 51
vdo show @                        the newest job
vdo show 51 --json | jq .cost_usd
"""

_NEXT = {
    State.QUEUED: "`vdo run {id}` runs it",
    State.WAITING: "`vdo run {id}` runs it",
    State.PLANNED: "`vdo plan {id}` shows the plan, `vdo run {id}` goes on from it",
    State.FAILED: "`vdo log {id} -p` tells what happened, `vdo retry {id}` goes on from there",
    State.CANCELLED: "`vdo retry {id}` goes on with it",
    State.CONFLICTED: "`vdo resolve {id}` lists what is open, with --checkout DIR you resolve it in a folder",
    State.INTERRUPTED: "`vdo run {id}` goes on from its last checkpoint",
}


@command("show", examples=EXAMPLES)
@job_argument()
@pass_session
def show_command(session: Session, job: str) -> None:
    """Show a job: description, state, parent, children, checks, tokens, cost and files."""
    view = session.readings.show(job)
    if session.json:
        output.document(view.to_json())
        return
    for line in lines(view):
        output.say(line)


def lines(view: JobView) -> Iterator[str]:
    """The job as text."""
    yield f"{formats.number(view.job.id)} {click.style(formats.title(view.job), bold=True)}"
    yield ""
    yield from (f"{label:<10}{text}" for label, text in _facts(view) if text)
    yield from _checks(view.checks)
    yield from _resolved(view.resolved)
    yield from _weakened(view.tests)
    yield from (f"{click.style('note:', fg='cyan')} {terminal.safe(notice)}" for notice in view.notices)
    if view.description.strip():
        yield ""
        yield from (f"    {line}".rstrip() for line in terminal.safe(view.description).strip("\n").split("\n"))
    if view.feedback.strip():
        yield ""
        yield "feedback"
        yield from (f"    {line}".rstrip() for line in terminal.safe(view.feedback).strip("\n").split("\n"))
    if view.files:
        yield ""
        yield from _files(view.files)
    hint = view.hint or _NEXT.get(view.state, "").format(id=view.job.id)
    if hint:
        yield ""
        yield f"{click.style('next:', fg='cyan')} {terminal.safe_line(hint)}"


def _facts(view: JobView) -> Iterator[tuple[str, str]]:
    job = view.job
    yield "state", formats.state(view.state)
    yield "error", _error(job)
    yield "extends", _parent(view)
    revisions = [formats.called(each) for each in job.merges if isinstance(each, Revision)]
    yield "merges", ", ".join([*map(_mention, view.merged), *revisions])
    yield "children", ", ".join(map(_mention, view.children))
    yield "project", formats.number(view.root) if view.root != job.id else ""
    yield "created", formats.when(job.created_at)
    yield "finished", formats.when(job.finished_at)
    yield "branch", f"{job.branch} at {view.branch_tip[:12]}" if view.branch_tip else ""
    yield "id", job.uid
    yield "agent", terminal.safe_line(", ".join(dict.fromkeys(filter(None, (job.agent, job.model)))))
    yield "tokens", formats.tokens(job.usage) if job.usage else ""
    yield "cost", _cost(job)
    tests = view.tests
    counts = (("added", tests.added), ("changed", tests.changed), ("deleted", tests.deleted)) if tests else ()
    yield "tests", ", ".join(f"{len(paths)} {how}" for how, paths in counts if paths)
    verdict = job.checks or ("failed" if any(not check.passed for check in view.checks) else "")
    yield "checks", " in ".join(filter(None, (verdict or ("so far" if view.checks else ""), job.sandbox)))


def _error(job: Job) -> str:
    return addressed(terminal.safe(job.error or ""), job.id).replace("\n", "\n" + " " * 10)


def _parent(view: JobView) -> str:
    if view.parent is not None:
        return _mention(view.parent)
    return formats.called(view.job.extends) if view.job.extends is not None else ""


def _mention(job: JobTitle) -> str:
    gone = " (deleted)" if job.state is State.DELETED else ""
    return f"{formats.number(job.id)} {terminal.safe_line(job.title)}{gone}"


def _cost(job: Job) -> str:
    wasted = f" and {formats.cost(job.wasted_usd)} wasted by interruptions" if job.wasted_usd else ""
    return formats.cost(job.cost_usd) + wasted


def _checks(checks: Sequence[CheckView]) -> Iterator[str]:
    for check in checks:
        mark = click.style("ok  ", fg="green") if check.passed else click.style("FAIL", fg="red")
        said = ", ".join(filter(None, (check.note, "cached" if check.cached else "")))
        time = formats.duration(check.seconds)
        text = f"          {mark}  {terminal.safe_line(check.command)}  {formats.faint(time)}"
        yield f"{text}  {terminal.safe_line(said)}".rstrip()


def _resolved(files: Sequence[ResolvedView]) -> Iterator[str]:
    """Who brought both sides together; what git did alone is only counted."""
    alone = [file for file in files if file.how == "git"]
    for file in (file for file in files if file.how != "git"):
        how = formats.faint(f"merged by {terminal.safe_line(file.how)}")
        yield f"          {terminal.safe_line(file.path)}  {how}"
    if alone:
        yield f"          {formats.many(len(alone), 'file')}, changed on both sides, merged by git"


def _weakened(tests: TestsView | None) -> Iterator[str]:
    """What judged the parent and does not judge this job as it was: worth a look."""
    if tests is None or not (tests.changed or tests.deleted):
        return
    yield click.style("It changed what it is judged by:", fg="yellow")
    for how, paths in (("changed", tests.changed), ("deleted", tests.deleted)):
        yield from (f"          {click.style(how, fg='yellow')}  {terminal.safe_line(path)}" for path in paths)


def _files(files: Sequence[FileView]) -> Iterator[str]:
    changed = [file for file in files if file.source != "inherited"]
    yield from file_lines(changed)
    inherited = [file for file in files if file.source == "inherited"]
    if inherited:
        yield f"{_source('inherited')}  {formats.many(len(inherited), 'file')}: {_origins(inherited)}"


def _origins(files: Sequence[FileView]) -> str:
    """`12 from #50, 3 from commit 1234abcd`: the largest first, and not all of a long history."""
    many: Counter[tuple[JobId | None, Oid | None]] = Counter()
    for file in files:
        many[(file.from_job, None if file.from_job else file.from_commit)] += 1
    ranked = many.most_common(4)
    texts = [f"{count:,} from {origin(job, commit)}" for (job, commit), count in ranked]
    rest = len(files) - sum(count for _, count in ranked)
    return ", ".join([*texts, *([f"{rest:,} from elsewhere (`vdo files`)"] if rest else [])])


def origin(job: JobId | None, commit: Oid | None) -> str:
    """Where an inherited file comes from."""
    return f"#{job}" if job is not None else f"commit {commit[:12]}" if commit else "the base"


def file_lines(files: Sequence[FileView]) -> Iterator[str]:
    """One line for each file: how it got there, its path, and the reason or the origin."""
    widest = min(48, max((terminal.width(terminal.safe_line(file.path)) for file in files), default=0))
    for file in files:
        path = terminal.safe_line(file.path)
        inherited = file.source == "inherited"
        said = f"from {origin(file.from_job, file.from_commit)}" if inherited else terminal.safe_line(file.note or "")
        yield f"{_source(file.source)}  {terminal.pad(path, widest)}  {formats.faint(said)}".rstrip()


def _source(source: str) -> str:
    return click.style(f"{source:<9}", fg=formats.SOURCE_COLOURS[source])
