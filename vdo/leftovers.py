"""Finding and ending the processes that outlived the command that started them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

MARK = "VDO_CLAIM"
"""Every process of a job carries its claim's nonce in this variable, so that also a `setsid` child is found again."""

_SECONDS = 4.0
"""How long the hunt goes on at most: what still runs then cannot be ended by us."""


@dataclass(frozen=True)
class Entry:
    """A line of the system's process table."""

    pid: int
    state: str
    parent: int
    group: int


def processes() -> Iterator[Entry]:
    """The processes that are visible here. Linux only (/proc); elsewhere nothing."""
    names = os.listdir("/proc") if os.path.isdir("/proc") else ()
    # The youngest first: one that forks and ends all the time is met before it is somebody else.
    for pid in sorted((int(name) for name in names if name.isdigit()), reverse=True):
        if (entry := _entry(pid)) is not None:
            yield entry


def _entry(pid: int) -> Entry | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:  # gone
        return None
    # The name in parentheses may hold anything, spaces and parentheses too.
    state, parent, group = stat[stat.rindex(b")") + 2 :].split(b" ", 3)[:3]
    return Entry(pid, state.decode(), int(parent), int(group))


def is_alive(pid: int) -> bool:
    """It runs, or could: a zombie does not. False where there is no process table to read."""
    entry = _entry(pid)
    return entry is not None and entry.state not in "ZX"


def descendants(pid: int) -> set[int]:
    """The children of `pid`, theirs and so on. Who was orphaned is not among them, unless `pid` adopts orphans."""
    children: dict[int, list[int]] = {}
    for entry in processes():
        children.setdefault(entry.parent, []).append(entry.pid)
    found: set[int] = set()
    todo = [pid]
    while todo:
        below = set(children.get(todo.pop(), ())) - found
        found |= below
        todo += below
    return found


def marked(mark: str) -> list[int]:
    """The processes of this machine that carry `mark` in their environment, also those that called setsid.

    Linux only (/proc); elsewhere the empty list, and ending the process group is all that can be done. One that
    replaced its environment is not found: only a sandbox with a process namespace of its own holds such a one.
    """
    wanted = f"{MARK}={mark}".encode()
    found = []
    for entry in processes():
        try:
            environ = Path(f"/proc/{entry.pid}/environ").read_bytes()
        except OSError:  # gone, or somebody else's
            continue
        if wanted in environ.split(b"\0") and entry.pid != os.getpid():
            found.append(entry.pid)
    return found


def end_marked(mark: str) -> list[int]:
    """Kill every process that carries `mark` and return their ids: what a claim's holder that died left running."""
    killed: set[int] = set()
    deadline = time.monotonic() + _SECONDS
    while (pids := marked(mark)) and time.monotonic() < deadline:
        # Halted before they are killed: what forks faster than it is looked for cannot run away from its end.
        while new := set(pids) - killed:
            killed |= _signal_all(new, signal.SIGSTOP)
            if not new & killed or time.monotonic() > deadline:
                break
            pids = marked(mark)
        kill(killed)
    return sorted(killed)


def _signal_all(pids: Iterable[int], sig: signal.Signals) -> set[int]:
    """Which of them could be signalled."""
    reached = set()
    for pid in pids:
        try:
            os.kill(pid, sig)
        except (ProcessLookupError, PermissionError):
            continue
        reached.add(pid)
    return reached


def kill(pids: Iterable[int]) -> None:
    """At once; they are gone when this returns, those of somebody else left out."""
    reached = _signal_all(pids, signal.SIGKILL)
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline and any(is_alive(pid) for pid in reached):
        time.sleep(0.002)
