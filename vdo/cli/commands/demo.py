"""`vdo demo`: the main job from end to end."""

from __future__ import annotations

import shlex
import shutil
import sys
import tempfile
from pathlib import Path

import click

from vdo.cli import output, terminal
from vdo.cli.command import FOLDER, command, pass_session
from vdo.cli.session import Session
from vdo.cli.watching import watched
from vdo.cli.working import stoppable
from vdo.service.views import Row
from vdo.store.index import Query

EXAMPLES = """
vdo demo                          in a new folder, which it names
vdo demo ~/vdo-demo
vdo demo --agent claude           done live; needs ANTHROPIC_API_KEY
"""
_RECORDED = """\
This demo replays recorded answers of an agent: no key is needed, nothing is sent, nothing is paid.
Everything else is real: the repository, the jobs, their checks, the deployment and the requests to it.
"""


@command("demo", examples=EXAMPLES)
@click.argument("folder", metavar="[DIR]", required=False, type=FOLDER)
@click.option("--agent", metavar="A", help="Let this agent do the jobs, instead of recorded answers.")
@pass_session
def demo_command(session: Session, folder: Path | None, agent: str | None) -> None:
    """Build a small web platform, a shell and features that extend it, one job each; deploy it, ask it for its pages.

    It leaves a repository in DIR to look at with git or vdo.
    """
    from vdo.service.demo import Demo

    folder = folder or Path(tempfile.mkdtemp(prefix="vdo-demo-"))
    tell = output.complain if session.json else output.say
    tell(f"The jobs are done live by {terminal.safe_line(agent)}.\n" if agent else _RECORDED)
    with watched(session, {}) as observe:

        def aside(text: str) -> None:
            with observe.paused():  # a line between those that update themselves would tear them
                tell(text)

        demo = Demo(
            folder=folder,
            environ=session.environ,
            tell=lambda line: aside(terminal.safe(line)),
            show=lambda line: aside(click.style(f"\n$ {terminal.safe_line(line)}", bold=True)),
            observe=observe,
            agent=agent,
            stoppable=lambda: stoppable(session),
        )
        service = demo.run()
    try:
        repository = service.location.common_dir
        if session.json:
            rows = service.readings.rows(Query())
            output.document(
                {"repository": str(repository), "jobs": [Row(row.job, row.state).to_json() for row in rows]}
            )
            return
        output.say("\nLook at it:")
        for line in _looks(str(repository)):
            output.say(f"  {terminal.safe_line(line)}")
    finally:
        service.close()


def _looks(repository: str) -> list[str]:
    """What to type next, a command a line; `vdo` as it was called where it is not on the PATH (`make demo`)."""
    called = "vdo" if shutil.which("vdo") else _as_called()
    where = shlex.quote(repository)
    return [
        f"git -C {where} log --graph --oneline --branches",  # with --all the journals' steps would be among them
        *(f"{called} -C {where} {command}" for command in ("list", "show @", "log 1", "diff 5")),
    ]


def _as_called() -> str:
    called = Path(sys.argv[0])
    if called.name != "vdo":  # as `python -m vdo`, or by another program that has its own name there
        called = Path(sys.executable).with_name("vdo")
    return shlex.quote(str(called)) if called.is_file() else f"{shlex.quote(sys.executable)} -m vdo"
