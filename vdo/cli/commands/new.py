"""`vdo new` and `vdo extend`: create a job, and run it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from vdo.cli import output, terminal
from vdo.cli.command import JOB, USD, command, job_argument, pass_session
from vdo.cli.completing import agent_items
from vdo.cli.describing import NAME, Decorator, describing, read_description
from vdo.cli.editor import rescue
from vdo.cli.session import Session
from vdo.cli.working import finish_one, show_recorded
from vdo.errors import VdoError
from vdo.job import Job
from vdo.spec import Budget

if TYPE_CHECKING:
    from vdo.service.intake import NewJob
    from vdo.service.sharing import Sharing

    Source = Callable[[Sharing], NewJob]

NEW = """
vdo new "Platform shell" -d "A Flask app with a base layout and a navigation bar"
vdo new "Risk register" --extends 50 -F risk.md
vdo new "Dark mode" --extends main -e --check "pytest -q" --budget 2.50
vdo new "Reports" --extends 50 --agent 'claude -p' --queue
vdo new "Overview of both" --extends 51 --merge 52
vdo new --issue 12 --extends main           an issue of the remote on GitHub
"""
EXTEND = """
vdo extend 50 "Risk register" -d "Register and rate risks"
vdo extend main "Dark mode" -e              start from existing code
vdo extend @ "Export" -d "As CSV" --queue   record it only; vdo run runs it
vdo extend origin/51 "Export"               a colleague's job, after vdo sync
vdo extend 50 --from-review                 what its pull request's reviewers ask for
"""


def _options(function: Callable[..., Any]) -> Callable[..., Any]:
    """What `new` and `extend` have in common."""
    options: tuple[Decorator, ...] = (
        describing,
        click.option(
            "--agent",
            metavar="A",
            shell_complete=agent_items,
            help="Who does the work: a configured name or a command line.",
        ),
        click.option("--model", metavar="M", help="The model to use."),
        click.option(
            "--check", "checks", multiple=True, metavar="CMD", help="A check besides the project's; repeatable."
        ),
        click.option("--budget", type=USD, metavar="USD", help="Spend at most this much on the job."),
        click.option("--project", type=JOB, metavar="JOB", help="Join the project of JOB."),
        click.option(
            "--merge", "merges", type=JOB, multiple=True, metavar="JOB", help="Merge this into it first; repeatable."
        ),
        click.option("--unrelated", is_flag=True, help="What it merges may have no common ancestor."),
        click.option("--queue", is_flag=True, help="Only record the job."),
        click.option("--plan-only", is_flag=True, help="Stop after the plan."),
        click.option("--allow-setup", is_flag=True, help="Let the project's setup run, which has a network."),
    )
    for option in reversed(options):
        function = option(function)
    return function


@command("new", examples=NEW)
@click.argument("title", required=False)
@click.option("--extends", type=JOB, metavar="JOB_OR_REV", help="Start from a job, or from any git revision.")
@click.option("--issue", type=click.IntRange(min=1), metavar="N", help="Do what issue N asks for, and close it.")
@_options
@pass_session
def new_command(session: Session, /, title: str | None, extends: str | None, issue: int | None, **options: Any) -> int:
    """Create a job and run it: an agent plans it, builds it, and proves it with the project's checks.

    The result is one commit on the branch job/N. Without --extends it starts a new project. With --issue the title
    and the description are the issue's; a TITLE takes the place of its title, and further words come after its text.
    """
    source = None if issue is None else lambda sharing: sharing.issue(issue)
    return _create(session, title, extends, source, **options)


@command("extend", examples=EXTEND)
@job_argument("parent", metavar="JOB_OR_REV")
@click.argument("title", required=False)
@click.option("--from-review", is_flag=True, help="Do what the reviewers of JOB's pull request ask for.")
@_options
@pass_session
def extend_command(session: Session, /, parent: str, title: str | None, from_review: bool, **options: Any) -> int:
    """Create a job that starts from another job or from any git revision, and run it.

    All code of the parent is there, and the agent is told about it. With --from-review the description is made of the
    unresolved comments of people who may push; `vdo push --pr` answers them.
    """
    source = (lambda sharing: sharing.review(parent)) if from_review else None
    return _create(session, title, parent, source, **options)


def _create(
    session: Session,
    title: str | None,
    extends: str | None,
    source: Source | None = None,
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
    if source is not None:
        found = _ask(session, source)
        title, before, options["extra"] = title or found.title, found.description, found.extra
    elif title is not None:
        before = ""
    else:
        raise click.UsageError("Missing argument 'TITLE'.")
    text = read_description(session.service.reader.git, title, description, file, edit, before=before)
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


def _ask(session: Session, source: Source) -> NewJob:
    """What a review or an issue on the git host asks for."""
    from vdo.service.sharing import Sharing

    return source(Sharing(session.service, log=lambda text: output.tell(session, terminal.safe_line(text))))


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
    from vdo.service.intake import NewJob

    request = NewJob(
        title=title,
        description=description,
        extends=extends,
        checks=checks,
        budget=Budget(usd=budget) if budget is not None else None,
        **options,
    )
    return session.service.new(request)
