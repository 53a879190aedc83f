"""`vdo plan`: show or edit the plan of a job."""

from __future__ import annotations

import click

from vdo.cli import output, terminal
from vdo.cli.command import command, job_argument, pass_session
from vdo.cli.editor import edit, rescue
from vdo.cli.session import Session
from vdo.errors import UsageError, VdoError

EXAMPLES = """
vdo new "Risk register" --extends 50 --plan-only
vdo plan 51                       what the agent intends to do
vdo plan 51 -e                    change it in your editor
vdo run 51                        go on from the plan
"""
_NAME = "VDO_PLAN.yaml"
_COMMENT = """\
The plan of job #{job}. Change it as you like: each task is a file with an action
(create, modify, delete) and a note for the agent. `vdo run {job}` goes on from it.
This line and everything below is left out.
"""


@command("plan", examples=EXAMPLES)
@job_argument()
@click.option("-e", "--edit", "editing", is_flag=True, help="Change the plan in your editor.")
@pass_session
def plan_command(session: Session, job: str, editing: bool) -> None:
    """Show the plan of JOB as YAML. While the job is planned and not yet built, -e changes it."""
    service = session.service
    found = service.reader.find(job)
    text = service.plan(job)
    if editing:
        _edit(session, found.id, text)
    if session.json:
        plan = service.reader.record_json(service.reader.job(found.id), "plan.json")
        output.document({"id": found.id, "plan": plan})
    elif not editing:
        output.say(terminal.safe(text).rstrip("\n"))


def _edit(session: Session, job: int, text: str) -> None:
    service = session.service
    edited = edit(service.reader.git, text, name=_NAME, comment=_COMMENT.format(job=job))
    if not edited:
        raise UsageError("the plan was emptied: it is kept as it was")
    if edited == text:
        output.tell(session, "the plan is as it was")
        return
    try:
        service.set_plan(str(job), edited)
    except VdoError:
        kept = rescue(edited, _NAME)
        if kept is not None:
            output.complain(f"your plan is kept in {terminal.safe_line(str(kept))}")
        raise
    output.tell(session, f"the plan is changed; `vdo run {job}` goes on from it")
