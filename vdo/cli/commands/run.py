"""`vdo run`: run what is queued or interrupted."""

from __future__ import annotations

import click

from vdo.cli import output
from vdo.cli.command import command, job_argument, pass_session
from vdo.cli.session import Session
from vdo.cli.working import exit_code, show_ended, why, work
from vdo.errors import VdoError
from vdo.job import Job, State
from vdo.service.views import Row

EXAMPLES = """
vdo run                           everything that is queued or interrupted
vdo run -j 4                      four jobs at a time, parents before children
vdo run 51 52
"""


@command("run", examples=EXAMPLES)
@job_argument("names", nargs=-1, metavar="[JOB]...")
@click.option("-j", "--jobs", "workers", type=click.IntRange(1, 256), default=1, metavar="N", help="N jobs at a time.")
@click.option("--allow-setup", is_flag=True, help="Let the projects' setup run, which has a network.")
@pass_session
def run_command(session: Session, names: tuple[str, ...], workers: int, allow_setup: bool) -> int:
    """Run jobs, and those that they build on; without JOB everything that is queued or interrupted.

    An interrupted job goes on from its last checkpoint. Several `vdo run` on one repository share the work. Ctrl-C is
    safe at any time.
    """
    ended = work(session, names, workers=workers, allow_setup=allow_setup)
    if session.json:
        return _as_json(session, names, ended)
    if not ended and not session.service.waiting(names):
        output.tell(session, "nothing is queued or interrupted")
    return show_ended(session, names, ended)


def _as_json(session: Session, names: tuple[str, ...], ended: list[Job]) -> int:
    waits = session.service.waiting(names)
    waiting = [
        {
            "id": each.job.id,
            "title": each.job.title,
            "waits_for": each.parent.id,
            "reason": each.reason,
            "hint": each.hint,
        }
        for each in waits
    ]
    output.document({"jobs": [Row(job, job.state).to_json() for job in ended], "waiting": waiting})
    bad: list[VdoError] = [why(session, job) for job in ended if job.state not in (State.COMPLETED, State.PLANNED)]
    if names:
        bad += [each.error() for each in reversed(waits)]
    if bad:
        bad[0].exit_code = exit_code(session)
        raise bad[0]
    return 0
