"""Which jobs were asked for in this repository: what was fetched from elsewhere may not run commands of its choice.

One id a line, written before the job's journal exists. A fetched journal can claim anything of itself, but not this.
"""

from __future__ import annotations

import os
from pathlib import Path

from vdo.job import Uid


def note(own: Path, uid: Uid) -> None:
    """Durable when this returns."""
    own.mkdir(exist_ok=True)
    descriptor = os.open(_file(own), os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, f"{uid}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def here(own: Path) -> frozenset[str]:
    """The ids of all jobs that were created here."""
    try:
        return frozenset(_file(own).read_text().split("\n"))
    except OSError:
        return frozenset()


def _file(own: Path) -> Path:
    return own / "created"
