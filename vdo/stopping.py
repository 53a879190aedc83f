"""Telling a child process that was ended along with this one from a child process that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vdo.errors import Stopped

if TYPE_CHECKING:
    import subprocess


def unless_stopped(done: subprocess.CompletedProcess[bytes]) -> subprocess.CompletedProcess[bytes]:
    """`done`; raises Stopped when it was ended by a signal that asks for an end.

    On a terminal Ctrl-C reaches every process there: what the child did not do says nothing about what it was asked.
    """
    if done.returncode < 0:
        import signal  # as rare as it is: what only reads gets along without it

        if -done.returncode in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            raise Stopped(f"{done.args[0]} was interrupted")
    return done
