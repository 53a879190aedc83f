"""`vdo init`: make a repository, or adopt one."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from vdo.cli import output
from vdo.cli.command import FOLDER, command, pass_session
from vdo.cli.session import Session
from vdo.cli.terminal import safe_line

EXAMPLES = """
vdo init platform.git                      an empty one
vdo init platform.git --from ~/code/app    a copy of existing code
vdo init app.git --from https://example.com/app.git --branch main
vdo init                                   adopt the repository in this folder
"""


@command("init", examples=EXAMPLES)
@click.argument("folder", metavar="[DIR]", default=".", type=FOLDER)
@click.option("--from", "source", metavar="SRC", help="Start from existing code: a folder, a repository or its URL.")
@click.option("--branch", metavar="B", help="The branch of SRC to start from.")
@pass_session
def init_command(session: Session, folder: Path, source: str | None, branch: str | None) -> None:
    """Make a bare repository in DIR (default: this folder), or adopt the one that is there.

    A clone with a working tree can be adopted, too: vdo touches neither its branches nor its files.
    """
    from vdo.store.setup import init

    made = init(Path(session.start or ".", folder), source, branch, session.environ)
    path = made.location.common_dir
    if session.json:
        output.document({"path": str(path), "created": made.created, "bare": made.location.bare, "branch": made.branch})
        return
    place = Path(session.start or ".", folder).resolve()
    shown = safe_line(os.path.relpath(place) if place.is_relative_to(Path.cwd()) else str(place))
    output.say(f"{'made' if made.created else 'adopted'} {shown}")
    vdo = "vdo" if place == Path.cwd() else f"vdo -C {shlex.quote(shown)}"
    on = f", or `{vdo} new TITLE --extends {safe_line(made.branch)}` to go on from its code" if made.branch else ""
    output.tell(session, f"next: `{vdo} new TITLE -d DESCRIPTION`{on}")
