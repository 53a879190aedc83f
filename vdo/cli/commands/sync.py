"""`vdo sync`: bring home what happened on a git host."""

from __future__ import annotations

import click

from vdo.cli import formats, output, terminal
from vdo.cli.command import command, pass_session
from vdo.cli.session import Session

EXAMPLES = """
vdo sync                          merges, people's commits, colleagues' jobs
vdo sync --remote upstream
vdo list --remote                 colleagues' jobs, to be extended as origin/51
"""


@command("sync", examples=EXAMPLES)
@click.option("--remote", metavar="NAME", help="The remote (default: the configured one, origin).")
@pass_session
def sync_command(session: Session, remote: str | None) -> int:
    """Fetch, and take over what people did: merged pull requests, commits on jobs' branches, colleagues' jobs.

    Nothing is overwritten. What cannot be joined by itself is reported, with what to do about it.
    """
    from vdo.service.sharing import Sharing

    report = Sharing(session.service, remote, lambda text: output.tell(session, terminal.safe_line(text))).sync()
    if session.json:
        output.document(
            {
                "remote": report.remote,
                "target": report.target,
                "events": [
                    {"job": one.job, "what": one.what.value, "text": one.text, "hint": one.hint or None}
                    for one in report.events
                ],
                "remote_jobs": [
                    {"name": one.name, "uid": one.uid, "title": one.title, "author": one.author, "commit": one.commit}
                    for one in report.others
                ],
            }
        )
        return 0
    for event in report.events:
        output.say(f"{formats.number(event.job)}  {event.what.value}: {terminal.safe_line(event.text)}")
        if event.hint:
            output.say(f"      {terminal.safe_line(event.hint)}")
    for job in report.others:
        output.say(f"{terminal.safe_line(job.name)}  {terminal.safe_line(job.title)}  {terminal.safe_line(job.author)}")
    if not report.events and not report.others:
        output.tell(session, f"nothing new on {terminal.safe_line(report.remote)}")
    return 0
