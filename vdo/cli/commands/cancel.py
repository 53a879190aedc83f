"""`vdo cancel`: stop a job."""

from __future__ import annotations

from vdo.cli import formats, output
from vdo.cli.command import command, job_argument, pass_session
from vdo.cli.session import Session

EXAMPLES = """
vdo cancel 51
"""


@command("cancel", examples=EXAMPLES)
@job_argument()
@pass_session
def cancel_command(session: Session, job: str) -> None:
    """Stop JOB, wherever it runs, with every process that it started.

    What it did so far stays in its journal; `vdo retry` goes on from there.
    """
    cancelled = session.service.cancel(job)
    if session.json:
        output.document(session.readings.show(str(cancelled.id)).to_json())
        return
    output.say(f"{formats.number(cancelled.id)} {formats.title(cancelled)}  {formats.state(cancelled.state)}")
    output.tell(session, f"next: `vdo retry {cancelled.id}` goes on with it")
