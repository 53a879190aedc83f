"""`vdo push`: bring jobs' branches to a git host, with pull requests if wanted."""

from __future__ import annotations

import click

from vdo.cli import formats, output, terminal
from vdo.cli.command import command, job_argument, pass_session
from vdo.cli.session import Session
from vdo.errors import RemoteError

EXAMPLES = """
vdo push                          every completed job
vdo push 54 --stack               job 54 and what it builds on
vdo push 54 --stack --pr          and a pull request for each, stacked as the jobs are
vdo push --journals               the journals, too: how each job was made
"""


@command("push", examples=EXAMPLES)
@job_argument("names", nargs=-1, metavar="[JOB]...")
@click.option("--remote", metavar="NAME", help="The remote (default: the configured one, origin).")
@click.option("--pr", "pulls", is_flag=True, help="Open or update a pull request for each job, on GitHub.")
@click.option("--stack", is_flag=True, help="Take along the jobs that these build on.")
@click.option("--journals", is_flag=True, help="Push the journals (refs/vdo/jobs/N), too.")
@pass_session
def push_command(
    session: Session, names: tuple[str, ...], remote: str | None, pulls: bool, stack: bool, journals: bool
) -> int:
    """Push jobs' branches, all of them or none; without JOB every completed job.

    What others put on the remote is never overwritten: where a colleague's job has the number, ours goes up under a
    name that says whose it is.
    """
    from vdo.service.sharing import Sharing

    sharing = Sharing(session.service, remote, lambda text: output.tell(session, terminal.safe_line(text)))
    shared = sharing.push(names, pulls=pulls, stack=stack, journals=journals)
    refused = [*shared.report.refused, *(pull for pull in shared.pulls if pull.done.value == "refused")]
    if session.json:
        output.document(
            {
                "remote": shared.report.remote,
                "target": shared.report.target,
                "refs": [
                    {
                        "job": one.job,
                        "ref": one.ref,
                        "commit": one.commit,
                        "outcome": one.outcome.value,
                        "reason": one.reason or None,
                    }
                    for one in shared.report.results
                ],
                "pull_requests": [
                    {
                        "job": pull.job,
                        "number": pull.number,
                        "url": pull.url or None,
                        "base": pull.base or None,
                        "outcome": pull.done.value,
                        "reason": pull.reason or None,
                    }
                    for pull in shared.pulls
                ],
            }
        )
    else:
        for one in shared.report.results:
            label = f"{formats.number(one.job)}  " if one.job is not None else ""
            reason = f"  {terminal.safe_line(one.reason)}" if one.reason else ""
            output.say(f"{label}{terminal.safe_line(one.name)}  {one.outcome.value}{reason}")
        for pull in shared.pulls:
            place = (
                f"#{pull.number}  {terminal.safe_line(pull.url)}" if pull.number else terminal.safe_line(pull.reason)
            )
            output.say(f"{formats.number(pull.job)}  pull request {pull.done.value}  {place}")
    if refused:
        first = next((one for one in shared.report.refused if one.hint), None)
        raise RemoteError(
            f"{len(refused)} of what was pushed to {terminal.safe_line(shared.report.remote)} was refused",
            hint=first.hint if first else "the lines above say why",
        )
    return 0
