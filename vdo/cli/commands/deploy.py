"""`vdo deploy`: write a job's complete code into a folder."""

from __future__ import annotations

from pathlib import Path

import click

from vdo.cli import formats, output, terminal
from vdo.cli.command import FOLDER, command, job_argument, pass_session
from vdo.cli.session import Session

EXAMPLES = """
vdo deploy 54 /srv/platform
vdo deploy --latest 50 /srv/platform    the newest completed job of that project
vdo deploy 51 /srv/platform             back to an earlier one
"""


@command("deploy", examples=EXAMPLES)
@job_argument()
@click.argument("folder", metavar="DIR", type=FOLDER)
@click.option("--latest", is_flag=True, help="The newest completed job of JOB's project instead of JOB.")
@click.option("--force", is_flag=True, help="Put aside what is in the way or was edited.")
@pass_session
def deploy_command(session: Session, job: str, folder: Path, latest: bool, force: bool) -> None:
    """Write the complete code of JOB, inherited files included, into DIR: all of it or nothing.

    Files in DIR that vdo did not put there are kept. A first deployment wants a new or empty folder.
    """
    done = session.service.deploy(
        job,
        folder,
        latest=latest,
        force=force,
        log=lambda line: _log(session, line),
        only_changes=not session.verbose,
    )
    if session.json:
        output.document(
            {
                "id": done.job,
                "commit": done.commit,
                "target": str(done.target),
                "previous_job_id": done.previous,
                "written": list(done.written),
                "removed": list(done.removed),
                "unchanged": done.unchanged,
                "saved": list(done.saved),
            }
        )
        return
    parts = [f"{len(done.written):,} written", f"{len(done.removed):,} removed", f"{done.unchanged:,} unchanged"]
    saved = [f"{len(done.saved):,} of yours put aside"] if done.saved else []
    where = terminal.safe_line(str(done.target))
    output.say(f"{formats.number(done.job)} is in {where}  ({', '.join([*parts, *saved])})")
    if done.saved:
        output.tell(session, f"what was put aside is below {where}/.vdo-deploy/saved")


def _log(session: Session, line: str) -> None:
    output.tell(session, terminal.safe_line(line))
