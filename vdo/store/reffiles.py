"""Reading refs from their files, without a library and without a process: the fast half of the read path."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

from vdo.errors import RepositoryError
from vdo.job import JobId, Oid

JOBS = "refs/vdo/jobs/"
TRASH = "refs/vdo/trash/"
HEADS = "refs/heads/"

Stamp = str
# A file system stamps writes with the kernel's tick; two writes closer than this can share one stamp.
_TICK_NS = 20_000_000
_OID = re.compile(rb"[0-9a-f]{40}")
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")


def read(common_dir: Path, name: str) -> Oid | None:
    """The object that a direct ref points to; None when there is no such ref.

    Raises RepositoryError for one whose file holds anything else: taken for a missing one it would be overwritten.
    """
    try:
        value = (common_dir / name).read_bytes().strip()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return _packed_one(common_dir, name)
    if not _OID.fullmatch(value):
        raise RepositoryError(
            f"the ref {name} holds {value[:60]!r} instead of an object's id",
            hint=f"`git log -g {name}` and `git fsck` help to find its value; `git update-ref` sets it",
        )
    return Oid(value.decode())


def below(common_dir: Path, prefix: str) -> dict[str, Oid]:
    """All refs whose name begins with `prefix` (which ends in a slash), by full name; damaged ones are left out."""
    # Loose ones first: `git pack-refs` writes the packed file before it removes them, so that none is missed.
    loose = dict(_loose(common_dir, prefix))
    return {**_packed(common_dir, prefix), **loose}


def numbered(common_dir: Path, prefix: str) -> dict[JobId, Oid]:
    """The refs below `prefix` that are named by a job's number, by that number."""
    found = ((name[len(prefix) :], oid) for name, oid in below(common_dir, prefix).items())
    return {JobId(int(name)): oid for name, oid in found if _NUMBER.fullmatch(name)}


def _loose(common_dir: Path, prefix: str) -> Iterator[tuple[str, Oid]]:
    root = str(common_dir / prefix)
    for folder, _, files in os.walk(root):
        for name in files:
            if name.endswith(".lock"):
                continue
            path = os.path.join(folder, name)
            try:
                with open(path, "rb") as file:
                    value = file.read().strip()
            except OSError:
                continue
            if _OID.fullmatch(value):
                yield prefix + os.path.relpath(path, root), Oid(value.decode())


def _packed_one(common_dir: Path, name: str) -> Oid | None:
    """The same of one packed ref, without taking the whole file apart."""
    try:
        data = (common_dir / "packed-refs").read_bytes()
    except FileNotFoundError:
        return None
    at = data.find(b" " + name.encode("utf-8", "surrogateescape") + b"\n")
    value = data[max(at - 40, 0) : at] if at > 0 else b""
    starts_a_line = at == 40 or data[at - 41 : at - 40] == b"\n"
    return Oid(value.decode()) if starts_a_line and _OID.fullmatch(value) else None


def _packed(common_dir: Path, prefix: str) -> dict[str, Oid]:
    try:
        data = (common_dir / "packed-refs").read_bytes()
    except FileNotFoundError:
        return {}
    wanted = prefix.encode("utf-8", "surrogateescape")
    if wanted not in data:
        return {}
    # Only "\n" ends a line here: names of refs may hold what str.splitlines takes for a line's end.
    return {
        line[41:].decode("utf-8", "surrogateescape"): Oid(line[:40].decode("ascii", "replace"))
        for line in data.split(b"\n")
        if line.startswith(wanted, 41) and line[40:41] == b" " and line[:1] != b"#"
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
        except NotADirectoryError:
            raise RepositoryError(
                "a ref named refs/vdo is in the way: vdo keeps its own refs below that name",
                hint="`git update-ref -d refs/vdo` removes it, if nobody needs it",
            ) from None
        newest = max(newest, info.st_mtime_ns)
        parts.append(f"{info.st_ino}.{info.st_mtime_ns}.{info.st_size}")
    return "" if settled and abs(time.time_ns() - newest) < _TICK_NS else " ".join(parts)
