"""`vdo trash`: what was deleted and can be brought back."""

from __future__ import annotations

import click

from vdo.cli import formats, output
from vdo.cli.command import command, pass_session
from vdo.cli.session import Session
from vdo.service.views import Row


@command("trash", examples="vdo trash\nvdo trash --empty          for good")
@click.option("--empty", is_flag=True, help="Give up what is in the trash, for good.")
@pass_session
def trash_command(session: Session, empty: bool) -> None:
    """Show the deleted jobs that can be brought back, newest first, or empty the trash."""
    if empty:
        _empty(session)
        return
    jobs = session.service.trash()
    if session.json:
        output.document({"jobs": [Row(job, job.state).to_json() for job in jobs]})
        return
    for job in jobs:
        output.say(f"{formats.number(job.id)} {formats.title(job)}  {formats.faint(formats.when(job.updated_at))}")
    output.tell(session, f"`vdo undelete {jobs[0].id}` brings #{jobs[0].id} back" if jobs else "the trash is empty")


def _empty(session: Session) -> None:
    numbers = session.service.empty_trash()
    if session.json:
        output.document({"emptied": numbers})
    elif numbers:
        output.say("gone for good: " + ", ".join(map(formats.number, numbers)))
    else:
        output.tell(session, "the trash is empty")
