"""Showing long texts through the pager that git would use."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import click

from vdo.cli import output, terminal
from vdo.store.git import Git


@contextlib.contextmanager
def paged(git: Git) -> Iterator[Callable[[str], None]]:
    """A function that shows a line: in the pager on a terminal, else on stdout."""
    command = git.try_run("var", "GIT_PAGER").stdout.decode().strip() if sys.stdout.isatty() else ""
    if command in ("", "cat"):
        yield output.say
        return
    environ = {"LESS": "FRX", "LV": "-c", **os.environ}  # as git sets them
    child = subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE, env=environ)
    assert child.stdin is not None
    coloured = terminal.colours(True)
    pipe = child.stdin

    def write(text: str) -> None:
        line = text if coloured else click.unstyle(text)
        pipe.write(line.encode("utf-8", "backslashreplace") + b"\n")

    try:
        with contextlib.suppress(BrokenPipeError):  # the reader has seen enough
            yield write
    finally:
        with contextlib.suppress(BrokenPipeError):
            pipe.close()
        while True:
            with contextlib.suppress(KeyboardInterrupt):  # the pager's business, as long as it runs
                child.wait()
                break
