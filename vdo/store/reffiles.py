"""Reading refs from their files, without a library and without a process: the fast half of the read path."""

from __future__ import annotations

import os
import time
from pathlib import Path

from vdo.job import Oid

JOBS = "refs/vdo/jobs/"
TRASH = "refs/vdo/trash/"
HEADS = "refs/heads/"

Stamp = str
# A file system stamps writes with the kernel's tick; two writes closer than this can share one stamp.
_TICK_NS = 20_000_000


def read(common_dir: Path, name: str) -> Oid | None:
    """The object that a direct ref points to; None when there is no such ref."""
    try:
        value = (common_dir / name).read_text("ascii").strip()
        return Oid(value) if len(value) == 40 else None
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return _packed(common_dir, name).get(name)


def below(common_dir: Path, prefix: str) -> dict[str, Oid]:
    """All refs whose name begins with `prefix` (which ends in a slash), by full name; loose ones win."""
    found = _packed(common_dir, prefix)
    root = str(common_dir / prefix)
    for folder, _, files in os.walk(root):
        for name in files:
            if name.endswith(".lock"):
                continue
            path = os.path.join(folder, name)
            try:
                with open(path, encoding="ascii") as file:
                    value = file.read().strip()
            except OSError:
                continue
            if len(value) == 40:
                found[prefix + os.path.relpath(path, root)] = Oid(value)
    return found


def _packed(common_dir: Path, prefix: str) -> dict[str, Oid]:
    try:
        data = (common_dir / "packed-refs").read_text("utf-8", "surrogateescape")
    except FileNotFoundError:
        return {}
    if prefix not in data:
        return {}
    return {
        line[41:]: Oid(line[:40]) for line in data.splitlines() if line.startswith(prefix, 41) and line[0] not in "#^"
    }


def stamp(common_dir: Path, *, settled: bool = True) -> Stamp:
    """A value that changes with every change of a job's ref; with `settled` empty while it could be ambiguous.

    Every update of a loose ref creates and renames a lock file in its folder, which moves the folder's time.
    """
    parts = []
    newest = 0
    for name in (JOBS.rstrip("/"), "packed-refs"):
        try:
            info = os.stat(common_dir / name)
        except FileNotFoundError:
            parts.append("-")
            continue
        newest = max(newest, info.st_mtime_ns)
        parts.append(f"{info.st_ino}.{info.st_mtime_ns}.{info.st_size}")
    return "" if settled and abs(time.time_ns() - newest) < _TICK_NS else " ".join(parts)
