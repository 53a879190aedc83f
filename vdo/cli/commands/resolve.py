"""`vdo resolve`: finish a conflicted merge by hand."""

from __future__ import annotations

from pathlib import Path

import click

from vdo.cli import formats, output, terminal
from vdo.cli.command import FOLDER, command, job_argument, pass_session
from vdo.cli.session import Session
from vdo.cli.working import finish_one
from vdo.service.views import Row

EXAMPLES = """
vdo resolve 54                        what is open
vdo resolve 54 --checkout merge54     a folder for any editor or git client
vdo resolve 54 --continue merge54     take it back, run the checks, commit
vdo resolve 54 --abort
"""


@command("resolve", examples=EXAMPLES)
@job_argument()
@click.option(
    "--checkout", "out", type=FOLDER, metavar="DIR", help="Write the merge, with its markers, into a new folder."
)
@click.option("--continue", "back", type=FOLDER, metavar="DIR", help="Take the resolved folder back and go on.")
@click.option("--abort", is_flag=True, help="Give the merge up; its journal stays.")
@click.option("--allow-setup", is_flag=True, help="Let the project's setup run, which has a network.")
@pass_session
def resolve_command(
    session: Session, job: str, out: Path | None, back: Path | None, abort: bool, allow_setup: bool
) -> int:
    """Resolve the conflicts of a merge in a folder of your own; without an option the open files are listed.

    The folder is in the middle of a merge for git: `git status`, `git mergetool` and every client show what is open.
    """
    if sum((out is not None, back is not None, abort)) > 1:
        raise click.UsageError("--checkout, --continue and --abort exclude each other")
    service = session.service
    if abort:
        ended = service.abort_conflict(job)
        if session.json:
            output.document(Row(ended, ended.state).to_json())
        else:
            output.say(f"{formats.number(ended.id)}  the merge is given up; `vdo retry {ended.id}` takes it up again")
        return 0
    if back is not None:
        return finish_one(session, service.continue_conflict(job, back).id, allow_setup=allow_setup)
    files = service.check_out_conflict(job, out) if out is not None else service.conflicts(job).open
    if session.json:
        output.document({"open": [{"path": file.path, "kind": file.kind, "message": file.message} for file in files]})
        return 0
    output.say(
        f"{formats.many(len(files), 'file')} in conflict:" if files else "nothing is in conflict, the checks are red"
    )
    for file in files:
        output.say(f"  {terminal.safe_line(file.path)}  {file.kind}  {terminal.safe_line(file.message)}")
    if out is None:
        output.tell(session, f"`vdo resolve {job} --checkout DIR` gives a folder to resolve them in")
    else:
        output.tell(session, f"resolve them in {out}, then: vdo resolve {job} --continue {out}")
    return 0
