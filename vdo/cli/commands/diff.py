"""`vdo diff`: what a job changed, shown by git itself."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Sequence
from typing import Any

import click

from vdo.cli import output
from vdo.cli.command import JOB, Command, job_argument, pass_session
from vdo.cli.session import Session
from vdo.errors import JobNotFound, JobStateError, RepositoryError, Stopped, UsageError
from vdo.job import EMPTY_TREE, Oid, State
from vdo.store.reader import Reader

EXAMPLES = """
vdo diff 51                       what job #51 changed
vdo diff 51 54 --stat             from job #51 to job #54
vdo diff 51 -- app.py templates   only these files
vdo diff 51 --name-status
"""
_JOB = re.compile(r"@|(#|job/)?[0-9]{1,9}")
_QUIET_END = (0, -signal.SIGPIPE, 128 + signal.SIGPIPE)


class _Diff(Command):
    """Knows what stood behind `--`: those are paths, even where a job has that name."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--" in args:
            at = args.index("--")
            ctx.meta["vdo.paths"] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)


@click.command("diff", cls=_Diff, examples=EXAMPLES)
@job_argument()
@click.argument("rest", nargs=-1, type=JOB, metavar="[JOB] [PATH]...")
@click.option("--stat", "form", flag_value="--stat", help="Only how much changed in each file.")
@click.option("--name-status", "form", flag_value="--name-status", help="Only which files changed, and how.")
@pass_session
@click.pass_context
def diff_command(ctx: click.Context, session: Session, job: str, rest: tuple[str, ...], form: str | None) -> None:
    """Show what JOB changed against its parent, or what differs between two jobs.

    Commits of people on top of a job's branch are part of it. Paths count from the top of the project. git shows the
    differences, with your pager and your colours.
    """
    reader = session.readings.reader
    other, paths = _split(reader, rest)
    paths = [*paths, *ctx.meta.get("vdo.paths", ())]
    for name in filter(None, (job, other)):
        _refuse_deleted(reader, name)
    old, new = session.readings.range_of(job, other)
    if paths:
        _refuse_unknown(reader, job, (old, new), paths)
    if session.json:
        output.document(_document(session, job, other, (old, new), paths))
        return
    _show(reader, [*([form] if form else []), old, new, "--", *paths])


def _split(reader: Reader, rest: Sequence[str]) -> tuple[str | None, list[str]]:
    """The second job, when the first word is one, and the paths."""
    if rest:
        try:
            reader.find(rest[0])
        except JobNotFound:
            if _JOB.fullmatch(rest[0]):
                raise
        else:
            return rest[0], list(rest[1:])
    return None, list(rest)


def _refuse_deleted(reader: Reader, name: str) -> None:
    found = reader.find(name)
    if found.state is State.DELETED:
        raise JobStateError(f"job #{found.id} was deleted", hint=reader.way_back(found))


def _refuse_unknown(reader: Reader, job: str, sides: tuple[Oid, Oid], paths: Sequence[str]) -> None:
    """git shows nothing for a path that is nowhere; that could as well mean that nothing changed there."""
    for path in paths:
        known = (reader.git.run("diff", "--name-only", EMPTY_TREE, side, "--", path) for side in sides)
        if not any(known):
            raise UsageError(
                f"{path!r} is neither a job nor a file of what is compared",
                hint=f"`vdo files {reader.find(job).id}` lists the files of the job",
            )


def _show(reader: Reader, arguments: Sequence[str]) -> None:
    """Let git write to the terminal itself, through its pager."""
    # What git prints is for a person: in the person's language and character set, unlike what vdo reads of git.
    environ = {name: value for name, value in reader.git.environ.items() if name != "LC_ALL"}
    # A handler, not SIG_IGN, which git and the pager would inherit: Ctrl-C is theirs as long as they run.
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        code = subprocess.run(reader.git.command("diff", *arguments), env=environ, check=False).returncode
    finally:
        signal.signal(signal.SIGINT, before)
    if code == -signal.SIGINT:
        raise Stopped("interrupted")
    if code not in _QUIET_END:
        raise RepositoryError(f"git diff ended with exit code {code}", hint="its own message is above")


def _document(
    session: Session, job: str, other: str | None, sides: tuple[Oid, Oid], paths: Sequence[str]
) -> dict[str, Any]:
    reader = session.readings.reader
    old, new = sides
    listed = reader.git.run("diff", "--no-renames", "--name-status", "-z", old, new, "--", *paths)
    fields = listed.decode("utf-8", "surrogateescape").split("\0")
    patch = reader.git.run("diff", "--no-color", "--no-ext-diff", old, new, "--", *paths)
    return {
        "id": reader.find(job).id,
        "other_id": reader.find(other).id if other else None,
        "old": old,
        "new": new,
        "files": [
            {"filename": path, "status": status} for status, path in zip(fields[0::2], fields[1::2], strict=False)
        ],
        "patch": patch.decode("utf-8", "replace"),
    }
