"""`vdo retry`: go on with a job that failed, or with feedback on one that did not."""

from __future__ import annotations

from decimal import Decimal

import click

from vdo.cli.command import USD, command, job_argument, pass_session
from vdo.cli.session import Session
from vdo.cli.working import finish_one, show_recorded
from vdo.spec import Budget

EXAMPLES = """
vdo retry 51
vdo retry 51 -m "the tests need a database: use sqlite"
vdo retry 51 --budget 10          it had spent all it was allowed to
"""


@command("retry", examples=EXAMPLES)
@job_argument()
@click.option("-m", "--message", "feedback", default="", metavar="FEEDBACK", help="What the agent should know.")
@click.option("--budget", type=USD, metavar="USD", help="Spend at most this much on the job, all in all.")
@click.option("--queue", is_flag=True, help="Only record it: `vdo run` goes on.")
@click.option("--allow-setup", is_flag=True, help="Let the project's setup run, which has a network.")
@pass_session
def retry_command(
    session: Session, job: str, feedback: str, budget: Decimal | None, queue: bool, allow_setup: bool
) -> int:
    """Go on with a failed, cancelled or interrupted job from its last checkpoint.

    With feedback also a completed one: that becomes a new job, which extends it.
    """
    again = session.service.retry(job, feedback=feedback, budget=Budget(usd=budget) if budget is not None else None)
    if queue:
        show_recorded(session, again.id)
        return 0
    return finish_one(session, again.id, allow_setup=allow_setup)
