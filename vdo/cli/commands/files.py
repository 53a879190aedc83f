"""`vdo files`: where each file of a job comes from."""

from __future__ import annotations

from vdo.cli import output
from vdo.cli.command import command, job_argument, pass_session
from vdo.cli.commands.show import file_lines
from vdo.cli.session import Session
from vdo.errors import JobStateError
from vdo.job import State

EXAMPLES = """
vdo files 54
vdo files 54 --json | jq '.files[] | select(.from_job == 50).filename'
"""


@command("files", examples=EXAMPLES)
@job_argument()
@pass_session
def files_command(session: Session, job: str) -> None:
    """Show every file of a job: created, modified, deleted or inherited, and from which job or commit."""
    found = session.readings.reader.find(job)
    if found.state is State.DELETED:
        raise JobStateError(f"job #{found.id} was deleted", hint=session.readings.reader.way_back(found))
    files = session.readings.files(job)
    if session.json:
        output.document({"id": found.id, "files": [file.to_json() for file in files]})
        return
    if not files:
        output.tell(session, f"job #{found.id} is {session.readings.reader.state(found).value} and has no files yet")
    for line in file_lines(files):
        output.say(line)
