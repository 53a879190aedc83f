"""Where a job's description comes from: the command line, a file, stdin, an editor."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from vdo.cli.editor import edit
from vdo.errors import UsageError, VdoError
from vdo.store.git import Git
from vdo.texts import MAX_DESCRIPTION

NAME = "VDO_DESCRIPTION.md"
_COMMENT = """\
Describe the job above, in plain words: what should be there when it is done,
how one sees that it works, what must stay as it is.
This line and everything below is left out. An empty text ends it: no job is made then.
"""


Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def describing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options -d, -F and -e."""
    options: tuple[Decorator, ...] = (
        click.option("-d", "--description", metavar="TEXT", help="What to do, in plain words."),
        click.option("-F", "--file", metavar="FILE", help="Read the description from FILE (- is stdin)."),
        click.option("-e", "--edit", is_flag=True, help="Write the description in your editor."),
    )
    for option in reversed(options):
        function = option(function)
    return function


def read_description(
    git: Git, title: str, description: str | None, file: str | None, editing: bool, *, before: str = ""
) -> str:
    """The text, after what is there `before`; raises UsageError when two sources contradict each other, or for none."""
    if description is not None and file is not None:
        raise click.UsageError("-d and -F contradict each other")
    text = read_text(file) if file is not None else description or ""
    text = f"{before}\n{text}" if before and text else before or text
    if not editing:
        return text
    edited = edit(git, text, name=NAME, comment=f"{title}\n\n{_COMMENT}", untouched_aborts=True)
    if not edited:
        raise UsageError("the description is empty: nothing was recorded", hint="without -e a job needs none")
    return edited


def read_text(file: str) -> str:
    """A whole file, or stdin for `-`; what is much too long is not read to its end."""
    most = 2 * MAX_DESCRIPTION  # a CRLF becomes one character
    try:
        if file == "-":
            data = sys.stdin.buffer.read(most + 1)
        else:
            with Path(file).open("rb") as stream:
                data = stream.read(most + 1)
    except OSError as problem:
        raise VdoError(
            f"{file} cannot be read: {problem.strerror}", hint="-F wants a readable file, or - for stdin"
        ) from None
    if len(data) > most:
        raise UsageError(
            f"{file} is too long: at most {MAX_DESCRIPTION:,} bytes are taken",
            hint="put long material into a file of the project, and name that in the description",
        )
    try:
        return data.decode()
    except UnicodeDecodeError as problem:
        where = "stdin" if file == "-" else file
        raise UsageError(
            f"{where} is not valid UTF-8 (byte {problem.start + 1})", hint="save it as UTF-8, or name another file"
        ) from None
