"""`vdo lineage`: the chain of jobs that a job builds on."""

from __future__ import annotations

from vdo.cli import formats, output, rows, terminal
from vdo.cli.command import command, job_argument, pass_session
from vdo.cli.session import Session
from vdo.service.views import Row

EXAMPLES = """
vdo lineage 54
vdo lineage @ --json | jq .total_files
"""


@command("lineage", examples=EXAMPLES)
@job_argument()
@pass_session
def lineage_command(session: Session, job: str) -> None:
    """Show the chain of jobs from the root to JOB, merged ones included.

    What each of them did to files is +created ~modified -deleted.
    """
    lineage = session.readings.lineage(job)
    if session.json:
        output.document(lineage.to_json())
        return
    for line in rows.table([Row(step.job, step.state) for step in lineage.chain], terminal.columns(), upwards=True):
        output.say(line)
    output.say(f"{formats.many(len(lineage.chain), 'job')}, {formats.many(lineage.total_files, 'file')} in all")
