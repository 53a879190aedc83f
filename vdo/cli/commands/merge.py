"""`vdo merge`: bring parallel jobs together."""

from __future__ import annotations

import sys

import click

from vdo.cli import formats, output, terminal
from vdo.cli.command import command, job_argument, pass_session
from vdo.cli.completing import agent_items
from vdo.cli.session import Session
from vdo.cli.working import finish_one, show_recorded
from vdo.errors import VdoError

EXAMPLES = """
vdo merge 52 53                   both features are in
vdo merge 52 53 54                several at once, pair by pair
vdo merge 52 feature              a job and somebody's branch
vdo merge 52 53 --dry-run         only tell what would conflict
vdo merge 52 53 --on-conflict manual
"""
_CHOICES = ("agent", "manual", "fail", "ours", "theirs")


@command("merge", examples=EXAMPLES)
@job_argument("names", nargs=-1, required=True, metavar="JOB_OR_REV...")
@click.option("--title", metavar="T", help="The merge's title.")
@click.option(
    "--on-conflict",
    type=click.Choice(_CHOICES),
    help="Who decides what git and the syntax leave open (default: the agent if there is one, else you).",
)
@click.option(
    "--agent",
    metavar="A",
    shell_complete=agent_items,
    help="Who fills what is left open: a configured name or a command line.",
)
@click.option("--model", metavar="M", help="The model to use.")
@click.option("--unrelated", is_flag=True, help="Merge histories without a common ancestor.")
@click.option("--dry-run", is_flag=True, help="Tell what would conflict and what would resolve it; change nothing.")
@click.option("--queue", is_flag=True, help="Only record the merge.")
@click.option("--allow-setup", is_flag=True, help="Let the project's setup run, which has a network.")
@pass_session
def merge_command(
    session: Session,
    names: tuple[str, ...],
    title: str | None,
    on_conflict: str | None,
    agent: str | None,
    model: str | None,
    unrelated: bool,
    dry_run: bool,
    queue: bool,
    allow_setup: bool,
) -> int:
    """Make a job whose parents are all of these; the first one is its first parent.

    git merges first, then additions that commute are united by the syntax of their language; what is open then goes to
    the agent, which may fill the open places and nothing else, or to you (`vdo resolve`). The checks of all parents
    judge the result.
    """
    if len(names) < 2:
        raise click.UsageError("a merge needs at least two jobs or revisions")
    if dry_run:
        return _forecast(session, names)
    try:
        job = session.service.merge(
            names, title=title, on_conflict=on_conflict, agent=agent, model=model, unrelated=unrelated
        )
    except VdoError as problem:
        if not _is_about_histories(problem) or not _agreed(problem):
            raise
        job = session.service.merge(
            names, title=title, on_conflict=on_conflict, agent=agent, model=model, unrelated=True
        )
    if queue:
        show_recorded(session, job.id)
        return 0
    return finish_one(session, job.id, allow_setup=allow_setup)


def _is_about_histories(problem: VdoError) -> bool:
    from vdo.merge.threeway import UnrelatedHistories

    return isinstance(problem, UnrelatedHistories)


def _agreed(problem: VdoError) -> bool:
    """On a terminal it is a question; elsewhere --unrelated is the answer."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    output.complain(terminal.safe_line(str(problem)))
    return click.confirm("Merge them all the same?", default=False, err=True)


def _forecast(session: Session, names: tuple[str, ...]) -> int:
    from vdo.service.forecasting import Forecasts

    pairs = Forecasts(session.service).of(names)
    if session.json:
        output.document({"pairs": [pair.to_json() for pair in pairs]})
        return 0
    for pair in pairs:
        sides = f"{terminal.safe_line(pair.ours)} and {terminal.safe_line(pair.theirs)}"
        if pair.forecast.relation.name in ("CONTAINS", "CONTAINED"):
            output.say(f"{sides}: one is part of the other, there is nothing to merge")
            continue
        if pair.forecast.relation.name == "UNRELATED":
            sides += ", which have no common ancestor (`--unrelated` merges them all the same)"
        if pair.forecast.clean:
            output.say(f"{sides}: git merges them")
            continue
        output.say(f"{sides}: {formats.many(len(pair.forecast.files), 'file')} that git alone does not merge")
        for file in pair.forecast.files:
            output.say(f"  {terminal.safe_line(file.path)}  {file.kind}  {terminal.safe_line(file.how)}")
    return 0
