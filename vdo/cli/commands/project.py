"""`vdo project` and `vdo projects`: the jobs that belong together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from vdo.cli import formats, output, rows, terminal
from vdo.cli.command import command, job_argument, pass_session
from vdo.cli.session import Session
from vdo.job import JobId
from vdo.service.views import ProjectView

if TYPE_CHECKING:
    from vdo.service.forecasting import Pair

EXAMPLES = """
vdo project 50
vdo project @ --json | jq .tips
"""


@command("project", examples=EXAMPLES)
@job_argument()
@pass_session
def project_command(session: Session, job: str) -> None:
    """Show the project that JOB belongs to as a timeline, oldest job first, with its parallel branches."""
    view = session.readings.project(job)
    pairs = _forecasts(session, view)
    if session.json:
        output.document({**view.to_json(), "forecasts": [pair.to_json() for pair in pairs]})
        return
    output.say(f"{formats.number(view.root)} {click.style(terminal.safe_line(view.title), bold=True)}")
    output.say()
    for line in rows.table(view.jobs, terminal.columns(), upwards=True):
        output.say(line)
    output.say()
    output.say(", ".join(_summary(view)))
    for pair in pairs:
        output.say(f"merging {pair.ours} and {pair.theirs}: {_expected(pair)}")


_MANY = 6
"""Tips whose merges are forecast without being asked for: their pairs grow with the square."""


def _forecasts(session: Session, view: ProjectView) -> list[Pair]:
    if not 2 <= len(view.tips) <= _MANY:
        return []
    from vdo.service.forecasting import Forecasts  # merging: only a project with parallel branches needs it

    return Forecasts(session.service).of_project(str(view.root))


def _expected(pair: Pair) -> str:
    """What the merge would meet, the files that would be left to an agent or a person first."""
    files = pair.forecast.files
    if not files:
        return "clean"
    left = [file for file in files if file.rung in ("agent", "person")]
    shown = ", ".join(f"{terminal.safe_line(file.path)} ({file.how})" for file in (left or files)[:5])
    more = f" and {len(left or files) - 5} more" if len(left or files) > 5 else ""
    return f"{'in conflict' if left else 'resolved without an agent'}: {shown}{more}"


@command("projects", examples="vdo projects\nvdo projects --json | jq '.projects[].latest_job_id'")
@pass_session
def projects_command(session: Session) -> None:
    """Show all projects, the one with the newest job first."""
    views = session.readings.projects()
    if session.json:
        output.document({"projects": [view.to_json() for view in views]})
        return
    if not views:
        output.tell(session, "there are no projects yet: `vdo new TITLE` starts the first one")
    numbers = [formats.number(view.root) for view in views]
    left = max(map(terminal.width, numbers), default=0)
    titles = [terminal.safe_line(view.title) for view in views]
    widest = min(60, max(map(terminal.width, titles), default=0))
    for view, number, title in zip(views, numbers, titles, strict=True):
        fitted = terminal.pad(terminal.cut(title, widest), widest)
        output.say(f"{terminal.pad(number, left)}  {fitted}  {', '.join(_summary(view))}")


def _summary(view: ProjectView) -> Iterator[str]:
    yield formats.many(len(view.jobs), "job")
    if view.latest is None:
        yield "none completed yet"
        return
    yield formats.many(view.total_files, "file")
    yield f"latest {formats.number(view.latest)}"
    if set(view.tips) != {view.latest}:
        yield f"tips {_numbers(view.tips)}"


def _numbers(jobs: Iterable[JobId]) -> str:
    return " ".join(map(formats.number, jobs))
