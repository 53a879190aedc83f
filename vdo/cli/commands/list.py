"""`vdo list`: the jobs, newest first."""

from __future__ import annotations

import click

from vdo.cli import output, rows, terminal
from vdo.cli.command import JOB, command, pass_session
from vdo.cli.session import Session
from vdo.job import State
from vdo.store.index import Query

_SHOWN = 50

EXAMPLES = """
vdo list
vdo list --project 50             only the jobs of that project
vdo list --state failed --all
vdo list --remote                 colleagues' jobs, as the last vdo sync saw them
vdo list --json | jq '.jobs[].title'
"""


@command("list", examples=EXAMPLES)
@click.option("--project", type=JOB, metavar="JOB", help="Only the project that JOB belongs to.")
@click.option("--state", type=click.Choice([state.value for state in State]), metavar="STATE", help="Only this state.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help=f"How many, at most (default: {_SHOWN}).")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.option("--remote", "remote", is_flag=True, help="Colleagues' jobs on the remote instead.")
@pass_session
def list_command(
    session: Session, project: str | None, state: str | None, limit: int | None, everything: bool, remote: bool
) -> None:
    """List jobs, newest first: number, title, state, date, files, cost.

    The graph on the left shows which job extends which; a chain ends at its `o`, and unrelated jobs are no chain. Files
    are +created ~modified -deleted. Deleted jobs are shown with --state deleted.
    """
    if everything and limit is not None:
        raise click.UsageError("--limit and --all contradict each other")
    if remote:
        return _colleagues(session)
    shown = None if everything else limit or _SHOWN
    readings = session.readings
    uid = readings.reader.find(project).project if project is not None else None
    query = Query(project=uid, state=State(state) if state else None, limit=shown and shown + 1)
    found = readings.rows(query)
    if session.json:
        output.document({"jobs": [row.to_json() for row in found[:shown]]})
        return
    for line in rows.table(found[:shown], terminal.columns()):
        output.say(line)
    if not found:
        nothing = "there are no jobs yet: `vdo new TITLE` creates the first one"
        output.tell(session, "no job is like that" if project or state else nothing)
    elif shown and len(found) > shown:
        output.tell(session, "older jobs are left out: --limit N or --all shows them")


def _colleagues(session: Session) -> None:
    from vdo.service.sharing import Sharing  # speaks to git: the plain list does not

    found = Sharing(session.service).others()
    if session.json:
        fields = ("name", "uid", "title", "author", "commit")
        output.document({"jobs": [{name: getattr(one, name) for name in fields} for one in found]})
        return
    for one in found:
        output.say(f"{terminal.safe_line(one.name)}  {terminal.safe_line(one.title)}  {terminal.safe_line(one.author)}")
    if not found:
        output.tell(session, "no jobs of others are known: `vdo sync` looks for them")
