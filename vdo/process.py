"""Running child processes so that none is left behind: own session, bounded output, time limit, a mark to find them."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vdo.environ import clean_environ
from vdo.leftovers import MARK, descendants, end_marked, kill, marked, processes

__all__ = [
    "MARK",
    "BoundedOutput",
    "Completed",
    "LimitReached",
    "clean_environ",
    "end_group",
    "end_marked",
    "marked",
    "run",
]

MAX_OUTPUT = 1 << 20
_POLL_SECONDS = 0.1
_GRACE_SECONDS = 2.0
_PIPE_BYTES = 1 << 20
"""The most that a pipe can hold for an ordinary user (/proc/sys/fs/pipe-max-size)."""


class LimitReached(Exception):
    """Raised by a callback of `run` to end the command; its text becomes the result's `stopped`."""


@dataclass(frozen=True)
class Completed:
    """How a command ended. `exit_code` is negative for a signal, as in subprocess; None when it was stopped."""

    exit_code: int | None
    output: str
    """Both streams, in the order they came; head and tail where it was longer than the limit."""
    seconds: float
    timed_out: bool = False
    stopped: str = ""
    """Which other limit ended it, in words."""

    @property
    def ok(self) -> bool:
        return self.exit_code == 0


class BoundedOutput:
    """Keeps the first and the last half of what a process prints, and says how much lies between."""

    def __init__(self, limit: int = MAX_OUTPUT) -> None:
        self._half = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def add(self, data: bytes) -> None:
        room = self._half - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * self._half:
            self._trim()

    def _trim(self) -> None:
        excess = len(self._tail) - self._half
        if excess > 0:
            self._dropped += excess
            del self._tail[:excess]

    def text(self) -> str:
        self._trim()
        if not self._dropped:  # one piece: a character may lie across the middle
            return (self._head + self._tail).decode("utf-8", "replace")
        head, tail = self._head.decode("utf-8", "replace"), self._tail.decode("utf-8", "replace")
        return f"{head}\n[... {self._dropped} bytes left out ...]\n{tail}"


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    seconds: float,
    stdin: bytes = b"",
    mark: str | None = None,
    check_stop: Callable[[], None] = lambda: None,
    on_output: Callable[[bytes], object] = lambda _data: None,
    on_start: Callable[[int], object] = lambda _pid: None,
    max_output: int = MAX_OUTPUT,
) -> Completed:
    """Run `command` to its end or for at most `seconds`; everything it started is gone when this returns.

    `env` is the whole environment of the child, git's own variables left out; with `mark` it also carries the claim's
    mark. `check_stop` is asked ten times a second and may raise to end the command; the exception passes through after
    the processes are ended. OSError when the command cannot be started.
    """
    began = time.monotonic()
    child = subprocess.Popen(
        list(command),
        cwd=cwd,
        env=clean_environ({**env, MARK: mark} if mark else env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        bufsize=0,
    )
    kept = BoundedOutput(max_output)

    def take(data: bytes) -> None:
        kept.add(data)
        on_output(data)

    ended, stopped = False, ""
    try:
        on_start(child.pid)
        ended = _Pump(child, stdin, take).run(began + seconds, check_stop)
    except LimitReached as reached:
        stopped = str(reached)
    finally:
        _end_all(child, mark, orphaned=ended)
    code = child.returncode if ended else None
    return Completed(code, kept.text(), time.monotonic() - began, not ended and not stopped, stopped)


class _Pump:
    """Feeds a child and reads from it until it ends.

    A grandchild that keeps the pipe open does not keep us: the child's own end counts.
    """

    def __init__(self, child: subprocess.Popen[bytes], stdin: bytes, on_output: Callable[[bytes], object]) -> None:
        assert child.stdin is not None and child.stdout is not None
        self._child, self._on_output = child, on_output
        self._stdin, self._stdout = child.stdin, child.stdout
        self._waiting = memoryview(stdin)

    def run(self, deadline: float, check_stop: Callable[[], None]) -> bool:
        """True when the child has ended, False when the deadline has passed."""
        next_check = 0.0
        with selectors.DefaultSelector() as selector, _exit_event(self._child.pid) as exit_fd:
            for pipe in (self._stdin, self._stdout):
                os.set_blocking(pipe.fileno(), False)
            selector.register(self._stdout, selectors.EVENT_READ, self._read)
            selector.register(self._stdin, selectors.EVENT_WRITE, self._write)
            if exit_fd is not None:
                selector.register(exit_fd, selectors.EVENT_READ, lambda: True)
            while (now := time.monotonic()) < deadline:
                if now >= next_check:
                    check_stop()
                    next_check = now + _POLL_SECONDS
                pause = _POLL_SECONDS if exit_fd is not None else _POLL_SECONDS / 10
                for key, _ in selector.select(min(pause, deadline - now)):
                    if not key.data():
                        selector.unregister(key.fileobj)
                        if key.fileobj is self._stdin:  # the end of its input
                            self._stdin.close()
                if _has_ended(self._child):
                    self._drain()
                    return True
        return False

    def _read(self) -> bool:
        """Takes what is there; False at the end of the stream."""
        try:
            data = os.read(self._stdout.fileno(), 1 << 16)
        except BlockingIOError:
            return True
        if data:
            self._on_output(data)
        return bool(data)

    def _write(self) -> bool:
        """Gives what the pipe takes; False once all is given, or the child does not want it."""
        try:
            if self._waiting:
                self._waiting = self._waiting[os.write(self._stdin.fileno(), self._waiting[: 1 << 16]) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:  # it does not read its input: its own choice
            self._waiting = memoryview(b"")
        return bool(self._waiting)

    def _drain(self) -> None:
        """What the child wrote before its end, and no more: a grandchild may go on writing for ever."""
        left = _PIPE_BYTES
        while left > 0:
            try:
                data = os.read(self._stdout.fileno(), 1 << 16)
            except BlockingIOError:
                return
            if not data:
                return
            left -= len(data)
            self._on_output(data)


class _exit_event:
    """A descriptor that becomes readable when a process ends (Linux 5.3); None elsewhere."""

    def __init__(self, pid: int) -> None:
        try:
            self._fd: int | None = os.pidfd_open(pid)
        except (AttributeError, OSError):
            self._fd = None

    def __enter__(self) -> int | None:
        return self._fd

    def __exit__(self, *_: object) -> None:
        if self._fd is not None:
            os.close(self._fd)


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Without reaping it where the system can: as long as it is a zombie, its number cannot become another group's."""
    if not hasattr(os, "waitid"):
        return child.poll() is not None
    try:
        return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _end_all(child: subprocess.Popen[bytes], mark: str | None, *, orphaned: bool) -> None:
    # Those that left the group are still below the child, unless its own end has orphaned them.
    below = set() if orphaned else descendants(child.pid)
    end_group(child)
    kill(below)
    if mark:
        end_marked(mark)
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()


def end_group(child: subprocess.Popen[bytes]) -> None:
    """End the process group that `child` leads: ask first, kill after a grace period. Reaps the child."""
    for sig in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, sig)
        except (ProcessLookupError, PermissionError):
            break
        if _group_ends(child):
            break
    try:
        child.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:  # somebody else's by now (sudo), or stuck in the kernel: it must not stick us
        return


def _group_ends(child: subprocess.Popen[bytes]) -> bool:
    deadline, pause = time.monotonic() + _GRACE_SECONDS, 0.001
    while time.monotonic() < deadline:
        child.poll()
        try:
            os.killpg(child.pid, 0)
        except (ProcessLookupError, PermissionError):
            return True
        # A zombie that nobody reaps (a container without an init) keeps the group's name, and harms nobody.
        members = [entry for entry in processes() if entry.group == child.pid]
        if members and all(entry.state in "ZX" for entry in members):
            return True
        time.sleep(pause)
        pause = min(2 * pause, 0.05)
    return False
