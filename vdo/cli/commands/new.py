"""`vdo new` and `vdo extend`: create a job, and run it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import click

from vdo.cli import output, terminal
from vdo.cli.command import JOB, USD, command, job_argument, pass_session
from vdo.cli.describing import NAME, Decorator, describing, read_description
from vdo.cli.editor import rescue
from vdo.cli.session import Session
from vdo.cli.working import finish_one, show_recorded
from vdo.errors import VdoError
from vdo.job import Job
from vdo.spec import Budget

NEW = """
vdo new "Platform shell" -d "A Flask app with a base layout and a navigation bar"
vdo new "Risk register" --extends 50 -F risk.md
vdo new "Dark mode" --extends main -e --check "pytest -q" --budget 2.50
vdo new "Reports" --extends 50 --agent 'claude -p' --queue
"""
EXTEND = """
vdo extend 50 "Risk register" -d "Register and rate risks"
vdo extend main "Dark mode" -e              start from existing code
vdo extend @ "Export" -d "As CSV" --queue   record it only; vdo run runs it
"""


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What `new` and `extend` have in common."""
    options: tuple[Decorator, ...] = (
        describing,
        click.option("--agent", metavar="A", help="Who does the work: a configured name or a command line."),
        click.option("--model", metavar="M", help="The model to use."),
        click.option(
            "--check", "checks", multiple=True, metavar="CMD", help="A check besides the project's; repeatable."
        ),
        click.option("--budget", type=USD, metavar="USD", help="Spend at most this much on the job."),
        click.option("--project", type=JOB, metavar="JOB", help="Join the project of JOB."),
        click.option("--queue", is_flag=True, help="Only record the job."),
        click.option("--plan-only", is_flag=True, help="Stop after the plan."),
        click.option("--allow-setup", is_flag=True, help="Let the project's setup run, which has a network."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@command("new", examples=NEW)
@click.argument("title")
@click.option("--extends", type=JOB, metavar="JOB_OR_REV", help="Start from a job, or from any git revision.")
@_options
@pass_session
def new_command(session: Session, /, title: str, extends: str | None, **options: Any) -> int:
    """Create a job and run it: an agent plans it, builds it, and proves it with the project's checks.

    The result is one commit on the branch job/N. Without --extends it starts a new project.
    """
    return _create(session, title, extends, **options)


@command("extend", examples=EXTEND)
@job_argument("parent", metavar="JOB_OR_REV")
@click.argument("title")
@_options
@pass_session
def extend_command(session: Session, /, parent: str, title: str, **options: Any) -> int:
    """Create a job that starts from another job or from any git revision, and run it.

    All code of the parent is there, and the agent is told about it.
    """
    return _create(session, title, parent, **options)


def _create(
    session: Session,
    title: str,
    extends: str | None,
    *,
    description: str | None,
    file: str | None,
    edit: bool,
    queue: bool,
    plan_only: bool,
    allow_setup: bool,
    **options: Any,
) -> int:
    if queue and plan_only:
        raise click.UsageError("--queue and --plan-only contradict each other")
    text = read_description(session.service.reader.git, title, description, file, edit)
    try:
        job = _record(session, title, text, extends, plan_only=plan_only, **options)
    except VdoError:
        kept = rescue(text, NAME) if edit and text.strip() else None
        if kept is not None:
            output.complain(f"your description is kept: use it with -F {terminal.safe_line(str(kept))}")
        raise
    if queue:
        show_recorded(session, job.id)
        return 0
    return finish_one(session, job.id, allow_setup=allow_setup)


def _record(
    session: Session,
    title: str,
    description: str,
    extends: str | None,
    *,
    budget: Decimal | None,
    checks: tuple[str, ...],
    **options: Any,
) -> Job:
    from vdo.service.service import NewJob

    request = NewJob(
        title=title,
        description=description,
        extends=extends,
        checks=checks,
        budget=Budget(usd=budget) if budget is not None else None,
        **options,
    )
    return session.service.new(request)
