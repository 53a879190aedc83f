"""`vdo land`: bring a job's lineage onto an ordinary branch."""

from __future__ import annotations

import click

from vdo.cli import formats, output, terminal
from vdo.cli.command import command, job_argument, pass_session
from vdo.cli.session import Session

EXAMPLES = """
vdo land 54                       onto the repository's main branch
vdo land 54 --onto release
"""
_DID = {
    "created": "{branch} is new, at {after}",
    "fast-forward": "{branch} went forward from {before} to {after}",
    "merged": "{branch} has a merge commit: {after}",
    "up to date": "{branch} contains it already",
}


@command("land", examples=EXAMPLES)
@job_argument()
@click.option("--onto", metavar="BRANCH", help="The branch (default: the one that HEAD names).")
@pass_session
def land_command(session: Session, job: str, onto: str | None) -> None:
    """Bring JOB, with all that it builds on, onto a branch: a fast-forward, else a merge commit.

    A branch that is checked out somewhere is never moved.
    """
    landing = session.service.land(job, onto)
    if session.json:
        found = {"branch": landing.branch, "before": landing.before, "after": landing.after}
        output.document({"id": session.readings.reader.find(job).id, **found, "how": landing.how.value})
        return
    before = landing.before[:12] if landing.before else ""
    text = _DID[landing.how.value].format(
        branch=terminal.safe_line(landing.branch), before=before, after=landing.after[:12]
    )
    output.say(f"{formats.number(session.readings.reader.find(job).id)}  {text}")
