"""`vdo rollback`: go back to an earlier job of the lineage, as a new job."""

from __future__ import annotations

import click

from vdo.cli.command import JOB, command, job_argument, pass_session
from vdo.cli.session import Session
from vdo.cli.working import finish_one, show_recorded

EXAMPLES = """
vdo rollback 54 --to 51           a new job on #54 with the files of #51
"""


@command("rollback", examples=EXAMPLES)
@job_argument()
@click.option("--to", "target", type=JOB, metavar="JOB", required=True, help="An earlier job of JOB's lineage.")
@click.option("--queue", is_flag=True, help="Only record the new job.")
@click.option("--allow-setup", is_flag=True, help="Let the project's setup run, which has a network.")
@pass_session
def rollback_command(session: Session, job: str, target: str, queue: bool, allow_setup: bool) -> int:
    """Create a job on JOB whose files are those of an earlier job, proved by that job's own checks.

    Nothing is lost: what came in between stays in the history.
    """
    made = session.service.rollback(job, target)
    if queue:
        show_recorded(session, made.id)
        return 0
    return finish_one(session, made.id, allow_setup=allow_setup)
