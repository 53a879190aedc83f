"""`vdo replay`: prove that a job's record leads to its code."""

from __future__ import annotations

from vdo.cli import formats, output, terminal
from vdo.cli.command import command, job_argument, pass_session
from vdo.cli.session import Session
from vdo.errors import JobFailed

EXAMPLES = """
vdo replay 51
"""


@command("replay", examples=EXAMPLES)
@job_argument()
@pass_session
def replay_command(session: Session, job: str) -> int:
    """Feed the recorded answers of JOB to the code that it started from, in memory, and compare the results.

    No job is created, nothing is sent, nothing is paid. A job that a command agent did has its recorded tree compared.
    """
    replay = session.service.replay(job)
    if session.json:
        found = {"id": replay.job, "same": replay.same, "expected": replay.expected, "actual": replay.actual}
        output.document({**found, "calls": replay.calls, "note": replay.note or None})
    if not replay.same:
        raise JobFailed(
            f"the record of job #{replay.job} leads to the tree {replay.actual[:12]}, not to {replay.expected[:12]}",
            hint=f"compare them: git diff {replay.expected[:12]} job/{replay.job}",
        )
    if not session.json:
        of = f"{formats.many(replay.calls, 'recorded answer')}" if replay.calls else terminal.safe_line(replay.note)
        output.say(f"{formats.number(replay.job)} the same tree: {replay.expected}  ({of})")
    return 0
