"""Watching what a running command uses, for the limits that the kernel does not keep for a whole group of processes."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from vdo.leftovers import descendants
from vdo.process import LimitReached
from vdo.sandbox.contract import MIB, Limits

_PAGE = os.sysconf("SC_PAGE_SIZE")
_SHARE = 10
"""Measuring a folder may take one part in so many of the time."""
_LEFT = 8
"""One part in so many of the space that was free is left free, whoever takes it: files can be hidden from every
measure, as those that are on their way through a socket and open nowhere."""


class Watch:
    """Asked ten times a second while a command runs; raises LimitReached.

    Exact measures are dear (all files of a folder, the shared pages of all processes). They are taken as often as
    their cost allows, and at once when a cheap one gives reason to: the sum of resident pages, the free space.
    """

    def __init__(self, limits: Limits, folders: Sequence[Path]) -> None:
        self._limits, self._folders = limits, list(folders)
        self._pid: int | None = None
        self._printed = 0
        self._next_measure = 0.0
        self._shared = 0
        self._devices = {folder.stat().st_dev: folder for folder in folders}
        self._free_at_first = self._free()
        self._free_then = sum(self._free_at_first.values())

    def started(self, pid: int) -> None:
        self._pid = pid

    def printed(self, data: bytes) -> None:
        self._printed += len(data)
        if self._printed > self._limits.output:
            raise LimitReached(f"it printed more than {_mib(self._limits.output)}")

    def check(self) -> None:
        if self._pid is None:
            return
        pids, now = _below(self._pid), time.monotonic()
        too_much = sum(map(_resident, pids)) - self._shared > self._limits.memory
        free = self._free()
        if any(free[device] < first // _LEFT for device, first in self._free_at_first.items()):
            raise LimitReached("hardly any space was left on its disk")
        too_full = self._free_then - sum(free.values()) > self._limits.disk
        if too_much or too_full or now >= self._next_measure:
            self._measure(pids)
            self._next_measure = time.monotonic() + _SHARE * (time.monotonic() - now)

    def _measure(self, pids: set[int]) -> None:
        unlinked = list(self._unlinked(pids))
        memory = sum(size for is_disk, size in unlinked if not is_disk)
        resident = sum(map(_resident, pids))
        if resident + memory > self._limits.memory:
            proportional = sum(map(_proportional, pids))
            self._shared = resident - proportional
            if proportional + memory > self._limits.memory:
                raise LimitReached(f"it used more than {_mib(self._limits.memory)} of memory")
        closed: list[str] = []
        disk = sum(size_of(folder, closed.append) for folder in self._folders)
        disk += sum(size for is_disk, size in unlinked if is_disk)
        if closed:  # what they hide is some of what is no longer free
            disk = max(disk, sum(self._free_at_first.values()) - sum(self._free().values()))
        if disk > self._limits.disk:
            raise LimitReached(f"its files take more than {_mib(self._limits.disk)}")
        self._free_then = sum(self._free().values()) + disk

    def _free(self) -> dict[int, int]:
        """The bytes that are free on each device where the folders are."""
        filesystems = {device: os.statvfs(folder) for device, folder in self._devices.items()}
        return {device: found.f_bavail * found.f_frsize for device, found in filesystems.items()}

    def _unlinked(self, pids: set[int]) -> Iterator[tuple[bool, int]]:
        """Open files without a name: whether each is on the folders' disk (else it is memory), and its size."""
        seen: set[tuple[int, int]] = set()
        for pid in pids:
            try:
                names = os.listdir(f"/proc/{pid}/fd")
            except OSError:
                continue
            for name in names:
                try:
                    found = os.stat(f"/proc/{pid}/fd/{name}")
                except OSError:
                    continue
                key = (found.st_dev, found.st_ino)
                if stat.S_ISREG(found.st_mode) and found.st_nlink == 0 and key not in seen:
                    seen.add(key)
                    yield found.st_dev in self._devices, found.st_blocks * 512


def size_of(folder: Path, on_closed: Callable[[str], object] = lambda _folder: None) -> int:
    """The bytes that the files below `folder` take up; a file that comes or goes meanwhile may be missed.

    `on_closed` is told of each folder that its owner closed, also to us.
    """
    total, todo, seen = 0, [str(folder)], set[int]()
    while todo:
        for path, found in _entries(todo.pop(), on_closed):
            if stat.S_ISDIR(found.st_mode):
                todo.append(path)
            if found.st_ino not in seen:
                # An empty file is not free either: it takes up an inode.
                total += max(512 * found.st_blocks, 512)
            if found.st_nlink > 1:
                seen.add(found.st_ino)
    return total


def _entries(folder: str, on_closed: Callable[[str], object]) -> Iterator[tuple[str, os.stat_result]]:
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # made that way so as not to be measured
            raise LimitReached("it made folders deeper than a path can be long") from None
        if error.errno == errno.EACCES:
            on_closed(folder)
        return
    for entry in entries:
        with contextlib.suppress(OSError):
            yield entry.path, entry.stat(follow_symlinks=False)


def _below(pid: int) -> set[int]:
    """`pid` and its descendants, by the kernel's own list of children where it keeps one."""
    if not os.path.exists(f"/proc/{pid}/task/{pid}/children"):
        return {pid, *descendants(pid)}
    found, todo = {pid}, [pid]
    while todo:
        above = todo.pop()
        try:
            for thread in os.listdir(f"/proc/{above}/task"):
                below = {int(word) for word in Path(f"/proc/{above}/task/{thread}/children").read_bytes().split()}
                todo += below - found
                found |= below
        except OSError:
            continue
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _proportional(pid: int) -> int:
    """Resident memory in which each shared page counts once for all that share it."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        return _resident(pid)
    return 0


def _mib(size: int) -> str:
    return f"{size // MIB} MiB"
