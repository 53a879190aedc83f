"""The entry point: the global options, and every command under its heading."""

from __future__ import annotations

import gc
from typing import NoReturn

import click

from vdo import __version__
from vdo.cli.group import Commands
from vdo.cli.session import Session

SECTIONS = {
    "Ask for work": {
        "init": "make a repository, or adopt one",
    },
    "Look": {
        "list": "jobs, newest first",
        "show": "everything about one job",
        "files": "where each file of a job comes from",
        "log": "a job's journal, live with -f",
        "diff": "what a job changed, or two jobs compared",
        "lineage": "the chain of jobs that a job builds on",
        "project": "one project as a timeline",
        "projects": "all projects",
    },
    "Keep house": {
        "completion": "complete commands and jobs in your shell",
    },
}
MODULES = {"projects": "project"}
"""Commands that share the module of another one."""


@click.group(
    "vdo",
    cls=Commands,
    sections=SECTIONS,
    modules=MODULES,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("-C", "start", metavar="DIR", help="Work in the repository at DIR.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="Leave out progress and messages.")
@click.option("-v", "--verbose", is_flag=True, help="Show each tool call and file of a running job.")
@click.version_option(__version__, "-V", "--version", message="vdo %(version)s")
@click.pass_context
def vdo(ctx: click.Context, start: str | None, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Build software in jobs: each is a title and a description in plain words, done by an AI agent, proved by the
    project's own checks, and kept as one commit on one branch.

    A job can extend another one: it starts from that job's code, and the agent knows it.

    JOB is 51, #51, job/51, the beginning of a job's id, or @ for the newest one.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
        return
    session = Session(start, json=as_json, quiet=quiet, verbose=verbose)
    ctx.obj = session
    ctx.call_on_close(session.close)


def main() -> NoReturn:
    try:
        vdo.main()
    finally:
        gc.freeze()  # what is left needs no last collection: 5 ms of a `vdo list` that takes 50
