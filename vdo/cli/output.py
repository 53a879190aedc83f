"""What goes to stdout and what to stderr: results and the one JSON document here, progress and messages there."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import click

from vdo.cli.session import Session
from vdo.cli.terminal import colours, safe
from vdo.errors import VdoError


def prepare_streams() -> None:
    """Make the standard streams safe to use."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: the next file that is opened would get its place, and whatever a child prints
            os.open(os.devnull, os.O_RDWR)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # what the encoding does not have must not end a command half way
            stream.reconfigure(errors="backslashreplace")


def say(text: str = "") -> None:
    """A line of the result."""
    click.echo(text, color=colours(sys.stdout.isatty()))


def tell(session: Session, text: str) -> None:
    """A message beside the result; `-q` leaves it out."""
    if not session.quiet:
        complain(text)


def complain(text: str) -> None:
    """A message that is always shown."""
    sys.stdout.flush()
    click.echo(text, err=True, color=colours(sys.stderr.isatty()))


def ask(text: str) -> None:
    """A question: the answer is typed behind it."""
    sys.stdout.flush()
    click.echo(f"{text} ", nl=False, err=True)


def document(value: Any) -> None:
    """The JSON document of `--json`; as ASCII, so that nothing in it can drive a terminal or fail to encode."""
    click.echo(json.dumps(value, indent=2))


def problem(message: str, hint: str, exit_code: int, *, as_json: bool) -> None:
    """An error: what failed, and what to do next."""
    if as_json:
        click.echo(json.dumps({"error": message, "hint": hint or None, "exit_code": exit_code}), err=True)
        return
    complain(f"{click.style('error:', fg='red', bold=True)} {safe(message)}")
    if hint:
        complain(f"{click.style('hint:', fg='cyan')} {safe(hint)}")


def problem_of(error: VdoError, *, as_json: bool) -> None:
    problem(str(error), error.hint, error.exit_code, as_json=as_json)
