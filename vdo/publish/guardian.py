"""A second process beside a deployment: when the one that writes is killed, it puts the previous one back at once."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from vdo.errors import DeployRefused
from vdo.publish.deploy import recover

_LOCK_SECONDS = 10.0
"""How long the lock of a process that was just killed may take to go."""
_NEEDED = ("HOME", "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE")
"""What Python finds its modules by."""


@contextlib.contextmanager
def guarded(target: Path) -> Iterator[None]:
    """While this lasts, even kill -9 of this process leaves the previous deployment in `target`, or the new one.

    The guardian waits for the end of a pipe that only this process holds open. In a session of its own it is met
    neither by Ctrl-C nor by the end of a terminal; a machine that dies takes it along, and then the next deployment
    puts things right.
    """
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "vdo.publish.guardian", os.path.abspath(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _NEEDED if name in os.environ},
        start_new_session=True,
    ) as guardian:
        try:
            yield
        finally:
            guardian.kill()  # whatever this process left half done it has undone itself by now


def _stand_by(target: Path) -> None:
    sys.stdin.buffer.read()  # nothing ever comes: it ends when the other process does
    deadline = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            return recover(target)
        except DeployRefused:  # its lock is not gone yet, or the next deployment is at it already, and has recovered
            if time.monotonic() > deadline:
                raise
        time.sleep(0.01)


if __name__ == "__main__":
    _stand_by(Path(sys.argv[1]))
