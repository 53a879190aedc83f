"""`vdo project` and `vdo projects`: the jobs that belong together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import click

from vdo.cli import formats, output, rows, terminal
from vdo.cli.command import command, job_argument, pass_session
from vdo.cli.session import Session
from vdo.job import JobId
from vdo.service.views import ProjectView

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
    if session.json:
        output.document(view.to_json())
        return
    output.say(f"{formats.number(view.root)} {click.style(terminal.safe_line(view.title), bold=True)}")
    output.say()
    for line in rows.table(view.jobs, terminal.columns(), upwards=True):
        output.say(line)
    output.say()
    output.say(", ".join(_summary(view)))


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
