"""`vdo doctor`: check repository and machine, and say what to do."""

from __future__ import annotations

import click

from vdo.cli import output, terminal
from vdo.cli.command import command, pass_session
from vdo.cli.session import Session

EXAMPLES = """
vdo doctor
vdo -C platform.git doctor --json | jq '.findings[] | select(.ok | not)'
"""


@command("doctor", examples=EXAMPLES)
@pass_session
def doctor_command(session: Session) -> int:
    """Check the repository and the machine: git, identity, agents, sandbox, locks. Exit code 3 when something is wrong.

    Nothing is changed; each finding says what to do.
    """
    findings = session.service.doctor()
    if session.json:
        output.document({"findings": [{"ok": one.ok, "what": one.what, "hint": one.hint or None} for one in findings]})
    else:
        for finding in findings:
            good = click.style("note ", fg="yellow") if finding.note else click.style("ok   ", fg="green")
            mark = good if finding.ok else click.style("WRONG", fg="red")
            output.say(f"{mark}  {terminal.safe_line(finding.what)}")
            if finding.hint:
                output.say(f"       {terminal.safe_line(finding.hint)}")
    return 0 if all(finding.ok for finding in findings) else 3
