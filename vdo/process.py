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

MARK = "VDO_CLAIM"
"""Every process of a job carries its claim's nonce in this variable, so that also a `setsid` child is found again."""

MAX_OUTPUT = 1 << 20
_POLL_SECONDS = 0.1
_GRACE_SECONDS = 2.0


@dataclass(frozen=True)
class Completed:
    """How a command ended. `exit_code` is negative for a signal, as in subprocess; None when it was stopped."""

    exit_code: int | None
    output: str
    """Both streams, in the order they came; head and tail where it was longer than the limit."""
    seconds: float
    timed_out: bool = False

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
        self._tail += data[room:] if room > 0 else data
        if len(self._tail) > 2 * self._half:
            self._trim()

    def _trim(self) -> None:
        excess = len(self._tail) - self._half
        if excess > 0:
            self._dropped += excess
            del self._tail[:excess]

    def text(self) -> str:
        self._trim()
        head, tail = self._head.decode("utf-8", "replace"), self._tail.decode("utf-8", "replace")
        if self._dropped:
            return f"{head}\n[... {self._dropped} bytes left out ...]\n{tail}"
        return head + tail


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    seconds: float,
    stdin: bytes = b"",
    mark: str | None = None,
    check_stop: Callable[[], None] = lambda: None,
    on_output: Callable[[bytes], None] = lambda _data: None,
    max_output: int = MAX_OUTPUT,
    preexec: Callable[[], None] | None = None,
) -> Completed:
    """Run `command` to its end or for at most `seconds`; everything it started is gone when this returns.

    `env` is the whole environment of the child; with `mark` it also carries the claim's mark. `check_stop` is asked
    ten times a second and may raise to end the command; the exception passes through after the processes are ended.
    """
    marked = {**env, MARK: mark} if mark else dict(env)
    began = time.monotonic()
    child = subprocess.Popen(
        list(command),
        cwd=cwd,
        env=marked,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=preexec,
    )
    kept = BoundedOutput(max_output)

    def take(data: bytes) -> None:
        kept.add(data)
        on_output(data)

    timed_out = True
    try:
        timed_out = not _pump(child, stdin, began + seconds, check_stop, take)
    finally:
        end_group(child)
        if mark:
            end_marked(mark)
        for pipe in (child.stdin, child.stdout):
            if pipe is not None and not pipe.closed:
                pipe.close()
    code = None if timed_out else child.returncode
    return Completed(code, kept.text(), time.monotonic() - began, timed_out)


def _pump(
    child: subprocess.Popen[bytes],
    stdin: bytes,
    deadline: float,
    check_stop: Callable[[], None],
    on_output: Callable[[bytes], object],
) -> bool:
    """Feed and read until the child itself has ended (True) or the deadline has passed (False).

    A grandchild that keeps the pipe open does not keep us: the child's own end counts.
    """
    assert child.stdin is not None and child.stdout is not None
    waiting = memoryview(stdin)
    with selectors.DefaultSelector() as selector:
        for pipe in (child.stdin, child.stdout):
            os.set_blocking(pipe.fileno(), False)
        selector.register(child.stdout, selectors.EVENT_READ)
        selector.register(child.stdin, selectors.EVENT_WRITE)
        while time.monotonic() < deadline:
            check_stop()
            for key, _ in selector.select(_POLL_SECONDS) if selector.get_map() else ():
                if key.fileobj is child.stdout:
                    if not _read_into(child, on_output):
                        selector.unregister(child.stdout)
                else:
                    waiting = _write_some(child, waiting)
                    if not waiting:
                        selector.unregister(child.stdin)
                        child.stdin.close()
            if not selector.get_map():
                time.sleep(0.005)
            if child.poll() is not None:
                while _read_into(child, on_output, once=True):
                    pass
                return True
    return False


def _read_into(child: subprocess.Popen[bytes], on_output: Callable[[bytes], object], *, once: bool = False) -> bool:
    """One read; False at the end of the stream (or, with `once`, when nothing is there at this moment)."""
    assert child.stdout is not None
    try:
        data = os.read(child.stdout.fileno(), 1 << 16)
    except BlockingIOError:
        return not once
    if data:
        on_output(data)
    return bool(data)


def _write_some(child: subprocess.Popen[bytes], waiting: memoryview) -> memoryview:
    assert child.stdin is not None
    try:
        return waiting[os.write(child.stdin.fileno(), waiting[: 1 << 16]) :] if waiting else waiting
    except BlockingIOError:
        return waiting
    except BrokenPipeError:  # it does not read its input: its own choice
        return memoryview(b"")


def end_group(child: subprocess.Popen[bytes]) -> None:
    """End the process group that `child` leads: ask first, kill after a grace period. Reaps the child."""
    for sig in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, sig)
        except (ProcessLookupError, PermissionError):
            break
        if _wait_for_group(child):
            break
    child.wait()


def _wait_for_group(child: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + _GRACE_SECONDS
    while time.monotonic() < deadline:
        child.poll()
        try:
            os.killpg(child.pid, 0)
        except (ProcessLookupError, PermissionError):
            return True
        time.sleep(0.005)
    return False


def marked(mark: str) -> list[int]:
    """The processes of this machine that carry `mark` in their environment, also those that called setsid.

    Linux only (/proc); elsewhere the empty list, and ending the process group is all that can be done.
    """
    wanted = f"{MARK}={mark}".encode()
    found = []
    for name in os.listdir("/proc") if os.path.isdir("/proc") else ():
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            environ = Path("/proc", name, "environ").read_bytes()
        except OSError:  # gone, or somebody else's
            continue
        if wanted in environ.split(b"\0"):
            found.append(int(name))
    return found


def end_marked(mark: str) -> list[int]:
    """Kill every process that carries `mark`, again until none is left (it may be forking); their ids."""
    killed: list[int] = []
    for _ in range(100):
        pids = marked(mark)
        if not pids:
            break
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
            except (ProcessLookupError, PermissionError):
                continue
        time.sleep(0.005)
    return sorted(set(killed))
