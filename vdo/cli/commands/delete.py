"""`vdo delete` and `vdo undelete`: into the trash and back."""

from __future__ import annotations

import click

from vdo.cli import formats, output
from vdo.cli.command import command, job_argument, pass_session
from vdo.cli.session import Session


@command("delete", examples="vdo delete 51\nvdo delete 51 --force      although other jobs build on it")
@job_argument()
@click.option("--force", is_flag=True, help="Although other jobs build on it.")
@pass_session
def delete_command(session: Session, job: str, force: bool) -> None:
    """Move JOB to the trash. Its number is never used again.

    Jobs that build on it keep their complete code, and its number and title. Nothing is lost until the trash is
    emptied.
    """
    gone = session.service.delete(job, force=force)
    if session.json:
        output.document(session.readings.show(str(gone.id)).to_json())
        return
    output.say(f"{formats.number(gone.id)} {formats.title(gone)}  {formats.state(gone.state)}")
    output.tell(session, f"next: `vdo undelete {gone.id}` brings it back")


@command("undelete", examples="vdo trash               what is there\nvdo undelete 51")
@job_argument()
@pass_session
def undelete_command(session: Session, job: str) -> None:
    """Bring JOB back from the trash, with its branch and its journal."""
    back = session.service.undelete(job)
    if session.json:
        output.document(session.readings.show(str(back.id)).to_json())
        return
    output.say(f"{formats.number(back.id)} {formats.title(back)}  {formats.state(back.state)}")
