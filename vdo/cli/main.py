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
        "new": "create a job and run it",
        "extend": "create a job on top of another one, or of a git revision",
        "merge": "bring parallel jobs together",
        "resolve": "finish a conflicted merge by hand",
        "run": "run what is queued or interrupted",
        "plan": "show or change a job's plan",
        "retry": "go on with a job that failed, or with feedback",
        "cancel": "stop a job",
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
    "Use": {
        "deploy": "write a job's complete code into a folder",
        "land": "bring a job's lineage onto a branch",
        "push": "bring jobs to a git host, with pull requests",
        "sync": "bring home what happened there",
        "rollback": "go back to an earlier job, as a new one",
        "replay": "prove that a job's record leads to its code",
        "serve": "the web page and the REST API",
    },
    "Keep house": {
        "delete": "move a job to the trash",
        "undelete": "bring a job back from the trash",
        "trash": "show or empty the trash",
        "config": "each setting, and where it comes from",
        "doctor": "check repository and machine",
        "demo": "the main job from end to end, without a key",
        "completion": "complete commands and jobs in your shell",
    },
}
MODULES = {"extend": "new", "projects": "project", "undelete": "delete"}
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
@click.option("-v", "--verbose", is_flag=True, help="Show each tool call and file of a job, in a pipe, too.")
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
